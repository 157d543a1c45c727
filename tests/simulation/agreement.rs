//! `simulate` and the controller run the same code: what a controller saw, put to the simulation as a trace, leads to
//! the same changes at the same moments for the same reasons.

use docktor::api::Document;
use docktor::api::effective::Spec;
use docktor::api::read::read;
use docktor::api::status::Action;
use docktor::model::key::PolicyKey;
use docktor::simulation::replay::Replay;
use docktor::simulation::trace::Reader;
use docktor::telemetry::event::{Event, News};
use docktor::units::{Duration, Timestamp};

use super::harness::{Loop, POLICY};

/// When, and what was told of a change.
type Told = (Timestamp, String);

/// The changes that the controller decided.
fn by_controller(run: &Loop) -> Vec<Told> {
    let events = run.events().into_iter();
    let decisions = events.filter(|it| matches!(it.reason.as_str(), "ScaleUp" | "ScaleDown"));
    decisions.map(|it| (it.time, it.message)).collect()
}

/// The changes that the simulation decides on the rows of what the controller saw on its interval.
fn by_simulation(policy: &str, run: &Loop, interval: Duration) -> Vec<Told> {
    let document = read("web.yaml", policy.as_bytes()).remove(0).document;
    let Ok(Document::ScalingPolicy(policy)) = document else { panic!("{document:?}") };
    let mut replay = Replay::new(Spec::effective(&policy.spec, None).expect("the policy is valid"));
    let mut reader = Reader::new();
    let seen = run.world.trace();
    let first = seen[0].0;
    let on_the_interval =
        seen.iter().filter(|(at, _)| *at > first && at.since(first).as_millis() % interval.as_millis() == 0);
    let mut told = Vec::new();
    for (at, row) in on_the_interval {
        let row = reader.row(row).expect("the row is valid").expect("it is one");
        let decision = replay.decide(&row);
        if decision.action != Action::None {
            let event = Event::Decision {
                policy: PolicyKey::new("web"),
                generation: 1,
                record: decision.record(),
                news: News::Yes,
            };
            told.push((*at, event.message()));
        }
    }
    told
}

#[tokio::test(start_paused = true)]
async fn a_controller_and_the_simulation_of_what_it_saw_make_the_same_changes() {
    let tracking =
        POLICY.replace("scaleUp:", "track: [{metric: cpu.utilization, target: 60}]\n  scaleUp:").replace(
            "rules: [{metric: cpu.avg, op: \">\", value: 75}]\n    consecutive: 2\n    step: \"+2\"",
            "limits: [{replicas: 1, period: 20s}]",
        );
    for policy in [POLICY.to_owned(), tracking] {
        let mut run = Loop::start(2, &policy.replace("verify: 10s", "verify: 1s")).await;
        for (load, seconds) in [
            (Some(300.0), 120),
            (Some(900.0), 120),
            (None, 60),
            (Some(10.0), 300),
            (Some(500.0), 90),
            (Some(60.0), 300),
        ] {
            run.world.set_load(load);
            run.pass(Duration::from_secs(seconds)).await;
        }
        let (controller, simulation) =
            (by_controller(&run), by_simulation(&policy, &run, Duration::from_secs(5)));
        assert!(controller.len() > 8, "{controller:#?}");
        assert_eq!(controller, simulation, "{policy}");
    }
}
