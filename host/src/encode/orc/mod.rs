//! ORC: rows of a batch in columns, as version 0.12 of the format describes them.
//!
//! | file | what it does |
//! |---|---|
//! | `file` | magic, stripes, footer, postscript |
//! | `stripe` | streams of every column |
//! | `runs` | run lengths of bits, bytes and integers |
//! | `message` | the few fields of protocol buffers that describe a file |
//! | `chunk` | compression, block by block |
//!
//! Written by hand because no crate writes nested types. Values are written plainly: integers in the first form of run
//! lengths, text without dictionaries. Every reader knows both.
//!
//! Refuses row indexes and Bloom filters: `RowIndexStride`, `BloomFilterColumns` and `DictionaryKeyThreshold` are kept
//! in the definition and change nothing here. A query reads more of a stripe for it, never anything wrong.

mod chunk;
mod file;
mod message;
mod runs;
mod stripe;

pub(super) use file::{Settings, file};

#[cfg(test)]
mod tests;
