//! A policy tried on data before it is trusted: a trace's rows go through the same `decide` that the controller
//! runs, on the trace's own time. Nothing here touches a target, and no more than one row is held at a time.

pub mod limits;
pub mod replay;
pub mod report;
pub mod scene;
pub mod svg;
pub mod trace;
