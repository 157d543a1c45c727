//! `describe policy NAME`: everything about one policy, in kubectl's layout.

use std::collections::BTreeMap;

use super::args::{Global, Kind};
use super::exit::{Exit, Failure};
use super::explain::{clock_time, decisions, table};
use super::origin::Origin;
use super::output::{Format, Output, Table, age, number, unsupported, yaml};
use super::policies::{first_line, limits_of, replicas};
use crate::admin::story::movement;
use crate::admin::view::{Answer, PolicyView, Proposal, word};
use crate::api::status::TrailLine;
use crate::clock::Clock;
use crate::units::Timestamp;

/// Column at which values begin.
const LABEL_WIDTH: usize = 15;
/// Decisions that are shown; `explain --tail` shows more.
const SHOWN_DECISIONS: usize = 10;

/// Run `describe`.
///
/// # Errors
/// Why there is nothing to show.
pub async fn run(kind: &str, names: &[String], global: &Global, output: &mut Output) -> Result<(), Failure> {
    let usage = |sentence| Failure::say(Exit::Usage, sentence);
    if global.output != Format::Table {
        return Err(unsupported("describe", "text"));
    }
    let (kind, names) = Kind::with_names(kind, names).map_err(usage)?;
    if kind != Kind::Policies {
        return Err(usage("only policies can be described; see `get decisions` and `get events`".to_owned()));
    }
    let found = Origin::find(global).await?.policies(&names, None).await?;
    for (index, view) in found.policies.iter().enumerate() {
        if index > 0 {
            output.line("\n")?;
        }
        Page { view, now: Clock::system().now(), output }.print()?;
    }
    found.complain("policies")
}

struct Page<'a> {
    view: &'a PolicyView,
    now: Timestamp,
    output: &'a mut Output,
}

