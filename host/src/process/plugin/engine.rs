//! The one WebAssembly engine of the process, its clock and its slots.
//!
//! Exactly one, because stores of different engines mix up type indices; a reload adds components, never engines.
//! Refuses every proposal that guests of ours do not need.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy};

use super::bindings;
use super::instance::Host;

/// The engine with what surrounds it.
pub(super) struct Sandbox {
    /// Compiles and runs.
    pub(super) engine: Engine,
    /// What guests may import.
    pub(super) linker: Linker<Host>,
    running: Mutex<Running>,
    freed: Condvar,
    started: Condvar,
}

struct Running {
    calls: usize,
    clock: Clock,
    time: Time,
}

/// Time that guests had: the machine's, without the stretches in which nobody ran.
#[derive(Clone, Copy)]
struct Time {
    /// At the last tick.
    passed: Duration,
    ticked: Instant,
}

impl Time {
    fn at(self, now: Instant) -> Duration {
        self.passed + now.saturating_duration_since(self.ticked).min(STANDSTILL)
    }

    fn tick(&mut self, now: Instant) {
        *self = Self { passed: self.at(now), ticked: now };
    }
}

#[derive(Default, PartialEq)]
enum Clock {
    #[default]
    Stopped,
    Ticking,
}

/// The engine could not be set up on this machine.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot set up the WebAssembly engine: {0}")]
pub struct EngineError(String);

/// The process's sandbox, set up at the first use.
///
/// # Errors
/// When the machine refuses the address space or the engine refuses the machine; the answer stays the same.
pub(super) fn sandbox() -> Result<&'static Sandbox, EngineError> {
    static SANDBOX: OnceLock<Result<Sandbox, EngineError>> = OnceLock::new();
    static CLOCK: OnceLock<bool> = OnceLock::new();
    let sandbox = SANDBOX.get_or_init(|| Sandbox::new().map_err(|error| EngineError(format!("{error:#}"))));
    let sandbox = sandbox.as_ref().map_err(Clone::clone)?;
    let ticks = *CLOCK.get_or_init(|| {
        let clock = thread::Builder::new().name("plugin-clock".to_owned());
        clock.spawn(|| sandbox.tick()).is_ok()
    });
    if ticks { Ok(sandbox) } else { Err(EngineError("no thread for the clock that ends calls".to_owned())) }
}

impl Sandbox {
    /// A sandbox of its own that counts instructions, for the author's bench: slower, and nothing of it meets the
    /// process's sandbox. Only a call's fuel ends a call in it.
    pub(super) fn metered() -> Result<Self, EngineError> {
        let mut config = config();
        config.consume_fuel(true).epoch_interruption(false);
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        Self::with(&config).map_err(|error| EngineError(format!("{error:#}")))
    }

    /// A sandbox that compiles for the process's own of another process, and reserves nothing.
    pub(super) fn compiling() -> Result<Self, EngineError> {
        let mut config = config();
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        Self::with(&config).map_err(|error| EngineError(format!("{error:#}")))
    }

    fn new() -> wasmtime::Result<Self> {
        Self::with(&config())
    }

    fn with(config: &Config) -> wasmtime::Result<Self> {
        let engine = Engine::new(config)?;
        let mut linker = Linker::new(&engine);
        bindings::v1::add_log(&mut linker)?;
        let time = Time { passed: Duration::ZERO, ticked: Instant::now() };
        let running = Mutex::new(Running { calls: 0, clock: Clock::default(), time });
        Ok(Self { engine, linker, running, freed: Condvar::new(), started: Condvar::new() })
    }

