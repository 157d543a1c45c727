//! The sampler on a real engine: the same numbers as `docker stats`, from cgroup files and by the API.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use docktor::clients::docker::Engine;
use docktor::clock::Clock;
use docktor::model::key::PolicyKey;
use docktor::model::observation::{ReplicaId, Sample};
use docktor::sources::cgroup::Cgroup;
use docktor::sources::docker::{Containers, Way};
use docktor::sources::host;
use docktor::sources::sampler::Sampler;
use docktor::telemetry::metrics::Metrics;
use docktor::units::{self, Bytes, Timestamp};
use tokio_util::sync::CancellationToken;

const IMAGE: &str = "docktor-test/base";
/// Half a core busy, 20 MB held, 8 MB of page cache that nobody reads again, and packets to the gateway.
const LOAD: &str = "\
dd if=/dev/zero of=/tmp/file bs=1M count=8 2>/dev/null
(head -c 20000000 /dev/zero; sleep 1000) | tail >/dev/null &
ping -q -s 1000 $(ip route | awk '/default/ {print $3}') >/dev/null &
while :; do :; done";
/// How often `docker stats` is asked; each time takes about two seconds.
const COMPARISONS: u32 = 5;

/// A container that is removed when the test is over, however it ends.
struct Container {
    id: ReplicaId,
    name: String,
}

impl Container {
    fn start(name: &str, script: &str) -> Self {
        let name = format!("dks-test-{name}-{}", std::process::id());
        let limits = ["--cpus", "0.5", "--memory", "64m", "--pids-limit", "50", "--stop-timeout", "0"];
        let id = docker(
            &[&["run", "--detach", "--name", &name], &limits[..], &[IMAGE, "sh", "-c", script]].concat(),
        );
        Self { id: ReplicaId::new(id.trim()), name }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Gone already where the test removed it.
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", &self.name]).output();
    }
}

/// A sampler under way.
struct Watching {
    sampler: Arc<Sampler>,
    stop: CancellationToken,
}

impl Watching {
    fn start(clock: Clock, way: Way, replica: &ReplicaId) -> Self {
        let metrics = Arc::new(Metrics::new("0.0.0"));
        let meter = Containers::new(clock, engine(), way);
        let sampler = Arc::new(Sampler::new(clock, Arc::new(meter), metrics));
        let stop = CancellationToken::new();
        tokio::spawn({
            let (sampler, stop) = (sampler.clone(), stop.clone());
            async move { sampler.run(stop).await }
        });
        let second = units::Duration::from_secs(1);
        sampler.watch(&PolicyKey::new("web"), vec![replica.clone()], units::Duration::from_secs(60), second);
        Self { sampler, stop }
    }

