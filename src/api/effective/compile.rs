//! From the filled written form to the typed one: expressions compiled, metrics resolved to indices.

use std::collections::BTreeMap;

use super::*;
use crate::api::cron;

/// A schedule whose end never comes lasts for this long.
const FOR_EVER: Duration = Duration::from_secs(1_000 * 366 * 86_400);
/// The cron expression of every minute.
const EVERY_MINUTE: &str = "* * * * *";
/// Formulas that read formulas, at most this deep.
const MAX_NESTING: usize = 16;

/// `written` is the policy over its profile; `filled` is that with the defaults.
pub(super) fn compile(written: &PolicySpec, filled: &PolicySpec) -> Result<Spec, SpecError> {
    let no_sources = BTreeMap::new();
    let sources = filled.metrics.as_ref().unwrap_or(&no_sources);
    let target = required(filled.target.as_ref(), "spec.target")?;
    let mut metrics = Metrics { target, sources, table: Vec::new(), bands: Vec::new() };
    let has_step = |it: &Option<Direction>| it.as_ref().is_some_and(|it| it.step.is_some());
    let up = required(filled.scale_up.as_ref(), "spec.scaleUp")?;
    let down = required(filled.scale_down.as_ref(), "spec.scaleDown")?;
    let scale_up = direction(up, "spec.scaleUp", has_step(&written.scale_up), &mut metrics)?;
    let scale_down = direction(down, "spec.scaleDown", has_step(&written.scale_down), &mut metrics)?;
    let mut track = Vec::new();
    for (index, it) in filled.track.iter().flatten().enumerate() {
        track.push(tracked(it, &format!("spec.track[{index}]"), &mut metrics)?);
    }
    let mut schedules = Vec::new();
    for (index, it) in filled.schedules.iter().flatten().enumerate() {
        schedules.push(ScheduleSpec::compile(it, &format!("spec.schedules[{index}]"))?);
    }
    let forecast = filled.forecast.as_ref().map(|it| forecast(it, &mut metrics)).transpose()?;
    let (bounds, idle) = match &filled.replicas {
        Some(it) => bounds(it)?,
        None => (Bounds::new(0, MAX_REPLICAS)?, None),
    };
    let sources = metrics.sources.iter().map(|(name, it)| (name.as_str().into(), it.clone())).collect();
    let scale_in = filled.scale_in.clone().unwrap_or_default();
    Ok(Spec {
        policy: None,
        target: target.clone(),
        mode: filled.mode.unwrap_or_default(),
        interval: required(filled.interval, "spec.interval")?,
        window: required(filled.window, "spec.window")?,
        warm_up: required(filled.warm_up, "spec.warmUp")?,
        readiness_delay: required(filled.readiness_delay, "spec.readinessDelay")?,
        bounds,
        idle,
        by_name: by_name(&metrics.table),
        metrics: metrics.table,
        bands: metrics.bands,
        sources,
        scale_up,
        scale_down,
        track,
        schedules,
        fallback: fallback(filled)?,
        forecast,
        victim: scale_in.victim.unwrap_or_default(),
        drain: scale_in.drain,
        drift: drift(required(filled.drift.as_ref(), "spec.drift")?)?,
        safety: safety(required(filled.safety.as_ref(), "spec.safety")?)?,
        priority: filled.priority.unwrap_or(0),
        notify: filled.notify.clone().unwrap_or_default(),
        on_delete: filled.on_delete.unwrap_or_default(),
        sizing: filled.resources.as_ref().map(sizing::compile),
        order: filled.order,
        horizontal: filled.replicas.is_some(),
    })
}

fn by_name(metrics: &[Metric]) -> Vec<MetricIndex> {
    let mut indices: Vec<_> = (0..metrics.len()).map(MetricIndex).collect();
    indices.sort_by_key(|it| &metrics[it.0].name);
    indices
}

fn required<T>(field: Option<T>, path: &str) -> Result<T, SpecError> {
    field.ok_or_else(|| SpecError::Missing { path: path.to_owned() })
}

