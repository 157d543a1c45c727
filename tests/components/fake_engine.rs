//! An engine that misbehaves on demand, on a unix socket: what a real one cannot be made to do.
//!
//! It keeps containers as a real one does, in the shapes of the API version that it claims, and hands out
//! prepared faults first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use docktor::clients::docker::Engine;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

pub const PROJECT: &str = "dkc-fake";

/// How the engine answers instead of doing what was asked.
#[derive(Clone)]
pub enum Fault {
    /// With that status and message.
    Status(u16, &'static str),
    /// With the first half of its answer.
    Half,
    /// With text that is no JSON.
    Garbage,
    /// Not at all for that long; then as usual.
    Slow(Duration),
    /// It does what was asked, then tells of an error.
    DoneBut(u16),
}

#[derive(Default)]
struct World {
    versions: (String, String),
    containers: BTreeMap<String, Value>,
    made: u32,
    faults: Vec<(String, Fault)>,
    requests: Vec<String>,
}

/// A fake engine; gone when dropped.
pub struct FakeEngine {
    folder: tempfile::TempDir,
    world: Arc<Mutex<World>>,
}

impl FakeEngine {
    /// An engine that speaks these API versions, with one replica of service `web`.
    pub fn start(oldest: &str, newest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        let versions = (oldest.to_owned(), newest.to_owned());
        let world = Arc::new(Mutex::new(World { versions, ..World::default() }));
        let fake = Self { folder, world };
        fake.add(1, json!({}));
        let world = fake.world.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, world.clone()));
            }
        });
        fake
    }

    pub fn engine(&self) -> Engine {
        Engine::new(format!("unix://{}", self.folder.path().join("docker.sock").display()).parse().unwrap())
    }

    /// The next request that begins so (`POST /containers/create`) meets this fault, once.
    pub fn fail(&self, request: &str, fault: Fault) {
        self.world.lock().unwrap().faults.push((request.to_owned(), fault));
    }

    /// Speaks other API versions from now on, as after an upgrade.
    pub fn upgrade(&self, oldest: &str, newest: &str) {
        self.world.lock().unwrap().versions = (oldest.to_owned(), newest.to_owned());
    }

    /// Adds a running replica; `extra` replaces fields of its entry in the list.
    pub fn add(&self, number: u32, extra: Value) {
        let mut world = self.world.lock().unwrap();
        let body = json!({
            "Image": "shop/web",
            "HostConfig": {"NetworkMode": format!("{PROJECT}_default")},
            "NetworkingConfig": {"EndpointsConfig": {format!("{PROJECT}_default"): {"Aliases": [format!("{PROJECT}-web-{number}"), "web"]}}},
            "Labels": {
                "com.docker.compose.project": PROJECT, "com.docker.compose.service": "web",
                "com.docker.compose.oneoff": "False", "com.docker.compose.config-hash": "h1",
                "com.docker.compose.container-number": number.to_string(),
            },
        });
        let id = world.create(&format!("{PROJECT}-web-{number}"), &body);
        let container = world.containers.get_mut(&id).unwrap();
        container["State"]["Status"] = json!("running");
        container["Extra"] = extra;
    }

    /// Gives its first replica another network mode and other networks.
    pub fn connect_first(&self, mode: &str, networks: &Value) {
        let mut world = self.world.lock().unwrap();
        let first = world.containers.values_mut().next().unwrap();
        first["HostConfig"]["NetworkMode"] = json!(mode);
        first["NetworkSettings"]["Networks"] = networks.clone();
    }

    /// Names of its containers with their states.
    pub fn containers(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().trim_start_matches('/').to_owned();
        let world = self.world.lock().unwrap();
        let mut all: Vec<_> =
            world.containers.values().map(|it| (text(&it["Name"]), text(&it["State"]["Status"]))).collect();
        all.sort();
        all
    }

    /// Every request so far, as method and path, without the query.
    pub fn requests(&self) -> Vec<String> {
        self.world.lock().unwrap().requests.clone()
    }

    /// The one container that docktor made, as it asked for it.
    pub fn made(&self) -> Value {
        let world = self.world.lock().unwrap();
        world.containers.values().max_by_key(|it| it["Id"].as_str().unwrap().to_owned()).unwrap().clone()
    }
}

impl World {
    fn create(&mut self, name: &str, body: &Value) -> String {
        self.made += 1;
        let id = format!("{:064x}", self.made);
        let mut config = body.clone();
        let networks = config["NetworkingConfig"]["EndpointsConfig"].take();
        let container = json!({
            "Id": id, "Name": format!("/{name}"), "Image": "sha256:1", "Config": config,
            "Created": "2026-11-22T06:29:00Z", "State": {"Status": "created", "StartedAt": "0001-01-01T00:00:00Z"},
            "HostConfig": body["HostConfig"], "NetworkSettings": {"Networks": networks},
        });
        self.containers.insert(id.clone(), container);
        id
    }

