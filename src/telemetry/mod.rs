//! Log set-up. Beside it, what docktor tells of itself: events and metrics.

pub mod event;
pub mod metrics;
mod policy_series;
mod process;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The variable with the log's filter, in the form of tracing's `EnvFilter`: `debug`, `info,docktor=debug`.
pub const FILTER_VARIABLE: &str = "DOCKTOR_LOG";
const DEFAULT_FILTER: &str = "info";

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line, for programs.
    Json,
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
    /// There is one already.
    #[error("the log is set up already")]
    Twice {
        /// What was said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Sends the log of this process to stderr. Colours only on a terminal, and never with `NO_COLOR`.
///
/// # Errors
/// When the filter in `DOCKTOR_LOG` is wrong, or when it is called twice.
pub fn init_log(format: LogFormat) -> Result<(), LogError> {
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter(std::env::var(FILTER_VARIABLE).ok())?)
        .with_writer(std::io::stderr)
        .with_ansi(colours(std::env::var_os("NO_COLOR"), std::io::stderr().is_terminal()))
        .with_target(false);
    match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    }
    .map_err(|source| LogError::Twice { source })
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
