//! From a policy file that is written to the sidecar that speaks of it, with the real `docktor run`.

use std::time::{Duration, Instant};

use crate::figure::{self, median, millis};
use crate::footprint::policy;
use crate::program::Program;

const RUNS: u32 = 20;
/// Between two edits, so that each is seen alone.
const PAUSE: Duration = Duration::from_millis(300);
const DEADLINE: Duration = Duration::from_secs(10);

pub fn measure() {
    // The target does not exist, so the pass asks the engine for it and says so.
    let text = |max| policy("web", "dkb-nobody", "web", 1, max);
    let program = Program::start(&[("web.yaml".to_owned(), text(1))]);
    let times = (2..2 + RUNS).map(|generation| {
        std::thread::sleep(PAUSE);
        let began = Instant::now();
        program.write("web.yaml", &text(generation));
        until_told(&program, generation, began);
        began.elapsed()
    });
    figure::print("file write → sidecar, median of 20", &millis(median(times.collect())), "1,000 ms");
}

fn until_told(program: &Program, generation: u32, began: Instant) {
    let line = format!("observedGeneration: {generation}\n");
    while !std::fs::read_to_string(program.sidecar("web.yaml")).is_ok_and(|it| it.contains(&line)) {
        assert!(began.elapsed() < DEADLINE, "generation {generation} is not told after {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
