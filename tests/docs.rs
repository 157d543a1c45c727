//! The documentation says what the code does, as far as a machine can tell.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory;
use docktor::api::Document;
use docktor::api::effective::{BUILT_IN, built_in};
use docktor::api::read::read;
use docktor::cli::args::Docktorctl;
use docktor::daemon::config::Docktor;
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The README and every page of `docs/`.
fn pages() -> Vec<PathBuf> {
    let pages = fs::read_dir(root().join("docs")).unwrap().map(|it| it.unwrap().path());
    let pages = pages.filter(|it| it.extension().is_some_and(|extension| extension == "md"));
    let mut pages: Vec<_> = pages.chain([root().join("README.md")]).collect();
    pages.sort();
    pages
}

/// What stands between `open` and `close`, everywhere in `text`.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    text.split(open).skip(1).filter_map(|rest| Some(rest.split_once(close)?.0)).collect()
}

/// The variants of an enum without fields, as they stand in a source file.
fn variants(path: &str, name: &str) -> BTreeSet<String> {
    let source = text(path);
    let body = between(&source, &format!("pub enum {name} {{"), "\n}")[0];
    let words = body.lines().filter_map(|line| line.trim().strip_suffix(','));
    words.filter(|word| word.chars().all(char::is_alphanumeric)).map(str::to_owned).collect()
}

/// Source code without tests and comments.
fn production_code(folder: &Path) -> String {
    let mut code = String::new();
    for entry in fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if entry.is_dir() {
            code += &production_code(&entry);
        } else if !name.contains("tests") {
            let source = fs::read_to_string(&entry).unwrap();
            let tested = source.split("#[cfg(test)]\nmod").next().unwrap_or_default();
            code.extend(
                tested.lines().filter(|it| !it.trim_start().starts_with("//")).map(|it| it.to_owned() + "\n"),
            );
        }
    }
    code
}

#[test]
fn every_type_phase_and_reason_of_a_condition_is_explained() {
    let page = text("docs/conditions.md");
    for (path, name) in [
        ("src/api/condition.rs", "ConditionType"),
        ("src/api/condition.rs", "Reason"),
        ("src/api/status.rs", "Phase"),
    ] {
        let words = variants(path, name);
        assert!(words.len() > 5, "{words:?}");
        let missing: Vec<_> = words.iter().filter(|it| !page.contains(&format!("`{it}`"))).collect();
        assert!(missing.is_empty(), "docs/conditions.md lacks {missing:?} of {name}");
    }
}

#[test]
fn a_reason_is_given_somewhere_or_called_reserved() {
    let code = production_code(&root().join("src"));
    let page = text("docs/conditions.md");
    let reserved = page.split("## Reserved").nth(1).expect("a section of reserved reasons");
    for reason in variants("src/api/condition.rs", "Reason") {
        let given = code.contains(&format!("Reason::{reason}"));
        let shown = reserved.contains(&format!("`{reason}`"));
        assert!(given || shown, "nothing gives {reason}, and it is not called reserved");
    }
}

#[test]
fn what_is_not_supported_is_listed_and_nothing_else() {
    let source = text("src/api/effective/unsupported.rs");
    let refused: BTreeSet<_> = between(&source, "\"spec", "\"")
        .into_iter()
        .map(|it| format!("spec{it}").replace("{name}", "NAME").replace("{kind}", "KIND"))
        .collect();
    let page = text("docs/limits.md");
    let rows = page.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once(" |")?.0.to_owned()));
    let listed: BTreeSet<_> = rows
        .flat_map(|cell| cell.split(", ").map(|it| it.trim_matches('`').to_owned()).collect::<Vec<_>>())
        .collect();
    assert_eq!(refused, listed);

    let kinds = text("src/api/metric.rs");
    for kind in between(&kinds, "(_) => \"", "\"") {
        assert!(page.contains(&format!("`{kind}`")), "docs/limits.md does not say how it stands with {kind}");
    }
}

