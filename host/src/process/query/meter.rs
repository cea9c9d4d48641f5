//! What a jq program may use up over one record: steps, memory, depth and stack.
//!
//! The interpreter asks us for its table at every term it runs, and makes every value through us, so each is a place to
//! count. Counting is by the program's own doings and not by time, so that a replay ends as the first run did. Where a
//! limit is reached the run is unwound. Refuses to count what has no limit.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Steps that any record may cost: a term of the program is one, and there are some 30 in a usual one. About a
/// millisecond.
const STEPS: u64 = 10_000;
/// Steps more for each byte of the record, as programs may look at all of it.
const STEPS_PER_BYTE: u64 = 16;
/// Most steps, however long the record is: some tenths of a second. A program can make a chain of closures with every
/// other step, which is thrown away by recursion: the thread's stack is for that many.
const MOST_STEPS: u64 = 1_000_000;
/// Memory that all values of one run take together, those included that are gone: a record of some megabytes, parsed.
const BYTES: u64 = 64 << 20;
/// Most bytes of a text that the program makes. A partition key has a thousandth of it.
const TEXT_BYTES: usize = 1 << 20;
/// How deep arrays and objects nest: more than any record is (its reader stops at 128), and few enough to be walked and
/// thrown away by recursion.
const DEPTH: u32 = 256;
/// Stack that a run may use.
const STACK_BYTES: usize = 16 << 20;
/// Stack of a thread that runs programs: a run's share, and what unwinding it and throwing away its closures may take.
/// Pages that are never touched cost nothing.
pub(super) const THREAD_STACK_BYTES: usize = 128 << 20;

/// Which limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Steps,
    Memory,
    Text,
    Depth,
    Stack,
}

impl Limit {
    /// For error outputs.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Steps => "takes more steps than a record of this length may",
            Self::Memory => "takes more than 64 MiB of memory",
            Self::Text => "makes a text of more than 1 MiB",
            Self::Depth => "nests arrays or objects more than 256 deep",
            Self::Stack => "calls itself too often",
        }
    }
}

/// Why a run did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    At(Limit),
    /// The interpreter met a case that it does not know.
    Panicked,
}

#[derive(Clone, Copy)]
struct Left {
    steps: u64,
    bytes: u64,
    /// Address where the run's stack began; none outside of a run.
    stack: Option<usize>,
}

thread_local! {
    static LEFT: Cell<Left> = const { Cell::new(Left { steps: 0, bytes: 0, stack: None }) };
}

/// Runs `work` within the limits; steps are counted from [`begin`] on.
///
/// # Errors
/// A limit was reached, or the interpreter panicked.
pub(super) fn run<T>(work: impl FnOnce() -> T) -> Result<T, Stopped> {
    LEFT.set(Left { steps: u64::MAX, bytes: BYTES, stack: Some(here()) });
    let done = catch_unwind(AssertUnwindSafe(work));
    LEFT.set(Left { steps: 0, bytes: 0, stack: None });
    done.map_err(|cause: Box<dyn Any + Send>| {
        cause.downcast_ref::<Limit>().map_or(Stopped::Panicked, |&limit| Stopped::At(limit))
    })
}

/// A record of `record_bytes` was read, and the program begins.
pub(super) fn begin(record_bytes: usize) {
    let steps = STEPS.saturating_add(STEPS_PER_BYTE.saturating_mul(record_bytes as u64)).min(MOST_STEPS);
    LEFT.set(Left { steps, ..LEFT.get() });
}

/// One term of the program.
pub(super) fn term() {
    spend(1);
    if LEFT.get().stack.is_some_and(|began| began.abs_diff(here()) > STACK_BYTES) {
        stop(Limit::Stack);
    }
}

/// Counts `steps`.
pub(super) fn spend(steps: usize) {
    let mut left = LEFT.get();
    if left.stack.is_none() {
        return;
    }
    let Some(rest) = left.steps.checked_sub(steps as u64) else { stop(Limit::Steps) };
    left.steps = rest;
    LEFT.set(left);
}

/// Counts `bytes` of memory, before they are taken.
pub(super) fn allocate(bytes: usize) {
    let mut left = LEFT.get();
    if left.stack.is_none() {
        return;
    }
    let Some(rest) = left.bytes.checked_sub(bytes as u64) else { stop(Limit::Memory) };
    left.bytes = rest;
    LEFT.set(left);
    // Memory is touched, too.
    spend(bytes / 64);
}

/// A text of `bytes` is about to be made.
pub(super) fn text(bytes: usize) {
    if bytes > TEXT_BYTES {
        stop(Limit::Text);
    }
    allocate(bytes);
}

/// An array or object is about to be made that nests `depth` deep.
pub(super) fn depth(depth: u32) {
    if depth > DEPTH {
        stop(Limit::Depth);
    }
}

/// Ends the run. No hook hears of it: it is not a panic.
fn stop(limit: Limit) -> ! {
    resume_unwind(Box::new(limit))
}

fn here() -> usize {
    let marker = 0_u8;
    std::ptr::from_ref(&marker).addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program over a record of `bytes`.
    fn over<T>(bytes: usize, work: impl FnOnce() -> T) -> Result<T, Stopped> {
        run(|| {
            begin(bytes);
            work()
        })
    }

    fn deeper(at: u64) -> u64 {
        term();
        let padding = std::hint::black_box([at; 512]);
        if padding[3] == u64::MAX { 0 } else { deeper(at + 1) + padding[7] }
    }

    #[test]
    fn each_limit_stops_a_run() {
        let check = |bytes: usize, work: fn(), limit| assert_eq!(over(bytes, work), Err(Stopped::At(limit)));
        check(0, || (0..=STEPS).for_each(|_| spend(1)), Limit::Steps);
        assert_eq!(run(|| (0..65).for_each(|_| allocate(1 << 20))), Err(Stopped::At(Limit::Memory)));
        check(1 << 30, || (0..65).for_each(|_| allocate(1 << 20)), Limit::Steps);
        check(0, || text(TEXT_BYTES + 1), Limit::Text);
        check(0, || depth(DEPTH + 1), Limit::Depth);
        assert_eq!(over(0, || text(TEXT_BYTES)), Err(Stopped::At(Limit::Steps)), "steps are for memory, too");
        assert_eq!(over(1000, || depth(DEPTH)), Ok(()));
        let deep = std::thread::Builder::new().stack_size(THREAD_STACK_BYTES);
        let deep = deep.spawn(|| over(1 << 30, || _ = deeper(0))).unwrap().join().unwrap();
        assert_eq!(deep, Err(Stopped::At(Limit::Stack)));
    }

    #[test]
    fn steps_come_with_length_and_end() {
        let count = |bytes: usize| {
            let counted = Cell::new(0_u64);
            assert_eq!(
                over(bytes, || loop {
                    spend(1);
                    counted.set(counted.get() + 1);
                }),
                Err(Stopped::At(Limit::Steps))
            );
            counted.get()
        };
        assert_eq!((count(0), count(10), count(1 << 30)), (STEPS, STEPS + 10 * STEPS_PER_BYTE, MOST_STEPS));
    }

    #[test]
    fn a_panic_is_told_from_a_limit() {
        assert_eq!(over(0, || resume_unwind(Box::new("x"))), Err::<(), _>(Stopped::Panicked));
    }
}
