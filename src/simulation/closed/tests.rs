//! Policies and their modelled workloads, on short traces.

use super::super::trace::Reader;
use super::super::trial::{Stopped, Trial};
use super::*;
use crate::api::limits::LimitKind;
use crate::api::policy::PolicySpec;

const POLICY: &str = "
target: {compose: {project: shop, service: worker}}
replicas: {min: 1, max: 10}
interval: 10s
metrics:
  queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}
  other: {nats: {url: 'nats://h:4222', stream: S, consumer: D}}
  latency: {http: {url: 'http://h/'}}
track: [{metric: queue.backlog, averageValue: 100}, {metric: cpu.utilization, target: 80}]
scaleUp: {rules: [{metric: latency, op: '>', value: 1e9}, {metric: other.backlog, op: '>', value: 1e9}]}
scaleDown: {stabilizationWindow: 30s}
";

fn spec(text: &str) -> Spec {
    let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
    let policy: PolicySpec = serde_json::from_value(value).unwrap();
    Spec::effective(&policy, None).unwrap()
}

fn workload() -> Workload {
    let model = Model {
        service_rate: 10.0,
        start_up_delay: Duration::from_secs(20),
        initial_replicas: 1,
        queue_limit: 1e12,
    };
    Workload { model, latency: Some("latency".to_owned()), queue: Some("queue".to_owned()) }
}

/// Moment, replicas, ready ones, desired, and the metrics of every decision.
type Seen = (i64, u32, u32, u32, Vec<(String, f64)>);

fn run(policy: &str, workload: Workload, trace: &str) -> Result<(Vec<Seen>, Trial), String> {
    let (mut reader, mut trial, mut seen) = (Reader::new(), Trial::new(), Vec::new());
    trial.closed(spec(policy), workload).map_err(|error| error.to_string())?;
    let mut note = |step: super::super::trial::Step<'_>| {
        let it = step.lanes[0].decision().unwrap();
        let metrics = it.metrics.iter().map(|(name, value)| (name.to_string(), *value)).collect();
        seen.push((it.at.as_millis() / 1_000, it.current, it.ready, it.desired, metrics));
        Ok(())
    };
    let told = |stopped: Stopped<()>| match stopped {
        Stopped::Row(message) => message,
        Stopped::Show(()) => unreachable!("it shows all"),
    };
    for line in trace.lines() {
        if let Some(row) = reader.row(line).unwrap() {
            trial.row(&row, &mut note).map_err(told)?;
        }
    }
    trial.end(&mut note).map_err(told)?;
    Ok((seen, trial))
}

fn value(seen: &Seen, metric: &str) -> Option<f64> {
    seen.4.iter().find(|it| it.0 == metric).map(|it| it.1)
}

#[test]
fn the_workload_follows_the_policy_and_the_policy_sees_what_came_of_it() {
    // 40 a second for one replica that does 10: after 10s 300 wait, and three are wanted; they are ready at 30s.
    let (seen, trial) = run(POLICY, workload(), "at,arrivals,other.backlog\n0,40,7\n45,,8").unwrap();
    assert_eq!(seen.iter().map(|it| it.0).collect::<Vec<_>>(), [0, 10, 20, 30, 40]);
    assert_eq!(seen[0].1, 1);
    assert_eq!(value(&seen[0], "cpu.utilization"), Some(100.0), "it is busy from the first moment on");
    assert_eq!(value(&seen[1], "queue.backlog"), Some(300.0));
    assert_eq!(value(&seen[1], "latency"), Some(30.1));
    assert_eq!(
        value(&seen[1], "other.backlog"),
        Some(7.0),
        "what the model does not make comes from the trace"
    );
    assert!(seen[1].3 > 2, "{seen:?}");
    assert_eq!((seen[2].1, seen[2].2), (seen[1].3, seen[0].3), "{seen:?}");
    let totals = trial.lanes()[0].world().unwrap().totals();
    assert!((totals.arrived - 1_800.0).abs() < 1e-6, "{totals:?}");
}

