//! One sealed batch on its way: encode, deliver, repeat until stored, tell the journal.
//!
//! While its destination is away a batch waits in the spool and one of all that wait asks, so that a dead destination
//! costs disk, not memory, and a request now and then. What a destination other than S3 does not take in time goes to
//! the error output. Refuses to give up on that: nothing acknowledged is thrown away here.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use crate::batch::Scale;
use crate::deliver::{DeliveryError, Outlet, Verdict};
use crate::record::{Content, Documents, Object, Partition, Rejected, Rows, Seal};
use crate::telemetry::{Place, StreamMetrics};

use super::Context;
use super::budget::Share;
use super::dead_letter::REDELIVERED;
use super::gate::Pass;
use super::history::History;
use super::is_true;
use super::ladder::{Ladder, Next};
use super::making::PrepareError;
use super::outlet::Outlets;
use super::parcel::{Parcel, Stock};

/// Longest wait between two attempts that a batch spends in memory: longer ones are worth a file.
const LONGEST_IN_MEMORY: Duration = Duration::from_secs(1);

/// What codes of failures begin with that say that an object is staged and was not loaded. Only these may end in giving
/// it up: whatever else went wrong, the object may be nowhere.
const LOADING: &str = "Redshift.";

/// A sealed batch and everything its delivery needs.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) context: Arc<Context>,
    pub(crate) history: Arc<History>,
    pub(crate) metrics: StreamMetrics,
    pub(crate) seal: Arc<Seal>,
    /// The content, when it is still there.
    pub(crate) content: Option<Held>,
    /// What its parts promised of the object's size, and who learns what became of that.
    pub(crate) promised: Option<(u64, Arc<Scale>)>,
    /// Where the stream's own records go.
    pub(crate) outlets: Arc<Outlets>,
    /// When an earlier process first tried in vain to deliver it, milliseconds since 1970.
    pub(crate) failing_since_ms: Option<u64>,
    /// Turns true when the process stops waiting for destinations.
    pub(crate) cancelled: watch::Receiver<bool>,
}

/// A sealed batch's content and the memory it holds.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) content: Content,
    /// Of the host's budget; shrinks to the body's size.
    pub(crate) share: Share,
    /// Of what its stream may have waiting for the encoder; none for a batch that is made again.
    pub(crate) unencoded: Option<Share>,
    /// Of what may wait for the encoder beside what streams hold: for a batch that is made again or read from a file.
    pub(crate) room: Option<OwnedSemaphorePermit>,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Stored, and the journal knows.
    Delivered,
    /// Given up because the process stops; the journal still holds it.
    Cancelled,
}

impl Delivery {
    /// Delivers until it is done or cancelled.
    pub(crate) async fn run(mut self) -> Ended {
        let mut cancelled = self.cancelled.clone();
        let lost = tokio::select! {
            lost = self.until_done() => lost,
            () = is_true(&mut cancelled) => return Ended::Cancelled,
        };
        self.context.journal.delivered(self.seal.stream, self.seal.id);
        if self.is_of_destination() {
            let bytes = self.seal.content_bytes.saturating_sub(lost.bytes);
            self.metrics.delivered.add(self.seal.record_count.saturating_sub(lost.records), bytes);
            self.metrics.undelivered.add(lost.records, lost.bytes);
        }
        Ended::Delivered
    }

    fn is_of_destination(&self) -> bool {
        matches!(self.seal.partition, Partition::Main | Partition::Keyed(_))
    }

    async fn until_done(&mut self) -> Lost {
        let definition = self.outlets.definition();
        if self.is_of_destination() && definition.delivers_rows() {
            self.rows_until_done().await
        } else if self.is_of_destination() && !definition.target.is_s3() {
            self.object_until_done().await
        } else {
            let is_source = self.seal.partition == Partition::Source;
            let place = if is_source { Place::Source } else { self.outlets.last_resort() };
            let (object, share) = self.object().await;
            let again = || self.object_again();
            self.store(place, Stock::of(object, share), again).await;
            Lost::default()
        }
    }

