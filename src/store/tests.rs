//! The store on a real file system. After every step, the catalog is that of a restart with the same state folder.

mod bench;
mod edits;
mod files;
mod ownership;
mod random;
mod references;
mod volume;
