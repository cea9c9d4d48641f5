//! The clock of canaries: a thread that changes whose turn it is, and makes a canary that held its bounds the ruling
//! version. Refuses to run while there is none.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::asked::Kind;
use super::candidate::{Candidate, Verdict};
use super::registry::Registry;

/// The thread.
#[derive(Debug)]
pub(super) struct Turns {
    /// Dropped first: the thread ends with it.
    signal: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Turns {
    /// Without a thread, canaries never get their turn; the log says so.
    pub(super) fn start(registry: Arc<Registry>) -> Self {
        // One waiting signal is enough: a look sees everything.
        let (signal, signals) = sync_channel(1);
        let thread = thread::Builder::new().name("plugin-turns".to_owned()).spawn(move || run(&signals, &registry));
        let thread = thread.inspect_err(|error| tracing::error!(%error, "no thread for the turns of canaries"));
        Self { signal: Some(signal), thread: thread.ok() }
    }

    /// Has the thread look at once.
    pub(super) fn look(&self) {
        if let Some(signal) = &self.signal {
            // Full means that a look is due anyway.
            let _due_anyway = signal.try_send(());
        }
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        drop(self.signal.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was reported when it happened; there is nothing left to stop.
            drop(thread.join());
        }
    }
}

fn run(signals: &Receiver<()>, registry: &Registry) {
    loop {
        let signalled = match registry.take_turns() {
            Some(left) => signals.recv_timeout(left.min(LOOK)),
            None => signals.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        if signalled == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

impl Registry {
    /// Gives every canary the turn that is its own now; when to look again, if there is one.
    pub(super) fn take_turns(&self) -> Option<Duration> {
        let canaries = self.candidates().into_iter().filter(|one| one.kind() == Kind::Canary && one.is_on());
        let period_ms = u64::try_from(self.settings.canary_period.as_millis()).unwrap_or(u64::MAX);
        let mut next_ms: Option<u64> = None;
        for canary in canaries {
            if canary.has_held() {
                self.promote(&canary);
                continue;
            }
            let (is_other, left_ms) = canary.take_turn(self.clock.now_ms(), period_ms);
            next_ms = Some(next_ms.map_or(left_ms, |next| next.min(left_ms)));
            if is_other {
                tracing::debug!(plugin = %canary.plugin, canary = canary.has_turn(), "the other version's turn");
                self.changed.send_modify(|count| *count += 1);
            }
        }
        next_ms.map(Duration::from_millis)
    }

    fn promote(&self, canary: &Candidate) {
        let name = &canary.version.name;
        let bytes = match self.component(canary.component()) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return self.cannot(canary, "its component is gone".to_owned()),
            Err(error) => return self.cannot(canary, error.to_string()),
        };
        let ended = || std::io::Error::other("it was ended meanwhile");
        let still_held = || if canary.has_held() { Ok(()) } else { Err(ended()) };
        if let Err(error) = self.publish_file(name, &bytes, "canary", still_held) {
            self.cannot(canary, error.to_string());
        }
    }

    fn cannot(&self, canary: &Candidate, why: String) {
        let verdict = Verdict::Ended(format!("it cannot be made to rule: {why}"));
        if self.end_candidate(&canary.version.name, verdict).is_some() {
            tracing::error!(plugin = %canary.plugin, why, "a canary that held its bounds cannot be made to rule");
        }
    }
}

/// A canary that held its bounds rules so soon.
const LOOK: Duration = Duration::from_secs(1);
