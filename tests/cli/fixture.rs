//! A fake controller behind the real server, and runs of the real client.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use docktor::admin::Admin;
use docktor::admin::order::{AdminError, Order};
use docktor::admin::view::{AnswerRequest, PolicyView};
use docktor::clock::Clock;
use docktor::history::Archive;
use docktor::http::Services;
use docktor::http::access::Token;
use docktor::http::server::{SocketServer, TcpServer};
use docktor::model::approval::Approvals;
use docktor::model::key::PolicyKey;
use docktor::telemetry::event::{Event, Events};
use docktor::telemetry::metrics::Metrics;
use docktor::units::{Duration, Timestamp};
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// What the fake controller answers to orders for a policy of this name.
pub const STUBBORN: &str = "stubborn";

/// A server on a socket and on TCP in a thread of its own, with a fake controller behind it.
pub struct Fixture {
    pub folder: TempDir,
    pub admin: Admin,
    pub events: Arc<Events>,
    pub orders: Arc<Mutex<Vec<Order>>>,
    pub port: u16,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Fixture {
    /// With no policy and no token.
    pub fn start() -> Self {
        Self::with_token(None)
    }

    /// With no policy.
    pub fn with_token(token: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        let (admin, mut received) = Admin::with_history(Archive::at(folder.path()));
        let metrics = Arc::new(Metrics::new("0.0.0"));
        let token = token.map(|token| {
            let file = folder.path().join("token");
            std::fs::write(&file, token).unwrap();
            Token::read(&file).unwrap()
        });
        let (announce, announced) = std::sync::mpsc::channel();
        let orders = Arc::new(Mutex::new(Vec::new()));
        let stop = CancellationToken::new();

        let socket = folder.path().join("run/docktor.sock");
        let (served, kept, ended) = (admin.clone(), Arc::clone(&orders), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let events = Arc::new(Events::new(Clock::system(), Arc::clone(&metrics)));
                let services =
                    Services { admin: served.clone(), events: Arc::clone(&events), metrics, stop: ended };
                let on_socket = SocketServer::bind(&socket).await.unwrap();
                let on_tcp = TcpServer::bind("127.0.0.1:0", token).await.unwrap();
                announce.send((on_tcp.address().port(), events)).unwrap();
                let controller = tokio::spawn(async move {
                    while let Some(submission) = received.recv().await {
                        kept.lock().unwrap().push(submission.order.clone());
                        let answer = answer(&served, &submission.order);
                        submission.answer(answer);
                    }
                });
                tokio::join!(on_socket.serve(services.clone()), on_tcp.serve(services));
                controller.abort();
            });
        });
        let (port, events) = announced.recv().unwrap();
        Self { folder, admin, events, orders, port, stop, thread: Some(thread) }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("run/docktor.sock")
    }

    /// Run `docktorctl --socket … arguments`.
    pub fn docktorctl(&self, arguments: &[&str]) -> Run {
        let socket = self.socket();
        let mut all = vec!["--socket", socket.to_str().unwrap()];
        all.extend(arguments);
        docktorctl(&all, self.folder.path())
    }

    /// End the server and wait for it.
    pub fn stop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// A policy that scales up, one that is idle, one that is invalid.
    pub fn three_policies(&self) {
        self.admin.publish(web());
        self.admin.publish(api());
        self.admin.publish(broken());
        self.events.emit(&Event::HoldEnded { policy: PolicyKey::new("web") });
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.stop();
    }
}

fn answer(admin: &Admin, order: &Order) -> Result<(), AdminError> {
    let (Order::Hold { key, .. }
    | Order::Resume { key, .. }
    | Order::Answer { key, .. }
    | Order::SetMode { key, .. }) = order
    else {
        return Ok(());
    };
    match admin.policy(key) {
        None => Err(AdminError::NotFound { name: key.to_string() }),
        Some(_) if key.as_str() == STUBBORN => {
            Err(AdminError::Refused { reason: "the policy is invalid; mend its text first".to_owned() })
        }
        Some(view) => match order {
            Order::Answer { request, by, .. } => {
                let mut approvals = Approvals::default();
                approvals.proposal.clone_from(&view.proposal);
                let AnswerRequest { id, verdict, reason } = request;
                let now = Clock::system().now();
                Ok(approvals.answer(id, *verdict, by, reason.as_deref(), now).map(drop)?)
            }
            _ => Ok(()),
        },
    }
}

/// A program that ran.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("the program ends by itself"),
            stdout: String::from_utf8(output.stdout).expect("output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("messages are UTF-8"),
        }
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// The client with nothing of this machine's settings.
pub fn command(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_docktorctl"));
    command.env_clear().env("HOME", home).env("XDG_RUNTIME_DIR", home).current_dir(home);
    command.stdin(Stdio::null());
    command
}

pub fn docktorctl(arguments: &[&str], home: &Path) -> Run {
    command(home).args(arguments).output().unwrap().into()
}

