//! Against real backends; they fail where there is none.
mod metrics;
mod sampler;
//! Against real backends. Where one is missing these tests fail; they never pass by doing nothing.

mod project;
mod compose;
mod compose_traps;
mod fake_engine;
mod engine_faults;
