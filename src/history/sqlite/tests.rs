//! On real files. The writer is driven by hand where a test is about it, so that nothing waits for a clock.

use std::fs;
use std::sync::Arc;
use std::time::Duration as Wait;

use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::retention::{Kept, sweep};
use super::schema::VERSION;
use super::writer::{Pace, Writer};
use super::{Archive, FILE, begin};
use crate::api::policy::Mode;
use crate::api::status::{Action, DecisionRecord};
use crate::history::entry::{Decided, Kind, Sample, Series};
use crate::history::trace::PastRow;
use crate::history::{BUCKET, Entry, HistoryError};
use crate::model::key::PolicyKey;
use crate::telemetry::metrics::Metrics;
use crate::units::{Duration, Timestamp};

/// 2026-11-18T11:05:00Z, where five minutes begin.
const START: i64 = 1_795_000_000 - 100;

struct Bench {
    state: TempDir,
    metrics: Arc<Metrics>,
    writer: Writer,
}

impl Bench {
    fn new() -> Self {
        let state = TempDir::new().unwrap();
        let metrics = Arc::new(Metrics::new("test"));
        let writer = Writer::new(state.path().join(FILE), pace(), Arc::clone(&metrics));
        Self { state, metrics, writer }
    }

    fn write(&mut self, entries: impl IntoIterator<Item = Entry>) {
        entries.into_iter().for_each(|it| self.writer.take(it));
        self.writer.commit();
    }

    fn archive(&self) -> Archive {
        Archive::at(self.state.path())
    }

    fn rows(&self) -> Vec<PastRow> {
        rows(&self.archive(), 0)
    }

    fn file(&self) -> std::path::PathBuf {
        self.state.path().join(FILE)
    }

    fn errors(&self) -> u32 {
        figure(&self.metrics, "docktor_history_errors_total")
    }

    fn dropped(&self) -> u32 {
        figure(&self.metrics, "docktor_history_dropped_total")
    }
}

fn figure(metrics: &Metrics, name: &str) -> u32 {
    let text = metrics.render();
    let line = text.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
    line.expect("the family is there").parse().unwrap()
}

