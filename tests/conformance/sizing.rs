//! Limits: the rule of the AutoCoder autoscaler, and the recommendations of the Vertical Pod Autoscaler.

use docktor::api::limits::{LimitKind, LimitSet};
use docktor::api::status::Action;
use docktor::simulation::replay::Simulated;

use super::decisions_of;

const UNIT: &str = "systemd: {unit: builder.service}";
/// The limits of the AutoCoder autoscaler; its profile says the rest.
const AUTOCODER: &str = "
  profile: balanced
  resources:
    cpuQuota:  {min: 100%, max: 800%, minStep: 50%}
    memoryMax: {min: 8GiB, max: 192GiB, minStep: 8GiB}
    tasksMax:  {min: 100, max: 1500, minStep: 50}
    reserve: {cpus: 1, memory: 8GiB, tasks: 50}
";
const START: &str = r#""limits": {"cpuQuota": "200%", "memoryMax": "32GiB", "tasksMax": 250},
    "host": {"cpus": 16, "memory": "256GiB", "tasks": 32768}"#;

/// A row with percents of CPU, memory and tasks.
fn row(at: u32, [cpu, memory, tasks]: [f64; 3], more: &str) -> String {
    let metrics = format!(
        r#""metrics": {{"cpu.utilization": {cpu}, "memory.utilization": {memory}, "tasks.utilization": {tasks}}}"#
    );
    let comma = if more.is_empty() { "" } else { ", " };
    format!("{{\"at\": {at}, {metrics}{comma}{}}}\n", more.replace('\n', " "))
}

/// Rows every 30 s, from the start's limits on.
fn rows(loads: &[[f64; 3]]) -> String {
    let of = |(index, load): (usize, &[f64; 3])| {
        row(30 * u32::try_from(index).unwrap(), *load, if index == 0 { START } else { "" })
    };
    loads.iter().enumerate().map(of).collect()
}

fn limits(it: &Simulated) -> LimitSet {
    it.limits.expect("the policy moves limits")
}

fn set(text: &str) -> LimitSet {
    serde_json::from_str(text).unwrap()
}

/// At which rows limits change, and to what.
fn changes(decisions: &[Simulated]) -> Vec<(usize, Action, LimitSet)> {
    let changes = decisions.iter().enumerate().filter(|(_, it)| it.limits_before.is_some());
    changes.map(|(row, it)| (row, it.action, limits(it))).collect()
}

