use super::*;
use crate::admin::view::sample;
use crate::api::condition::{Condition, ConditionStatus, ConditionType, Reason};
use crate::api::effective::Spec;
use crate::api::policy::Mode;
use crate::api::policy::PolicySpec;
use crate::api::status::Phase;
use crate::decide::outlook::Present;
use crate::decide::{Constraints, decide};
use crate::model::memory::Memory;
use crate::model::observation::{Observation, Snapshot};

const START: Timestamp = Timestamp::from_secs(1_000_000);

/// A policy that was decided on a few times.
struct Told {
    spec: Spec,
    memory: Memory,
    constraints: Constraints,
    last: Option<DecisionRecord>,
}

impl Told {
    fn new(text: &str) -> Self {
        Self::of("{compose: {project: p, service: s}}", text)
    }

    /// A policy of that target.
    fn of(target: &str, text: &str) -> Self {
        let text = format!("target: {target}\n{text}");
        let written: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let written: PolicySpec = serde_json::from_value(written).unwrap();
        let spec = Spec::effective(&written, None).unwrap();
        Self { spec, memory: Memory::default(), constraints: Constraints::default(), last: None }
    }

    /// Decides so many seconds after the start, does it where the mode lets it, and explains.
    fn explain(&mut self, current: u32, metrics: &[(&str, f64)], seconds: i64) -> Explanation {
        let now = START.plus(crate::units::Duration::from_secs(seconds.unsigned_abs()));
        let metrics = metrics.iter().map(|(name, value)| ((*name).to_owned(), Observation::Value(*value)));
        let snapshot = Snapshot {
            current: Some(current),
            metrics: metrics.collect(),
            evaluation: true,
            ..Snapshot::default()
        };
        let decision = decide(&self.spec, &mut self.memory, &snapshot, &self.constraints, now);
        if decision.act && decision.desired != decision.from {
            self.memory.record_change(decision.from, decision.desired, decision.purpose, now);
        }
        if decision.action != Action::None {
            self.last = Some(decision.record());
        }
        let present = Present {
            spec: &self.spec,
            memory: &self.memory,
            snapshot: &snapshot,
            constraints: &self.constraints,
            decision: &decision,
            next_evaluation: Some(now.plus(self.spec.interval)),
        };
        Explanation::of("web", Phase::Active, &present, self.last.clone())
    }

    fn tell(&mut self, current: u32, metrics: &[(&str, f64)], seconds: i64) -> String {
        let told = self.explain(current, metrics, seconds);
        story(&told, told.decision.time).join("\n")
    }
}

/// The story without its line breaks.
fn flat(story: &str) -> String {
    story.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn assert_tells(story: &str, lines: &[&str]) {
    for line in lines {
        assert!(story.lines().any(|it| it.trim_start() == *line), "no line `{line}` in\n{story}");
    }
}

#[test]
fn a_long_line_goes_on_below_itself() {
    let line = format!("  - {}", "word ".repeat(30).trim_end());
    let lines = wrapped(&line, INDENT, WIDTH);
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|it| it.chars().count() <= WIDTH), "{lines:?}");
    assert!(lines[0].starts_with("    - word") && lines[1].starts_with("      word"), "{lines:?}");
    let whole = "x".repeat(300);
    assert_eq!(wrapped(&whole, INDENT, WIDTH), [format!("  {whole}")], "nothing is cut");
}

#[test]
fn a_narrow_reader_gets_short_lines() {
    let mut policy = Told::new("replicas: {max: 3}\ntrack: [{metric: cpu.avg, target: 60}]");
    let told = policy.explain(2, &[("cpu.avg", 70.0)], 0);
    let reader = Reader { now: told.decision.time, width: 60, view: None };
    let lines = story_for(&told, &reader);
    assert!(lines.iter().all(|it| it.chars().count() <= 60), "{lines:#?}");
}

