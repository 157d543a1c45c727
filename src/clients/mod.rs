//! Clients: connections that several edges share. They know how to ask, never what the answer means for scaling.

#[cfg(feature = "docker")]
pub mod docker;
#[cfg(feature = "systemd")]
pub mod systemd;
