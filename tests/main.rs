//! The one integration test binary.

mod architecture;
mod cli;
#[cfg(feature = "docker")]
mod components;
mod golden;
#[cfg(feature = "testing")]
mod simulation;
