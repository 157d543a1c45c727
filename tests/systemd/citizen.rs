//! docktor as a service of systemd: ready, watched, reloaded, started by its socket, logging to the journal, and
//! without any right but those of its rule. What is tested is what `make install` installs.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::program;

/// How long anything may take; the machine is slow.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often to look whether it has come to hold.
const GLANCE: Duration = Duration::from_millis(250);
/// There is one docktor.service; who tests it holds this.
const LOCK: &str = "/run/docktor-citizen.lock";
/// What a service of these tests is called.
const UNIT: &str = "citizen-work.service";
/// A policy whose target nobody can reach, so that its first pass ends with a warning.
const POLICY: &str = "apiVersion: docktor.dev/v1
kind: ScalingPolicy
metadata: {name: web}
spec:
  target: {compose: {project: citizen, service: web}}
  replicas: {min: 1, max: 3}
  scaleUp: {rules: [{metric: cpu.avg, op: '>', value: 80}]}
";

/// A policy that raises the tasks of the unit at its first pass.
const RAISE: &str = "apiVersion: docktor.dev/v1
kind: ScalingPolicy
metadata: {name: work}
spec:
  target: {systemd: {unit: citizen-work.service}}
  interval: 2s
  warmUp: 0s
  readinessDelay: 0s
  resources: {tasksMax: {min: 100, max: 150}}
  scaleUp: {rules: [{metric: tasks.avg, op: '>', value: 0}], step: x1.5}
  safety: {verify: 2s}
";

/// docktor, installed; gone with all its traces when dropped. systemd forgets units that are not running and reads
/// their files anew, so no `daemon-reload` is needed, which takes seconds here.
struct Installed {
    files: Vec<PathBuf>,
    _lock: File,
}

impl Installed {
    /// With one policy, and not running.
    fn new() -> Self {
        let lock = File::create(LOCK).unwrap();
        lock.lock().unwrap();
        let root = program("root");
        let mut files: Vec<_> = files_below(&root);
        for file in &files {
            copy(&root.join(file), &Path::new("/").join(file));
        }
        for name in ["docktor", "docktorctl"] {
            let file = PathBuf::from("usr/bin").join(name);
            copy(&program(name), &Path::new("/").join(&file));
            files.push(file);
        }
        let installed = Self { files, _lock: lock };
        run(&["systemd-sysusers", "/usr/lib/sysusers.d/docktor.conf"]);
        run(&["systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/docktor.conf"]);
        fs::write("/etc/docktor/policies/web.yaml", POLICY).unwrap();
        installed
    }

    /// The same, and `docktor.service` has said that it is ready.
    fn running() -> Self {
        let installed = Self::new();
        run(&["systemctl", "start", "docktor.service"]);
        installed
    }

