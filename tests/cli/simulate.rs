//! `simulate`: policies on traces, without a controller.

use std::fs;

use insta::assert_snapshot;
use tempfile::TempDir;

use super::fixture::{Run, docktorctl, redacted};

const POLICY: &str = "\
apiVersion: docktor.dev/v1
kind: ScalingPolicy
metadata: {name: web}
spec:
  target: {systemd: {unit: worker@.service}}
  mode: Observe
  replicas: {min: 1, max: 8}
  metrics: {queue: {nats: {url: 'nats://127.0.0.1:4222', stream: EVENTS, consumer: WORKERS}}}
  track: [{metric: queue.backlog, averageValue: 100}]
  scaleDown: {stabilizationWindow: 30s}
";
const TRACE: &str = "at,current,queue.backlog\n0,2,620\n15,,900\n30,,\n45,,100\n60,,100\n75,,100\n";

fn folder(policy: &str, trace: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("web.yaml"), policy).unwrap();
    fs::write(folder.path().join("trace"), trace).unwrap();
    folder
}

fn simulate(policy: &str, trace: &str, more: &[&str]) -> (Run, TempDir) {
    let folder = folder(policy, trace);
    let arguments = [&["simulate", "-f", "web.yaml", "--trace", "trace"], more].concat();
    (docktorctl(&arguments, folder.path()), folder)
}

#[test]
fn a_table_and_a_report_tell_what_a_policy_would_do() {
    let (run, folder) = simulate(POLICY, TRACE, &["--report"]);
    assert_snapshot!(redacted(&run, folder.path()));
}

#[test]
fn a_change_that_the_workload_did_not_follow_is_none() {
    let ignored = "at,current,queue.backlog\n0,2,620\n15,2,620\n";
    let followed = "at,current,queue.backlog\n0,2,620\n15,6,620\n";
    for (trace, told) in [(ignored, false), (followed, true)] {
        let (run, _) = simulate(POLICY, trace, &["--explain", "15"]);
        assert_eq!(run.stdout.contains("Last change"), told, "{run}");
    }
}

#[test]
fn one_row_is_told_as_a_story() {
    let (run, folder) = simulate(POLICY, TRACE, &["--explain", "45"]);
    assert_snapshot!(redacted(&run, folder.path()));
    let (run, _) = simulate(POLICY, TRACE, &["--explain", "45", "-o", "json"]);
    let told: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (&told["kind"], &told["decision"]["from"]),
        (&"PolicyExplanation".into(), &8.into()),
        "{told}"
    );
    for (arguments, code, words) in [
        (&["--explain", "46"][..], 4, "trace has no row at that moment; the row before that is at 45"),
        (&["--explain", "noon"], 2, "a number of seconds, as in `30`, or a time"),
        (&["--explain", "45", "-o", "svg"], 2, "`simulate --explain` prints a story, json and yaml only"),
    ] {
        let (run, _) = simulate(POLICY, TRACE, arguments);
        assert!(run.code == code && run.stderr.contains(words), "{arguments:?} {run}");
    }
}

#[test]
fn json_lines_give_one_decision_a_row() {
    let (run, _) = simulate(POLICY, TRACE, &["-o", "jsonl"]);
    let rows: Vec<serde_json::Value> =
        run.stdout.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(rows.len(), 6);
    let keys: Vec<_> = rows[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["at", "current", "desired", "action", "limitedBy", "reason", "trail"]);
    assert_eq!(rows[0]["at"], 0);
    assert_eq!(rows[0]["limitedBy"], "scaleUp.limits");
    assert_eq!(rows[2]["limitedBy"], serde_json::Value::Null);
    assert_eq!(
        rows[0]["trail"][0],
        serde_json::json!({"stage": "observe", "replicas": 2, "message": "2 running, 2 ready"})
    );
    let (whole, _) = simulate(POLICY, TRACE, &["-o", "json", "--report"]);
    let whole: serde_json::Value = serde_json::from_str(&whole.stdout).unwrap();
    assert_eq!(whole["decisions"].as_array().unwrap(), &rows);
    assert_eq!(whole["report"]["rows"], 6);
}

