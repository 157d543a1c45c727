//! Bounds, drift, people, and what forbids to act.

use super::*;

#[test]
fn bounds_hold_without_metrics_rules_or_cooldown() {
    let mut world = World::new(&RULES.replace("min: 1", "min: 3"));
    let blind = Snapshot { replicas: vec![replica(1, None)], evaluation: true, ..Snapshot::default() };
    let decision = world.decide(&blind, 0);
    assert_eq!((decision.desired, decision.purpose), (3, Purpose::Bounds));
    assert_eq!(decision.reason(), "below the minimum of 3");
    let mut world = World::new(RULES);
    let decision = world.decide(&running(14, 50.0), 0);
    assert_eq!((decision.desired, decision.retire.len()), (10, 4));
    assert_eq!(decision.retire[0], ReplicaId::new("id14"));
}

#[test]
fn what_is_recommended_beyond_the_maximum_is_brought_to_it_and_says_so() {
    let mut world = World::new(RULES);
    world.decide(&running(9, 90.0), 0);
    let decision = world.decide(&running(9, 90.0), 10);
    assert_eq!((decision.desired, decision.limited_by), (10, Some(Limitation::Max(10))));
    let full = world.decide(&running(10, 90.0), 20);
    assert_eq!((full.action, full.limited_by), (Action::None, Some(Limitation::Max(10))));
    assert_eq!(full.record().limited_by.as_deref(), Some("the maximum of 10"));
}

#[test]
fn a_target_that_can_have_one_replica_stays_at_one() {
    let mut world = World::new(&RULES.replace("min: 1", "min: 2"));
    world.constraints.ceiling = Some(1);
    world.decide(&running(1, 90.0), 0);
    let decision = world.decide(&running(1, 90.0), 10);
    assert_eq!((decision.desired, decision.limited_by), (1, Some(Limitation::Ceiling(1))));
    assert_eq!((decision.bounds.min(), decision.bounds.max()), (1, 1));
}

#[test]
fn a_loss_is_restored_after_it_settled_and_not_while_a_change_of_ours_is_under_way() {
    let mut world = World::new(RULES);
    world.memory.desired = Some(4);
    assert_eq!(world.decide(&running(1, 50.0), 0).desired, 1);
    let decision = world.decide(&running(1, 50.0), 5);
    assert_eq!((decision.desired, decision.purpose), (4, Purpose::RestoreDrift));
    assert!(decision.drifted.is_some());
    world.constraints.growing = true;
    let decision = world.decide(&running(2, 50.0), 20);
    assert_eq!((decision.from, decision.desired, decision.grow_by()), (4, 4, 0));
}

#[test]
fn what_somebody_turned_off_is_left_alone_until_it_runs_again() {
    let mut world = World::new(&RULES.replace("min: 1", "min: 2"));
    assert_eq!(world.step(&running(3, 50.0), 0), 3);
    for seconds in [10, 20, 600] {
        let off = world.decide(&running(0, 0.0), seconds);
        assert_eq!(off.desired, 0, "{seconds}s");
        assert!(matches!(off.why, Why::TurnedOff { .. }), "{seconds}s: {:?}", off.why);
    }
    assert_eq!(world.decide(&running(1, 50.0), 700).desired, 1, "more of them may be about to start");
    assert_eq!(world.decide(&running(1, 50.0), 705).desired, 2, "the minimum, not what it was");
}

#[test]
fn stop_conflict_hold_and_a_blocked_target_let_nothing_through() {
    let gates: [(Constraints, Limitation); 3] = [
        (Constraints { stopped: true, ..Constraints::default() }, Limitation::Stop),
        (Constraints { conflict: true, ..Constraints::default() }, Limitation::Conflict),
        (
            Constraints { blocked: Some(Reason::RolloutInProgress), ..Constraints::default() },
            Limitation::Blocked(Reason::RolloutInProgress),
        ),
    ];
    for (constraints, limitation) in gates {
        let mut world = World::new(RULES);
        world.constraints = constraints;
        world.decide(&running(2, 90.0), 0);
        let decision = world.decide(&running(2, 90.0), 10);
        assert_eq!((decision.action, decision.limited_by), (Action::None, Some(limitation)));
    }
}

#[test]
fn a_hold_stops_its_direction_until_it_ends() {
    for (direction, grows, shrinks) in [
        (HoldDirection::Up, false, true),
        (HoldDirection::Down, true, false),
        (HoldDirection::Both, false, false),
    ] {
        for (cpu, moves) in [(90.0, grows), (5.0, shrinks)] {
            let mut world = World::new(RULES);
            world.memory.hold(Hold { direction, until: at(20), reason: None, by: "ada".to_owned() });
            world.decide(&running(3, cpu), 0);
            assert_eq!(
                world.decide(&running(3, cpu), 10).action != Action::None,
                moves,
                "{direction:?} {cpu}"
            );
            assert_ne!(world.decide(&running(3, cpu), 20).action, Action::None);
        }
    }
}

#[test]
fn observe_decides_and_does_not_act_and_disabled_does_neither() {
    let mut world = World::new(&format!("mode: Observe\n{RULES}"));
    world.decide(&running(2, 90.0), 0);
    let decision = world.decide(&running(2, 90.0), 10);
    assert_eq!((decision.desired, decision.act, decision.wants_action()), (4, false, false));
    world.memory.set_mode(Some(Mode::Disabled));
    let decision = world.decide(&running(2, 90.0), 20);
    assert_eq!((decision.desired, decision.why), (2, Why::Disabled));
}

#[test]
fn a_persons_wish_passes_rules_and_limits_but_not_the_bounds() {
    let mut world = World::new(RULES);
    world.memory.wish(Wish { replicas: 50, until: at(60), reason: None, by: "ada".to_owned() });
    let decision = world.decide(&running(2, 50.0), 0);
    assert_eq!((decision.desired, decision.purpose), (10, Purpose::Person));
    assert_eq!(decision.reason(), "asked for by ada");
}

#[test]
fn no_more_scale_downs_in_an_hour_than_allowed() {
    let mut world = World::new(&RULES.replace("verify: 30s", "maxScaleDownsPerHour: 1"));
    world.step(&running(5, 5.0), 0);
    assert_eq!(world.step(&running(5, 5.0), 10), 4);
    let decision = world.decide(&running(4, 5.0), 20);
    assert_eq!(decision.limited_by, Some(Limitation::ScaleDownsPerHour(at(3_610))));
    assert_eq!(world.decide(&running(4, 5.0), 3_610).desired, 3);
}
