//! `docktor`: what each of its commands does, and the exit code.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser};

use super::config::{Command, Config, Docktor};
use crate::telemetry;

/// How a command ended; see the exit codes in `docs/running.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// It failed.
    Failed,
    /// Wrong usage.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
        })
    }
}

/// Carries out the command line of this process.
#[must_use]
pub fn main() -> Exit {
    let command = match Docktor::try_parse() {
        Ok(docktor) => docktor.command,
        Err(error) => {
            // Help and version are errors to clap, and none to the user.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    match carry_out(command) {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("docktor: {error:#}");
            Exit::Failed
        }
    }
}

fn carry_out(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run(args) => {
            let config = Config::of_this_process(args);
            telemetry::init_log(config.log_format)?;
            tokio::runtime::Runtime::new().context("no runtime")?.block_on(super::run(config))
        }
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Docktor::command(), "docktor", &mut std::io::stdout());
            Ok(())
        }
        Command::Version => {
            println!("docktor {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Command::GenerateSchemas { dir } => write_schemas(&dir),
    }
}

fn write_schemas(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    for (name, text) in Vec::<(&str, String)>::new() {
        let path = dir.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
