//! Metric sources: where values come from. One key per source, and the key is its kind.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::Secret;
use crate::units::Duration;

/// Sources of the target itself; they need no entry under `metrics`, and no entry may take their names.
pub const TARGET_SOURCES: [&str; 6] = ["cpu", "memory", "tasks", "network", "io", "pressure"];

/// Where a metric's values come from; exactly one of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MetricSource {
    /// A consumer of a NATS JetStream stream.
    Nats(Nats),
    /// One or several RabbitMQ queues, over the management API.
    Rabbitmq(Rabbitmq),
    /// The lag of a Kafka consumer group.
    Kafka(Kafka),
    /// A stream of Redis or Valkey.
    RedisStreams(RedisStreams),
    /// A queue of AWS SQS.
    Sqs(Sqs),
    /// An instant query to Prometheus.
    Prometheus(Prometheus),
    /// A number in a JSON answer.
    Http(Http),
    /// A value that is posted to docktor's API.
    Push(Push),
    /// What the host has free.
    Host(Host),
    /// 1 inside a time window, 0 outside.
    Cron(Cron),
    /// A number computed from other metrics.
    Formula(Formula),
}

impl MetricSource {
    /// The word for the kind: YAML key, metric label and docs page.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Nats(_) => "nats",
            Self::Rabbitmq(_) => "rabbitmq",
            Self::Kafka(_) => "kafka",
            Self::RedisStreams(_) => "redisStreams",
            Self::Sqs(_) => "sqs",
            Self::Prometheus(_) => "prometheus",
            Self::Http(_) => "http",
            Self::Push(_) => "push",
            Self::Host(_) => "host",
            Self::Cron(_) => "cron",
            Self::Formula(_) => "formula",
        }
    }

    /// The fields that `<name>.<field>` may ask for; none where the source has one value and is its own name.
    #[must_use]
    pub const fn fields(&self) -> &'static [&'static str] {
        match self {
            Self::Nats(_) => &[
                "backlog",
                "lag",
                "rate_in",
                "rate_out",
                "num_ack_pending",
                "num_redelivered",
                "num_waiting",
            ],
            Self::Rabbitmq(_) => &["backlog", "lag", "rate_in", "rate_out", "unacked", "consumers", "value"],
            Self::Kafka(_) => &["backlog", "lag", "rate_in", "rate_out", "partitions"],
            Self::RedisStreams(_) => &["backlog", "lag", "rate_in", "rate_out", "pending", "length"],
            Self::Sqs(_) => &["backlog", "lag", "visible", "inflight", "delayed"],
            Self::Host(_) => &[
                "cpu_free",
                "memory_free",
                "disk_free",
                "load1",
                "load5",
                "load15",
                "pressure_cpu",
                "pressure_memory",
                "pressure_io",
            ],
            Self::Prometheus(_) | Self::Http(_) | Self::Push(_) | Self::Cron(_) | Self::Formula(_) => &[],
        }
    }
}

/// What a value that is not there stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum WhenAbsent {
    /// Missing: it never scales down.
    #[default]
    Missing,
    /// Zero.
    Zero,
}

/// How a TLS connection is made.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls {
    /// A CA certificate (PEM) besides the system's roots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The client's certificate (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The client's key (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Secret>,
    /// The name that the server's certificate must bear, where it is not the URL's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
}

/// Who docktor is to a server: `user` with `password`, or `token`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Auth {
    /// User name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// A bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

/// A consumer of a NATS JetStream stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Nats {
    /// The server, `nats://…` or `tls://…`.
    pub url: String,
    /// The stream.
    pub stream: String,
    /// The consumer.
    pub consumer: String,
    /// The JetStream domain, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// User and password, or token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// A credentials file (JWT and seed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Secret>,
    /// An nkey seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nkey: Option<Secret>,
    /// TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// One or several RabbitMQ queues. Exactly one of `queue`, `queues`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rabbitmq {
    /// The management API, `http://…` or `https://…`.
    pub url: String,
    /// The virtual host; `/` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vhost: Option<String>,
    /// The queue's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// A regular expression for several queues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queues: Option<String>,
    /// How several queues become one number; `Sum` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce: Option<Reduce>,
    /// What `value` is; `QueueLength` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<RabbitmqMode>,
    /// User and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// What the field `value` of a RabbitMQ source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum RabbitmqMode {
    /// Ready and unacknowledged messages.
    #[default]
    QueueLength,
    /// Messages published per second.
    MessageRate,
    /// Messages delivered per second.
    DeliverGetRate,
    /// Published over delivered.
    PublishedToDelivered,
    /// Seconds until the queue is empty.
    ExpectedConsumptionTime,
}

