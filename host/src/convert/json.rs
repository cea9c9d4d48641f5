//! A cursor over JSON text: values are read where they stand, and their own text can be had.
//!
//! Written by hand because a decimal must keep its digits, a number may have to become a string as it was written, and
//! an object may have to stay text; a library that hands out numbers has lost that. Refuses what RFC 8259 refuses, and
//! nesting beyond [`MOST_NESTING`]. A property test holds it against `serde_json`.

use std::borrow::Cow;

/// Values within values: the reader recurses. `serde_json` has the same bound.
pub(crate) const MOST_NESTING: usize = 127;

/// Where and why text is not JSON. Never holds any of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at byte {at}")]
pub(crate) struct Malformed {
    /// What is wrong.
    pub(crate) problem: &'static str,
    /// Offset in the text.
    pub(crate) at: usize,
}

/// What kind of value begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

impl Kind {
    /// For messages.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::String => "a string",
            Self::Number => "a number",
            Self::True | Self::False => "a boolean",
            Self::Null => "null",
        }
    }
}

/// A place in a text.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// Offset in the text.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// True when only white space is left.
    pub(crate) fn is_done(&mut self) -> bool {
        self.space();
        self.at >= self.text.len()
    }

    /// Kind of the value that comes next.
    pub(crate) fn peek(&mut self) -> Result<Kind, Malformed> {
        self.space();
        match self.byte() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'n') => Ok(Kind::Null),
            Some(_) => Err(self.malformed("unexpected character where a value is due")),
            None => Err(self.malformed("unexpected end of input where a value is due")),
        }
    }

    /// Enters the object or array that comes next.
    pub(crate) fn enter(&mut self) -> Result<(), Malformed> {
        if self.depth >= MOST_NESTING {
            return Err(self.malformed("nested too deeply"));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// The next key of the object that was entered, with the cursor before its value; none at its end, which is passed.
    pub(crate) fn next_key(&mut self, is_first: bool) -> Result<Option<Cow<'a, str>>, Malformed> {
        self.space();
        match self.byte() {
            Some(b'}') => {
                self.at += 1;
                self.depth -= 1;
                return Ok(None);
            }
            Some(b',') if !is_first => {
                self.at += 1;
                self.space();
            }
            Some(_) if is_first => {}
            Some(_) => return Err(self.malformed("unexpected character: was expecting a comma to separate entries")),
            None => return Err(self.malformed("unexpected end of input within an object")),
        }
        if self.byte() != Some(b'"') {
            return Err(self.malformed("unexpected character: was expecting double-quote to start field name"));
        }
        let key = self.string()?;
        self.space();
        if self.byte() != Some(b':') {
            return Err(self.malformed("unexpected character: was expecting a colon to separate name and value"));
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// True when the array that was entered has another item, which comes next; its end is passed.
    pub(crate) fn next_item(&mut self, is_first: bool) -> Result<bool, Malformed> {
        self.space();
        match self.byte() {
            Some(b']') => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            Some(b',') if !is_first => {
                self.at += 1;
                Ok(true)
            }
            Some(_) if is_first => Ok(true),
            Some(_) => Err(self.malformed("unexpected character: was expecting a comma to separate items")),
            None => Err(self.malformed("unexpected end of input within an array")),
        }
    }

    /// The string that comes next.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let start = self.at + 1;
        let end = plain_end(self.text.as_bytes(), start);
        if self.text.as_bytes().get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(Cow::Borrowed(&self.text[start..end]));
        }
        let mut owned = String::from(&self.text[start..end]);
        self.at = end;
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(owned));
                }
                Some(b'\\') => owned.push(self.escape()?),
                Some(_) => return Err(self.malformed("illegal unquoted character within a string")),
                None => return Err(self.malformed("unexpected end of input within a string")),
            }
            let start = self.at;
            self.at = plain_end(self.text.as_bytes(), start);
            owned.push_str(&self.text[start..self.at]);
        }
    }

    /// The text of the number that comes next.
    pub(crate) fn number(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.malformed("unexpected character in a number")),
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.some_digits()?;
        }
        if matches!(self.byte(), Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'+' | b'-' | b'_')) {
            return Err(self.malformed("unexpected character in a number"));
        }
        Ok(&self.text[start..self.at])
    }

    /// Passes `true`, `false` or `null`, whichever `kind` is.
    pub(crate) fn word(&mut self, kind: Kind) -> Result<(), Malformed> {
        let word = match kind {
            Kind::True => "true",
            Kind::False => "false",
            _ => "null",
        };
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.malformed("unrecognized token"));
        }
        self.at += word.len();
        if matches!(self.byte(), Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_')) {
            return Err(self.malformed("unrecognized token"));
        }
        Ok(())
    }

    /// Passes the value that comes next and gives its text.
    pub(crate) fn skip(&mut self) -> Result<&'a str, Malformed> {
        let kind = self.peek()?;
        let start = self.at;
        match kind {
            Kind::Object => {
                self.enter()?;
                let mut is_first = true;
                while self.next_key(is_first)?.is_some() {
                    is_first = false;
                    self.skip()?;
                }
            }
            Kind::Array => {
                self.enter()?;
                let mut is_first = true;
                while self.next_item(is_first)? {
                    is_first = false;
                    self.skip()?;
                }
            }
            Kind::String => self.skip_string()?,
            Kind::Number => {
                self.number()?;
            }
            Kind::True | Kind::False | Kind::Null => self.word(kind)?,
        }
        Ok(&self.text[start..self.at])
    }

    /// Passes the string that comes next.
    pub(crate) fn skip_string(&mut self) -> Result<(), Malformed> {
        self.at += 1;
        loop {
            self.at = plain_end(self.text.as_bytes(), self.at);
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.escape()?;
                }
                Some(_) => return Err(self.malformed("illegal unquoted character within a string")),
                None => return Err(self.malformed("unexpected end of input within a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        self.at += 1;
        let letter = match self.byte() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.malformed("unrecognized character escape")),
        };
        self.at += 1;
        Ok(letter)
    }

    fn unicode(&mut self) -> Result<char, Malformed> {
        let first = self.hex()?;
        let code = match first {
            0xD800..=0xDBFF => {
                if !self.text.as_bytes()[self.at..].starts_with(b"\\u") {
                    return Err(self.malformed("lone surrogate in a string"));
                }
                self.at += 2;
                let second = self.hex()?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(self.malformed("lone surrogate in a string"));
                }
                0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            _ => first,
        };
        char::from_u32(code).ok_or_else(|| self.malformed("lone surrogate in a string"))
    }

    fn hex(&mut self) -> Result<u32, Malformed> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|byte| char::from(byte).to_digit(16));
            code = code << 4 | digit.ok_or_else(|| self.malformed("expected a hexadecimal digit in an escape"))?;
            self.at += 1;
        }
        Ok(code)
    }

    fn some_digits(&mut self) -> Result<(), Malformed> {
        if !matches!(self.byte(), Some(b'0'..=b'9')) {
            return Err(self.malformed("unexpected character in a number"));
        }
        self.digits();
        Ok(())
    }

    fn digits(&mut self) {
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// What is here does not belong to the document.
    pub(crate) fn trailing(&self) -> Malformed {
        self.malformed("unexpected text")
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn malformed(&self, problem: &'static str) -> Malformed {
        Malformed { problem, at: self.at }
    }
}

/// Offset of the first byte at or after `at` that ends a run of plain characters in a string. Eight bytes at a time: most
/// of a record is text.
fn plain_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let (words, _) = rest.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let ends = ends_in(u64::from_le_bytes(*word));
        if ends != 0 {
            return at + 8 * place + ends.trailing_zeros() as usize / 8;
        }
    }
    let tail = &rest[8 * words.len()..];
    let place = tail.iter().position(|&byte| matches!(byte, b'"' | b'\\' | 0..=0x1F)).unwrap_or(tail.len());
    at + 8 * words.len() + place
}

