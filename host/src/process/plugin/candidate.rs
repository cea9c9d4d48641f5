//! A version that does not rule yet: whose turn it is, what is counted of it, and when it has failed.
//!
//! Time enters as an argument and everything here is plain state, so that a decision can be looked at again. Refuses to
//! run anything and to change what rules; the registry does.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::asked::{Asked, Bounds, Kind};
use super::loaded::Plugin;
use crate::record::PluginVersion;

/// What a version did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Tally {
    /// Batches.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Records it failed, or that failed with it.
    pub failed_records: u64,
    /// Batches in which a call trapped, broke a limit or answered nonsense.
    pub faulted_batches: u64,
    /// Records it dropped on purpose.
    pub dropped_records: u64,
    /// Time of all batches.
    #[serde(serialize_with = "seconds")]
    pub seconds: Duration,
    /// Most memory that an instance had.
    pub memory_peak_bytes: u64,
}

impl Tally {
    fn add(&mut self, more: &Self) {
        self.batches += more.batches;
        self.records += more.records;
        self.failed_records += more.failed_records;
        self.faulted_batches += more.faulted_batches;
        self.dropped_records += more.dropped_records;
        self.seconds += more.seconds;
        self.memory_peak_bytes = self.memory_peak_bytes.max(more.memory_peak_bytes);
    }

    /// Of a hundred records; a faulted batch counts as one more, because a fault that was isolated cost its time.
    fn failures(&self) -> f64 {
        let failures = (self.failed_records + self.faulted_batches).min(self.records);
        100.0 * as_real(failures) / as_real(self.records.max(1))
    }

    /// Seconds per record.
    fn latency(&self) -> f64 {
        self.seconds.as_secs_f64() / as_real(self.records.max(1))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^52 are exact, and larger ones are for a ratio only")]
fn as_real(count: u64) -> f64 {
    count as f64
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// What became of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is being tried.
    Watching,
    /// It kept its bounds for as long as was asked, and is about to rule.
    Held,
    /// It rules.
    Promoted,
    /// It broke a bound, this one.
    RolledBack(String),
    /// It was ended for this reason.
    Ended(String),
}

impl Verdict {
    fn word(&self) -> &'static str {
        match self {
            Self::Watching => "watching",
            Self::Held => "held",
            Self::Promoted => "promoted",
            Self::RolledBack(_) => "rolled-back",
            Self::Ended(_) => "ended",
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::RolledBack(reason) | Self::Ended(reason) => Some(reason),
            Self::Watching | Self::Held | Self::Promoted => None,
        }
    }
}

/// What the counts of both versions say about a canary.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Judgement {
    Undecided,
    Promote,
    RollBack(String),
}

fn judge(bounds: &Bounds, ruling: &Tally, own: &Tally) -> Judgement {
    if own.records < bounds.after || ruling.records < bounds.after {
        return Judgement::Undecided;
    }
    let (failures, ruling_failures) = (own.failures(), ruling.failures());
    if failures > ruling_failures + bounds.most_failures {
        return Judgement::RollBack(format!(
            "{failures:.1} of 100 records failed and {ruling_failures:.1} with the ruling version; at most {} more were allowed",
            bounds.most_failures
        ));
    }
    let (latency, ruling_latency) = (own.latency(), ruling.latency());
    if latency > ruling_latency * bounds.most_latency {
        return Judgement::RollBack(format!(
            "a record took {:.1} µs and {:.1} µs with the ruling version; at most {} times as long was allowed",
            latency * 1e6,
            ruling_latency * 1e6,
            bounds.most_latency
        ));
    }
    match bounds.promote_after {
        Some(enough) if own.records >= enough => Judgement::Promote,
        _ => Judgement::Undecided,
    }
}

/// Whether a canary with this share rules, so long after it began, and when to ask again. Its part wanders through the
/// period, so that producers that work by the clock do not always meet the same version; the ruling one comes first.
fn turn(elapsed_ms: u64, period_ms: u64, share: u64) -> (Turn, u64) {
    let period_ms = period_ms.max(2);
    let part = (period_ms * share / 100).clamp(1, period_ms - 1);
    let room = period_ms - part;
    let (nth, at) = (elapsed_ms / period_ms, elapsed_ms % period_ms);
    // Steps by the golden ratio come near every place and return to none.
    let from = room - room * (nth % 1_000 * 618 % 1_000) / 1_000;
    if at < from {
        (Turn::Ruling, from - at)
    } else if at < from + part {
        (Turn::Candidate, from + part - at)
    } else {
        (Turn::Ruling, period_ms - at)
    }
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Ruling,
    Candidate,
}

