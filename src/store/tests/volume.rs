//! Many files.

use std::time::{Duration, Instant};

use super::bench::{Bench, now, open, policy, simple};

const MANY: usize = 10_000;
const SOME: usize = 100;
/// What an unoptimized build on a busy machine may take of what is promised.
const SLACK: u32 = 6;

#[test]
fn ten_thousand_files_are_read_within_ten_seconds_and_a_hundred_changes_within_one() {
    let mut bench = Bench::new();
    for number in 0..MANY {
        bench.write(&format!("{:02}/p{number}.yaml", number % 100), simple(&format!("p{number}")));
    }
    let changes = timed("first scan of 10,000 files", Duration::from_secs(10), || bench.store.rescan(now()));
    assert_eq!(changes.changed.len(), MANY);
    std::thread::sleep(Duration::from_millis(2_100));
    timed("second scan, young files read again", Duration::from_secs(10), || bench.store.rescan(now()));
    timed("scan without changes", Duration::from_secs(1), || bench.store.rescan(now()));
    for number in 0..SOME {
        bench.write(
            &format!("{:02}/p{number}.yaml", number % 100),
            policy(&format!("p{number}"), &format!("p{number}"), 9),
        );
    }
    let changes = timed("scan with 100 changes", Duration::from_secs(1), || bench.store.rescan(now()));
    assert_eq!(changes.changed.len(), SOME);
    timed("restart", Duration::from_secs(10), || open(&bench.folder(), &bench.state()));
}

fn timed<T>(what: &str, limit: Duration, work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let outcome = work();
    let took = begin.elapsed();
    eprintln!("{what}: {took:.3?}");
    let limit = if cfg!(debug_assertions) { limit * SLACK } else { limit };
    assert!(took < limit, "{what} took {took:.3?}");
    outcome
}
