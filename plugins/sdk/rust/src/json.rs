//! A view of a record's JSON that checks all of it and reads or changes a few members without parsing the rest.
//!
//! ```
//! use hydrant_plugin::json::{Invalid, Object};
//! use hydrant_plugin::{Outcome, Record};
//!
//! fn transform(mut record: Record<'_>) -> Result<Outcome, Invalid> {
//!     let object = Object::parse(record.data())?;
//!     if object.get("level").is_some_and(|level| level == "debug") {
//!         return Ok(Outcome::Drop);
//!     }
//!     let mut edit = object.edit();
//!     edit.set("pipeline", "hydrant").remove("password");
//!     edit.write(record.output());
//!     Ok(Outcome::Replace)
//! }
//!
//! let fates = hydrant_plugin::testing::run(transform, &[r#"{"level": "info", "password": "x"}"#]);
//! assert_eq!(fates[0].text(), [r#"{"level": "info","pipeline":"hydrant"}"#]);
//! ```
//!
//! The grammar is RFC 8259's, in UTF-8, nested at most [`DEPTH`] deep. What is not changed stays byte for byte.
//! Refuses to allocate for reading, to repair what is no JSON, and to judge what a grammar does not: a number may be of
//! any size, half a surrogate pair reads as U+FFFD, and of members with one name the last one counts.

mod chunk;
mod compact;
mod edit;
mod object;
mod scan;
mod splice;
mod text;
mod tokens;
mod value;

pub use compact::compact;
pub use edit::{Edit, New};
pub use object::{Members, Object};
pub use scan::{DEPTH, Invalid};
pub use text::{unescape, unescape_first, write_text};
pub use tokens::{Token, Tokens};
pub use value::{Items, Kind, Value, Values};
