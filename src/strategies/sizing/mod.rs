//! Sizing: which limits a workload should have. `factor` moves them step by step, `recommender` finds them in past
//! use; both bring their wish within what is allowed through [`factor::bound`].

pub mod factor;
pub mod recommender;
