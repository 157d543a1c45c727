//! Flags and environment of `docktor`, typed. Every flag has a variable `DOCKTOR_…`; the flag wins.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::history::Retention;
use crate::places::Places;
use crate::telemetry::LogFormat;
use crate::units::Duration;

/// `docktor`: the controller.
#[derive(Debug, Parser)]
#[command(
    name = "docktor",
    version,
    about = "Scales Compose services, and says why",
    propagate_version = true
)]
pub struct Docktor {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `docktor` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the controller in the foreground, until SIGTERM or Ctrl-C
    Run(RunArgs),
    /// Run the controller in the background, without a service manager
    Daemon {
        /// What to do with it.
        #[command(subcommand)]
        command: DaemonCommand,
    },
    /// Write a script that completes commands and flags
    Completion {
        /// For which shell
        shell: Shell,
    },
    /// Print the version
    Version,
    /// Write the JSON Schemas of all kinds into a folder
    #[command(hide = true)]
    GenerateSchemas {
        /// The folder
        dir: PathBuf,
    },
}

/// What `docktor daemon` can do.
#[derive(Debug, Subcommand)]
pub enum DaemonCommand {
    /// Start it, with the flags of `docktor run`
    Start(RunArgs),
    /// Ask it to stop, and wait
    Stop(StateArgs),
    /// Stop it if it runs, then start it
    Restart(RunArgs),
    /// Say whether it runs (exit code 0) or not (3)
    Status(StateArgs),
    /// Show the end of its log
    Logs {
        /// Whose.
        #[command(flatten)]
        state: StateArgs,
        /// How many lines
        #[arg(short = 'n', long, default_value_t = 100)]
        lines: usize,
        /// Go on and print what comes
        #[arg(short, long)]
        follow: bool,
    },
}

/// Which background controller.
#[derive(Debug, Clone, Args)]
pub struct StateArgs {
    /// Its state folder
    #[arg(long, env = "DOCKTOR_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// Flags of `docktor run`.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// The policy folder
    #[arg(long, env = "DOCKTOR_POLICIES", value_name = "DIR")]
    pub policies: Option<PathBuf>,
    /// Where memory, last good policies and history are kept
    #[arg(long, env = "DOCKTOR_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// The unix socket that docktorctl talks to
    #[arg(long, env = "DOCKTOR_SOCKET", value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Address of the HTTP server, or `none`
    #[arg(long, env = "DOCKTOR_LISTEN", value_name = "HOST:PORT", default_value_t)]
    pub listen: Listen,
    /// The Docker engine; by default DOCKER_HOST, else the local socket
    #[arg(long, env = "DOCKTOR_DOCKER", value_name = "ADDRESS")]
    pub docker: Option<String>,
    /// Write status sidecars here (relative paths kept) and not beside the policies
    #[arg(long, env = "DOCKTOR_STATUS_DIR", value_name = "DIR")]
    pub status_dir: Option<PathBuf>,
    /// The folder below which `{file: …}` secrets are
    #[arg(long, env = "DOCKTOR_SECRETS_DIR", value_name = "DIR")]
    pub secrets_dir: Option<PathBuf>,
    /// A file with the token that writes over TCP need
    #[arg(long, env = "DOCKTOR_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Where the log goes and how it looks
    #[arg(long, env = "DOCKTOR_LOG_FORMAT", value_name = "FORMAT", default_value = "auto")]
    pub log_format: LogFormat,
    /// Look at the policy folder this often too, where file notifications do not arrive (network file systems)
    #[arg(long, env = "DOCKTOR_POLL", value_name = "DURATION")]
    pub poll: Option<Duration>,
    /// Keep single samples this long (five-minute means stay 15 days), or `none` for no history at all
    #[arg(long, env = "DOCKTOR_HISTORY_RETENTION", value_name = "DURATION", default_value_t)]
    pub history_retention: Retention,
}

/// Address of the HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// No HTTP over TCP.
    Off,
    /// A host or address and a port.
    At(String),
}