#[test]
fn arrivals_hold_until_the_next_row_and_the_moments_keep_their_form() {
    let trace = "{\"at\":\"2026-11-22T00:00:00Z\",\"arrivals\":5,\"metrics\":{\"other.backlog\":1}}\n\
                 {\"at\":\"2026-11-22T00:00:20Z\",\"metrics\":{\"other.backlog\":1}}";
    let (seen, trial) = run(POLICY, workload(), trace).unwrap();
    assert_eq!(seen.len(), 3);
    assert_eq!(trial.lanes()[0].world().unwrap().arrivals(), 5.0);
}

#[test]
fn a_policy_to_zero_rests_and_wakes() {
    let policy = "
target: {compose: {project: shop, service: worker}}
replicas: {min: 0, max: 5, idleAfter: 20s}
interval: 10s
metrics: {queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}}
track: [{metric: queue.backlog, averageValue: 100}]
scaleDown: {stabilizationWindow: 0s}
";
    let workload = Workload { latency: None, ..workload() };
    let (seen, trial) = run(policy, workload, "at,arrivals\n0,0\n60,5\n120,0\n400,0").unwrap();
    let counts: Vec<_> = seen.iter().map(|it| it.1).collect();
    assert!(counts.contains(&0) && counts[8..14].iter().all(|it| *it > 0), "{counts:?}");
    assert_eq!(*counts.last().unwrap(), 0);
    let totals = trial.lanes()[0].world().unwrap().totals();
    assert_eq!((totals.arrived, totals.done), (300.0, 300.0));
}

