//! Sidecars on a real file system.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;
use crate::api::API_VERSION;
use crate::api::condition::{Condition, ConditionStatus, ConditionType, Reason};
use crate::api::status::{Action, DecisionRecord, Phase, ReplicaCounts, SourceRef, Status, StatusMetadata};
use crate::units::Duration;

const NOW: Timestamp = Timestamp::from_secs(1_795_328_940);

fn status(name: &str) -> ScalingPolicyStatus {
    ScalingPolicyStatus {
        api_version: API_VERSION.to_owned(),
        kind: "ScalingPolicyStatus".to_owned(),
        metadata: StatusMetadata { name: name.to_owned(), generation: 1 },
        status: Status {
            limits: None,
            observed_generation: 1,
            source: SourceRef { file: "web.yaml".to_owned(), document: 0, sha256: "abc".to_owned() },
            phase: Phase::Active,
            replicas: Some(ReplicaCounts { current: 2, ready: 2, desired: 2, min: 1, max: 4 }),
            metrics: BTreeMap::from([("cpu.avg".to_owned(), 12.5)]),
            conditions: vec![Condition {
                kind: ConditionType::Ready,
                status: ConditionStatus::True,
                reason: Reason::Reconciled,
                message: "cpu.avg is 12.5".to_owned(),
                last_transition_time: NOW,
            }],
            last_decision: Some(DecisionRecord {
                time: NOW,
                action: Action::None,
                from: 2,
                to: 2,
                reason: "cpu.avg 12.5 is not > 75".to_owned(),
                limited_by: None,
                trail: Vec::new(),
                limits: None,
                limits_before: None,
                approval: None,
            }),
            last_scale_time: None,
            next_allowed: None,
        },
    }
}

fn entry(file: &str, document: usize, name: &str) -> PolicyEntry {
    PolicyEntry {
        key: PolicyKey::new(name),
        name: name.to_owned(),
        source: SourceRef { file: file.to_owned(), document, sha256: "abc".to_owned() },
        policy: None,
        running: None,
        profile: None,
        generation: 1,
        first_seen: None,
        mistakes: Vec::new(),
        unreadable: None,
        conflict: None,
    }
}

struct Folders {
    root: TempDir,
    sidecars: Sidecars,
}

impl Folders {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("policies")).unwrap();
        let sidecars = Sidecars::new(&root.path().join("policies"), None, &root.path().join("state"));
        Self { root, sidecars }
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.path().join(path)).ok()
    }

    fn write(&self, file: &str, document: usize, name: &str) {
        self.sidecars.write(&entry(file, document, name), &status(name).status, NOW);
    }
}

#[test]
fn a_sidecar_stands_beside_its_file_and_reads_as_yaml() {
    let folders = Folders::new();
    fs::create_dir(folders.root.path().join("policies/team")).unwrap();
    for (file, sidecar, [first, second]) in [
        ("web.yaml", "web.status.yaml", ["a", "b"]),
        ("web.yml", "web.yml.status.yaml", ["c", "d"]),
        ("team/web.yaml", "team/web.status.yaml", ["e", "f"]),
    ] {
        folders.write(file, 1, second);
        folders.write(file, 0, first);
        let text = folders.read(&format!("policies/{sidecar}")).unwrap();
        let begin = "apiVersion: docktor.dev/v1\nkind: ScalingPolicyStatus\nmetadata:\n  name: ";
        assert!(text.starts_with(begin), "{text}");
        let names: Vec<_> = text
            .split("---\n")
            .map(|document| serde_yaml::from_str::<ScalingPolicyStatus>(document).unwrap().metadata.name)
            .collect();
        assert_eq!(names, [first, second]);
    }
}

