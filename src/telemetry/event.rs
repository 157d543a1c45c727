//! Every notable event as an enum. One `emit` makes the log line and the metric, and tells whoever follows.
//!
//! Kept in memory alone: a bounded ring for those who ask what happened lately, a broadcast for those who follow.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use super::metrics::{ActionResult, Metrics};
use crate::api::condition::Reason;
use crate::api::limits::LimitSet;
use crate::api::policy::Mode;
use crate::api::status::{Action, DecisionRecord};
use crate::clock::Clock;
use crate::model::approval::{Answer, Proposal, Verdict};
use crate::model::change::ChangeId;
use crate::model::decision::Resize;
use crate::model::key::{Generation, PolicyKey};
use crate::units::{Duration, Timestamp};

/// Most events that are kept for those who ask later.
pub const KEPT_EVENTS: usize = 1_000;
/// Most events by which a follower may lag before it loses some.
const FOLLOWER_LAG: usize = 256;

/// Whether something has been told before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It has not.
    Yes,
    /// It has.
    No,
}

/// What a change moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// The count.
    Replicas {
        /// Before.
        from: u32,
        /// After.
        to: u32,
    },
    /// Limits.
    Limits(Box<Resize>),
}

/// Where a change brought the workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Level {
    /// So many replicas.
    Replicas(u32),
    /// These limits.
    Limits(Box<LimitSet>),
}

/// What was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// So many new replicas, which were removed.
    Replicas(u32),
    /// New limits; these are in force again.
    Limits(LimitSet),
}

/// Something notable that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The controller runs.
    Started {
        /// docktor's version.
        version: &'static str,
    },
    /// The controller stops in good order.
    Stopping {
        /// Changes that stay recorded and go on at the next start.
        unfinished: usize,
    },
    /// A pass decided, be it that nothing changes.
    Decision {
        /// Whose.
        policy: PolicyKey,
        /// The spec that was decided by.
        generation: Generation,
        /// What was decided and why.
        record: DecisionRecord,
        /// Was it decided for the first time? In mode `Observe` the same is decided again and again.
        news: News,
    },
    /// A text does not parse or validate; the last good one goes on.
    PolicyInvalid {
        /// Whose; `<file>#<index>` where no name can be read.
        policy: PolicyKey,
        /// The mistakes, with file, line, column, path and snippet.
        message: String,
    },
    /// A text is good again.
    PolicyRecovered {
        /// Whose.
        policy: PolicyKey,
    },
    /// A policy is gone from the folder; its workload is left as it is.
    PolicyDeleted {
        /// Which.
        policy: PolicyKey,
    },
    /// Metrics or the target cannot be read. Told when it begins.
    Degraded {
        /// Whose.
        policy: PolicyKey,
        /// In a word.
        reason: Reason,
        /// For people.
        message: String,
    },
    /// What was degraded works again.
    Recovered {
        /// Whose.
        policy: PolicyKey,
    },
    /// A metric source could not be read. Each time, so it is logged at debug.
    MetricFailed {
        /// Whose.
        policy: PolicyKey,
        /// The kind of source.
        source: &'static str,
        /// Why.
        error: String,
    },
    /// Somebody else changed the workload.
    Drift {
        /// Whose.
        policy: PolicyKey,
        /// What docktor makes of it.
        message: String,
    },
    /// A change was begun.
    ActionStarted {
        /// Whose.
        policy: PolicyKey,
        /// Which.
        change: ChangeId,
        /// From what to what.
        moved: Moved,
    },
    /// A change is done and verified.
    ActionDone {
        /// Whose.
        policy: PolicyKey,
        /// Which.
        change: ChangeId,
        /// The kind of actuator.
        actuator: &'static str,
        /// What there is now.
        reached: Level,
        /// From its start to its end.
        took: Duration,
    },
    /// A change failed.
    ActionFailed {
        /// Whose.
        policy: PolicyKey,
        /// Which.
        change: ChangeId,
        /// The kind of actuator.
        actuator: &'static str,
        /// Why, with all causes.
        error: String,
        /// From its start to its end.
        took: Duration,
    },
    /// A change that failed was taken back.
    RolledBack {
        /// Whose.
        policy: PolicyKey,
        /// Which change.
        change: ChangeId,
        /// What.
        undone: Undone,
    },
    /// The file `STOP` is there: no action at all.
    Stop,
    /// The file `STOP` is gone.
    Resume,
    /// A person holds a policy.
    Hold {
        /// Which.
        policy: PolicyKey,
        /// Until when.
        until: Timestamp,
        /// Who.
        by: String,
        /// In the person's words.
        why: Option<String>,
    },
    /// A hold ended, by itself or by a person.
    HoldEnded {
        /// Whose.
        policy: PolicyKey,
    },
    /// A change waits for a person.
    ApprovalRequested {
        /// Of which policy.
        policy: PolicyKey,
        /// What waits.
        proposal: Box<Proposal>,
        /// What waited until now, and is wanted no more.
        replaces: Option<String>,
    },
    /// What waited for a person is wanted no more, or ended.
    ApprovalWithdrawn {
        /// Of which policy.
        policy: PolicyKey,
        /// What waited.
        id: String,
    },
    /// A person answered what waited.
    ApprovalAnswered {
        /// Of which policy.
        policy: PolicyKey,
        /// Yes or no.
        verdict: Verdict,
        /// To what, and who.
        answer: Box<Answer>,
    },
    /// A person let docktor go on after failures or contested drift.
    Resumed {
        /// Which policy.
        policy: PolicyKey,
        /// Who.
        by: String,
    },
    /// A person set the mode.
    ModeChanged {
        /// Of which policy.
        policy: PolicyKey,
        /// The mode now in force.
        mode: Mode,
        /// Who.
        by: String,
    },
}

