//! Sealed batches of one stream that wait to be made again, made together where their records overlap.
//!
//! Partitions are sealed by the hundred over the same records. Made one by one after a crash, each would read and
//! process all of them again; so whoever has its turn takes along what waits beside it. Refuses to hold more than a
//! batch's worth for others, and to let another batch's failure fail its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use crate::record::{Content, Seal};

/// Most bytes that are made for others in one pass: what an encoder may have waiting already, so that memory for one
/// more batch is all it takes.
pub(crate) const TOGETHER_BYTES: u64 = 32 << 20;

/// What waits.
#[derive(Debug, Default)]
pub(crate) struct Rebuilds(Mutex<Vec<Waiting>>);

#[derive(Debug)]
struct Waiting {
    seal: Arc<Seal>,
    made: oneshot::Sender<Content>,
}

impl Rebuilds {
    /// The content of `seal`, made by `pass` in a turn of its own or in another's. `pass` makes the contents of the
    /// seals that it is given, in their order; it may be given up to `most_bytes` beside the first one.
    ///
    /// # Errors
    /// Why `pass` could not make this one alone.
    pub(crate) async fn content<E, F: Future<Output = Result<Vec<Content>, E>>>(
        &self,
        seal: &Arc<Seal>,
        turns: &Semaphore,
        most_bytes: u64,
        mut pass: impl FnMut(Vec<Arc<Seal>>) -> F,
    ) -> Result<Content, E> {
        loop {
            let (made, mut receiver) = oneshot::channel();
            self.lock().push(Waiting { seal: Arc::clone(seal), made });
            let _turn = tokio::select! {
                biased;
                made = &mut receiver => match made {
                    Ok(content) => return Ok(content),
                    // Whoever took this along gave up: it waits for a turn of its own again.
                    Err(_given_up) => continue,
                },
                turn = turns.acquire() => turn,
            };
            if let Ok(content) = receiver.try_recv() {
                return Ok(content);
            }
            drop(receiver);
            let others = self.take(seal, most_bytes);
            let seals: Vec<Arc<Seal>> =
                std::iter::once(seal).chain(others.iter().map(|one| &one.seal)).map(Arc::clone).collect();
            let (contents, others) = match pass(seals).await {
                Ok(contents) => (contents, others),
                // The others may be at fault; each of them finds out by itself.
                Err(_) if !others.is_empty() => {
                    drop(others);
                    (pass(vec![Arc::clone(seal)]).await?, Vec::new())
                }
                Err(error) => return Err(error),
            };
            let mut contents = contents.into_iter();
            let Some(own) = contents.next() else { continue };
            for (one, content) in others.into_iter().zip(contents) {
                // Who does not wait any more has no use for it.
                one.made.send(content).ok();
            }
            return Ok(own);
        }
    }

