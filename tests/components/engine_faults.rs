//! What docktor makes of an engine that fails half-way, lies, or is of another age.

use std::time::{Duration, Instant};

use docktor::actuators::compose::{Compose, ComposeService};
use docktor::actuators::{Actuator, ActuatorError, Afterwards, Lasts, NewLimit, Resizing};
use docktor::api::condition::Reason;
use docktor::api::limits::LimitKind;
use docktor::api::resources::Apply;
use docktor::api::target::ComposeTarget;
use docktor::clients::docker::{AnonymousVolumes, EngineError};
use docktor::model::change::ChangeId;
use docktor::model::key::PolicyKey;
use docktor::model::observation::{Health, ReplicaId, ReplicaPhase};
use serde_json::json;

use super::fake_engine::{FakeEngine, Fault, PROJECT};
use super::project::{grow, numbers, observe};

fn target() -> ComposeTarget {
    ComposeTarget {
        project: PROJECT.to_owned(),
        service: "web".to_owned(),
        docker: None,
        strategy: None,
        delete_anonymous_volumes: None,
        stateful: None,
    }
}

fn service(fake: &FakeEngine) -> ComposeService {
    Compose::new(fake.engine().into()).service(target())
}

async fn grow_error(service: &ComposeService, count: u32) -> ActuatorError {
    service.grow(&PolicyKey::new("test"), &ChangeId::new("c1"), count).await.unwrap_err()
}

fn states(fake: &FakeEngine) -> Vec<String> {
    fake.containers().into_iter().map(|(_, state)| state).collect()
}

#[tokio::test]
async fn the_version_of_the_api_is_in_every_request() {
    for (oldest, newest, spoken) in [("1.24", "1.41", "/v1.41/"), ("1.44", "1.60", "/v1.53/")] {
        let fake = FakeEngine::start(oldest, newest);
        let web = service(&fake);
        observe(&web).await;
        grow(&web, "c1", 1).await;
        let requests = fake.requests();
        assert_eq!(requests[0], "GET /version");
        assert!(requests[1..].iter().all(|it| it.contains(spoken)), "{requests:?}");
    }
}

#[tokio::test]
async fn an_upgraded_engine_is_asked_anew_which_version_it_speaks() {
    let fake = FakeEngine::start("1.24", "1.43");
    let web = service(&fake);
    observe(&web).await;
    fake.upgrade("1.44", "1.52");
    grow(&web, "c1", 1).await;
    assert!(fake.requests().last().unwrap().contains("/v1.52/"));
    fake.upgrade("1.99", "1.99");
    let error = web.observe(&[]).await.unwrap_err();
    assert_eq!(error.reason(), Reason::ActionFailed);
}

