//! Limits in the engine's words: how a container's `HostConfig` tells them, and what to send so that it has others.
//! Pure.
//!
//! The engine takes 0 for "as it is", so most limits, once set, are lifted by a value that limits nothing. Weights
//! are always told, as every container has one.

use serde_json::{Map, Value, json};

use crate::actuators::{NewLimit, Obstacle};
use crate::api::condition::Reason;
use crate::api::limits::LimitKind;
use crate::model::observation::Limits;

/// The scheduler's period where the container has none of its own, in microseconds.
const DEFAULT_CPU_PERIOD: f64 = 100_000.0;

/// `NanoCpus` of one percent of a core.
const NANOS_PER_PERCENT: f64 = 1e7;

/// A memory limit that limits nothing: an EiB. What is not below it counts as none.
const BOUNDLESS: i64 = 1 << 60;

/// `CpuShares` of a container that was given none, the kernel's default; it stands for the weight 100, as in systemd.
const DEFAULT_SHARES: f64 = 1_024.0;

/// `BlkioWeight` of a container that was given none; it stands for the weight 100, as in systemd.
const DEFAULT_BLKIO_WEIGHT: f64 = 500.0;

/// Least and most that the engine takes as `BlkioWeight`.
const BLKIO_WEIGHTS: (f64, f64) = (10.0, 1_000.0);

/// The weight of what was given none.
const DEFAULT_WEIGHT: f64 = 100.0;

/// The kernel cuts memory limits to whole pages, of 64 KiB at most.
const LARGEST_PAGE: f64 = 65_536.0;

/// Limits as the engine holds them: 0 and -1 are none.
pub(super) fn read(host: &Value) -> Limits {
    let positive = |key: &str| host[key].as_f64().filter(|it| *it > 0.0);
    let quota = || Some(positive("CpuQuota")? / period(host));
    let weight = |key: &str, default: f64| {
        Some(positive(key).map_or(DEFAULT_WEIGHT, |it| (it * DEFAULT_WEIGHT / default).round()))
    };
    Limits {
        cpus: positive("NanoCpus").map(|nanos| nanos / 1e9).or_else(quota),
        memory: positive("Memory").filter(|it| *it < BOUNDLESS as f64),
        tasks: positive("PidsLimit"),
        cpu_weight: weight("CpuShares", DEFAULT_SHARES),
        io_weight: weight("BlkioWeight", DEFAULT_BLKIO_WEIGHT),
        allowed_cpus: Some(cpu_set(host).len() as f64).filter(|it| *it > 0.0),
        ..Limits::default()
    }
}

/// Is a limit as it should be, as exactly as the kernel keeps it?
pub(super) fn agrees(seen: &Limits, wanted: NewLimit) -> bool {
    let tolerance = match wanted.kind {
        LimitKind::MemoryMax | LimitKind::MemoryHigh => LARGEST_PAGE,
        _ => 0.5,
    };
    match (seen.of(wanted.kind), wanted.value) {
        (Some(seen), Some(wanted)) => (seen - wanted).abs() < tolerance,
        (Some(seen), None) => !wanted.kind.caps() && (seen - DEFAULT_WEIGHT).abs() < tolerance,
        (None, wanted) => wanted.is_none(),
    }
}

/// The body of the update after which a container has these limits too. `cpus` is how many its host has.
///
/// # Errors
/// With what is in the way, where the engine has no such limit or cannot lift it.
pub(super) fn update(host: &Value, wanted: &[NewLimit], cpus: usize) -> Result<Map<String, Value>, Obstacle> {
    let mut body = Map::new();
    for limit in wanted {
        let fields = match limit.kind {
            LimitKind::CpuQuota => cpu(host, limit.value)?,
            LimitKind::MemoryMax => memory(host, limit.value)?,
            LimitKind::TasksMax => vec![("PidsLimit", json!(limit.value.map_or(-1, |it| it as i64)))],
            LimitKind::CpuWeight => vec![("CpuShares", json!(shares(limit.value)))],
            LimitKind::IoWeight => vec![("BlkioWeight", json!(blkio_weight(limit.value)?))],
            LimitKind::AllowedCpus => vec![("CpusetCpus", json!(choose_cpus(host, limit.value, cpus)?))],
            LimitKind::MemoryHigh => return Err(refused("containers have no `memoryHigh`; use `memoryMax`")),
        };
        body.extend(fields.into_iter().map(|(key, value)| (key.to_owned(), value)));
    }
    Ok(body)
}

