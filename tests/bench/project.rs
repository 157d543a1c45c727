//! A Compose project on the real engine, gone when its measurement ends.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use docktor::clients::docker::{Action, Address, ContainerEvents, Engine};
use futures::StreamExt;
use serde_json::Value;

/// How long containers may take to run.
const DEADLINE: Duration = Duration::from_secs(60);
/// A container that only waits, and dies at once.
const IDLE: &str = "image: docktor-test/base, command: sleep 3600, stop_signal: SIGKILL";

pub struct Project {
    pub name: String,
    folder: tempfile::TempDir,
}

impl Project {
    /// A project with these services, of `replicas` replicas each, up. Its name begins with `dkb-`.
    pub fn up(label: &str, services: &[String], replicas: u32) -> Self {
        let name = format!("dkb-{label}-{}", std::process::id());
        let project = Self { name, folder: tempfile::tempdir().expect("a folder") };
        let lines =
            services.iter().map(|it| format!("  {it}: {{{IDLE}, deploy: {{replicas: {replicas}}}}}\n"));
        let text = format!("services:\n{}", lines.collect::<String>());
        std::fs::write(project.folder.path().join("compose.yaml"), text).expect("a file");
        project.compose(&["up", "-d"]);
        project
    }

    /// Runs `docker compose` on it.
    pub fn compose(&self, arguments: &[&str]) {
        let mut command = Command::new("docker");
        command
            .args(["compose", "-p", &self.name, "--project-directory"])
            .arg(self.folder.path())
            .args(arguments);
        let output =
            command.env("DOCKER_HOST", docker_host()).output().expect("the docker client is installed");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker compose {arguments:?}: {error}");
    }

    /// Its containers, as the engine lists them.
    pub async fn containers(&self, engine: &Engine) -> Vec<Value> {
        let label = format!("com.docker.compose.project={}", self.name);
        engine.containers(&[label]).await.expect("the engine answers")
    }

    /// Waits until so many of its containers have started, as the engine tells it: a list may wait for starts.
    pub async fn until_started(&self, events: &mut ContainerEvents, count: usize) {
        let starts = async {
            let mut started = 0;
            while started < count {
                let event = events.next().await.expect("the engine goes on").expect("an event");
                started += usize::from(event.project == self.name && event.action == Action::Start);
            }
        };
        tokio::time::timeout(DEADLINE, starts).await.expect("they start in time");
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.compose(&["down", "-v", "-t", "0"]);
    }
}

/// The engine that `DOCKER_HOST` names.
pub fn engine() -> Arc<Engine> {
    let address: Address = docker_host().parse().expect("DOCKER_HOST is an address");
    Arc::new(Engine::new(address))
}

pub fn docker_host() -> String {
    std::env::var("DOCKER_HOST").expect("DOCKER_HOST names an engine; `make bench` sees to it")
}

/// A runtime as docktor's own, for calls of the engine.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}
