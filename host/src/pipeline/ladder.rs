//! What becomes of a batch whose destination may give it up: repeat what is outstanding until its time is over, then
//! hand the rest to the error output.
//!
//! The time begins with the first failed attempt and is that of the definition in force. The journal knows when that
//! was, so a restart does not begin it anew, and a host that was off for a day tries once more before it gives up what
//! had failed before. Refuses to send and to wait; the delivery does.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::deliver::{DeliveryError, Receipt, Verdict};
use crate::record::{Rejected, Rows};

/// Bytes of a destination's own words that an error output repeats: enough for a stack of causes, and a batch of
/// refused records stays within a few times its size.
const MESSAGE_BYTES: usize = 1024;

/// How far a batch of rows has come.
#[derive(Debug)]
pub(crate) struct Ladder {
    /// Indexes of the rows still to be delivered, rising; none before the first attempt: all of them.
    outstanding: Option<Vec<usize>>,
    /// Rows of the batch.
    count: Option<usize>,
    /// Rows that will not be delivered, and why.
    lost: BTreeMap<usize, Reason>,
    attempts: u32,
    first_failure: Option<Instant>,
    /// How long it was failing before this process tried; none when no attempt has failed yet.
    failing_for: Option<Duration>,
    /// Whether the time began to run and nobody was told.
    begun: bool,
}

/// Why a row is not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    code: Cow<'static, str>,
    /// Shared: a batch of a hundred thousand records may fail for one reason, and its memory is in no budget.
    message: Arc<str>,
    attempts: u32,
}

/// What to do after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing is outstanding.
    Done,
    /// Try again, at the latest after this long: then the time is over.
    Again(Duration),
}

impl Ladder {
    /// A ladder for a batch whose first failed attempt, in an earlier process, was so long ago; none when it was never
    /// tried in vain.
    pub(crate) fn new(failing_for: Option<Duration>) -> Self {
        let lost = BTreeMap::new();
        Self { outstanding: None, count: None, lost, attempts: 0, first_failure: None, failing_for, begun: false }
    }

    /// The destination is known to fail, and this batch waits for it: its time runs as if it had been sent in vain.
    pub(crate) fn begin(&mut self, now: Instant) {
        if self.first_failure.is_none() {
            self.first_failure = Some(now);
            self.begun = self.failing_for.is_none();
        }
    }

    /// True once, after the time began to run for the first time in the batch's life.
    pub(crate) fn take_begun(&mut self) -> bool {
        std::mem::take(&mut self.begun)
    }

    /// How long it may still be tried; none before the first failure.
    pub(crate) fn left(&self, now: Instant, retry: Duration) -> Option<Duration> {
        let first = self.first_failure?;
        let passed = now.saturating_duration_since(first) + self.failing_for.unwrap_or_default();
        Some(retry.saturating_sub(passed))
    }

    /// Attempts so far.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The rows of the whole batch that are to be sent now. A batch that was made again and has another number of rows is
    /// not the one that indexes were of: all of it is sent, for twice is better than never.
    pub(crate) fn outstanding(&mut self, rows: Rows) -> Rows {
        if self.count.replace(rows.len()).is_some_and(|count| count != rows.len()) {
            self.outstanding = None;
            self.lost.clear();
        }
        match &self.outstanding {
            Some(indexes) => rows.select(indexes),
            None => rows,
        }
    }

    /// Learns from an attempt with `count` rows outstanding; `retry` is how long after the first failure they may be
    /// tried.
    pub(crate) fn learn(
        &mut self,
        count: usize,
        outcome: Result<Receipt, &DeliveryError>,
        now: Instant,
        retry: Duration,
    ) -> Next {
        self.attempts += 1;
        let attempts = self.attempts;
        let sent = self.outstanding.take().unwrap_or_else(|| (0..count).collect());
        let mut again: Vec<(usize, Reason)> = Vec::new();
        let mut known = None;
        let mut reason =
            |code: Cow<'static, str>, message: Arc<str>| Reason { code, message: cut(message, &mut known), attempts };
        match outcome {
            Ok(receipt) => {
                for refused in receipt.refused {
                    if let Some(&at) = sent.get(refused.at) {
                        self.lost.insert(at, reason(refused.code, refused.message.into()));
                    }
                }
                for postponed in receipt.again {
                    if let Some(&at) = sent.get(postponed.at) {
                        again.push((at, reason(postponed.code, postponed.message)));
                    }
                }
            }
            Err(error) => {
                let why = reason(error.code.into(), error.to_string().into());
                let all = sent.into_iter().map(|at| (at, why.clone()));
                // The batch itself is at fault, or it may be tried again.
                if error.verdict == Verdict::Reject { self.lost.extend(all) } else { again.extend(all) }
            }
        }
        if again.is_empty() {
            self.outstanding = Some(Vec::new());
            return Next::Done;
        }
        self.begin(now);
        let left = self.left(now, retry).unwrap_or_default();
        if left.is_zero() {
            self.lost.extend(again);
            self.outstanding = Some(Vec::new());
            return Next::Done;
        }
        self.outstanding = Some(again.into_iter().map(|(at, _)| at).collect());
        Next::Again(left)
    }

