//! Limits on paused time: raised, lowered, verified, undone; changed by other hands; with docktor killed in between.

use docktor::admin::view::Verdict;
use docktor::api::condition::{ConditionStatus, ConditionType, Reason};
use std::sync::Arc;

use docktor::api::limits::LimitKind::{self, CpuQuota, MemoryMax, TasksMax};
use docktor::api::policy::Mode;
use docktor::api::status::Phase;
use docktor::controller::forecast::NoPast;
use docktor::testing::OnResize;

use super::harness::Loop;
use super::seconds;

const GIB: f64 = 1_073_741_824.0;

/// A service whose containers grow by half while they use more than 85 % of their CPU quota.
const POLICY: &str = r#"
apiVersion: docktor.dev/v1
kind: ScalingPolicy
metadata: {name: web}
spec:
  target: {compose: {project: shop, service: web}}
  interval: 5s
  warmUp: 0s
  resources:
    cpuQuota: {min: 100%, max: 800%}
    memoryMax: {min: 1GiB, max: 16GiB}
    together: true
  scaleUp:
    rules: [{metric: cpu.utilization, op: ">", value: 85}]
    consecutive: 3
    step: x1.5
    cooldown: 60s
  scaleDown:
    rules: [{metric: cpu.utilization, op: "<", value: 40}]
    consecutive: 3
    step: x0.6
    cooldown: 60s
  safety: {verify: 20s}
"#;

/// A replica with a quota of two cores and 4 GiB, of which it uses one.
async fn started() -> Loop {
    started_with(POLICY).await
}

async fn started_with(policy: &str) -> Loop {
    started_without(policy, &[]).await
}

/// The same without some of its limits.
async fn started_without(policy: &str, lacking: &[LimitKind]) -> Loop {
    Loop::start_prepared(1, policy, Arc::new(NoPast), |world| {
        world.set_memory(Some(GIB));
        world.set_load(Some(100.0));
        for (kind, value) in [(CpuQuota, 200.0), (MemoryMax, 4.0 * GIB)] {
            world.set_limit_from_outside(kind, Some(value).filter(|_| !lacking.contains(&kind)));
        }
    })
    .await
}

fn limits(run: &Loop) -> (Option<f64>, Option<f64>) {
    (run.world.limit(CpuQuota), run.world.limit(MemoryMax).map(|it| it / GIB))
}

/// Puts load on it until its limits are raised.
async fn raise(run: &Loop) {
    run.world.set_load(Some(190.0));
    while limits(run) != (Some(300.0), Some(6.0)) {
        run.moment().await;
    }
}

fn reasons(run: &Loop) -> Vec<String> {
    run.events().into_iter().map(|it| it.reason).collect()
}

#[tokio::test(start_paused = true)]
async fn limits_follow_the_load_up_and_down_and_the_replica_stays() {
    let mut run = started().await;
    run.world.set_load(Some(190.0));
    run.pass(seconds(25)).await;
    assert_eq!(limits(&run), (Some(300.0), Some(6.0)), "{}", run.story());
    assert_eq!(run.status().phase, Phase::ScalingUp, "it is under verification");
    run.pass(seconds(25)).await;
    assert_eq!(run.status().phase, Phase::Active, "{}", run.story());
    assert_eq!(reasons(&run), ["ActionStarted", "ScaleUp", "ActionDone"], "{}", run.story());
    let messages: Vec<_> = run.events().into_iter().map(|it| it.message).collect();
    assert_eq!(messages[0], "changing cpuQuota 200% -> 300%, memoryMax 4GiB -> 6GiB");

    run.world.set_load(Some(50.0));
    run.pass(seconds(120)).await;
    assert!(run.world.limit(CpuQuota) < Some(300.0), "{}", run.story());
    assert_eq!(run.world.numbers(), [1]);
    assert!(run.world.log().iter().all(|it| !it.starts_with("grow") && !it.starts_with("retire")));
}