/// Whether the nth batch, counted from 0, is one of so many percent: evenly, without chance.
fn is_sampled(nth: u64, share: u64) -> bool {
    (nth % 100 + 1) * share / 100 > nth % 100 * share / 100
}

/// A candidate on trial, or what is left of one.
pub(super) struct Candidate {
    pub(super) version: PluginVersion,
    /// What ruled when it came; it is compared with nothing else.
    against: PluginVersion,
    component: String,
    asked: Asked,
    since_ms: u64,
    /// A shadow's own copy, counted apart from what rules.
    pub(super) plugin: Arc<Plugin>,
    state: Mutex<State>,
}

struct State {
    turn: Turn,
    verdict: Verdict,
    /// Batches that a shadow might have had.
    offered: u64,
    differing_records: u64,
    ruling: Tally,
    own: Tally,
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate").field("version", &self.version).finish_non_exhaustive()
    }
}

/// A candidate as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What names the version.
    pub digest: String,
    /// SHA-256 of its component.
    pub component: String,
    /// Beside or in turn.
    pub kind: Kind,
    /// Of batches or of time, percent.
    pub share_percent: u64,
    /// When a canary ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
    /// When it came, milliseconds since 1970.
    pub since_ms: u64,
    /// What became of it: `watching`, `held`, `promoted`, `rolled-back` or `ended`.
    pub verdict: &'static str,
    /// Why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Records that fared otherwise with it; shadows only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differing_records: Option<u64>,
    /// What the ruling version did meanwhile: with the same records, or in its own turns.
    pub ruling: Tally,
    /// What the candidate did.
    pub candidate: Tally,
}

impl Candidate {
    pub(super) fn new(
        plugin: Arc<Plugin>,
        against: PluginVersion,
        component: String,
        asked: Asked,
        now_ms: u64,
    ) -> Self {
        let state = State {
            turn: Turn::Ruling,
            verdict: Verdict::Watching,
            offered: 0,
            differing_records: 0,
            ruling: Tally::default(),
            own: Tally::default(),
        };
        let version = plugin.version().clone();
        Self { version, against, component, asked, since_ms: now_ms, plugin, state: Mutex::new(state) }
    }

    pub(super) fn kind(&self) -> Kind {
        self.asked.kind
    }

    pub(super) fn component(&self) -> &str {
        &self.component
    }

    /// Whether it is still on trial.
    pub(super) fn is_on(&self) -> bool {
        matches!(self.state().verdict, Verdict::Watching | Verdict::Held)
    }

    /// Whether it is to rule.
    pub(super) fn has_held(&self) -> bool {
        self.state().verdict == Verdict::Held
    }

    /// Whether new batches are its own now.
    pub(super) fn has_turn(&self) -> bool {
        self.is_on() && self.state().turn == Turn::Candidate
    }

    /// Gives the turn to whom it belongs now; whether that is another one, and how long it stays.
    pub(super) fn take_turn(&self, now_ms: u64, period_ms: u64) -> (bool, u64) {
        let (turn, left_ms) = turn(now_ms.saturating_sub(self.since_ms), period_ms, self.asked.share);
        (std::mem::replace(&mut self.state().turn, turn) != turn, left_ms)
    }

    /// Whether a shadow is to see the batch that `ruling` just had.
    pub(super) fn wants(&self, ruling: &PluginVersion) -> bool {
        let mut state = self.state();
        if state.verdict != Verdict::Watching || ruling != &self.against {
            return false;
        }
        state.offered += 1;
        is_sampled(state.offered - 1, self.asked.share)
    }

    /// Counts a batch that both had.
    pub(super) fn compared(&self, ruling: &Tally, own: &Tally, differing_records: u64) {
        let mut state = self.state();
        state.ruling.add(ruling);
        state.own.add(own);
        state.differing_records += differing_records;
    }

    /// Counts a batch that one of both had in its turn; why the candidate is at an end, if this was one batch too many.
    pub(super) fn note(&self, version: &PluginVersion, tally: &Tally) -> Option<String> {
        let mut state = self.state();
        let bounds = self.asked.bounds.filter(|_| state.verdict == Verdict::Watching)?;
        if version == &self.version {
            state.own.add(tally);
        } else if version == &self.against {
            state.ruling.add(tally);
        }
        match judge(&bounds, &state.ruling, &state.own) {
            Judgement::Undecided => None,
            Judgement::Promote => {
                state.verdict = Verdict::Held;
                None
            }
            Judgement::RollBack(reason) => {
                state.verdict = Verdict::RolledBack(reason.clone());
                Some(reason)
            }
        }
    }

