//! The real `docktor` and `docktorctl`, with a policy folder and a state folder of their own.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use docktor::model::memory::Memory;
use serde_json::Value;
use tempfile::TempDir;

use super::project::{Project, docker_host};

/// How long anything may take before a test gives up; far more than it takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often to look whether it has come to hold.
const GLANCE: Duration = Duration::from_millis(50);

/// Two services that wait, the one's name the beginning of the other's.
pub const WEB: &str = "services: {web: {IDLE, init: true}, webhook: {IDLE, init: true}}";

/// Fields of a policy that bounds alone move: no load satisfies its only rule.
pub fn between(min: u32, max: u32) -> String {
    format!(
        "replicas: {{min: {min}, max: {max}}}
scaleUp: {{rules: [{{metric: cpu.avg, op: '>', value: 100000}}]}}
safety: {{verify: 1s}}"
    )
}

/// A project for docktor to scale, up on the shared engine.
pub fn project(label: &str, text: &str) -> Project {
    let project = unstarted(label, text);
    project.compose(&["up", "-d"]);
    project
}

/// A project for docktor to scale, not yet up.
pub fn unstarted(label: &str, text: &str) -> Project {
    Project::named(format!("dkp-{label}-{}", std::process::id()), docker_host(), text)
}

/// A docktor with one policy, `web`, for the service `web` of a project.
pub struct Daemon {
    folder: TempDir,
    project: String,
    host: String,
    child: Option<Child>,
}

