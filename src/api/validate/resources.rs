//! Vertical scaling.

use std::fmt::Display;

use super::findings::Findings;
use crate::api::path::Path;
use crate::api::resources::{Range, Reserve, Resources};
use crate::units::{Bytes, Percent};

/// Least and most of `cpuWeight` and `ioWeight`, as the kernel has them.
const WEIGHTS: (u64, u64) = (1, 10_000);
/// Most of `cpuQuota`: ten thousand cores.
const MOST_QUOTA: Percent = Percent(1_000_000.0);
/// Most processes that Linux can number, and most CPUs that it can list.
const MOST_TASKS: u64 = 4_194_304;
const MOST_CPUS: u64 = 8_192;

pub(super) fn check(resources: &Resources, path: &Path, findings: &mut Findings) {
    let Resources {
        cpu_quota, memory_max, memory_high, tasks_max, cpu_weight, io_weight, allowed_cpus, ..
    } = resources;
    let most_bytes = Bytes(u64::MAX);
    range(cpu_quota.as_ref(), Percent(1.0), MOST_QUOTA, path.key("cpuQuota"), findings);
    range(memory_max.as_ref(), Bytes(1), most_bytes, path.key("memoryMax"), findings);
    range(memory_high.as_ref(), Bytes(1), most_bytes, path.key("memoryHigh"), findings);
    range(tasks_max.as_ref(), 1, MOST_TASKS, path.key("tasksMax"), findings);
    range(cpu_weight.as_ref(), WEIGHTS.0, WEIGHTS.1, path.key("cpuWeight"), findings);
    range(io_weight.as_ref(), WEIGHTS.0, WEIGHTS.1, path.key("ioWeight"), findings);
    range(allowed_cpus.as_ref(), 1, MOST_CPUS, path.key("allowedCPUs"), findings);
    if let (Some(high), Some(max)) = (memory_high, memory_max)
        && high.max > max.max
    {
        let message = format!("memoryHigh.max {} is above memoryMax.max {}", high.max, max.max);
        findings.add_after(path.key("memoryHigh").key("max"), message, vec![path.key("memoryMax")]);
    }
    if resources.kinds().is_empty() {
        let message = "found no limit to move; expected at least one of `cpuQuota`, `memoryMax`, `memoryHigh`, \
                       `tasksMax`, `cpuWeight`, `ioWeight` and `allowedCPUs`";
        findings.add(path.clone(), message);
    }
    if let Some(reserve) = &resources.reserve {
        reserved(reserve, &path.key("reserve"), findings);
    }
}

fn range<T: PartialOrd + Display + Default + Copy>(
    range: Option<&Range<T>>,
    least: T,
    most: T,
    path: Path,
    findings: &mut Findings,
) {
    let Some(Range { min, max, min_step }) = range else { return };
    if min > max {
        let message = format!("min {min} is above max {max}");
        findings.add_after(path.key("min"), message, vec![path.key("max")]);
    }
    if *min < least {
        findings.add(path.key("min"), format!("found `{min}`; expected at least {least}"));
    }
    if *max > most {
        findings.add(path.key("max"), format!("found `{max}`; expected at most {most}"));
    }
    if min_step.is_some_and(|step| step <= T::default()) {
        findings.add(path.key("minStep"), "expected more than 0");
    }
}

fn reserved(reserve: &Reserve, path: &Path, findings: &mut Findings) {
    if let Some(cpus) = reserve.cpus.filter(|cpus| *cpus < 0.0) {
        findings.add(path.key("cpus"), format!("found `{cpus}`; expected 0 or more"));
    }
}
