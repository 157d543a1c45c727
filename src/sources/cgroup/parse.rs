//! The texts of the kernel's files, made numbers. Pure. Formats: the kernel's cgroup-v1 and cgroup-v2 documents,
//! accounting/psi, proc_pid_net(5).

use std::time::Duration;

use crate::sources::reading::{Stalled, Traffic, Waited};

/// v1 writes "no limit" as the largest multiple of a page; no machine has this much.
const NO_MEMORY_LIMIT: u64 = 1 << 60;

/// A plain number; `max` is none.
pub(super) fn number(text: &str) -> Option<u64> {
    text.trim_end().parse().ok()
}

/// A plain number above zero; `-1`, v1's word for no quota, is none.
pub(super) fn positive(text: &str) -> Option<f64> {
    number(text).filter(|&number| number > 0).map(|number| number as f64)
}

/// `cpuacct.usage`.
pub(super) fn nanoseconds(text: &str) -> Option<Duration> {
    number(text).map(Duration::from_nanos)
}

/// `cpu.stat`.
pub(super) fn usage_usec(text: &str) -> Option<Duration> {
    flat(text, "usage_usec").map(Duration::from_micros)
}

/// `cpu.max`, quota and period in microseconds, as cores.
pub(super) fn cpu_max(text: &str) -> Option<f64> {
    let (quota, period) = text.trim_end().split_once(' ')?;
    Some(positive(quota)? / positive(period)?)
}

/// `memory.stat` of v2.
pub(super) fn inactive_file(text: &str) -> Option<u64> {
    flat(text, "inactive_file")
}

/// `memory.stat` of v1, with all cgroups below.
pub(super) fn total_inactive_file(text: &str) -> Option<u64> {
    flat(text, "total_inactive_file")
}

/// `memory.max`, `memory.limit_in_bytes`.
pub(super) fn memory_limit(text: &str) -> Option<u64> {
    number(text).filter(|&bytes| bytes < NO_MEMORY_LIMIT)
}

/// `memory.events`, `memory.oom_control`.
pub(super) fn oom_kill(text: &str) -> Option<u64> {
    flat(text, "oom_kill")
}

/// `io.stat`: bytes of all devices. It is empty before the first access.
pub(super) fn io_stat(text: &str) -> Option<Traffic> {
    let mut bytes = Traffic::default();
    for field in text.split_ascii_whitespace() {
        match field.split_once('=') {
            Some(("rbytes", read)) => bytes.inward += read.parse::<u64>().ok()?,
            Some(("wbytes", written)) => bytes.outward += written.parse::<u64>().ok()?,
            _ => {}
        }
    }
    Some(bytes)
}

/// `blkio.throttle.io_service_bytes`: bytes of all devices.
pub(super) fn blkio_service_bytes(text: &str) -> Option<Traffic> {
    let mut bytes = Traffic::default();
    for line in text.lines() {
        let mut fields = line.split_ascii_whitespace().skip(1);
        match (fields.next(), fields.next()) {
            (Some("Read"), Some(read)) => bytes.inward += read.parse::<u64>().ok()?,
            (Some("Write"), Some(written)) => bytes.outward += written.parse::<u64>().ok()?,
            _ => {}
        }
    }
    Some(bytes)
}

/// `cpu.pressure` and its like. Kernels before 5.13 have no `full` of CPU.
pub(super) fn pressure(text: &str) -> Option<Stalled> {
    let line = |kind: &str| waited(text.lines().find_map(|line| line.strip_prefix(kind))?);
    Some(Stalled { some: line("some ")?, full: line("full ") })
}

/// `avg10=42.72 avg60=42.04 avg300=39.24 total=343297605`.
fn waited(line: &str) -> Option<Waited> {
    let field = |key: &str| line.split(' ').find_map(|it| it.strip_prefix(key)?.strip_prefix('='));
    let average = |key| field(key)?.parse::<f64>().ok().filter(|it| (0.0..=100.0).contains(it));
    Some(Waited {
        total: Duration::from_micros(number(field("total")?)?),
        avg10: average("avg10")?,
        avg60: average("avg60")?,
    })
}

/// `/proc/PID/net/dev`: bytes of all interfaces but loopback.
pub(super) fn net_dev(text: &str) -> Option<Traffic> {
    let mut bytes = Traffic::default();
    for line in text.lines() {
        // The two lines of the heading have no colon.
        let Some((interface, counters)) = line.split_once(':') else { continue };
        if interface.trim() == "lo" {
            continue;
        }
        let mut counters = counters.split_ascii_whitespace();
        bytes.inward += counters.next()?.parse::<u64>().ok()?;
        bytes.outward += counters.nth(7)?.parse::<u64>().ok()?;
    }
    Some(bytes)
}

