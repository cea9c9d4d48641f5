//! `hydrant dead-letter …`: what was not delivered, and the way back for it.
//!
//! | command | file |
//! |---|---|
//! | `list`, `show` | `look` |
//! | `replay`, `forget` | `replay` |
//!
//! Of a stream everything is asked of its host, through the admin port. A bucket that a host does not see, such as one of
//! Amazon's own service, is read here, with the credentials of the AWS SDK's own chain. Refuses to change a bucket.

mod arguments;
mod foreign;
mod host;
mod look;
mod replay;

pub(super) use arguments::DeadLetter;
pub use foreign::{Buckets, ForeignBucket};
pub(super) use replay::dead_letter;