fn bounds(it: &Replicas) -> Result<(Bounds, Option<Idle>), SpecError> {
    let min = it.min.unwrap_or(1);
    let max = required(it.max, "spec.replicas.max")?;
    let bounds = Bounds::new(min.min(MAX_REPLICAS), max.min(MAX_REPLICAS))?;
    let idle = (min == 0 || it.idle.is_some()).then(|| Idle {
        replicas: it.idle.unwrap_or(0),
        after: it.idle_after.unwrap_or_default(),
        initially_after: it.initial_idle_after.unwrap_or_default(),
    });
    Ok((bounds, idle))
}

fn direction(
    it: &Direction,
    path: &str,
    step_written: bool,
    metrics: &mut Metrics<'_>,
) -> Result<DirectionSpec, SpecError> {
    let mut rules = Vec::new();
    for (index, rule) in it.rules.iter().flatten().enumerate() {
        rules.push(compiled(rule, &format!("{path}.rules[{index}]"), metrics)?);
    }
    let mut limits = Vec::new();
    for (index, limit) in it.limits.iter().flatten().enumerate() {
        limits.push(rate_limit(limit, &format!("{path}.limits[{index}]"))?);
    }
    Ok(DirectionSpec {
        // Without rules there is nothing that it could join.
        when: it.when.unwrap_or(When::Any),
        rules,
        consecutive: required(it.consecutive, &format!("{path}.consecutive"))?.max(1),
        step: required(it.step, &format!("{path}.step"))?,
        step_written,
        cooldown: required(it.cooldown, &format!("{path}.cooldown"))?,
        window: required(it.stabilization_window, &format!("{path}.stabilizationWindow"))?,
        limits,
        select: it.select.unwrap_or_default(),
        tolerance: required(it.tolerance, &format!("{path}.tolerance"))?,
    })
}

fn rate_limit(it: &Limit, path: &str) -> Result<RateLimit, SpecError> {
    let amount = match (it.percent, it.replicas) {
        (Some(percent), None) => Amount::Percent(percent),
        (None, Some(replicas)) => Amount::Replicas(replicas),
        _ => return Err(ambiguous(path, "exactly one of percent, replicas")),
    };
    Ok(RateLimit { amount, period: it.period })
}

fn compiled(rule: &Rule, path: &str, metrics: &mut Metrics<'_>) -> Result<CompiledRule, SpecError> {
    let needs = "`metric` with `op` and `value`, `metric` with `within`, or `expr`";
    let (text, test) = match rule {
        Rule { metric: Some(metric), op: Some(op), value: Some(value), expr: None, within: None, .. } => {
            let test = Test::Compare { metric: metrics.index(metric, path)?, op: *op, value: *value };
            (format!("{metric} {op} {value}"), test)
        }
        Rule { metric: Some(metric), op: None, value: None, expr: None, within: Some(within), .. } => {
            let lower = within.lower.unwrap_or(f64::NEG_INFINITY);
            let upper = within.upper.unwrap_or(f64::INFINITY);
            let points = within.points.unwrap_or(5).max(1);
            let text = format!("{lower} <= {metric} < {upper} for {points} points");
            let metric = metrics.index(metric, path)?;
            let test = Test::Within { band: metrics.band(&text), metric, lower, upper, points };
            (text, test)
        }
        Rule { metric: None, op: None, value: None, expr: Some(source), within: None, .. } => {
            let expr = Expr::condition(source)
                .map_err(|source| SpecError::Expr { path: format!("{path}.expr"), source })?;
            (source.clone(), Test::Expr(metrics.formula(expr, path, 0)?))
        }
        _ => return Err(ambiguous(path, needs)),
    };
    Ok(CompiledRule { text: text.into(), group: rule.group.as_deref().map(Arc::from), test })
}

