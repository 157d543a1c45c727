//! The built-in profiles, from the AutoCoder autoscaler: what they watch is in percent of the limits.

use super::*;

/// Names of the built-in profiles.
pub const BUILT_IN: [&str; 3] = ["conservative", "balanced", "aggressive"];

/// The numbers in which the built-in profiles differ.
struct Numbers {
    cpu: f64,
    memory: f64,
    tasks: f64,
    consecutive: u32,
    factor: f64,
    cooldown: Duration,
}

/// The built-in profile of that name.
#[must_use]
pub fn built_in(name: &str) -> Option<PolicySpec> {
    let minutes = |count: u64| Duration::from_secs(count * 60);
    let (cpu, memory, tasks, consecutive, factor, cooldown) = match name {
        "conservative" => (90.0, 85.0, 85.0, 5, 1.3, minutes(10)),
        "balanced" => (85.0, 80.0, 85.0, 3, 1.5, minutes(5)),
        "aggressive" => (75.0, 70.0, 85.0, 2, 2.0, minutes(2)),
        _ => return None,
    };
    Some(profile(Numbers { cpu, memory, tasks, consecutive, factor, cooldown }))
}

/// Is it one of the built-in profiles, and not one of a person that bears the same name?
pub(super) fn is_built_in(profile: &PolicySpec) -> bool {
    BUILT_IN.iter().any(|name| built_in(name).as_ref() == Some(profile))
}

fn profile(numbers: Numbers) -> PolicySpec {
    PolicySpec {
        interval: Some(Duration::from_secs(30)),
        scale_up: Some(Direction {
            when: Some(When::Any),
            rules: Some(vec![
                compare("cpu.utilization", Op::Above, numbers.cpu),
                compare("memory.utilization", Op::Above, numbers.memory),
                compare("tasks.utilization", Op::Above, numbers.tasks),
            ]),
            consecutive: Some(numbers.consecutive),
            step: Some(Step::Times(numbers.factor)),
            cooldown: Some(numbers.cooldown),
            ..Direction::default()
        }),
        scale_down: Some(Direction {
            when: Some(When::All),
            rules: Some(vec![
                compare("cpu.utilization", Op::Below, 40.0),
                compare("memory.utilization", Op::Below, 50.0),
                // Where there is no limit on tasks, nothing can come near it.
                Rule { expr: Some("orElse(tasks.utilization, 0.0) < 30.0".to_owned()), ..Rule::default() },
            ]),
            consecutive: Some(10),
            step: Some(Step::Times(0.6)),
            cooldown: Some(numbers.cooldown),
            ..Direction::default()
        }),
        ..PolicySpec::default()
    }
}

fn compare(metric: &str, op: Op, value: f64) -> Rule {
    Rule { metric: Some(metric.to_owned()), op: Some(op), value: Some(value), ..Rule::default() }
}
