//! The picture of short and long simulations: what stands in it, and that nothing breaks it.

use super::super::trace::Reader;
use super::super::trial::Trial;
use super::*;
use crate::api::policy::PolicySpec;

const POLICY: &str = "
target: {compose: {project: shop, service: web}}
replicas: {min: 1, max: 6}
metrics: {queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}}
track: [{metric: queue.backlog, averageValue: 100}]
scaleUp: {rules: [{metric: cpu.avg, op: '>', value: 75}]}
schedules: [{name: 'day & night', timezone: UTC, start: '1 0 * * *', duration: 1m, min: 3}]
";

fn spec(text: &str) -> Spec {
    let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
    let policy: PolicySpec = serde_json::from_value(value).unwrap();
    Spec::effective(&policy, None).unwrap()
}

fn picture(trace: &str, names: &[&str]) -> String {
    picture_of(POLICY, trace, names)
}

fn picture_of(policy: &str, trace: &str, names: &[&str]) -> String {
    let (spec, mut reader, mut trial) = (spec(policy), Reader::new(), Trial::new());
    let mut plot = Plot::new(names.iter().map(|it| (*it, &spec)));
    names.iter().for_each(|_| trial.open(spec.clone()));
    for line in trace.lines() {
        if let Some(row) = reader.row(line).unwrap() {
            let add = |step: Step<'_>| {
                plot.add(step);
                Ok::<(), ()>(())
            };
            trial.row(&row, add).unwrap();
        }
    }
    plot.draw()
}

#[test]
fn it_says_what_it_shows_and_marks_what_is_missing_limited_and_scheduled() {
    let trace =
        "at,current,queue.backlog,cpu.avg\n0,1,900,50\n30,,900,80\n60,,,80\n90,,100,10\n120,,100,10\n";
    let svg = picture(trace, &["web <1>"]);
    for part in [
        "<title id=\"title\">docktor simulate: web &lt;1&gt;</title>",
        "<desc id=\"description\">5 decisions over 0.033 hours. web &lt;1&gt;: ",
        ">up &gt; 75</text>",
        ">target 100 each</text>",
        ">day &amp; night</text>",
        ">limited</text>",
        ">missing data</text>",
        ">queue.backlog</text>",
        ">0:01:00</text>",
    ] {
        assert!(svg.contains(part), "{part}\n{svg}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    assert!(!svg.contains("<script") && !svg.contains("<style") && !svg.contains("href"));
}

#[test]
fn of_two_policies_each_has_its_line_and_colour() {
    let svg = picture("at,current,queue.backlog,cpu.avg\n0,1,900,50\n60,,900,80\n", &["one", "other"]);
    for part in [">one</text>", ">other</text>", "docktor simulate: one against other", "other: "] {
        assert!(svg.contains(part), "{part}\n{svg}");
    }
}

#[test]
fn it_stays_small_and_whole_whatever_the_length() {
    for rows in [0, 1, 2, 10, 20_000] {
        let mut trace = String::from("at,queue.backlog,cpu.avg\n");
        (0..rows).for_each(|row| trace += &format!("{},{},{}\n", row * 15, row % 977, row % 101));
        let svg = picture(&trace, &["web"]);
        assert!(svg.ends_with("</svg>\n") && svg.len() < 300_000, "{rows} rows make {} bytes", svg.len());
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }
}

#[test]
fn limits_have_a_panel_each_with_their_range_and_what_is_in_use() {
    let policy = "
target: {systemd: {unit: builder.service}}
resources: {cpuQuota: {min: 100%, max: 800%}, memoryMax: {min: 8GiB, max: 64GiB}}
scaleUp: {rules: [{metric: cpu.avg, op: '>', value: 85}], step: x1.5}
";
    let trace = "at,cpu.avg,memory.avg,limits.memoryMax\n0,50,50,16GiB\n30,95,50,\n60,50,50,\n";
    for names in [&["builder"][..], &["one", "other"]] {
        let svg = picture_of(policy, trace, names);
        for part in [
            ">cpuQuota, % of one core</text>",
            ">memoryMax, GiB</text>",
            ">max 800%</text>",
            ">min 8GiB</text>",
            ">in use</text>",
            ": 1 changes.",
        ] {
            assert!(svg.contains(part), "{part}\n{svg}");
        }
        assert!(!svg.contains(">replicas</text>") && !svg.contains("NaN"), "no replicas are scaled\n{svg}");
    }
}

#[test]
fn a_value_that_stands_alone_is_a_dot() {
    let dots = |trace| picture(trace, &["web"]).matches("stroke-linecap=\"round\"").count();
    assert_eq!(dots("at,current,queue.backlog\n0,1,50\n"), 5, "three counts, a metric and its target");
    assert_eq!(dots("at,current,queue.backlog\n0,1,50\n15,1,\n30,1,50\n45,1,50\n"), 1);
    assert_eq!(dots("at,current,queue.backlog\n0,1,50\n15,1,50\n"), 0);
}
