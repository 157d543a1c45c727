//! docktorctl.
