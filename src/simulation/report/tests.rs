//! Sums over made-up decisions.
