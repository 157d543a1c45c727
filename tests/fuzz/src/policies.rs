//! Valid policies with every feature that a decision looks at.

use serde_json::{Map, Value, json};

use crate::make::Chooser;

/// Metrics that [`policy`] uses, those of the target last.
pub const METRICS: [&str; 12] = [
    "queue.backlog",
    "queue.rate_in",
    "latency",
    "posted",
    "queue.backlog.avg5m",
    "cpu.slope",
    "cpu.avg",
    "cpu.utilization",
    "cpu.p95",
    "memory.utilization",
    "memory.max",
    "tasks.utilization",
];
/// Of these, those that a source outside of the target gives.
const OUTSIDE: usize = 4;
const EXPRESSIONS: [&str; 6] = [
    "queue.rate_in > 2.0 * queue.backlog",
    "orElse(latency, 1.0) > 0.5 && cpu.avg < 90.0",
    "queue.backlog / latency > 10.0",
    "cpu.avg > 80.0 || posted >= 3.0",
    "latency > 0.5 ? cpu.avg > 20.0 : queue.backlog > 100.0",
    "!(work < 5.0)",
];
const ZONES: [&str; 5] =
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"];
const TIMES: [&str; 8] = [
    "0 8 * * 1-5",
    "30 2 * * *",
    "0 18 * * *",
    "*/15 * * * *",
    "30-33 * * * *",
    "59 23 31 12 *",
    "15 1 * * 0",
    "0 0 13 * 5",
];

/// What a policy moves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moves {
    Count,
    Limits,
    Both,
}

/// The `spec` of a policy that is valid.
#[must_use]
pub fn policy(from: &mut Chooser<'_>) -> Value {
    let moves = from.one(&[Moves::Count, Moves::Count, Moves::Limits, Moves::Both]);
    let mut spec = Map::new();
    spec.insert("target".into(), target(from, moves));
    if moves != Moves::Limits {
        spec.insert("replicas".into(), replicas(from));
    }
    if moves != Moves::Count {
        spec.insert("resources".into(), resources(from));
    }
    if moves == Moves::Both {
        spec.insert("order".into(), json!(from.one(&["ReplicasFirst", "ResourcesFirst"])));
    }
    spec.insert("metrics".into(), sources(from));
    // A slope takes two values within its five minutes.
    spec.insert("interval".into(), json!(from.seconds(1, 150)));
    let mut maybe = |from: &mut Chooser<'_>, field: &str, make: fn(&mut Chooser<'_>) -> Value| {
        if !from.once_in(3) {
            let value = make(from);
            spec.insert(field.into(), value);
        }
    };
    maybe(from, "window", |from| json!(from.seconds(1, 3_600)));
    maybe(from, "warmUp", |from| json!(from.seconds(0, 86_400)));
    maybe(from, "readinessDelay", |from| json!(from.seconds(0, 86_400)));
    maybe(from, "scaleUp", |from| {
        direction(from, &["+1", "+2", "x1.3", "x2", "+50%", "+1000%", "+9000000000"])
    });
    maybe(from, "scaleDown", |from| {
        direction(from, &["-1", "-3", "x0.6", "x0.01", "-20%", "-100%", "-9000000000"])
    });
    maybe(from, "schedules", |from| list(from, 4, schedule));
    maybe(
        from,
        "scaleIn",
        |from| json!({"victim": from.one(&["HighestNumber", "Newest", "Oldest", "LeastBusy"])}),
    );
    maybe(from, "drift", drift);
    maybe(from, "safety", safety);
    maybe(from, "mode", |from| json!(from.one(&["Auto", "Observe", "Auto", "Disabled"])));
    if moves != Moves::Limits && from.once_in(3) {
        spec.insert("forecast".into(), forecast(from));
    }
    if moves != Moves::Limits && !from.once_in(3) {
        let most = spec["replicas"]["max"].clone();
        spec.insert("fallback".into(), fallback(from, most));
    }
    let rules = |up: &Value| up["rules"].is_array() && up["select"] != "Disabled";
    if moves == Moves::Limits && !spec.get("scaleUp").is_some_and(rules) {
        spec["resources"]["recommend"] = json!("Histogram");
    }
    // Whatever else was chosen, this one recommends something, and can wake the workload.
    let outside = from.one(&METRICS[..OUTSIDE]);
    let mut tracks = vec![track(from, outside)];
    for _ in 0..from.count(0, 3) {
        let metric = from.one(&METRICS);
        tracks.push(track(from, metric));
    }
    spec.insert("track".into(), Value::Array(tracks));
    Value::Object(spec)
}

