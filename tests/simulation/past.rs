//! History under the real loop: what was decided is in it, and the same policy on it decides the same again.

use docktor::api::Document;
use docktor::api::effective::Spec;
use docktor::api::read::read;
use docktor::api::status::Action;
use docktor::history::Archive;
use docktor::history::trace::PastRow;
use docktor::simulation::replay::Replay;
use docktor::simulation::trace::Reader;
use docktor::units::Timestamp;

use super::harness::{Loop, POLICY};
use super::seconds;

/// The same on the usual interval.
fn policy() -> String {
    POLICY.replace("interval: 5s", "interval: 10s").replace("window: 5s", "window: 10s")
}

const BEGIN: Timestamp = Timestamp::from_millis(0);

fn rows(archive: &Archive) -> Vec<PastRow> {
    let mut past = archive.past("web", BEGIN).unwrap().expect("a past");
    std::iter::from_fn(|| Some(past.page().unwrap()).filter(|it| !it.is_empty())).flatten().collect()
}

/// A change of the count, as it was stored or simulated.
type Change = (Timestamp, u32, u32, String, Option<String>);

fn decided(archive: &Archive) -> Vec<Change> {
    let decisions = archive.decisions(Some("web"), BEGIN, 1_000).unwrap();
    let changes = decisions.into_iter().filter(|it| it.acted).map(|it| it.record);
    changes.map(|it| (it.time, it.from, it.to, it.reason, it.limited_by)).collect()
}

fn simulated(policy: &str, rows: &[PastRow]) -> Vec<Change> {
    let documents = read("web.yaml", policy.as_bytes());
    let Ok(Document::ScalingPolicy(policy)) = &documents[0].document else { panic!("{documents:?}") };
    let mut replay = Replay::new(Spec::effective(&policy.spec, None).unwrap());
    let mut reader = Reader::new();
    let decisions = rows.iter().map(|it| replay.decide(&reader.row(&it.line()).unwrap().unwrap()));
    let changes = decisions.filter(|it| it.action != Action::None).map(|it| it.record());
    changes.map(|it| (it.time, it.from, it.to, it.reason, it.limited_by)).collect()
}

/// A day in ten minutes or so: load that comes, stays, is too much, and goes.
async fn a_busy_day(run: &mut Loop) {
    for (load, time) in [(100.0, 60), (300.0, 120), (1_500.0, 200), (400.0, 120), (30.0, 600), (330.0, 100)] {
        run.world.set_load(Some(load));
        run.pass(seconds(time)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn history_has_what_was_observed_at_each_evaluation_and_what_was_decided() {
    let mut run = Loop::start(2, &policy()).await;
    a_busy_day(&mut run).await;
    let archive = run.archive();
    let rows = rows(&archive);
    assert!(rows.len() > 100, "{}", rows.len());
    assert!(rows.windows(2).all(|it| it[1].at.since(it[0].at) == seconds(10)), "one row an evaluation");
    let first = &rows[0];
    assert_eq!(first.current, Some(2));
    let names: Vec<_> = first.metrics.iter().map(|it| &*it.0).collect();
    assert_eq!(names, ["cpu.avg", "cpu.utilization"], "what the world can measure, and nothing twice");

    let changes = decided(&archive);
    let grown = run.world.log().iter().filter(|it| it.starts_with("grow")).count();
    let shrunk = run.world.log().iter().filter(|it| it.starts_with("retire")).count();
    assert!(grown > 2 && shrunk > 2, "{:?}", run.world.log());
    assert_eq!(changes.len(), grown + shrunk, "{changes:#?}\n{:?}", run.world.log());
    let last = run.status().last_decision.unwrap();
    assert_eq!(changes.last().map(|it| (it.0, it.2)), Some((last.time, last.to)));
}

#[tokio::test(start_paused = true)]
async fn simulate_on_the_history_decides_what_the_controller_decided() {
    let mut run = Loop::start(2, &policy()).await;
    a_busy_day(&mut run).await;
    let archive = run.archive();
    let changes = decided(&archive);
    assert!(changes.len() > 4, "{changes:#?}");
    assert_eq!(simulated(&policy(), &rows(&archive)), changes);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_tracks_decides_the_same_on_its_history() {
    let policy = policy().replace(
        "  scaleUp:\n    rules: [{metric: cpu.avg, op: \">\", value: 75}]\n",
        "  track: [{metric: cpu.utilization, target: 50}]\n  scaleUp:\n",
    );
    let policy = policy
        .replace("    rules: [{metric: cpu.avg, op: \"<\", value: 20}]\n", "")
        .replace("    step: \"+2\"\n", "")
        .replace("    step: \"-1\"\n", "")
        .replace("    consecutive: 2\n", "")
        .replace("    consecutive: 3\n", "");
    let mut run = Loop::start(2, &policy).await;
    a_busy_day(&mut run).await;
    let archive = run.archive();
    let changes = decided(&archive);
    assert!(changes.len() > 4, "{changes:#?}\n{}", run.story());
    assert_eq!(simulated(&policy, &rows(&archive)), changes);
}

#[tokio::test(start_paused = true)]
async fn control_goes_on_when_the_history_is_deleted_damaged_or_cannot_be_made() {
    let mut run = Loop::start(2, &policy()).await;
    let file = run.state().join("history.db");
    let mut sizes = Vec::new();
    for (load, harm) in [(300.0, "deleted"), (10.0, "damaged"), (300.0, "a folder")] {
        run.archive();
        match harm {
            "deleted" => std::fs::remove_file(&file).unwrap(),
            "damaged" => std::fs::write(&file, "nonsense".repeat(4_096)).unwrap(),
            _ => {
                std::fs::remove_file(&file).unwrap();
                std::fs::create_dir(&file).unwrap();
            }
        }
        run.world.set_load(Some(load));
        run.pass(seconds(600)).await;
        sizes.push(run.world.running());
    }
    assert_eq!(sizes, [4, 2, 4], "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn evaluations_without_samples_leave_the_count_and_no_value() {
    let mut run = Loop::start(3, &policy()).await;
    run.world.set_load(None);
    run.pass(seconds(60)).await;
    let rows = rows(&run.archive());
    let last = rows.last().expect("a row");
    assert_eq!((last.current, last.metrics.len()), (Some(3), 0));
    run.world.set_reachable(false);
    let before = rows.len();
    run.pass(seconds(60)).await;
    let after = self::rows(&run.archive()).len();
    assert!(after <= before + 1, "a target that cannot be seen gives no row: {before}, {after}");
}