#[test]
fn at_one_replica_only_zero_asks_for_fewer() {
    let mut policy = Told::new("replicas: {min: 1, max: 3}\ntrack: [{metric: cpu.avg, target: 60}]");
    let story = policy.tell(1, &[("cpu.avg", 50.0)], 0);
    assert_tells(&story, &["cpu.avg is 50; 0 asks for fewer than 1 (target 60, tolerance 10 %)"]);
}

#[test]
fn what_a_mode_does_not_do_is_told_as_what_would_be() {
    let text = "mode: Observe\nreplicas: {max: 9}\nscaleUp: {rules: [{metric: cpu.avg, op: '>', value: 75}]}";
    let mut policy = Told::new(text);
    let observed = policy.tell(2, &[("cpu.avg", 90.0)], 0);
    assert_tells(
        &observed,
        &[
            "web: would scale up from 2 to 3 replicas (mode Observe).",
            "so it would go from 2 to 3, because cpu.avg 90 > 75",
            "mode Observe does not act; `docktorctl mode web Auto` lets it",
        ],
    );
    assert!(!observed.contains("Last change") && !observed.contains("nothing\n"), "{observed}");

    policy.spec.mode = Mode::Auto;
    let steady = policy.tell(2, &[("cpu.avg", 9.0)], 10);
    assert!(!steady.contains("Last change"), "it never was: {steady}");
    let acted = policy.tell(2, &[("cpu.avg", 90.0)], 20);
    assert_tells(&acted, &["Last change", "web: scale up from 2 to 3 replicas."]);
}

const LIMITS: &str = "
resources: {apply: Restart, cpuQuota: {min: 200%, max: 400%}, tasksMax: {min: 100, max: 150}}
scaleUp: {rules: [{metric: cpu.avg, op: '>', value: 75}], step: x1.5, cooldown: 0s}
";

#[test]
fn limits_are_told_with_their_ranges_and_all_that_kept_them() {
    let mut policy = Told::new(LIMITS);
    let story = policy.tell(1, &[("cpu.avg", 90.0)], 0);
    assert_tells(
        &story,
        &[
            "web: change limits: cpuQuota 200% -> 300%.",
            "so limits change: cpuQuota 200% -> 300%, because cpu.avg 90 > 75",
            "To raise limits",
            "this has to hold; then limits move by x1.5:",
            "To lower limits",
            "not now: nothing in the policy asks for it",
        ],
    );
    for word in ["2147483647", "asks for 2", "To grow", "scale up from"] {
        assert!(!story.contains(word), "{word}: {story}");
    }
    assert!(
        story.contains("cpuQuota 200% (may be 200% to 400%); tasksMax 100 (may be 100 to 150)"),
        "{story}"
    );
}

#[test]
fn a_target_that_cannot_be_seen_has_no_count_and_a_way_to_be_mended() {
    let mut policy = Told::new("replicas: {max: 9}\ntrack: [{metric: cpu.avg, target: 60}]");
    policy.constraints.unreadable = Some(Reason::EngineUnreachable);
    let told = policy.explain(0, &[], 0);
    let mut view = sample("web");
    view.status.conditions.push(Condition {
        kind: ConditionType::AbleToScale,
        status: ConditionStatus::False,
        reason: Reason::EngineUnreachable,
        message: "the engine at unix:///run/docker.sock cannot be reached: connection refused".to_owned(),
        last_transition_time: START,
    });
    let now = told.decision.time.plus(crate::units::Duration::from_secs(60));
    let lines = story_for(&told, &Reader { now, width: WIDTH, view: Some(&view) });
    let story = lines.join("\n");
    assert_tells(
        &story,
        &[
            "web: the target cannot be seen, so nothing changes.",
            "replicas unknown; mode Auto, phase Active",
            "EngineUnreachable: the engine at unix:///run/docker.sock cannot be reached: connection refused",
            "To mend it",
            "docktor looks again by itself, after pauses of up to a minute",
        ],
    );
    for word in ["0 of 0", "stay at", "To grow", "ago"] {
        assert!(!story.contains(word), "{word}: {story}");
    }
}