    async fn until_there_are_rates(&self, replica: &ReplicaId) {
        let rates = async {
            while self.since(replica, Timestamp::default()).iter().all(|it| it.cpu.is_none()) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), rates).await.expect("samples with a rate");
    }

    fn since(&self, replica: &ReplicaId, from: Timestamp) -> Vec<Sample> {
        self.sampler.window(replica, from, Timestamp::from_millis(i64::MAX))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn engine() -> Arc<Engine> {
    let address = std::env::var("DOCKER_HOST").expect("DOCKER_HOST names an engine to test against");
    Arc::new(Engine::new(address.parse().expect("DOCKER_HOST is an address")))
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("the docker client is installed");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// CPU in percent, memory in bytes, and tasks, as `docker stats` prints them.
fn docker_stats(container: &str) -> (f64, f64, f64) {
    let format = "{{.CPUPerc}} {{.PIDs}} {{.MemUsage}}";
    let line = docker(&["stats", "--no-stream", "--format", format, container]);
    let mut fields = line.split_whitespace();
    let cpu = fields.next().unwrap().trim_end_matches('%').parse().unwrap();
    let tasks = fields.next().unwrap().parse().unwrap();
    let memory: Bytes = fields.next().unwrap().parse().unwrap();
    (cpu, memory.0 as f64, tasks)
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().collect();
    assert!(!values.is_empty(), "no value at all");
    values.iter().sum::<f64>() / values.len() as f64
}

#[track_caller]
fn assert_close(what: &str, found: f64, expected: f64) {
    let error = (found - expected).abs() / expected;
    assert!(error <= 0.1, "{what}: {found} against {expected}, {:.1} % off", error * 100.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn cpu_memory_and_tasks_agree_with_docker_stats_both_ways() {
    let container = Container::start("load", LOAD);
    let clock = Clock::system();
    let ways = [Way::Best, Way::Stats].map(|way| (way, Watching::start(clock, way, &container.id)));
    for (_, watching) in &ways {
        watching.until_there_are_rates(&container.id).await;
    }

    let from = clock.now();
    let mut told = Vec::new();
    for _ in 0..COMPARISONS {
        let name = container.name.clone();
        told.push(tokio::task::spawn_blocking(move || docker_stats(&name)).await.unwrap());
    }

    for (way, watching) in &ways {
        let samples = watching.since(&container.id, from);
        assert!(samples.len() >= 5, "{way:?}: {samples:?}");
        let cpu = mean(samples.iter().map(|it| it.cpu.expect("a rate")));
        assert_close(&format!("{way:?} cpu"), cpu, mean(told.iter().map(|it| it.0)));
        let memory = mean(samples.iter().map(|it| it.memory.expect("a level")));
        assert_close(&format!("{way:?} memory"), memory, mean(told.iter().map(|it| it.1)));
        assert!(samples.iter().all(|it| it.tasks == Some(told[0].2)), "{way:?} tasks: {samples:?}");
        assert!(samples.iter().all(|it| it.memory_usage > it.memory), "{way:?}: cache counts as usage alone");
        // One packet a second of 1,042 bytes with its headers; the answers are as long.
        for rate in [|it: &Sample| it.network_rx, |it: &Sample| it.network_tx] {
            let rate = mean(samples.iter().map(|it| rate(it).expect("a rate")));
            assert!((500.0..2_000.0).contains(&rate), "{way:?}: {rate} bytes a second");
        }
        let limits = watching.sampler.limits(&container.id).expect("it was read");
        assert_eq!(limits.cpus, Some(0.5), "{way:?}");
        assert_eq!(limits.memory, Some(64.0 * 1024.0 * 1024.0), "{way:?}");
        assert_eq!(limits.tasks, Some(50.0), "{way:?}");
        assert!(limits.host.cpus >= Some(1.0) && limits.host.memory > limits.memory, "{way:?}: {limits:?}");
        println!("{way:?}: cpu {cpu:.1}, memory {memory:.0}; docker stats: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_makes_no_spike_and_a_removed_container_leaves_no_samples() {
    let container = Container::start("restart", "while :; do :; done");
    let clock = Clock::system();
    let ways = [Way::Best, Way::Stats].map(|way| (way, Watching::start(clock, way, &container.id)));
    tokio::time::sleep(Duration::from_secs(4)).await;
    let name = container.name.clone();
    tokio::task::spawn_blocking(move || docker(&["restart", "--time", "0", &name])).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    for (way, watching) in &ways {
        let samples = watching.since(&container.id, Timestamp::default());
        assert!(samples.iter().any(|it| it.cpu.is_some()), "{way:?}: {samples:?}");
        // Half a core is all it may use; the kernel's periods allow a little more within a second.
        assert!(samples.iter().all(|it| it.cpu.is_none_or(|cpu| cpu < 70.0)), "{way:?}: {samples:?}");
    }
    let name = container.name.clone();
    tokio::task::spawn_blocking(move || docker(&["rm", "--force", &name])).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    for (way, watching) in &ways {
        assert_eq!(watching.since(&container.id, Timestamp::default()), [], "{way:?}");
    }
}

#[test]
fn a_reading_of_cgroup_files_costs_tens_of_microseconds() {
    let container = Container::start("cost", LOAD);
    let pid = docker(&["inspect", "--format", "{{.State.Pid}}", &container.name]).trim().parse().unwrap();
    let clock = Clock::system();
    let cgroup = Cgroup::of_container(clock, pid, container.id.as_str(), host::capacity())
        .expect("the engine is on this host")
        .with_network_of(pid);
    let mut costs: Vec<Duration> = (0..1_000)
        .map(|_| {
            let started = clock.elapsed();
            cgroup.read().expect("it runs");
            clock.elapsed() - started
        })
        .collect();
    costs.sort();
    let (median, late) = (costs[500], costs[990]);
    println!("one reading: median {median:?}, 99 % within {late:?}");
    // The median, as other work on this machine makes the slowest slow. This build is not optimized; one that is
    // takes less than half.
    assert!(median < Duration::from_micros(250), "{median:?}");
}
