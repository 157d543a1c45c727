//! The baseline that every other model must beat: what comes is what was one season before. Without a season (a
//! period of 1) it is what was last.

/// The `ahead` values that follow `past`. `None` where there is less than one season.
#[must_use]
pub fn predict(past: &[f64], period: usize, ahead: usize) -> Option<Vec<f64>> {
    let season = past.len().checked_sub(period.max(1)).map(|start| &past[start..])?;
    Some(season.iter().copied().cycle().take(ahead).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_season_comes_again_and_again() {
        assert_eq!(predict(&[9.0, 1.0, 2.0, 3.0], 3, 5), Some(vec![1.0, 2.0, 3.0, 1.0, 2.0]));
        assert_eq!(predict(&[9.0, 1.0], 1, 2), Some(vec![1.0, 1.0]));
        assert_eq!(predict(&[9.0, 1.0], 3, 2), None);
        assert_eq!(predict(&[9.0], 0, 1), Some(vec![9.0]));
    }
}
