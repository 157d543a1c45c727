//! A profile laid under a policy, then the contract's defaults laid under both.

use super::*;

/// A field set in the policy replaces the profile's. Objects directly under `spec` are merged field by
/// field; lists, entries of `metrics`, and deeper values are replaced whole.
pub fn merged(policy: &PolicySpec, profile: Option<&PolicySpec>) -> PolicySpec {
    let Some(profile) = profile else { return policy.clone() };
    let (over, under) = (policy.clone(), profile.clone());
    PolicySpec {
        target: over.target.or(under.target),
        profile: over.profile.or(under.profile),
        mode: over.mode.or(under.mode),
        interval: over.interval.or(under.interval),
        window: over.window.or(under.window),
        replicas: both(over.replicas, under.replicas, lay_replicas),
        resources: both(over.resources, under.resources, lay_resources),
        order: over.order.or(under.order),
        warm_up: over.warm_up.or(under.warm_up),
        readiness_delay: over.readiness_delay.or(under.readiness_delay),
        metrics: both(over.metrics, under.metrics, |over, mut under| {
            under.extend(over);
            under
        }),
        scale_up: both(over.scale_up, under.scale_up, lay_direction),
        scale_down: both(over.scale_down, under.scale_down, lay_direction),
        track: over.track.or(under.track),
        schedules: over.schedules.or(under.schedules),
        // Every field of a forecast but two is required, so it has no parts to merge.
        forecast: over.forecast.or(under.forecast),
        fallback: both(over.fallback, under.fallback, lay_fallback),
        scale_in: both(over.scale_in, under.scale_in, |over, under| ScaleIn {
            victim: over.victim.or(under.victim),
            drain: over.drain.or(under.drain),
        }),
        drift: both(over.drift, under.drift, lay_drift),
        safety: both(over.safety, under.safety, lay_safety),
        priority: over.priority.or(under.priority),
        notify: over.notify.or(under.notify),
        on_delete: over.on_delete.or(under.on_delete),
    }
}

/// The written form with everything filled in; what `describe` prints.
#[must_use]
pub fn effective_policy(policy: &PolicySpec, profile: Option<&PolicySpec>) -> PolicySpec {
    let written = merged(policy, profile);
    let interval = written.interval.unwrap_or(Duration::from_secs(10));
    let horizontal = written.replicas.is_some() || written.resources.is_none();
    PolicySpec {
        mode: written.mode.or(Some(Mode::Auto)),
        interval: Some(interval),
        window: written.window.or(Some(interval)),
        warm_up: written.warm_up.or(Some(Duration::from_secs(60))),
        readiness_delay: written.readiness_delay.or(Some(Duration::from_secs(30))),
        replicas: written.replicas.map(fill_replicas),
        resources: written.resources.map(|it| sizing::fill(it, profile)),
        scale_up: Some(fill_up(written.scale_up.unwrap_or_default())),
        scale_down: Some(fill_down(written.scale_down.unwrap_or_default())),
        track: written.track.map(|it| it.into_iter().map(fill_track).collect()),
        forecast: written.forecast.map(fill_forecast),
        fallback: Some(fill_fallback(written.fallback)),
        scale_in: Some(ScaleIn {
            victim: written.scale_in.as_ref().and_then(|it| it.victim).or(Some(Victim::HighestNumber)),
            drain: written
                .scale_in
                .and_then(|it| it.drain)
                .map(|it| Drain { timeout: it.timeout.or(Some(Duration::from_secs(30))), ..it }),
        }),
        drift: Some(fill_drift(written.drift.unwrap_or_default())),
        safety: Some(fill_safety(written.safety.unwrap_or_default(), horizontal)),
        priority: written.priority.or(Some(0)),
        on_delete: written.on_delete.or(Some(OnDelete::Keep)),
        ..written
    }
}

fn both<T>(over: Option<T>, under: Option<T>, lay: impl FnOnce(T, T) -> T) -> Option<T> {
    match (over, under) {
        (Some(over), Some(under)) => Some(lay(over, under)),
        (over, under) => over.or(under),
    }
}

fn lay_replicas(over: Replicas, under: Replicas) -> Replicas {
    Replicas {
        min: over.min.or(under.min),
        max: over.max.or(under.max),
        idle: over.idle.or(under.idle),
        idle_after: over.idle_after.or(under.idle_after),
        initial_idle_after: over.initial_idle_after.or(under.initial_idle_after),
    }
}

fn lay_resources(over: Resources, under: Resources) -> Resources {
    Resources {
        cpu_quota: over.cpu_quota.or(under.cpu_quota),
        memory_max: over.memory_max.or(under.memory_max),
        memory_high: over.memory_high.or(under.memory_high),
        tasks_max: over.tasks_max.or(under.tasks_max),
        cpu_weight: over.cpu_weight.or(under.cpu_weight),
        io_weight: over.io_weight.or(under.io_weight),
        allowed_cpus: over.allowed_cpus.or(under.allowed_cpus),
        together: over.together.or(under.together),
        reserve: over.reserve.or(under.reserve),
        recommend: over.recommend.or(under.recommend),
        apply: over.apply.or(under.apply),
        persistent: over.persistent.or(under.persistent),
    }
}

