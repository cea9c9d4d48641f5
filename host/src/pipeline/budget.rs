//! One memory budget for everything between the journal and the destination.
//!
//! A batch owns its share and returns it on drop. The budget never blocks whoever holds data that could be
//! delivered: it answers "over" and the stream with more than its fair share cuts its buffer early. Refuses to queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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

impl Budget {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self(Arc::new(Shared { limit_bytes, used_bytes: AtomicUsize::new(0), holders: AtomicUsize::new(0) }))
    }

    /// An empty share, to be resized as a buffer grows and shrinks.
    pub(crate) fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }

    /// What may be held in all.
    pub(crate) fn limit_bytes(&self) -> u64 {
        self.0.limit_bytes as u64
    }

    /// True when nothing more should be read into memory.
    pub(crate) fn is_over(&self) -> bool {
        self.0.used_bytes.load(Ordering::Relaxed) > self.0.limit_bytes
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
    use super::*;

    #[test]
    fn a_dropped_share_returns_its_bytes() {
        let budget = Budget::new(100);
        let mut share = budget.share();
        share.resize(101);
        assert!(budget.is_over());
        share.resize(40);
        assert!(!budget.is_over());
        let mut other = budget.share();
        other.resize(80);
        assert!(budget.is_over());
        drop(share);
        assert!(!budget.is_over());
        drop(other);
        assert_eq!(budget.0.used_bytes.load(Ordering::Relaxed), 0);
        assert_eq!(budget.0.holders.load(Ordering::Relaxed), 0);
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
