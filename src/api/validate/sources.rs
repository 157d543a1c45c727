//! Metric sources: each by its own rules.

use std::collections::BTreeMap;

use super::amounts::{DAY, some_time};
use super::findings::Findings;
use super::schedules::Window;
use super::{expressions, metrics::Names, secrets};
use crate::api::metric::{Kafka, MetricSource, Rabbitmq, Sqs, TARGET_SOURCES};
use crate::api::path::Path;
use crate::api::read::hint::{list, shorten};

/// Longest name of a metric.
const LONGEST_NAME: usize = 31;
/// Names that expressions use themselves.
const RESERVED: [&str; 12] =
    ["true", "false", "null", "in", "min", "max", "ceil", "floor", "abs", "round", "connections", "has"];
const WEB: [&str; 2] = ["http", "https"];

pub(super) fn check(
    sources: &BTreeMap<String, MetricSource>,
    names: &Names<'_>,
    path: &Path,
    findings: &mut Findings,
) {
    for (name, source) in sources {
        let path = path.key(name);
        check_name(name, &path, findings);
        check_source(source, names, &path.key(source.kind()), findings);
    }
    expressions::cycles(sources, path, findings);
}

fn check_name(name: &str, path: &Path, findings: &mut Findings) {
    if TARGET_SOURCES.contains(&name) {
        let message = format!("`{name}` is a metric of the target itself; give this one another name");
        findings.add(path.clone(), message);
    } else if RESERVED.contains(&name) {
        findings
            .add(path.clone(), format!("`{name}` is a word of expressions; give this metric another name"));
    } else {
        let is_valid = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && name.len() <= LONGEST_NAME;
        if !is_valid {
            let message = format!(
                "`{}` is no name of a metric: lowercase letters, digits and `_`, a letter first, at most {LONGEST_NAME}",
                shorten(name)
            );
            findings.add(path.clone(), message);
        }
    }
}

fn check_source(source: &MetricSource, names: &Names<'_>, path: &Path, findings: &mut Findings) {
    match source {
        MetricSource::Nats(it) => {
            secrets::url(&it.url, &["nats", "tls", "ws", "wss"], path.key("url"), findings);
            filled(&it.stream, path.key("stream"), findings);
            filled(&it.consumer, path.key("consumer"), findings);
            secrets::auth(it.auth.as_ref(), path, findings);
            secrets::optional(it.credentials.as_ref(), path.key("credentials"), findings);
            secrets::optional(it.nkey.as_ref(), path.key("nkey"), findings);
            secrets::tls(it.tls.as_ref(), path, findings);
            let ways = [it.auth.is_some(), it.credentials.is_some(), it.nkey.is_some()];
            if ways.into_iter().filter(|way| *way).count() > 1 {
                findings.add(path.clone(), "found several of `auth`, `credentials` and `nkey`; keep one");
            }
        }
        MetricSource::Rabbitmq(it) => rabbitmq(it, path, findings),
        MetricSource::Kafka(it) => kafka(it, path, findings),
        MetricSource::RedisStreams(it) => {
            secrets::url(&it.url, &["redis", "rediss"], path.key("url"), findings);
            filled(&it.stream, path.key("stream"), findings);
            secrets::auth(it.auth.as_ref(), path, findings);
            secrets::tls(it.tls.as_ref(), path, findings);
        }
        MetricSource::Sqs(it) => sqs(it, path, findings),
        MetricSource::Prometheus(it) => {
            secrets::url(&it.url, &WEB, path.key("url"), findings);
            filled(&it.query, path.key("query"), findings);
            secrets::auth(it.auth.as_ref(), path, findings);
            secrets::headers(it.headers.iter().flat_map(|it| it.keys()), &path.key("headers"), findings);
            secrets::tls(it.tls.as_ref(), path, findings);
        }
        MetricSource::Http(it) => {
            secrets::url(&it.url, &WEB, path.key("url"), findings);
            if let Some(pointer) = it.pointer.as_deref().filter(|it| !it.is_empty() && !it.starts_with('/')) {
                let message = format!(
                    "found `{}`; a JSON pointer begins with `/`, as in `/queue/length`",
                    shorten(pointer)
                );
                findings.add(path.key("pointer"), message);
            }
            secrets::auth(it.auth.as_ref(), path, findings);
            secrets::headers(it.headers.iter().flat_map(|it| it.keys()), &path.key("headers"), findings);
            secrets::tls(it.tls.as_ref(), path, findings);
        }
        MetricSource::Push(it) => some_time(it.expires, DAY, path.key("expires"), findings),
        MetricSource::Host(it) => {
            if it.path.as_ref().is_some_and(|it| !it.is_absolute()) {
                findings.add(path.key("path"), "expected an absolute path, as in `/var`");
            }
        }
        MetricSource::Cron(it) => {
            let window = Window {
                timezone: &it.timezone,
                start: &it.start,
                end: it.end.as_deref(),
                duration: it.duration,
            };
            window.check(path, findings);
        }
        MetricSource::Formula(it) => expressions::number(&it.expr, names, &path.key("expr"), findings),
    }
}

