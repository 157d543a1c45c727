//! `Notifier`: where events are told.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Metadata;
use super::metric::Tls;
use super::secret::Secret;
use crate::units::Duration;

/// Where events are told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Notifier {
    /// `docktor.dev/v1`.
    pub api_version: String,
    /// `Notifier`.
    pub kind: String,
    /// Name and labels.
    pub metadata: Metadata,
    /// The channel, and what it is told.
    pub spec: NotifierSpec,
}

/// The channel, and what it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotifierSpec {
    /// How it is told.
    pub channel: Channel,
    /// Which events; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<EventType>>,
    /// Only policies with these labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<BTreeMap<String, String>>,
    /// Only when this many events came within a period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// When nothing but failures is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
}

/// How events are told; exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Channel {
    /// An incoming webhook of Slack.
    Slack(Slack),
    /// Any HTTP endpoint.
    Webhook(Webhook),
    /// Mail over SMTP.
    Email(Email),
    /// Events API v2 of PagerDuty.
    Pagerduty(Pagerduty),
}

/// An incoming webhook of Slack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Slack {
    /// The webhook's URL, which is a secret.
    pub url: Secret,
}

/// Any HTTP endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Webhook {
    /// Where to post to.
    pub url: String,
    /// A template of the body; the event as JSON by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Further headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// The key that the body is signed with (HMAC-SHA256).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Secret>,
    /// TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// Mail over SMTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Email {
    /// The server, `smtp://…` or `smtps://…`.
    pub server: String,
    /// The sender.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// User name at the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Collect events and send them together after this long; at once by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Duration>,
}

/// Events API v2 of PagerDuty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pagerduty {
    /// The integration's key.
    pub routing_key: Secret,
    /// Another endpoint than PagerDuty's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// What can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum EventType {
    /// More replicas, or larger limits.
    ScaleUp,
    /// Fewer replicas, or smaller limits.
    ScaleDown,
    /// A change failed.
    Failure,
    /// A change waits for approval.
    ApprovalNeeded,
    /// Somebody else changed the workload.
    Drift,
    /// Metrics cannot be read.
    Degraded,
    /// A document of the folder is wrong.
    Invalid,
}

/// A threshold: more than `count` events within `period`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// Events.
    pub count: u32,
    /// The period.
    pub period: Duration,
}

/// Times of silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuietHours {
    /// IANA time zone.
    pub timezone: String,
    /// Five-field cron expression.
    pub start: String,
    /// Five-field cron expression.
    pub end: String,
}
