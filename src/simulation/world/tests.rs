//! What a modelled workload does, worked by hand; and what holds for any.

use proptest::prelude::*;

use super::*;

const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

fn model(service_rate: f64, delay: Duration, initial_replicas: u32) -> Model {
    Model { service_rate, start_up_delay: delay, initial_replicas, queue_limit: MAX_WAITING }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-6 * (1.0 + one.abs().max(other.abs()))
}

#[test]
fn what_arrives_beyond_the_capacity_waits_and_is_done_once_replicas_are_ready() {
    // Twice as much arrives as one replica does; a second one is ready within the step, at 15s, a third at 25s.
    let mut world = World::new(model(10.0, Duration::from_secs(15), 1), at(0));
    world.arrive(20.0);
    world.start(1);
    world.advance(at(10));
    assert_eq!((world.backlog(), world.ready(), world.latency()), (100.0, 1, Some(10.1)));
    world.start(1);
    world.advance(at(30));
    // 150 until 15s, no growth until 25s, 10 a second less from then on.
    assert_eq!((world.backlog(), world.ready()), (100.0, 3));
    world.advance(at(45));
    let totals = *world.totals();
    assert_eq!((world.backlog(), totals.worst_backlog), (0.0, 150.0));
    assert_eq!((totals.arrived, totals.done, totals.with_backlog), (900.0, 900.0, 40.0));
    // Until 40s all ready replicas were busy; then two thirds of three.
    assert!(close(totals.busy, 40.0 + 5.0 * 2.0 / 3.0), "{totals:?}");
    assert!(close(totals.capacity, 10.0 * 15.0 + 20.0 * 10.0 + 30.0 * 20.0));
    assert_eq!(
        (totals.under, totals.over),
        (15.0, 30.0),
        "two are needed; until 25s a third one only starts"
    );
}

#[test]
fn waiting_is_from_arrival_until_it_is_done_first_come_first_served() {
    // 30 a second for 10s, then nothing: 20 a second wait, and the last of them is done at 30s.
    let mut world = World::new(model(10.0, Duration::ZERO, 1), at(0));
    world.arrive(30.0);
    world.advance(at(10));
    world.arrive(0.0);
    world.advance(at(100));
    let totals = world.totals();
    assert!(close(totals.worst_wait, 20.0) && close(totals.with_backlog, 30.0), "{totals:?}");
    // Nobody works: what came first waits still.
    let mut world = World::new(model(10.0, FOREVER, 0), at(0));
    world.start(3);
    world.arrive(1.0);
    world.advance(at(50));
    assert_eq!((world.totals().worst_wait, world.latency(), world.busy_share()), (50.0, None, 0.0));
}

#[test]
fn a_full_queue_turns_away_what_arrives() {
    let mut world = World::new(Model { queue_limit: 50.0, ..model(10.0, Duration::ZERO, 1) }, at(0));
    world.arrive(20.0);
    world.advance(at(20));
    let totals = world.totals();
    assert_eq!((world.backlog(), totals.done, totals.turned_away), (50.0, 200.0, 150.0));
    assert!(close(totals.worst_wait, 5.0), "{totals:?}");
}

#[test]
fn a_replica_takes_the_lowest_free_number_and_leaves_at_once() {
    let mut world = World::new(model(10.0, Duration::from_secs(5), 3), at(0));
    world.stop(|it| it.number == 2);
    assert_eq!((world.ready(), world.capacity()), (2, 20.0));
    world.start(2);
    let numbers: Vec<_> = world.replicas().iter().map(|it| it.number).collect();
    assert_eq!((numbers, world.ready()), (vec![1, 2, 3, 4], 2));
    world.start(u32::MAX);
    assert_eq!(world.replicas().len(), MAX_MODELLED_REPLICAS as usize);
}

#[test]
fn need_is_rounded_up_but_not_for_a_last_digit() {
    let mut world = World::new(model(0.1, Duration::ZERO, 1), at(0));
    for (arrivals, need) in [(0.0, 0), (0.1, 1), (0.3, 3), (0.31, 4), (-1.0, 0)] {
        world.arrive(arrivals);
        assert_eq!(world.need(), need, "{arrivals}");
    }
}

