//! Which metrics are drawn, and the values that the policy compares them with.

use crate::api::effective::{CompiledRule, Goal, MetricIndex, Name, Origin, Spec, Test};
use crate::decide::recommend::Way;

/// Most metrics that are drawn.
pub(super) const MAX_METRICS: usize = 6;

/// A metric that is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Panel {
    pub(super) metric: Name,
    pub(super) marks: Vec<Mark>,
}

/// A value that a policy compares the metric with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    pub(super) text: String,
    pub(super) value: f64,
    /// It is meant for each replica: the whole is that many times as much. Of which policy.
    pub(super) per_replica: Option<usize>,
}

/// The metrics that rules and target tracking of these policies look at.
pub(super) fn panels<'a>(specs: impl Iterator<Item = &'a Spec>) -> Vec<Panel> {
    let mut panels: Vec<Panel> = Vec::new();
    for (lane, spec) in specs.enumerate() {
        for (index, metric) in spec.metrics.iter().enumerate() {
            let Some(marks) = marks(spec, MetricIndex(index), lane) else { continue };
            if matches!(metric.origin, Origin::Cron(_)) {
                continue;
            }
            if let Some(panel) = panels.iter_mut().find(|it| it.metric == metric.name) {
                panel.add(marks);
            } else if panels.len() < MAX_METRICS {
                let mut panel = Panel { metric: metric.name.clone(), marks: Vec::new() };
                panel.add(marks);
                panels.push(panel);
            }
        }
    }
    panels
}

impl Panel {
    /// Both policies often compare with the same.
    fn add(&mut self, marks: Vec<Mark>) {
        for mark in marks {
            let same =
                |it: &&Mark| it.text == mark.text && it.per_replica.is_none() && mark.per_replica.is_none();
            if !self.marks.iter().any(|it| same(&it)) {
                self.marks.push(mark);
            }
        }
    }
}

/// The marks of a metric; `None` where nothing looks at it directly.
fn marks(spec: &Spec, metric: MetricIndex, lane: usize) -> Option<Vec<Mark>> {
    let (mut marks, mut looked_at) = (Vec::new(), false);
    for (way, rules) in [(Way::Up, &spec.scale_up.rules), (Way::Down, &spec.scale_down.rules)] {
        for rule in rules {
            looked_at |= reads(rule, metric);
            marks.extend(of_rule(rule, metric, way));
        }
    }
    for track in spec.track.iter().filter(|it| it.metric == metric) {
        looked_at = true;
        let (value, per_replica) = match track.goal {
            Goal::AverageValue(target) => (target, Some(lane)),
            Goal::Utilization { target, .. } | Goal::PerReplica { target } | Goal::Value(target) => {
                (target, None)
            }
        };
        let each = if per_replica.is_some() { " each" } else { "" };
        marks.push(Mark { text: format!("target {value}{each}"), value, per_replica });
    }
    looked_at.then_some(marks)
}

fn reads(rule: &CompiledRule, metric: MetricIndex) -> bool {
    match &rule.test {
        Test::Compare { metric: read, .. } | Test::Within { metric: read, .. } => *read == metric,
        Test::Expr(formula) => formula.reads.contains(&metric),
    }
}

fn of_rule(rule: &CompiledRule, metric: MetricIndex, way: Way) -> Vec<Mark> {
    let way = match way {
        Way::Up => "up",
        Way::Down => "down",
    };
    let mark = |text: String, value| Mark { text, value, per_replica: None };
    match &rule.test {
        Test::Compare { metric: read, op, value } if *read == metric => {
            vec![mark(format!("{way} {op} {value}"), *value)]
        }
        Test::Within { metric: read, lower, upper, .. } if *read == metric => {
            let ends = [("from", *lower), ("to", *upper)];
            let ends = ends.into_iter().filter(|it| it.1.is_finite());
            ends.map(|(word, value)| mark(format!("{way} {word} {value}"), value)).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::policy::PolicySpec;

    #[test]
    fn what_rules_and_target_tracking_look_at_is_drawn_with_their_values() {
        let text = "
target: {compose: {project: shop, service: web}}
replicas: {max: 9}
metrics:
  queue: {nats: {url: 'nats://h:4222', stream: S, consumer: C}}
  work: {formula: {expr: 'queue.rate_in * 2.0'}}
scaleUp: {rules: [{metric: cpu.avg, op: '>', value: 75}, {metric: work, within: {lower: 5, upper: 9, points: 2}}]}
scaleDown: {rules: [{expr: 'queue.lag < 1.0'}]}
track: [{metric: queue.backlog, averageValue: 100}]
";
        let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
        let policy: PolicySpec = serde_json::from_value(value).unwrap();
        let spec = Spec::effective(&policy, None).unwrap();
        let said = |it: &Panel| {
            let marks: Vec<_> = it.marks.iter().map(|it| it.text.as_str()).collect();
            format!("{}: {}", it.metric, marks.join(", "))
        };
        let mut once: Vec<_> = panels([&spec].into_iter()).iter().map(said).collect();
        once.sort();
        let wanted =
            ["cpu.avg: up > 75", "queue.backlog: target 100 each", "queue.lag: ", "work: up from 5, up to 9"];
        assert_eq!(once, wanted);
        assert_eq!(panels([&spec, &spec].into_iter())[0].marks.len(), 1, "the same mark is drawn once");
    }
}
