//! The controller's program: its flags here, the wiring of concrete parts beside them.

pub mod config;
