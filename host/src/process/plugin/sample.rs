//! Recent records of each stream that uses a plugin, to try its next version with before it rules. In memory only, few,
//! and short; refuses to keep any where the operator allows none.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::record::Records;

/// Some records of one stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    pub(super) stream: String,
    pub(super) payload: Vec<u8>,
    pub(super) ends: Vec<u32>,
    pub(super) arrived_ms: Vec<u64>,
}

impl Sample {
    fn bytes(&self) -> usize {
        self.payload.len() + self.stream.len() + 12 * self.ends.len()
    }
}

/// Samples of one plugin, by stream.
#[derive(Debug)]
pub(super) struct Samples {
    most_records: usize,
    room: Arc<Room>,
    inner: Mutex<Vec<(Instant, Sample)>>,
}

/// Bytes that the samples of all plugins hold together.
#[derive(Debug, Default)]
pub(super) struct Room(AtomicUsize);

impl Samples {
    /// Of at most so many records each, in a room that others share.
    pub(super) fn new(most_records: usize, room: Arc<Room>) -> Self {
        Self { most_records, room, inner: Mutex::default() }
    }

    /// Takes none.
    pub(super) fn none() -> Self {
        Self::new(0, Arc::default())
    }

    /// Takes the start of a batch now and then; never waits.
    pub(super) fn take(&self, stream: &str, records: &Records, arrived_ms: &[u64]) {
        let Ok(mut inner) = self.inner.try_lock() else { return };
        if self.most_records == 0 || inner.last().is_some_and(|(taken, _)| taken.elapsed() < EVERY) {
            return;
        }
        let place = inner.iter().position(|(_, sample)| sample.stream == stream);
        let count = records.ends().partition_point(|&end| end as usize <= SAMPLE_BYTES).min(self.most_records);
        let Some(&end) = count.checked_sub(1).and_then(|last| records.ends().get(last)) else { return };
        let sample = Sample {
            stream: stream.to_owned(),
            payload: records.payload()[..end as usize].to_vec(),
            ends: records.ends()[..count].to_vec(),
            arrived_ms: arrived_ms[..count].to_vec(),
        };
        // The newest are at the end; the stream that brought none for longest goes.
        let goes = place.or((inner.len() >= STREAMS).then_some(0));
        let freed = goes.map_or(0, |at| inner[at].1.bytes());
        let (held, wanted) = (self.room.0.load(Ordering::Relaxed), sample.bytes());
        if (held + wanted).saturating_sub(freed) > ROOM_BYTES {
            return;
        }
        if let Some(at) = goes {
            inner.remove(at);
        }
        // Others may have taken room meanwhile: a sample too many for each worker at most.
        self.room.0.fetch_add(wanted, Ordering::Relaxed);
        self.room.0.fetch_sub(freed, Ordering::Relaxed);
        inner.push((Instant::now(), sample));
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Sample> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.iter().map(|(_, sample)| sample.clone()).collect()
    }
}

/// Of a plugin, whichever of its streams is at hand then: recent enough, and far too seldom to cost anything.
const EVERY: Duration = Duration::from_secs(1);
/// Longest payload of a sample.
const SAMPLE_BYTES: usize = 256 << 10;
/// Streams of one plugin that are sampled.
const STREAMS: usize = 16;
/// Of all samples: little beside the budget for records in flight.
const ROOM_BYTES: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn records(payload: &[u8], ends: &[u32]) -> Records {
        Records::new(payload.to_vec().into(), ends.to_vec(), Vec::new()).unwrap()
    }

    #[test]
    fn samples_are_few_short_and_only_where_they_are_allowed() {
        let none = Samples::none();
        none.take("s", &records(b"ab", &[1, 2]), &[1, 2]);
        assert!(none.all().is_empty());
        let room = Arc::new(Room::default());
        let some = Samples::new(2, Arc::clone(&room));
        some.take("s", &records(b"abc", &[1, 2, 3]), &[1, 2, 3]);
        some.take("s", &records(b"xyz", &[1, 2, 3]), &[1, 2, 3]);
        some.take("long", &records(&vec![0; SAMPLE_BYTES + 1], &[u32::try_from(SAMPLE_BYTES + 1).unwrap()]), &[1]);
        let all = some.all();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].payload.as_slice(), all[0].ends.as_slice()), (&b"ab"[..], &[1, 2][..]));
        // Another stream's, so soon after, is left out, as is what there is no room for.
        some.take("t", &records(b"a", &[1]), &[1]);
        assert_eq!(some.all().len(), 1);
        room.0.store(ROOM_BYTES, Ordering::Relaxed);
        let crowded = Samples::new(2, room);
        crowded.take("s", &records(b"a", &[1]), &[1]);
        assert!(crowded.all().is_empty());
    }
}
