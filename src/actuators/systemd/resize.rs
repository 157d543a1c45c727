//! New limits of units: one call for each unit, read back and compared.

use std::time::Duration;

use super::domain::Domain;
use super::kernel;
use super::setting::{Setting, controller, is_set_for_good, property};
use super::shrink::Shrink;
use crate::actuators::{ActuatorError, Lasts, NewLimit, Obstacle, Resizing};
use crate::api::condition::Reason;
use crate::api::limits::LimitKind;
use crate::api::resources::Apply;
use crate::clients::systemd::{Kept, Properties, Value, Verb};
use crate::model::observation::ReplicaId;
use crate::sources::host;

/// Longest wait for a job of a unit that sets no time limit of its own.
const JOB_WAIT: Duration = Duration::from_secs(300);
/// Longest wait for a job of any unit.
const LONGEST_JOB_WAIT: Duration = Duration::from_secs(1_800);
/// What a job may take beyond the unit's own time limits.
const JOB_MARGIN: Duration = Duration::from_secs(10);

/// Gives units their limits. Whatever can be refused is refused before anything is changed.
pub(super) async fn resize(domain: &Domain, resizing: &Resizing) -> Result<(), ActuatorError> {
    let mut plans = Vec::new();
    for (id, limits) in &resizing.replicas {
        plans.push(Plan::new(domain, id, limits).await?);
    }
    check_controllers(domain, &plans).await?;
    for plan in &plans {
        if let Some(shrink) = plan.shrink {
            shrink.check(domain, &plan.name).await?;
        }
    }
    for (done, plan) in plans.iter().enumerate() {
        let set = plan.carry_out(domain, resizing.lasts).await;
        set.map_err(|error| if done > 0 { no_longer_refused(&plan.name, error) } else { error })?;
    }
    if resizing.apply == Apply::Restart {
        for plan in plans.iter().filter(|it| it.runs) {
            plan.restart(domain).await?;
        }
    }
    Ok(())
}

/// A unit and the limits that it is to have.
struct Plan {
    name: String,
    settings: Vec<(LimitKind, Setting)>,
    shrink: Option<Shrink>,
    /// The CPUs that it may use at first, where any are allowed from now on.
    all_cpus: Option<Setting>,
    /// One of the limits was set for good, so only what is set for good lasts.
    for_good: bool,
    runs: bool,
    restart_limit: Duration,
}

impl Plan {
    async fn new(domain: &Domain, id: &ReplicaId, limits: &[NewLimit]) -> Result<Self, ActuatorError> {
        let name = domain.unit(id).ok_or_else(|| domain.not_found(id.as_str()))?;
        let unit = domain.look(name).await?;
        let online = host::online_cpus();
        let settings: Result<Vec<_>, ActuatorError> = limits
            .iter()
            .map(|limit| {
                let setting = Setting::of(limit.kind, limit.value, &online, &unit);
                let failed = |error| ActuatorError::Failed {
                    action: format!("give {name} its {}", limit.kind),
                    source: Box::new(error),
                };
                Ok((limit.kind, setting.map_err(failed)?))
            })
            .collect();
        let settings = settings?;
        Ok(Self {
            shrink: Shrink::of(&unit, &settings),
            all_cpus: all_cpus(&unit, &settings, &online),
            for_good: is_set_for_good(&unit, limits.iter().map(|it| it.kind)),
            runs: matches!(
                unit.text("ActiveState"),
                Some("active" | "reloading" | "refreshing" | "activating")
            ),
            restart_limit: job_limit(Verb::Restart, &unit),
            name: name.to_owned(),
            settings,
        })
    }

