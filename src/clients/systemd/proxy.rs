//! The few methods of systemd's D-Bus interfaces that docktor calls, as org.freedesktop.systemd1(5) has them.
//! Properties are read as a whole, in [`super::properties`].

use std::collections::HashMap;

use zbus::proxy;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

/// A unit as a list shows it: name, description, load state, active state, sub state, the unit that it follows,
/// object path, and the queued job's id, kind and path.
pub(super) type ListedUnit =
    (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

#[proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1",
    gen_blocking = false
)]
pub(super) trait Manager {
    /// Has signals sent to this connection; on a bus, nobody gets any unasked.
    fn subscribe(&self) -> zbus::Result<()>;

    fn start_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;

    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;

    fn restart_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;

    fn reset_failed_unit(&self, name: &str) -> zbus::Result<()>;

    fn set_unit_properties(
        &self,
        name: &str,
        runtime: bool,
        properties: &[(&str, Value<'_>)],
    ) -> zbus::Result<()>;

    fn list_units_by_patterns(&self, states: &[&str], patterns: &[&str]) -> zbus::Result<Vec<ListedUnit>>;
}

#[proxy(
    interface = "org.freedesktop.DBus.Properties",
    default_service = "org.freedesktop.systemd1",
    gen_blocking = false
)]
pub(super) trait Properties {
    fn get(&self, interface: &str, property: &str) -> zbus::Result<OwnedValue>;

    /// The properties of one interface, or of all where `interface` is empty.
    fn get_all(&self, interface: &str) -> zbus::Result<HashMap<String, OwnedValue>>;
}
