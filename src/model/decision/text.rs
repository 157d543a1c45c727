//! Decisions as text for people.

use std::fmt;

use super::{Dimension, Evidence, Limitation, Note, Resize, Why};
use crate::api::limits::LimitSet;
use crate::model::approval::Plan;

/// A number for people: enough digits to tell it from its threshold, and no more.
#[derive(Debug, Clone, Copy)]
pub struct Short(pub f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.0.abs() {
            size if size >= 10.0 => 1,
            size if size >= 1.0 => 2,
            _ => 4,
        };
        let text = format!("{:.digits$}", self.0);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        f.write_str(if text == "-0" { "0" } else { text })
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compared { metric, value, op, threshold } => {
                write!(f, "{metric} {} {op} {threshold}", Short(*value))
            }
            Self::Within { rule, value } => write!(f, "{rule} (now {})", Short(*value)),
            Self::Expression(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steady => f.write_str("nothing asks for another count"),
            Self::SteadyLimits => f.write_str("nothing asks for other limits"),
            Self::Rules { held, times, needed } => {
                for (index, evidence) in held.iter().enumerate() {
                    if index > 0 {
                        f.write_str(" and ")?;
                    }
                    write!(f, "{evidence}")?;
                }
                if *needed > 1 { write!(f, " ({} of {needed})", times.min(needed)) } else { Ok(()) }
            }
            Self::Track { metric, value, target, per_replica } => {
                let each = if *per_replica { " per replica" } else { "" };
                write!(f, "{metric} {}, target {}{each}", Short(*value), Short(*target))
            }
            Self::Forecast { metric, value, horizon, model, confidence, replicas } => {
                let (value, percent) = (Short(*value), Short(confidence * 100.0));
                let s = if *replicas == 1 { "" } else { "s" };
                write!(
                    f,
                    "forecast: {metric} reaches {value} within {horizon} ({model}, {percent} %): {replicas} replica{s}"
                )
            }
            Self::Fallback => f.write_str("metrics cannot be read, the fallback decides"),
            Self::Active => f.write_str("there is work and nothing runs"),
            Self::Idle(after) => write!(f, "no work for {after}"),
            Self::BelowMin(min) => write!(f, "below the minimum of {min}"),
            Self::AboveMax(max) => write!(f, "above the maximum of {max}"),
            Self::Drift { left } => {
                write!(f, "somebody else changed the count from {left}, which docktor restores")
            }
            Self::LimitsDrift(left) => {
                write!(f, "somebody else changed the limits from {left}, which docktor restores")
            }
            Self::LimitsOutside => f.write_str("limits are outside of their range"),
            Self::OutsideOfUse { kind, present, lower, upper } => {
                let written = |value: f64| kind.written(value.round());
                write!(
                    f,
                    "{kind} {} is outside of {} to {}",
                    written(*present),
                    written(*lower),
                    written(*upper)
                )?;
                f.write_str(", which past use says")
            }
            Self::OffTarget { kind, present, target } => {
                let written = |value: f64| kind.written(value.round());
                write!(
                    f,
                    "{kind} {} has long been off {}, which past use says",
                    written(*present),
                    written(*target)
                )
            }
            Self::OutOfMemory => f.write_str("the kernel killed for want of memory"),
            Self::Person { by } => write!(f, "asked for by {by}"),
            Self::TurnedOff { start } => {
                write!(
                    f,
                    "nothing runs, and docktor starts nothing that it did not stop itself; `{start}` starts it"
                )
            }
            Self::Disabled => f.write_str("mode Disabled"),
            Self::Unreadable(reason) => write!(f, "the target cannot be seen: {reason:?}"),
        }
    }
}

