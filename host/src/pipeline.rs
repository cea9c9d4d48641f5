//! Builds all stages, joins them, drains them, stops them.
//!
//! The only place that knows every stage. Refuses to do any stage's work.

mod backend;
mod breaker;
mod budget;
mod dead_letter;
mod delivery;
mod gate;
mod gather;
mod guard;
mod history;
mod ladder;
mod making;
mod outlet;
mod parcel;
mod replay;
mod runner;
mod spill;
mod streams;
mod swap;
mod sweep;
mod work;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::convert::Catalog;
use crate::definition::Definition;
use crate::deliver::{Connector, Destination, Look, Policy};
use crate::journal::{self, Journal};
use crate::process::PluginHost;
use crate::record::StreamId;
use crate::runtime::{Clock, Random};
use crate::spool::Spool;
use crate::telemetry::Telemetry;

pub use backend::PipelineBackend;
pub use dead_letter::{Brought, Cursor, DeadLetterError, DeadLetters, Found, Page, Shown, Tally, Wish};

use budget::{Budget, Room};
use parcel::Shelf;
use streams::Streams;
use work::Workers;

/// Objects on their way at once, over all streams: enough to fill a fast link, few enough for one machine's sockets.
const DELIVERIES_AT_ONCE: usize = 32;

/// Requests of streams whose S3 is away, of which each has one at a time: apart from the others, so that however many
/// buckets hang, those that answer have their turns.
const PROBES_AT_ONCE: usize = 32;

/// Streams whose sealed batches are made again at once; each may need memory for one of them at least.
const REBUILDS_AT_ONCE: usize = 2;

/// What part of the budget batches may take that are read from files to be encoded, and what part objects that are read
/// from files to be sent; half as much those that ask for the others. Of the default budget that is the largest batch,
/// and what is larger than all of it has it alone.
const PASSING_SHARE: usize = 4;

/// How often gauges that depend on the time are brought up to date: well inside any scrape interval.
const REFRESH: Duration = Duration::from_secs(1);

/// What every stream's task needs.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) journal: Journal,
    pub(crate) plugins: Arc<PluginHost>,
    /// Where objects go.
    pub(crate) destination: Arc<dyn Destination>,
    /// Where tables of format conversion are looked up.
    pub(crate) catalog: Option<Catalog>,
    /// Opens what else a stream may deliver to.
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) backoff: Policy,
    pub(crate) budget: Budget,
    /// Room for batches that are made again or read from a file until they are encoded.
    pub(crate) encode_room: Room,
    /// Room for objects that are read from a file to be sent. Apart from the other, because a destination may take its
    /// time and the encoder never does.
    pub(crate) send_room: Room,
    /// The same for those that ask whether a place is back: it may take them long to hear that it is not.
    pub(crate) probe_room: Room,
    /// Where what memory has no room for waits.
    pub(crate) spool: Spool,
    pub(crate) partitions: Partitions,
    pub(crate) workers: Workers,
    /// What may wait there for places that are away.
    parked: Budget,
    parked_bytes: usize,
    pub(crate) delivery_turns: Semaphore,
    pub(crate) probe_turns: Semaphore,
    pub(crate) rebuild_turns: Semaphore,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<Random>,
    /// Start of the monotonic milliseconds that buffers are timed with.
    started: Instant,
    /// Set once a stream's task failed: the host must stop.
    pub(crate) failed: watch::Sender<Option<String>>,
}

impl Context {
    /// Milliseconds since the start, never jumping.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Where one stream's batches wait for places that are away.
    pub(crate) fn shelf(&self) -> Shelf {
        Shelf::new(self.spool.clone(), self.parked.clone(), self.parked_bytes)
    }

    /// The instant of [`Self::elapsed_ms`].
    pub(crate) fn instant(&self, elapsed_ms: u64) -> Instant {
        self.started + Duration::from_millis(elapsed_ms)
    }
}

/// Bounds of dynamic partitioning.
#[derive(Clone, Copy, Debug)]
pub struct Partitions {
    /// Most partitions that a stream fills at once.
    pub most_active: usize,
    /// Records of a partition too many go to the error output; else the partition that is due first is cut early.
    pub refuses: bool,
}

/// What the pipeline is built from.
#[derive(Debug)]
pub struct Parts {
    /// The opened journal.
    pub journal: Journal,
    /// What it remembered.
    pub recovered: journal::Recovered,
    /// Where plugins run.
    pub plugins: Arc<PluginHost>,
    /// Where objects go.
    pub destination: Arc<dyn Destination>,
    /// Where tables of format conversion are looked up, if anywhere.
    pub catalog: Option<Catalog>,
    /// Opens destinations other than S3.
    pub connector: Arc<dyn Connector>,
    /// Memory for everything between journal and destination, bytes.
    pub memory_bytes: usize,
    /// Where what memory has no room for waits.
    pub spool: Spool,
    /// What streams with dynamic partitioning may do.
    pub partitions: Partitions,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<Random>,
    /// Counters.
    pub telemetry: Arc<Telemetry>,
}

