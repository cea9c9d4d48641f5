//! Firehose's prefix language and the names of objects.
//!
//! A prefix is literal text with expressions `!{namespace:value}`. It is parsed and checked when a stream is created
//! or updated ([`check`]), so that naming an object ([`object_key`]) cannot fail later. It refuses to read a clock:
//! the instant is the arrival of the oldest record in the object, or, where the stream says so, the time that its
//! records have of their own.
//!
//! Deviations from Java's `DateTimeFormatter`, whose patterns the language uses: `z` prints the abbreviation of the
//! time zone database where Java has a name of its own (`-03` instead of `BRT`), and `zzzz` and letters outside the
//! list that Firehose documents are refused.

mod event;
mod key;
mod pattern;
mod prefix;

pub(in crate::batch) use event::EventStamps;
pub use key::{NameError, check, object_key, partitioning, time_zone};
pub use pattern::PatternError;
pub use prefix::{Place, Prefix, PrefixError, Warning};
