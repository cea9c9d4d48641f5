//! `hydrant demo`: the whole product in one process, with real work to do.
//!
//! A directory is prepared, the product starts in it on free loopback ports, generated shop orders go through the
//! plugin `orders` into the embedded S3 over the same API that producers use, and what arrived is shown. The directory
//! and its configuration stay, so that `hydrant serve` goes on from there. Refuses to touch a directory it did not make.

mod metrics;
mod orders;
mod run;
mod stage;
mod summary;

pub use orders::{Order, OrderKind, Orders};
pub(super) use run::demo;

#[cfg(test)]
mod tests;
