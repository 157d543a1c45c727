//! The Compose actuator on the real engine, judged by the real Compose.

use std::time::{Duration, Instant};

use docktor::actuators::compose::Compose;
use docktor::actuators::{Actuator, ActuatorError, Afterwards};
use docktor::api::condition::Reason;
use docktor::clients::docker::{Action, ApiVersion};
use docktor::model::change::ChangeId;
use docktor::model::key::PolicyKey;
use docktor::model::observation::{Health, ReplicaId, ReplicaPhase};
use futures::StreamExt;

use super::project::{
    IMAGE, Project, docker, engine, eventually, grow, inspect, numbers, observe, replica, try_docker,
};

const WEB: &str = "services: {web: {IDLE}, webhook: {IDLE}}";

/// A tag of the image, gone when dropped.
struct Tag(String);

impl Tag {
    fn new(name: String) -> Self {
        docker(&["tag", IMAGE, &name]);
        Self(name)
    }
}

impl Drop for Tag {
    fn drop(&mut self) {
        let _ = try_docker(&["image", "rm", "-f", &self.0]);
    }
}

#[tokio::test]
async fn compose_agrees_with_what_docktor_made() {
    let project = Project::up("agree", WEB);
    let neighbour = project.ids("webhook");
    let web = project.service("web");
    assert_eq!(grow(&web, "c1", 2).await.len(), 2);
    assert_eq!(project.numbers("web"), [1, 2, 3]);

    let ids = project.ids("web");
    project.compose(&["up", "-d", "--scale", "web=3", "--no-recreate"]);
    assert_eq!(project.ids("web"), ids);
    project.compose(&["up", "-d", "--scale", "web=3"]);
    assert_eq!(project.ids("web"), ids);
    assert_eq!(project.ids("webhook"), neighbour);

    project.compose(&["up", "-d", "--scale", "web=2"]);
    assert_eq!(project.ids("web"), ids[..2]);
}

#[tokio::test]
async fn a_plain_up_takes_the_replicas_away_and_docktor_can_bring_them_back() {
    let project = Project::up("plainup", WEB);
    let web = project.service("web");
    grow(&web, "c1", 2).await;
    project.compose(&["up", "-d"]);
    assert_eq!(numbers(&observe(&web).await), [1]);
    grow(&web, "c2", 2).await;
    assert_eq!(project.numbers("web"), [1, 2, 3]);
}

#[tokio::test]
async fn numbers_go_on_from_the_highest_that_exists() {
    let project = Project::up("number", WEB);
    let web = project.service("web");
    grow(&web, "c1", 2).await;
    let ids = |observed, numbers: &[u32]| -> Vec<ReplicaId> {
        numbers.iter().map(|it| replica(&observed, *it).id.clone()).collect()
    };
    web.retire(&ids(observe(&web).await, &[2, 3]), Afterwards::Remove).await.unwrap();
    assert_eq!(project.numbers("web"), [1]);
    grow(&web, "c2", 2).await;
    assert_eq!(project.numbers("web"), [1, 2, 3]);
    web.retire(&ids(observe(&web).await, &[2]), Afterwards::Remove).await.unwrap();
    grow(&web, "c3", 1).await;
    assert_eq!(project.numbers("web"), [1, 3, 4]);
}

#[tokio::test]
async fn replicas_never_share_an_anonymous_volume_even_after_compose_recreated_the_donor() {
    let text = "services: {web: {IDLE, volumes: [/data], environment: {A: VALUE}}}";
    let project = Project::up("anon", &text.replace("VALUE", "old"));
    project.write(&text.replace("VALUE", "new"));
    project.compose(&["up", "-d"]);
    grow(&project.service("web"), "c1", 2).await;

    let mut volumes = std::collections::BTreeSet::new();
    for id in project.ids("web") {
        let container = inspect(&project, &id).await;
        volumes.insert(container["Mounts"][0]["Name"].as_str().unwrap().to_owned());
        let labels = container["Config"]["Labels"].as_object().unwrap();
        let is_clone = labels.contains_key("dev.docktor.donor");
        assert!(!is_clone || !labels.contains_key("com.docker.compose.replace"));
    }
    assert_eq!(volumes.len(), 3);
}