/// Does a person have to look at it?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// All is as it should be.
    Normal,
    /// Something is not.
    Warning,
}

/// An event as the API and `docktorctl get events` show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRecord {
    /// Counts up from 1 since the controller started.
    pub id: u64,
    /// When.
    pub time: Timestamp,
    /// Does a person have to look at it?
    #[serde(rename = "type")]
    pub severity: Severity,
    /// Whose it is; absent where it concerns all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyKey>,
    /// What happened, in one word.
    pub reason: String,
    /// What happened, for people.
    pub message: String,
}

impl Moved {
    /// What a decision moves, or would.
    #[must_use]
    pub fn by(record: &DecisionRecord) -> Self {
        match (&record.limits_before, &record.limits) {
            (Some(from), Some(to)) => Self::Limits(Box::new(Resize { from: **from, to: **to })),
            _ => Self::Replicas { from: record.from, to: record.to },
        }
    }
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replicas { from, to } => write!(f, "{from} -> {to} replicas"),
            Self::Limits(resize) => write!(f, "{resize}"),
        }
    }
}

/// Where events go.
pub struct Events {
    clock: Clock,
    metrics: Arc<Metrics>,
    kept: Mutex<VecDeque<EventRecord>>,
    followers: broadcast::Sender<EventRecord>,
}

impl Events {
    /// No event yet.
    #[must_use]
    pub fn new(clock: Clock, metrics: Arc<Metrics>) -> Self {
        let (followers, _) = broadcast::channel(FOLLOWER_LAG);
        Self { clock, metrics, kept: Mutex::default(), followers }
    }

    /// Logs an event, counts it, keeps it and tells it to followers.
    pub fn emit(&self, event: &Event) {
        event.log();
        event.count(&self.metrics);
        if !event.is_kept() {
            return;
        }
        let mut kept = self.kept();
        let record = EventRecord {
            id: kept.back().map_or(1, |last| last.id + 1),
            time: self.clock.now(),
            severity: event.severity(),
            policy: event.policy().cloned(),
            reason: event.reason().to_owned(),
            message: event.message(),
        };
        if kept.len() == KEPT_EVENTS {
            kept.pop_front();
        }
        kept.push_back(record.clone());
        // Told under the lock, so that followers see events in the order of their ids. Nobody may follow.
        let _ = self.followers.send(record);
    }

