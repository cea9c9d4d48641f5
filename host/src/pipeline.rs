//! Builds all stages, joins them, drains them, stops them.
//!
//! The only place that knows every stage. Refuses to do any stage's work.

mod backend;
mod breaker;
mod budget;
mod delivery;
mod guard;
mod history;
mod ladder;
mod outlet;
mod rebuild;
mod replay;
mod runner;
mod streams;
mod swap;
mod work;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::convert::Catalog;
use crate::deliver::{Connector, Destination, Policy};
use crate::journal::{self, Journal};
use crate::process::PluginHost;
use crate::runtime::{Clock, Random};
use crate::spool::Spool;
use crate::telemetry::Telemetry;

pub use backend::PipelineBackend;

use budget::Budget;
use streams::Streams;
use work::Workers;

/// Objects on their way at once, over all streams: enough to fill a fast link, few enough for one machine's sockets.
const DELIVERIES_AT_ONCE: usize = 32;

/// Sealed batches being made again at once; each may need its whole size in memory.
const REBUILDS_AT_ONCE: usize = 2;

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
    /// Where what memory has no room for waits.
    pub(crate) spool: Spool,
    /// Most partitions that a stream fills at once.
    pub(crate) active_partitions: usize,
    pub(crate) workers: Workers,
    pub(crate) delivery_turns: Semaphore,
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

    /// The instant of [`Self::elapsed_ms`].
    pub(crate) fn instant(&self, elapsed_ms: u64) -> Instant {
        self.started + Duration::from_millis(elapsed_ms)
    }
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
    /// Most partitions that a stream with dynamic partitioning fills at once.
    pub active_partitions: usize,
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
        let context = Arc::new(Context {
            journal: parts.journal,
            plugins: parts.plugins,
            destination: parts.destination,
            catalog: parts.catalog,
            connector: parts.connector,
            backoff: Policy::default(),
            budget: Budget::new(parts.memory_bytes),
            spool: parts.spool,
            active_partitions: parts.active_partitions,
            workers: Workers::new(cores),
            delivery_turns: Semaphore::new(DELIVERIES_AT_ONCE),
            rebuild_turns: Semaphore::new(REBUILDS_AT_ONCE),
            clock: parts.clock,
            random: parts.random,
            started: Instant::now(),
            failed: watch::Sender::new(None),
        });
        let pipeline = Self {
            context,
            streams: Arc::new(Streams::default()),
            telemetry: parts.telemetry,
            draining: watch::Sender::new(false),
        };
        let (streams, clock) = (Arc::downgrade(&pipeline.streams), Arc::clone(&pipeline.context.clock));
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(REFRESH);
            while let Some(streams) = streams.upgrade() {
                streams.refresh(clock.now_ms());
                ticks.tick().await;
            }
        });
        for state in parts.recovered.streams {
            let draining = pipeline.draining.subscribe();
            pipeline.streams.start(&pipeline.context, state, parts.recovered.is_clean, &pipeline.telemetry, &draining);
        }
        pipeline
    }

    /// Definitions of the streams in service.
    pub fn definitions(&self) -> Vec<Arc<crate::definition::Definition>> {
        self.streams.all().iter().map(|running| Arc::clone(&running.handle().definition)).collect()
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
