//! A Docker engine over its HTTP API: the few calls that docktor makes, each with a deadline.
//!
//! **bollard** makes every call that docktor only orders or reads a few fields of: `version`, `connect`, `start`,
//! `stop`, `restart`, `remove`, `stats`, `events`. **JSON** passes through docktor wherever it must arrive as the engine wrote
//! it: `list`, `inspect`, image, `changes`, `create` and `update`, as one odd container must not spoil a list, and a replica
//! is cloned with all that its donor has, known to bollard's generated types or not. `info` is JSON too: those
//! types refuse the whole answer for one unheard word, such as a new cgroup driver.
//!
//! Both go the same way, in `transport`, and fail with the same [`EngineError`].

mod address;
mod error;
mod events;
mod json;
mod transport;
mod version;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::NetworkConnectRequest;
pub use bollard::models::{
    ContainerBlkioStats as DiskStats, ContainerNetworkStats as InterfaceStats,
    ContainerStatsResponse as Stats,
};
use bollard::query_parameters::{RemoveContainerOptions, StatsOptions};
use futures::StreamExt;
use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::time::timeout;

pub use self::address::{Address, AddressError};
pub use self::error::EngineError;
pub use self::events::{Action, ContainerEvent, ContainerEvents};
use self::json::Call;
use self::transport::Line;
pub use self::version::{ApiVersion, VersionError};
use crate::model::observation::HostCapacity;

/// Longest wait for an answer that the engine has at hand.
const READ_DEADLINE: Duration = Duration::from_secs(10);

/// Longest wait for a change: making, starting or removing a container, comparing its files.
const CHANGE_DEADLINE: Duration = Duration::from_secs(60);

/// What stopping may take beyond the container's own grace period.
const STOP_MARGIN: Duration = Duration::from_secs(20);

/// Where Linux says which kernel it is.
const KERNEL_RELEASE: &str = "/proc/sys/kernel/osrelease";

/// A Docker engine. Cheap to share behind an `Arc`; it holds no connection, only what was agreed.
#[derive(Debug)]
pub struct Engine {
    address: Address,
    pinned: Option<ApiVersion>,
    known: Mutex<Known>,
}

/// What the engine said of itself; forgotten whenever it cannot be reached, as another may come back.
#[derive(Debug, Default)]
struct Known {
    version: Option<ApiVersion>,
    info: Option<Arc<EngineInfo>>,
}

/// What an engine says of itself and its host.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineInfo {
    /// Its id, which outlives restarts and addresses.
    pub id: String,
    /// What its host has. Tasks are not told.
    pub capacity: HostCapacity,
    /// Whether its host is this one, so that cgroups and processes of its containers can be seen.
    pub on_this_host: bool,
    /// `cgroupfs`, `systemd` or `none`.
    pub cgroup_driver: String,
    /// `1` or `2`.
    pub cgroup_version: String,
    /// The engine's own version.
    pub server_version: String,
}

/// What becomes of a container's anonymous volumes when it is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnonymousVolumes {
    /// They stay behind.
    Keep,
    /// They go with it.
    Delete,
}

