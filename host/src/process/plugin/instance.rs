//! One batch in one fresh instance, within its limits. Refuses to keep the instance, whatever happened.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};

use super::bindings::v1::{Answer, Applied, ApplyParameters, BatchIn, ConfigureParameters, Configured, ContextIn};
use super::component::Compiled;
use super::engine::{Sandbox, sandbox};
use super::fault::Fault;
use super::log::{Log, escape};
use super::settings::{AMPLIFICATION_FLOOR_BYTES, Limits, REASON_BYTES};
use super::wasi::Stillness;

/// What the host knows during a call.
pub(super) struct Host {
    /// Where the guest's lines go.
    pub(super) log: Log,
    /// What a guest with WASI takes for clock and chance.
    pub(super) still: Stillness,
    /// What a guest with WASI finds in its environment.
    pub(super) environment: Vec<(String, String)>,
    limiter: Limiter,
}

/// One call: everything but the records.
pub(super) struct Call<'a> {
    pub(super) compiled: &'a Compiled,
    pub(super) limits: &'a Limits,
    pub(super) stream: &'a str,
    pub(super) settings: &'a [(String, String)],
    /// What WASI's environment holds.
    pub(super) environment: &'a [(String, String)],
    /// For this call; at most the limits' own.
    pub(super) deadline: Duration,
    /// What is left of the batch's allowance.
    pub(super) output_bytes: usize,
    /// Raised to what the instance had in the end.
    pub(super) memory_peak_bytes: &'a Gauge<i64>,
}

impl Call<'_> {
    /// Instantiates, configures and applies. Waits for a slot, then for the guest, at most until the deadline.
    ///
    /// # Errors
    /// Whatever the guest did; the instance is gone either way.
    pub(super) fn run(&self, log: Log, batch: BatchIn<'_>) -> Result<Answer, Fault> {
        let sandbox = sandbox().map_err(|error| Fault::Call(error.to_string()))?;
        let _slot = sandbox.enter();
        contain(|| self.run_in(sandbox, log, batch))
    }

    /// Runs in a sandbox that counts, and says how many instructions the guest executed: counted, so that the
    /// same batch gives the same number.
    ///
    /// # Errors
    /// Whatever the guest did.
    pub(super) fn count(&self, sandbox: &Sandbox, log: Log, batch: BatchIn<'_>) -> Result<u64, Fault> {
        contain(|| {
            let mut store = self.store(sandbox, log, &batch);
            let failed = |error: wasmtime::Error| Fault::Call(format!("{error:#}"));
            store.set_fuel(MOST_INSTRUCTIONS).map_err(failed)?;
            match self.converse(&mut store, batch) {
                Ok(_answer) => Ok(MOST_INSTRUCTIONS - store.get_fuel().map_err(failed)?),
                Err(Failed::Refused(message)) => Err(Fault::Configure(cut(message))),
                Err(Failed::Configuring(error) | Failed::Applying(error)) => Err(failed(error)),
            }
        })
    }

    fn run_in(&self, sandbox: &'static Sandbox, log: Log, batch: BatchIn<'_>) -> Result<Answer, Fault> {
        let mut store = self.store(sandbox, log, &batch);
        let end = sandbox.now().saturating_add(self.deadline);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| {
            Ok(if sandbox.now() < end { UpdateDeadline::Continue(1) } else { UpdateDeadline::Interrupt })
        });
        let output_bytes = self.allowance(&batch);
        let answer = self.converse(&mut store, batch);
        let host = store.data_mut();
        host.log.finish();
        let used_bytes = i64::try_from(host.limiter.used_bytes).unwrap_or(i64::MAX);
        self.memory_peak_bytes.inner().fetch_max(used_bytes, Ordering::Relaxed);
        if host.limiter.denied {
            // Whatever it answered: guests catch the denial and answer as if records were at fault.
            let Limits { memory_bytes: bytes, table_elements: elements, .. } = *self.limits;
            return Err(Fault::Memory { bytes, elements });
        }
        answer.map_err(|error| match error {
            Failed::Refused(message) => Fault::Configure(cut(message)),
            Failed::Configuring(error) => Fault::Configure(self.fault(&error, output_bytes).to_string()),
            Failed::Applying(error) => self.fault(&error, output_bytes),
        })
    }

    fn allowance(&self, batch: &BatchIn<'_>) -> usize {
        let records = &batch.records;
        allowance(self.limits, self.output_bytes, records.payload.len(), records.ends.len())
    }

    /// A store with every limit but that of time.
    fn store(&self, sandbox: &Sandbox, log: Log, batch: &BatchIn<'_>) -> Store<Host> {
        let limiter = Limiter {
            memory_bytes: self.limits.memory_bytes,
            table_elements: self.limits.table_elements,
            used_bytes: 0,
            denied: false,
        };
        let records = &batch.records;
        let has_wasi = self.compiled.has_wasi;
        let still = if has_wasi { Stillness::of(batch.arrived_ms, records.payload) } else { Stillness::default() };
        let environment = self.environment.to_vec();
        let mut store = Store::new(&sandbox.engine, Host { log, still, environment, limiter });
        store.limiter(|host| &mut host.limiter);
        store.set_hostcall_fuel(self.allowance(batch));
        store.set_max_component_handles(HANDLES);
        store
    }

    fn converse(&self, store: &mut Store<Host>, batch: BatchIn<'_>) -> Result<Answer, Failed> {
        let Compiled { pre, configure, apply, .. } = self.compiled;
        let instance = pre.instantiate(&mut *store).map_err(Failed::Applying)?;
        let configure = instance.get_typed_func::<ConfigureParameters<'_>, Configured>(&mut *store, configure);
        let configure = configure.map_err(Failed::Applying)?;
        let apply = instance.get_typed_func::<ApplyParameters<'_>, Applied>(&mut *store, apply);
        let apply = apply.map_err(Failed::Applying)?;
        let context = ContextIn { stream: self.stream, settings: self.settings };
        let (configured,) = configure.call(&mut *store, (context,)).map_err(Failed::Configuring)?;
        configured.map_err(Failed::Refused)?;
        let (answer,) = apply.call(store, (batch,)).map_err(Failed::Applying)?;
        Ok(answer)
    }

    fn fault(&self, error: &wasmtime::Error, output_bytes: usize) -> Fault {
        Fault::from_engine(error, self.deadline.as_millis(), output_bytes)
    }
}

