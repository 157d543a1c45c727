//! docktor: an autoscaler for Docker Compose, Swarm and systemd that explains every decision.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod units;
pub mod expr;
pub mod api;
pub mod model;
pub mod strategies;
pub mod decide;
pub mod simulation;
pub mod clock;
pub mod places;
pub mod telemetry;
pub mod clients;
pub mod sources;
pub mod actuators;
pub mod store;
pub mod admin;
pub mod http;
pub mod controller;
pub mod cli;
pub mod daemon;
#[cfg(feature = "testing")]
pub mod testing;