fn list(from: &mut Chooser<'_>, most: u32, make: fn(&mut Chooser<'_>, u32) -> Value) -> Value {
    let count = from.count(1, most);
    (0..count).map(|index| make(from, index)).collect()
}

fn target(from: &mut Chooser<'_>, moves: Moves) -> Value {
    let compose = json!({"compose": {"project": "shop", "service": "web"}});
    let other = match moves {
        Moves::Count => json!({"swarm": {"service": "shop_web"}}),
        Moves::Limits => json!({"systemd": {"unit": "web.service"}}),
        Moves::Both => json!({"systemd": {"unit": "web@.service"}}),
    };
    if from.once_in(2) { compose } else { other }
}

fn replicas(from: &mut Chooser<'_>) -> Value {
    let most = from.one(&[5, 20, 100, 2_147_483_647]);
    let max = from.count(2, most);
    let min = from.count(0, max.min(5) - 1) + u32::from(from.once_in(8)) * (max / 2);
    let min = min.min(max);
    let mut replicas = json!({"min": min, "max": max});
    let rests = match min {
        0 => true,
        min if from.once_in(3) => {
            replicas["idle"] = json!(from.count(0, min - 1));
            true
        }
        _ => false,
    };
    if rests && !from.once_in(3) {
        replicas["idleAfter"] = json!(from.seconds(0, 604_800));
        replicas["initialIdleAfter"] = json!(from.seconds(0, 604_800));
    }
    replicas
}

fn resources(from: &mut Chooser<'_>) -> Value {
    let range = |from: &mut Chooser<'_>, least: u32, unit: &str, most: u32| {
        let max = from.count(least, most);
        let min = from.count(least, max);
        let amount =
            |value: u32| if unit.is_empty() { json!(value) } else { json!(format!("{value}{unit}")) };
        let mut range = json!({"min": amount(min), "max": amount(max)});
        if from.once_in(2) {
            range["minStep"] = amount(from.count(1, most));
        }
        range
    };
    let mut resources = json!({"tasksMax": range(from, 1, "", 4_000)});
    if !from.once_in(3) {
        resources["cpuQuota"] = range(from, 1, "%", 1_600);
        resources["memoryMax"] = range(from, 1, "MiB", 200_000);
        resources["allowedCPUs"] = range(from, 1, "", 64);
        resources["ioWeight"] = range(from, 1, "", 10_000);
    }
    resources["recommend"] = json!(from.one(&["Factor", "Histogram"]));
    resources["together"] = json!(from.once_in(2));
    if from.once_in(2) {
        resources["reserve"] = json!({
            "cpus": from.count(0, 8), "memory": format!("{}MiB", from.count(0, 64_000)), "tasks": from.count(0, 100),
        });
    }
    resources
}

fn forecast(from: &mut Chooser<'_>) -> Value {
    json!({
        "metric": from.one(&METRICS[..OUTSIDE]),
        "horizon": from.seconds(1, 86_400),
        "season": "30d",
        "averageValue": from.positive(),
        "confidence": 0.9,
    })
}

fn sources(from: &mut Chooser<'_>) -> Value {
    let absent = from.one(&["Missing", "Zero"]);
    json!({
        "queue": {"nats": {"url": "nats://127.0.0.1:4222", "stream": "S", "consumer": "C"}},
        "latency": {"prometheus": {
            "url": "http://127.0.0.1:9090", "query": "up", "onEmpty": absent, "onNaN": from.one(&["Missing", "Zero"]),
        }},
        "posted": {"push": {}},
        "work": {"formula": {"expr": from.one(&[
            "queue.backlog + 2.0 * queue.rate_in", "orElse(latency, 3.0) * 10.0", "window - posted", "latency / posted",
        ])}},
        "window": {"cron": {"timezone": from.one(&ZONES), "start": "0 8 * * *", "end": "30 2 * * *"}},
    })
}

