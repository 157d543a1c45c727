//! A policy's or profile's `spec`.

use super::amounts::{DAY, HOUR, INSTANT, MINUTE, WEEK, YEAR, positive, some_time, within};
use super::findings::Findings;
use super::metrics::{Names, Unknown};
use super::rules::{self, Way};
use super::{expressions, metadata, resources, schedules, sources, target};
use crate::api::behavior::{Direction, Drain, Fallback, FallbackBehavior, Forecast, Select};
use crate::api::path::Path;
use crate::api::policy::{PolicySpec, Replicas};
use crate::api::read::hint::shorten;
use crate::api::resources::Recommend;
use crate::units::{Duration, MAX_REPLICAS};

/// What a spec is, and so how much of it must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// All that there is.
    Whole,
    /// A policy over a profile that is not known here.
    WithProfile,
    /// A profile.
    Profile,
}

/// Shortest interval and window, and the longest, which bounds what is remembered of samples.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_INTERVAL: Duration = HOUR;
/// Most failures in a row that a policy may wait for.
const MOST_FAILURES: u32 = 1_000;
/// Fewest intervals in the season of a forecast.
const INTERVALS_OF_A_SEASON: i64 = 4;
/// Signals that ask a process to end or to do something before it.
const SIGNALS: [&str; 10] = [
    "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT", "SIGPWR",
    "SIGALRM",
];

pub(super) fn check(spec: &PolicySpec, form: Form, path: &Path, findings: &mut Findings) {
    let unknown = if form == Form::Whole { Unknown::Mistake } else { Unknown::MayBeElsewhere };
    let names = Names::of(spec, unknown, path);

    scope(spec, form, path, findings);
    if let Some(it) = &spec.target {
        target::check(spec, it, &path.key("target"), findings);
    }
    if let Some(it) = &spec.replicas {
        replicas(it, form, &path.key("replicas"), findings);
    }
    if let Some(it) = &spec.resources {
        resources::check(it, &path.key("resources"), findings);
    }
    times(spec, path, findings);
    if let Some(it) = &spec.metrics {
        sources::check(it, &names, &path.key("metrics"), findings);
    }
    if let Some(it) = &spec.scale_up {
        rules::direction(it, Way::Up, &names, &path.key("scaleUp"), findings);
    }
    if let Some(it) = &spec.scale_down {
        rules::direction(it, Way::Down, &names, &path.key("scaleDown"), findings);
    }
    if let Some(it) = &spec.track {
        rules::track(it, &names, &path.key("track"), findings);
    }
    if let Some(it) = &spec.schedules {
        schedules::check(it, &path.key("schedules"), findings);
    }
    if let Some(it) = &spec.forecast {
        names.check(&it.metric, &path.key("forecast").key("metric"), findings);
        forecast(it, spec.interval, &path.key("forecast"), findings);
        if form == Form::Whole && spec.replicas.is_none() && spec.resources.is_some() {
            let message =
                "a forecast raises the number of replicas, and there are no `replicas` here; take it out";
            findings.add_after(path.key("forecast"), message, vec![path.key("replicas")]);
        }
    }
    if let Some(it) = &spec.fallback {
        fallback(it, spec.replicas.as_ref(), form, path, findings);
    }
    behaviour(spec, path, findings);
    if form == Form::Whole {
        recommends_something(spec, path, findings);
        can_wake(spec, path, findings);
    }
}

