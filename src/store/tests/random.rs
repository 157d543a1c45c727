//! Any sequence of edits, however it is cut into rescans, ends where a restart would.

use std::fs;

use proptest::prelude::*;

use super::bench::{Bench, policy, wrong};

#[derive(Debug, Clone)]
enum Edit {
    Write { file: usize, documents: Vec<Text> },
    Remove(usize),
    Rename(usize, usize),
    MakeFolder(usize),
    Rescan,
    Restart,
}

#[derive(Debug, Clone)]
enum Text {
    Good { name: usize, service: usize, max: u32 },
    Wrong(usize),
    Broken,
    Profile { good: bool },
    User(usize),
}

const FILES: [&str; 4] = ["a.yaml", "b.yml", "sub/c.yaml", "sub/d.yaml"];
const NAMES: [&str; 3] = ["api", "shop", "web"];

impl Text {
    fn yaml(&self) -> String {
        match self {
            Self::Good { name, service, max } => policy(NAMES[*name], NAMES[*service], *max),
            Self::Wrong(name) => wrong(NAMES[*name]),
            Self::Broken => "a: [\n".to_owned(),
            Self::Profile { good } => format!(
                "apiVersion: docktor.dev/v1\nkind: ScalingProfile\nmetadata: {{name: calm}}\nspec: {{interval: {}}}\n",
                if *good { "20s" } else { "soon" }
            ),
            Self::User(name) => {
                policy(NAMES[*name], NAMES[*name], 4).replace("spec:\n", "spec:\n  profile: calm\n")
            }
        }
    }
}

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![
        4 => (0..3_usize, 0..3_usize, 2..4_u32).prop_map(|(name, service, max)| Text::Good { name, service, max }),
        1 => (0..3_usize).prop_map(Text::Wrong),
        1 => Just(Text::Broken),
        1 => any::<bool>().prop_map(|good| Text::Profile { good }),
        1 => (0..3_usize).prop_map(Text::User),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    let documents = prop::collection::vec(text(), 0..4);
    prop_oneof![
        6 => (0..4_usize, documents).prop_map(|(file, documents)| Edit::Write { file, documents }),
        2 => (0..4_usize).prop_map(Edit::Remove),
        2 => (0..4_usize, 0..4_usize).prop_map(|(from, to)| Edit::Rename(from, to)),
        1 => (0..4_usize).prop_map(Edit::MakeFolder),
        4 => Just(Edit::Rescan),
        1 => Just(Edit::Restart),
    ]
}

fn clear(bench: &Bench, file: usize) {
    let path = bench.path(FILES[file]);
    let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
}

fn apply(bench: &mut Bench, edit: &Edit) {
    match edit {
        Edit::Write { file, documents } => {
            clear(bench, *file);
            let documents: Vec<_> = documents.iter().map(Text::yaml).collect();
            bench.write(FILES[*file], documents.join("---\n"));
        }
        Edit::Remove(file) => clear(bench, *file),
        Edit::Rename(from, to) if bench.path(FILES[*from]).exists() && from != to => {
            clear(bench, *to);
            let to = bench.path(FILES[*to]);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::rename(bench.path(FILES[*from]), to).unwrap();
        }
        Edit::Rename(..) => {}
        Edit::MakeFolder(file) => {
            clear(bench, *file);
            fs::create_dir_all(bench.path(FILES[*file])).unwrap();
        }
        Edit::Rescan => {
            bench.rescan();
        }
        Edit::Restart => bench.restart(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_edits_end_where_a_restart_would(edits in prop::collection::vec(edit(), 1..24)) {
        let mut bench = Bench::new();
        for edit in &edits {
            apply(&mut bench, edit);
        }
        bench.rescan();
        let mut targets: Vec<_> = bench
            .store
            .entries()
            .filter(|it| it.runs())
            .map(|it| it.policy.as_ref().unwrap().spec.target.as_ref().unwrap().to_string())
            .collect();
        let running = targets.len();
        targets.sort();
        targets.dedup();
        prop_assert_eq!(targets.len(), running, "no target has two policies");
        for entry in bench.store.entries().filter(|it| !it.runs()) {
            prop_assert!(!entry.troubles().is_empty(), "what does not run says why: {:?}", entry);
        }
    }
}
