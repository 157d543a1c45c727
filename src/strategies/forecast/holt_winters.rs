//! Holt-Winters: level, damped trend and additive season, each smoothed exponentially. In the form of error
//! corrections, ETS(A,Ad,A): Hyndman and Athanasopoulos, Forecasting: Principles and Practice (3rd ed.), sections 8.3
//! and 8.5; the damping is that of Gardner and McKenzie (1985). Without a season (a period of 1) it is Holt's method
//! with a damped trend.

/// How strongly each part follows the last error. All lie between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smoothing {
    /// Of the level.
    pub level: f64,
    /// Of the trend, as a share of that of the level.
    pub trend: f64,
    /// Of the season, as a share of what the level leaves.
    pub season: f64,
    /// What is left of the trend after each step.
    pub damping: f64,
}

/// Where the coarse grid looks.
const LEVELS: [f64; 5] = [0.02, 0.1, 0.3, 0.6, 0.9];
const TRENDS: [f64; 3] = [0.0, 0.05, 0.3];
const SEASONS: [f64; 4] = [0.02, 0.1, 0.3, 0.6];
const DAMPINGS: [f64; 2] = [0.8, 0.95];
/// Smallest and largest value of each parameter: level, trend, season, damping.
const RANGES: [(f64, f64); 4] = [(0.005, 0.995), (0.0, 0.9), (0.0, 0.95), (0.5, 0.99)];
/// How far the refinement first goes from the grid's best; every round goes half as far.
const FIRST_MOVE: f64 = 0.1;
const ROUNDS: u32 = 5;

impl From<[f64; 4]> for Smoothing {
    fn from([level, trend, season, damping]: [f64; 4]) -> Self {
        Self { level, trend, season, damping }
    }
}

/// The parameters with the least squared one-step error over `past`: the best of a coarse grid, refined by moving
/// one parameter at a time. `None` where there are less than two seasons.
#[must_use]
pub fn fit(past: &[f64], period: usize) -> Option<Smoothing> {
    let start = Smoother::start(past, period)?;
    let error = |at: [f64; 4]| start.squared_error(past, at.into());
    let (mut best, mut least) = ([LEVELS[1], TRENDS[0], SEASONS[1], DAMPINGS[0]], f64::INFINITY);
    for at in grid(period) {
        let found = error(at);
        if found < least {
            (best, least) = (at, found);
        }
    }
    let mut reach = FIRST_MOVE;
    for _ in 0..ROUNDS {
        for (parameter, (from, to)) in RANGES.into_iter().enumerate() {
            for direction in [-reach, reach] {
                let mut at = best;
                at[parameter] = (at[parameter] + direction).clamp(from, to);
                let found = error(at);
                if found < least {
                    (best, least) = (at, found);
                }
            }
        }
        reach /= 2.0;
    }
    Some(best.into())
}

fn grid(period: usize) -> impl Iterator<Item = [f64; 4]> {
    let seasons: &[f64] = if period > 1 { &SEASONS } else { &[0.0] };
    LEVELS.into_iter().flat_map(move |level| {
        TRENDS.into_iter().flat_map(move |trend| {
            seasons.iter().flat_map(move |season| {
                DAMPINGS.into_iter().map(move |damping| [level, trend, *season, damping])
            })
        })
    })
}

/// The parts as they stand after some values.
#[derive(Debug, Clone, PartialEq)]
pub struct Smoother {
    level: f64,
    trend: f64,
    season: Vec<f64>,
    /// The place in the season of the next value.
    next: usize,
}

impl Smoother {
    /// Before the first value of `past`: level, trend and season as the first two seasons have them. `None` where
    /// there are less than these.
    #[must_use]
    pub fn start(past: &[f64], period: usize) -> Option<Self> {
        let period = period.max(1);
        let seasons = past.get(..period * 2)?;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / period as f64;
        let (first, second) = seasons.split_at(period);
        let (first_mean, second_mean) = (mean(first), mean(second));
        let trend = (second_mean - first_mean) / period as f64;
        let middle = (period - 1) as f64 / 2.0;
        let apart = |place: usize| {
            let risen = trend * (place as f64 - middle);
            (first[place] - first_mean + second[place] - second_mean) / 2.0 - risen
        };
        let season = if period > 1 { (0..period).map(apart).collect() } else { vec![0.0] };
        Some(Self { level: first_mean - trend * (middle + 1.0), trend, season, next: 0 })
    }

