//! Everything that is tested from outside: one binary, so that it is linked once.

mod architecture;
mod cli;
mod components;
mod conformance;
mod docs;
mod golden;
#[cfg(feature = "testing")]
mod simulation;
#[cfg(feature = "systemd")]
mod systemd;
