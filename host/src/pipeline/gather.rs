//! Making sealed batches of one stream again from the journal, all that wait for it in one pass.
//!
//! After a restart every batch that was not delivered needs its records, and those of a stream with partitions lie in
//! the same range: reading and processing it once for each would cost the square of it. What a pass gathers beyond the
//! memory budget goes to the spool; what finds no room there either waits for the next pass. Refuses to change a seal:
//! what it promised is what is made.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::batch;
use crate::definition::{Definition, PartitionKey};
use crate::journal::ReadError;
use crate::record::{Content, Partition, Records, Rejected, Rows, Seal, Sequence, Transformed};
use crate::telemetry::StreamMetrics;

use super::budget::Share;
use super::delivery::Held;
use super::history::{History, HistoryError};
use super::replay::{READ_BYTES, ReplayError, apply, join, shorten, slice, unrepeatable};
use super::{Context, work};

/// The sealed batches of one stream that are to be made again.
#[derive(Debug)]
pub(crate) struct Gathering {
    metrics: StreamMetrics,
    waiting: Mutex<BTreeMap<(Sequence, Uuid), Wanted>>,
    /// Held by whoever makes a pass for all.
    passing: tokio::sync::Mutex<()>,
}

type Answer = Result<Held, Arc<ReplayError>>;

#[derive(Debug)]
struct Wanted {
    seal: Arc<Seal>,
    answer: oneshot::Sender<Answer>,
}

impl Gathering {
    pub(crate) fn new(metrics: StreamMetrics) -> Self {
        Self { metrics, waiting: Mutex::default(), passing: tokio::sync::Mutex::default() }
    }