impl Page<'_> {
    fn print(&mut self) -> Result<(), Failure> {
        self.metadata()?;
        self.state()?;
        self.metrics()?;
        self.spec()?;
        self.conditions()?;
        self.last_decision()?;
        self.mistakes()
    }

    fn metadata(&mut self) -> Result<(), Failure> {
        let PolicyView { metadata, status, .. } = self.view;
        self.pair("Name", &metadata.name)?;
        self.map("Labels", &metadata.labels)?;
        self.map("Annotations", &metadata.annotations)?;
        let source = &status.source;
        self.pair("Source", &format!("{} (document {})", source.file, source.document))?;
        let observed = status.observed_generation;
        self.pair("Generation", &format!("{} (observed {observed})", metadata.generation))?;
        let created = metadata.creation_timestamp.map(|it| self.moment(it));
        self.pair("Created", created.as_deref().unwrap_or("<unknown>"))
    }

    fn state(&mut self) -> Result<(), Failure> {
        let PolicyView { status, spec, effective, .. } = self.view;
        let target = effective.as_ref().or(spec.as_ref()).and_then(|it| it.target.as_ref());
        self.pair("Target", &target.map_or_else(|| "<none>".to_owned(), ToString::to_string))?;
        self.pair("Mode", &word(&self.view.mode))?;
        self.pair("Phase", &word(&status.phase))?;
        if let Some(hold) = &self.view.hold {
            let reason = hold.reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
            let text =
                format!("{} until {}, by {}{reason}", word(&hold.direction), clock_time(hold.until), hold.by);
            self.pair("Hold", &text)?;
        }
        if let Some(proposal) = &self.view.proposal {
            let Proposal { id, plan, reason, since, until } = proposal;
            let asked = self.moment(*since);
            let lines = [
                format!("{plan}, because {reason}"),
                format!("asked {asked}, until {}", clock_time(*until)),
                format!("docktorctl approve {id}, or docktorctl reject {id}"),
            ];
            self.pair("Proposal", id)?;
            for line in lines {
                self.output.line(format!("{:LABEL_WIDTH$} {line}", ""))?;
            }
        }
        if let Some(approval) = &self.view.approval {
            let Answer { id, plan, by, until, .. } = approval;
            self.pair("Approval", &format!("{id} by {by}, until {}: {plan}", clock_time(*until)))?;
        }
        let counts = status.replicas.map(|it| {
            format!(
                "{} ({} ready; {} desired; min {}, max {})",
                replicas(it),
                it.ready,
                it.desired,
                it.min,
                it.max
            )
        });
        self.pair("Replicas", counts.as_deref().unwrap_or("<unknown>"))?;
        if let Some(limits) = limits_of(self.view) {
            self.pair("Limits", &limits)?;
        }
        let last = status.last_scale_time.map(|it| self.moment(it));
        self.pair("Last scale", last.as_deref().unwrap_or("<never>"))?;
        let next = status.next_allowed.unwrap_or_default();
        let next = format!("up {}, down {}", self.allowed(next.up), self.allowed(next.down));
        self.pair("Cooldowns end", &next)
    }

    fn metrics(&mut self) -> Result<(), Failure> {
        let PolicyView { signals, status, .. } = self.view;
        let thresholds = signals.iter().map(|it| (it.metric.clone(), it.value, Some(it.threshold)));
        let shown = |name: &String| signals.iter().any(|it| it.metric == *name);
        let others = status.metrics.iter().filter(|(name, _)| !shown(name));
        let others = others.map(|(name, value)| (name.clone(), Some(*value), None));
        let rows: Vec<_> = thresholds
            .chain(others)
            .map(|(name, value, threshold)| {
                let value = value.map_or_else(|| "<missing>".to_owned(), number);
                vec![name, value, threshold.map_or_else(|| "-".to_owned(), number)]
            })
            .collect();
        self.section("Metrics", vec!["METRIC", "CURRENT", "THRESHOLD"], rows)
    }

    fn spec(&mut self) -> Result<(), Failure> {
        let (title, spec) = match (&self.view.effective, &self.view.spec) {
            (Some(effective), _) => ("Effective spec", Some(effective)),
            (None, written) => ("Spec", written.as_ref()),
        };
        let Some(spec) = spec else { return self.pair(title, "<none that could be read>") };
        self.output.line(format!("{title}:"))?;
        for line in yaml(spec)?.lines() {
            self.output.line(format!("  {line}"))?;
        }
        Ok(())
    }

    fn conditions(&mut self) -> Result<(), Failure> {
        let rows = self.view.status.conditions.iter().map(|it| {
            let since = age(self.now.since(it.last_transition_time));
            vec![
                word(&it.kind),
                word(&it.status),
                word(&it.reason),
                since,
                first_line(&it.message).to_owned(),
            ]
        });
        self.section("Conditions", vec!["TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"], rows.collect())
    }

    fn last_decision(&mut self) -> Result<(), Failure> {
        let Some(decision) = &self.view.status.last_decision else {
            return self.pair("Last decision", "<none>");
        };
        self.output.line("Last decision:")?;
        let limited = decision.limited_by.as_deref().unwrap_or("<nothing>");
        for (label, text) in [
            ("Time", self.moment(decision.time)),
            ("Action", format!("{} {}", word(&decision.action), movement(decision))),
            ("Reason", decision.reason.clone()),
            ("Limited by", limited.to_owned()),
        ] {
            self.pair(&format!("  {label}"), &text)?;
        }
        let rows = decision.trail.iter().map(|TrailLine { stage, replicas, message }| {
            let replicas = replicas.map_or_else(|| "-".to_owned(), |it| it.to_string());
            vec![word(stage), replicas, message.clone()]
        });
        self.output.line("  Trail:")?;
        for line in Table::new(vec!["STAGE", "REPLICAS", "WHAT"]).lines(rows) {
            self.output.line(format!("    {line}"))?;
        }

        let decisions = decisions(self.view);
        if decisions.len() > 1 {
            self.output.line("Decisions:")?;
            let recent = &decisions[decisions.len().saturating_sub(SHOWN_DECISIONS)..];
            for line in table(recent) {
                self.output.line(format!("  {line}"))?;
            }
        }
        Ok(())
    }

    fn mistakes(&mut self) -> Result<(), Failure> {
        if self.view.mistakes.is_empty() {
            return Ok(());
        }
        self.output.line("Mistakes:")?;
        for line in self.view.mistakes.iter().flat_map(|it| it.lines()) {
            self.output.line(format!("  {line}"))?;
        }
        Ok(())
    }

    fn pair(&mut self, label: &str, text: &str) -> Result<(), Failure> {
        let label = format!("{label}:");
        Ok(self.output.line(format!("{label:<LABEL_WIDTH$} {text}"))?)
    }

    fn map(&mut self, label: &str, map: &BTreeMap<String, String>) -> Result<(), Failure> {
        if map.is_empty() {
            return self.pair(label, "<none>");
        }
        let mut label = label.to_owned();
        for (key, value) in map {
            let text = format!("{key}={value}");
            match std::mem::take(&mut label) {
                empty if empty.is_empty() => self.output.line(format!("{:LABEL_WIDTH$} {text}", ""))?,
                label => self.pair(&label, &text)?,
            }
        }
        Ok(())
    }

    fn section(
        &mut self,
        title: &str,
        header: Vec<&'static str>,
        rows: Vec<Vec<String>>,
    ) -> Result<(), Failure> {
        if rows.is_empty() {
            return self.pair(title, "<none>");
        }
        self.output.line(format!("{title}:"))?;
        for line in Table::new(header).lines(rows) {
            self.output.line(format!("  {line}"))?;
        }
        Ok(())
    }

    fn moment(&self, at: Timestamp) -> String {
        format!("{} ({} ago)", clock_time(at), age(self.now.since(at)))
    }

    fn allowed(&self, at: Option<Timestamp>) -> String {
        match at.filter(|it| *it > self.now) {
            Some(at) => format!("in {}", age(at.since(self.now))),
            None => "over".to_owned(),
        }
    }
}
