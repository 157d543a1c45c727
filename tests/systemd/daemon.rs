//! The real `docktor` and `docktorctl`, with a policy folder and a state folder of their own, and what they control.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use docktor::api::target::SystemdManager;
use serde_json::Value;
use tempfile::TempDir;

use super::program;
use super::unit::{PATIENCE, Unit};

/// How often to look whether it has come to hold.
const GLANCE: Duration = Duration::from_millis(700);
/// What the limits of a worker are until docktor changes them. Little CPU with much weight: it gets what it may use,
/// whoever else works on the machine.
const LIMITS: &str = "CPUQuota=16%\nCPUWeight=1000\nMemoryMax=128M\nTasksMax=40\n";
/// Uses CPU, memory and tasks as the file says that it is given, and dies when that says so.
const LOAD: &str = r#"
import os, sys, time
memory, children = b"", []
while True:
    try:
        words = open(sys.argv[1]).read().split()
    except OSError:
        words = []
    if "die" in words:
        os.unlink(sys.argv[1])
        os._exit(1)
    memory = (memory or b"x" * (112 << 20)) if "memory" in words else b""
    while len(children) < (55 if "tasks" in words else 0):
        try:
            child = os.fork()
        except OSError:
            break
        if child == 0:
            time.sleep(3600)
        children.append(child)
    while children and "tasks" not in words:
        os.kill(children[-1], 9)
        os.waitpid(children.pop(), 0)
    end = time.monotonic() + 0.5
    while "cpu" in words and time.monotonic() < end:
        pass
    time.sleep(max(0, end - time.monotonic()))
"#;

/// A docktor with one policy, `e2e`.
pub struct Daemon {
    folder: TempDir,
    child: Option<Child>,
}

impl Daemon {
    /// Running under a policy of these fields, which had a pass.
    pub fn start(spec: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("policies")).unwrap();
        let mut daemon = Self { folder, child: None };
        daemon.write(spec);
        daemon.run();
        daemon
    }

    /// Replaces the policy.
    pub fn write(&self, spec: &str) {
        let mut text =
            "apiVersion: docktor.dev/v1\nkind: ScalingPolicy\nmetadata: {name: e2e}\nspec:\n".to_owned();
        spec.lines().for_each(|line| text.push_str(&format!("  {line}\n")));
        let fresh = self.folder.path().join("e2e.yaml");
        fs::write(&fresh, text).unwrap();
        fs::rename(fresh, self.folder.path().join("policies/e2e.yaml")).unwrap();
    }

    /// Starts it, and waits until its policy had a pass.
    pub fn run(&mut self) {
        let path = |name: &str| self.folder.path().join(name);
        let log = File::options().create(true).append(true).open(path("log")).unwrap();
        let mut command = Command::new(program("docktor"));
        command.env("XDG_RUNTIME_DIR", "/run/user/0").env("DOCKTOR_LISTEN", "none");
        command.arg("run").arg("--policies").arg(path("policies"));
        command.arg("--state-dir").arg(path("state")).arg("--socket").arg(path("socket"));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        self.until("the policy had a pass", |it| it["status"]["lastDecision"].is_object());
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9), "it ended by itself: {}", self.story());
    }

    /// `docktorctl` with these words, which has to succeed.
    pub fn ctl(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}\n{}", self.story());
        String::from_utf8(output.stdout).unwrap()
    }

    /// The policy as `docktorctl` shows it.
    pub fn policy(&self) -> Value {
        serde_json::from_str(&self.ctl(&["get", "policy", "e2e", "-o", "json"])).unwrap()
    }

    /// The latest decision that changed limits.
    pub fn last_change(&self) -> Value {
        let text = self.ctl(&["explain", "e2e", "--tail", "50", "-o", "json"]);
        let decisions: Value = serde_json::from_str(&text).unwrap();
        let decisions = decisions["items"].as_array().unwrap();
        let changed = decisions.iter().rfind(|it| it["limitsBefore"].is_object());
        changed.unwrap_or_else(|| panic!("no change: {text}")).clone()
    }

    /// The messages of the policy's events of a reason, oldest first.
    pub fn events(&self, reason: &str) -> Vec<String> {
        let events: Value = serde_json::from_str(&self.ctl(&["get", "events", "-o", "json"])).unwrap();
        let events = events["items"].as_array().unwrap();
        let of_reason = events.iter().filter(|it| it["reason"] == reason);
        of_reason.map(|it| it["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until the policy shows that.
    pub fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let output = self.command(&["get", "policy", "e2e", "-o", "json"]).output().unwrap();
            let policy = serde_json::from_slice(&output.stdout).unwrap_or_default();
            if holds(&policy) {
                return policy;
            }
            let late = Instant::now() > end;
            assert!(!late, "not in {PATIENCE:?}: {what}\n{:#}\n{}", policy["status"], self.story());
            thread::sleep(GLANCE);
        }
    }

    pub fn until_phase(&self, phase: &str) -> Value {
        self.until(phase, |it| it["status"]["phase"] == phase)
    }

    /// What a person would want to see when it went wrong.
    pub fn story(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program("docktorctl"));
        command.arg("--socket").arg(self.folder.path().join("socket")).args(words);
        command
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A service that works as it is told.
pub struct Worker {
    pub unit: Unit,
    folder: TempDir,
}

impl Worker {
    /// A running service of PID 1 with these further settings.
    pub fn new(settings: &str) -> Self {
        let worker = Self::unstarted(SystemdManager::System, "service", &format!("{LIMITS}{settings}"));
        worker.unit.systemctl(&["start", &worker.unit.name]);
        worker
    }

    /// A running service of root's own user manager.
    pub fn of_user() -> Self {
        let worker = Self::unstarted(SystemdManager::User, "service", LIMITS);
        worker.unit.systemctl(&["start", &worker.unit.name]);
        worker
    }

    /// A template of such services that all do the same, and one of them that runs: the first.
    pub fn template() -> Self {
        let worker = Self::unstarted(SystemdManager::System, "@.service", LIMITS);
        worker.unit.systemctl(&["start", &worker.unit.instance("1")]);
        worker
    }

    fn unstarted(manager: SystemdManager, suffix: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("load.py");
        fs::write(&program, LOAD).unwrap();
        let command = format!("python3 -IS {} {}", program.display(), folder.path().join("wish").display());
        let text = format!("[Service]\nExecStart={command}\n{settings}");
        Self { unit: Unit::of_file_for(manager, suffix, &text), folder }
    }

    /// From now on it uses these: `cpu`, `memory`, `tasks`, or it is to `die`.
    pub fn wish(&self, words: &str) {
        fs::write(self.wish_file(), words).unwrap();
    }

    /// It dies, and systemd has seen to it.
    pub fn die(&self) {
        self.wish("die");
        let end = Instant::now() + PATIENCE;
        while self.wish_file().exists() {
            assert!(Instant::now() < end, "{} lives", self.unit.name);
            thread::sleep(GLANCE);
        }
    }

    /// CPU quota in percent, memory in MiB, tasks: what the kernel enforces.
    pub fn enforced(&self) -> (f64, f64, f64) {
        let number = |text: &str| text.parse().unwrap_or(f64::INFINITY);
        let quota = self.unit.cgroup("cpu.max");
        let (quota, period) = quota.split_once(' ').unwrap();
        let memory = number(&self.unit.cgroup("memory.max")) / 1_048_576.0;
        (number(quota) / number(period) * 100.0, memory, number(&self.unit.cgroup("pids.max")))
    }

    fn wish_file(&self) -> PathBuf {
        self.folder.path().join("wish")
    }
}
