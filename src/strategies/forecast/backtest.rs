//! Which model is to be trusted: each predicts what has already come, from origins that roll over the latest past,
//! knowing nothing of what followed. The one that missed least goes on; what it missed by, at each lead time, says how
//! far the future may lie from what is expected (split conformal intervals).

use super::grid::Grid;
use super::holt_winters::{self, Smoother, Smoothing};
use super::{mstl, seasonal_naive};
use crate::model::forecast::Model;

/// Most origins of the models that are quick.
const ORIGINS: usize = 96;
/// Origins of the model that is slow.
const SLOW_ORIGINS: usize = 5;
/// Most seasons that models are tested on.
const TESTED_SEASONS: usize = 2;
/// Seasons that a model learns from before it is tested.
const LEARNT_SEASONS: usize = 2;
/// Most seasons that parameters are fitted to.
const FITTED_SEASONS: usize = 6;
/// A model must have at most this share of a simpler one's error to be taken in its place.
const CLEARLY_BETTER: f64 = 0.95;
/// Below it, of values around 1, nothing is left to win.
const NEGLIGIBLE: f64 = 1e-9;
/// With fewer origins, the misses of all lead times are thrown together.
const ORIGINS_PER_LEAD: usize = 20;

/// A model with its parameters, and how it did.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// Which.
    pub model: Model,
    /// Of Holt-Winters.
    smoothing: Option<Smoothing>,
    /// Mean absolute error over the horizon.
    pub error: f64,
    /// What it missed by at each lead time; positive where more came than was expected.
    pub missed: Vec<Vec<f64>>,
}

impl Chosen {
    /// The `ahead` values that follow `past`; the baseline's where the model says nothing. `None` where even that has
    /// less than a season.
    #[must_use]
    pub fn predict(&self, past: &[f64], period: usize, ahead: usize) -> Option<Vec<f64>> {
        let paths = paths(self.model, self.smoothing, past, period, &[past.len()], ahead);
        let sound = |it: &Vec<f64>| it.len() == ahead && it.iter().all(|value| value.is_finite());
        let path = paths.and_then(|mut it| it.pop()).filter(sound);
        path.or_else(|| seasonal_naive::predict(past, period, ahead))
    }

    /// How much more than expected is to be reckoned with at that lead time, for `confidence`: the value that this
    /// share of the misses does not exceed, their count plus one as the conformal method has it.
    #[must_use]
    pub fn margin(&self, lead: usize, confidence: f64) -> f64 {
        let Some(missed) = self.missed.get(lead.min(self.missed.len().saturating_sub(1))) else { return 0.0 };
        let rank = ((missed.len() + 1) as f64 * confidence).ceil() as usize;
        missed.get(rank.clamp(1, missed.len().max(1)) - 1).copied().unwrap_or(0.0)
    }
}

/// The model that missed least over the horizon. A simpler one goes first unless another is clearly better. `None`
/// where not even the baseline can be tested.
#[must_use]
pub fn choose(past: &[f64], grid: &Grid) -> Option<Chosen> {
    let learnt = past.len().saturating_sub(grid.span * LEARNT_SEASONS);
    let enough_for_all = learnt >= grid.lead;
    let tested = if enough_for_all { learnt } else { past.len().saturating_sub(grid.span) };
    let first = past.len() - tested.min(grid.span * TESTED_SEASONS);
    let origins = spread(first, past.len(), ORIGINS);
    let naive = test(Model::SeasonalNaive, None, past, grid, &origins)?;
    if !enough_for_all || naive.error < NEGLIGIBLE {
        return Some(naive);
    }
    let fitted = &past[first.saturating_sub(grid.span * FITTED_SEASONS)..first];
    let smooth = holt_winters::fit(fitted, grid.period)
        .and_then(|smoothing| test(Model::HoltWinters, Some(smoothing), past, grid, &origins));
    let best = better(naive, smooth);
    let few = spread(first, (past.len() + 1).saturating_sub(grid.lead), SLOW_ORIGINS);
    let Some(slow) = test(Model::Mstl, None, past, grid, &few) else { return Some(best) };
    // Only what was tested at the same origins can be compared.
    let rival = test(best.model, best.smoothing, past, grid, &few)?;
    let wins = slow.error < rival.error * CLEARLY_BETTER;
    Some(if wins { slow } else { best })
}

fn better(simple: Chosen, other: Option<Chosen>) -> Chosen {
    match other {
        Some(other) if other.error < simple.error * CLEARLY_BETTER => other,
        _ => simple,
    }
}

/// At most `most` origins from `first` to below `end`, evenly apart.
fn spread(first: usize, end: usize, most: usize) -> Vec<usize> {
    let room = end.saturating_sub(first);
    let count = room.min(most);
    (0..count).map(|place| first + place * room / count).collect()
}

fn test(
    model: Model,
    smoothing: Option<Smoothing>,
    past: &[f64],
    grid: &Grid,
    origins: &[usize],
) -> Option<Chosen> {
    let paths = paths(model, smoothing, past, grid.period, origins, grid.ahead)?;
    let mut missed = vec![Vec::with_capacity(origins.len()); grid.ahead];
    let (mut sum, mut count) = (0.0, 0u32);
    for (origin, path) in origins.iter().zip(&paths) {
        for (lead, (came, expected)) in past[*origin..].iter().zip(path).enumerate() {
            let miss = came - expected;
            if !miss.is_finite() {
                return None;
            }
            missed[lead].push(miss);
            if lead < grid.lead {
                sum += miss.abs();
                count += 1;
            }
        }
    }
    let error = sum / f64::from(count);
    error.is_finite().then(|| Chosen { model, smoothing, error, missed: by_lead(missed) })
}

