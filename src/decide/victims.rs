//! Which replicas go on a scale-down: those that do not work, then outdated ones, then as the policy says;
//! among equals the highest number, as Compose does it.

use std::cmp::Reverse;

use super::observe::is_ready;
use crate::api::behavior::Victim;
use crate::model::observation::{Health, Replica, ReplicaId};
use crate::units::{Duration, Timestamp};

/// The `count` replicas to go, the first to go first. Only those that count into `current` are taken.
#[must_use]
pub fn victims(
    replicas: &[Replica],
    count: u32,
    victim: Victim,
    readiness_delay: Duration,
    now: Timestamp,
) -> Vec<ReplicaId> {
    let mut candidates: Vec<&Replica> = replicas.iter().filter(|it| it.counts()).collect();
    candidates.sort_by_cached_key(|it| {
        let works = is_ready(it, readiness_delay, now) && it.health != Health::Unhealthy;
        (works, !it.outdated, order(it, victim), Reverse(it.number), it.id.clone())
    });
    candidates.into_iter().take(count as usize).map(|it| it.id.clone()).collect()
}

/// Less goes first.
fn order(replica: &Replica, victim: Victim) -> i64 {
    let made = replica.created_at.or(replica.started_at).unwrap_or_default().as_millis();
    match victim {
        Victim::HighestNumber => 0,
        Victim::Newest => made.saturating_neg(),
        Victim::Oldest => made,
        Victim::LeastBusy => busy(replica),
    }
}

/// Mean CPU in thousandths of a percent of one core; unknown counts as busy.
fn busy(replica: &Replica) -> i64 {
    let (mut sum, mut count) = (0.0, 0u32);
    for cpu in replica.samples.iter().filter_map(|it| it.cpu) {
        sum += cpu;
        count += 1;
    }
    if count == 0 { i64::MAX } else { (sum / f64::from(count) * 1_000.0) as i64 }
}
