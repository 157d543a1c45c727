//! Mode `Approve`: what Auto would do, when a person lets it.

use std::collections::HashSet;

use proptest::prelude::*;

use super::properties::{policies, rows, snapshot};
use super::*;
use crate::api::limits::LimitKind;
use crate::api::policy::Mode;
use crate::model::approval::{
    APPROVAL_LASTS, Answer, PROPOSAL_LASTS, Plan, Proposal, REJECTION_LASTS, Verdict,
};

fn asking(text: &str) -> World {
    let mut world = World::new(text);
    world.spec = world.spec.named("web");
    world.memory.set_mode(Some(Mode::Approve));
    world
}

fn proposal(world: &World) -> Proposal {
    world.memory.approvals.proposal.clone().expect("a proposal waits")
}

fn answer(world: &mut World, verdict: Verdict, seconds: i64) -> Answer {
    let id = proposal(world).id;
    world.memory.approvals.answer(&id, verdict, "ada", None, at(seconds)).unwrap()
}

/// What the controller does with a decision that acts.
fn carry_out(memory: &mut Memory, decision: &Decision, now: Timestamp) {
    let id = ChangeId::new(&format!("change-{}", now.as_millis()));
    memory.intend(decision.intent(id.clone()));
    memory.record_change(decision.from, decision.desired, decision.purpose, now);
    memory.settle(&id);
}

#[test]
fn a_change_is_proposed_kept_while_it_is_the_same_and_made_once_it_is_approved() {
    let mut world = asking(RULES);
    world.decide(&running(2, 90.0), 0);
    let decision = world.decide(&running(2, 90.0), 10);
    assert_eq!((decision.desired, decision.limited_by), (2, Some(Limitation::Approval)));
    assert_eq!(decision.recheck_at, Some(at(10).plus(PROPOSAL_LASTS)));
    let first = proposal(&world);
    assert_eq!(
        (first.plan.to_string().as_str(), first.reason.as_str()),
        ("2 -> 4 replicas", "cpu.avg 90 > 75 (2 of 2)")
    );
    world.decide(&running(2, 95.0), 20);
    assert_eq!(proposal(&world), first);

    answer(&mut world, Verdict::Approve, 25);
    let decision = world.decide(&running(2, 95.0), 30);
    assert_eq!((decision.act, decision.desired, decision.approval.as_ref()), (true, 4, Some(&first.id)));
    assert_eq!(decision.intent(ChangeId::new("a")).approval, Some(first.id.clone()));
    assert_eq!(decision.record().approval, Some(first.id));
    carry_out(&mut world.memory, &decision, at(30));
    assert_eq!((&world.memory.approvals.approval, &world.memory.approvals.proposal), (&None, &None));
}

#[test]
fn what_is_not_approved_waits_for_whatever_purpose() {
    for (text, snapshot, prepare, plan) in [
        (RULES, row(0, &[]), Memory { scaled_to_zero: true, ..Memory::default() }, "0 -> 1 replicas"),
        (RULES, running(12, 50.0), Memory::default(), "12 -> 10 replicas"),
        (
            RULES,
            running(2, 50.0),
            Memory { desired: Some(4), drift: drifted(2), ..Memory::default() },
            "2 -> 4 replicas",
        ),
        (
            RULES,
            running(2, 50.0),
            Memory {
                wish: Some(Wish { replicas: 5, until: at(600), reason: None, by: "ada".to_owned() }),
                ..Memory::default()
            },
            "2 -> 5 replicas",
        ),
    ] {
        let mut world = asking(text);
        world.memory = Memory { mode: Some(Mode::Approve), first_seen: Some(at(-600)), ..prepare };
        let decision = world.decide(&snapshot, 0);
        assert_eq!(
            (decision.action, decision.limited_by),
            (Action::None, Some(Limitation::Approval)),
            "{plan}"
        );
        assert!(decision.retire.is_empty() && decision.keep.is_none());
        assert_eq!(proposal(&world).plan.to_string(), plan);
    }
}

fn drifted(replicas: u32) -> crate::model::memory::DriftMemory {
    let seen = Some(crate::model::memory::Past { at: at(-60), replicas });
    crate::model::memory::DriftMemory { seen, ..Default::default() }
}

#[test]
fn another_change_replaces_the_one_that_waits_and_none_withdraws_it() {
    let mut world = asking(
        "replicas: {max: 10}\ntrack: [{metric: cpu.avg, target: 50}]\nscaleUp: {limits: [{replicas: 9, period: 15s}]}",
    );
    world.decide(&running(2, 90.0), 0);
    let first = proposal(&world);
    world.decide(&running(2, 120.0), 10);
    let second = proposal(&world);
    assert_eq!((first.plan.to, second.plan.to), (4, 5));
    assert_ne!(first.id, second.id);
    world.decide(&running(2, 50.0), 20);
    assert_eq!(world.memory.approvals.proposal, None);
    world.decide(&running(2, 120.0), 30);
    assert_ne!(proposal(&world).id, second.id, "it is asked anew");
}

