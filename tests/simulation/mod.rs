//! The real loop on paused time, with a workload in memory and a policy folder on disk.

mod agreement;
mod approve;
mod explain;
mod forecast;
mod harness;
mod limits;
#[cfg(feature = "history")]
mod past;

use docktor::api::condition::{ConditionStatus, ConditionType, Reason};
use docktor::api::policy::Mode;
use docktor::api::status::Phase;
use docktor::units::Duration;

use harness::{Loop, POLICY};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_service_under_load_grows_and_comes_back() {
    let mut run = Loop::start(2, POLICY).await;
    run.world.set_load(Some(300.0));
    run.pass(seconds(120)).await;
    assert_eq!(run.world.running(), 4, "{}", run.story());
    assert_eq!(run.status().phase, Phase::Active, "{}", run.story());

    run.world.set_load(Some(10.0));
    run.pass(seconds(600)).await;
    assert_eq!(run.world.running(), 2, "{}", run.story());
    assert_eq!(run.world.numbers(), [1, 2], "the highest numbers went");
}

#[tokio::test(start_paused = true)]
async fn a_step_is_taken_once_for_each_evaluation_though_its_own_replicas_wake_passes() {
    let mut run = Loop::start(2, &POLICY.replace("cooldown: 20s", "cooldown: 0s")).await;
    run.world.set_load(Some(2_000.0));
    while run.world.running() == 2 {
        run.moment().await;
    }
    for _ in 0..5 {
        run.moment().await;
    }
    assert_eq!(run.world.running(), 4, "{}", run.story());
    run.pass(seconds(5)).await;
    assert!(run.world.running() > 4, "the next evaluation takes the next step: {}", run.story());
}