    /// What goes to the error output of the whole batch, once nothing is outstanding. `template` is a rejection of
    /// this kind with everything that its rows have in common; `names` says how the destination calls a row.
    pub(crate) fn rejected(
        &self,
        rows: &Rows,
        template: &Rejected,
        names: impl Fn(usize) -> Vec<(&'static str, serde_json::Value)>,
    ) -> Vec<Rejected> {
        let reject = |(&at, reason): (&usize, &Reason)| Rejected {
            sequence: rows.sequences[at],
            arrived_ms: rows.arrived_ms[at],
            data: rows.records.payload().slice(rows.records.range(at)),
            code: reason.code.clone(),
            message: reason.message.to_string(),
            attempts: reason.attempts,
            names: names(at),
            ..template.clone()
        };
        self.lost.iter().filter(|(at, _)| **at < rows.len()).map(reject).collect()
    }

    /// True when something goes to the error output.
    pub(crate) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }
}

/// A message within its bound; `known` is the last one that had to be cut, and what became of it.
fn cut(message: Arc<str>, known: &mut Option<(Arc<str>, Arc<str>)>) -> Arc<str> {
    if message.len() <= MESSAGE_BYTES {
        return message;
    }
    if let Some((whole, cut)) = known
        && Arc::ptr_eq(whole, &message)
    {
        return Arc::clone(cut);
    }
    let end = (0..=MESSAGE_BYTES).rev().find(|&at| message.is_char_boundary(at)).unwrap_or(0);
    let cut: Arc<str> = message.get(..end).unwrap_or_default().into();
    *known = Some((message, Arc::clone(&cut)));
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::{Postponed, Refused};
    use crate::record::{ErrorOutput, Records};

    const RETRY: Duration = Duration::from_secs(300);

    fn rows(count: u32) -> Rows {
        Rows {
            records: Records::new(vec![b'x'; count as usize].into(), (1..=count).collect(), Vec::new()).unwrap(),
            sequences: (100..100 + u64::from(count)).collect(),
            ordinals: vec![0; count as usize],
            arrived_ms: vec![5; count as usize],
        }
    }

    fn postponed(at: usize) -> Postponed {
        Postponed { at, code: "429".into(), message: "busy".into() }
    }

    fn refused(at: usize) -> Refused {
        Refused { at, code: "400".into(), message: "no".to_owned() }
    }

    fn template() -> Rejected {
        Rejected {
            sequence: 0,
            arrived_ms: 0,
            data: bytes::Bytes::new(),
            output: ErrorOutput::OpenSearchFailed,
            code: "".into(),
            message: String::new(),
            attempts: 0,
            lambda_arn: None,
            plugin: None,
            names: Vec::new(),
            is_repeatable: true,
        }
    }

    fn down() -> DeliveryError {
        DeliveryError { verdict: Verdict::Retry(None), code: "Down", text: "x".repeat(5_000), source: None }
    }

    /// Row X5: only what is outstanding is sent again, and indexes stay those of the whole batch.
    #[tokio::test]
    async fn narrows_to_what_is_outstanding() {
        let (mut ladder, now) = (Ladder::new(None), Instant::now());
        assert_eq!(ladder.outstanding(rows(5)).sequences, [100, 101, 102, 103, 104]);
        let first = Receipt { again: vec![postponed(1), postponed(4)], refused: vec![refused(2)] };
        assert_eq!(ladder.learn(5, Ok(first), now, RETRY), Next::Again(RETRY));
        assert_eq!(ladder.outstanding(rows(5)).sequences, [101, 104]);
        let second = Receipt { again: vec![postponed(1)], refused: vec![refused(0)] };
        assert_eq!(ladder.learn(2, Ok(second), now + RETRY / 3, RETRY), Next::Again(RETRY - RETRY / 3));
        assert_eq!(ladder.outstanding(rows(5)).sequences, [104]);
        assert_eq!(ladder.learn(1, Ok(Receipt::default()), now, RETRY), Next::Done);
        let lost = ladder.rejected(&rows(5), &template(), |at| vec![("id", at.into())]);
        assert_eq!(lost.iter().map(|one| (one.sequence, one.attempts)).collect::<Vec<_>>(), [(101, 2), (102, 1)]);
        assert_eq!(lost[0].names, [("id", serde_json::Value::from(1))]);
    }

    /// A batch that came out differently is sent whole: nothing of it counts as delivered.
    #[tokio::test]
    async fn another_batch_begins_anew() {
        let mut ladder = Ladder::new(None);
        assert_eq!(ladder.outstanding(rows(5)).len(), 5);
        let receipt = Receipt { again: vec![postponed(4)], refused: vec![refused(2)] };
        assert_eq!(ladder.learn(5, Ok(receipt), Instant::now(), RETRY), Next::Again(RETRY));
        assert_eq!(ladder.outstanding(rows(3)).sequences, [100, 101, 102]);
        assert!(!ladder.has_lost());
    }

    #[tokio::test]
    async fn gives_up_when_the_time_is_over() {
        let (mut ladder, now) = (Ladder::new(None), Instant::now());
        assert_eq!(ladder.learn(2, Err(&down()), now, RETRY), Next::Again(RETRY));
        assert!(!ladder.has_lost());
        assert_eq!(ladder.learn(2, Err(&down()), now + RETRY, RETRY), Next::Done);
        let lost = ladder.rejected(&rows(2), &template(), |_| Vec::new());
        assert_eq!((lost.len(), lost[0].attempts, lost[0].message.len()), (2, 2, MESSAGE_BYTES));
        assert!(ladder.outstanding(rows(2)).is_empty());
    }

    /// What failed in an earlier process has so much less time, and at least one attempt.
    #[tokio::test]
    async fn time_counts_over_restarts() {
        let now = Instant::now();
        let mut ladder = Ladder::new(Some(RETRY / 3));
        ladder.begin(now);
        assert!(!ladder.take_begun(), "it began long ago");
        assert_eq!(ladder.learn(2, Err(&down()), now, RETRY), Next::Again(RETRY - RETRY / 3));
        let mut ladder = Ladder::new(Some(RETRY * 300));
        assert_eq!(ladder.left(now, RETRY), None);
        assert_eq!(ladder.learn(2, Err(&down()), now, RETRY), Next::Done);
        assert_eq!(ladder.rejected(&rows(2), &template(), |_| Vec::new()).len(), 2);
    }

    /// Who waits for a destination that is known to fail is failing, too.
    #[tokio::test]
    async fn time_runs_while_it_waits() {
        let (mut ladder, now) = (Ladder::new(None), Instant::now());
        assert!(!ladder.take_begun());
        ladder.begin(now);
        assert!(ladder.take_begun());
        ladder.begin(now + RETRY / 3);
        assert!(!ladder.take_begun());
        assert_eq!(ladder.left(now + RETRY / 3, RETRY), Some(RETRY - RETRY / 3));
        assert_eq!(ladder.learn(2, Err(&down()), now + RETRY, RETRY), Next::Done);
    }

    #[tokio::test]
    async fn a_batch_at_fault_is_not_tried_again() {
        let (mut ladder, rejected) = (Ladder::new(None), DeliveryError { verdict: Verdict::Reject, ..down() });
        assert_eq!(ladder.learn(2, Err(&rejected), Instant::now(), RETRY), Next::Done);
        assert_eq!(ladder.rejected(&rows(2), &template(), |_| Vec::new()).len(), 2);
    }

    #[tokio::test]
    async fn no_time_is_one_attempt() {
        let mut ladder = Ladder::new(None);
        assert_eq!(ladder.learn(1, Err(&down()), Instant::now(), Duration::ZERO), Next::Done);
        assert!(ladder.has_lost());
    }

    #[test]
    fn words_are_cut_between_letters() {
        let long = "é".repeat(MESSAGE_BYTES);
        assert_eq!(cut(format!("a{long}").into(), &mut None).len(), MESSAGE_BYTES - 1);
    }

    /// What is put off for one reason shares its words, also when they had to be cut.
    #[test]
    fn one_reason_is_kept_once() {
        let (mut ladder, now) = (Ladder::new(None), Instant::now());
        let message: Arc<str> = "ü".repeat(3_000).into();
        let again = (0..1_000).map(|at| Postponed { at, code: "429".into(), message: Arc::clone(&message) }).collect();
        assert_eq!(ladder.learn(1_000, Ok(Receipt { again, refused: Vec::new() }), now, Duration::ZERO), Next::Done);
        let first = &ladder.lost[&0].message;
        assert_eq!((ladder.lost.len(), first.len()), (1_000, MESSAGE_BYTES));
        assert!(ladder.lost.values().all(|reason| Arc::ptr_eq(&reason.message, first)));
    }
}
