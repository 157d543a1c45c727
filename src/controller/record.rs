//! What a pass leaves behind: durable memory, conditions and status, sidecar, metrics, view, one event.

use super::bind::{Binding, profile};
use super::reconcile::Parts;
use super::state::{KEPT_DECISIONS, Policy};
use super::transitions;
use crate::admin::explanation::Explanation;
use crate::admin::view::{PolicyView, Signal, ViewMetadata};
use crate::api::API_VERSION;
use crate::api::condition::{Condition, ConditionStatus, ConditionType, Reason};
use crate::api::effective::{Spec, effective_policy};
use crate::api::policy::Mode;
use crate::api::status::{Action, DecisionRecord, LimitLevels, Phase, ReplicaCounts, Status};
use crate::decide::Constraints;
use crate::decide::outlook::Present;
use crate::history::Entry;
use crate::history::entry::{self, Decided};
use crate::model::approval::Proposal;
use crate::model::change::LimitStage;
use crate::model::decision::{Decision, Finding, Why};
use crate::model::memory::Trust;
use crate::model::observation::Snapshot;
use crate::telemetry::event::{Event, News};
use crate::telemetry::metrics::PolicyInfo;
use crate::units::{Bounds, Timestamp};

/// What a pass saw and did.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    /// What it decided by.
    pub spec: &'a Spec,
    /// What it saw.
    pub snapshot: &'a Snapshot,
    /// What it decided.
    pub decision: &'a Decision,
    /// It was an evaluation on the policy's interval.
    pub evaluation: bool,
    /// The decision's action was begun.
    pub acted: bool,
}

/// A pass that decided; gives how the policy fares.
pub async fn decided(parts: &Parts, policy: &mut Policy, pass: Pass<'_>) -> Phase {
    let Pass { decision, evaluation, .. } = pass;
    let news = keep_decision(policy, decision);
    if parts.history.is_on() {
        remember(parts, policy, pass, news);
    }
    let findings = findings(policy, decision);
    let phase = phase(policy, &findings);
    let is_seen = !matches!(decision.why, Why::Unreadable(_));
    // Nothing moves the count of a policy that moves limits alone.
    let fixed = Bounds::exactly(decision.desired);
    let bounds = if pass.spec.horizontal { decision.bounds } else { fixed };
    let counts = ReplicaCounts {
        current: decision.current,
        ready: decision.ready,
        desired: decision.desired,
        min: bounds.min(),
        max: bounds.max(),
    };
    let status = Status {
        replicas: policy.durable.memory.first_seen.filter(|_| is_seen).map(|_| counts),
        limits: decision.resize.as_ref().map(|it| LimitLevels { current: it.from, desired: it.to }),
        metrics: decision.metrics.iter().map(|(name, value)| (name.to_string(), *value)).collect(),
        last_scale_time: policy.durable.memory.last_action,
        next_allowed: Some(decision.next_allowed).filter(|it| *it != Default::default()),
        ..bare(policy, phase)
    };
    let told = Event::Decision {
        policy: policy.key().clone(),
        generation: policy.entry.generation,
        record: decision.record(),
        news,
    };
    parts.events.emit(&told);
    if evaluation {
        parts.metrics.evaluated(policy.key(), decision.at);
    }
    if pass.spec.sizing.is_some()
        && let Some(replica) = pass.snapshot.replicas.iter().find(|it| it.counts())
    {
        parts.metrics.set_limits(policy.key(), replica.limits);
    }
    publish(parts, policy, status, findings, Some(decision), decision.at).await;
    phase
}

/// What a person may ask about the decision, as it stands once it was carried out and recorded.
pub fn explained(parts: &Parts, policy: &Policy, phase: Phase, pass: Pass<'_>, constraints: &Constraints) {
    let Pass { spec, snapshot, decision, .. } = pass;
    let present = Present {
        spec,
        memory: &policy.durable.memory,
        snapshot,
        constraints,
        decision,
        next_evaluation: policy.next_evaluation,
    };
    let last = last_decision(policy).filter(|it| it.action != Action::None).cloned();
    let explanation = Explanation::of(policy.key().as_str(), phase, &present, last);
    parts.admin.explain(policy.key(), Some(explanation));
}

/// A pass over a policy that is not controlled: invalid, refused, or switched off.
pub async fn idle(parts: &Parts, policy: &mut Policy) {
    let (phase, ready) = match &policy.binding {
        Binding::Invalid => (Phase::Invalid, (Reason::InvalidPolicy, first_trouble(policy))),
        Binding::Refused(obstacle) => (Phase::Degraded, (obstacle.reason, obstacle.message.clone())),
        Binding::Bound(_) => (Phase::Disabled, (Reason::Disabled, "mode Disabled".to_owned())),
    };
    let findings = vec![finding(ConditionType::Ready, ConditionStatus::False, ready.0, ready.1)];
    let status = bare(policy, phase);
    parts.admin.explain(policy.key(), None);
    publish(parts, policy, status, findings, None, parts.clock.now()).await;
}

