//! How many replicas may run.

/// The most replicas any number here can mean; larger results saturate (as in the HPA, 2^31 − 1).
pub const MAX_REPLICAS: u32 = i32::MAX as u32;

/// Why two numbers are no bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("min {min} is above max {max}")]
pub struct BoundsError {
    /// The lower end as it was given.
    pub min: u32,
    /// The upper end as it was given.
    pub max: u32,
}

/// Fewest and most replicas, both inclusive; `min` is never above `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Bounds {
    min: u32,
    max: u32,
}

impl Bounds {
    /// # Errors
    /// When `min` is above `max`.
    pub const fn new(min: u32, max: u32) -> Result<Self, BoundsError> {
        if min > max { Err(BoundsError { min, max }) } else { Ok(Self { min, max }) }
    }

    /// So many, neither more nor fewer.
    #[must_use]
    pub const fn exactly(replicas: u32) -> Self {
        Self { min: replicas, max: replicas }
    }

    /// Fewest replicas.
    #[must_use]
    pub const fn min(self) -> u32 {
        self.min
    }

    /// Most replicas.
    #[must_use]
    pub const fn max(self) -> u32 {
        self.max
    }

    /// `replicas`, brought within the bounds.
    #[must_use]
    pub fn clamp(self, replicas: u32) -> u32 {
        replicas.clamp(self.min, self.max)
    }
}
