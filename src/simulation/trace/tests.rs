//! Rows as they are written, and every mistake that is told.
