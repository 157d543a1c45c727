//! What a project's own files declare that no container shows: hooks, and files that Compose writes into
//! containers. Pure.
//!
//! The files are read as they are: without interpolation, `include` and `extends`. What cannot be read or
//! understood hinders nothing.

use serde_yaml::Value;

use crate::actuators::Obstacle;
use crate::api::condition::Reason;

/// Commands that Compose itself runs around a container's life.
const HOOKS: [&str; 3] = ["post_start", "pre_stop", "pre_start"];

/// Why a clone would not be what the files ask for. `files` are texts, in the order Compose reads them.
pub(super) fn obstacle(files: &[String], service: &str) -> Option<Obstacle> {
    let files: Vec<Value> = files.iter().filter_map(|it| serde_yaml::from_str(it).ok()).collect();
    files.iter().find_map(|file| {
        let service = file.get("services")?.get(service)?;
        hook(service)
            .or_else(|| inline(&files, service, "configs"))
            .or_else(|| inline(&files, service, "secrets"))
    })
}

fn hook(service: &Value) -> Option<Obstacle> {
    let hook = HOOKS.into_iter().find(|it| is_there(service.get(*it)))?;
    Some(not_cloneable(format!(
        "the service has a `{hook}` hook, which only Compose runs; scale it with `docker compose up --scale`, \
         or move the command into the image"
    )))
}

/// A config or secret of the service whose text is in the project's files or environment.
fn inline(files: &[Value], service: &Value, kind: &str) -> Option<Obstacle> {
    let used = service.get(kind)?.as_sequence()?.iter();
    let mut names = used.filter_map(|it| it.as_str().or_else(|| it.get("source")?.as_str()));
    let is_inline = |name: &&str| {
        let declared = files.iter().filter_map(|file| file.get(kind)?.get(*name));
        declared.into_iter().any(|it| is_there(it.get("content")) || is_there(it.get("environment")))
    };
    let name = names.find(is_inline)?;
    Some(not_cloneable(format!(
        "Compose writes `{name}` of `{kind}` into the container, and a clone would lack it; \
         give it a `file:` instead of `content:` or `environment:`"
    )))
}

fn is_there(value: Option<&Value>) -> bool {
    value.is_some_and(|it| !it.is_null())
}

const fn not_cloneable(message: String) -> Obstacle {
    Obstacle { reason: Reason::NotCloneable, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<String> {
        obstacle(&[text.to_owned()], "web").map(|it| it.message)
    }

    #[test]
    fn hooks_and_inline_files_are_found() {
        for (text, word) in [
            ("services: {web: {post_start: [{command: ./warm}]}}", "post_start"),
            ("services: {web: {pre_stop: [{command: ./drain}]}}", "pre_stop"),
            ("services: {web: {configs: [motd]}}\nconfigs: {motd: {content: hello}}", "motd"),
            (
                "services: {web: {secrets: [{source: token}]}}\nsecrets: {token: {environment: TOKEN}}",
                "token",
            ),
        ] {
            assert!(found(text).is_some_and(|it| it.contains(word)), "{text}");
        }
    }

    #[test]
    fn what_a_clone_has_too_hinders_nothing() {
        for text in [
            "services: {web: {image: x}, db: {post_start: [{command: ./warm}]}}",
            "services: {web: {secrets: [token]}}\nsecrets: {token: {file: ./token}}",
            "services: {web: {configs: [motd]}}\nconfigs: {motd: {external: true}}",
            "services: {web: {ports: !reset []}}",
            "not: [yaml",
            "",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn a_file_may_declare_what_another_one_uses() {
        let files = ["services: {web: {secrets: [token]}}", "secrets: {token: {environment: TOKEN}}"];
        assert!(obstacle(&files.map(str::to_owned), "web").is_some());
    }
}
