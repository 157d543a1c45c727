//! The real `docktorctl` against the real HTTP server, fed by a fake controller.

mod access;
mod api;
mod fixture;
#[cfg(feature = "history")]
mod history;
mod offline;
mod online;
mod orders;
mod simulate;
