//! From what the engine says of a replica to the request for one more like it. Pure.
//!
//! What the user can set is kept, known to docktor or not; what the engine gave the donor alone (address,
//! host name, identity) is dropped. Labels are copied, never computed, so Compose takes the clone for its own.

use serde_json::{Map, Value, json};

use super::labels;
use crate::clients::docker::ApiVersion;
use crate::model::change::ChangeId;
use crate::model::key::PolicyKey;

/// Length of the short id that the engine uses as host name and alias.
const SHORT_ID: usize = 12;

/// Length of a full id, and of the name of an anonymous volume.
const FULL_ID: usize = 64;

/// What is the clone's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity<'a> {
    pub name: &'a str,
    pub number: u32,
    /// The image's reference, or its id where the reference means another one by now.
    pub image: &'a str,
    pub policy: &'a PolicyKey,
    pub change: &'a ChangeId,
}

/// The requests that make a clone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CloneRequest {
    /// For `POST /containers/create`.
    pub body: Value,
    /// `os/arch[/variant]`, where the donor's image is one of several.
    pub platform: Option<String>,
    /// Networks to be connected before the start, with their endpoints: all but the first, for old engines.
    pub connect: Vec<(String, Value)>,
}

/// The requests that make a clone of `donor`, an answer of `GET /containers/{id}/json`.
pub(super) fn clone(donor: &Value, identity: Identity<'_>, api: ApiVersion) -> CloneRequest {
    let mode = donor["HostConfig"]["NetworkMode"].as_str().unwrap_or_default();
    let mut body = config(donor, mode);
    body.insert("Image".to_owned(), json!(identity.image));
    body.insert("Labels".to_owned(), clone_labels(donor, identity));
    body.insert("HostConfig".to_owned(), host_config(donor));

    let mut endpoints = endpoints(donor, mode, identity.name);
    let connect =
        if api < ApiVersion::MANY_ENDPOINTS { split_off_secondary(&mut endpoints, mode) } else { vec![] };
    if !endpoints.is_empty() {
        body.insert("NetworkingConfig".to_owned(), json!({ "EndpointsConfig": endpoints }));
    }
    CloneRequest { body: Value::Object(body), platform: platform(donor), connect }
}

/// `Config`, less what belongs to the donor alone.
fn config(donor: &Value, mode: &str) -> Map<String, Value> {
    let mut config = donor["Config"].as_object().cloned().unwrap_or_default();
    config.remove("MacAddress");
    let by_default = config.get("Hostname").and_then(Value::as_str) == Some(short_id(donor));
    // In another container's network, or the host's UTS namespace, the engine itself fills these fields in,
    // and refuses them in a request.
    let shares_network = mode.starts_with("container:");
    let shares_host_name = shares_network || donor["HostConfig"]["UTSMode"] == "host";
    if by_default || shares_host_name {
        config.remove("Hostname");
    }
    if shares_network {
        config.remove("ExposedPorts");
    }
    config
}

fn clone_labels(donor: &Value, identity: Identity<'_>) -> Value {
    let mut all = donor["Config"]["Labels"].as_object().cloned().unwrap_or_default();
    all.retain(|key, _| key != labels::REPLACE && key != labels::SLUG && !key.starts_with(labels::OURS));
    all.insert(labels::NUMBER.to_owned(), json!(identity.number.to_string()));
    all.insert(labels::POLICY.to_owned(), json!(identity.policy.as_str()));
    all.insert(labels::CHANGE.to_owned(), json!(identity.change.as_str()));
    all.insert(labels::DONOR.to_owned(), donor["Id"].clone());
    Value::Object(all)
}