#[test]
fn every_command_and_flag_is_described() {
    for (command, path) in
        [(Docktorctl::command(), "docs/docktorctl.md"), (Docktor::command(), "docs/running.md")]
    {
        let page = text(path);
        let mut waiting = vec![command];
        while let Some(command) = waiting.pop() {
            for argument in command.get_arguments().filter(|it| !it.is_hide_set()) {
                let flag = argument.get_long().filter(|it| !["help", "version"].contains(it));
                let found = flag.is_none_or(|flag| page.contains(&format!("--{flag}")));
                assert!(found, "{path} lacks --{} of {}", flag.unwrap_or_default(), command.get_name());
            }
            for inner in command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help") {
                let name = inner.get_name();
                let shown = [format!("`{name}"), format!("docktor {name}"), format!("docktor daemon {name}")];
                assert!(shown.iter().any(|it| page.contains(it)), "{path} lacks {name}");
                waiting.push(inner.clone());
            }
        }
    }
}

#[test]
fn every_field_of_the_kinds_is_described() {
    let page = text("docs/policy.md");
    for (name, schema) in docktor::api::schema::schemas() {
        let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
        let mut fields = BTreeSet::new();
        collect_fields(&schema, &mut fields);
        let written = |field: &&String| {
            ["`", "{", " ", "."].iter().any(|before| {
                ["`", ":", ",", "}", "."]
                    .iter()
                    .any(|after| page.contains(&format!("{before}{field}{after}")))
            })
        };
        let missing: Vec<_> = fields.iter().filter(|it| !written(it)).collect();
        assert!(missing.is_empty(), "docs/policy.md lacks {missing:?} of {name}");
    }
}

#[test]
fn the_built_in_profiles_are_documented_with_all_their_numbers() {
    let page = text("docs/policy.md");
    let section = between(&page, "### Built-in profiles", "\n## ")[0];
    let written = read("policy.md", between(section, "```yaml\n", "```")[0].as_bytes());
    let Ok(Document::ScalingProfile(balanced)) = &written[0].document else { panic!("{written:?}") };
    assert_eq!(Some(&balanced.spec), built_in(&balanced.metadata.name).as_ref());

    let rows = section.lines().filter(|it| it.starts_with("| `"));
    let rows: Vec<Vec<&str>> =
        rows.map(|it| it.trim_matches('|').split('|').map(str::trim).collect()).collect();
    assert_eq!(rows.len(), BUILT_IN.len());
    for row in rows {
        let [name, cpu, memory, tasks, consecutive, step, cooldown] = row[..] else { panic!("{row:?}") };
        let mut spec = balanced.spec.clone();
        let (up, down) = (spec.scale_up.as_mut().unwrap(), spec.scale_down.as_mut().unwrap());
        for (rule, above) in up.rules.as_mut().unwrap().iter_mut().zip([cpu, memory, tasks]) {
            rule.value = Some(above.parse().unwrap());
        }
        up.consecutive = Some(consecutive.parse().unwrap());
        up.step = Some(step.parse().unwrap());
        up.cooldown = Some(cooldown.parse().unwrap());
        down.cooldown = up.cooldown;
        assert_eq!(Some(spec), built_in(name.trim_matches('`')), "{name}");
    }
}

fn collect_fields(schema: &serde_json::Value, fields: &mut BTreeSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(|it| it.as_object()) {
        fields.extend(properties.keys().cloned());
    }
    match schema {
        serde_json::Value::Object(members) => members.values().for_each(|it| collect_fields(it, fields)),
        serde_json::Value::Array(items) => items.iter().for_each(|it| collect_fields(it, fields)),
        _ => {}
    }
}

#[test]
fn every_trend_and_model_is_described() {
    let page = text("docs/metrics.md");
    for kind in docktor::api::trend_metric::TrendKind::ALL {
        assert!(page.contains(&format!("`{}`", kind.suffix())), "docs/metrics.md lacks {kind:?}");
    }
    let page = text("docs/policy.md");
    for model in variants("src/model/forecast.rs", "Model") {
        let word = match model.as_str() {
            "SeasonalNaive" => "seasonal-naive",
            "HoltWinters" => "holt-winters",
            other => &other.to_lowercase(),
        };
        assert!(page.contains(&format!("| `{word}` |")), "docs/policy.md lacks {word}");
    }
}

#[test]
fn every_route_is_described() {
    let page = text("docs/api.md");
    let source = text("src/http/openapi.rs");
    let routes: Vec<_> = between(&source, "\"/", "\":").into_iter().filter(|it| !it.contains('"')).collect();
    assert!(routes.len() > 10, "{routes:?}");
    for route in routes {
        let route = format!("/{}", route.replace("{name}", "NAME"));
        assert!(page.contains(&route), "docs/api.md lacks {route}");
    }
}

