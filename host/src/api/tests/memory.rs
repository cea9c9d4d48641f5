//! A backend in memory, which does as it is told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::{Notify, watch};

use crate::api::{Backend, ControlError, Refusal, Stream, StreamHandle, StreamStatus};
use crate::definition::Definition;
use crate::record::{Records, Sequence, StreamId};
use crate::telemetry::StreamMetrics;

#[derive(Debug, Default)]
pub(super) struct Memory {
    state: Mutex<State>,
    gate: Gate,
}

/// Holds appends back until a test lets them go.
#[derive(Debug, Default)]
pub(super) struct Gate {
    closed: AtomicBool,
    entered: Notify,
    opened: Notify,
}

#[derive(Debug, Default)]
struct State {
    streams: BTreeMap<(String, String), StreamHandle>,
    records: BTreeMap<StreamId, Vec<Vec<u8>>>,
    made: u32,
    refusal: Option<Refusal>,
    control_error: Option<ControlError>,
    held: watch::Sender<Option<String>>,
}

impl Memory {
    /// From now on every append is refused like this.
    pub(super) fn refuse(&self, refusal: Option<Refusal>) {
        self.state.lock().unwrap().refusal = refusal;
    }

    /// From now on every change fails like this.
    pub(super) fn fail(&self, problem: ControlError) {
        self.state.lock().unwrap().control_error = Some(problem);
    }

    /// Everything that was put, in order.
    pub(super) fn records(&self) -> Vec<Vec<u8>> {
        self.state.lock().unwrap().records.values().flatten().cloned().collect()
    }

    /// From now on appends wait for [`Self::open`].
    pub(super) fn close(&self) {
        self.gate.closed.store(true, Ordering::SeqCst);
    }

    /// Waits until an append waits.
    pub(super) async fn entered(&self) {
        self.gate.entered.notified().await;
    }

    /// Lets the waiting append go.
    pub(super) fn open(&self) {
        self.gate.opened.notify_one();
    }

    pub(super) fn open_breaker(&self, account: &str, name: &str) {
        let state = self.state.lock().unwrap();
        let stream = &state.streams[&(account.to_owned(), name.to_owned())];
        stream.breaker_open.store(true, Ordering::SeqCst);
    }

    /// Shows why a stream's records are not processed.
    pub(super) fn hold(&self, reason: &str) {
        self.state.lock().unwrap().held.send_replace(Some(reason.to_owned()));
    }

    pub(super) fn set_status(&self, account: &str, name: &str, status: StreamStatus) {
        let mut state = self.state.lock().unwrap();
        let stream = state.streams.get_mut(&(account.to_owned(), name.to_owned())).unwrap();
        *stream = Arc::new(Stream { status, ..Stream::clone(stream) });
    }
}

#[async_trait]
impl Backend for Memory {
    fn find(&self, account: &str, name: &str) -> Option<StreamHandle> {
        self.state.lock().unwrap().streams.get(&(account.to_owned(), name.to_owned())).cloned()
    }

    fn list(&self, account: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.streams.keys().filter(|(owner, _)| owner == account).map(|(_, name)| name.clone()).collect()
    }

    async fn append(&self, stream: &StreamHandle, records: Records) -> Result<Sequence, Refusal> {
        if self.gate.closed.load(Ordering::SeqCst) {
            self.gate.entered.notify_one();
            self.gate.opened.notified().await;
        }
        let mut state = self.state.lock().unwrap();
        if let Some(refusal) = state.refusal {
            return Err(refusal);
        }
        let stored = state.records.entry(stream.id).or_default();
        let first = stored.len() as u64;
        stored.extend(records.iter().map(<[u8]>::to_vec));
        Ok(first)
    }

    async fn create(&self, definition: Definition) -> Result<(), ControlError> {
        let mut state = self.state.lock().unwrap();
        if let Some(problem) = state.control_error.clone() {
            return Err(problem);
        }
        state.made += 1;
        let stream = Stream {
            id: StreamId(state.made),
            metrics: StreamMetrics::default(),
            status: StreamStatus::Active,
            breaker_open: Arc::default(),
            held: state.held.subscribe(),
            definition: Arc::new(definition),
        };
        let key = (stream.definition.account_id.clone(), stream.definition.name.clone());
        state.streams.insert(key, Arc::new(stream));
        Ok(())
    }

    async fn update(&self, definition: Definition) -> Result<(), ControlError> {
        let mut state = self.state.lock().unwrap();
        let key = (definition.account_id.clone(), definition.name.clone());
        let stream = state.streams.get_mut(&key).ok_or(ControlError::NotFound)?;
        *stream = Arc::new(Stream { definition: Arc::new(definition), ..Stream::clone(stream) });
        Ok(())
    }

    async fn delete(&self, account: &str, name: &str) -> Result<(), ControlError> {
        let mut state = self.state.lock().unwrap();
        state.streams.remove(&(account.to_owned(), name.to_owned())).map(drop).ok_or(ControlError::NotFound)
    }
}