/// The high bit of each byte that is a quote, a backslash or a control character. A borrow may set bits above the lowest
/// that is right, so only that one counts.
fn ends_in(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (is(b'"') | is(b'\\') | below(word, 0x20)) & (ONES << 7)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// What the cursor reads, as serde_json would have it; numbers are compared as 64-bit floats.
    fn value(cursor: &mut Cursor<'_>) -> Result<Value, Malformed> {
        Ok(match cursor.peek()? {
            Kind::Object => {
                cursor.enter()?;
                let mut members = serde_json::Map::new();
                let mut is_first = true;
                while let Some(key) = cursor.next_key(is_first)? {
                    is_first = false;
                    members.insert(key.into_owned(), value(cursor)?);
                }
                Value::Object(members)
            }
            Kind::Array => {
                cursor.enter()?;
                let mut items = Vec::new();
                while cursor.next_item(items.is_empty())? {
                    items.push(value(cursor)?);
                }
                Value::Array(items)
            }
            Kind::String => Value::String(cursor.string()?.into_owned()),
            Kind::Number => serde_json::from_str(cursor.number()?).unwrap(),
            kind @ (Kind::True | Kind::False) => {
                cursor.word(kind)?;
                Value::Bool(kind == Kind::True)
            }
            kind @ Kind::Null => {
                cursor.word(kind)?;
                Value::Null
            }
        })
    }

    fn whole(text: &str) -> Result<Value, Malformed> {
        let mut cursor = Cursor::new(text);
        let read = value(&mut cursor)?;
        if cursor.is_done() { Ok(read) } else { Err(cursor.malformed("more")) }
    }

    fn skipped(text: &str) -> Result<(), Malformed> {
        let mut cursor = Cursor::new(text);
        cursor.skip()?;
        if cursor.is_done() { Ok(()) } else { Err(cursor.malformed("more")) }
    }

    #[test]
    fn what_is_json_is_decided_as_rfc_8259_does() {
        let cases = [
            "{}",
            "[]",
            "[1,]",
            "{\"a\":1,}",
            "[,1]",
            "{\"a\" 1}",
            "01",
            "-",
            "-0",
            "1.",
            ".5",
            "1e",
            "1E+2",
            "+1",
            "1x",
            "nul",
            "nulll",
            "true",
            "\"\\u00e9\"",
            "\"\\ud83d\\ude00\"",
            "\"\\ud83d\"",
            "\"\\ude00\"",
            "\"\\x\"",
            "\"a\u{1}\"",
            "\"a",
            "{\"a\":",
            "[1 2]",
            "",
            " ",
            "{\"a\":1 \"b\":2}",
            "'a'",
            "[1]]",
            "\"\\/\\b\\f\\n\\r\\t\"",
        ];
        for text in cases {
            let theirs = serde_json::from_str::<Value>(text).ok();
            assert_eq!(whole(text).ok(), theirs, "{text:?}");
            assert_eq!(skipped(text).is_ok(), theirs.is_some(), "{text:?}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(skipped(&deep(MOST_NESTING)).is_ok());
        assert!(serde_json::from_str::<Value>(&deep(MOST_NESTING)).is_ok());
        assert!(serde_json::from_str::<Value>(&deep(MOST_NESTING + 1)).is_err());
        assert_eq!(skipped(&deep(MOST_NESTING + 1)).unwrap_err().problem, "nested too deeply");
        assert!(skipped(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn a_run_of_plain_characters_ends_where_it_does() {
        let slow = |bytes: &[u8], at: usize| {
            bytes[at..]
                .iter()
                .position(|&byte| matches!(byte, b'"' | b'\\' | 0..=0x1F))
                .map_or(bytes.len(), |to| at + to)
        };
        for end in 0..=255_u8 {
            for place in 0..20 {
                let mut bytes = [b' ', b'!', 0x7F, 0x80, 0xFF, b'#', b'[', b']'].repeat(3);
                bytes[place] = end;
                bytes[22] = b'"';
                (0..24)
                    .for_each(|at| assert_eq!(plain_end(&bytes, at), slow(&bytes, at), "{end} at {place}, from {at}"));
            }
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map(".*", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_are_read_as_serde_json_reads_them(value in json(), is_pretty: bool) {
            let text = if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let text = text.unwrap();
            prop_assert_eq!(whole(&text).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
            prop_assert!(skipped(&text).is_ok());
        }

        #[test]
        fn damaged_text_is_refused_when_serde_json_refuses_it(value in json(), at: prop::sample::Index, byte in 0_u8..128) {
            let mut bytes = serde_json::to_vec(&value).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(text) = std::str::from_utf8(&bytes) {
                // A number too large for a float is theirs to refuse; it is JSON all the same.
                let theirs = serde_json::from_str::<Value>(text);
                if !theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range")) {
                    prop_assert_eq!(skipped(text).is_ok(), theirs.is_ok(), "{}", text);
                }
            }
        }
    }
}