#[tokio::test]
async fn the_newest_shapes_are_understood() {
    let fake = FakeEngine::start("1.44", "1.53");
    fake.add(2, json!({"Health": {"Status": "unhealthy", "FailingStreak": 3}}));
    fake.add(3, json!({"State": "hibernating", "Unheard": {"of": true}}));
    let observed = observe(&service(&fake)).await;
    let seen: Vec<_> = observed.replicas.iter().map(|it| (it.phase, it.health)).collect();
    let expected = [
        (ReplicaPhase::Running, Health::NoCheck),
        (ReplicaPhase::Running, Health::Unhealthy),
        (ReplicaPhase::Failed, Health::NoCheck),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn one_odd_container_does_not_hide_the_others() {
    let fake = FakeEngine::start("1.44", "1.53");
    fake.add(2, json!({"Names": null, "Labels": 7}));
    fake.add(3, json!({}));
    assert_eq!(numbers(&observe(&service(&fake)).await), [1, 3]);
}

#[tokio::test]
async fn a_pass_without_news_costs_one_call() {
    let fake = FakeEngine::start("1.44", "1.53");
    fake.add(2, json!({}));
    let web = service(&fake);
    observe(&web).await;
    let before = fake.requests().len();
    observe(&web).await;
    assert_eq!(fake.requests()[before..], ["GET /v1.53/containers/json"]);
}

#[tokio::test]
async fn names_taken_by_others_are_tried_past_but_not_for_ever() {
    let fake = FakeEngine::start("1.44", "1.53");
    let web = service(&fake);
    fake.fail("POST /containers/create", Fault::Status(409, "name in use"));
    assert_eq!(grow(&web, "c1", 2).await.len(), 2);
    assert_eq!(numbers(&observe(&web).await).len(), 3);

    let fake = FakeEngine::start("1.44", "1.53");
    (0..3).for_each(|_| fake.fail("POST /containers/create", Fault::Status(409, "name in use")));
    let error = grow_error(&service(&fake), 1).await;
    assert!(matches!(error, ActuatorError::Failed { .. }), "{error:?}");
    assert_eq!(fake.requests().iter().filter(|it| it.contains("create")).count(), 3);
}

#[tokio::test]
async fn what_cannot_be_started_is_removed_again() {
    for (step, fault) in [
        ("POST /containers/00", Fault::Status(500, "the disk is full")),
        ("POST /containers/00", Fault::Half),
        ("POST /containers/00", Fault::Status(404, "no such container")),
    ] {
        let fake = FakeEngine::start("1.44", "1.53");
        fake.fail(step, fault);
        let outcome = service(&fake).grow(&PolicyKey::new("p"), &ChangeId::new("c1"), 1).await;
        let running = fake.containers().len() == 2;
        assert_eq!(outcome.is_ok(), running, "{outcome:?} {:?}", fake.containers());
        assert!(states(&fake).iter().all(|it| it == "running"));
    }
}

#[tokio::test]
async fn after_a_failure_no_further_replica_is_begun_and_those_started_run_on() {
    let fake = FakeEngine::start("1.44", "1.53");
    fake.fail(
        "POST /containers/00",
        Fault::Status(500, "Bind for 0.0.0.0:80 failed: port is already allocated"),
    );
    let error = grow_error(&service(&fake), 40).await;
    assert_eq!(error.reason(), Reason::HostPort);
    assert!(states(&fake).iter().all(|it| it == "running"));
    assert!(fake.requests().iter().filter(|it| it.contains("create")).count() < 20);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_engine_that_is_not_reachable() {
    for fault in [Fault::Half, Fault::Garbage] {
        let fake = FakeEngine::start("1.44", "1.53");
        fake.fail("GET /containers/json", fault);
        let web = service(&fake);
        assert_eq!(web.observe(&[]).await.unwrap_err().reason(), Reason::EngineUnreachable);
        assert_eq!(numbers(&observe(&web).await), [1]);
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_said_at_once() {
    let fake = FakeEngine::start("1.44", "1.53");
    let web = service(&fake);
    drop(fake);
    let began = Instant::now();
    assert_eq!(web.observe(&[]).await.unwrap_err().reason(), Reason::EngineUnreachable);
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_does_not_answer_is_given_up() {
    let fake = FakeEngine::start("1.44", "1.53");
    let web = service(&fake);
    observe(&web).await;
    fake.fail("GET /containers/json", Fault::Slow(Duration::from_secs(3600)));
    assert_eq!(web.observe(&[]).await.unwrap_err().reason(), Reason::EngineUnreachable);
}

#[tokio::test]
async fn a_replica_that_goes_by_itself_meanwhile_counts_as_retired() {
    let fake = FakeEngine::start("1.44", "1.53");
    let web = service(&fake);
    grow(&web, "c1", 2).await;
    let observed = observe(&web).await;
    let leaving: Vec<ReplicaId> = observed.replicas[1..].iter().map(|it| it.id.clone()).collect();
    fake.fail("DELETE /containers", Fault::DoneBut(409));
    fake.fail("POST /containers/00", Fault::Status(404, "no such container"));
    web.retire(&leaving, Afterwards::Remove).await.unwrap();
    assert_eq!(states(&fake), ["running"]);
}

#[tokio::test]
async fn a_failed_stop_is_told_and_the_replica_stays() {
    let fake = FakeEngine::start("1.44", "1.53");
    let web = service(&fake);
    grow(&web, "c1", 1).await;
    let second = observe(&web).await.replicas[1].id.clone();
    fake.fail("POST /containers/00", Fault::Status(500, "cannot kill"));
    let error = web.retire(std::slice::from_ref(&second), Afterwards::Remove).await.unwrap_err();
    assert_eq!(error.reason(), Reason::ActionFailed);
    assert_eq!(states(&fake), ["running", "running"]);
    web.retire(&[second], Afterwards::Remove).await.unwrap();
    assert_eq!(states(&fake), ["running"]);
}

#[tokio::test]
async fn old_engines_get_one_network_in_create_and_the_others_before_the_start() {
    let fake = FakeEngine::start("1.24", "1.43");
    let networks = json!({"a": {"Aliases": ["x", "web"]}, "b": {"Aliases": ["x", "web"]}});
    fake.connect_first("a", &networks);
    grow(&service(&fake), "c1", 1).await;
    let requests: Vec<_> = fake.requests().into_iter().filter(|it| it.starts_with("POST")).collect();
    assert!(requests[0].ends_with("/containers/create") && requests[1].ends_with("/networks/b/connect"));
    assert!(requests[2].ends_with("/start"), "{requests:?}");
    assert_eq!(fake.made()["NetworkSettings"]["Networks"], networks);

    fake.fail("POST /networks", Fault::Status(500, "no address left"));
    grow_error(&service(&fake), 1).await;
    assert_eq!(states(&fake), ["running", "running"]);
}

#[tokio::test]
async fn words_that_nobody_has_heard_yet_do_not_hide_the_engine() {
    let fake = FakeEngine::start("1.44", "1.53");
    let info = fake.engine().info().await.unwrap();
    assert_eq!((info.id.as_str(), info.cgroup_driver.as_str()), ("fake", "hybrid"));
}

#[tokio::test]
async fn typed_calls_fail_as_the_others_do() {
    let fake = FakeEngine::start("1.44", "1.53");
    let engine = fake.engine();
    let id = format!("{:064x}", 1);
    assert_eq!(engine.stats(&id).await.unwrap().pids_stats.unwrap().current, Some(3));
    assert!(engine.start("gone").await.unwrap_err().is_not_found());
    fake.fail("DELETE /containers", Fault::Status(409, "removal is already in progress"));
    assert!(engine.remove(&id, AnonymousVolumes::Keep).await.unwrap_err().is_conflict());
    for fault in [Fault::Half, Fault::Garbage] {
        fake.fail("GET /containers/00", fault);
        assert!(engine.stats(&id).await.unwrap_err().is_silence());
    }
    drop(fake);
    let error = engine.stop(&id, Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, EngineError::Unreachable(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_may_take_the_grace_period_and_no_more_than_a_margin_on_top() {
    let fake = FakeEngine::start("1.44", "1.53");
    let (engine, id) = (fake.engine(), format!("{:064x}", 1));
    let grace = Duration::from_secs(300);
    fake.fail("POST /containers/00", Fault::Slow(grace));
    engine.stop(&id, grace).await.unwrap();
    fake.fail("POST /containers/00", Fault::Slow(grace * 2));
    let error = engine.stop(&id, grace).await.unwrap_err();
    assert!(matches!(error, EngineError::TooSlow { .. }), "{error:?}");
}

#[tokio::test]
async fn a_typed_call_to_an_upgraded_engine_is_made_in_its_new_version() {
    let fake = FakeEngine::start("1.24", "1.43");
    let (engine, id) = (fake.engine(), format!("{:064x}", 1));
    engine.start(&id).await.unwrap();
    fake.upgrade("1.44", "1.52");
    engine.start(&id).await.unwrap();
    assert_eq!(fake.requests().last().unwrap(), &format!("POST /v1.52/containers/{id}/start"));
}

/// So many tasks for each replica.
fn tasks(replicas: &[ReplicaId], count: u32) -> Resizing {
    let limits = vec![NewLimit { kind: LimitKind::TasksMax, value: Some(f64::from(count)) }];
    let replicas = replicas.iter().map(|it| (it.clone(), limits.clone())).collect();
    Resizing { replicas, apply: Apply::Live, lasts: Lasts::UntilReboot }
}

#[tokio::test]
async fn after_a_failure_half_way_only_what_is_missing_is_changed() {
    let fake = FakeEngine::start("1.44", "1.53");
    fake.add(2, json!({}));
    fake.add(3, json!({}));
    let web = service(&fake);
    let ids: Vec<_> = observe(&web).await.replicas.into_iter().map(|it| it.id).collect();
    let second = format!("POST /containers/{}/update", ids[1]);
    fake.fail(&second, Fault::Status(500, "the kernel is tired"));
    let error = web.resize(&tasks(&ids, 64)).await.unwrap_err();
    assert!(matches!(&error, ActuatorError::Failed { action, .. } if action.contains("-web-2")), "{error:?}");
    let limits = async || observe(&web).await.replicas.iter().map(|it| it.limits.tasks).collect::<Vec<_>>();
    assert_eq!(limits().await, [Some(64.0), None, None]);

    let before = fake.requests().len();
    web.resize(&tasks(&ids, 64)).await.unwrap();
    assert_eq!(limits().await, [Some(64.0); 3]);
    assert_eq!(fake.requests()[before..].iter().filter(|it| it.ends_with("/update")).count(), 2);
}

#[tokio::test]
async fn an_update_that_was_agreed_to_and_not_made_is_an_error() {
    let fake = FakeEngine::start("1.44", "1.53");
    let web = service(&fake);
    let ids: Vec<_> = observe(&web).await.replicas.into_iter().map(|it| it.id).collect();
    fake.fail(&format!("POST /containers/{}/update", ids[0]), Fault::Status(200, "fine"));
    let error = web.resize(&tasks(&ids, 64)).await.unwrap_err();
    let ActuatorError::Failed { source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(source.to_string(), "tasksMax should be 64, but the engine has none");
}

#[tokio::test]
async fn what_is_forgotten_during_a_look_is_looked_at_again() {
    let fake = FakeEngine::start("1.44", "1.53");
    let compose = Compose::new(fake.engine().into());
    let web = compose.service(target());
    fake.fail("GET /containers/00", Fault::Slow(Duration::from_millis(500)));
    let (_, ()) = tokio::join!(observe(&web), async {
        tokio::time::sleep(Duration::from_millis(250)).await;
        compose.forget_all();
    });
    let before = fake.requests().len();
    observe(&web).await;
    assert!(fake.requests()[before..].iter().any(|it| it.starts_with("GET /v1.53/containers/00")));
}
