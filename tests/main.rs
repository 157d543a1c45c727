//! Tests that need a real engine.
mod components;
