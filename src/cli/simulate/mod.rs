//! `simulate`: a policy on a trace, before it is trusted. Needs no controller and touches no target.
//!
//! Rows are printed as they are decided, so that a trace of any length takes the same memory; only a plot keeps
//! points, and few of them.

mod explain;
mod past;
mod policy;
mod printer;

pub(super) use explain::moment;

use std::io::{BufRead, Read};
use std::path::Path;

use super::args::{Global, SimulateArgs};
use super::exit::{Exit, Failure};
use super::output::{Format, Output, unsupported};
use crate::api::effective::Spec;
use crate::simulation::replay::Replay;
use crate::simulation::trace::Reader;
use past::Trace;
use policy::Policy;
use printer::Printer;

/// Longest line of a trace.
const MAX_LINE: u64 = 16 * 1024 * 1024;
/// How a trace or a policy from standard input is called.
const STANDARD_INPUT: &str = "standard input";

/// Run `simulate`.
///
/// # Errors
/// `Usage` for an invalid policy or trace; what was decided before the mistake is printed all the same.
pub async fn run(args: &SimulateArgs, global: &Global, output: &mut Output) -> Result<(), Failure> {
    if args.explain.is_none()
        && !matches!(global.output, Format::Table | Format::Json | Format::JsonLines | Format::Svg)
    {
        return Err(unsupported("simulate", "table, json, jsonl and svg"));
    }
    if [&args.file, &args.trace].into_iter().flatten().filter(|it| is_standard_input(it)).count() > 1 {
        let message = "standard input cannot be both the policy and the trace; give one of them as a file";
        return Err(Failure::say(Exit::Usage, message));
    }
    let policy = match &args.file {
        Some(file) => Policy::find(file, args, global, output)?,
        None => past::running_policy(args, global).await?,
    };
    for note in &policy.notes {
        eprintln!("docktorctl: note: {note}");
    }
    if let Some(at) = args.explain {
        return explain::run(at, policy, Trace::open(args, global)?, &global.output, output);
    }
    let mut printer = Printer::new(&global.output, &policy, args.report, output);
    let replayed = Trace::open(args, global).and_then(|trace| replay(trace, policy.spec, &mut printer));
    let printed = printer.end();
    replayed.and(printed)
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn replay(mut trace: Trace, spec: Spec, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let name = trace.name.clone();
    let cannot = |error: std::io::Error| Failure::say(Exit::Failed, format!("cannot read {name}: {error}"));
    let wrong = |mistake| Failure::say(Exit::Usage, format!("{name}: {mistake}"));
    let (mut reader, mut replay) = (Reader::new(), Replay::new(spec));
    let mut line = Vec::new();
    let mut rows = 0u64;
    loop {
        line.clear();
        if trace.lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(cannot)? == 0 {
            break;
        }
        let text = std::str::from_utf8(&line).map_err(|_| "it is not UTF-8".to_owned());
        let text = text.and_then(|text| {
            let whole = text.ends_with('\n') || (line.len() as u64) < MAX_LINE;
            whole.then_some(text).ok_or_else(|| format!("it is longer than {MAX_LINE} bytes"))
        });
        let row = match text {
            Ok(text) => reader.row(text),
            Err(message) => {
                // Counts the line that cannot be read.
                let _ = reader.row("");
                Err(reader.mistake(message))
            }
        };
        if let Some(row) = row.map_err(wrong)? {
            rows += 1;
            trace.saw(row.at);
            let decision = replay.decide(&row);
            printer.row(&row, &decision)?;
        }
    }
    trace.end()?;
    for metric in replay.never_given() {
        eprintln!("docktorctl: note: the policy reads {metric}, and no row of the trace gives it");
    }
    if rows == 0 {
        return Err(Failure::say(Exit::NothingFound, format!("{name} has no row")));
    }
    Ok(())
}
