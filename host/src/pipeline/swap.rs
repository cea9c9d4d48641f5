//! A change of what rules a stream: noted in the journal beside the stream's work, and timed.
//!
//! An epoch must be durable before a seal of what it rules, and no sooner: until then nothing that it ruled was sent, and
//! after a crash the records are processed anew. So calls go on while its fdatasync runs. Refuses to have two notes under
//! way: the later epoch rules where both do, so it must stand behind the earlier one in the journal.

use std::time::Instant;

use tokio::task::JoinSet;

use crate::journal::{AppendError, Journal};
use crate::record::Epoch;
use crate::telemetry::SwapMetrics;

use super::work::Gone;

/// The changes of one stream.
#[derive(Debug)]
pub(crate) struct Swap {
    /// The note that is under way, if any.
    noting: JoinSet<Result<(), AppendError>>,
    metrics: SwapMetrics,
}

/// Why an epoch is not noted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SwapError {
    /// The journal refuses everything from now on.
    #[error("the journal failed")]
    Journal(#[from] AppendError),
    /// The runtime is going down.
    #[error(transparent)]
    Work(#[from] Gone),
}

impl Swap {
    pub(crate) fn new(metrics: SwapMetrics) -> Self {
        Self { noting: JoinSet::new(), metrics }
    }

    /// Begins to note an epoch, once the one before is durable.
    pub(crate) async fn note(&mut self, journal: &Journal, epoch: Epoch) -> Result<(), SwapError> {
        self.noted().await?;
        let journal = journal.clone();
        self.noting.spawn(async move { journal.epoch(epoch).await });
        Ok(())
    }

    /// Waits until every epoch is durable: to be called before anything is sealed.
    pub(crate) async fn noted(&mut self) -> Result<(), SwapError> {
        while let Some(noted) = self.noting.join_next().await {
            noted.map_err(|_stopped| Gone)??;
        }
        Ok(())
    }

    /// The stream's calls stood still since then.
    pub(crate) fn paused(&self, since: Instant) {
        self.metrics.pause.observe(since.elapsed().as_secs_f64());
    }

    /// The object of the versions before was being sealed since then.
    pub(crate) fn has_cut(&self, since: Instant) {
        self.metrics.cut.observe(since.elapsed().as_secs_f64());
    }
}