/// How several values become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum Reduce {
    /// Added up.
    #[default]
    Sum,
    /// Their mean.
    Avg,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// The lag of a Kafka consumer group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kafka {
    /// Brokers to begin with, `host:port`.
    pub brokers: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// The topic; all that the group has commits for by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Only these partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<Vec<i32>>,
    /// What a partition without commit counts as; `Latest` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_reset: Option<OffsetReset>,
    /// More consumers than partitions are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_idle_consumers: Option<bool>,
    /// No more consumers than partitions that lag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_to_lagging: Option<bool>,
    /// Leave out partitions whose commit does not move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_persistent_lag: Option<bool>,
    /// SASL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sasl: Option<Sasl>,
    /// TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// What a partition without commit counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum OffsetReset {
    /// One message, so that the group wakes.
    #[default]
    Latest,
    /// The whole log.
    Earliest,
}

/// SASL authentication.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sasl {
    /// The mechanism.
    pub mechanism: SaslMechanism,
    /// User name.
    pub user: String,
    /// The user's password.
    pub password: Secret,
}

/// A SASL mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SaslMechanism {
    /// PLAIN.
    Plain,
    /// SCRAM-SHA-256.
    ScramSha256,
    /// SCRAM-SHA-512.
    ScramSha512,
}

/// A stream of Redis or Valkey.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedisStreams {
    /// The server, `redis://…` or `rediss://…`.
    pub url: String,
    /// The stream's key.
    pub stream: String,
    /// The consumer group; without it only `length` is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// User and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// A queue of AWS SQS. Without `credentials`, the usual chain: environment, profile, container, instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sqs {
    /// The queue's URL.
    pub queue_url: String,
    /// The region.
    pub region: String,
    /// Another endpoint than AWS's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Count messages in flight; true by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<bool>,
    /// Count delayed messages; false by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delayed: Option<bool>,
    /// An access key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<AccessKey>,
}

/// An AWS access key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessKey {
    /// The key's id.
    pub id: Secret,
    /// The key.
    pub secret: Secret,
}

/// An instant query to Prometheus.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prometheus {
    /// The server, `http://…` or `https://…`.
    pub url: String,
    /// A PromQL query that gives one value.
    pub query: String,
    /// What an empty answer stands for; `Missing` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_empty: Option<WhenAbsent>,
    /// What NaN and infinity stand for; `Missing` by default.
    #[serde(default, rename = "onNaN", skip_serializing_if = "Option::is_none")]
    pub on_nan: Option<WhenAbsent>,
    /// How several series become one; several are an error by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce: Option<Reduce>,
    /// User and password, or token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Further headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// A number in a JSON answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Http {
    /// The address, `http://…` or `https://…`.
    pub url: String,
    /// A JSON pointer (RFC 6901) to the number; the whole answer by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// `GET` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,
    /// Further headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// What is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// What a number that is not there stands for; `Missing` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_empty: Option<WhenAbsent>,
    /// User and password, or token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// How an HTTP source asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// GET.
    #[default]
    Get,
    /// POST.
    Post,
}

/// A value that is posted to `/api/v1/metrics/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Push {
    /// A value older than this is missing; 5m by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Duration>,
}

/// What the host has free.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Host {
    /// The file system of `disk_free`; `/` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
}

/// 1 inside a time window, 0 outside. Exactly one of `end`, `duration`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cron {
    /// IANA time zone.
    pub timezone: String,
    /// Five-field cron expression.
    pub start: String,
    /// Five-field cron expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// How long it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
}

/// A number computed from other metrics.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Formula {
    /// A CEL expression, all of its values doubles, that gives a number.
    pub expr: String,
}
