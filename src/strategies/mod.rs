//! Strategies: from what was measured to how many replicas one recommender would like. A file each, and
//! each a function of plain values. Bounds, limits and windows come later, in `decide`.

pub mod forecast;
pub mod sizing;
pub mod step;
pub mod target_tracking;
pub mod threshold;
