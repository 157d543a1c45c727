//! Pressure that cannot wait for the next sample: the kernel itself says when tasks of a cgroup have lost more time
//! than a policy allows (PSI triggers, the kernel's Documentation/accounting/psi.rst).
//!
//! It only listens. How much pressure there is, samples say; what follows from it, the policy.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinSet;

use crate::api::behavior::Op;
use crate::api::effective::{CompiledRule, Origin, Spec, Test};
use crate::api::target_metric::{Contended, Over, Pressure, Resource, Stall};
use crate::units::Duration;

/// The kernel's windows are as long as the policy's, within what it takes: at most this …
const LONGEST_WINDOW: u64 = 10;
/// … and in whole multiples of this many seconds, as it takes no others from those who are not root.
const WINDOW_STEP: u64 = 2;
/// Most triggers of one policy: of three resources, each in two ways, a few thresholds.
const MAX_TRIGGERS: usize = 12;

/// What the kernel is to tell of: tasks waited for longer than `threshold` within `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trigger {
    /// What for.
    pub on: Contended,
    /// Some task, or all of them.
    pub stall: Stall,
    /// How long.
    pub threshold: Duration,
    /// In how much time.
    pub window: Duration,
}

/// What the kernel is to tell of for a policy: pressure over its window that a rule of `scaleUp` has an upper bound for.
#[must_use]
pub fn triggers(spec: &Spec) -> Vec<Trigger> {
    let mut triggers = Vec::new();
    for trigger in spec.scale_up.rules.iter().filter_map(|rule| trigger(spec, rule)) {
        if triggers.len() < MAX_TRIGGERS && !triggers.contains(&trigger) {
            triggers.push(trigger);
        }
    }
    triggers
}

fn trigger(spec: &Spec, rule: &CompiledRule) -> Option<Trigger> {
    let Test::Compare { metric, op: Op::Above | Op::AtLeast, value } = rule.test else { return None };
    let Origin::Target(metric) = spec.metrics.get(metric.0)?.origin else { return None };
    let Resource::Pressure(Pressure { on, stall, over: Over::Window }) = metric.resource else { return None };
    // None is always exceeded, and more than all of the time never is.
    if !(value > 0.0 && value < 100.0) {
        return None;
    }
    let window = window(spec.window);
    let threshold = window.get().mul_f64(value / 100.0);
    Some(Trigger {
        on,
        stall,
        threshold: Duration::from_millis(u64::try_from(threshold.as_millis()).ok()?),
        window,
    })
}

fn window(policy: Duration) -> Duration {
    let steps = policy.get().as_secs().div_ceil(WINDOW_STEP);
    Duration::from_secs((steps * WINDOW_STEP).clamp(WINDOW_STEP, LONGEST_WINDOW))
}

impl Trigger {
    fn file(&self) -> &'static str {
        match self.on {
            Contended::Cpu => "cpu.pressure",
            Contended::Memory => "memory.pressure",
            Contended::Io => "io.pressure",
        }
    }

    /// As the kernel wants it written: `some 1500000 2000000`, in microseconds.
    fn written(&self) -> String {
        let kind = match self.stall {
            Stall::Some => "some",
            Stall::Full => "full",
        };
        // The kernel takes no threshold of nothing.
        let threshold = self.threshold.get().as_micros().max(1);
        format!("{kind} {threshold} {}\0", self.window.get().as_micros())
    }
}

/// Listens to the pressure on one replica, until it is dropped.
#[derive(Debug, Default)]
pub struct Alarm {
    triggers: Vec<Trigger>,
    rang: Arc<AtomicBool>,
    _listeners: JoinSet<()>,
}

impl Alarm {
    /// Listens to the cgroup of that folder. A trigger that the kernel does not take is left out: its pressure is seen
    /// at the next evaluation.
    ///
    /// To be called within a tokio runtime.
    #[must_use]
    pub fn set(folder: &Path, triggers: &[Trigger]) -> Self {
        let rang = Arc::new(AtomicBool::new(false));
        let mut listeners = JoinSet::new();
        for trigger in triggers {
            let path = folder.join(trigger.file());
            match register(&path, *trigger) {
                Ok(file) => {
                    listeners.spawn(listen(file, Arc::clone(&rang)));
                }
                Err(error) => tell_once(&path, &error),
            }
        }
        Self { triggers: triggers.to_vec(), rang, _listeners: listeners }
    }

    /// One that `rang` rings, for tests.
    #[must_use]
    pub fn by_hand(triggers: &[Trigger], rang: Arc<AtomicBool>) -> Self {
        Self { triggers: triggers.to_vec(), rang, ..Self::default() }
    }