async fn publish(
    parts: &Parts,
    policy: &mut Policy,
    mut status: Status,
    findings: Vec<Finding>,
    decision: Option<&Decision>,
    now: Timestamp,
) {
    let turned = conditions(&policy.durable.conditions, findings, now);
    for event in transitions::events(policy.key(), &policy.durable.conditions, &turned, decision) {
        parts.events.emit(&event);
    }
    policy.durable.conditions = turned;
    status.conditions.clone_from(&policy.durable.conditions);
    status.last_decision = last_decision(policy).cloned();
    if let Err(error) = parts.save(policy, Some(&status)).await {
        tracing::error!(%error, "memory could not be written");
    }
    let info = PolicyInfo {
        target: policy.durable.target.clone().unwrap_or_default(),
        mode: policy.mode(),
        held: policy.durable.memory.hold.is_some(),
    };
    parts.metrics.set_policy(policy.key(), info, &status);
    parts.admin.publish(view(policy, status));
}

/// Hands what the pass saw to history, and its decision where that is news. A target that could not be seen gives
/// no values.
fn remember(parts: &Parts, policy: &Policy, pass: Pass<'_>, news: News) {
    let Pass { spec, snapshot, decision, acted, .. } = pass;
    let samples = match snapshot.evaluation {
        true => entry::samples(spec, snapshot, decision),
        false => Vec::new(),
    };
    let decided = || Box::new(Decided { record: decision.record(), mode: policy.mode(), acted });
    let decision = (news == News::Yes).then(decided);
    if samples.is_empty() && decision.is_none() {
        return;
    }
    let (generation, at) = (policy.entry.generation, pass.decision.at);
    parts.history.record(Entry { policy: policy.key().clone(), generation, at, samples, decision });
}

/// Decisions that changed something or were kept from it stay. One kept by the same thing as the one before is
/// no news, whatever its values; of several kept in a row, the last stays.
fn keep_decision(policy: &mut Policy, decision: &Decision) -> News {
    let decisions = &mut policy.durable.decisions;
    let kept = decision.action == Action::None;
    match decisions.back_mut() {
        Some(_) if kept && decision.limited_by.is_none() => return News::No,
        // In mode `Observe` the same is decided again and again.
        Some(last) if !kept && !decision.act && moves_alike(last, &decision.record()) => return News::No,
        Some(last) if kept && last.action == Action::None => {
            let limited_by = decision.limited_by.map(|it| it.to_string());
            if last.from == decision.from && last.limited_by == limited_by {
                return News::No;
            }
            *last = decision.record();
        }
        _ => decisions.push_back(decision.record()),
    }
    while decisions.len() > KEPT_DECISIONS {
        decisions.pop_front();
    }
    News::Yes
}

fn moves_alike(one: &DecisionRecord, other: &DecisionRecord) -> bool {
    let moves =
        |it: &DecisionRecord| (it.action, it.from, it.to, it.limits_before.clone(), it.limits.clone());
    moves(one) == moves(other)
}

/// The last one that changed something; before there is one, the last that was kept.
fn last_decision(policy: &Policy) -> Option<&DecisionRecord> {
    let decisions = &policy.durable.decisions;
    decisions.iter().rev().find(|it| it.action != Action::None).or(decisions.back())
}

fn bare(policy: &Policy, phase: Phase) -> Status {
    Status {
        observed_generation: policy.entry.generation,
        source: policy.entry.source.clone(),
        phase,
        replicas: None,
        limits: None,
        metrics: std::collections::BTreeMap::new(),
        conditions: Vec::new(),
        last_decision: None,
        last_scale_time: None,
        next_allowed: None,
    }
}

/// The first word that applies, in the order of [`Phase`].
fn phase(policy: &Policy, findings: &[Finding]) -> Phase {
    let is_false = |kind| findings.iter().any(|it| it.kind == kind && it.status == ConditionStatus::False);
    let memory = &policy.durable.memory;
    if memory.failed.stopped_at.is_some() {
        Phase::Failed
    } else if memory.hold.is_some() {
        Phase::Held
    } else if memory.approvals.proposal.is_some() {
        Phase::AwaitingApproval
    } else if is_false(ConditionType::AbleToScale) || is_false(ConditionType::ScalingActive) {
        Phase::Degraded
    } else if let Some(change) = memory.limit_change() {
        if change.grows() { Phase::ScalingUp } else { Phase::ScalingDown }
    } else if has_starting(policy) {
        Phase::ScalingUp
    } else if memory.intents.iter().any(|it| !it.retire.is_empty()) {
        Phase::ScalingDown
    } else {
        Phase::Active
    }
}