fn lay_direction(over: Direction, under: Direction) -> Direction {
    Direction {
        when: over.when.or(under.when),
        rules: over.rules.or(under.rules),
        consecutive: over.consecutive.or(under.consecutive),
        step: over.step.or(under.step),
        cooldown: over.cooldown.or(under.cooldown),
        stabilization_window: over.stabilization_window.or(under.stabilization_window),
        limits: over.limits.or(under.limits),
        select: over.select.or(under.select),
        tolerance: over.tolerance.or(under.tolerance),
    }
}

fn lay_fallback(over: Fallback, under: Fallback) -> Fallback {
    Fallback {
        after_failures: over.after_failures.or(under.after_failures),
        replicas: over.replicas.or(under.replicas),
        behavior: over.behavior.or(under.behavior),
    }
}

fn lay_drift(over: Drift, under: Drift) -> Drift {
    Drift {
        decrease: over.decrease.or(under.decrease),
        increase: over.increase.or(under.increase),
        limits: over.limits.or(under.limits),
        settle: over.settle.or(under.settle),
        hold_for: over.hold_for.or(under.hold_for),
    }
}

fn lay_safety(over: Safety, under: Safety) -> Safety {
    Safety {
        verify: over.verify.or(under.verify),
        on_failure: over.on_failure.or(under.on_failure),
        max_failures: over.max_failures.or(under.max_failures),
        retry_after: over.retry_after.or(under.retry_after),
        max_scale_downs_per_hour: over.max_scale_downs_per_hour.or(under.max_scale_downs_per_hour),
    }
}

fn fill_replicas(it: Replicas) -> Replicas {
    let min = it.min.unwrap_or(1);
    let may_idle = min == 0 || it.idle.is_some();
    Replicas {
        min: Some(min),
        idle_after: it.idle_after.or(may_idle.then_some(Duration::from_secs(300))),
        initial_idle_after: it.initial_idle_after.or(may_idle.then_some(Duration::ZERO)),
        ..it
    }
}

fn fill_up(it: Direction) -> Direction {
    let period = Duration::from_secs(15);
    let limits = vec![
        Limit { percent: Some(100.0), replicas: None, period },
        Limit { percent: None, replicas: Some(4), period },
    ];
    fill_direction(it, When::Any, Step::By(1), Duration::ZERO, limits)
}

fn fill_down(it: Direction) -> Direction {
    let limits = vec![Limit { percent: Some(100.0), replicas: None, period: Duration::from_secs(15) }];
    fill_direction(it, When::All, Step::By(-1), Duration::from_secs(300), limits)
}

fn fill_direction(it: Direction, when: When, step: Step, window: Duration, limits: Vec<Limit>) -> Direction {
    let when = it.rules.is_some().then_some(when);
    Direction {
        when: it.when.or(when),
        consecutive: it.consecutive.or(Some(1)),
        step: it.step.or(Some(step)),
        cooldown: it.cooldown.or(Some(Duration::ZERO)),
        stabilization_window: it.stabilization_window.or(Some(window)),
        limits: it.limits.or(Some(limits)),
        select: it.select.or(Some(Select::Max)),
        tolerance: it.tolerance.or(Some(0.1)),
        rules: it.rules,
    }
}

fn fill_track(it: Track) -> Track {
    Track { activation: it.activation.or(Some(0.0)), ..it }
}

fn fill_forecast(it: Forecast) -> Forecast {
    Forecast { confidence: it.confidence.or(Some(0.9)), ..it }
}

fn fill_fallback(it: Option<Fallback>) -> Fallback {
    let it = it.unwrap_or(Fallback { after_failures: None, replicas: None, behavior: None });
    let usual = if it.replicas.is_some() { FallbackBehavior::Static } else { FallbackBehavior::Keep };
    Fallback {
        after_failures: it.after_failures.or(Some(3)),
        behavior: it.behavior.or(Some(usual)),
        replicas: it.replicas,
    }
}

fn fill_drift(it: Drift) -> Drift {
    Drift {
        decrease: it.decrease.or(Some(OnDrift::Restore)),
        increase: it.increase.or(Some(OnDrift::Adopt)),
        limits: it.limits.or(Some(OnLimitsDrift::Restore)),
        settle: it.settle.or(Some(Duration::from_secs(5))),
        hold_for: it.hold_for.or(Some(Duration::from_secs(1_800))),
    }
}

fn fill_safety(it: Safety, horizontal: bool) -> Safety {
    let (failures, retry) = if horizontal { (3, Duration::from_secs(600)) } else { (1, Duration::ZERO) };
    Safety {
        verify: it.verify.or(Some(Duration::from_secs(60))),
        on_failure: it.on_failure.or(Some(OnFailure::Rollback)),
        max_failures: it.max_failures.or(Some(failures)),
        retry_after: it.retry_after.or(Some(retry)),
        max_scale_downs_per_hour: it.max_scale_downs_per_hour,
    }
}
