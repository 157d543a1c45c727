//! The labels by which Compose knows its containers, and docktor's own beside them. Pure.

/// Project name.
pub(super) const PROJECT: &str = "com.docker.compose.project";
/// Service key.
pub(super) const SERVICE: &str = "com.docker.compose.service";
/// The replica's number, from 1.
pub(super) const NUMBER: &str = "com.docker.compose.container-number";
/// `False` on replicas, `True` on what `docker compose run` makes.
pub(super) const ONE_OFF: &str = "com.docker.compose.oneoff";
/// Hash of the service's configuration. Copied, never computed.
pub(super) const CONFIG_HASH: &str = "com.docker.compose.config-hash";
/// Digest of the image that the replica was made from.
pub(super) const IMAGE: &str = "com.docker.compose.image";
/// `service:condition:restart`, joined by commas.
pub(super) const DEPENDS_ON: &str = "com.docker.compose.depends_on";
/// Where the project lies.
pub(super) const WORKING_DIR: &str = "com.docker.compose.project.working_dir";
/// The project's files, joined by commas.
pub(super) const CONFIG_FILES: &str = "com.docker.compose.project.config_files";
/// The container that this one took the place of.
pub(super) const REPLACE: &str = "com.docker.compose.replace";
/// Only on one-off containers.
pub(super) const SLUG: &str = "com.docker.compose.slug";
/// Only on containers that run a hook.
pub(super) const HOOK: &str = "com.docker.compose.hook";
/// Only on tasks of a Swarm service.
pub(super) const SWARM_SERVICE: &str = "com.docker.swarm.service.id";

/// Everything of docktor's begins so.
pub(super) const OURS: &str = "dev.docktor.";
/// The policy that wanted the replica.
pub(super) const POLICY: &str = "dev.docktor.policy";
/// The change that made it.
pub(super) const CHANGE: &str = "dev.docktor.change";
/// The replica that it was cloned from.
pub(super) const DONOR: &str = "dev.docktor.donor";
