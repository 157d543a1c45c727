//! The controller while the engine stops and starts.