    /// Takes a slot for one instance, waiting for one while all are taken, and keeps the clock going until it is dropped.
    pub(super) fn enter(&self) -> Slot<'_> {
        let mut running = self.running();
        while running.calls >= SLOTS as usize {
            running = self.freed.wait(running).unwrap_or_else(PoisonError::into_inner);
        }
        running.calls += 1;
        if running.clock == Clock::Stopped {
            running.clock = Clock::Ticking;
            running.time.ticked = Instant::now();
            self.started.notify_one();
        }
        Slot(self)
    }

    /// What a call's deadline is measured in. Each tick of the engine's own counter only makes a guest look at it: ticks
    /// come late on a busy machine, and a sleep is always a little longer than asked, which adds up over a long deadline.
    pub(super) fn now(&self) -> Duration {
        self.running().time.at(Instant::now())
    }

    fn tick(&self) {
        // A clock that waits for a processor ends calls late. Where this is not allowed it has its share, as all threads.
        rustix::process::nice(CLOCK_NICE).ok();
        let mut idle_ticks = 0;
        loop {
            let mut running = self.running();
            idle_ticks = if running.calls == 0 { idle_ticks + 1 } else { 0 };
            if idle_ticks > LINGER_TICKS {
                running.clock = Clock::Stopped;
                while running.clock == Clock::Stopped {
                    running = self.started.wait(running).unwrap_or_else(PoisonError::into_inner);
                }
            }
            running.time.tick(Instant::now());
            drop(running);
            thread::sleep(TICK);
            self.engine.increment_epoch();
        }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have one instance.
pub(super) struct Slot<'a>(&'a Sandbox);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.running().calls -= 1;
        self.0.freed.notify_one();
    }
}

fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(SLOTS)
        .total_core_instances(SLOTS * CORE_INSTANCES)
        .max_core_instances_per_component(CORE_INSTANCES)
        .total_memories(SLOTS)
        .max_memories_per_component(1)
        .total_tables(SLOTS * CORE_INSTANCES)
        .max_tables_per_component(CORE_INSTANCES)
        .max_tables_per_module(2)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(MEMORY_BYTES)
        .max_unused_warm_slots(WARM_SLOTS)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_TABLE_BYTES)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_init_cow(true)
        .parallel_compilation(true)
        .epoch_interruption(true)
        .consume_fuel(false)
        .max_wasm_stack(STACK_BYTES)
        // The same batch gives the same bytes on every machine.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_backtrace_max_frames(None)
        // Compiled in because builds without them have aborted, but no guest of ours needs them.
        .gc_support(false)
        .wasm_exceptions(false)
        .wasm_function_references(false)
        .wasm_gc(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_threads(false);
    config
}

/// Instances at once: more than there are processors only helps when calls wait, and they never do.
const SLOTS: u32 = 64;
/// wit-component makes three core instances of one module; a component linked of libraries has some more.
const CORE_INSTANCES: u32 = 16;
/// All that 32 bits can address; limits below it are per call.
const MEMORY_BYTES: usize = 1 << 32;
/// As [`super::Limits::table_elements`], which the limiter enforces; this bounds what is reserved.
const TABLE_ELEMENTS: usize = 100_000;
/// Half the default: within what every worker thread has, enough for deep recursion in a parser.
const STACK_BYTES: usize = 512 << 10;
/// Slots that keep a plugin's memory image mapped.
const WARM_SLOTS: u32 = 16;
/// Cleared by writing zeroes rather than by giving pages back: saves a fault per touched page and batch.
const KEEP_RESIDENT_BYTES: usize = 2 << 20;
const KEEP_RESIDENT_TABLE_BYTES: usize = 64 << 10;
/// How exact a deadline is.
const TICK: Duration = Duration::from_millis(5);
/// Of a longer time without a tick only so much counts: the machine was suspended, or the process stopped, and so were
/// the calls. Far longer than the clock waits for a processor.
const STANDSTILL: Duration = Duration::from_millis(500);
/// Before every thread that works.
const CLOCK_NICE: i32 = -10;
/// A second without a call stops the clock, so that an idle host sleeps.
const LINGER_TICKS: u32 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    /// Row P2: a clock that is late takes nothing from a deadline; a machine that stood still does.
    #[test]
    fn time_passes_with_late_ticks_and_not_while_the_machine_stands_still() {
        let start = Instant::now();
        let mut time = Time { passed: Duration::ZERO, ticked: start };
        time.tick(start + TICK);
        let late = start + TICK + STANDSTILL;
        assert_eq!(time.at(late), TICK + STANDSTILL);
        time.tick(late);
        time.tick(late + TICK);
        assert_eq!(time.passed, TICK + STANDSTILL + TICK);
        time.tick(late + Duration::from_secs(3_600));
        assert_eq!(time.passed, TICK + STANDSTILL + TICK + STANDSTILL);
    }
}
