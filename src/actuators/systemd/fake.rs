//! A manager that does what a real one cannot be made to do, behind a private socket of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use tempfile::TempDir;
use tokio::net::UnixListener;
use zbus::message::{Message, Type};
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, Guid, MessageStream, connection};

use crate::clients::systemd::{Address, Manager};

/// How it answers a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mood {
    /// As a real one.
    #[default]
    Well,
    /// It says yes and does nothing.
    Forgetful,
    /// It forbids it.
    Strict,
    /// It refuses the value.
    Picky,
    /// It never answers.
    Hung,
    /// It ends the connection in place of an answer.
    Mortal,
    /// It takes the job, which fails.
    Unlucky,
    /// It takes the job, and is gone before that ends.
    Fleeting,
}

/// The manager, and its one unit: every path leads to it.
pub(super) struct Fake {
    folder: TempDir,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    mood: Mood,
    unit: HashMap<String, OwnedValue>,
    calls: Vec<String>,
}

impl Fake {
    /// Serves from now on, as long as the test's runtime lives.
    pub fn serve(unit: &[(&str, Value<'static>)]) -> Self {
        let folder = TempDir::new().unwrap();
        let listener = UnixListener::bind(folder.path().join("private")).unwrap();
        let owned = unit.iter().map(|(name, value)| ((*name).to_owned(), value.try_to_owned().unwrap()));
        let state = Arc::new(Mutex::new(State { unit: owned.collect(), ..State::default() }));
        let fake = Self { folder, state: Arc::clone(&state) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                tokio::spawn(async move {
                    let builder = connection::Builder::unix_stream(stream).server(Guid::generate()).unwrap();
                    let _ = answer(builder.p2p().build().await.unwrap(), &state).await;
                });
            }
        });
        fake
    }

    /// A client of it.
    pub fn manager(&self) -> Manager {
        Manager::at(vec![Address::Private(self.folder.path().join("private"))])
    }

    pub fn feel(&self, mood: Mood) {
        self.with(|state| state.mood = mood);
    }

    /// The calls that changed something, or should have.
    pub fn calls(&self) -> Vec<String> {
        self.with(|state| state.calls.clone())
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn answer(connection: Connection, state: &Mutex<State>) -> zbus::Result<()> {
    let mut messages = MessageStream::from(&connection);
    while let Some(Ok(message)) = messages.next().await {
        if message.message_type() != Type::MethodCall {
            continue;
        }
        let header = message.header();
        let mood = state.lock().unwrap_or_else(PoisonError::into_inner).mood;
        match (header.member().map(|it| it.to_string()).unwrap_or_default().as_str(), mood) {
            ("Subscribe", _) => connection.reply(&header, &()).await?,
            ("GetAll", _) => {
                let unit = state.lock().unwrap_or_else(PoisonError::into_inner).unit.clone();
                connection.reply(&header, &unit).await?;
            }
            // Nowhere below the real hierarchy, so that no real file is looked at.
            ("Get", _) => connection.reply(&header, &Value::from("/nowhere/at/all")).await?,
            ("ListUnitsByPatterns", _) => connection.reply(&header, &listed(state)).await?,
            (member, mood) => {
                note(state, member, &message);
                match mood {
                    Mood::Hung => {}
                    Mood::Mortal => return connection.close().await,
                    Mood::Strict => {
                        let denied = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired";
                        connection
                            .reply_error(&header, denied, &"Interactive authentication required.")
                            .await?;
                    }
                    Mood::Picky => {
                        let error = "org.freedesktop.DBus.Error.InvalidArgs";
                        connection.reply_error(&header, error, &"TasksMax= is out of range").await?;
                    }
                    mood if member == "SetUnitProperties" => {
                        if mood != Mood::Forgetful {
                            set(state, &message);
                        }
                        connection.reply(&header, &()).await?;
                    }
                    _ if member == "ResetFailedUnit" => connection.reply(&header, &()).await?,
                    mood => {
                        let job = ObjectPath::from_static_str_unchecked("/org/freedesktop/systemd1/job/7");
                        connection.reply(&header, &job).await?;
                        if mood == Mood::Fleeting {
                            return connection.close().await;
                        }
                        let result =
                            if mood == Mood::Unlucky && member != "StopUnit" { "failed" } else { "done" };
                        let body = (7_u32, OwnedObjectPath::from(job), "a.service", result);
                        let root = "/org/freedesktop/systemd1";
                        let manager = "org.freedesktop.systemd1.Manager";
                        connection.emit_signal(None::<&str>, root, manager, "JobRemoved", &body).await?;
                    }
                }
            }
        }
    }
    Ok(())
}

fn note(state: &Mutex<State>, member: &str, message: &Message) {
    let body = message.body();
    let words = match member {
        "SetUnitProperties" => {
            let (unit, runtime, values): (&str, bool, Vec<(String, Value<'_>)>) = body.deserialize().unwrap();
            let values: Vec<_> = values
                .iter()
                .map(|(name, value)| match value {
                    Value::U64(number) => format!("{name}={number}"),
                    other => format!("{name}={other}"),
                })
                .collect();
            let kept = if runtime { "runtime" } else { "persistent" };
            format!("set {unit} {kept} {}", values.join(" "))
        }
        _ => {
            let unit =
                body.deserialize::<(&str, &str)>().map_or_else(|_| body.deserialize().unwrap(), |it| it.0);
            format!("{member} {unit}")
        }
    };
    state.lock().unwrap_or_else(PoisonError::into_inner).calls.push(words);
}

fn set(state: &Mutex<State>, message: &Message) {
    let body = message.body();
    let (_, _, values): (&str, bool, Vec<(String, OwnedValue)>) = body.deserialize().unwrap();
    state.lock().unwrap_or_else(PoisonError::into_inner).unit.extend(values);
}

type Listed = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

/// The unit, if it has a name.
fn listed(state: &Mutex<State>) -> Vec<Listed> {
    let state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let id = state.unit.get("Id").and_then(|it| String::try_from(it.clone()).ok());
    let path = || OwnedObjectPath::try_from("/").unwrap();
    let text = String::new;
    id.map(|id| (id, text(), text(), text(), text(), text(), path(), 0, text(), path())).into_iter().collect()
}
