//! Writes a value without blanks between its tokens. Refuses to touch anything else: texts and numbers stay as they are.

use std::io::{self, Write};

use super::chunk::{CHUNK, plain, solid};
use super::value::Value;

/// Writes a value on one line, without blanks between its tokens.
///
/// # Errors
/// Those of the writer; an [`crate::Output`] and a `Vec` have none.
pub fn compact(value: Value<'_>, mut output: impl Write) -> io::Result<()> {
    compact_raw(value.raw(), &mut output)
}

/// The same for a value, or a piece of one that ends between tokens.
pub(super) fn compact_raw<W: Write>(mut rest: &[u8], output: &mut W) -> io::Result<()> {
    let mut pieces = Pieces { bytes: [0; PIECES], filled: 0 };
    let mut is_text = false;
    while let Some(chunk) = rest.first_chunk() {
        if pieces.filled > PIECES - 2 * CHUNK {
            pieces.flush(output)?;
        }
        let taken = if is_text { plain(chunk) } else { solid(chunk) };
        pieces.push_start(chunk, taken);
        rest = rest.get(taken..).unwrap_or_default();
        if taken < CHUNK {
            rest = pieces.push_other(rest, &mut is_text);
        }
    }
    while let [byte, ..] = rest {
        if pieces.filled > PIECES - 2 * CHUNK {
            pieces.flush(output)?;
        }
        if is_text && !matches!(byte, b'"' | b'\\') || !is_text && !matches!(byte, b'"' | 0..=b' ') {
            pieces.push(*byte);
            rest = rest.get(1..).unwrap_or_default();
        } else {
            rest = pieces.push_other(rest, &mut is_text);
        }
    }
    pieces.flush(output)
}

/// Short pieces are gathered before they are written, and copied a whole chunk at a time: moves of a fixed length are
/// single instructions, others are calls.
const PIECES: usize = 512;

struct Pieces {
    bytes: [u8; PIECES],
    filled: usize,
}

impl Pieces {
    #[inline(always)]
    fn push_start(&mut self, chunk: &[u8; CHUNK], taken: usize) {
        if let Some(place) = self.bytes.get_mut(self.filled..).and_then(<[u8]>::first_chunk_mut) {
            *place = *chunk;
        }
        self.filled += taken;
    }

    #[inline(always)]
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.filled) {
            *place = byte;
        }
        self.filled += 1;
    }

    /// Takes a quote or an escape, or leaves a blank out; what is left.
    #[inline(always)]
    fn push_other<'a>(&mut self, rest: &'a [u8], is_text: &mut bool) -> &'a [u8] {
        match rest {
            [b'"', rest @ ..] => {
                self.push(b'"');
                *is_text = !*is_text;
                rest
            }
            [b'\\', escaped, rest @ ..] => {
                self.push(b'\\');
                self.push(*escaped);
                rest
            }
            [_, rest @ ..] => rest,
            [] => rest,
        }
    }

    fn flush(&mut self, output: &mut impl Write) -> io::Result<()> {
        let filled = std::mem::take(&mut self.filled);
        output.write_all(self.bytes.get(..filled).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_go_and_texts_stay() {
        let compact = |text: &str| {
            let mut written = Vec::new();
            compact(Value::parse(text.as_bytes()).unwrap(), &mut written).unwrap();
            String::from_utf8(written).unwrap()
        };
        assert_eq!(compact(" { \"a b\" :\t[ 1.0 ,\r\n \" \\\" \" ] , \"\":{ } } \n"), r#"{"a b":[1.0," \" "],"":{}}"#);
        assert_eq!(compact("7"), "7");
        let long = format!("\"{}\\\\\\\"  \\u0020\"", "0123456789 ".repeat(200));
        assert_eq!(compact(&format!("[ {long} ,\n\n    {long} ]")), format!("[{long},{long}]"));
    }
}
