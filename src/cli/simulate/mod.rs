//! `simulate`: a policy on a trace, before it is trusted. Needs no controller and touches no target.
//!
//! Rows are printed as they are decided, so that a trace of any length takes the same memory; only a plot keeps
//! points, and few of them.

mod policy;
mod printer;
mod report;
mod workload;

pub(super) use workload::WorkloadArgs;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::Path;

use super::args::{Global, ReportChoice, SimulateArgs};
use super::exit::{Exit, Failure};
use super::output::{Format, Output, unsupported};
use crate::simulation::trace::{Reader, Row};
use crate::simulation::trial::{Lane, Stopped, Trial};
use policy::Policy;
use printer::Printer;

/// Longest line of a trace.
const MAX_LINE: u64 = 16 * 1024 * 1024;
/// Bytes of a trace that are read together.
const READ_BYTES: usize = 64 * 1024;
/// How a trace or a policy from standard input is called.
const STANDARD_INPUT: &str = "standard input";

/// Run `simulate`.
///
/// # Errors
/// `Usage` for an invalid policy or trace; what was decided before the mistake is printed all the same.
pub fn run(args: &SimulateArgs, global: &Global, output: &mut Output) -> Result<(), Failure> {
    check(args, global)?;
    let policies = policies(args, global, output)?;
    let mut trial = Trial::new();
    for policy in &policies {
        let whose = whose(&policies, &policy.name);
        for note in &policy.notes {
            eprintln!("docktorctl: note: {whose}{note}");
        }
        match args.workload.workload(&policy.spec)? {
            None => trial.open(policy.spec.clone()),
            Some(workload) => trial
                .closed(policy.spec.clone(), workload)
                .map_err(|error| Failure::say(Exit::Usage, format!("{}: {error}", policy.file)))?,
        }
    }
    let mut printer = Printer::new(&global.output, &policies, args, output);
    let replayed = replay(&args.trace, &mut trial, &mut printer);
    let printed = printer.end();
    for (lane, policy) in trial.lanes().iter().zip(&policies).filter(|_| replayed.is_ok()) {
        tell_gaps(lane, &whose(&policies, &policy.name));
    }
    replayed.and(printed)
}

/// Of two policies, whose note it is.
fn whose(policies: &[Policy], name: &str) -> String {
    if policies.len() > 1 { format!("{name}: ") } else { String::new() }
}

fn check(args: &SimulateArgs, global: &Global) -> Result<(), Failure> {
    if !matches!(global.output, Format::Table | Format::Json | Format::JsonLines | Format::Svg) {
        return Err(unsupported("simulate", "table, json, jsonl and svg"));
    }
    if global.output == Format::Svg && args.report == Some(ReportChoice::Only) {
        let message = "a picture shows the decisions; --report=only goes with table, json and jsonl";
        return Err(Failure::say(Exit::Usage, message));
    }
    let files = [Some(&args.file), args.compare.as_ref(), Some(&args.trace)];
    if files.into_iter().flatten().filter(|it| is_standard_input(it)).count() > 1 {
        let message = "standard input cannot be both the policy and the trace, nor two policies; give all but one as \
                       files";
        return Err(Failure::say(Exit::Usage, message));
    }
    Ok(())
}

/// The policy, and the one that it is compared with.
fn policies(args: &SimulateArgs, global: &Global, output: &mut Output) -> Result<Vec<Policy>, Failure> {
    let mut policies = vec![Policy::find(&args.file, args.name.as_deref(), global, output)?];
    if let Some(other) = &args.compare {
        policies.push(Policy::find_other(other, args.name.as_deref(), global, output)?);
        policy::tell_apart(&mut policies);
    }
    Ok(policies)
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn replay(path: &Path, trial: &mut Trial, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let name = if is_standard_input(path) { STANDARD_INPUT.to_owned() } else { path.display().to_string() };
    let cannot = |error: std::io::Error| Failure::say(Exit::Failed, format!("cannot read {name}: {error}"));
    let mut lines: Box<dyn BufRead> = if is_standard_input(path) {
        Box::new(stdin().lock())
    } else {
        Box::new(BufReader::with_capacity(READ_BYTES, File::open(path).map_err(cannot)?))
    };
    let wrong = |mistake| Failure::say(Exit::Usage, format!("{name}: {mistake}"));
    let stopped = |stopped, reader: &Reader| match stopped {
        Stopped::Row(message) => wrong(reader.mistake(message)),
        Stopped::Show(failure) => failure,
    };
    let (mut reader, mut row, mut line) = (Reader::new(), Row::default(), Vec::new());
    let mut rows = 0u64;
    let done = loop {
        line.clear();
        match lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(0) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(cannot(error)),
        }
        match read(&mut reader, &line, &mut row) {
            Ok(true) => rows += 1,
            Ok(false) => continue,
            Err(mistake) => break Err(wrong(mistake)),
        }
        if let Err(error) = trial.row(&row, |step| printer.step(step)) {
            break Err(stopped(error, &reader));
        }
    };
    trial.end(|step| printer.step(step)).map_err(|error| stopped(error, &reader))?;
    printer.sum_up(trial.lanes());
    done?;
    if rows == 0 {
        return Err(Failure::say(Exit::NothingFound, format!("{name} has no row")));
    }
    Ok(())
}

/// Reads one line into `row`; false where it is none.
fn read(reader: &mut Reader, line: &[u8], row: &mut Row) -> Result<bool, crate::simulation::trace::Mistake> {
    let text = match std::str::from_utf8(line) {
        Ok(text) if text.ends_with('\n') || (line.len() as u64) < MAX_LINE => return reader.read(text, row),
        Ok(_) => format!("it is longer than {MAX_LINE} bytes"),
        Err(_) => "it is not UTF-8".to_owned(),
    };
    // Counts the line that cannot be read.
    let _ = reader.read("", row);
    Err(reader.mistake(text))
}

fn tell_gaps(lane: &Lane, whose: &str) {
    let source = match lane.world() {
        None => "no row of the trace gives it",
        Some(_) => "neither the trace nor the modelled workload gives it",
    };
    for metric in lane.never_given() {
        eprintln!("docktorctl: note: {whose}the policy reads {metric}, and {source}");
    }
    for metric in lane.left_aside() {
        eprintln!(
            "docktorctl: note: {whose}the modelled workload makes {metric}; what the trace says of it is left aside"
        );
    }
}
