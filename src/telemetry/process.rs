//! The customary metrics of a process, from `/proc/self`.

use std::fs;

use prometheus::proto::{Counter, Gauge, Metric, MetricFamily, MetricType};

/// What the kernel now says of this process; what it does not say is left out.
pub(super) fn families() -> Vec<MetricFamily> {
    let stat = fs::read_to_string("/proc/self/stat").ok().and_then(|text| parse_stat(&text));
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let page = rustix::param::page_size() as f64;
    let booted = fs::read_to_string("/proc/stat").ok().and_then(|text| parse_boot_time(&text));
    let open_fds = fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as f64);
    [
        (
            "process_cpu_seconds_total",
            MetricType::COUNTER,
            "CPU time used so far.",
            stat.map(|it| it.cpu_ticks as f64 / ticks),
        ),
        (
            "process_resident_memory_bytes",
            MetricType::GAUGE,
            "Resident memory.",
            stat.map(|it| it.resident_pages as f64 * page),
        ),
        (
            "process_virtual_memory_bytes",
            MetricType::GAUGE,
            "Virtual memory.",
            stat.map(|it| it.virtual_bytes as f64),
        ),
        (
            "process_start_time_seconds",
            MetricType::GAUGE,
            "When the process started, since the epoch.",
            stat.zip(booted).map(|(it, booted)| booted as f64 + it.start_ticks as f64 / ticks),
        ),
        ("process_open_fds", MetricType::GAUGE, "Open file descriptors.", open_fds),
    ]
    .into_iter()
    .filter_map(|(name, kind, help, value)| value.map(|value| family(name, kind, help, value)))
    .collect()
}

fn family(name: &str, kind: MetricType, help: &str, value: f64) -> MetricFamily {
    let mut metric = Metric::default();
    if kind == MetricType::COUNTER {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    }
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(vec![metric]);
    family
}

/// What is of use in `/proc/self/stat` (proc_pid_stat(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The program's name is in parentheses and may itself have any character; the rest follows the last one.
    let (_, fields) = text.rsplit_once(')')?;
    // The first of `fields` is number 3 of the manual page.
    let field = |number: usize| fields.split_ascii_whitespace().nth(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        cpu_ticks: field(14)? + field(15)?,
        start_ticks: field(22)?,
        virtual_bytes: field(23)?,
        resident_pages: field(24)?,
    })
}

fn parse_boot_time(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("btime "))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stat_of_a_process_with_a_strange_name_is_read() {
        let text = "71 (a) b (c) S 1 71 71 0 -1 4194560 532 0 0 0 150 25 0 0 20 0 4 0 4242 8192000 777 \
                    18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0";
        let stat = Stat { cpu_ticks: 175, start_ticks: 4_242, virtual_bytes: 8_192_000, resident_pages: 777 };
        assert_eq!(parse_stat(text), Some(stat));
        assert_eq!(parse_stat("71 (cut"), None);
    }

    #[test]
    fn this_very_process_has_all_five_metrics() {
        let families = families();
        assert_eq!(families.len(), 5);
        let started = families.iter().find(|it| it.name() == "process_start_time_seconds").unwrap();
        let started = started.get_metric()[0].get_gauge().get_value();
        let now = crate::clock::Clock::system().now().as_millis() as f64 / 1_000.0;
        assert!((now - started).abs() < 600.0, "started at {started}, now it is {now}");
    }
}
