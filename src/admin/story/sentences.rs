//! The sentences of a story.

use crate::admin::view::word;
use crate::api::behavior::When;
use crate::api::target::Target;
use crate::decide::outlook::{
    Barrier, Edge, FallbackOutlook, Held, May, MetricSeen, NoValue, Outlook, Rest, RuleOutlook, RulesOutlook,
    RulesRole, SetBy, TrackOutlook,
};
use crate::decide::recommend::{Outcome, Way};
use crate::model::decision::Short;
use crate::units::{Duration, Timestamp};

/// Significant digits of a value at which something changes.
const EDGE_DIGITS: usize = 6;

/// Who tells: of which policy, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Teller<'a> {
    pub(super) policy: &'a str,
    pub(super) target: &'a Target,
    pub(super) now: Timestamp,
}

impl Teller<'_> {
    /// `06:01:05Z (in 58s)`.
    pub(super) fn time(&self, at: Timestamp) -> String {
        let distance = if at > self.now {
            format!("in {}", seconds(at.since(self.now)))
        } else {
            format!("{} ago", seconds(self.now.since(at)))
        };
        format!("{} ({distance})", self.clock(at))
    }

    /// `58s ago, 06:01:05Z`.
    pub(super) fn past(&self, at: Timestamp) -> String {
        format!("{} ago, {}", seconds(self.now.since(at)), self.clock(at))
    }

    /// A moment to the second; its date only where it is another day's.
    fn clock(&self, at: Timestamp) -> String {
        let text = |it: Timestamp| Timestamp::from_secs(it.as_millis().div_euclid(1_000)).to_string();
        let (at, now) = (text(at), text(self.now));
        match (at.split_once('T'), now.split_once('T')) {
            (Some((day, time)), Some((today, _))) if day == today => time.to_owned(),
            _ => at,
        }
    }

    pub(super) fn may(&self, verb: &str, may: May) -> String {
        match may {
            May::At(at) if at <= self.now => format!("it may {verb} as soon as something asks for it"),
            May::Now => format!("it may {verb} as soon as something asks for it"),
            May::At(at) => format!("it may {verb} at {} at the earliest", self.time(at)),
            May::Waits => format!("it does not {verb} by time alone"),
        }
    }

    pub(super) fn fallback(&self, it: &FallbackOutlook, missing: bool) -> Option<String> {
        let behavior = word(&it.behavior);
        if it.decides {
            return Some(format!("the fallback decides ({behavior}): {}", many(it.wants, "replica")));
        }
        let from = it.from_failures;
        missing.then(|| {
            format!(
                "the fallback ({behavior}, {}) decides from {from} in a row on",
                many(it.wants, "replica")
            )
        })
    }

    /// What forbids a change, and what ends it.
    pub(super) fn barrier(&self, it: &Barrier) -> String {
        let (policy, at) = (self.policy, |until: &Timestamp| self.time(*until));
        match it {
            Barrier::TurnedOff => {
                let start = self.target.start_command();
                format!(
                    "nothing runs, and docktor starts nothing that it did not stop itself; `{start}` starts it"
                )
            }
            Barrier::Unreadable { reason } => format!("the target cannot be seen: {}", word(reason)),
            Barrier::Mode { mode } => {
                format!("mode {} does not act; `docktorctl mode {policy} Auto` lets it", word(mode))
            }
            Barrier::AsksFirst => "mode Approve asks a person before it changes anything".to_owned(),
            Barrier::AwaitingApproval { id, .. } => {
                format!("{id} waits for a person: `docktorctl approve {id}` or `docktorctl reject {id}`")
            }
            Barrier::Rejected { by, not_asked_until, reason } => {
                let why = reason.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
                format!(
                    "rejected by {by}{why}; what is still wanted is asked anew at {}",
                    at(not_asked_until)
                )
            }
            Barrier::Stop => "the file STOP is in the policy folder; it ends with its removal".to_owned(),
            Barrier::Conflict => "another policy owns the target".to_owned(),
            Barrier::Blocked { reason } => format!("the target cannot be changed: {}", word(reason)),
            Barrier::Hold { by, until, reason } => {
                let why = reason.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
                format!("held by {by}{why} until {}; `docktorctl resume {policy}` ends it", at(until))
            }
            Barrier::Wish { by, replicas, until } => {
                format!("{by} asked for {} until {}", many(*replicas, "replica"), at(until))
            }
            Barrier::Failed { in_a_row, until } => {
                let failed = format!("{} failed in a row", many(*in_a_row, "change"));
                let again = until.as_ref().map(|it| format!("docktor tries again at {}, ", at(it)));
                let again = again.map_or(String::new(), |it| format!("{it}or at once after "));
                let resume = format!("`docktorctl resume {policy}`");
                match until {
                    Some(_) => format!("{failed}; {again}{resume}"),
                    None => format!("{failed}; {resume} tries again"),
                }
            }
            Barrier::Unfinished { replicas, until } => {
                let who = match replicas {
                    0 => "replicas are being made".to_owned(),
                    1 => "1 replica is starting or under verification".to_owned(),
                    more => format!("{more} replicas are starting or under verification"),
                };
                until.as_ref().map_or_else(|| who.clone(), |it| format!("{who} until {}", at(it)))
            }
            Barrier::Settling { until, restores } => {
                let then = restores.map(|left| format!(", then restores {left}")).unwrap_or_default();
                format!("somebody else changed the count; docktor waits until {} for more{then}", at(until))
            }
            Barrier::DriftHold { until } => {
                format!("somebody else changed the count, which is kept until {}", at(until))
            }
            Barrier::DriftContested => {
                format!(
                    "somebody else keeps undoing what docktor restores; `docktorctl resume {policy}` tries again"
                )
            }
            Barrier::MissingMetrics { metrics } if metrics.is_empty() => {
                "metrics are missing, and without them nothing goes down".to_owned()
            }
            Barrier::MissingMetrics { metrics } => {
                let lacking: Vec<_> = metrics.iter().map(|it| self.seen(it)).collect();
                let it = if metrics.len() == 1 { "it" } else { "them" };
                format!("{}, and without {it} nothing goes down", lacking.join(", "))
            }
            Barrier::ScaleDownRules => "scaleDown.rules do not hold".to_owned(),
            Barrier::ScaleDownStep => "scaleDown.step bounds one scale-down".to_owned(),
            Barrier::Forecast { replicas } => format!("the forecast needs {replicas}"),
            Barrier::Resources { message } => message.clone(),
            Barrier::NobodyAsks => "nothing in the policy asks for it".to_owned(),
            Barrier::Working { until: None } => "there is work, and one replica stays for it".to_owned(),
            Barrier::Working { until: Some(until) } => {
                format!("one replica stays until there was no work for long enough, at {}", at(until))
            }
            Barrier::AtRest => "it is at rest, and only work wakes it".to_owned(),
            Barrier::Window { way, recommended, window, until } => {
                let name = format!("{}.stabilizationWindow", section(*way));
                let last = at(until);
                format!(
                    "{name}: {recommended} were recommended within {window}; the last such leaves it at {last}"
                )
            }
            Barrier::Disabled { way } => format!("{}.select is Disabled", section(*way)),
            Barrier::RateLimit { way, reach, until } => {
                let more = until.as_ref().map(|it| format!(", more at {}", at(it))).unwrap_or_default();
                format!("{}.limits: as far as {reach} now{more}", section(*way))
            }
            Barrier::Cooldown { way, until } => format!("{}.cooldown until {}", section(*way), at(until)),
            Barrier::ScaleDownsPerHour { until } => {
                format!("safety.maxScaleDownsPerHour until {}", at(until))
            }
            Barrier::Min { replicas, set_by } => format!("the minimum is {replicas}{}", who(set_by, "min")),
            Barrier::Max { replicas, set_by } => format!("the maximum is {replicas}{}", who(set_by, "max")),
        }
    }

    /// A heading, and a line for each rule.
    pub(super) fn rules(&self, it: &RulesOutlook) -> Vec<String> {
        let several = it.rules.len() > 1;
        let who = match (several, it.when) {
            (false, _) => "this has to hold",
            (true, When::Any) => "any of these has to hold",
            (true, When::All) => "all of these have to hold",
        };
        let then = match it.role {
            RulesRole::Ask(count) => format!("then it asks for {count}"),
            RulesRole::Resize(step) => format!("then limits move by {step}"),
            RulesRole::Permit => "then it may go down".to_owned(),
        };
        let in_a_row = match it.needed {
            0 | 1 => String::new(),
            needed => format!(", {needed} evaluations in a row"),
        };
        let mut lines = vec![format!("{who}{in_a_row}; {then}:")];
        lines.extend(it.rules.iter().map(|rule| format!("  - {}", self.rule_line(rule))));
        lines
    }

    pub(super) fn in_a_row(&self, it: &RulesOutlook) -> Option<String> {
        let so_far = format!("{} of {} in a row so far", it.in_a_row.min(it.needed), it.needed);
        let last = it.earliest.map(|at| format!("; the last at {} at the earliest", self.time(at)));
        (it.needed > 1).then(|| so_far + &last.unwrap_or_default())
    }

    pub(super) fn track(&self, it: &TrackOutlook, outlook: &Outlook, way: Way) -> String {
        let name = self.seen(&it.seen);
        let at_rest = outlook.rest.is_some_and(|it| it.at_rest);
        let goal = goal(it);
        let than = outlook.count;
        match (way, it.more, it.fewer) {
            (Way::Up, Some(edge), _) if at_rest => format!("{name}; {} is work", above(edge)),
            (Way::Up, Some(edge), _) => format!("{name}; {} asks for more than {than} ({goal})", above(edge)),
            (Way::Down, _, Some(edge)) => {
                format!("{name}; {} asks for fewer than {than} ({goal})", below(edge))
            }
            (Way::Up, None, _) => format!("{name}; no value asks for more than {than} now ({goal})"),
            (Way::Down, _, None) => format!("{name}; no value asks for fewer than {than} now ({goal})"),
        }
    }

    pub(super) fn rest(&self, it: &Rest, way: Way) -> Option<String> {
        let count = many(it.replicas, "replica");
        match (way, it.at_rest, it.work) {
            (Way::Up, true, _) => Some(format!("at rest with {count}")),
            (Way::Up, false, _) | (Way::Down, true, _) => None,
            (Way::Down, false, Some(true)) => {
                Some(format!("there is work; after {} without any it rests with {count}", it.after))
            }
            (Way::Down, false, None) => {
                Some("nobody can say whether there is work, so it does not rest".to_owned())
            }
            (Way::Down, false, Some(false)) => {
                let so_far = seconds(Duration::from_millis(it.idle_for.as_millis().unsigned_abs()));
                let how = if it.by_itself { "then" } else { "then, if scaleDown.rules ask for it," };
                let when = self.time(it.rests_at);
                Some(format!("no work for {so_far} of {}, {how} it rests with {count}: {when}", it.after))
            }
        }
    }

    fn rule_line(&self, it: &RuleOutlook) -> String {
        let text = match (&it.needs, &it.points, it.sees.as_slice()) {
            (Some(needs), _, [only]) => format!("{}, needs {} {}", self.seen(only), needs.op, needs.value),
            (_, Some(points), [only]) => {
                format!("{}: {}, {} of {} points", it.rule, self.seen(only), points.inside, points.needed)
            }
            (_, _, sees) => {
                let sees: Vec<_> = sees.iter().map(|it| self.seen(it)).collect();
                format!("{}: {}", it.rule, sees.join(", "))
            }
        };
        let group = it.group.as_ref().map(|it| format!(" (group {it}: one is enough)")).unwrap_or_default();
        let outcome = match it.outcome {
            Outcome::Holds => ": holds",
            Outcome::Fails => "",
            Outcome::Unknown => ": cannot be told",
        };
        format!("{text}{outcome}{group}")
    }

    /// `cpu.avg is 60.2`.
    fn seen(&self, it: &MetricSeen) -> String {
        let name = &it.metric;
        match (it.value, it.no_value) {
            (Some(value), _) => format!("{name} is {}", number(value)),
            (None, Some(NoValue::Failed)) => format!("{name} could not be read"),
            (None, Some(NoValue::Partial)) => format!("{name} lacks the sample of a replica"),
            (None, Some(NoValue::Filling { seen, window, full_at })) => {
                let at = self.time(full_at);
                format!("{name} has seen {} of {window}, and is full at {at}", seconds(seen))
            }
            (None, Some(NoValue::OneMoment)) => format!("{name} takes a second evaluation"),
            (None, Some(NoValue::Stale)) => format!("{name} lacks a present value"),
            (None, Some(NoValue::WarmingUp)) => format!("{name} waits for replicas to warm up"),
            (None, Some(NoValue::NotApplicable)) => format!("{name} has no meaning now"),
            (None, Some(NoValue::Missing) | None) => format!("{name} is missing"),
        }
    }
}

