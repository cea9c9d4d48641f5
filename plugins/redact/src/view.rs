//! A text without its escapes, and for each byte where it came from, so that an address is found however it is written
//! and replaced where it stands. Refuses to go deeper than JSON within JSON within JSON.

use std::mem;

use hydrant_plugin::json::unescape_first;

/// Levels of escapes that are undone.
const LEVELS: usize = 3;

/// Scratch of [`Plain`].
#[derive(Debug, Default)]
pub(crate) struct View {
    bytes: Vec<u8>,
    origins: Vec<usize>,
    next_bytes: Vec<u8>,
    next_origins: Vec<usize>,
}

/// A text without escapes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain<'v> {
    pub(crate) bytes: &'v [u8],
    /// Where each byte came from, and where the text ended; empty if it is the text itself.
    origins: &'v [usize],
}

impl Plain<'_> {
    /// Where a byte of the plain text came from.
    pub(crate) fn origin(&self, at: usize) -> usize {
        self.origins.get(at).copied().unwrap_or(at)
    }
}

impl View {
    /// The text without `\…` and `%…`; itself where there is neither.
    pub(crate) fn plain<'v>(&'v mut self, text: &'v [u8]) -> Plain<'v> {
        if !may_be_escaped(text) {
            return Plain { bytes: text, origins: &[] };
        }
        self.bytes.clear();
        self.bytes.extend_from_slice(text);
        self.origins.clear();
        self.origins.extend(0..=text.len());
        for _ in 0..LEVELS {
            if !self.undo_one_level() {
                break;
            }
        }
        Plain { bytes: &self.bytes, origins: &self.origins }
    }

    /// Whether there was anything to undo.
    fn undo_one_level(&mut self) -> bool {
        self.next_bytes.clear();
        self.next_origins.clear();
        let mut rest = self.bytes.as_slice();
        while let [first, ..] = rest {
            let at = self.bytes.len() - rest.len();
            let origin = self.origins.get(at).copied().unwrap_or(at);
            let mut letter = [0; 4];
            let (written, length) = match first {
                b'\\' => match escape(rest) {
                    Some((decoded, length)) => (decoded.encode_utf8(&mut letter).as_bytes(), length),
                    None => (&rest[..1], 1),
                },
                b'%' => match percent(rest) {
                    Some(byte) => {
                        letter[0] = byte;
                        (&letter[..1], 3)
                    }
                    None => (&rest[..1], 1),
                },
                _ => (&rest[..1], 1),
            };
            self.next_bytes.extend_from_slice(written);
            self.next_origins.extend(written.iter().map(|_| origin));
            rest = rest.get(length..).unwrap_or_default();
        }
        self.next_origins.extend(self.origins.last());
        let is_changed = self.next_bytes.len() != self.bytes.len();
        mem::swap(&mut self.bytes, &mut self.next_bytes);
        mem::swap(&mut self.origins, &mut self.next_origins);
        is_changed && may_be_escaped(&self.bytes)
    }
}

fn may_be_escaped(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b'\\' | b'%'))
}

/// An escape of JSON; a backslash before anything else stands for itself.
fn escape(rest: &[u8]) -> Option<(char, usize)> {
    match rest {
        [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Some(unescape_first(rest)),
        [_, b'u', digits @ ..] if digits.get(..4)?.iter().all(u8::is_ascii_hexdigit) => Some(unescape_first(rest)),
        _ => None,
    }
}

/// A printable letter as addresses of web pages write it.
fn percent(rest: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*rest.get(at)?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(1)? << 4 | digit(2)?).filter(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_remembered() {
        let table = [
            (r"joe\u0040x", "joe@x"),
            ("joe%40x", "joe@x"),
            ("joe%2540x", "joe@x"),
            (r#"{\\\"a\\\":\\\"joe\\\\u0040x\\\"}"#, "{\"a\":\"joe@x\"}"),
            (r"\ud83d\ude00 100% sure\x \", "😀 100% sure\\x \\"),
            ("%zz%4", "%zz%4"),
            ("%00%0a", "%00%0a"),
        ];
        for (text, expected) in table {
            let mut view = View::default();
            let plain = view.plain(text.as_bytes());
            assert_eq!(std::str::from_utf8(plain.bytes).unwrap(), expected, "{text}");
            assert_eq!((plain.origin(0), plain.origin(plain.bytes.len())), (0, text.len()));
        }
        let mut view = View::default();
        let plain = view.plain(br"a\u0040b");
        assert_eq!([0, 1, 2, 3].map(|at| plain.origin(at)), [0, 1, 7, 8]);
    }
}