    /// Sets the limits, after room was made for them, and makes sure that the unit has them.
    async fn carry_out(&self, domain: &Domain, lasts: Lasts) -> Result<(), ActuatorError> {
        if let Some(shrink) = self.shrink {
            shrink.make_room(domain, &self.name).await?;
        }
        let kept = match lasts {
            Lasts::UntilReboot if !self.for_good => Kept::Runtime,
            Lasts::UntilReboot | Lasts::Forever => Kept::Persistent,
        };
        if let Some(all) = &self.all_cpus {
            let all = [(property(LimitKind::AllowedCpus), all.value())];
            let set = domain.manager.set(&self.name, Kept::Runtime, &all).await;
            set.map_err(|error| domain.failed(&format!("allow {} all CPUs", self.name), error))?;
        }
        let wanted = self.wanted();
        let values: Vec<(&str, Value<'_>)> =
            wanted.iter().map(|(kind, setting)| (property(*kind), setting.value())).collect();
        let set = domain.manager.set(&self.name, kept, &values).await;
        if let Err(error) = set {
            if let Some(shrink) = self.shrink {
                shrink.put_back(domain, &self.name).await;
            }
            return Err(domain.failed(&format!("change the limits of {}", self.name), error));
        }
        let unit = domain.look(&self.name).await?;
        compare(&self.name, &wanted, &unit)
    }

    /// The limits in the order of their kinds, with `MemoryHigh` as it was where room was made under another one.
    fn wanted(&self) -> Vec<(LimitKind, Setting)> {
        let mut wanted = self.settings.clone();
        if let Some(shrink) = self.shrink
            && !wanted.iter().any(|(kind, _)| *kind == LimitKind::MemoryHigh)
        {
            wanted.push((LimitKind::MemoryHigh, Setting::Number(shrink.high())));
        }
        wanted
    }

    async fn restart(&self, domain: &Domain) -> Result<(), ActuatorError> {
        let done = domain.manager.carry_out(Verb::Restart, &self.name, self.restart_limit).await;
        done.map_err(|error| domain.failed(&format!("restart {}", self.name), error))
    }
}

/// All CPUs, where a unit that has a set of them is to have none. systemd forgets the set then and leaves it to the
/// kernel as it was, so it has to be a set of all before.
fn all_cpus(unit: &Properties, settings: &[(LimitKind, Setting)], online: &[u32]) -> Option<Setting> {
    let kind = LimitKind::AllowedCpus;
    let is_limited = Setting::read(kind, unit)?.limit(kind).is_some();
    let is_freed = settings.iter().any(|(other, setting)| *other == kind && setting.limit(kind).is_none());
    let all = f64::from(u32::try_from(online.len()).ok()?);
    let all = (is_limited && is_freed).then(|| Setting::of(kind, Some(all), online, unit).ok());
    all.flatten().filter(|all| Setting::read(kind, unit).as_ref() != Some(all))
}

/// What a unit has, when it is not what it was given.
#[derive(Debug, thiserror::Error)]
#[error("{kind} was set to {wanted} and is {found}")]
struct ReadBack {
    kind: LimitKind,
    wanted: String,
    found: String,
}

fn compare(name: &str, wanted: &[(LimitKind, Setting)], unit: &Properties) -> Result<(), ActuatorError> {
    for (kind, wanted) in wanted {
        let found = Setting::read(*kind, unit);
        if found.as_ref() != Some(wanted) {
            let found = found.map_or_else(|| "not told".to_owned(), |it| it.written(*kind));
            let source = ReadBack { kind: *kind, wanted: wanted.written(*kind), found };
            let action = format!("give {name} its limits");
            return Err(ActuatorError::Failed { action, source: source.into() });
        }
    }
    Ok(())
}

/// Limits that the kernel would not enforce are refused: a user's manager mostly has no say over disks and CPU sets.
async fn check_controllers(domain: &Domain, plans: &[Plan]) -> Result<(), ActuatorError> {
    let group = domain.manager.control_group().await;
    let group = group.map_err(|error| domain.failed("ask for the manager's control group", error))?;
    let Some(controllers) = kernel::controllers(&group) else { return Ok(()) };
    let limits = plans.iter().flat_map(|plan| plan.settings.iter().map(move |it| (&plan.name, it)));
    for (name, (kind, setting)) in limits {
        let needed = controller(*kind);
        if setting.limit(*kind).is_some() && !controllers.iter().any(|it| it == needed) {
            let message = format!(
                "{kind} of {name} would have no effect: the kernel's controller `{needed}` is not delegated to its \
                 manager, which has {}",
                controllers.join(", ")
            );
            return Err(ActuatorError::Refused(Obstacle { reason: Reason::NotDelegated, message }));
        }
    }
    Ok(())
}

/// A refusal means that nothing has changed, which is no longer so.
fn no_longer_refused(name: &str, error: ActuatorError) -> ActuatorError {
    match error {
        ActuatorError::Refused(obstacle) => ActuatorError::Failed {
            action: format!("change the limits of {name}, after those of others"),
            source: obstacle.message.into(),
        },
        other => other,
    }
}

/// How long a job of a unit may take, by the unit's own time limits.
pub(super) fn job_limit(verb: Verb, unit: &Properties) -> Duration {
    let limit = |name| unit.number(name).map(Duration::from_micros);
    let limits = match verb {
        Verb::Start => limit("TimeoutStartUSec"),
        Verb::Stop => limit("TimeoutStopUSec"),
        Verb::Restart => limit("TimeoutStartUSec").zip(limit("TimeoutStopUSec")).map(|(a, b)| a + b),
    };
    limits.map_or(JOB_WAIT, |it| it.saturating_add(JOB_MARGIN)).min(LONGEST_JOB_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::systemd::UNSET;

    #[test]
    fn a_job_may_take_as_long_as_its_unit_says() {
        let unit = Properties::from([
            ("TimeoutStartUSec", Value::from(90_000_000_u64)),
            ("TimeoutStopUSec", Value::from(5_000_000_u64)),
        ]);
        assert_eq!(job_limit(Verb::Start, &unit), Duration::from_secs(100));
        assert_eq!(job_limit(Verb::Stop, &unit), Duration::from_secs(15));
        assert_eq!(job_limit(Verb::Restart, &unit), Duration::from_secs(105));
        let endless = Properties::from([("TimeoutStartUSec", Value::from(UNSET))]);
        assert_eq!(job_limit(Verb::Start, &endless), JOB_WAIT);
        assert_eq!(job_limit(Verb::Restart, &Properties::default()), JOB_WAIT, "a slice");
        let slow = Properties::from([("TimeoutStartUSec", Value::from(UNSET - 1))]);
        assert_eq!(job_limit(Verb::Start, &slow), LONGEST_JOB_WAIT);
    }

    #[test]
    fn a_set_of_cpus_is_made_one_of_all_before_it_is_lifted() {
        let unit = |mask: Vec<u8>| Properties::from([("AllowedCPUs", Value::from(mask))]);
        let lifted = [(LimitKind::AllowedCpus, Setting::Cpus(vec![]))];
        let kept = [(LimitKind::AllowedCpus, Setting::Cpus(vec![0b1]))];
        assert_eq!(all_cpus(&unit(vec![0b1]), &lifted, &[0, 1]), Some(Setting::Cpus(vec![0b11])));
        assert_eq!(all_cpus(&unit(vec![0b11]), &lifted, &[0, 1]), None, "it is one of all already");
        assert_eq!(all_cpus(&unit(vec![]), &lifted, &[0, 1]), None);
        assert_eq!(all_cpus(&unit(vec![0b10]), &kept, &[0, 1]), None);
    }

    #[test]
    fn a_limit_that_is_not_what_was_set_is_an_error_that_names_both() {
        let wanted =
            [(LimitKind::TasksMax, Setting::Number(375)), (LimitKind::CpuQuota, Setting::Number(10_000))];
        let unit = |tasks: u64| {
            Properties::from([
                ("TasksMax", Value::from(tasks)),
                ("CPUQuotaPerSecUSec", Value::from(10_000_u64)),
            ])
        };
        assert!(compare("a.service", &wanted, &unit(375)).is_ok());
        let error = compare("a.service", &wanted, &unit(UNSET)).unwrap_err();
        let words = crate::telemetry::chain(&error);
        assert_eq!(words, "cannot give a.service its limits: tasksMax was set to 375 and is no limit");
    }
}
