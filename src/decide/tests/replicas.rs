//! New replicas, failures, and who goes.

use super::*;

/// A replica that docktor made with that change, started at that second.
fn made(number: u32, change: &str, started: i64) -> Replica {
    Replica {
        change: Some(ChangeId::new(change)),
        created_at: Some(at(started)),
        started_at: Some(at(started)),
        ..replica(number, Some(50.0))
    }
}

fn with(mut snapshot: Snapshot, more: Replica) -> Snapshot {
    snapshot.replicas.push(more);
    snapshot
}

fn trust(world: &World, number: u32) -> Trust {
    world.memory.replicas[&ReplicaId::new(&format!("id{number}"))].trust
}

#[test]
fn a_new_replica_is_pending_then_verified_after_it_stayed_healthy() {
    let mut world = World::new(RULES);
    world.memory.desired = Some(2);
    let new = || with(running(1, 50.0), made(2, "c1", 0));
    for (seconds, expected) in
        [(1, Trust::Pending), (29, Trust::Pending), (30, Trust::Verifying), (59, Trust::Verifying)]
    {
        world.decide(&new(), seconds);
        assert_eq!(trust(&world, 2), expected, "{seconds}s");
    }
    assert_eq!(world.decide(&new(), 45).recheck_at, Some(at(60)), "when verification ends");
    world.decide(&new(), 60);
    assert_eq!(trust(&world, 2), Trust::Verified);
}

#[test]
fn a_scale_down_waits_until_no_replica_is_starting_or_under_verification() {
    let mut world = World::new(RULES);
    world.memory.desired = Some(3);
    let low = |seconds: i64| {
        let mut snapshot = with(running(2, 5.0), made(3, "c1", 0));
        snapshot.replicas[2].samples = vec![Sample { at: at(seconds), cpu: Some(5.0), ..Sample::default() }];
        snapshot
    };
    world.decide(&low(40), 40);
    let decision = world.decide(&low(50), 50);
    assert_eq!((decision.desired, decision.limited_by), (3, Some(Limitation::Unfinished)));
    assert_eq!(world.decide(&low(61), 61).desired, 2);
}

#[test]
fn only_new_replicas_that_failed_are_rolled_back_and_each_change_counts_once() {
    let mut world = World::new(RULES);
    world.memory.desired = Some(4);
    let mut snapshot = with(with(running(2, 50.0), made(3, "c1", 0)), made(4, "c1", 0));
    world.decide(&snapshot, 1);
    snapshot.replicas[2].health = Health::Unhealthy;
    snapshot.replicas[3].phase = ReplicaPhase::Failed;
    let decision = world.decide(&snapshot, 5);
    assert_eq!(decision.rollback, [ReplicaId::new("id3"), ReplicaId::new("id4")]);
    assert_eq!((decision.current, decision.from, decision.desired), (3, 2, 2));
    assert_eq!((world.memory.failed.in_a_row, world.memory.desired), (1, Some(2)));
    let old_one_dies = {
        let mut snapshot = running(2, 50.0);
        snapshot.replicas[1].health = Health::Unhealthy;
        snapshot
    };
    assert!(world.decide(&old_one_dies, 10).rollback.is_empty());
}

#[test]
fn after_too_many_failures_only_the_minimum_is_kept_up_until_retry_after() {
    let text = RULES
        .replace("verify: 30s", "verify: 30s, maxFailures: 2, retryAfter: 10m")
        .replace("min: 1", "min: 2");
    let mut world = World::new(&text);
    world.memory.desired = Some(2);
    for (change, seconds) in [("c1", 0), ("c2", 10)] {
        let mut bad = with(running(2, 90.0), made(3, change, seconds));
        bad.replicas[2].id = ReplicaId::new(change);
        bad.replicas[2].health = Health::Unhealthy;
        world.memory.desired = Some(3);
        world.decide(&bad, seconds);
    }
    assert_eq!(world.memory.failed.stopped_at, Some(at(10)));
    let stuck = world.decide(&running(2, 90.0), 20);
    assert_eq!((stuck.desired, stuck.limited_by), (2, Some(Limitation::Failed(Some(at(610))))));
    world.memory.desired = Some(1);
    assert_eq!(world.decide(&running(1, 90.0), 30).desired, 2, "the minimum");
    world.memory.desired = Some(2);
    assert_eq!(world.decide(&running(2, 90.0), 610).desired, 4, "one more attempt");
}

#[test]
fn a_replica_that_restarts_in_a_loop_failed() {
    let mut world = World::new(RULES);
    for start in 0..4 {
        world.memory.desired = Some(2);
        world.decide(&with(running(1, 50.0), made(2, "c1", start * 5)), start * 5 + 1);
    }
    assert_eq!(trust(&world, 2), Trust::Failed);
}

#[test]
fn who_goes_first_does_not_work_then_is_outdated_then_has_the_highest_number() {
    let mut replicas = running(5, 50.0).replicas;
    replicas[0].health = Health::Unhealthy;
    replicas[1].outdated = true;
    let who = |victim| -> Vec<String> {
        let ids = victims::victims(&replicas, 4, victim, Duration::ZERO, at(0));
        ids.iter().map(ToString::to_string).collect()
    };
    use crate::api::behavior::Victim;
    assert_eq!(who(Victim::HighestNumber), ["id1", "id2", "id5", "id4"]);
    replicas[2].created_at = Some(at(-20_000));
    replicas[3].created_at = Some(at(-1));
    replicas[4].samples[0].cpu = Some(1.0);
    let who = |victim| -> Vec<String> {
        let ids = victims::victims(&replicas, 3, victim, Duration::ZERO, at(0));
        ids.iter().map(ToString::to_string).collect()
    };
    assert_eq!(who(Victim::Oldest), ["id1", "id2", "id3"]);
    assert_eq!(who(Victim::Newest), ["id1", "id2", "id4"]);
    assert_eq!(who(Victim::LeastBusy), ["id1", "id2", "id5"]);
}
