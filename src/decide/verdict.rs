//! Verdict: is a change of limits sound? The replicas whose limits were changed have to stay healthy for `verify`.

use crate::model::change::{Before, LimitChange};
use crate::model::observation::{Health, Replica, ReplicaPhase, Snapshot};
use crate::units::{Duration, Timestamp};

/// How a change of limits fares that was made at `since`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is known at that moment, if nothing happens before.
    Pending(Timestamp),
    /// Every replica stayed healthy.
    Sound,
    /// Not so; why, for people.
    Failed(String),
}

/// Looks at the replicas of the change. One that somebody stopped or started again says nothing of its limits.
#[must_use]
pub fn verdict(
    change: &LimitChange,
    since: Timestamp,
    verify: Duration,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Verdict {
    let changed = |it: &Replica| change.replicas.get(&it.id).cloned();
    let harm = snapshot.replicas.iter().find_map(|it| harm(it, &changed(it)?));
    let until = since.plus(verify);
    match harm {
        Some(harm) => Verdict::Failed(harm),
        None if now >= until => Verdict::Sound,
        None => Verdict::Pending(until),
    }
}

fn harm(replica: &Replica, before: &Before) -> Option<String> {
    let name = &replica.name;
    if replica.phase == ReplicaPhase::Failed {
        return Some(format!("{name} failed"));
    }
    if replica.restarts > before.restarts {
        return Some(format!("{name} failed and was restarted"));
    }
    let turned = replica.health == Health::Unhealthy && !before.unhealthy;
    turned.then(|| format!("{name} turned unhealthy"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::change::LimitStage;
    use crate::model::observation::{Limits, ReplicaId};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn unit(phase: ReplicaPhase, health: Health, restarts: u32) -> Replica {
        Replica {
            id: ReplicaId::new("system/worker.service"),
            name: "worker.service".to_owned(),
            number: 1,
            phase,
            health,
            created_at: None,
            started_at: Some(at(-100)),
            restarts,
            change: None,
            outdated: false,
            samples: Vec::new(),
            limits: Limits::default(),
        }
    }

    fn change(unhealthy: bool) -> LimitChange {
        let before = Before { limits: Vec::new(), restarts: 1, unhealthy };
        LimitChange {
            from: [].into_iter().collect(),
            to: [].into_iter().collect(),
            replicas: [(ReplicaId::new("system/worker.service"), before)].into(),
            stage: LimitStage::Verifying(at(0)),
        }
    }

    #[test]
    fn a_unit_that_stays_healthy_for_long_enough_proves_the_change_and_one_that_does_not_disproves_it() {
        use Health::{Healthy, NoCheck, Unhealthy};
        use ReplicaPhase::{Failed, Pending, Running, Stopped};
        let failed = |words: &str| Verdict::Failed(format!("worker.service {words}"));
        for (phase, health, restarts, now, expected) in [
            (Running, NoCheck, 1, 59, Verdict::Pending(at(60))),
            (Running, Healthy, 1, 60, Verdict::Sound),
            (Failed, NoCheck, 1, 1, failed("failed")),
            (Running, NoCheck, 2, 59, failed("failed and was restarted")),
            (Pending, NoCheck, 2, 59, failed("failed and was restarted")),
            (Running, Unhealthy, 1, 59, failed("turned unhealthy")),
            // A person stopped or restarted it; systemd then counts anew.
            (Stopped, NoCheck, 0, 60, Verdict::Sound),
            (Running, NoCheck, 0, 30, Verdict::Pending(at(60))),
        ] {
            let snapshot = Snapshot { replicas: vec![unit(phase, health, restarts)], ..Snapshot::default() };
            let found = verdict(&change(false), at(0), Duration::from_secs(60), &snapshot, at(now));
            assert_eq!(found, expected, "{phase:?} {health:?} {restarts} at {now}");
        }
    }

    #[test]
    fn one_that_was_unhealthy_before_does_not_disprove_the_change_by_being_so_still() {
        let snapshot = Snapshot {
            replicas: vec![unit(ReplicaPhase::Running, Health::Unhealthy, 1)],
            ..Snapshot::default()
        };
        let found = verdict(&change(true), at(0), Duration::from_secs(60), &snapshot, at(60));
        assert_eq!(found, Verdict::Sound);
    }
}
