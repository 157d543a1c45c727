//! docktor