    /// Takes the next value; gives by how much it missed what was expected.
    pub fn take(&mut self, value: f64, by: Smoothing) -> f64 {
        let carried = self.level + by.damping * self.trend;
        let season = self.season.get(self.next).copied().unwrap_or(0.0);
        let missed = value - carried - season;
        self.level = carried + by.level * missed;
        self.trend = by.damping * self.trend + by.level * by.trend * missed;
        if let Some(season) = self.season.get_mut(self.next) {
            *season += by.season * (1.0 - by.level) * missed;
        }
        self.next = (self.next + 1) % self.season.len().max(1);
        missed
    }

    /// What it expects of the next `ahead` values.
    #[must_use]
    pub fn predict(&self, by: Smoothing, ahead: usize) -> Vec<f64> {
        let (mut level, mut trend) = (self.level, self.trend);
        let season = self.season.iter().cycle().skip(self.next);
        season
            .take(ahead)
            .map(|season| {
                trend *= by.damping;
                level += trend;
                level + season
            })
            .collect()
    }

    /// Of one step each. The first season has been looked at already.
    fn squared_error(&self, past: &[f64], by: Smoothing) -> f64 {
        let mut smoother = self.clone();
        let mut sum = 0.0;
        for (place, value) in past.iter().enumerate() {
            let missed = smoother.take(*value, by);
            if place >= self.season.len() {
                sum += missed * missed;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Wave, wave};
    use super::*;

    fn predicted(past: &[f64], period: usize, ahead: usize) -> Vec<f64> {
        let by = fit(past, period).unwrap();
        let mut smoother = Smoother::start(past, period).unwrap();
        for value in past {
            smoother.take(*value, by);
        }
        smoother.predict(by, ahead)
    }

    fn mean_error(predicted: &[f64], came: &[f64]) -> f64 {
        predicted.iter().zip(came).map(|(a, b)| (a - b).abs()).sum::<f64>() / came.len() as f64
    }

    #[test]
    fn a_season_without_noise_goes_on_as_it_was() {
        let all = wave(Wave { period: 24, trend: 0.0, noise: 0.0 }, 24 * 6);
        let (past, came) = all.split_at(24 * 5);
        assert!(mean_error(&predicted(past, 24, 24), came) < 0.5);
    }

    #[test]
    fn a_season_on_a_trend_keeps_rising_for_a_while() {
        let all = wave(Wave { period: 24, trend: 0.2, noise: 0.0 }, 24 * 6);
        let (past, came) = all.split_at(24 * 5);
        let naive = &past[past.len() - 24..];
        assert!(mean_error(&predicted(past, 24, 24), came) < mean_error(naive, came) * 0.7);
    }

    #[test]
    fn without_a_season_it_follows_the_trend_and_damps_it() {
        let line: Vec<f64> = (0..60).map(f64::from).collect();
        let ahead = predicted(&line, 1, 5);
        assert!(ahead[0] > 59.0 && ahead[4] > ahead[0] && ahead[4] < 65.0, "{ahead:?}");
    }

    #[test]
    fn one_step_is_what_the_book_says() {
        let by = Smoothing { level: 0.5, trend: 0.2, season: 0.4, damping: 0.9 };
        let mut smoother = Smoother { level: 10.0, trend: 1.0, season: vec![2.0, -2.0], next: 0 };
        // 10 + 0.9 + 2 was expected, so 14.9 missed by 2.
        assert!((smoother.take(14.9, by) - 2.0).abs() < 1e-12);
        assert!((smoother.level - 11.9).abs() < 1e-12 && (smoother.trend - 1.1).abs() < 1e-12);
        assert!((smoother.season[0] - 2.4).abs() < 1e-12 && smoother.next == 1);
    }

    #[test]
    fn less_than_two_seasons_are_too_few() {
        assert_eq!(fit(&[1.0, 2.0, 3.0], 2), None);
        assert_eq!(fit(&[], 1), None);
    }
}
