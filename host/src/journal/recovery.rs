//! Finds the log again after any stop: which segments belong to it, where each ends, what is in them.
//!
//! Streams through segments with bounded memory, one thread per group of segments, and changes nothing before it
//! understood everything. Refuses to guess: what it cannot explain is an error that names the file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use bytes::Bytes;

use crate::record::{Sequence, StreamId};
use crate::runtime::Random;
use crate::telemetry::JournalMetrics;

use super::chain::{self, Chain, Link};
use super::error::{AppendError, OpenError};
use super::frame::{self, FLAG_COPY, Header, Kind};
use super::group::{Action, Encoded};
use super::index::{Entries, Entry, Limits};
use super::log::{Log, Segment};
use super::note::Note;
use super::ranges::Ranges;
use super::scan::{Found, Scanner};
use super::segment::BLOCK_BYTES;
use super::settings::Settings;
use super::shared::{SegmentFile, Shared, View};
use super::state::{Place, Stream, StreamState};
use super::storage::Storage;

/// What opening found.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Every stream that exists, by number.
    pub streams: Vec<StreamState>,
    /// True when the journal was closed in good order, or is new.
    pub is_clean: bool,
    /// Damaged places on disk. They are kept; raise an alarm.
    pub quarantined: Vec<Quarantine>,
    /// Acknowledged records that cannot be read any more; reading them says the same.
    pub lost: Vec<LostRecords>,
    /// Bytes of an unfinished write that were cut off; nobody was told that they were durable.
    pub cut_bytes: u64,
    /// Segments found.
    pub segment_count: usize,
    /// Bytes looked at.
    pub scanned_bytes: u64,
}

impl Recovered {
    /// Digests of all plugin versions that open or undelivered records may need again.
    pub fn plugin_digests(&self) -> BTreeSet<String> {
        let epochs = self.streams.iter().flat_map(|stream| &stream.epochs);
        epochs.flat_map(|epoch| &epoch.plugins).map(|version| version.digest.clone()).collect()
    }
}

/// A damaged place (row D4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Quarantine {
    /// Segment id.
    pub segment: u64,
    /// Offset in the segment.
    pub offset: u64,
    /// Length in bytes.
    pub bytes: u64,
}

/// Records of a stream that are damaged, or may have been in a damaged place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct LostRecords {
    /// Owner.
    pub stream: StreamId,
    /// First record.
    pub first: Sequence,
    /// Sequence number after the last one.
    pub end: Sequence,
}

impl Log {
    /// Recovers the log and begins a new segment. The caller holds the directory's lock.
    pub(super) fn open(
        storage: Arc<dyn Storage>,
        settings: Settings,
        random: Arc<Random>,
        metrics: JournalMetrics,
        now_ms: u64,
    ) -> Result<(Self, Recovered), OpenError> {
        settings.check()?;
        let shared = Arc::new(Shared::new(settings.cache_bytes, settings.index_entries));
        let (found, mut merge, recovered) = look(&*storage, Arc::clone(&shared), settings.recovery_threads)?;
        metrics.corrupt_frames.inc_by(recovered.quarantined.len() as u64);
        chain::remove_strays(&*storage, &found)?;
        if let Some(last) = merge.segments.values_mut().next_back() {
            // A torn tail stays where it is.
            last.is_failed = found.cut_bytes > 0;
        }
        let last = found.links.last();
        let mut log = Self {
            active: last.map_or(0, |link| link.header.id),
            tail: last.map_or(0, |link| link.end),
            doubtful_from: last.map(|link| link.doubtful_from),
            capacity: 0,
            spare: None,
            last_id: found.last_id,
            closed_bytes: found.links.iter().rev().skip(1).map(|link| link.end).sum(),
            gone: Ranges::from_pairs(&found.note.ranges),
            is_gone_confirmed: false,
            note_segment: found.note_segment,
            needs_upkeep: true,
            has_no_space: false,
            unchecked_bytes: u64::MAX,
            is_poisoned: false,
            encoded: Encoded::default(),
            closing: None,
            next_stream: merge.next_stream,
            streams: merge.streams,
            segments: merge.segments,
            storage,
            settings,
            random,
            metrics,
            shared,
        };
        log.begin(now_ms)?;
        log.copy_doubtful(&found, now_ms)?;
        Ok((log, recovered))
    }

