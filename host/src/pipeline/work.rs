//! Worker threads for plugins and encoding, so that neither ever runs on a thread that serves sockets.
//!
//! Refuses to queue without bound: a caller waits for its turn.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Turns at the processor.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    process: Arc<Semaphore>,
    encode: Arc<Semaphore>,
}

/// A worker panicked or the runtime is stopping.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a worker thread ended before its work was done")]
pub(crate) struct Gone;

impl Workers {
    /// One plugin call per core; encoding leaves a core to everybody else, because one object takes half a second.
    pub(crate) fn new(cores: usize) -> Self {
        let (process, encode) = (cores.max(1), cores.saturating_sub(1).max(1));
        Self { process: Arc::new(Semaphore::new(process)), encode: Arc::new(Semaphore::new(encode)) }
    }

    /// Runs a plugin call.
    pub(crate) async fn process<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Gone> {
        Self::run(&self.process, work).await
    }

    /// Runs an encoder.
    pub(crate) async fn encode<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Gone> {
        Self::run(&self.encode, work).await
    }

    async fn run<T: Send + 'static>(
        turns: &Arc<Semaphore>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let turn = Arc::clone(turns).acquire_owned().await.map_err(|_closed| Gone)?;
        let done = spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        done.await.map_err(|_panicked| Gone)
    }
}