#[test]
fn what_does_not_go_with_a_closed_loop_is_told() {
    for (trace, words) in [
        ("at,cpu.avg\n0,5", "a closed loop needs `arrivals`"),
        ("at,arrivals\n0,\n", "a closed loop needs `arrivals`"),
        ("at,current,arrivals\n0,2,5", "`current` is given, and in a closed loop the modelled workload says"),
        ("{\"at\":0,\"arrivals\":1,\"replicas\":{}}", "`replicas` is given"),
        ("{\"at\":0,\"arrivals\":1,\"scaled\":{\"from\":1,\"to\":2}}", "`scaled` is given"),
        ("at,arrivals\n0,-1", "`arrivals` is -1; write work items per second, from 0 to"),
        ("at,arrivals\n0,NaN", "`arrivals` is NaN"),
        ("at,arrivals\n0,1\n1e9,1", "more than 1000000 evaluations, one every 10s"),
    ] {
        let told = run(POLICY, workload(), trace).map(|it| it.0).unwrap_err();
        assert!(told.contains(words), "{trace}: {told}");
    }
    for (workload, words) in [
        (
            Workload { latency: Some("queue".to_owned()), ..workload() },
            "no metric `queue` from prometheus, http or push",
        ),
        (
            Workload { queue: Some("jobs".to_owned()), ..workload() },
            "no queue `jobs` among its metrics; it has `other`, `queue`",
        ),
        (
            Workload { model: Model { initial_replicas: 0, ..workload().model }, ..workload() },
            "that somebody turned off",
        ),
    ] {
        let told = run(POLICY, workload, "at,arrivals\n0,1").map(|it| it.0).unwrap_err();
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn metrics_that_the_model_makes_are_left_aside_where_the_trace_gives_them() {
    let (_, trial) =
        run(POLICY, workload(), "at,arrivals,cpu.avg,queue.backlog,other.backlog\n0,1,2,3,4").unwrap();
    assert_eq!(trial.lanes()[0].left_aside().collect::<Vec<_>>(), ["cpu.avg", "queue.backlog"]);
}

#[test]
fn nothing_goes_while_a_replica_starts() {
    // Much arrives for ten seconds, then nothing; without a window the policy would go down at once.
    let policy = POLICY.replace("stabilizationWindow: 30s", "stabilizationWindow: 0s");
    let (seen, _) = run(&policy, workload(), "at,arrivals,other.backlog\n0,100,0\n10,0,0\n200,0,0").unwrap();
    for pair in seen.windows(2) {
        assert!(pair[0].3 >= pair[0].1 || pair[0].2 == pair[0].1, "{pair:?}");
    }
    assert!(seen.iter().any(|it| it.1 > 1) && seen.last().unwrap().1 == 1, "{seen:?}");
}

#[test]
fn two_policies_on_intervals_of_their_own_decide_each_in_its_time() {
    let mut trial = Trial::new();
    trial.closed(spec(POLICY), workload()).unwrap();
    trial.closed(spec(&POLICY.replace("interval: 10s", "interval: 15s")), workload()).unwrap();
    let (mut reader, mut moments) = (Reader::new(), Vec::new());
    let mut note = |step: super::super::trial::Step<'_>| {
        let decided = |it: &super::super::trial::Lane| it.decision().is_some_and(|it| it.at == step.moment);
        moments.push((step.at.to_string(), step.lanes.iter().map(decided).collect::<Vec<_>>()));
        Ok::<(), ()>(())
    };
    for line in "at,arrivals\n0,1\n30,1".lines() {
        if let Some(row) = reader.row(line).unwrap() {
            trial.row(&row, &mut note).unwrap();
        }
    }
    trial.end(&mut note).unwrap();
    let moments: Vec<_> = moments.iter().map(|(at, decided)| (at.as_str(), decided[0], decided[1])).collect();
    let wanted = [
        ("0", true, true),
        ("10", true, false),
        ("15", false, true),
        ("20", true, false),
        ("30", true, true),
    ];
    assert_eq!(moments, wanted);
}

#[test]
fn a_policy_that_scales_no_replicas_has_no_closed_loop() {
    let policy = "
target: {systemd: {unit: builder.service}}
resources: {cpuQuota: {min: 100%, max: 800%}}
scaleUp: {rules: [{metric: cpu.avg, op: '>', value: 85}], step: x1.5}
";
    let workload = Workload { latency: None, queue: None, ..workload() };
    assert_eq!(ClosedLoop::new(&spec(policy), workload).map(drop), Err(Mismatch::NoReplicas));
}

#[test]
fn what_a_row_says_of_limits_holds_once_and_then_what_was_decided() {
    let policy = "
target: {compose: {project: shop, service: worker}}
replicas: {min: 1, max: 10}
interval: 10s
order: ResourcesFirst
resources: {cpuQuota: {min: 100%, max: 800%}}
scaleUp: {rules: [{metric: cpu.avg, op: '>', value: 50}], step: x1.5}
";
    let workload = Workload { latency: None, queue: None, ..workload() };
    let (mut reader, mut trial, mut limits) = (Reader::new(), Trial::new(), Vec::new());
    trial.closed(spec(policy), workload).unwrap();
    let mut note = |step: super::super::trial::Step<'_>| {
        let resize = step.lanes[0].decision().unwrap().resize.clone().unwrap();
        limits.push((resize.from.get(LimitKind::CpuQuota), resize.to.get(LimitKind::CpuQuota)));
        Ok::<(), ()>(())
    };
    for line in ["at,arrivals,limits.cpuQuota", "0,9,200%", "45,9,"] {
        if let Some(row) = reader.row(line).unwrap() {
            trial.row(&row, &mut note).unwrap();
        }
    }
    trial.end(&mut note).unwrap();
    assert_eq!(limits[0].0, Some(200.0), "{limits:?}");
    assert!(
        limits.windows(2).all(|it| it[1].0 == it[0].1),
        "each begins where the one before led: {limits:?}"
    );
    assert!(limits.iter().any(|it| it.0 > Some(200.0)), "{limits:?}");
}