fn pace() -> Pace {
    Pace {
        batch: Wait::from_millis(10),
        busy: Wait::from_millis(10),
        retry: Wait::from_millis(10),
        sweep: Wait::ZERO,
        kept: Kept::new(Duration::from_secs(3_600)),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(START + seconds)
}

fn sample(kind: Kind, name: &str, value: f64) -> Sample {
    Sample { series: Series { kind, name: name.into() }, value }
}

fn entry(seconds: i64, cpu: f64) -> Entry {
    let samples = vec![
        sample(Kind::Replicas, "current", 2.0),
        sample(Kind::Replicas, "desired", 3.0),
        sample(Kind::Observed, "cpu.avg", cpu),
        sample(Kind::Computed, "work", cpu * 2.0),
    ];
    Entry { policy: PolicyKey::new("web"), generation: 1, at: at(seconds), samples, decision: None }
}

fn decision(seconds: i64, to: u32) -> Entry {
    let record = DecisionRecord {
        time: at(seconds),
        action: Action::ScaleUp,
        from: 2,
        to,
        reason: "cpu.avg 89.3 > 75".to_owned(),
        limited_by: Some("max".to_owned()),
        trail: serde_json::from_str(r#"[{"stage": "observe", "replicas": 2, "message": "2 running"}]"#)
            .unwrap(),
        limits: serde_json::from_str(r#"{"cpuQuota": "300%"}"#).unwrap(),
        limits_before: None,
        approval: None,
    };
    let decided = Decided { record, mode: Mode::Observe, acted: false };
    Entry { samples: Vec::new(), decision: Some(Box::new(decided)), ..entry(seconds, 0.0) }
}

fn rows(archive: &Archive, since: i64) -> Vec<PastRow> {
    let Some(mut past) = archive.past("web", Timestamp::from_secs(since)).unwrap() else { return Vec::new() };
    let mut rows = Vec::new();
    loop {
        let page = past.page().unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

#[test]
fn what_was_observed_comes_back_as_a_trace_and_what_follows_from_it_does_not() {
    let mut bench = Bench::new();
    bench.write([entry(0, 41.25), entry(10, 43.0)]);
    let row =
        |seconds, cpu| PastRow { at: at(seconds), current: Some(2), metrics: vec![("cpu.avg".into(), cpu)] };
    assert_eq!(bench.rows(), [row(0, 41.25), row(10, 43.0)]);
    assert_eq!(rows(&bench.archive(), START + 10), [row(10, 43.0)], "`since` itself included");
    assert!(bench.archive().past("api", at(0)).unwrap().is_none());
    assert_eq!(bench.archive().samples("web", "work", at(0)).unwrap(), [(at(0), 82.5), (at(10), 86.0)]);
    assert_eq!(bench.archive().samples("web", "current", at(0)).unwrap(), [], "a count is no metric");
}

#[test]
fn a_past_longer_than_a_page_comes_whole_and_in_order() {
    let mut bench = Bench::new();
    let count = 1_234;
    bench.write((0..count).map(|n| entry(n, n as f64)));
    let rows = bench.rows();
    assert_eq!(rows.len() as i64, count);
    assert!(rows.iter().zip(0..).all(|(row, n)| row.at == at(n) && row.metrics[0].1 == n as f64));
}

#[test]
fn decisions_come_back_as_they_were_and_the_newest_stay() {
    let mut bench = Bench::new();
    bench.write([decision(0, 4), decision(10, 5), decision(20, 6)]);
    let found = bench.archive().decisions(Some("web"), at(0), 2).unwrap();
    let written = |it: Entry| it.decision.unwrap().record;
    assert_eq!(found[0].record, written(decision(10, 5)));
    assert_eq!(found[1].record, written(decision(20, 6)));
    assert_eq!((found[0].mode, found[0].acted, found[0].generation), (Mode::Observe, false, 1));
    assert_eq!(bench.archive().decisions(None, at(20), 10).unwrap().len(), 1);
    assert_eq!(bench.archive().decisions(Some("api"), at(0), 10).unwrap(), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_mean_is_exactly_count_sum_min_and_max_of_its_five_minutes(
        values in prop::collection::vec((0i64..2_000, -1e6f64..1e6), 1..60),
        batch in 1usize..20,
    ) {
        let mut bench = Bench::new();
        let mut first = std::collections::BTreeSet::new();
        // The second value of a moment is left out.
        let written: Vec<_> = values.iter().copied().filter(|it| first.insert(it.0)).collect();
        for part in values.chunks(batch) {
            bench.write(part.iter().map(|(seconds, cpu)| entry(*seconds, *cpu)));
        }
        let connection = Connection::open(bench.file()).unwrap();
        let mut statement = connection.prepare(
            "SELECT at, count, sum, min, max FROM means JOIN series ON series.id = series WHERE name = 'cpu.avg'",
        ).unwrap();
        let means = statement.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, f64>(2)?, row.get::<_, f64>(3)?, row.get::<_, f64>(4)?))
        }).unwrap().map(Result::unwrap).collect::<Vec<_>>();
        let mut counted = 0;
        for (begin, count, sum, min, max) in means {
            let inside: Vec<f64> = written.iter()
                .filter(|it| (begin..begin + BUCKET.as_millis()).contains(&at(it.0).as_millis()))
                .map(|it| it.1).collect();
            prop_assert_eq!(count as usize, inside.len());
            prop_assert_eq!(sum, inside.iter().sum::<f64>());
            prop_assert_eq!(min, inside.iter().copied().fold(f64::INFINITY, f64::min));
            prop_assert_eq!(max, inside.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            counted += inside.len();
        }
        prop_assert_eq!(counted, written.len());
    }
}

#[test]
fn old_samples_go_and_their_means_stand_for_them_without_a_gap_or_an_overlap() {
    let mut bench = Bench::new();
    bench.write((0..720).map(|n| entry(n * 10, n as f64)));
    let rows = bench.rows();
    // An hour is kept, from where five minutes begin: 7,190 - 3,600 = 3,590 s, so from 3,300 s on.
    let (means, samples): (Vec<_>, Vec<_>) = rows.iter().partition(|it| it.at < at(3_300));
    assert_eq!(
        means.iter().map(|it| it.at).collect::<Vec<_>>(),
        (0..11).map(|n| at(n * 300)).collect::<Vec<_>>()
    );
    assert_eq!(means[0].metrics[0].1, 14.5, "the mean of 0 to 29");
    assert_eq!(samples.len(), 720 - 330);
    assert_eq!(samples[0].at, at(3_300));
    let values = bench.archive().samples("web", "cpu.avg", at(0)).unwrap();
    assert_eq!(values.len(), rows.len());
    assert!(values.iter().zip(&rows).all(|(value, row)| *value == (row.at, row.metrics[0].1)));
}

#[test]
fn means_and_decisions_go_too_once_they_are_too_old_and_so_does_their_room() {
    let mut bench = Bench::new();
    bench.write((0..720).map(|n| entry(n * 10, n as f64)).chain([decision(0, 4), decision(7_190, 5)]));
    let connection = Connection::open(bench.file()).unwrap();
    let pages = || connection.pragma_query_value::<i64, _>(None, "page_count", |row| row.get(0)).unwrap();
    let before = pages();
    let short = Duration::from_secs(600);
    sweep(&connection, Kept { samples: short, means: short, decisions: short }, at(7_190)).unwrap();
    let left = |table: &str| -> i64 {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    // From 6,300 s on: 90 evaluations with four samples each, three times five minutes, one decision.
    assert_eq!((left("samples"), left("means"), left("decisions")), (90 * 4, 3 * 4, 1));
    assert!(pages() < before, "{} of {before}", pages());
}

#[test]
fn a_backlog_of_old_rows_goes_in_steps_over_several_rounds() {
    let mut bench = Bench::new();
    bench.writer = Writer::new(
        bench.file(),
        Pace { sweep: Wait::from_secs(3_600), ..pace() },
        Arc::clone(&bench.metrics),
    );
    for part in 0..30 {
        bench.write((0..1_000).map(|n| entry(part * 1_000 + n, 1.0)));
    }
    let connection = Connection::open(bench.file()).unwrap();
    let count =
        || -> i64 { connection.query_row("SELECT count(*) FROM samples", [], |row| row.get(0)).unwrap() };
    let before = count();
    let mut rounds = 0;
    while count() > 0 {
        let left = count();
        sweep(&connection, Kept::new(Duration::from_secs(1)), at(1_000_000)).unwrap();
        assert!(left - count() <= 100_000 + 4, "a round is bounded");
        rounds += 1;
    }
    assert!(before > 100_000 && rounds >= 2, "{before} rows, {rounds} rounds");
}

#[test]
fn a_file_that_is_deleted_while_it_is_open_starts_anew() {
    let mut bench = Bench::new();
    bench.write([entry(0, 1.0)]);
    for file in fs::read_dir(bench.state.path()).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    assert_eq!(bench.rows(), [], "and nobody who reads minds");
    bench.write([entry(10, 2.0)]);
    assert_eq!(bench.rows().iter().map(|it| it.at).collect::<Vec<_>>(), [at(10)]);
    fs::remove_file(bench.file()).unwrap();
    bench.write([entry(20, 3.0)]);
    assert_eq!(
        bench.rows().iter().map(|it| it.at).collect::<Vec<_>>(),
        [at(20)],
        "its old log is not taken for new"
    );
    assert_eq!(bench.errors(), 0);
}

#[test]
fn a_damaged_file_is_set_aside_and_a_new_one_begun() {
    let mut bench = Bench::new();
    fs::write(bench.file(), "this is no database, and long enough to be looked at as one".repeat(100))
        .unwrap();
    bench.write([entry(0, 1.0)]);
    assert_eq!(bench.rows().len(), 1);
    assert_eq!(bench.errors(), 1);
    assert!(bench.state.path().join("history.db.damaged").exists());
}

#[test]
fn damage_inside_a_file_that_is_open_is_found_and_set_aside_too() {
    let mut bench = Bench::new();
    bench.write((0..500).map(|n| entry(n, 1.0)));
    bench.writer = Writer::new(bench.file(), pace(), Arc::clone(&bench.metrics));
    let mut bytes = fs::read(bench.file()).unwrap();
    bytes[4_096..].fill(0xa5);
    fs::write(bench.file(), bytes).unwrap();
    bench.write([entry(1_000, 2.0)]);
    assert_eq!(bench.rows().iter().map(|it| it.at).collect::<Vec<_>>(), [at(1_000)]);
    assert_eq!(bench.errors(), 1);
}

#[test]
fn a_lock_of_somebody_else_delays_what_is_written_and_loses_nothing() {
    let mut bench = Bench::new();
    bench.write([entry(0, 1.0)]);
    let other = Connection::open(bench.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    bench.write([entry(10, 2.0)]);
    assert_eq!((bench.errors(), bench.dropped(), bench.rows().len()), (1, 0, 1));
    other.execute_batch("ROLLBACK").unwrap();
    bench.write([entry(20, 3.0)]);
    assert_eq!((bench.errors(), bench.dropped(), bench.rows().len()), (1, 0, 3));
}

#[test]
fn a_full_disk_degrades_history_and_what_cannot_wait_is_counted() {
    let mut bench = Bench::new();
    let day = Pace { kept: Kept::new(Duration::from_secs(86_400)), ..pace() };
    bench.writer = Writer::new(bench.file(), day, Arc::clone(&bench.metrics));
    bench.write([entry(0, 1.0)]);
    bench.writer.limit_pages(1);
    for n in 1..=5_000 {
        bench.writer.take(entry(n, 1.0));
        if n % 1_000 == 0 {
            bench.writer.limit_pages(1);
            bench.writer.commit();
        }
    }
    assert!(bench.errors() >= 1);
    assert_eq!(bench.dropped(), 5_000 - 4_096);
    assert_eq!(bench.rows().len(), 1);
    bench.writer.limit_pages(1_000_000);
    bench.writer.commit();
    assert_eq!(bench.rows().len(), 1 + 4_096, "there is room again");
}

#[test]
fn a_folder_in_which_no_file_can_be_made_degrades_history_until_it_can() {
    let mut bench = Bench::new();
    fs::create_dir(bench.file()).unwrap();
    bench.write([entry(0, 1.0)]);
    assert_eq!((bench.errors(), bench.dropped()), (1, 0));
    fs::remove_dir(bench.file()).unwrap();
    bench.writer.commit();
    assert_eq!(bench.rows().len(), 1);
}

#[test]
fn a_file_of_a_newer_docktor_is_left_alone() {
    let mut bench = Bench::new();
    let connection = Connection::open(bench.file()).unwrap();
    connection.execute_batch("CREATE TABLE new (word TEXT)").unwrap();
    connection.pragma_update(None, "user_version", VERSION + 1).unwrap();
    drop(connection);
    let before = fs::read(bench.file()).unwrap();
    bench.write([entry(0, 1.0)]);
    assert_eq!((bench.errors(), fs::read(bench.file()).unwrap()), (1, before));
    let error = bench.archive().past("web", at(0)).unwrap_err();
    assert!(matches!(error, HistoryError::Newer { .. }), "{error}");
}

#[test]
fn what_the_tables_do_not_take_holds_up_nothing_that_comes_after() {
    let mut bench = Bench::new();
    bench.write([entry(0, f64::NAN)]);
    bench.write([entry(10, 1.0)]);
    assert_eq!((bench.errors(), bench.dropped(), bench.rows().len()), (1, 1, 1));
}

#[test]
fn the_thread_writes_what_it_is_given_and_closes_the_file_when_told() {
    let state = TempDir::new().unwrap();
    let metrics = Arc::new(Metrics::new("test"));
    let (recorder, archive) = begin(state.path(), Pace { batch: Wait::from_secs(60), ..pace() }, &metrics);
    recorder.record(entry(0, 1.0));
    recorder.flush();
    assert_eq!(rows(&archive, 0).len(), 1);
    recorder.record(entry(10, 2.0));
    recorder.close();
    assert_eq!(rows(&archive, 0).len(), 2);
    let files: Vec<_> = fs::read_dir(state.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(files, [FILE], "the log is gone");
    assert_eq!(rows(&Archive::offline(state.path()), 0).len(), 2);
    let files: Vec<_> = fs::read_dir(state.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(files, [FILE], "and who reads leaves nothing behind");
    recorder.record(entry(20, 3.0));
    assert_eq!(figure(&metrics, "docktor_history_dropped_total"), 1);
}

#[test]
fn a_writer_that_is_behind_holds_nobody_up() {
    let state = TempDir::new().unwrap();
    let metrics = Arc::new(Metrics::new("test"));
    // The lock keeps the writer in its first commit.
    let other = Connection::open(state.path().join(FILE)).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let (recorder, _) = begin(state.path(), Pace { busy: Wait::from_secs(60), ..pace() }, &metrics);
    for n in 0..20_000 {
        recorder.record(entry(n, 1.0));
    }
    assert!(figure(&metrics, "docktor_history_dropped_total") > 10_000);
    other.execute_batch("ROLLBACK").unwrap();
    recorder.close();
}
