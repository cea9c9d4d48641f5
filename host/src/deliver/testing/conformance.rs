//! The one conformance suite: what every destination does when its peer misbehaves, fakes included. A fake that fails
//! here is a broken fake.
//!
//! Eight [`Scenario`]s run over a [`Bench`]: a destination, its peer, and the ways in which the peer can be made to
//! misbehave. What cannot happen to a destination is said with a reason and comes back in the [`Report`], so that a test
//! states it; nothing is left out in silence. Each scenario looks at what stands at the peer afterwards: nothing is
//! missing, and nothing is there twice unless the peer cannot tell a repetition.
//!
//! Refuses to know any destination, and to wait for time to pass.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::sync::Arc;

use async_trait::async_trait;

use super::batches::{Batch, RECORDS};
use crate::deliver::{DeliveryError, Destination, Receipt, Verdict};

/// Batches that the suite delivers, by number from 0: more than the scenarios use.
pub const BATCHES: u32 = 16;

/// The eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A batch arrives.
    Deliver,
    /// An attempt that came to nothing is made again.
    Retry,
    /// The peer did it, and nobody heard.
    UnknownOutcome,
    /// Some records are taken, some are not.
    PartialFailure,
    /// Nothing is taken, however often it is sent.
    PermanentFailure,
    /// A login ends while batches wait.
    ExpiringCredentials,
    /// A delivery is dropped on its way.
    Cancel,
    /// A batch that was sealed before a crash is delivered again.
    Replay,
}

/// How a peer misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The next attempt ends before anything was done.
    FailBefore,
    /// The next attempt's work is done and its answer lost.
    CutAfter,
    /// This record is never taken, the others are.
    RefuseOne(usize),
    /// This record is not taken now, the others are.
    PutOffOne(usize),
    /// Nothing is taken until somebody mends it, if ever.
    RefuseAll,
    /// Whoever logs in as before is refused until the login is renewed.
    RefuseLogin,
    /// The next attempt gets no answer.
    Hang,
}

/// What an attempt must come to under a trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It fails with this code and may be made again.
    Retry(&'static str),
    /// It fails with this code and may not.
    Reject(&'static str),
    /// It succeeds, because the destination found out by itself.
    Settled,
    /// The records in question are refused with this code; the others are taken.
    Refused(&'static str),
    /// The records in question are to be sent again, with this code; the others are taken.
    PutOff(&'static str),
    /// There is none.
    NoAnswer,
}

/// Why a trouble cannot come upon a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoesNotApply {
    /// In a sentence.
    pub because: &'static str,
}

/// What a peer has of a batch that was sent to it more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// One of each record.
    IsInvisible,
    /// As many as reached it.
    IsThere {
        /// In a sentence.
        because: &'static str,
    },
}

/// A destination with its peer.
#[async_trait(?Send)]
pub trait Bench {
    /// What it delivers.
    type Batch: Batch;

    /// The destination as a host opens it. Another call gives what there is after a restart.
    fn open(&self) -> Arc<dyn Destination<Self::Batch>>;

    /// Batch `number` of [`BATCHES`], with [`RECORDS`] records: the same whenever it is asked for between two troubles.
    fn batch(&self, number: u32) -> Self::Batch;

    /// Makes the peer misbehave when batch `number` comes. It is asked for the batch afterwards.
    ///
    /// # Errors
    /// When that cannot happen.
    async fn misbehave(&self, trouble: Trouble, number: u32) -> Result<Expected, DoesNotApply>;

    /// Ends every trouble and renews the login.
    async fn mend(&self);

    /// Resolves once an attempt hangs.
    async fn hanging(&self);

    /// How often each record of batch `number` stands at the peer.
    async fn stored(&self, number: u32) -> Vec<usize>;

    /// What becomes of repetitions.
    fn repetition(&self) -> Repetition {
        Repetition::IsInvisible
    }
}

/// A destination broke a promise.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub(super) String);

/// What the suite could not show.
#[derive(Debug, Default)]
pub struct Report {
    /// Troubles that cannot come upon the destination, and why.
    pub left_out: Vec<(Trouble, DoesNotApply)>,
}

impl Report {
    /// The troubles alone.
    pub fn left_out(&self) -> Vec<Trouble> {
        self.left_out.iter().map(|(trouble, _)| *trouble).collect()
    }
}

/// Runs the suite: rows X2, X5, X7, X8 and X15 of the failure catalogue, as far as each comes upon the destination.
///
/// # Errors
/// The first broken promise.
pub async fn conformance<B: Bench>(bench: &B) -> Result<Report, Violation> {
    let mut run = Run { bench, destination: bench.open(), report: Report::default(), scenario: Scenario::Deliver };
    for (number, scenario) in (0..).step_by(2).zip([
        Scenario::Deliver,
        Scenario::Retry,
        Scenario::UnknownOutcome,
        Scenario::PartialFailure,
        Scenario::PermanentFailure,
        Scenario::ExpiringCredentials,
        Scenario::Cancel,
        Scenario::Replay,
    ]) {
        run.scenario = scenario;
        let (first, second): (u32, u32) = (number, number + 1);
        match scenario {
            Scenario::Deliver => run.deliver(first, second).await?,
            Scenario::Retry => run.retry(first).await?,
            Scenario::UnknownOutcome => run.unknown_outcome(first).await?,
            Scenario::PartialFailure => run.partial_failure(first, second).await?,
            Scenario::PermanentFailure => run.permanent_failure(first, second).await?,
            Scenario::ExpiringCredentials => run.expiring_credentials(first).await?,
            Scenario::Cancel => run.cancel(first).await?,
            Scenario::Replay => run.replay(first).await?,
        }
    }
    Ok(run.report)
}

type Outcome = Result<Receipt, DeliveryError>;

/// The suite on its way.
struct Run<'a, B: Bench> {
    bench: &'a B,
    destination: Arc<dyn Destination<B::Batch>>,
    report: Report,
    scenario: Scenario,
}

