//! The streams of this host by account and name: what the API looks up, and what starts and stops runners.
//!
//! The journal is the truth; this is its running image. Refuses to check a definition; the API did.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::definition::Definition;
use crate::journal::StreamState;
use crate::record::StreamId;
use crate::telemetry::{StreamMetrics, Telemetry};

use super::Context;
use super::runner::{Runner, RunnerError, Signals};

/// A stream in service.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) id: StreamId,
    pub(crate) metrics: StreamMetrics,
    definition: watch::Sender<Arc<Definition>>,
    cancelled: watch::Sender<bool>,
    oldest_ms: Arc<AtomicU64>,
    task: std::sync::Mutex<Option<JoinHandle<Result<(), RunnerError>>>>,
}

impl Running {
    /// The definition in force.
    pub(crate) fn definition(&self) -> Arc<Definition> {
        Arc::clone(&self.definition.borrow())
    }

    /// Makes a new version rule from the next batch on.
    pub(crate) fn update(&self, definition: Definition) {
        self.definition.send_replace(Arc::new(definition));
    }

    /// Age of the oldest undelivered record, milliseconds.
    fn freshness_ms(&self, now_ms: u64) -> i64 {
        match self.oldest_ms.load(Ordering::Relaxed) {
            0 => 0,
            oldest => i64::try_from(now_ms.saturating_sub(oldest)).unwrap_or(i64::MAX),
        }
    }

    /// Gives up deliveries and ends the runner without waiting.
    pub(crate) fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    fn take_task(&self) -> Option<JoinHandle<Result<(), RunnerError>>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

type Accounts = BTreeMap<String, BTreeMap<String, Arc<Running>>>;

/// All streams in service.
#[derive(Debug, Default)]
pub(crate) struct Streams(RwLock<Accounts>);

impl Streams {
    pub(crate) fn find(&self, account: &str, name: &str) -> Option<Arc<Running>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(account)?.get(name).cloned()
    }

    /// The streams of an account by name.
    pub(crate) fn list(&self, account: &str) -> Vec<Arc<Running>> {
        let accounts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        accounts.get(account).into_iter().flat_map(|streams| streams.values().cloned()).collect()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Running>> {
        let accounts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        accounts.values().flat_map(|streams| streams.values().cloned()).collect()
    }

    pub(crate) fn remove(&self, account: &str, name: &str) -> Option<Arc<Running>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).get_mut(account)?.remove(name)
    }

    /// Starts the runner of a stream and shows the stream to the API.
    pub(crate) fn start(
        &self,
        context: &Arc<Context>,
        state: StreamState,
        clean: bool,
        telemetry: &Telemetry,
        draining: &watch::Receiver<bool>,
    ) -> Option<Arc<Running>> {
        let definition = Arc::new(state.definitions.last()?.clone());
        let (account, name, id) = (definition.account_id.clone(), definition.name.clone(), state.id);
        let metrics = telemetry.stream(&account, &name);
        let (definition_out, definition_in) = watch::channel(definition);
        let (cancelled_out, cancelled_in) = watch::channel(false);
        let oldest_ms = Arc::new(AtomicU64::new(0));
        let signals = Signals {
            definition: definition_in,
            draining: draining.clone(),
            cancelled: cancelled_in,
            oldest_ms: Arc::clone(&oldest_ms),
        };
        let runner = Runner::new(Arc::clone(context), state, clean, metrics.clone(), signals);
        let failed = context.failed.clone();
        let task = tokio::spawn(async move {
            let ended = runner.run().await;
            if let Err(error) = &ended {
                failed.send_replace(Some(error.to_string()));
            }
            ended
        });
        let running = Arc::new(Running {
            id,
            metrics,
            definition: definition_out,
            cancelled: cancelled_out,
            oldest_ms,
            task: std::sync::Mutex::new(Some(task)),
        });
        let mut accounts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        accounts.entry(account).or_default().insert(name, Arc::clone(&running));
        Some(running)
    }

    /// Brings the gauges that depend on the time up to date.
    pub(crate) fn refresh(&self, now_ms: u64) {
        for running in self.all() {
            running.metrics.freshness_ms.set(running.freshness_ms(now_ms));
        }
    }

    /// Waits until every runner has ended.
    pub(crate) async fn join(&self) {
        for running in self.all() {
            if let Some(task) = running.take_task()
                && let Err(error) = task.await
            {
                tracing::error!(stream = %running.id, %error, "a stream's task panicked");
            }
        }
    }
}
