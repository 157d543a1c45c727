//! Other limits for replicas that run, by the engine's update call: the process does not notice, and its container
//! stays the same.
//!
//! A container's limits last as long as the container does, through restarts of it, of the engine and of the host,
//! whatever [`Resizing::lasts`](crate::actuators::Resizing) says. `docker compose up --force-recreate` ends them.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::find::ComposeContainer;
use super::{ComposeService, limits, survey};
use crate::actuators::{ActuatorError, NewLimit, Obstacle, Resizing};
use crate::api::condition::Reason;
use crate::api::limits::LimitKind;
use crate::api::resources::Apply;
use crate::clock::Clock;
use crate::model::observation::{Limits, ReplicaId};
use crate::sources::docker::{Containers, Way};
use crate::sources::reading::{GaugeSource, Meter, MeterError, Reading};
use crate::strategies::sizing::factor::{HEADROOM, round_up};

/// A container whose limits are to change, and how.
struct Change<'a> {
    container: &'a ComposeContainer,
    wanted: &'a [NewLimit],
    body: Map<String, Value>,
}

impl ComposeService {
    /// Gives these replicas their limits, one after the other, lowest number first. All are looked at before the
    /// first one changes; those that have their limits already, or are gone, are passed over.
    pub(super) async fn resize_all(&self, resizing: &Resizing) -> Result<(), ActuatorError> {
        let _turn = self.compose.turn(&self.target.project).await;
        let info = self.engine().info().await.map_err(|it| self.failed("read the engine's capacity", it))?;
        let cpus = info.capacity.cpus.unwrap_or_default() as usize;
        let containers = self.containers().await?;
        let mut changes = Vec::new();
        for container in &containers {
            if let Some(wanted) = resizing.replicas.get(&ReplicaId::new(&container.id)) {
                changes.extend(self.plan(container, wanted, cpus).await?);
            }
        }
        for change in &changes {
            self.make(change).await?;
            if resizing.apply == Apply::Restart && change.container.is_running() {
                self.restart(change.container).await?;
            }
        }
        Ok(())
    }

