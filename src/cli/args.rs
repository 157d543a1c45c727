//! The command line of `docktorctl`, in kubectl's grammar.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::output::Format;
use crate::admin::selector::Selector;
use crate::admin::view::HoldDirection;
use crate::api::policy::Mode;
use crate::cli::jsonpath::JsonPath;
use crate::cli::simulate::WorkloadArgs;
use crate::history::Since;
use crate::units::{Duration, Timestamp};

/// `docktorctl`: the client.
#[derive(Debug, Parser)]
#[command(
    name = "docktorctl",
    version,
    about = "Shows and steers what docktor scales",
    after_help = "Exit codes: 0 done, 1 the request failed, 2 wrong usage or an invalid file,\n\
                  3 the controller cannot be reached, 4 nothing found"
)]
pub struct Docktorctl {
    /// Where to ask, and how to print.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Flags of every command")]
pub struct Global {
    /// The controller's unix socket [default: the user's own, then the host's]
    #[arg(long, global = true, env = "DOCKTOR_SOCKET", value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Ask a controller over TCP: http://HOST:PORT
    #[arg(long, global = true, env = "DOCKTOR_SERVER", value_name = "URL")]
    pub server: Option<String>,
    /// A file with the token for --server
    #[arg(long, global = true, env = "DOCKTOR_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Read this policy folder, not the controller; with --socket or --server: if that cannot be reached
    #[arg(long, global = true, value_name = "DIR")]
    pub policies: Option<PathBuf>,
    /// table, wide, json, yaml, name, or jsonpath=TEMPLATE; for `simulate` table, json, jsonl or svg; for `history` also jsonl
    #[arg(
        short,
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "table",
        hide_default_value = true
    )]
    pub output: Format,
}

/// What `docktorctl` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List policies, decisions or events
    Get(GetArgs),
    /// Show one policy in full: effective spec, conditions, last decision, mistakes
    Describe {
        /// What kind of object, or KIND/NAME
        #[arg(value_name = "KIND")]
        kind: String,
        /// Which; all when none is named
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Tell why a policy has the replicas it has, and what would change that
    Explain {
        /// Which policy
        name: String,
        /// Show the last N decisions as a table instead
        #[arg(long, value_name = "N")]
        tail: Option<usize>,
    },
    /// Check policy files, without a controller
    Validate {
        /// Files or folders; `-` reads standard input
        #[arg(required = true, value_name = "FILE")]
        paths: Vec<PathBuf>,
    },
    /// Try a policy on a trace, without a controller
    Simulate(SimulateArgs),
    /// Show what was decided for a policy, as far back as its history reaches
    History(HistoryArgs),
    /// Keep the replicas of a policy for a while
    Hold(HoldArgs),
    /// End a hold, and try again where docktor stopped trying
    Resume(ResumeArgs),
    /// Set how far docktor may go, until the policy's text changes
    Mode {
        /// Which policy
        name: String,
        /// The mode
        #[arg(value_parser = mode(), ignore_case = true)]
        mode: Mode,
    },
    /// Let a change be made that waits for approval
    Approve(AnswerArgs),
    /// Forbid a change that waits for approval
    Reject(AnswerArgs),
    /// Write a script that completes commands and flags
    Completion {
        /// For which shell
        shell: Shell,
    },
    /// Print the version of this program and of the controller
    Version,
}

/// Arguments of `get`.
#[derive(Debug, Clone, Args)]
pub struct GetArgs {
    /// policies, decisions or events, or KIND/NAME
    #[arg(value_name = "KIND")]
    pub kind: String,
    /// Which policies; all when none is named
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Only policies with these labels, as in tier=front,env!=test
    #[arg(short = 'l', long, value_name = "LABELS", default_value = "", value_parser = selector, hide_default_value = true)]
    pub selector: SelectorText,
    /// Go on and print what changes
    #[arg(short, long)]
    pub watch: bool,
    /// Sort by a field, as in .status.replicas.current
    #[arg(long, value_name = "JSONPATH")]
    pub sort_by: Option<JsonPath>,
}

/// A selector together with its text, which goes to the controller.
#[derive(Debug, Clone)]
pub struct SelectorText {
    /// As it was written.
    pub text: String,
    /// What it means.
    pub selector: Selector,
}

/// Arguments of `simulate`.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("observed").args(["trace", "from_history"]).required(true))]
pub struct SimulateArgs {
    /// Which policy of the file, where it has several
    pub name: Option<String>,
    /// The policy's file; `-` reads standard input. With --from-history, by default the running policy
    #[arg(short, long, value_name = "POLICY", required_unless_present = "from_history")]
    pub file: Option<PathBuf>,
    /// What was observed, as CSV or JSON Lines; `-` reads standard input
    #[arg(long, value_name = "TRACE")]
    pub trace: Option<PathBuf>,
    /// The stored past in place of a trace.
    #[command(flatten)]
    pub past: PastArgs,
    /// Tell the decision at the row with this `at` as a story, in place of all decisions
    #[arg(long, value_name = "AT", value_parser = crate::cli::simulate::moment, allow_negative_numbers = true)]
    pub explain: Option<Timestamp>,
    /// Sum it up at the end: replica-hours, seconds under- and over-provisioned, actions, flaps; `only` leaves the
    /// decisions out
    #[arg(long, value_name = "only", num_args = 0..=1, require_equals = true, default_missing_value = "also")]
    pub report: Option<ReportChoice>,
    /// Another policy on the same trace, side by side with the first
    #[arg(long, value_name = "POLICY")]
    pub compare: Option<PathBuf>,
    /// The closed loop, in which a modelled workload follows the policy.
    #[command(flatten)]
    pub workload: WorkloadArgs,
}

