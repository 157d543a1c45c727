//! Against a real systemd, as root: `make test-systemd` runs these in the testbed's VM, and nothing else does.

mod citizen;
mod control;
mod daemon;
mod events;
mod instances;
mod limits;
mod pressure;
mod unit;

use std::path::PathBuf;

/// A program of this build: where `DOCKTOR_PROGRAMS` says, because the VM sees the build folder slowly.
pub fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("DOCKTOR_PROGRAMS").expect("these tests are run by `make test-systemd`");
    PathBuf::from(folder).join(name)
}