/// The value of a key in a file of lines `key value`.
fn flat(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))?;
    number(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Captured from containers on Linux 6.18 (v1) and 6.12 (v2), shortened; some numbers are changed, so that they
    // can be told apart.
    const V1_MEMORY_STAT: &str =
        "cache 8388608\ninactive_file 4096\ntotal_cache 8388608\ntotal_inactive_file 8380416\n";
    const V1_OOM_CONTROL: &str = "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n";
    const V1_BLKIO: &str = "\
254:0 Read 126976
254:0 Write 8388608
254:0 Sync 8515584
254:0 Async 0
254:0 Discard 0
254:0 Total 8515584
8:16 Read 4096
8:16 Write 0
Total 8519680
";
    const V2_CPU_STAT: &str = "\
usage_usec 3202291
user_usec 1459271
system_usec 1743019
nice_usec 0
nr_periods 38
nr_throttled 29
throttled_usec 2149905
nr_bursts 0
burst_usec 0
";
    const V2_MEMORY_STAT: &str = "anon 57344\nfile 8388608\nactive_file 8192\ninactive_file 8380416\n";
    const V2_MEMORY_EVENTS: &str = "low 0\nhigh 0\nmax 4\noom 1\noom_kill 1\noom_group_kill 0\n";
    const V2_IO_STAT: &str = "\
254:0 rbytes=126976 wbytes=8388608 rios=12 wios=64 dbytes=0 dios=0
8:16 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0
7:0 \n";
    const PRESSURE: &str = "\
some avg10=42.72 avg60=42.04 avg300=39.24 total=343297605
full avg10=42.72 avg60=42.04 avg300=39.24 total=343286244
";
    const NET_DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    5000      50    0    0    0     0          0         0     5000      50    0    0    0     0       0          0
  eth0:     932      10    0    0    0     0          0         0      126       3    0    0    0     0       0          0
  eth1:1000000000000    1    0    0    0     0          0         0        4       0    0    0    0     0       0          0
";

    #[test]
    fn numbers_are_read_and_words_are_none() {
        for (text, value) in [("450560\n", Some(450_560)), ("max\n", None), ("-1\n", None), ("", None)] {
            assert_eq!(number(text), value, "{text}");
        }
    }

    #[test]
    fn cpu_time_is_read_in_either_unit() {
        assert_eq!(nanoseconds("1059306516\n"), Some(Duration::from_nanos(1_059_306_516)));
        assert_eq!(usage_usec(V2_CPU_STAT), Some(Duration::from_micros(3_202_291)));
        assert_eq!(usage_usec("user_usec 1\n"), None);
    }

    #[test]
    fn a_quota_is_told_in_cores_and_none_where_there_is_none() {
        for (text, cores) in [
            ("50000 100000\n", Some(0.5)),
            ("300000 100000\n", Some(3.0)),
            ("max 100000\n", None),
            ("", None),
        ] {
            assert_eq!(cpu_max(text), cores, "{text}");
        }
        assert_eq!(positive("50000\n"), Some(50_000.0));
        assert_eq!(positive("-1\n"), None);
        assert_eq!(positive("0\n"), None);
    }

    #[test]
    fn inactive_file_cache_is_that_of_all_cgroups_below() {
        assert_eq!(total_inactive_file(V1_MEMORY_STAT), Some(8_380_416));
        assert_eq!(inactive_file(V2_MEMORY_STAT), Some(8_380_416));
    }

    #[test]
    fn the_kernels_ways_to_say_no_memory_limit_are_no_limit() {
        for (text, bytes) in
            [("67108864\n", Some(67_108_864)), ("9223372036854771712\n", None), ("max\n", None)]
        {
            assert_eq!(memory_limit(text), bytes, "{text}");
        }
    }

    #[test]
    fn kills_for_want_of_memory_are_not_mistaken_for_other_events() {
        assert_eq!(oom_kill(V2_MEMORY_EVENTS), Some(1));
        assert_eq!(oom_kill(V1_OOM_CONTROL), Some(2));
        // Before Linux 4.13, v1 did not count them.
        assert_eq!(oom_kill("oom_kill_disable 0\nunder_oom 0\n"), None);
    }

    #[test]
    fn bytes_of_all_disks_are_summed() {
        let both = Traffic { inward: 131_072, outward: 8_388_608 };
        assert_eq!(io_stat(V2_IO_STAT), Some(both));
        assert_eq!(blkio_service_bytes(V1_BLKIO), Some(both));
        assert_eq!(io_stat(""), Some(Traffic::default()));
        assert_eq!(blkio_service_bytes("Total 0\n"), Some(Traffic::default()));
        assert_eq!(io_stat("254:0 rbytes=x wbytes=1\n"), None);
    }

    #[test]
    fn pressure_is_the_time_in_which_some_and_all_tasks_waited_and_the_kernels_averages() {
        let waited = |total| Waited { total: Duration::from_micros(total), avg10: 42.72, avg60: 42.04 };
        let (some, full) = (waited(343_297_605), Some(waited(343_286_244)));
        assert_eq!(pressure(PRESSURE), Some(Stalled { some, full }));
        let (first, rest) = PRESSURE.split_once('\n').unwrap();
        assert_eq!(pressure(first), Some(Stalled { some, full: None }), "cpu.pressure before Linux 5.13");
        for text in [rest, "", "some avg10=nan avg60=0.00 total=7\n", "some avg10=0.00 avg60=0.00\n"] {
            assert_eq!(pressure(text), None, "{text}");
        }
    }

    #[test]
    fn bytes_of_all_interfaces_but_loopback_are_summed() {
        assert_eq!(net_dev(NET_DEV), Some(Traffic { inward: 1_000_000_000_932, outward: 130 }));
        assert_eq!(net_dev("  eth0: 1 2 3\n"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in "[ -~\n]{0,200}") {
            let _ = (cpu_max(&text), io_stat(&text), blkio_service_bytes(&text), net_dev(&text));
            let _ = (pressure(&text), oom_kill(&text), number(&text));
        }
    }
}
