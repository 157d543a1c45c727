//! docktor controls real units, by policies as people write them.

use std::thread;
use std::time::{Duration, Instant};

use docktor::api::limits::{LimitKind, LimitSet};
use docktor::api::target::SystemdManager;
use serde_json::Value;

use super::daemon::{Daemon, Worker};

/// Up after three checks, down after ten, as the profile `balanced`, in a hurry.
const RULES: &str = "interval: 2s
warmUp: 0s
readinessDelay: 1s
scaleUp:
  when: Any
  rules:
    - {metric: cpu.avg, op: '>', value: 85}
    - {metric: memory.avg, op: '>', value: 80}
    - {metric: tasks.avg, op: '>', value: 85}
  consecutive: 3
  step: x1.5
  cooldown: 3s
scaleDown:
  when: All
  rules:
    - {metric: cpu.avg, op: '<', value: 40}
    - {metric: memory.avg, op: '<', value: 50}
    - {metric: tasks.avg, op: '<', value: 30}
  consecutive: 10
  step: x0.6
  cooldown: 3s
resources:
  cpuQuota: {min: 16%, max: 54%}
  memoryMax: {min: 128MiB, max: 432MiB}
  tasksMax: {min: 40, max: 135}
  together: true
";
/// What a worker has at first, and after one raise: CPU in percent, memory in MiB, tasks.
const FIRST: Level = (16.0, 128.0, 40.0);
const RAISED: Level = (24.0, 192.0, 60.0);

type Level = (f64, f64, f64);

/// The rules above for a worker, with further fields.
fn policy(worker: &Worker, more: &str) -> String {
    let manager = match worker.unit.manager {
        SystemdManager::System => "System",
        SystemdManager::User => "User",
    };
    format!("target: {{systemd: {{unit: {}, manager: {manager}}}}}\n{RULES}{more}", worker.unit.name)
}

/// With a short time to prove itself.
fn quick(worker: &Worker, more: &str) -> String {
    policy(worker, &format!("safety: {{verify: 5s}}\n{more}"))
}

/// Limits as docktor tells them.
fn level(limits: &Value) -> Level {
    let limits: LimitSet = serde_json::from_value(limits.clone()).unwrap_or_else(|_| panic!("{limits}"));
    let of = |kind| limits.get(kind).unwrap_or(f64::INFINITY);
    (of(LimitKind::CpuQuota), of(LimitKind::MemoryMax) / 1_048_576.0, of(LimitKind::TasksMax))
}

/// Waits until docktor wants and sees these limits, and makes sure that they are in force.
fn until_level(docktor: &Daemon, worker: &Worker, expected: Level) {
    docktor.until(&format!("{expected:?}"), |it| {
        let limits = &it["status"]["limits"];
        limits.is_object() && level(&limits["current"]) == expected && level(&limits["desired"]) == expected
    });
    assert_eq!(worker.enforced(), expected, "{}", docktor.story());
}

/// Every trigger raises all limits after three checks, ten quiet ones lower them, and nobody is restarted.
fn follows_the_load(worker: &Worker) {
    let docktor = Daemon::start(&quick(worker, ""));
    let pid = worker.unit.main_pid();
    until_level(&docktor, worker, FIRST);

    let steps = [
        ("memory", "memory.avg", FIRST, RAISED),
        ("memory tasks", "tasks.avg", RAISED, (36.0, 288.0, 90.0)),
        ("memory tasks cpu", "cpu.avg", (36.0, 288.0, 90.0), (54.0, 432.0, 135.0)),
    ];
    for (wish, trigger, before, after) in steps {
        worker.wish(wish);
        until_level(&docktor, worker, after);
        let change = docktor.last_change();
        let reason = change["reason"].as_str().unwrap();
        assert!(reason.contains(trigger) && reason.contains("(3 of 3)"), "{reason}");
        assert_eq!((level(&change["limitsBefore"]), level(&change["limits"])), (before, after));
    }

    worker.wish("");
    until_level(&docktor, worker, (33.0, 260.0, 81.0));
    let change = docktor.last_change();
    assert!(change["reason"].as_str().unwrap().contains("(10 of 10)"), "{change:#}");
    assert_eq!(worker.unit.main_pid(), pid);
    docktor.until_phase("Active");
    // It goes on downwards while nothing is used.
    assert!(docktor.events("ActionDone").len() >= 4, "{}", docktor.story());
    assert_eq!(docktor.events("ActionFailed"), [] as [&str; 0]);
}

#[test]
fn limits_of_a_service_follow_its_load() {
    follows_the_load(&Worker::new(""));
}

#[test]
fn limits_of_a_users_service_follow_its_load() {
    follows_the_load(&Worker::of_user());
}

