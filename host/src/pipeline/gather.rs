//! Making sealed batches of one stream again from the journal, those that overlap in one pass.
//!
//! After a restart every batch that was not delivered needs its records, and those of a stream with partitions lie in
//! the same range: reading and processing it once for each would cost the square of it. So whoever makes its own takes
//! along what overlaps. What of that is beyond a pass's part of the memory budget, or has no room at the encoder, goes to
//! the spool; what finds no room there either waits for the next pass. Refuses to change a seal, what it promised is what is made, and to fail a batch for records
//! that are not its own.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::batch::Routing;
use crate::definition::Definition;
use crate::journal::ReadError;
use crate::record::{Content, Partition, Records, Rejected, Rows, Seal, Sequence, Transformed};
use crate::telemetry::StreamMetrics;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::budget::Share;
use super::delivery::Held;
use super::history::{History, HistoryError};
use super::replay::{READ_BYTES, ReplayError, apply, join, shorten, slice, unrepeatable};
use super::{Context, spill, work};

/// What part of the budget a pass may have in memory beside its own batch: as much as may wait for the encoder, so that
/// what is made again takes no more than half of it.
const GATHERED_SHARE: usize = 4;

/// The sealed batches of one stream that are to be made again.
#[derive(Debug)]
pub(crate) struct Gathering {
    metrics: StreamMetrics,
    waiting: Mutex<Waiting>,
    /// Held by whoever makes a pass for all.
    passing: tokio::sync::Mutex<()>,
}

type Answer = Result<Held, Arc<ReplayError>>;

/// By where they begin and who asked.
type All = BTreeMap<(Sequence, u64), Wanted>;

#[derive(Debug, Default)]
struct Waiting {
    all: All,
    /// Who asks next. Not by batch: one may be wanted twice, for its backup and for what was not taken of it.
    next: u64,
}

#[derive(Debug)]
struct Wanted {
    number: u64,
    seal: Arc<Seal>,
    answer: oneshot::Sender<Answer>,
    /// Something went wrong over records of others: nobody else is made beside it.
    is_alone: bool,
}

impl Gathering {
    pub(crate) fn new(metrics: StreamMetrics) -> Self {
        Self { metrics, waiting: Mutex::default(), passing: tokio::sync::Mutex::default() }
    }

    /// What `seal` promised, from the journal.
    pub(crate) async fn content(&self, context: &Context, history: &History, seal: &Arc<Seal>) -> Answer {
        loop {
            let (answer, mut answered) = oneshot::channel();
            let number = self.ask(seal, answer);
            loop {
                tokio::select! {
                    biased;
                    answer = &mut answered => match answer {
                        Ok(answer) => return answer,
                        // Whoever made the pass was cancelled.
                        Err(_gone) => break,
                    },
                    _passing = self.passing.lock() => Pass::of(self, context, history, seal, number).await.run().await,
                }
            }
        }
    }

    fn ask(&self, seal: &Arc<Seal>, answer: oneshot::Sender<Answer>) -> u64 {
        let mut waiting = self.lock();
        waiting.next += 1;
        let number = waiting.next;
        waiting.all.insert((seal.first, number), Wanted { number, seal: Arc::clone(seal), answer, is_alone: false });
        number
    }

    fn put(&self, wanted: Wanted) {
        self.lock().all.insert((wanted.seal.first, wanted.number), wanted);
    }

