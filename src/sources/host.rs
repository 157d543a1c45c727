//! What this host has: cores, memory, processes. Read once; a host whose size changes needs a restart of docktor.

use std::fs;
use std::sync::OnceLock;

use crate::model::observation::HostCapacity;

static CAPACITY: OnceLock<HostCapacity> = OnceLock::new();

/// What this host has, also when docktor itself runs in a container with less.
#[must_use]
pub fn capacity() -> HostCapacity {
    *CAPACITY.get_or_init(|| {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        HostCapacity {
            cpus: online_cpus(&read("/sys/devices/system/cpu/online")),
            memory: total_memory(&read("/proc/meminfo")),
            tasks: most_tasks(&read("/proc/sys/kernel/pid_max"), &read("/proc/sys/kernel/threads-max")),
        }
    })
}

/// The kernel's list of cores, such as `0-3,6`.
fn online_cpus(text: &str) -> Option<f64> {
    let mut cores = 0;
    for range in text.trim_end().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        cores += last.checked_sub(first)? + 1;
    }
    Some(f64::from(cores))
}

/// `MemTotal` in bytes.
fn total_memory(meminfo: &str) -> Option<f64> {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib as f64 * 1_024.0)
}

/// The tighter of the kernel's two limits.
fn most_tasks(pid_max: &str, threads_max: &str) -> Option<f64> {
    let limit = |text: &str| text.trim_end().parse::<u32>().ok().map(f64::from);
    Some(limit(pid_max)?.min(limit(threads_max)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_counted_from_the_kernels_list() {
        for (text, cores) in [("0-1\n", Some(2.0)), ("0\n", Some(1.0)), ("0-3,6,8-9\n", Some(7.0))] {
            assert_eq!(online_cpus(text), cores, "{text}");
        }
        for text in ["", "x", "3-1", "0-"] {
            assert_eq!(online_cpus(text), None, "{text}");
        }
    }

    #[test]
    fn memory_and_tasks_are_read_as_the_kernel_writes_them() {
        let meminfo = "MemTotal:       24684532 kB\nMemFree:        16252544 kB\n";
        assert_eq!(total_memory(meminfo), Some(24_684_532.0 * 1_024.0));
        assert_eq!(total_memory("MemFree: 1 kB\n"), None);
        assert_eq!(most_tasks("32768\n", "192731\n"), Some(32_768.0));
        assert_eq!(most_tasks("4194304\n", "192731\n"), Some(192_731.0));
    }

    #[test]
    fn this_host_has_cores_memory_and_tasks() {
        let HostCapacity { cpus, memory, tasks } = capacity();
        assert!(cpus >= Some(1.0) && memory > Some(1e6) && tasks > Some(100.0));
    }
}
