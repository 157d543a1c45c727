//! Text of a policy file and text of a trace, as `docktorctl simulate` gets them: read, validate, compile, replay.

#![no_main]

use docktor::api::Document;
use docktor::api::effective::{Spec, built_in, effective_policy, merged};
use docktor::api::policy::ScalingPolicy;
use docktor::api::{read, validate};
use docktor::simulation::trace::{Reader, Row};
use libfuzzer_sys::fuzz_target;

/// The line between the policy file and the trace.
const BETWEEN: &[u8] = b"\n=====\n";

fuzz_target!(|data: &[u8]| {
    let (policies, trace) = split(data);
    let rows = rows(trace);
    for parsed in read::read("fuzz.yaml", policies) {
        match &parsed.document {
            Ok(Document::ScalingPolicy(policy)) => simulate(policy, &rows),
            Ok(document) => drop(document.to_yaml()),
            Err(mistakes) => {
                assert!(!mistakes.is_empty(), "refused without a reason");
                for mistake in mistakes {
                    let _ = mistake.to_string();
                }
            }
        }
    }
});

fn split(data: &[u8]) -> (&[u8], &[u8]) {
    let place = data.windows(BETWEEN.len()).position(|it| it == BETWEEN);
    place.map_or((data, b""), |it| (&data[..it], &data[it + BETWEEN.len()..]))
}

/// The rows of the trace up to its first mistake.
fn rows(trace: &[u8]) -> Vec<Row> {
    let Ok(text) = std::str::from_utf8(trace) else { return Vec::new() };
    let mut reader = Reader::new();
    let rows = text.lines().map_while(|line| reader.row(line).ok());
    rows.flatten().take(docktor_fuzz::MAX_ROWS).collect()
}

fn simulate(policy: &ScalingPolicy, rows: &[Row]) {
    let profile = policy.spec.profile.as_deref().and_then(built_in);
    if policy.spec.profile.is_some() && profile.is_none() {
        return;
    }
    if profile.is_some() && !validate::effective(&merged(&policy.spec, profile.as_ref())).is_empty() {
        return;
    }
    let spec = Spec::effective(&policy.spec, profile.as_ref()).expect("a valid policy has an effective spec");
    let _ = serde_json::to_string(&effective_policy(&policy.spec, profile.as_ref())).expect("it is written");
    docktor_fuzz::replay(&policy.metadata.name, &spec, rows);
    docktor_fuzz::closed::follow(&policy.metadata.name, &spec, rows);
}