    /// Ends it, unless it has ended already; whether it had not.
    pub(super) fn end(&self, verdict: Verdict) -> bool {
        let mut state = self.state();
        let was_on = matches!(state.verdict, Verdict::Watching | Verdict::Held);
        if was_on {
            state.verdict = verdict;
        }
        was_on
    }

    pub(super) fn report(&self) -> Report {
        let state = self.state();
        Report {
            digest: self.version.digest.clone(),
            component: self.component.clone(),
            kind: self.asked.kind,
            share_percent: self.asked.share,
            bounds: self.asked.bounds,
            since_ms: self.since_ms,
            verdict: state.verdict.word(),
            reason: state.verdict.reason().map(str::to_owned),
            differing_records: (self.asked.kind == Kind::Shadow).then_some(state.differing_records),
            ruling: state.ruling,
            candidate: state.own,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_batches_is_exact_and_even() {
        for share in [1, 7, 50, 99, 100] {
            let taken: Vec<u64> = (0..1_000).filter(|&nth| is_sampled(nth, share)).collect();
            assert_eq!(taken.len() as u64, 10 * share, "{share}%");
            let widest = taken.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
            assert!(widest <= 100_u64.div_ceil(share), "{share}%: {widest}");
        }
    }

    #[test]
    fn a_share_of_time_is_exact_and_wanders() {
        for (period_ms, share) in [(30_000, 10), (1_000, 50), (1_000, 99), (30_000, 1)] {
            let mut starts = std::collections::BTreeSet::new();
            let mut own_ms = 0;
            let mut at = 0;
            while at < 20 * period_ms {
                let (whose, left_ms) = turn(at, period_ms, share);
                assert!(left_ms > 0 && left_ms <= period_ms);
                // Nothing changes before it says so.
                assert_eq!(turn(at + left_ms - 1, period_ms, share), (whose, 1), "{at}");
                if whose == Turn::Candidate {
                    own_ms += left_ms;
                    starts.insert(at % period_ms);
                }
                at += left_ms;
            }
            assert_eq!(own_ms, 20 * period_ms * share / 100, "{share}% of {period_ms}");
            assert!(starts.len() >= 10, "{starts:?}");
        }
        assert_eq!(turn(0, 30_000, 10), (Turn::Ruling, 27_000), "what rules comes first");
    }

    fn tally(records: u64, failed_records: u64, micros: u64) -> Tally {
        Tally { records, failed_records, seconds: Duration::from_micros(micros), ..Tally::default() }
    }

    #[test]
    fn bounds_decide_when_there_is_enough_to_decide_on() {
        let bounds = Bounds { most_failures: 5.0, most_latency: 2.0, after: 100, promote_after: Some(1_000) };
        let rolled_back = |ruling, own| matches!(judge(&bounds, &ruling, &own), Judgement::RollBack(_));
        // All of it fails, and it is too early to say so, for want of either.
        assert!(!rolled_back(tally(500, 0, 500), tally(99, 99, 99)));
        assert!(!rolled_back(tally(99, 0, 99), tally(500, 500, 500)));
        assert!(rolled_back(tally(100, 0, 100), tally(100, 6, 100)));
        assert!(!rolled_back(tally(100, 0, 100), tally(100, 5, 100)));
        // What fails with both is no fault of the candidate's.
        assert!(!rolled_back(tally(100, 50, 100), tally(100, 55, 100)));
        assert!(!rolled_back(tally(100, 0, 100), tally(100, 0, 200)));
        assert!(rolled_back(tally(100, 0, 100), tally(100, 0, 201)));
        let faulted = Tally { faulted_batches: 6, ..tally(100, 0, 100) };
        assert!(rolled_back(tally(100, 0, 100), faulted), "faults that were isolated count as well");
        assert_eq!(judge(&bounds, &tally(100, 0, 100), &tally(999, 0, 999)), Judgement::Undecided);
        assert_eq!(judge(&bounds, &tally(100, 0, 100), &tally(1_000, 0, 1_000)), Judgement::Promote);
        let never = Bounds { promote_after: None, ..bounds };
        assert_eq!(judge(&never, &tally(100, 0, 100), &tally(1 << 40, 0, 1_000)), Judgement::Undecided);
    }
}