#[test]
fn a_schedule_that_moves_the_count_is_told_as_such() {
    // The story begins on the 12th of January 1970 at 13:46:40.
    let text = "
replicas: {min: 1, max: 3}
scaleDown: {rules: [{metric: cpu.avg, op: '<', value: 20}], step: '-1', stabilizationWindow: 0s, cooldown: 0s}
schedules: [{name: soon, timezone: UTC, start: '50 13 * * *', duration: 5m, min: 2}]
";
    let mut policy = Told::new(text);
    let before = policy.tell(1, &[("cpu.avg", 50.0)], 0);
    assert_tells(
        &before,
        &[
            "it grows to 2 at 13:50:00Z (in 3m20s)",
            "minimum 2, maximum 3 from 13:50:00Z (in 3m20s): schedule soon",
        ],
    );
    policy.spec.mode = Mode::Observe;
    let observed = policy.tell(1, &[("cpu.avg", 50.0)], 10);
    assert!(!observed.contains("it grows to"), "mode Observe: {observed}");

    let mut policy = Told::new(text);
    let within = policy.tell(2, &[("cpu.avg", 50.0)], 250);
    assert_tells(&within, &["it may shrink at 13:55:00Z (in 4m10s) at the earliest"]);
}

#[test]
fn a_trend_says_how_much_of_its_window_it_has_seen() {
    let text = "
replicas: {max: 9}
scaleDown: {rules: [{metric: queue.backlog.avg5m, op: '<', value: 20}, {metric: queue.backlog.slope, op: '<', value: 0}], step: '-1'}
metrics: {queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}}
";
    let mut policy = Told::new(text);
    let first = policy.tell(2, &[("queue.backlog", 5.0)], 0);
    assert!(first.contains("queue.backlog.slope takes a second evaluation"), "{first}");
    let second = flat(&policy.tell(2, &[("queue.backlog", 5.0)], 10));
    let filling = "queue.backlog.avg5m has seen 10s of 5m, and is full at 13:51:40Z (in 4m50s)";
    assert!(second.contains(filling), "{second}");
    assert!(second.contains("and without them nothing goes"), "{second}");
}

#[test]
fn a_change_by_another_hand_says_what_becomes_of_it() {
    let mut policy = Told::new("replicas: {max: 9}\ntrack: [{metric: cpu.avg, target: 60}]");
    policy.tell(4, &[("cpu.avg", 60.0)], 0);
    let story = flat(&policy.tell(2, &[("cpu.avg", 60.0)], 10));
    assert!(story.contains("for more, then restores 4"), "{story}");
}

#[test]
fn a_barrier_that_has_ended_is_told_no_more() {
    let text = "replicas: {max: 9}\nscaleUp: {rules: [{metric: cpu.avg, op: '>', value: 75}], cooldown: 30s}";
    let told = Told::new(text).explain(2, &[("cpu.avg", 90.0)], 0);
    let at = |seconds| {
        story(&told, told.decision.time.plus(crate::units::Duration::from_secs(seconds))).join("\n")
    };
    assert!(at(29).contains("not now: scaleUp.cooldown until"), "{}", at(29));
    assert!(!at(30).contains("not now: scaleUp.cooldown"), "{}", at(30));
}

#[test]
fn the_end_of_a_window_is_seen_by_the_evaluation_after_it() {
    let text = "
interval: 10s
replicas: {max: 9}
track: [{metric: cpu.avg, target: 60}]
scaleDown: {stabilizationWindow: 25s, cooldown: 0s}
";
    let mut policy = Told::new(text);
    policy.tell(4, &[("cpu.avg", 60.0)], 0);
    let story = policy.tell(4, &[("cpu.avg", 20.0)], 10);
    assert!(flat(&story).contains("leaves it at 13:47:05Z"), "{story}");
    assert_tells(&story, &["it may shrink at 13:47:10Z (in 20s) at the earliest"]);
}