impl fmt::Display for Limitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScaleDownWindow(window) => {
                write!(f, "scaleDown.stabilizationWindow: a higher recommendation within {window}")
            }
            Self::ScaleUpWindow(window) => {
                write!(f, "scaleUp.stabilizationWindow: a lower recommendation within {window}")
            }
            Self::ScaleUpLimit => f.write_str("scaleUp.limits"),
            Self::ScaleDownLimit => f.write_str("scaleDown.limits"),
            Self::ScaleDownStep => f.write_str("scaleDown.step"),
            Self::Forecast(replicas) => write!(f, "the forecast, which needs {replicas}"),
            Self::ScaleDownRules => f.write_str("scaleDown.rules, which do not hold"),
            Self::MissingMetrics => f.write_str("metrics are missing, so nothing goes down"),
            Self::ScaleUpCooldown(until) => write!(f, "scaleUp.cooldown until {until}"),
            Self::ScaleDownCooldown(until) => write!(f, "scaleDown.cooldown until {until}"),
            Self::Min(min) => write!(f, "the minimum of {min}"),
            Self::Max(max) => write!(f, "the maximum of {max}"),
            Self::Ceiling(most) => write!(f, "the target, which can have no more than {most}"),
            Self::LimitMin(kind) => write!(f, "resources.{kind}.min"),
            Self::LimitMax(kind) => write!(f, "resources.{kind}.max"),
            Self::Host(kind) => {
                write!(f, "the host, which has no more to give for {kind}, its reserve aside")
            }
            Self::InUse(kind) => write!(f, "present use, which {kind} keeps a tenth above"),
            Self::UseUnknown(kind) => {
                write!(f, "present use, which is not known, so {kind} does not go down")
            }
            Self::PutOff(until) => write!(f, "present use, which was found too high; tried again at {until}"),
            Self::MinStep(kind) => write!(f, "resources.{kind}.minStep"),
            Self::Turn(Dimension::Replicas) => f.write_str("order: it is the turn of replicas"),
            Self::Turn(Dimension::Resources) => f.write_str("order: it is the turn of resources"),
            Self::Settling(until) => write!(f, "a change by somebody else, which settles until {until}"),
            Self::DriftHold(until) => write!(f, "a change by somebody else, which is kept until {until}"),
            Self::DriftContested => f.write_str("somebody else, who keeps undoing what docktor restores"),
            Self::Hold(until) => write!(f, "a hold until {until}"),
            Self::Stop => f.write_str("the file STOP"),
            Self::Conflict => f.write_str("another policy that owns the target"),
            Self::Mode => f.write_str("the mode"),
            Self::Approval => f.write_str("an approval, which a person has not given yet"),
            Self::Rejected(until) => write!(f, "a rejection, which holds until {until}"),
            Self::Blocked(reason) => write!(f, "the target: {reason:?}"),
            Self::Failed(Some(until)) => write!(f, "too many failures, until {until}"),
            Self::Failed(None) => f.write_str("too many failures, until `resume`"),
            Self::Unfinished => f.write_str("a replica that is starting or under verification"),
            Self::ScaleDownsPerHour(until) => write!(f, "safety.maxScaleDownsPerHour until {until}"),
        }
    }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.changes() {
            return f.write_str("limits stay");
        }
        let (before, after) = (self.before(), self.after());
        for (index, (kind, _)) in self.changed().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            let written = |limits: &LimitSet| kind.written_or_none(limits.get(kind));
            write!(f, "{comma}{kind} {} -> {}", written(&before), written(&after))?;
        }
        Ok(())
    }
}

/// `2 -> 4 replicas`, or `cpuQuota 200% -> 300%`.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.limits_before, self.limits) {
            (Some(from), Some(to)) => write!(f, "{}", Resize::between(from, to)),
            _ => write!(f, "{} -> {} replicas", self.from, self.to),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seen { current, ready, starting, failed } => {
                write!(f, "{current} running, {ready} ready")?;
                if *starting > 0 {
                    write!(f, ", {starting} more being started")?;
                }
                if *failed > 0 {
                    write!(f, ", {failed} new failed")?;
                }
                Ok(())
            }
            Self::Missing(metric) => write!(f, "{metric} is missing"),
            Self::Fired(why)
            | Self::Tracked(why)
            | Self::Forecast(why)
            | Self::Activation(why)
            | Self::Bound(why) => {
                write!(f, "{why}")
            }
            Self::NotYet { times, needed } => write!(f, "rules hold, {times} of {needed} in a row"),
            Self::Learning { has, needs } => write!(f, "forecast: learning, has {has} of {needs}"),
            Self::Limits(present) => {
                let limits = present.before();
                let each = present.from.iter();
                let each = each.map(|(kind, _)| format!("{kind} {}", kind.written_or_none(limits.get(kind))));
                write!(f, "limits: {}", each.collect::<Vec<_>>().join(", "))
            }
            Self::Resized { resize, step: Some(step) } => write!(f, "{resize} ({step})"),
            Self::Resized { resize, step: None } => write!(f, "{resize}"),
            Self::NoOpinion => f.write_str("no opinion"),
            Self::Fallback => f.write_str("metrics cannot be read, the fallback decides"),
            Self::Largest { of } => write!(f, "the largest of {of}"),
            Self::Limited(limitation) => write!(f, "kept by {limitation}"),
            Self::Schedule(name) => write!(f, "schedule {name} is active"),
            Self::Adopted { left } => write!(f, "somebody else changed the count from {left}; adopted"),
            Self::Approved { id, by } => write!(f, "approved by {by} ({id})"),
            Self::LimitsAdopted(change) => write!(f, "somebody else changed limits: {change}; adopted"),
            Self::Open => f.write_str("nothing stands in the way"),
        }
    }
}
