//! What `docktorctl simulate` costs: rows per second, allocations of a row, and memory however long the trace.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use docktor::api::effective::Spec;
use docktor::api::policy::PolicySpec;
use docktor::simulation::shown::Shown;
use docktor::simulation::trace::{Reader, Row};
use docktor::simulation::trial::Trial;

use crate::figure;

/// Rows of a long trace.
const ROWS: u64 = 1_000_000;
/// Rows of a short one.
const FEW_ROWS: u64 = 10_000;
const INTERVAL_SECONDS: u64 = 15;
/// How often the memory of a running program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

const SPEC: &str = r#"
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 10}
scaleUp: {rules: [{metric: cpu.avg, op: ">", value: 75}], consecutive: 3}
scaleDown: {rules: [{metric: cpu.avg, op: "<", value: 20}], step: "-1"}
"#;

pub fn measure() {
    inside();
    programs();
}

/// The library alone, on lines that are in memory.
fn inside() {
    let mut lines = Vec::new();
    write_trace(&mut lines, FEW_ROWS).expect("memory takes it");
    let text = String::from_utf8(lines).expect("a trace is text");
    for (name, prints) in [("read and decided", false), ("and printed as JSON", true)] {
        let cost = figure::cost(20, || assert_eq!(replay(&text, prints), FEW_ROWS));
        let rate = FEW_ROWS as f64 / cost.time.as_secs_f64();
        figure::print(
            &format!("simulate: rows {name}"),
            &format!("{rate:.0} rows/s on one core"),
            "above 500,000",
        );
        let allocated = cost.allocations as f64 / FEW_ROWS as f64;
        figure::print(&format!("simulate: rows {name}"), &format!("{allocated:.1} allocations a row"), "");
    }
}

fn replay(text: &str, prints: bool) -> u64 {
    let value: serde_json::Value = serde_yaml::from_str(SPEC).expect("YAML");
    let policy: PolicySpec = serde_json::from_value(value).expect("a policy");
    let mut trial = Trial::new();
    trial.open(Spec::effective(&policy, None).expect("a sound policy"));
    let (mut reader, mut row, mut printed, mut rows) = (Reader::new(), Row::default(), Vec::new(), 0);
    for line in text.lines() {
        if !reader.read(line, &mut row).expect("a sound row") {
            continue;
        }
        rows += 1;
        let shown = trial.row(&row, |step| {
            if let Some(decision) = step.lanes[0].decision().filter(|_| prints) {
                printed.clear();
                serde_json::to_writer(
                    &mut printed,
                    &Shown { policy: None, at: step.at, decision, world: None },
                )?;
            }
            Ok::<(), serde_json::Error>(())
        });
        assert!(shown.is_ok(), "every row can be shown");
    }
    rows
}

/// `docktorctl simulate` as it is, on files.
fn programs() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let policy = folder.path().join("web.yaml");
    let text = format!(
        "apiVersion: docktor.dev/v1\nkind: ScalingPolicy\nmetadata: {{name: web}}\nspec:\n{}",
        SPEC.replace('\n', "\n  ")
    );
    std::fs::write(&policy, text).expect("the policy is written");
    for rows in [FEW_ROWS, ROWS] {
        let trace = folder.path().join(format!("{rows}.csv"));
        let mut file = BufWriter::new(File::create(&trace).expect("the trace is created"));
        write_trace(&mut file, rows).and_then(|()| file.flush()).expect("the trace is written");
        for (name, arguments) in [
            ("-o jsonl", &["-o", "jsonl"][..]),
            ("--report=only", &["--report=only"]),
            ("-o svg", &["-o", "svg"]),
        ] {
            let (time, peak) = run(&policy, &trace, arguments);
            let rate = rows as f64 / time.as_secs_f64();
            figure::print(
                &format!("docktorctl simulate {name}, {rows} rows"),
                &format!("{rate:.0} rows/s, at most {peak:.1} MiB resident"),
                "",
            );
        }
    }
}

/// How long it took, and the most memory that it had, in MiB.
fn run(policy: &std::path::Path, trace: &std::path::Path, arguments: &[&str]) -> (Duration, f64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_docktorctl"));
    command.arg("simulate").arg("-f").arg(policy).arg("--trace").arg(trace).args(arguments);
    let began = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut peak = 0.0f64;
    loop {
        // A program that has ended has no memory any more.
        peak = peak.max(peak_of(child.id()).unwrap_or(0.0));
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            assert!(status.success(), "the trace is sound");
            return (began.elapsed(), peak);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn peak_of(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes / 1_024.0)
}

/// A load that goes up and down, slowly enough to be followed.
fn write_trace(out: &mut impl Write, rows: u64) -> std::io::Result<()> {
    writeln!(out, "at,cpu.avg")?;
    for row in 0..rows {
        writeln!(out, "{},{}.{}", row * INTERVAL_SECONDS, row / 10 % 100, row % 10)?;
    }
    Ok(())
}