    /// Status and body.
    fn answer(&mut self, method: &str, path: &str, query: &str, body: &Value) -> (u16, Value) {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let known = |id: &str| self.containers.contains_key(id);
        match (method, parts.as_slice()) {
            ("GET", ["version"]) => {
                (200, json!({"ApiVersion": self.versions.1, "MinAPIVersion": self.versions.0}))
            }
            ("GET", ["info"]) => (200, info()),
            ("GET", ["containers", "json"]) => (200, self.containers.values().map(entry).collect()),
            ("GET", ["images", ..]) => (200, json!({"Id": "sha256:1"})),
            ("POST", ["containers", "create"]) => {
                let name =
                    query.split('&').find_map(|it| it.strip_prefix("name=")).unwrap().replace("%2D", "-");
                if self.containers.values().any(|it| it["Name"] == format!("/{name}")) {
                    return (409, json!({"message": "name in use"}));
                }
                (201, json!({ "Id": self.create(&name, body) }))
            }
            ("POST", ["networks", network, "connect"]) => {
                let id = body["Container"].as_str().unwrap().to_owned();
                let network = network.replace("%5F", "_").replace("%2D", "-");
                let container = self.containers.get_mut(&id).unwrap();
                container["NetworkSettings"]["Networks"][network] = body["EndpointConfig"].clone();
                (200, Value::Null)
            }
            (_, ["containers", id, ..]) if !known(id) => (404, json!({"message": "no such container"})),
            ("GET", ["containers", id, "json"]) => (200, self.containers[*id].clone()),
            ("GET", ["containers", _, "changes"]) => (200, Value::Null),
            ("GET", ["containers", id, "stats"]) => (200, json!({"id": id, "pids_stats": {"current": 3}})),
            ("POST", ["containers", id, verb @ ("start" | "stop")]) => {
                let status = if *verb == "start" { "running" } else { "exited" };
                self.containers.get_mut(*id).unwrap()["State"]["Status"] = json!(status);
                (204, Value::Null)
            }
            ("POST", ["containers", id, "update"]) => {
                let host = self.containers.get_mut(*id).unwrap()["HostConfig"].as_object_mut().unwrap();
                host.extend(body.as_object().unwrap().clone());
                (200, json!({ "Warnings": null }))
            }
            ("DELETE", ["containers", id]) => {
                self.containers.remove(*id);
                (204, Value::Null)
            }
            _ => (501, json!({"message": format!("the fake has no {method} {path}")})),
        }
    }
}

/// What it says of itself, in words that nobody has heard yet.
fn info() -> Value {
    json!({
        "ID": "fake", "NCPU": 2, "MemTotal": 1 << 30, "CgroupDriver": "hybrid", "Isolation": "thick",
        "SystemTime": "2026-11-22T08:00:00.5Z",
    })
}

/// A container as the list shows it.
fn entry(container: &Value) -> Value {
    let mut entry = json!({
        "Id": container["Id"], "Names": [container["Name"]], "State": container["State"]["Status"],
        "Status": "Up 3 minutes", "Created": 1_700_000_000, "Labels": container["Config"]["Labels"],
    });
    for (key, value) in container["Extra"].as_object().into_iter().flatten() {
        entry[key] = value.clone();
    }
    entry
}

/// Answers one request, and closes.
async fn serve(stream: UnixStream, world: Arc<Mutex<World>>) {
    let mut stream = BufReader::new(stream);
    let Some((method, target, body)) = request(&mut stream).await else { return };
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let fault = {
        let mut world = world.lock().unwrap();
        world.requests.push(format!("{method} {path}"));
        let asked = format!("{method} {}", unversioned(path));
        let found = world.faults.iter().position(|(prefix, _)| asked.starts_with(prefix.as_str()));
        found.map(|at| world.faults.remove(at).1)
    };
    if let Some(Fault::Slow(pause)) = fault {
        tokio::time::sleep(pause).await;
    }
    let answer = || {
        let mut world = world.lock().unwrap();
        if let Some(refusal) = refused_version(path, &world.versions) {
            return refusal;
        }
        world.answer(&method, unversioned(path), query, &body)
    };
    let (status, text) = match fault {
        Some(Fault::Status(status, message)) => (status, json!({ "message": message }).to_string()),
        Some(Fault::Garbage) => (200, "<html>not an engine</html>".to_owned()),
        Some(Fault::DoneBut(status)) => {
            answer();
            (status, json!({"message": "done, but"}).to_string())
        }
        _ => {
            let (status, body) = answer();
            (status, if body.is_null() && status == 204 { String::new() } else { body.to_string() })
        }
    };
    let sent = if matches!(fault, Some(Fault::Half)) { &text[..text.len() / 2] } else { &text };
    let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", text.len());
    let _ = stream.write_all(format!("{head}{sent}").as_bytes()).await;
}

async fn request(stream: &mut BufReader<UnixStream>) -> Option<(String, String, Value)> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut length = 0;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((method, target, serde_json::from_slice(&body).unwrap_or_default()))
}

/// `/v1.45/info` as `/info`.
fn unversioned(path: &str) -> &str {
    if !path.starts_with("/v1.") {
        return path;
    }
    path[1..].find('/').map_or(path, |at| &path[at + 1..])
}

/// The refusal of a version that the engine does not speak, in Docker's words.
fn refused_version(path: &str, (oldest, newest): &(String, String)) -> Option<(u16, Value)> {
    let asked: u32 = path.strip_prefix("/v1.")?.split('/').next()?.parse().ok()?;
    let minor = |version: &str| -> u32 { version.strip_prefix("1.").unwrap().parse().unwrap() };
    let word = if asked > minor(newest) {
        "new"
    } else if asked < minor(oldest) {
        "old"
    } else {
        return None;
    };
    Some((400, json!({"message": format!("client version 1.{asked} is too {word}")})))
}