fn has_starting(policy: &Policy) -> bool {
    policy.running.iter().any(super::act::Running::is_growing)
        || policy.durable.memory.replicas.values().any(|it| it.trust == Trust::Pending)
}

fn findings(policy: &Policy, decision: &Decision) -> Vec<Finding> {
    let mut findings = decision.findings();
    findings.retain(|it| it.kind != ConditionType::Ready);
    if !policy.evaluated {
        wait_for_first_window(&mut findings);
    }
    if let Some(obstacle) = &policy.obstacle {
        findings.retain(|it| it.kind != ConditionType::AbleToScale);
        findings.push(finding(
            ConditionType::AbleToScale,
            ConditionStatus::False,
            obstacle.reason,
            obstacle.message.clone(),
        ));
    }
    if let Some(remark) = policy.remarks.first() {
        let able =
            |it: &&mut Finding| it.kind == ConditionType::AbleToScale && it.reason == Reason::TargetFound;
        if let Some(finding) = findings.iter_mut().find(able) {
            finding.reason = remark.reason;
            let messages: Vec<_> = policy.remarks.iter().map(|it| it.message.as_str()).collect();
            finding.message = messages.join("; ");
        }
    }
    findings.push(ready(policy, &findings));
    findings.extend(reconciling(policy));
    findings.extend(stalled(policy));
    findings
}

/// Before the first window is full, a metric without a value is no news.
fn wait_for_first_window(findings: &mut [Finding]) {
    let missing =
        |it: &&mut Finding| it.kind == ConditionType::ScalingActive && it.reason == Reason::MetricsMissing;
    if let Some(finding) = findings.iter_mut().find(missing) {
        finding.status = ConditionStatus::Unknown;
        finding.message = "the first window is not full yet".to_owned();
    }
}

fn ready(policy: &Policy, others: &[Finding]) -> Finding {
    let say = |status, reason, message: String| finding(ConditionType::Ready, status, reason, message);
    let memory = &policy.durable.memory;
    if !policy.entry.troubles().is_empty() {
        return say(ConditionStatus::False, Reason::InvalidPolicy, first_trouble(policy));
    }
    if memory.failed.stopped_at.is_some() {
        let (failed, name) = (&memory.failed, policy.key());
        let changes = if failed.in_a_row == 1 { "change" } else { "changes" };
        let why = failed.why.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
        let message = format!(
            "{} {changes} failed in a row{why}; `docktorctl resume {name}` tries again",
            failed.in_a_row
        );
        return say(ConditionStatus::False, Reason::TooManyFailures, message);
    }
    if policy.stopped {
        let message = "the file STOP is in the policy folder: no action is taken".to_owned();
        return say(ConditionStatus::False, Reason::Stopped, message);
    }
    if let Some(hold) = &memory.hold {
        let why = hold.reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
        let message = format!("held until {} by {}{why}", hold.until, hold.by);
        return say(ConditionStatus::True, Reason::Held, message);
    }
    if let Some(proposal) = &memory.approvals.proposal {
        let Proposal { id, plan, reason, until, .. } = proposal;
        let message = format!(
            "waits for approval until {until}: {plan}, because {reason}; `docktorctl approve {id}` or `docktorctl reject {id}`"
        );
        return say(ConditionStatus::True, Reason::AwaitingApproval, message);
    }
    let amiss = |kind| others.iter().find(|it| it.kind == kind && it.status == ConditionStatus::False);
    if let Some(bad) = amiss(ConditionType::AbleToScale).or_else(|| amiss(ConditionType::ScalingActive)) {
        return say(ConditionStatus::False, bad.reason, bad.message.clone());
    }
    if policy.mode() == Mode::Observe {
        let message = "mode Observe: decides and records, without side effects".to_owned();
        return say(ConditionStatus::True, Reason::Observing, message);
    }
    say(ConditionStatus::True, Reason::Reconciled, "the policy is in force".to_owned())
}