    /// Copies what may so far be in memory only into the new segment: after a failed fdatasync a second one would
    /// answer well without having written anything (row D9), and only the process that failed knew.
    fn copy_doubtful(&mut self, found: &Chain, now_ms: u64) -> Result<(), OpenError> {
        let mut actions = Vec::new();
        let mut streams = BTreeSet::new();
        let directory = self.storage.describe();
        let io = |source| OpenError::Io { directory: directory.clone(), action: "copy the last group", source };
        for (link, range) in doubtful_ranges(&found.links) {
            let mut scanner = Scanner::new(&*link.file, link.header.salt(), range).map_err(io)?;
            while let Some(next) = scanner.next().map_err(io)? {
                let Found::Frame { header, body, .. } = next else { break };
                let stream = StreamId(header.stream);
                if header.kind.has_records() {
                    let decoded = frame::decode_body(header.kind, &Bytes::copy_from_slice(body), header.count);
                    let (first, arrived_ms) = (header.first, header.time_ms);
                    actions.extend(decoded.map(|(records, replay)| {
                        streams.extend(replay.is_some().then_some(stream));
                        Action::Copy { stream, first, records, arrived_ms, replay }
                    }));
                    continue;
                }
                match Note::decode(header.kind, body) {
                    None => {}
                    Some(Note::Seal(seal)) => {
                        streams.insert(stream);
                        actions.push(Action::CopySeal(seal));
                    }
                    Some(note @ Note::Dropped(_)) => actions.push(Action::Journal(note)),
                    Some(Note::Clean) => {}
                    Some(_) => drop(streams.insert(stream)),
                }
            }
        }
        actions.extend(streams.into_iter().map(Action::Snapshot));
        let mut result = Ok(0);
        self.commit(actions, now_ms, &mut |_, answer| result = result.and(answer));
        match (result, found.links.last()) {
            // No room for copies. The old file's own fdatasync is nearly as good.
            (Err(AppendError::Full | AppendError::TooLarge { .. }), Some(last)) => last.file.sync_data().map_err(io),
            (Err(error), _) => Err(io(io::Error::other(error))),
            (Ok(_), _) => Ok(()),
        }
    }

    /// The first segment after opening. On a nearly full disk a short one will do.
    fn begin(&mut self, now_ms: u64) -> Result<(), OpenError> {
        for share in [1, 8, 64] {
            let bytes = (self.settings.segment_bytes / share).max(BLOCK_BYTES * 2);
            match self.create_spare(bytes) {
                Ok(spare) => {
                    self.spare = Some(spare);
                    break;
                }
                Err(error) => tracing::warn!(%error, bytes, "cannot reserve a journal segment"),
            }
        }
        let directory = self.storage.describe();
        let action = "begin a segment";
        self.rotate(now_ms).map_err(|error| OpenError::Io { directory, action, source: io::Error::other(error) })?;
        // The new segment's directory sync covered whatever an earlier run removed.
        self.is_gone_confirmed = true;
        Ok(())
    }
}

/// Understands a journal without changing it.
pub(super) fn look(
    storage: &dyn Storage,
    shared: Arc<Shared>,
    threads: usize,
) -> Result<(Chain, Merge, Recovered), OpenError> {
    let found = chain::find(storage)?;
    let mut merge = Merge::new(shared);
    merge.next_stream = found.next_stream;
    scan_all(&found.links, threads, |link, summary| merge.add(link, summary)).map_err(|source| OpenError::Io {
        directory: storage.describe(),
        action: "read segments",
        source,
    })?;
    if let Some((segment, offset)) = merge.not_understood {
        return Err(OpenError::Frame { segment, offset });
    }
    let mut recovered = Recovered {
        cut_bytes: found.cut_bytes,
        segment_count: found.links.len(),
        scanned_bytes: found.links.iter().map(|link| link.end).sum(),
        is_clean: found.links.is_empty() || merge.is_clean,
        ..Recovered::default()
    };
    merge.finish(&found.links, &mut recovered);
    Ok((found, merge, recovered))
}

