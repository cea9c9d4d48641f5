//! What a shape is: the kinds of members a request can have, and the constraints on each.
//!
//! Patterns are Java's; they are printed as the service prints them and matched by a translation. No I/O, no policy.

use std::sync::OnceLock;

use base64_simd::STANDARD;
use regex::Regex;

/// Kind and constraints of a value.
#[derive(Debug)]
pub(crate) enum Shape {
    /// An object with these members; others are ignored, as the service does.
    Structure(&'static [Member]),
    /// A list with between `least` and `most` elements.
    List { member: &'static Shape, least: usize, most: usize },
    /// An object with free keys.
    Map { key: &'static Shape, value: &'static Shape },
    /// A string.
    Text { least: usize, most: usize, pattern: Option<Pattern> },
    /// An address of a server: the pattern asks for TLS, and `plaintext` is matched instead where the host allows
    /// `http://`. Messages show the pattern.
    Address { most: usize, pattern: Pattern, plaintext: Pattern },
    /// One of these words, in the order in which the service prints them.
    Enum(&'static [&'static str]),
    /// One of these words, or of these others, which are ours and are not printed.
    ExtendedEnum(&'static [&'static str], &'static [&'static str]),
    /// A whole number.
    Integer { least: i64, most: i64 },
    /// A number.
    Double { least: f64, most: f64 },
    /// True or false.
    Boolean,
    /// Base64 of at most this many bytes.
    Blob { most_bytes: usize },
    /// Epoch seconds or ISO text.
    Timestamp,
}

/// Which addresses of servers callers may name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Addresses {
    /// With TLS only, as with the service.
    #[default]
    Tls,
    /// Without TLS, too.
    Plaintext,
}

/// A member of a structure.
#[derive(Debug)]
pub(crate) struct Member {
    /// Name on the wire.
    pub(crate) name: &'static str,
    /// What it holds.
    pub(crate) shape: &'static Shape,
    /// Whether it must be there.
    pub(crate) required: bool,
}

pub(super) const fn required(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, shape, required: true }
}

pub(super) const fn optional(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, shape, required: false }
}

pub(super) const fn list(member: &'static Shape, least: usize, most: usize) -> Shape {
    Shape::List { member, least, most }
}

pub(super) const fn text(least: usize, most: usize, pattern: Pattern) -> Shape {
    Shape::Text { least, most, pattern: Some(pattern) }
}

pub(super) const fn address(most: usize, pattern: Pattern, plaintext: Pattern) -> Shape {
    Shape::Address { most, pattern, plaintext }
}

pub(super) const fn plain_text(least: usize, most: usize) -> Shape {
    Shape::Text { least, most, pattern: None }
}

pub(super) const fn integer(least: i64, most: i64) -> Shape {
    Shape::Integer { least, most }
}

/// A Java pattern for the whole string.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// As it stands in messages.
    pub(crate) printed: &'static str,
    matcher: Matcher,
    compiled: OnceLock<Option<Regex>>,
}

#[derive(Debug)]
enum Matcher {
    /// A Java pattern without look-around and without Unicode properties.
    Java(&'static str),
    /// Where the translation would need what [`regex`] lacks.
    Judge(fn(&str) -> bool),
}

impl Pattern {
    pub(super) const fn new(java: &'static str) -> Self {
        Self::printed(java, java)
    }

    /// A pattern that the service prints otherwise than its model states it.
    pub(super) const fn printed(printed: &'static str, java: &'static str) -> Self {
        Self { printed, matcher: Matcher::Java(java), compiled: OnceLock::new() }
    }

    pub(super) const fn judged(printed: &'static str, judge: fn(&str) -> bool) -> Self {
        Self { printed, matcher: Matcher::Judge(judge), compiled: OnceLock::new() }
    }

    /// Whether the whole text matches. A pattern that cannot be compiled matches nothing; a test compiles all.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self.matcher {
            Matcher::Judge(judge) => judge(text),
            Matcher::Java(java) => {
                let compiled = self.compiled.get_or_init(|| Regex::new(&translate(java)).ok());
                compiled.as_ref().is_some_and(|regex| regex.is_match(text))
            }
        }
    }

    #[cfg(test)]
    pub(super) fn compiles(&self) -> bool {
        match self.matcher {
            Matcher::Judge(_) => true,
            Matcher::Java(java) => Regex::new(&translate(java)).is_ok(),
        }
    }
}

/// Java's pattern in the syntax of [`regex`], anchored at both ends. Java's classes are ASCII, and its dot stops at
/// every line terminator.
fn translate(java: &str) -> String {
    const DOT: &str = r"[^\n\r\x{85}\x{2028}\x{2029}]";
    let mut rust = String::from(r"\A(?:");
    let mut in_class = false;
    let mut letters = java.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('d') if in_class => rust.push_str("0-9"),
                Some('d') => rust.push_str("[0-9]"),
                Some('w') if in_class => rust.push_str("0-9A-Za-z_"),
                Some('w') => rust.push_str("[0-9A-Za-z_]"),
                Some('S') => rust.push_str(r"[^ \t\n\x0B\x0C\r]"),
                Some('_') => rust.push('_'),
                Some(other) => rust.extend(['\\', other]),
                None => rust.push('\\'),
            },
            '[' => {
                in_class = true;
                rust.push('[');
            }
            ']' => {
                in_class = false;
                rust.push(']');
            }
            '.' if !in_class => rust.push_str(DOT),
            other => rust.push(other),
        }
    }
    rust.push_str(r")\z");
    rust
}

/// `^(?!\s*$).+`: not blank, and on one line.
pub(super) fn not_blank(text: &str) -> bool {
    let blank = |letter: char| matches!(letter, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r');
    let ends_line = |letter: char| matches!(letter, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    !text.chars().all(blank) && !text.chars().any(ends_line)
}

/// `^(?!aws:)[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$`
pub(super) fn tag_key(text: &str) -> bool {
    !text.starts_with("aws:") && tag_text(text)
}

/// `^[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$`; marks that Unicode counts as alphabetic pass as letters.
pub(super) fn tag_text(text: &str) -> bool {
    let separator = |letter: char| {
        matches!(
            letter,
            ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
                ..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
        )
    };
    let sign = |letter: char| "_.:/=+-@%".contains(letter);
    text.chars().all(|letter| letter.is_alphanumeric() || separator(letter) || sign(letter))
}

/// Decodes a blob, or says what is wrong with it in the service's words.
pub(crate) fn decode_blob(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode_to_vec(text).map_err(|_| blame_blob(text))
}

fn blame_blob(text: &str) -> String {
    let problem = if !text.len().is_multiple_of(4) {
        format!("Base64 encoded length is expected a multiple of 4 bytes but found: {}", text.len())
    } else {
        let padding = text.bytes().rev().take(2).take_while(|&byte| byte == b'=').count();
        let alphabet = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/');
        match text[..text.len() - padding].chars().find(|letter| !alphabet(letter)) {
            Some(letter) => format!("Invalid Base64 character: '{letter}'"),
            None => "Invalid last non-pad Base64 character dectected".to_owned(),
        }
    };
    let shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
    format!("'{shown}' can not be converted to a Blob: {problem}")
}

/// A message shows this much of a bad blob: enough to recognise it, too little to send a megabyte back.
const SHOWN_CHARACTERS: usize = 1024;
