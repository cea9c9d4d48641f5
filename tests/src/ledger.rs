//! The producer's own memory of what became of each record it sent. It lives in the test, outside the host, so no
//! crash of the host can touch it.
//!
//! Refuses to look at what was delivered: that is the checker's work.

use std::collections::BTreeMap;
use std::ops::Range;

/// What the producer knows about one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The request left and nothing came back: it may be there once.
    Unknown,
    /// Answered with success: it must be there, once.
    Acked,
    /// Refused by a clear answer: it must not be there.
    Refused,
}

/// One state per record, by stream and lane.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    lanes: BTreeMap<(String, u32), Vec<State>>,
}

impl Ledger {
    /// Reserves the next `count` numbers of a lane, as unknown until an answer says more. Call before sending.
    pub fn send(&mut self, stream: &str, lane: u32, count: u64) -> Range<u64> {
        let states = self.lanes.entry((stream.to_owned(), lane)).or_default();
        let first = states.len() as u64;
        states.extend((0..count).map(|_| State::Unknown));
        first..first + count
    }

    /// Notes the answer for one record that was sent.
    ///
    /// # Panics
    /// When it was never sent, or already answered.
    pub fn answer(&mut self, stream: &str, lane: u32, number: u64, state: State) {
        let states = self.lanes.get_mut(&(stream.to_owned(), lane)).expect("answered a lane that never sent");
        let at = usize::try_from(number).expect("fits");
        assert_eq!(states[at], State::Unknown, "{stream}/{lane}/{number} was answered twice");
        states[at] = state;
    }

    /// What is known about a record; nothing when it was never sent.
    pub fn state(&self, stream: &str, lane: u32, number: u64) -> Option<State> {
        let states = self.lanes.get(&(stream.to_owned(), lane))?;
        states.get(usize::try_from(number).ok()?).copied()
    }

    /// Every lane with its states.
    pub fn lanes(&self) -> impl Iterator<Item = (&str, u32, &[State])> {
        self.lanes.iter().map(|((stream, lane), states)| (stream.as_str(), *lane, states.as_slice()))
    }

    /// How many records are in this state.
    pub fn count(&self, state: State) -> u64 {
        self.lanes.values().flatten().filter(|&&known| known == state).count() as u64
    }
}
