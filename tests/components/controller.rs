//! The real controller on the real engine, judged by the real Compose.

use std::time::Duration;

use super::daemon::{Daemon, WEB, between, project, unstarted};
use super::project::Project;

/// Longer than several passes: what docktor does not do in this time, it does not do.
const SEVERAL_PASSES: Duration = Duration::from_secs(4);

/// Id and start of the neighbour's container, which nothing may touch.
fn neighbour(project: &Project) -> String {
    let ids = project.ids("webhook");
    project.docker(&["inspect", "--format", "{{.Id}} {{.State.StartedAt}} {{.RestartCount}}", &ids.concat()])
}

#[test]
fn compose_agrees_with_a_scaled_service_and_the_neighbour_is_never_touched() {
    let project = project("agree", WEB);
    let before = neighbour(&project);
    let docktor = Daemon::start(&project, &between(3, 5));
    docktor.until_numbers(&project, &[1, 2, 3]);

    let ids = project.ids("web");
    for options in [&["--no-recreate"][..], &[]] {
        project.compose(&[&["up", "-d", "--scale", "web=3"], options].concat());
        assert_eq!(project.ids("web"), ids, "{options:?}");
    }
    docktor.throughout(SEVERAL_PASSES, "nothing changes", |_| project.ids("web") == ids);
    assert_eq!(neighbour(&project), before);
}

#[test]
fn a_plain_up_is_undone_after_it_settled_and_docktor_says_so() {
    let project = project("plainup", WEB);
    let before = neighbour(&project);
    let drift = "drift: {settle: 3s}";
    let docktor = Daemon::start(&project, &format!("{}\n{drift}", between(3, 5)));
    docktor.until_numbers(&project, &[1, 2, 3]);
    // Not the minimum brings three back, but that docktor had left three.
    docktor.write(&format!("{}\n{drift}", between(1, 5)));
    docktor.until("the edit is seen", |it| it.status()["replicas"]["min"] == 1);

    project.compose(&["up", "-d"]);
    assert_eq!(project.numbers("web"), [1]);
    docktor.until("the drift is told", |it| it.condition("Drifted") == "True/ReplicasChanged");
    docktor.until_numbers(&project, &[1, 2, 3]);
    docktor.until("the drift is over", |it| it.condition("Drifted") == "False/NoDrift");
    let decisions = docktor.decisions();
    let restored = decisions.iter().any(|it| it.starts_with("1 → 3: ") && it.contains("somebody else"));
    assert!(restored, "{decisions:#?}");
    assert_eq!(neighbour(&project), before);
}

#[test]
fn the_highest_numbers_go_and_new_ones_go_on_from_the_highest_there_is() {
    let project = project("number", WEB);
    let docktor = Daemon::start(&project, &between(3, 3));
    docktor.until_numbers(&project, &[1, 2, 3]);
    let first = project.ids("web")[0].clone();
    docktor.write(&between(1, 1));
    docktor.until_numbers(&project, &[1]);
    assert_eq!(project.ids("web"), [first]);
    docktor.write(&between(2, 2));
    docktor.until_numbers(&project, &[1, 2]);
    docktor.write(&between(3, 3));
    docktor.until_numbers(&project, &[1, 2, 3]);

    project.docker(&["rm", "-f", &project.ids("web")[1]]);
    docktor.until_numbers(&project, &[1, 3, 4]);
}

#[test]
fn compose_down_takes_all_away_and_docktor_does_not_fight_it() {
    let project = project("down", WEB);
    let docktor = Daemon::start(&project, &between(3, 5));
    docktor.until_numbers(&project, &[1, 2, 3]);
    project.compose(&["down", "-t", "0"]);
    docktor.until("it is told", |it| it.condition("AbleToScale") == "False/TargetNotFound");
    assert_eq!(docktor.phase(), "Degraded");
    docktor.throughout(SEVERAL_PASSES, "it stays down", |_| project.ids("web").is_empty());

    project.compose(&["up", "-d"]);
    docktor.until("it is taken up again", |_| project.numbers("web") == [1, 2, 3]);
    docktor.until("all is well", |it| it.phase() == "Active");
}

#[test]
fn a_stopped_service_counts_as_turned_off_until_somebody_starts_it() {
    let project = project("off", WEB);
    let docktor = Daemon::start(&project, &between(2, 5));
    docktor.until_numbers(&project, &[1, 2]);
    project.compose(&["stop", "-t", "0", "web"]);
    docktor.until("it is told", |it| it.condition("ScalingActive") == "False/TurnedOff");
    docktor.throughout(SEVERAL_PASSES, "it stays off", |_| project.numbers("web").is_empty());
    project.compose(&["start", "web"]);
    docktor.until("it is taken up again", |it| it.condition("ScalingActive").starts_with("True"));
    docktor.until_numbers(&project, &[1, 2]);
}