    /// Stores an object in S3, however long that takes: nothing of what is stored there has anywhere else to go. `again`
    /// makes it anew where it was forgotten.
    async fn store<F: Future<Output = Result<Object, PrepareError>>>(
        &self,
        place: Place,
        mut stock: Stock<Object>,
        mut again: impl FnMut() -> F,
    ) {
        let mut attempts = 0;
        loop {
            let pass = self.admit(place, &mut stock, None).await;
            if !self.load(&mut stock, &pass).await {
                let object = self.until_made(&mut again).await;
                stock = Stock::of(object, self.context.budget.share());
            }
            let Some(object) = stock.held() else { continue };
            let turns = if pass.is_probe() { &self.context.probe_turns } else { &self.context.delivery_turns };
            let stored = {
                let _turn = turns.acquire().await;
                self.context.destination.deliver(object).await
            };
            match stored {
                Ok(_) => {
                    pass.succeeded();
                    self.metrics.delivered_objects.inc();
                    let Seal { stream, bucket, key, record_count, .. } = &*object.seal;
                    tracing::info!(%stream, %bucket, %key, records = record_count, "object delivered");
                    return;
                }
                Err(error) => {
                    attempts += 1;
                    self.failed(pass, &mut stock, attempts, &error, None).await;
                }
            }
        }
    }

    /// Leave for one attempt. While the place is away what is to be sent waits in the spool, and the time of a batch that
    /// may be given up runs.
    async fn admit<T: Parcel>(
        &self,
        place: Place,
        stock: &mut Stock<T>,
        mut ladder: Option<(&mut Ladder, Duration)>,
    ) -> Pass {
        let gate = self.outlets.gate(place);
        loop {
            if gate.is_tripped() || (gate.is_crowded() && self.context.budget.is_over()) {
                stock.park(self.outlets.shelf()).await;
            }
            if let Some(pass) = gate.enter().await {
                return pass;
            }
            stock.park(self.outlets.shelf()).await;
            let left = ladder.as_mut().and_then(|(ladder, retry)| ladder.left(Instant::now(), *retry));
            if let Some(pass) = gate.wait(left).await {
                return pass;
            }
        }
    }

    /// Brings what is to be sent back into memory; false when it has to be made again.
    async fn load<T: Parcel>(&self, stock: &mut Stock<T>, pass: &Pass) -> bool {
        let room = if pass.is_probe() { &self.context.probe_room } else { &self.context.send_room };
        stock.load(&self.context.budget, room).await
    }

    /// Learns from a failed attempt, and waits before the next one, at most `most`; where the gate tripped, that is the
    /// gate's to say.
    async fn failed<T: Parcel>(
        &self,
        pass: Pass,
        stock: &mut Stock<T>,
        attempts: u32,
        error: &DeliveryError,
        most: Option<Duration>,
    ) {
        let floor = match error.verdict {
            Verdict::Retry(after) => after,
            Verdict::Reject | Verdict::Stop => None,
        };
        let gate = pass.failed(floor);
        self.metrics.delivery_retries.inc();
        let wait = self.context.backoff.wait(attempts, floor, &self.context.random).min(most.unwrap_or(Duration::MAX));
        let Seal { stream, bucket, key, .. } = &*self.seal;
        if gate.is_tripped() {
            tracing::warn!(%stream, %bucket, %key, code = error.code, attempts, %error, "delivery failed, is repeated when its turn comes");
            return;
        }
        let retry_in_ms = wait.as_millis();
        tracing::warn!(%stream, %bucket, %key, code = error.code, attempts, retry_in_ms, %error, "delivery failed, will be repeated");
        if wait > LONGEST_IN_MEMORY {
            stock.park(self.outlets.shelf()).await;
        } else {
            // Whoever waits takes no room from those that send.
            stock.put_back();
        }
        tokio::time::sleep(wait).await;
    }