#[test]
fn whole_policies_in_the_documentation_are_right() {
    let mut checked = 0;
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        for block in between(&page, "```yaml\n", "\n```") {
            if block.contains("kind: ScalingPolicy\n") {
                for parsed in read("page.yaml", block.as_bytes()) {
                    assert!(parsed.document.is_ok(), "{}: {:?}", path.display(), parsed.document.err());
                    checked += 1;
                }
            }
        }
    }
    assert!(checked >= 2, "{checked}");
}

#[test]
fn links_lead_somewhere_and_the_index_has_every_page() {
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        for link in between(&page, "](", ")").into_iter().filter(|it| !it.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(file.exists(), "{}: {link}", path.display());
            assert!(anchor.is_empty() || has_heading(&file, anchor), "{}: no {anchor}", path.display());
        }
    }
    let index = text("docs/README.md");
    for page in pages().iter().filter(|it| !it.ends_with("README.md")) {
        let name = page.file_name().unwrap().to_string_lossy();
        assert!(index.contains(&format!("]({name})")), "docs/README.md lacks {name}");
    }
}

/// Does a page have the heading that `anchor` means, in the manner of forges?
fn has_heading(page: &Path, anchor: &str) -> bool {
    let page = fs::read_to_string(page).unwrap_or_default();
    let slug = |heading: &str| -> String {
        let kept = heading.trim().to_lowercase();
        let kept = kept.chars().filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
        kept.map(|it| if it == ' ' { '-' } else { it }).collect()
    };
    page.lines()
        .filter_map(|line| line.strip_prefix('#'))
        .any(|it| slug(it.trim_start_matches('#')) == anchor)
}

#[test]
fn the_front_door_lists_every_module_in_its_order() {
    let lib = text("src/lib.rs");
    let modules: Vec<_> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let map = lib.lines().filter_map(|line| line.strip_prefix("//! | ")?.split_once(" |"));
    let listed: Vec<_> =
        map.filter(|it| it.0.ends_with(['`', ']'])).map(|it| it.0.trim_matches(['[', ']', '`'])).collect();
    assert_eq!(modules, listed);
}

/// The commands of a page's consoles, each with what the page says that it prints.
fn commands(page: &str) -> Vec<(&str, &str)> {
    let consoles = between(page, "```console\n$ ", "\n```").into_iter();
    let entries = consoles.flat_map(|it| it.split("\n$ "));
    entries.map(|it| it.split_once('\n').unwrap_or((it, ""))).collect()
}

#[test]
fn the_walk_from_a_trace_to_a_policy_prints_what_it_says() {
    let folder = TempDir::new().unwrap();
    symlink(root().join("examples"), folder.path().join("examples")).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_docktorctl")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let page = text("docs/from-trace-to-policy.md");
    // The history of one's own service needs a controller.
    let commands = commands(&page).into_iter().filter(|(it, _)| !it.contains("--from-history"));
    let mut simulated = 0;
    for (command, said) in commands {
        let mut shell = Command::new("sh");
        shell.env_clear().env("PATH", &path).env("HOME", folder.path()).current_dir(folder.path());
        let output = shell.args(["-c", command]).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(printed.trim_end(), said, "{command}\n{errors}");
        simulated += usize::from(command.contains("docktorctl simulate"));
    }
    assert!(simulated >= 12, "{simulated}");
}

#[test]
fn the_pictures_are_those_that_simulate_draws() {
    let (folder, images) = (TempDir::new().unwrap(), root().join("docs/images"));
    let mut make = Command::new(images.join("make"));
    let done = make.arg(env!("CARGO_BIN_EXE_docktorctl")).arg(folder.path()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let drawn: BTreeSet<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    let page = text("docs/from-trace-to-policy.md");
    let shown = between(&page, "](images/", ")").into_iter().filter(|it| it.ends_with(".svg"));
    assert_eq!(drawn, shown.map(str::to_owned).collect());
    for name in drawn {
        let same = fs::read(folder.path().join(&name)).unwrap() == fs::read(images.join(&name)).unwrap();
        assert!(same, "docs/images/{name} is not what is drawn now: run docs/images/make");
    }
}
