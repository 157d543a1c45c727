//! MSTL: the season is taken apart by local regressions (Bandara, Hyndman and Bergmeir 2021), and what is left of it
//! goes on as exponential smoothing has it. From augurs; only with the feature `forecast`.

/// Seasons that a decomposition looks at: enough for a season to show, few enough to stay fast.
pub const SEASONS: usize = 4;
/// Without a season there is nothing to take apart.
const LEAST_PERIOD: usize = 2;

/// The `ahead` values that follow `past`. `None` where it has less than two seasons or the model does not fit.
#[must_use]
pub fn predict(past: &[f64], period: usize, ahead: usize) -> Option<Vec<f64>> {
    if period < LEAST_PERIOD || past.len() < period * 2 {
        return None;
    }
    let past = &past[past.len().saturating_sub(period * SEASONS)..];
    model(past, period, ahead).filter(|it| it.len() == ahead && it.iter().all(|value| value.is_finite()))
}

#[cfg(feature = "forecast")]
fn model(past: &[f64], period: usize, ahead: usize) -> Option<Vec<f64>> {
    use augurs::ets::AutoETS;
    use augurs::mstl::MSTLModel;
    use augurs::{Fit, Predict};

    let trend = AutoETS::new(1, "AZN").ok()?.into_trend_model();
    let fitted = MSTLModel::new(vec![period], trend).fit(past).ok()?;
    Some(fitted.predict(ahead, None).ok()?.point)
}

#[cfg(not(feature = "forecast"))]
fn model(_: &[f64], _: usize, _: usize) -> Option<Vec<f64>> {
    None
}

#[cfg(all(test, feature = "forecast"))]
mod tests {
    use super::super::samples::{Wave, wave};
    use super::*;

    #[test]
    fn a_season_goes_on_as_it_was() {
        let all = wave(Wave { period: 24, trend: 0.0, noise: 5.0 }, 24 * 5);
        let (past, came) = all.split_at(24 * 4);
        let ahead = predict(past, 24, 24).unwrap();
        let error = ahead.iter().zip(came).map(|(a, b)| (a - b).abs()).sum::<f64>() / 24.0;
        assert!(error < 6.0, "{error}");
    }

    #[test]
    fn too_little_or_no_season_is_no_prediction() {
        assert_eq!(predict(&[1.0; 47], 24, 3), None);
        assert_eq!(predict(&[1.0; 47], 1, 3), None);
    }
}