    /// A destination that takes objects and may be given up.
    async fn object_until_done(&mut self) -> Lost {
        let mut ladder = self.ladder();
        let mut unstaged = 0;
        let (object, share) = self.object().await;
        let mut stock = Stock::of(object, share);
        loop {
            let retry = self.retry();
            // Its time does not run before it is known to be staged.
            let pass = self.admit(Place::Destination, &mut stock, Some((&mut ladder, retry))).await;
            if !self.load(&mut stock, &pass).await {
                let object = self.until_made(|| self.object_again()).await;
                stock = Stock::of(object, self.context.budget.share());
            }
            let Some(object) = stock.held() else { continue };
            let outlet = self.outlets.current();
            let outcome = match &outlet {
                Ok(Some(Outlet::Objects(outlet))) => outlet.deliver(object).await,
                Ok(_) => Err(unopened(&self.seal)),
                Err(error) => Err(repeated(error)),
            };
            let failure = outcome.as_ref().err().map(repeated);
            let is_unstaged = failure.as_ref().is_some_and(|failure| !failure.code.starts_with(LOADING));
            // What cannot be staged cannot be kept anywhere.
            self.outlets.gate(Place::Backup).note(!is_unstaged);
            if let Some(failure) = failure.as_ref().filter(|_| is_unstaged) {
                // Nothing says that it is staged, so it may be nowhere yet: it is never given up.
                unstaged += 1;
                self.failed(pass, &mut stock, unstaged, failure, None).await;
                continue;
            }
            match ladder.learn(1, outcome.as_ref().cloned(), Instant::now(), retry) {
                Next::Again(left) => {
                    self.note_failing(&mut ladder);
                    let failure = failure.unwrap_or_else(|| unopened(&self.seal));
                    self.failed(pass, &mut stock, ladder.attempts(), &failure, Some(left)).await;
                }
                Next::Done if !ladder.has_lost() => {
                    pass.succeeded();
                    let Seal { stream, bucket, key, record_count, .. } = &*self.seal;
                    tracing::info!(%stream, %bucket, %key, records = record_count, "staged object loaded");
                    return Lost::default();
                }
                Next::Done => {
                    pass.failed(None);
                    let object = Object { body: Bytes::new(), ..object.clone() };
                    drop(stock);
                    self.give_up(&outlet, &object).await;
                    return Lost { records: self.seal.record_count, bytes: self.seal.content_bytes };
                }
            }
        }
    }

    /// Says that an object which is staged, and of which only the seal is needed, was not loaded in time.
    async fn give_up(&self, outlet: &Result<Option<Outlet>, DeliveryError>, object: &Object) {
        if let Ok(Some(Outlet::Objects(outlet))) = outlet {
            let mut attempts = 0;
            while let Err(error) = outlet.give_up(object).await {
                self.outlets.gate(Place::Backup).note(false);
                attempts += 1;
                let wait = self.context.backoff.wait(attempts, None, &self.context.random);
                let Seal { stream, key, .. } = &*self.seal;
                tracing::warn!(%stream, %key, code = error.code, attempts, %error, "a batch cannot be given up yet, will be repeated");
                tokio::time::sleep(wait).await;
            }
            self.outlets.gate(Place::Backup).note(true);
        }
        tracing::error!(stream = %self.seal.stream, key = %self.seal.key, "a staged object was not loaded in time; it stays where it is, and a manifest below errors/manifests/ loads it");
    }

