//! The story of a target that cannot be seen: why, how that is mended, and when docktor looks again.

use super::super::explanation::Explanation;
use super::super::view::word;
use super::sentences::Teller;
use super::{Reader, waits};
use crate::api::condition::{ConditionType, Reason};
use crate::api::target::{SystemdManager, Target};
use crate::decide::outlook::{Barrier, Outlook};

/// Why the target cannot be seen, where it cannot.
pub(super) fn reason(outlook: &Outlook) -> Option<Reason> {
    outlook.held_back.iter().find_map(|it| match it {
        Barrier::Unreadable { reason } => Some(*reason),
        _ => None,
    })
}

pub(super) fn sections(
    tell: &Teller<'_>,
    it: &Explanation,
    reason: Reason,
    reader: &Reader<'_>,
) -> Vec<(&'static str, Vec<String>)> {
    let (phase, mode) = (word(&it.phase), word(&it.outlook.mode));
    vec![
        ("Now", vec![format!("replicas unknown; mode {mode}, phase {phase}")]),
        ("Why", vec![why(reason, reader)]),
        ("To mend it", mend(reason, &it.outlook.target).into_iter().collect()),
        ("Waits for approval", waits(tell, it)),
        ("Next", vec![next(tell, &it.outlook)]),
    ]
}

/// The reason in the words of whoever met it, which name the address, the project, the service.
fn why(reason: Reason, reader: &Reader<'_>) -> String {
    let conditions = reader.view.map_or(&[][..], |it| &it.status.conditions);
    let told = conditions.iter().find(|it| it.kind == ConditionType::AbleToScale && it.reason == reason);
    let word = word(&reason);
    told.map_or_else(|| word.clone(), |it| format!("{word}: {}", it.message))
}

fn mend(reason: Reason, target: &Target) -> Option<String> {
    Some(match (reason, target) {
        (Reason::EngineUnreachable, Target::Compose(_) | Target::Swarm(_)) => {
            "the engine has to run at that address (`--docker` or DOCKER_HOST of the controller), and the \
             controller may have to be let in (group of the socket); docktor then goes on by itself"
                .to_owned()
        }
        (Reason::EngineUnreachable, Target::Systemd(it)) => match it.manager.unwrap_or_default() {
            SystemdManager::System => {
                "systemd has to run where docktor does, and D-Bus beside it; `systemctl status dbus` tells. In a \
                 container, mount `/run/dbus/system_bus_socket`; docktor then goes on by itself"
                    .to_owned()
            }
            SystemdManager::User => {
                "the manager of docktor's own user has to run, and the controller needs its XDG_RUNTIME_DIR; \
                 `loginctl enable-linger USER` keeps it running. A unit of the system has `manager: System`"
                    .to_owned()
            }
        },
        (Reason::TargetNotFound, Target::Compose(_)) => {
            "`docker compose up -d` makes the service; docktor goes on once a container of it is there. If it \
             is, spec.target names another project or service"
                .to_owned()
        }
        (Reason::TargetNotFound, Target::Swarm(_)) => {
            "`docker service ls` lists the services; spec.target names another one".to_owned()
        }
        (Reason::TargetNotFound, Target::Systemd(it)) => {
            let systemctl = it.manager.unwrap_or_default().systemctl();
            let (other, managers) = match it.manager.unwrap_or_default() {
                SystemdManager::System => ("User", "a unit of docktor's user"),
                SystemdManager::User => ("System", "a unit of the system"),
            };
            format!(
                "`{systemctl} list-unit-files` lists the units; correct spec.target.systemd.unit, or write \
                 `manager: {other}` for {managers}. docktor goes on once the unit is there"
            )
        }
        _ => return None,
    })
}

/// The pause after failures is not known here, but it has an end.
fn next(tell: &Teller<'_>, outlook: &Outlook) -> String {
    match outlook.next.evaluation.filter(|at| *at > tell.now) {
        Some(at) => format!("docktor looks again at {}, or after a longer pause", tell.time(at)),
        None => "docktor looks again by itself, after pauses of up to a minute".to_owned(),
    }
}
