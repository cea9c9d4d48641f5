//! Which segment files belong to the log, and where each of them ends.
//!
//! Walks from the newest segment back: each header names the one before and its end. Refuses a gap that no
//! `dropped` note explains (row D7), foreign files and other versions (row D13).

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::error::OpenError;
use super::frame::Kind;
use super::note::{Dropped, Note, SegmentEnd};
use super::ranges::Ranges;
use super::scan::{self, Cut, Found, Scanner};
use super::segment::{self, BLOCK_BYTES, Block, Header};
use super::storage::{File, Storage, read_exact};

/// One segment of the log.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) header: Header,
    pub(super) file: Arc<dyn File>,
    /// End of the valid frames.
    pub(super) end: u64,
    /// From here on frames may so far be in memory only; see [`Header::doubtful_from`].
    pub(super) doubtful_from: u64,
    /// Every bit of the header block is as it was written.
    pub(super) is_header_intact: bool,
}

/// The log's segments, oldest first, and what lies beside them.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub(super) links: Vec<Link>,
    /// Files of segments that never held anything.
    pub(super) strays: Vec<u64>,
    /// Written bytes after the last valid frame.
    pub(super) cut_bytes: u64,
    pub(super) next_stream: u32,
    /// Highest id of any file.
    pub(super) last_id: u64,
    /// The newest `dropped` note.
    pub(super) note: Dropped,
    pub(super) note_segment: u64,
}

/// Finds the chain. Changes nothing.
pub(super) fn find(storage: &dyn Storage) -> Result<Chain, OpenError> {
    let io = |action| move |source| OpenError::Io { directory: storage.describe(), action, source };
    let mut ids: Vec<u64> =
        storage.list().map_err(io("list"))?.iter().filter_map(|name| segment::id_of(name)).collect();
    ids.sort_unstable();
    let mut chain = Chain { last_id: ids.last().copied().unwrap_or(0), next_stream: 1, ..Chain::default() };
    let mut files = BTreeMap::new();
    for &id in &ids {
        let file = storage.open(&segment::file_name(id)).map_err(io("open a segment"))?;
        let (block, is_pristine) = read_block(&*file).map_err(io("read a segment header"))?;
        let block = check(id, block)?;
        files.insert(id, (file, block, is_pristine));
    }
    // A crash while the newest segments were begun leaves them without a header and without a frame.
    while let Some((&id, (file, block, _))) = files.last_key_value() {
        if matches!(block, Block::Valid { .. }) {
            break;
        }
        if last_written(&**file, BLOCK_BYTES).map_err(io("read a segment"))? > BLOCK_BYTES {
            return Err(OpenError::Header { segment: id });
        }
        chain.strays.push(id);
        files.pop_last();
    }
    let Some((_, (file, Block::Valid { header, .. }, is_pristine))) = files.pop_last() else { return Ok(chain) };
    let Cut { end, floor } = scan::find_cut(&*file, header.salt()).map_err(io("read the last segment"))?;
    chain.cut_bytes = last_written(&*file, end).map_err(io("read the last segment"))?.saturating_sub(end);
    chain.next_stream = header.next_stream;
    let last = Link { header, file, end, doubtful_from: floor, is_header_intact: is_pristine };
    if let Some(note) = newest_note(&last).map_err(io("read the last segment"))? {
        (chain.note, chain.note_segment) = (note, header.id);
    }
    chain.links.push(last);
    walk_back(&mut chain, files, header.note_segment).map_err(|error| match error {
        WalkError::Open(error) => error,
        WalkError::Io(source) => io("read a segment")(source),
    })?;
    chain.links.reverse();
    Ok(chain)
}

/// Removes files that hold nothing, and gives back what the last segment reserved and did not use. Both must be
/// safe to repeat and safe to lose.
pub(super) fn remove_strays(storage: &dyn Storage, chain: &Chain) -> Result<(), OpenError> {
    let io = |action| move |source| OpenError::Io { directory: storage.describe(), action, source };
    // A torn tail stays: it cannot be told from damage to the last group, so it is evidence.
    if let Some(last) = chain.links.last().filter(|_| chain.cut_bytes == 0) {
        drop(last.file.truncate(last.end));
    }
    for &id in &chain.strays {
        storage.remove(&segment::file_name(id)).map_err(io("remove an unused segment"))?;
    }
    Ok(())
}

type Files = BTreeMap<u64, (Arc<dyn File>, Block, bool)>;

enum WalkError {
    Open(OpenError),
    Io(io::Error),
}

impl From<io::Error> for WalkError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<OpenError> for WalkError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

