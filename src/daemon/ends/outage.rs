//! Failures in a row to hear events: told once at the beginning and once at the end.

/// Failures in a row to hear events. Whoever ends them at once each time stays in one outage.
#[derive(Debug)]
pub(super) struct Outage {
    /// Whose events they are, for the log.
    whose: &'static str,
    failures: u32,
}

impl Outage {
    /// None yet.
    pub const fn new(whose: &'static str) -> Self {
        Self { whose, failures: 0 }
    }

    /// How many failures in a row there were.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Is there one?
    pub const fn lasts(&self) -> bool {
        self.failures > 0
    }

    /// Events cannot be heard.
    pub fn fails(&mut self, error: &str) {
        if self.count() == Telling::Due {
            tracing::warn!(error, "no events of {}", self.whose);
        }
    }

    fn count(&mut self) -> Telling {
        self.failures = self.failures.saturating_add(1);
        if self.failures == 1 { Telling::Due } else { Telling::Done }
    }

    /// They can be heard again.
    pub fn ends(&mut self) {
        if std::mem::take(&mut self.failures) > 0 {
            tracing::info!("events of {} are heard again", self.whose);
        }
    }
}

/// Whether the log has to hear of a failure.
#[derive(Debug, PartialEq, Eq)]
enum Telling {
    Due,
    Done,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_once_and_the_next_one_again() {
        let mut outage = Outage::new("the engine");
        for _ in 0..2 {
            assert_eq!(
                [outage.count(), outage.count(), outage.count()],
                [Telling::Due, Telling::Done, Telling::Done]
            );
            assert_eq!((outage.failures(), outage.lasts()), (3, true));
            outage.ends();
            assert_eq!((outage.failures(), outage.lasts()), (0, false), "so the next pause is the shortest");
        }
    }
}
