//! The controller killed at any moment.
