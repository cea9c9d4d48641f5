//! What happens to records between journal and batch, in Firehose's order: decompression, log messages, de-aggregation, a
//! plugin, metadata extraction, a delimiter, and whether a partition can be named.
//!
//! [`Chain::apply`] turns a [`crate::record::Batch`] into a [`crate::record::Transformed`]: every input ends as outputs,
//! as a drop or as a rejection that keeps its bytes. It blocks, holds a processor for as long as the limits allow, and
//! gives the same answer for the same batch, so it runs on worker threads and may run again after a crash.
//!
//! | file | what it does |
//! |---|---|
//! | `chain`, `flow` | the steps of one definition, and a batch on its way through them |
//! | `step`, `columns` | what our own steps share |
//! | `decompress`, `log_messages`, `de_aggregate`, `query`, `delimiter` | a processor each |
//! | `partition` | the check behind all of them where partitioning is on |
//! | `workshop` | one plugin for its author |
//!
//! Plugins are WebAssembly components: [`plugin`] has the sandbox, its limits, and how files become plugins.
//!
//! Refuses to wait for anything but a processor and a sandbox slot, to read a clock into an output, and to lose a record.

mod chain;
mod columns;
mod de_aggregate;
mod decompress;
mod delimiter;
mod flow;
mod log_messages;
mod partition;
pub mod plugin;
mod query;
mod step;
mod workshop;

pub use chain::{Chain, ChainError};
pub use plugin::PluginHost;
pub use query::{QueryError, check_query};
pub use workshop::{Delivered, Fate, Prepared, Workshop};
