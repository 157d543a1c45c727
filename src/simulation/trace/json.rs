//! JSON Lines: an object a row.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use super::{ARRIVALS, At, Phase, Row, Scaled, TracedLimits, TracedReplica, is_metric_name};
use crate::api::limits::LimitSet;
use crate::model::observation::HostCapacity;
use crate::units::Bytes;

/// Most replicas of a row.
const MAX_REPLICAS_LISTED: usize = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    at: At,
    current: Option<u32>,
    replicas: Option<BTreeMap<String, Replica>>,
    #[serde(default)]
    metrics: BTreeMap<String, Option<f64>>,
    /// The metric of that name, for closed loops.
    arrivals: Option<f64>,
    #[serde(default)]
    failed: Vec<String>,
    scaled: Option<Scaled>,
    limits: Option<LimitSet>,
    host: Option<Host>,
}

/// What the host has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Host {
    cpus: Option<f64>,
    memory: Option<Bytes>,
    tasks: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Replica {
    #[serde(default, deserialize_with = "given")]
    cpu: Option<Option<f64>>,
    #[serde(default, deserialize_with = "given")]
    cpu_one_core: Option<Option<f64>>,
    #[serde(default, deserialize_with = "given")]
    memory: Option<Option<f64>>,
    ready: Option<bool>,
    age: Option<f64>,
    phase: Option<Phase>,
}

/// The row that a line is.
pub(super) fn row(line: &str) -> Result<Row, String> {
    let mut written: Written = serde_json::from_str(line).map_err(|error| explained(&error))?;
    if let Some(arrivals) = written.arrivals
        && written.metrics.insert(ARRIVALS.to_owned(), Some(arrivals)).is_some()
    {
        return Err(format!("`{ARRIVALS}` stands beside `metrics` and in it; write it once"));
    }
    if let Some(name) = written.metrics.keys().find(|it| !is_metric_name(it)) {
        return Err(format!(
            "`{name}` in `metrics` is no metric's full name, as in `cpu.avg` or `queue.backlog`"
        ));
    }
    if written.replicas.as_ref().is_some_and(|it| it.len() > MAX_REPLICAS_LISTED) {
        return Err(format!("`replicas` lists more than {MAX_REPLICAS_LISTED}"));
    }
    if written.host.as_ref().and_then(|it| it.cpus).is_some_and(|it| it < 0.0) {
        return Err("`host.cpus` is below 0".to_owned());
    }
    let replicas = written.replicas.map(|all| all.into_iter().map(|(name, it)| replica(name, it)).collect());
    Ok(Row {
        at: written.at.moment()?,
        written: written.at,
        current: written.current,
        replicas: replicas.transpose()?,
        metrics: written.metrics.into_iter().map(|(name, value)| (name.into(), value)).collect(),
        failed: written.failed,
        scaled: written.scaled,
        limits: limits(written.limits, written.host),
    })
}

fn limits(limits: Option<LimitSet>, host: Option<Host>) -> Option<Box<TracedLimits>> {
    if limits.is_none() && host.is_none() {
        return None;
    }
    let host = host.map(|it| HostCapacity {
        cpus: it.cpus,
        memory: it.memory.map(|it| it.0 as f64),
        tasks: it.tasks.map(|it| it as f64),
    });
    Some(Box::new(TracedLimits { limits: limits.unwrap_or_default(), host: host.unwrap_or_default() }))
}

fn replica(name: String, it: Replica) -> Result<TracedReplica, String> {
    let numbers = [("cpu", it.cpu.flatten()), ("cpuOneCore", it.cpu_one_core.flatten())];
    let numbers = numbers.into_iter().chain([("memory", it.memory.flatten()), ("age", it.age)]);
    for (field, value) in numbers {
        if value.is_some_and(|it| it < 0.0) {
            return Err(format!("`{field}` of the replica `{name}` is below 0"));
        }
    }
    let Replica { cpu, cpu_one_core, memory, ready, age, phase } = it;
    Ok(TracedReplica { name, cpu, cpu_one_core, memory, ready, age, phase })
}

/// serde's words without its line, which is always the first.
fn explained(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = text.strip_suffix(&place).unwrap_or(&text);
    format!("{message} (column {}); a row is written as in {EXAMPLE}", error.column())
}

const EXAMPLE: &str = r#"`{"at": 0, "current": 2, "metrics": {"queue.backlog": 620}}`"#;

/// Tells `null` from a field that is not there.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<f64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Moment;

        impl Visitor<'_> for Moment {
            type Value = At;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds or a moment as in RFC 3339 for `at`")
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<At, E> {
                Ok(At::Seconds(seconds.into()))
            }

            fn visit_i64<E: Error>(self, seconds: i64) -> Result<At, E> {
                Ok(At::Seconds(seconds.into()))
            }

            fn visit_f64<E: Error>(self, seconds: f64) -> Result<At, E> {
                serde_json::Number::from_f64(seconds)
                    .map(At::Seconds)
                    .ok_or_else(|| E::custom("`at` is infinite"))
            }

            fn visit_str<E: Error>(self, moment: &str) -> Result<At, E> {
                Ok(At::Moment(moment.to_owned()))
            }
        }

        deserializer.deserialize_any(Moment)
    }
}
