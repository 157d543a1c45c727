//! What the kernel's files say of control groups, beside what systemd tells. Where there is no unified hierarchy,
//! or it cannot be seen from here, nothing is known.

use std::fs;
use std::path::{Path, PathBuf};

use crate::api::limits::LimitKind;

/// Where the unified hierarchy is.
const ROOT: &str = "/sys/fs/cgroup";

/// Memory of a control group in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MemoryUse {
    /// All of it, page cache included.
    pub whole: u64,
    /// Page cache that the kernel gives up first.
    pub cache: u64,
}

impl MemoryUse {
    /// What the kernel would not give up without swapping or harm.
    pub const fn working_set(self) -> u64 {
        self.whole.saturating_sub(self.cache)
    }
}

/// Memory that a control group uses now.
pub(super) fn memory(control_group: &str) -> Option<MemoryUse> {
    let folder = folder(control_group)?;
    let whole = read(&folder, "memory.current")?.trim_end().parse().ok()?;
    let stat = read(&folder, "memory.stat")?;
    let cache = stat.lines().find_map(|line| line.strip_prefix("inactive_file "))?.parse().ok()?;
    Some(MemoryUse { whole, cache })
}

/// The controllers that a manager may use: those of its own control group.
pub(super) fn controllers(control_group: &str) -> Option<Vec<String>> {
    let listed = read(&folder_or_root(control_group)?, "cgroup.controllers")?;
    Some(listed.split_whitespace().map(str::to_owned).collect())
}

/// The tightest limit of that kind above a control group, and whose it is.
pub(super) fn tightest_above(control_group: &str, kind: LimitKind) -> Option<(String, f64)> {
    let (file, parse): (_, fn(&str) -> Option<f64>) = match kind {
        LimitKind::CpuQuota => ("cpu.max", quota),
        LimitKind::MemoryMax => ("memory.max", number),
        LimitKind::TasksMax => ("pids.max", number),
        _ => return None,
    };
    let parents = Path::new(control_group).ancestors().skip(1);
    let limits = parents.filter_map(|parent| {
        let name = parent.file_name()?.to_str()?;
        let limit = parse(&read(&folder(parent.to_str()?)?, file)?)?;
        Some((name.to_owned(), limit))
    });
    limits.min_by(|one, other| one.1.total_cmp(&other.1))
}

/// The folder of a control group; none where the path is empty, as it is of a unit that does not run.
fn folder(control_group: &str) -> Option<PathBuf> {
    let below = control_group.strip_prefix('/').filter(|it| !it.is_empty())?;
    Some(Path::new(ROOT).join(below))
}

/// The same; the path of PID 1's own control group may be empty.
fn folder_or_root(control_group: &str) -> Option<PathBuf> {
    match control_group {
        "" | "/" => Some(PathBuf::from(ROOT)),
        other => folder(other),
    }
}

fn read(folder: &Path, file: &str) -> Option<String> {
    fs::read_to_string(folder.join(file)).ok()
}

/// A limit; `max` is none.
fn number(text: &str) -> Option<f64> {
    text.trim_end().parse::<u64>().ok().map(|it| it as f64)
}

/// `QUOTA PERIOD` in percent of one core; `max` is none.
fn quota(text: &str) -> Option<f64> {
    let (quota, period) = text.trim_end().split_once(' ')?;
    Some(number(quota)? / number(period)? * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        for (text, percent) in [("150000 100000\n", Some(150.0)), ("max 100000\n", None), ("", None)] {
            assert_eq!(quota(text), percent, "{text}");
        }
        for (text, limit) in [("512\n", Some(512.0)), ("max\n", None), ("", None)] {
            assert_eq!(number(text), limit, "{text}");
        }
    }

    #[test]
    fn a_unit_that_does_not_run_has_no_folder() {
        assert_eq!(folder(""), None);
        assert_eq!(folder("/"), None);
        assert_eq!(folder("/a.slice/b.service"), Some(PathBuf::from("/sys/fs/cgroup/a.slice/b.service")));
        assert_eq!(folder_or_root(""), Some(PathBuf::from(ROOT)));
    }

    #[test]
    fn cache_read_after_usage_never_makes_the_working_set_negative() {
        assert_eq!(MemoryUse { whole: 10, cache: 20 }.working_set(), 0);
    }
}
