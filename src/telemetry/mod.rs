//! Log set-up. Beside it, what docktor tells of itself: events and metrics.

pub mod event;
mod journal;
pub mod metrics;
mod policy_series;
mod process;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use journal::Journal;

/// The variable with the log's filter, in the form of tracing's `EnvFilter`: `debug`, `info,docktor=debug`.
pub const FILTER_VARIABLE: &str = "DOCKTOR_LOG";
const DEFAULT_FILTER: &str = "info";

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// The journal where standard error is connected to it, else text
    #[default]
    Auto,
    /// A line for people.
    Text,
    /// A JSON object a line, for programs.
    Json,
    /// Entries with fields, in systemd's journal.
    Journal,
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error(
        "{FILTER_VARIABLE}=`{found}` is no log filter; write a level such as `debug`, or `info,docktor=debug`"
    )]
    Filter {
        /// As it was given.
        found: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Nobody reads what is sent to the journal.
    #[error("the journal does not answer; leave --log-format out, or write `text` or `json`")]
    NoJournal {
        /// Why.
        source: std::io::Error,
    },
    /// There is one already.
    #[error("the log is set up already")]
    Twice {
        /// What was said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Sends the log of this process to stderr or to the journal. Colours only on a terminal, and never with `NO_COLOR`.
///
/// # Errors
/// When the filter in `DOCKTOR_LOG` is wrong, when a journal is asked for and there is none, or when it is called
/// twice.
pub fn init_log(format: LogFormat) -> Result<(), LogError> {
    let filter = filter(std::env::var(FILTER_VARIABLE).ok())?;
    let journal = match format {
        LogFormat::Journal => Some(Journal::open().map_err(|source| LogError::NoJournal { source })?),
        LogFormat::Auto if journal::is_stderr(std::env::var("JOURNAL_STREAM").ok().as_deref()) => {
            Journal::open().ok()
        }
        LogFormat::Auto | LogFormat::Text | LogFormat::Json => None,
    };
    let log = || {
        tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(colours(std::env::var_os("NO_COLOR"), std::io::stderr().is_terminal()))
            .with_target(false)
    };
    let registry = tracing_subscriber::registry().with(filter);
    match (journal, format) {
        (Some(journal), _) => registry.with(journal).try_init(),
        (None, LogFormat::Json) => registry.with(log().json().flatten_event(true)).try_init(),
        (None, _) => registry.with(log()).try_init(),
    }
    .map_err(|source| LogError::Twice { source: source.into() })
}

fn filter(variable: Option<String>) -> Result<EnvFilter, LogError> {
    let text = variable.filter(|text| !text.is_empty()).unwrap_or_else(|| DEFAULT_FILTER.to_owned());
    EnvFilter::try_new(&text).map_err(|source| LogError::Filter { found: text, source })
}

/// As <https://no-color.org> has it: set and not empty means none.
fn colours(no_color: Option<std::ffi::OsString>, terminal: bool) -> bool {
    terminal && no_color.is_none_or(|value| value.is_empty())
}

/// An error with all its causes, as one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_need_a_terminal_and_no_no_color() {
        assert!(colours(None, true));
        assert!(colours(Some("".into()), true));
        assert!(!colours(Some("1".into()), true));
        assert!(!colours(None, false));
    }

    #[test]
    fn a_wrong_filter_is_named_and_a_right_one_shown() {
        assert_eq!(filter(None).unwrap().to_string(), "info");
        assert_eq!(filter(Some(String::new())).unwrap().to_string(), "info");
        let error = filter(Some("docktor=loud".to_owned())).unwrap_err().to_string();
        assert!(error.contains("`docktor=loud`") && error.contains("`debug`"), "{error}");
    }
}
