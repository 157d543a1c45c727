//! A policy tried on data before it is trusted: a trace's rows go through the same `decide` that the controller
//! runs, on the trace's own time; or a modelled workload makes what is observed, and follows. Nothing here touches a
//! target, and no more than one row is held at a time.

pub mod closed;
pub mod limits;
pub mod replay;
pub mod report;
pub mod scene;
pub mod shown;
pub mod svg;
pub mod trace;
pub mod trial;
pub mod world;
