//! What happens to records between journal and batch, in Firehose's order: a plugin, then a delimiter.
//!
//! [`Chain::apply`] turns a [`crate::record::Batch`] into a [`crate::record::Transformed`]: every input ends as outputs,
//! as a drop or as a rejection that keeps its bytes. It blocks, holds a processor for as long as the limits allow, and
//! gives the same answer for the same batch, so it runs on worker threads and may run again after a crash.
//!
//! Plugins are WebAssembly components: [`plugin`] has the sandbox, its limits, and how files become plugins.
//!
//! Refuses to wait for anything but a processor and a sandbox slot, to read a clock into an output, and to lose a record.

mod chain;
mod delimiter;
pub mod plugin;
mod workshop;

pub use chain::{Chain, ChainError};
pub use plugin::PluginHost;
pub use workshop::{Delivered, Fate, Prepared, Workshop};