#[test]
fn any_of_three_pressures_for_three_checks_makes_all_limits_half_as_large_again() {
    let up = set(r#"{"cpuQuota": "300%", "memoryMax": "48GiB", "tasksMax": 375}"#);
    for load in [[86.0, 60.0, 40.0], [60.0, 81.0, 40.0], [60.0, 60.0, 86.0]] {
        let decisions = decisions_of(UNIT, AUTOCODER, &rows(&[load; 6]));
        assert_eq!(changes(&decisions), [(2, Action::ScaleUp, up)], "{load:?}");
    }
    for load in [[85.0, 80.0, 85.0], [60.0, 60.0, 60.0]] {
        assert_eq!(changes(&decisions_of(UNIT, AUTOCODER, &rows(&[load; 6]))), [], "{load:?}");
    }
    let broken = [[90.0, 60.0, 40.0], [90.0, 60.0, 40.0], [50.0, 60.0, 40.0], [90.0, 60.0, 40.0]];
    assert_eq!(changes(&decisions_of(UNIT, AUTOCODER, &rows(&broken))), [], "not three in a row");
}

#[test]
fn all_three_idle_for_ten_checks_shrink_all_limits_to_six_tenths() {
    let idle = [39.0, 49.0, 29.0];
    let decisions = decisions_of(UNIT, AUTOCODER, &rows(&[idle; 12]));
    // Of 32 GiB some 15.7 are in use, so what is 0.6 of it is above 1.1 x that.
    let down = set(r#"{"cpuQuota": "120%", "memoryMax": "19661MiB", "tasksMax": 150}"#);
    assert_eq!(changes(&decisions), [(9, Action::ScaleDown, down)]);
    for busy in [[41.0, 49.0, 29.0], [39.0, 51.0, 29.0], [39.0, 49.0, 31.0]] {
        assert_eq!(changes(&decisions_of(UNIT, AUTOCODER, &rows(&[busy; 12]))), [], "{busy:?}");
    }
}

#[test]
fn five_minutes_lie_between_two_changes_either_way() {
    let decisions = decisions_of(UNIT, AUTOCODER, &rows(&[[95.0, 60.0, 40.0]; 24]));
    let at: Vec<_> = changes(&decisions).iter().map(|it| it.0).collect();
    assert_eq!(at, [2, 12, 22], "at 60 s, 360 s and 660 s");
    assert_eq!(limits(&decisions[12]), set(r#"{"cpuQuota": "450%", "memoryMax": "72GiB", "tasksMax": 563}"#));
    assert_eq!(decisions[5].limited_by.as_deref(), Some("scaleUp.cooldown until 1970-01-01T00:06:00Z"));
    let then_idle = [vec![[95.0, 60.0, 40.0]; 3], vec![[10.0, 10.0, 10.0]; 10]].concat();
    assert_eq!(changes(&decisions_of(UNIT, AUTOCODER, &rows(&then_idle)))[1].0, 12);
}

#[test]
fn limits_end_at_their_ranges_and_the_reserve_of_the_host() {
    let high = START.replace("200%", "700%").replace("32GiB", "150GiB").replace("250", "1200");
    let busy = |host: &str| {
        let start = high.replace(r#""cpus": 16, "memory": "256GiB""#, host);
        let first = row(0, [95.0; 3], &start);
        let trace = [first, row(30, [95.0; 3], ""), row(60, [95.0; 3], "")].concat();
        limits(&decisions_of(UNIT, AUTOCODER, &trace)[2])
    };
    let to = |cpu: &str, memory: &str| {
        set(&format!(r#"{{"cpuQuota": "{cpu}", "memoryMax": "{memory}", "tasksMax": 1500}}"#))
    };
    assert_eq!(busy(r#""cpus": 16, "memory": "256GiB""#), to("800%", "192GiB"));
    assert_eq!(busy(r#""cpus": 8.5, "memory": "170GiB""#), to("750%", "162GiB"));
    assert_eq!(busy(r#""cpus": 4, "memory": "64GiB""#), to("700%", "150GiB"));
}

#[test]
fn what_is_missing_never_shrinks_limits() {
    let trace: String = (0..14).map(|row| format!("{{\"at\": {}, \"metrics\": {{}}}}\n", row * 30)).collect();
    let trace = trace.replacen("\"metrics\"", &format!("{}, \"metrics\"", START.replace('\n', " ")), 1);
    assert_eq!(changes(&decisions_of(UNIT, AUTOCODER, &trace)), []);
}

#[test]
fn in_csv_limits_are_columns_and_where_no_row_says_they_begin_at_their_minimum() {
    let trace = "at,cpu.utilization,memory.utilization,tasks.utilization,limits.cpuQuota,limits.tasksMax\n\
                 0,95,50,50,,\n30,95,50,50,,\n60,95,50,50,,\n90,50,50,50,600%,700\n";
    let decisions = decisions_of(UNIT, AUTOCODER, trace);
    assert_eq!(limits(&decisions[0]), set(r#"{"cpuQuota": "100%", "memoryMax": "8GiB", "tasksMax": 100}"#));
    assert_eq!(limits(&decisions[2]), set(r#"{"cpuQuota": "150%", "memoryMax": "16GiB", "tasksMax": 150}"#));
    assert_eq!(limits(&decisions[3]), set(r#"{"cpuQuota": "600%", "memoryMax": "16GiB", "tasksMax": 700}"#));
}

const HISTOGRAM: &str = "
  interval: 60s
  resources:
    cpuQuota:  {min: 1%, max: 1600%}
    memoryMax: {min: 16MiB, max: 64GiB}
    recommend: Histogram
";

/// A steady use for so many minutes, a sample a minute, with these limits throughout.
fn steady(cores: f64, bytes: f64, minutes: u32, limits: &str) -> Vec<Simulated> {
    let rows = (0..minutes).map(|minute| {
        let metrics = format!(r#""metrics": {{"cpu.cores": {cores}, "memory.bytes": {bytes}}}"#);
        format!("{{\"at\": {}, {metrics}, \"limits\": {limits}}}\n", minute * 60)
    });
    decisions_of(UNIT, HISTOGRAM, &rows.collect::<String>())
}

#[test]
fn a_steady_use_is_met_with_fifteen_percent_and_the_width_of_a_bucket() {
    let decisions = steady(2.0, 4e9, 1_500, r#"{"cpuQuota": "1000%", "memoryMax": "30GiB"}"#);
    let last = limits(decisions.last().unwrap());
    let (cpu, memory) = (last.get(LimitKind::CpuQuota).unwrap(), last.get(LimitKind::MemoryMax).unwrap());
    assert!((230.0..=244.0).contains(&cpu), "{cpu}");
    assert!((4.6e9..=4.84e9).contains(&memory), "{memory}");
}

#[test]
fn too_small_a_limit_is_raised_within_minutes_and_too_large_a_one_after_hours() {
    let first = |limits: &str| {
        let decisions = steady(2.0, 4e9, 1_500, limits);
        changes(&decisions).first().map(|it| it.0)
    };
    // The lower end is 0.6 of use after five minutes, and 0.9 after half an hour.
    let raised = first(r#"{"cpuQuota": "120%", "memoryMax": "5GiB"}"#).unwrap();
    assert!((3..=6).contains(&raised), "{raised}");
    // The upper end is three times use after twelve hours, and twice after a day.
    let lowered = first(r#"{"cpuQuota": "700%", "memoryMax": "5GiB"}"#).unwrap();
    assert!((700..=760).contains(&lowered), "{lowered}");
    assert_eq!(first(r#"{"cpuQuota": "250%", "memoryMax": "5000MiB"}"#), None, "within the range");
}

#[test]
fn idle_workloads_keep_the_least() {
    let decisions = steady(0.001, 1e6, 1_500, r#"{"cpuQuota": "100%", "memoryMax": "4GiB"}"#);
    let least = set(r#"{"cpuQuota": "3%", "memoryMax": "250MiB"}"#);
    assert_eq!(limits(decisions.last().unwrap()), least, "25 mCPU and 250 MiB, in whole percents");
}
