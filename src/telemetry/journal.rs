//! The log in systemd's journal, by its [native protocol](https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).
//!
//! An entry's `MESSAGE` is the line that other outputs write, without time and level; its `PRIORITY` is the level; and
//! every field of the event and of the spans around it is a field of the entry too: `policy` is `DOCKTOR_POLICY`.
//! tracing-journald is not used because its `MESSAGE` lacks the fields, and `journalctl` shows nothing else.

use std::fmt::{Debug, Write};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Where journald listens.
const SOCKET: &str = "/run/systemd/journal/socket";
/// What the names of docktor's fields begin with: names without it are journald's.
const PREFIX: &str = "DOCKTOR_";
/// Longest name that journald takes.
const LONGEST_NAME: usize = 64;
/// What of a message is kept when the kernel calls an entry too large.
const MESSAGE_OF_LARGE: usize = 32 * 1_024;
/// Longest wait for a journald that does not read. The entry is lost then: a log never stops control.
const PATIENCE: Duration = Duration::from_millis(500);

/// Sends events to journald.
pub(super) struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

/// The fields of an entry, with the names they have there. `DOCKTOR_EVENT` is what the event says, one word as a rule,
/// such as `ScaleUp`.
#[derive(Default)]
struct Fields(Vec<(String, String)>);

/// The fields of a span, and the same as text.
struct SpanFields {
    fields: Fields,
    text: String,
}

/// Is standard error connected to the journal? As systemd.exec(5) says to find out, by `JOURNAL_STREAM`.
pub(super) fn is_stderr(variable: Option<&str>) -> bool {
    let Some((device, inode)) = variable.and_then(|it| it.split_once(':')) else { return false };
    let stderr = std::fs::metadata("/proc/self/fd/2");
    stderr.is_ok_and(|it| device.parse() == Ok(it.dev()) && inode.parse() == Ok(it.ino()))
}

impl Journal {
    /// The journal of this host.
    pub(super) fn open() -> io::Result<Self> {
        Self::at(Path::new(SOCKET))
    }

    fn at(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        // Journald ignores an empty entry; that it can be sent shows that somebody listens.
        socket.send_to(&[], path)?;
        Ok(Self { socket, path: path.to_owned() })
    }

    fn send(&self, level: Level, message: &str, fields: &[&Fields]) {
        let entry = entry(level, message, fields);
        let sent = self.socket.send_to(&entry, &self.path);
        if sent.is_err_and(|it| it.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error())) {
            let message = &message[..message.floor_char_boundary(MESSAGE_OF_LARGE)];
            let entry = self::entry(level, message, &[]);
            // There is no place left to tell of a log that cannot be written.
            let _ = self.socket.send_to(&entry, &self.path);
        }
    }
}

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Journal {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(SpanFields { fields, text: text(attributes) });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(known) = span.extensions_mut().get_mut::<SpanFields>() {
            values.record(&mut known.fields);
            known.text = format!("{} {}", known.text, text(values));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut message = String::new();
        for span in context.event_scope(event).into_iter().flat_map(|it| it.from_root()) {
            if let Some(around) = span.extensions().get::<SpanFields>() {
                let _ = write!(message, "{}{{{}}}: ", span.name(), around.text);
                fields.take_over(&around.fields);
            }
        }
        message.push_str(&text(event));
        self.send(*event.metadata().level(), &message, &[&fields]);
    }
}

impl Fields {
    fn put(&mut self, field: &Field, value: String) {
        // What an event says comes before its fields, of which one may be called `message` too.
        let name = if self.0.is_empty() && field.name() == "message" { "event" } else { field.name() };
        self.0.push((name_of(name), value));
    }

    /// Takes what is not there yet: an event's own fields win over those of the spans around it.
    fn take_over(&mut self, others: &Self) {
        for (name, value) in &others.0 {
            if self.0.iter().all(|(known, _)| known != name) {
                self.0.push((name.clone(), value.clone()));
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }
}

/// The fields as the text log has them.
fn text(fields: impl RecordFields) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = DefaultFields::new().format_fields(Writer::new(&mut text), fields);
    text
}

/// A field's name in the journal.
fn name_of(field: &str) -> String {
    let letter = |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' };
    PREFIX.chars().chain(field.chars().map(letter)).take(LONGEST_NAME).collect()
}

/// The severities of syslog(3).
const fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}

fn entry(level: Level, message: &str, fields: &[&Fields]) -> Vec<u8> {
    let mut entry = Vec::with_capacity(512);
    put(&mut entry, "PRIORITY", priority(level));
    put(&mut entry, "SYSLOG_IDENTIFIER", "docktor");
    put(&mut entry, "MESSAGE", message);
    for (name, value) in fields.iter().flat_map(|it| &it.0) {
        put(&mut entry, name, value);
    }
    entry
}

