//! Repeats failed deliveries with full jitter until they succeed or the host shuts down.
//!
//! There is no limit on attempts: an acknowledged record is never dropped, so giving up has nowhere to go. A backlog
//! waits in the journal, on disk. Refuses to judge errors: the verdict inside the error decides.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::destination::{DeliveryError, Destination, Verdict};
use crate::record::Object;
use crate::runtime::Random;

/// How long to wait between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Longest wait after the first failure. 200 ms: S3's own 503s pass within that, and a restarting peer costs few attempts.
    pub base: Duration,
    /// Longest wait ever. 30 s: an outage of hours costs each stream two requests a minute, and its end is noticed
    /// well inside the shortest useful freshness alarm.
    pub cap: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { base: Duration::from_millis(200), cap: Duration::from_secs(30) }
    }
}

impl Policy {
    /// Wait after failure number `attempt` (from 1): anything from zero up to the exponential bound, evenly, so that
    /// streams that failed together do not return together. `floor` is what the destination asked for and is added.
    pub fn wait(&self, attempt: u32, floor: Option<Duration>, random: &Random) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let bound = self.base.saturating_mul(1 << doublings).min(self.cap);
        let jitter = random.up_to(u64::try_from(bound.as_micros()).unwrap_or(u64::MAX));
        floor.unwrap_or_default().saturating_add(Duration::from_micros(jitter))
    }
}

/// A failed attempt, told to the [`Observer`] before the wait.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// What was to be delivered.
    pub object: &'a Object,
    /// Why it was not.
    pub error: &'a DeliveryError,
    /// Counted from 1.
    pub number: u32,
    /// Until the next one; `None` when there is none.
    pub wait: Option<Duration>,
}

/// Hears of every failed attempt: the place for metrics and logs.
pub trait Observer: Send + Sync {
    /// One attempt failed.
    fn failed(&self, attempt: &Attempt<'_>);
}

/// A destination that repeats.
pub struct Retrying {
    inner: Arc<dyn Destination>,
    policy: Policy,
    random: Arc<Random>,
    observer: Arc<dyn Observer>,
    stop: watch::Receiver<bool>,
}

impl std::fmt::Debug for Retrying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retrying").field("inner", &self.inner).field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Retrying {
    /// Wraps `inner`. `stop` turning true (or its sender going away) ends attempts and waits at once: what was not
    /// confirmed stays in the journal and is delivered after the next start.
    pub fn new(
        inner: Arc<dyn Destination>,
        policy: Policy,
        random: Arc<Random>,
        observer: Arc<dyn Observer>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { inner, policy, random, observer, stop }
    }

    async fn repeat(&self, object: &Object) -> Result<(), DeliveryError> {
        let mut number: u32 = 0;
        loop {
            let Err(error) = self.inner.deliver(object).await else { return Ok(()) };
            number = number.saturating_add(1);
            let Verdict::Retry(floor) = error.verdict else {
                self.observer.failed(&Attempt { object, error: &error, number, wait: None });
                return Err(error);
            };
            let wait = self.policy.wait(number, floor, &self.random);
            self.observer.failed(&Attempt { object, error: &error, number, wait: Some(wait) });
            tokio::time::sleep(wait).await;
        }
    }
}

#[async_trait]
impl Destination for Retrying {
    async fn prepare(&self, bucket: &str) -> Result<(), DeliveryError> {
        self.inner.prepare(bucket).await
    }

    async fn deliver(&self, object: &Object) -> Result<(), DeliveryError> {
        let mut stop = self.stop.clone();
        tokio::select! {
            // First, so that nothing new starts once stopped.
            biased;
            // An error means that nobody can call stop any more, which only happens at the end of the host.
            _stopped_or_gone = stop.wait_for(|stopped| *stopped) => Err(DeliveryError::stopped(object)),
            result = self.repeat(object) => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::testing::{Memory, Recorder, object};

    fn rig(memory: &Arc<Memory>, recorder: &Arc<Recorder>) -> (Retrying, watch::Sender<bool>) {
        let (sender, stop) = watch::channel(false);
        let random = Arc::new(Random::seeded(7));
        (Retrying::new(memory.clone(), Policy::default(), random, recorder.clone(), stop), sender)
    }

    #[test]
    fn waits_grow_to_the_cap_and_use_the_whole_range() {
        let (policy, random) = (Policy::default(), Random::seeded(1));
        for (attempt, bound_ms) in [(1, 200), (2, 400), (5, 3_200), (8, 25_600), (9, 30_000), (u32::MAX, 30_000)] {
            let waits: Vec<_> = (0..500).map(|_| policy.wait(attempt, None, &random)).collect();
            let bound = Duration::from_millis(bound_ms);
            assert!(waits.iter().all(|wait| *wait <= bound), "attempt {attempt}");
            assert!(waits.iter().any(|wait| *wait > bound.mul_f64(0.9)), "attempt {attempt} never waits long");
            assert!(waits.iter().any(|wait| *wait < bound.mul_f64(0.1)), "attempt {attempt} never waits little");
        }
        assert!(policy.wait(1, Some(Duration::from_secs(9)), &random) >= Duration::from_secs(9));
    }

    /// Row X1: a destination that is down for long is tried again and again, and then gets the object.
    #[tokio::test(start_paused = true)]
    async fn repeats_until_it_succeeds() {
        let (memory, recorder) = (Arc::new(Memory::new("b")), Arc::new(Recorder::default()));
        memory.fail_next(1_000, Verdict::Retry(None));
        let (retrying, _stop) = rig(&memory, &recorder);
        retrying.deliver(&object("b", "k", b"body")).await.unwrap();
        assert_eq!(memory.bodies()["k"], &b"body"[..]);
        assert_eq!(recorder.failures(), 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rejection_is_final() {
        let (memory, recorder) = (Arc::new(Memory::new("b")), Arc::new(Recorder::default()));
        memory.fail_next(1, Verdict::Reject);
        let (retrying, _stop) = rig(&memory, &recorder);
        let error = retrying.deliver(&object("b", "k", b"body")).await.unwrap_err();
        assert_eq!(error.verdict, Verdict::Reject);
        assert_eq!(recorder.failures(), 1);
        assert!(memory.bodies().is_empty());
    }

    /// Row X14: shutdown ends an endless wait, nothing pretends to be delivered, and nothing starts afterwards.
    #[tokio::test(start_paused = true)]
    async fn stops_when_told() {
        let (memory, recorder) = (Arc::new(Memory::new("b")), Arc::new(Recorder::default()));
        memory.fail_next(usize::MAX, Verdict::Retry(Some(Duration::from_secs(3_600))));
        let (retrying, stop) = rig(&memory, &recorder);
        let wanted = object("b", "k", b"body");
        let stopper = async {
            tokio::time::sleep(Duration::from_secs(10_000)).await;
            stop.send(true).unwrap();
        };
        let (result, ()) = tokio::join!(retrying.deliver(&wanted), stopper);
        assert_eq!(result.unwrap_err().verdict, Verdict::Stop);
        let before = recorder.failures();
        assert!(before > 1);
        assert_eq!(retrying.deliver(&wanted).await.unwrap_err().verdict, Verdict::Stop);
        assert_eq!(recorder.failures(), before);
        assert!(memory.bodies().is_empty());
    }
}