    /// What `seal` promised, from the journal.
    pub(crate) async fn content(&self, context: &Context, history: &History, seal: &Arc<Seal>) -> Answer {
        loop {
            let (answer, mut answered) = oneshot::channel();
            self.lock().insert((seal.first, seal.id), Wanted { seal: Arc::clone(seal), answer });
            loop {
                tokio::select! {
                    biased;
                    answer = &mut answered => match answer {
                        Ok(answer) => return answer,
                        // Whoever made the pass was cancelled.
                        Err(_gone) => break,
                    },
                    _passing = self.passing.lock() => Pass::new(self, context, history).run().await,
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Sequence, Uuid), Wanted>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One pass over the journal.
struct Pass<'a> {
    gathering: &'a Gathering,
    context: &'a Context,
    history: &'a History,
    /// Batches that begin later, by where.
    ahead: BTreeMap<(Sequence, Uuid), Wanted>,
    /// Batches whose range is being read.
    open: Vec<Gathered>,
}

impl<'a> Pass<'a> {
    fn new(gathering: &'a Gathering, context: &'a Context, history: &'a History) -> Self {
        Self { gathering, context, history, ahead: BTreeMap::new(), open: Vec::new() }
    }

    async fn run(mut self) {
        let _turn = self.context.rebuild_turns.acquire().await;
        self.ahead = std::mem::take(&mut *self.gathering.lock());
        let mut at = 0;
        loop {
            let next = self.ahead.keys().next().map(|(first, _)| *first);
            if self.open.is_empty() {
                let Some(next) = next else { return };
                at = next;
            }
            self.open_until(at + 1);
            // Where a damaged range was skipped, there may be nothing left of some.
            let done = |one: &mut Gathered| one.seal.end <= at;
            self.open.extract_if(.., done).for_each(Gathered::finish);
            if self.open.is_empty() {
                continue;
            }
            match self.step(at).await {
                Ok(next) => at = next,
                Err(error) => {
                    // It stands in the way of everything behind it, too: that is looked at again when it is asked for.
                    let error = Arc::new(error);
                    self.open.drain(..).for_each(|one| one.fail(&error));
                    self.gathering.lock().append(&mut self.ahead);
                    return;
                }
            }
        }
    }

    /// Reads and processes what stands at `at`; answers with where to go on.
    async fn step(&mut self, at: Sequence) -> Result<Sequence, ReplayError> {
        let (context, history) = (self.context, self.history);
        let (epoch, until) = history.ruling(at).ok_or(ReplayError::NoEpoch(at))?;
        let chain = history.chain(&epoch, context).await?;
        let end = self.open.iter().map(|one| one.seal.end).max().unwrap_or(at);
        let Some(stream) = self.open.first().map(|one| one.seal.stream) else { return Ok(end) };
        self.gathering.metrics.remade_reads.inc();
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
        let (next, aside) = (batch.end(), history.aside(batch.first..batch.end()));
        let transformed = context.workers.process(move || apply(&chain, batch, &aside)).await?;
        self.open_until(next);
        for bad in unrepeatable(&transformed) {
            let error = Arc::new(ReplayError::Unrepeatable(bad.start));
            let holds = |one: &mut Gathered| one.seal.first < bad.end && bad.start < one.seal.end;
            self.open.extract_if(.., holds).for_each(|one| one.fail(&error));
        }
        let mut routes = Routes::default();
        for one in &mut self.open {
            one.add(&transformed, &mut routes);
        }
        self.relieve().await;
        Ok(next)
    }

    /// Begins with all batches that begin below `end`.
    fn open_until(&mut self, end: Sequence) {
        while let Some(first) = self.ahead.first_entry().filter(|first| first.key().0 < end) {
            let wanted = first.remove();
            let version = wanted.seal.definition_version;
            match self.history.definition(version) {
                Some(definition) => self.open.push(Gathered::new(wanted, &definition, self.context.budget.share())),
                None => Gathered::refuse(wanted, HistoryError::Definition(version)),
            }
        }
    }

    /// Gives memory back while the budget is over: to the spool, else to whoever is gathered in this pass.
    async fn relieve(&mut self) {
        while self.context.budget.is_over() {
            let Some(largest) = (0..self.open.len()).max_by_key(|&at| self.open[at].content.bytes_in_memory()) else {
                return;
            };
            match self.open[largest].spill(self.context).await {
                Ok(true) => continue,
                // One at a time is made whatever it takes, so that a pass always delivers something.
                Ok(false) if self.open.len() == 1 => return,
                Ok(false) | Err(work::Gone) => {}
            }
            let Gathered { seal, answer, .. } = self.open.swap_remove(largest);
            self.gathering.lock().insert((seal.first, seal.id), Wanted { seal, answer });
        }
    }
}

/// Where the outputs of one batch belong, by the columns of the keys.
#[derive(Default)]
struct Routes(HashMap<Vec<String>, HashMap<Partition, Vec<usize>>>);

impl Routes {
    fn of(&mut self, transformed: &Transformed, columns: &[String], partition: &Partition) -> &[usize] {
        if !self.0.contains_key(columns) {
            let routes = batch::route(transformed, columns).into_iter().collect();
            self.0.insert(columns.to_vec(), routes);
        }
        self.0.get(columns).and_then(|routes| routes.get(partition)).map_or(&[], Vec::as_slice)
    }
}

/// What a seal promised, as far as it was made again.
struct Gathered {
    seal: Arc<Seal>,
    answer: oneshot::Sender<Answer>,
    content: Content,
    share: Share,
    /// Columns of the keys of the seal's definition.
    columns: Vec<String>,
}

impl Gathered {
    fn new(wanted: Wanted, definition: &Definition, share: Share) -> Self {
        let Wanted { seal, answer } = wanted;
        let content = match seal.partition {
            Partition::Main if definition.delivers_rows() => Content::Rows(Rows::default()),
            Partition::Main | Partition::Keyed(_) | Partition::Source => Content::Records(Vec::new()),
            Partition::Error(_) => Content::Rejected(Vec::new()),
        };
        let keys = definition.partitioning.iter().flat_map(|partitioning| &partitioning.keys);
        Self { seal, answer, content, share, columns: keys.map(PartitionKey::column).collect() }
    }

    fn refuse(wanted: Wanted, error: HistoryError) {
        // Whoever asked may have been cancelled, here and below.
        wanted.answer.send(Err(Arc::new(error.into()))).ok();
    }

    fn fail(self, error: &Arc<ReplayError>) {
        self.answer.send(Err(Arc::clone(error))).ok();
    }

    fn finish(self) {
        let held = Held { content: self.content, share: self.share, unencoded: None };
        self.answer.send(Ok(held)).ok();
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
                for at in outputs_of(transformed, &self.seal.partition, &self.columns, &sealed, routes) {
                    bytes.extend_from_slice(transformed.outputs.record(at));
                }
            }
            Content::Rows(rows) => {
                let chosen = outputs_of(transformed, &self.seal.partition, &self.columns, &sealed, routes);
                rows.append(transformed, &chosen);
            }
        }
        self.share.resize(self.content.bytes_in_memory());
    }

    /// Writes what is in memory to the spool. False when there is nothing to write, or no room; after an error what was
    /// gathered is gone.
    async fn spill(&mut self, context: &Context) -> Result<bool, work::Gone> {
        let (mut file, bytes) = match std::mem::replace(&mut self.content, Content::Records(Vec::new())) {
            Content::Records(bytes) => (None, bytes),
            // Nobody else has it before it is finished.
            Content::Spilled { file, tail } => (Some(Arc::into_inner(file).ok_or(work::Gone)?), tail),
            other => {
                self.content = other;
                return Ok(false);
            }
        };
        let spool = context.spool.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let is_written = !bytes.is_empty() && spool.append(&mut file, &bytes).is_ok();
            (file, bytes, is_written)
        });
        let (file, bytes, is_written) = writing.await.map_err(|_panicked| work::Gone)?;
        let tail = if is_written { Vec::new() } else { bytes };
        self.content = match file {
            Some(file) => Content::Spilled { file: Arc::new(file), tail },
            None => Content::Records(tail),
        };
        self.share.resize(self.content.bytes_in_memory());
        Ok(is_written)
    }
}

/// Outputs of a batch that belong to a partition and came from these inputs.
fn outputs_of(
    transformed: &Transformed,
    partition: &Partition,
    columns: &[String],
    inputs: &Range<Sequence>,
    routes: &mut Routes,
) -> Vec<usize> {
    let is_inside = |at: &usize| inputs.contains(&(transformed.inputs.start + transformed.input_of(*at) as u64));
    match partition {
        Partition::Keyed(_) => routes.of(transformed, columns, partition).iter().copied().filter(is_inside).collect(),
        _ => (0..transformed.outputs.len()).filter(is_inside).collect(),
    }
}
