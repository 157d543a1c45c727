//! `Notifier`.

use super::amounts::{DAY, WEEK, some_time};
use super::findings::Findings;
use super::schedules::Window;
use super::secrets;
use crate::api::notifier::{Channel, Email, NotifierSpec};
use crate::api::path::Path;
use crate::api::read::hint::shorten;

const WEB: [&str; 2] = ["https", "http"];
const MAIL: [&str; 2] = ["smtps", "smtp"];

pub(super) fn check(spec: &NotifierSpec, path: &Path, findings: &mut Findings) {
    channel(&spec.channel, &path.key("channel"), findings);
    if spec.events.as_ref().is_some_and(Vec::is_empty) {
        findings.add(path.key("events"), "found an empty list; leave `events` out for all of them");
    }
    if let Some(rate) = &spec.rate {
        if rate.count == 0 {
            findings.add(path.key("rate").key("count"), "found `0`; expected 1 or more");
        }
        some_time(Some(rate.period), DAY, path.key("rate").key("period"), findings);
    }
    if let Some(quiet) = &spec.quiet_hours {
        let window =
            Window { timezone: &quiet.timezone, start: &quiet.start, end: Some(&quiet.end), duration: None };
        window.check(&path.key("quietHours"), findings);
    }
}

fn channel(channel: &Channel, path: &Path, findings: &mut Findings) {
    match channel {
        Channel::Slack(it) => secrets::secret(&it.url, &path.key("slack").key("url"), findings),
        Channel::Webhook(it) => {
            let path = path.key("webhook");
            secrets::url(&it.url, &WEB, path.key("url"), findings);
            secrets::headers(it.headers.iter().flat_map(|it| it.keys()), &path.key("headers"), findings);
            secrets::optional(it.signature.as_ref(), path.key("signature"), findings);
            secrets::tls(it.tls.as_ref(), &path, findings);
        }
        Channel::Email(it) => email(it, &path.key("email"), findings),
        Channel::Pagerduty(it) => {
            let path = path.key("pagerduty");
            secrets::secret(&it.routing_key, &path.key("routingKey"), findings);
            if let Some(url) = &it.url {
                secrets::url(url, &WEB, path.key("url"), findings);
            }
        }
    }
}

fn email(email: &Email, path: &Path, findings: &mut Findings) {
    secrets::url(&email.server, &MAIL, path.key("server"), findings);
    secrets::optional(email.password.as_ref(), path.key("password"), findings);
    if email.user.is_some() != email.password.is_some() {
        findings.add(path.clone(), "`user` and `password` belong together; write both or none");
    }
    if email.to.is_empty() {
        findings.add(path.key("to"), "found an empty list; expected at least one address");
    }
    let to = email.to.iter().enumerate().map(|(index, address)| (path.key("to").index(index), address));
    for (path, address) in to.chain([(path.key("from"), &email.from)]) {
        let is_address =
            address.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
        if !is_address {
            findings.add(
                path,
                format!("found `{}`; expected an address, as in `ops@example.org`", shorten(address)),
            );
        }
    }
    some_time(email.digest, WEEK, path.key("digest"), findings);
}