fn tracked(it: &Track, path: &str, metrics: &mut Metrics<'_>) -> Result<TrackSpec, SpecError> {
    let of_target = of_target(&it.metric, metrics.target);
    let goal = match (it.target, it.average_value, of_target) {
        (Some(target), None, Some(metric)) if metric.aggregate == Aggregate::Utilization => {
            Goal::Utilization { resource: metric.resource, target }
        }
        (Some(target), None, Some(_)) => Goal::PerReplica { target },
        (Some(target), None, None) => Goal::Value(target),
        (None, Some(average), _) => Goal::AverageValue(average),
        _ => return Err(ambiguous(path, "exactly one of target, averageValue")),
    };
    let metric = metrics.index(&it.metric, path)?;
    Ok(TrackSpec { metric, goal, activation: it.activation.unwrap_or(0.0), wakes: of_target.is_none() })
}

/// What of the target's replicas that metric is, itself or as a trend.
fn of_target(metric: &str, target: &Target) -> Option<TargetMetric> {
    let trend = trend_metric::parse(metric);
    TargetMetric::of(trend.as_ref().map_or(metric, |(of, _)| of), target)
}

fn forecast(it: &Forecast, metrics: &mut Metrics<'_>) -> Result<ForecastSpec, SpecError> {
    Ok(ForecastSpec {
        metric: metrics.index(&it.metric, "spec.forecast")?,
        shown: format!("{}.forecast", it.metric).into(),
        horizon: it.horizon,
        season: it.season,
        average_value: it.average_value,
        confidence: required(it.confidence, "spec.forecast.confidence")?,
        wakes: of_target(&it.metric, metrics.target).is_none(),
    })
}

fn window(it: &crate::api::metric::Cron, name: &str) -> Result<ScheduleSpec, SpecError> {
    let schedule = Schedule {
        name: name.to_owned(),
        timezone: it.timezone.clone(),
        start: it.start.clone(),
        end: it.end.clone(),
        duration: it.duration,
        min: None,
        max: None,
        priority: None,
    };
    ScheduleSpec::compile(&schedule, &format!("spec.metrics.{name}.cron"))
}

fn fallback(filled: &PolicySpec) -> Result<FallbackSpec, SpecError> {
    let it = required(filled.fallback.as_ref(), "spec.fallback")?;
    let behavior = required(it.behavior, "spec.fallback.behavior")?;
    let replicas = match (it.replicas, behavior) {
        (Some(replicas), _) => replicas,
        (None, FallbackBehavior::Keep) => 0,
        (None, _) => return Err(ambiguous("spec.fallback", "`replicas` for every behavior but Keep")),
    };
    let after_failures = required(it.after_failures, "spec.fallback.afterFailures")?;
    Ok(FallbackSpec { after_failures, replicas, behavior })
}

fn drift(it: &Drift) -> Result<DriftSpec, SpecError> {
    Ok(DriftSpec {
        decrease: required(it.decrease, "spec.drift.decrease")?,
        increase: required(it.increase, "spec.drift.increase")?,
        limits: required(it.limits, "spec.drift.limits")?,
        settle: required(it.settle, "spec.drift.settle")?,
        hold_for: required(it.hold_for, "spec.drift.for")?,
    })
}

fn safety(it: &Safety) -> Result<SafetySpec, SpecError> {
    Ok(SafetySpec {
        verify: required(it.verify, "spec.safety.verify")?,
        on_failure: required(it.on_failure, "spec.safety.onFailure")?,
        max_failures: required(it.max_failures, "spec.safety.maxFailures")?.max(1),
        retry_after: required(it.retry_after, "spec.safety.retryAfter")?,
        max_scale_downs_per_hour: it.max_scale_downs_per_hour,
    })
}

