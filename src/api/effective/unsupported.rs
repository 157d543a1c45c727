//! What this build does not do yet. Nothing is parsed and then silently ignored: a policy that uses one
//! of these is refused with `reason=NotSupportedYet`.

use super::*;
use crate::api::target::ComposeStrategy;

/// Kinds of metric sources that need no observation.
const COMPUTED: [&str; 2] = ["formula", "cron"];

/// A part of a policy that this build does not do yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// Where it stands: `spec.notify`.
    pub path: String,
    /// What it is, for people: `notifiers`.
    pub what: String,
}

/// The parts of `spec` that this build does not do yet; empty when it does all of it.
#[must_use]
pub fn unsupported(spec: &Spec) -> Vec<Unsupported> {
    let mut found = Found(Vec::new());
    target(spec, &mut found);
    found.when(spec.drain.is_some(), "spec.scaleIn.drain", "draining");
    found.when(!spec.notify.is_empty(), "spec.notify", "notifiers");
    found.when(spec.on_delete == OnDelete::Restore, "spec.onDelete", "onDelete: Restore");
    found.when(spec.priority != 0, "spec.priority", "a priority, for which only a HostBudget asks");
    for (name, source) in &spec.sources {
        let kind = source.kind();
        found.when(
            !COMPUTED.contains(&kind),
            &format!("spec.metrics.{name}.{kind}"),
            &format!("the metric source {kind}"),
        );
    }
    found.0
}

fn target(spec: &Spec, found: &mut Found) {
    match &spec.target {
        Target::Compose(it) => {
            let other = matches!(it.strategy, Some(ComposeStrategy::Cli | ComposeStrategy::Auto));
            found.when(other, "spec.target.compose.strategy", "another strategy than Engine");
            found.when(it.docker.is_some(), "spec.target.compose.docker", "another engine than --docker");
        }
        Target::Swarm(_) => found.when(true, "spec.target.swarm", "Docker Swarm"),
        Target::Systemd(_) => {}
    }
}

struct Found(Vec<Unsupported>);

impl Found {
    fn when(&mut self, used: bool, path: &str, what: &str) {
        if used {
            self.0.push(Unsupported { path: path.to_owned(), what: what.to_owned() });
        }
    }
}