#[tokio::test(start_paused = true)]
async fn what_the_host_keeps_for_itself_is_never_given_away() {
    let reserve = "    reserve: {cpus: 14, memory: 59GiB}\n    together: true";
    let mut run = started_with(&POLICY.replace("    together: true", reserve)).await;
    run.world.set_load(Some(1_600.0));
    run.pass(seconds(400)).await;
    assert_eq!(limits(&run), (Some(200.0), Some(5.0)), "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_change_that_breaks_is_undone_and_nothing_is_tried_until_resumed() {
    for breaks in [OnResize::Break, OnResize::Die, OnResize::DieAndRestart] {
        let mut run = started().await;
        run.world.on_resize(breaks);
        run.world.set_load(Some(190.0));
        run.pass(seconds(60)).await;
        assert_eq!(limits(&run), (Some(200.0), Some(4.0)), "{breaks:?} {}", run.story());
        assert_eq!(run.status().phase, Phase::Failed, "{breaks:?} {}", run.story());
        let told = reasons(&run);
        for reason in ["ActionStarted", "ActionFailed", "RolledBack"] {
            assert_eq!(told.iter().filter(|it| *it == reason).count(), 1, "{reason} {told:?}");
        }
        run.pass(seconds(600)).await;
        assert_eq!(limits(&run), (Some(200.0), Some(4.0)), "{breaks:?} {}", run.story());
        if breaks == OnResize::Die {
            continue;
        }
        run.resume().await;
        run.pass(seconds(60)).await;
        assert_eq!(limits(&run), (Some(300.0), Some(6.0)), "{breaks:?} {}", run.story());
    }
}

#[tokio::test(start_paused = true)]
async fn the_failure_says_what_happened_and_what_to_type() {
    let mut run = started().await;
    run.world.on_resize(OnResize::DieAndRestart);
    run.world.set_load(Some(190.0));
    run.pass(seconds(60)).await;
    let ready = run.condition(ConditionType::Ready);
    assert_eq!((ready.status, ready.reason), (ConditionStatus::False, Reason::TooManyFailures));
    assert!(ready.message.contains("replica-1 failed and was restarted"), "{}", ready.message);
    assert!(ready.message.ends_with("`docktorctl resume web` tries again"), "{}", ready.message);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_refused_for_present_use_changes_nothing_and_is_no_failure() {
    let mut run = started().await;
    run.world.on_resize(OnResize::Refuse);
    run.world.set_load(Some(50.0));
    run.pass(seconds(60)).await;
    assert_eq!(limits(&run), (Some(200.0), Some(4.0)), "{}", run.story());
    assert_ne!(run.status().phase, Phase::Failed, "{}", run.story());
    let told = reasons(&run);
    assert!(!told.contains(&"RolledBack".to_owned()), "{}", run.story());
    assert_eq!(told.iter().filter(|it| *it == "ActionStarted").count(), 1, "it is not tried at once again");
    assert_eq!(run.condition(ConditionType::ScalingLimited).reason, Reason::LimitInUse, "{}", run.story());
    run.world.set_load(Some(190.0));
    run.world.on_resize(OnResize::Obey);
    run.pass(seconds(30)).await;
    assert_eq!(run.world.limit(CpuQuota), Some(300.0), "growing waits for nothing: {}", run.story());
    run.world.set_load(Some(50.0));
    run.pass(seconds(600)).await;
    assert!(run.world.limit(CpuQuota) < Some(300.0), "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_does_not_answer_is_asked_again_and_that_is_no_failure() {
    let mut run = started().await;
    run.world.on_resize(OnResize::Vanish);
    run.world.set_load(Some(190.0));
    run.pass(seconds(40)).await;
    assert_eq!(limits(&run), (Some(200.0), Some(4.0)), "{}", run.story());
    run.world.on_resize(OnResize::Obey);
    run.pass(seconds(120)).await;
    assert_eq!(limits(&run), (Some(300.0), Some(6.0)), "{}", run.story());
    assert_eq!(run.status().phase, Phase::Active, "{}", run.story());
    assert!(!reasons(&run).contains(&"ActionFailed".to_owned()), "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_allowed_is_tried_ever_more_seldom_until_it_is() {
    let mut run = started().await;
    run.world.on_resize(OnResize::Deny);
    run.world.set_load(Some(190.0));
    // Pauses of 0.5, 1, 2, 4, 8, 16 and then 30 s are the shortest that jitter leaves: the thirteenth try is later.
    run.pass(seconds(200)).await;
    let tried = reasons(&run).iter().filter(|it| *it == "ActionStarted").count();
    assert!((3..=12).contains(&tried), "{tried} times {}", run.story());
    assert_eq!(run.condition(ConditionType::AbleToScale).reason, Reason::PermissionDenied);
    let told = |reason| reasons(&run).iter().filter(|it| *it == reason).count();
    assert_eq!((told("Degraded"), told("Recovered")), (1, 0), "{}", run.story());
    run.world.on_resize(OnResize::Obey);
    run.pass(seconds(120)).await;
    assert_eq!(limits(&run), (Some(300.0), Some(6.0)), "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_change_by_another_hand_is_restored_or_adopted_and_always_told() {
    let mut run = started().await;
    run.world.set_limit_from_outside(CpuQuota, Some(250.0));
    run.pass(seconds(30)).await;
    assert_eq!(run.world.limit(CpuQuota), Some(200.0), "{}", run.story());
    let drift = run.events().into_iter().find(|it| it.reason == "Drift").expect("an event");
    assert_eq!(drift.message, "somebody else changed limits: cpuQuota 200% -> 250%");

    let adopting = POLICY.replace("  safety:", "  drift: {limits: Adopt}\n  safety:");
    let mut run = started_with(&adopting).await;
    run.world.set_limit_from_outside(CpuQuota, Some(250.0));
    run.pass(seconds(30)).await;
    assert_eq!(run.world.limit(CpuQuota), Some(250.0), "{}", run.story());
    let drift = run.events().into_iter().find(|it| it.reason == "Drift").expect("an event");
    assert_eq!(drift.message, "somebody else changed limits: cpuQuota 200% -> 250%; adopted");
}

#[tokio::test(start_paused = true)]
async fn who_keeps_undoing_what_docktor_restores_is_left_alone_in_the_end() {
    let mut run = started().await;
    for _ in 0..4 {
        run.world.set_limit_from_outside(CpuQuota, Some(250.0));
        run.pass(seconds(40)).await;
    }
    assert_eq!(run.world.limit(CpuQuota), Some(250.0), "{}", run.story());
    assert_eq!(run.condition(ConditionType::Drifted).reason, Reason::DriftContested);
    run.resume().await;
    run.pass(seconds(40)).await;
    assert_eq!(run.world.limit(CpuQuota), Some(200.0), "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn docktor_killed_while_it_verifies_goes_on_verifying_and_undoes_what_did_harm_meanwhile() {
    let mut run = started().await;
    raise(&run).await;
    run.kill_and_start_again_after(seconds(2)).await;
    assert_eq!(limits(&run), (Some(300.0), Some(6.0)), "{}", run.story());
    run.pass(seconds(30)).await;
    assert_eq!(run.status().phase, Phase::Active, "{}", run.story());

    let mut run = started().await;
    raise(&run).await;
    run.world.crash();
    run.kill_and_start_again_after(seconds(2)).await;
    run.pass(seconds(10)).await;
    assert_eq!(limits(&run), (Some(200.0), Some(4.0)), "{}", run.story());
    assert_eq!(run.status().phase, Phase::Failed, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn docktor_killed_while_it_sets_limits_verifies_what_is_set_and_undoes_what_is_set_in_part() {
    let mut run = started().await;
    run.world.on_resize(OnResize::Hang);
    raise(&run).await;
    run.world.on_resize(OnResize::Obey);
    run.kill_and_start_again().await;
    run.pass(seconds(30)).await;
    assert_eq!(limits(&run), (Some(300.0), Some(6.0)), "{}", run.story());
    assert_eq!(run.status().phase, Phase::Active, "{}", run.story());

    let mut run = started().await;
    run.world.on_resize(OnResize::Hang);
    raise(&run).await;
    run.world.on_resize(OnResize::Obey);
    run.world.set_limit_from_outside(MemoryMax, Some(4.0 * GIB));
    run.kill_and_start_again().await;
    run.pass(seconds(10)).await;
    assert_eq!(limits(&run), (Some(200.0), Some(4.0)), "{}", run.story());
    assert_eq!(run.status().phase, Phase::Failed, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_was_not_there_is_not_there_again_after_a_rollback() {
    let policy =
        POLICY.replace("    together: true", "    tasksMax: {min: 100, max: 500}\n    together: true");
    let mut run = started_with(&policy).await;
    run.world.on_resize(OnResize::DieAndRestart);
    run.pass(seconds(60)).await;
    // No limit is the host's 32768, beyond the range; use is not known, so nothing was done.
    assert_eq!(run.world.limit(TasksMax), None, "{}", run.story());

    let policy = POLICY.replace("cpuQuota: {min: 100%, max: 800%}", "cpuQuota: {min: 100%, max: 1600%}");
    let mut run = started_without(&policy, &[CpuQuota]).await;
    run.world.on_resize(OnResize::DieAndRestart);
    run.pass(seconds(120)).await;
    assert!(reasons(&run).contains(&"RolledBack".to_owned()), "{}", run.story());
    assert_eq!(run.world.limit(CpuQuota), None, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn docktor_killed_while_memory_is_reclaimed_does_not_leave_the_unit_slowed_down() {
    let unit = POLICY.replace("{compose: {project: shop, service: web}}", "{systemd: {unit: web.service}}");
    let mut run = started_with(&unit).await;
    run.world.on_resize(OnResize::Hang);
    run.world.set_load(Some(50.0));
    while limits(&run) == (Some(200.0), Some(4.0)) {
        run.moment().await;
    }
    run.world.on_resize(OnResize::Obey);
    run.world.set_load(Some(100.0));
    for (kind, value) in [(CpuQuota, 200.0), (MemoryMax, 4.0 * GIB), (LimitKind::MemoryHigh, 2.0 * GIB)] {
        run.world.set_limit_from_outside(kind, Some(value));
    }
    run.kill_and_start_again().await;
    run.pass(seconds(10)).await;
    assert_eq!(run.world.limit(LimitKind::MemoryHigh), None, "{}", run.story());
    assert_eq!(limits(&run), (Some(200.0), Some(4.0)), "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_weight_that_was_never_set_and_does_not_change_is_left_alone() {
    let policy = POLICY.replace("    together: true", "    ioWeight: {min: 10, max: 200}");
    let mut run = started_with(&policy).await;
    run.world.set_load(Some(190.0));
    run.pass(seconds(40)).await;
    assert_eq!(run.world.limit(CpuQuota), Some(300.0), "{}", run.story());
    assert_eq!(run.world.limit(LimitKind::IoWeight), None, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_set_in_mode_observe_nor_while_stop_is_there() {
    let mut run = started().await;
    run.set_mode(Mode::Observe).await;
    run.world.set_load(Some(190.0));
    run.pass(seconds(60)).await;
    assert_eq!(limits(&run), (Some(200.0), Some(4.0)), "{}", run.story());
    let would = reasons(&run).into_iter().filter(|it| it == "ScaleUp").count();
    assert_eq!(would, 1, "what it would do is told, and told once: {}", run.story());
    run.write("STOP", "");
    run.pass(seconds(5)).await;
    run.set_mode(Mode::Auto).await;
    run.pass(seconds(60)).await;
    assert_eq!(limits(&run), (Some(200.0), Some(4.0)), "{}", run.story());
    run.remove("STOP");
    run.pass(seconds(60)).await;
    assert_eq!(limits(&run), (Some(300.0), Some(6.0)), "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn in_mode_approve_limits_wait_for_a_person_and_harmful_ones_come_back_without_one() {
    let mut run = started_with(&POLICY.replace("  interval: 5s", "  mode: Approve\n  interval: 5s")).await;
    run.world.set_load(Some(190.0));
    run.pass(seconds(120)).await;
    assert_eq!(limits(&run), (Some(200.0), Some(4.0)), "{}", run.story());
    let proposal = run.views()[0].proposal.clone().unwrap_or_else(|| panic!("{}", run.story()));
    assert_eq!(proposal.plan.to_string(), "cpuQuota 200% -> 300%, memoryMax 4GiB -> 6GiB");
    run.kill_and_start_again().await;
    assert_eq!(run.views()[0].proposal, Some(proposal.clone()));

    run.answer(&proposal.id, Verdict::Approve).await.expect("approved");
    run.pass(seconds(60)).await;
    assert_eq!(limits(&run), (Some(300.0), Some(6.0)), "{}", run.story());
    assert_eq!(run.status().phase, Phase::Active, "{}", run.story());

    run.world.on_resize(OnResize::Break);
    run.world.set_load(Some(290.0));
    run.pass(seconds(120)).await;
    let next = run.views()[0].proposal.clone().unwrap_or_else(|| panic!("{}", run.story()));
    run.answer(&next.id, Verdict::Approve).await.expect("approved");
    run.pass(seconds(60)).await;
    assert_eq!(limits(&run), (Some(300.0), Some(6.0)), "{}", run.story());
    assert_eq!(run.status().phase, Phase::Failed, "{}", run.story());
    let undone = reasons(&run).iter().filter(|it| *it == "RolledBack").count();
    assert_eq!(undone, 1, "{}", run.story());
}