impl Daemon {
    /// Not yet running, and without a policy.
    pub fn new(project: &Project) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("policies")).unwrap();
        Self { folder, project: project.name.clone(), host: project.host.clone(), child: None }
    }

    /// Running under a policy of these fields.
    pub fn start(project: &Project, spec: &str) -> Self {
        let mut daemon = Self::new(project);
        daemon.write(spec);
        daemon.run();
        daemon
    }

    /// Replaces the policy. The fields of its `spec` are these, besides the target and short times.
    pub fn write(&self, spec: &str) {
        let mut text = format!(
            "apiVersion: docktor.dev/v1\nkind: ScalingPolicy\nmetadata: {{name: web}}\nspec:\n  target: \
             {{compose: {{project: {}, service: web}}}}\n  interval: 1s\n  readinessDelay: 0s\n  warmUp: 0s\n",
            self.project
        );
        spec.lines().for_each(|line| text.push_str(&format!("  {line}\n")));
        let fresh = self.folder.path().join("web.yaml");
        fs::write(&fresh, text).unwrap();
        fs::rename(fresh, self.policies().join("web.yaml")).unwrap();
    }

    pub fn policies(&self) -> PathBuf {
        self.folder.path().join("policies")
    }

    /// A command line of `docktor run` on these folders.
    pub fn command(&self) -> Command {
        let path = |name: &str| self.folder.path().join(name);
        let log = File::options().create(true).append(true).open(path("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_docktor"));
        command.env_clear().env("HOME", self.folder.path()).env("DOCKTOR_LISTEN", "none");
        command.args(["run", "--docker", &self.host, "--policies"]).arg(self.policies());
        command.arg("--state-dir").arg(path("state")).arg("--socket").arg(path("socket"));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command
    }

    /// Starts it, and waits until its policy had a pass.
    pub fn run(&mut self) {
        self.spawn(&[]);
        self.until("the policy had a pass", |it| {
            !it.ctl(&["get", "policies", "-o", "name"]).stdout.is_empty()
        });
    }

    /// Starts it with these flags too, and does not wait.
    pub fn spawn(&mut self, flags: &[&str]) {
        assert!(self.child.is_none(), "it runs already");
        self.child = Some(self.command().args(flags).spawn().unwrap());
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9), "it ended by itself: {}", self.story());
    }

    /// SIGTERM; gives how it ended, and after how long.
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        let mut child = self.child.take().expect("it runs");
        let begin = Instant::now();
        Command::new("kill").arg(child.id().to_string()).status().unwrap();
        (child.wait().unwrap(), begin.elapsed())
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Runs `docktorctl` against it.
    pub fn ctl(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_docktorctl"));
        command.env_clear().env("HOME", self.folder.path());
        command.arg("--socket").arg(self.folder.path().join("socket")).args(arguments).output().unwrap()
    }

    /// Runs `docktorctl`, which must succeed.
    pub fn order(&self, arguments: &[&str]) -> String {
        let output = self.ctl(arguments);
        assert!(output.status.success(), "docktorctl {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// `status` of the sidecar; null while there is none. A sidecar that is no status of `web` fails the test.
    pub fn status(&self) -> Value {
        let Ok(text) = fs::read_to_string(self.policies().join("web.status.yaml")) else {
            return Value::Null;
        };
        let mut sidecar: Value =
            serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(sidecar["apiVersion"], "docktor.dev/v1", "{text}");
        assert_eq!(sidecar["kind"], "ScalingPolicyStatus", "{text}");
        assert_eq!(sidecar["metadata"]["name"], "web", "{text}");
        assert!(sidecar["status"]["phase"].is_string(), "{text}");
        sidecar["status"].take()
    }

    pub fn phase(&self) -> String {
        self.status()["phase"].as_str().unwrap_or_default().to_owned()
    }

    /// `Status/Reason` of a condition; empty where there is none.
    pub fn condition(&self, kind: &str) -> String {
        let status = self.status();
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|it| it["type"] == kind);
        found.map_or(String::new(), |it| {
            format!("{}/{}", it["status"].as_str().unwrap(), it["reason"].as_str().unwrap())
        })
    }

    /// The decisions that are kept, oldest first, as `from → to: reason`.
    pub fn decisions(&self) -> Vec<String> {
        let listed: Value = serde_json::from_str(&self.order(&["get", "decisions", "-o", "json"])).unwrap();
        let decisions =
            listed["items"].as_array().or(listed.as_array()).unwrap_or_else(|| panic!("{listed}"));
        decisions.iter().map(|it| format!("{} → {}: {}", it["from"], it["to"], it["reason"])).collect()
    }

    /// What of the policy is on disk for a restart; null before anything is.
    pub fn durable(&self) -> Value {
        let file = self.folder.path().join("state/memory/web.json");
        let Ok(text) = fs::read_to_string(file) else { return Value::Null };
        let mut file: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(file["policy"], "web", "{text}");
        file["memory"].take()
    }

    /// What decisions may look at, as it is on disk.
    pub fn memory(&self) -> Memory {
        serde_json::from_value(self.durable()["memory"].take()).unwrap()
    }

    /// Is no change open, as far as the disk knows?
    pub fn is_settled(&self) -> bool {
        self.durable()["memory"]["intents"].as_array().is_some_and(Vec::is_empty)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Waits until it holds.
    pub fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < deadline, "not in {PATIENCE:?}: {what}\n{}", self.story());
            std::thread::sleep(GLANCE);
        }
    }

    /// Makes sure that it holds, and goes on to hold.
    pub fn throughout(&self, time: Duration, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            assert!(holds(self), "not all the time: {what}\n{}", self.story());
            std::thread::sleep(GLANCE);
        }
    }

    /// Waits until exactly these numbers run, none is left over in another state, and no change is open.
    pub fn until_numbers(&self, project: &Project, numbers: &[u32]) {
        self.until(&format!("web has replicas {numbers:?}"), |it| {
            project.all_numbers("web") == numbers && project.numbers("web") == numbers && it.is_settled()
        });
    }

    /// Waits until so many replicas run, none is left over in another state, and no change is open.
    pub fn until_count(&self, project: &Project, count: u32) {
        self.until(&format!("web has {count} replicas"), |it| {
            [project.all_numbers("web"), project.numbers("web")].iter().all(|all| all.len() == count as usize)
                && it.is_settled()
        });
    }

    /// What a person would want to see when it went wrong.
    pub fn story(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(60)..].join("\n");
        format!("status: {:#}\nmemory: {}\nlog:\n{end}", self.status(), self.durable()["memory"])
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
