//! Policies as rows of a table.

use super::output::{age, age_since, number};
use crate::admin::view::{PolicyView, Signal, word};
use crate::api::condition::{Condition, ConditionStatus, ConditionType, Reason};
use crate::api::limits::LimitKind;
use crate::api::policy::PolicySpec;
use crate::api::resources::Resources;
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
            limits_of(view).unwrap_or_else(|| "-".to_owned()),
            view.status.last_scale_time.map_or_else(|| "<never>".to_owned(), |it| age(now.since(it))),
            told.map_or_else(|| "-".to_owned(), |it| word(&it.reason)),
            told.map_or("-", |it| first_line(&it.message)).to_owned(),
        ]);
    }
    row
}

/// The first line of a message, which says what is wrong; where a mistake stands is told below it.
#[must_use]
pub fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

/// `4`, or `2/4` while 2 run and docktor wants 4.
#[must_use]
pub fn replicas(counts: ReplicaCounts) -> String {
    let ReplicaCounts { current, desired, .. } = counts;
    if current == desired { current.to_string() } else { format!("{current}/{desired}") }
}

/// `cpuQuota 200%, tasksMax none`, or `cpuQuota 200%->300%` while docktor wants other ones. Of `kinds`, and of those that
/// there are.
#[must_use]
pub fn limits(LimitLevels { current, desired }: LimitLevels, kinds: &[LimitKind]) -> String {
    let each = LimitKind::ALL.into_iter().filter_map(|kind| {
        let written = |value| kind.written_or_none(value);
        match (current.get(kind), desired.get(kind)) {
            (None, None) if !kinds.contains(&kind) => None,
            (from, Some(to)) if from != Some(to) => {
                Some(format!("{kind} {}->{}", written(from), written(Some(to))))
            }
            (from, _) => Some(format!("{kind} {}", written(from))),
        }
    });
    each.collect::<Vec<_>>().join(", ")
}

/// The limits of a policy's replicas as its status tells them; `None` where it tells none.
#[must_use]
pub fn limits_of(view: &PolicyView) -> Option<String> {
    let spec = view.effective.as_ref().or(view.spec.as_ref());
    let kinds = spec.and_then(|it| it.resources.as_ref()).map(Resources::kinds).unwrap_or_default();
    view.status.limits.map(|it| limits(it, &kinds))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::limits::LimitSet;

    #[test]
    fn a_limit_that_is_not_there_is_none() {
        let set =
            |quota: Option<f64>| quota.map(|it| (LimitKind::CpuQuota, it)).into_iter().collect::<LimitSet>();
        let kinds = [LimitKind::CpuQuota, LimitKind::TasksMax];
        for (current, desired, shown) in [
            (None, None, "cpuQuota none, tasksMax none"),
            (None, Some(100.0), "cpuQuota none->100%, tasksMax none"),
            (Some(200.0), Some(200.0), "cpuQuota 200%, tasksMax none"),
            (Some(200.0), Some(300.0), "cpuQuota 200%->300%, tasksMax none"),
        ] {
            let levels = LimitLevels { current: set(current), desired: set(desired) };
            assert_eq!(limits(levels, &kinds), shown);
        }
    }

    #[test]
    fn a_row_tells_the_first_line_of_a_message_alone() {
        assert_eq!(first_line("error: no\n --> web.yaml:1:1"), "error: no");
        assert_eq!(first_line(""), "");
    }
}
