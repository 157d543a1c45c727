//! A Compose project on the real engine, made by the real Compose, gone when the test ends.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use docktor::actuators::compose::{Compose, ComposeService};
use docktor::actuators::{Actuator, Observed};
use docktor::api::target::ComposeTarget;
use docktor::clients::docker::{Address, Engine};
use docktor::model::change::ChangeId;
use docktor::model::key::PolicyKey;
use docktor::model::observation::{Replica, ReplicaId};
use serde_json::Value;

/// The image that all services of tests run: busybox.
pub const IMAGE: &str = "docktor-test/base";

/// A Compose project with a name of its own.
pub struct Project {
    pub name: String,
    pub folder: tempfile::TempDir,
    pub engine: Arc<Engine>,
    /// Where that engine listens.
    pub host: String,
}

/// Where the engine listens that tests use.
pub fn docker_host() -> String {
    std::env::var("DOCKTOR_TEST_DOCKER")
        .or_else(|_| std::env::var("DOCKER_HOST"))
        .expect("component tests need an engine: set DOCKER_HOST or DOCKTOR_TEST_DOCKER")
}

/// The engine that tests use.
pub fn engine() -> Engine {
    engine_at(&docker_host())
}

fn engine_at(host: &str) -> Engine {
    Engine::new(host.parse::<Address>().unwrap())
}

/// Runs `docker` and gives what it prints.
pub fn docker(arguments: &[&str]) -> String {
    try_docker(arguments).unwrap_or_else(|error| panic!("docker {}: {error}", arguments.join(" ")))
}

pub fn try_docker(arguments: &[&str]) -> Result<String, String> {
    try_docker_at(&docker_host(), arguments)
}

fn try_docker_at(host: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("docker")
        .args(arguments)
        .env("DOCKER_HOST", host)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

impl Project {
    /// A project of these services, in Compose's own words, not yet up. `label` tells it from those of other tests.
    pub fn new(label: &str, text: &str) -> Self {
        Self::named(format!("dkc-{label}-{}", std::process::id()), docker_host(), text)
    }

    /// A project of that name on the engine at `host`, not yet up.
    pub fn named(name: String, host: String, text: &str) -> Self {
        let engine = Arc::new(engine_at(&host));
        let project = Self { name, folder: tempfile::tempdir().unwrap(), engine, host };
        project.write(text);
        project
    }

    /// A project that is up.
    pub fn up(label: &str, text: &str) -> Self {
        let project = Self::new(label, text);
        project.compose(&["up", "-d"]);
        project
    }

    /// Replaces the project's file. `IDLE` stands for an image and a command that waits, and dies at once.
    pub fn write(&self, text: &str) {
        let idle = format!("image: {IMAGE}, command: sleep 3600, stop_signal: SIGKILL");
        std::fs::write(self.file(), text.replace("IDLE", &idle).replace("PROJECT", &self.name)).unwrap();
    }

    pub fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("compose.yaml")
    }

    /// Runs `docker compose` on it and gives what it prints.
    pub fn compose(&self, arguments: &[&str]) -> String {
        let file = self.file();
        let mut all = vec!["compose", "-p", &self.name, "-f", file.to_str().unwrap()];
        all.extend(arguments);
        self.docker(&all)
    }

    /// Runs `docker` on its engine and gives what it prints.
    pub fn docker(&self, arguments: &[&str]) -> String {
        try_docker_at(&self.host, arguments)
            .unwrap_or_else(|error| panic!("docker {}: {error}", arguments.join(" ")))
    }

    pub fn target(&self, service: &str) -> ComposeTarget {
        ComposeTarget {
            project: self.name.clone(),
            service: service.to_owned(),
            docker: None,
            strategy: None,
            delete_anonymous_volumes: None,
            stateful: None,
        }
    }

    pub fn service(&self, service: &str) -> ComposeService {
        Compose::new(self.engine.clone()).service(self.target(service))
    }

    /// Ids of a service's containers in every state, by number; asked of the engine, not of docktor.
    pub fn ids(&self, service: &str) -> Vec<String> {
        self.replicas(service).into_iter().map(|(_, id)| id).collect()
    }

    /// Number and id of a service's containers in every state, by number; asked of the engine, not of docktor.
    pub fn replicas(&self, service: &str) -> Vec<(u32, String)> {
        let mut listed: Vec<(u32, String)> = self
            .docker(&[
                "ps",
                "-a",
                "--no-trunc",
                "--format",
                "{{.ID}} {{.Label \"com.docker.compose.container-number\"}}",
                "--filter",
                &format!("label=com.docker.compose.project={}", self.name),
                "--filter",
                &format!("label=com.docker.compose.service={service}"),
            ])
            .lines()
            .map(|line| {
                let (id, number) = line.split_once(' ').unwrap_or((line, ""));
                (number.parse().unwrap_or(0), id.to_owned())
            })
            .collect();
        listed.sort();
        listed
    }

    /// Numbers of a service's containers in every state, in order; asked of the engine, not of docktor.
    pub fn all_numbers(&self, service: &str) -> Vec<u32> {
        self.replicas(service).into_iter().map(|(number, _)| number).collect()
    }

    /// Numbers of the running replicas as Compose lists them.
    pub fn numbers(&self, service: &str) -> Vec<u32> {
        let listed = self.compose(&["ps", "--format", "json", service]);
        let mut numbers: Vec<u32> = listed
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|it| it["Name"].as_str().unwrap().rsplit(['-', '_']).next().unwrap().parse().unwrap())
            .collect();
        numbers.sort_unstable();
        numbers
    }
}