/// Frames that may so far be in memory only: the last group, and, as long as nothing after them proves that the
/// copies made at earlier starts were synced, those of the segments before.
fn doubtful_ranges(links: &[Link]) -> Vec<(&Link, Range<u64>)> {
    let mut ranges = Vec::new();
    for link in links.iter().rev() {
        ranges.push((link, link.doubtful_from.min(link.end)..link.end));
        if link.doubtful_from > BLOCK_BYTES {
            break;
        }
    }
    ranges.reverse();
    ranges
}

/// What one segment holds, without payloads.
#[derive(Debug, Default)]
pub(super) struct Summary {
    entries: Vec<(StreamId, Entry)>,
    /// The same beyond [`Link::doubtful_from`]; each for itself, because it may be copied.
    doubtful: Vec<(StreamId, Entry)>,
    /// Frames that cleaning moved here; each for itself, because its original may still be there.
    copies: Vec<(StreamId, Entry)>,
    notes: Vec<(StreamId, Header, Place, Note)>,
    /// Next sequence number of each stream as the last frame of it states, and where that stands.
    stated: HashMap<StreamId, (Sequence, u64)>,
    pub(super) damages: Vec<(Range<u64>, Option<Header>)>,
    not_understood: Option<u64>,
    ends_clean: bool,
}

/// Scans all segments on `threads` threads and hands their summaries on in order, holding few at a time.
fn scan_all(links: &[Link], threads: usize, mut take: impl FnMut(&Link, Summary)) -> io::Result<()> {
    if threads < 2 || links.len() < 2 {
        for link in links {
            take(link, summarize(link)?);
        }
        return Ok(());
    }
    std::thread::scope(|scope| {
        let scan = |worker: usize| -> Receiver<io::Result<Summary>> {
            let (send, receive) = sync_channel(1);
            scope.spawn(move || {
                for link in links.iter().skip(worker).step_by(threads) {
                    // The receiver is gone after an error elsewhere.
                    if send.send(summarize(link)).is_err() {
                        return;
                    }
                }
            });
            receive
        };
        let workers: Vec<_> = (0..threads).map(scan).collect();
        for (link, worker) in links.iter().zip(workers.iter().cycle()) {
            take(link, worker.recv().map_err(io::Error::other)??);
        }
        Ok(())
    })
}

pub(super) fn summarize(link: &Link) -> io::Result<Summary> {
    let mut summary = Summary::default();
    let mut open: HashMap<StreamId, Entries> = HashMap::new();
    let mut scanner = Scanner::new(&*link.file, link.header.salt(), BLOCK_BYTES.min(link.end)..link.end)?;
    while let Some(found) = scanner.next()? {
        let (offset, header, body) = match found {
            Found::Frame { offset, header, body, .. } => (offset, header, body),
            Found::Damage { range, header } => {
                if let Some(header) = header.filter(|header| header.flags & FLAG_COPY == 0) {
                    summary.stated.insert(StreamId(header.stream), (header.end(), range.start));
                }
                summary.damages.push((range, header));
                continue;
            }
        };
        let stream = StreamId(header.stream);
        summary.ends_clean = header.kind == Kind::Clean;
        if header.flags & FLAG_COPY == 0 && header.stream != 0 {
            summary.stated.insert(stream, (header.end(), offset));
        }
        if header.kind.has_records() {
            let entry = entry_of(link.header.id, offset, &header);
            if header.flags & FLAG_COPY == 0 && offset >= link.doubtful_from {
                summary.doubtful.push((stream, entry));
            } else if header.flags & FLAG_COPY == 0 {
                open.entry(stream).or_default().insert(entry, Limits::default());
            } else {
                summary.copies.push((stream, entry));
            }
        }
        if header.kind == Kind::Records {
            continue;
        }
        if let Some(note) = Note::decode(header.kind, body) {
            let place = Place { segment: link.header.id, bytes: header.frame_bytes() };
            summary.notes.push((stream, header, place, note));
        } else {
            summary.not_understood.get_or_insert(offset);
        }
    }
    for (stream, entries) in open {
        summary.entries.extend(entries.iter().map(|&entry| (stream, entry)));
    }
    Ok(summary)
}

