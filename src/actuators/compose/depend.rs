//! What a service depends on must be there before it grows. Nothing is waited for: Compose did that once,
//! and a later pass asks again.

use super::facts::Facts;
use super::find::{self, ComposeContainer};
use super::{ComposeService, labels};
use crate::actuators::{ActuatorError, Obstacle};
use crate::api::condition::Reason;
use crate::model::observation::Health;

/// What must hold of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Started,
    Healthy,
}

impl ComposeService {
    /// Refuses where a service that this one depends on is down. One that has no container at all is optional,
    /// or nobody's.
    pub(super) async fn check_dependencies(&self, facts: &Facts) -> Result<(), ActuatorError> {
        let label = facts.donor["Config"]["Labels"][labels::DEPENDS_ON].as_str().unwrap_or_default();
        for (service, condition) in read(label) {
            let found = find::replicas(self.engine(), &self.target.project, service).await;
            let containers = found.map_err(|it| self.failed("list the service's dependencies", it))?;
            if !containers.is_empty() && !containers.iter().any(|it| condition.holds(it)) {
                return Err(ActuatorError::Refused(Obstacle {
                    reason: Reason::DependencyNotReady,
                    message: format!("it depends on service {service}, which is not {}", condition.word()),
                }));
            }
        }
        Ok(())
    }
}

impl Condition {
    fn holds(self, container: &ComposeContainer) -> bool {
        container.is_running() && (self == Self::Started || container.health == Health::Healthy)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Started => "running",
            Self::Healthy => "healthy",
        }
    }
}

/// The services in `service:condition:restart,…` that must be there all along. Those that must have ended once did.
fn read(label: &str) -> impl Iterator<Item = (&str, Condition)> {
    label.split(',').filter_map(|entry| {
        let mut parts = entry.split(':');
        let service = parts.next().filter(|it| !it.is_empty())?;
        match parts.next()? {
            "service_started" => Some((service, Condition::Started)),
            "service_healthy" => Some((service, Condition::Healthy)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::find::{State, sample};
    use super::*;

    #[test]
    fn the_label_names_services_and_conditions() {
        let label =
            "db:service_healthy:false,setup:service_completed_successfully:false,cache:service_started:true";
        let read: Vec<_> = read(label).collect();
        assert_eq!(read, [("db", Condition::Healthy), ("cache", Condition::Started)]);
        assert_eq!(super::read("").count(), 0);
    }

    #[test]
    fn a_condition_holds_of_running_containers_only() {
        let healthy = ComposeContainer { health: Health::Healthy, ..sample(1) };
        let stopped = ComposeContainer { state: State::Exited, ..healthy.clone() };
        assert!(Condition::Healthy.holds(&healthy) && Condition::Started.holds(&sample(1)));
        assert!(!Condition::Healthy.holds(&sample(1)) && !Condition::Started.holds(&stopped));
    }
}
