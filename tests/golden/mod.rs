//! What people see when they make mistakes: every file of `tests/golden/errors` with its snapshot beside it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use docktor::api::read::{MAX_FILE_BYTES, read};

/// Far more than reading any file takes, far less than an attack would take.
const QUICK: Duration = Duration::from_secs(4);

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

/// Every policy file of the examples. Those of `examples/web` stand beside a Compose file.
fn examples() -> Vec<PathBuf> {
    let folders = [
        "examples",
        "examples/traces",
        "examples/traces/steps",
        "examples/web/policies",
        "examples/systemd/policies",
    ];
    folders.iter().flat_map(|it| files(&folder(it))).collect()
}

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

#[test]
fn every_mistake_is_told_with_its_place_and_what_would_be_right() {
    let folder = folder("tests/golden/errors");
    let files = files(&folder);
    assert!(files.len() >= 60, "{} files", files.len());
    insta::with_settings!({snapshot_path => &folder, prepend_module_to_snapshot => false, omit_expression => true}, {
        for path in files {
            let name = path.file_name().unwrap().to_str().unwrap();
            let shown = rendered(name, &std::fs::read(&path).unwrap());
            assert!(shown.contains("error: "), "{name} is not refused");
            insta::assert_snapshot!(path.file_stem().unwrap().to_str().unwrap(), shown);
        }
    });
}

#[test]
fn all_examples_are_right() {
    for path in examples() {
        let bytes = std::fs::read(&path).unwrap();
        let parsed = read(path.to_str().unwrap(), &bytes);
        assert!(!parsed.is_empty(), "{} is empty", path.display());
        assert!(parsed.iter().all(|it| it.document.is_ok()), "{}", rendered(path.to_str().unwrap(), &bytes));
    }
}

#[test]
fn every_example_reads_back_as_the_same() {
    for path in examples() {
        for parsed in read("example.yaml", &std::fs::read(&path).unwrap()) {
            let again = read("example.yaml", parsed.text.as_bytes());
            assert_eq!(again.len(), 1, "{}", parsed.text);
            assert_eq!(again[0].document, parsed.document, "{}", parsed.text);
            let document = parsed.document.unwrap();
            let written = document.to_yaml().unwrap();
            assert_eq!(read("written.yaml", written.as_bytes())[0].document, Ok(document), "{written}");
        }
    }
}

#[test]
fn the_policies_in_the_documentation_are_right() {
    let text = std::fs::read_to_string(folder("docs/policy.md")).unwrap();
    let blocks = text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let policies: Vec<_> = blocks.filter(|block| block.starts_with("apiVersion:")).collect();
    assert!(!policies.is_empty());
    for policy in policies {
        assert!(
            read("docs/policy.md", policy.as_bytes())[0].document.is_ok(),
            "{}",
            rendered("docs", policy.as_bytes())
        );
    }
}

#[test]
fn what_is_meant_to_exhaust_us_is_refused_quickly() {
    let bomb: String =
        (1..20).map(|i| format!("x{i}: &x{i} [{}]\n", format!("*x{},", i - 1).repeat(9))).collect();
    let long_text = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(10_000));
    for (what, text) in [
        ("nested lists", "[".repeat(20_000)),
        ("nested mappings", "{a: ".repeat(20_000)),
        ("nested blocks", "- ".repeat(20_000)),
        ("alias bomb", format!("x0: &x0 [lol]\n{bomb}")),
        ("repeated text", long_text),
        ("garbage", "\u{1}\u{2}[}{]:,?&*!|>'\"%@`#-".repeat(1 << 15)),
        ("tabs", format!("{}x", "\t".repeat(1 << 20))),
        ("one word", "a".repeat(1 << 20)),
        ("keys", "? ".repeat(1 << 19)),
        ("anchors", "&a ".repeat(1 << 18)),
        ("duplicates", "a: 1\n".repeat(1 << 17)),
        ("unknown fields", (0..50_000).map(|i| format!("k{i}: 1\n")).collect()),
        (
            "many fields",
            format!("kind: Notifier\n{}", (0..15_000).map(|i| format!("k{i}: 1\n")).collect::<String>()),
        ),
        ("documents", "---\na\n".repeat(200_000)),
        ("quotes", "\"".repeat(1 << 20)),
        ("too large", "#".repeat(MAX_FILE_BYTES + 1)),
    ] {
        let begun = Instant::now();
        let parsed = read("a.yaml", text.as_bytes());
        assert!(begun.elapsed() < QUICK, "{what} took {:?}", begun.elapsed());
        assert!(parsed.iter().any(|it| it.document.is_err()), "{what}");
        let most = parsed.iter().filter_map(|it| it.document.as_ref().err()).map(Vec::len).max();
        assert!(most <= Some(50), "{what}");
    }
}

#[test]
fn the_schemas_in_manifests_are_those_of_the_types() {
    let folder = folder("manifests/schema");
    for (name, text) in docktor::api::schema::schemas() {
        let written = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        if written != text && std::env::var_os("DOCKTOR_GENERATE").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(name), text).unwrap();
            continue;
        }
        assert!(written == text, "manifests/schema/{name} is out of date: run `make generate`");
    }
}
