//! Walks over JSON and checks it on the way. Refuses to recurse: nesting costs a bit, not a stack frame.

use std::fmt;
use std::str::Utf8Error;

use super::chunk::{CHUNK, digits, plain};

/// How deep objects and arrays may be nested.
pub const DEPTH: u32 = 128;

/// Longer texts are refused, so that a place and a flag fit into 32 bits; a guest's memory could not hold two of them.
const MOST_BYTES: usize = (1 << 31) - 1;

/// Why bytes are no JSON, or not the JSON that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid {
    offset: usize,
    problem: Problem,
}

/// As wide as the length it shares its place with in a result, or lengths would be taken apart into bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Problem {
    Value,
    Key,
    Colon,
    CommaOrBrace,
    CommaOrBracket,
    Digit,
    Escape,
    Control,
    OpenString,
    Deep,
    Utf8,
    Rest,
    Long,
    NoObject,
}

impl Invalid {
    /// The byte that is wrong, counted from 0.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The same, counted in a text that begins this many bytes earlier.
    #[must_use]
    pub fn moved_by(self, bytes: usize) -> Self {
        Self { offset: self.offset.saturating_add(bytes), ..self }
    }

    /// True for JSON that is no object, where an object was asked for.
    pub fn is_no_object(&self) -> bool {
        self.problem == Problem::NoObject
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.problem {
            Problem::Value => "a value was expected",
            Problem::Key => "a name in quotes was expected",
            Problem::Colon => "a colon was expected",
            Problem::CommaOrBrace => "a comma or a closing brace was expected",
            Problem::CommaOrBracket => "a comma or a closing bracket was expected",
            Problem::Digit => "a digit was expected",
            Problem::Escape => "a backslash begins no escape of JSON",
            Problem::Control => "a control character in a string must be escaped",
            Problem::OpenString => "a string has no end",
            Problem::Deep => "it is nested too deep",
            Problem::Utf8 => "it is not UTF-8",
            Problem::Rest => "more follows the value",
            Problem::Long => "it is longer than 2 GiB",
            Problem::NoObject => return f.write_str("no JSON object"),
        };
        write!(f, "invalid JSON at byte {}: {what}", self.offset)
    }
}

impl std::error::Error for Invalid {}

/// The same, before it is known where the text began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wrong {
    left: usize,
    problem: Problem,
}

impl Wrong {
    /// Where in a text it is; the text is what the scan began with.
    pub(super) fn within(self, data: &[u8]) -> Invalid {
        Invalid { offset: data.len().saturating_sub(self.left), problem: self.problem }
    }
}

/// What is left of a text. Small and copied, so that it stays in registers; steps that are rare are calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan<'a> {
    pub(super) rest: &'a [u8],
    /// How many blanks between tokens were met.
    pub(super) spaces: usize,
}

/// A string that was stepped over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quoted {
    /// What was left behind its closing quote.
    pub(super) left: usize,
    /// Whether it holds a backslash.
    pub(super) is_escaped: bool,
}

/// Checks what the grammar presupposes.
pub(super) fn check_text(data: &[u8]) -> Result<(), Invalid> {
    if data.len() > MOST_BYTES {
        return Err(Invalid { offset: 0, problem: Problem::Long });
    }
    // A fold without a branch becomes vector instructions; most records are ASCII.
    if data.iter().fold(0, |seen, byte| seen | byte) < 0x80 {
        return Ok(());
    }
    let wrong = |error: Utf8Error| Invalid { offset: error.valid_up_to(), problem: Problem::Utf8 };
    std::str::from_utf8(data).map(drop).map_err(wrong)
}