/// `HostConfig`, with fresh anonymous volumes. Limits are the donor's, as they are now.
fn host_config(donor: &Value) -> Value {
    let mut host = donor["HostConfig"].as_object().cloned().unwrap_or_default();
    host.remove("ContainerIDFile");
    if let Some(Value::Array(mounts)) = host.get_mut("Mounts") {
        for mount in mounts.iter_mut().filter(|it| it["Type"] == "volume") {
            if is_anonymous(mount["Source"].as_str().unwrap_or_default())
                && let Some(mount) = mount.as_object_mut()
            {
                mount.remove("Source");
            }
        }
    }
    if let Some(Value::Array(binds)) = host.get_mut("Binds") {
        for bind in binds {
            if let Some((source, rest)) = bind.as_str().and_then(|it| it.split_once(':'))
                && is_anonymous(source)
            {
                // A bind without a source is an anonymous volume; it takes no mode.
                *bind = json!(rest.split(':').next());
            }
        }
    }
    Value::Object(host)
}

/// Volumes that nobody named have 64 hex digits for a name.
pub(super) fn is_anonymous(volume: &str) -> bool {
    volume.len() == FULL_ID && volume.bytes().all(|it| it.is_ascii_hexdigit())
}

/// The endpoint of each network, by the network's name.
fn endpoints(donor: &Value, mode: &str, name: &str) -> Map<String, Value> {
    if mode == "host" || mode == "none" || mode.starts_with("container:") {
        return Map::new();
    }
    let networks = donor["NetworkSettings"]["Networks"].as_object();
    let endpoint = |(network, it): (&String, &Value)| (network.clone(), endpoint(it, donor, name));
    networks.into_iter().flatten().map(endpoint).collect()
}

/// An endpoint as the user wanted it: without address, MAC and all else that the engine filled in.
fn endpoint(donors: &Value, donor: &Value, name: &str) -> Value {
    let mut endpoint = Map::new();
    for key in ["Links", "DriverOpts", "GwPriority"] {
        if let Some(value) = donors.get(key).filter(|it| !it.is_null() && **it != json!(0)) {
            endpoint.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(Value::Array(local)) = donors["IPAMConfig"].get("LinkLocalIPs")
        && !local.is_empty()
    {
        endpoint.insert("IPAMConfig".to_owned(), json!({ "LinkLocalIPs": local }));
    }
    if let Some(Value::Array(aliases)) = donors.get("Aliases") {
        endpoint.insert("Aliases".to_owned(), aliases_for(aliases, donor, name));
    }
    Value::Object(endpoint)
}

/// The donor's aliases, with the clone's name where the donor's own was among them. Below API 1.45 they also
/// have the donor's short id, which would lead to both.
fn aliases_for(donors: &[Value], donor: &Value, name: &str) -> Value {
    let own = donor["Name"].as_str().unwrap_or_default().trim_start_matches('/');
    let named = donors.iter().any(|it| it == own).then(|| json!(name));
    let kept = donors.iter().filter(|it| *it != own && *it != short_id(donor)).cloned();
    named.into_iter().chain(kept).collect()
}

/// Takes out all networks but the primary one, for engines whose `create` knows only that.
fn split_off_secondary(endpoints: &mut Map<String, Value>, mode: &str) -> Vec<(String, Value)> {
    let primary = if mode == "default" { "bridge" } else { mode };
    let secondary: Vec<_> = endpoints
        .iter()
        .filter(|(it, _)| *it != primary)
        .map(|(name, it)| (name.clone(), it.clone()))
        .collect();
    endpoints.retain(|name, _| name == primary);
    secondary
}

/// `os/arch[/variant]` of the manifest that the donor was made from (API 1.48 and above).
fn platform(donor: &Value) -> Option<String> {
    let platform = &donor["ImageManifestDescriptor"]["platform"];
    let part = |key: &str| platform[key].as_str().filter(|it| !it.is_empty());
    let (os, architecture) = (part("os")?, part("architecture")?);
    Some(
        part("variant").map_or_else(
            || format!("{os}/{architecture}"),
            |variant| format!("{os}/{architecture}/{variant}"),
        ),
    )
}

fn short_id(container: &Value) -> &str {
    container["Id"].as_str().and_then(|it| it.get(..SHORT_ID)).unwrap_or_default()
}

#[cfg(test)]
#[path = "clone_tests.rs"]
mod tests;
