//! Versions of one plugin that differ in a word, so that each delivered record says which of them made it.
//!
//! Refuses to compile anything: the word is a constant in the built file.

use std::fs;

use crate::host::plugin;

/// The guest `bench`, which adds a member `"pipeline"`, with another text of seven letters than "hydrant".
///
/// # Panics
/// When the guest has no such constant, or the text no such length.
pub fn stamped(text: &str) -> Vec<u8> {
    let mut bytes = fs::read(plugin("bench")).expect("a plugin");
    let member = br#","pipeline":"hydrant"}"#;
    let at = bytes.windows(member.len()).position(|window| window == member).expect("its constant");
    let text_at = at + member.len() - b"hydrant\"}".len();
    bytes[text_at..text_at + b"hydrant".len()].copy_from_slice(text.as_bytes());
    bytes
}
