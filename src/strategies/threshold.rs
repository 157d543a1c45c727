//! Thresholds on points of the recent past, as in the Nomad Autoscaler: a band, and how many points must lie in it.
//! What then happens is a [`step`](super::step).

/// `lower` ≤ value < `upper`, in the metric's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// Its lower end, which belongs to it.
    pub lower: f64,
    /// Its upper end, which does not.
    pub upper: f64,
}

impl Band {
    /// Does it lie in the band? NaN lies in none.
    #[must_use]
    pub const fn contains(self, value: f64) -> bool {
        self.lower <= value && value < self.upper
    }
}

/// Do at least `needed` of the points lie in their band? They need not follow on each other.
#[must_use]
pub fn enough(inside: impl IntoIterator<Item = bool>, needed: u32) -> bool {
    let count = inside.into_iter().filter(|it| *it).take(needed as usize).count();
    count == needed as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_has_its_lower_end_and_not_its_upper() {
        let band = Band { lower: 5.0, upper: 20.0 };
        for (value, inside) in [(4.9, false), (5.0, true), (19.9, true), (20.0, false), (f64::NAN, false)] {
            assert_eq!(band.contains(value), inside, "{value}");
        }
        assert!(Band { lower: f64::NEG_INFINITY, upper: 20.0 }.contains(-1e300));
    }

    #[test]
    fn points_count_wherever_they_stand() {
        for (points, needed, wanted) in [
            (&[true, false, true][..], 2, true),
            (&[true, false, true], 3, false),
            (&[], 1, false),
            (&[], 0, true),
        ] {
            assert_eq!(enough(points.iter().copied(), needed), wanted, "{points:?} {needed}");
        }
    }
}
