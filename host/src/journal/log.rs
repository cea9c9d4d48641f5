//! The log itself: assigns sequence numbers, writes groups, rotates segments. Synchronous and single-threaded; the
//! writer's thread drives it, and so does simulation.
//!
//! Refuses to call anything durable that no finished fdatasync covers, and to touch a file whose fdatasync failed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

#[cfg(test)]
use crate::record::Batch;
#[cfg(test)]
use crate::record::Sequence;
use crate::record::{Course, MOST_RANGES, Records, Replay, ReplayRefusal, StreamId};
use crate::runtime::Random;
use crate::telemetry::JournalMetrics;

use super::cache::Cached;
use super::error::AppendError;
#[cfg(test)]
use super::error::ReadError;
use super::frame::{FLAG_COPY, Head, Kind, Salt};
use super::group::{Action, Body, Encoded, Frame, Group};
use super::index::Entry;
use super::note::{Checkpoint, Forgotten, Note};
use super::ranges::Ranges;
#[cfg(test)]
use super::reader::{self, Plan};
use super::segment::{self, BLOCK_BYTES};
use super::settings::Settings;
use super::shared::{SegmentFile, Shared, View};
use super::state::{MAX_EXCEEDING_BYTES, MAX_OPEN_SEALS, Place, Stream};
use super::storage::{File, Storage, write_all};

/// Called once per action with its place in the list: the first sequence number, the new stream's number, or 0.
pub(super) type Done<'a> = dyn FnMut(usize, Result<u64, AppendError>) + 'a;

/// The durable log and everything known about it.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) settings: Settings,
    pub(super) random: Arc<Random>,
    pub(super) metrics: JournalMetrics,
    pub(super) shared: Arc<Shared>,
    pub(super) streams: BTreeMap<StreamId, Stream>,
    pub(super) next_stream: u32,
    pub(super) segments: BTreeMap<u64, Segment>,
    /// The segment being written; 0 before the first one.
    pub(super) active: u64,
    /// Where the next group goes. Everything before it is synced.
    pub(super) tail: u64,
    /// What lies between here and the tail of the active segment was found after a crash and is doubtful.
    pub(super) doubtful_from: Option<u64>,
    /// Reserved bytes of the active segment.
    pub(super) capacity: u64,
    /// The next segment's file, reserved ahead of need.
    pub(super) spare: Option<Spare>,
    /// Highest segment id ever tried.
    pub(super) last_id: u64,
    /// Valid bytes of all segments but the active one.
    pub(super) closed_bytes: u64,
    /// Segment ids that were given up and may still be missed.
    pub(super) gone: Ranges,
    /// False while a removal may not have reached the disk.
    pub(super) is_gone_confirmed: bool,
    pub(super) note_segment: u64,
    /// True when something may be droppable or cleanable.
    pub(super) needs_upkeep: bool,
    pub(super) has_no_space: bool,
    pub(super) unchecked_bytes: u64,
    pub(super) is_poisoned: bool,
    pub(super) encoded: Encoded,
    /// Closes files that were removed.
    pub(super) closing: Option<JoinHandle<()>>,
}

/// One segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) file: Arc<dyn File>,
    pub(super) epoch: u64,
    pub(super) previous: u64,
    /// End of the valid frames; of the active segment, [`Log::tail`] is.
    pub(super) end: u64,
    /// See [`segment::Header::doubtful_from`].
    pub(super) doubtful_from: u64,
    /// Bytes of record frames and open seals that are still needed.
    pub(super) live: u64,
    /// Streams with notes in here that no later snapshot replaces.
    pub(super) notes: BTreeSet<StreamId>,
    /// Holds damage; kept as evidence, never dropped (row D4).
    pub(super) is_damaged: bool,
    /// A write or fdatasync failed; never touched again (row D9).
    pub(super) is_failed: bool,
}

/// A reserved file without a header.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) id: u64,
    pub(super) file: Arc<dyn File>,
    pub(super) bytes: u64,
}