    /// Settings of `docktor.service` or `docktor.socket`, before it runs, on top of those that are installed.
    fn drop_in(&self, unit: &str, text: &str) {
        let folder = PathBuf::from(format!("/run/systemd/system/{unit}.d"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("citizen.conf"), text).unwrap();
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        try_run(&["systemctl", "stop", "docktor.socket", "docktor.service", UNIT]);
        try_run(&["systemctl", "reset-failed", "docktor.service"]);
        for file in &self.files {
            let _ = fs::remove_file(Path::new("/").join(file));
        }
        for folder in ["/etc/docktor", "/var/lib/docktor", "/run/docktor"] {
            let _ = fs::remove_dir_all(folder);
        }
        for unit in ["docktor.service", "docktor.socket"] {
            let _ = fs::remove_dir_all(format!("/run/systemd/system/{unit}.d"));
        }
        try_run(&["userdel", "docktor"]);
    }
}

fn files_below(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                files.push(entry.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let _ = fs::remove_file(to);
    fs::copy(from, to).unwrap();
}

fn try_run(words: &[&str]) -> Output {
    Command::new(words[0]).args(&words[1..]).env("SYSTEMD_COLORS", "0").output().unwrap()
}

/// Standard output of a command that must succeed.
fn run(words: &[&str]) -> String {
    let output = try_run(words);
    assert!(output.status.success(), "{words:?}: {output:?}\n{}", story());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What both outputs of a command say that must fail.
fn refusal(words: &[&str]) -> String {
    let output = try_run(words);
    assert!(!output.status.success(), "{words:?} succeeded");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// What a person would want to see when it went wrong.
fn story() -> String {
    let output = try_run(&["journalctl", "-u", "docktor.service", "-n", "30", "--no-pager", "-o", "short"]);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn property(unit: &str, name: &str) -> String {
    run(&["systemctl", "show", "-P", name, unit])
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in {PATIENCE:?}: {what}\n{}", story());
        std::thread::sleep(GLANCE);
    }
}

/// As user `docktor`, who has no rights of his own.
fn as_docktor<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [&["runuser", "-u", "docktor", "--"], words].concat()
}

/// As user `tester`, whose service manager runs.
fn as_tester<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let environment = [
        "runuser",
        "-u",
        "tester",
        "--",
        "env",
        "HOME=/home/tester",
        "XDG_RUNTIME_DIR=/run/user/1000",
        "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus",
    ];
    [&environment, words].concat()
}

/// The entries of docktor's log since its service was started last, oldest first.
fn journal() -> Vec<Value> {
    let invocation = format!("_SYSTEMD_INVOCATION_ID={}", property("docktor.service", "InvocationID"));
    let text = run(&["journalctl", "-o", "json", "--no-pager", &invocation, "SYSLOG_IDENTIFIER=docktor"]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn systemd_finds_no_fault_with_the_units() {
    let _installed = Installed::new();
    for unit in ["docktor.service", "docktor.socket"] {
        let output = try_run(&["systemd-analyze", "--man=no", "verify", unit]);
        assert!(output.status.success() && output.stderr.is_empty(), "{unit}: {output:?}");
        let user = format!("/usr/lib/systemd/user/{unit}");
        let output = try_run(&as_tester(&["systemd-analyze", "--man=no", "--user", "verify", &user]));
        assert!(output.status.success() && output.stderr.is_empty(), "{user}: {output:?}");
    }
    // In tenths: it fails when the exposure is above 2.0.
    run(&["systemd-analyze", "security", "--no-pager", "--threshold=20", "docktor.service"]);
}

#[test]
fn docktor_is_ready_after_the_first_pass_and_says_how_policies_fare() {
    let _installed = Installed::running();
    let status = fs::read_to_string("/var/lib/docktor/status/web.status.yaml").unwrap();
    assert!(status.contains("phase: Degraded"), "{status}");
    until("the status line", || property("docktor.service", "StatusText") == "1 policy, 1 fails: web");
    let pid = property("docktor.service", "MainPID");
    assert_eq!(run(&["ps", "-o", "user=", "-p", &pid]), "docktor");
    assert_eq!(run(&["docktorctl", "get", "policies", "-o", "name"]), "policy/web");

    run(&["systemctl", "stop", "docktor.service"]);
    assert_eq!(property("docktor.service", "Result"), "success");
}

#[test]
fn a_docktor_that_hangs_is_ended_and_the_next_one_knows_what_was_held() {
    let installed = Installed::new();
    installed.drop_in("docktor.service", "[Service]\nWatchdogSec=8s\n");
    run(&["systemctl", "start", "docktor.service"]);
    run(&["docktorctl", "hold", "web", "--for", "1h"]);
    let pid = property("docktor.service", "MainPID");
    std::thread::sleep(Duration::from_secs(20));
    assert_eq!(property("docktor.service", "MainPID"), pid, "it was ended though it lived\n{}", story());

    run(&["kill", "-STOP", &pid]);
    until("another docktor runs", || {
        property("docktor.service", "NRestarts") == "1"
            && property("docktor.service", "ActiveState") == "active"
    });
    assert_ne!(property("docktor.service", "MainPID"), pid);
    assert!(story().contains("Watchdog timeout"), "{}", story());
    let policy = run(&["docktorctl", "get", "policy", "web", "-o", "json"]);
    let policy: Value = serde_json::from_str(&policy).unwrap();
    assert!(policy["hold"].is_object(), "{policy}");
}

#[test]
fn a_reload_reads_the_folder_and_a_restart_keeps_its_memory() {
    let _installed = Installed::running();
    let pid = property("docktor.service", "MainPID");
    let other = POLICY.replace("name: web", "name: api").replace("service: web", "service: api");
    fs::write("/etc/docktor/policies/api.yaml", other).unwrap();
    run(&["systemctl", "reload", "docktor.service"]);
    assert_eq!(property("docktor.service", "MainPID"), pid);
    assert_eq!(property("docktor.service", "ActiveState"), "active");
    until("both policies are there", || {
        run(&["docktorctl", "get", "policies", "-o", "name"]) == "policy/api\npolicy/web"
    });

    run(&["docktorctl", "mode", "web", "Observe"]);
    run(&["systemctl", "restart", "docktor.service"]);
    assert_ne!(property("docktor.service", "MainPID"), pid);
    let policy = run(&["docktorctl", "get", "policy", "web", "-o", "json"]);
    let policy: Value = serde_json::from_str(&policy).unwrap();
    assert_eq!(policy["mode"], "Observe", "{policy}");
}

#[test]
fn the_first_client_of_the_socket_starts_docktor_and_a_restart_loses_no_client() {
    let _installed = Installed::new();
    run(&["systemctl", "start", "docktor.socket"]);
    assert_eq!(property("docktor.service", "ActiveState"), "inactive");
    assert_eq!(run(&["stat", "-c", "%U %G %a", "/run/docktor/docktor.sock"]), "docktor docktor 660");
    let socket = run(&["stat", "-c", "%i", "/run/docktor/docktor.sock"]);

    // The first answer may come before the first pass, and knows no policy then.
    until("docktor answers", || {
        try_run(&["docktorctl", "get", "policies", "-o", "name"]).stdout == b"policy/web\n"
    });
    until("docktor is ready", || property("docktor.service", "ActiveState") == "active");
    run(&["systemctl", "restart", "docktor.service"]);
    assert_eq!(run(&["docktorctl", "get", "policies", "-o", "name"]), "policy/web");
    assert_eq!(run(&["stat", "-c", "%i", "/run/docktor/docktor.sock"]), socket);
    let stranger = refusal(&as_tester(&["docktorctl", "get", "policies"]));
    assert!(stranger.contains("ermission denied"), "{stranger}");

    run(&["systemctl", "stop", "docktor.socket", "docktor.service"]);
    assert!(!Path::new("/run/docktor/docktor.sock").exists());
}

#[test]
fn tcp_too_can_be_passed_and_its_token_be_a_credential() {
    let installed = Installed::new();
    fs::write("/etc/docktor/token", "0123456789abcdef").unwrap();
    run(&["chmod", "600", "/etc/docktor/token"]);
    installed.drop_in("docktor.socket", "[Socket]\nListenStream=127.0.0.1:19787\n");
    installed.drop_in(
        "docktor.service",
        "[Service]\nLoadCredential=token:/etc/docktor/token\nEnvironment=DOCKTOR_TOKEN_FILE=%d/token\n",
    );
    run(&["systemctl", "start", "docktor.socket"]);
    run(&["systemctl", "start", "docktor.service"]);
    assert!(http("GET /healthz", "").starts_with("HTTP/1.1 200"));
    assert!(http("DELETE /api/v1/hold", "").starts_with("HTTP/1.1 401"));
    let answer = http("DELETE /api/v1/hold", "Authorization: Bearer 0123456789abcdef\r\n");
    assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
}

fn http(request: &str, header: &str) -> String {
    let mut stream = TcpStream::connect("127.0.0.1:19787").unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}Connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_journal_has_the_line_its_priority_and_every_field() {
    let _installed = Installed::running();
    let entries = journal();
    let find = |event: &str| {
        let found = entries.iter().find(|it| it["DOCKTOR_EVENT"] == event);
        found.unwrap_or_else(|| panic!("no {event}\n{}", story()))
    };
    let started = find("Started");
    assert_eq!(started["PRIORITY"], "6");
    assert_eq!(started["DOCKTOR_VERSION"], env!("CARGO_PKG_VERSION"));
    assert_eq!(started["MESSAGE"], format!("Started version=\"{}\"", env!("CARGO_PKG_VERSION")));
    let degraded = find("Degraded");
    assert_eq!(degraded["PRIORITY"], "4");
    assert_eq!(degraded["DOCKTOR_POLICY"], "web");
    assert!(degraded["MESSAGE"].as_str().unwrap().contains("Degraded"), "{degraded}");
}

#[test]
fn without_the_rule_docktor_may_change_nothing_and_with_it_only_what_it_needs() {
    let installed = Installed::new();
    run(&["systemd-run", "--unit", UNIT, "sleep", "1d"]);
    let manager = [
        "busctl",
        "call",
        "org.freedesktop.systemd1",
        "/org/freedesktop/systemd1",
        "org.freedesktop.systemd1.Manager",
    ];
    let call = |words: &[&'static str]| as_docktor(&[&manager, words].concat());
    let limit = call(&["SetUnitProperties", "sba(sv)", UNIT, "true", "1", "TasksMax", "t", "123"]);
    run(&limit);
    assert_eq!(property(UNIT, "TasksMax"), "123");
    let pid = property(UNIT, "MainPID");
    run(&call(&["RestartUnit", "ss", UNIT, "replace"]));
    until("it was restarted", || property(UNIT, "MainPID") != pid);

    for refused in [
        &call(&["StartUnit", "ss", "multi-user.target", "replace"]),
        &call(&["StartUnit", "ss", "systemd-tmpfiles-clean.service", "replace"]),
        &call(&["KillUnit", "ssi", UNIT, "main", "15"]),
        &call(&["ReloadUnit", "ss", UNIT, "replace"]),
        &call(&["Reload"]),
    ] {
        let message = refusal(refused);
        assert!(
            message.contains("authentication required") || message.contains("Access denied"),
            "{message}"
        );
    }

    let rule = installed.files.iter().find(|it| it.ends_with("49-docktor.rules")).unwrap();
    fs::remove_file(Path::new("/").join(rule)).unwrap();
    until("the rule is forgotten", || !try_run(&limit).status.success());
    let message = refusal(&limit);
    assert!(message.contains("authentication required") || message.contains("Access denied"), "{message}");
}

#[test]
fn docktor_itself_says_what_is_missing_without_the_rule_and_changes_the_limit_with_it() {
    let _installed = Installed::new();
    let rule = Path::new("/etc/polkit-1/rules.d/49-docktor.rules");
    fs::remove_file(rule).unwrap();
    run(&["systemd-run", "--unit", UNIT, "-p", "TasksMax=100", "sleep", "1d"]);
    let pid = property(UNIT, "MainPID");
    fs::write("/etc/docktor/policies/web.yaml", RAISE).unwrap();
    run(&["systemctl", "start", "docktor.service"]);

    let status = || fs::read_to_string("/var/lib/docktor/status/web.status.yaml").unwrap_or_default();
    until("the status says what is missing", || status().contains("PermissionDenied"));
    assert!(status().contains("polkit rule"), "{}", status());
    assert_eq!(property(UNIT, "TasksMax"), "100");

    copy(&program("root/etc/polkit-1/rules.d/49-docktor.rules"), rule);
    until("the limit is raised", || {
        try_run(&["docktorctl", "resume", "work"]);
        property(UNIT, "TasksMax") == "150"
    });
    assert_eq!(property(UNIT, "MainPID"), pid);
}

#[test]
fn a_user_runs_docktor_under_the_own_service_manager() {
    let _installed = Installed::new();
    let folders = ["/home/tester/.config/docktor", "/home/tester/.local/state/docktor"];
    run(&as_tester(&["mkdir", "-p", "/home/tester/.config/docktor/policies"]));
    run(&as_tester(&["cp", "/etc/docktor/policies/web.yaml", "/home/tester/.config/docktor/policies"]));
    run(&as_tester(&["systemctl", "--user", "start", "docktor.socket", "docktor.service"]));
    let listed = try_run(&as_tester(&["docktorctl", "get", "policies", "-o", "name"]));
    let sidecar = Path::new("/home/tester/.config/docktor/policies/web.status.yaml").exists();
    run(&as_tester(&["systemctl", "--user", "stop", "docktor.socket", "docktor.service"]));
    folders.iter().for_each(|it| fs::remove_dir_all(it).unwrap());
    assert_eq!(String::from_utf8_lossy(&listed.stdout).trim(), "policy/web", "{listed:?}");
    assert!(sidecar);
}
