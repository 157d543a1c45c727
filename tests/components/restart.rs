//! The engine gone and back while docktor scales: a private engine, so that no other test feels it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::daemon::{Daemon, between};
use super::project::Project;

/// Containers that the engine starts again after it was down, and that stop at once.
const RESTARTING: &str = "services: {web: {IDLE, init: true, restart: always}}";

/// How often to try to remove an engine, and the time between.
const PURGES: u32 = 5;
const BETWEEN_PURGES: Duration = Duration::from_secs(1);

/// An engine of the test's own, removed with all that it has when dropped.
struct PrivateEngine {
    name: String,
    host: String,
}

impl PrivateEngine {
    fn start(label: &str) -> Self {
        let name = format!("dkp-{label}-{}", std::process::id());
        let engine = Self { host: command("engine", &["start", &name], None), name };
        command("images", &[], Some(&engine.host));
        engine
    }

    fn order(&self, action: &str) {
        command("engine", &[action, &self.name], None);
    }
}

impl Drop for PrivateEngine {
    fn drop(&mut self) {
        let purge = || Command::new(testbed("engine")).args(["purge", &self.name]).status();
        // What an engine mounted may be busy for a moment after it has ended.
        for _ in 0..PURGES {
            if purge().is_ok_and(|it| it.success()) {
                return;
            }
            std::thread::sleep(BETWEEN_PURGES);
        }
        eprintln!("the engine {} is left behind", self.name);
    }
}

fn testbed(script: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed").join(script)
}

/// Runs a script of the testbed and gives what it prints.
fn command(script: &str, arguments: &[&str], host: Option<&str>) -> String {
    let mut command = Command::new(testbed(script));
    let output = command.args(arguments).envs(host.map(|it| ("DOCKER_HOST", it))).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} {arguments:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn an_engine_goes_and_comes_back_during_a_scale_up(how: &str) {
    let engine = PrivateEngine::start(how);
    let project = Project::named(format!("dkp-{how}"), engine.host.clone(), RESTARTING);
    project.compose(&["up", "-d"]);
    let docktor = Daemon::start(&project, &between(2, 8));
    docktor.until_numbers(&project, &[1, 2]);

    docktor.write(&between(6, 8));
    docktor.until("a change is under way", |it| !it.is_settled());
    engine.order(how);
    docktor.until("it is told", |it| it.condition("AbleToScale") == "False/EngineUnreachable");
    assert_eq!(docktor.phase(), "Degraded");
    assert_eq!(docktor.condition("Ready"), "False/EngineUnreachable");

    engine.order("start");
    docktor.until_count(&project, 6);
    docktor.until("all is well", |it| it.phase() == "Active");
    assert_eq!(docktor.condition("AbleToScale"), "True/TargetFound");
    let numbers = project.all_numbers("web");
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");

    // Back again without a change under way, and above the minimum: nothing is added, nothing is lost.
    docktor.write(&between(2, 8));
    docktor.until("the edit is seen", |it| it.status()["replicas"]["min"] == 2);
    let ids = project.ids("web");
    engine.order(how);
    docktor.until("it is told again", |it| it.phase() == "Degraded");
    engine.order("start");
    docktor.until("all is well again", |it| it.phase() == "Active");
    docktor.until_count(&project, 6);
    assert_eq!(project.ids("web"), ids);
}

#[test]
fn an_engine_that_is_stopped_and_started_during_a_scale_up() {
    an_engine_goes_and_comes_back_during_a_scale_up("stop");
}

#[test]
fn an_engine_that_is_killed_and_started_during_a_scale_up() {
    an_engine_goes_and_comes_back_during_a_scale_up("kill");
}
