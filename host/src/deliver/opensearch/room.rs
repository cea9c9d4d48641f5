//! How many bytes a request to one endpoint may have, as far as its answers tell. Refuses to forget what a server said
//! itself; what is only guessed is tried again.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A 413 makes requests no smaller than this: below it the server is at fault, and single documents are told so.
const LEAST_TOLD_BYTES: usize = 64 << 10;

/// A broken connection makes requests no smaller than this: what is that small was not cut for its size.
const LEAST_GUESSED_BYTES: usize = 1 << 20;

/// Room of a request, in bytes.
#[derive(Debug)]
pub(super) struct Room {
    /// What the server is known to take at most.
    most: AtomicUsize,
    /// What is tried.
    now: AtomicUsize,
}

impl Room {
    pub(super) fn of(bytes: usize) -> Self {
        Self { most: AtomicUsize::new(bytes), now: AtomicUsize::new(bytes) }
    }

    /// For the next request.
    pub(super) fn bytes(&self) -> usize {
        self.now.load(Ordering::Relaxed).min(self.most.load(Ordering::Relaxed))
    }

    /// A request of so many bytes was too large: the server said so.
    pub(super) fn was_too_large(&self, bytes: usize) {
        self.most.fetch_min((bytes / 2).max(LEAST_TOLD_BYTES), Ordering::Relaxed);
    }

    /// The connection broke under a request of so many bytes. A server may cut one that is too large before its answer
    /// can be read; or it died, and the next request will tell.
    pub(super) fn was_cut(&self, bytes: usize) {
        if bytes > LEAST_GUESSED_BYTES {
            self.now.fetch_min((bytes / 2).max(LEAST_GUESSED_BYTES), Ordering::Relaxed);
        }
    }

    /// A request was carried out: if connections break for another reason than size, sizes recover.
    pub(super) fn was_right(&self) {
        let most = self.most.load(Ordering::Relaxed);
        let now = self.now.load(Ordering::Relaxed);
        if now < most {
            self.now.store(now.saturating_mul(2).min(most), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_stays_and_what_is_guessed_recovers() {
        let room = Room::of(10 << 20);
        room.was_cut(8 << 20);
        assert_eq!(room.bytes(), 4 << 20);
        room.was_cut(4 << 20);
        room.was_cut(1 << 20);
        room.was_cut(2 << 20);
        assert_eq!(room.bytes(), 1 << 20);
        for expected in [2 << 20, 4 << 20, 8 << 20, 10 << 20, 10 << 20] {
            room.was_right();
            assert_eq!(room.bytes(), expected);
        }
        room.was_too_large(6 << 20);
        room.was_right();
        assert_eq!(room.bytes(), 3 << 20);
        room.was_too_large(1);
        assert_eq!(room.bytes(), 64 << 10);
    }
}
