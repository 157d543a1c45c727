//! Mode `Approve`: nothing is changed that no person has approved, and what one has approved is changed once.

use docktor::admin::order::AdminError;
use docktor::admin::view::{Proposal, Verdict};
use docktor::api::condition::{ConditionType, Reason};
use docktor::api::policy::Mode;
use docktor::api::status::Phase;
use insta::assert_snapshot;

use super::harness::{Loop, POLICY};
use super::seconds;

fn approve() -> String {
    POLICY.replace("mode: Auto", "mode: Approve")
}

fn waiting(run: &Loop) -> Option<Proposal> {
    run.views().first()?.proposal.clone()
}

fn told(run: &Loop, reason: &str) -> usize {
    run.events().iter().filter(|it| it.reason == reason).count()
}

/// A policy in mode `Approve` under load, which asks for two more replicas.
async fn asking() -> (Loop, Proposal) {
    let mut run = Loop::start(2, &approve()).await;
    run.world.set_load(Some(300.0));
    run.pass(seconds(60)).await;
    let proposal = waiting(&run).unwrap_or_else(|| panic!("{}", run.story()));
    (run, proposal)
}

#[tokio::test(start_paused = true)]
async fn what_auto_would_do_waits_for_a_person_and_is_asked_once() {
    let (mut run, proposal) = asking().await;
    run.pass(seconds(300)).await;
    assert_eq!(run.world.log(), Vec::<String>::new());
    assert_eq!(waiting(&run), Some(proposal.clone()), "the same waits on");
    assert_eq!(proposal.plan.to_string(), "2 -> 4 replicas");
    assert_eq!(run.status().phase, Phase::AwaitingApproval, "{}", run.story());
    let ready = run.condition(ConditionType::Ready);
    assert_eq!(ready.reason, Reason::AwaitingApproval);
    assert!(ready.message.contains(&format!("`docktorctl approve {}`", proposal.id)), "{}", ready.message);
    assert_eq!(told(&run, "ApprovalRequested"), 1);
    let decision = run.status().last_decision.expect("it decided");
    assert_eq!((decision.from, decision.to), (2, 2));
    assert_eq!(decision.limited_by.as_deref(), Some("an approval, which a person has not given yet"));
}

#[tokio::test(start_paused = true)]
async fn an_approved_change_is_made_once_and_the_next_one_is_asked_again() {
    let (mut run, proposal) = asking().await;
    run.world.set_load(Some(2_000.0));
    run.answer(&proposal.id, Verdict::Approve).await.expect("approved");
    run.pass(seconds(30)).await;
    assert_eq!(run.world.running(), 4, "{}", run.story());
    assert_eq!(told(&run, "Approved"), 1);
    run.pass(seconds(120)).await;
    assert_eq!(run.world.running(), 4, "{}", run.story());
    let next = waiting(&run).expect("more is wanted");
    assert_eq!(next.plan.to_string(), "4 -> 6 replicas");
    assert_ne!(next.id, proposal.id);
    let decisions = run.views()[0].decisions.clone();
    let acted: Vec<_> = decisions.iter().filter_map(|it| it.approval.clone()).collect();
    assert_eq!(acted, std::slice::from_ref(&proposal.id));
    let gate =
        decisions.iter().find(|it| it.approval.is_some()).and_then(|it| it.trail.last()).expect("a gate");
    assert_eq!(gate.message, format!("approved by test ({})", proposal.id));
    let again = run.answer(&proposal.id, Verdict::Approve).await.unwrap_err();
    assert!(again.to_string().contains(&format!("`{}` does", next.id)), "{again}");
}

