//! Limits of running containers, changed through the real engine and judged by the kernel's own files.

use std::fs;
use std::time::Duration;

use docktor::actuators::compose::{Compose, ComposeService};
use docktor::actuators::{Actuator, ActuatorError, Lasts, NewLimit, Resizing};
use docktor::api::condition::Reason;
use docktor::api::limits::LimitKind::{
    self, AllowedCpus, CpuQuota, CpuWeight, IoWeight, MemoryHigh, MemoryMax, TasksMax,
};
use docktor::api::resources::Apply;
use docktor::clients::docker::{Action, ApiVersion};
use docktor::model::observation::ReplicaId;
use futures::StreamExt;
use serde_json::Value;

use super::project::{Project, engine, eventually, grow, inspect, observe, replica};

const MIB: f64 = 1_048_576.0;

/// Every limit that Compose can give.
const LIMITED: &str =
    "services: {web: {IDLE, cpus: 0.5, mem_limit: 64m, memswap_limit: 128m, pids_limit: 40}}";

/// Gives all these replicas the same limits; `None` lifts.
fn resizing(ids: &[String], limits: &[(LimitKind, Option<f64>)], apply: Apply) -> Resizing {
    let limits: Vec<_> = limits.iter().map(|&(kind, value)| NewLimit { kind, value }).collect();
    let replicas = ids.iter().map(|id| (ReplicaId::new(id), limits.clone())).collect();
    Resizing { replicas, apply, lasts: Lasts::UntilReboot }
}

async fn try_resize(
    service: &ComposeService,
    ids: &[String],
    limits: &[(LimitKind, Option<f64>)],
) -> Result<(), ActuatorError> {
    service.resize(&resizing(ids, limits, Apply::Live)).await
}

async fn resize(service: &ComposeService, ids: &[String], limits: &[(LimitKind, Option<f64>)]) {
    try_resize(service, ids, limits).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
}

fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |it| it.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// A limit as the kernel has it, in the folder of the container's main process.
fn kernel(container: &Value, controller: &str, v1: &str, v2: &str) -> String {
    let pid = &container["State"]["Pid"];
    let memberships = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let of = |name: &str| {
        memberships.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|it| it == name).then(|| path.to_owned())
        })
    };
    let file = match of(controller) {
        Some(path) => format!("/sys/fs/cgroup/{controller}{path}/{v1}"),
        None => format!("/sys/fs/cgroup{}/{v2}", of("").unwrap()),
    };
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}")).trim().to_owned()
}