    /// What to send, unless there is nothing to change.
    async fn plan<'a>(
        &self,
        container: &'a ComposeContainer,
        wanted: &'a [NewLimit],
        cpus: usize,
    ) -> Result<Option<Change<'a>>, ActuatorError> {
        let Some(inspected) = self.inspect(container).await? else { return Ok(None) };
        let host = &inspected["HostConfig"];
        let seen = limits::read(host);
        let reading = self.reading(container).await?;
        let wrong: Vec<_> =
            wanted.iter().copied().filter(|it| !holds(*it, &seen, reading.as_ref())).collect();
        if wrong.is_empty() {
            return Ok(None);
        }
        let refused = |it: Obstacle| {
            let message = format!("{}: {}", container.name, it.message);
            ActuatorError::Refused(Obstacle { message, ..it })
        };
        let body = limits::update(host, &wrong, cpus).map_err(refused)?;
        if let (Some(bytes), Some((_, reading))) = (shrinks_memory_to(&seen, wanted), &reading) {
            spare_present_use(bytes, reading).map_err(refused)?;
        }
        Ok(Some(Change { container, wanted, body }))
    }

    /// Changes the limits of one container, and makes sure that it has them.
    async fn make(&self, change: &Change<'_>) -> Result<(), ActuatorError> {
        let Change { container, wanted, body } = change;
        let action = format!("change the limits of {}", container.name);
        let updated = self.engine().update(&container.id, Value::Object(body.clone())).await;
        self.forget(&container.id);
        let warnings = match updated {
            Err(error) if error.is_not_found() => return Ok(()),
            other => other.map_err(|it| self.failed(&action, it))?,
        };
        let differs = |difference: String| {
            let said = warnings.iter().map(|it| format!("; the engine says: {it}")).collect::<String>();
            ActuatorError::Failed { action: action.clone(), source: format!("{difference}{said}").into() }
        };
        let Some(inspected) = self.inspect(container).await? else { return Ok(()) };
        let seen = limits::read(&inspected["HostConfig"]);
        if let Some(difference) = difference(&seen, wanted, &LimitKind::ALL, "the engine") {
            return Err(differs(difference));
        }
        if let Some((GaugeSource::Cgroup, reading)) = self.reading(container).await?
            && let Some(difference) = difference(&reading.limits, wanted, &IN_CGROUP, "the kernel")
        {
            return Err(differs(difference));
        }
        Ok(())
    }

    /// Stops it with its own signal and grace period, and starts it again; the engine answers when it runs.
    async fn restart(&self, container: &ComposeContainer) -> Result<(), ActuatorError> {
        let action = format!("restart {}", container.name);
        let Some(inspected) = self.inspect(container).await? else { return Ok(()) };
        let grace = survey::read_grace(&inspected["Config"]["StopTimeout"]);
        let restarted = self.engine().restart(&container.id, grace).await;
        restarted.map_err(|it| self.failed(&action, it))?;
        let Some(inspected) = self.inspect(container).await? else { return Ok(()) };
        if inspected["State"]["Running"] == true {
            return Ok(());
        }
        let state = inspected["State"]["Status"].as_str().unwrap_or("gone").to_owned();
        Err(ActuatorError::Failed { action, source: format!("it is {state}").into() })
    }

    async fn inspect(&self, container: &ComposeContainer) -> Result<Option<Value>, ActuatorError> {
        match self.engine().inspect(&container.id).await {
            Ok(inspected) => Ok(Some(inspected)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(self.failed(&format!("inspect {}", container.name), error)),
        }
    }

    /// The container's use and limits at this moment; nothing where it does not run.
    async fn reading(
        &self,
        container: &ComposeContainer,
    ) -> Result<Option<(GaugeSource, Reading)>, ActuatorError> {
        let containers = Containers::new(Clock::system(), Arc::clone(&self.compose.engine), Way::Best);
        let id = ReplicaId::new(&container.id);
        let reading = async {
            let mut gauge = containers.attach(&id).await?;
            Ok((gauge.source(), gauge.read().await?))
        };
        match reading.await {
            Ok(reading) => Ok(Some(reading)),
            Err(MeterError::Gone { .. }) => Ok(None),
            Err(error) => {
                let action = format!("read the use of {}", container.name);
                Err(ActuatorError::Failed { action, source: error.into() })
            }
        }
    }
}

/// The kinds of limits that a reading of a cgroup has.
const IN_CGROUP: [LimitKind; 3] = [LimitKind::CpuQuota, LimitKind::MemoryMax, LimitKind::TasksMax];

/// Does a container have that limit already, as the engine's books have it, and the kernel where it can be seen?
/// They differ after an update that failed half-way.
fn holds(limit: NewLimit, seen: &Limits, reading: Option<&(GaugeSource, Reading)>) -> bool {
    let in_kernel = match reading {
        Some((GaugeSource::Cgroup, reading)) if IN_CGROUP.contains(&limit.kind) => {
            limits::agrees(&reading.limits, limit)
        }
        _ => true,
    };
    in_kernel && limits::agrees(seen, limit)
}

/// The memory limit that is to be, where it is lower than the present one.
fn shrinks_memory_to(present: &Limits, wanted: &[NewLimit]) -> Option<f64> {
    let bytes = wanted.iter().find(|it| it.kind == LimitKind::MemoryMax)?.value?;
    (bytes < present.memory.unwrap_or(f64::INFINITY)).then_some(bytes)
}

