//! A stream's plugin, its breaker, and what the stream's owner wants done while the breaker is open.
//!
//! Says which version rules next and what becomes of a batch of which nothing came through; counts and logs it. Of
//! several plugins the first is guarded: it meets every record, and what the others fail goes to the error output.
//! Refuses to write anything down: epochs do, in the runner.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::definition::{Definition, OnFailure, Processor};
use crate::record::{Epoch, PluginVersion, Ran, StandIn, Transformed};
use crate::telemetry::{BreakerMetrics, StreamBreaker};

use super::breaker::Breaker;

/// What becomes of a processed batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weighed {
    /// It goes on.
    Keep,
    /// Nothing came through, and the owner wants no error output of it: as if it had not been processed.
    Undo,
}

/// The guard of one stream.
#[derive(Debug)]
pub(crate) struct Guard {
    stream: String,
    plugin: Option<Guarded>,
    counted: StreamBreaker,
    /// For whoever describes the stream.
    is_open: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Guarded {
    name: String,
    policy: OnFailure,
    breaker: Breaker,
    metrics: BreakerMetrics,
    /// Whether the plugin was let through when it was asked for last.
    answered: Option<bool>,
}

impl Guard {
    /// The guard of a stream whose last epoch is `last`: where something stood in for the plugin, the breaker was open.
    pub(crate) fn new(
        definition: &Definition,
        last: Option<&Epoch>,
        counted: StreamBreaker,
        is_open: Arc<AtomicBool>,
    ) -> Self {
        let mut guard = Self { stream: definition.name.clone(), plugin: None, counted, is_open };
        guard.follow(definition);
        if let Some(guarded) = &mut guard.plugin {
            let replaced = |version: &PluginVersion| version.name == guarded.name && version.stand_in().is_some();
            if last.is_some_and(|epoch| epoch.plugins.iter().any(replaced)) {
                guarded.breaker = Breaker::reopened();
            }
        }
        guard.show();
        guard
    }

    /// The definition changed: another plugin gets another breaker, another policy rules at once.
    pub(crate) fn follow(&mut self, definition: &Definition) {
        let named = definition.processors.iter().find_map(|processor| match processor {
            Processor::Plugin { name, on_failure, .. } => Some((name, *on_failure)),
            _ => None,
        });
        match (named, &mut self.plugin) {
            (Some((name, policy)), Some(guarded)) if guarded.name == *name => guarded.policy = policy,
            (Some((name, policy)), _) => {
                let metrics = self.counted.of(name);
                let breaker = Breaker::new();
                self.plugin = Some(Guarded { name: name.clone(), policy, breaker, metrics, answered: None });
            }
            (None, _) => {
                self.counted.none();
                self.plugin = None;
            }
        }
        self.show();
    }

    /// Name of the plugin.
    pub(crate) fn plugin(&self) -> Option<&str> {
        self.plugin.as_ref().map(|guarded| guarded.name.as_str())
    }

    /// A version of the plugin is published. A new one is let through, whatever the one before it did.
    pub(crate) fn published(&mut self, version: &PluginVersion) {
        let Some(guarded) = self.plugin.as_mut().filter(|guarded| guarded.name == version.name) else { return };
        if guarded.breaker.follow(version) {
            tracing::info!(stream = %self.stream, plugin = %version.name, digest = %version.digest, "another version closes the plugin's breaker");
            self.show();
        }
    }

    /// What rules new records while `current` is the published version of its plugin: that, or what stands in for it.
    /// None holds the stream.
    pub(crate) fn ruling(&mut self, current: PluginVersion) -> Option<PluginVersion> {
        self.published(&current);
        let Some(guarded) = self.plugin.as_mut().filter(|guarded| guarded.name == current.name) else {
            return Some(current);
        };
        guarded.answered = Some(guarded.breaker.lets_through());
        match (guarded.breaker.lets_through(), guarded.policy) {
            (true, _) => Some(current),
            (false, OnFailure::Hold) => None,
            (false, OnFailure::DeadLetter) => Some(PluginVersion::replaced(&guarded.name, StandIn::DeadLetter)),
            (false, OnFailure::PassThrough) => Some(PluginVersion::replaced(&guarded.name, StandIn::PassThrough)),
        }
    }

    /// Whether [`Self::ruling`] would answer otherwise now.
    pub(crate) fn has_changed(&mut self, now_ms: u64) -> bool {
        self.plugin.as_mut().is_some_and(|guarded| {
            guarded.breaker.advance(now_ms);
            guarded.answered.is_some_and(|answered| answered != guarded.breaker.lets_through())
        })
    }

    /// The most records of the next batch where it is run to learn whether the plugin works: nothing runs beside it.
    pub(crate) fn most_records(&self) -> Option<u64> {
        let guarded = self.plugin.as_ref()?;
        guarded.breaker.most_records(guarded.policy == OnFailure::Hold)
    }

    /// How long the plugin does not run yet.
    pub(crate) fn pause(&self, now_ms: u64) -> Option<Duration> {
        self.plugin.as_ref().and_then(|guarded| guarded.breaker.pause_ms(now_ms)).map(Duration::from_millis)
    }

    /// Learns from a batch of new records. Not to be asked about a replay, which repeats what was decided.
    pub(crate) fn weigh(&mut self, ran: &Ran, now_ms: u64) -> Weighed {
        let Some(guarded) = &mut self.plugin else { return Weighed::Keep };
        match ran {
            Ran::Nothing => Weighed::Keep,
            Ran::Through(version) => {
                if guarded.breaker.came_through(version) {
                    tracing::info!(stream = %self.stream, plugin = %version.name, "the plugin works again: its breaker is closed");
                    self.show();
                }
                Weighed::Keep
            }
            Ran::Faulted(version) if version.name == guarded.name => {
                if guarded.breaker.faulted(version, now_ms) {
                    guarded.metrics.trips.inc();
                    tracing::warn!(
                        stream = %self.stream, plugin = %version.name, digest = %version.digest,
                        policy = guarded.policy.as_str(), "the plugin keeps failing: its breaker is open"
                    );
                }
                let weighed = match guarded.policy {
                    OnFailure::Hold => Weighed::Undo,
                    OnFailure::PassThrough if !guarded.breaker.lets_through() => Weighed::Undo,
                    OnFailure::PassThrough | OnFailure::DeadLetter => Weighed::Keep,
                };
                self.show();
                weighed
            }
            Ran::Faulted(_) => Weighed::Keep,
        }
    }

    /// Counts what a stand-in took.
    pub(crate) fn count(&self, processed: &Transformed) {
        let (Some(guarded), Ran::Through(version)) = (&self.plugin, &processed.ran) else { return };
        let [rejected, passed] = &guarded.metrics.records;
        match version.stand_in() {
            Some(StandIn::DeadLetter) => _ = rejected.inc_by(processed.rejected.len() as u64),
            Some(StandIn::PassThrough) => _ = passed.inc_by(processed.outputs.len() as u64),
            None => {}
        }
    }

    fn show(&self) {
        let is_open = self.plugin.as_ref().is_some_and(|guarded| guarded.breaker.is_tripped());
        self.is_open.store(is_open, Ordering::Relaxed);
        if let Some(guarded) = &self.plugin {
            guarded.metrics.open.set(i64::from(is_open));
        }
    }
}