/// Quota, memory and tasks as the kernel of cgroup v1 has them, with what is there of swap.
fn kernel_limits(container: &Value) -> [String; 4] {
    [
        kernel(container, "cpu", "cpu.cfs_quota_us", "cpu.max"),
        kernel(container, "memory", "memory.limit_in_bytes", "memory.max"),
        kernel(container, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max"),
        kernel(container, "pids", "pids.max", "pids.max"),
    ]
}

/// The same numbers, as v1 writes them, or v2 where there is no v1.
fn expected(percent: u64, memory_mib: u64, with_swap_mib: u64, tasks: u64) -> [String; 4] {
    let bytes = |mib: u64| (mib << 20).to_string();
    if is_v1() {
        [(percent * 1_000).to_string(), bytes(memory_mib), bytes(with_swap_mib), tasks.to_string()]
    } else {
        let swap = bytes(with_swap_mib - memory_mib);
        [format!("{} 100000", percent * 1_000), bytes(memory_mib), swap, tasks.to_string()]
    }
}

fn is_v1() -> bool {
    fs::metadata("/sys/fs/cgroup/cgroup.controllers").is_err()
}

/// What shows that a container was neither restarted nor recreated.
fn life(container: &Value) -> [Value; 4] {
    let state = &container["State"];
    [
        container["Id"].clone(),
        state["Pid"].clone(),
        state["StartedAt"].clone(),
        container["RestartCount"].clone(),
    ]
}

#[tokio::test]
async fn limits_go_up_and_down_and_the_process_does_not_notice() {
    for engine in [engine(), engine().pinned_to(ApiVersion::new(1, 41))] {
        let project = Project::up("limits", LIMITED);
        let web = Compose::new(engine.into()).service(project.target("web"));
        let ids = project.ids("web");
        let before = inspect(&project, &ids[0]).await;
        assert_eq!(kernel_limits(&before), expected(50, 64, 128, 40));
        for (percent, mib, with_swap, tasks) in [(75, 96, 160, 60), (150, 256, 320, 250), (20, 32, 96, 15)] {
            let limits = [
                (CpuQuota, Some(percent as f64)),
                (MemoryMax, Some(mib as f64 * MIB)),
                (TasksMax, Some(tasks as f64)),
            ];
            resize(&web, &ids, &limits).await;
            let after = inspect(&project, &ids[0]).await;
            assert_eq!(kernel_limits(&after), expected(percent, mib, with_swap, tasks));
            assert_eq!(life(&after), life(&before));
            assert_eq!(after["HostConfig"]["RestartPolicy"], before["HostConfig"]["RestartPolicy"]);
            let seen = replica(&observe(&web).await, 1).limits;
            assert_eq!(seen.cpus, Some(percent as f64 / 100.0), "the next observation has them");
            assert_eq!((seen.memory, seen.tasks), (Some(mib as f64 * MIB), Some(tasks as f64)));
        }
    }
}

#[tokio::test]
async fn what_had_no_limit_gets_one_and_loses_it_again() {
    let project = Project::up("unlimited", "services: {web: {IDLE}}");
    let web = project.service("web");
    let ids = project.ids("web");
    let before = inspect(&project, &ids[0]).await;
    let free = kernel_limits(&before);
    let unlimited = replica(&observe(&web).await, 1).limits;
    assert_eq!((unlimited.cpus, unlimited.memory, unlimited.tasks), (None, None, None));
    assert_eq!((unlimited.cpu_weight, unlimited.allowed_cpus), (Some(100.0), None));

    resize(&web, &ids, &[(CpuQuota, Some(33.0)), (MemoryMax, Some(64.0 * MIB)), (TasksMax, Some(50.0))])
        .await;
    let limited = inspect(&project, &ids[0]).await;
    let [cpu, memory, swap, tasks] = kernel_limits(&limited);
    assert!(cpu.starts_with("33000") && memory == (64_u64 << 20).to_string() && tasks == "50");
    assert_eq!(swap, free[2], "swap had no limit, and has none");

    resize(&web, &ids, &[(CpuQuota, None), (MemoryMax, None), (TasksMax, None)]).await;
    let lifted = inspect(&project, &ids[0]).await;
    let [cpu, memory, swap, tasks] = kernel_limits(&lifted);
    assert_eq!([cpu, swap], [free[0].clone(), free[2].clone()]);
    assert_eq!(tasks, "max", "also where systemd gave it a default");
    assert_eq!(memory, (1_u64 << 60).to_string(), "an EiB limits nothing");
    assert_eq!(life(&lifted), life(&before));
    let seen = replica(&observe(&web).await, 1).limits;
    assert_eq!((seen.cpus, seen.memory, seen.tasks), (None, None, None));
}

#[tokio::test]
async fn swap_without_end_stays_so_and_a_quota_stays_a_quota() {
    let project = Project::up(
        "quota",
        "services: {web: {IDLE, cpu_quota: 20000, cpu_period: 50000, mem_limit: 64m, memswap_limit: -1}}",
    );
    let web = project.service("web");
    let ids = project.ids("web");
    let before = inspect(&project, &ids[0]).await;
    for (percent, quota, mib) in [(150.0, 75_000, 128), (10.0, 5_000, 32)] {
        resize(&web, &ids, &[(CpuQuota, Some(percent)), (MemoryMax, Some(mib as f64 * MIB))]).await;
        let after = inspect(&project, &ids[0]).await;
        let host = &after["HostConfig"];
        assert_eq!((&host["CpuQuota"], &host["CpuPeriod"]), (&quota.into(), &50_000.into()));
        assert_eq!((&host["Memory"], &host["MemorySwap"]), (&(mib << 20).into(), &(-1).into()));
        let [cpu, memory, swap, _] = kernel_limits(&after);
        assert!(cpu.starts_with(&quota.to_string()), "{cpu}");
        assert_eq!((memory, swap), ((mib << 20).to_string(), kernel_limits(&before)[2].clone()));
    }
}

#[tokio::test]
async fn weights_and_allowed_cpus_are_set_in_the_engines_units() {
    let project = Project::up("weights", "services: {web: {IDLE, cpu_shares: 512}}");
    let web = project.service("web");
    let ids = project.ids("web");
    assert_eq!(replica(&observe(&web).await, 1).limits.cpu_weight, Some(50.0));
    resize(&web, &ids, &[(CpuWeight, Some(200.0)), (AllowedCpus, Some(1.0))]).await;
    let after = inspect(&project, &ids[0]).await;
    assert_eq!(after["HostConfig"]["CpuShares"], 2_048);
    if is_v1() {
        assert_eq!(kernel(&after, "cpu", "cpu.shares", ""), "2048");
    }
    assert_eq!(kernel(&after, "cpuset", "cpuset.cpus", "cpuset.cpus"), "0");
    let seen = replica(&observe(&web).await, 1).limits;
    assert_eq!((seen.cpu_weight, seen.allowed_cpus), (Some(200.0), Some(1.0)));
}

#[tokio::test]
async fn what_the_engine_does_not_have_is_refused_before_anything_changes() {
    let project = Project::up("cannot", LIMITED);
    let web = project.service("web");
    let ids = project.ids("web");
    let before = inspect(&project, &ids[0]).await["HostConfig"].clone();
    for (kind, value, words) in [
        (MemoryHigh, Some(64.0 * MIB), "containers have no `memoryHigh`"),
        (IoWeight, Some(5_000.0), "containers take an `ioWeight` of 2 to 200"),
        (AllowedCpus, Some(9_000.0), "on a host with"),
        (CpuQuota, None, "cannot lift a CPU limit that was made with `cpus`"),
    ] {
        let error = try_resize(&web, &ids, &[(TasksMax, Some(99.0)), (kind, value)]).await.unwrap_err();
        assert!(matches!(error, ActuatorError::Refused(_)), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(inspect(&project, &ids[0]).await["HostConfig"], before);
}

#[tokio::test]
async fn what_the_kernel_does_not_know_is_an_error_in_the_engines_words() {
    let project = Project::up("blkio", LIMITED);
    let ids = project.ids("web");
    let info = project.docker(&["info", "--format", "{{json .Warnings}}"]);
    let outcome = try_resize(&project.service("web"), &ids, &[(IoWeight, Some(50.0))]).await;
    match outcome {
        Ok(()) => assert_eq!(inspect(&project, &ids[0]).await["HostConfig"]["BlkioWeight"], 250),
        Err(error) => {
            let told = chain(&error);
            assert!(told.contains("ioWeight should be 50, but the engine has 100"), "{told} ({info})");
            assert!(told.contains("does not support Block I/O weight"), "{told}");
        }
    }
}

#[tokio::test]
async fn memory_in_use_is_never_taken_away() {
    // A file in a tmpfs is memory that the kernel cannot give up.
    let project = Project::up(
        "inuse",
        "services: {web: {image: docktor-test/base, stop_signal: SIGKILL, mem_limit: 256m, tmpfs: [/held], \
         command: [sh, -c, 'head -c 40m /dev/zero > /held/file; touch /held/done; sleep 3600']}, other: {IDLE}}",
    );
    let (web, ids) = (project.service("web"), project.ids("web"));
    eventually(async || super::project::try_docker(&["exec", &ids[0], "test", "-e", "/held/done"]).is_ok())
        .await;
    let before = kernel_limits(&inspect(&project, &ids[0]).await);
    let error =
        try_resize(&web, &ids, &[(MemoryMax, Some(40.0 * MIB)), (TasksMax, Some(99.0))]).await.unwrap_err();
    assert_eq!(error.reason(), Reason::LimitInUse);
    let told = error.to_string();
    assert!(told.contains("memoryMax 40MiB is too low: 4") && told.contains("are in use"), "{told}");
    assert_eq!(kernel_limits(&inspect(&project, &ids[0]).await), before);
    resize(&web, &ids, &[(MemoryMax, Some(64.0 * MIB))]).await;
}

#[tokio::test]
async fn one_replica_in_use_keeps_all_of_them_as_they_are() {
    let project = Project::up(
        "oneinuse",
        "services: {web: {image: docktor-test/base, stop_signal: SIGKILL, mem_limit: 256m, tmpfs: [/held], \
         command: sleep 3600, scale: 2}}",
    );
    let (web, ids) = (project.service("web"), project.ids("web"));
    project.docker(&["exec", &ids[1], "sh", "-c", "head -c 40m /dev/zero > /held/file"]);
    let error = try_resize(&web, &ids, &[(MemoryMax, Some(40.0 * MIB))]).await.unwrap_err();
    assert_eq!(error.reason(), Reason::LimitInUse);
    for id in &ids {
        assert_eq!(inspect(&project, id).await["HostConfig"]["Memory"], 256 << 20);
    }
}

#[tokio::test]
async fn compose_leaves_a_resized_container_alone_and_clones_have_its_limits() {
    let project = Project::up("alone", LIMITED);
    let web = project.service("web");
    let ids = project.ids("web");
    let limits = [
        (CpuQuota, Some(75.0)),
        (MemoryMax, Some(96.0 * MIB)),
        (TasksMax, Some(60.0)),
        (CpuWeight, Some(50.0)),
    ];
    resize(&web, &ids, &limits).await;
    let observed = observe(&web).await;
    assert!(!replica(&observed, 1).outdated && observed.blocked.is_none());
    grow(&web, "c1", 1).await;
    let all = project.ids("web");
    project.compose(&["up", "-d", "--scale", "web=2"]);
    assert_eq!(project.ids("web"), all, "nothing was recreated");
    for id in &all {
        assert_eq!(kernel_limits(&inspect(&project, id).await), expected(75, 96, 160, 60));
    }
    let observed = observe(&web).await;
    assert_eq!(replica(&observed, 1).limits, replica(&observed, 2).limits);
    assert!(observed.replicas.iter().all(|it| !it.outdated));

    // Compose makes the third as its file says; the fourth is like most.
    project.compose(&["up", "-d", "--scale", "web=3"]);
    grow(&web, "c2", 1).await;
    let memory = |number| replica(&observed, number).limits.memory;
    let observed = observe(&web).await;
    let seen: Vec<_> = observed.replicas.iter().map(|it| it.limits.memory).collect();
    assert_eq!(seen, [Some(96.0 * MIB), memory(1), Some(64.0 * MIB), Some(96.0 * MIB)]);

    project.compose(&["up", "-d", "--force-recreate", "--scale", "web=4"]);
    let observed = observe(&web).await;
    assert!(observed.replicas.iter().all(|it| it.limits.memory == Some(64.0 * MIB)), "the file's again");
}

#[tokio::test]
async fn a_clone_of_a_container_whose_limits_were_lifted_can_be_made() {
    let project = Project::up("lifted", "services: {web: {IDLE}}");
    let web = project.service("web");
    let ids = project.ids("web");
    resize(&web, &ids, &[(CpuQuota, Some(33.0)), (MemoryMax, Some(64.0 * MIB)), (TasksMax, Some(50.0))])
        .await;
    resize(&web, &ids, &[(CpuQuota, None), (MemoryMax, None), (TasksMax, None)]).await;
    grow(&web, "c1", 1).await;
    let observed = observe(&web).await;
    assert_eq!(replica(&observed, 2).limits, replica(&observed, 1).limits);
    assert_eq!(replica(&observed, 2).limits.memory, None);
}

#[tokio::test]
async fn a_restart_that_was_asked_for_is_the_containers_own() {
    let project = Project::up(
        "restart",
        "services: {web: {image: docktor-test/base, stop_signal: SIGUSR1, stop_grace_period: 20s, mem_limit: 64m, \
         command: [sh, -c, \"trap 'echo asked politely; exit 0' USR1; while true; do sleep 0.1; done\"]}}",
    );
    let web = project.service("web");
    let ids = project.ids("web");
    let before = inspect(&project, &ids[0]).await;
    web.resize(&resizing(&ids, &[(MemoryMax, Some(96.0 * MIB))], Apply::Restart)).await.unwrap();
    let after = inspect(&project, &ids[0]).await;
    assert_eq!(kernel_limits(&after)[1], (96_u64 << 20).to_string());
    assert_eq!((&after["Id"], &after["State"]["Running"]), (&before["Id"], &true.into()));
    assert_ne!(after["State"]["Pid"], before["State"]["Pid"]);
    assert!(project.docker(&["logs", &ids[0]]).contains("asked politely"));

    web.resize(&resizing(&ids, &[(MemoryMax, Some(96.0 * MIB))], Apply::Restart)).await.unwrap();
    assert_eq!(life(&inspect(&project, &ids[0]).await), life(&after), "it has its limits already");
}

#[tokio::test]
async fn replicas_that_are_gone_or_stopped_are_no_error() {
    let project = Project::up("gone", "services: {web: {IDLE, mem_limit: 64m, scale: 2}}");
    let web = project.service("web");
    let ids = project.ids("web");
    project.docker(&["rm", "-f", &ids[0]]);
    project.docker(&["stop", &ids[1]]);
    web.resize(&resizing(&ids, &[(MemoryMax, Some(32.0 * MIB))], Apply::Restart)).await.unwrap();
    let stopped = inspect(&project, &ids[1]).await;
    assert_eq!(
        (&stopped["HostConfig"]["Memory"], &stopped["State"]["Running"]),
        (&(32 << 20).into(), &false.into())
    );
}

#[tokio::test]
async fn an_update_by_hand_is_told_by_an_event_and_seen_in_the_next_observation() {
    let project = Project::up("byhand", LIMITED);
    let compose = Compose::new(project.engine.clone());
    let web = compose.service(project.target("web"));
    let ids = project.ids("web");
    let memory = async || replica(&observe(&web).await, 1).limits.memory;
    let mut events = project.engine.events().await.unwrap();
    assert_eq!(memory().await, Some(64.0 * MIB));
    project.docker(&["update", "--memory", "96m", "--memory-swap", "192m", &ids[0]]);
    let heard = async {
        loop {
            let event = events.next().await.unwrap().unwrap();
            if event.project == project.name && event.action == Action::Update {
                return event;
            }
        }
    };
    let event = tokio::time::timeout(Duration::from_secs(10), heard).await.unwrap();
    assert_eq!(event.container, ids[0]);
    compose.forget(&event.project, &event.service, &event.container);
    assert_eq!(memory().await, Some(96.0 * MIB));
    project.docker(&["update", "--memory", "80m", "--memory-swap", "192m", &ids[0]]);
    compose.forget_all();
    assert_eq!(memory().await, Some(80.0 * MIB));
}
