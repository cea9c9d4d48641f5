//! One stream's way from the journal to its destination.
//!
//! Reads durable records, has them processed in parallel, re-joins them in order, cuts batches, seals each cut before
//! anything is sent, and keeps the deliveries in flight. Refuses to hold more than its share: when deliveries or
//! memory are short it simply reads no further, and the journal keeps what it has acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, try_join_all};
use futures_util::stream::FuturesOrdered;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::batch::name::NameError;
use crate::batch::{Accumulator, Cut, Routed, Scale, Sizing};
use crate::definition::{Definition, Processor};
use crate::encode;
use crate::journal::{AppendError, Attempt, ReadError, StreamState};
use crate::process::Chain;
use crate::record::{Batch, Epoch, FATAL_ATTEMPTS, Partition, PluginVersion, Seal, Sequence, StreamId, Transformed};
use crate::telemetry::StreamMetrics;

use super::Context;
use super::budget::{Budget, Share};
use super::delivery::{Delivery, Ended, Held};
use super::guard::{Guard, Weighed};
use super::history::{Decided, History, HistoryError};
use super::outlet::Outlets;
use super::swap::{Swap, SwapError};
use super::{is_true, replay, spill, work};

/// Sealed batches of one stream that may wait for their destination before the stream reads no further. Four keep
/// the destination busy while the next batch fills.
const PENDING_DELIVERIES: usize = 4;

/// Sealed bytes of one stream that may wait for the encoder before the stream reads no further: one batch of 64 MiB
/// may wait beside the one that fills, a second may not.
const UNENCODED_BYTES: usize = 96 << 20;

/// Part of the memory budget that the records of one object may have where its size is counted compressed: the encoder
/// holds them all, and others must have room beside it.
const UNCOMPRESSED_SHARE: u64 = 4;

/// Plugin calls of one stream in flight, ahead of the ordered re-join.
const CALLS_IN_FLIGHT: usize = 4;

/// Seals that are asked of the journal at once: it writes them together, and all partitions may be due at the same time.
/// Its queue has 8,192 places for notes of all streams.
const SEALS_AT_ONCE: usize = 8;

/// What part of its fair share a stream writes to files at a time: writing a little at a time would take a look at every
/// buffer for each record's worth of room.
const SPILLED_SHARE: usize = 4;

/// How soon a stream that waits for memory looks again: others free it and do not know who waits.
const LOOK_FOR_MEMORY: Duration = Duration::from_millis(20);

/// How soon a held stream tries again, beside whenever a plugin changes.
const LOOK_FOR_CODE: Duration = Duration::from_secs(1);

/// Checkpoints of a stream whose plugin drops everything are noted at most this many records apart.
const CHECKPOINT_RECORDS: u64 = 100_000;

/// What the rest of the host sees and says of a running stream.
#[derive(Debug)]
pub(crate) struct Signals {
    /// The definition in force.
    pub(crate) definition: watch::Receiver<Arc<Definition>>,
    /// Turns true when everything durable shall be delivered and the runner end.
    pub(crate) draining: watch::Receiver<bool>,
    /// Turns true when deliveries shall be given up.
    pub(crate) cancelled: watch::Receiver<bool>,
    /// Arrival of the oldest record not yet delivered; 0 when there is none.
    pub(crate) oldest_ms: Arc<AtomicU64>,
    /// Whether the plugin keeps failing and is let be.
    pub(crate) breaker_open: Arc<AtomicBool>,
    /// Why nothing can be processed.
    pub(crate) held: watch::Sender<Option<String>>,
}

