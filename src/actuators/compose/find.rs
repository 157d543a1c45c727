//! Finding the containers of a service: by exact labels, in one list call, in every state.
//!
//! One-off containers (`docker compose run`) and hook containers are never replicas. Names are not looked at.

use serde_json::Value;

use super::labels;
use crate::clients::docker::{Engine, EngineError};
use crate::model::change::ChangeId;
use crate::model::observation::{Health, ReplicaPhase};
use crate::units::Timestamp;

/// A replica of a Compose service, as a list shows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ComposeContainer {
    pub id: String,
    pub name: String,
    pub number: u32,
    pub state: State,
    pub health: Health,
    /// The engine's words for state, age and health: "Up 3 minutes (healthy)".
    pub status: String,
    pub created_at: Timestamp,
    pub config_hash: Option<String>,
    pub image_digest: Option<String>,
    pub working_dir: Option<String>,
    pub change: Option<ChangeId>,
    pub swarm: bool,
}

/// The engine's word for where a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Created,
    Running,
    Restarting,
    Paused,
    Exited,
    Dead,
    Removing,
    /// A word that docktor does not know.
    Other,
}

/// Every replica of the service, by number.
pub(super) async fn replicas(
    engine: &Engine,
    project: &str,
    service: &str,
) -> Result<Vec<ComposeContainer>, EngineError> {
    let listed = engine.containers(&service_labels(project, service)).await?;
    let mut containers: Vec<_> = listed.iter().filter_map(read).collect();
    containers.sort_by_key(|it| it.number);
    Ok(containers)
}

/// What the containers of a service bear.
fn service_labels(project: &str, service: &str) -> Vec<String> {
    vec![
        format!("{}={project}", labels::PROJECT),
        format!("{}={service}", labels::SERVICE),
        format!("{}=False", labels::ONE_OFF),
    ]
}

/// The replica in an entry of the list, unless it is none.
fn read(entry: &Value) -> Option<ComposeContainer> {
    let label = |key: &str| entry["Labels"][key].as_str();
    let owned = |key: &str| label(key).map(str::to_owned);
    if label(labels::HOOK).is_some() {
        return None;
    }
    let status = entry["Status"].as_str().unwrap_or_default();
    let seconds = entry["Created"].as_i64().unwrap_or_default();
    Some(ComposeContainer {
        id: entry["Id"].as_str()?.to_owned(),
        name: entry["Names"][0].as_str()?.trim_start_matches('/').to_owned(),
        number: label(labels::NUMBER)?.parse().ok()?,
        state: State::read(entry["State"].as_str().unwrap_or_default()),
        health: read_health(entry, status),
        status: status.to_owned(),
        created_at: Timestamp::from_secs(seconds),
        config_hash: owned(labels::CONFIG_HASH),
        image_digest: owned(labels::IMAGE),
        working_dir: owned(labels::WORKING_DIR),
        change: label(labels::CHANGE).map(ChangeId::new),
        swarm: label(labels::SWARM_SERVICE).is_some(),
    })
}

/// Health as a field of its own (API 1.52 and above), else from the words of the status.
fn read_health(entry: &Value, status: &str) -> Health {
    match entry["Health"]["Status"].as_str() {
        Some("healthy") => Health::Healthy,
        Some("unhealthy") => Health::Unhealthy,
        Some("starting") => Health::Starting,
        Some("none") => Health::NoCheck,
        _ if status.ends_with("(healthy)") => Health::Healthy,
        _ if status.ends_with("(unhealthy)") => Health::Unhealthy,
        _ if status.ends_with("(health: starting)") => Health::Starting,
        _ => Health::NoCheck,
    }
}

impl State {
    fn read(word: &str) -> Self {
        match word {
            "created" => Self::Created,
            "running" => Self::Running,
            "restarting" => Self::Restarting,
            "paused" => Self::Paused,
            "exited" => Self::Exited,
            "dead" => Self::Dead,
            "removing" => Self::Removing,
            _ => Self::Other,
        }
    }
}

/// What is known of a container beside its own state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// docktor makes it right now.
    BeingMade,
    /// docktor chose it to go, or to rest at zero.
    Retiring,
    /// Nothing.
    Left,
}

impl ComposeContainer {
    /// Where it is in its life as a replica.
    pub fn phase(&self, fate: Fate) -> ReplicaPhase {
        match (self.state, fate) {
            (State::Removing, _) => ReplicaPhase::Draining,
            (State::Running | State::Restarting | State::Paused, Fate::Retiring) => ReplicaPhase::Draining,
            (State::Running | State::Restarting, _) => ReplicaPhase::Running,
            (State::Created, Fate::BeingMade) => ReplicaPhase::Pending,
            (State::Created, _) | (State::Exited, Fate::Retiring) => ReplicaPhase::Stopped,
            (State::Exited | State::Dead | State::Paused | State::Other, _) => ReplicaPhase::Failed,
        }
    }

