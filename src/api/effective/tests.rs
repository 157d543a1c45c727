use super::*;

fn policy(text: &str) -> PolicySpec {
    let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
    serde_json::from_value(value).unwrap()
}

const LEAST: &str = "
target: {compose: {project: shop, service: web}}
replicas: {max: 10}
scaleUp: {rules: [{metric: cpu.avg, op: '>', value: 75}]}
";

fn spec(more: &str) -> Spec {
    Spec::effective(&policy(&format!("{LEAST}{more}")), None).unwrap()
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let spec = spec("");
    let seconds = Duration::from_secs;
    assert_eq!((spec.mode, spec.interval, spec.window), (Mode::Auto, seconds(10), seconds(10)));
    assert_eq!((spec.warm_up, spec.readiness_delay), (seconds(60), seconds(30)));
    assert_eq!((spec.bounds, spec.idle), (Bounds::new(1, 10).unwrap(), None));
    let (up, down) = (&spec.scale_up, &spec.scale_down);
    assert_eq!((up.when, up.consecutive, up.step, up.cooldown), (When::Any, 1, Step::By(1), Duration::ZERO));
    assert_eq!((down.consecutive, down.step, down.cooldown), (1, Step::By(-1), Duration::ZERO));
    assert_eq!((up.window, down.window), (Duration::ZERO, seconds(300)));
    let percent = RateLimit { amount: Amount::Percent(100.0), period: seconds(15) };
    let four = RateLimit { amount: Amount::Replicas(4), period: seconds(15) };
    assert_eq!((&up.limits[..], &down.limits[..]), (&[percent, four][..], &[percent][..]));
    assert_eq!((up.select, up.tolerance, down.step_written), (Select::Max, 0.1, false));
    assert_eq!((spec.fallback.behavior, spec.fallback.after_failures), (FallbackBehavior::Keep, 3));
    assert_eq!((spec.drift.decrease, spec.drift.increase), (OnDrift::Restore, OnDrift::Adopt));
    assert_eq!((spec.drift.settle, spec.drift.hold_for), (seconds(5), seconds(1_800)));
    assert_eq!((spec.safety.verify, spec.safety.max_failures), (seconds(60), 3));
    assert_eq!((spec.safety.retry_after, spec.safety.max_scale_downs_per_hour), (seconds(600), None));
    assert_eq!((spec.victim, spec.on_delete), (Victim::HighestNumber, OnDelete::Keep));
}

#[test]
fn defaults_follow_what_is_written_beside_them() {
    assert_eq!(spec("interval: 30s").window, Duration::from_secs(30));
    assert_eq!(spec("fallback: {replicas: 6}").fallback.behavior, FallbackBehavior::Static);
    let zero = Spec::effective(&policy(&LEAST.replace("max: 10", "min: 0, max: 10")), None).unwrap();
    let idle = Idle { replicas: 0, after: Duration::from_secs(300), initially_after: Duration::ZERO };
    assert_eq!(zero.idle, Some(idle));
}

#[test]
fn a_policy_replaces_fields_of_its_profile_and_lists_whole() {
    let over = policy(
        "
target: {compose: {project: shop, service: web}}
replicas: {max: 10}
scaleUp: {step: '+1', rules: [{metric: cpu.avg, op: '>', value: 75}]}
metrics: {a: {push: {}}}
",
    );
    let under = policy("{interval: 30s, metrics: {a: {push: {expires: 1s}}, b: {push: {}}}, replicas: {min: 3},
scaleUp: {consecutive: 3, step: x1.5, rules: [{metric: cpu.max, op: '>', value: 1}]}, scaleDown: {step: '-2'}}");
    let spec = Spec::effective(&over, Some(&under)).unwrap();
    assert_eq!((spec.scale_up.step, spec.scale_up.consecutive), (Step::By(1), 3));
    assert_eq!((spec.scale_up.rules.len(), &*spec.scale_up.rules[0].text), (1, "cpu.avg > 75"));
    assert_eq!((spec.interval, spec.bounds.min()), (Duration::from_secs(30), 3));
    assert!(spec.scale_down.step_written, "in the profile counts as written");
    let written = effective_policy(&over, Some(&under)).metrics.unwrap();
    assert_eq!(written["a"], MetricSource::Push(super::super::metric::Push { expires: None }));
    assert!(written.contains_key("b"));
}

