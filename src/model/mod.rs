//! The nouns of the loop. Pure: no files, no clock, no tokio, no logging.

pub mod change;
pub mod key;
pub mod trend;
pub mod forecast;
pub mod observation;
pub mod histogram;
pub mod usage;
pub mod approval;
pub mod memory;
pub mod decision;
