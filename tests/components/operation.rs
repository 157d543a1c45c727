//! What an operator does to a controller that scales: stop it, hold it, end it, start it twice.

use std::net::TcpListener;
use std::time::Duration;

use super::daemon::{Daemon, WEB, between, project};

/// Longer than several passes: what docktor does not do in this time, it does not do.
const SEVERAL_PASSES: Duration = Duration::from_secs(4);
/// A stop in good order takes no longer.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

#[test]
fn while_the_file_stop_is_there_no_container_changes() {
    let project = project("stop", WEB);
    let docktor = Daemon::start(&project, &between(1, 5));
    docktor.until_numbers(&project, &[1]);
    let stop = docktor.policies().join("STOP");
    std::fs::write(&stop, "").unwrap();

    let ids = project.ids("web");
    docktor.write(&between(3, 5));
    docktor.until("the decision says why", |it| it.status()["lastDecision"]["limitedBy"] == "the file STOP");
    docktor.throughout(SEVERAL_PASSES, "nothing changes", |_| project.ids("web") == ids);
    std::fs::remove_file(stop).unwrap();
    docktor.until_numbers(&project, &[1, 2, 3]);
}

#[test]
fn a_hold_keeps_the_count_until_it_is_resumed() {
    let project = project("hold", WEB);
    let docktor = Daemon::start(&project, &between(1, 5));
    docktor.until_numbers(&project, &[1]);
    docktor.order(&["hold", "web", "--for", "10m", "--reason", "a test"]);
    docktor.until("it is held", |it| it.phase() == "Held" && it.condition("Ready") == "True/Held");

    let ids = project.ids("web");
    docktor.write(&between(3, 5));
    docktor.until("the edit is seen", |it| it.status()["replicas"]["min"] == 3);
    docktor.throughout(SEVERAL_PASSES, "nothing changes", |_| project.ids("web") == ids);
    docktor.order(&["resume", "web"]);
    docktor.until_numbers(&project, &[1, 2, 3]);
}

#[test]
fn in_modes_observe_and_disabled_nothing_is_done_also_after_a_kill() {
    let project = project("mode", WEB);
    let mut docktor = Daemon::start(&project, &between(2, 5));
    docktor.until_numbers(&project, &[1, 2]);
    for mode in ["Observe", "Disabled"] {
        docktor.order(&["mode", "web", mode]);
        docktor.kill();
        docktor.run();
        project.docker(&["rm", "-f", &project.ids("web")[1]]);
        docktor.throughout(SEVERAL_PASSES, mode, |_| project.all_numbers("web") == [1]);
        docktor.order(&["mode", "web", "Auto"]);
        docktor.until_numbers(&project, &[1, 2]);
    }
}

#[test]
fn a_stop_in_good_order_is_quick_and_what_was_begun_goes_on_at_the_next_start() {
    let project = project("term", WEB);
    let mut docktor = Daemon::start(&project, &between(1, 8));
    docktor.until_numbers(&project, &[1]);
    docktor.write(&between(6, 8));
    docktor.until("a change is under way", |it| !it.is_settled());
    let (status, took) = docktor.terminate();
    assert_eq!(status.code(), Some(0), "{}", docktor.story());
    assert!(took < STOPS_WITHIN, "{took:?}");

    docktor.run();
    docktor.until_count(&project, 6);
    let (status, _) = docktor.terminate();
    assert_eq!(status.code(), Some(0), "{}", docktor.story());
}

#[test]
fn a_second_docktor_on_the_same_state_folder_is_kept_out() {
    let project = project("twice", WEB);
    let docktor = Daemon::start(&project, &between(1, 5));
    let second = docktor.command().status().unwrap();
    assert_eq!(second.code(), Some(1));
    let message = format!("another docktor, pid {}, runs here", docktor.pid());
    assert!(docktor.log().contains(&message), "{}", docktor.log());
    docktor.write(&between(2, 5));
    docktor.until_numbers(&project, &[1, 2]);
}

#[test]
fn a_busy_port_is_told_and_control_goes_on() {
    let project = project("port", WEB);
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut docktor = Daemon::new(&project);
    docktor.write(&between(2, 5));
    docktor.spawn(&["--listen", &busy.local_addr().unwrap().to_string()]);
    docktor.until_numbers(&project, &[1, 2]);
    let log = docktor.log();
    assert!(log.lines().any(|it| it.contains("ERROR") && it.contains("no listener")), "{log}");
}
