//! The house keeps its order: a folder uses only what stands above it in `lib.rs`, and what calls itself
//! pure knows no tokio, files, network, clock or logging.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that are pure.
const PURE: [&str; 7] = ["units", "expr", "api", "model", "strategies", "decide", "simulation"];

/// What pure code does not name.
const IMPURE: [&str; 9] = [
    "tokio::",
    "std::fs",
    "std::net",
    "std::time::Instant",
    "SystemTime",
    "Timestamp::now",
    "tracing::",
    "std::env::",
    "fastrand::",
];

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a source folder can be listed") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The text without its tests, which may use what they like, and without comments.
fn production_code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file can be read");
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules of `lib.rs`, in their order.
fn modules() -> Vec<String> {
    let lib = fs::read_to_string(source_root().join("lib.rs")).expect("lib.rs can be read");
    lib.lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}

/// The top-level module a file belongs to.
fn module_of(path: &Path) -> String {
    let inner = path.strip_prefix(source_root()).expect("the file is below src");
    let first =
        inner.components().next().expect("a file has a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The first words after each `crate::` in the code.
fn used_modules(code: &str) -> Vec<String> {
    code.split("crate::")
        .skip(1)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(list) => list
                .split('}')
                .next()
                .unwrap_or_default()
                .split(',')
                .map(|it| it.trim().to_owned())
                .collect::<Vec<_>>(),
            None => vec![rest.to_owned()],
        })
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

#[test]
fn a_file_uses_only_what_stands_above_it() {
    let order: BTreeMap<String, usize> =
        modules().into_iter().enumerate().map(|(place, name)| (name, place)).collect();
    assert!(order.len() > 5, "lib.rs lists its modules: {order:?}");

    let mut mistakes = Vec::new();
    for path in rust_files(&source_root()) {
        let Some(own) = order.get(&module_of(&path)) else { continue };
        for used in used_modules(&production_code(&path)) {
            if order.get(&used).is_some_and(|other| other > own) {
                mistakes.push(format!("{} uses {used}, which stands below it", path.display()));
            }
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn pure_code_knows_no_world() {
    let mut mistakes = Vec::new();
    for folder in PURE.iter().map(|name| source_root().join(name)).filter(|folder| folder.is_dir()) {
        for path in rust_files(&folder) {
            let code = production_code(&path);
            for word in IMPURE {
                if code.contains(word) {
                    mistakes.push(format!("{} names {word}", path.display()));
                }
            }
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn only_the_clock_reads_the_time() {
    let mistakes: Vec<_> = rust_files(&source_root())
        .into_iter()
        .filter(|path| !path.ends_with("clock.rs"))
        .filter(|path| {
            let code = production_code(path);
            ["SystemTime::now", "Timestamp::now()", "Zoned::now"].iter().any(|word| code.contains(word))
        })
        .collect();
    assert!(mistakes.is_empty(), "the time is read in {mistakes:?}");
}

#[test]
fn nothing_is_left_to_do_without_an_owner() {
    let mistakes: Vec<_> = rust_files(&source_root())
        .into_iter()
        .filter(|path| {
            let code = fs::read_to_string(path).expect("a source file can be read");
            ["todo!(", "unimplemented!(", "TODO", "FIXME", "dbg!("].iter().any(|word| code.contains(word))
        })
        .collect();
    assert!(mistakes.is_empty(), "unfinished: {mistakes:?}");
}
