//! What keeps a service from being cloned, or from being cloned often: told from its donor alone. Pure.

use serde_json::Value;

use super::clone::is_anonymous;
use super::donor::Naming;
use crate::actuators::{Ceiling, Obstacle};
use crate::api::condition::Reason;

/// Where Compose puts secrets that have no file of their own.
const SECRETS: &str = "/run/secrets/";

/// In `GET /containers/{id}/changes`: the file was added.
const ADDED: u64 = 1;

/// Most replicas that can exist of what the donor is, or `None` where nothing limits them.
pub(super) fn ceiling(donor: &Value, naming: Naming, stateful: bool) -> Option<Ceiling> {
    let one = |why| Ceiling { replicas: 1, why };
    [
        fixed_name(naming).map(one),
        static_address(donor).map(one),
        host_ports(donor),
        shared_volume(donor).filter(|_| stateful).map(one),
    ]
    .into_iter()
    .flatten()
    .min_by_key(|it| it.replicas)
}

fn fixed_name(naming: Naming) -> Option<Obstacle> {
    (naming == Naming::Fixed).then(|| Obstacle {
        reason: Reason::FixedContainerName,
        message: "container names are unique; remove `container_name` from the service".to_owned(),
    })
}

/// An address or MAC that the user chose. What the engine chose stands elsewhere.
fn static_address(donor: &Value) -> Option<Obstacle> {
    let obstacle = |found: String| {
        Some(Obstacle {
            reason: Reason::StaticAddress,
            message: format!(
                "{found} is fixed; remove it from the service, and let others find it by its name"
            ),
        })
    };
    let text = |value: &Value| value.as_str().filter(|it| !it.is_empty()).map(str::to_owned);
    let networks = donor["NetworkSettings"]["Networks"].as_object();
    for (name, endpoint) in networks.into_iter().flatten() {
        for key in ["IPv4Address", "IPv6Address"] {
            if let Some(address) = text(&endpoint["IPAMConfig"][key]) {
                return obstacle(format!("address {address} in network {name}"));
            }
        }
    }
    obstacle(format!("MAC address {}", text(&donor["Config"]["MacAddress"])?))
}

/// A fixed host port serves one replica, a range of k ports k of them; one that the engine picks serves all.
fn host_ports(donor: &Value) -> Option<Ceiling> {
    let published = donor["HostConfig"]["PortBindings"].as_object();
    let bindings = published.into_iter().flatten().flat_map(|(port, bindings)| {
        bindings
            .as_array()
            .into_iter()
            .flatten()
            .map(move |it| (port, it["HostPort"].as_str().unwrap_or_default()))
    });
    bindings.filter_map(|(port, host)| port_ceiling(port, host)).min_by_key(|it| it.replicas)
}

fn port_ceiling(port: &str, host: &str) -> Option<Ceiling> {
    if host.is_empty() || host == "0" {
        return None;
    }
    let ports = count_ports(host);
    let noun = if ports == 1 { "port" } else { "ports" };
    let container = port.split('/').next().unwrap_or(port);
    let message = format!(
        "{port} is published on host {noun} {host}, enough for {ports} of them; publish \"{container}\" alone, \
         or put a proxy in front"
    );
    Some(Ceiling { replicas: ports, why: Obstacle { reason: Reason::HostPort, message } })
}

/// How many ports `8080` or `8080-8082` are.
fn count_ports(range: &str) -> u32 {
    let bounds =
        range.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    bounds.map_or(1, |(first, last): (u32, u32)| last.saturating_sub(first).saturating_add(1))
}

/// Are host ports taken when a replica starts? The engine gives out those of a range without a lock.
pub(super) fn publishes_ports(donor: &Value) -> bool {
    let host = &donor["HostConfig"];
    host["PublishAllPorts"] == true || host["PortBindings"].as_object().is_some_and(|it| !it.is_empty())
}

/// A volume with a name, writable, which all replicas have in common.
pub(super) fn shared_volume(donor: &Value) -> Option<Obstacle> {
    let volume = donor["Mounts"].as_array()?.iter().find_map(|it| {
        let name = it["Name"].as_str().filter(|name| !is_anonymous(name))?;
        (it["Type"] == "volume" && it["RW"] != false).then_some(name)
    })?;
    Some(Obstacle {
        reason: Reason::SharedVolume,
        message: format!("all replicas write to volume {volume}, as with `docker compose up --scale`"),
    })
}

/// Ids of the containers whose namespaces or volumes the donor uses.
pub(super) fn borrowed_from(donor: &Value) -> Vec<String> {
    let host = &donor["HostConfig"];
    let modes = ["NetworkMode", "IpcMode", "PidMode"].into_iter().filter_map(|key| host[key].as_str());
    let namespaces = modes.filter_map(|mode| mode.strip_prefix("container:"));
    let volumes = host["VolumesFrom"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut ids: Vec<_> =
        namespaces.chain(volumes.filter_map(|it| it.split(':').next())).map(str::to_owned).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// A clone would refer to a container that is gone.
pub(super) fn stale_namespace(gone: &str) -> Obstacle {
    Obstacle {
        reason: Reason::StaleNamespace,
        message: format!(
            "the container {gone} whose network, processes or volumes it shares is gone; run `docker compose up -d`"
        ),
    }
}

/// Secrets that Compose wrote into the donor's own files: they are in no mount, so a clone would start without.
pub(super) fn written_secrets(donor: &Value, changes: &Value) -> Option<Obstacle> {
    let mounts: Vec<_> = donor["Mounts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["Destination"].as_str())
        .collect();
    let secret = changes.as_array()?.iter().find_map(|it| {
        let path = it["Path"].as_str()?;
        let added = it["Kind"].as_u64() == Some(ADDED) && path.starts_with(SECRETS);
        (added && !mounts.contains(&path)).then_some(path)
    })?;
    Some(Obstacle {
        reason: Reason::NotCloneable,
        message: format!(
            "Compose wrote the secret {secret} into the container, and a clone would lack it; \
             give the secret a `file:` instead of `environment:` or `content:`"
        ),
    })
}

#[cfg(test)]
#[path = "traps_tests.rs"]
mod tests;
