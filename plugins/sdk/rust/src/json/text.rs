//! Texts within JSON's quotes, and out of them. Refuses to escape what need not be.

use std::borrow::Cow;
use std::io::{self, Write};

use super::chunk::{CHUNK, plain};

/// The text of what stands within a string's quotes in a checked text; allocates only where there is a backslash.
pub fn unescape(quoted: &[u8]) -> Cow<'_, str> {
    if !quoted.contains(&b'\\') {
        // Checked when the text was parsed.
        return Cow::Borrowed(std::str::from_utf8(quoted).unwrap_or_default());
    }
    let mut text = String::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        let (plain, escape) = rest.split_at(at);
        text.push_str(std::str::from_utf8(plain).unwrap_or_default());
        let (letter, length) = unescape_first(escape);
        text.push(letter);
        rest = escape.get(length..).unwrap_or_default();
    }
    text.push_str(std::str::from_utf8(rest).unwrap_or_default());
    Cow::Owned(text)
}

/// What the escape at the start of these bytes stands for, and how many bytes it takes: both halves of a surrogate pair.
pub fn unescape_first(escape: &[u8]) -> (char, usize) {
    let plain = |letter| (letter, 2);
    match escape.get(1) {
        Some(b'b') => plain('\u{8}'),
        Some(b'f') => plain('\u{c}'),
        Some(b'n') => plain('\n'),
        Some(b'r') => plain('\r'),
        Some(b't') => plain('\t'),
        Some(b'u') => {
            let first = unit(escape);
            if let (0xD800..0xDC00, Some(b'\\'), Some(b'u')) = (first, escape.get(6), escape.get(7)) {
                let second = unit(&escape[6..]);
                if let 0xDC00..0xE000 = second {
                    let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                    return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12);
                }
            }
            (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
        }
        Some(&letter) => plain(char::from(letter)),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}

/// The number in `\uXXXX`.
fn unit(escape: &[u8]) -> u32 {
    let digits = escape.get(2..6).unwrap_or_default();
    digits.iter().fold(0, |unit, &digit| unit << 4 | char::from(digit).to_digit(16).unwrap_or(0))
}

/// Writes a text as a JSON string, with its quotes.
///
/// # Errors
/// Those of the writer; an [`crate::Output`] and a `Vec` have none.
pub fn write_text(text: &str, mut output: impl Write) -> io::Result<()> {
    output.write_all(b"\"")?;
    write_escaped(text, &mut output)?;
    output.write_all(b"\"")
}

/// The same without quotes.
pub(super) fn write_escaped(text: &str, output: &mut impl Write) -> io::Result<()> {
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_length(rest));
        output.write_all(plain)?;
        let Some(&letter) = special.first() else { return Ok(()) };
        match letter {
            b'"' => output.write_all(b"\\\"")?,
            b'\\' => output.write_all(b"\\\\")?,
            b'\n' => output.write_all(b"\\n")?,
            b'\r' => output.write_all(b"\\r")?,
            b'\t' => output.write_all(b"\\t")?,
            8 => output.write_all(b"\\b")?,
            12 => output.write_all(b"\\f")?,
            control => write!(output, "\\u{control:04x}")?,
        }
        rest = &special[1..];
        if rest.is_empty() {
            return Ok(());
        }
    }
}

/// How many bytes need no escape.
fn plain_length(text: &[u8]) -> usize {
    let (chunks, tail) = text.as_chunks();
    for (at, chunk) in chunks.iter().enumerate() {
        let plain = plain(chunk);
        if plain < CHUNK {
            return at * CHUNK + plain;
        }
    }
    let in_tail = tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    chunks.len() * CHUNK + in_tail.unwrap_or(tail.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_what_they_stand_for() {
        let table = [
            ("plain", "plain"),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"a\u0040b", "a@b"),
            (r"\u00e9\u20AC", "é€"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\ud83d", "\u{fffd}"),
            (r"\ud83dx", "\u{fffd}x"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            ("é\\n€", "é\n€"),
        ];
        for (quoted, text) in table {
            assert_eq!(unescape(quoted.as_bytes()), text, "{quoted}");
        }
    }

    #[test]
    fn only_what_must_be_is_escaped() {
        let mut written = Vec::new();
        write_text("a\"\\\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}/é", &mut written).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), "\"a\\\"\\\\\\n\\r\\t\\b\\f\\u0000\\u001f\u{7f}/é\"");
    }
}
