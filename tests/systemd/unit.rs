//! Units made for a test, and gone after it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use docktor::api::target::SystemdManager;

/// The VM is emulated, and slow.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Where managers keep what was set of units.
const CONTROLS: [&str; 4] = [
    "/run/systemd/system.control",
    "/etc/systemd/system.control",
    "/run/user/0/systemd/user.control",
    "/root/.config/systemd/user.control",
];

static MADE: AtomicU32 = AtomicU32::new(0);

/// A unit of a test's own. When it is dropped it is stopped, and its files and drop-ins go. systemd forgets units that do
/// not run and reads their files anew, so nothing needs a `daemon-reload`, which takes seconds here.
pub struct Unit {
    pub name: String,
    pub manager: SystemdManager,
    file: Option<PathBuf>,
    /// Of a scope: its process.
    process: Option<Child>,
}

impl Unit {
    /// A transient service of PID 1 that runs `program`, a line of shell.
    pub fn service(program: &str) -> Self {
        Self::transient(SystemdManager::System, "service", &["--", "sh", "-c", program])
    }

    /// A transient service of root's own user manager.
    pub fn user_service(program: &str) -> Self {
        Self::transient(SystemdManager::User, "service", &["--", "sh", "-c", program])
    }

    /// A scope of PID 1 with a process in it.
    pub fn scope() -> Self {
        let name = new_name("scope");
        let unit = name.trim_end_matches(".scope").to_owned();
        // `systemd-run --scope` becomes the program, so it stays in the foreground.
        let words = ["--quiet", "--scope", &format!("--unit={unit}"), "sleep", "3600"];
        let process = Command::new("systemd-run").args(words).spawn().unwrap();
        let scope = Self { name, manager: SystemdManager::System, file: None, process: Some(process) };
        scope.wait_until("ActiveState", "active");
        scope
    }

    /// A unit whose file is `text`, not started.
    pub fn of_file(suffix: &str, text: &str) -> Self {
        Self::of_file_for(SystemdManager::System, suffix, text)
    }

    /// The same of a manager.
    pub fn of_file_for(manager: SystemdManager, suffix: &str, text: &str) -> Self {
        let name = new_name(suffix);
        let folder = match manager {
            SystemdManager::System => "/run/systemd/system",
            SystemdManager::User => "/run/systemd/user",
        };
        let known = fs::exists(folder).unwrap();
        fs::create_dir_all(folder).unwrap();
        let file = PathBuf::from(folder).join(&name);
        fs::write(&file, text).unwrap();
        let unit = Self { name, manager, file: Some(file), process: None };
        if !known {
            unit.systemctl(&["daemon-reload"]);
        }
        unit
    }

    fn transient(manager: SystemdManager, suffix: &str, words: &[&str]) -> Self {
        let unit = Self { name: new_name(suffix), manager, file: None, process: None };
        let mut command = unit.command("systemd-run");
        command.args(["--quiet", "--collect", &format!("--unit={}", unit.name)]).args(words);
        succeeded(&mut command);
        unit.wait_until("ActiveState", "active");
        unit
    }

    /// A unit of this one, where it is a template.
    pub fn instance(&self, instance: &str) -> String {
        self.name.replace("@.", &format!("@{instance}."))
    }

    /// A property as `systemctl show` has it.
    pub fn property(&self, name: &str) -> String {
        self.property_of(&self.name, name)
    }

    pub fn property_of(&self, unit: &str, name: &str) -> String {
        self.systemctl(&["show", "--value", "--property", name, unit])
    }

    /// What a file of its control group says.
    pub fn cgroup(&self, file: &str) -> String {
        let path = PathBuf::from(format!("/sys/fs/cgroup{}", self.property("ControlGroup"))).join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.trim_end().to_owned()
    }

    pub fn main_pid(&self) -> u32 {
        self.property("MainPID").parse().unwrap()
    }

    /// Runs `systemctl` on its manager, and gives what it prints.
    pub fn systemctl(&self, words: &[&str]) -> String {
        succeeded(self.command("systemctl").args(words))
    }

    pub fn wait_until(&self, property: &str, value: &str) {
        let end = Instant::now() + PATIENCE;
        while self.property(property) != value {
            assert!(Instant::now() < end, "{} of {} is {}", property, self.name, self.property(property));
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        if self.manager == SystemdManager::User {
            command.arg("--user").env("XDG_RUNTIME_DIR", "/run/user/0");
        }
        command
    }

    /// Its own name, or the pattern of its instances.
    fn all(&self) -> String {
        self.name.replace("@.", "@*.")
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        let all = self.all();
        for words in [["stop", &all], ["reset-failed", &all]] {
            let _ = self.command("systemctl").args(words).output();
        }
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        let stem = self.name.split(['.', '@']).next().unwrap_or_default();
        for folder in CONTROLS {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(stem) {
                    let _ = fs::remove_dir_all(entry.path());
                }
            }
        }
        if let Some(file) = &self.file {
            let _ = fs::remove_file(file);
        }
    }
}

/// A name that no other unit has, not even one of a former run.
fn new_name(suffix: &str) -> String {
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let at = if suffix.starts_with('@') { "" } else { "." };
    format!("e2e-{}x{number}{at}{suffix}", std::process::id())
}

/// What a program prints that has to succeed.
fn succeeded(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let words = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {words}");
    String::from_utf8_lossy(&stdout).trim_end().to_owned()
}

/// Runs `systemctl` on PID 1.
pub fn systemctl(words: &[&str]) {
    succeeded(Command::new("systemctl").args(words));
}
