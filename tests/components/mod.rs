//! Against real components. Where one is missing these tests fail; they never pass by doing nothing.

mod project;
mod compose;
mod compose_traps;
mod fake_engine;
mod engine_faults;
mod metrics;
mod sampler;