    /// The latest events, oldest first.
    #[must_use]
    pub fn recent(&self) -> Vec<EventRecord> {
        self.kept().iter().cloned().collect()
    }

    /// The latest events, and every one after them, none twice and none left out.
    #[must_use]
    pub fn follow(&self) -> (Vec<EventRecord>, broadcast::Receiver<EventRecord>) {
        let kept = self.kept();
        (kept.iter().cloned().collect(), self.followers.subscribe())
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<EventRecord>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Event {
    /// What happened, in one word.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Started { .. } => "Started",
            Self::Stopping { .. } => "Stopping",
            Self::Decision { record, .. } => match record.action {
                Action::None => "NoChange",
                Action::ScaleUp => "ScaleUp",
                Action::ScaleDown => "ScaleDown",
            },
            Self::PolicyInvalid { .. } => "PolicyInvalid",
            Self::PolicyRecovered { .. } => "PolicyRecovered",
            Self::PolicyDeleted { .. } => "PolicyDeleted",
            Self::Degraded { .. } => "Degraded",
            Self::Recovered { .. } => "Recovered",
            Self::MetricFailed { .. } => "MetricFailed",
            Self::Drift { .. } => "Drift",
            Self::ActionStarted { .. } => "ActionStarted",
            Self::ActionDone { .. } => "ActionDone",
            Self::ActionFailed { .. } => "ActionFailed",
            Self::RolledBack { .. } => "RolledBack",
            Self::Stop => "Stop",
            Self::Resume => "Resume",
            Self::Hold { .. } => "Hold",
            Self::HoldEnded { .. } => "HoldEnded",
            Self::Resumed { .. } => "Resumed",
            Self::ApprovalRequested { .. } => "ApprovalRequested",
            Self::ApprovalWithdrawn { .. } => "ApprovalWithdrawn",
            Self::ApprovalAnswered { verdict: Verdict::Approve, .. } => "Approved",
            Self::ApprovalAnswered { verdict: Verdict::Reject, .. } => "Rejected",
            Self::ModeChanged { .. } => "ModeChanged",
        }
    }

    /// Whose it is; none where it concerns all.
    #[must_use]
    pub const fn policy(&self) -> Option<&PolicyKey> {
        match self {
            Self::Started { .. } | Self::Stopping { .. } | Self::Stop | Self::Resume => None,
            Self::Decision { policy, .. }
            | Self::PolicyInvalid { policy, .. }
            | Self::PolicyRecovered { policy }
            | Self::PolicyDeleted { policy }
            | Self::Degraded { policy, .. }
            | Self::Recovered { policy }
            | Self::MetricFailed { policy, .. }
            | Self::Drift { policy, .. }
            | Self::ActionStarted { policy, .. }
            | Self::ActionDone { policy, .. }
            | Self::ActionFailed { policy, .. }
            | Self::RolledBack { policy, .. }
            | Self::Hold { policy, .. }
            | Self::HoldEnded { policy }
            | Self::Resumed { policy, .. }
            | Self::ApprovalRequested { policy, .. }
            | Self::ApprovalWithdrawn { policy, .. }
            | Self::ApprovalAnswered { policy, .. }
            | Self::ModeChanged { policy, .. } => Some(policy),
        }
    }

