//! The command line: arguments in, an exit code out.
//!
//! Human-readable by default, `--json` for machines, progress on a terminal only, failures as `error: what` and
//! `hint: what to do` on standard error. Commands that talk to a running host speak the Firehose API as any producer
//! does; only `serve` and `demo` start the product, through [`Host`]. Refuses to know how the product works inside.

mod apply;
mod arguments;
mod check;
mod client;
mod console;
mod dead_letter;
mod demo;
mod failure;
mod host;
mod journal;
mod logging;
mod plugin;
mod put;
mod recopy;
mod run;
mod serve;
mod signal;
mod streams;

#[cfg(test)]
mod scripted;

pub use arguments::Arguments;
pub use console::Console;
pub use dead_letter::{Buckets, ForeignBucket};
pub use demo::{Order, OrderKind, Orders};
pub use failure::{Exit, Failure};
pub use host::Host;
pub use journal::Journals;
pub use plugin::PluginLimits;
pub use run::{main, run};