impl Log {
    /// Makes `actions` durable in order, in as few groups as possible, and answers each.
    pub(super) fn commit(&mut self, actions: impl IntoIterator<Item = Action>, now_ms: u64, done: &mut Done<'_>) {
        let mut group = Group::default();
        self.check_space();
        for (index, action) in actions.into_iter().enumerate() {
            let mut frame = match self.prepare(index, action, group.bytes, now_ms) {
                Ok(Some(frame)) => frame,
                Ok(None) => {
                    done(index, Ok(0));
                    continue;
                }
                Err(error) => {
                    done(index, Err(error));
                    continue;
                }
            };
            if let Err(error) = self.make_room(&mut group, frame.bytes(), now_ms, done) {
                done(index, Err(error));
                continue;
            }
            self.apply(&mut frame);
            group.push(frame);
        }
        self.flush(&mut group, now_ms, done);
    }

    /// Durable records from `from` on; see [`super::Journal::read`]. The way simulation reads.
    #[cfg(test)]
    pub(super) fn read(&self, stream: StreamId, from: Sequence, max_bytes: usize) -> Result<Vec<Batch>, ReadError> {
        match reader::plan(&self.shared, stream, from, max_bytes)? {
            Plan::Ready(batches) => Ok(batches),
            Plan::Disk(stretches) => reader::read_disk(&self.shared, stream, from, max_bytes, &stretches),
        }
    }

