//! Sources: where measured values come from. A file or folder per kind.
//!
//! A source measures and reports; it neither averages nor judges. Use of replicas is measured in the
//! background (`sampler`), by whichever meter can see them.

pub mod pressure;
pub mod reading;
pub mod cgroup;
#[cfg(feature = "docker")]
pub mod docker;
pub mod host;
#[cfg(feature = "systemd")]
pub mod systemd;
pub mod sampler;
