//! Everything within a checked value, in order, for what must look at all of it. Refuses to say what is wrong: that was
//! said when it was parsed.

use super::scan::Scan;

/// One token, with its bytes as they stand in the record. Commas and colons are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// `{`.
    ObjectStart,
    /// `}`.
    ObjectEnd,
    /// `[`.
    ArrayStart,
    /// `]`.
    ArrayEnd,
    /// What is within the quotes of a member's name.
    Key(&'a [u8]),
    /// What is within the quotes of a text.
    Text(&'a [u8]),
    /// A number, `true`, `false` or `null`.
    Scalar(&'a [u8]),
}

/// The tokens of a value.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    scan: Scan<'a>,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(raw: &'a [u8]) -> Self {
        Self { scan: Scan::new(raw) }
    }

    /// How many bytes of the value are behind the last token, and behind its closing quote.
    pub fn left(&self) -> usize {
        self.scan.rest.len()
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    #[inline]
    fn next(&mut self) -> Option<Token<'a>> {
        let scan = &mut self.scan;
        while let [b' ' | b'\n' | b'\r' | b'\t' | b',' | b':', rest @ ..] = scan.rest {
            scan.rest = rest;
        }
        let start = scan.rest;
        scan.step();
        Some(match start.first()? {
            b'{' => Token::ObjectStart,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayStart,
            b']' => Token::ArrayEnd,
            b'"' => {
                let left = scan.string().ok()?.left;
                let text = start.get(1..start.len() - left - 1)?;
                // Only a name is followed by a colon.
                let mut ahead = *scan;
                ahead.blanks();
                if ahead.peek() == Some(b':') { Token::Key(text) } else { Token::Text(text) }
            }
            _ => {
                let is_in = |byte: u8| !matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
                while scan.peek().is_some_and(is_in) {
                    scan.step();
                }
                Token::Scalar(start.get(..start.len() - scan.rest.len())?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::*;

    #[test]
    fn every_token_is_seen_once_in_order() {
        let value = Value::parse(br#" {"a" : [1,true, "x\"y"],"b":{"":null},"c":[]} "#).unwrap();
        let found: Vec<_> = value.tokens().collect();
        let expected = [
            Token::ObjectStart,
            Token::Key(b"a"),
            Token::ArrayStart,
            Token::Scalar(b"1"),
            Token::Scalar(b"true"),
            Token::Text(b"x\\\"y"),
            Token::ArrayEnd,
            Token::Key(b"b"),
            Token::ObjectStart,
            Token::Key(b""),
            Token::Scalar(b"null"),
            Token::ObjectEnd,
            Token::Key(b"c"),
            Token::ArrayStart,
            Token::ArrayEnd,
            Token::ObjectEnd,
        ];
        assert_eq!(found, expected);
    }
}
