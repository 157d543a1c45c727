//! Against real backends; they fail where there is none.