/// What a spec of this form has and has not.
fn scope(spec: &PolicySpec, form: Form, path: &Path, findings: &mut Findings) {
    let missing = |field: &str| path.key(field);
    match form {
        Form::Profile => {
            for (field, is_there) in [("target", spec.target.is_some()), ("profile", spec.profile.is_some())]
            {
                if is_there {
                    findings
                        .add(path.key(field), format!("a profile has no `{field}`; write it in the policy"));
                }
            }
        }
        Form::Whole | Form::WithProfile => {
            if spec.target.is_none() {
                let message =
                    "`target` is missing; write `target: {compose: {project: NAME, service: NAME}}`";
                findings.add(missing("target"), message);
            }
            if let Some(profile) = &spec.profile {
                metadata::name(profile, path.key("profile"), findings);
            }
        }
    }
    match (&spec.replicas, &spec.resources) {
        (None, None) if form == Form::Whole => {
            let message =
                "`replicas` is missing; write `replicas: {min: 1, max: 5}`, or `resources` to scale limits";
            findings.add_after(missing("replicas"), message, vec![path.key("resources")]);
        }
        (Some(_), Some(_)) if spec.order.is_none() && form != Form::Profile => {
            let message = "found `replicas` and `resources` together; \
                           keep one, or say with `order: ReplicasFirst` or `order: ResourcesFirst` which goes first";
            findings.add_after(path.key("resources"), message, vec![path.key("order")]);
        }
        (Some(_), None) | (None, Some(_)) if spec.order.is_some() && form == Form::Whole => {
            findings.add(path.key("order"), "`order` is for a policy with both `replicas` and `resources`");
        }
        _ => {}
    }
    for (index, notifier) in spec.notify.iter().flatten().enumerate() {
        metadata::name(notifier, path.key("notify").index(index), findings);
    }
}

fn replicas(replicas: &Replicas, form: Form, path: &Path, findings: &mut Findings) {
    let Replicas { max, idle, .. } = *replicas;
    match (least(replicas, form), max) {
        (_, None) if form == Form::Whole => {
            findings.add(path.key("max"), "`max` is missing; docktor never scales without an upper bound");
        }
        (_, Some(0)) => findings.add(path.key("max"), "found `0`; expected 1 or more"),
        (_, Some(max)) if max > MAX_REPLICAS => {
            findings.add(path.key("max"), format!("found `{max}`; expected at most {MAX_REPLICAS}"));
        }
        (Some(least), Some(max)) if least > max => {
            findings.add_after(
                path.key("min"),
                format!("min {least} is above max {max}"),
                vec![path.key("max")],
            );
        }
        _ => {}
    }
    if let (Some(idle), Some(least)) = (idle, least(replicas, form))
        && idle >= least
    {
        let message = if least == 0 {
            "`min: 0` lets the workload go to zero already; leave `idle` out".to_owned()
        } else {
            format!("idle {idle} is not below min {least}")
        };
        findings.add_after(path.key("idle"), message, vec![path.key("min")]);
    }
    idle_times(replicas, least(replicas, form), path, findings);
}

/// The smallest count, where it is known: a profile may hold it.
fn least(replicas: &Replicas, form: Form) -> Option<u32> {
    replicas.min.or((form == Form::Whole).then_some(1))
}

fn idle_times(replicas: &Replicas, least: Option<u32>, path: &Path, findings: &mut Findings) {
    let times = [("idleAfter", replicas.idle_after), ("initialIdleAfter", replicas.initial_idle_after)];
    for (field, value) in times {
        if let Some(least) = least.filter(|least| value.is_some() && replicas.idle.is_none() && *least > 0) {
            let message =
                format!("`{field}` has no effect while `min` is {least}; write `min: 0`, or `idle`");
            findings.add_after(path.key(field), message, vec![path.key("min"), path.key("idle")]);
        }
        within(value, Duration::ZERO..=WEEK, path.key(field), findings);
    }
}

fn times(spec: &PolicySpec, path: &Path, findings: &mut Findings) {
    within(spec.interval, SHORTEST_INTERVAL..=LONGEST_INTERVAL, path.key("interval"), findings);
    within(spec.window, SHORTEST_INTERVAL..=LONGEST_INTERVAL, path.key("window"), findings);
    within(spec.warm_up, Duration::ZERO..=DAY, path.key("warmUp"), findings);
    within(spec.readiness_delay, Duration::ZERO..=DAY, path.key("readinessDelay"), findings);
}