    /// Valid bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.closed_bytes + self.tail
    }

    /// True while records are refused for want of room.
    pub(super) fn is_full(&self) -> bool {
        self.has_no_space || self.bytes() >= self.settings.high_water_bytes() || self.shared.lock().is_index_full()
    }

    /// Begins a new segment whose header states where the active one ends. What is not below that is not part of
    /// the log.
    pub(super) fn rotate(&mut self, now_ms: u64) -> Result<(), AppendError> {
        for _ in 0..ROTATE_TRIES {
            let spare = match self.take_spare() {
                Ok(spare) => spare,
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    self.has_no_space = true;
                    return Err(AppendError::Full);
                }
                Err(error) => {
                    tracing::error!(%error, "cannot create journal segment");
                    continue;
                }
            };
            let (previous_epoch, previous_end) =
                self.segments.get(&self.active).map_or((0, 0), |active| (active.epoch, self.tail));
            let header = segment::Header {
                id: spare.id,
                epoch: self.random.next_u64(),
                previous: self.active,
                previous_end,
                doubtful_from: self.doubtful_from.unwrap_or(previous_end),
                previous_epoch,
                note_segment: self.note_segment,
                next_stream: self.next_stream,
                created_ms: now_ms,
            };
            let block = header.encode();
            // Row D6: header, then directory entry, and only then the first group.
            let begun = write_all(&*spare.file, &mut [io::IoSlice::new(&block)], 0)
                .and_then(|()| spare.file.sync_data())
                .and_then(|()| self.storage.sync_directory());
            match begun {
                Ok(()) => {
                    self.activate(&header, spare);
                    return Ok(());
                }
                Err(error) => {
                    tracing::error!(segment = spare.id, %error, "cannot begin journal segment");
                    // Should it stay, the next header says that it holds nothing.
                    drop(self.storage.remove(&segment::file_name(spare.id)));
                }
            }
        }
        self.poison();
        Err(AppendError::Poisoned)
    }

    /// Reserves the next segment ahead of need, so that a full disk is noticed while the rest of the active segment
    /// still has room for seals (row D8).
    pub(super) fn reserve_ahead(&mut self) {
        if self.spare.is_some() || self.tail <= self.capacity / 2 || self.is_poisoned {
            return;
        }
        match self.create_spare(self.settings.segment_bytes) {
            Ok(spare) => {
                self.spare = Some(spare);
                self.has_no_space = false;
            }
            Err(error) => {
                if !self.has_no_space {
                    tracing::warn!(%error, "cannot reserve the next journal segment, refusing puts");
                }
                self.has_no_space = true;
            }
        }
    }

    /// Frees bytes of a segment.
    pub(super) fn free(&mut self, segment: u64, bytes: u64) {
        if let Some(segment) = self.segments.get_mut(&segment) {
            segment.live = segment.live.saturating_sub(bytes);
            self.needs_upkeep |= segment.live <= segment.end / 4;
        }
    }

    pub(super) fn create_spare(&mut self, bytes: u64) -> io::Result<Spare> {
        let id = self.last_id + 1;
        let created = self.storage.create(&segment::file_name(id), bytes);
        if created.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::StorageFull) {
            self.last_id = id;
        }
        let file = created?;
        self.last_id = id;
        Ok(Spare { id, file, bytes })
    }

    fn take_spare(&mut self) -> io::Result<Spare> {
        match self.spare.take() {
            Some(spare) => Ok(spare),
            None => self.create_spare(self.settings.segment_bytes),
        }
    }

    fn activate(&mut self, header: &segment::Header, spare: Spare) {
        if let Some(old) = self.segments.get_mut(&self.active) {
            old.end = self.tail;
            old.doubtful_from = header.doubtful_from;
            self.closed_bytes += self.tail;
            if !old.is_failed {
                // Gives back what was reserved and not used. Its failure costs space only.
                drop(old.file.truncate(self.tail));
            }
        }
        let file = Arc::clone(&spare.file);
        let shared = SegmentFile { id: header.id, salt: header.salt(), file };
        self.shared.lock().files.insert(header.id, Arc::new(shared));
        let segment = Segment {
            file: spare.file,
            epoch: header.epoch,
            previous: header.previous,
            end: BLOCK_BYTES,
            doubtful_from: BLOCK_BYTES,
            live: 0,
            notes: BTreeSet::new(),
            is_damaged: false,
            is_failed: false,
        };
        self.segments.insert(header.id, segment);
        (self.active, self.tail, self.capacity) = (header.id, BLOCK_BYTES, spare.bytes);
        self.doubtful_from = None;
        self.needs_upkeep = true;
    }

    /// Checks that the action is possible and builds its frame; `None` when there is nothing to write.
    fn prepare(
        &self,
        index: usize,
        action: Action,
        waiting_bytes: u64,
        now_ms: u64,
    ) -> Result<Option<Frame>, AppendError> {
        if self.is_poisoned {
            return Err(AppendError::Poisoned);
        }
        let mut frame = Frame {
            index,
            stream: None,
            flags: 0,
            first: 0,
            time_ms: now_ms,
            body: Body::Note { note: Note::Clean, json: Vec::new() },
            answer: 0,
        };
        let note = match action {
            Action::Append { stream, records, arrived_ms } => {
                if records.is_empty() {
                    return Err(AppendError::Empty);
                }
                frame.first = self.stream(stream)?.next;
                (frame.stream, frame.time_ms, frame.answer) = (Some(stream), arrived_ms, frame.first);
                frame.body = Body::Records(records, None);
                return self.admit(frame, waiting_bytes).map(Some);
            }
            Action::Replay { stream, records, replay, arrived_ms } => {
                self.check_replay(stream, &records, &replay)?;
                frame.first = self.stream(stream)?.next;
                (frame.stream, frame.time_ms, frame.answer) = (Some(stream), arrived_ms, frame.first);
                let head = Head::new(replay, &records);
                frame.body = Body::Records(records, Some(head));
                return self.admit(frame, waiting_bytes).map(Some);
            }
            Action::Copy { stream, first, records, arrived_ms, replay } => {
                if self.stream(stream).is_err() {
                    return Ok(None);
                }
                (frame.stream, frame.first, frame.time_ms) = (Some(stream), first, arrived_ms);
                let head = replay.map(|replay| Head::new(replay, &records));
                (frame.flags, frame.body) = (FLAG_COPY, Body::Records(records, head));
                return Ok(Some(frame));
            }
            Action::Create(definition) => {
                (frame.stream, frame.answer) = (Some(StreamId(self.next_stream)), u64::from(self.next_stream));
                Note::Definition(definition)
            }
            Action::Snapshot(stream) => {
                let Some(state) = self.streams.get(&stream) else { return Ok(None) };
                (frame.stream, frame.first) = (Some(stream), state.next);
                Note::Snapshot(Box::new(state.snapshot()))
            }
            Action::Journal(note) => note,
            other => {
                let Some((stream, note)) = self.stream_note(other)? else { return Ok(None) };
                (frame.stream, frame.first) = (Some(stream), self.stream(stream)?.next);
                note
            }
        };
        let json = note.encode();
        frame.body = Body::Note { note, json };
        self.check_size(&frame)?;
        Ok(Some(frame))
    }

    /// The stream and note of an action about an existing stream; `None` when it came to nothing meanwhile.
    fn stream_note(&self, action: Action) -> Result<Option<(StreamId, Note)>, AppendError> {
        Ok(Some(match action {
            Action::Update(stream, definition) => (stream, Note::Definition(definition)),
            Action::Delete(stream) => (stream, Note::Deleted),
            Action::Epoch(epoch) => (epoch.stream, Note::Epoch(epoch)),
            Action::Seal(seal) => {
                if self.stream(seal.stream)?.seals.len() >= MAX_OPEN_SEALS {
                    return Err(AppendError::TooManySeals(seal.stream));
                }
                (seal.stream, Note::Seal(seal))
            }
            Action::CopySeal(seal) => {
                let is_open = self.stream(seal.stream).is_ok_and(|stream| stream.has_seal(seal.id));
                return Ok(is_open.then(|| (seal.stream, Note::Seal(seal))));
            }
            Action::Delivered(stream, delivered) => {
                let is_open = self.stream(stream).is_ok_and(|stream| stream.has_seal(delivered.id));
                return Ok(is_open.then_some((stream, Note::Delivered(delivered))));
            }
            Action::Checkpoint(stream, open_from) => {
                let is_news = self.stream(stream).is_ok_and(|stream| open_from > stream.open_from);
                return Ok(is_news.then_some((stream, Note::Checkpoint(Checkpoint { open_from }))));
            }
            Action::Exceeding(stream, exceeding) => {
                if self.stream(stream)?.exceeding.bytes() + exceeding.records.bytes() > MAX_EXCEEDING_BYTES {
                    return Err(AppendError::TooManyExceeding(stream));
                }
                (stream, Note::Exceeding(exceeding))
            }
            Action::Attempt(stream, span) => (stream, Note::Attempt(span)),
            Action::Forget(stream, before_ms) => {
                let is_news = before_ms > self.stream(stream)?.replayed.floor_ms();
                return Ok(is_news.then_some((stream, Note::Forgotten(Forgotten { before_ms }))));
            }
            Action::Failing(stream, failing) => {
                let is_news = |stream: &Stream| stream.has_seal(failing.id) && !stream.is_failing(failing.id);
                return Ok(self.stream(stream).is_ok_and(is_news).then_some((stream, Note::Failing(failing))));
            }
            // Handled by the caller.
            Action::Append { .. }
            | Action::Replay { .. }
            | Action::Copy { .. }
            | Action::Create(_)
            | Action::Snapshot(_)
            | Action::Journal(_) => return Ok(None),
        }))
    }

    /// Whether all of these may be put again, as far as what is written and what waits in the same group says.
    fn check_replay(&self, id: StreamId, records: &Records, replay: &Replay) -> Result<(), AppendError> {
        if records.is_empty() || replay.lines.count() != records.len() as u64 || replay.course == Course::Put {
            return Err(AppendError::Empty);
        }
        self.stream(id)?.replayed.check(replay, MOST_RANGES).map_err(|refusal| match refusal {
            ReplayRefusal::Known => AppendError::Replayed(id),
            ReplayRefusal::Forgotten => AppendError::ReplaysForgotten(id),
            ReplayRefusal::Full => AppendError::TooManyReplays(id),
        })
    }

    fn stream(&self, id: StreamId) -> Result<&Stream, AppendError> {
        self.streams.get(&id).filter(|stream| !stream.is_deleted).ok_or(AppendError::UnknownStream(id))
    }

    fn check_size(&self, frame: &Frame) -> Result<(), AppendError> {
        let (bytes, limit) = (frame.bytes(), self.settings.max_frame_bytes());
        if bytes > limit { Err(AppendError::TooLarge { bytes, limit }) } else { Ok(()) }
    }

    /// Refuses records while there is no room for them.
    fn admit(&self, frame: Frame, waiting_bytes: u64) -> Result<Frame, AppendError> {
        self.check_size(&frame)?;
        if matches!(&frame.body, Body::Records(records, None) if !records.columns().is_empty()) {
            return Err(AppendError::Columns);
        }
        let filled = self.bytes() + waiting_bytes + frame.bytes();
        if self.has_no_space || filled > self.settings.high_water_bytes() || self.shared.lock().is_index_full() {
            return Err(AppendError::Full);
        }
        Ok(frame)
    }

    /// Looks at the file system's free space, not more often than it can matter.
    fn check_space(&mut self) {
        if self.unchecked_bytes < SPACE_CHECK_BYTES && !self.has_no_space {
            return;
        }
        self.unchecked_bytes = 0;
        // A file system that cannot tell is taken to have room: reservation fails in time.
        let is_short = self.storage.free_bytes().is_ok_and(|free| free < self.settings.reserve_bytes);
        self.has_no_space = is_short;
        self.reserve_ahead();
    }

    /// Makes sure that the group and one more frame fit the active segment.
    fn make_room(
        &mut self,
        group: &mut Group,
        bytes: u64,
        now_ms: u64,
        done: &mut Done<'_>,
    ) -> Result<(), AppendError> {
        if self.tail + group.bytes + bytes <= self.capacity {
            return Ok(());
        }
        self.flush(group, now_ms, done);
        if self.is_poisoned {
            return Err(AppendError::Poisoned);
        }
        if self.tail + bytes <= self.capacity {
            return Ok(());
        }
        self.rotate(now_ms)?;
        // A segment that was begun on a nearly full disk may be shorter than others.
        if self.tail + bytes <= self.capacity { Ok(()) } else { Err(AppendError::Full) }
    }

    /// Makes a prepared frame part of the state. From here on it is written or the journal is poisoned.
    fn apply(&mut self, frame: &mut Frame) {
        let Some(id) = frame.stream else { return };
        let mut freed = Vec::new();
        match &frame.body {
            Body::Records(records, head) if frame.flags & FLAG_COPY == 0 => {
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.next += records.len() as u64;
                    if let Some(head) = head {
                        freed = stream.apply(&Note::Replay(Arc::clone(&head.replay)));
                    }
                }
            }
            Body::Records(..) => {}
            Body::Note { note, .. } => {
                if id.0 == self.next_stream {
                    self.next_stream += 1;
                    self.streams.insert(id, Stream::default());
                }
                if let Some(stream) = self.streams.get_mut(&id) {
                    freed = stream.apply(note);
                }
            }
        }
        for place in freed {
            self.free(place.segment, place.bytes);
        }
    }

    /// Writes and syncs the group, then shows it to readers and answers.
    fn flush(&mut self, group: &mut Group, now_ms: u64, done: &mut Done<'_>) {
        let group = std::mem::take(group);
        if group.frames.is_empty() {
            return;
        }
        let base = match self.write(&group) {
            Ok(base) => Some(base),
            Err(error) => self.rewrite(&group, &error, now_ms),
        };
        let Some(base) = base else {
            self.poison();
            for frame in &group.frames {
                done(frame.index, Err(AppendError::Poisoned));
            }
            return;
        };
        self.unchecked_bytes += group.bytes;
        self.metrics.appended_bytes.inc_by(group.bytes);
        let synced = self.tail;
        let mut offset = u64::from(base);
        let mut answers = Vec::with_capacity(group.frames.len());
        for frame in group.frames {
            let bytes = frame.bytes();
            answers.push((frame.index, frame.answer, offset + bytes));
            self.publish(frame, offset, bytes);
            offset += bytes;
        }
        for (index, answer, end) in answers {
            // Row D11: only what the finished fdatasync covered.
            done(index, if end <= synced { Ok(answer) } else { Err(AppendError::Poisoned) });
        }
        self.metrics.bytes.set(i64::try_from(self.bytes()).unwrap_or(i64::MAX));
    }

    /// Writes the group at the tail and syncs it; answers with where it begins.
    fn write(&mut self, group: &Group) -> io::Result<u32> {
        let base = u32::try_from(self.tail).map_err(io::Error::other)?;
        let Some(active) = self.segments.get(&self.active) else { return Err(io::ErrorKind::NotFound.into()) };
        let salt = Salt::new(self.active, active.epoch);
        self.encoded.fill(group, salt, base);
        let end = self.tail + group.bytes;
        let began = Instant::now();
        let written = write_all(&*active.file, &mut self.encoded.slices(), self.tail);
        let result = written.and_then(|()| active.file.sync_data());
        self.metrics.fsync_seconds.observe(began.elapsed().as_secs_f64());
        self.encoded.release();
        result?;
        self.tail = end;
        Ok(base)
    }

    /// After a failed write or fdatasync nothing is known about that file's un-synced part, and a second fdatasync
    /// would lie (row D9): the group goes into a new segment whose header cuts the failed one off.
    fn rewrite(&mut self, group: &Group, error: &io::Error, now_ms: u64) -> Option<u32> {
        tracing::error!(segment = self.active, %error, "journal write failed, moving to a new segment");
        if let Some(active) = self.segments.get_mut(&self.active) {
            active.is_failed = true;
        }
        self.rotate(now_ms).ok()?;
        if self.tail + group.bytes > self.capacity {
            return None;
        }
        let written = self.write(group);
        if let Err(error) = &written {
            tracing::error!(segment = self.active, %error, "journal write failed again");
        }
        written.ok()
    }

    fn poison(&mut self) {
        if !self.is_poisoned {
            tracing::error!("journal is poisoned: it takes nothing more until the process is restarted");
        }
        self.is_poisoned = true;
    }

    /// Shows a durable frame to readers and to the accounts of what is still needed.
    fn publish(&mut self, frame: Frame, offset: u64, bytes: u64) {
        let Some(id) = frame.stream else {
            if matches!(&frame.body, Body::Note { note: Note::Dropped(_), .. }) {
                self.note_segment = self.active;
            }
            return;
        };
        match frame.body {
            Body::Records(records, head) => {
                let is_copy = frame.flags & FLAG_COPY != 0;
                let replay = head.map(|head| head.replay);
                if replay.is_some() {
                    self.hold_note(id);
                }
                let cached = Cached::new(frame.first, frame.time_ms, records, replay.as_deref());
                self.publish_records(id, cached, (offset, bytes), is_copy);
            }
            Body::Note { note, .. } => self.publish_note(id, &note, bytes),
        }
    }

    fn publish_records(&mut self, id: StreamId, cached: Cached, (offset, bytes): (u64, u64), is_copy: bool) {
        // Neither can saturate: a segment is far below 4 GiB.
        let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let (first, end) = (cached.first, cached.end());
        let (offset, span) = (narrow(offset), narrow(bytes));
        let entry = Entry { first, end, segment: self.active, offset, span, own: span };
        let mut freed = Vec::new();
        let mut shared = self.shared.lock();
        let is_needed = if is_copy {
            shared.relocate(id, entry, |segment, bytes| freed.push((segment, bytes)))
        } else {
            let inserted = shared.insert(id, entry);
            if let Some(view) = shared.views.get(&id) {
                view.durable.send_replace(end);
            }
            shared.cache.push(id, cached);
            inserted
        };
        drop(shared);
        for (segment, bytes) in freed {
            self.free(segment, bytes);
        }
        if let Some(active) = self.segments.get_mut(&self.active).filter(|_| is_needed) {
            active.live += bytes;
        }
    }

    /// The active segment says something of the stream that no snapshot repeats yet.
    fn hold_note(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.notes_in.insert(self.active);
        if let Some(active) = self.segments.get_mut(&self.active) {
            active.notes.insert(id);
        }
    }

    fn publish_note(&mut self, id: StreamId, note: &Note, bytes: u64) {
        let place = Place { segment: self.active, bytes };
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let replaced =
            if note.kind() == Kind::Snapshot { std::mem::take(&mut stream.notes_in) } else { BTreeSet::new() };
        stream.notes_in.insert(self.active);
        let mut freed = Vec::new();
        if let Note::Seal(seal) = note {
            freed.extend(stream.place_seal(seal.id, place).map(|place| (place.segment, place.bytes)));
            if let Some(active) = self.segments.get_mut(&self.active) {
                active.live += bytes;
            }
        }
        for segment in replaced {
            if let Some(segment) = self.segments.get_mut(&segment) {
                segment.notes.remove(&id);
            }
        }
        if let Some(active) = self.segments.get_mut(&self.active) {
            active.notes.insert(id);
        }
        let mut shared = self.shared.lock();
        let free = |segment, bytes| freed.push((segment, bytes));
        let Some(stream) = self.streams.get(&id) else { return };
        if stream.is_deleted {
            shared.remove(id, free);
        } else if note.kind() == Kind::Definition {
            shared.views.entry(id).or_insert_with(|| View::new(0, 0));
        } else {
            shared.forget_below(id, stream.low(), free);
        }
        drop(shared);
        for (segment, bytes) in freed {
            self.free(segment, bytes);
        }
    }
}

/// Files tried before a rotation counts as failed.
const ROTATE_TRIES: usize = 2;
/// Appended bytes after which the file system's free space is looked at again.
const SPACE_CHECK_BYTES: u64 = 8 << 20;