/// Has limits raised because memory was short, and gives docktor no chance to have verified them.
fn raised(worker: &Worker) -> Daemon {
    let docktor = Daemon::start(&policy(worker, "safety: {verify: 10m}\n"));
    worker.wish("memory");
    until_level(&docktor, worker, RAISED);
    docktor
}

/// The limits from before are back, and stay until a person says so.
fn has_given_up(docktor: &Daemon, worker: &Worker, why: &str) {
    let status = docktor.until_phase("Failed")["status"].clone();
    let conditions = status["conditions"].to_string();
    assert!(conditions.contains(&format!("{} {why}", worker.unit.name)), "{status:#}");
    let settings =
        || ["CPUQuotaPerSecUSec", "MemoryMax", "TasksMax"].map(|it| worker.unit.property(it)).join(" ");
    docktor.until("the old limits are back", |_| settings() == "160ms 134217728 40");
    assert_eq!(docktor.events("RolledBack").len(), 1);

    worker.unit.systemctl(&["start", &worker.unit.name]);
    worker.wish("memory");
    docktor.until("memory is short again", |it| it["status"]["metrics"]["memory.avg"].as_f64() > Some(80.0));
    thread::sleep(Duration::from_secs(10));
    assert_eq!(worker.enforced(), FIRST, "{}", docktor.story());
    assert_eq!(docktor.policy()["status"]["phase"], "Failed");
    assert_eq!(docktor.events("Drift"), [] as [&str; 0], "nobody changed a limit");
    docktor.ctl(&["resume", "e2e"]);
    until_level(docktor, worker, RAISED);
}

#[test]
fn a_service_that_dies_of_a_change_has_its_old_limits_back_and_is_left_alone() {
    let worker = Worker::new("");
    let docktor = raised(&worker);
    worker.die();
    has_given_up(&docktor, &worker, "failed");
}

#[test]
fn so_has_one_that_systemd_restarts() {
    let worker = Worker::new("Restart=on-failure\n");
    let docktor = raised(&worker);
    worker.die();
    has_given_up(&docktor, &worker, "failed and was restarted");
}

#[test]
fn and_one_that_dies_while_docktor_is_gone() {
    let worker = Worker::new("");
    let mut docktor = raised(&worker);
    docktor.kill();
    worker.die();
    docktor.run();
    has_given_up(&docktor, &worker, "failed");
}

#[test]
fn a_docktor_that_was_killed_goes_on_verifying_what_does_well() {
    let worker = Worker::new("");
    let mut docktor = Daemon::start(&policy(&worker, "safety: {verify: 20s}\n"));
    let pid = worker.unit.main_pid();
    worker.wish("memory");
    until_level(&docktor, &worker, RAISED);
    docktor.kill();
    docktor.run();
    docktor.until("the change is verified", |_| docktor.events("ActionDone").len() == 1);
    docktor.until_phase("Active");
    assert_eq!((worker.enforced(), worker.unit.main_pid()), (RAISED, pid));
    assert_eq!(docktor.events("ActionStarted"), [] as [&str; 0], "it is the same change");
}

#[test]
fn what_the_manager_cannot_enforce_is_refused_and_is_no_failure() {
    let worker = Worker::of_user();
    let spec = quick(&worker, "").split("resources:").next().unwrap().to_owned();
    let docktor =
        Daemon::start(&format!("{spec}resources:\n  ioWeight: {{min: 100, max: 400}}\n  together: true\n"));
    worker.wish("memory");
    let policy = docktor.until("it is refused", |it| it.to_string().contains("NotDelegated"));
    assert_ne!(policy["status"]["phase"], "Failed");
    assert_eq!(worker.unit.property("IOWeight"), "[not set]");
    assert_eq!(worker.enforced(), FIRST);
}

#[test]
fn what_a_person_sets_meanwhile_is_told_and_undone_and_a_reload_is_nothing() {
    let worker = Worker::new("");
    let docktor = Daemon::start(&quick(&worker, "drift: {settle: 2s}\n"));
    worker.wish("memory");
    until_level(&docktor, &worker, RAISED);
    docktor.until_phase("Active");
    worker.unit.systemctl(&["daemon-reload"]);
    thread::sleep(Duration::from_secs(8));
    assert_eq!(worker.enforced(), RAISED);
    assert_eq!(docktor.events("Drift"), [] as [&str; 0]);

    worker.unit.systemctl(&["set-property", "--runtime", &worker.unit.name, "TasksMax=77"]);
    docktor.until("the drift is told", |_| docktor.events("Drift").len() == 1);
    until_level(&docktor, &worker, RAISED);
    assert!(docktor.last_change()["reason"].as_str().unwrap().contains("restore"));
}

