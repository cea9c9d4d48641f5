//! Worker threads for plugins and encoding, so that neither ever runs on a thread that serves sockets.
//!
//! Encoding has threads of its own at a lower priority: compressing one object takes half a second of a core, and an
//! acknowledgement that becomes due meanwhile must not wait for it. Loading a version has turns of its own, too: behind
//! the calls of every stream, a change of versions would stand still for as long as they may take. Refuses to queue
//! without bound: a caller waits for its turn.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::spawn_blocking;

/// Added to the nice value of encoding threads: about a third of the weight of a thread that serves, so that a busy
/// host answers first and still compresses.
const ENCODE_NICE: i32 = 5;

/// Turns at the processor.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    process: Arc<Semaphore>,
    load: Arc<Semaphore>,
    encode: Arc<Semaphore>,
    /// Has room for a job per turn, so sending never blocks.
    encoders: SyncSender<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

/// A worker panicked or the runtime is stopping.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a worker thread ended before its work was done")]
pub(crate) struct Gone;

impl Workers {
    /// One plugin call per core; encoding leaves a core to everybody else.
    pub(crate) fn new(cores: usize) -> Self {
        let (process, encode) = (cores.max(1), cores.saturating_sub(1).max(1));
        let (encoders, jobs) = sync_channel(encode);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..encode {
            let jobs = Arc::clone(&jobs);
            let started = std::thread::Builder::new().name("encode".to_owned()).spawn(move || encode_all(&jobs));
            if let Err(error) = started {
                tracing::error!(%error, "cannot start an encoding thread");
            }
        }
        let turns = |count| Arc::new(Semaphore::new(count));
        Self { process: turns(process), load: turns(process), encode: turns(encode), encoders }
    }

    /// Runs a plugin call.
    pub(crate) async fn process<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Gone> {
        self.turn().await?.run(work).await
    }

    /// Waits until a plugin call may run.
    pub(crate) async fn turn(&self) -> Result<Turn, Gone> {
        Turn::of(&self.process).await
    }

    /// Loads the code of a chain: mostly a look into memory, seldom seconds of a compiler.
    pub(crate) async fn load<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Gone> {
        Turn::of(&self.load).await?.run(work).await
    }

    /// Runs an encoder.
    pub(crate) async fn encode<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Gone> {
        let turn = Arc::clone(&self.encode).acquire_owned().await.map_err(|_closed| Gone)?;
        let (done, result) = oneshot::channel();
        let job = Box::new(move || {
            // Whoever asked may have been cancelled meanwhile.
            done.send(work()).ok();
            drop(turn);
        });
        self.encoders.send(job).map_err(|_ended| Gone)?;
        result.await.map_err(|_panicked| Gone)
    }
}

/// A turn at the processor: others wait until it is used or dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    permit: OwnedSemaphorePermit,
}

impl Turn {
    async fn of(turns: &Arc<Semaphore>) -> Result<Self, Gone> {
        let permit = Arc::clone(turns).acquire_owned().await.map_err(|_closed| Gone)?;
        Ok(Self { permit })
    }

    /// Works on a blocking thread.
    pub(crate) async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Gone> {
        let done = spawn_blocking(move || {
            let result = work();
            drop(self.permit);
            result
        });
        done.await.map_err(|_panicked| Gone)
    }
}

/// Lives until every [`Workers`] is gone.
fn encode_all(jobs: &Mutex<Receiver<Job>>) {
    if let Err(error) = rustix::process::nice(ENCODE_NICE) {
        tracing::warn!(%error, "encoding runs at full priority");
    }
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A panic was reported by its hook, and the caller learns of it by its missing answer.
        catch_unwind(AssertUnwindSafe(job)).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nice() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(16).unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn encoding_gives_way() {
        let workers = Workers::new(2);
        let (serving, encoding) = (nice(), workers.encode(nice).await.unwrap());
        assert_eq!(encoding, (serving + ENCODE_NICE).min(19));
        assert_eq!(workers.process(nice).await.unwrap(), serving);
    }

    /// A change of versions does not wait for calls, of which each may take its whole deadline.
    #[tokio::test]
    async fn loading_does_not_wait_for_calls() {
        let workers = Workers::new(1);
        let (release, held) = sync_channel::<()>(0);
        let other = workers.clone();
        let call = tokio::spawn(async move { other.process(move || held.recv().is_ok()).await });
        while workers.process.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(workers.load(|| 7).await.unwrap(), 7);
        release.send(()).unwrap();
        assert!(call.await.unwrap().unwrap());
    }

    #[tokio::test]
    async fn a_panic_costs_one_job() {
        let workers = Workers::new(1);
        assert!(workers.encode(|| panic!("on purpose")).await.is_err());
        assert_eq!(workers.encode(|| 7).await.unwrap(), 7);
    }
}