/// What a run printed, without this machine's paths, the time, and the version.
pub fn redacted(run: &Run, folder: &Path) -> String {
    let text = run.to_string().replace(folder.to_str().unwrap(), "[DIR]");
    let text = text.replace(env!("CARGO_PKG_VERSION"), "[VERSION]");
    let words = text.split_inclusive([' ', '\n', '(', ')']).map(|word| {
        let bare = word.trim_end_matches([' ', '\n', '(', ')', ',', ':']);
        if bare.contains('T') && bare.parse::<Timestamp>().is_ok() {
            word.replace(bare, "[TIME]")
        } else {
            word.to_owned()
        }
    });
    words.collect::<String>().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// So long ago that a second more or less does not show in an age.
pub fn ago(seconds: u64) -> Timestamp {
    Clock::system().now().minus(Duration::from_secs(seconds))
}

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

pub fn web() -> PolicyView {
    let decision = |seconds: u64, action: &str, from: u32, to: u32, reason: &str| {
        json!({
            "time": ago(seconds), "action": action, "from": from, "to": to, "reason": reason,
            "trail": [
                {"stage": "observe", "replicas": from, "message": "cpu.avg 89.3 over 2 replicas, queue.backlog 620"},
                {"stage": "recommend", "replicas": to, "message": "scaleUp: cpu.avg 89.3 > 75, step +2"},
                {"stage": "limit", "replicas": to, "message": "100 % or 4 replicas in 15s allow it"},
                {"stage": "bound", "replicas": to, "message": "within 2 ≤ n ≤ 10"},
                {"stage": "gate", "message": "mode Auto"},
            ],
        })
    };
    let last = decision(2 * HOUR, "ScaleUp", 2, 4, "cpu.avg 89.3 > 75");
    serde_json::from_value(json!({
        "apiVersion": "docktor.dev/v1", "kind": "ScalingPolicy", "mode": "Auto",
        "metadata": {
            "name": "web", "generation": 3, "labels": {"tier": "front", "team": "shop"},
            "creationTimestamp": ago(3 * DAY + 4 * HOUR + 600),
        },
        "spec": {
            "target": {"compose": {"project": "shop", "service": "web"}},
            "replicas": {"min": 2, "max": 10},
            "scaleUp": {"rules": [{"metric": "cpu.avg", "op": ">", "value": 75.0}], "step": "+2"},
        },
        "status": {
            "observedGeneration": 3,
            "source": {"file": "shop/web.yaml", "document": 0, "sha256": "5e55"},
            "phase": "ScalingUp",
            "replicas": {"current": 2, "ready": 2, "desired": 4, "min": 2, "max": 10},
            "metrics": {"cpu.avg": 89.3, "queue.backlog": 620.0},
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "Reconciled", "message": "all is well",
                 "lastTransitionTime": ago(3 * DAY + 4 * HOUR + 600)},
                {"type": "Reconciling", "status": "True", "reason": "Starting", "message": "2 replicas start",
                 "lastTransitionTime": ago(2 * HOUR)},
            ],
            "lastDecision": last, "lastScaleTime": ago(2 * HOUR),
        },
        "signals": [
            {"metric": "cpu.avg", "value": 89.3, "threshold": 75.0},
            {"metric": "queue.backlog", "value": 620.0, "threshold": 500.0},
            {"metric": "latency", "threshold": 0.25},
        ],
        "decisions": [decision(4 * HOUR, "ScaleDown", 3, 2, "cpu.avg 12 < 20 for 10 evaluations"), last],
    }))
    .unwrap()
}

pub fn api() -> PolicyView {
    serde_json::from_value(json!({
        "apiVersion": "docktor.dev/v1", "kind": "ScalingPolicy", "mode": "Observe",
        "metadata": {"name": "api", "generation": 1, "labels": {"tier": "back"}, "creationTimestamp": ago(25 * HOUR + 600)},
        "spec": {
            "target": {"compose": {"project": "shop", "service": "api"}},
            "mode": "Observe", "replicas": {"max": 4},
        },
        "status": {
            "observedGeneration": 1,
            "source": {"file": "shop/api.yml", "document": 0, "sha256": "a91"},
            "phase": "Held",
            "replicas": {"current": 1, "ready": 1, "desired": 1, "min": 1, "max": 4},
            "conditions": [],
        },
        "hold": {"direction": "Up", "until": "2999-01-01T00:00:00Z", "reason": "load test", "by": "ada (uid 1000)"},
    }))
    .unwrap()
}

/// One that waits for a person.
pub fn careful() -> PolicyView {
    serde_json::from_value(json!({
        "apiVersion": "docktor.dev/v1", "kind": "ScalingPolicy", "mode": "Approve",
        "metadata": {"name": "careful-web", "generation": 1, "creationTimestamp": ago(25 * HOUR + 600)},
        "spec": {
            "target": {"compose": {"project": "shop", "service": "careful"}},
            "mode": "Approve", "replicas": {"max": 4},
        },
        "status": {
            "observedGeneration": 1,
            "source": {"file": "shop/careful.yaml", "document": 0, "sha256": "c0"},
            "phase": "AwaitingApproval",
            "replicas": {"current": 2, "ready": 2, "desired": 2, "min": 1, "max": 4},
            "conditions": [],
        },
        "proposal": {
            "id": "careful-web-7f3k", "plan": {"from": 2, "to": 4}, "reason": "cpu.avg 89.3 > 75",
            "since": ago(2 * HOUR), "until": "2999-01-01T00:00:00Z",
        },
    }))
    .unwrap()
}

pub fn broken() -> PolicyView {
    serde_json::from_value(json!({
        "apiVersion": "docktor.dev/v1", "kind": "ScalingPolicy", "mode": "Auto",
        "metadata": {"name": STUBBORN, "generation": 0},
        "status": {
            "observedGeneration": 0,
            "source": {"file": "broken.yaml", "document": 1, "sha256": "0"},
            "phase": "Invalid",
            "conditions": [{"type": "Ready", "status": "False", "reason": "InvalidPolicy",
                            "message": "the text has 1 mistake", "lastTransitionTime": ago(DAY)}],
        },
        "mistakes": ["error: `replicas.max` is missing\n --> broken.yaml:7:3 (spec.replicas)"],
    }))
    .unwrap()
}
