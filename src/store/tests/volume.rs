//! Many files. What the scans take is printed; nothing here depends on it.

use std::time::Instant;

use super::bench::{Bench, now, open, policy, simple};

const MANY: usize = 10_000;
const SOME: usize = 100;

#[test]
fn of_ten_thousand_files_only_the_changed_ones_count_as_changes() {
    let mut bench = Bench::new();
    for number in 0..MANY {
        bench.write(&format!("{:02}/p{number}.yaml", number % 100), simple(&format!("p{number}")));
    }
    let changes = timed("first scan of 10,000 files", || bench.store.rescan(now()));
    assert_eq!(changes.changed.len(), MANY);
    let changes = timed("scan without changes", || bench.store.rescan(now()));
    assert_eq!(changes.changed.len(), 0);
    for number in 0..SOME {
        let name = format!("p{number}");
        bench.write(&format!("{:02}/p{number}.yaml", number % 100), policy(&name, &name, 9));
    }
    let changes = timed("scan with 100 changes", || bench.store.rescan(now()));
    assert_eq!(changes.changed.len(), SOME);
    let again = timed("restart", || open(&bench.folder(), &bench.state()));
    assert_eq!(again.entries().count(), MANY);
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let outcome = work();
    eprintln!("{what}: {:.3?}", begin.elapsed());
    outcome
}