#[tokio::test]
async fn every_replica_answers_to_the_names_of_its_service_in_every_network() {
    for version in [Some(ApiVersion::OLDEST), Some(ApiVersion::new(1, 44)), None] {
        let label =
            version.map_or("dnsnow".to_owned(), |it| format!("dns{}", it.to_string().replace('.', "")));
        let project = Project::up(
            &label,
            "services: {web: {IDLE, networks: {front: {aliases: [www]}, back: {priority: 9}}}}\nnetworks: {front: {}, back: {}}",
        );
        let engine = match version {
            Some(version) => engine().pinned_to(version),
            None => engine(),
        };
        let web = Compose::new(engine.into()).service(project.target("web"));
        grow(&web, "c1", 2).await;
        let ids = project.ids("web");
        for (name, network) in [("web", "back"), ("www", "front")] {
            let answer = docker(&["exec", &ids[0], "nslookup", name]);
            for id in &ids {
                let container = inspect(&project, id).await;
                let path = format!("/NetworkSettings/Networks/{}_{network}/IPAddress", project.name);
                let address = container.pointer(&path).unwrap().as_str().unwrap().to_owned();
                assert!(
                    answer.contains(&address),
                    "{version:?}: {name} does not lead to {address}: {answer}"
                );
            }
        }
        project.compose(&["up", "-d", "--scale", "web=3"]);
        assert_eq!(project.ids("web"), ids);
    }
}

#[tokio::test]
async fn a_clone_is_made_of_the_donors_image_when_the_tag_has_moved() {
    let tag = Tag::new(format!("dkc-moved-{}:latest", std::process::id()));
    let service = format!("image: '{}', command: sleep 3600, stop_signal: SIGKILL", tag.0);
    let project = Project::up("moved", &WEB.replace("IDLE", &service));
    let web = project.service("web");
    assert_eq!(observe(&web).await.remarks, []);
    docker(&["commit", "--change", "LABEL moved=yes", &project.ids("web")[0], &tag.0]);

    let web = project.service("web");
    grow(&web, "c1", 1).await;
    assert_eq!(observe(&web).await.remarks[0].reason, Reason::ImageMoved);
    let ids = project.ids("web");
    let [first, second] = [inspect(&project, &ids[0]).await, inspect(&project, &ids[1]).await];
    assert_eq!(first["Image"], second["Image"]);
    assert_eq!(second["Config"]["Image"], first["Image"]);
    drop(project);
}

#[tokio::test]
async fn compose_down_removes_what_docktor_made() {
    let project = Project::up("down", WEB);
    let web = project.service("web");
    grow(&web, "c1", 3).await;
    project.compose(&["down", "-t", "0"]);
    assert_eq!(project.ids("web"), Vec::<String>::new());
    assert!(matches!(web.observe(&[]).await, Err(ActuatorError::NotFound { .. })));
    assert!(matches!(
        web.grow(&PolicyKey::new("p"), &ChangeId::new("c"), 1).await,
        Err(ActuatorError::NotFound { .. })
    ));
}

#[tokio::test]
async fn an_observation_tells_health_age_limits_and_capacity() {
    let project = Project::up(
        "observe",
        "services: {web: {IDLE, cpus: 0.5, mem_limit: 64m, pids_limit: 99, healthcheck: {test: 'true', interval: 1s}}}",
    );
    let web = project.service("web");
    eventually(async || observe(&web).await.replicas[0].health == Health::Healthy).await;
    grow(&web, "c1", 1).await;
    let observed = observe(&web).await;
    let (first, second) = (replica(&observed, 1), replica(&observed, 2));
    assert_eq!((first.phase, second.phase), (ReplicaPhase::Running, ReplicaPhase::Running));
    assert_eq!((&first.change, &second.change), (&None, &Some(ChangeId::new("c1"))));
    assert!(second.started_at > first.started_at && first.started_at >= first.created_at);
    assert!(!first.outdated && !second.outdated);
    for it in [first, second] {
        assert_eq!(
            (it.limits.cpus, it.limits.memory, it.limits.tasks),
            (Some(0.5), Some(67_108_864.0), Some(99.0))
        );
        assert!(it.limits.host.cpus.unwrap() >= 1.0 && it.limits.host.memory.unwrap() > 1e8);
    }
    assert_eq!((observed.ceiling, observed.blocked), (None, None));
    assert_eq!(observed.remarks, []);
}

