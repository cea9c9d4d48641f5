//! Versions of a guest that differ in what they add to a record, so that it shows which one made it. Refuses to compile.

use super::guests::guest;

/// The guest `bench` with another text in what it adds: seven letters in place of "hydrant".
pub(crate) fn stamped(text: &str) -> Vec<u8> {
    assert_eq!(text.len(), "hydrant".len());
    let mut bytes = std::fs::read(guest("bench")).expect("a guest");
    let member = br#","pipeline":"hydrant"}"#;
    let at = bytes.windows(member.len()).position(|window| window == member).expect("its constant");
    let text_at = at + member.len() - text.len() - 2;
    bytes[text_at..text_at + text.len()].copy_from_slice(text.as_bytes());
    bytes
}
