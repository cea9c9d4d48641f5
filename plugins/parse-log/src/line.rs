//! What both kinds of lines share: taking pieces off the front, and writing members. Refuses to fail on bytes that are
//! no UTF-8: they become U+FFFD, because JSON is text.

use std::borrow::Cow;
use std::fmt;

use hydrant_plugin::Output;
use hydrant_plugin::json::write_text;

/// Why a line was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Access(&'static str),
    Syslog(&'static str),
    Neither(&'static str),
}

impl Fault {
    /// For a line that is no syslog either.
    pub(crate) fn or_syslog(self) -> Self {
        match self {
            Self::Access(what) => Self::Neither(what),
            other => other,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Access(what) => write!(f, "no access log line: {what}"),
            Self::Syslog(what) => write!(f, "no syslog line: {what}"),
            Self::Neither(what) => write!(f, "neither syslog nor an access log line: {what}"),
        }
    }
}

/// The rest of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest<'a>(pub(crate) &'a [u8]);

impl<'a> Rest<'a> {
    /// Takes what is before a byte, and the byte.
    pub(crate) fn until(&mut self, end: u8) -> Option<&'a [u8]> {
        let at = self.0.iter().position(|&byte| byte == end)?;
        let (taken, rest) = self.0.split_at(at);
        self.0 = rest.get(1..)?;
        Some(taken)
    }

    /// Takes a word and the blank behind it, or the last word.
    pub(crate) fn word(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|&byte| byte == b' ').unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        (!taken.is_empty()).then_some(taken)
    }

    pub(crate) fn take(&mut self, wanted: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(wanted)?;
        Some(())
    }

    /// Takes what is in quotes; a backslash makes the next byte part of it.
    pub(crate) fn quoted(&mut self) -> Option<&'a [u8]> {
        self.take(b"\"")?;
        let mut at = 0;
        loop {
            match self.0.get(at)? {
                b'"' => break,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        let (taken, rest) = self.0.split_at(at);
        self.0 = rest.get(1..)?;
        Some(taken)
    }
}

/// A number of a few digits.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0, |number: u64, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}

/// The name of a member that is not the first, ready to be written: one piece instead of four.
macro_rules! name {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}
pub(crate) use name;

/// Begins the object of a line.
pub(crate) fn begin(format: &str, output: &mut Output) {
    output.push(b"{\"format\":\"");
    output.push(format.as_bytes());
    output.push(b"\"");
}

/// Writes a text; nothing for one that is missing.
pub(crate) fn text(name: &str, value: Option<&[u8]>, output: &mut Output) {
    if let Some(value) = value {
        output.push(name.as_bytes());
        write_lossy(value, output);
    }
}

/// Writes a number; nothing for one that is missing.
pub(crate) fn count(name: &str, value: Option<u64>, output: &mut Output) {
    let Some(mut value) = value else { return };
    let mut digits = [b'0'; 20];
    let mut first = digits.len() - 1;
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit += u8::try_from(value % 10).unwrap_or_default();
        value /= 10;
        first = at;
        if value == 0 {
            break;
        }
    }
    output.push(name.as_bytes());
    output.push(&digits[first..]);
}

/// Writes a text that may be no UTF-8.
pub(crate) fn write_lossy(text: &[u8], output: &mut Output) {
    let text = std::str::from_utf8(text).map_or_else(|_| String::from_utf8_lossy(text), Cow::Borrowed);
    write_text(&text, output).unwrap_or_default(); // an output has no errors
}

/// A text without the escapes that web servers write: `\"`, `\\`, `\xHH` and those of C.
pub(crate) fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            plain.push(*first);
            continue;
        }
        match after {
            [b'x', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                plain.push(digit(*high).unwrap_or(0) << 4 | digit(*low).unwrap_or(0));
                rest = after;
            }
            [letter, after @ ..] => {
                plain.push(match letter {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 11,
                    b'b' => 8,
                    b'f' => 12,
                    other => *other,
                });
                rest = after;
            }
            [] => plain.push(b'\\'),
        }
    }
    Cow::Owned(plain)
}