#[test]
fn limits_have_a_column_and_fields_of_their_own() {
    let policy = "apiVersion: docktor.dev/v1\nkind: ScalingPolicy\nmetadata: {name: builder}\nspec:\n  \
                  target: {compose: {project: shop, service: web}}\n  \
                  resources: {cpuQuota: {min: 100%, max: 800%}, tasksMax: {min: 100, max: 1500}}\n  \
                  scaleUp: {rules: [{metric: cpu.utilization, op: '>', value: 80}], step: x1.5}\n";
    let trace = "at,cpu.utilization,limits.cpuQuota\n0,50,200%\n15,90,\n30,50,\n";
    let (run, folder) = simulate(policy, trace, &["--report"]);
    assert_snapshot!(redacted(&run, folder.path()));
    let (run, _) = simulate(policy, trace, &["-o", "jsonl"]);
    let rows: Vec<serde_json::Value> =
        run.stdout.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(rows[1]["limitsBefore"], serde_json::json!({"cpuQuota": "200%", "tasksMax": 100}));
    assert_eq!(rows[1]["limits"], serde_json::json!({"cpuQuota": "300%", "tasksMax": 100}));
    assert_eq!(rows[2].get("limitsBefore"), None);
    let (run, _) = simulate(policy, "at,limits.cpuQuota\n0,200\n", &[]);
    assert!(
        run.code == 2 && run.stderr.contains("line 2: `limits.cpuQuota`: found `200`; write `200%`"),
        "{run}"
    );
}

#[test]
fn a_picture_is_svg() {
    let (run, _) = simulate(POLICY, TRACE, &["-o", "svg"]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.starts_with("<svg ") && run.stdout.ends_with("</svg>\n"));
    assert!(run.stdout.contains(">queue.backlog</text>"));
}

#[test]
fn a_mistake_in_the_trace_says_its_line_and_gives_2_after_what_was_decided_before() {
    let (run, _) = simulate(POLICY, "at,current,queue.backlog\n0,2,620\n15,two,900\n", &["-o", "jsonl"]);
    assert_eq!((run.code, run.stdout.lines().count()), (2, 1));
    assert!(run.stderr.contains("trace: line 3: `current` is `two`; write a whole number"), "{}", run.stderr);
}

#[test]
fn what_cannot_be_simulated_is_told() {
    let several = format!("{POLICY}---\n{}", POLICY.replace("name: web", "name: api"));
    for (policy, trace, arguments, code, words) in [
        ("kind: ScalingPolicy\n", TRACE, &[][..], 2, "web.yaml is invalid"),
        (several.as_str(), TRACE, &[], 2, "has several policies; name one: simulate NAME, of web, api"),
        (&several, TRACE, &["sql"], 4, "has no policy `sql`; it has web, api"),
        (&several, TRACE, &["api"], 0, ""),
        (POLICY, "", &[], 4, "trace has no row"),
        (POLICY, TRACE, &["-o", "yaml"], 2, "`simulate` prints table, json, jsonl and svg only"),
        (
            POLICY,
            "at,cpu.avg\n0,5\n",
            &[],
            0,
            "the policy reads queue.backlog, and no row of the trace gives it",
        ),
        (
            &POLICY.replace("mode: Observe", "profile: mine"),
            TRACE,
            &[],
            2,
            "there is no valid ScalingProfile `mine`",
        ),
        (&POLICY.replace("mode: Observe", "profile: balanced"), TRACE, &[], 0, ""),
    ] {
        let (run, _) = simulate(policy, trace, arguments);
        assert_eq!(run.code, code, "{arguments:?} {run}");
        assert!(run.stderr.contains(words), "{arguments:?} {run}");
    }
    let folder = folder(POLICY, TRACE);
    let both = docktorctl(&["simulate", "-f", "-", "--trace", "-"], folder.path());
    assert!(both.code == 2 && both.stderr.contains("cannot be both"), "{both}");
    for form in ["table", "json", "jsonl", "svg"] {
        let gone = docktorctl(&["simulate", "-f", "web.yaml", "--trace", "gone", "-o", form], folder.path());
        assert_eq!((gone.code, &*gone.stdout), (1, ""), "nothing was decided: {gone}");
        assert!(gone.stderr.contains("cannot read gone"), "{gone}");
    }
}