fn forecast(forecast: &Forecast, interval: Option<Duration>, path: &Path, findings: &mut Findings) {
    some_time(Some(forecast.horizon), WEEK, path.key("horizon"), findings);
    within(forecast.season, MINUTE..=YEAR, path.key("season"), findings);
    if let Some(season) = forecast.season.filter(|season| *season < forecast.horizon) {
        let message = format!("season {season} is shorter than horizon {}", forecast.horizon);
        findings.add_after(path.key("season"), message, vec![path.key("horizon")]);
    }
    let too_short = |interval: &Duration| {
        forecast.season.is_some_and(|it| it.as_millis() < interval.as_millis() * INTERVALS_OF_A_SEASON)
    };
    if let (Some(season), Some(interval)) = (forecast.season, interval.filter(too_short)) {
        let message = format!(
            "season {season} is shorter than {INTERVALS_OF_A_SEASON} intervals of {interval}; its shape could not be seen"
        );
        findings.add(path.key("season"), message);
    }
    positive(Some(forecast.average_value), path.key("averageValue"), findings);
    if let Some(confidence) = forecast.confidence.filter(|it| *it <= 0.0 || *it >= 1.0) {
        let message = format!("found `{confidence}`; expected more than 0 and less than 1, as in `0.9`");
        findings.add(path.key("confidence"), message);
    }
}

fn fallback(
    fallback: &Fallback,
    replicas: Option<&Replicas>,
    form: Form,
    spec: &Path,
    findings: &mut Findings,
) {
    let path = spec.key("fallback");
    within(fallback.after_failures, 0..=MOST_FAILURES, path.key("afterFailures"), findings);
    let keeps = fallback.behavior == Some(FallbackBehavior::Keep);
    match fallback.replicas {
        Some(_) if keeps => {
            findings
                .add(path.key("replicas"), "`behavior: Keep` keeps the present count; take `replicas` out");
        }
        None if fallback.behavior.is_some() && !keeps && form == Form::Whole => {
            findings
                .add(path.key("replicas"), "`replicas` is missing; only `behavior: Keep` needs no number");
        }
        Some(count) => {
            let bounds = replicas.map(|it| (least(it, form).unwrap_or(0), it.max.unwrap_or(MAX_REPLICAS)));
            if let Some((min, max)) =
                bounds.filter(|(min, max)| min <= max && !(*min..=*max).contains(&count))
            {
                let message =
                    format!("found `{count}`; expected {min} to {max}, as `replicas` of the policy says");
                findings.add_after(path.key("replicas"), message, vec![spec.key("replicas")]);
            }
        }
        None => {}
    }
}

/// Scale-in, drift and safety.
fn behaviour(spec: &PolicySpec, path: &Path, findings: &mut Findings) {
    if let Some(it) = spec.scale_in.as_ref().and_then(|it| it.drain.as_ref()) {
        drain(it, &path.key("scaleIn").key("drain"), findings);
    }
    if let Some(drift) = &spec.drift {
        let path = path.key("drift");
        within(drift.settle, Duration::ZERO..=HOUR, path.key("settle"), findings);
        some_time(drift.hold_for, WEEK, path.key("for"), findings);
    }
    if let Some(safety) = &spec.safety {
        let path = path.key("safety");
        within(safety.verify, Duration::ZERO..=HOUR, path.key("verify"), findings);
        within(safety.max_failures, 1..=MOST_FAILURES, path.key("maxFailures"), findings);
        within(safety.retry_after, Duration::ZERO..=WEEK, path.key("retryAfter"), findings);
        if safety.max_scale_downs_per_hour == Some(0) {
            let message =
                "found `0`; expected 1 or more; `scaleDown: {select: Disabled}` forbids scale-downs";
            findings.add(path.key("maxScaleDownsPerHour"), message);
        }
    }
}