#[test]
fn what_is_wrong_with_the_present_text_is_told() {
    let told = Told::new("replicas: {max: 9}\ntrack: [{metric: cpu.avg, target: 60}]").explain(2, &[], 0);
    let mut view = sample("web");
    view.mistakes.push("web.yaml:7:9: spec.mode: found `Atuo`\n   mode: Atuo".to_owned());
    let lines = story_for(&told, &Reader { now: told.decision.time, width: WIDTH, view: Some(&view) });
    let title = lines.iter().position(|it| it == "The present text is wrong, so the last good one goes on");
    assert_eq!(
        title.and_then(|it| lines.get(it + 2)).map(String::as_str),
        Some("     mode: Atuo"),
        "{lines:#?}"
    );
}

#[test]
fn what_mends_a_target_that_cannot_be_seen_is_of_its_own_kind() {
    let (compose, system) = ("{compose: {project: p, service: s}}", "{systemd: {unit: w.service}}");
    let user = "{systemd: {unit: w.service, manager: User}}";
    for (target, reason, words) in [
        (compose, Reason::EngineUnreachable, "`--docker` or DOCKER_HOST"),
        (compose, Reason::TargetNotFound, "`docker compose up -d` makes the service"),
        (system, Reason::EngineUnreachable, "mount `/run/dbus/system_bus_socket`"),
        (system, Reason::TargetNotFound, "`systemctl list-unit-files` lists the units"),
        (system, Reason::TargetNotFound, "write `manager: User` for a unit of docktor's user"),
        (user, Reason::EngineUnreachable, "needs its XDG_RUNTIME_DIR"),
        (user, Reason::TargetNotFound, "`systemctl --user list-unit-files` lists the units"),
    ] {
        let mut policy = Told::of(target, LIMITS);
        policy.constraints.unreadable = Some(reason);
        let story = flat(&policy.tell(0, &[], 0));
        assert!(story.contains(words), "{target} {reason:?}: {story}");
        assert_eq!(
            story.to_lowercase().contains("docker"),
            target == compose,
            "{target} {reason:?}: {story}"
        );
    }
}

#[test]
fn what_never_ran_is_told_with_the_command_that_starts_it() {
    for (target, command) in [
        ("{compose: {project: p, service: s}}", "docker compose up -d s"),
        ("{systemd: {unit: w@.service}}", "systemctl start w@1.service"),
        ("{systemd: {unit: w@.service, manager: User}}", "systemctl --user start w@1.service"),
    ] {
        let rules = "replicas: {min: 2, max: 4}\nscaleUp: {rules: [{metric: cpu.avg, op: '>', value: 75}]}";
        let story = flat(&Told::of(target, rules).tell(0, &[], 0));
        let words = format!("docktor starts nothing that it did not stop itself; `{command}` starts it");
        assert!(story.contains(&words) && !story.contains("somebody"), "{story}");
    }
}

#[test]
fn a_policy_that_moves_limits_alone_never_speaks_of_a_count() {
    let mut policy = Told::new(LIMITS);
    let told = policy.explain(1, &[("cpu.avg", 9.0)], 0);
    let story = story(&told, told.decision.time).join("\n");
    assert_tells(&story, &["web: limits stay.", "so limits stay, because nothing asks for other limits"]);
    assert!(!story.contains("stay at") && !story.contains("another count"), "{story}");
    assert_eq!(
        (outcome(&told.decision), movement(&told.decision)),
        ("stay as it is".into(), "as it is".into())
    );
    let resized = policy.explain(1, &[("cpu.avg", 90.0)], 10);
    assert_eq!(movement(&resized.decision), "cpuQuota 200% -> 300%");
}