#[test]
fn a_profile_may_stand_in_the_policys_file_or_in_the_folder() {
    let profile = "apiVersion: docktor.dev/v1\nkind: ScalingProfile\nmetadata: {name: mine}\nspec:\n  \
                   track: [{metric: cpu.utilization, target: 50}]\n";
    let policy = "apiVersion: docktor.dev/v1\nkind: ScalingPolicy\nmetadata: {name: web}\nspec:\n  \
                  target: {compose: {project: shop, service: web}}\n  profile: mine\n  replicas: {max: 9}\n";
    let trace = "at,current,cpu.utilization\n0,3,100\n";
    let (run, _) = simulate(&format!("{policy}---\n{profile}"), trace, &["-o", "jsonl"]);
    assert!(run.stdout.contains("\"desired\":6"), "{run}");
    let folder = folder(policy, trace);
    fs::create_dir(folder.path().join("policies")).unwrap();
    fs::write(folder.path().join("policies/mine.yaml"), profile).unwrap();
    let arguments =
        ["simulate", "-f", "web.yaml", "--trace", "trace", "--policies", "policies", "-o", "jsonl"];
    let run = docktorctl(&arguments, folder.path());
    assert!(run.stdout.contains("\"desired\":6"), "{run}");
}

#[test]
fn the_example_traces_are_valid() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for (policy, trace) in [
        ("queue.yaml", "queue-burst.csv"),
        ("traces/web.yaml", "web-replicas.jsonl"),
        ("traces/web-three-days.yaml", "web-three-days.csv"),
        ("traces/batch-two-days.yaml", "batch-two-days.csv"),
    ] {
        let (policy, trace) = (root.join(policy), root.join("traces").join(trace));
        let folder = TempDir::new().unwrap();
        let arguments = ["simulate", "-f", policy.to_str().unwrap(), "--trace", trace.to_str().unwrap()];
        let run = docktorctl(&arguments, folder.path());
        assert_eq!(run.code, 0, "{run}");
        assert!(run.stdout.contains("ScaleUp") && run.stdout.contains("ScaleDown"), "{run}");
    }
}

const ARRIVALS: &str = "at,arrivals\n0,120\n60,120\n";

#[test]
fn in_a_closed_loop_a_modelled_workload_follows_the_policy() {
    let flags = ["--service-rate", "20", "--start-up-delay", "5s", "-o", "json", "--report"];
    let (run, _) = simulate(POLICY, ARRIVALS, &flags);
    let whole: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let decisions = whole["decisions"].as_array().unwrap();
    assert_eq!(decisions.len(), 7, "{run}");
    assert_eq!(
        decisions[0]["workload"],
        serde_json::json!({
            "arrivals": 120.0, "capacity": 20.0, "ready": 1, "backlog": 0.0, "latency": 0.05
        })
    );
    // 100 a second more arrive than the first replica does.
    assert_eq!(decisions[1]["workload"]["backlog"], 1_000.0);
    assert_eq!(decisions[1]["desired"], decisions[2]["current"], "the workload follows");
    let report = &whole["report"]["workload"];
    assert_eq!(report["workArrived"], 7_200.0, "{run}");
    let (run, _) = simulate(POLICY, ARRIVALS, &["--service-rate", "20", "--report"]);
    assert!(run.stdout.starts_with("AT   CURRENT   READY   BACKLOG   DESIRED   ACTION"), "{run}");
    assert!(run.stdout.contains("seconds with backlog") && run.stdout.contains("mean utilization"), "{run}");
}

#[test]
fn two_policies_stand_side_by_side_with_their_differences() {
    let folder = folder(POLICY, TRACE);
    let calm = POLICY.replace("name: web", "name: calm").replace("averageValue: 100", "averageValue: 400");
    fs::write(folder.path().join("calm.yaml"), calm).unwrap();
    fs::write(folder.path().join("web2.yaml"), POLICY).unwrap();
    let compared = |other: &str, more: &[&str]| {
        let arguments = ["simulate", "-f", "web.yaml", "--trace", "trace", "--compare", other];
        docktorctl(&[&arguments, more].concat(), folder.path())
    };
    let table = compared("calm.yaml", &["--report"]);
    assert_snapshot!(redacted(&table, folder.path()));
    let lines = compared("calm.yaml", &["-o", "jsonl", "--report"]);
    let rows: Vec<serde_json::Value> =
        lines.stdout.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(
        (rows.len(), &rows[0]["differs"], &rows[0]["decisions"][1]["policy"]),
        (7, &true.into(), &"calm".into())
    );
    assert_eq!(rows[6]["reports"][0]["policy"], "web");
    assert!(rows[6]["difference"]["replicaHours"].as_f64().unwrap() < 0.0, "{lines}");
    let same = compared("web2.yaml", &["-o", "json"]);
    let same: serde_json::Value = serde_json::from_str(&same.stdout).unwrap();
    let decisions = same["decisions"].as_array().unwrap();
    assert!(decisions.iter().all(|it| it["differs"] == false));
    assert_eq!(
        decisions[0]["decisions"][0]["policy"], "web.yaml",
        "of one name, their files tell them apart"
    );
    assert!(compared("calm.yaml", &["-o", "svg"]).stdout.contains("web against calm"));
}