#[tokio::test(start_paused = true)]
async fn what_is_wanted_no_more_is_withdrawn_and_cannot_be_approved() {
    let (mut run, proposal) = asking().await;
    run.world.set_load(Some(100.0));
    run.pass(seconds(60)).await;
    assert_eq!(waiting(&run), None, "{}", run.story());
    assert_eq!(run.status().phase, Phase::Active);
    assert_eq!(told(&run, "ApprovalWithdrawn"), 1);
    let refused = run.answer(&proposal.id, Verdict::Approve).await.unwrap_err();
    assert!(matches!(refused, AdminError::NothingWaits(_)), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn an_approval_is_of_no_use_to_another_change_nor_after_its_time() {
    let (mut run, proposal) = asking().await;
    // STOP keeps docktor from using it at once; meanwhile somebody else adds a replica, so the change is another one.
    run.write("STOP", "");
    run.answer(&proposal.id, Verdict::Approve).await.expect("approved");
    run.pass(seconds(10)).await;
    run.world.scale_from_outside(3);
    run.remove("STOP");
    run.pass(seconds(60)).await;
    let next = waiting(&run).unwrap_or_else(|| panic!("{}", run.story()));
    assert_eq!(next.plan.to_string(), "3 -> 5 replicas", "{}", run.story());
    assert_eq!(run.world.running(), 3, "{}", run.story());
    assert!(run.views()[0].approval.is_some(), "it is good still for what was approved");
    run.pass(seconds(600)).await;
    assert_eq!(run.views()[0].approval, None);
    run.world.scale_from_outside(2);
    run.pass(seconds(120)).await;
    assert_eq!(run.world.running(), 2, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_rejected_change_is_not_asked_again_for_a_while() {
    let (mut run, proposal) = asking().await;
    run.answer(&proposal.id, Verdict::Reject).await.expect("rejected");
    run.pass(seconds(595)).await;
    assert_eq!(waiting(&run), None, "{}", run.story());
    assert_eq!(run.status().phase, Phase::Active);
    assert_eq!((told(&run, "Rejected"), told(&run, "ApprovalRequested")), (1, 1));
    let story = run.explained();
    assert!(story.contains("rejected by test; what is still wanted is asked anew at 06:11:"), "{story}");
    run.pass(seconds(10)).await;
    let again = waiting(&run).expect("it is asked again");
    assert_eq!((again.plan, told(&run, "ApprovalRequested")), (proposal.plan, 2));
    assert_ne!(again.id, proposal.id);
    assert_eq!(run.world.running(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_answers_is_asked_anew_under_another_id() {
    let (mut run, proposal) = asking().await;
    run.pass(seconds(3_600)).await;
    let next = waiting(&run).expect("it is still wanted");
    assert_ne!(next.id, proposal.id);
    assert_eq!(told(&run, "ApprovalRequested"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_restart_keeps_what_waits_what_is_approved_and_what_is_rejected() {
    let (mut run, proposal) = asking().await;
    run.kill_and_start_again().await;
    assert_eq!(waiting(&run), Some(proposal.clone()));
    assert_eq!(told(&run, "ApprovalRequested"), 0, "it was told before");

    run.answer(&proposal.id, Verdict::Reject).await.expect("rejected");
    run.kill_and_start_again().await;
    run.pass(seconds(60)).await;
    assert_eq!(waiting(&run), None, "{}", run.story());
    run.pass(seconds(600)).await;
    let again = waiting(&run).expect("asked again");

    // STOP keeps the approval from being used until docktor is back.
    run.write("STOP", "");
    run.answer(&again.id, Verdict::Approve).await.expect("approved");
    run.kill_and_start_again().await;
    assert_eq!(run.world.running(), 2);
    run.remove("STOP");
    run.pass(seconds(60)).await;
    assert_eq!(run.world.running(), 4, "{}", run.story());
    run.kill_and_start_again().await;
    run.pass(seconds(60)).await;
    assert_eq!(run.world.running(), 4, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_change_that_somebody_else_made_is_restored_only_with_an_approval() {
    let mut run = Loop::start(4, &approve()).await;
    run.world.set_load(Some(200.0));
    run.pass(seconds(60)).await;
    run.world.scale_from_outside(2);
    run.pass(seconds(60)).await;
    assert_eq!(run.world.running(), 2, "{}", run.story());
    let proposal = waiting(&run).expect("the restore waits");
    run.answer(&proposal.id, Verdict::Approve).await.expect("approved");
    run.pass(seconds(30)).await;
    assert_eq!(run.world.running(), 4, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn new_replicas_that_fail_are_rolled_back_without_asking() {
    let (mut run, proposal) = asking().await;
    run.world.make_unhealthy(true);
    run.answer(&proposal.id, Verdict::Approve).await.expect("approved");
    run.pass(seconds(120)).await;
    assert_eq!(run.world.running(), 2, "{}", run.story());
    assert_eq!(told(&run, "RolledBack"), 1);
    let next = waiting(&run).expect("the next attempt is asked");
    assert_ne!(next.id, proposal.id);
}

#[tokio::test(start_paused = true)]
async fn every_mode_can_be_set_while_docktor_runs() {
    let (mut run, _) = asking().await;
    run.set_mode(Mode::Observe).await;
    run.pass(seconds(30)).await;
    assert_eq!((waiting(&run), run.views()[0].mode), (None, Mode::Observe));
    assert_eq!(run.condition(ConditionType::Ready).reason, Reason::Observing);

    run.set_mode(Mode::Disabled).await;
    run.pass(seconds(30)).await;
    assert_eq!(run.status().phase, Phase::Disabled);

    run.set_mode(Mode::Approve).await;
    run.pass(seconds(60)).await;
    assert_eq!(run.status().phase, Phase::AwaitingApproval, "{}", run.story());
    run.kill_and_start_again().await;
    assert_eq!(run.views()[0].mode, Mode::Approve);
    assert_eq!(run.world.running(), 2, "{}", run.story());

    run.set_mode(Mode::Auto).await;
    run.pass(seconds(10)).await;
    assert_eq!((run.world.running(), waiting(&run)), (4, None), "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_explained_with_the_commands_that_answer_it() {
    let (run, _) = asking().await;
    run.moment().await;
    assert_snapshot!(run.explained());
}
