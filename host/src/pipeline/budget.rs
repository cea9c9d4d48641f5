//! One memory budget for everything between the journal and the destination.
//!
//! A batch owns its share and returns it on drop. The budget never blocks whoever holds data that could be
//! delivered: it answers "over" and the stream with more than its fair share writes its buffers to files or cuts them
//! early. What must be in memory whole for a while, an object that is encoded or sent from a file, waits for room beside
//! others of its kind. Refuses to queue anything else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Shared accounting of buffered bytes.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit_bytes: usize,
    used_bytes: AtomicUsize,
    holders: AtomicUsize,
}

/// Bytes taken from the budget until dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Budget,
    bytes: usize,
}

/// Room for what is large and in memory for a while only.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    pieces: Arc<Semaphore>,
    all: u32,
}

/// What one piece of room is.
const PIECE_BYTES: u64 = 4 << 10;

impl Room {
    /// Room for `bytes` at once.
    pub(crate) fn new(bytes: usize) -> Self {
        let all = u32::try_from(bytes as u64 / PIECE_BYTES).unwrap_or(u32::MAX).clamp(1, 1 << 28);
        Self { pieces: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Room for `bytes`, where nobody has to be waited for.
    pub(crate) fn try_take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.pieces).try_acquire_many_owned(self.pieces_of(bytes)).ok()
    }

    /// Waits until there is room for `bytes`, or, where all of it is less, for nothing else. In the order of asking, so
    /// that nothing large waits for ever. None when the process stops.
    pub(crate) async fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.pieces).acquire_many_owned(self.pieces_of(bytes)).await.ok()
    }

    fn pieces_of(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX).min(self.all)
    }
}

impl Budget {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self(Arc::new(Shared { limit_bytes, used_bytes: AtomicUsize::new(0), holders: AtomicUsize::new(0) }))
    }

    /// What all holders may have together.
    pub(crate) fn limit_bytes(&self) -> usize {
        self.0.limit_bytes
    }

    /// An empty share, to be resized as a buffer grows and shrinks.
    pub(crate) fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }

    /// True when nothing more should be read into memory.
    pub(crate) fn is_over(&self) -> bool {
        self.0.used_bytes.load(Ordering::Relaxed) > self.0.limit_bytes
    }

    /// True when buffers that fill should go to files: half of the budget is for what is encoded and sent meanwhile, so
    /// that the host, its journal's memory and what the allocator keeps included, stays near its budget.
    pub(crate) fn is_tight(&self) -> bool {
        self.0.used_bytes.load(Ordering::Relaxed) > self.0.limit_bytes / 2
    }

    /// What one holder may keep while the budget is over. At least one holder is above it whenever the budget is
    /// over, because it is half the mean: so somebody always cuts, and nobody waits for ever.
    pub(crate) fn fair_share_bytes(&self) -> usize {
        self.0.limit_bytes / 2 / self.0.holders.load(Ordering::Relaxed).max(1)
    }
}

impl Share {
    /// Makes the share `bytes` large.
    pub(crate) fn resize(&mut self, bytes: usize) {
        let shared = &self.budget.0;
        match (self.bytes, bytes) {
            (0, 1..) => _ = shared.holders.fetch_add(1, Ordering::Relaxed),
            (1.., 0) => _ = shared.holders.fetch_sub(1, Ordering::Relaxed),
            _ => {}
        }
        if bytes >= self.bytes {
            shared.used_bytes.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            shared.used_bytes.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_dropped_share_returns_its_bytes() {
        let budget = Budget::new(100);
        let mut share = budget.share();
        share.resize(101);
        assert!(budget.is_over());
        share.resize(51);
        assert!(!budget.is_over() && budget.is_tight());
        share.resize(40);
        assert!(!budget.is_over() && !budget.is_tight());
        let mut other = budget.share();
        other.resize(80);
        assert!(budget.is_over());
        drop(share);
        assert!(!budget.is_over());
        drop(other);
        assert_eq!(budget.0.used_bytes.load(Ordering::Relaxed), 0);
        assert_eq!(budget.0.holders.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn what_is_larger_than_the_room_has_it_alone() {
        let room = Room::new(1 << 20);
        let small = room.take(1).await.unwrap();
        let large = room.take(1 << 30);
        tokio::pin!(large);
        assert!(large.as_mut().now_or_never().is_none());
        // Behind what is large, nothing small gets through first.
        let other = room.take(1);
        tokio::pin!(other);
        assert!(other.as_mut().now_or_never().is_none() && room.try_take(1).is_none());
        drop(small);
        let held = large.await.unwrap();
        assert!(other.as_mut().now_or_never().is_none());
        drop(held);
        assert!(other.await.is_some());
        assert!(room.try_take(1 << 30).is_some());
    }

    #[test]
    fn when_over_somebody_holds_more_than_the_fair_share() {
        let budget = Budget::new(1_000);
        let mut shares: Vec<_> = (0..7).map(|_| budget.share()).collect();
        for share in &mut shares {
            share.resize(150);
        }
        assert!(budget.is_over());
        assert!(shares.iter().any(|share| share.bytes > budget.fair_share_bytes()));
    }
}
