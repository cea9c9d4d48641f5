//! The bytes of an object without its compression, whichever of Firehose's it is, as they come.
//!
//! What it is stands in its first bytes; extensions and `Content-Encoding` are not looked at. Bounded: no more than so
//! many bytes come out, and a block of snappy is not larger than any writer makes. Refuses archives with a second file.

use std::io::{self, BufReader, Chain, Cursor, Read};

use flate2::bufread::{DeflateDecoder, MultiGzDecoder};

/// Largest block of snappy, compressed or not: writers use 32 KiB to 1 MiB.
const BLOCK_BYTES: usize = 16 << 20;

/// Magic, version and compatible version of snappy-java's stream.
const XERIAL_BYTES: usize = 16;
const XERIAL: &[u8] = &[0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];

/// The beginning of a file in a zip archive, up to its name.
const ZIP_BYTES: usize = 30;

/// The bytes of `source` as they were before they were compressed, an error after `most` of them.
pub(super) fn open<R: Read + Send + 'static>(mut source: R, most: u64) -> io::Result<Box<dyn Read + Send>> {
    let mut head = vec![0; XERIAL_BYTES];
    let mut filled = 0;
    while filled < head.len() {
        match source.read(&mut head[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    head.truncate(filled);
    let is = |magic: &[u8]| head.starts_with(magic);
    let whole = Cursor::new(head.clone()).chain(source);
    let inner: Box<dyn Read + Send> = if is(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(BufReader::new(whole)))
    } else if is(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Box::new(zstd::stream::read::Decoder::new(whole)?)
    } else if is(b"PK\x03\x04") {
        zip(whole)?
    } else if is(XERIAL) {
        let mut whole = whole;
        whole.read_exact(&mut [0; XERIAL_BYTES])?;
        Box::new(Blocks::new(whole, Form::Xerial))
    } else if is(&[0]) {
        // The length of a first block of less than 16 MiB: no text begins so.
        Box::new(Blocks::new(whole, Form::Hadoop))
    } else {
        Box::new(whole)
    };
    Ok(Box::new(Bounded { inner, left: most, most }))
}

/// The first file of an archive.
fn zip<R: Read + Send + 'static>(mut archive: Chain<Cursor<Vec<u8>>, R>) -> io::Result<Box<dyn Read + Send>> {
    let mut head = [0; ZIP_BYTES];
    archive.read_exact(&mut head)?;
    let short = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let skipped = u64::from(short(26)) + u64::from(short(28));
    io::copy(&mut (&mut archive).take(skipped), &mut io::sink())?;
    let length = u32::from_le_bytes([head[18], head[19], head[20], head[21]]);
    match (short(8), short(6) & 8 != 0) {
        (8, _) => Ok(Box::new(DeflateDecoder::new(BufReader::new(archive)))),
        (0, false) => Ok(Box::new(archive.take(u64::from(length)))),
        _ => Err(invalid("the zip archive is packed in a way that Firehose does not use")),
    }
}

/// How blocks of snappy are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Before each its compressed length.
    Xerial,
    /// Before one or several the length of what they make, before each its compressed length.
    Hadoop,
}

/// Blocks of snappy, one in memory at a time.
struct Blocks<R> {
    inner: R,
    form: Form,
    decoder: snap::raw::Decoder,
    block: Cursor<Vec<u8>>,
    /// What the blocks make that are still to come before the next length of that.
    expected: usize,
}

impl<R: Read> Blocks<R> {
    fn new(inner: R, form: Form) -> Self {
        Self { inner, form, decoder: snap::raw::Decoder::new(), block: Cursor::new(Vec::new()), expected: 0 }
    }

    /// False at the end.
    fn advance(&mut self) -> io::Result<bool> {
        if self.form == Form::Hadoop && self.expected == 0 {
            match length(&mut self.inner)? {
                None => return Ok(false),
                Some(expected) => self.expected = expected,
            }
            if self.expected == 0 {
                return self.advance_over_nothing();
            }
        }
        let compressed = match (length(&mut self.inner)?, self.form) {
            (Some(compressed), _) => compressed,
            (None, Form::Xerial) => return Ok(false),
            (None, Form::Hadoop) => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        let mut bytes = vec![0; compressed];
        self.inner.read_exact(&mut bytes)?;
        let made = snap::raw::decompress_len(&bytes).map_err(io::Error::other)?;
        if made > BLOCK_BYTES {
            return Err(invalid("a block of snappy is larger than 16 MiB"));
        }
        let block = self.decoder.decompress_vec(&bytes).map_err(io::Error::other)?;
        if self.form == Form::Hadoop {
            self.expected = self
                .expected
                .checked_sub(block.len())
                .ok_or_else(|| invalid("a block of snappy makes more than it says"))?;
        }
        self.block = Cursor::new(block);
        Ok(true)
    }

    fn advance_over_nothing(&mut self) -> io::Result<bool> {
        self.block = Cursor::new(Vec::new());
        Ok(true)
    }
}

impl<R: Read> Read for Blocks<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.block.read(into)?;
            if read > 0 || into.is_empty() || !self.advance()? {
                return Ok(read);
            }
        }
    }
}

/// A big-endian length; none at the end.
fn length(from: &mut impl Read) -> io::Result<Option<usize>> {
    let mut bytes = [0; 4];
    let mut filled = 0;
    while filled < bytes.len() {
        match from.read(&mut bytes[filled..])? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    let length = u32::from_be_bytes(bytes) as usize;
    if length > BLOCK_BYTES { Err(invalid("a block of snappy is larger than 16 MiB")) } else { Ok(Some(length)) }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Ends in an error where too much comes.
struct Bounded {
    inner: Box<dyn Read + Send>,
    left: u64,
    most: u64,
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => return Err(invalid(&format!("it has more than {} bytes when decompressed", self.most))),
        }
        Ok(read)
    }
}
