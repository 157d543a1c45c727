//! Against real components. Where one is missing these tests fail; they never pass by doing nothing.

#[cfg(feature = "docker")]
mod project;
#[cfg(feature = "docker")]
mod compose;
#[cfg(feature = "docker")]
mod compose_traps;
#[cfg(feature = "docker")]
mod compose_limits;
#[cfg(feature = "docker")]
mod fake_engine;
#[cfg(feature = "docker")]
mod engine_faults;
#[cfg(feature = "docker")]
mod engine_restart;
mod daemon;
#[cfg(feature = "docker")]
mod controller;
#[cfg(feature = "docker")]
mod operation;
#[cfg(feature = "docker")]
mod crash;
#[cfg(feature = "docker")]
mod restart;
mod metrics;
mod sampler;