    /// What a pass for `seal` makes, asked for by `own`: with it what overlaps, unless it is to be made alone.
    fn take(&self, seal: &Seal, own: u64) -> All {
        let mut waiting = self.lock();
        waiting.all.retain(|_, one| !one.answer.is_closed());
        let is_alone = waiting.all.get(&(seal.first, own)).is_some_and(|own| own.is_alone);
        let joins = |_: &(Sequence, u64), one: &mut Wanted| {
            let is_beside = !is_alone && !one.is_alone && one.seal.first < seal.end && seal.first < one.seal.end;
            one.number == own || is_beside
        };
        waiting.all.extract_if(.., joins).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One pass over the journal.
struct Pass<'a> {
    gathering: &'a Gathering,
    context: &'a Context,
    history: &'a History,
    /// Who makes the pass, and room at the encoder for that batch: it stays in memory and is never put off, so that every
    /// pass ends with something.
    own: u64,
    room: Option<OwnedSemaphorePermit>,
    /// Batches that begin later.
    ahead: All,
    /// Batches whose range is being read.
    open: Vec<Gathered>,
    /// What is open.
    share: Share,
}

impl<'a> Pass<'a> {
    /// Waits for room first: nothing else is waited for with what was gathered in hand, because its room may be that of
    /// an answer that nobody looks at before the pass ends.
    async fn of(gathering: &'a Gathering, context: &'a Context, history: &'a History, seal: &Seal, own: u64) -> Self {
        let room = context.encode_room.take(seal.content_bytes).await;
        let (ahead, share) = (gathering.take(seal, own), context.budget.share());
        Self { gathering, context, history, own, room, ahead, open: Vec::new(), share }
    }

    async fn run(mut self) {
        let _turn = self.context.rebuild_turns.acquire().await;
        let mut at = 0;
        loop {
            let next = self.ahead.keys().next().map(|(first, _)| *first);
            if self.open.is_empty() {
                let Some(next) = next else { return };
                at = next;
            }
            self.open_until(at + 1);
            // Where a damaged range was skipped, there may be nothing left of some.
            let done: Vec<Gathered> = self.open.extract_if(.., |one| one.seal.end <= at).collect();
            for one in done {
                self.finish(one).await;
            }
            self.count();
            if self.open.is_empty() {
                continue;
            }
            match self.step(at).await {
                Ok(next) => at = next,
                Err(error) => {
                    // It stands in the way of everything behind it, too: that is looked at again when it is asked for.
                    let error = Arc::new(error);
                    self.open.drain(..).for_each(|one| one.fail(&error));
                    self.gathering.lock().all.append(&mut self.ahead);
                    return;
                }
            }
        }
    }

    /// Reads and processes what stands at `at`; answers with where to go on. An error is one of the record at `at`, which
    /// all that are open have.
    async fn step(&mut self, at: Sequence) -> Result<Sequence, ReplayError> {
        let (context, history) = (self.context, self.history);
        let (epoch, until) = history.ruling(at).ok_or(ReplayError::NoEpoch(at))?;
        let chain = history.chain(&epoch, context).await?;
        let end = self.open.iter().map(|one| one.seal.end).max().unwrap_or(at);
        self.gathering.metrics.remade_reads.inc();
        let stream = epoch.stream;
        let batches = match context.journal.read(stream, at, chain.most_bytes(READ_BYTES)).await {
            Ok(batches) => batches,
            Err(ReadError::Lost { end, .. }) => {
                tracing::error!(%stream, from = at, end, "records of sealed batches are damaged on disk; the rest is delivered");
                return Ok(end);
            }
            Err(other) => return Err(other.into()),
        };
        let Some(batch) = join(batches).map(|batch| shorten(&slice(&batch, at..until.min(end)), &chain)) else {
            return Err(ReplayError::NoEpoch(at));
        };
        let ran = at..batch.end();
        let decided = history.decided(ran.clone());
        self.open_until(ran.end);
        let transformed = match context.workers.process(move || apply(&chain, batch, &decided)).await {
            Ok(transformed) => transformed,
            Err(gone) => {
                self.blame(&ran, &ran, gone.into());
                return Ok(ran.end);
            }
        };
        for bad in unrepeatable(&transformed) {
            self.blame(&bad, &ran, ReplayError::Unrepeatable(bad.start));
        }
        let mut routes = Routes::default();
        for one in &mut self.open {
            one.add(&transformed, &mut routes);
        }
        self.relieve().await;
        Ok(ran.end)
    }

