//! When a plugin that keeps failing is let be, and when it is tried again.
//!
//! A plain state machine: time comes as an argument. Refuses to know what is done in the plugin's place.

use crate::record::PluginVersion;

/// Batches in a row of which no record came through before the plugin is let be. One may be bad luck, and a batch can
/// be a single record; five tell a broken plugin within seconds on a busy stream.
const TRIP_BATCHES: u32 = 5;

/// First pause before the plugin is tried again: a restart of whatever it trips over is over by then.
const SHORTEST_PAUSE_MS: u64 = 1_000;

/// Longest pause, reached by doubling: a plugin that was mended by luck is noticed within a minute, and one that spins
/// until its limits costs little more than it would at rest.
const LONGEST_PAUSE_MS: u64 = 60_000;

/// Records of the first trial, and of each batch that is held and run again before the breaker trips; they double with
/// the pause. A record that traps costs two calls, so a batch of a megabyte could take as long as the longest pause.
const TRIAL_RECORDS: u64 = 64;

/// The breaker of one stream's plugin.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// The version it is about; none until the first one is known.
    version: Option<PluginVersion>,
    state: State,
    /// How it was about the version before, which has its turn again where one of the two is a canary.
    before: Option<(PluginVersion, State)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The plugin runs; so many batches in a row faulted.
    Closed { faulted: u32 },
    /// The plugin does not run until then.
    Open { until_ms: u64, pause_ms: u64 },
    /// One batch is tried.
    Trying { pause_ms: u64 },
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self { version: None, state: State::Closed { faulted: 0 }, before: None }
    }

    /// As a restart finds it that was open: whatever version is there is tried at once.
    pub(crate) fn reopened() -> Self {
        Self { version: None, state: State::Open { until_ms: 0, pause_ms: SHORTEST_PAUSE_MS }, before: None }
    }

    /// This version rules now. One that is new is innocent: true when it closes the breaker. One that ruled before has
    /// not become better.
    pub(crate) fn follow(&mut self, version: &PluginVersion) -> bool {
        let Some(known) = self.version.replace(version.clone()).filter(|known| known != version) else { return false };
        let was_tripped = self.is_tripped();
        let again = self.before.take().filter(|(before, _)| before == version);
        self.before = Some((known, self.state));
        self.state = again.map_or(State::Closed { faulted: 0 }, |(_, state)| state);
        was_tripped && !self.is_tripped()
    }

    /// Time passes: an open breaker lets one batch through when its pause is over.
    pub(crate) fn advance(&mut self, now_ms: u64) {
        if let State::Open { until_ms, pause_ms } = self.state
            && until_ms <= now_ms
        {
            self.state = State::Trying { pause_ms };
        }
    }

    /// Every call of this version over one batch faulted: true when that trips the breaker.
    pub(crate) fn faulted(&mut self, version: &PluginVersion, now_ms: u64) -> bool {
        if self.version.as_ref() != Some(version) {
            return false;
        }
        let open = |pause_ms| State::Open { until_ms: now_ms.saturating_add(pause_ms), pause_ms };
        match self.state {
            State::Closed { faulted } if faulted + 1 < TRIP_BATCHES => {
                self.state = State::Closed { faulted: faulted + 1 };
                false
            }
            State::Closed { .. } => {
                self.state = open(SHORTEST_PAUSE_MS);
                true
            }
            State::Trying { pause_ms } => {
                self.state = open(pause_ms.saturating_mul(2).min(LONGEST_PAUSE_MS));
                false
            }
            // A batch that was running when it tripped.
            State::Open { .. } => false,
        }
    }

    /// Something of a batch came through this version: true when that closes the breaker.
    pub(crate) fn came_through(&mut self, version: &PluginVersion) -> bool {
        self.version.as_ref() == Some(version) && self.close()
    }

    /// Whether the plugin runs.
    pub(crate) fn lets_through(&self) -> bool {
        !matches!(self.state, State::Open { .. })
    }

    /// Whether it tripped and did not close since.
    pub(crate) fn is_tripped(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    /// The most records of a batch that is run to learn how it ends, and nothing beside it: a trial, or one that
    /// `repeats` another that faulted. None where batches are as large as they come.
    pub(crate) fn most_records(&self, repeats: bool) -> Option<u64> {
        match self.state {
            State::Trying { pause_ms } => Some(TRIAL_RECORDS * pause_ms.div_ceil(SHORTEST_PAUSE_MS)),
            State::Closed { faulted: 1.. } if repeats => Some(TRIAL_RECORDS),
            State::Closed { .. } | State::Open { .. } => None,
        }
    }

    /// How long the plugin does not run yet.
    pub(crate) fn pause_ms(&self, now_ms: u64) -> Option<u64> {
        match self.state {
            State::Open { until_ms, .. } => Some(until_ms.saturating_sub(now_ms)),
            State::Closed { .. } | State::Trying { .. } => None,
        }
    }

    /// True when it was not closed.
    fn close(&mut self) -> bool {
        let was_tripped = self.is_tripped();
        self.state = State::Closed { faulted: 0 };
        was_tripped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(digest: &str) -> PluginVersion {
        PluginVersion { name: "p".into(), digest: digest.into() }
    }

    /// A breaker about version "a" that tripped at `now_ms`.
    fn tripped(now_ms: u64) -> Breaker {
        let mut breaker = Breaker::new();
        breaker.follow(&version("a"));
        for _ in 1..TRIP_BATCHES {
            assert!(!breaker.faulted(&version("a"), now_ms) && breaker.lets_through() && !breaker.is_tripped());
        }
        assert!(breaker.faulted(&version("a"), now_ms));
        breaker
    }

    #[test]
    fn it_trips_after_so_many_batches_in_a_row_and_not_before() {
        let breaker = tripped(7);
        assert!(!breaker.lets_through() && breaker.is_tripped());
        let mut lucky = Breaker::new();
        lucky.follow(&version("a"));
        for _ in 0..10 {
            for _ in 1..TRIP_BATCHES {
                assert!(!lucky.faulted(&version("a"), 0));
            }
            assert!(!lucky.came_through(&version("a")), "it was closed");
        }
        assert!(!lucky.is_tripped());
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        let mut breaker = tripped(0);
        let (mut now_ms, mut pauses, mut trials) = (0, Vec::new(), Vec::new());
        for _ in 0..8 {
            let pause_ms = breaker.pause_ms(now_ms).unwrap();
            pauses.push(pause_ms);
            breaker.advance(now_ms + pause_ms - 1);
            assert!(!breaker.lets_through());
            now_ms += pause_ms;
            breaker.advance(now_ms);
            assert!(breaker.lets_through() && breaker.is_tripped());
            trials.extend(breaker.most_records(false));
            assert_eq!(breaker.pause_ms(now_ms), None);
            assert!(!breaker.faulted(&version("a"), now_ms), "it tripped long ago");
        }
        assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(trials, [64, 128, 256, 512, 1_024, 2_048, 3_840, 3_840]);
    }

    #[test]
    fn what_is_run_again_is_small() {
        let mut breaker = Breaker::new();
        breaker.follow(&version("a"));
        assert_eq!([breaker.most_records(true), breaker.most_records(false)], [None, None]);
        breaker.faulted(&version("a"), 0);
        assert_eq!([breaker.most_records(true), breaker.most_records(false)], [Some(TRIAL_RECORDS), None]);
        breaker.came_through(&version("a"));
        assert_eq!(breaker.most_records(true), None);
    }

    #[test]
    fn what_comes_through_closes_it_and_the_next_pause_is_short() {
        let mut breaker = tripped(0);
        for now_ms in [1_000, 3_000] {
            breaker.advance(now_ms);
            breaker.faulted(&version("a"), now_ms);
        }
        breaker.advance(7_000);
        assert!(breaker.came_through(&version("a")) && !breaker.is_tripped());
        for _ in 0..TRIP_BATCHES {
            breaker.faulted(&version("a"), 8_000);
        }
        assert_eq!(breaker.pause_ms(8_000), Some(SHORTEST_PAUSE_MS));
    }

    #[test]
    fn batches_that_ran_when_it_tripped_do_not_lengthen_the_pause() {
        let mut breaker = tripped(0);
        for _ in 0..3 {
            assert!(!breaker.faulted(&version("a"), 500));
        }
        assert_eq!(breaker.pause_ms(500), Some(500));
        assert!(breaker.came_through(&version("a")), "one that came through tells that it works");
    }

    #[test]
    fn a_new_version_is_innocent() {
        let mut breaker = tripped(0);
        assert!(!breaker.follow(&version("a")) && breaker.is_tripped());
        assert!(breaker.follow(&version("b")) && !breaker.is_tripped());
        // What the old one still does is not the new one's fault, nor its merit.
        for _ in 0..TRIP_BATCHES {
            assert!(!breaker.faulted(&version("a"), 0));
        }
        assert!(!breaker.came_through(&version("a")) && !breaker.is_tripped());
    }

    /// A canary and the version that rules beside it have a state each.
    #[test]
    fn versions_that_take_turns_do_not_clear_each_other() {
        let mut breaker = tripped(0);
        for _ in 0..3 {
            assert!(breaker.follow(&version("canary")) && breaker.lets_through());
            assert!(!breaker.follow(&version("a")) && !breaker.lets_through());
        }
        assert!(breaker.follow(&version("b")), "two versions are remembered");
        assert!(!breaker.follow(&version("canary")) && breaker.lets_through());
    }

    #[test]
    fn after_a_restart_the_plugin_is_tried_at_once() {
        let mut breaker = Breaker::reopened();
        assert!(breaker.is_tripped() && !breaker.follow(&version("a")) && breaker.is_tripped());
        breaker.advance(0);
        assert_eq!(breaker.most_records(false), Some(TRIAL_RECORDS));
        assert!(!breaker.faulted(&version("a"), 0) && !breaker.lets_through());
        assert_eq!(breaker.pause_ms(0), Some(2 * SHORTEST_PAUSE_MS));
    }
}