    /// Takes out what overlaps with `seal`, up to `most_bytes` of it, and what does not wait any more.
    fn take(&self, seal: &Seal, most_bytes: u64) -> Vec<Waiting> {
        let mut waiting = self.lock();
        waiting.retain(|one| !one.made.is_closed());
        let mut bytes = 0;
        let joins = |one: &mut Waiting| {
            let overlaps = one.seal.first < seal.end && seal.first < one.seal.end;
            let fits = overlaps && bytes + one.seal.content_bytes <= most_bytes;
            bytes += if fits { one.seal.content_bytes } else { 0 };
            fits
        };
        waiting.extract_if(.., joins).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::pin::Pin;
    use std::task::Poll;

    use futures_util::future::join_all;
    use uuid::Uuid;

    use super::*;
    use crate::record::{Partition, StreamId};

    fn seal(first: u64, end: u64, content_bytes: u64) -> Arc<Seal> {
        Arc::new(Seal {
            id: Uuid::from_u128(u128::from(first) << 64 | u128::from(content_bytes)),
            stream: StreamId(1),
            partition: Partition::Main,
            first,
            end,
            open_from: 0,
            definition_version: 1,
            bucket: String::new(),
            key: String::new(),
            record_count: 1,
            content_bytes,
            oldest_arrived_ms: 0,
            sealed_ms: 0,
        })
    }

    fn content(seal: &Seal) -> Content {
        Content::Records(vec![b'x'; usize::try_from(seal.content_bytes).unwrap()])
    }

    /// Makes these again at once, with one turn for all; the sizes of what was made, and how many each pass made.
    /// A pass over anything that begins at `bad` fails.
    async fn made(seals: &[Arc<Seal>], most_bytes: u64, bad: u64) -> (Vec<Result<u64, u64>>, Vec<usize>) {
        let (rebuilds, turns, passes) = (Rebuilds::default(), Semaphore::new(1), RefCell::new(Vec::new()));
        let passes_of = &passes;
        let pass = move |seals: Vec<Arc<Seal>>| async move {
            // Everybody else comes to wait meanwhile.
            tokio::task::yield_now().await;
            passes_of.borrow_mut().push(seals.len());
            match seals.iter().find(|seal| seal.first == bad) {
                Some(bad) => Err(bad.first),
                None => Ok(seals.iter().map(|seal| content(seal)).collect()),
            }
        };
        let all = seals.iter().map(|seal| rebuilds.content(seal, &turns, most_bytes, pass));
        let found = join_all(all).await.into_iter().map(|made| made.map(|content| content.bytes())).collect();
        assert!(rebuilds.lock().iter().all(|one| one.made.is_closed()));
        (found, passes.into_inner())
    }

    /// A hundred partitions over the same records take two passes: the first one's, and one for all that came meanwhile.
    #[tokio::test]
    async fn what_overlaps_is_made_together() {
        let seals: Vec<_> = (1..=100).map(|bytes| seal(bytes, 1_000, bytes)).collect();
        let (found, passes) = made(&seals, 1 << 20, u64::MAX).await;
        assert_eq!(found, (1..=100).map(Ok).collect::<Vec<_>>());
        assert_eq!(passes, [1, 99]);
    }

    #[tokio::test]
    async fn what_lies_apart_or_is_too_much_is_made_apart() {
        let apart: Vec<_> = (0..3).map(|at| seal(10 * at, 10 * at + 10, 5)).collect();
        assert_eq!(made(&apart, 1 << 20, u64::MAX).await, (vec![Ok(5); 3], vec![1, 1, 1]));
        let together: Vec<_> = (0..5).map(|at| seal(at, 10, 5)).collect();
        // Two others fit beside the one whose turn it is.
        assert_eq!(made(&together, 14, u64::MAX).await, (vec![Ok(5); 5], vec![1, 3, 1]));
    }

    /// What cannot be made fails alone, whoever takes it along.
    #[tokio::test]
    async fn a_failure_is_nobody_elses() {
        let seals: Vec<_> = (0..5).map(|at| seal(at, 10, at + 1)).collect();
        let (found, _) = made(&seals, 1 << 20, 3).await;
        assert_eq!(found, [Ok(1), Ok(2), Ok(3), Err(3), Ok(5)]);
    }

    async fn is_pending(future: &mut (impl Future + Unpin)) -> bool {
        std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context).is_pending())).await
    }

    /// Who is dropped in its turn leaves the others waiting for theirs.
    #[tokio::test]
    async fn one_that_is_given_up_strands_nobody() {
        let (rebuilds, turns) = (Rebuilds::default(), Semaphore::new(1));
        let (one, other) = (seal(0, 10, 1), seal(1, 10, 2));
        let stuck = |_| std::future::pending::<Result<Vec<Content>, ()>>();
        let turn = turns.acquire().await.unwrap();
        let mut leader = Box::pin(rebuilds.content(&one, &turns, 100, stuck));
        assert!(is_pending(&mut leader).await);
        let done = |seals: Vec<Arc<Seal>>| {
            std::future::ready(Ok::<_, ()>(seals.iter().map(|seal| content(seal)).collect::<Vec<_>>()))
        };
        let follower = rebuilds.content(&other, &turns, 100, done);
        let mut follower = Box::pin(follower);
        assert!(is_pending(&mut follower).await);
        drop(turn);
        assert!(is_pending(&mut leader).await);
        assert_eq!(rebuilds.lock().len(), 0);
        drop(leader);
        assert_eq!(follower.await.map(|content| content.bytes()), Ok(2));
    }
}