fn filled(value: &str, path: Path, findings: &mut Findings) {
    if value.trim().is_empty() {
        findings.add(path, "found nothing; expected a value");
    }
}

fn rabbitmq(source: &Rabbitmq, path: &Path, findings: &mut Findings) {
    secrets::url(&source.url, &WEB, path.key("url"), findings);
    match (&source.queue, &source.queues) {
        (Some(_), Some(_)) => {
            findings.add(path.key("queues"), "found `queue` and `queues` together; keep one")
        }
        (None, None) => {
            findings.add(path.clone(), "found neither `queue` nor `queues`; expected one of them")
        }
        (Some(queue), None) => filled(queue, path.key("queue"), findings),
        (None, Some(queues)) => filled(queues, path.key("queues"), findings),
    }
    if source.reduce.is_some() && source.queue.is_some() {
        findings.add(path.key("reduce"), "`reduce` is for `queues`; one `queue` has nothing to reduce");
    }
    secrets::auth(source.auth.as_ref(), path, findings);
    secrets::tls(source.tls.as_ref(), path, findings);
}

fn kafka(source: &Kafka, path: &Path, findings: &mut Findings) {
    if source.brokers.is_empty() {
        findings.add(path.key("brokers"), "found an empty list; expected at least one `host:port`");
    }
    for (index, broker) in source.brokers.iter().enumerate() {
        let is_address = broker.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !host.contains("://") && port.parse::<u16>().is_ok()
        });
        if !is_address {
            let message = if broker.contains('@') {
                "expected `host:port`".to_owned()
            } else {
                format!("found `{}`; expected `host:port`, as in `kafka:9092`", shorten(broker))
            };
            findings.add(path.key("brokers").index(index), message);
        }
    }
    filled(&source.group, path.key("group"), findings);
    if source.partitions.iter().flatten().any(|partition| *partition < 0) {
        findings.add(path.key("partitions"), "a partition's number is 0 or more");
    }
    if source.partitions.is_some() && source.topic.is_none() {
        findings.add(path.key("partitions"), "`partitions` needs the `topic` that they belong to");
    }
    if let Some(sasl) = &source.sasl {
        secrets::secret(&sasl.password, &path.key("sasl").key("password"), findings);
    }
    secrets::tls(source.tls.as_ref(), path, findings);
}

fn sqs(source: &Sqs, path: &Path, findings: &mut Findings) {
    secrets::url(&source.queue_url, &["https", "http"], path.key("queueUrl"), findings);
    filled(&source.region, path.key("region"), findings);
    if let Some(endpoint) = &source.endpoint {
        secrets::url(endpoint, &WEB, path.key("endpoint"), findings);
    }
    if let Some(key) = &source.credentials {
        secrets::secret(&key.id, &path.key("credentials").key("id"), findings);
        secrets::secret(&key.secret, &path.key("credentials").key("secret"), findings);
    }
}

/// For messages: the fields of a source.
pub(super) fn fields_of(name: &str, source: &MetricSource) -> String {
    let fields: Vec<String> = source.fields().iter().map(|field| format!("{name}.{field}")).collect();
    list(&fields.iter().map(String::as_str).collect::<Vec<_>>(), "or")
}