impl<'a> Scan<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { rest: data, spaces: 0 }
    }

    #[inline(always)]
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    #[inline(always)]
    pub(super) fn step(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    #[cold]
    pub(super) fn wrong<T>(self, problem: Problem) -> Result<T, Wrong> {
        Err(Wrong { left: self.rest.len(), problem })
    }

    #[inline(always)]
    pub(super) fn blanks(&mut self) {
        // No token begins with less than a blank.
        if self.peek().is_some_and(|byte| byte <= b' ') {
            *self = self.many_blanks();
        }
    }

    #[inline(never)]
    fn many_blanks(mut self) -> Self {
        while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = self.rest {
            self = Self { rest, spaces: self.spaces + 1 };
        }
        self
    }

    /// Steps over a name and its colon, to the value.
    #[inline(always)]
    pub(super) fn key(&mut self) -> Result<Quoted, Wrong> {
        if self.peek() != Some(b'"') {
            return self.wrong(Problem::Key);
        }
        self.step();
        let quoted = self.string()?;
        self.blanks();
        if self.peek() != Some(b':') {
            return self.wrong(Problem::Colon);
        }
        self.step();
        self.blanks();
        Ok(quoted)
    }

    /// Steps over a value, which may hold `depth` levels of objects and arrays.
    #[inline(always)]
    pub(super) fn value(&mut self, depth: u32) -> Result<(), Wrong> {
        match self.peek() {
            Some(b'{' | b'[') => {
                *self = self.nested(depth)?;
                Ok(())
            }
            _ => self.scalar(),
        }
    }

    #[inline(always)]
    fn scalar(&mut self) -> Result<(), Wrong> {
        match self.peek() {
            Some(b'"') => {
                self.step();
                self.string().map(drop)
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                *self = self.literal()?;
                Ok(())
            }
        }
    }

    #[inline(never)]
    fn nested(mut self, limit: u32) -> Result<Self, Wrong> {
        // One bit for each level that is open, the innermost lowest: 1 is an object.
        let mut levels = 0_u128;
        let mut depth = 0;
        'value: loop {
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == limit.min(u128::BITS) {
                        return self.wrong(Problem::Deep);
                    }
                    depth += 1;
                    levels = levels << 1 | u128::from(open == b'{');
                    self.step();
                    self.blanks();
                    match self.peek() {
                        Some(b'}') if open == b'{' => {}
                        Some(b']') if open == b'[' => {}
                        _ if open == b'{' => {
                            self.key()?;
                            continue 'value;
                        }
                        _ => continue 'value,
                    }
                }
                _ => self.scalar()?,
            }
            while depth > 0 {
                self.blanks();
                let is_object = levels & 1 == 1;
                match self.peek() {
                    Some(b',') => {
                        self.step();
                        self.blanks();
                        if is_object {
                            self.key()?;
                        }
                        continue 'value;
                    }
                    Some(b'}') if is_object => self.step(),
                    Some(b']') if !is_object => self.step(),
                    _ if is_object => return self.wrong(Problem::CommaOrBrace),
                    _ => return self.wrong(Problem::CommaOrBracket),
                }
                levels >>= 1;
                depth -= 1;
            }
            return Ok(self);
        }
    }

    #[inline(never)]
    fn literal(self) -> Result<Self, Wrong> {
        match self.rest {
            [b't', b'r', b'u', b'e', rest @ ..] | [b'n', b'u', b'l', b'l', rest @ ..] => Ok(Self { rest, ..self }),
            [b'f', b'a', b'l', b's', b'e', rest @ ..] => Ok(Self { rest, ..self }),
            _ => self.wrong(Problem::Value),
        }
    }

    #[inline(always)]
    fn number(&mut self) -> Result<(), Wrong> {
        if self.peek() == Some(b'-') {
            self.step();
        }
        match self.peek() {
            Some(b'0') => self.step(),
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.step();
            if let Some(b'+' | b'-') = self.peek() {
                self.step();
            }
            self.digits()?;
        }
        Ok(())
    }

    #[inline(always)]
    fn digits(&mut self) -> Result<(), Wrong> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return self.wrong(Problem::Digit);
        }
        if let Some(chunk) = self.rest.first_chunk() {
            let digits = digits(chunk);
            self.rest = self.rest.get(digits..).unwrap_or_default();
            if digits < CHUNK {
                return Ok(());
            }
        }
        while let [b'0'..=b'9', rest @ ..] = self.rest {
            self.rest = rest;
        }
        Ok(())
    }

    /// Steps over a string whose opening quote is behind.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Result<Quoted, Wrong> {
        let mut is_escaped = false;
        loop {
            while let Some(chunk) = self.rest.first_chunk() {
                let plain = plain(chunk);
                self.rest = self.rest.get(plain..).unwrap_or_default();
                if plain < CHUNK {
                    break;
                }
            }
            match self.peek() {
                Some(b'"') => {
                    self.step();
                    return Ok(Quoted { left: self.rest.len(), is_escaped });
                }
                Some(b'\\') => {
                    is_escaped = true;
                    *self = self.escape()?;
                }
                Some(0..0x20) => return self.wrong(Problem::Control),
                Some(_) => self.step(), // the last bytes of a text, too few for a chunk
                None => return self.wrong(Problem::OpenString),
            }
        }
    }

    #[inline(never)]
    fn escape(self) -> Result<Self, Wrong> {
        let rest = match self.rest {
            [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', rest @ ..] => rest,
            [_, b'u', a, b, c, d, rest @ ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) => rest,
            _ => return self.wrong(Problem::Escape),
        };
        Ok(Self { rest, ..self })
    }
}