    /// A destination that takes records one by one and may be given up.
    async fn rows_until_done(&mut self) -> Lost {
        let mut ladder = self.ladder();
        let (rows, share) = self.rows().await;
        let mut stock = Stock::of(rows, share);
        loop {
            let retry = self.retry();
            if self.outlets.gate(Place::Destination).is_tripped() {
                // It waits for what is known to fail, so its time runs.
                ladder.begin(Instant::now());
                self.note_failing(&mut ladder);
            }
            let pass = self.admit(Place::Destination, &mut stock, Some((&mut ladder, retry))).await;
            if !self.load(&mut stock, &pass).await {
                let (rows, share) = self.rows().await;
                stock = Stock::of(rows, share);
            }
            let Some(rows) = stock.held() else { continue };
            let documents = Documents { seal: Arc::clone(&self.seal), rows: ladder.outstanding(rows.clone()) };
            let outlet = self.outlets.current();
            let outcome = match &outlet {
                Ok(Some(Outlet::Rows(outlet))) => outlet.deliver(&documents).await,
                Ok(_) => Err(unopened(&self.seal)),
                Err(error) => Err(repeated(error)),
            };
            drop(documents);
            let answered = outcome.as_ref().map_or_else(|error| error.verdict == Verdict::Reject, |_| true);
            let failure = failure_of(&outcome);
            match ladder.learn(rows.len(), outcome.as_ref().cloned(), Instant::now(), retry) {
                Next::Again(left) => {
                    self.note_failing(&mut ladder);
                    let failure = failure.unwrap_or_else(|| unopened(&self.seal));
                    if answered {
                        self.put_off(pass, &mut stock, ladder.attempts(), &failure, left).await;
                    } else {
                        self.failed(pass, &mut stock, ladder.attempts(), &failure, Some(left)).await;
                    }
                }
                Next::Done => {
                    if answered {
                        pass.succeeded()
                    } else {
                        drop(pass.failed(None))
                    }
                    let rows = rows.clone();
                    return self.file_rows((rows, stock), &ladder, outlet.ok().flatten()).await;
                }
            }
        }
    }

    /// The destination answered and wants some of it later, at most `most`: others may go on.
    async fn put_off<T: Parcel>(
        &self,
        pass: Pass,
        stock: &mut Stock<T>,
        attempts: u32,
        error: &DeliveryError,
        most: Duration,
    ) {
        pass.succeeded();
        self.metrics.delivery_retries.inc();
        let wait = self.context.backoff.wait(attempts, None, &self.context.random).min(most);
        let (stream, retry_in_ms) = (&self.seal.stream, wait.as_millis());
        tracing::warn!(%stream, code = error.code, attempts, retry_in_ms, %error, "delivery was put off in part, will be repeated");
        if wait > LONGEST_IN_MEMORY {
            stock.park(self.outlets.shelf()).await;
        } else {
            // Whoever waits takes no room from those that send.
            stock.put_back();
        }
        tokio::time::sleep(wait).await;
    }

    /// Stores in S3 what belongs there of a batch of rows: everything, where all is backed up, and what was not taken.
    /// Both are encoded before either is sent, so that what waits for a bucket waits in files.
    /// `held` is the rows and what they hold until then.
    async fn file_rows(&self, held: (Rows, Stock<Rows>), ladder: &Ladder, outlet: Option<Outlet>) -> Lost {
        let rows = &held.0;
        let backs_up_all = self.outlets.definition().persistence().is_some_and(|(_, all)| all);
        let mut objects = Vec::new();
        let copied = if backs_up_all { new_of(rows) } else { Rows::default() };
        if !copied.is_empty() {
            let object = self.until_made(|| self.copy(copied.clone())).await;
            objects.push((object, false));
        }
        drop(copied);
        let mut lost = Lost::default();
        if ladder.has_lost() {
            let rejected = self.rejected(rows.clone(), ladder, outlet.as_ref());
            lost.records = rejected.len() as u64;
            lost.bytes = rejected.iter().map(|one| one.data.len() as u64).sum();
            let code = rejected.first().map_or("", |one| &*one.code);
            tracing::warn!(stream = %self.seal.stream, records = lost.records, code, "records were not taken by the destination; they go to the error output");
            let object = self.until_made(|| self.failures(rejected.clone())).await;
            objects.push((object, true));
        }
        drop(held);
        let outlet = outlet.as_ref();
        let storing = objects.into_iter().map(|(object, is_failures)| {
            let mut share = self.context.budget.share();
            share.resize(object.body.len());
            let again = move || async move {
                let Content::Rows(rows) = self.made_again().await?.content else { return Err(PrepareError::Rows) };
                if is_failures {
                    self.failures(self.rejected(rows, ladder, outlet)).await
                } else {
                    self.copy(new_of(&rows)).await
                }
            };
            self.store(Place::Backup, Stock::of(object, share), again)
        });
        join_all(storing).await;
        lost
    }

