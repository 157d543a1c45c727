//! Tests that need a real engine.
mod architecture;
mod cli;
mod components;
mod golden;