impl ScheduleSpec {
    /// A schedule with its expressions parsed. `path` is where it stands, for errors.
    ///
    /// # Errors
    /// When the time zone or an expression is none, or there is not exactly one of `end` and `duration`.
    pub fn compile(it: &Schedule, path: &str) -> Result<Self, SpecError> {
        let wrong = |field: &str| SpecError::Time { path: format!("{path}.{field}") };
        let parsed = |text: &str, field: &str| cron::parse(text).map_err(|_| wrong(field));
        let mut end = match (&it.end, it.duration) {
            (Some(end), None) => End::At(Box::new(parsed(end, "end")?)),
            (None, Some(duration)) => End::After(duration),
            _ => return Err(ambiguous(path, "exactly one of end, duration")),
        };
        let mut start = parsed(&it.start, "start")?;
        if matches!(&end, End::At(end) if !cron::comes(end)) {
            end = End::After(FOR_EVER);
        }
        if !cron::comes(&start) {
            // Windows without length, as nobody should look for it again at every decision.
            (start, end) = (parsed(EVERY_MINUTE, "start")?, End::After(Duration::ZERO));
        }
        Ok(Self {
            name: it.name.as_str().into(),
            zone: TimeZone::get(&it.timezone).map_err(|_| wrong("timezone"))?,
            start,
            end,
            min: it.min,
            max: it.max,
            priority: it.priority.unwrap_or(0),
        })
    }
}

fn ambiguous(path: &str, needs: &'static str) -> SpecError {
    SpecError::Ambiguous { path: path.to_owned(), needs }
}

/// The tables of metrics and bands, filled as they are asked for.
struct Metrics<'a> {
    target: &'a Target,
    sources: &'a BTreeMap<String, MetricSource>,
    table: Vec<Metric>,
    bands: Vec<Name>,
}

impl Metrics<'_> {
    fn index(&mut self, name: &str, path: &str) -> Result<MetricIndex, SpecError> {
        self.nested(name, path, 0)
    }

    fn band(&mut self, text: &str) -> BandIndex {
        let known = self.bands.iter().position(|it| **it == *text);
        BandIndex(known.unwrap_or_else(|| {
            self.bands.push(text.into());
            self.bands.len() - 1
        }))
    }

    fn nested(&mut self, name: &str, path: &str, depth: usize) -> Result<MetricIndex, SpecError> {
        if let Some(known) = self.table.iter().position(|it| *it.name == *name) {
            return Ok(MetricIndex(known));
        }
        let origin = self.origin(name, path, depth)?;
        self.table.push(Metric { name: name.into(), origin });
        Ok(MetricIndex(self.table.len() - 1))
    }

    fn origin(&mut self, name: &str, path: &str, depth: usize) -> Result<Origin, SpecError> {
        if let Some(metric) = TargetMetric::of(name, self.target) {
            return Ok(Origin::Target(metric));
        }
        if let Some((of, kind)) = trend_metric::parse(name) {
            return Ok(Origin::Trend { of: self.nested(&of, path, depth)?, kind });
        }
        let unknown = || SpecError::UnknownMetric { path: path.to_owned(), metric: name.to_owned() };
        let (source, field) =
            name.split_once('.').map_or((name, None), |(source, field)| (source, Some(field)));
        let found = self.sources.get(source).ok_or_else(unknown)?;
        let known = match field {
            Some(field) => found.fields().contains(&field),
            None => found.fields().is_empty(),
        };
        if !known {
            return Err(unknown());
        }
        let formula = match found {
            MetricSource::Formula(formula) => formula,
            MetricSource::Cron(cron) => return Ok(Origin::Cron(Box::new(window(cron, source)?))),
            _ => return Ok(Origin::Source),
        };
        if depth >= MAX_NESTING {
            return Err(SpecError::Circular { metric: name.to_owned() });
        }
        let path = format!("spec.metrics.{source}.formula.expr");
        let expr =
            Expr::number(&formula.expr).map_err(|source| SpecError::Expr { path: path.clone(), source })?;
        Ok(Origin::Formula(self.formula(expr, &path, depth + 1)?))
    }

    fn formula(&mut self, expr: Expr, path: &str, depth: usize) -> Result<Formula, SpecError> {
        let names = expr.variables().to_vec();
        let reads = names.iter().map(|name| self.nested(name, path, depth)).collect::<Result<_, _>>()?;
        Ok(Formula { expr, reads })
    }
}
