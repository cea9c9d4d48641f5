//! ORC: rows of a batch in columns, as versions 0.11 and 0.12 of the format describe them.
//!
//! | file | what it does |
//! |---|---|
//! | `file` | magic, stripes, padding, footer, postscript |
//! | `stripe` | indexes and streams of every column |
//! | `column` | a stream before it is compressed, and where row groups begin in it |
//! | `runs` | run lengths of bits, bytes and integers |
//! | `dictionary` | texts as numbers |
//! | `statistics` | counts and bounds of row groups, stripes and the file |
//! | `bloom` | Bloom filters of row groups |
//! | `message` | the few fields of protocol buffers that describe a file |
//! | `chunk` | compression, block by block |
//!
//! Written by hand because no crate writes nested types. Integers are in the first form of run lengths, which both
//! versions and every reader know.
//!
//! Refuses encryption, and filters of nested columns.

mod bloom;
mod chunk;
mod column;
mod dictionary;
mod file;
mod message;
mod runs;
mod statistics;
mod stripe;

pub(super) use file::file;

#[cfg(test)]
mod tests;