/// All streams of this host, running.
#[derive(Debug)]
pub struct Pipeline {
    context: Arc<Context>,
    streams: Arc<Streams>,
    telemetry: Arc<Telemetry>,
    draining: watch::Sender<bool>,
    held: watch::Receiver<Vec<String>>,
}

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Everything acknowledged was delivered.
    Drained,
    /// Time ran out; the journal holds the rest for the next start.
    Undelivered,
}

impl Pipeline {
    /// Starts a runner for every stream the journal remembers.
    pub fn start(parts: Parts) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        // The other half is for batches that fill.
        let parked_bytes = usize::try_from(parts.spool.capacity_bytes() / 2).unwrap_or(usize::MAX);
        let context = Arc::new(Context {
            journal: parts.journal,
            plugins: parts.plugins,
            destination: parts.destination,
            catalog: parts.catalog,
            connector: parts.connector,
            backoff: Policy::default(),
            budget: Budget::new(parts.memory_bytes),
            encode_room: Room::new(parts.memory_bytes / PASSING_SHARE),
            send_room: Room::new(parts.memory_bytes / PASSING_SHARE),
            probe_room: Room::new(parts.memory_bytes / PASSING_SHARE / 2),
            spool: parts.spool,
            parked: Budget::new(parked_bytes),
            parked_bytes,
            partitions: parts.partitions,
            workers: Workers::new(cores),
            delivery_turns: Semaphore::new(DELIVERIES_AT_ONCE),
            probe_turns: Semaphore::new(PROBES_AT_ONCE),
            rebuild_turns: Semaphore::new(REBUILDS_AT_ONCE),
            clock: parts.clock,
            random: parts.random,
            started: Instant::now(),
            failed: watch::Sender::new(None),
        });
        let (show_held, held) = watch::channel(Vec::new());
        let pipeline = Self {
            context,
            held,
            streams: Arc::new(Streams::default()),
            telemetry: parts.telemetry,
            draining: watch::Sender::new(false),
        };
        let (streams, clock) = (Arc::downgrade(&pipeline.streams), Arc::clone(&pipeline.context.clock));
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(REFRESH);
            while let Some(streams) = streams.upgrade() {
                show_held.send_replace(streams.refresh(clock.now_ms()));
                ticks.tick().await;
            }
        });
        let (context, streams) = (Arc::downgrade(&pipeline.context), Arc::downgrade(&pipeline.streams));
        for state in parts.recovered.streams {
            let draining = pipeline.draining.subscribe();
            pipeline.streams.start(&pipeline.context, state, parts.recovered.is_clean, &pipeline.telemetry, &draining);
        }
        tokio::spawn(sweep::run(context, streams));
        pipeline
    }

    /// Definitions of the streams in service.
    pub fn definitions(&self) -> Vec<Arc<Definition>> {
        self.streams.all().iter().map(|running| Arc::clone(&running.handle().definition)).collect()
    }

    /// What was not delivered, and the way back for it.
    pub fn dead_letters(&self, look: Arc<dyn Look>) -> DeadLetters {
        DeadLetters::new(Arc::clone(&self.context), Arc::clone(&self.streams), look)
    }

    /// Streams in service that have this name, one for each account.
    pub fn named(&self, name: &str) -> Vec<(StreamId, Arc<Definition>)> {
        let handles = self.streams.all().into_iter().map(|running| running.handle());
        let named = handles.filter(|handle| handle.definition.name == name);
        named.map(|handle| (handle.id, Arc::clone(&handle.definition))).collect()
    }

    /// Streams that hold because what they must store last cannot be stored, as `ACCOUNT/NAME`; the first hundred.
    pub fn held(&self) -> watch::Receiver<Vec<String>> {
        self.held.clone()
    }

    /// What the API talks to.
    pub fn backend(&self) -> PipelineBackend {
        PipelineBackend {
            context: Arc::clone(&self.context),
            streams: Arc::clone(&self.streams),
            telemetry: Arc::clone(&self.telemetry),
            draining: self.draining.subscribe(),
            changing: tokio::sync::Mutex::new(()),
        }
    }

    /// Resolves with a reason when the host must stop because a stream or the journal failed.
    pub async fn failed(&self) -> String {
        let mut failed = self.context.failed.subscribe();
        let mut poisoned = self.context.journal.poisoned();
        tokio::select! {
            reason = failed.wait_for(Option::is_some) => {
                reason.ok().and_then(|reason| reason.clone()).unwrap_or_else(|| "a stream failed".to_owned())
            }
            _ = poisoned.wait_for(|poisoned| *poisoned) => "the journal can no longer write".to_owned(),
        }
    }

    /// Seals and delivers what is there, for at most `grace`, then closes the journal. Puts must have stopped.
    pub async fn stop(&self, grace: Duration) -> Stopped {
        self.draining.send_replace(true);
        let drained = tokio::time::timeout(grace, self.streams.join()).await;
        let stopped = if drained.is_ok() { Stopped::Drained } else { Stopped::Undelivered };
        for running in self.streams.all() {
            running.cancel();
        }
        self.context.journal.clone().close().await;
        stopped
    }
}

/// Resolves when the signal is true, or when nobody can say so any more.
pub(crate) async fn is_true(signal: &mut watch::Receiver<bool>) {
    drop(signal.wait_for(|value| *value).await);
}
