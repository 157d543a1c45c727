//! What this host has: cores, memory, processes. Read once; a host whose size changes needs a restart of docktor.

use std::fs;
use std::sync::OnceLock;

use crate::model::observation::HostCapacity;

/// The cores that are online.
const ONLINE: &str = "/sys/devices/system/cpu/online";

static CAPACITY: OnceLock<HostCapacity> = OnceLock::new();

/// What this host has, also when docktor itself runs in a container with less.
#[must_use]
pub fn capacity() -> HostCapacity {
    *CAPACITY.get_or_init(|| {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        HostCapacity {
            cpus: cpus(&read(ONLINE)).map(|it| it.len() as f64),
            memory: total_memory(&read("/proc/meminfo")),
            tasks: most_tasks(&read("/proc/sys/kernel/pid_max"), &read("/proc/sys/kernel/threads-max")),
        }
    })
}

/// The cores that are online now, by their numbers.
#[must_use]
pub fn online_cpus() -> Vec<u32> {
    cpus(&fs::read_to_string(ONLINE).unwrap_or_default()).unwrap_or_default()
}

/// The kernel's list of cores, such as `0-3,6`.
fn cpus(text: &str) -> Option<Vec<u32>> {
    let mut cores = Vec::new();
    for range in text.trim_end().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        if first > last {
            return None;
        }
        cores.extend(first..=last);
    }
    Some(cores)
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
    fn cores_are_read_from_the_kernels_list() {
        for (text, cores) in
            [("0-1\n", vec![0, 1]), ("0\n", vec![0]), ("0-2,6,8-9\n", vec![0, 1, 2, 6, 8, 9])]
        {
            assert_eq!(cpus(text), Some(cores), "{text}");
        }
        for text in ["", "x", "3-1", "0-"] {
            assert_eq!(cpus(text), None, "{text}");
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