    /// Records of `bad` failed in one call over all of `ran`. A batch of which they are fails, unless there was more in
    /// the call than its own, which may be at fault: that one is made alone next.
    fn blame(&mut self, bad: &Range<Sequence>, ran: &Range<Sequence>, error: ReplayError) {
        let error = Arc::new(error);
        let is_hit = |one: &mut Gathered| one.seal.first < bad.end && bad.start < one.seal.end;
        for one in self.open.extract_if(.., is_hit) {
            if one.seal.first <= ran.start && ran.end <= one.seal.end {
                one.fail(&error);
            } else {
                self.gathering.put(one.put_off(true));
            }
        }
    }

    /// Begins with all batches that begin below `end`.
    fn open_until(&mut self, end: Sequence) {
        while let Some(first) = self.ahead.first_entry().filter(|first| first.key().0 < end) {
            let wanted = first.remove();
            let version = wanted.seal.definition_version;
            match self.history.definition(version) {
                Some(definition) => self.open.push(Gathered::new(wanted, &definition)),
                None => Gathered::refuse(wanted, HistoryError::Definition(version)),
            }
        }
    }

    /// Takes what is open in memory from the budget; answers with the bytes of that which others asked for.
    fn count(&mut self) -> usize {
        let bytes = |one: &Gathered| one.content.bytes_in_memory();
        self.share.resize(self.open.iter().map(bytes).sum());
        self.open.iter().filter(|one| one.number != self.own).map(bytes).sum()
    }

    /// Gives memory back beyond what a pass may have: to the spool, else by putting batches off.
    async fn relieve(&mut self) {
        let context = self.context;
        let budget = &context.budget;
        let most_bytes = budget.limit_bytes() / GATHERED_SHARE;
        loop {
            let bytes = self.count();
            let is_too_much = bytes > most_bytes;
            let is_unfair = budget.is_tight() && bytes > budget.fair_share_bytes() / 2;
            if !is_too_much && !is_unfair {
                return;
            }
            if let Some(one) = self.take_largest(Gathered::has_for_file) {
                // Should it fail, what was gathered is gone with its batch, which asks again.
                let Ok((one, is_written)) = one.spill(context).await else { continue };
                self.open.push(one);
                if is_written {
                    continue;
                }
            }
            if !is_too_much && !budget.is_over() {
                return;
            }
            let Some(one) = self.take_largest(|_| true) else { return };
            self.gathering.put(one.put_off(false));
        }
    }

    /// The largest of what others asked for.
    fn take_largest(&mut self, may_be: impl Fn(&Gathered) -> bool) -> Option<Gathered> {
        let of_others = |at: &usize| self.open[*at].number != self.own && may_be(&self.open[*at]);
        let largest =
            (0..self.open.len()).filter(of_others).max_by_key(|&at| self.open[at].content.bytes_in_memory())?;
        Some(self.open.swap_remove(largest))
    }

    /// Hands over what was gathered: in memory where there is room for it at the encoder, else in a file. What finds
    /// neither is made in another pass.
    async fn finish(&mut self, mut one: Gathered) {
        let is_filed = matches!(one.content, Content::Spilled { .. });
        let room = if one.number == self.own {
            self.room.take()
        } else if is_filed {
            // Whoever reads it waits for its own.
            None
        } else {
            self.context.encode_room.try_take(one.content.bytes())
        };
        if room.is_none() && (!is_filed || self.context.budget.is_tight()) {
            one = match one.spill(self.context).await {
                Ok((one, is_written)) if is_filed || is_written => one,
                Ok((one, _)) => return self.gathering.put(one.put_off(false)),
                // It asks again.
                Err(work::Gone) => return,
            };
        }
        let mut share = self.context.budget.share();
        share.resize(one.content.bytes_in_memory());
        let held = Held { content: one.content, share, unencoded: None, room };
        // Whoever asked may have been cancelled.
        one.answer.send(Ok(held)).ok();
    }
}

/// Where the outputs of one call belong, by the definition that says so.
#[derive(Default)]
struct Routes(HashMap<u32, HashMap<Partition, Vec<usize>>>);

impl Routes {
    fn of(&mut self, transformed: &Transformed, routing: &Routing, seal: &Seal) -> &[usize] {
        let routes = self.0.entry(seal.definition_version);
        let routes = routes.or_insert_with(|| routing.route(transformed).into_iter().collect());
        routes.get(&seal.partition).map_or(&[], Vec::as_slice)
    }
}

/// What a seal promised, as far as it was made again.
struct Gathered {
    number: u64,
    seal: Arc<Seal>,
    answer: oneshot::Sender<Answer>,
    content: Content,
    /// Dynamic partitioning by the seal's definition.
    routing: Option<Routing>,
}

impl Gathered {
    fn new(wanted: Wanted, definition: &Definition) -> Self {
        let Wanted { number, seal, answer, .. } = wanted;
        let content = match seal.partition {
            Partition::Main if definition.delivers_rows() => Content::Rows(Rows::default()),
            Partition::Main | Partition::Keyed(_) | Partition::Source => Content::Records(Vec::new()),
            Partition::Error(_) => Content::Rejected(Vec::new()),
        };
        Self { number, seal, answer, content, routing: Routing::new(definition) }
    }

