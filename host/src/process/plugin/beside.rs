//! What runs beside the versions of one plugin and is never delivered: a shadow, and now and then the same version once
//! more, because a plugin that answers differently to the same records could not be replayed (row P12).
//!
//! A run beside has a thread of its own, so that the batch it looks at does not wait for it. One at a time for each
//! plugin and few of all: while there is no room, nothing is compared. Refuses to touch what is delivered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::asked::Kind;
use super::candidate::{Candidate, Tally};
use super::compare::{differences, is_by_luck};
use super::loaded::{OwnedWork, Plugin, Work};
use super::merge::Made;
use crate::record::PluginVersion;
use crate::telemetry::PluginMetrics;

/// Everything beside one plugin, whatever version rules.
#[derive(Debug)]
pub(super) struct Beside {
    candidate: Mutex<Option<Arc<Candidate>>>,
    double_run: Option<Duration>,
    doubles: Mutex<Doubles>,
    /// The run that is under way, or was last.
    run: Mutex<Option<JoinHandle<()>>>,
    /// Runs of all plugins.
    runs: Arc<AtomicUsize>,
    metrics: PluginMetrics,
    changed: watch::Sender<u64>,
}

/// What running twice has shown.
#[derive(Debug, Default)]
struct Doubles {
    last: Option<Instant>,
    /// By digest: whether every second answer was the first.
    deterministic: BTreeMap<String, bool>,
}

impl Beside {
    /// Nothing yet. With `double_run`, one batch in such a time is run twice; `changed` is told when the turn changes.
    pub(super) fn new(
        double_run: Option<Duration>,
        runs: Arc<AtomicUsize>,
        metrics: PluginMetrics,
        changed: watch::Sender<u64>,
    ) -> Self {
        let (candidate, doubles, run) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { candidate, double_run, doubles, run, runs, metrics, changed }
    }

    /// The candidate, also one that has ended.
    pub(super) fn candidate(&self) -> Option<Arc<Candidate>> {
        lock(&self.candidate).clone()
    }

    /// Takes the place of the candidate before.
    pub(super) fn set_candidate(&self, candidate: Option<Arc<Candidate>>) {
        *lock(&self.candidate) = candidate;
    }

    /// Whether a version gave the same answer whenever it was asked twice; none: it never was.
    pub(super) fn is_deterministic(&self, version: &PluginVersion) -> Option<bool> {
        lock(&self.doubles).deterministic.get(&version.digest).copied()
    }

    /// A version made this of these records.
    pub(super) fn after(self: &Arc<Self>, plugin: &Plugin, work: &Work<'_>, made: &Made, tally: &Tally) {
        if self.is_due(Instant::now()) {
            self.spawn(work, made, |beside, work, made| {
                let again = plugin.quietly();
                move || beside.double(&again, &work.lent(), &made)
            });
        }
        let Some(candidate) = self.candidate() else { return };
        match candidate.kind() {
            Kind::Canary => {
                if let Some(reason) = candidate.note(plugin.version(), tally) {
                    tracing::warn!(plugin = %candidate.plugin, "canary is rolled back: {reason}");
                    self.metrics.canary_rollbacks.inc();
                    self.changed.send_modify(|count| *count += 1);
                }
            }
            Kind::Shadow if candidate.wants(plugin.version()) => {
                let tally = *tally;
                self.spawn(work, made, |_, work, made| {
                    move || {
                        let lent = work.lent();
                        let (own, own_tally) = candidate.plugin.make(&lent);
                        candidate.compared(&tally, &own_tally, differences(lent.records, &made, &own));
                    }
                });
            }
            Kind::Shadow => {}
        }
    }

    /// Runs these records once more and holds the answer against the first.
    fn double(&self, plugin: &Plugin, work: &Work<'_>, first: &Made) {
        if is_by_luck(first) {
            return;
        }
        let (second, _) = plugin.make(work);
        if is_by_luck(&second) {
            return;
        }
        let differing = differences(work.records, first, &second);
        let mut doubles = lock(&self.doubles);
        let Doubles { deterministic, .. } = &mut *doubles;
        if deterministic.len() >= VERSIONS && !deterministic.contains_key(&plugin.version().digest) {
            deterministic.pop_first();
        }
        let known = deterministic.entry(plugin.version().digest.clone()).or_insert(true);
        if differing == 0 {
            return;
        }
        self.metrics.nondeterministic.inc();
        if std::mem::replace(known, false) {
            tracing::warn!(
                plugin = %plugin,
                stream = work.stream,
                records = differing,
                "plugin answers differently to the same records: what is delivered after a crash may not be what was lost"
            );
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        let Some(every) = self.double_run else { return false };
        let Ok(mut doubles) = self.doubles.try_lock() else { return false };
        if doubles.last.is_some_and(|last| now.saturating_duration_since(last) < every) {
            return false;
        }
        doubles.last = Some(now);
        true
    }

    /// Starts a run, unless one is under way or there are enough.
    fn spawn<F: FnOnce() + Send + 'static>(
        self: &Arc<Self>,
        work: &Work<'_>,
        made: &Made,
        run: impl FnOnce(Arc<Self>, OwnedWork, Made) -> F,
    ) {
        let Ok(mut running) = self.run.try_lock() else { return };
        if running.as_ref().is_some_and(|run| !run.is_finished()) {
            return;
        }
        let Some(place) = Place::take(&self.runs) else { return };
        let run = run(Arc::clone(self), work.owned(), made.clone());
        let thread = thread::Builder::new().name("plugin-beside".to_owned()).spawn(move || {
            run();
            drop(place);
        });
        // Without a thread nothing is compared, and nothing else is missing.
        *running = thread.inspect_err(|error| tracing::warn!(%error, "no thread to run a plugin beside another")).ok();
    }

    /// Waits for the run that is under way.
    #[cfg(test)]
    pub(super) fn settle(&self) {
        if let Some(run) = lock(&self.run).take() {
            run.join().unwrap();
        }
    }
}

/// One of the runs of all plugins.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(runs: &Arc<AtomicUsize>) -> Option<Self> {
        let one_more = |taken| (taken < RUNS).then_some(taken + 1);
        runs.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Self(Arc::clone(runs)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs at once, of all plugins: one may hang until its limits end it, and the others still get their turn.
const RUNS: usize = 2;
/// Versions of one plugin that are told apart; those of today and of some replays.
const VERSIONS: usize = 16;