/// Refuses a memory limit that leaves present use no headroom. What is not known counts as too much.
fn spare_present_use(bytes: f64, reading: &Reading) -> Result<(), Obstacle> {
    let in_use = |message| Err(Obstacle { reason: Reason::LimitInUse, message });
    let text = |bytes: f64| LimitKind::MemoryMax.written(bytes);
    let Some(usage) = reading.memory_usage else {
        return in_use(format!("memoryMax {} may be too low: its use of memory is not known", text(bytes)));
    };
    let used = usage.saturating_sub(reading.inactive_file.unwrap_or(0)) as f64;
    let least = round_up(used * HEADROOM, 1.0);
    if bytes < least {
        let (bytes, used, least) = (text(bytes), text(used), text(least));
        return in_use(format!(
            "memoryMax {bytes} is too low: {used} are in use, so at least {least} are needed"
        ));
    }
    Ok(())
}

/// The first limit of these kinds that is not as it should be, by whom it was told.
fn difference(seen: &Limits, wanted: &[NewLimit], kinds: &[LimitKind], by: &str) -> Option<String> {
    let wrong = wanted.iter().find(|it| kinds.contains(&it.kind) && !limits::agrees(seen, **it))?;
    let text = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), |it| wrong.kind.written(it));
    let seen = text(seen.of(wrong.kind));
    Some(format!("{} should be {}, but {by} has {seen}", wrong.kind, text(wrong.value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_never_taken_from_what_is_in_use() {
        let reading =
            |usage, inactive_file| Reading { memory_usage: usage, inactive_file, ..Reading::default() };
        for (bytes, usage, inactive, is_spared) in [
            (110.0, Some(100), None, true),
            (109.0, Some(100), None, false),
            (109.0, Some(100), Some(10), true),
            (1e9, None, None, false),
        ] {
            let spared = spare_present_use(bytes, &reading(usage, inactive));
            assert_eq!(spared.is_ok(), is_spared, "{bytes} {usage:?} {inactive:?}");
        }
        let refused = spare_present_use(33_554_432.0, &reading(Some(41_943_040), None)).unwrap_err();
        assert_eq!(refused.reason, Reason::LimitInUse);
        assert_eq!(
            refused.message,
            "memoryMax 32MiB is too low: 40MiB are in use, so at least 44MiB are needed"
        );
    }

    #[test]
    fn only_a_lower_limit_asks_for_present_use() {
        let (had, none) = (Limits { memory: Some(64.0), ..Limits::default() }, Limits::default());
        let wanted = |value| [NewLimit { kind: LimitKind::MemoryMax, value }];
        assert_eq!(shrinks_memory_to(&had, &wanted(Some(32.0))), Some(32.0));
        assert_eq!(shrinks_memory_to(&none, &wanted(Some(32.0))), Some(32.0));
        assert_eq!(shrinks_memory_to(&had, &wanted(Some(65.0))), None);
        assert_eq!(shrinks_memory_to(&had, &wanted(None)), None);
        assert_eq!(shrinks_memory_to(&had, &[]), None);
    }

    #[test]
    fn a_difference_names_both_values_and_who_has_the_other() {
        let seen = Limits { tasks: Some(64.0), cpus: Some(1.0), ..Limits::default() };
        let wanted = |kind, value| [NewLimit { kind, value }];
        let tasks = wanted(LimitKind::TasksMax, Some(128.0));
        let told = difference(&seen, &tasks, &LimitKind::ALL, "the kernel").unwrap();
        assert_eq!(told, "tasksMax should be 128, but the kernel has 64");
        let memory = wanted(LimitKind::MemoryMax, Some(1_048_576.0));
        let told = difference(&seen, &memory, &LimitKind::ALL, "the engine").unwrap();
        assert_eq!(told, "memoryMax should be 1MiB, but the engine has none");
        assert_eq!(difference(&seen, &wanted(LimitKind::CpuQuota, Some(100.0)), &IN_CGROUP, ""), None);
        assert_eq!(difference(&seen, &wanted(LimitKind::CpuWeight, Some(1.0)), &IN_CGROUP, ""), None);
    }
}
