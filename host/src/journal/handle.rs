//! [`Journal`]: what the rest of the program holds.
//!
//! Refuses to block a task: waiting is a future, disk reads run on blocking threads.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use crate::definition::Definition;
use crate::record::{Batch, Epoch, FATAL_ATTEMPTS, Records, Replay, Seal, Sequence, Sequences, StreamId};
use crate::runtime::{Clock, Random};
use crate::telemetry::JournalMetrics;

use super::error::{AppendError, OpenError, ReadError};
use super::group::Action;
use super::log::Log;
use super::note::{Exceeding, Span};
use super::queue::Queue;
use super::reader::{self, Plan};
use super::recovery::Recovered;
use super::settings::Settings;
use super::shared::Shared;
use super::storage::{LockError, Storage};
use super::writer::Writer;

/// The durable log of all streams. Clones share it.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Core>);

#[derive(Debug)]
struct Core {
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    metrics: JournalMetrics,
    poisoned: Arc<watch::Sender<bool>>,
    stats: Arc<Mutex<Stats>>,
    closed: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Drop for Core {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Figures for operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Valid bytes of all segments.
    pub bytes: u64,
    /// The setting; puts are refused at 90 % of it.
    pub capacity_bytes: u64,
    /// Segments on disk.
    pub segment_count: usize,
    /// Streams that exist.
    pub stream_count: usize,
    /// Puts are refused for want of room.
    pub is_full: bool,
}

impl Journal {
    /// Recovers the journal in `storage` and starts its thread. Blocks while recovering.
    ///
    /// # Errors
    /// Nothing was changed unless the error says so; see [`OpenError`].
    pub fn open(
        settings: Settings,
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        random: Arc<Random>,
        metrics: JournalMetrics,
    ) -> Result<(Self, Recovered), OpenError> {
        let directory = storage.describe();
        let lock = match storage.lock() {
            Ok(lock) => lock,
            Err(LockError::Held(owner)) => return Err(OpenError::InUse { directory, owner }),
            Err(LockError::Io(source)) => return Err(OpenError::Io { directory, action: "lock", source }),
        };
        let (log, recovered) = Log::open(storage, settings.clone(), random, metrics.clone(), clock.now_ms())?;
        let (closed, is_closed) = oneshot::channel();
        let core = Core {
            queue: Arc::new(Queue::new(settings)),
            shared: Arc::clone(&log.shared),
            metrics: metrics.clone(),
            poisoned: Arc::new(watch::Sender::new(false)),
            stats: Arc::default(),
            closed: Mutex::new(Some(is_closed)),
        };
        let writer = Writer {
            log,
            queue: Arc::clone(&core.queue),
            clock,
            metrics,
            poisoned: Arc::clone(&core.poisoned),
            stats: Arc::clone(&core.stats),
            closed: Some(closed),
            lock: Some(lock),
        };
        writer.show_stats();
        let thread = std::thread::Builder::new().name("journal".to_owned());
        match thread.spawn(move || writer.run()) {
            // Ends by itself after the queue is closed; `close` waits for that.
            Ok(_running) => Ok((Self(Arc::new(core)), recovered)),
            Err(source) => Err(OpenError::Io { directory, action: "start a thread", source }),
        }
    }

    /// Appends one put request of one stream; answers with the sequence number of its first record once a finished
    /// fdatasync covers it.
    ///
    /// # Errors
    /// [`AppendError::Full`] and [`AppendError::Busy`] want a later retry.
    pub async fn append(&self, stream: StreamId, records: Records, arrived_ms: u64) -> Result<Sequence, AppendError> {
        self.ask(Action::Append { stream, records, arrived_ms }).await
    }

    /// Appends records that are put again, and remembers where they came from: both or neither is durable, and both are
    /// on return. They may have columns. Answers with the sequence number of the first.
    ///
    /// # Errors
    /// [`AppendError::Replayed`] when any of them was put again before; [`AppendError::Full`] and
    /// [`AppendError::Busy`] want a later retry.
    pub async fn replay(
        &self,
        stream: StreamId,
        records: Records,
        replay: Replay,
        arrived_ms: u64,
    ) -> Result<Sequence, AppendError> {
        self.ask(Action::Replay { stream, records, replay: Arc::new(replay), arrived_ms }).await
    }

    /// Forgets what was put again of objects that were written before this instant, milliseconds since 1970, and refuses
    /// to put any of it again; durable on return.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn forget_replays(&self, stream: StreamId, before_ms: u64) -> Result<(), AppendError> {
        self.ask(Action::Forget(stream, before_ms)).await.map(drop)
    }