fn reconciling(policy: &Policy) -> Option<Finding> {
    let memory = &policy.durable.memory;
    if let Some(change) = memory.limit_change() {
        let (reason, message) = match change.stage {
            LimitStage::Applying => (Reason::Starting, "limits are being set"),
            LimitStage::Verifying(_) => {
                (Reason::Verifying, "the workload has to stay healthy with its new limits")
            }
            LimitStage::Undoing => (Reason::RollingBack, "the limits from before are being brought back"),
        };
        let status = ConditionStatus::True;
        return Some(finding(ConditionType::Reconciling, status, reason, message.to_owned()));
    }
    let trust = |wanted| memory.replicas.values().filter(|it| it.trust == wanted).count();
    let draining = memory.intents.iter().map(|it| it.retire.len()).sum::<usize>();
    let (reason, message) = match (trust(Trust::Pending), trust(Trust::Verifying), draining) {
        (0, 0, 0) if has_starting(policy) => (Reason::Starting, "replicas are being made".to_owned()),
        (0, 0, 0) => return None,
        (0, 0, count) => (Reason::Draining, format!("{count} replicas are being stopped")),
        (0, count, _) => (Reason::Verifying, format!("{count} new replicas have to stay healthy")),
        (count, _, _) => (Reason::Starting, format!("{count} new replicas are not ready yet")),
    };
    Some(finding(ConditionType::Reconciling, ConditionStatus::True, reason, message))
}

fn stalled(policy: &Policy) -> Option<Finding> {
    let memory = &policy.durable.memory;
    if memory.drift.contested {
        let message = "somebody else keeps undoing what docktor restores; `docktorctl resume` tries again";
        let message = message.to_owned();
        return Some(finding(ConditionType::Stalled, ConditionStatus::True, Reason::DriftContested, message));
    }
    memory.failed.stopped_at.map(|since| {
        let message = format!("docktor stopped trying at {since}");
        finding(ConditionType::Stalled, ConditionStatus::True, Reason::TooManyFailures, message)
    })
}

fn first_trouble(policy: &Policy) -> String {
    let troubles = policy.entry.troubles();
    let first = troubles.first().map_or("", String::as_str);
    let more = troubles.len().saturating_sub(1);
    let rest = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    let goes_on = if policy.entry.policy.is_some() { "; the last good text goes on" } else { "" };
    format!("{first}{rest}{goes_on}")
}

fn finding(kind: ConditionType, status: ConditionStatus, reason: Reason, message: String) -> Finding {
    Finding { kind, status, reason, message }
}

/// Findings as conditions: the time of the last transition stays while the status does.
fn conditions(before: &[Condition], findings: Vec<Finding>, now: Timestamp) -> Vec<Condition> {
    let mut conditions: Vec<_> = findings
        .into_iter()
        .filter(|it| !it.kind.abnormal_true() || it.status == ConditionStatus::True)
        .map(|it| {
            let same = before.iter().find(|old| old.kind == it.kind && old.status == it.status);
            Condition {
                kind: it.kind,
                status: it.status,
                reason: it.reason,
                message: it.message,
                last_transition_time: same.map_or(now, |old| old.last_transition_time),
            }
        })
        .collect();
    conditions.sort_by_key(|it| it.kind);
    conditions
}

fn view(policy: &Policy, status: Status) -> PolicyView {
    let written = policy.entry.policy.as_deref();
    let effective = written.map(|it| effective_policy(&it.spec, profile(&policy.entry).as_ref()));
    PolicyView {
        api_version: API_VERSION.to_owned(),
        kind: "ScalingPolicy".to_owned(),
        metadata: ViewMetadata {
            name: policy.key().to_string(),
            labels: written.map(|it| it.metadata.labels.clone()).unwrap_or_default(),
            annotations: written.map(|it| it.metadata.annotations.clone()).unwrap_or_default(),
            generation: policy.entry.generation,
            creation_timestamp: policy.entry.first_seen,
        },
        spec: written.map(|it| it.spec.clone()),
        signals: effective.as_ref().map(|it| Signal::of(it, &status.metrics)).unwrap_or_default(),
        effective,
        status,
        mode: policy.mode(),
        hold: policy.durable.memory.hold.clone(),
        proposal: policy.durable.memory.approvals.proposal.clone(),
        approval: policy.durable.memory.approvals.approval.clone(),
        mistakes: policy.entry.troubles(),
        decisions: policy.durable.decisions.iter().cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let at = Timestamp::from_secs;
        let ready = |status, message: &str| {
            finding(ConditionType::Ready, status, Reason::Reconciled, message.to_owned())
        };
        let first = conditions(&[], vec![ready(ConditionStatus::True, "a")], at(1));
        let second = conditions(&first, vec![ready(ConditionStatus::True, "b")], at(2));
        let third = conditions(&second, vec![ready(ConditionStatus::False, "c")], at(3));
        assert_eq!(second[0].last_transition_time, at(1));
        assert_eq!(second[0].message, "b");
        assert_eq!(third[0].last_transition_time, at(3));
    }

    #[test]
    fn what_is_abnormal_when_true_is_left_out_while_false() {
        let quiet = finding(ConditionType::Stalled, ConditionStatus::False, Reason::NoDrift, String::new());
        assert!(conditions(&[], vec![quiet], Timestamp::default()).is_empty());
    }
}
