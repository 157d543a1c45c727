//! What one sample of one replica costs: from cgroup files, and from the engine's one-shot stats.

use docktor::clock::Clock;
use docktor::model::observation::ReplicaId;
use docktor::sources::docker::{Containers, Way};
use docktor::sources::reading::{GaugeSource, Meter};

use crate::figure::{self, Cost, cost, micros};
use crate::project::{Project, engine, runtime};

const RUNS: usize = 1_000;
/// Each takes the engine about a millisecond.
const RUNS_OF_STATS: usize = 100;

pub fn measure() {
    let project = Project::up("sample", &["web".to_owned()], 1);
    let (source, files) = read(&project, Way::Best, RUNS);
    if source != GaugeSource::Cgroup {
        println!("sample: the engine is not on this host, so there are no cgroup files to read");
        return;
    }
    let (_, stats) = read(&project, Way::Stats, RUNS_OF_STATS);
    figure::print("sample of a replica: cgroup files", &micros(files.time), "");
    figure::print("sample of a replica: cgroup files", &format!("{} allocations", files.allocations), "");
    figure::print("sample of a replica: one-shot stats of the engine", &micros(stats.time), "");
    let ratio = figure::ratio(files.time, stats.time);
    figure::print("sample of a replica: files against stats", &format!("{ratio:.3}"), "");
}

fn read(project: &Project, way: Way, times: usize) -> (GaugeSource, Cost) {
    let (runtime, engine) = (runtime(), engine());
    let containers = runtime.block_on(project.containers(&engine));
    let id = ReplicaId::new(containers[0]["Id"].as_str().expect("an id"));
    let meter: &dyn Meter = &Containers::new(Clock::system(), engine, way);
    let mut gauge = runtime.block_on(meter.attach(&id)).expect("it runs");
    let cost = cost(times, || {
        runtime.block_on(gauge.read()).expect("it runs");
    });
    (gauge.source(), cost)
}