/// Whether a report stands beside the decisions or alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportChoice {
    /// After the decisions
    Also,
    /// Without them
    Only,
}

/// The stored past of a policy as a trace.
#[derive(Debug, Clone, Args)]
pub struct PastArgs {
    /// What the controller has stored of this policy, in place of a trace
    #[arg(long, value_name = "POLICY")]
    pub from_history: Option<String>,
    /// From when on: a length of time ago, as in 7d, or a moment
    #[arg(long, value_name = "TIME", default_value_t = Since::Ago(A_DAY), requires = "from_history", conflicts_with = "trace")]
    pub since: Since,
    /// Read history.db in this state folder, and ask no controller for it
    #[arg(long, value_name = "DIR", requires = "from_history", conflicts_with = "trace")]
    pub state_dir: Option<PathBuf>,
}

/// Arguments of `history`.
#[derive(Debug, Clone, Args)]
pub struct HistoryArgs {
    /// Which policy
    pub name: String,
    /// From when on: a length of time ago, as in 1h, or a moment
    #[arg(long, value_name = "TIME", default_value_t = Since::Ago(A_DAY))]
    pub since: Since,
    /// Read history.db in this state folder, without a controller
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// How far back is looked where nobody says.
const A_DAY: Duration = Duration::from_secs(86_400);

/// Arguments of `hold`.
#[derive(Debug, Clone, Args)]
pub struct HoldArgs {
    /// Which policy
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub name: Option<String>,
    /// Hold every policy that is there now
    #[arg(long)]
    pub all: bool,
    /// For how long, as in 10m
    #[arg(long = "for", value_name = "DURATION")]
    pub hold_for: Duration,
    /// Only stop changes in this direction
    #[arg(long, value_name = "DIRECTION", value_parser = direction(), ignore_case = true)]
    pub direction: Option<HoldDirection>,
    /// Why, for those who look at it later
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Arguments of `approve` and `reject`.
#[derive(Debug, Clone, Args)]
pub struct AnswerArgs {
    /// Which change, as `docktorctl explain` tells it: web-7f3k
    pub id: String,
    /// Why, for those who look at it later
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Arguments of `resume`.
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    /// Which policy
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub name: Option<String>,
    /// Resume every policy
    #[arg(long)]
    pub all: bool,
}

/// The kinds that `get` and `describe` know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// How workloads are scaled
    #[value(aliases = ["policy", "pol", "scalingpolicy", "scalingpolicies"])]
    Policies,
    /// What was decided, and why
    #[value(alias = "decision")]
    Decisions,
    /// What happened
    #[value(aliases = ["event", "ev"])]
    Events,
}

impl Kind {
    /// The kind and the names that `KIND [NAME…]` or `KIND/NAME …` mean.
    ///
    /// # Errors
    /// A sentence, when there is no such kind.
    pub fn with_names(kind: &str, names: &[String]) -> Result<(Self, Vec<String>), String> {
        let (word, first) = kind.split_once('/').map_or((kind, None), |(word, name)| (word, Some(name)));
        let kind = Self::from_str(word, true).map_err(|_| {
            format!("there is no kind `{word}`; write policies, decisions or events, or policy/NAME")
        })?;
        let names = first.into_iter().chain(names.iter().map(|it| bare_name(it)));
        Ok((kind, names.map(str::to_owned).collect()))
    }
}

/// `web` of `policy/web`.
#[must_use]
pub fn bare_name(name: &str) -> &str {
    match name.split_once('/') {
        Some((word, bare)) if Kind::from_str(word, true).is_ok() => bare,
        _ => name,
    }
}

fn selector(text: &str) -> Result<SelectorText, crate::admin::selector::SelectorError> {
    Ok(SelectorText { text: text.to_owned(), selector: text.parse()? })
}

fn mode() -> impl TypedValueParser<Value = Mode> {
    one_of([
        ("Auto", Mode::Auto),
        ("Approve", Mode::Approve),
        ("Observe", Mode::Observe),
        ("Disabled", Mode::Disabled),
    ])
}

fn direction() -> impl TypedValueParser<Value = HoldDirection> {
    one_of([("Up", HoldDirection::Up), ("Down", HoldDirection::Down), ("Both", HoldDirection::Both)])
}

/// Reads one of these words, in any case where the argument ignores it; help and completion list them.
fn one_of<T, const N: usize>(words: [(&'static str, T); N]) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    PossibleValuesParser::new(words.map(|it| it.0)).try_map(move |text| {
        let found = words.iter().find(|it| it.0.eq_ignore_ascii_case(&text));
        found.map(|it| it.1).ok_or("no such word")
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Docktorctl::command().debug_assert();
    }

    #[test]
    fn kinds_have_kubectls_short_forms() {
        for (words, names) in [
            (vec!["pol"], vec![]),
            (vec!["policy", "web", "api"], vec!["web", "api"]),
            (vec!["policy/web"], vec!["web"]),
            (vec!["policies/web", "pol/api"], vec!["web", "api"]),
            (vec!["policies", "sub/web.yaml#0"], vec!["sub/web.yaml#0"]),
        ] {
            let rest: Vec<_> = words[1..].iter().map(|it| (*it).to_owned()).collect();
            let (kind, found) = Kind::with_names(words[0], &rest).unwrap();
            assert_eq!(kind, Kind::Policies, "{words:?}");
            assert_eq!(found, names, "{words:?}");
        }
        assert!(Kind::with_names("pods", &[]).is_err());
    }
}