/// Follows the chain from its newest link, which is there, to its oldest.
fn walk_back(chain: &mut Chain, mut files: Files, mut note_segment: u64) -> Result<(), WalkError> {
    while let Some(newer) = chain.links.last().map(|link| link.header) {
        // Between a segment and the one that its header names there never was anything.
        while let Some((&id, _)) = files.last_key_value().filter(|(id, _)| **id > newer.previous) {
            chain.strays.push(id);
            files.pop_last();
        }
        let Some((id, (file, block, is_pristine))) = files.pop_last() else { return Ok(()) };
        let told = if id == newer.previous && newer.previous_end != UNKNOWN_END {
            Some(SegmentEnd {
                id,
                end: newer.previous_end,
                epoch: newer.previous_epoch,
                doubtful_from: newer.doubtful_from,
            })
        } else {
            let gone = Ranges::from_pairs(&chain.note.ranges);
            if let Some(segment) = (id + 1..=newer.previous).find(|&missing| !gone.contains(missing)) {
                return Err(OpenError::Missing { segment }.into());
            }
            chain.note.ends.iter().find(|told| told.id == id).copied()
        };
        let below = files.last_key_value().map_or(0, |(&id, _)| id);
        let header = match (block, told) {
            (Block::Valid { header, .. }, _) => header,
            (_, Some(told)) => rebuilt(told, below, newer.next_stream),
            _ => return Err(OpenError::Header { segment: id }.into()),
        };
        let (end, doubtful_from) = match told {
            Some(told) => {
                let doubtful = told.doubtful_from.min(told.end)..told.end;
                (scan::settled_end(&*file, header.salt(), doubtful)?, told.doubtful_from)
            }
            None => {
                let Cut { end, floor } = scan::find_cut(&*file, header.salt())?;
                (end, floor)
            }
        };
        let link = Link { header, file, end, doubtful_from, is_header_intact: is_pristine };
        if note_segment == id && chain.note_segment == 0 {
            chain.note = newest_note(&link)?.unwrap_or_default();
            chain.note_segment = id;
        }
        note_segment = if chain.note_segment == 0 { note_segment } else { 0 };
        chain.links.push(link);
    }
    Ok(())
}

/// A stand-in for a header of which both copies are damaged: its successor knows the epoch, its predecessor is
/// the next file.
fn rebuilt(told: SegmentEnd, previous: u64, next_stream: u32) -> Header {
    Header {
        id: told.id,
        epoch: told.epoch,
        previous,
        previous_end: UNKNOWN_END,
        doubtful_from: UNKNOWN_END,
        previous_epoch: 0,
        note_segment: 0,
        next_stream,
        created_ms: 0,
    }
}

/// Stands in a rebuilt header where nobody knows the end of the segment before.
const UNKNOWN_END: u64 = u64::MAX;

fn check(id: u64, block: Block) -> Result<Block, OpenError> {
    let name = || segment::file_name(id);
    match block {
        Block::Version(found) => Err(OpenError::Version { segment: id, found, supported: segment::VERSION }),
        Block::Foreign => Err(OpenError::Foreign { name: name() }),
        Block::Valid { header, .. } if header.id != id => Err(OpenError::Foreign { name: name() }),
        block => Ok(block),
    }
}

fn read_block(file: &dyn File) -> io::Result<(Block, bool)> {
    let length = file.length()?.min(BLOCK_BYTES);
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    read_exact(file, &mut bytes, 0)?;
    let block = segment::decode(&bytes);
    let is_pristine = matches!(&block, Block::Valid { header, .. } if segment::is_pristine(&bytes, header));
    Ok((block, is_pristine))
}

fn newest_note(link: &Link) -> io::Result<Option<Dropped>> {
    let mut newest = None;
    let mut scanner = Scanner::new(&*link.file, link.header.salt(), BLOCK_BYTES.min(link.end)..link.end)?;
    while let Some(found) = scanner.next()? {
        if let Found::Frame { header, body, .. } = found
            && header.kind == Kind::Dropped
            && let Some(Note::Dropped(note)) = Note::decode(header.kind, body)
        {
            newest = Some(note);
        }
    }
    Ok(newest)
}

/// End of the last byte at or after `from` that is not zero, `from` when there is none.
fn last_written(file: &dyn File, from: u64) -> io::Result<u64> {
    let length = file.length()?;
    let mut buffer = vec![0; CHUNK_BYTES];
    let (mut at, mut last) = (from, from);
    while at < length {
        let bytes = CHUNK_BYTES.min(usize::try_from(length - at).unwrap_or(CHUNK_BYTES));
        let chunk = buffer.get_mut(..bytes).unwrap_or_default();
        read_exact(file, chunk, at)?;
        // Comparing slices is many times faster than looking at bytes, and nearly all of it is zeros.
        let written = chunk.chunks(ZEROS.len()).rposition(|part| part != &ZEROS[..part.len()]);
        if let Some(part) = written {
            let start = part * ZEROS.len();
            let byte = chunk[start..].iter().take(ZEROS.len()).rposition(|&byte| byte != 0).unwrap_or(0);
            last = at + (start + byte) as u64 + 1;
        }
        at += bytes as u64;
    }
    Ok(last)
}

const CHUNK_BYTES: usize = 1 << 18;
const ZEROS: [u8; 512] = [0; 512];
