//! Walks over the frames of one segment file, whole or damaged, and finds where its valid part ends.
//!
//! Memory is bounded by one frame. Refuses to give out a byte whose checksum was not right.

use std::io;
use std::ops::Range;

use super::frame::{ALIGNMENT, HEADER_BYTES, Header, MAGIC, Salt};
use super::segment::BLOCK_BYTES;
use super::storage::{File, read_exact};

/// Bytes read at once: large enough that a system call costs nothing beside checking them.
const CHUNK_BYTES: u64 = 1 << 20;

/// [`ALIGNMENT`] as a length.
const WORD_BYTES: usize = 8;

/// What stands at one place of a segment.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// A whole frame.
    Frame { offset: u64, header: Header, body: &'a [u8], is_padding_clean: bool },
    /// Bytes that are no frame. With a header when only the body is wrong.
    Damage { range: Range<u64>, header: Option<Header> },
}

/// A walk over a range of one segment.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    file: &'a dyn File,
    salt: Salt,
    position: u64,
    end: u64,
    /// The file may be shorter than it should be.
    readable: u64,
    buffer: Vec<u8>,
    buffered: Range<u64>,
}

impl<'a> Scanner<'a> {
    /// Walks over the frames from `range.start`, which is the start of one, to `range.end`.
    pub(super) fn new(file: &'a dyn File, salt: Salt, range: Range<u64>) -> io::Result<Self> {
        let readable = file.length()?.min(range.end);
        let (position, end) = (range.start, range.end);
        Ok(Self { file, salt, position, end, readable, buffer: Vec::new(), buffered: 0..0 })
    }

    /// The next thing found, `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Found<'_>>> {
        let offset = self.position;
        if offset >= self.end {
            return Ok(None);
        }
        let Some(header) = self.header_at(offset)? else {
            self.position = self.resume_after(offset)?;
            return Ok(Some(Found::Damage { range: offset..self.position, header: None }));
        };
        self.position = (offset + header.frame_bytes()).min(self.end);
        if offset + header.frame_bytes() > self.readable {
            return Ok(Some(Found::Damage { range: offset..self.position, header: Some(header) }));
        }
        self.fill(offset, header.frame_bytes())?;
        let frame = self.window(offset, header.frame_bytes());
        let body_end = HEADER_BYTES + header.body_bytes as usize;
        let (body, padding) = (&frame[HEADER_BYTES..body_end], &frame[body_end..]);
        if self.salt.body(offset, [body, &[]]) != header.body_crc {
            return Ok(Some(Found::Damage { range: offset..self.position, header: Some(header) }));
        }
        let is_padding_clean = padding.iter().all(|&byte| byte == 0);
        Ok(Some(Found::Frame { offset, header, body, is_padding_clean }))
    }

    /// The next header without reading its body: for skipping over what is of no interest.
    pub(super) fn peek(&mut self) -> io::Result<Option<(u64, Header)>> {
        if self.position >= self.end {
            return Ok(None);
        }
        Ok(self.header_at(self.position)?.map(|header| (self.position, header)))
    }

    /// Steps over the frame that [`Self::peek`] showed.
    pub(super) fn skip(&mut self, header: &Header) {
        self.position = (self.position + header.frame_bytes()).min(self.end);
    }

    fn header_at(&mut self, offset: u64) -> io::Result<Option<Header>> {
        if offset + HEADER_BYTES as u64 > self.readable {
            return Ok(None);
        }
        self.fill(offset, HEADER_BYTES as u64)?;
        let bytes = self.window(offset, HEADER_BYTES as u64);
        Ok(Header::decode(bytes, self.salt, offset).filter(|header| u64::from(header.group_offset) <= offset))
    }

    /// Offset of the next readable header after `offset`, or the end.
    fn resume_after(&mut self, offset: u64) -> io::Result<u64> {
        let mut at = offset + ALIGNMENT;
        while at + HEADER_BYTES as u64 <= self.readable {
            let length = CHUNK_BYTES.min(self.readable - at);
            self.fill(at, length)?;
            let words = self.window(at, length).chunks_exact(WORD_BYTES);
            let Some(word) = words.clone().position(|word| word[..4] == MAGIC) else {
                at += words.len() as u64 * ALIGNMENT;
                continue;
            };
            at += word as u64 * ALIGNMENT;
            if self.header_at(at)?.is_some() {
                return Ok(at);
            }
            at += ALIGNMENT;
        }
        Ok(self.end)
    }

    fn window(&self, offset: u64, length: u64) -> &[u8] {
        let start = usize::try_from(offset - self.buffered.start).unwrap_or(usize::MAX);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.buffer.get(start..start.saturating_add(length)).unwrap_or_default()
    }

    /// Makes `length` readable bytes at `offset` available to [`Self::window`].
    fn fill(&mut self, offset: u64, length: u64) -> io::Result<()> {
        if self.buffered.start <= offset && offset + length <= self.buffered.end {
            return Ok(());
        }
        let length = length.max(CHUNK_BYTES).min(self.readable - offset);
        self.buffered = 0..0;
        self.buffer.resize(usize::try_from(length).unwrap_or(usize::MAX), 0);
        read_exact(self.file, &mut self.buffer, offset)?;
        self.buffered = offset..offset + length;
        Ok(())
    }
}

/// Where the valid part of a segment ends whose successor cannot tell (rows D3 and D4).
///
/// A frame's `group_offset` proves that all before it was synced, because a group is written only after the group
/// before it was. So the largest one is a floor: damage below it happened later and costs only itself, damage above
/// it is a torn write, and everything from there on is cut, even frames that are whole (no holes).
pub(super) fn find_cut(file: &dyn File, salt: Salt) -> io::Result<Cut> {
    let length = file.length()?;
    let mut scanner = Scanner::new(file, salt, BLOCK_BYTES.min(length)..length)?;
    let (mut floor, mut end) = (BLOCK_BYTES, BLOCK_BYTES);
    let mut damages: Vec<Range<u64>> = Vec::new();
    while let Some(found) = scanner.next()? {
        let header = match found {
            Found::Frame { offset, header, .. } => {
                end = offset + header.frame_bytes();
                Some(header)
            }
            Found::Damage { range, header } => {
                damages.push(range);
                header
            }
        };
        if let Some(header) = header {
            floor = floor.max(u64::from(header.group_offset));
            damages.retain(|damage| damage.end > floor);
        }
    }
    let end = damages.first().map_or(end, |damage| damage.start.max(floor));
    Ok(Cut { end, floor: floor.min(end) })
}

/// What [`find_cut`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// End of the valid frames.
    pub(super) end: u64,
    /// Everything below was synced; the last group, from here on, perhaps not.
    pub(super) floor: u64,
}

/// End of a segment whose successor calls a part of it doubtful: that part counts as far as it is whole.
pub(super) fn settled_end(file: &dyn File, salt: Salt, doubtful: Range<u64>) -> io::Result<u64> {
    let end = doubtful.end;
    let mut scanner = Scanner::new(file, salt, doubtful)?;
    while let Some(found) = scanner.next()? {
        if let Found::Damage { range, .. } = found {
            return Ok(range.start);
        }
    }
    Ok(end)
}
