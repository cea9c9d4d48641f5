//! What ruled a stream when: definitions by version, epochs, and what was decided about records for good.
//!
//! A replay asks here which code made a record the first time, so that it makes the same again. Plain state behind a
//! mutex that is never held across a wait. Refuses to decide what should rule next; the runner does.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::definition::Definition;
use crate::process::{Chain, ChainError};
use crate::record::{Epoch, Sequence, Sequences};

use super::Context;
use super::work::Gone;

/// One stream's past, shared by its runner and its deliveries.
#[derive(Debug)]
pub(crate) struct History(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    definitions: BTreeMap<u32, Arc<Definition>>,
    /// In the order they were written: the last one whose `from` is not after a record rules it.
    epochs: Vec<Epoch>,
    /// Chains made lately, the newest last.
    chains: Vec<(Epoch, Arc<Chain>)>,
    /// Records that are never to be run again, by their first one; ranges do not overlap.
    aside: BTreeMap<Sequence, Sequence>,
    /// Records that found no room for their partitions.
    exceeding: Sequences,
}

/// What was decided about some records and does not follow from running them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Decided {
    /// Never to be run again: ranges, rising.
    pub(crate) aside: Vec<Range<Sequence>>,
    /// For the error output whatever is made of them, for want of room for their partitions.
    pub(crate) exceeding: Sequences,
}