    /// Does it hold ports and addresses, or will it in a moment?
    pub const fn is_up(&self) -> bool {
        matches!(self.state, State::Running | State::Restarting | State::Paused)
    }

    /// Does its process run?
    pub const fn is_running(&self) -> bool {
        matches!(self.state, State::Running)
    }

    /// Was it made by docktor and never started?
    pub const fn is_half_made(&self) -> bool {
        matches!(self.state, State::Created) && self.change.is_some()
    }

    /// Its configuration as Compose compares it.
    pub fn configuration(&self) -> (Option<&str>, Option<&str>) {
        (self.config_hash.as_deref(), self.image_digest.as_deref())
    }
}

#[cfg(test)]
pub(super) fn sample(number: u32) -> ComposeContainer {
    ComposeContainer {
        id: format!("{number:064x}"),
        name: format!("shop-web-{number}"),
        number,
        state: State::Running,
        health: Health::NoCheck,
        status: "Up 3 minutes".to_owned(),
        created_at: Timestamp::from_secs(i64::from(number)),
        config_hash: Some("h1".to_owned()),
        image_digest: Some("i1".to_owned()),
        working_dir: Some("/srv/shop".to_owned()),
        change: None,
        swarm: false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry() -> Value {
        json!({
            "Id": "c0ffee", "Names": ["/shop-web-2"], "State": "running", "Status": "Up 3 minutes", "Created": 1_700_000_000,
            "Labels": {labels::NUMBER: "2", labels::CONFIG_HASH: "h1", labels::CHANGE: "c1"},
        })
    }

    #[test]
    fn an_entry_of_the_list_is_read() {
        let container = read(&entry()).unwrap();
        assert_eq!((container.name.as_str(), container.number), ("shop-web-2", 2));
        assert_eq!(container.change, Some(ChangeId::new("c1")));
        assert_eq!(container.created_at, Timestamp::from_secs(1_700_000_000));
        assert!(!container.swarm);
    }

    #[test]
    fn hook_containers_and_odd_ones_are_no_replicas() {
        let mut hook = entry();
        hook["Labels"][labels::HOOK] = json!("post_start");
        let mut unnumbered = entry();
        unnumbered["Labels"][labels::NUMBER] = json!("two");
        for odd in [hook, unnumbered, json!({}), json!(null), json!({"Id": 7, "Names": null})] {
            assert_eq!(read(&odd), None, "{odd}");
        }
    }

    #[test]
    fn an_unknown_state_does_not_hide_a_replica() {
        let mut odd = entry();
        odd["State"] = json!("hibernating");
        let container = read(&odd).unwrap();
        assert_eq!(container.state, State::Other);
        assert_eq!(container.phase(Fate::Left), ReplicaPhase::Failed);
    }

    #[test]
    fn health_is_read_from_the_words_of_old_engines_and_the_field_of_new_ones() {
        for (status, field, health) in [
            ("Up 2 hours (healthy)", json!(null), Health::Healthy),
            ("Up 2 hours (unhealthy)", json!(null), Health::Unhealthy),
            ("Up 1 second (health: starting)", json!(null), Health::Starting),
            ("Up 2 hours", json!(null), Health::NoCheck),
            ("Up 2 hours", json!({"Status": "unhealthy"}), Health::Unhealthy),
            ("Up 2 hours", json!({"Status": "none"}), Health::NoCheck),
        ] {
            assert_eq!(read_health(&json!({"Health": field}), status), health, "{status} {field}");
        }
    }

    #[test]
    fn a_phase_follows_from_the_state_and_what_docktor_does_with_it() {
        for (state, left, retiring) in [
            (State::Running, ReplicaPhase::Running, ReplicaPhase::Draining),
            (State::Restarting, ReplicaPhase::Running, ReplicaPhase::Draining),
            (State::Paused, ReplicaPhase::Failed, ReplicaPhase::Draining),
            (State::Exited, ReplicaPhase::Failed, ReplicaPhase::Stopped),
            (State::Dead, ReplicaPhase::Failed, ReplicaPhase::Failed),
            (State::Created, ReplicaPhase::Stopped, ReplicaPhase::Stopped),
            (State::Removing, ReplicaPhase::Draining, ReplicaPhase::Draining),
        ] {
            let container = ComposeContainer { state, ..sample(1) };
            assert_eq!(container.phase(Fate::Left), left, "{state:?}");
            assert_eq!(container.phase(Fate::Retiring), retiring, "{state:?}");
        }
        let fresh = ComposeContainer { state: State::Created, ..sample(1) };
        assert_eq!(fresh.phase(Fate::BeingMade), ReplicaPhase::Pending);
    }
}
