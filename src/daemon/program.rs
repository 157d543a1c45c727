//! `docktor`: what each of its commands does, and the exit code.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context;
use clap::{CommandFactory, Parser};

use super::activation::Inherited;
use super::background;
use super::config::{Command, Config, Docktor};
use crate::cli::exit::Exit;
use crate::telemetry::{LogFormat, init_log};

/// Threads that passes, samples and answers share. They wait far more than they compute, so a host with many
/// cores gains nothing by more of them, and each has memory of its own.
const WORKERS: usize = 2;

/// Carries out the command line of this process.
#[must_use]
pub fn main() -> Exit {
    let command = match Docktor::try_parse() {
        Ok(docktor) => docktor.command,
        Err(message) => {
            // An error here is a reader that went away.
            let _ = message.print();
            return if message.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let done = match command {
        Command::Run(args) => {
            let config = Config::of_this_process(args);
            if let Err(error) = init_log(config.log_format) {
                eprintln!("docktor: {:#}", anyhow::Error::from(error));
                return Exit::Usage;
            }
            run(config)
        }
        Command::Daemon { command } => return background::execute(command),
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Docktor::command(), "docktor", &mut std::io::stdout());
            Ok(())
        }
        Command::Version => {
            println!("docktor {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Command::GenerateSchemas { dir } => write_schemas(&dir),
    };
    match done {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("docktor: {error:#}");
            Exit::Failed
        }
    }
}

fn run(config: Config) -> anyhow::Result<()> {
    let inherited = Inherited::of_this_process();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    runtime.block_on(super::run(config, inherited))
}

fn write_schemas(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, text) in crate::api::schema::schemas() {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// The flags of `docktor run` that mean `config`.
#[must_use]
pub fn flags(config: &Config) -> Vec<OsString> {
    let format = match config.log_format {
        LogFormat::Auto => "auto",
        LogFormat::Text => "text",
        LogFormat::Json => "json",
        LogFormat::Journal => "journal",
    };
    let mut flags: Vec<OsString> = vec!["--listen".into(), config.listen.to_string().into()];
    let mut add = |flag: &str, value: OsString| flags.extend([flag.into(), value]);
    add("--log-format", format.into());
    add("--history-retention", config.history_retention.to_string().into());
    add("--policies", config.policies.clone().into());
    add("--state-dir", config.state_dir.clone().into());
    add("--socket", config.socket.clone().into());
    add("--secrets-dir", config.secrets_dir.clone().into());
    for (flag, value) in [
        ("--docker", config.docker.clone().map(Into::into)),
        ("--status-dir", config.status_dir.clone().map(Into::into)),
        ("--token-file", config.token_file.clone().map(Into::into)),
        ("--poll", config.poll.map(|it| it.to_string().into())),
    ] {
        if let Some(value) = value {
            add(flag, value);
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::{Places, User};

    #[test]
    fn the_flags_of_a_configuration_mean_the_same_configuration() {
        let words = "docktor run --policies p --state-dir s --socket k --listen none --docker d --status-dir t \
                     --secrets-dir e --token-file f --log-format json --poll 5s --history-retention 36h";
        let parse = |words: Vec<OsString>| {
            let Command::Run(args) = Docktor::try_parse_from(words).unwrap().command else {
                panic!("not run")
            };
            Config::new(args, Places::new(User::Root, |_| None), None)
        };
        let config = parse(words.split_whitespace().map(Into::into).collect());
        let again = ["docktor".into(), "run".into()].into_iter().chain(flags(&config)).collect();
        assert_eq!(parse(again), config);
    }
}
