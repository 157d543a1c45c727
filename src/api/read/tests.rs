//! Properties of reading, and its edges. What people see of mistakes is in `tests/golden`.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::api::policy::ScalingPolicy;

/// All mistakes of a file as a person sees them.
fn rendered(file: &str, bytes: &[u8]) -> String {
    let mut text = String::new();
    for parsed in read(file, bytes) {
        match parsed.document {
            Ok(document) => {
                writeln!(text, "document {}: {}\n", parsed.index, document.metadata().name).unwrap()
            }
            Err(mistakes) => mistakes.iter().for_each(|mistake| writeln!(text, "{mistake}\n").unwrap()),
        }
    }
    text
}

const MINIMAL: &str = "apiVersion: docktor.dev/v1
kind: ScalingPolicy
metadata: {name: web}
spec:
  target: {compose: {project: shop, service: web}}
  replicas: {min: 1, max: 5}
  scaleUp: {rules: [{metric: cpu.avg, op: \">\", value: 75}]}
";

fn only(bytes: &[u8]) -> Parsed {
    let mut parsed = read("a.yaml", bytes);
    assert_eq!(parsed.len(), 1);
    parsed.remove(0)
}

#[test]
fn nothing_and_comments_are_no_documents_but_empty_ones_count() {
    for text in ["", "\n\n", "# only words\n", "---\n---\n", "\u{feff}", "---\n# a\n...\n", "--- ~\n"] {
        assert_eq!(read("a.yaml", text.as_bytes()), [], "{text:?}");
    }
    let parsed = only(format!("---\n---\n# second\n---\n{MINIMAL}").as_bytes());
    assert_eq!((parsed.index, parsed.line), (2, 4));
    assert!(parsed.document.is_ok());
}

#[test]
fn a_byte_order_mark_and_other_line_ends_change_nothing() {
    let broken = MINIMAL.replace("max: 5", "max: five");
    let plain = only(broken.as_bytes()).document.unwrap_err();
    assert_eq!((plain[0].line, plain[0].column), (6, 27));
    for text in [format!("\u{feff}{broken}"), broken.replace('\n', "\r\n"), broken.replace('\n', "\r")] {
        assert_eq!(only(text.as_bytes()).document.unwrap_err(), plain, "{text:?}");
    }
}

#[test]
fn a_document_with_wrong_syntax_does_not_take_others_along() {
    let text = format!("{MINIMAL}---\nkind: [\n---\n{}", MINIMAL.replace("name: web", "name: api"));
    let parsed = read("a.yaml", text.as_bytes());
    let names: Vec<_> = parsed.iter().map(|it| (it.name.as_deref(), it.document.is_ok())).collect();
    assert_eq!(names, [(Some("web"), true), (None, false), (Some("api"), true)]);
}

#[test]
fn the_name_is_known_even_where_the_rest_is_no_yaml() {
    let parsed = only(format!("{MINIMAL}  mode: [Auto\n").as_bytes());
    assert_eq!((parsed.name.as_deref(), parsed.kind.as_deref()), (Some("web"), Some("ScalingPolicy")));
    assert!(parsed.document.unwrap_err()[0].message.contains("no valid YAML"));
}

#[test]
fn bytes_that_are_no_utf8_are_told_with_their_place() {
    let mut bytes = b"a: 1\nb: x".to_vec();
    bytes.extend([0xff, b'\n']);
    let mistakes = only(&bytes).document.unwrap_err();
    assert_eq!((mistakes[0].line, mistakes[0].column), (2, 5));
    assert!(mistakes[0].message.contains("byte 9"), "{}", mistakes[0].message);
}

#[test]
fn a_secret_is_never_repeated() {
    for text in [
        "    queue: {rabbitmq: {url: \"http://me:hunter2@host\", queue: q}}",
        "    queue: {rabbitmq: {url: \"http://host\", queue: q, auth: {user: me, password: hunter2}}}",
        "    queue: {rabbitmq: {url: \"http://host\", queue: q, tls: {key: hunter2}}, bad: 1}",
        "    queue: {nats: {url: \"nats://host\", stream: s, consumer: c, credentials: hunter2, streem: s}}",
        "    queue: {http: {url: \"http://host\", headers: {Authorization: Bearer hunter2}}}",
        "    queue: {nats: {url: \"nats://host\", nkey: hunter2, [",
    ] {
        let text = format!("{MINIMAL}  metrics:\n{text}\n");
        let shown = rendered("a.yaml", text.as_bytes());
        assert!(shown.contains("error: ") && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn merge_keys_and_aliases_work_as_in_compose_files() {
    let text = MINIMAL.replace(
        "  scaleUp:",
        "  metrics:
    one: {rabbitmq: &broker {url: \"http://rabbit:15672\", queue: one}}
    two: {rabbitmq: {<<: *broker, queue: two}}
  scaleUp:",
    );
    let Document::ScalingPolicy(policy) = only(text.as_bytes()).document.unwrap() else {
        panic!("another kind")
    };
    let metrics = policy.spec.metrics.unwrap();
    let crate::api::metric::MetricSource::Rabbitmq(two) = &metrics["two"] else { panic!("another source") };
    assert_eq!((two.url.as_str(), two.queue.as_deref()), ("http://rabbit:15672", Some("two")));
}

/// Every place that a mistake names lies in the text.
fn check_places(text: &str, parsed: &[Parsed]) {
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').split(['\n', '\r']).collect();
    for mistake in parsed.iter().filter_map(|it| it.document.as_ref().err()).flatten() {
        assert!(mistake.line >= 1 && mistake.line <= lines.len(), "{mistake}");
        assert!(mistake.column >= 1 && mistake.column <= text.chars().count() + 1, "{mistake}");
    }
}

/// Texts that look like YAML, and like ours.
fn yaml_like() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "a",
        "1",
        ":",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "\"",
        "'",
        "#",
        "&a ",
        "*a",
        "!t ",
        "|",
        ">",
        "---",
        "...",
        "\t",
        "\r\n",
        "ä",
        "\u{feff}",
        "<<",
        "~",
        "spec",
        "kind: ScalingPolicy",
        "apiVersion: docktor.dev/v1",
        "metadata",
        "metrics",
        "rules",
        "%YAML",
        "? ",
        "\\",
        "0x",
        "mode",
        "\u{0}",
    ]);
    prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

/// The minimal policy with some characters replaced.
fn damaged() -> impl Strategy<Value = String> {
    let edits = prop::collection::vec((0..MINIMAL.len(), yaml_like()), 1..4);
    edits.prop_map(|edits| {
        let mut text = MINIMAL.to_owned();
        for (at, piece) in edits {
            let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.insert_str(at, &piece);
        }
        text
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read("a.yaml", &bytes);
    }

    #[test]
    fn no_text_makes_it_panic_or_point_outside(text in prop_oneof![yaml_like(), damaged()]) {
        let parsed = read("a.yaml", text.as_bytes());
        check_places(&text, &parsed);
        for it in parsed.iter().filter(|it| it.document.is_ok()) {
            let again = read("a.yaml", it.text.as_bytes());
            prop_assert_eq!(&again[0].document, &it.document);
        }
    }

    #[test]
    fn a_policy_that_is_written_by_serde_reads_back_equal(
        min in 1u32..5,
        more in 0u32..100,
        value in -1e9f64..1e9,
        millis in 1_000u64..3_600_000,
        label in "[a-z0-9]{1,10}",
        number in "[0-9]{1,5}|0x1f|true|null|~|1e3|yes",
    ) {
        let mut policy: ScalingPolicy = match only(MINIMAL.as_bytes()).document {
            Ok(Document::ScalingPolicy(policy)) => policy,
            other => panic!("{other:?}"),
        };
        policy.metadata.labels.insert("l".to_owned(), label);
        policy.metadata.annotations.insert("a".to_owned(), number);
        let replicas = policy.spec.replicas.as_mut().unwrap();
        (replicas.min, replicas.max) = (Some(min), Some(min + more));
        policy.spec.interval = Some(crate::units::Duration::from_millis(millis));
        policy.spec.scale_up.as_mut().unwrap().rules.as_mut().unwrap()[0].value = Some(value);
        let document = Document::ScalingPolicy(policy);
        let written = document.to_yaml().unwrap();
        prop_assert_eq!(only(written.as_bytes()).document, Ok(document));
    }
}
