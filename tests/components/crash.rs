//! The controller killed at any moment of a scale-up or scale-down: it goes on where it was.

use std::time::Duration;

use docktor::model::memory::Memory;
use docktor::units::{self, Timestamp};

use super::daemon::{Daemon, WEB, project};
use super::project::Project;

/// How often the controller is killed.
const KILLS: u32 = 30;
/// The latest moment of a kill after the edit that begins a change.
const LATEST_KILL: Duration = Duration::from_millis(1_500);
/// The counts between which the service goes.
const LOW: u32 = 2;
const HIGH: u32 = 6;
/// Cooldowns and windows outlast the test: what they are measured from must survive every kill.
const OUTLASTING: units::Duration = units::Duration::from_secs(1_800);

fn seed() -> u64 {
    std::env::var("DOCKTOR_TEST_SEED").map_or_else(|_| fastrand::u64(..), |it| it.parse().expect("a number"))
}

/// A policy that moves the count into these bounds, and by nothing else.
fn between(min: u32, max: u32) -> String {
    format!(
        "replicas: {{min: {min}, max: {max}}}
drift: {{settle: {OUTLASTING}}}
scaleUp:
  rules: [{{metric: cpu.avg, op: '>', value: 100000}}]
  cooldown: {OUTLASTING}
  limits: [{{replicas: 99, period: {OUTLASTING}}}]
scaleDown: {{cooldown: {OUTLASTING}, stabilizationWindow: {OUTLASTING}}}
safety: {{verify: 1s, maxScaleDownsPerHour: 1000}}"
    )
}

#[test]
fn a_controller_that_is_killed_at_any_moment_goes_on_where_it_was() {
    let seed = seed();
    println!("DOCKTOR_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let project = project("crash", WEB);
    let neighbour = project.ids("webhook");
    let mut docktor = Daemon::start(&project, &between(LOW, LOW));
    docktor.until_numbers(&project, &[1, 2]);

    let mut changes_cut = 0;
    for kill in 0..KILLS {
        let count = if kill % 2 == 0 { HIGH } else { LOW };
        docktor.write(&between(count, count));
        std::thread::sleep(LATEST_KILL.mul_f64(random.f64()));
        docktor.kill();
        no_number_twice(&project);
        let (before, _) = (docktor.memory(), docktor.status());
        changes_cut += u32::from(!before.intents.is_empty());
        // Every other change is cut short by the next one, and its recovery with it.
        let patient = random.bool();
        if patient {
            // Now nothing but the intent asks for what was begun.
            docktor.write(&between(LOW, HIGH));
        }
        docktor.run();
        no_number_twice(&project);
        goes_on(&before, &docktor);
        if patient {
            docktor.until_count(&project, before.desired.unwrap());
        }
    }
    println!("{changes_cut} of {KILLS} kills cut a change");
    assert!(changes_cut > KILLS / 4, "{changes_cut}");

    docktor.write(&between(HIGH, HIGH));
    docktor.until_count(&project, HIGH);
    no_number_twice(&project);
    docktor.until("all is well", |it| it.phase() == "Active");
    assert_eq!(project.ids("webhook"), neighbour);
    let mut files: Vec<_> =
        std::fs::read_dir(docktor.policies()).unwrap().map(|it| it.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["web.status.yaml", "web.yaml"]);
}

fn no_number_twice(project: &Project) {
    let numbers = project.all_numbers("web");
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

/// What cooldowns, windows and limits are measured from is as it was, or newer.
fn goes_on(before: &Memory, docktor: &Daemon) {
    let (after, status) = (docktor.memory(), docktor.status());
    assert_eq!((after.first_seen, after.found), (before.first_seen, before.found));
    assert!(
        after.last_up >= before.last_up && after.last_action >= before.last_action,
        "{}",
        docktor.story()
    );
    assert!(before.changes.iter().all(|it| after.changes.contains(it)), "{before:?}\n{}", docktor.story());
    let highest = |memory: &Memory| memory.highs.front().map(|it| it.replicas);
    assert!(highest(&after) >= highest(before), "{before:?}\n{}", docktor.story());
    for (direction, since) in [("up", before.last_up), ("down", before.last_action)] {
        let Some(since) = since else { continue };
        let allowed =
            status["nextAllowed"][direction].as_str().unwrap_or_else(|| panic!("{}", docktor.story()));
        assert!(allowed.parse::<Timestamp>().unwrap() >= since.plus(OUTLASTING), "{}", docktor.story());
    }
}
