//! Strategies: one recommender a file.