#[test]
fn what_describe_prints_is_effective_as_it_stands() {
    for name in BUILT_IN {
        let over = policy("{target: {compose: {project: shop, service: web}}, replicas: {max: 10}}");
        let profile = built_in(name).unwrap();
        let printed = effective_policy(&over, Some(&profile));
        assert_eq!(effective_policy(&printed, None), printed, "{name}");
        let spec = Spec::effective(&over, Some(&profile)).unwrap();
        assert_eq!((spec.interval, spec.scale_up.rules.len()), (Duration::from_secs(30), 3), "{name}");
    }
    assert_eq!(built_in("other"), None);
}

#[test]
fn a_formula_stands_after_what_it_reads_and_may_not_read_itself() {
    let text = "
metrics:
  queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}
  outer: {formula: {expr: 'inner * 2.0'}}
  inner: {formula: {expr: 'queue.backlog + cpu.avg'}}
track: [{metric: outer, target: 5}]
";
    let names: Vec<String> = spec(text).metrics.iter().map(|it| it.name.to_string()).collect();
    assert_eq!(names, ["cpu.avg", "queue.backlog", "inner", "outer"]);
    let circular = text.replace("queue.backlog + cpu.avg", "outer + 1.0");
    let error = Spec::effective(&policy(&format!("{LEAST}{circular}")), None).unwrap_err();
    assert!(matches!(error, SpecError::Circular { .. }), "{error}");
}

#[test]
fn what_validation_would_refuse_has_no_effective_spec() {
    for (more, part) in [
        ("track: [{metric: queue.backlog, target: 5}]", "which no source gives"),
        ("track: [{metric: cpu.avg}]", "exactly one of target, averageValue"),
        ("scaleDown: {rules: [{metric: cpu.avg}]}", "spec.scaleDown.rules[0] needs"),
        ("scaleDown: {rules: [{expr: 'cpu.avg < 2'}]}", "spec.scaleDown.rules[0].expr"),
        ("fallback: {behavior: Static}", "spec.fallback needs"),
        ("scaleDown: {limits: [{period: 15s}]}", "spec.scaleDown.limits[0] needs"),
    ] {
        let error = Spec::effective(&policy(&format!("{LEAST}{more}")), None).unwrap_err();
        assert!(error.to_string().contains(part), "{more}: {error}");
    }
    assert!(Spec::effective(&PolicySpec::default(), None).is_err());
}

#[test]
fn every_part_that_this_build_does_not_do_is_named() {
    assert_eq!(unsupported(&spec("")), []);
    for (more, path) in [
        ("notify: [ops]", "spec.notify"),
        ("priority: 5", "spec.priority"),
        ("onDelete: Restore", "spec.onDelete"),
        ("scaleIn: {drain: {timeout: 5s}}", "spec.scaleIn.drain"),
        ("metrics: {a: {push: {}}}", "spec.metrics.a.push"),
    ] {
        let found = unsupported(&spec(more));
        assert!(found.iter().any(|it| it.path == path), "{more}: {found:?}");
    }
    for target in [
        "{swarm: {service: a}}",
        "{compose: {project: a, service: b, strategy: Auto}}",
        "{compose: {project: a, service: b, docker: 'tcp://h:1'}}",
    ] {
        let text = LEAST.replace("{compose: {project: shop, service: web}}", target);
        assert_eq!(unsupported(&Spec::effective(&policy(&text), None).unwrap()).len(), 1, "{target}");
    }
}