/// A world and what is done to it: for so many milliseconds so much arrives, and so many replicas come or leave.
fn course() -> impl Strategy<Value = Vec<(u32, f64, i8)>> {
    prop::collection::vec((0..90_000u32, 0.0..500.0f64, -3..4i8), 1..40)
}

fn run(model: Model, course: &[(u32, f64, i8)]) -> World {
    let mut world = World::new(model, at(0));
    for (millis, arrivals, change) in course {
        world.arrive(*arrivals);
        world.advance(world.now().plus(Duration::from_millis(u64::from(*millis))));
        let last = world.replicas().len() as u32;
        match *change {
            0.. => world.start(change.unsigned_abs().into()),
            _ => world.stop(|it| it.number + u32::from(change.unsigned_abs()) > last),
        }
    }
    world
}

proptest! {
    #[test]
    fn what_arrived_was_done_or_waits_or_was_turned_away(
        course in course(),
        rate in 0.01..100.0f64,
        delay in 0..120u64,
        limit in prop::option::of(0.0..10_000.0f64),
    ) {
        let queue_limit = limit.unwrap_or(MAX_WAITING);
        let world = run(Model { queue_limit, ..model(rate, Duration::from_secs(delay), 2) }, &course);
        let totals = world.totals();
        prop_assert!(close(totals.arrived, totals.done + world.backlog() + totals.turned_away), "{totals:?}");
        prop_assert!(world.backlog() >= 0.0 && world.backlog() <= queue_limit);
        prop_assert!(totals.done <= totals.capacity * (1.0 + 1e-9) + 1e-6, "{totals:?}");
        prop_assert!(totals.worst_wait <= totals.seconds + 1e-6 && totals.worst_backlog >= world.backlog());
        prop_assert!(totals.with_backlog <= totals.seconds * (1.0 + 1e-9));
    }

    #[test]
    fn a_higher_service_rate_never_leaves_more_work_waiting(
        course in course(),
        rate in 0.01..100.0f64,
        more in 1.0..5.0f64,
        delay in 0..120u64,
    ) {
        let delay = Duration::from_secs(delay);
        let (slow, fast) = (run(model(rate, delay, 2), &course), run(model(rate * more, delay, 2), &course));
        prop_assert!(fast.backlog() <= slow.backlog() * (1.0 + 1e-9) + 1e-6);
        prop_assert!(fast.totals().worst_backlog <= slow.totals().worst_backlog * (1.0 + 1e-9) + 1e-6);
        prop_assert!(fast.totals().worst_wait <= slow.totals().worst_wait * (1.0 + 1e-9) + 1e-6);
    }

    #[test]
    fn replicas_that_never_become_ready_change_nothing(course in course(), rate in 0.01..100.0f64) {
        let arrivals = || course.iter().map(|it| (it.0, it.1, 0));
        let growing: Vec<_> = course.iter().map(|it| (it.0, it.1, it.2.max(0))).collect();
        let with = run(model(rate, FOREVER, 2), &growing);
        let without = run(model(rate, FOREVER, 2), &arrivals().collect::<Vec<_>>());
        prop_assert_eq!((with.ready(), with.backlog()), (2, without.backlog()));
        prop_assert_eq!(with.totals().done, without.totals().done);
        prop_assert_eq!(with.totals().worst_wait, without.totals().worst_wait);
    }

    #[test]
    fn looking_in_between_changes_nothing(course in course(), rate in 0.01..100.0f64, delay in 0..120u64) {
        let model = model(rate, Duration::from_secs(delay), 2);
        let whole = run(model, &course);
        let halves: Vec<_> = course
            .iter()
            .flat_map(|(millis, arrivals, change)| [(millis / 3, *arrivals, 0), (millis - millis / 3, *arrivals, *change)])
            .collect();
        let halves = run(model, &halves);
        prop_assert!(close(whole.backlog(), halves.backlog()), "{} {}", whole.backlog(), halves.backlog());
        prop_assert!(close(whole.totals().busy, halves.totals().busy));
        prop_assert!(close(whole.totals().worst_wait, halves.totals().worst_wait));
    }
}
