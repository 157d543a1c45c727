//! What cannot be cloned, or not often, on the real engine.

use docktor::actuators::compose::Compose;
use docktor::actuators::compose::ComposeService;
use docktor::actuators::{Actuator, ActuatorError, Obstacle};
use docktor::api::condition::Reason;
use docktor::api::target::ComposeTarget;
use docktor::model::change::ChangeId;
use docktor::model::key::PolicyKey;

use super::project::{IMAGE, Project, docker, grow, inspect, numbers, observe};

/// Why one more replica is refused.
async fn refusal(service: &ComposeService) -> Obstacle {
    match service.grow(&PolicyKey::new("test"), &ChangeId::new("c9"), 1).await {
        Err(ActuatorError::Refused(obstacle)) => obstacle,
        other => panic!("not refused: {other:?}"),
    }
}

/// A range of ports that other tests on this engine do not use.
fn ports(count: u16) -> (u16, String) {
    let first = 20_000 + u16::try_from(std::process::id() % 2_000).unwrap() * 5;
    (first, format!("{first}-{}", first + count - 1))
}

#[tokio::test]
async fn a_range_of_host_ports_is_filled_and_not_exceeded() {
    let (_, range) = ports(3);
    let project = Project::up("range", &format!("services: {{web: {{IDLE, ports: ['{range}:80']}}}}"));
    let web = project.service("web");
    assert_eq!(observe(&web).await.ceiling.unwrap().replicas, 3);
    assert_eq!(grow(&web, "c1", 9).await.len(), 2);
    assert_eq!(project.numbers("web"), [1, 2, 3]);
    assert_eq!(refusal(&web).await.reason, Reason::HostPort);
    assert_eq!(project.ids("web").len(), 3);
}

#[tokio::test]
async fn a_port_that_somebody_else_holds_is_refused_and_cleaned_up() {
    let (first, range) = ports(2);
    let taken = format!("{}:80", first + 1);
    let project = Project::new("taken", &format!("services: {{web: {{IDLE, ports: ['{range}:80']}}}}"));
    let squatter = format!("{}-squatter", project.name);
    docker(&["run", "-d", "--name", &squatter, "-p", &taken, IMAGE, "sleep", "3600"]);
    project.compose(&["up", "-d"]);
    let web = project.service("web");
    let refused = refusal(&web).await;
    assert_eq!(refused.reason, Reason::HostPort, "{}", refused.message);
    assert_eq!(numbers(&observe(&web).await), [1]);
}

#[tokio::test]
async fn what_can_exist_but_once_says_so_and_is_not_grown() {
    let (port, _) = ports(1);
    for (label, service, networks, reason) in [
        ("fixport", format!("ports: ['{port}:80']"), "", Reason::HostPort),
        ("fixname", "container_name: PROJECT-single".to_owned(), "", Reason::FixedContainerName),
        (
            "fixmac",
            "networks: {n: {mac_address: '02:42:ac:11:65:43'}}".to_owned(),
            "networks: {n: {}}",
            Reason::StaticAddress,
        ),
        (
            "fixip",
            "networks: {n: {ipv4_address: 10.213.7.9}}".to_owned(),
            "networks: {n: {ipam: {config: [{subnet: 10.213.7.0/24}]}}}",
            Reason::StaticAddress,
        ),
    ] {
        let project = Project::up(label, &format!("services: {{web: {{IDLE, {service}}}}}\n{networks}"));
        let web = project.service("web");
        let ceiling = observe(&web).await.ceiling.unwrap();
        assert_eq!((ceiling.replicas, ceiling.why.reason), (1, reason), "{label}");
        assert_eq!(refusal(&web).await.reason, reason, "{label}");
        assert_eq!(project.ids("web").len(), 1, "{label}");
    }
}

#[tokio::test]
async fn a_secret_that_compose_writes_into_the_container_is_not_cloned() {
    let project = Project::up(
        "secret",
        "services: {web: {IDLE, secrets: [token]}}\nsecrets: {token: {environment: PATH}}",
    );
    let with_files = project.service("web");
    assert_eq!(observe(&with_files).await.blocked.unwrap().reason, Reason::NotCloneable);
    assert_eq!(refusal(&with_files).await.reason, Reason::NotCloneable);
    std::fs::remove_file(project.file()).unwrap();
    assert_eq!(refusal(&project.service("web")).await.reason, Reason::NotCloneable);
}