    fn refuse(wanted: Wanted, error: HistoryError) {
        // Whoever asked may have been cancelled, here and below.
        wanted.answer.send(Err(Arc::new(error.into()))).ok();
    }

    fn fail(self, error: &Arc<ReplayError>) {
        self.answer.send(Err(Arc::clone(error))).ok();
    }

    fn put_off(self, is_alone: bool) -> Wanted {
        Wanted { number: self.number, seal: self.seal, answer: self.answer, is_alone }
    }

    /// Adds what `transformed` holds for the seal's partition and range.
    fn add(&mut self, transformed: &Transformed, routes: &mut Routes) {
        let sealed = self.seal.first..self.seal.end;
        match &mut self.content {
            Content::Rejected(list) => {
                let output = |one: &&Rejected| Partition::Error(one.output) == self.seal.partition;
                let rejected = transformed.rejected.iter().filter(|one| sealed.contains(&one.sequence));
                list.extend(rejected.filter(output).cloned());
            }
            Content::Records(bytes) | Content::Spilled { tail: bytes, .. }
                if self.seal.partition == Partition::Source =>
            {
                let source = transformed.source.iter().flat_map(Records::iter);
                for (sequence, record) in transformed.inputs.clone().zip(source) {
                    if sealed.contains(&sequence) {
                        bytes.extend_from_slice(record);
                    }
                }
            }
            Content::Records(bytes) | Content::Spilled { tail: bytes, .. } => {
                for at in outputs_of(transformed, &self.seal, self.routing.as_ref(), routes) {
                    bytes.extend_from_slice(transformed.outputs.record(at));
                }
            }
            Content::Rows(rows) => {
                rows.append(transformed, &outputs_of(transformed, &self.seal, self.routing.as_ref(), routes));
            }
        }
    }

    /// Whether there is something in memory that a file could hold.
    fn has_for_file(&self) -> bool {
        match &self.content {
            Content::Records(bytes) | Content::Spilled { tail: bytes, .. } => !bytes.is_empty(),
            Content::Rows(_) | Content::Rejected(_) => false,
        }
    }

    /// Writes what is in memory to the spool. False when there is nothing to write, or no room.
    async fn spill(self, context: &Context) -> Result<(Self, bool), work::Gone> {
        let (content, is_written) = spill::pour(context.spool.clone(), self.content).await?;
        Ok((Self { content, ..self }, is_written))
    }
}

/// Outputs of a call that belong to a batch.
fn outputs_of(transformed: &Transformed, seal: &Seal, routing: Option<&Routing>, routes: &mut Routes) -> Vec<usize> {
    let sealed = seal.first..seal.end;
    let is_inside = |at: &usize| sealed.contains(&(transformed.inputs.start + transformed.input_of(*at) as u64));
    match (&seal.partition, routing) {
        (Partition::Keyed(_), Some(routing)) => {
            routes.of(transformed, routing, seal).iter().copied().filter(is_inside).collect()
        }
        // No definition seals it so.
        (Partition::Keyed(_), None) => Vec::new(),
        _ => (0..transformed.outputs.len()).filter(is_inside).collect(),
    }
}

#[cfg(test)]
mod tests;
