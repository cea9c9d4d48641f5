//! The streams of this host by account and name: what the API looks up, and what starts and stops runners.
//!
//! The journal is the truth; this is its running image. Refuses to check a definition; the API did.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::api::{Stream, StreamHandle, StreamStatus};
use crate::definition::Definition;
use crate::journal::StreamState;
use crate::record::Replayed;
use crate::telemetry::{DeliveryState, Telemetry};

use super::Context;
use super::outlet::Outlets;
use super::runner::{Runner, Signals};

/// A stream in service.
#[derive(Debug)]
pub(crate) struct Running {
    handle: RwLock<StreamHandle>,
    definition: watch::Sender<Arc<Definition>>,
    cancelled: watch::Sender<bool>,
    oldest_ms: Arc<AtomicU64>,
    outlets: Arc<Outlets>,
    /// When it was last said that the stream is held.
    alarmed: Mutex<Option<Instant>>,
    task: Mutex<Option<JoinHandle<()>>>,
    /// Failures that were put into it again, as the journal remembers them. One replay at a time.
    replayed: Arc<tokio::sync::Mutex<Replayed>>,
}

impl Running {
    /// What the API sees of it now.
    pub(crate) fn handle(&self) -> StreamHandle {
        Arc::clone(&self.handle.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a new definition rule from the next batch on.
    pub(crate) fn update(&self, definition: Definition) {
        let definition = Arc::new(definition);
        let mut handle = self.handle.write().unwrap_or_else(PoisonError::into_inner);
        *handle = Arc::new(Stream { definition: Arc::clone(&definition), ..Stream::clone(&handle) });
        self.definition.send_replace(definition);
    }

    /// Failures that were put into it again. Whoever holds it is the only one to put more.
    pub(crate) fn replayed(&self) -> Arc<tokio::sync::Mutex<Replayed>> {
        Arc::clone(&self.replayed)
    }

    /// Age of the oldest undelivered record, milliseconds.
    fn freshness_ms(&self, now_ms: u64) -> i64 {
        match self.oldest_ms.load(Ordering::Relaxed) {
            0 => 0,
            oldest => i64::try_from(now_ms.saturating_sub(oldest)).unwrap_or(i64::MAX),
        }
    }

    /// Shows how deliveries fare, and says so while the stream is held. True while it is.
    fn watch(&self) -> bool {
        let handle = self.handle();
        let (shown, state) = (&handle.metrics.gates, self.outlets.state());
        shown.show(state);
        let Definition { account_id: account, name: stream, .. } = &*handle.definition;
        let mut alarmed = self.alarmed.lock().unwrap_or_else(PoisonError::into_inner);
        match (state == DeliveryState::Held, *alarmed) {
            (true, Some(since)) if since.elapsed() < ALARM_EVERY => {}
            (true, _) => {
                *alarmed = Some(Instant::now());
                tracing::error!(%account, %stream, "stream is held: what must be stored last cannot be stored; the journal keeps its records, and they are delivered when its bucket takes objects again");
            }
            (false, Some(_)) => {
                *alarmed = None;
                tracing::info!(%account, %stream, "stream is no longer held");
            }
            (false, None) => {}
        }
        state == DeliveryState::Held
    }

    /// Gives up deliveries and ends the runner without waiting.
    pub(crate) fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    fn take_task(&self) -> Option<JoinHandle<()>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// How often it is said that a stream is held: often enough for whoever looks at the log, and an outage of a day stays
/// readable.
const ALARM_EVERY: Duration = Duration::from_secs(60);

/// Most held streams that are named; more of the same tell nothing new.
const NAMED: usize = 100;

type Accounts = BTreeMap<String, BTreeMap<String, Arc<Running>>>;

/// All streams in service.
#[derive(Debug, Default)]
pub(crate) struct Streams(RwLock<Accounts>);

impl Streams {
    pub(crate) fn find(&self, account: &str, name: &str) -> Option<Arc<Running>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(account)?.get(name).cloned()
    }

    /// Names of an account's streams in plain string order.
    pub(crate) fn names(&self, account: &str) -> Vec<String> {
        let accounts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        accounts.get(account).into_iter().flat_map(|streams| streams.keys().cloned()).collect()
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
        let (account, name) = (definition.account_id.clone(), definition.name.clone());
        let metrics = telemetry.stream(&account, &name);
        let breaker_open = Arc::new(AtomicBool::new(false));
        let (held_out, held_in) = watch::channel(None);
        let handle = Stream {
            id: state.id,
            definition: Arc::clone(&definition),
            metrics: metrics.clone(),
            status: StreamStatus::Active,
            breaker_open: Arc::clone(&breaker_open),
            held: held_in,
        };
        let (definition_out, definition_in) = watch::channel(definition);
        let (cancelled_out, cancelled_in) = watch::channel(false);
        let oldest_ms = Arc::new(AtomicU64::new(0));
        let signals = Signals {
            definition: definition_in,
            draining: draining.clone(),
            cancelled: cancelled_in,
            oldest_ms: Arc::clone(&oldest_ms),
            breaker_open,
            held: held_out,
        };
        let replayed = Arc::new(tokio::sync::Mutex::new(state.replayed.clone()));
        let runner = Runner::new(Arc::clone(context), state, clean, metrics, signals)?;
        let outlets = runner.outlets();
        let context = Arc::clone(context);
        let deleted = cancelled_out.subscribe();
        let task = tokio::spawn(async move {
            let ended = runner.run().await;
            // A deleted stream's runner may stumble over its own absence.
            if let Err(error) = ended
                && !*deleted.borrow()
            {
                context.failed.send_replace(Some(format!("{:#}", anyhow::Error::from(error))));
            }
        });
        let running = Arc::new(Running {
            handle: RwLock::new(Arc::new(handle)),
            definition: definition_out,
            cancelled: cancelled_out,
            oldest_ms,
            outlets,
            alarmed: Mutex::default(),
            task: Mutex::new(Some(task)),
            replayed,
        });
        let mut accounts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        accounts.entry(account).or_default().insert(name, Arc::clone(&running));
        Some(running)
    }

    /// Brings what depends on the time up to date; answers with streams that are held, as `ACCOUNT/NAME`.
    pub(crate) fn refresh(&self, now_ms: u64) -> Vec<String> {
        let mut held = Vec::new();
        for running in self.all() {
            let handle = running.handle();
            handle.metrics.freshness_ms.set(running.freshness_ms(now_ms));
            if running.watch() && held.len() < NAMED {
                held.push(format!("{}/{}", handle.definition.account_id, handle.definition.name));
            }
        }
        held
    }

    /// Waits until every runner has ended.
    pub(crate) async fn join(&self) {
        for running in self.all() {
            if let Some(task) = running.take_task()
                && let Err(error) = task.await
            {
                tracing::error!(stream = %running.handle().definition.name, %error, "a stream's task panicked");
            }
        }
    }
}
