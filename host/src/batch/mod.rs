//! Collects what processing made of records until a batch is due, and plans its delivery.
//!
//! Pure: time, chance and identity come in as arguments, so the same calls give the same cuts and the same names.
//! It refuses to read a clock, to wait, and to touch a file; making a plan durable is the journal's work, and writing what
//! memory has no room for that of the pipeline.
//!
//! - [`Accumulator`] cuts a stream's records into batches by size, by age, or when told to.
//! - [`Cut::plan`] turns a cut into the [`Seal`](crate::record::Seal) from which everything sent derives.
//! - [`name`] is Firehose's prefix language and the names of objects.

pub mod name;

mod accumulate;
mod buffer;
mod chosen;
mod plan;
mod route;
mod size;

pub use accumulate::{Accumulator, Routed, Spill};
pub use buffer::Cut;
pub(crate) use route::Routing;
pub use size::{Pack, Scale, Sizing};