    async fn copy(&self, rows: Rows) -> Result<Object, PrepareError> {
        self.encode(Arc::clone(&self.seal), Content::Rows(rows)).await
    }

    /// What of a batch goes to the error output.
    fn rejected(&self, rows: Rows, ladder: &Ladder, outlet: Option<&Outlet>) -> Vec<Rejected> {
        let template = Rejected {
            sequence: 0,
            arrived_ms: 0,
            data: Bytes::new(),
            output: self.outlets.definition().undelivered_output(),
            code: Cow::Borrowed(""),
            message: String::new(),
            attempts: 0,
            lambda_arn: None,
            plugin: None,
            names: Vec::new(),
            is_repeatable: true,
        };
        let documents = Documents { seal: Arc::clone(&self.seal), rows };
        let names = |at: usize| match outlet {
            Some(Outlet::Rows(outlet)) => outlet.names_of(&documents, at),
            _ => Vec::new(),
        };
        ladder.rejected(&documents.rows, &template, names)
    }

    /// How far it came, as far as the journal knows.
    fn ladder(&self) -> Ladder {
        let since = |since_ms| Duration::from_millis(self.context.clock.now_ms().saturating_sub(since_ms));
        Ladder::new(self.failing_since_ms.map(since))
    }

    /// Has the journal remember when its time began to run.
    fn note_failing(&self, ladder: &mut Ladder) {
        if ladder.take_begun() {
            self.context.journal.failing(self.seal.stream, self.seal.id, self.context.clock.now_ms());
        }
    }

    fn retry(&self) -> Duration {
        let (seconds, _) = self.outlets.definition().persistence().unwrap_or_default();
        Duration::from_secs(u64::from(seconds))
    }
}

/// What of these is to be copied where everything is backed up: what is delivered once more was copied when it was
/// delivered first.
fn new_of(rows: &Rows) -> Rows {
    let new: Vec<usize> = (0..rows.len()).filter(|&at| rows.value(REDELIVERED, at).is_none()).collect();
    if new.len() == rows.len() { rows.clone() } else { rows.select(&new) }
}

/// What is said of an attempt after which something is to be sent again.
fn failure_of(outcome: &Result<crate::deliver::Receipt, DeliveryError>) -> Option<DeliveryError> {
    match outcome {
        Ok(receipt) => receipt.again.first().map(|postponed| DeliveryError {
            verdict: Verdict::Retry(None),
            code: "Postponed",
            text: format!("{} records are to be sent again: {}", receipt.again.len(), postponed.message),
            source: None,
        }),
        Err(error) => Some(repeated(error)),
    }
}

/// What went to the error output instead of the destination.
#[derive(Clone, Copy, Debug, Default)]
struct Lost {
    records: u64,
    bytes: u64,
}

/// An error as it was, without its source: attempts are told apart by their words.
fn repeated(error: &DeliveryError) -> DeliveryError {
    DeliveryError { verdict: error.verdict, code: error.code, text: error.text.clone(), source: None }
}

/// The definition names another kind of destination than the batch was sealed for; an update cannot do that.
fn unopened(seal: &Seal) -> DeliveryError {
    let text = format!("stream {} has no destination for batch {}", seal.stream, seal.id);
    DeliveryError { verdict: Verdict::Stop, code: "InternalError", text, source: None }
}
