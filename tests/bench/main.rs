//! `make bench`: what docktor costs, and how fast it is. One line a figure, with its unit and the aim beside it.
//!
//! Times are medians, and what matters most is a ratio or a count, which hold on a busy machine too. Nothing is
//! asserted. Words on the command line choose the parts: `cargo bench --bench bench -- pass decide`.
//! What each line means is in `docs/benchmarks.md`.

mod allocations;
mod decide;
mod figure;
mod footprint;
mod growth;
#[cfg(feature = "history")]
mod history;
mod pass;
mod program;
mod project;
mod reaction;
mod sample;
mod simulate;

use allocations::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A part of the benchmark, and the word that chooses it.
type Part = (&'static str, fn());

/// From what takes microseconds to what takes minutes.
const PARTS: &[Part] = &[
    ("decide", decide::measure),
    ("simulate", simulate::measure),
    ("pass", pass::measure),
    #[cfg(feature = "history")]
    ("history", history::measure),
    ("sample", sample::measure),
    ("reaction", reaction::measure),
    ("growth", growth::measure),
    ("idle", footprint::idle),
    ("memory", footprint::by_policies),
];

fn main() {
    // cargo itself passes `--bench`.
    let chosen: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    for (name, measure) in PARTS {
        if chosen.is_empty() || chosen.iter().any(|it| it == name) {
            measure();
        }
    }
}