#[test]
fn the_last_replica_rests_while_there_is_no_work_and_is_woken_as_it_was() {
    let project = project("zero", WEB);
    let ids = project.ids("web");
    let docktor = Daemon::start(
        &project,
        "replicas: {min: 0, max: 3, idleAfter: 1s}
schedules: [{name: new-year, timezone: UTC, start: '0 0 1 1 *', duration: 1m, min: 1}]
scaleUp: {rules: [{metric: cpu.avg, op: '>', value: 100000}]}
scaleDown: {rules: [{metric: cpu.avg, op: '<', value: 50}], step: '-1', stabilizationWindow: 0s}",
    );
    docktor.until("it rests", |it| it.condition("ScaledToZero") == "True/ScaledToZero" && it.is_settled());
    docktor.throughout(SEVERAL_PASSES, "it is kept", |_| {
        project.ids("web") == ids && project.numbers("web").is_empty()
    });
    docktor.write(&between(1, 3));
    docktor.until_numbers(&project, &[1]);
    assert_eq!(project.ids("web"), ids);
}

#[test]
fn replicas_that_exit_at_once_are_taken_back_and_docktor_gives_up_but_for_the_minimum() {
    let image = "image: docktor-test/base, init: true, stop_signal: SIGKILL, volumes: ['./load:/load']";
    let command = "command: [sh, -c, 'if [ -e /load/broken ]; then exit 1; fi; sleep 3600']";
    let text = format!("services: {{web: {{{image}, {command}}}, webhook: {{IDLE, init: true}}}}");
    let project = unstarted("broken", &text);
    let load = project.folder.path().join("load");
    std::fs::create_dir(&load).unwrap();
    project.compose(&["up", "-d", "--scale", "web=2"]);
    let docktor = Daemon::start(&project, &between(2, 5));
    docktor.until_numbers(&project, &[1, 2]);
    let old = project.ids("web");

    std::fs::write(load.join("broken"), "").unwrap();
    docktor.write(&between(3, 5).replace("verify: 1s", "verify: 2s, maxFailures: 2"));
    docktor.until("docktor gives up", |it| it.phase() == "Failed");
    assert_eq!(docktor.condition("Ready"), "False/TooManyFailures");
    assert_eq!(project.ids("web")[..2], old);

    std::fs::remove_file(load.join("broken")).unwrap();
    docktor.until("the minimum runs", |_| project.numbers("web").len() == 3);
    docktor.until("what failed is gone", |_| project.ids("web").len() == 3);
    assert_eq!(project.ids("web")[..2], old);
}

/// Burns CPU while the file is there; the limit keeps it from burning all of the machine.
const BURNING: &str = "services:
  web:
    image: docktor-test/base
    command: [sh, -c, 'while :; do if [ -e /load/burn ]; then i=0; while [ $$i -lt 9999 ]; do i=$$((i+1)); done; else sleep 0.3; fi; done']
    init: true
    cpus: 0.2
    stop_signal: SIGKILL
    volumes: ['./load:/load']
  webhook: {IDLE, init: true}";

#[test]
fn a_service_under_cpu_load_grows_and_comes_back_and_says_why() {
    let project =
        Project::named(format!("dkp-load-{}", std::process::id()), super::project::docker_host(), BURNING);
    let load = project.folder.path().join("load");
    std::fs::create_dir(&load).unwrap();
    project.compose(&["up", "-d"]);
    let before = neighbour(&project);
    let docktor = Daemon::start(
        &project,
        "replicas: {min: 1, max: 3}
scaleUp:
  rules: [{metric: cpu.avg, op: '>', value: 8}]
  consecutive: 2
scaleDown:
  rules: [{metric: cpu.avg, op: '<', value: 7}]
  consecutive: 2
  step: '-1'
  stabilizationWindow: 2s
safety: {verify: 1s}",
    );
    std::fs::write(load.join("burn"), "").unwrap();
    docktor.until("it grows", |_| project.numbers("web") == [1, 2, 3]);
    let reason = |it: &Daemon, action: &str| {
        let last = &it.status()["lastDecision"];
        last["action"] == action && last["reason"].as_str().unwrap().starts_with("cpu.avg ")
    };
    assert!(
        docktor.decisions().iter().any(|it| it.contains("cpu.avg ") && it.contains("> 8")),
        "{}",
        docktor.story()
    );

    std::fs::remove_file(load.join("burn")).unwrap();
    docktor.until("the sidecar says why it shrinks", |it| reason(it, "ScaleDown"));
    docktor.until_numbers(&project, &[1]);
    assert_eq!(neighbour(&project), before);
}
