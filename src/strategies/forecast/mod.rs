//! Forecast: what a metric will be, out of what it was. A file a model; the back-test says which is to be trusted.
//!
//! series → grid → back-test of the models → prediction. Bounded in memory and time; knows no clock.

pub mod backtest;
pub mod forecaster;
pub mod grid;
pub mod holt_winters;
pub mod mstl;
pub mod seasonal_naive;
pub mod series;

#[cfg(test)]
mod samples;

pub use forecaster::{Fit, Fitted, Forecaster, Question};
