//! One replica to ten: docktor against `docker compose up --scale 10`, in turns on the same engine.

use std::time::{Duration, Instant};

use docktor::actuators::Actuator;
use docktor::actuators::compose::Compose;
use docktor::api::target::ComposeTarget;
use docktor::model::change::ChangeId;
use docktor::model::key::PolicyKey;

use crate::figure::{self, median, millis};
use crate::footprint::policy;
use crate::program::Program;
use crate::project::{Project, engine, runtime};

const ROUNDS: usize = 3;
const REPLICAS: u32 = 10;
const AIM: &str = "below 0.60";

pub fn measure() {
    let (mut actuator, mut program, mut compose) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        compose.push(by_compose(&one_replica()));
        actuator.push(by_the_actuator(&one_replica()));
        program.push(by_the_program(&one_replica()));
    }
    let (actuator, program, compose) = (median(actuator), median(program), median(compose));
    let say = |name: &str, value: &str, aim| figure::print(&format!("1 → 10 replicas: {name}"), value, aim);
    say("docker compose up --scale 10", &millis(compose), "");
    say("actuator, a look and the change", &millis(actuator), "");
    say("actuator against Compose", &format!("{:.2}", figure::ratio(actuator, compose)), AIM);
    say("docktor run, from the edit to ten running", &millis(program), "");
    say("docktor run against Compose", &format!("{:.2}", figure::ratio(program, compose)), AIM);
}

fn one_replica() -> Project {
    Project::up("growth", &["web".to_owned()], 1)
}

fn by_compose(project: &Project) -> Duration {
    let began = Instant::now();
    project.compose(&["up", "-d", "--no-recreate", "--scale", "web=10"]);
    began.elapsed()
}

fn by_the_actuator(project: &Project) -> Duration {
    let (runtime, engine) = (runtime(), engine());
    let target = ComposeTarget {
        project: project.name.clone(),
        service: "web".to_owned(),
        docker: None,
        strategy: None,
        delete_anonymous_volumes: None,
        stateful: None,
    };
    let service = Compose::new(engine).service(target);
    let (policy, change) = (PolicyKey::new("web"), ChangeId::new("bench"));
    let began = Instant::now();
    let observed = runtime.block_on(service.observe(&[])).expect("the engine answers");
    assert_eq!(observed.replicas.len(), 1);
    let made = runtime.block_on(service.grow(&policy, &change, REPLICAS - 1)).expect("it grows");
    let took = began.elapsed();
    assert_eq!(made.len(), REPLICAS as usize - 1);
    took
}

/// The new minimum is a bound: it waits for no metric, limit or window.
fn by_the_program(project: &Project) -> Duration {
    let (runtime, engine) = (runtime(), engine());
    let text = |min| policy("web", &project.name, "web", min, REPLICAS);
    let text = |min| text(min).replace("mode: Observe", "mode: Auto");
    let program = Program::start(&[("web.yaml".to_owned(), text(1))]);
    let mut events = runtime.block_on(engine.events()).expect("the engine answers");
    let began = Instant::now();
    program.write("web.yaml", &text(REPLICAS));
    runtime.block_on(project.until_started(&mut events, REPLICAS as usize - 1));
    began.elapsed()
}