/// Why a stream stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunnerError {
    /// The journal refuses everything from now on.
    #[error("the journal failed")]
    Journal(#[from] AppendError),
    /// Durable records cannot be read.
    #[error("the journal cannot be read")]
    Read(#[from] ReadError),
    /// An object cannot be named, although the definition was checked.
    #[error("a batch cannot be named")]
    Name(#[from] NameError),
    /// The runtime is going down.
    #[error(transparent)]
    Work(#[from] work::Gone),
}

/// Why a stream reads no further for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ahead {
    /// Everything durable was read.
    CaughtUp,
    /// Its own calls or deliveries are in the way and wake it when they end.
    Busy,
    /// Nobody wakes it: look again after this long.
    LookAgain(Duration),
}

impl From<SwapError> for RunnerError {
    fn from(error: SwapError) -> Self {
        match error {
            SwapError::Journal(error) => Self::Journal(error),
            SwapError::Work(error) => Self::Work(error),
        }
    }
}

/// What became of a batch.
struct Processed {
    transformed: Transformed,
    /// The batch as it was put, where a record may yet find no room for its partition.
    originals: Option<Batch>,
}

/// One stream's task.
pub(crate) struct Runner {
    context: Arc<Context>,
    stream: StreamId,
    metrics: StreamMetrics,
    signals: Signals,
    history: Arc<History>,
    definition: Arc<Definition>,
    accumulator: Accumulator,
    /// How compressed objects compare with what was expected of them.
    scale: Arc<Scale>,
    share: Share,
    /// Sealed batches that wait for the encoder.
    unencoded: Budget,
    /// Next record to read.
    position: Sequence,
    /// Records below it went through processing before the restart and some of their outputs are sealed: the code
    /// that ruled then must run again.
    replay_end: Sequence,
    /// Records below it may have been in execution when the process died.
    suspect_end: Sequence,
    /// What was running when the process died, and how often.
    attempts: Vec<Attempt>,
    durable_end: watch::Receiver<Sequence>,
    plugins_changed: watch::Receiver<u64>,
    /// The chain for new records, until a definition or plugin changes.
    current: Option<Arc<Chain>>,
    /// Notes what rules.
    swap: Swap,
    /// The plugins that made what is accumulated.
    accumulated: Vec<PluginVersion>,
    /// The definition under which what came last to what is accumulated was processed.
    processed_under: Arc<Definition>,
    /// The definition under which what is accumulated is sealed: the newest one, when it collects as that one does;
    /// else that one itself, which the journal keeps because an epoch names it.
    sealing: Arc<Definition>,
    /// Says whether the plugin of new records is run.
    guard: Guard,
    /// Arrival of the oldest record that is held because nothing came through its plugin, milliseconds since 1970.
    held_ms: Option<u64>,
    /// No more records can be remembered as refused for want of a partition.
    cuts_early: bool,
    in_flight: FuturesOrdered<BoxFuture<'static, Result<Processed, RunnerError>>>,
    outlets: Arc<Outlets>,
    deliveries: JoinSet<(Arc<Seal>, Ended)>,
    pending: BTreeMap<Sequence, Vec<Arc<Seal>>>,
    noted_open_from: Sequence,
}

impl Runner {
    /// A runner that goes on where `state` says the stream was left.
    /// None when the journal does not know the stream any more.
    pub(crate) fn new(
        context: Arc<Context>,
        state: StreamState,
        clean: bool,
        metrics: StreamMetrics,
        signals: Signals,
    ) -> Option<Self> {
        let durable_end = context.journal.durable_end(state.id)?;
        let replay_end = state.marks.values().copied().max().unwrap_or(0);
        let aside = replay::aside(&state.attempts, replay_end.max(state.open_from));
        let definition = Arc::clone(&signals.definition.borrow());
        let (counted, breaker_open) = (metrics.breaker.clone(), Arc::clone(&signals.breaker_open));
        let guard = Guard::new(&definition, state.epochs.last(), counted, breaker_open);
        let decided = Decided { aside, exceeding: state.exceeding };
        let history = Arc::new(History::new(state.definitions, state.epochs, decided));
        let accumulator =
            Accumulator::new(state.id, &definition, &state.marks, state.open_from, context.partitions.most_active);
        let most_bytes = context.budget.limit_bytes() as u64 / UNCOMPRESSED_SHARE;
        let sizing = Sizing { pack: encode::packed_bytes, scale: Arc::default(), most_bytes };
        let scale = Arc::clone(&sizing.scale);
        let accumulator = accumulator.sized_by(sizing);
        let mut runner = Self {
            stream: state.id,
            history,
            accumulator,
            scale,
            share: context.budget.share(),
            unencoded: Budget::new(UNENCODED_BYTES),
            position: state.open_from,
            replay_end,
            suspect_end: if clean && state.attempts.is_empty() { 0 } else { state.next },
            attempts: state.attempts,
            durable_end,
            plugins_changed: context.plugins.changed(),
            current: None,
            swap: Swap::new(metrics.swap.clone()),
            accumulated: Vec::new(),
            processed_under: Arc::clone(&definition),
            sealing: Arc::clone(&definition),
            guard,
            held_ms: None,
            cuts_early: false,
            in_flight: FuturesOrdered::new(),
            outlets: Arc::new(Outlets::new(&context, state.id, signals.definition.clone(), &metrics)),
            deliveries: JoinSet::new(),
            pending: BTreeMap::new(),
            noted_open_from: state.open_from,
            metrics,
            definition,
            signals,
            context,
        };
        for seal in state.undelivered {
            let failing_since_ms = state.failing.get(&seal.id).copied();
            runner.send(seal, None, None, failing_since_ms);
        }
        Some(runner)
    }

    /// Runs until drained or until the journal fails.
    pub(crate) async fn run(mut self) -> Result<(), RunnerError> {
        loop {
            self.follow_definition();
            let ahead = self.read_ahead().await?;
            let caught_up = ahead == Ahead::CaughtUp;
            self.show_oldest();
            let draining = *self.signals.draining.borrow();
            if draining && caught_up && self.in_flight.is_empty() {
                return self.finish().await;
            }
            let deadline = self.accumulator.deadline_ms().map(|at| self.context.instant(at));
            tokio::select! {
                () = is_true(&mut self.signals.cancelled) => return Ok(()),
                Some(processed) = self.in_flight.next() => {
                    let processed = processed?;
                    if self.weigh(&processed.transformed) && self.settle(&processed.transformed).await? {
                        self.accept(processed).await?;
                    }
                }
                Some(ended) = self.deliveries.join_next() => self.delivered(ended),
                () = until(deadline) => {
                    let cuts = self.accumulator.due(self.context.elapsed_ms());
                    self.seal_all(cuts).await?;
                }
                changed = self.durable_end.changed(), if caught_up => {
                    if changed.is_err() { return Ok(()) }
                }
                _ = self.plugins_changed.changed() => self.follow_plugin(),
                changed = self.signals.definition.changed() => {
                    if changed.is_err() { return Ok(()) }
                }
                _ = self.signals.draining.changed(), if !draining => {}
                () = again(ahead) => self.relieve().await?,
            }
        }
    }

    fn follow_definition(&mut self) {
        if !self.signals.definition.has_changed().unwrap_or(false)
            && self.definition.version == self.signals.definition.borrow().version
        {
            return;
        }
        let definition = Arc::clone(&self.signals.definition.borrow_and_update());
        self.history.add_definition(Arc::clone(&definition));
        self.seal_under(&definition);
        self.guard.follow(&definition);
        self.definition = definition;
        self.current = None;
    }

    /// An update rules what is sealed after it, unless what is accumulated could not be named or encoded by it.
    fn seal_under(&mut self, definition: &Arc<Definition>) {
        let sealing = if definition.collects_like(&self.processed_under) { definition } else { &self.processed_under };
        self.sealing = Arc::clone(sealing);
        self.accumulator.update(&self.sealing);
    }

    fn follow_plugin(&mut self) {
        self.current = None;
        if let Some(published) = self.guard.plugin().and_then(|name| self.context.plugins.current(name)) {
            self.guard.published(&published);
        }
    }

    /// Reads as far as queues and memory allow.
    async fn read_ahead(&mut self) -> Result<Ahead, RunnerError> {
        loop {
            let end = *self.durable_end.borrow_and_update();
            if self.position >= end {
                self.note_progress();
                return Ok(Ahead::CaughtUp);
            }
            let most_calls = if self.is_suspect() || self.guard.most_records().is_some() { 1 } else { CALLS_IN_FLIGHT };
            if self.deliveries.len() >= PENDING_DELIVERIES || self.in_flight.len() >= most_calls {
                return Ok(Ahead::Busy);
            }
            if self.context.budget.is_over() || self.unencoded.is_over() {
                return Ok(Ahead::LookAgain(LOOK_FOR_MEMORY));
            }
            let Some((chain, until)) = self.chain().await? else {
                let pause = self.guard.pause(self.context.elapsed_ms());
                return Ok(Ahead::LookAgain(pause.unwrap_or(LOOK_FOR_CODE)));
            };
            let Some(batch) = self.read(until, &chain).await? else { continue };
            let suspected = self.is_suspect() && chain.runs_plugins();
            let batch = if suspected { replay::harmless(batch, &self.attempts) } else { batch };
            self.position = batch.end();
            if chain.is_identity() && self.in_flight.is_empty() {
                let transformed = replay::apply(&chain, batch, &Decided::default());
                self.accept(Processed { transformed, originals: None }).await?;
                continue;
            }
            let decided = self.history.decided(batch.first..batch.end());
            let originals = self.context.partitions.refuses.then(|| batch.clone()).filter(|_| chain.partitions());
            let (context, stream) = (Arc::clone(&self.context), self.stream);
            // A task, because a call must neither wait for this one, which may be waiting for a disk, nor have a worker's
            // turn and leave it unused. Of one in its set, so that it leaves the queue when it is dropped.
            let mut call = JoinSet::new();
            call.spawn(async move {
                let turn = context.workers.turn().await?;
                let (start, end) = (batch.first, batch.end());
                // The time in which a death that has nothing to do with these records is held against them is short: their
                // turn is waited for before it, and what comes of them is put away after it.
                if suspected {
                    context.journal.attempt(stream, start, end).await?;
                }
                let transformed = turn.run(move || replay::apply(&chain, batch, &decided)).await?;
                if suspected {
                    context.journal.attempt(stream, end, end).await?;
                }
                Ok(Processed { transformed, originals })
            });
            let call = async move { call.join_next().await.and_then(Result::ok).unwrap_or(Err(work::Gone.into())) };
            self.in_flight.push_back(Box::pin(call));
        }
    }

    /// The next batch, ending before `until`; none when the range is damaged on disk and was skipped.
    async fn read(&mut self, until: Sequence, chain: &Chain) -> Result<Option<Batch>, RunnerError> {
        match self.context.journal.read(self.stream, self.position, chain.most_bytes(replay::READ_BYTES)).await {
            Ok(batches) => {
                let batch = replay::join(batches).map(|batch| replay::slice(&batch, self.position..until));
                Ok(batch.map(|batch| replay::shorten(&batch, chain)))
            }
            Err(ReadError::Lost { end, .. }) => {
                tracing::error!(stream = %self.definition.name, from = self.position, end, "records are damaged on disk; they stay there and are skipped");
                self.position = end;
                Ok(None)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// The next record may be what was running when the process died. What outputs were sealed of has run to its end.
    fn is_suspect(&self) -> bool {
        (self.replay_end..self.suspect_end).contains(&self.position)
    }

    /// The chain that rules the next record, and the record where it ends. None holds the stream.
    async fn chain(&mut self) -> Result<Option<(Arc<Chain>, Sequence)>, RunnerError> {
        if self.position < self.replay_end
            && let Some((epoch, until)) = self.history.ruling(self.position)
        {
            let chain = self.history.chain(&epoch, &self.context).await;
            return Ok(self.held(chain.map(|chain| (chain, until.min(self.replay_end)))));
        }
        if self.guard.has_changed(self.context.elapsed_ms()) {
            self.current = None;
        }
        let limit = self.guard.most_records().map_or(Sequence::MAX, |most| self.position.saturating_add(most));
        let until = if self.is_suspect() { self.suspect_end.min(limit) } else { limit };
        if let Some(chain) = &self.current {
            return Ok(Some((Arc::clone(chain), until)));
        }
        let since = std::time::Instant::now();
        let Some(epoch) = self.wanted() else { return Ok(None) };
        let made = self.history.chain(&epoch, &self.context).await;
        let Some(chain) = self.held(made) else { return Ok(None) };
        let ruling = self.history.ruling(self.position).map(|(ruling, _)| ruling);
        let same =
            |ruling: &Epoch| ruling.definition_version == epoch.definition_version && ruling.plugins == epoch.plugins;
        if !ruling.as_ref().is_some_and(same) {
            self.swap.note(&self.context.journal, epoch.clone()).await?;
            self.history.add_epoch(epoch);
            if ruling.is_some() {
                self.swap.paused(since);
            }
        }
        self.current = Some(Arc::clone(&chain));
        Ok(Some((chain, until)))
    }

    /// What should rule from here on: the newest definition with the newest plugins, or what stands in for one.
    fn wanted(&mut self) -> Option<Epoch> {
        let mut plugins: Vec<PluginVersion> = Vec::new();
        for processor in &self.definition.processors {
            let Processor::Plugin { name, .. } = processor else { continue };
            match self.context.plugins.current(name) {
                Some(version) => plugins.push(self.guard.ruling(version)?),
                None => {
                    self.hold(&format!(
                        "plugin {name} is not in the plugin folder, or its file does not load: publish it with \
                         `hydrant plugin publish`"
                    ));
                    return None;
                }
            }
        }
        let definition_version = self.definition.version;
        Some(Epoch { stream: self.stream, from: self.position, definition_version, plugins })
    }

    fn held<T>(&mut self, made: Result<T, HistoryError>) -> Option<T> {
        match made {
            Ok(made) => {
                self.signals.held.send_if_modified(|reason| reason.take().is_some());
                Some(made)
            }
            Err(error) => {
                self.hold(&format!("{:#}", anyhow::Error::from(error)));
                None
            }
        }
    }

    fn hold(&mut self, reason: &str) {
        // Said once per hold, not per look.
        if self.signals.held.borrow().is_none() {
            tracing::error!(stream = %self.definition.name, reason, "stream is held: records stay in the journal until this is mended");
        }
        self.signals.held.send_replace(Some(reason.to_owned()));
    }

    /// Learns from a batch whether the plugin works. False when its records are held, or another rules them: then it is
    /// as if they had not been read. Nothing of what comes after them was accepted yet, and the epoch that is written
    /// next for them takes the place of the one that ruled them.
    fn weigh(&mut self, processed: &Transformed) -> bool {
        // A replay ends as it did before, whatever that tells of the plugin.
        if processed.inputs.start < self.replay_end
            || self.guard.weigh(&processed.ran, self.context.elapsed_ms()) == Weighed::Keep
        {
            return true;
        }
        self.in_flight = FuturesOrdered::new();
        self.position = processed.inputs.start;
        self.current = None;
        self.held_ms = processed.arrived_ms.first().copied();
        // A record that ran alone, because a batch with it was running when the process died, did no harm: with others
        // around it, it does not hold the stream.
        self.attempts.retain(|one| one.count > FATAL_ATTEMPTS);
        false
    }

    /// Makes sure that a replay ends as `processed` did, before anything of it is sealed: what was refused by time or
    /// luck is set aside for good. False when it is itself a replay whose first run may have ended otherwise: it is
    /// run again.
    async fn settle(&mut self, processed: &Transformed) -> Result<bool, RunnerError> {
        let ranges = replay::unrepeatable(processed);
        if ranges.is_empty() {
            return Ok(true);
        }
        if processed.inputs.start < self.replay_end {
            tracing::error!(stream = %self.definition.name, from = ranges[0].start, "records that were processed before fail now, by time or luck; they are processed again");
            self.in_flight = FuturesOrdered::new();
            self.position = processed.inputs.start;
            tokio::time::sleep(LOOK_FOR_CODE).await;
            return Ok(false);
        }
        let notes = ranges.iter().map(|range| self.context.journal.set_aside(self.stream, range.start, range.end));
        try_join_all(notes).await?;
        self.history.set_aside(&ranges);
        Ok(true)
    }

    async fn accept(&mut self, processed: Processed) -> Result<(), RunnerError> {
        let Processed { transformed, originals } = processed;
        let ruling = self.history.ruling(transformed.inputs.start).map(|(epoch, _)| epoch);
        let processed_under = ruling.as_ref().and_then(|epoch| self.history.definition(epoch.definition_version));
        let processed_under = processed_under.unwrap_or_else(|| Arc::clone(&self.definition));
        let plugins = ruling.map(|epoch| epoch.plugins).unwrap_or_default();
        if plugins != self.accumulated || !processed_under.collects_like(&self.processed_under) {
            // An object is made by one version of each plugin, and of records that were processed for the same columns.
            let since = std::time::Instant::now();
            let cuts = self.accumulator.flush();
            if !cuts.is_empty() {
                self.seal_all(cuts).await?;
                self.swap.has_cut(since);
            }
            self.accumulated = plugins;
        }
        if processed_under.version != self.processed_under.version {
            self.processed_under = processed_under;
            self.seal_under(&Arc::clone(&self.definition));
        }
        self.held_ms = None;
        let mut routed = self.accumulator.route(transformed);
        if let Some(originals) = originals {
            routed = self.refuse_exceeding(routed, &originals).await?;
        }
        let transformed = &routed.transformed;
        self.guard.count(transformed);
        let outputs = &transformed.outputs;
        self.metrics.transformed.add(outputs.len() as u64, outputs.payload().len() as u64);
        self.metrics.dropped.add(transformed.dropped_count, transformed.dropped_bytes);
        let failed_bytes = transformed.rejected.iter().map(|one| one.data.len() as u64).sum();
        self.metrics.failed.add(transformed.rejected.len() as u64, failed_bytes);
        let cuts = self.accumulator.add(routed, self.context.elapsed_ms());
        self.seal_all(cuts).await?;
        if self.context.budget.is_tight() { self.relieve().await } else { Ok(()) }
    }

    /// Refuses the records for whose partitions there is no room, and makes sure that a replay does so, too: which these
    /// are depends on what was cut when. Of what was processed before the restart none is refused anew, because it may be
    /// in a batch that is sealed.
    async fn refuse_exceeding(&mut self, routed: Routed, originals: &Batch) -> Result<Routed, RunnerError> {
        if routed.transformed.inputs.start < self.replay_end {
            return Ok(routed);
        }
        let exceeding = self.accumulator.exceeding(&routed);
        if exceeding.is_empty() {
            return Ok(routed);
        }
        match self.context.journal.exceeding(self.stream, exceeding.clone()).await {
            Ok(()) => self.cuts_early = false,
            Err(AppendError::TooManyExceeding(_)) => {
                // Said once, not per batch.
                if !std::mem::replace(&mut self.cuts_early, true) {
                    tracing::warn!(stream = %self.definition.name, "too many records are beyond the active partitions: partitions are cut early instead");
                }
                return Ok(routed);
            }
            Err(error) => return Err(error.into()),
        }
        self.history.exceed(&exceeding);
        self.metrics.exceeding_records.inc_by(exceeding.len());
        Ok(self.accumulator.route(replay::exceed(routed.transformed, originals, &exceeding)))
    }

    /// Gives memory back when the budget runs short and this stream holds more than its share: to files while they have
    /// room, by early cuts when it is over and they have not.
    async fn relieve(&mut self) -> Result<(), RunnerError> {
        while self.context.budget.is_tight() && self.accumulator.bytes() > self.context.budget.fair_share_bytes() / 2 {
            if !self.spill().await? {
                if !self.context.budget.is_over() {
                    return Ok(());
                }
                tracing::warn!(stream = %self.definition.name, "memory is short and the spool has no room: a batch is cut early");
                let cut = self.accumulator.cut_largest();
                return self.seal_all(cut).await;
            }
            self.share.resize(self.accumulator.bytes());
        }
        Ok(())
    }

    /// Writes the records of the largest buffers to the spool, so that their objects become as large as was asked for. False
    /// when there is nothing to write, or no room.
    async fn spill(&mut self) -> Result<bool, RunnerError> {
        let spills = self.accumulator.take_spills(self.context.budget.fair_share_bytes() / SPILLED_SHARE);
        if spills.is_empty() {
            return Ok(false);
        }
        let (spills, written) = spill::write(self.context.spool.clone(), spills).await?;
        spills.into_iter().for_each(|spill| self.accumulator.put_spill(spill));
        if let Err(error) = &written {
            tracing::debug!(stream = %self.definition.name, %error, "a batch cannot be spilled to disk");
        }
        Ok(written.is_ok())
    }

    async fn seal_all(&mut self, cuts: impl IntoIterator<Item = Cut>) -> Result<(), RunnerError> {
        // An update that was answered rules what is sealed after it.
        self.follow_definition();
        let mut cuts = cuts.into_iter();
        loop {
            let some: Vec<Cut> = cuts.by_ref().take(SEALS_AT_ONCE).collect();
            if some.is_empty() {
                break;
            }
            self.seal_some(some).await?;
        }
        self.share.resize(self.accumulator.bytes());
        let active = self.accumulator.active_partitions();
        self.metrics.active_partitions.set(i64::try_from(active).unwrap_or(i64::MAX));
        Ok(())
    }

    /// Seals cuts in their order, by one write where the journal can, and starts their deliveries.
    async fn seal_some(&mut self, cuts: Vec<Cut>) -> Result<(), RunnerError> {
        self.swap.noted().await?;
        let mut seals = Vec::with_capacity(cuts.len());
        let mut all_held = Vec::with_capacity(cuts.len());
        for cut in cuts {
            let (id, sealed_ms) = (self.context.random.uuid(), self.context.clock.now_ms());
            let promised = cut.promised_bytes.map(|bytes| (bytes, Arc::clone(&self.scale)));
            let (seal, content) = cut.plan(self.stream, &self.sealing, id, sealed_ms, &self.context.random)?;
            let bytes = content.bytes_in_memory();
            let (mut share, mut unencoded) = (self.context.budget.share(), self.unencoded.share());
            share.resize(bytes);
            unencoded.resize(bytes);
            seals.push(seal);
            all_held.push((Held { content, share, unencoded: Some(unencoded), room: None }, promised));
        }
        self.share.resize(self.accumulator.bytes());
        // Asked for in their order, which is the order in which the journal writes them.
        let sealed = try_join_all(seals.into_iter().map(|seal| self.context.journal.seal(seal))).await?;
        for (seal, (held, promised)) in sealed.into_iter().zip(all_held) {
            if matches!(seal.partition, Partition::Main | Partition::Keyed(_)) {
                self.metrics.sealed.add(seal.record_count, seal.content_bytes);
            }
            self.noted_open_from = seal.open_from;
            let is_crowded = self.deliveries.len() >= PENDING_DELIVERIES && self.context.budget.is_over();
            let held = if is_crowded { spill::set_down(self.context.spool.clone(), held).await? } else { Some(held) };
            self.send(seal, held, promised, None);
        }
        Ok(())
    }

    /// What its deliveries share.
    pub(crate) fn outlets(&self) -> Arc<Outlets> {
        Arc::clone(&self.outlets)
    }

    fn send(
        &mut self,
        seal: Arc<Seal>,
        content: Option<Held>,
        promised: Option<(u64, Arc<Scale>)>,
        failing_since_ms: Option<u64>,
    ) {
        self.pending.entry(seal.first).or_default().push(Arc::clone(&seal));
        let delivery = Delivery {
            context: Arc::clone(&self.context),
            history: Arc::clone(&self.history),
            metrics: self.metrics.clone(),
            seal: Arc::clone(&seal),
            content,
            promised,
            outlets: Arc::clone(&self.outlets),
            failing_since_ms,
            cancelled: self.signals.cancelled.clone(),
        };
        self.deliveries.spawn(async move { (seal, delivery.run().await) });
    }

    fn delivered(&mut self, ended: Result<(Arc<Seal>, Ended), tokio::task::JoinError>) {
        let (seal, ended) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(stream = %self.definition.name, %error, "a delivery task ended early; its batch is delivered after the next start");
                return;
            }
        };
        if ended == Ended::Delivered
            && let Some(same) = self.pending.get_mut(&seal.first)
        {
            same.retain(|pending| pending.id != seal.id);
            if same.is_empty() {
                self.pending.remove(&seal.first);
            }
        }
        let oldest_pending = self.pending.keys().next().copied().unwrap_or(Sequence::MAX);
        self.history.prune(oldest_pending.min(self.accumulator.open_from()));
    }

    /// A stream whose plugin drops everything has no seals to move the journal on.
    fn note_progress(&mut self) {
        let open_from = self.accumulator.open_from();
        let idle = self.in_flight.is_empty();
        if open_from > self.noted_open_from && (idle || open_from - self.noted_open_from >= CHECKPOINT_RECORDS) {
            self.noted_open_from = open_from;
            self.context.journal.checkpoint(self.stream, open_from);
        }
    }

    fn show_oldest(&self) {
        let sealed = self.pending.values().flatten().map(|seal| seal.oldest_arrived_ms).min();
        let open = self.accumulator.oldest_arrived_ms();
        let oldest = [sealed, open, self.held_ms].into_iter().flatten().min().unwrap_or(0);
        self.signals.oldest_ms.store(oldest, Ordering::Relaxed);
        // The ticker only lets it grow: whoever looks must never see 0 while something waits.
        let age = if oldest == 0 { 0 } else { self.context.clock.now_ms().saturating_sub(oldest).max(1) };
        self.metrics.freshness_ms.set(i64::try_from(age).unwrap_or(i64::MAX));
    }

    /// Everything durable was read: cut what is left and wait for the deliveries.
    async fn finish(mut self) -> Result<(), RunnerError> {
        let cuts = self.accumulator.flush();
        self.seal_all(cuts).await?;
        self.swap.noted().await?;
        self.note_progress();
        while let Some(ended) = self.deliveries.join_next().await {
            self.delivered(ended);
        }
        Ok(())
    }
}

async fn again(ahead: Ahead) {
    match ahead {
        Ahead::LookAgain(after) => tokio::time::sleep(after).await,
        Ahead::CaughtUp | Ahead::Busy => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("stream", &self.stream).field("position", &self.position).finish_non_exhaustive()
    }
}