/// Everything that `docktor run` needs to know, with defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The policy folder.
    pub policies: PathBuf,
    /// The state folder.
    pub state_dir: PathBuf,
    /// The unix socket.
    pub socket: PathBuf,
    /// The HTTP server's address.
    pub listen: Listen,
    /// The engine's address; the local socket where absent.
    pub docker: Option<String>,
    /// Where sidecars go; beside the policies where absent.
    pub status_dir: Option<PathBuf>,
    /// The folder below which `{file: …}` secrets are.
    pub secrets_dir: PathBuf,
    /// The file with the token for TCP.
    pub token_file: Option<PathBuf>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// How often to look at the policy folder besides notifications.
    pub poll: Option<Duration>,
    /// How long single samples are kept.
    pub history_retention: Retention,
}

impl Config {
    /// The configuration that `args` mean where files are at `places` by default; `docker_host` is `DOCKER_HOST`.
    #[must_use]
    pub fn new(args: RunArgs, places: Places, docker_host: Option<String>) -> Self {
        Self {
            policies: args.policies.unwrap_or(places.policies),
            state_dir: args.state_dir.unwrap_or(places.state),
            socket: args.socket.unwrap_or(places.socket),
            listen: args.listen,
            docker: args.docker.or(docker_host).filter(|it| !it.is_empty()),
            status_dir: args.status_dir,
            secrets_dir: args.secrets_dir.unwrap_or(places.secrets),
            token_file: args.token_file,
            log_format: args.log_format,
            poll: args.poll,
            history_retention: args.history_retention,
        }
    }

    /// The configuration of this process.
    #[must_use]
    pub fn of_this_process(args: RunArgs) -> Self {
        Self::new(args, Places::of_this_process(), std::env::var("DOCKER_HOST").ok())
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self::At("127.0.0.1:9787".to_owned())
    }
}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        if text == "none" {
            return Ok(Self::Off);
        }
        let (host, port) = text.rsplit_once(':').ok_or(ListenError)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let plausible = !host.is_empty() && (bracketed || !host.contains(':')) && port.parse::<u16>().is_ok();
        if plausible { Ok(Self::At(text.to_owned())) } else { Err(ListenError) }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("none"),
            Self::At(address) => f.write_str(address),
        }
    }
}

/// Why a text is no address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write HOST:PORT, as in `127.0.0.1:9787` or `[::1]:9787`, or `none`")]
pub struct ListenError;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::places::User;

    fn config(arguments: &[&str], docker_host: Option<&str>) -> Config {
        let words = ["docktor", "run"].iter().chain(arguments);
        let Command::Run(args) = Docktor::try_parse_from(words).unwrap().command else { panic!("not run") };
        Config::new(args, Places::new(User::Root, |_| None), docker_host.map(str::to_owned))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Docktor::command().debug_assert();
    }

    #[test]
    fn without_a_flag_the_defaults_hold() {
        let config = config(&[], None);
        assert_eq!(config.policies, PathBuf::from("/etc/docktor/policies"));
        assert_eq!(config.listen, Listen::At("127.0.0.1:9787".to_owned()));
        assert_eq!((config.docker, config.status_dir, config.poll), (None, None, None));
        assert_eq!(config.history_retention.to_string(), "1d");
    }

    #[test]
    fn a_flag_wins_over_the_environment() {
        let args = ["--docker", "unix:///flag", "--policies", "p", "--listen", "none", "--poll", "5s"];
        let config = config(&args, Some("unix:///variable"));
        assert_eq!(config.docker.as_deref(), Some("unix:///flag"));
        assert_eq!(config.policies, PathBuf::from("p"));
        assert_eq!(config.listen, Listen::Off);
        assert_eq!(config.poll, Some(Duration::from_secs(5)));
    }

    #[test]
    fn docker_host_names_the_engine_where_no_flag_does() {
        assert_eq!(config(&[], Some("tcp://10.0.0.2:2375")).docker.as_deref(), Some("tcp://10.0.0.2:2375"));
        assert_eq!(config(&[], Some("")).docker, None);
    }

    #[test]
    fn an_address_needs_a_host_and_a_port() {
        for text in ["127.0.0.1:9787", "[::1]:80", "localhost:0", "none"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        for text in ["", "9787", ":9787", "localhost", "::1:80", "host:70000", "None"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }
}
