//! The one integration test binary.

mod architecture;
mod cli;
#[cfg(feature = "docker")]
//! Everything that is tested from outside: one binary, so that it is linked once.

mod architecture;
mod components;
mod golden;
#[cfg(feature = "testing")]
mod simulation;
