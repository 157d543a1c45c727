//! What a decision has to say about the policy's conditions.

use super::{Decision, Drifted, Finding, Limitation, LimitsDrifted, Sight, Why};
use crate::api::condition::{ConditionStatus, ConditionType, Reason};

impl Decision {
    /// `ScalingActive`, `AbleToScale`, `ScalingLimited`, `ScaledToZero`, `Fallback` and `Drifted`.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        vec![
            self.scaling_active(),
            self.able_to_scale(),
            self.scaling_limited(),
            self.at_zero(),
            self.falling_back(),
            self.drift(),
        ]
    }

    fn scaling_active(&self) -> Finding {
        let (status, reason, message) = match (&self.why, self.sight) {
            (Why::TurnedOff { .. }, _) => (ConditionStatus::False, Reason::TurnedOff, self.reason()),
            (Why::Disabled, _) => (ConditionStatus::False, Reason::Disabled, self.reason()),
            (Why::Unreadable(_), _) => (ConditionStatus::Unknown, Reason::MetricsMissing, self.reason()),
            (_, Sight::Full) => {
                (ConditionStatus::True, Reason::MetricsAvailable, "metrics can be read".to_owned())
            }
            (_, Sight::Partial) => (ConditionStatus::Unknown, Reason::MetricsPartial, self.what_is_missing()),
            (_, Sight::Blind) => (ConditionStatus::False, Reason::MetricsMissing, self.what_is_missing()),
        };
        Finding { kind: ConditionType::ScalingActive, status, reason, message }
    }

    fn what_is_missing(&self) -> String {
        format!("no value of {}", self.missing.join(", "))
    }

    fn able_to_scale(&self) -> Finding {
        let cooling = [self.next_allowed.up, self.next_allowed.down].into_iter().flatten().min();
        let (status, reason, message) = match (self.obstacle, cooling) {
            (Some(reason), _) => {
                (ConditionStatus::False, reason, format!("the target cannot be changed: {reason:?}"))
            }
            (None, Some(until)) => {
                (ConditionStatus::True, Reason::CoolingDown, format!("a cooldown runs until {until}"))
            }
            (None, None) => (ConditionStatus::True, Reason::TargetFound, "the target is there".to_owned()),
        };
        Finding { kind: ConditionType::AbleToScale, status, reason, message }
    }

    fn scaling_limited(&self) -> Finding {
        let limited = self.limited_by.and_then(|it| Some((it.reason()?, it)));
        let (status, reason, message) = match limited {
            Some((reason, limitation)) => (ConditionStatus::True, reason, format!("kept by {limitation}")),
            None => {
                let message = "what is wanted is what is recommended".to_owned();
                (ConditionStatus::False, Reason::DesiredWithinRange, message)
            }
        };
        Finding { kind: ConditionType::ScalingLimited, status, reason, message }
    }

    fn at_zero(&self) -> Finding {
        let (reason, message) = if self.scaled_to_zero {
            (Reason::ScaledToZero, "docktor brought it to zero, and wakes it when there is work")
        } else {
            (Reason::NotScaledToZero, "docktor did not bring it to zero")
        };
        let status = ConditionStatus::from(self.scaled_to_zero);
        Finding { kind: ConditionType::ScaledToZero, status, reason, message: message.to_owned() }
    }

    fn falling_back(&self) -> Finding {
        let (reason, message) = if self.fallback {
            (Reason::FallbackActive, self.what_is_missing())
        } else {
            (Reason::FallbackInactive, "metrics decide".to_owned())
        };
        let status = ConditionStatus::from(self.fallback);
        Finding { kind: ConditionType::Fallback, status, reason, message }
    }

    fn limits_drift(&self) -> (Reason, String) {
        match self.limits_drifted.as_deref() {
            None => (Reason::NoDrift, "all is as docktor left it".to_owned()),
            Some(LimitsDrifted { change, contested: false }) => {
                (Reason::LimitsChanged, format!("somebody else changed limits: {change}"))
            }
            Some(LimitsDrifted { change, contested: true }) => {
                let left = change.from;
                (Reason::DriftContested, format!("somebody else keeps undoing {left}; docktor gave up"))
            }
        }
    }

    fn drift(&self) -> Finding {
        let (reason, message) = match self.drifted {
            None => self.limits_drift(),
            Some(Drifted { left, contested: false }) => {
                let message = format!("somebody else changed the count from {left} to {}", self.current);
                (Reason::ReplicasChanged, message)
            }
            Some(Drifted { left, contested: true }) => {
                let message = format!("somebody else keeps undoing the count of {left}; docktor gave up");
                (Reason::DriftContested, message)
            }
        };
        let status = ConditionStatus::from(reason != Reason::NoDrift);
        Finding { kind: ConditionType::Drifted, status, reason, message }
    }
}

impl Limitation {
    /// The reason that `ScalingLimited` bears; none where the limitation is no bound or limit of the policy.
    #[must_use]
    pub const fn reason(self) -> Option<Reason> {
        Some(match self {
            Self::ScaleDownWindow(_) => Reason::ScaleDownStabilized,
            Self::ScaleUpWindow(_) => Reason::ScaleUpStabilized,
            Self::ScaleUpLimit | Self::ScaleUpCooldown(_) => Reason::ScaleUpLimit,
            Self::ScaleDownLimit
            | Self::ScaleDownStep
            | Self::ScaleDownCooldown(_)
            | Self::ScaleDownsPerHour(_) => Reason::ScaleDownLimit,
            Self::Min(_) => Reason::TooFewReplicas,
            Self::Max(_) => Reason::TooManyReplicas,
            Self::Ceiling(_) => Reason::TooManyReplicas,
            Self::LimitMin(_) => Reason::LimitAtMinimum,
            Self::LimitMax(_) => Reason::LimitAtMaximum,
            Self::Host(_) => Reason::HostReserve,
            Self::InUse(_) | Self::UseUnknown(_) | Self::PutOff(_) => Reason::LimitInUse,
            _ => return None,
        })
    }
}