/// The misses in their order, for as many lead times as have enough of them; all together where not even the first
/// has.
fn by_lead(mut missed: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let enough = missed.iter().take_while(|it| it.len() >= ORIGINS_PER_LEAD).count();
    if enough == 0 {
        missed = vec![missed.into_iter().flatten().collect()];
    } else {
        missed.truncate(enough);
    }
    missed.iter_mut().for_each(|it| it.sort_by(f64::total_cmp));
    missed
}

/// What the model says at each origin, knowing only what is before it. Origins rise.
fn paths(
    model: Model,
    smoothing: Option<Smoothing>,
    past: &[f64],
    period: usize,
    origins: &[usize],
    ahead: usize,
) -> Option<Vec<Vec<f64>>> {
    let each = |predict: &dyn Fn(&[f64]) -> Option<Vec<f64>>| {
        origins.iter().map(|origin| predict(past.get(..*origin)?)).collect()
    };
    match model {
        Model::SeasonalNaive => each(&|known| seasonal_naive::predict(known, period, ahead)),
        Model::Mstl => each(&|known| mstl::predict(known, period, ahead)),
        Model::HoltWinters => {
            let (by, mut smoother) = (smoothing?, Smoother::start(past, period)?);
            let mut taken = 0;
            let path = |origin: &usize| {
                for value in past.get(taken..*origin)? {
                    smoother.take(*value, by);
                }
                taken = *origin;
                Some(smoother.predict(by, ahead))
            };
            origins.iter().map(path).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Noise, Wave, wave};
    use super::*;

    fn grid(period: usize, lead: usize) -> Grid {
        Grid { period, span: period.max(24), lead, ahead: lead + 2, ..Grid::default() }
    }

    fn chosen(past: &[f64], period: usize) -> Chosen {
        choose(past, &grid(period, 4)).unwrap()
    }

    #[test]
    fn the_model_that_misses_least_is_taken_and_a_tie_goes_to_the_simpler() {
        let clean = wave(Wave { period: 24, trend: 0.0, noise: 0.0 }, 24 * 8);
        assert_eq!(chosen(&clean, 24).model, Model::SeasonalNaive, "nothing to win");
        let noisy = wave(Wave { period: 24, trend: 0.0, noise: 20.0 }, 24 * 10);
        assert_ne!(chosen(&noisy, 24).model, Model::SeasonalNaive, "it repeats the noise of yesterday");
        let rising = wave(Wave { period: 24, trend: 2.0, noise: 1.0 }, 24 * 8);
        assert_ne!(chosen(&rising, 24).model, Model::SeasonalNaive, "it is always a season behind");
        let mut noise = Noise(3);
        let mut level = 100.0;
        let walk = |_| {
            level += noise.next();
            level
        };
        let walk: Vec<f64> = (0..24 * 8).map(walk).collect();
        assert_eq!(
            chosen(&walk, 1).model,
            Model::SeasonalNaive,
            "nothing beats the last value of a random walk"
        );
    }

    #[test]
    fn with_one_season_only_the_baseline_can_be_tested() {
        let noisy = wave(Wave { period: 24, trend: 0.0, noise: 20.0 }, 28);
        let found = chosen(&noisy, 24);
        assert_eq!(found.model, Model::SeasonalNaive);
        assert_eq!(found.missed.len(), 1, "few misses are thrown together");
        assert_eq!(choose(&noisy[..24], &grid(24, 4)), None);
    }

    #[test]
    fn the_chosen_one_beats_the_baseline_on_what_comes_next() {
        for (trend, noise) in [(0.0, 20.0), (0.5, 5.0), (2.0, 1.0)] {
            let all = wave(Wave { period: 24, trend, noise }, 24 * 12);
            let (mut ours, mut naive) = (0.0, 0.0);
            for origin in (24 * 8..24 * 12 - 6).step_by(7) {
                let (past, came) = all.split_at(origin);
                let expected = chosen(past, 24).predict(past, 24, 4).unwrap();
                let baseline = seasonal_naive::predict(past, 24, 4).unwrap();
                for lead in 0..4 {
                    ours += (came[lead] - expected[lead]).abs();
                    naive += (came[lead] - baseline[lead]).abs();
                }
            }
            assert!(ours < naive * 0.95, "trend {trend}, noise {noise}: {ours} against {naive}");
        }
    }

    #[test]
    fn the_margin_covers_about_as_much_as_it_promises() {
        let all = wave(Wave { period: 24, trend: 0.0, noise: 20.0 }, 24 * 25);
        for confidence in [0.5, 0.8, 0.9] {
            let (mut covered, mut count) = (0.0, 0.0);
            for origin in (24 * 10..24 * 25 - 6).step_by(5) {
                let past = &all[origin - 24 * 10..origin];
                let chosen = chosen(past, 24);
                let expected = chosen.predict(past, 24, 4).unwrap();
                for lead in 0..4 {
                    let upper = expected[lead] + chosen.margin(lead, confidence);
                    covered += f64::from(u8::from(all[origin + lead] <= upper));
                    count += 1.0;
                }
            }
            let share: f64 = covered / count;
            assert!((share - confidence).abs() < 0.07, "{share} of {confidence}");
        }
    }
}
