//! One object, line by line: fetched in pieces, decompressed and understood on a thread that may block.
//!
//! Pieces, parts and a line are bounded, so an object of any size takes the same memory. Refuses to go on after an
//! error: what came before it is given out.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::inflate;
use super::{Failure, Unreadable};
use crate::deliver::{DeliveryError, Look, Stored};

/// Bytes fetched at once.
const PIECE_BYTES: u64 = 4 << 20;
/// Longest line: a record that fills a frame of the journal, in base64, with all that is said of it.
const LINE_BYTES: usize = 24 << 20;
/// Most bytes of one object when it is decompressed: what the largest buffer of the smallest records makes.
const OBJECT_BYTES: u64 = 8 << 30;
/// Lines of a part.
pub const PART_LINES: usize = 1_000;
/// Bytes of records in a part, unless one alone has more.
pub const PART_BYTES: usize = 4 << 20;

/// A line of an object.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number, from 0; empty lines count.
    pub at: u32,
    /// What it says.
    pub failure: Result<Failure, Unreadable>,
}

/// Why an object is not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be fetched; later it may.
    #[error("{0}")]
    Fetch(String),
    /// It is damaged, or none of the compressions that are known.
    #[error("object {key} cannot be decompressed")]
    Damaged {
        /// Its key.
        key: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// An object under way. Dropping it ends the work.
#[derive(Debug)]
pub struct Reading {
    parts: mpsc::Receiver<Result<Vec<Line>, ReadError>>,
    _work: JoinSet<()>,
}

impl Reading {
    /// Begins with line `from`.
    pub fn start(look: Arc<dyn Look>, bucket: &str, object: &Stored, from: u32) -> Self {
        let (pieces_in, pieces) = mpsc::channel(1);
        let (parts_in, parts) = mpsc::channel(1);
        let mut work = JoinSet::new();
        let (bucket, wanted, key) = (bucket.to_owned(), object.clone(), object.key.clone());
        work.spawn(async move { fetch(&*look, &bucket, &wanted, &pieces_in).await });
        work.spawn_blocking(move || {
            let pieces = Pieces { incoming: pieces, current: Bytes::new() };
            if let Err(error) = read_all(pieces, from, &parts_in) {
                let error = match error.get_ref() {
                    Some(inner) if inner.is::<DeliveryError>() => ReadError::Fetch(inner.to_string()),
                    _ => ReadError::Damaged { key, source: error },
                };
                // Whoever asked may be gone.
                parts_in.blocking_send(Err(error)).ok();
            }
        });
        Self { parts, _work: work }
    }

    /// The next lines; none at the end.
    ///
    /// # Errors
    /// What keeps the rest from being read.
    pub async fn next(&mut self) -> Result<Option<Vec<Line>>, ReadError> {
        self.parts.recv().await.transpose()
    }
}

async fn fetch(look: &dyn Look, bucket: &str, object: &Stored, pieces: &mpsc::Sender<io::Result<Bytes>>) {
    let mut at = 0;
    while at < object.bytes {
        let piece = look.piece(bucket, object, at, PIECE_BYTES).await.map_err(io::Error::other);
        let read = piece.as_ref().map_or(0, |piece| piece.len() as u64);
        // The reader has seen enough, or will not go on after an error.
        if pieces.send(piece).await.is_err() || read == 0 {
            return;
        }
        at += read;
    }
}

/// What was fetched, as a stream of bytes.
struct Pieces {
    incoming: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.incoming.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.current = piece?,
            }
        }
        let count = into.len().min(self.current.len());
        self.current.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}

/// Gives out the lines from `from` on in parts.
fn read_all(
    source: impl Read + Send + 'static,
    from: u32,
    parts: &mpsc::Sender<Result<Vec<Line>, ReadError>>,
) -> io::Result<()> {
    let mut source = BufReader::with_capacity(1 << 16, inflate::open(source, OBJECT_BYTES)?);
    let (mut part, mut bytes, mut text) = (Vec::new(), 0, Vec::new());
    for at in 0.. {
        let (is_last, is_long) = match next_line(&mut source, &mut text, LINE_BYTES) {
            Ok(read) => read,
            Err(error) => {
                parts.blocking_send(Ok(part)).ok();
                return Err(error);
            }
        };
        let is_there = !text.trim_ascii().is_empty() || is_long;
        if at >= from && is_there {
            let failure = if is_long { Err(Unreadable::Long(LINE_BYTES)) } else { Failure::parse(&text) };
            bytes += failure.as_ref().map_or(0, |failure| failure.data.len());
            part.push(Line { at, failure });
        }
        if (is_last || part.len() >= PART_LINES || bytes >= PART_BYTES) && !part.is_empty() {
            bytes = 0;
            if parts.blocking_send(Ok(std::mem::take(&mut part))).is_err() {
                return Ok(());
            }
        }
        if is_last {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads a line into `text`, without its newline: whether it is the last one, and whether it is longer than `most` and
/// was left out.
fn next_line(source: &mut impl BufRead, text: &mut Vec<u8>, most: usize) -> io::Result<(bool, bool)> {
    text.clear();
    let mut is_long = false;
    loop {
        let buffer = source.fill_buf()?;
        if buffer.is_empty() {
            return Ok((true, is_long));
        }
        let end = memchr::memchr(b'\n', buffer);
        let taken = end.unwrap_or(buffer.len());
        if text.len() + taken > most {
            is_long = true;
            text.clear();
        }
        if !is_long {
            text.extend_from_slice(&buffer[..taken]);
        }
        source.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            return Ok((false, is_long));
        }
    }
}
