//! Stories of decisions that the real loop made.

use insta::assert_snapshot;

use super::harness::{Loop, POLICY};
use super::seconds;

#[tokio::test(start_paused = true)]
async fn a_steady_service_says_what_would_move_it() {
    let mut run = Loop::start(4, POLICY).await;
    run.world.set_load(Some(160.0));
    run.pass(seconds(60)).await;
    run.moment().await;
    assert_snapshot!(run.explained());
}

#[tokio::test(start_paused = true)]
async fn a_held_service_under_load_names_who_holds_it_and_how_that_ends() {
    let mut run = Loop::start(2, POLICY).await;
    run.hold(seconds(300)).await;
    run.world.set_load(Some(300.0));
    run.pass(seconds(60)).await;
    run.moment().await;
    assert_snapshot!(run.explained());
}

#[tokio::test(start_paused = true)]
async fn a_blind_service_names_what_is_missing() {
    let mut run = Loop::start(5, POLICY).await;
    run.world.set_load(None);
    run.pass(seconds(120)).await;
    run.moment().await;
    assert_snapshot!(run.explained());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_failed_too_often_says_when_docktor_tries_again() {
    let mut run = Loop::start(2, POLICY).await;
    run.world.make_unhealthy(true);
    run.world.set_load(Some(300.0));
    run.pass(seconds(300)).await;
    run.moment().await;
    assert_snapshot!(run.explained());
}

#[tokio::test(start_paused = true)]
async fn an_observing_policy_and_a_stop_file_are_named() {
    let mut run = Loop::start(2, &POLICY.replace("mode: Auto", "mode: Observe")).await;
    run.write("STOP", "");
    run.world.set_load(Some(300.0));
    run.pass(seconds(60)).await;
    let story = run.explained();
    assert!(story.contains("not now: mode Observe does not act"), "{story}");
    assert!(story.contains("not now: the file STOP is in the policy folder"), "{story}");
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_gone_or_switched_off_is_explained_no_more() {
    let mut run = Loop::start(2, POLICY).await;
    run.pass(seconds(20)).await;
    assert!(run.is_explained());
    run.write("web.yaml", &POLICY.replace("mode: Auto", "mode: Disabled"));
    run.pass(seconds(20)).await;
    assert!(!run.is_explained());
}
