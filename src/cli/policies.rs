//! Policies as rows of a table.

use super::output::{age, age_since, number};
use crate::admin::view::{PolicyView, Signal, word};
use crate::api::condition::{Condition, ConditionStatus, ConditionType, Reason};
use crate::api::policy::PolicySpec;
use crate::api::status::{LimitLevels, ReplicaCounts};
use crate::units::Timestamp;

/// Metrics that a row of the narrow table shows; how many more there are is told.
const SHOWN_SIGNALS: usize = 2;

/// How much of a policy a row shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// What fits a terminal.
    Narrow,
    /// More.
    Wide,
}

/// The columns, in order.
#[must_use]
pub fn header(width: Width) -> Vec<&'static str> {
    let mut header = vec!["NAME", "TARGET", "MODE", "PHASE", "REPLICAS", "MIN", "MAX", "METRICS", "AGE"];
    if width == Width::Wide {
        header.extend(["READY", "LIMITS", "LAST SCALE", "REASON", "MESSAGE"]);
    }
    header
}

/// A policy's row.
#[must_use]
pub fn row(view: &PolicyView, width: Width, now: Timestamp) -> Vec<String> {
    let spec = view.effective.as_ref().or(view.spec.as_ref());
    let counts = view.status.replicas;
    let (min, max) = bounds(counts, spec);
    let target = spec.and_then(|it| it.target.as_ref());
    let mut row = vec![
        view.metadata.name.clone(),
        target.map_or_else(|| "<none>".to_owned(), ToString::to_string),
        word(&view.mode),
        word(&view.status.phase),
        counts.map_or_else(|| "-".to_owned(), replicas),
        min.map_or_else(|| "-".to_owned(), |it| it.to_string()),
        max.map_or_else(|| "-".to_owned(), |it| it.to_string()),
        signals(&view.signals, width),
        age_since(view.metadata.creation_timestamp, now),
    ];
    if width == Width::Wide {
        let told = telling(&view.status.conditions);
        row.extend([
            counts.map_or_else(|| "-".to_owned(), |it| it.ready.to_string()),
            view.status.limits.map_or_else(|| "-".to_owned(), limits),
            view.status.last_scale_time.map_or_else(|| "<never>".to_owned(), |it| age(now.since(it))),
            told.map_or_else(|| "-".to_owned(), |it| word(&it.reason)),
            told.map_or_else(|| "-".to_owned(), |it| it.message.clone()),
        ]);
    }
    row
}

/// `4`, or `2/4` while 2 run and docktor wants 4.
#[must_use]
pub fn replicas(counts: ReplicaCounts) -> String {
    let ReplicaCounts { current, desired, .. } = counts;
    if current == desired { current.to_string() } else { format!("{current}/{desired}") }
}

/// `cpuQuota 200%, tasksMax 250`, or `cpuQuota 200%->300%` while docktor wants other ones.
#[must_use]
pub fn limits(LimitLevels { current, desired }: LimitLevels) -> String {
    let each = current.iter().map(|(kind, from)| match desired.get(kind) {
        Some(to) if to.total_cmp(&from).is_ne() => {
            format!("{kind} {}->{}", kind.written(from), kind.written(to))
        }
        _ => format!("{kind} {}", kind.written(from)),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// `cpu.avg 89.3/75`.
#[must_use]
pub fn signal(signal: &Signal) -> String {
    let value = signal.value.map_or_else(|| "<missing>".to_owned(), number);
    format!("{} {value}/{}", signal.metric, number(signal.threshold))
}

fn bounds(counts: Option<ReplicaCounts>, spec: Option<&PolicySpec>) -> (Option<u32>, Option<u32>) {
    match counts {
        Some(it) => (Some(it.min), Some(it.max)),
        None => {
            let written = spec.and_then(|it| it.replicas.as_ref());
            (written.map(|it| it.min.unwrap_or(1)), written.and_then(|it| it.max))
        }
    }
}

fn signals(signals: &[Signal], width: Width) -> String {
    let shown = if width == Width::Wide { signals.len() } else { SHOWN_SIGNALS.min(signals.len()) };
    let mut texts: Vec<_> = signals[..shown].iter().map(signal).collect();
    if signals.len() > shown {
        texts.push(format!("+{} more", signals.len() - shown));
    }
    if texts.is_empty() { "-".to_owned() } else { texts.join(", ") }
}

/// The condition that says most: the first that is amiss, else the first that is noteworthy, else `Ready`.
fn telling(conditions: &[Condition]) -> Option<&Condition> {
    let amiss = |it: &&Condition| {
        let vital = matches!(
            it.kind,
            ConditionType::Ready | ConditionType::ScalingActive | ConditionType::AbleToScale
        );
        vital && it.status != ConditionStatus::True
    };
    let ready = conditions.iter().find(|it| it.kind == ConditionType::Ready);
    let noteworthy = |it: &&Condition| match it.kind {
        ConditionType::ScalingActive | ConditionType::AbleToScale => false,
        ConditionType::Ready => it.reason != Reason::Reconciled,
        _ => it.status == ConditionStatus::True,
    };
    conditions.iter().find(amiss).or_else(|| conditions.iter().find(noteworthy)).or(ready)
}
