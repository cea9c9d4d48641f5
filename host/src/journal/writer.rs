//! The one thread that owns all file work: takes what waits, commits it as a group, answers, tidies up.
//!
//! Refuses to answer before the log did, and to outlive its queue.

use std::sync::{Arc, Mutex};

use tokio::sync::{oneshot, watch};

use crate::runtime::Clock;
use crate::telemetry::JournalMetrics;

use super::error::AppendError;
use super::group::Action;
use super::handle::Stats;
use super::log::Log;
use super::note::Note;
use super::queue::{Answer, Queue, Work};
use super::storage::Lock;

/// What the thread owns.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) log: Log,
    pub(super) queue: Arc<Queue>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: JournalMetrics,
    pub(super) poisoned: Arc<watch::Sender<bool>>,
    pub(super) stats: Arc<Mutex<Stats>>,
    pub(super) closed: Option<oneshot::Sender<()>>,
    pub(super) lock: Option<Box<dyn Lock>>,
}

impl Writer {
    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let mut is_idle = false;
        loop {
            self.show_stats();
            let work = self.queue.wait(is_idle);
            let is_last = work.is_last;
            self.commit(work);
            if is_last {
                break;
            }
            is_idle = !self.log.upkeep(self.clock.now_ms());
            self.show_poison();
        }
        let mut clean = Ok(0);
        self.log.commit([Action::Journal(Note::Clean)], self.clock.now_ms(), &mut |_, answer| clean = answer);
        if let Err(error) = clean {
            tracing::warn!(%error, "journal was closed without its last note");
        }
    }

    fn commit(&mut self, work: Work) {
        if work.lazy.is_empty() && work.requests.is_empty() {
            return;
        }
        let lazy_count = work.lazy.len();
        let mut answers: Vec<Option<Answer>> = Vec::with_capacity(work.requests.len());
        let mut actions = work.lazy;
        for request in work.requests {
            answers.push(Some(request.answer));
            actions.push(request.action);
        }
        self.metrics.group_size.observe(f64::from(u32::try_from(actions.len()).unwrap_or(u32::MAX)));
        let metrics = &self.metrics;
        self.log.commit(actions, self.clock.now_ms(), &mut |index, result| {
            let Some(index) = index.checked_sub(lazy_count) else { return };
            if matches!(result, Err(AppendError::Full | AppendError::Busy)) {
                metrics.refused.inc();
            }
            if let Some(answer) = answers.get_mut(index).and_then(Option::take) {
                // A caller that went away needs no answer.
                answer.send(result).ok();
            }
        });
    }

    fn show_poison(&self) {
        if self.log.is_poisoned {
            self.poisoned.send_if_modified(|poisoned| !std::mem::replace(poisoned, true));
        }
    }

    /// Makes the log's figures visible to all handles.
    pub(super) fn show_stats(&self) {
        let stats = Stats {
            bytes: self.log.bytes(),
            capacity_bytes: self.log.settings.capacity_bytes,
            segment_count: self.log.segments.len(),
            stream_count: self.log.streams.values().filter(|stream| !stream.is_deleted).count(),
            is_full: self.log.is_full(),
        };
        *self.stats.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = stats;
    }
}

impl Drop for Writer {
    /// Also runs when the thread panics: nobody may wait for it then.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.log.is_poisoned = true;
        }
        self.show_poison();
        self.queue.abandon();
        self.lock = None;
        if let Some(closed) = self.closed.take() {
            closed.send(()).ok();
        }
    }
}