    /// Creates a stream; durable on return.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn create_stream(&self, definition: Definition) -> Result<StreamId, AppendError> {
        let number = self.ask(Action::Create(Box::new(definition))).await?;
        // Numbers are 32 bits wide when they are given out.
        Ok(StreamId(u32::try_from(number).unwrap_or(u32::MAX)))
    }

    /// Adds a version of a stream's definition; durable on return.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn update_stream(&self, stream: StreamId, definition: Definition) -> Result<(), AppendError> {
        self.ask(Action::Update(stream, Box::new(definition))).await.map(drop)
    }

    /// Deletes a stream with its records and open seals; durable on return.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn delete_stream(&self, stream: StreamId) -> Result<(), AppendError> {
        self.ask(Action::Delete(stream)).await.map(drop)
    }

    /// Notes which versions rule from a record on; durable on return, and before every later seal.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn epoch(&self, epoch: Epoch) -> Result<(), AppendError> {
        self.ask(Action::Epoch(epoch)).await.map(drop)
    }

    /// Makes a plan of delivery durable before anything of it is sent.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn seal(&self, seal: Seal) -> Result<Arc<Seal>, AppendError> {
        let seal = Arc::new(seal);
        self.ask(Action::Seal(Arc::clone(&seal))).await?;
        Ok(seal)
    }

    /// Notes, durably before long, that a seal is fulfilled. Losing the note repeats an idempotent delivery.
    pub fn delivered(&self, stream: StreamId, seal: Uuid) {
        self.0.queue.delivered(stream, seal);
    }

    /// Notes, durably before long, that delivering a seal failed for the first time: how long it has been tried counts
    /// from then, over restarts. Losing the note begins that time anew.
    pub fn failing(&self, stream: StreamId, seal: Uuid, since_ms: u64) {
        self.0.queue.failing(stream, seal, since_ms);
    }

    /// Notes, durably before long, that everything below `open_from` is sealed or dropped.
    pub fn checkpoint(&self, stream: StreamId, open_from: Sequence) {
        self.0.queue.checkpoint(stream, open_from);
    }

    /// Notes that processing of a range begins; durable on return (row P7).
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn attempt(&self, stream: StreamId, first: Sequence, end: Sequence) -> Result<(), AppendError> {
        self.ask(Action::Attempt(stream, Span { first, end, count: 1 })).await.map(drop)
    }

    /// Notes that these records are never to be run again: they go to the error output, now and in every replay;
    /// durable on return.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn set_aside(&self, stream: StreamId, first: Sequence, end: Sequence) -> Result<(), AppendError> {
        self.ask(Action::Attempt(stream, Span { first, end, count: FATAL_ATTEMPTS + 1 })).await.map(drop)
    }

    /// Notes that these records go to the error output for want of room for their partitions, now and in every replay;
    /// durable on return, and before every later seal.
    ///
    /// # Errors
    /// [`AppendError::TooManyExceeding`] when that many cannot be remembered; see [`AppendError`].
    pub async fn exceeding(&self, stream: StreamId, records: Sequences) -> Result<(), AppendError> {
        self.ask(Action::Exceeding(stream, Exceeding { records })).await.map(drop)
    }

    /// Durable records that begin exactly at `from` and have no hole: at least one frame even when it is larger
    /// than `max_bytes`, nothing when none is durable yet.
    ///
    /// # Errors
    /// [`ReadError::Lost`] names a damaged range to skip.
    pub async fn read(&self, stream: StreamId, from: Sequence, max_bytes: usize) -> Result<Vec<Batch>, ReadError> {
        let stretches = match reader::plan(&self.0.shared, stream, from, max_bytes)? {
            Plan::Ready(batches) => return Ok(batches),
            Plan::Disk(stretches) => stretches,
        };
        let (shared, metrics) = (Arc::clone(&self.0.shared), self.0.metrics.clone());
        let read = move || {
            let read = reader::read_disk(&shared, stream, from, max_bytes, &stretches);
            if matches!(read, Err(ReadError::Lost { .. })) {
                metrics.corrupt_frames.inc();
            }
            read
        };
        let stopped = |error| ReadError::Io { segment: 0, source: io::Error::other(error) };
        tokio::task::spawn_blocking(read).await.map_err(stopped)?
    }

    /// Up to where a stream is durable: how readers wait. Closed when the stream is deleted; `None` when unknown.
    pub fn durable_end(&self, stream: StreamId) -> Option<watch::Receiver<Sequence>> {
        self.0.shared.lock().views.get(&stream).map(|view| view.durable.subscribe())
    }

    /// Becomes true, and stays so, when the disk failed (row D9): be unready and exit.
    pub fn poisoned(&self) -> watch::Receiver<bool> {
        self.0.poisoned.subscribe()
    }

    /// Figures as of the last group.
    pub fn stats(&self) -> Stats {
        *self.0.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finishes what waits, notes that all went well, and gives the directory up, for all clones.
    pub async fn close(self) {
        self.0.queue.close();
        let closed = self.0.closed.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(closed) = closed {
            // The thread ends either way.
            drop(closed.await);
        }
    }

    async fn ask(&self, action: Action) -> Result<u64, AppendError> {
        let (answer, answered) = oneshot::channel();
        let queued =
            if *self.0.poisoned.borrow() { Err(AppendError::Poisoned) } else { self.0.queue.push(action, answer) };
        if let Err(error) = queued {
            if error == AppendError::Busy {
                self.0.metrics.refused.inc();
            }
            return Err(error);
        }
        answered.await.unwrap_or_else(|_| {
            Err(if *self.0.poisoned.borrow() { AppendError::Poisoned } else { AppendError::Closed })
        })
    }
}