#[test]
fn what_happened_is_written_at_once_and_values_once_a_minute() {
    type Change = fn(&mut ScalingPolicyStatus);
    let changes: [(&str, Change, Due); 10] = [
        ("nothing", |_| {}, Due::Never),
        ("a value", |it| it.status.metrics.clear(), Due::At(NOW.plus(VALUES_EVERY))),
        ("a message", |it| it.status.conditions[0].message.clear(), Due::At(NOW.plus(VALUES_EVERY))),
        (
            "the same decision again",
            |it| {
                let decision = it.status.last_decision.as_mut().unwrap();
                decision.time = NOW.plus(Duration::from_secs(10));
                decision.reason = "cpu.avg 13.5 is not > 75".to_owned();
            },
            Due::At(NOW.plus(VALUES_EVERY)),
        ),
        ("the phase", |it| it.status.phase = Phase::Degraded, Due::Now),
        ("a condition", |it| it.status.conditions[0].reason = Reason::Held, Due::Now),
        ("a count", |it| it.status.replicas.as_mut().unwrap().ready = 1, Due::Now),
        ("a decision", |it| it.status.last_decision.as_mut().unwrap().action = Action::ScaleUp, Due::Now),
        ("the source", |it| it.status.source.sha256 = "def".to_owned(), Due::Now),
        ("the generation", |it| it.metadata.generation = 2, Due::Now),
    ];
    for (what, change, expected) in changes {
        let mut next = status("web");
        change(&mut next);
        let now = NOW.plus(Duration::from_secs(10));
        assert_eq!(due(Some((NOW, &[status("web")])), &[next], now), expected, "{what}");
    }
}

#[test]
fn values_are_due_after_a_minute_and_when_the_clock_was_set_back() {
    let mut next = status("web");
    next.status.metrics.clear();
    for now in [NOW.plus(VALUES_EVERY), NOW.minus(Duration::from_secs(1))] {
        assert_eq!(due(Some((NOW, &[status("web")])), std::slice::from_ref(&next), now), Due::Now);
    }
    assert_eq!(due(None, &[next], NOW), Due::Now);
}

#[test]
fn a_policy_that_goes_leaves_the_sidecar_and_the_last_one_takes_it_along() {
    let folders = Folders::new();
    folders.write("web.yaml", 0, "web");
    folders.write("web.yaml", 1, "api");
    folders.sidecars.forget(&PolicyKey::new("web"));
    assert!(!folders.read("policies/web.status.yaml").unwrap().contains("name: web"));
    folders.sidecars.forget(&PolicyKey::new("api"));
    assert_eq!(folders.read("policies/web.status.yaml"), None);
    folders.sidecars.forget(&PolicyKey::new("api"));
}

#[test]
fn a_policy_that_moves_to_another_file_takes_its_status_along() {
    let folders = Folders::new();
    folders.write("web.yaml", 0, "web");
    folders.write("shop.yaml", 0, "web");
    assert_eq!(folders.read("policies/web.status.yaml"), None);
    assert!(folders.read("policies/shop.status.yaml").is_some());
}

#[test]
fn a_file_that_docktor_did_not_write_is_neither_replaced_nor_removed() {
    let folders = Folders::new();
    let path = folders.root.path().join("policies/web.status.yaml");
    fs::write(&path, "mine: true\n").unwrap();
    folders.write("web.yaml", 0, "web");
    folders.sidecars.forget(&PolicyKey::new("web"));
    folders.sidecars.sweep(&BTreeSet::new());
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine: true\n");
    fs::remove_file(&path).unwrap();
    symlink("elsewhere", &path).unwrap();
    folders.write("web.yaml", 0, "web");
    assert!(path.is_symlink());
}

#[test]
fn sidecars_of_files_that_went_while_no_controller_ran_are_swept() {
    let folders = Folders::new();
    folders.write("web.yaml", 0, "web");
    folders.write("old.yaml", 0, "old");
    folders.sidecars.sweep(&["web.yaml".to_owned()].into());
    assert!(folders.read("policies/web.status.yaml").is_some());
    assert_eq!(folders.read("policies/old.status.yaml"), None);
}

#[test]
fn a_status_folder_of_its_own_keeps_relative_paths() {
    let root = tempfile::tempdir().unwrap();
    let status_dir = root.path().join("status");
    let sidecars =
        Sidecars::new(&root.path().join("policies"), Some(&status_dir), &root.path().join("state"));
    sidecars.write(&entry("team/web.yaml", 0, "web"), &status("web").status, NOW);
    assert!(status_dir.join("team/web.status.yaml").exists());
}

#[test]
fn a_policy_folder_that_is_gone_is_not_made_again() {
    let folders = Folders::new();
    fs::remove_dir(folders.root.path().join("policies")).unwrap();
    folders.write("web.yaml", 0, "web");
    assert!(!folders.root.path().join("policies").exists());
}
