//! Whether a place that a stream delivers to is tried by all that wait for it, or by one.
//!
//! A place that failed several times in a row is asked by one delivery at a time, in turns, after a pause with full
//! jitter; the first success lets all others go. So a dead destination costs a request now and then, however much waits
//! for it. Gates belong to one stream, as do their turns: no other stream waits for them. Refuses to know what is
//! delivered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use crate::deliver::Policy;
use crate::runtime::Random;
use crate::telemetry::GateMetrics;

/// Failures in a row after which one delivery at a time asks. One may be a peer that restarts, two may be chance; three
/// with pauses between them are a place that is away.
const TRIP_FAILURES: u32 = 3;

/// Deliveries of one stream on their way to one place at once: a quarter of what the whole host may have on its way to
/// S3, so that a stream whose bucket hangs leaves most turns to the others until its gate trips.
const AT_ONCE: usize = 8;

/// The way to one place.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<State>,
    /// Whether everybody may go.
    closed: watch::Sender<bool>,
    turns: Arc<Semaphore>,
    /// Who asks next while not everybody may; fair, so that one batch that always fails cannot keep the others waiting.
    probe: Arc<Semaphore>,
    backoff: Policy,
    random: Arc<Random>,
    metrics: GateMetrics,
}

#[derive(Debug)]
struct State {
    /// In a row.
    failures: u32,
    /// When it may be asked again.
    until: Instant,
}