#[tokio::test(start_paused = true)]
async fn pressure_brings_the_next_evaluation_forward_but_never_two_in_a_row() {
    let policy = POLICY.replace("interval: 5s", "interval: 60s").replace("consecutive: 2", "consecutive: 1");
    let mut run = Loop::start(2, &policy.replace("cooldown: 20s", "cooldown: 0s")).await;
    run.pass(seconds(65)).await;
    run.world.set_load(Some(2_000.0));
    run.pass(seconds(20)).await;
    assert_eq!(run.world.running(), 2, "not before the interval is over: {}", run.story());
    run.press().await;
    run.moment().await;
    assert_eq!(run.world.running(), 4, "at once under pressure: {}", run.story());
    for _ in 0..8 {
        run.press().await;
        run.pass(seconds(5)).await;
    }
    assert_eq!(run.world.running(), 4, "the next one is not early: {}", run.story());
    run.pass(seconds(25)).await;
    assert_eq!(run.world.running(), 6, "an interval later comes the next step: {}", run.story());
    run.press().await;
    run.moment().await;
    assert_eq!(run.world.running(), 8, "that one was regular, so pressure counts again: {}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_not_called_degraded_before_its_first_window_is_full() {
    let mut run = Loop::start(2, &POLICY.replace("interval: 5s", "interval: 60s")).await;
    run.world.set_load(None);
    run.kill_and_start_again().await;
    assert_eq!(run.condition(ConditionType::ScalingActive).status, ConditionStatus::Unknown);
    assert_eq!(run.status().phase, Phase::Active);
}

#[tokio::test(start_paused = true)]
async fn every_change_says_why() {
    let mut run = Loop::start(2, POLICY).await;
    run.world.set_load(Some(300.0));
    run.pass(seconds(60)).await;
    let decision = run.status().last_decision.expect("it decided");
    assert!(decision.reason.contains("cpu.avg"), "{decision:?}");
    assert!(!decision.trail.is_empty());
}

#[tokio::test(start_paused = true)]
async fn missing_samples_never_shrink_a_workload() {
    let mut run = Loop::start(5, POLICY).await;
    run.world.set_load(None);
    run.pass(seconds(1_800)).await;
    assert_eq!(run.world.running(), 5, "{}", run.story());
    assert_eq!(run.condition(ConditionType::ScalingActive).status, ConditionStatus::False);
    assert_eq!(run.status().phase, Phase::Degraded);
}

#[tokio::test(start_paused = true)]
async fn a_policy_in_mode_observe_decides_and_does_nothing() {
    let observing = POLICY.replace("mode: Auto", "mode: Observe");
    let mut run = Loop::start(2, &observing).await;
    run.world.set_load(Some(300.0));
    run.pass(seconds(300)).await;
    assert_eq!(run.world.log(), Vec::<String>::new());
    assert!(run.status().replicas.expect("seen").desired > 2, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn the_stop_file_stops_every_action_and_its_removal_resumes() {
    let mut run = Loop::start(2, POLICY).await;
    run.write("STOP", "");
    run.pass(seconds(60)).await;
    run.world.set_load(Some(300.0));
    run.pass(seconds(300)).await;
    assert_eq!(run.world.running(), 2, "{}", run.story());
    assert_eq!(run.condition(ConditionType::Ready).reason, Reason::Stopped);

    run.remove("STOP");
    run.pass(seconds(120)).await;
    assert!(run.world.running() > 2, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_hold_keeps_the_count_and_its_end_lets_go() {
    let mut run = Loop::start(2, POLICY).await;
    run.hold(seconds(300)).await;
    run.world.set_load(Some(300.0));
    run.pass(seconds(200)).await;
    assert_eq!(run.status().phase, Phase::Held);
    assert_eq!(run.world.running(), 2, "{}", run.story());
    run.pass(seconds(200)).await;
    assert!(run.world.running() > 2, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_mode_set_by_a_person_holds_until_the_text_changes() {
    let mut run = Loop::start(2, POLICY).await;
    run.set_mode(Mode::Disabled).await;
    run.world.set_load(Some(300.0));
    run.pass(seconds(300)).await;
    assert_eq!(run.status().phase, Phase::Disabled);
    assert_eq!(run.world.running(), 2);

    run.write("web.yaml", &POLICY.replace("max: 10", "max: 9"));
    run.pass(seconds(180)).await;
    assert!(run.world.running() > 2, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_decrease_by_another_hand_is_restored_after_it_settled() {
    let mut run = Loop::start(4, POLICY).await;
    run.world.set_load(Some(200.0));
    run.pass(seconds(60)).await;
    run.world.scale_from_outside(2);
    run.pass(seconds(30)).await;
    assert_eq!(run.world.running(), 4, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_workload_that_another_hand_turned_off_stays_off() {
    let mut run = Loop::start(3, POLICY).await;
    run.pass(seconds(30)).await;
    run.world.scale_from_outside(0);
    run.pass(seconds(600)).await;
    assert_eq!(run.world.running(), 0, "{}", run.story());
    assert_eq!(run.condition(ConditionType::ScalingActive).reason, Reason::TurnedOff);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_gone_degrades_the_policy_and_its_return_mends_it() {
    let mut run = Loop::start(2, POLICY).await;
    run.world.set_load(Some(300.0));
    run.world.set_reachable(false);
    run.pass(seconds(120)).await;
    assert_eq!(run.status().phase, Phase::Degraded);
    assert_eq!(run.condition(ConditionType::AbleToScale).reason, Reason::EngineUnreachable);

    run.world.set_reachable(true);
    run.pass(seconds(300)).await;
    assert_eq!(run.condition(ConditionType::AbleToScale).status, ConditionStatus::True);
    assert!(run.world.running() > 2, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_tried_again_and_starts_no_cooldown() {
    let mut run = Loop::start(2, POLICY).await;
    run.world.refuse_starts(1);
    run.world.set_load(Some(300.0));
    run.pass(seconds(90)).await;
    assert!(run.world.running() > 2, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn replicas_that_never_get_healthy_are_removed_and_the_attempts_end() {
    let mut run = Loop::start(2, POLICY).await;
    run.world.make_unhealthy(true);
    run.world.set_load(Some(300.0));
    run.pass(seconds(1_200)).await;
    assert_eq!(run.world.numbers()[..2], [1, 2], "only new replicas went: {}", run.story());
    assert_eq!(run.world.running(), 2, "{}", run.story());
    assert_eq!(run.status().phase, Phase::Failed, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_exactly_where_it_was() {
    let policy = POLICY.replace("cooldown: 20s", "cooldown: 10m");
    let mut run = Loop::start(2, &policy).await;
    run.world.set_load(Some(300.0));
    run.pass(seconds(60)).await;
    let grown = run.world.running();
    assert!(grown > 2, "{}", run.story());

    run.kill_and_start_again().await;
    run.pass(seconds(120)).await;
    assert_eq!(run.world.running(), grown, "the cooldown goes on: {}", run.story());
    assert!(run.status().next_allowed.and_then(|it| it.up).is_some(), "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn evaluations_before_and_after_a_night_off_are_not_in_a_row() {
    let mut run = Loop::start(2, &POLICY.replace("consecutive: 2", "consecutive: 4")).await;
    run.world.set_load(Some(300.0));
    run.pass(seconds(15)).await;
    assert_eq!(run.world.running(), 2, "{}", run.story());
    run.kill_and_start_again_after(seconds(12 * 3_600)).await;
    run.pass(seconds(5)).await;
    assert_eq!(run.world.running(), 2, "{}", run.story());
    run.pass(seconds(30)).await;
    assert!(run.world.running() > 2, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn the_time_of_day_is_a_metric_like_others() {
    let rush = "\n  metrics: {rush: {cron: {timezone: UTC, start: '2 6 * * *', end: '30 6 * * *'}}}";
    let policy = POLICY.replace("metric: cpu.avg, op: \">\", value: 75", "metric: rush, op: \">\", value: 0");
    let mut run = Loop::start(2, &policy.replace("\n  warmUp:", &format!("{rush}\n  warmUp:"))).await;
    run.world.set_load(Some(100.0));
    run.pass(seconds(90)).await;
    assert_eq!(run.world.running(), 2, "before 06:02: {}", run.story());
    run.pass(seconds(60)).await;
    assert!(run.world.running() > 2, "after it: {}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_scale_down_that_a_kill_interrupted_is_finished() {
    let mut run = Loop::start(4, POLICY).await;
    run.world.set_stop_delay(seconds(30));
    run.pass(seconds(20)).await;
    run.write("web.yaml", &POLICY.replace("max: 10", "max: 2"));
    run.pass(seconds(40)).await;
    run.kill_and_start_again().await;
    run.pass(seconds(120)).await;
    assert_eq!(run.world.numbers(), [1, 2], "{}", run.story());
    assert_eq!(run.status().phase, Phase::Active, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn an_invalid_edit_is_told_and_the_last_good_text_goes_on() {
    let mut run = Loop::start(2, POLICY).await;
    run.pass(seconds(30)).await;
    run.write("web.yaml", &POLICY.replace("max: 10", "max: many"));
    run.world.set_load(Some(300.0));
    run.pass(seconds(180)).await;
    assert!(run.world.running() > 2, "{}", run.story());
    let ready = run.condition(ConditionType::Ready);
    assert_eq!((ready.status, ready.reason), (ConditionStatus::False, Reason::InvalidPolicy));
    assert!(ready.message.contains("max"), "{}", ready.message);
}

#[tokio::test(start_paused = true)]
async fn deleting_the_policy_stops_control_and_leaves_the_workload() {
    let mut run = Loop::start(2, POLICY).await;
    run.pass(seconds(30)).await;
    run.remove("web.yaml");
    run.pass(seconds(60)).await;
    run.world.set_load(Some(300.0));
    run.pass(seconds(300)).await;
    assert_eq!(run.world.running(), 2);
    assert!(run.views().is_empty());
    assert!(!run.exists("web.status.yaml"));
}

#[tokio::test(start_paused = true)]
async fn the_sidecar_says_what_the_view_says() {
    let mut run = Loop::start(2, POLICY).await;
    run.pass(seconds(60)).await;
    let sidecar = run.read("web.status.yaml");
    assert!(sidecar.contains("phase: Active"), "{sidecar}");
    assert!(sidecar.contains("kind: ScalingPolicyStatus"), "{sidecar}");
}