fn drain(drain: &Drain, path: &Path, findings: &mut Findings) {
    if let Some(signal) = drain.signal.as_deref().filter(|signal| !SIGNALS.contains(signal)) {
        let long = format!("SIG{}", signal.to_uppercase().trim_start_matches("SIG"));
        let hint = if SIGNALS.contains(&&*long) { format!("; write `{long}`") } else { String::new() };
        findings.add(path.key("signal"), format!("unknown signal `{}`{hint}", shorten(signal)));
    }
    if let Some(http) = drain.http.as_deref().filter(|http| !http.starts_with('/')) {
        let message = format!("found `{}`; expected a path in the replica, as in `/drain`", shorten(http));
        findings.add(path.key("http"), message);
    }
    if let Some(idle) = &drain.idle {
        expressions::drained(idle, &path.key("idle"), findings);
    }
    within(drain.timeout, INSTANT..=HOUR, path.key("timeout"), findings);
}

/// A policy in which nothing can ever ask for another count is a mistake.
fn recommends_something(spec: &PolicySpec, path: &Path, findings: &mut Findings) {
    let has_rules = |direction: &&Direction| {
        direction.rules.as_ref().is_some_and(|rules| !rules.is_empty())
            && direction.select != Some(Select::Disabled)
    };
    let up = spec.scale_up.as_ref().filter(has_rules);
    let down = spec.scale_down.as_ref().filter(has_rules);
    // These move the count; a policy of limits alone has none.
    let counts = spec.replicas.is_some() || spec.resources.is_none();
    let track = counts && spec.track.as_ref().is_some_and(|track| !track.is_empty());
    let schedules = counts && spec.schedules.as_ref().is_some_and(|schedules| !schedules.is_empty());
    let forecast = counts && spec.forecast.is_some();
    let histogram = spec.resources.as_ref().is_some_and(|it| it.recommend == Some(Recommend::Histogram));
    let steps_down = down.is_some_and(|it| it.step.is_some());
    if up.is_some() || steps_down || track || schedules || histogram || forecast {
        return;
    }
    let message = if !counts {
        "nothing here can move a limit: `track`, `schedules` and `forecast` move the count of replicas; add \
         `scaleUp.rules`, `scaleDown.rules` with `scaleDown.step`, `resources.recommend: Histogram` or a `profile`"
    } else if down.is_some() {
        "nothing here can change the count: `scaleDown.rules` only permit; add `scaleDown.step`, `scaleUp.rules`, \
         `track`, `schedules` or `forecast`"
    } else {
        "nothing here can change the count; add `scaleUp.rules`, `track`, `schedules`, `forecast` or a `profile`"
    };
    findings.add(path.clone(), message);
}

/// From zero only something outside of the workload can wake it.
fn can_wake(spec: &PolicySpec, path: &Path, findings: &mut Findings) {
    let Some(replicas) = &spec.replicas else { return };
    let field = match (replicas.min, replicas.idle) {
        (Some(0), _) => "min",
        (_, Some(0)) => "idle",
        _ => return,
    };
    let rules = spec.scale_up.iter().flat_map(|up| up.rules.iter().flatten());
    let of_rules = rules.flat_map(|rule| {
        let read = rule.expr.as_deref().map(expressions::variables).unwrap_or_default();
        read.into_iter().chain(rule.metric.clone())
    });
    let of_tracks = spec.track.iter().flatten().map(|track| track.metric.clone());
    let of_forecast = spec.forecast.iter().map(|forecast| forecast.metric.clone());
    let mut metrics = of_rules.chain(of_tracks).chain(of_forecast);
    let by_schedule = spec.schedules.iter().flatten().any(|it| it.min.is_some_and(|min| min > 0));
    if !by_schedule && metrics.all(|metric| Names::is_of_target(&metric)) {
        let message = format!(
            "nothing could wake the workload from {field} 0: its own cpu and memory say nothing while it does not \
             run; scale on a queue or another source, add a schedule, or write `{field}: 1`"
        );
        let depends_on =
            ["scaleUp", "track", "schedules", "forecast", "metrics"].map(|field| path.key(field));
        findings.add_after(path.key("replicas").key(field), message, depends_on.into());
    }
}