/// Why the code that ruled is not at hand.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    /// The journal gave a definition up that is still needed.
    #[error("definition version {0} is gone")]
    Definition(u32),
    /// A plugin of it is missing or does not load.
    #[error("cannot set up the processors")]
    Chain(#[from] ChainError),
    /// The runtime is stopping.
    #[error(transparent)]
    Work(#[from] Gone),
}

/// Chains kept ready per stream: the current one and those a replay alternates between.
const CHAINS_KEPT: usize = 3;

impl History {
    pub(crate) fn new(definitions: Vec<Definition>, epochs: Vec<Epoch>, decided: Decided) -> Self {
        let definitions = definitions.into_iter().map(|one| (one.version, Arc::new(one))).collect();
        let Decided { aside, exceeding } = decided;
        let inner = Inner { definitions, epochs, chains: Vec::new(), aside: BTreeMap::new(), exceeding };
        let history = Self(Mutex::new(inner));
        history.set_aside(&aside);
        history
    }

    /// The definition that was called `version`.
    pub(crate) fn definition(&self, version: u32) -> Option<Arc<Definition>> {
        self.lock().definitions.get(&version).cloned()
    }

    pub(crate) fn add_definition(&self, definition: Arc<Definition>) {
        self.lock().definitions.insert(definition.version, definition);
    }

    pub(crate) fn add_epoch(&self, epoch: Epoch) {
        self.lock().epochs.push(epoch);
    }

    /// The epoch that rules record `at`, and the record where it ends ([`Sequence::MAX`] when it rules on).
    pub(crate) fn ruling(&self, at: Sequence) -> Option<(Epoch, Sequence)> {
        let inner = self.lock();
        let place = inner.epochs.iter().rposition(|epoch| epoch.from <= at)?;
        let until = inner.epochs[place + 1..].iter().map(|epoch| epoch.from).min().unwrap_or(Sequence::MAX);
        Some((inner.epochs[place].clone(), until))
    }

    /// The chain of an epoch, made once; a version that is not in memory is compiled on a thread that may wait.
    pub(crate) async fn chain(&self, epoch: &Epoch, context: &Context) -> Result<Arc<Chain>, HistoryError> {
        let same =
            |known: &Epoch| known.definition_version == epoch.definition_version && known.plugins == epoch.plugins;
        let definition = {
            let inner = self.lock();
            if let Some((_, chain)) = inner.chains.iter().find(|(known, _)| same(known)) {
                return Ok(Arc::clone(chain));
            }
            inner.definitions.get(&epoch.definition_version).cloned()
        };
        let definition = definition.ok_or(HistoryError::Definition(epoch.definition_version))?;
        let chain = match Chain::at_hand(&definition, epoch, &context.plugins) {
            Some(chain) => Arc::new(chain),
            None => {
                let (wanted, plugins) = (epoch.clone(), Arc::clone(&context.plugins));
                Arc::new(context.workers.load(move || Chain::new(&definition, &wanted, &plugins)).await??)
            }
        };
        let mut inner = self.lock();
        if inner.chains.len() == CHAINS_KEPT {
            inner.chains.remove(0);
        }
        inner.chains.push((epoch.clone(), Arc::clone(&chain)));
        Ok(chain)
    }

    /// These records are never to be run again.
    pub(crate) fn set_aside(&self, ranges: &[Range<Sequence>]) {
        let mut inner = self.lock();
        for range in ranges {
            let end = inner.aside.entry(range.start).or_insert(range.end);
            *end = range.end.max(*end);
        }
    }

    /// There was no room for the partitions of these records.
    pub(crate) fn exceed(&self, records: &Sequences) {
        self.lock().exceeding.add(records);
    }

    /// What was decided about records of `range`.
    pub(crate) fn decided(&self, range: Range<Sequence>) -> Decided {
        let mut from = range.start;
        let mut aside = Vec::new();
        let inner = self.lock();
        for (&first, &end) in inner.aside.range(..range.end) {
            let (first, end) = (first.max(from), end.min(range.end));
            if first < end {
                aside.push(first..end);
                from = end;
            }
        }
        Decided { aside, exceeding: inner.exceeding.within(range) }
    }

    /// Forgets what only records below `floor` needed.
    pub(crate) fn prune(&self, floor: Sequence) {
        let mut inner = self.lock();
        inner.aside.retain(|_, end| *end > floor);
        inner.exceeding.forget_below(floor);
        if let Some(ruling) = inner.epochs.iter().rposition(|epoch| epoch.from <= floor) {
            let mut place = 0;
            inner.epochs.retain(|epoch| {
                place += 1;
                place > ruling || epoch.from > floor
            });
        }
        let newest = inner.definitions.keys().next_back().copied();
        let used: BTreeSet<u32> = inner.epochs.iter().map(|epoch| epoch.definition_version).chain(newest).collect();
        let oldest = used.first().copied().unwrap_or(0);
        inner.definitions = inner.definitions.split_off(&oldest);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::StreamId;

    fn epoch(from: Sequence, definition_version: u32) -> Epoch {
        Epoch { stream: StreamId(1), from, definition_version, plugins: Vec::new() }
    }

    fn history(epochs: Vec<Epoch>) -> History {
        History::new(Vec::new(), epochs, Decided::default())
    }

    #[test]
    fn the_last_written_epoch_rules() {
        let history = history(vec![epoch(0, 1), epoch(150, 2), epoch(120, 3)]);
        let ruling = |at| history.ruling(at).map(|(epoch, until)| (epoch.definition_version, until));
        assert_eq!(ruling(0), Some((1, 120)));
        assert_eq!(ruling(119), Some((1, 120)));
        assert_eq!(ruling(120), Some((3, Sequence::MAX)));
        assert_eq!(ruling(160), Some((3, Sequence::MAX)));
    }

    #[test]
    fn what_is_set_aside_is_told_in_part_and_in_order() {
        let history = history(Vec::new());
        history.set_aside(&[10..20, 30..31]);
        history.set_aside(&[12..14, 10..15, 25..28]);
        let aside = |range| history.decided(range).aside;
        assert_eq!(aside(0..100), [10..20, 25..28, 30..31]);
        assert_eq!(aside(19..26), [19..20, 25..26]);
        assert_eq!(aside(20..25), []);
        history.prune(20);
        assert_eq!(aside(0..100), [25..28, 30..31]);
    }

    #[test]
    fn what_found_no_room_is_remembered_until_nobody_asks() {
        let history = history(Vec::new());
        history.exceed(&[3, 9].into_iter().collect());
        history.exceed(&[4, 9].into_iter().collect());
        let exceeding = |range| history.decided(range).exceeding;
        assert_eq!(exceeding(4..10), [4, 9].into_iter().collect());
        history.prune(4);
        assert_eq!(exceeding(0..100), [4, 9].into_iter().collect());
    }

    #[test]
    fn pruning_keeps_what_rules_the_floor() {
        let history = history(vec![epoch(0, 1), epoch(100, 2), epoch(200, 3)]);
        history.prune(150);
        assert_eq!(history.lock().epochs, vec![epoch(100, 2), epoch(200, 3)]);
        history.prune(200);
        assert_eq!(history.lock().epochs, vec![epoch(200, 3)]);
    }
}
