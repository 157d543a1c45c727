//! What happens to Compose containers, as the engine tells it.
//!
//! The stream ends when the connection does. Whoever reads it asks again, after a pause of its own choice,
//! and looks at the world afresh: what happened meanwhile is not told.

use std::collections::HashMap;

use bollard::Docker;
use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures::future;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use serde_json::Value;

use super::error::EngineError;

/// The call, for messages.
pub(super) const CALL: &str = "GET /events";

/// Something happened to a container of a Compose service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerEvent {
    /// Its id.
    pub container: String,
    /// Its project.
    pub project: String,
    /// Its service.
    pub service: String,
    /// What happened.
    pub action: Action,
}

/// What happened to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It was made.
    Create,
    /// It was started.
    Start,
    /// Its process ended.
    Die,
    /// It was removed.
    Destroy,
    /// Its health check changed its mind.
    Health,
    /// Its limits were changed.
    Update,
    /// Something else, in the engine's own word: `pause`, `rename`, `oom`.
    Other(String),
}

/// What the engine is asked to tell. Health checks run as `exec`, so asking for all would never be silent.
const ACTIONS: [&str; 12] = [
    "create",
    "start",
    "die",
    "stop",
    "destroy",
    "pause",
    "unpause",
    "rename",
    "update",
    "oom",
    "restart",
    "health_status",
];

/// Events of Compose containers.
pub type ContainerEvents = BoxStream<'static, Result<ContainerEvent, EngineError>>;

/// The events since a [`moment`] and from now on. What is none of a Compose container is passed over.
pub(super) fn listen(docker: &Docker, since: Option<String>) -> ContainerEvents {
    let filters = HashMap::from([
        ("type", vec!["container"]),
        ("label", vec!["com.docker.compose.project"]),
        ("event", ACTIONS.to_vec()),
    ]);
    let mut options = EventsOptionsBuilder::new().filters(&filters).build();
    options.since = since;
    docker
        .events(Some(options))
        .map_err(|error| EngineError::of(CALL, error))
        .try_filter_map(|message| future::ready(Ok(read_event(message))))
        .boxed()
}

/// The engine's own time as `/events` takes it, in seconds; nothing, if it does not tell.
pub(super) fn moment(system_time: &Value) -> Option<String> {
    let time: jiff::Timestamp = system_time.as_str()?.parse().ok()?;
    Some(format!("{}.{:09}", time.as_second(), time.subsec_nanosecond()))
}

/// The event in a message, unless it is none of a Compose container.
fn read_event(message: EventMessage) -> Option<ContainerEvent> {
    let actor = message.actor?;
    let mut labels = actor.attributes?;
    Some(ContainerEvent {
        container: actor.id?,
        project: labels.remove("com.docker.compose.project")?,
        service: labels.remove("com.docker.compose.service")?,
        action: read_action(&message.action?)?,
    })
}

fn read_action(word: &str) -> Option<Action> {
    Some(match word {
        "create" => Action::Create,
        "start" => Action::Start,
        "die" => Action::Die,
        "destroy" => Action::Destroy,
        "update" => Action::Update,
        _ if word.starts_with("health_status") => Action::Health,
        _ if word.starts_with("exec_") => return None,
        other => Action::Other(other.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(line: Value) -> EventMessage {
        serde_json::from_value(line).unwrap()
    }

    #[test]
    fn the_engines_time_is_given_back_in_seconds() {
        let given = |text: &str| moment(&json!(text));
        assert_eq!(given("2026-11-22T09:06:52.000000042+01:00").unwrap(), "1795334812.000000042");
        assert_eq!(given("soon"), None);
        assert_eq!(moment(&Value::Null), None);
    }

    #[test]
    fn an_event_names_project_service_and_action() {
        let line = |action: &str| {
            message(json!({"Type": "container", "Action": action, "Actor": {"ID": "c0ffee", "Attributes":
                {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}}}))
        };
        for (word, action) in [
            ("start", Action::Start),
            ("health_status: healthy", Action::Health),
            ("pause", Action::Other("pause".to_owned())),
        ] {
            let event = read_event(line(word)).unwrap();
            assert_eq!(
                (event.project.as_str(), event.service.as_str(), event.action),
                ("shop", "web", action)
            );
        }
        assert_eq!(read_event(line("exec_start: true")), None);
        assert_eq!(
            read_event(message(json!({"Action": "start", "Actor": {"ID": "c0ffee", "Attributes": {}}}))),
            None
        );
    }
}