fn direction(from: &mut Chooser<'_>, steps: &[&str]) -> Value {
    let mut direction = Map::new();
    if from.once_in(2) {
        direction.insert("rules".into(), list(from, 4, rule));
        direction.insert("when".into(), json!(from.one(&["Any", "All"])));
        direction.insert("consecutive".into(), json!(from.count(1, 5)));
    }
    if from.once_in(2) {
        direction.insert("step".into(), json!(from.one(steps)));
    }
    if from.once_in(2) {
        direction.insert("limits".into(), list(from, 3, limit));
        direction.insert("select".into(), json!(from.one(&["Max", "Min", "Disabled"])));
    }
    if from.once_in(2) {
        direction.insert("cooldown".into(), json!(from.seconds(0, 86_400)));
        direction.insert("stabilizationWindow".into(), json!(from.seconds(0, 3_600)));
        direction.insert("tolerance".into(), json!(f64::from(from.count(0, 99)) / 100.0));
    }
    Value::Object(direction)
}

fn rule(from: &mut Chooser<'_>, _: u32) -> Value {
    let mut rule = match from.count(0, 3) {
        0 => json!({"expr": from.one(&EXPRESSIONS)}),
        1 => json!({
            "metric": from.one(&METRICS),
            "within": {from.one(&["lower", "upper"]): from.positive(), "points": from.count(1, 8)},
        }),
        _ => json!({
            "metric": from.one(&METRICS),
            "op": from.one(&[">", ">=", "<", "<=", "==", "!="]),
            "value": from.positive(),
        }),
    };
    if from.once_in(2) {
        rule["group"] = json!(from.one(&["slo", "cost"]));
    }
    rule
}

fn limit(from: &mut Chooser<'_>, _: u32) -> Value {
    let period = from.seconds(1, 1_800);
    if from.once_in(2) {
        json!({"replicas": from.count(1, 10), "period": period})
    } else {
        json!({"percent": from.one(&[0.1, 10.0, 50.0, 100.0]), "period": period})
    }
}

fn track(from: &mut Chooser<'_>, metric: &str) -> Value {
    let field =
        if metric.ends_with(".utilization") { "target" } else { from.one(&["averageValue", "target"]) };
    let mut track = json!({"metric": metric, field: from.positive()});
    if from.once_in(2) {
        track["activation"] = json!(from.positive());
    }
    track
}

fn schedule(from: &mut Chooser<'_>, index: u32) -> Value {
    let (start, end) = (from.one(&TIMES), from.one(&TIMES));
    let mut schedule = json!({
        "name": format!("s{index}"), "timezone": from.one(&ZONES), "start": start, "priority": from.count(0, 2),
    });
    if start == end || from.once_in(2) {
        schedule["duration"] = json!(from.seconds(1, 31_622_400));
    } else {
        schedule["end"] = json!(end);
    }
    let max = from.count(1, 30);
    match from.count(0, 2) {
        0 => schedule["min"] = json!(from.count(0, 30)),
        1 => schedule["max"] = json!(max),
        _ => {
            schedule["max"] = json!(max);
            schedule["min"] = json!(from.count(0, max));
        }
    }
    schedule
}

fn fallback(from: &mut Chooser<'_>, replicas: Value) -> Value {
    match from.one(&["Keep", "Static", "CurrentIfHigher", "CurrentIfLower"]) {
        "Keep" => json!({"afterFailures": from.count(0, 5), "behavior": "Keep"}),
        behavior => json!({"afterFailures": from.count(0, 5), "behavior": behavior, "replicas": replicas}),
    }
}

fn drift(from: &mut Chooser<'_>) -> Value {
    json!({
        "decrease": from.one(&["Restore", "Adopt", "Hold"]),
        "increase": from.one(&["Restore", "Adopt", "Hold"]),
        "settle": from.seconds(0, 3_600),
        "for": from.seconds(1, 604_800),
    })
}

fn safety(from: &mut Chooser<'_>) -> Value {
    json!({
        "verify": from.seconds(0, 3_600),
        "onFailure": from.one(&["Rollback", "Keep"]),
        "maxFailures": from.count(1, 4),
        "retryAfter": from.seconds(0, 604_800),
        "maxScaleDownsPerHour": from.count(1, 5),
    })
}