fn put(entry: &mut Vec<u8>, name: &str, value: &str) {
    entry.extend(name.as_bytes());
    entry.push(b'\n');
    entry.extend((value.len() as u64).to_le_bytes());
    entry.extend(value.as_bytes());
    entry.push(b'\n');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// What journald would make of an entry.
    fn read(entry: &[u8]) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::new();
        let mut rest = entry;
        while !rest.is_empty() {
            let end = rest.iter().position(|it| *it == b'\n').unwrap();
            let name = String::from_utf8(rest[..end].to_vec()).unwrap();
            let length = u64::from_le_bytes(rest[end + 1..end + 9].try_into().unwrap()) as usize;
            let value = &rest[end + 9..end + 9 + length];
            fields.insert(name, String::from_utf8(value.to_vec()).unwrap());
            assert_eq!(rest[end + 9 + length], b'\n');
            rest = &rest[end + 10 + length..];
        }
        fields
    }

    /// The entries that arrive while `log` runs.
    fn entries(log: impl FnOnce()) -> Vec<BTreeMap<String, String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journald = UnixDatagram::bind(&path).unwrap();
        journald.set_nonblocking(true).unwrap();
        let subscriber = tracing_subscriber::registry().with(Journal::at(&path).unwrap());
        tracing::subscriber::with_default(subscriber, log);
        let mut received = Vec::new();
        let mut buffer = vec![0; 1 << 20];
        while let Ok(length) = journald.recv(&mut buffer) {
            received.push(read(&buffer[..length]));
        }
        assert_eq!(received.remove(0), BTreeMap::new());
        received
    }

    #[test]
    fn an_entry_has_the_line_as_message_and_every_field_beside_it() {
        let entries = entries(|| tracing::info!(policy = "web", current = 1, why = "a\nb", "ScaleUp"));
        let fields: Vec<_> = entries[0].iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            fields,
            [
                "DOCKTOR_CURRENT=1",
                "DOCKTOR_EVENT=ScaleUp",
                "DOCKTOR_POLICY=web",
                "DOCKTOR_WHY=a\nb",
                "MESSAGE=ScaleUp policy=\"web\" current=1 why=\"a\\nb\"",
                "PRIORITY=6",
                "SYSLOG_IDENTIFIER=docktor"
            ]
        );
    }

    #[test]
    fn what_an_event_says_and_a_field_called_message_are_told_apart() {
        let entries = entries(|| tracing::warn!(message = "no engine", "Degraded"));
        assert_eq!(entries[0]["DOCKTOR_EVENT"], "Degraded");
        assert_eq!(entries[0]["DOCKTOR_MESSAGE"], "no engine");
    }

    #[test]
    fn the_fields_of_spans_belong_to_the_entry_but_those_of_the_event_win() {
        let entries = entries(|| {
            tracing::info_span!("pass", policy = "web", generation = 3).in_scope(|| {
                tracing::warn!(generation = 4, "late");
            });
        });
        assert_eq!(entries[0]["DOCKTOR_POLICY"], "web");
        assert_eq!(entries[0]["DOCKTOR_GENERATION"], "4");
        assert_eq!(entries[0]["MESSAGE"], "pass{policy=\"web\" generation=3}: late generation=4");
    }

    #[test]
    fn levels_are_syslogs_severities() {
        let entries = entries(|| {
            tracing::error!("");
            tracing::warn!("");
            tracing::info!("");
            tracing::debug!("");
            tracing::trace!("");
        });
        let priorities: Vec<_> = entries.iter().map(|it| it["PRIORITY"].as_str()).collect();
        assert_eq!(priorities, ["3", "4", "6", "7", "7"]);
    }

    #[test]
    fn an_entry_that_is_too_large_is_cut_and_not_lost() {
        let entries = entries(|| tracing::info!(text = "é".repeat(1 << 19), "long"));
        assert_eq!(entries.len(), 1);
        assert!(entries[0]["MESSAGE"].starts_with("long text=\"éé"));
        assert!(entries[0]["MESSAGE"].len() <= MESSAGE_OF_LARGE);
    }

    #[test]
    fn names_are_what_journald_takes() {
        assert_eq!(name_of("log.target"), "DOCKTOR_LOG_TARGET");
        assert_eq!(name_of(&"x".repeat(100)).len(), LONGEST_NAME);
    }

    #[test]
    fn stderr_is_the_journal_only_where_device_and_inode_are_its_own() {
        let stderr = std::fs::metadata("/proc/self/fd/2").unwrap();
        assert!(is_stderr(Some(&format!("{}:{}", stderr.dev(), stderr.ino()))));
        assert!(!is_stderr(Some(&format!("{}:{}", stderr.dev(), stderr.ino() + 1))));
        for text in ["", "1", "a:b"] {
            assert!(!is_stderr(Some(text)));
        }
        assert!(!is_stderr(None));
    }

    #[test]
    fn without_journald_there_is_no_journal() {
        assert!(Journal::at(Path::new("/nonexistent/socket")).is_err());
    }
}
