//! Room for a smaller maximum of memory. Below present use, the kernel would kill; so what it can reclaim is
//! reclaimed first, under a `MemoryHigh`, which slows the unit down and never kills it.

use std::time::Duration;

use super::domain::Domain;
use super::kernel::{self, MemoryUse};
use super::setting::{Setting, property};
use crate::actuators::{ActuatorError, Obstacle};
use crate::api::condition::Reason;
use crate::api::limits::LimitKind;
use crate::clients::systemd::{Kept, Properties, UNSET};
use crate::strategies::sizing::factor::HEADROOM;

/// Longest wait for the kernel to reclaim.
const RECLAIM_WAIT: Duration = Duration::from_secs(5);
/// How often present use is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A maximum of memory that is below the present one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shrink {
    /// The new maximum in bytes.
    to: u64,
    /// `MemoryHigh` as it is.
    high: u64,
}

impl Shrink {
    /// The shrink in a change of a unit that runs, if there is one.
    pub fn of(unit: &Properties, settings: &[(LimitKind, Setting)]) -> Option<Self> {
        let runs = unit.text("ControlGroup").is_some_and(|it| !it.is_empty());
        let wanted = settings.iter().find(|(kind, _)| *kind == LimitKind::MemoryMax);
        let Some((_, Setting::Number(to))) = wanted else { return None };
        let present = unit.raw(property(LimitKind::MemoryMax)).unwrap_or(UNSET);
        let high = unit.raw(property(LimitKind::MemoryHigh)).unwrap_or(UNSET);
        (runs && *to < present).then_some(Self { to: *to, high })
    }

    /// What `MemoryHigh` has to be set back to afterwards.
    pub const fn high(&self) -> u64 {
        self.high
    }

    /// Is there room by what the unit uses now? Changes nothing.
    pub async fn check(&self, domain: &Domain, name: &str) -> Result<(), ActuatorError> {
        let used = used(domain, name).await?;
        self.fits(name, used)
    }

    /// Has the kernel reclaim down to the new maximum. Where that does not make enough room, everything is as it was.
    pub async fn make_room(&self, domain: &Domain, name: &str) -> Result<(), ActuatorError> {
        if self.to < self.high {
            self.set_high(domain, name, self.to).await?;
        }
        let made = self.wait(domain, name).await;
        if made.is_err() {
            self.put_back(domain, name).await;
        }
        made
    }

    /// Sets `MemoryHigh` back, as the change is not made.
    pub async fn put_back(&self, domain: &Domain, name: &str) {
        if let Err(error) = self.set_high(domain, name, self.high).await {
            let error = crate::telemetry::chain(&error);
            tracing::error!(unit = name, error, "MemoryHigh cannot be set back; it slows the unit down");
        }
    }

    async fn wait(&self, domain: &Domain, name: &str) -> Result<(), ActuatorError> {
        let mut waited = Duration::ZERO;
        loop {
            let now = used(domain, name).await?;
            let is_below = now.is_some_and(|it| it.whole <= self.to);
            if is_below || waited >= RECLAIM_WAIT {
                return self.fits(name, now);
            }
            tokio::time::sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
    }

    fn fits(&self, name: &str, used: Option<MemoryUse>) -> Result<(), ActuatorError> {
        let kind = LimitKind::MemoryMax;
        let to = kind.written(self.to as f64);
        let message = match used {
            Some(used) if used.working_set() as f64 * HEADROOM <= self.to as f64 => return Ok(()),
            Some(used) => {
                let working_set = (used.working_set() as f64 / kind.grain()).ceil() * kind.grain();
                format!(
                    "{name} uses {} of memory, page cache aside; {kind} {to} would be less than {HEADROOM} times that",
                    kind.written(working_set)
                )
            }
            None => format!("how much memory {name} uses is not known, so {kind} cannot be lowered to {to}"),
        };
        Err(ActuatorError::Refused(Obstacle { reason: Reason::LimitInUse, message }))
    }

    async fn set_high(&self, domain: &Domain, name: &str, bytes: u64) -> Result<(), ActuatorError> {
        let high = [(property(LimitKind::MemoryHigh), Setting::Number(bytes).value())];
        let set = domain.manager.set(name, Kept::Runtime, &high).await;
        set.map_err(|error| domain.failed(&format!("change the limits of {name}"), error))
    }
}

/// What a unit uses now: by the kernel's files, else as systemd tells it, which does not know the cache.
async fn used(domain: &Domain, name: &str) -> Result<Option<MemoryUse>, ActuatorError> {
    let unit = domain.look(name).await?;
    let files = unit.text("ControlGroup").and_then(kernel::memory);
    Ok(files.or_else(|| unit.number("MemoryCurrent").map(|whole| MemoryUse { whole, cache: 0 })))
}
