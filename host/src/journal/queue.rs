//! Requests on their way to the writer's thread.
//!
//! Bounded in bytes and in count: refuses puts before memory grows (row D10). Lazy notes merge while they wait.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::record::{Sequence, StreamId};

use super::error::AppendError;
use super::group::Action;
use super::note::{Delivered, Failing};
use super::settings::Settings;

/// Tells one waiter how it went.
pub(super) type Answer = oneshot::Sender<Result<u64, AppendError>>;

/// One action and who waits for it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) action: Action,
    pub(super) answer: Answer,
}

/// What the writer does next.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) lazy: Vec<Action>,
    pub(super) requests: Vec<Request>,
    /// Nothing comes after this.
    pub(super) is_last: bool,
}

/// The queue between all handles and the one thread.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    settings: Settings,
}

#[derive(Debug, Default)]
struct State {
    requests: VecDeque<Request>,
    bytes: u64,
    checkpoints: BTreeMap<StreamId, Sequence>,
    delivered: BTreeSet<(StreamId, Uuid)>,
    /// When the delivery of a seal first failed.
    failing: BTreeMap<(StreamId, Uuid), u64>,
    /// When the oldest lazy note began to wait.
    lazy_since: Option<Instant>,
    is_closed: bool,
}

impl Queue {
    pub(super) fn new(settings: Settings) -> Self {
        Self { state: Mutex::default(), wake: Condvar::new(), settings }
    }

    /// Queues an action. Puts are refused when too much waits already; notes have room of their own, because they
    /// are what frees the journal.
    pub(super) fn push(&self, action: Action, answer: Answer) -> Result<(), AppendError> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(AppendError::Closed);
        }
        let bytes = action.bytes();
        let most = match action {
            Action::Append { .. } | Action::Replay { .. } => self.settings.queue_requests,
            _ => self.settings.queue_requests * 2,
        };
        let is_over = state.bytes + bytes > self.settings.queue_bytes
            && matches!(action, Action::Append { .. } | Action::Replay { .. });
        if !state.requests.is_empty() && (is_over || state.requests.len() >= most) {
            return Err(AppendError::Busy);
        }
        state.bytes += bytes;
        state.requests.push_back(Request { action, answer });
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// Notes that everything below `open_from` is done with, some time soon.
    pub(super) fn checkpoint(&self, stream: StreamId, open_from: Sequence) {
        self.add_lazy(|state| {
            let known = state.checkpoints.entry(stream).or_default();
            *known = open_from.max(*known);
        });
    }

    /// Notes a delivery, some time soon.
    pub(super) fn delivered(&self, stream: StreamId, id: Uuid) {
        self.add_lazy(|state| {
            if state.delivered.len() < MAX_LAZY {
                state.delivered.insert((stream, id));
            }
        });
    }

    /// Notes that the delivery of a seal failed for the first time, some time soon.
    pub(super) fn failing(&self, stream: StreamId, id: Uuid, since_ms: u64) {
        self.add_lazy(|state| {
            if state.failing.len() < MAX_LAZY {
                state.failing.entry((stream, id)).or_insert(since_ms);
            }
        });
    }

    /// Refuses whatever comes from now on; the writer ends once it did what waits.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.wake.notify_one();
    }

    /// Fails whoever waits: nobody will come.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.requests.clear();
    }

    /// Waits for something to do; with `is_idle` false only looks. Takes as much as one group may hold.
    pub(super) fn wait(&self, is_idle: bool) -> Work {
        let mut state = self.lock();
        while is_idle && state.requests.is_empty() && !state.is_closed {
            let waited = state.lazy_since.map(|since| since.elapsed());
            let lazy = Duration::from_millis(self.settings.lazy_ms);
            state = match waited {
                Some(waited) if waited >= lazy => break,
                Some(waited) => self.wake.wait_timeout(state, lazy - waited).unwrap_or_else(PoisonError::into_inner).0,
                None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        self.take(&mut state)
    }

    fn take(&self, state: &mut State) -> Work {
        let mut work = Work::default();
        let checkpoints = std::mem::take(&mut state.checkpoints).into_iter();
        work.lazy.extend(checkpoints.map(|(stream, open_from)| Action::Checkpoint(stream, open_from)));
        let delivered = std::mem::take(&mut state.delivered).into_iter();
        work.lazy.extend(delivered.map(|(stream, id)| Action::Delivered(stream, Delivered { id })));
        // Before what was delivered: nothing is said of a seal that is gone.
        let failing = std::mem::take(&mut state.failing).into_iter();
        let failing = failing.map(|((stream, id), since_ms)| Action::Failing(stream, Failing { id, since_ms }));
        work.lazy.splice(0..0, failing);
        state.lazy_since = None;
        let mut bytes = 0;
        while let Some(next) = state.requests.front() {
            bytes += next.action.bytes();
            let is_full = bytes > self.settings.group_bytes || work.requests.len() >= self.settings.group_requests;
            if is_full && !work.requests.is_empty() {
                break;
            }
            work.requests.extend(state.requests.pop_front());
        }
        state.bytes -= work.requests.iter().map(|request| request.action.bytes()).sum::<u64>();
        work.is_last = state.is_closed && state.requests.is_empty();
        work
    }

    fn add_lazy(&self, add: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        add(&mut state);
        let is_first = state.lazy_since.is_none();
        state.lazy_since.get_or_insert_with(Instant::now);
        drop(state);
        if is_first {
            self.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Deliveries that wait to be noted. More can only wait while the disk hangs; losing one repeats a delivery.
const MAX_LAZY: usize = 1 << 20;
