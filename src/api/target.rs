//! The scale target: the workload that a policy moves.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The workload; exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// A service of a Compose project.
    Compose(ComposeTarget),
    /// A service of a Docker Swarm.
    Swarm(SwarmTarget),
    /// A unit of systemd.
    Systemd(SystemdTarget),
}

/// A service of a Compose project, found by its labels, never by container names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ComposeTarget {
    /// The project's name, as in the label `com.docker.compose.project`.
    pub project: String,
    /// The service's key in the Compose file.
    pub service: String,
    /// The engine's address; by default the one that docktor was started with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker: Option<String>,
    /// How replicas are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<ComposeStrategy>,
    /// Also remove the anonymous volumes of a replica that goes. Compose keeps them; so does docktor by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_anonymous_volumes: Option<bool>,
    /// The service keeps data of its own, so replicas that share a volume are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stateful: Option<bool>,
}

/// How replicas of a Compose service are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum ComposeStrategy {
    /// Clone a running replica through the Engine API.
    #[default]
    Engine,
    /// Call `docker compose up --scale`.
    Cli,
    /// `Engine`, or `Cli` where a clone would not be faithful and Compose is installed.
    Auto,
}

/// A service of a Docker Swarm.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SwarmTarget {
    /// The service's full name, as in `docker service ls`.
    pub service: String,
    /// The engine's address; by default the one that docktor was started with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker: Option<String>,
}

/// A unit of systemd; with `replicas`, a template (`worker@.service`) whose instances are the replicas.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SystemdTarget {
    /// The unit's full name, with its suffix.
    pub unit: String,
    /// Whose manager runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<SystemdManager>,
}

/// Whose systemd manager runs a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum SystemdManager {
    /// PID 1.
    #[default]
    System,
    /// The manager of the user that docktor runs as.
    User,
}

impl SystemdManager {
    /// The word for it in ids and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
        }
    }

    /// The manager, in messages.
    #[must_use]
    pub const fn whose(self) -> &'static str {
        match self {
            Self::System => "systemd's system manager",
            Self::User => "systemd's manager of docktor's user",
        }
    }

    /// The command that speaks to it.
    #[must_use]
    pub const fn systemctl(self) -> &'static str {
        match self {
            Self::System => "systemctl",
            Self::User => "systemctl --user",
        }
    }
}

impl SystemdTarget {
    /// Is it about this unit: the unit itself, or an instance of its template?
    #[must_use]
    pub fn is_about(&self, manager: SystemdManager, unit: &str) -> bool {
        let is_instance = || {
            let (prefix, suffix) = self.unit.split_once("@.")?;
            unit.strip_prefix(prefix)?.strip_prefix('@')?.strip_suffix(suffix)?.strip_suffix('.')
        };
        self.manager.unwrap_or_default() == manager && (self.unit == unit || is_instance().is_some())
    }
}

impl Target {
    /// The word for the actuator that moves it: YAML key, metric label and docs page.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Compose(_) => "compose",
            Self::Swarm(_) => "swarm",
            Self::Systemd(_) => "systemd",
        }
    }

    /// Who has to answer for it, in messages.
    #[must_use]
    pub fn keeper(&self) -> String {
        match self {
            Self::Compose(ComposeTarget { docker, .. }) | Self::Swarm(SwarmTarget { docker, .. }) => {
                let address = docker.as_ref().map(|it| format!(" at {it}")).unwrap_or_default();
                format!("the Docker engine{address}")
            }
            Self::Systemd(it) => it.manager.unwrap_or_default().whose().to_owned(),
        }
    }

    /// The command by which a person starts it: of a template, its first instance.
    #[must_use]
    pub fn start_command(&self) -> String {
        match self {
            Self::Compose(it) => format!("docker compose up -d {}", it.service),
            Self::Swarm(it) => format!("docker service scale {}=1", it.service),
            Self::Systemd(it) => {
                let systemctl = it.manager.unwrap_or_default().systemctl();
                format!("{systemctl} start {}", it.unit.replacen("@.", "@1.", 1))
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compose(it) => write!(f, "compose/{}/{}", it.project, it.service),
            Self::Swarm(it) => write!(f, "swarm/{}", it.service),
            Self::Systemd(it) => match it.manager.unwrap_or_default() {
                SystemdManager::System => write!(f, "systemd/{}", it.unit),
                SystemdManager::User => write!(f, "systemd/user/{}", it.unit),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(json: &str) -> Target {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn each_kind_of_target_has_its_keeper_and_its_command() {
        for (json, keeper, command) in [
            (
                r#"{"compose": {"project": "p", "service": "api"}}"#,
                "the Docker engine",
                "docker compose up -d api",
            ),
            (
                r#"{"swarm": {"service": "p_api", "docker": "tcp://h:2375"}}"#,
                "the Docker engine at tcp://h:2375",
                "docker service scale p_api=1",
            ),
            (
                r#"{"systemd": {"unit": "worker.service"}}"#,
                "systemd's system manager",
                "systemctl start worker.service",
            ),
            (
                r#"{"systemd": {"unit": "worker@.service", "manager": "User"}}"#,
                "systemd's manager of docktor's user",
                "systemctl --user start worker@1.service",
            ),
        ] {
            let target = target(json);
            assert_eq!(
                (target.keeper().as_str(), target.start_command().as_str()),
                (keeper, command),
                "{json}"
            );
        }
    }
}