impl Drop for Project {
    /// Removes all of it, also what `down` leaves behind: containers whose labels are amiss, networks that were
    /// in use a moment ago, anonymous volumes that a recreated container inherited.
    fn drop(&mut self) {
        let list = |arguments: &[&str]| -> Vec<String> {
            let listed = try_docker_at(&self.host, arguments).unwrap_or_default();
            listed.split_whitespace().map(str::to_owned).collect()
        };
        let remove = |command: &[&str], ids: Vec<String>| {
            ids.iter().for_each(|id| drop(try_docker_at(&self.host, &[command, &[id]].concat())));
        };
        let name = format!("name=^{}", self.name);
        let containers = list(&["ps", "-aq", "--filter", &name]);
        let mounts = "{{range .Mounts}}{{if eq .Type \"volume\"}}{{.Name}} {{end}}{{end}}";
        let volumes = containers.iter().flat_map(|id| list(&["inspect", "--format", mounts, id])).collect();
        let down = ["compose", "-p", &self.name, "down", "-v", "-t", "0", "--remove-orphans"];
        let _ = try_docker_at(&self.host, &down);
        remove(&["rm", "-fv"], list(&["ps", "-aq", "--filter", &name]));
        remove(&["volume", "rm"], volumes);
        remove(&["network", "rm"], list(&["network", "ls", "-q", "--filter", &name]));
    }
}

/// Grows as a policy named `test` would, in a change of that name.
pub async fn grow(service: &ComposeService, change: &str, count: u32) -> Vec<ReplicaId> {
    service.grow(&PolicyKey::new("test"), &ChangeId::new(change), count).await.unwrap()
}

pub async fn observe(service: &ComposeService) -> Observed {
    service.observe(&[]).await.unwrap()
}

pub fn replica(observed: &Observed, number: u32) -> &Replica {
    observed.replicas.iter().find(|it| it.number == number).unwrap()
}

pub fn numbers(observed: &Observed) -> Vec<u32> {
    observed.replicas.iter().map(|it| it.number).collect()
}

pub async fn inspect(project: &Project, id: &str) -> Value {
    project.engine.inspect(id).await.unwrap()
}

/// Waits until it holds, for half a minute at most.
pub async fn eventually(holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "it never came to hold");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
