//! `simulate`: a policy on a trace, before it is trusted. Needs no controller and touches no target.
//!
//! Rows are printed as they are decided, so that a trace of any length takes the same memory; only a plot keeps
//! points, and few of them.

mod explain;
mod past;
mod policy;
mod printer;
mod report;
mod rows;
mod workload;

pub(super) use explain::moment;
pub(super) use workload::WorkloadArgs;

use std::path::Path;

use super::args::{Global, ReportChoice, SimulateArgs};
use super::exit::{Exit, Failure};
use super::output::{Format, Output, unsupported};
use crate::simulation::trial::{Lane, Stopped, Trial};
use past::Trace;
use policy::Policy;
use printer::Printer;
use rows::Rows;

/// How a trace or a policy from standard input is called.
const STANDARD_INPUT: &str = "standard input";

/// Run `simulate`.
///
/// # Errors
/// `Usage` for an invalid policy or trace; what was decided before the mistake is printed all the same.
pub async fn run(args: &SimulateArgs, global: &Global, output: &mut Output) -> Result<(), Failure> {
    check(args, global)?;
    let policies = policies(args, global, output).await?;
    for policy in &policies {
        let whose = whose(&policies, &policy.name);
        for note in &policy.notes {
            eprintln!("docktorctl: note: {whose}{note}");
        }
    }
    if let (Some(at), [policy]) = (args.explain, &policies[..]) {
        return explain::run(at, policy, Rows::of(Trace::open(args, global)?), &global.output, output);
    }
    let mut trial = trial(args, &policies)?;
    let rows = Rows::of(Trace::open(args, global)?);
    let mut printer = Printer::new(&global.output, &policies, args, output);
    let replayed = replay(rows, args, &mut trial, &mut printer);
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
    let usage = |message: &str| Err(Failure::say(Exit::Usage, message));
    if args.explain.is_some() {
        return match told_beside_a_story(args) {
            Some(flag) => usage(&format!(
                "--explain tells one decision of one policy on what the trace shows; leave {flag} out"
            )),
            None => check_standard_input(args),
        };
    }
    if !matches!(global.output, Format::Table | Format::Json | Format::JsonLines | Format::Svg) {
        return Err(unsupported("simulate", "table, json, jsonl and svg"));
    }
    if global.output == Format::Svg && args.report == Some(ReportChoice::Only) {
        return usage("a picture shows the decisions; --report=only goes with table, json and jsonl");
    }
    check_standard_input(args)
}

/// What makes no sense beside `--explain`.
fn told_beside_a_story(args: &SimulateArgs) -> Option<&'static str> {
    [
        (args.compare.is_some(), "--compare"),
        (args.workload.is_closed_loop(), "the flags of the closed loop"),
        (args.report.is_some(), "--report"),
    ]
    .into_iter()
    .find_map(|(given, flag)| given.then_some(flag))
}

fn check_standard_input(args: &SimulateArgs) -> Result<(), Failure> {
    let files = [&args.file, &args.compare, &args.trace];
    if files.into_iter().flatten().filter(|it| is_standard_input(it)).count() > 1 {
        let message = "standard input cannot be both the policy and the trace, nor two policies; give all but one as \
                       files";
        return Err(Failure::say(Exit::Usage, message));
    }
    Ok(())
}

/// The policy, and the one that it is compared with.
async fn policies(args: &SimulateArgs, global: &Global, output: &mut Output) -> Result<Vec<Policy>, Failure> {
    let first = match &args.file {
        Some(file) => Policy::find(file, args.name.as_deref(), global, output)?,
        None => past::policy(args, global).await?,
    };
    let mut policies = vec![first];
    if let Some(other) = &args.compare {
        let other = Policy::find_other(other, &policies[0].name, global, output)?;
        policies.push(other);
        policy::tell_apart(&mut policies);
    }
    Ok(policies)
}

fn trial(args: &SimulateArgs, policies: &[Policy]) -> Result<Trial, Failure> {
    let mut trial = Trial::new();
    for policy in policies {
        match args.workload.workload(&policy.spec)? {
            None => trial.open(policy.spec.clone()),
            Some(workload) => trial
                .closed(policy.spec.clone(), workload)
                .map_err(|error| Failure::say(Exit::Usage, format!("{}: {error}", policy.file)))?,
        }
    }
    Ok(trial)
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn replay(
    mut rows: Rows,
    args: &SimulateArgs,
    trial: &mut Trial,
    printer: &mut Printer<'_>,
) -> Result<(), Failure> {
    let read = read(&mut rows, args, trial, printer);
    // What came before a mistake is decided and shown all the same.
    let ended = trial.end(|step| printer.step(step)).map_err(|it| stopped(it, &rows));
    printer.sum_up(trial.lanes());
    read.and(ended)?;
    rows.end()
}

fn read(
    rows: &mut Rows,
    args: &SimulateArgs,
    trial: &mut Trial,
    printer: &mut Printer<'_>,
) -> Result<(), Failure> {
    let past_in_closed_loop = args.past.from_history.is_some() && args.workload.is_closed_loop();
    while let Some(row) = rows.next()? {
        if past_in_closed_loop {
            // It is the past of other replicas than those that are modelled.
            row.current = None;
        }
        trial.row(row, |step| printer.step(step)).map_err(|it| stopped(it, rows))?;
    }
    Ok(())
}

fn stopped(it: Stopped<Failure>, rows: &Rows) -> Failure {
    match it {
        Stopped::Row(message) => rows.mistake(message),
        Stopped::Show(failure) => failure,
    }
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