#[test]
fn what_a_person_sets_meanwhile_is_adopted_where_the_policy_says_so() {
    let worker = Worker::new("");
    let docktor = Daemon::start(&quick(&worker, "drift: {limits: Adopt}\n"));
    worker.wish("memory");
    until_level(&docktor, &worker, RAISED);
    docktor.until_phase("Active");
    worker.unit.systemctl(&["set-property", "--runtime", &worker.unit.name, "TasksMax=77", "CPUQuota=30%"]);
    docktor.until("the drift is told", |_| docktor.events("Drift").len() == 1);
    until_level(&docktor, &worker, (30.0, 192.0, 77.0));
    assert!(docktor.events("Drift")[0].ends_with("cpuQuota 24% -> 30%, tasksMax 60 -> 77; adopted"));
    thread::sleep(Duration::from_secs(8));
    assert_eq!(worker.enforced(), (30.0, 192.0, 77.0), "nothing goes back");
}

#[test]
fn instances_of_a_template_come_and_go_with_the_load_of_all() {
    let worker = Worker::template();
    let docktor = Daemon::start(&format!(
        "target: {{systemd: {{unit: {}}}}}
interval: 2s
warmUp: 0s
readinessDelay: 1s
replicas: {{min: 1, max: 3}}
scaleUp: {{rules: [{{metric: cpu.avg, op: '>', value: 85}}], consecutive: 2, step: +2}}
scaleDown:
  rules: [{{metric: cpu.avg, op: '<', value: 40}}]
  consecutive: 2
  step: -2
  stabilizationWindow: 0s
safety: {{verify: 2s}}
",
        worker.unit.name
    ));
    let active = || {
        let state = |number: &&str| worker.unit.property_of(&worker.unit.instance(number), "ActiveState");
        ["1", "2", "3", "4"].into_iter().filter(|it| state(it) == "active").collect::<Vec<_>>()
    };
    let first = worker.unit.instance("1");
    let pid = worker.unit.property_of(&first, "MainPID");
    assert_eq!(active(), ["1"]);
    worker.wish("cpu");
    docktor.until("three replicas are ready", |it| it["status"]["replicas"]["ready"] == 3);
    assert_eq!(active(), ["1", "2", "3"]);
    worker.wish("");
    docktor.until("one replica", |it| it["status"]["replicas"]["current"] == 1 && active() == ["1"]);
    assert_eq!(worker.unit.property_of(&first, "MainPID"), pid);
}

/// Waits until docktor tells that it would raise these limits.
fn until_wanted(docktor: &Daemon, present: Level) {
    docktor.until("more is wanted", |it| {
        let before = &it["status"]["lastDecision"]["limitsBefore"];
        before.is_object() && level(before) == present
    });
}

#[test]
fn a_mode_holds_from_the_moment_it_is_set() {
    let worker = Worker::new("");
    let docktor = Daemon::start(&quick(&worker, "mode: Observe\n"));
    worker.wish("memory");
    until_wanted(&docktor, FIRST);
    thread::sleep(Duration::from_secs(8));
    assert_eq!(worker.enforced(), FIRST);
    docktor.ctl(&["mode", "e2e", "Auto"]);
    until_level(&docktor, &worker, RAISED);
    docktor.until_phase("Active");
    docktor.ctl(&["mode", "e2e", "Observe"]);
    worker.wish("memory tasks");
    until_wanted(&docktor, RAISED);
    thread::sleep(Duration::from_secs(8));
    assert_eq!(worker.enforced(), RAISED);
}

#[test]
fn pressure_does_not_wait_for_the_next_evaluation() {
    let worker = Worker::new("CPUQuota=10%\n");
    let began = Instant::now();
    let docktor = Daemon::start(&format!(
        "target: {{systemd: {{unit: {}}}}}
interval: 60s
window: 10s
warmUp: 0s
readinessDelay: 1s
scaleUp: {{rules: [{{metric: pressure.cpu, op: '>', value: 50}}], step: x1.5}}
resources: {{cpuQuota: {{min: 10%, max: 15%}}}}
",
        worker.unit.name
    ));
    thread::sleep(Duration::from_secs(65));
    assert_eq!(worker.enforced().0, 10.0, "the first evaluation found it idle");
    worker.wish("cpu");
    docktor.until("it is raised", |_| worker.enforced().0 == 15.0);
    assert!(began.elapsed() < Duration::from_secs(115), "{:?}", began.elapsed());
    assert!(docktor.last_change()["reason"].as_str().unwrap().contains("pressure.cpu"));
}