/// Bytes that may cross to the host in one go, an answer or a log line: counted by the engine before they are copied.
fn allowance(limits: &Limits, left_bytes: usize, payload_bytes: usize, record_count: usize) -> usize {
    let amplified = payload_bytes.saturating_mul(limits.amplification).max(AMPLIFICATION_FLOOR_BYTES);
    amplified.min(left_bytes).saturating_add(record_count.saturating_mul(RECORD_OVERHEAD_BYTES))
}

/// Runs what a guest can reach, so that a panic in the host costs that guest its batch and nothing else (row P6).
pub(super) fn contain<T>(call: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    // Nothing that the closure touched is used after a panic: the store is dropped while unwinding.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(Err(Fault::HostPanic))
}

enum Failed {
    Refused(String),
    Configuring(wasmtime::Error),
    Applying(wasmtime::Error),
}

/// A guest's words, short enough for an error output and unable to steer a terminal.
fn cut(mut message: String) -> String {
    message.truncate(message.floor_char_boundary(REASON_BYTES));
    escape(&message)
}

/// Traps at the first denial, so that a guest cannot catch it.
#[derive(Debug)]
struct Limiter {
    memory_bytes: usize,
    table_elements: usize,
    /// Of all memories together.
    used_bytes: usize,
    denied: bool,
}

impl Limiter {
    fn deny(&mut self) -> wasmtime::Result<bool> {
        self.denied = true;
        Err(wasmtime::Error::msg("over the limit"))
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used_bytes.saturating_add(desired.saturating_sub(current));
        if used > self.memory_bytes {
            return self.deny();
        }
        self.used_bytes = used;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.deny().map(|_| ())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.table_elements { self.deny() } else { Ok(true) }
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.deny().map(|_| ())
    }
}

/// The world has no resources; these are for streams and timers of guests with WASI.
const HANDLES: usize = 1_024;
/// About a quarter of an hour of a guest: a bench that loops comes to an end.
const MOST_INSTRUCTIONS: u64 = 1 << 40;
/// One offset, one input index, one outcome and a short reason for each input.
const RECORD_OVERHEAD_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_panic_is_a_fault_of_the_call() {
        let contained = contain::<()>(|| panic!("a bug of ours"));
        assert!(matches!(contained, Err(Fault::HostPanic)), "{contained:?}");
    }

    /// Row P4: short inputs may always become a little, long ones only so many times longer, none more than is left.
    #[test]
    fn an_answer_may_be_so_much_longer_than_its_question() {
        let limits = Limits { amplification: 4, ..Limits::default() };
        let cases = [
            (0, usize::MAX, AMPLIFICATION_FLOOR_BYTES),
            (AMPLIFICATION_FLOOR_BYTES, usize::MAX, 4 * AMPLIFICATION_FLOOR_BYTES),
            (AMPLIFICATION_FLOOR_BYTES, 5_000, 5_000),
        ];
        for (payload_bytes, left_bytes, expected) in cases {
            assert_eq!(allowance(&limits, left_bytes, payload_bytes, 0), expected);
            assert_eq!(allowance(&limits, left_bytes, payload_bytes, 10), expected + 10 * RECORD_OVERHEAD_BYTES);
        }
    }

    /// Row P3: memories count together, and one denial is remembered.
    #[test]
    fn growth_is_counted_over_all_memories_and_denied_for_good() {
        let mut limiter = Limiter { memory_bytes: 100, table_elements: 10, used_bytes: 0, denied: false };
        assert!(limiter.memory_growing(0, 60, None).is_ok());
        assert!(limiter.memory_growing(0, 40, None).is_ok() && !limiter.denied);
        assert!(limiter.memory_growing(40, 41, None).is_err() && limiter.denied);
        limiter.denied = false;
        assert!(limiter.table_growing(0, 10, None).is_ok() && limiter.table_growing(0, 11, None).is_err());
        assert!(limiter.denied);
    }
}