    /// Does a person have to look at it?
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::PolicyInvalid { .. }
            | Self::Degraded { .. }
            | Self::MetricFailed { .. }
            | Self::Drift { .. }
            | Self::ActionFailed { .. }
            | Self::RolledBack { .. }
            | Self::Stop => Severity::Warning,
            _ => Severity::Normal,
        }
    }

    /// What happened, for people.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Started { version } => format!("docktor {version} runs"),
            Self::Stopping { unfinished: 0 } => "docktor stops".to_owned(),
            Self::Stopping { unfinished } => {
                format!("docktor stops; {unfinished} unfinished changes go on at the next start")
            }
            Self::Decision { record, .. } => {
                let (moved, reason) = (Moved::by(record), &record.reason);
                match &record.limited_by {
                    Some(limit) => format!("{moved}: {reason} (limited by {limit})"),
                    None => format!("{moved}: {reason}"),
                }
            }
            Self::PolicyInvalid { message, .. }
            | Self::Degraded { message, .. }
            | Self::Drift { message, .. } => message.clone(),
            Self::PolicyRecovered { .. } => "the text is valid again".to_owned(),
            Self::PolicyDeleted { .. } => {
                "the policy is gone from the folder; its workload is left as it is".to_owned()
            }
            Self::Recovered { .. } => "metrics and target can be read again".to_owned(),
            Self::MetricFailed { source, error, .. } => format!("{source}: {error}"),
            Self::ActionStarted { moved: Moved::Replicas { from, to }, .. } => {
                format!("changing from {from} to {to} replicas")
            }
            Self::ActionStarted { moved: Moved::Limits(resize), .. } => format!("changing {resize}"),
            Self::ActionDone { reached: Level::Replicas(count), took, .. } => {
                format!("{count} replicas after {took}")
            }
            Self::ActionDone { reached: Level::Limits(limits), took, .. } => format!("{limits} after {took}"),
            Self::ActionFailed { error, took, .. } => format!("failed after {took}: {error}"),
            Self::RolledBack { undone: Undone::Replicas(count), .. } => {
                format!("removed {count} new replicas that failed")
            }
            Self::RolledBack { undone: Undone::Limits(limits), .. } => {
                format!("the limits from before are in force again: {limits}")
            }
            Self::Stop => "the file STOP is there: no action until it is removed".to_owned(),
            Self::Resume => "the file STOP is gone: actions go on".to_owned(),
            Self::Hold { until, by, why: Some(why), .. } => format!("held by {by} until {until}: {why}"),
            Self::Hold { until, by, why: None, .. } => format!("held by {by} until {until}"),
            Self::HoldEnded { .. } => "no longer held".to_owned(),
            Self::Resumed { by, .. } => format!("resumed by {by}"),
            Self::ApprovalRequested { proposal, replaces, .. } => {
                let Proposal { id, plan, reason, until, .. } = &**proposal;
                let instead = replaces.as_ref().map(|it| format!(", in place of {it}")).unwrap_or_default();
                format!("{id} asks for approval until {until}{instead}: {plan}, because {reason}")
            }
            Self::ApprovalWithdrawn { id, .. } => format!("{id} is wanted no more"),
            Self::ApprovalAnswered { verdict, answer, .. } => {
                let Answer { id, plan, by, reason, until } = &**answer;
                let why = reason.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
                match verdict {
                    Verdict::Approve => format!("{id} approved by {by}{why} until {until}: {plan}"),
                    Verdict::Reject => {
                        format!("{id} rejected by {by}{why}, not asked again until {until}: {plan}")
                    }
                }
            }
            Self::ModeChanged { mode, by, .. } => format!("mode set to {mode:?} by {by}"),
        }
    }

    /// What repeats with every pass would push everything else out.
    const fn is_kept(&self) -> bool {
        match self {
            Self::Decision { record, news, .. } => Self::is_change(record, *news),
            Self::MetricFailed { .. } => false,
            _ => true,
        }
    }

    const fn is_change(record: &DecisionRecord, news: News) -> bool {
        !matches!((record.action, news), (Action::None, _) | (_, News::No))
    }

    fn count(&self, metrics: &Metrics) {
        match self {
            Self::Decision { policy, record, news, .. } if Self::is_change(record, *news) => {
                metrics.decided(policy, record.action);
            }
            Self::Decision { policy, .. } => metrics.decided(policy, Action::None),
            Self::MetricFailed { policy, source, .. } => metrics.metric_failed(policy, source),
            Self::ActionDone { policy, actuator, took, .. } => {
                metrics.acted(policy, actuator, ActionResult::Success, took.get());
            }
            Self::ActionFailed { policy, actuator, took, .. } => {
                metrics.acted(policy, actuator, ActionResult::Failure, took.get());
            }
            Self::PolicyDeleted { policy } => metrics.forget(policy),
            _ => {}
        }
    }

    /// One line: `info` when something changes, `debug` for what every pass does, `warn` for what is unexpected
    /// but handled, `error` for what a person must act on.
    fn log(&self) {
        use tracing::{debug, error, info, warn};
        let reason = self.reason();
        let policy = self.policy().map(tracing::field::display);
        match self {
            Self::Decision { generation, record, news, .. } => {
                let DecisionRecord { from, to, reason: why, limited_by, .. } = record;
                let limited_by = limited_by.as_deref();
                let limits = record.limits_before.as_ref().map(|_| Moved::by(record).to_string());
                if !Self::is_change(record, *news) {
                    debug!(policy, generation, current = from, desired = to, limited_by, why, "{reason}");
                } else {
                    info!(
                        policy,
                        generation,
                        current = from,
                        desired = to,
                        limits,
                        limited_by,
                        why,
                        "{reason}"
                    );
                }
            }
            Self::MetricFailed { source, error, .. } => debug!(policy, source, error, "{reason}"),
            Self::PolicyInvalid { message, .. } => error!(policy, message, "{reason}"),
            Self::Degraded { reason: why, message, .. } => warn!(policy, ?why, message, "{reason}"),
            Self::Drift { message, .. } => warn!(policy, message, "{reason}"),
            Self::ActionStarted { change, moved: Moved::Replicas { from, to }, .. } => {
                info!(policy, %change, from, to, "{reason}");
            }
            Self::ActionStarted { change, moved: Moved::Limits(limits), .. } => {
                info!(policy, %change, %limits, "{reason}");
            }
            Self::ActionDone { change, actuator, reached: Level::Replicas(replicas), took, .. } => {
                info!(policy, %change, actuator, replicas, %took, "{reason}");
            }
            Self::ActionDone { change, actuator, reached: Level::Limits(limits), took, .. } => {
                info!(policy, %change, actuator, %limits, %took, "{reason}");
            }
            Self::ActionFailed { change, actuator, error, took, .. } => {
                warn!(policy, %change, actuator, error, %took, "{reason}");
            }
            Self::RolledBack { change, undone: Undone::Replicas(removed), .. } => {
                warn!(policy, %change, removed, "{reason}");
            }
            Self::RolledBack { change, undone: Undone::Limits(limits), .. } => {
                warn!(policy, %change, %limits, "{reason}");
            }
            Self::Stop => warn!("{reason}"),
            Self::Hold { until, by, why, .. } => info!(policy, %until, by, why, "{reason}"),
            Self::ApprovalRequested { proposal, replaces, .. } => {
                let Proposal { id, plan, reason: why, until, .. } = &**proposal;
                info!(policy, id, %plan, %until, why, replaces, "{reason}");
            }
            Self::ApprovalWithdrawn { id, .. } => info!(policy, id, "{reason}"),
            Self::ApprovalAnswered { answer, .. } => {
                let Answer { id, plan, by, reason: why, until } = &**answer;
                info!(policy, id, %plan, %until, by, why, "{reason}");
            }
            Self::Resumed { by, .. } => info!(policy, by, "{reason}"),
            Self::ModeChanged { mode, by, .. } => info!(policy, ?mode, by, "{reason}"),
            Self::Started { version } => info!(version, "{reason}"),
            Self::Stopping { unfinished } => info!(unfinished, "{reason}"),
            Self::PolicyRecovered { .. }
            | Self::PolicyDeleted { .. }
            | Self::Recovered { .. }
            | Self::HoldEnded { .. }
            | Self::Resume => info!(policy, "{reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> (Events, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::new("0.0.0"));
        (Events::new(Clock::system(), metrics.clone()), metrics)
    }

    fn decision(from: u32, to: u32) -> Event {
        let record = DecisionRecord {
            time: Timestamp::default(),
            action: Action::between(from, to),
            from,
            to,
            reason: "cpu.avg 89.3 > 75".to_owned(),
            limited_by: None,
            trail: vec![],
            limits: None,
            limits_before: None,
            approval: None,
        };
        Event::Decision { policy: PolicyKey::new("web"), generation: 3, record, news: News::Yes }
    }

    #[tokio::test]
    async fn what_is_decided_again_is_no_news() {
        let (events, metrics) = events();
        let Event::Decision { policy, generation, record, .. } = decision(2, 4) else { unreachable!() };
        events.emit(&Event::Decision { policy, generation, record, news: News::No });
        assert!(events.recent().is_empty());
        assert!(metrics.render().contains(r#"docktor_decisions_total{policy="web",action="ScaleUp"} 0"#));
    }

    #[tokio::test]
    async fn a_decision_becomes_a_metric_and_a_record() {
        let (events, metrics) = events();
        events.emit(&decision(2, 4));
        events.emit(&decision(4, 4));
        let text = metrics.render();
        for line in [
            r#"docktor_decisions_total{policy="web",action="ScaleUp"} 1"#,
            r#"docktor_decisions_total{policy="web",action="None"} 1"#,
            r#"docktor_decisions_total{policy="web",action="ScaleDown"} 0"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        let kept = events.recent();
        assert_eq!(kept.len(), 1, "what changed nothing is not kept");
        let json = serde_json::to_value(&kept[0]).unwrap();
        assert_eq!(json["type"], "Normal");
        assert_eq!(json["policy"], "web");
        assert_eq!(json["reason"], "ScaleUp");
        assert_eq!(json["message"], "2 -> 4 replicas: cpu.avg 89.3 > 75");
    }

    #[tokio::test]
    async fn only_the_latest_events_are_kept_and_ids_go_on() {
        let (events, _) = events();
        for _ in 0..KEPT_EVENTS + 5 {
            events.emit(&Event::Stop);
        }
        let kept = events.recent();
        assert_eq!(kept.len(), KEPT_EVENTS);
        assert_eq!((kept[0].id, kept[KEPT_EVENTS - 1].id), (6, KEPT_EVENTS as u64 + 5));
        assert!(kept.iter().all(|it| it.severity == Severity::Warning && it.policy.is_none()));
    }

    #[tokio::test]
    async fn a_follower_sees_what_was_and_what_comes_without_a_gap() {
        let (events, _) = events();
        events.emit(&Event::Stop);
        let (past, mut live) = events.follow();
        events.emit(&Event::Resume);
        assert_eq!(past.iter().map(|it| it.reason.as_str()).collect::<Vec<_>>(), ["Stop"]);
        let next = live.recv().await.unwrap();
        assert_eq!((next.id, next.reason.as_str()), (2, "Resume"));
    }

    #[tokio::test]
    async fn actions_are_counted_by_their_result() {
        let (events, metrics) = events();
        let (policy, change) = (PolicyKey::new("web"), ChangeId::new("c1"));
        let took = Duration::from_secs(3);
        let done = |replicas| Event::ActionDone {
            policy: policy.clone(),
            change: change.clone(),
            actuator: "compose",
            reached: Level::Replicas(replicas),
            took,
        };
        events.emit(&done(3));
        events.emit(&done(4));
        let error = "no space left on device".to_owned();
        events.emit(&Event::ActionFailed {
            policy: policy.clone(),
            change: change.clone(),
            actuator: "compose",
            error,
            took,
        });
        let text = metrics.render();
        for line in [
            r#"docktor_actions_total{policy="web",actuator="compose",result="success"} 2"#,
            r#"docktor_actions_total{policy="web",actuator="compose",result="failure"} 1"#,
            r#"docktor_act_duration_seconds_count{actuator="compose"} 3"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        events.emit(&Event::PolicyDeleted { policy });
        assert!(!metrics.render().contains(r#"policy="web""#));
    }
}
