//! What a manager tells unasked, as far as docktor listens.

use zbus::message::{Message, Type};
use zbus::zvariant::{ObjectPath, OwnedObjectPath};

use super::path;

/// Something that a manager told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signal {
    /// Properties of this unit changed.
    Changed { unit: String },
    /// A job ended.
    JobRemoved { job: OwnedObjectPath, unit: String, result: String },
    /// Unit files were read again: limits may be other ones.
    Reloaded,
}

impl Signal {
    /// The signal in a message, if it is one of those.
    pub fn read(message: &Message) -> Option<Self> {
        if message.message_type() != Type::Signal {
            return None;
        }
        let header = message.header();
        match (header.interface()?.as_str(), header.member()?.as_str()) {
            ("org.freedesktop.DBus.Properties", "PropertiesChanged") => {
                path::unit_of(header.path()?.as_str()).map(|unit| Self::Changed { unit })
            }
            ("org.freedesktop.systemd1.Manager", "JobRemoved") => {
                let body = message.body();
                let (_, job, unit, result): (u32, ObjectPath<'_>, &str, &str) = body.deserialize().ok()?;
                Some(Self::JobRemoved { job: job.into(), unit: unit.to_owned(), result: result.to_owned() })
            }
            ("org.freedesktop.systemd1.Manager", "Reloading") => {
                let begins: bool = message.body().deserialize().ok()?;
                (!begins).then_some(Self::Reloaded)
            }
            _ => None,
        }
    }
}
