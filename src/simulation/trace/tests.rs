//! Rows as they are written, and every mistake that is told.

use super::*;
use crate::api::limits::LimitKind;

fn rows(trace: &str) -> Result<Vec<Row>, Mistake> {
    let mut reader = Reader::new();
    trace.lines().filter_map(|line| reader.row(line).transpose()).collect()
}

fn metric(name: &str, value: Option<f64>) -> (Arc<str>, Option<f64>) {
    (name.into(), value)
}

#[test]
fn csv_has_a_header_and_an_empty_cell_is_missing() {
    let rows = rows(
        "\u{feff}# made by hand\nat,\"current\", cpu.avg ,queue.backlog\r\n0,2,87.2,\n\n15.5,,,\"620\"\n\
         1970-01-01T00:00:16Z,2.0,NaN,1e3",
    )
    .unwrap();
    assert_eq!(rows.iter().map(|it| it.at.as_millis()).collect::<Vec<_>>(), [0, 15_500, 16_000]);
    assert_eq!(rows.iter().map(|it| it.current).collect::<Vec<_>>(), [Some(2), None, Some(2)]);
    assert_eq!(rows[0].metrics, [metric("cpu.avg", Some(87.2)), metric("queue.backlog", None)]);
    assert_eq!(rows[1].metrics, [metric("cpu.avg", None), metric("queue.backlog", Some(620.0))]);
    assert!(rows[2].metrics[0].1.is_some_and(f64::is_nan));
    assert_eq!(rows[1].written.to_string(), "15.5");
}

#[test]
fn json_lines_tell_null_from_what_is_not_there() {
    let rows = rows(
        r#"{"at": 0, "current": 2, "metrics": {"queue.backlog": 620, "latency": null}, "failed": ["work"]}
{"at": 15, "replicas": {"web-1": {"cpu": 87.2, "ready": true, "age": 300}, "web-3": {"cpu": null, "phase": "draining"}}}
{"at": "1970-01-01T01:00:15+01:00", "scaled": {"from": 5, "to": 8}}"#,
    )
    .unwrap();
    assert_eq!(rows[0].metrics, [metric("latency", None), metric("queue.backlog", Some(620.0))]);
    assert_eq!((rows[0].current, &rows[0].failed[..]), (Some(2), &["work".to_owned()][..]));
    let replicas = rows[1].replicas.as_ref().unwrap();
    assert_eq!((replicas[0].cpu, replicas[0].memory), (Some(Some(87.2)), None));
    assert_eq!((replicas[0].ready, replicas[0].age), (Some(true), Some(300.0)));
    assert_eq!((replicas[1].cpu, replicas[1].phase), (Some(None), Some(Phase::Draining)));
    assert_eq!(rows[2].scaled, Some(Scaled { from: 5, to: 8 }));
    assert_eq!(serde_json::to_string(&rows[2].written).unwrap(), "\"1970-01-01T01:00:15+01:00\"");
    assert_eq!(serde_json::to_string(&rows[1].written).unwrap(), "15");
}

#[test]
fn numbers_are_read_to_their_last_digit() {
    let value = 23.308445025757262;
    let json = rows(&format!("{{\"at\": 0, \"metrics\": {{\"latency\": {value}}}}}")).unwrap();
    let csv = rows(&format!("at,latency\n0,{value}")).unwrap();
    assert_eq!(json[0].metrics, [metric("latency", Some(value))]);
    assert_eq!(csv[0].metrics, json[0].metrics);
}

#[test]
fn every_mistake_says_its_line_and_what_would_be_right() {
    for (trace, line, words) in [
        ("current,cpu.avg\n", 1, "has a column `at`"),
        ("at,CPU avg\n", 1, "`CPU avg` is neither `at`, `current`, nor a metric's full name"),
        ("at,cpu.avg,cpu.avg\n", 1, "names the column `cpu.avg` twice"),
        ("at,cpu.avg\n0\n", 2, "the row has 1 cells, and the header 2"),
        ("at,cpu.avg\n0,1,2\n", 2, "the row has 3 cells, and the header 2"),
        ("at,cpu.avg\n\n0,high\n", 3, "`cpu.avg` is `high`; write a number"),
        ("at,current\n0,-1\n", 2, "`current` is `-1`; write a whole number from 0"),
        ("at,current\n0,1.5\n", 2, "`current` is `1.5`; write a whole number from 0"),
        ("at,current\n0,4000000000\n", 2, "`current` is above 2147483647"),
        ("at,current\nyesterday,1\n", 2, "`at` is `yesterday`; write seconds, as in `15`"),
        ("at,current\n,1\n", 2, "`at` is ``; write seconds"),
        ("at\n15\n14.9\n", 3, "`at` goes backwards, from 15 to 14.9"),
        ("at\n1e300\n", 2, "beyond the year 9999"),
        ("{\"at\": 0, \"metric\": {}}\n", 1, "unknown field `metric`, expected one of `at`, `current`"),
        ("{\"current\": 0}\n", 1, "missing field `at`"),
        ("{\"at\": null}\n", 1, "expected seconds or a moment"),
        ("{\"at\": 0}\n{\"at\": 1\n", 2, "EOF while parsing"),
        ("{\"at\": 0, \"metrics\": {\"Queue\": 1}}\n", 1, "`Queue` in `metrics` is no metric's full name"),
        (
            "{\"at\": 0, \"replicas\": {\"a\": {\"phase\": \"dead\"}}}\n",
            1,
            "expected one of `pending`, `running`",
        ),
        ("{\"at\": 0, \"replicas\": {\"a\": {\"age\": -1}}}\n", 1, "`age` of the replica `a` is below 0"),
        ("{\"at\": 0, \"scaled\": {\"from\": 2}}\n", 1, "missing field `to`"),
    ] {
        let mistake = rows(trace).unwrap_err();
        assert_eq!(mistake.line, line, "{trace}: {mistake}");
        assert!(mistake.message.contains(words), "{trace}: {mistake}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(lines in proptest::collection::vec("\\PC{0,60}", 0..4)) {
        let mut reader = Reader::new();
        for start in ["", "at,cpu.avg", "{\"at\": "] {
            let _ = reader.row(start);
            for line in &lines {
                let _ = reader.row(line);
                let _ = reader.row(&format!("{start}{line}"));
            }
        }
    }
}

#[test]
fn a_row_that_is_read_over_another_keeps_nothing_of_it() {
    let mut row = Row::default();
    let before = r#"{"at": 0, "current": 3, "replicas": {"a": {}}, "failed": ["queue"], "scaled": {"from": 2, "to": 3},
        "limits": {"tasksMax": 9}, "host": {"cpus": 4}}"#;
    assert!(Reader::new().read(before, &mut row).unwrap());
    let mut reader = Reader::new();
    assert!(!reader.read("at,queue.backlog,limits.cpuQuota,limits.tasksMax", &mut row).unwrap());
    for (line, cpu, tasks) in
        [("15,,200%,", Some(200.0), None), ("30,1,,50", None, Some(50.0)), ("45,1,,", None, None)]
    {
        assert!(reader.read(line, &mut row).unwrap());
        let mut fresh = Reader::new();
        assert!(fresh.row("at,queue.backlog,limits.cpuQuota,limits.tasksMax").unwrap().is_none());
        assert_eq!(Some(&row), fresh.row(line).unwrap().as_ref(), "{line}");
        let limit = |kind| row.limits.as_ref().and_then(|it| it.limits.get(kind));
        assert_eq!((limit(LimitKind::CpuQuota), limit(LimitKind::TasksMax)), (cpu, tasks), "{line}");
    }
}