fn goal(it: &TrackOutlook) -> String {
    let each = if it.held == Held::AverageValue { " per replica" } else { "" };
    let (up, down) = (it.tolerance_up * 100.0, it.tolerance_down * 100.0);
    let tolerance = if it.tolerance_up.to_bits() == it.tolerance_down.to_bits() {
        format!("{} %", number(up))
    } else {
        format!("{} % above, {} % below", number(up), number(down))
    };
    format!("target {}{each}, tolerance {tolerance}", it.target)
}

fn above(edge: Edge) -> String {
    let value = precise(edge.value);
    if edge.inclusive { format!("{value} or more") } else { format!("above {value}") }
}

fn below(edge: Edge) -> String {
    let value = precise(edge.value);
    if edge.inclusive && edge.value == 0.0 {
        return value;
    }
    if edge.inclusive { format!("{value} or less") } else { format!("below {value}") }
}

fn who(it: &SetBy, field: &str) -> String {
    match it {
        SetBy::Policy => format!(" (replicas.{field})"),
        SetBy::Schedule(name) => format!(" (schedule {name})"),
        SetBy::Target => " (the target can have no more)".to_owned(),
    }
}

const fn section(way: Way) -> &'static str {
    match way {
        Way::Up => "scaleUp",
        Way::Down => "scaleDown",
    }
}

/// A value at which something changes, with as many digits as it takes to hit it.
fn precise(value: f64) -> String {
    let short: f64 = format!("{value:.*e}", EDGE_DIGITS - 1).parse().unwrap_or(value);
    if value.fract() == 0.0 { value.to_string() } else { short.to_string() }
}

/// A measured value.
pub(super) fn number(value: f64) -> String {
    Short(value).to_string()
}

/// `1 replica`, `2 replicas`.
pub fn many(count: u32, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A length of time in whole seconds.
fn seconds(it: Duration) -> String {
    Duration::from_secs(it.get().as_secs()).to_string()
}
