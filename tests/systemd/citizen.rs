//! docktor as a service of systemd: readiness, watchdog, sockets, journal, hardening, control without root.

use std::process::Command;

use super::program;

#[test]
fn systemd_is_process_one() {
    assert_eq!(std::fs::read_to_string("/proc/1/comm").unwrap().trim(), "systemd");
    assert!(Command::new(program("docktor")).arg("version").status().unwrap().success());
}
