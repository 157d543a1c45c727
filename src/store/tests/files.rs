//! The ways in which files come, change and go, and files that are none.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::bench::{Bench, keys, policy, simple};

#[test]
fn a_file_written_in_place_or_renamed_over_is_read_again() {
    let mut bench = Bench::with(&[("web.yaml", &simple("web"))]);
    // Same length, and within one tick of most clocks.
    for max in 5..9 {
        bench.write("web.yaml", policy("web", "web", max));
        bench.rescan();
        assert_eq!(bench.max("web"), Some(max));
    }
    bench.write(".web.yaml.new", policy("web", "web", 9));
    fs::rename(bench.path(".web.yaml.new"), bench.path("web.yaml")).unwrap();
    bench.rescan();
    assert_eq!(bench.max("web"), Some(9));
}

#[test]
fn a_config_map_volume_is_swapped_as_a_whole() {
    let mut bench = Bench::new();
    for (version, max) in [("..1", 4), ("..2", 5)] {
        bench.write(&format!("{version}/web.yaml"), policy("web", "web", max));
    }
    symlink("..1", bench.path("..data")).unwrap();
    symlink("..data/web.yaml", bench.path("web.yaml")).unwrap();
    bench.rescan();
    assert_eq!((bench.keys(), bench.max("web")), (vec!["web"], Some(4)));
    symlink("..2", bench.path("..data_tmp")).unwrap();
    fs::rename(bench.path("..data_tmp"), bench.path("..data")).unwrap();
    fs::remove_dir_all(bench.path("..1")).unwrap();
    bench.rescan();
    assert_eq!((bench.keys(), bench.max("web"), bench.get("web").generation), (vec!["web"], Some(5), 2));
}

#[test]
fn a_folder_that_is_a_symlink_may_be_retargeted() {
    let mut bench = Bench::new();
    bench.write("../one/web.yaml", policy("web", "web", 4));
    bench.write("../two/web.yaml", policy("web", "web", 5));
    fs::remove_dir(bench.folder()).unwrap();
    symlink("one", bench.folder()).unwrap();
    bench.rescan();
    fs::remove_file(bench.folder()).unwrap();
    symlink("two", bench.folder()).unwrap();
    bench.rescan();
    assert_eq!(bench.max("web"), Some(5));
}

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"];
    let output = Command::new("git").arg("-C").arg(folder).args(identity).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_git_checkout_may_remove_folders_and_make_them_anew() {
    let mut bench = Bench::new();
    bench.write("team/web.yaml", policy("web", "web", 4));
    bench.write("api.yaml", simple("api"));
    git(&bench.folder(), &["init", "-q"]);
    git(&bench.folder(), &["add", "."]);
    git(&bench.folder(), &["commit", "-qm", "one"]);
    git(&bench.folder(), &["rm", "-rq", "team"]);
    bench.write("team/deep/web.yaml", policy("web", "web", 5));
    git(&bench.folder(), &["add", "."]);
    git(&bench.folder(), &["commit", "-qm", "two"]);
    for (commit, max) in [("HEAD~1", 4), ("main", 5), ("HEAD~1", 4)] {
        git(&bench.folder(), &["checkout", "-q", commit]);
        bench.rescan();
        assert_eq!((bench.running(), bench.max("web")), (vec!["api", "web"], Some(max)));
    }
}

#[test]
fn while_the_folder_itself_is_gone_all_policies_go_on() {
    let mut bench = Bench::with(&[("web.yaml", &simple("web")), ("team/api.yaml", &simple("api"))]);
    fs::rename(bench.folder(), bench.path("../away")).unwrap();
    let changes = bench.rescan();
    assert_eq!((bench.running(), &changes.deleted), (vec!["api", "web"], &keys(&[])));
    assert!(changes.new_problems[0].starts_with("cannot read the policy folder"), "{changes:?}");
    assert!(changes.look_again.is_some());
    bench.restart();
    assert_eq!(bench.running(), ["api", "web"]);

    fs::create_dir(bench.folder()).unwrap();
    bench.write("web.yaml", policy("web", "web", 7));
    assert_eq!(bench.rescan().deleted, keys(&["api"]));
    assert_eq!((bench.running(), bench.max("web")), (vec!["web"], Some(7)));
}

