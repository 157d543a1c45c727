//! How figures are taken and printed.

use std::time::{Duration, Instant};

use crate::allocations;

/// What a piece of work costs, as medians of many runs.
pub struct Cost {
    pub time: Duration,
    pub allocations: u64,
}

/// Prints one figure; `aim` is empty where there is none.
pub fn print(name: &str, value: &str, aim: &str) {
    let aim = if aim.is_empty() { String::new() } else { format!("  (aim: {aim})") };
    println!("{name:<58} {value}{aim}");
}

/// The cost of `work`, run `times` times.
pub fn cost(times: usize, mut work: impl FnMut()) -> Cost {
    let runs = (0..times).map(|_| {
        let (began, before) = (Instant::now(), allocations::so_far());
        work();
        (began.elapsed(), allocations::so_far() - before)
    });
    let (times, counts): (Vec<_>, Vec<_>) = runs.unzip();
    Cost { time: median(times), allocations: median(counts) }
}

/// The middle one; of an even number, the higher of the two.
pub fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

pub fn ratio(part: Duration, whole: Duration) -> f64 {
    part.as_secs_f64() / whole.as_secs_f64()
}

pub fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

pub fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
