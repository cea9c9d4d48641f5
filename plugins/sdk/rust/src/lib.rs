//! Write a Hydrant plugin in Rust: a function of one record.
//!
//! ```
//! use hydrant_plugin::{Outcome, Record};
//!
//! /// Drops heartbeats, shortens the rest to one line, partitions by country.
//! fn transform(mut record: Record<'_>) -> Result<Outcome, std::str::Utf8Error> {
//!     let text = record.text()?; // an error fails this record, with the error's text as the reason
//!     if text.starts_with("heartbeat") {
//!         return Ok(Outcome::Drop);
//!     }
//!     let Some((country, order)) = text.split_once(';') else {
//!         return Ok(Outcome::fail("no country"));
//!     };
//!     record.set("country", country);
//!     Ok(record.replace(order.trim()))
//! }
//!
//! hydrant_plugin::plugin!(transform);
//!
//! use hydrant_plugin::testing::{Fate, run};
//! let fates = run(transform, &["heartbeat", "FR; 6 mugs ", "lamp"]);
//! assert_eq!(fates[0], Fate::Dropped);
//! assert_eq!(fates[1].text(), ["6 mugs"]);
//! assert_eq!(fates[2], Fate::Failed("no country".to_owned()));
//! ```
//!
//! The crate is a `cdylib`; `cargo build --release --target wasm32-unknown-unknown` makes the file to put into the
//! host's `plugin_dir` as it is. Tests run natively, as above: imports are stubs there.
//!
//! - A type with settings or scratch memory implements [`Plugin`] and says `plugin!(type Clean)`.
//! - A function of a whole batch, for speed, says `plugin!(batch transform)`; see [`Batch`].
//! - [`json`] reads and changes a few members of a JSON record, and checks all of it.
//! - [`info!`] and its sisters write to the host's log, as does a panic.
//!
//! An instance may be thrown away after any batch and a batch may come again, whole or in parts, so an answer must
//! depend on the record and the context alone. There is no clock, no randomness, no file and no network: the arrival of
//! a record is [`Record::arrived_ms`].
//!
//! Refuses to allocate for a record that is kept: replacements are written straight into the one output payload.

mod batch;
mod context;
pub mod json;
mod log;
mod outcome;
mod output;
mod plugin;
mod record;
pub mod testing;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod component;

pub use batch::Batch;
pub use context::Context;
pub use log::Level;
#[doc(hidden)]
pub use log::write as __write;
pub use outcome::{IntoOutcome, Outcome};
pub use output::Output;
pub use plugin::Plugin;
pub use record::Record;
