//! How long to wait between attempts of one delivery: full jitter.
//!
//! There is no limit on attempts: an acknowledged record is never dropped, so giving up has nowhere to go. A backlog
//! waits in the journal, on disk. Refuses to repeat anything itself; the pipeline does, because it also decides when a
//! waiting body's memory is given back, and who asks for all that wait.

use std::time::Duration;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