impl<B: Bench> Run<'_, B> {
    /// Two batches are there once each, however they follow each other.
    async fn deliver(&mut self, first: u32, second: u32) -> Result<(), Violation> {
        self.stands(first, 0..=0).await?;
        self.arrives(first).await?;
        self.stands(first, 1..=1).await?;
        self.arrives(second).await?;
        self.stands(second, 1..=1).await?;
        self.stands(first, 1..=1).await
    }

    /// An attempt that failed before anything was done says so, and leaves nothing behind.
    async fn retry(&mut self, number: u32) -> Result<(), Violation> {
        self.fails_until_mended(Trouble::FailBefore, number).await
    }

    /// An attempt fails and leaves nothing behind; the next one after the trouble has ended delivers.
    async fn fails_until_mended(&mut self, trouble: Trouble, number: u32) -> Result<(), Violation> {
        let Some(expected) = self.under(trouble, number).await else { return Ok(()) };
        self.allow(expected, matches!(expected, Expected::Retry(_)))?;
        let outcome = self.attempt(number).await;
        self.compare(&outcome, expected, &[])?;
        self.stands(number, 0..=0).await?;
        self.bench.mend().await;
        self.arrives(number).await?;
        self.stands(number, 1..=1).await
    }

    /// Row X2: an attempt whose answer was lost is no success unless the destination knows, and the next one settles it.
    async fn unknown_outcome(&mut self, number: u32) -> Result<(), Violation> {
        let Some(expected) = self.under(Trouble::CutAfter, number).await else { return Ok(()) };
        self.allow(expected, matches!(expected, Expected::Retry(_) | Expected::Settled))?;
        let outcome = self.attempt(number).await;
        self.compare(&outcome, expected, &[])?;
        self.stands(number, 1..=1).await?;
        self.bench.mend().await;
        if outcome.is_err() {
            self.arrives(number).await?;
        }
        let sent = if outcome.is_err() { 2 } else { 1 };
        self.stands(number, self.after(sent)).await
    }

    /// Row X5: what is said of one record is about that record alone.
    async fn partial_failure(&mut self, first: u32, second: u32) -> Result<(), Violation> {
        const AT: usize = 1;
        let others = |count: usize, at: usize| if at == AT { count } else { 1 };
        if let Some(expected) = self.under(Trouble::RefuseOne(AT), first).await {
            self.allow(expected, matches!(expected, Expected::Refused(_)))?;
            let outcome = self.attempt(first).await;
            self.compare(&outcome, expected, &[AT])?;
            self.stands_each(first, |at| others(0, at)).await?;
            self.bench.mend().await;
        }
        if let Some(expected) = self.under(Trouble::PutOffOne(AT), second).await {
            self.allow(expected, matches!(expected, Expected::PutOff(_)))?;
            let batch = self.bench.batch(second);
            let outcome = self.destination.deliver(&batch).await;
            self.compare(&outcome, expected, &[AT])?;
            self.stands_each(second, |at| others(0, at)).await?;
            self.bench.mend().await;
            let rest = batch.select(&[AT]);
            let outcome = self.destination.deliver(&rest).await;
            self.compare(&outcome, Expected::Settled, &[])?;
            self.stands_each(second, |at| others(1, at)).await?;
        }
        Ok(())
    }

    /// Row X8: what is refused for good is refused by name, leaves nothing behind, and holds nothing else up. Where
    /// people can mend it, the batch that was given up can still be delivered.
    async fn permanent_failure(&mut self, first: u32, second: u32) -> Result<(), Violation> {
        let Some(expected) = self.under(Trouble::RefuseAll, first).await else { return Ok(()) };
        let is_allowed = matches!(expected, Expected::Retry(_) | Expected::Reject(_) | Expected::Refused(_));
        self.allow(expected, is_allowed)?;
        let all: Vec<usize> = (0..RECORDS).collect();
        for _ in 0..2 {
            let outcome = self.attempt(first).await;
            self.compare(&outcome, expected, &all)?;
            self.stands(first, 0..=0).await?;
        }
        let batch = self.bench.batch(first);
        if let Expected::Retry(_) = expected {
            let given_up = self.destination.give_up(&batch).await;
            given_up.map_err(|error| self.violation(format!("it cannot be given up: {error:?}")))?;
        }
        self.bench.mend().await;
        if let Expected::Retry(_) = expected {
            self.arrives(first).await?;
            self.stands(first, 1..=1).await?;
        }
        self.arrives(second).await?;
        self.stands(second, 1..=1).await
    }

    /// Row X15: a login that is refused is named, and the renewed one serves without anything being opened again.
    async fn expiring_credentials(&mut self, number: u32) -> Result<(), Violation> {
        self.fails_until_mended(Trouble::RefuseLogin, number).await
    }

    /// A delivery that is dropped while the peer is silent leaves nothing that the next one would not settle.
    async fn cancel(&mut self, number: u32) -> Result<(), Violation> {
        let Some(expected) = self.under(Trouble::Hang, number).await else { return Ok(()) };
        self.allow(expected, expected == Expected::NoAnswer)?;
        let batch = self.bench.batch(number);
        tokio::select! {
            outcome = self.destination.deliver(&batch) => {
                return Err(self.violation(format!("there is no answer, but {outcome:?}")));
            }
            () = self.bench.hanging() => {}
        }
        self.bench.mend().await;
        self.arrives(number).await?;
        self.stands(number, self.after(2)).await
    }

    /// Row X7: a sealed batch is delivered again, by the same process and by the next.
    async fn replay(&mut self, number: u32) -> Result<(), Violation> {
        self.arrives(number).await?;
        self.arrives(number).await?;
        self.stands(number, self.after(2)).await?;
        self.destination = self.bench.open();
        self.arrives(number).await?;
        self.stands(number, self.after(3)).await
    }

    /// How often a record stands after so many attempts that may have reached the peer.
    fn after(&self, sent: usize) -> RangeInclusive<usize> {
        match self.bench.repetition() {
            Repetition::IsInvisible => 1..=1,
            Repetition::IsThere { .. } => 1..=sent,
        }
    }

    async fn under(&mut self, trouble: Trouble, number: u32) -> Option<Expected> {
        match self.bench.misbehave(trouble, number).await {
            Ok(expected) => Some(expected),
            Err(why) => {
                self.report.left_out.push((trouble, why));
                None
            }
        }
    }

    async fn attempt(&self, number: u32) -> Outcome {
        self.destination.deliver(&self.bench.batch(number)).await
    }

    async fn arrives(&self, number: u32) -> Result<(), Violation> {
        let outcome = self.attempt(number).await;
        self.compare(&outcome, Expected::Settled, &[])
    }

    /// A bench may not expect less than the scenario asks for.
    fn allow(&self, expected: Expected, is_allowed: bool) -> Result<(), Violation> {
        if is_allowed {
            Ok(())
        } else {
            Err(self.violation(format!("the bench expects {expected:?}, which is no proof")))
        }
    }

    fn compare(&self, outcome: &Outcome, expected: Expected, records: &[usize]) -> Result<(), Violation> {
        let is_met = match (expected, outcome) {
            (Expected::Retry(code), Err(error)) => error.code == code && matches!(error.verdict, Verdict::Retry(_)),
            (Expected::Reject(code), Err(error)) => error.code == code && error.verdict == Verdict::Reject,
            (Expected::Settled, Ok(receipt)) => *receipt == Receipt::default(),
            (Expected::Refused(code), Ok(receipt)) => {
                let found = receipt.refused.iter().map(|one| (one.at, one.code.as_ref()));
                receipt.again.is_empty() && found.eq(records.iter().map(|&at| (at, code)))
            }
            (Expected::PutOff(code), Ok(receipt)) => {
                let found = receipt.again.iter().map(|one| (one.at, one.code.as_ref()));
                receipt.refused.is_empty() && found.eq(records.iter().map(|&at| (at, code)))
            }
            _ => false,
        };
        if is_met {
            Ok(())
        } else {
            Err(self.violation(format!("expected {expected:?} of {records:?}, got {outcome:?}")))
        }
    }

    async fn stands(&self, number: u32, times: RangeInclusive<usize>) -> Result<(), Violation> {
        let found = self.bench.stored(number).await;
        if found.len() == RECORDS && found.iter().all(|count| times.contains(count)) {
            return Ok(());
        }
        Err(self.violation(format!("the records of batch {number} stand {found:?} times, expected {times:?}")))
    }

    async fn stands_each(&self, number: u32, times: impl Fn(usize) -> usize) -> Result<(), Violation> {
        let (found, expected) = (self.bench.stored(number).await, (0..RECORDS).map(times).collect::<Vec<_>>());
        if found == expected {
            return Ok(());
        }
        Err(self.violation(format!("the records of batch {number} stand {found:?} times, expected {expected:?}")))
    }

    fn violation(&self, what: String) -> Violation {
        Violation(format!("{:?}: {what}", self.scenario))
    }
}