/// Leave for one attempt. Says how it went, or was cancelled.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
    probe: Option<OwnedSemaphorePermit>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Gate {
    pub(crate) fn new(backoff: Policy, random: Arc<Random>, metrics: GateMetrics) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State { failures: 0, until: Instant::now() }),
            closed: watch::Sender::new(true),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            probe: Arc::new(Semaphore::new(1)),
            backoff,
            random,
            metrics,
        })
    }

    /// Whether the place is taken to be away.
    pub(crate) fn is_tripped(&self) -> bool {
        !*self.closed.borrow()
    }

    /// Whether all turns are taken.
    pub(crate) fn is_crowded(&self) -> bool {
        self.turns.available_permits() == 0
    }

    /// A pass when everybody may go, after waiting for a turn; none when the place is away.
    pub(crate) async fn enter(self: &Arc<Self>) -> Option<Pass> {
        if self.is_tripped() {
            return None;
        }
        let pass = self.pass(None).await;
        (!self.is_tripped()).then_some(pass)
    }

    /// Waits while the place is away: for the turn to ask, or until somebody else's request succeeded; then there is no
    /// pass, and everybody may [`Self::enter`]. After `most` the pass is for a last attempt, whoever asks meanwhile.
    pub(crate) async fn wait(self: &Arc<Self>, most: Option<Duration>) -> Option<Pass> {
        let mut closed = self.closed.subscribe();
        let probing = async {
            let probe = Arc::clone(&self.probe).acquire_owned().await.ok();
            let until = self.lock().until;
            tokio::time::sleep_until(until).await;
            probe
        };
        let late = async {
            match most {
                Some(most) => tokio::time::sleep(most).await,
                None => std::future::pending().await,
            }
        };
        let probe = tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => return None,
            probe = probing => probe,
            () = late => None,
        };
        Some(self.pass(probe).await)
    }

    /// Tells what became of a request that took no pass.
    pub(crate) fn note(&self, succeeded: bool) {
        if succeeded { self.close() } else { self.count(false, None) }
    }

    async fn pass(self: &Arc<Self>, probe: Option<OwnedSemaphorePermit>) -> Pass {
        // Never closed.
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok();
        Pass { gate: Arc::clone(self), probe, _turn: turn }
    }

    fn close(&self) {
        self.lock().failures = 0;
        if self.is_tripped() {
            self.metrics.open(false);
            self.closed.send_replace(true);
        }
    }

    fn count(&self, is_probe: bool, floor: Option<Duration>) {
        let mut state = self.lock();
        let trips = !self.is_tripped() && state.failures + 1 >= TRIP_FAILURES;
        // Those that were on their way when it tripped say nothing new.
        if self.is_tripped() && !is_probe {
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if is_probe || trips {
            state.until = Instant::now() + self.backoff.wait(state.failures, floor, &self.random);
        }
        if trips {
            self.metrics.open(true);
            self.closed.send_replace(false);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Whether it asks for all others.
    pub(crate) fn is_probe(&self) -> bool {
        self.probe.is_some()
    }

    /// The place answered: everybody may go.
    pub(crate) fn succeeded(self) {
        self.gate.close();
    }

    /// The place took nothing, and asks not to be asked for `floor`.
    pub(crate) fn failed(self, floor: Option<Duration>) -> Arc<Gate> {
        self.gate.count(self.is_probe(), floor);
        self.gate
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    fn gate() -> Arc<Gate> {
        Gate::new(Policy::default(), Arc::new(Random::seeded(7)), GateMetrics::default())
    }

    async fn trip(gate: &Arc<Gate>) {
        for _ in 0..TRIP_FAILURES {
            gate.enter().await.unwrap().failed(None);
        }
    }

    /// Row X1: after so many failures in a row, and not before, one asks at a time, each in its turn, at growing
    /// distances.
    #[tokio::test(start_paused = true)]
    async fn one_asks_for_all() {
        let gate = gate();
        for _ in 0..10 {
            for _ in 1..TRIP_FAILURES {
                gate.enter().await.unwrap().failed(None);
            }
            gate.enter().await.unwrap().succeeded();
        }
        trip(&gate).await;
        assert!(gate.is_tripped() && gate.enter().await.is_none());
        let asked: Mutex<Vec<(usize, Instant)>> = Mutex::default();
        let begun = Instant::now();
        let waiter = async |number: usize| {
            for _ in 0..20 {
                let pass = gate.wait(None).await.unwrap();
                assert!(pass.is_probe() && gate.probe.available_permits() == 0);
                asked.lock().unwrap().push((number, Instant::now()));
                tokio::task::yield_now().await;
                pass.failed(None);
            }
        };
        join_all((0..50).map(waiter)).await;
        let asked = asked.into_inner().unwrap();
        assert_eq!(asked.len(), 1_000);
        for round in asked.chunks(50) {
            let mut numbers: Vec<usize> = round.iter().map(|(number, _)| *number).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..50).collect::<Vec<_>>(), "each has its turn");
        }
        // Full jitter: half the cap on average, so a thousand requests take hours, and none comes sooner than another.
        assert!(asked.is_sorted_by_key(|(_, at)| *at));
        assert!(begun.elapsed() > Duration::from_secs(1_000 * 10), "{:?}", begun.elapsed());
        let longest = asked.windows(2).map(|pair| pair[1].1 - pair[0].1).max().unwrap();
        assert!(longest <= Policy::default().cap + Duration::from_secs(1), "{longest:?}");
    }

    /// The first success lets all go, a few at a time.
    #[tokio::test(start_paused = true)]
    async fn success_lets_all_go() {
        let gate = gate();
        trip(&gate).await;
        let probe = gate.wait(None).await.unwrap();
        let waiting: Vec<_> = (0..100)
            .map(|_| {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move { gate.wait(None).await.is_none() })
            })
            .collect();
        tokio::task::yield_now().await;
        probe.succeeded();
        assert!(join_all(waiting).await.into_iter().all(Result::unwrap));
        let passes = join_all((0..AT_ONCE).map(|_| gate.enter())).await;
        assert!(passes.iter().all(Option::is_some));
        let one_more = tokio::time::timeout(Duration::from_secs(60), gate.enter()).await;
        assert!(one_more.is_err(), "more than {AT_ONCE} at once");
    }

    /// Who asked and was cancelled holds nobody up, and whose time is over goes without being asked.
    #[tokio::test(start_paused = true)]
    async fn a_turn_comes_back_and_time_ends() {
        let gate = gate();
        trip(&gate).await;
        let probe = gate.wait(None).await.unwrap();
        let last = gate.wait(Some(Duration::from_secs(5))).await.unwrap();
        assert!(!last.is_probe(), "somebody else asks");
        last.failed(None);
        drop(probe);
        assert!(gate.wait(None).await.unwrap().is_probe());
    }

    /// What a destination asks for is kept to.
    #[tokio::test(start_paused = true)]
    async fn a_floor_is_waited_for() {
        let gate = gate();
        trip(&gate).await;
        gate.wait(None).await.unwrap().failed(Some(Duration::from_secs(300)));
        let begun = Instant::now();
        gate.wait(None).await.unwrap().succeeded();
        assert!(begun.elapsed() >= Duration::from_secs(300) && !gate.is_tripped());
    }
}