#[test]
fn a_report_may_stand_alone() {
    let (table, _) = simulate(POLICY, TRACE, &["--report=only"]);
    assert!(table.stdout.starts_with("6 rows over 1m15s\n"), "{table}");
    for form in ["json", "jsonl"] {
        let (run, _) = simulate(POLICY, TRACE, &["--report=only", "-o", form]);
        let whole: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((whole["report"]["rows"].as_u64(), whole.get("decisions")), (Some(6), None), "{run}");
    }
}

#[test]
fn a_report_says_how_many_rows_over_how_long_a_time() {
    for (last, words) in
        [("", "1 row\n"), ("30,100\n", "2 rows over 30s\n"), ("3600,1\n", "2 rows over 1 hour\n")]
    {
        let trace = format!("at,queue.backlog\n0,100\n{last}");
        let (run, _) = simulate(POLICY, &trace, &["--report=only"]);
        assert!(run.stdout.starts_with(words), "{run}");
    }
    let (run, _) = simulate(POLICY, "at,queue.backlog\n0,1\n9000,1\n", &["--report=only"]);
    assert!(run.stdout.starts_with("2 rows over 2.5 hours\n"), "{run}");
}

#[test]
fn flags_that_do_not_go_together_are_told() {
    for (trace, arguments, words) in [
        (ARRIVALS, &["--closed-loop"][..], "a closed loop needs --service-rate"),
        (ARRIVALS, &["--start-up-delay", "5s"], "a closed loop needs --service-rate"),
        (ARRIVALS, &["--service-rate", "0"], "write work items per second, above 0"),
        (ARRIVALS, &["--service-rate", "-2"], "write work items per second, above 0"),
        (ARRIVALS, &["--service-rate", "fast"], "write work items per second, above 0"),
        (ARRIVALS, &["--service-rate", "2", "--start-up-delay", "5"], "write `5s`"),
        (ARRIVALS, &["--service-rate", "2", "--initial-replicas", "10001"], "10001 is not in"),
        (ARRIVALS, &["--service-rate", "2", "--initial-replicas", "0"], "begin with at least 1"),
        (ARRIVALS, &["--service-rate", "2", "--queue-limit", "-1"], "write how many work items may wait"),
        (
            ARRIVALS,
            &["--service-rate", "2", "--latency", "queue"],
            "web.yaml: the policy has no metric `queue`",
        ),
        (
            ARRIVALS,
            &["--service-rate", "2", "--queue", "jobs"],
            "no queue `jobs` among its metrics; it has `queue`",
        ),
        (TRACE, &["--service-rate", "2"], "trace: line 2: `current` is given, and in a closed loop"),
        ("at,cpu.avg\n0,1\n", &["--service-rate", "2"], "trace: line 2: a closed loop needs `arrivals`"),
        (TRACE, &["--report=none"], "invalid value 'none'"),
        (TRACE, &["--explain", "0", "--report"], "leave --report out"),
        (TRACE, &["--explain", "0", "--compare", "web.yaml"], "leave --compare out"),
        (TRACE, &["--explain", "0", "--service-rate", "2"], "leave the flags of the closed loop out"),
        (TRACE, &["--report=only", "-o", "svg"], "a picture shows the decisions"),
        (TRACE, &["--compare", "-", "--trace", "-"], "standard input cannot be both"),
    ] {
        let folder = folder(POLICY, trace);
        let trace = if arguments.contains(&"--trace") { &[][..] } else { &["--trace", "trace"] };
        let all = [&["simulate", "-f", "web.yaml"], trace, arguments].concat();
        let run = docktorctl(&all, folder.path());
        assert_eq!(run.code, 2, "{arguments:?} {run}");
        assert!(run.stderr.contains(words), "{arguments:?} {run}");
    }
    let (run, _) = simulate(POLICY, TRACE, &["--compare", "gone.yaml"]);
    assert!(run.code == 1 && run.stderr.contains("cannot read gone.yaml"), "{run}");
}