impl Engine {
    /// The engine at that address. Nothing is asked of it yet.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self { address, pinned: None, known: Mutex::default() }
    }

    /// The same engine, spoken to in one version of the API whatever it offers.
    #[must_use]
    pub fn pinned_to(self, version: ApiVersion) -> Self {
        Self { pinned: Some(version), ..self }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The API version that is spoken.
    ///
    /// # Errors
    /// When the engine does not answer, or has no version in common with docktor.
    pub async fn version(&self) -> Result<ApiVersion, EngineError> {
        if let Some(version) = self.pinned.or(self.known().version) {
            return Ok(version);
        }
        let line = Line { address: self.address.clone(), version: None };
        let answer = async { line.bollard()?.version().await };
        let version = ApiVersion::agreed(&within(READ_DEADLINE, "GET /version", answer).await?)?;
        self.known().version = Some(version);
        Ok(version)
    }

    /// What the engine says of itself and its host; asked once, and again after it could not be reached.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn info(&self) -> Result<Arc<EngineInfo>, EngineError> {
        if let Some(info) = self.known().info.clone() {
            return Ok(info);
        }
        let info = Arc::new(self.read_info(&self.get("/info").await?));
        self.known().info = Some(info.clone());
        Ok(info)
    }

    /// Containers in every state that bear all these labels (`key` or `key=value`), as in `GET /containers/json`.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn containers(&self, labels: &[String]) -> Result<Vec<Value>, EngineError> {
        let filters = json!({ "label": labels }).to_string();
        let answer = self.get(&format!("/containers/json?all=true&filters={}", encode(&filters))).await?;
        match answer {
            Value::Array(containers) => Ok(containers),
            _ => Ok(Vec::new()),
        }
    }

    /// All of one container, as in `GET /containers/{id}/json`.
    ///
    /// # Errors
    /// When the engine does not answer or there is no such container.
    pub async fn inspect(&self, container: &str) -> Result<Value, EngineError> {
        self.get(&format!("/containers/{}/json", encode(container))).await
    }

    /// One sample of a container's use, without waiting for a second one.
    ///
    /// # Errors
    /// When the engine does not answer or there is no such container.
    pub async fn stats(&self, container: &str) -> Result<Stats, EngineError> {
        let id = &encode(container);
        self.typed(&format!("GET /containers/{id}/stats"), READ_DEADLINE, |docker| async move {
            let options = StatsOptions { stream: false, one_shot: true };
            let nothing = || Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            docker.stats(id, Some(options)).next().await.unwrap_or_else(nothing)
        })
        .await
    }

    /// Files that differ between a container and its image, as in `GET /containers/{id}/changes`.
    ///
    /// # Errors
    /// When the engine does not answer or there is no such container.
    pub async fn changes(&self, container: &str) -> Result<Value, EngineError> {
        let call =
            Call { deadline: CHANGE_DEADLINE, ..read(format!("/containers/{}/changes", encode(container))) };
        self.json(&call).await
    }

    /// An image by reference or id, as in `GET /images/{name}/json`.
    ///
    /// # Errors
    /// When the engine does not answer or there is no such image.
    pub async fn image(&self, reference: &str) -> Result<Value, EngineError> {
        // A reference has slashes of its own, which the engine's router expects as they are.
        self.get(&format!("/images/{}/json", encode(reference).replace("%2F", "/"))).await
    }

    /// Makes a container and gives its id.
    ///
    /// # Errors
    /// When the engine does not answer or refuses; a conflict means that the name is taken.
    pub async fn create(
        &self,
        name: &str,
        platform: Option<&str>,
        body: Value,
    ) -> Result<String, EngineError> {
        let platform = platform.map(|it| format!("&platform={}", encode(it))).unwrap_or_default();
        let call = change(format!("/containers/create?name={}{platform}", encode(name)), body);
        let answer = self.json(&call).await?;
        answer["Id"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| EngineError::of(&call.title(), std::io::Error::other("it has no Id").into()))
    }

    /// Connects a container to one more network.
    ///
    /// # Errors
    /// When the engine does not answer or refuses.
    pub async fn connect(&self, container: &str, network: &str, endpoint: Value) -> Result<(), EngineError> {
        let (network, endpoint) = (&encode(network), &endpoint);
        self.typed(&format!("POST /networks/{network}/connect"), CHANGE_DEADLINE, |docker| async move {
            let endpoint_config = Some(serde_json::from_value(endpoint.clone())?);
            let request = NetworkConnectRequest { container: container.to_owned(), endpoint_config };
            docker.connect_network(network, request).await
        })
        .await
    }

    /// Starts a container; one that runs already is left alone.
    ///
    /// # Errors
    /// When the engine does not answer or refuses.
    pub async fn start(&self, container: &str) -> Result<(), EngineError> {
        let id = &encode(container);
        self.typed(&format!("POST /containers/{id}/start"), CHANGE_DEADLINE, |docker| async move {
            docker.start_container(id, None).await
        })
        .await
    }

    /// Stops a container with its own signal and grace period, which the caller knows as `grace`,
    /// and waits until it has stopped.
    ///
    /// # Errors
    /// When the engine does not answer or there is no such container.
    pub async fn stop(&self, container: &str, grace: Duration) -> Result<(), EngineError> {
        let id = &encode(container);
        let deadline = grace.saturating_add(STOP_MARGIN);
        self.typed(&format!("POST /containers/{id}/stop"), deadline, |docker| async move {
            docker.stop_container(id, None).await
        })
        .await
    }

    /// Changes limits of a container, in the fields of `HostConfig`; fields that are not named stay as they are.
    /// Gives the engine's warnings: a limit that the kernel does not know is passed over with one.
    ///
    /// # Errors
    /// When the engine does not answer or refuses. Its books are then as before, though the kernel may have taken a
    /// part of it.
    pub async fn update(&self, container: &str, limits: Value) -> Result<Vec<String>, EngineError> {
        let answer = self.json(&change(format!("/containers/{}/update", encode(container)), limits)).await?;
        let warnings = answer["Warnings"].as_array().into_iter().flatten();
        Ok(warnings.filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// Stops a container with its own signal and grace period, which the caller knows as `grace`, and starts it
    /// again.
    ///
    /// # Errors
    /// When the engine does not answer or there is no such container.
    pub async fn restart(&self, container: &str, grace: Duration) -> Result<(), EngineError> {
        let id = &encode(container);
        let deadline = grace.saturating_add(STOP_MARGIN).saturating_add(CHANGE_DEADLINE);
        self.typed(&format!("POST /containers/{id}/restart"), deadline, |docker| async move {
            docker.restart_container(id, None).await
        })
        .await
    }

    /// Removes a container, running or not.
    ///
    /// # Errors
    /// When the engine does not answer or there is no such container; a conflict means that it is being removed.
    pub async fn remove(&self, container: &str, volumes: AnonymousVolumes) -> Result<(), EngineError> {
        let id = &encode(container);
        let v = volumes == AnonymousVolumes::Delete;
        self.typed(&format!("DELETE /containers/{id}"), CHANGE_DEADLINE, |docker| async move {
            let options = RemoveContainerOptions { v, force: true, link: false };
            docker.remove_container(id, Some(options)).await
        })
        .await
    }

    /// What happens to Compose containers from now on. The stream ends with the connection; asking again,
    /// with a pause between, is the caller's part.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn events(&self) -> Result<ContainerEvents, EngineError> {
        // bollard connects when the stream is first read; the engine makes up for what happened until then.
        let since = events::moment(&self.get("/info").await?["SystemTime"]);
        let docker = self.line().await?.bollard().map_err(|error| EngineError::of(events::CALL, error))?;
        Ok(events::listen(&docker.with_timeout(READ_DEADLINE), since))
    }

    async fn get(&self, path: &str) -> Result<Value, EngineError> {
        self.json(&read(path)).await
    }

    async fn json(&self, call: &Call) -> Result<Value, EngineError> {
        self.call(&call.title(), call.deadline, |line| async move { call.make(&line).await }).await
    }

    async fn typed<T, F>(
        &self,
        title: &str,
        deadline: Duration,
        ask: impl Fn(Docker) -> F,
    ) -> Result<T, EngineError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let ask = |line: Line| line.bollard().map(&ask);
        self.call(title, deadline, |line| {
            let asked = ask(line);
            async move { asked?.await }
        })
        .await
    }

    /// Makes a call in the agreed version; once more when that no longer holds, as after an upgrade.
    async fn call<T, F>(
        &self,
        title: &str,
        deadline: Duration,
        ask: impl Fn(Line) -> F,
    ) -> Result<T, EngineError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let answer = within(deadline, title, ask(self.line().await?)).await;
        match self.note(answer) {
            Err(error) if error.is_outdated_version() => {
                *self.known() = Known::default();
                self.note(within(deadline, title, ask(self.line().await?)).await)
            }
            other => other,
        }
    }

    /// Forgets what was agreed when the engine is gone: an upgraded one may come back.
    fn note<T>(&self, answer: Result<T, EngineError>) -> Result<T, EngineError> {
        if matches!(answer, Err(EngineError::Unreachable(_))) {
            *self.known() = Known::default();
        }
        answer
    }

    async fn line(&self) -> Result<Line, EngineError> {
        Ok(Line { address: self.address.clone(), version: Some(self.version().await?) })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_info(&self, answer: &Value) -> EngineInfo {
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| answer[key].as_f64().filter(|it| *it > 0.0);
        EngineInfo {
            id: text("ID"),
            capacity: HostCapacity { cpus: number("NCPU"), memory: number("MemTotal"), tasks: None },
            on_this_host: matches!(self.address, Address::Unix(_)) && is_this_kernel(&text("KernelVersion")),
            cgroup_driver: text("CgroupDriver"),
            cgroup_version: text("CgroupVersion"),
            server_version: text("ServerVersion"),
        }
    }
}

/// The answer, if it comes in time.
async fn within<T>(
    limit: Duration,
    call: &str,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, EngineError> {
    match timeout(limit, answer).await {
        Ok(answer) => answer.map_err(|error| EngineError::of(call, error)),
        Err(_) => Err(EngineError::TooSlow { call: call.to_owned(), limit }),
    }
}

/// Is that the kernel docktor runs on? Engines in a virtual machine of their own (Docker Desktop) have another.
fn is_this_kernel(release: &str) -> bool {
    std::fs::read_to_string(KERNEL_RELEASE).is_ok_and(|ours| ours.trim() == release)
}

fn read(path: impl Into<String>) -> Call {
    Call { method: Method::GET, path: path.into(), body: None, deadline: READ_DEADLINE }
}

fn change(path: String, body: Value) -> Call {
    Call { method: Method::POST, path, body: Some(body), deadline: CHANGE_DEADLINE }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
