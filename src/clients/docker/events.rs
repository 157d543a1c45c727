//! What happens to Compose containers, as the engine tells it.
//!
//! The stream ends when the connection does. Whoever reads it asks again, after a pause of its own choice,
//! and looks at the world afresh: what happened meanwhile is not told.

use futures::stream::{self, BoxStream, StreamExt};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use serde_json::Value;

use super::transport::EngineError;

/// Longest line that is read; an event with many labels has a few KiB.
const LONGEST_LINE: usize = 1 << 20;

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
pub(super) const ACTIONS: [&str; 12] = [
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

struct Reader {
    body: Incoming,
    unread: Vec<u8>,
}

/// The events in an endless answer. Lines that are none are passed over.
pub(super) fn decode(body: Incoming) -> ContainerEvents {
    let reader = Reader { body, unread: Vec::new() };
    stream::unfold(reader, |mut reader| async {
        loop {
            match reader.line().await {
                Ok(Some(line)) => {
                    if let Some(event) = serde_json::from_slice(&line).ok().as_ref().and_then(read_event) {
                        return Some((Ok(event), reader));
                    }
                }
                Ok(None) => return None,
                Err(error) => return Some((Err(error), reader)),
            }
        }
    })
    .boxed()
}

impl Reader {
    /// The next line, or nothing at the end.
    async fn line(&mut self) -> Result<Option<Vec<u8>>, EngineError> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let rest = self.unread.split_off(end + 1);
                return Ok(Some(std::mem::replace(&mut self.unread, rest)));
            }
            let Some(data) = self.data().await? else { return Ok(None) };
            if self.unread.len() + data.len() > LONGEST_LINE {
                self.unread.clear();
            }
            self.unread.extend_from_slice(&data);
        }
    }

    async fn data(&mut self) -> Result<Option<Bytes>, EngineError> {
        match self.body.frame().await {
            None => Ok(None),
            Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
            Some(Err(source)) => {
                Err(EngineError::Garbled { call: "GET /events".to_owned(), source: source.into() })
            }
        }
    }
}

/// The event in a line, unless it is none of a Compose container.
fn read_event(line: &Value) -> Option<ContainerEvent> {
    let actor = &line["Actor"];
    let label = |key: &str| actor["Attributes"][key].as_str().map(str::to_owned);
    Some(ContainerEvent {
        container: actor["ID"].as_str()?.to_owned(),
        project: label("com.docker.compose.project")?,
        service: label("com.docker.compose.service")?,
        action: read_action(line["Action"].as_str()?)?,
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

    #[test]
    fn an_event_names_project_service_and_action() {
        let line = |action: &str| {
            json!({"Type": "container", "Action": action, "Actor": {"ID": "c0ffee", "Attributes":
                {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}}})
        };
        for (word, action) in [
            ("start", Action::Start),
            ("health_status: healthy", Action::Health),
            ("pause", Action::Other("pause".to_owned())),
        ] {
            let event = read_event(&line(word)).unwrap();
            assert_eq!(
                (event.project.as_str(), event.service.as_str(), event.action),
                ("shop", "web", action)
            );
        }
        assert_eq!(read_event(&line("exec_start: true")), None);
        assert_eq!(
            read_event(&json!({"Action": "start", "Actor": {"ID": "c0ffee", "Attributes": {}}})),
            None
        );
    }
}