#[test]
fn an_emptied_folder_ends_all_policies() {
    let mut bench = Bench::with(&[("web.yaml", &simple("web"))]);
    bench.remove("web.yaml");
    bench.rescan();
    assert!(bench.keys().is_empty());
}

#[test]
fn a_file_that_cannot_be_read_leaves_its_policies_running() {
    let make_unreadable: [fn(&Path); 4] = [
        |path| fs::create_dir(path).unwrap(),
        |path| symlink("nowhere", path).unwrap(),
        |path| {
            let kind = rustix::fs::FileType::Fifo;
            rustix::fs::mknodat(rustix::fs::CWD, path, kind, 0o600.into(), 0).unwrap();
        },
        |path| fs::File::create(path).unwrap().set_len(64 << 20).unwrap(),
    ];
    for make_unreadable in make_unreadable {
        let mut bench = Bench::with(&[("web.yaml", &simple("web")), ("new.yaml", &simple("new"))]);
        bench.remove("web.yaml");
        make_unreadable(&bench.path("web.yaml"));
        make_unreadable(&bench.path("never.yaml"));
        let changes = bench.rescan();
        assert_eq!((bench.running(), changes.deleted), (vec!["new", "web"], keys(&[])));
        assert!(changes.look_again.is_some());
        assert_eq!(bench.get("web").troubles().len(), 1);
        assert!(bench.get("never.yaml#0").unreadable.is_some());
        bench.restart();
        assert_eq!((bench.running(), bench.get("web").generation), (vec!["new", "web"], 1));
    }
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_no_mistake() {
    let mut bench = Bench::with(&[("web.yaml", &simple("web"))]);
    bench.write("web.yaml", format!("\u{feff}{}", simple("web")));
    bench.write("api.yaml", simple("api").replace('\n', "\r\n"));
    bench.rescan();
    bench.restart();
    assert_eq!((bench.running(), bench.get("web").generation), (vec!["api", "web"], 1));
    assert!(bench.get("api").mistakes.is_empty());
}

#[test]
fn an_emptied_file_ends_its_policies_once_nobody_can_be_still_writing_it() {
    let mut bench = Bench::with(&[("web.yaml", &simple("web"))]);
    bench.write("web.yaml", "");
    bench.rescan();
    assert_eq!(bench.running(), ["web"]);
    std::thread::sleep(std::time::Duration::from_millis(600));
    assert_eq!(bench.rescan().deleted, keys(&["web"]));
}

#[test]
fn a_file_without_documents_has_no_policies() {
    for text in ["\n", "# nothing\n", "---\n---\n", "\u{feff}"] {
        let mut bench = Bench::with(&[("web.yaml", &simple("web"))]);
        bench.write("web.yaml", text);
        assert_eq!(bench.rescan().deleted, keys(&["web"]), "{text:?}");
        assert!(bench.keys().is_empty());
    }
}

#[test]
fn garbage_leaves_the_last_good_text_running() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let alias = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", vec![alias; 9].join(", "));
    }
    let noise: Vec<u8> = (0..1_u32 << 20).map(|it| (it.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let garbage: [(&str, Vec<u8>); 5] = [
        ("not UTF-8", b"metadata: {name: \xff\xfe}\n".to_vec()),
        ("an alias bomb", bomb.into_bytes()),
        ("1 MiB of noise", noise),
        ("1 MiB of text", b"lorem ipsum: {[\n".repeat(1 << 16)),
        ("deep nesting", b"[".repeat(1 << 20)),
    ];
    for (what, bytes) in garbage {
        let mut bench = Bench::with(&[("web.yaml", &simple("web")), ("api.yaml", &simple("api"))]);
        bench.write("web.yaml", &bytes);
        bench.rescan();
        bench.restart();
        assert_eq!(bench.running(), ["api", "web"], "{what}");
        assert!(!bench.get("web").mistakes.is_empty(), "{what}");
    }
}
