//! Reads durable records: from memory when they are recent, else from disk with every checksum looked at.
//!
//! Refuses to skip: what it gives out begins exactly where it was asked to and has no hole.

use std::sync::Arc;

use bytes::Bytes;

use crate::record::{Batch, Replay, Sequence, StreamId};

use super::cache::Cached;
use super::error::ReadError;
use super::frame;
use super::index::Entry;
use super::scan::{Found, Scanner};
use super::shared::{SegmentFile, Shared};

/// How a read can be answered.
#[derive(Debug)]
pub(super) enum Plan {
    /// From memory.
    Ready(Vec<Batch>),
    /// By reading these stretches, in this order, from this sequence number on.
    Disk(Vec<Stretch>),
}

/// A stretch of one segment that holds records of the stream.
#[derive(Debug)]
pub(super) struct Stretch {
    entry: Entry,
    segment: Arc<SegmentFile>,
}

/// Decides how to answer; never blocks.
pub(super) fn plan(shared: &Shared, stream: StreamId, from: Sequence, max_bytes: usize) -> Result<Plan, ReadError> {
    let inner = shared.lock();
    let view = inner.views.get(&stream).ok_or(ReadError::UnknownStream(stream))?;
    if from < view.low {
        return Err(ReadError::Forgotten { oldest: view.low });
    }
    if let Some(lost) = view.lost.iter().find(|lost| lost.contains(&from)) {
        return Err(ReadError::Lost { first: from, end: lost.end });
    }
    if from >= *view.durable.borrow() {
        return Ok(Plan::Ready(Vec::new()));
    }
    let recent = inner.cache.read(stream, from, max_bytes);
    if !recent.is_empty() {
        return Ok(Plan::Ready(recent));
    }
    let (mut stretches, mut bytes, mut expected) = (Vec::new(), 0, from);
    for entry in view.entries.from(from) {
        let is_next = entry.first <= expected;
        let Some(segment) = inner.files.get(&entry.segment).filter(|_| is_next) else { break };
        stretches.push(Stretch { entry: *entry, segment: Arc::clone(segment) });
        bytes += u64::from(entry.own);
        expected = entry.end;
        if bytes > max_bytes as u64 {
            break;
        }
    }
    if stretches.is_empty() {
        // Recovery lists every hole as lost; nothing else can be missing.
        return Err(ReadError::Lost { first: from, end: from + 1 });
    }
    Ok(Plan::Disk(stretches))
}

/// Carries out a plan; blocks on the disk.
pub(super) fn read_disk(
    shared: &Shared,
    stream: StreamId,
    from: Sequence,
    max_bytes: usize,
    stretches: &[Stretch],
) -> Result<Vec<Batch>, ReadError> {
    let mut read = Read { stream, next: from, left_bytes: max_bytes as u64, batches: Vec::new() };
    for stretch in stretches {
        let segment = stretch.segment.id;
        let whole = read.stretch(stretch).map_err(|source| ReadError::Io { segment, source })?;
        if whole && read.left_bytes > 0 {
            continue;
        }
        if whole || !read.batches.is_empty() {
            break;
        }
        let end = damage_end(stretch, stream, from).map_err(|source| ReadError::Io { segment, source })?;
        let mut inner = shared.lock();
        inner.damaged.insert(segment);
        if let Some(view) = inner.views.get_mut(&stream) {
            view.add_lost(from..end);
        }
        return Err(ReadError::Lost { first: from, end });
    }
    Ok(read.batches)
}

/// A frame, and where its records came from if they were put again.
pub(super) type Kept = (Batch, Option<Arc<Replay>>);

/// The intact frames of a stretch that hold records at or above `low`: what cleaning copies forward. The flag says
/// whether all were intact.
pub(super) fn frames_of(
    entry: &Entry,
    segment: &SegmentFile,
    stream: StreamId,
    low: Sequence,
) -> std::io::Result<(Vec<Kept>, bool)> {
    let stretch_end = u64::from(entry.offset) + u64::from(entry.span);
    let mut scanner = Scanner::new(&*segment.file, segment.salt, u64::from(entry.offset)..stretch_end)?;
    let (mut batches, mut next) = (Vec::new(), entry.first);
    while let Some(found) = scanner.next()? {
        let Found::Frame { header, body, .. } = found else { continue };
        if !header.kind.has_records() || header.stream != stream.0 || header.first != next {
            continue;
        }
        next = header.end();
        if header.end() <= low {
            continue;
        }
        let decoded = frame::decode_body(header.kind, &Bytes::copy_from_slice(body), header.count);
        let Some((records, replay)) = decoded else { break };
        batches.push((Cached::new(header.first, header.time_ms, records, None).batch(stream, header.first), replay));
    }
    Ok((batches, next == entry.end))
}

struct Read {
    stream: StreamId,
    next: Sequence,
    left_bytes: u64,
    batches: Vec<Batch>,
}

impl Read {
    /// Adds the stretch's frames; false when one that is needed is damaged.
    fn stretch(&mut self, stretch: &Stretch) -> std::io::Result<bool> {
        let Stretch { entry, segment } = stretch;
        let range = u64::from(entry.offset)..u64::from(entry.offset) + u64::from(entry.span);
        let mut scanner = Scanner::new(&*segment.file, segment.salt, range)?;
        while self.next < entry.end {
            if let Some((_, header)) = scanner.peek()?
                && (!header.kind.has_records() || header.stream != self.stream.0 || header.end() <= self.next)
            {
                scanner.skip(&header);
                continue;
            }
            let (header, body) = match scanner.next()? {
                None => return Ok(false),
                // Nobody knows whether what is looked for was in there; what comes next tells.
                Some(Found::Damage { .. }) => continue,
                Some(Found::Frame { header, body, .. }) => (header, body),
            };
            if !header.kind.has_records() || header.stream != self.stream.0 || header.end() <= self.next {
                continue;
            }
            let decoded = frame::decode_body(header.kind, &Bytes::copy_from_slice(body), header.count);
            let decoded = decoded.filter(|_| header.first <= self.next);
            let Some((records, replay)) = decoded else { return Ok(false) };
            let bytes = u64::from(header.body_bytes);
            if !self.batches.is_empty() && bytes > self.left_bytes {
                self.left_bytes = 0;
                return Ok(true);
            }
            self.left_bytes = self.left_bytes.saturating_sub(bytes);
            let frame = Cached::new(header.first, header.time_ms, records, replay.as_deref());
            self.batches.push(frame.batch(self.stream, self.next));
            self.next = header.end();
        }
        Ok(true)
    }
}

/// First record at or above `from` in the stretch that can be read again, else the stretch's end.
fn damage_end(stretch: &Stretch, stream: StreamId, from: Sequence) -> std::io::Result<Sequence> {
    let Stretch { entry, segment } = stretch;
    let range = u64::from(entry.offset)..u64::from(entry.offset) + u64::from(entry.span);
    let mut scanner = Scanner::new(&*segment.file, segment.salt, range)?;
    while let Some(found) = scanner.next()? {
        if let Found::Frame { header, .. } = found
            && header.kind.has_records()
            && header.stream == stream.0
            && header.first > from
        {
            return Ok(header.first.min(entry.end));
        }
    }
    Ok(entry.end)
}