#[test]
fn nothing_waits_while_something_else_forbids_the_change_or_in_another_mode() {
    let forbid: [fn(&mut World); 5] = [
        |it| it.constraints.stopped = true,
        |it| it.constraints.conflict = true,
        |it| it.memory.set_mode(Some(Mode::Auto)),
        |it| it.memory.set_mode(Some(Mode::Observe)),
        |it| it.memory.set_mode(Some(Mode::Disabled)),
    ];
    for forbid in forbid {
        let mut world = asking(RULES);
        world.decide(&running(12, 50.0), 0);
        assert!(world.memory.approvals.proposal.is_some());
        forbid(&mut world);
        world.decide(&running(12, 50.0), 10);
        assert_eq!(world.memory.approvals.proposal, None);
    }
}

#[test]
fn what_cannot_be_seen_withdraws_nothing() {
    let mut world = asking(RULES);
    world.decide(&running(12, 50.0), 0);
    let waits = proposal(&world);
    world.constraints.unreadable = Some(Reason::EngineUnreachable);
    world.decide(&Snapshot::default(), 10);
    assert_eq!(proposal(&world), waits);
}

#[test]
fn answers_end() {
    let (approval, rejection) = (APPROVAL_LASTS.as_millis() / 1_000, REJECTION_LASTS.as_millis() / 1_000);
    for (verdict, seconds, acts, waits) in [
        (Verdict::Approve, approval - 1, true, false),
        (Verdict::Approve, approval, false, true),
        (Verdict::Reject, rejection - 1, false, false),
        (Verdict::Reject, rejection, false, true),
    ] {
        let mut world = asking(RULES);
        world.decide(&running(12, 50.0), 0);
        answer(&mut world, verdict, 0);
        let decision = world.decide(&running(12, 50.0), seconds);
        let found = (decision.action != Action::None, world.memory.approvals.proposal.is_some());
        assert_eq!(found, (acts, waits), "{verdict:?} after {seconds}s");
        if verdict == Verdict::Reject && !waits {
            assert_eq!(decision.limited_by, Some(Limitation::Rejected(at(rejection))));
            assert_eq!(decision.recheck_at, Some(at(rejection)));
        }
    }
}

#[test]
fn limits_wait_too_and_are_the_same_after_a_restart() {
    let mut world = asking(
        "
resources: {cpuQuota: {min: 100%, max: 800%, minStep: 1%}}
scaleUp: {rules: [{metric: cpu.utilization, op: '>', value: 85}], step: x1.5}
",
    );
    // A third of a core, as no whole percent.
    let cores = 4.0 / 3.0;
    let mut snapshot = running(1, 130.0);
    snapshot.replicas[0].limits = Limits { cpus: Some(cores), ..Limits::default() };
    let decision = world.decide(&snapshot, 0);
    assert_eq!(decision.limited_by, Some(Limitation::Approval), "{decision:?}");
    assert!(decision.resize.as_ref().is_some_and(|it| !it.changes()));
    let waits = proposal(&world);
    assert_eq!(waits.plan.limits.unwrap().get(LimitKind::CpuQuota), Some(200.0));

    world.memory = serde_json::from_str(&serde_json::to_string(&world.memory).unwrap()).unwrap();
    world.decide(&snapshot, 10);
    assert_eq!(proposal(&world), waits);
    answer(&mut world, Verdict::Approve, 20);
    world.memory = serde_json::from_str(&serde_json::to_string(&world.memory).unwrap()).unwrap();
    let decision = world.decide(&snapshot, 30);
    assert_eq!((decision.action, decision.approval), (Action::ScaleUp, Some(waits.id)));
    assert!(decision.resize.is_some_and(|it| it.changes()));
}

proptest! {
    #[test]
    fn nothing_changes_without_an_approval_of_it_and_none_is_used_twice(
        spec in policies(),
        rows in rows(),
        answers in prop::collection::vec(prop::option::of(prop::sample::select(vec![Verdict::Approve, Verdict::Reject])), 40),
    ) {
        let spec = Spec { mode: Mode::Approve, ..(*spec).clone() };
        let mut memory = Memory::default();
        let (mut now, mut used) = (0, HashSet::new());
        for (it, verdict) in rows.iter().zip(answers) {
            now += it.after;
            memory = serde_json::from_str(&serde_json::to_string(&memory).unwrap()).unwrap();
            let waiting = memory.approvals.proposal.clone();
            let approved = memory.approvals.approval.clone();
            let decision = decide(&spec, &mut memory, &snapshot(it), &Constraints::default(), at(now));
            let plan = Plan { from: decision.from, to: decision.desired, limits_before: None, limits: None };
            if decision.action == Action::None {
                prop_assert_eq!(&decision.approval, &None);
                prop_assert!(decision.retire.is_empty() && decision.keep.is_none());
            } else {
                let approved = approved.expect("it acts with an approval alone");
                prop_assert_eq!(approved.plan, plan);
                prop_assert!(approved.until > at(now));
                prop_assert_eq!(decision.approval.as_ref(), Some(&approved.id));
                prop_assert!(!used.contains(&approved.id));
                if it.done {
                    carry_out(&mut memory, &decision, at(now));
                    used.insert(approved.id);
                }
            }
            if let (Some(before), Some(waits)) = (&waiting, &memory.approvals.proposal) {
                prop_assert_eq!(before.id == waits.id, before.plan == waits.plan && before.until > at(now));
            }
            if let (Some(verdict), Some(waits)) = (verdict, memory.approvals.proposal.clone()) {
                prop_assert!(memory.approvals.answer(&waits.id, verdict, "ada", None, at(now)).is_ok());
            }
        }
    }
}