    /// Does it listen for exactly these?
    #[must_use]
    pub fn is_for(&self, triggers: &[Trigger]) -> bool {
        self.triggers == triggers
    }

    /// Did it ring since this was last asked?
    #[must_use]
    pub fn take(&self) -> bool {
        self.rang.swap(false, Ordering::Relaxed)
    }
}

/// The trigger lives as long as its file is open.
fn register(path: &Path, trigger: Trigger) -> io::Result<AsyncFd<File>> {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits();
    let flags = i32::try_from(nonblocking).map_err(io::Error::other)?;
    let mut file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
    file.write_all(trigger.written().as_bytes())?;
    #[expect(
        deprecated,
        reason = "what replaces it is unsafe for types that lie about their descriptor; `File` does not"
    )]
    AsyncFd::with_interest(file, Interest::PRIORITY)
}

/// Of a cgroup that is gone nothing is heard any more; whoever reads it finds out.
async fn listen(file: AsyncFd<File>, rang: Arc<AtomicBool>) {
    while let Ok(mut ready) = file.ready(Interest::PRIORITY).await {
        rang.store(true, Ordering::Relaxed);
        ready.clear_ready();
    }
}

/// Most hosts refuse all of them or none, so the first refusal says it all.
fn tell_once(path: &Path, error: &io::Error) {
    static TOLD: Once = Once::new();
    let path: PathBuf = path.to_owned();
    TOLD.call_once(|| {
        tracing::debug!(path = %path.display(), %error, "no pressure triggers; pressure is seen at evaluations");
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::policy::PolicySpec;

    fn spec(window: &str, rules: &str) -> Spec {
        let text = format!(
            "target: {{systemd: {{unit: worker.service}}}}\nwindow: {window}\nresources: {{cpuQuota: {{min: 10%, max: 100%}}}}\n\
             scaleUp: {{rules: [{rules}]}}\n"
        );
        let value: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let policy: PolicySpec = serde_json::from_value(value).unwrap();
        Spec::effective(&policy, None).unwrap()
    }

    fn written(window: &str, rules: &str) -> Vec<(&'static str, String)> {
        let triggers = triggers(&spec(window, rules));
        triggers.iter().map(|it| (it.file(), it.written().trim_end_matches('\0').to_owned())).collect()
    }

    #[test]
    fn a_rule_on_pressure_becomes_a_trigger_of_the_same_share_of_the_same_window() {
        for (window, rule, expected) in [
            (
                "10s",
                "{metric: pressure.cpu, op: '>', value: 40}",
                Some(("cpu.pressure", "some 4000000 10000000")),
            ),
            (
                "2s",
                "{metric: pressure.io, op: '>=', value: 75}",
                Some(("io.pressure", "some 1500000 2000000")),
            ),
            (
                "5s",
                "{metric: pressure.memoryFull, op: '>', value: 0.5}",
                Some(("memory.pressure", "full 30000 6000000")),
            ),
            (
                "1m",
                "{metric: pressure.cpu, op: '>', value: 50}",
                Some(("cpu.pressure", "some 5000000 10000000")),
            ),
            (
                "1s",
                "{metric: pressure.cpu, op: '>', value: 50}",
                Some(("cpu.pressure", "some 1000000 2000000")),
            ),
            ("10s", "{metric: pressure.cpu, op: '<', value: 40}", None),
            ("10s", "{metric: pressure.cpu, op: '>', value: 0}", None),
            ("10s", "{metric: pressure.cpu, op: '>', value: 100}", None),
            ("10s", "{metric: pressure.cpuAvg10, op: '>', value: 40}", None),
            ("10s", "{metric: cpu.avg, op: '>', value: 40}", None),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(file, text)| (file, text.to_owned())).collect();
            assert_eq!(written(window, rule), expected, "{window} {rule}");
        }
    }

    #[test]
    fn a_policy_has_each_trigger_once_and_not_too_many() {
        let rule = |value: usize| format!("{{metric: pressure.cpu, op: '>', value: {value}}}");
        assert_eq!(written("10s", &[rule(5), rule(5)].join(", ")).len(), 1);
        let many: Vec<_> = (1..=50).map(rule).collect();
        assert_eq!(written("10s", &many.join(", ")).len(), MAX_TRIGGERS);
    }

    #[tokio::test]
    async fn what_the_kernel_does_not_take_never_rings_and_breaks_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let alarm =
            Alarm::set(folder.path(), &triggers(&spec("2s", "{metric: pressure.cpu, op: '>', value: 1}")));
        tokio::task::yield_now().await;
        assert!(!alarm.take());
    }
}