#[tokio::test]
async fn a_replica_that_leaves_gets_its_own_signal_and_grace_period() {
    let polite = "trap 'echo bye >>/out/log; exit 0' USR1; echo up; while :; do sleep 0.2; done";
    let deaf = "trap '' TERM; while :; do sleep 0.2; done";
    let project = Project::new("signal", "");
    project.write(&format!(
        "services:
  polite: {{image: {IMAGE}, command: [sh, -c, \"{polite}\"], stop_signal: SIGUSR1, volumes: ['./:/out']}}
  deaf: {{image: {IMAGE}, command: [sh, -c, \"{deaf}\"], stop_grace_period: 2s}}"
    ));
    project.compose(&["up", "-d", "--scale", "polite=2"]);
    tokio::time::sleep(Duration::from_millis(500)).await;

    let polite = project.service("polite");
    let second = replica(&observe(&polite).await, 2).id.clone();
    polite.retire(&[second], Afterwards::Remove).await.unwrap();
    assert_eq!(std::fs::read_to_string(project.folder.path().join("log")).unwrap(), "bye\n");
    assert_eq!(project.numbers("polite"), [1]);

    let deaf = project.service("deaf");
    let only = observe(&deaf).await.replicas[0].id.clone();
    let began = Instant::now();
    deaf.retire(&[only], Afterwards::Remove).await.unwrap();
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(9), "{took:?}");
}

#[tokio::test]
async fn what_is_gone_already_counts_as_retired_and_strangers_are_left_alone() {
    let project = Project::up("gone", WEB);
    let web = project.service("web");
    grow(&web, "c1", 1).await;
    let second = replica(&observe(&web).await, 2).id.clone();
    let neighbour = project.ids("webhook");
    let strangers = [second.clone(), ReplicaId::new(&neighbour[0]), ReplicaId::new("no-such-container")];
    web.retire(&strangers, Afterwards::Remove).await.unwrap();
    web.retire(&strangers, Afterwards::Remove).await.unwrap();
    let (first, second) =
        tokio::join!(web.retire(&strangers, Afterwards::Remove), web.retire(&strangers, Afterwards::Remove));
    first.and(second).unwrap();
    assert_eq!(project.numbers("web"), [1]);
    assert_eq!(project.ids("webhook"), neighbour);
}

#[tokio::test]
async fn the_last_replica_rests_at_zero_and_is_started_again_before_others_are_made() {
    let project = Project::up("zero", WEB);
    let web = project.service("web");
    let last = observe(&web).await.replicas[0].id.clone();
    web.retire(std::slice::from_ref(&last), Afterwards::Keep).await.unwrap();
    // The engine's list is a moment behind what it just did.
    eventually(async || {
        let resting = web.observe(std::slice::from_ref(&last)).await.unwrap();
        resting.replicas[0].phase == ReplicaPhase::Stopped
    })
    .await;
    assert_eq!(
        observe(&web).await.replicas[0].phase,
        ReplicaPhase::Failed,
        "nobody said that docktor stopped it"
    );

    let started = grow(&web, "c1", 2).await;
    assert_eq!(started[0], last);
    assert_eq!(project.numbers("web"), [1, 2]);
    assert_eq!(observe(&web).await.replicas[0].phase, ReplicaPhase::Running);
}

#[tokio::test]
async fn two_changes_at_once_never_give_out_a_number_twice() {
    let project = Project::up("race", WEB);
    let compose = Compose::new(project.engine.clone());
    let (one, other) = (compose.service(project.target("web")), compose.service(project.target("web")));
    tokio::join!(grow(&one, "c1", 3), grow(&other, "c2", 3));
    assert_eq!(project.numbers("web"), [1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn a_name_that_a_stranger_holds_is_passed_over() {
    let project = Project::up("stray", WEB);
    docker(&["create", "--name", &format!("{}-web-2", project.name), IMAGE]);
    grow(&project.service("web"), "c1", 2).await;
    assert_eq!(project.numbers("web"), [1, 3, 4]);
}

#[tokio::test]
async fn what_an_interrupted_change_left_behind_is_swept_and_nothing_else() {
    let project = Project::up("sweep", WEB);
    let web = project.service("web");
    let first = inspect(&project, &project.ids("web")[0]).await;
    let label = |key: &str| format!("{key}={}", first["Config"]["Labels"][key].as_str().unwrap());
    let labels = ["project", "service", "oneoff", "config-hash", "image", "project.working_dir"]
        .map(|it| label(&format!("com.docker.compose.{it}")));
    let make = |number: u32, change: Option<&str>| {
        let (name, number) = (
            format!("{}-web-{number}", project.name),
            format!("com.docker.compose.container-number={number}"),
        );
        let change = change.map(|it| format!("dev.docktor.change={it}"));
        let mut arguments = vec!["create", "--name", &name, "--label", &number];
        labels.iter().chain(&change).for_each(|it| arguments.extend(["--label", it]));
        arguments.push(IMAGE);
        docker(&arguments)
    };
    make(2, Some("c1"));
    make(3, None);
    assert_eq!(replica(&observe(&web).await, 2).phase, ReplicaPhase::Stopped);
    assert_eq!(web.sweep().await.unwrap(), 1);
    assert_eq!(web.sweep().await.unwrap(), 0);
    assert_eq!(numbers(&observe(&web).await), [1, 3]);
}

#[tokio::test]
async fn a_growth_cut_off_at_any_moment_leaves_nothing_after_a_sweep() {
    let project = Project::up("cut", WEB);
    let web = project.service("web");
    for (attempt, milliseconds) in [20, 60, 120, 200, 350].into_iter().enumerate() {
        let change = format!("c{attempt}");
        let cut = tokio::time::timeout(Duration::from_millis(milliseconds), grow(&web, &change, 2));
        let _ = cut.await;
    }
    // What was asked of the engine before the cut, it still does.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let web = project.service("web");
    web.sweep().await.unwrap();
    let observed = observe(&web).await;
    assert!(observed.replicas.iter().all(|it| it.phase == ReplicaPhase::Running), "{:?}", observed.replicas);
    let mut unique = numbers(&observed);
    unique.dedup();
    assert_eq!(unique.len(), observed.replicas.len());
}

#[tokio::test]
async fn a_one_off_container_is_no_replica() {
    let project = Project::up("oneoff", WEB);
    project.compose(&["run", "-d", "web", "sleep", "60"]);
    assert_eq!(numbers(&observe(&project.service("web")).await), [1]);
    grow(&project.service("web"), "c1", 1).await;
    assert_eq!(project.ids("web").len(), 3);
    assert_eq!(project.numbers("web").len(), 2);
}

#[tokio::test]
async fn events_tell_what_happens_to_a_service() {
    let project = Project::up(
        "events",
        "services: {web: {IDLE, healthcheck: {test: 'true', interval: 1s}}, webhook: {IDLE}}",
    );
    let mut events = project.engine.events().await.unwrap();
    let mut told = Vec::new();
    let mut until = async |last: Action| {
        while !told.ends_with(std::slice::from_ref(&last)) {
            let event = tokio::time::timeout(Duration::from_secs(10), events.next()).await;
            let event = event.expect("the engine tells it").unwrap().unwrap();
            if event.project == project.name {
                assert_eq!(event.service, "web");
                told.push(event.action);
            }
        }
        std::mem::take(&mut told)
    };
    let web = project.service("web");
    grow(&web, "c1", 1).await;
    assert!(until(Action::Start).await.contains(&Action::Create));
    until(Action::Health).await;
    let second = replica(&observe(&web).await, 2).id.clone();
    web.retire(&[second], Afterwards::Remove).await.unwrap();
    assert!(until(Action::Destroy).await.contains(&Action::Die));
}

#[tokio::test]
async fn the_engine_tells_its_id_and_the_hosts_capacity() {
    let info = engine().info().await.unwrap();
    assert!(!info.id.is_empty() && info.capacity.cpus.is_some() && info.capacity.memory.is_some());
    assert!(["1", "2"].contains(&info.cgroup_version.as_str()), "{info:?}");
    assert_eq!(info.id, docker(&["info", "--format", "{{.ID}}"]));
}

/// How long docktor takes for 1 → 10, against Compose, in one run.
#[tokio::test]
#[ignore = "a measurement; run it alone"]
async fn growing_to_ten_replicas_is_faster_than_compose() {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..3 {
        let project = Project::up(&format!("speed{round}"), WEB);
        let began = Instant::now();
        grow(&project.service("web"), "c1", 9).await;
        ours.push(began.elapsed());
        assert_eq!(project.numbers("web").len(), 10);
        drop(project);

        let project = Project::up(&format!("theirs{round}"), WEB);
        let began = Instant::now();
        project.compose(&["up", "-d", "--no-recreate", "--scale", "web=10"]);
        theirs.push(began.elapsed());
    }
    ours.sort();
    theirs.sort();
    let ratio = ours[1].as_secs_f64() / theirs[1].as_secs_f64();
    println!("1 to 10 replicas: docktor {ours:?}, Compose {theirs:?}, ratio of the medians {ratio:.2}");
    assert!(ratio < 1.0, "{ratio}");
}
