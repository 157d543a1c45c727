//! `docktorctl`: arguments, and the table of commands.
//!
//! It shows what the controller says and passes orders on; it never reasons about a policy itself. Without a
//! controller, what only reads works from the policy folder.

pub mod args;
mod client;
mod describe;
pub mod exit;
mod explain;
mod folder;
mod get;
mod history;
mod jsonpath;
mod offline;
mod order;
mod origin;
pub mod output;
mod policies;
mod simulate;
mod validate;

use std::ffi::OsString;

use clap::{CommandFactory, Parser};
use serde::Serialize;

use args::{Command, Docktorctl, Global};
use exit::{Exit, Failure};
use output::{Format, Output, Prints, unsupported};

use crate::admin::view::Verdict;
use crate::http::Version;

/// Run `docktorctl` with these arguments, the program's name first.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Docktorctl::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(message) => return usage(&message),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => {
            runtime.block_on(execute(&arguments, &mut Output::standard(prints(&arguments.command))))
        }
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => Exit::Done,
        Err(failure) if failure.is_broken_pipe() => Exit::Done,
        Err(failure) => {
            eprintln!("docktorctl: {:#}", failure.error);
            failure.exit
        }
    }
}

async fn execute(arguments: &Docktorctl, output: &mut Output) -> Result<(), Failure> {
    let global = &arguments.global;
    match &arguments.command {
        Command::Get(args) => get::run(args, global, output).await,
        Command::Describe { kind, names } => describe::run(kind, names, global, output).await,
        Command::Explain { name, tail } => explain::run(name, *tail, global, output).await,
        Command::Validate { paths } => validate::run(paths, &global.output, output),
        Command::Simulate(args) => simulate::run(args, global, output).await,
        Command::History(args) => history::run(args, global, output).await,
        Command::Hold(args) => order::hold(args, global, output).await,
        Command::Resume(args) => order::resume(args, global, output).await,
        Command::Mode { name, mode } => order::mode(name, *mode, global, output).await,
        Command::Approve(args) => order::answer(args, Verdict::Approve, global, output).await,
        Command::Reject(args) => order::answer(args, Verdict::Reject, global, output).await,
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Docktorctl::command(), "docktorctl", &mut script);
            Ok(output.raw(&String::from_utf8_lossy(&script))?)
        }
        Command::Version => version(global, output).await,
    }
}

/// Which formats a command prints.
const fn prints(command: &Command) -> Prints {
    let (command, formats) = match command {
        Command::Get(_) => ("get", "table, wide, json, yaml, name and jsonpath"),
        Command::Describe { .. } => ("describe", "text"),
        Command::Explain { tail: None, .. } => ("explain", "a story, json, yaml and jsonpath"),
        Command::Explain { .. } => ("explain --tail", "a table, json, yaml and jsonpath"),
        Command::Validate { .. } => ("validate", "text, json, yaml and jsonpath"),
        Command::Simulate(_) => ("simulate", "table, json, jsonl and svg"),
        Command::History(_) => ("history", "table, json, jsonl, yaml, name and jsonpath"),
        Command::Hold(_) => ("hold", "text"),
        Command::Resume(_) => ("resume", "text"),
        Command::Mode { .. } => ("mode", "text"),
        Command::Approve(_) => ("approve", "text"),
        Command::Reject(_) => ("reject", "text"),
        Command::Completion { .. } => ("completion", "a script"),
        Command::Version => ("version", "text, json, yaml and jsonpath"),
    };
    Prints { command, formats }
}

/// Help and versions that were asked for are no mistake; all else on the command line is wrong usage.
fn usage(message: &clap::Error) -> Exit {
    // An error here is a reader that went away.
    let _ = message.print();
    if message.use_stderr() { Exit::Usage } else { Exit::Done }
}

#[derive(Debug, Serialize)]
struct Versions {
    client: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
}

async fn version(global: &Global, output: &mut Output) -> Result<(), Failure> {
    let server = match origin::controller(global).await {
        Ok(client) => client.get::<Version>("/version").await.map(|it| it.version).map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    let client = env!("CARGO_PKG_VERSION").to_owned();
    match (&global.output, server) {
        (Format::Wide | Format::Name, _) => Err(unsupported("version", "text, json, yaml and jsonpath")),
        (Format::Table, Ok(server)) => Ok(output.line(format!("Client: {client}\nServer: {server}"))?),
        (Format::Table, Err(failure)) => {
            output.line(format!("Client: {client}"))?;
            eprintln!("docktorctl: {:#}", failure.error);
            Ok(())
        }
        (format, server) => output.structured(format, &Versions { client, server: server.ok() }).map(drop),
    }
}
