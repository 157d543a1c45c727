//! A Docker engine over its HTTP API: the few calls that docktor makes, each with a deadline.
//!
//! Answers stay JSON. A replica is cloned from what the engine itself says of its donor, so a field that
//! docktor does not know must pass through unharmed, and one odd container must not spoil a list. A typed
//! client (bollard and its generated stubs) loses the first and fails on the second, and sends no API version.

mod address;
mod events;
mod transport;
mod version;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

pub use self::address::{Address, AddressError};
pub use self::events::{Action, ContainerEvent, ContainerEvents};
use self::transport::Call;
pub use self::transport::EngineError;
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
        let answer = transport::call(&self.address, "", &read("/version")).await?;
        let version = ApiVersion::agreed(&answer)?;
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

    /// One sample of a container's use, as in `GET /containers/{id}/stats`, without waiting for a second one.
    ///
    /// # Errors
    /// When the engine does not answer or there is no such container.
    pub async fn stats(&self, container: &str) -> Result<Value, EngineError> {
        self.get(&format!("/containers/{}/stats?stream=false&one-shot=true", encode(container))).await
    }

    /// Files that differ between a container and its image, as in `GET /containers/{id}/changes`.
    ///
    /// # Errors
    /// When the engine does not answer or there is no such container.
    pub async fn changes(&self, container: &str) -> Result<Value, EngineError> {
        let call =
            Call { deadline: CHANGE_DEADLINE, ..read(format!("/containers/{}/changes", encode(container))) };
        self.call(&call).await
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
        let call = change(format!("/containers/create?name={}{platform}", encode(name)), Some(body));
        let answer = self.call(&call).await?;
        answer["Id"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| EngineError::Garbled { call: call.title(), source: "it has no Id".into() })
    }

    /// Connects a container to one more network.
    ///
    /// # Errors
    /// When the engine does not answer or refuses.
    pub async fn connect(&self, container: &str, network: &str, endpoint: Value) -> Result<(), EngineError> {
        let body = json!({ "Container": container, "EndpointConfig": endpoint });
        self.call(&change(format!("/networks/{}/connect", encode(network)), Some(body))).await.map(drop)
    }

    /// Starts a container; one that runs already is left alone.
    ///
    /// # Errors
    /// When the engine does not answer or refuses.
    pub async fn start(&self, container: &str) -> Result<(), EngineError> {
        self.call(&change(format!("/containers/{}/start", encode(container)), None)).await.map(drop)
    }

    /// Stops a container with its own signal and grace period, which the caller knows as `grace`,
    /// and waits until it has stopped.
    ///
    /// # Errors
    /// When the engine does not answer or there is no such container.
    pub async fn stop(&self, container: &str, grace: Duration) -> Result<(), EngineError> {
        let deadline = grace.saturating_add(STOP_MARGIN);
        let call = Call { deadline, ..change(format!("/containers/{}/stop", encode(container)), None) };
        self.call(&call).await.map(drop)
    }

    /// Removes a container, running or not.
    ///
    /// # Errors
    /// When the engine does not answer or there is no such container; a conflict means that it is being removed.
    pub async fn remove(&self, container: &str, volumes: AnonymousVolumes) -> Result<(), EngineError> {
        let volumes = volumes == AnonymousVolumes::Delete;
        let path = format!("/containers/{}?force=true&v={volumes}", encode(container));
        self.call(&Call { method: Method::DELETE, ..change(path, None) }).await.map(drop)
    }

    /// What happens to Compose containers from now on. The stream ends with the connection; asking again,
    /// with a pause between, is the caller's part.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn events(&self) -> Result<ContainerEvents, EngineError> {
        let filters = json!({
            "type": ["container"],
            "label": ["com.docker.compose.project"],
            "event": events::ACTIONS,
        });
        let call = read(format!("/events?filters={}", encode(&filters.to_string())));
        let prefix = self.prefix().await?;
        let body = self.note(transport::stream(&self.address, &prefix, &call).await)?;
        Ok(events::decode(body))
    }

    async fn get(&self, path: &str) -> Result<Value, EngineError> {
        self.call(&read(path)).await
    }

    /// Makes a call in the agreed version; once more when that no longer holds, as after an upgrade.
    async fn call(&self, call: &Call) -> Result<Value, EngineError> {
        let prefix = self.prefix().await?;
        let answer = self.note(transport::call(&self.address, &prefix, call).await);
        match answer {
            Err(EngineError::Refused { status: 400, message }) if message.contains("client version") => {
                *self.known() = Known::default();
                let prefix = self.prefix().await?;
                self.note(transport::call(&self.address, &prefix, call).await)
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

    async fn prefix(&self) -> Result<String, EngineError> {
        Ok(format!("/v{}", self.version().await?))
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

/// Is that the kernel docktor runs on? Engines in a virtual machine of their own (Docker Desktop) have another.
fn is_this_kernel(release: &str) -> bool {
    std::fs::read_to_string(KERNEL_RELEASE).is_ok_and(|ours| ours.trim() == release)
}

fn read(path: impl Into<String>) -> Call {
    Call { method: Method::GET, path: path.into(), body: None, deadline: READ_DEADLINE }
}

fn change(path: String, body: Option<Value>) -> Call {
    Call { method: Method::POST, path, body, deadline: CHANGE_DEADLINE }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
