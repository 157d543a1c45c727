//! A valid policy with any of the features that a decision looks at, and a history in which anything happens.

#![no_main]

use docktor::api::effective::Spec;
use docktor::api::policy::PolicySpec;
use docktor::api::validate;
use docktor::decide::decide;
use docktor::decide::outlook::{Present, outlook};
use docktor::model::memory::Memory;
use docktor_fuzz::make::Chooser;
use docktor_fuzz::{MAX_ROWS, blind, history, policies, remembered, within_bounds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut from = Chooser::new(data);
    let spec = spec(&mut from);
    let mut memory = Memory::default();
    let mut now = history::beginning(&mut from);
    let mut running = from.count(0, 12);
    for _ in 0..MAX_ROWS {
        if from.is_empty() {
            break;
        }
        now = history::next(&mut from, now);
        history::people(&mut from, &mut memory, now);
        let constraints = history::constraints(&mut from);
        let snapshot = history::snapshot(&mut from, running, now);

        let mut copy = memory.clone();
        let decision = decide(&spec, &mut memory, &snapshot, &constraints, now);
        let again = decide(&spec, &mut copy, &snapshot, &constraints, now);
        assert_eq!(decision, again, "the same inputs give another decision");
        assert_eq!(memory, copy, "the same inputs leave another memory");
        within_bounds(&spec, &decision);
        blind(&spec, &memory, decision.current, now);
        let _ = (decision.record(), decision.findings(), decision.reason());
        running = history::outcome(&mut from, &mut memory, &decision, now);
        let present = Present {
            spec: &spec,
            memory: &memory,
            snapshot: &snapshot,
            constraints: &constraints,
            decision: &decision,
            next_evaluation: Some(now.plus(spec.interval)),
        };
        serde_json::to_string(&outlook(&present)).expect("an outlook is written as JSON");
    }
    remembered(&memory);
});

fn spec(from: &mut Chooser<'_>) -> Spec {
    let written = policies::policy(from);
    let policy: PolicySpec =
        serde_json::from_value(written.clone()).unwrap_or_else(|it| panic!("{it}: {written}"));
    let findings = validate::effective(&policy);
    assert!(findings.is_empty(), "made an invalid policy: {findings:?}: {written}");
    Spec::effective(&policy, None).expect("a valid policy has an effective spec")
}