/// CPU time in the field that the container has it in, as the engine refuses the other one. A container without any
/// gets a quota, which can be lifted again.
fn cpu(host: &Value, percent: Option<f64>) -> Result<Vec<(&'static str, Value)>, Obstacle> {
    let has_nanos = host["NanoCpus"].as_i64().is_some_and(|it| it > 0);
    match percent {
        Some(percent) if has_nanos => {
            Ok(vec![("NanoCpus", json!((percent * NANOS_PER_PERCENT).round() as i64))])
        }
        Some(percent) => Ok(vec![("CpuQuota", json!((percent / 100.0 * period(host)).round() as i64))]),
        None if has_nanos => Err(refused(
            "the engine cannot lift a CPU limit that was made with `cpus`; recreate the container without it",
        )),
        None => Ok(vec![("CpuQuota", json!(-1))]),
    }
}

/// Memory, and memory with swap, which keeps its distance: the engine refuses the one above the other.
fn memory(host: &Value, bytes: Option<f64>) -> Result<Vec<(&'static str, Value)>, Obstacle> {
    let field = |key: &str| host[key].as_i64().unwrap_or_default();
    let memory = bytes.map_or(BOUNDLESS, |it| it as i64);
    let reservation = field("MemoryReservation");
    if memory < reservation {
        let text = |bytes: i64| LimitKind::MemoryMax.written(bytes as f64);
        return Err(refused(&format!(
            "memoryMax {} is below the container's memory reservation of {}; lower that, or raise `memoryMax.min`",
            text(memory),
            text(reservation)
        )));
    }
    let swap = match (field("Memory"), field("MemorySwap")) {
        (_, -1) | (0, 0) => -1,
        // Where it is not told, the engine's default holds: as much swap as memory.
        (_, 0) => memory.saturating_mul(2),
        (present, with_swap) => memory.saturating_add(with_swap.saturating_sub(present).max(0)),
    };
    Ok(vec![("Memory", json!(memory)), ("MemorySwap", json!(swap))])
}

fn shares(weight: Option<f64>) -> i64 {
    (weight.unwrap_or(DEFAULT_WEIGHT) * DEFAULT_SHARES / DEFAULT_WEIGHT).round() as i64
}

fn blkio_weight(weight: Option<f64>) -> Result<i64, Obstacle> {
    let factor = DEFAULT_BLKIO_WEIGHT / DEFAULT_WEIGHT;
    let (least, most) = BLKIO_WEIGHTS;
    let blkio = weight.unwrap_or(DEFAULT_WEIGHT) * factor;
    if (least..=most).contains(&blkio) {
        return Ok(blkio.round() as i64);
    }
    Err(refused(&format!("containers take an `ioWeight` of {} to {}", least / factor, most / factor)))
}

/// The CPUs that the container keeps, then the lowest of the others; all of them where there is no limit.
fn choose_cpus(host: &Value, count: Option<f64>, cpus: usize) -> Result<String, Obstacle> {
    let count = count.map_or(cpus, |it| it as usize);
    if count > cpus || count == 0 {
        return Err(refused(&format!("allowedCPUs {count} cannot be had on a host with {cpus} CPUs")));
    }
    let mut chosen = cpu_set(host);
    let others: Vec<_> = (0..cpus).filter(|it| !chosen.contains(it)).collect();
    chosen.extend(others);
    chosen.truncate(count);
    chosen.sort_unstable();
    Ok(chosen.iter().map(usize::to_string).collect::<Vec<_>>().join(","))
}

/// The CPUs in a list such as `0-2,5`; none where there is no list, or none that can be read.
fn cpu_set(host: &Value) -> Vec<usize> {
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some(first.trim().parse::<usize>().ok()?..=last.trim().parse::<usize>().ok()?)
    };
    let list = host["CpusetCpus"].as_str().unwrap_or_default();
    list.split(',').filter_map(range).flatten().take(MOST_CPUS).collect()
}

/// Most CPUs that Linux can list.
const MOST_CPUS: usize = 8_192;

fn period(host: &Value) -> f64 {
    host["CpuPeriod"].as_f64().filter(|it| *it > 0.0).unwrap_or(DEFAULT_CPU_PERIOD)
}

fn refused(message: &str) -> Obstacle {
    Obstacle { reason: Reason::ActionFailed, message: message.to_owned() }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