#[tokio::test]
async fn a_config_from_the_compose_file_is_not_cloned_and_one_from_a_file_is() {
    let project = Project::new(
        "config",
        "services: {inline: {IDLE, configs: [motd]}, mounted: {IDLE, secrets: [token]}}
configs: {motd: {content: hello}}
secrets: {token: {file: ./token}}",
    );
    std::fs::write(project.folder.path().join("token"), "t0ken").unwrap();
    project.compose(&["up", "-d"]);
    assert_eq!(refusal(&project.service("inline")).await.reason, Reason::NotCloneable);
    grow(&project.service("mounted"), "c1", 1).await;
    let clone = &project.ids("mounted")[1];
    assert_eq!(docker(&["exec", clone, "cat", "/run/secrets/token"]), "t0ken");
}

#[tokio::test]
async fn a_service_in_two_configurations_waits_for_the_roll_out() {
    let text = "services: {web: {IDLE, environment: {A: VALUE}}}";
    let project = Project::up("rollout", &text.replace("VALUE", "old"));
    project.write(&text.replace("VALUE", "new"));
    project.compose(&["up", "-d", "--no-recreate", "--scale", "web=2"]);
    let web = project.service("web");
    let observed = observe(&web).await;
    assert_eq!(observed.blocked.unwrap().reason, Reason::RolloutInProgress);
    let outdated: Vec<_> = observed.replicas.iter().map(|it| it.outdated).collect();
    assert_eq!(outdated, [true, false]);
    assert_eq!(refusal(&web).await.reason, Reason::RolloutInProgress);
    project.compose(&["up", "-d", "--scale", "web=2"]);
    grow(&web, "c1", 1).await;
    assert_eq!(project.ids("web").len(), 3);
}

#[tokio::test]
async fn a_shared_volume_is_remarked_and_refused_where_the_service_keeps_data() {
    let project =
        Project::up("volume", "services: {web: {IDLE, volumes: ['data:/data']}}\nvolumes: {data: {}}");
    let web = project.service("web");
    assert_eq!(observe(&web).await.remarks[0].reason, Reason::SharedVolume);
    let target = ComposeTarget { stateful: Some(true), ..project.target("web") };
    let stateful = Compose::new(project.engine.clone()).service(target);
    assert_eq!(refusal(&stateful).await.reason, Reason::SharedVolume);
    grow(&web, "c1", 1).await;
    let ids = project.ids("web");
    docker(&["exec", &ids[0], "sh", "-c", "echo shared >/data/x"]);
    assert_eq!(docker(&["exec", &ids[1], "cat", "/data/x"]), "shared");
}

#[tokio::test]
async fn a_service_waits_for_what_it_depends_on() {
    let project = Project::up("depend", "services: {db: {IDLE}, web: {IDLE, depends_on: [db]}}");
    let web = project.service("web");
    docker(&["kill", &project.ids("db")[0]]);
    let refused = refusal(&web).await;
    assert_eq!(refused.reason, Reason::DependencyNotReady);
    assert!(refused.message.contains("db"));
    docker(&["start", &project.ids("db")[0]]);
    grow(&web, "c1", 1).await;
    assert_eq!(project.ids("web").len(), 2);
}

#[tokio::test]
async fn a_borrowed_network_is_cloned_while_its_owner_is_there() {
    let project = Project::up("borrow", "services: {net: {IDLE}, web: {IDLE, network_mode: 'service:net'}}");
    let web = project.service("web");
    grow(&web, "c1", 1).await;
    let ids = project.ids("web");
    let owner = format!("container:{}", project.ids("net")[0]);
    assert_eq!(inspect(&project, &ids[1]).await["HostConfig"]["NetworkMode"], owner.as_str());
    project.compose(&["up", "-d", "--scale", "web=2"]);
    assert_eq!(project.ids("web"), ids);
    docker(&["rm", "-f", &project.ids("net")[0]]);
    assert_eq!(refusal(&project.service("web")).await.reason, Reason::StaleNamespace);
}

#[tokio::test]
async fn a_project_run_from_two_folders_is_not_grown() {
    let project = Project::up("mixed", "services: {web: {IDLE}}");
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("compose.yaml");
    std::fs::copy(project.file(), &file).unwrap();
    docker(&[
        "compose",
        "-p",
        &project.name,
        "-f",
        file.to_str().unwrap(),
        "up",
        "-d",
        "--scale",
        "web=2",
        "--no-recreate",
    ]);
    assert_eq!(refusal(&project.service("web")).await.reason, Reason::MixedProject);
}