fn entry_of(segment: u64, offset: u64, header: &Header) -> Entry {
    // Neither can saturate: a segment is far below 4 GiB.
    let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
    let (offset, bytes) = (narrow(offset), narrow(header.frame_bytes()));
    Entry { first: header.first, end: header.end(), segment, offset, span: bytes, own: bytes }
}

/// Everything found so far.
#[derive(Debug)]
pub(super) struct Merge {
    shared: Arc<Shared>,
    pub(super) streams: BTreeMap<StreamId, Stream>,
    pub(super) segments: BTreeMap<u64, Segment>,
    next_stream: u32,
    /// Where each stream's next sequence number was last stated.
    stated: HashMap<StreamId, (u64, u64)>,
    quarantined: Vec<Quarantine>,
    /// Damage that hides how many records were in it.
    unreadable: Vec<Quarantine>,
    not_understood: Option<(u64, u64)>,
    is_clean: bool,
}

impl Merge {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            streams: BTreeMap::new(),
            segments: BTreeMap::new(),
            next_stream: 1,
            stated: HashMap::new(),
            quarantined: Vec::new(),
            unreadable: Vec::new(),
            not_understood: None,
            is_clean: false,
        }
    }

    /// Adds the next segment.
    fn add(&mut self, link: &Link, summary: Summary) {
        let id = link.header.id;
        self.is_clean = summary.ends_clean;
        self.not_understood = self.not_understood.or(summary.not_understood.map(|offset| (id, offset)));
        for (range, header) in &summary.damages {
            let damage = Quarantine { segment: id, offset: range.start, bytes: range.end - range.start };
            self.quarantined.push(damage);
            if header.is_none() {
                self.unreadable.push(damage);
            }
        }
        for (stream, (next, offset)) in summary.stated {
            self.stated.insert(stream, (id, offset));
            let state = self.streams.entry(stream).or_default();
            state.next = state.next.max(next);
            self.next_stream = self.next_stream.max(stream.0.saturating_add(1));
        }
        for (stream, copy) in &summary.copies {
            let state = self.streams.entry(*stream).or_default();
            state.next = state.next.max(copy.end);
        }
        for (stream, _, place, note) in summary.notes.into_iter().filter(|(stream, ..)| stream.0 != 0) {
            self.add_note(stream, place, &note);
        }
        let mut shared = self.shared.lock();
        for (stream, entry) in summary.entries {
            shared.views.entry(stream).or_insert_with(|| View::new(0, 0));
            shared.insert(stream, entry);
        }
        for (stream, entry) in summary.doubtful {
            shared.views.entry(stream).or_insert_with(|| View::new(0, 0));
            shared.insert_apart(stream, entry);
        }
        // An original that may be in memory only gives way to its copy, or the copy would be forgotten and a power cut take
        // both. Any other is as good, and neither is forgotten before the other is durable.
        let is_doubtful = |entry: &Entry| {
            let segment = self.segments.get(&entry.segment);
            segment.is_some_and(|segment| u64::from(entry.offset) >= segment.doubtful_from)
        };
        for (stream, copy) in summary.copies {
            shared.views.entry(stream).or_insert_with(|| View::new(0, 0));
            if !shared.replace(stream, copy, is_doubtful) {
                shared.insert_apart(stream, copy);
            }
        }
        shared.files.insert(id, Arc::new(SegmentFile { id, salt: link.header.salt(), file: Arc::clone(&link.file) }));
        drop(shared);
        let segment = Segment {
            file: Arc::clone(&link.file),
            epoch: link.header.epoch,
            previous: link.header.previous,
            end: link.end,
            doubtful_from: link.doubtful_from,
            live: 0,
            notes: Default::default(),
            is_damaged: !summary.damages.is_empty(),
            is_failed: false,
        };
        self.segments.insert(id, segment);
    }

    fn add_note(&mut self, id: StreamId, place: Place, note: &Note) {
        let stream = self.streams.entry(id).or_default();
        stream.learn(note);
        if note.kind() == Kind::Snapshot {
            stream.notes_in.clear();
        }
        stream.notes_in.insert(place.segment);
        if let Note::Seal(seal) = note {
            stream.place_seal(seal.id, place);
        }
    }

    /// Works out what is still needed, and which records are missing.
    fn finish(&mut self, links: &[Link], recovered: &mut Recovered) {
        let shared = Arc::clone(&self.shared);
        let mut shared = shared.lock();
        let end_of_log = links.last().map_or(0, |link| link.header.id);
        for (&id, stream) in &mut self.streams {
            stream.prune();
            for &segment in &stream.notes_in {
                if let Some(segment) = self.segments.get_mut(&segment) {
                    segment.notes.insert(id);
                }
            }
            if stream.is_deleted {
                shared.remove(id, |_, _| {});
                continue;
            }
            for place in stream.seals.values().filter_map(|open| open.place) {
                if let Some(segment) = self.segments.get_mut(&place.segment) {
                    segment.live += place.bytes;
                }
            }
            shared.views.entry(id).or_insert_with(|| View::new(0, 0));
            let low = stream.low();
            shared.forget_below(id, low, |_, _| {});
            let stated = self.stated.get(&id).copied().unwrap_or_default();
            let hidden = self.unreadable.iter().filter(|damage| (damage.segment, damage.offset) > stated);
            let may_hide = hidden.map(|damage| damage.bytes / SMALLEST_RECORD_BYTES).sum::<u64>();
            stream.next += may_hide;
            let Some(view) = shared.views.get_mut(&id) else { continue };
            add_holes(view, low, stream.next);
            view.durable = tokio::sync::watch::Sender::new(stream.next);
            for entry in view.entries.iter() {
                if let Some(segment) = self.segments.get_mut(&entry.segment) {
                    segment.live += u64::from(entry.own);
                }
            }
            let lost = view.lost.iter().map(|lost| LostRecords { stream: id, first: lost.start, end: lost.end });
            recovered.lost.extend(lost);
            if !stream.definitions.is_empty() {
                recovered.streams.push(stream.state(id));
            }
        }
        if self.unreadable.iter().any(|damage| damage.segment == end_of_log) {
            // A stream may have been created in there; its number must not be given again.
            let hidden = self.unreadable.iter().map(|damage| damage.bytes / SMALLEST_FRAME_BYTES + 1).sum::<u64>();
            self.next_stream = self.next_stream.saturating_add(u32::try_from(hidden).unwrap_or(u32::MAX));
        }
        recovered.quarantined = std::mem::take(&mut self.quarantined);
    }
}

/// Marks what no entry covers as lost.
fn add_holes(view: &mut View, low: Sequence, next: Sequence) {
    let mut expected = low;
    let mut holes = Vec::new();
    for entry in view.entries.iter() {
        if entry.first > expected {
            holes.push(expected..entry.first);
        }
        expected = expected.max(entry.end);
    }
    if expected < next {
        holes.push(expected..next);
    }
    view.lost = holes;
}

/// A record takes at least its end offset.
const SMALLEST_RECORD_BYTES: u64 = 4;
/// A frame takes at least its header.
const SMALLEST_FRAME_BYTES: u64 = 48;
