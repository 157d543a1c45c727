//! Forecast: the count below which nothing may go, because of what is to come. Only ever a floor.

use crate::api::effective::ForecastSpec;
use crate::model::forecast::{Forecast, Model};
use crate::strategies::step::round_up;
use crate::units::Timestamp;

/// What a prediction asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Floor {
    /// The highest value that is to be reckoned with between now and the horizon.
    pub value: f64,
    /// What made the prediction.
    pub model: Model,
    /// As many replicas as can take that value.
    pub replicas: u32,
}

/// The floor at `now`; `None` while there is no prediction, or none for that time.
#[must_use]
pub fn floor(spec: &ForecastSpec, forecast: Option<&Forecast>, now: Timestamp) -> Option<Floor> {
    let Some(Forecast::Known(prediction)) = forecast else { return None };
    let value = prediction.highest(now, spec.horizon).filter(|it| it.is_finite())?;
    Some(Floor { value, model: prediction.model, replicas: round_up((value / spec.average_value).max(0.0)) })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::effective::MetricIndex;
    use crate::model::forecast::Prediction;
    use crate::units::Duration;

    #[test]
    fn the_floor_can_take_the_highest_value_up_to_the_horizon() {
        let spec = |average_value| ForecastSpec {
            metric: MetricIndex(0),
            shown: "queue.rate_in.forecast".into(),
            horizon: Duration::from_secs(120),
            season: None,
            average_value,
            confidence: 0.9,
            wakes: true,
        };
        let prediction = |upper: Vec<f64>| {
            Forecast::Known(Arc::new(Prediction {
                made_at: Timestamp::from_secs(0),
                model: Model::HoltWinters,
                step: Duration::from_secs(60),
                expected: upper.clone(),
                upper,
                error: 0.0,
            }))
        };
        let replicas = |upper: Vec<f64>, average, now| {
            floor(&spec(average), Some(&prediction(upper)), Timestamp::from_secs(now)).map(|it| it.replicas)
        };
        assert_eq!(replicas(vec![10.0, 620.0, 5.0, 900.0], 50.0, 0), Some(13));
        assert_eq!(replicas(vec![10.0, 620.0, 5.0, 900.0], 50.0, 60), Some(18));
        assert_eq!(replicas(vec![10.0, 620.0], 50.0, 120), None, "stale");
        assert_eq!(replicas(vec![-10.0], 50.0, 0), Some(0));
        assert_eq!(replicas(vec![f64::MAX], 1e-300, 0), Some(crate::units::MAX_REPLICAS));
        let learning = Forecast::Learning { has: Duration::ZERO, needs: Duration::from_secs(1) };
        assert_eq!(floor(&spec(1.0), Some(&learning), Timestamp::default()), None);
        assert_eq!(floor(&spec(1.0), None, Timestamp::default()), None);
    }
}
