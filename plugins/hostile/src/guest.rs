//! The behaviours, against the bare world: the SDK would not let a guest lie.
#![expect(unsafe_code, reason = "the component ABI's exports, generated")]

mod bindings {
    wit_bindgen::generate!({ path: "../sdk/rust/wit", world: "plugin" });
}
use bindings::exports::hydrant::transform::transform::Guest;
use bindings::hydrant::transform::log;
use bindings::hydrant::transform::types::{Batch, Column, Context, Output, Reason, Records};

use std::cell::{Cell, RefCell};
use std::hint::black_box;

const KEEP: u8 = 0;
const REPLACE: u8 = 1;
const DROP: u8 = 2;
const FAIL: u8 = 3;

struct Hostile;

#[derive(Default)]
struct Orders {
    what: String,
    when: Option<String>,
    bytes: Option<usize>,
}

thread_local! {
    static ORDERS: RefCell<Orders> = RefCell::default();
    /// Set by a batch for the next one to find.
    static CALLED: Cell<bool> = const { Cell::new(false) };
}

impl Guest for Hostile {
    fn configure(context: Context) -> Result<(), String> {
        let setting =
            |name: &str| context.settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let what = setting("do").unwrap_or_default();
        // A new version is tried with an empty name, and most of these pass that trial.
        match (what.as_str(), context.stream.is_empty()) {
            ("configure-error", _) => return Err("the setting 'colour' is missing\nand so is the rest".to_owned()),
            ("configure-spin", false) => spin(),
            ("configure-trap", false) => std::process::abort(),
            _ => {}
        }
        let bytes = setting("bytes").and_then(|bytes| bytes.parse().ok());
        ORDERS.set(Orders { what, when: setting("when"), bytes });
        Ok(())
    }

    fn apply(batch: Batch) -> Output {
        ORDERS.with_borrow(|orders| {
            let meant = orders.when.as_ref().is_none_or(|when| contains(&batch.records.payload, when.as_bytes()));
            if batch.records.ends.is_empty() || !meant {
                return keep_all(batch.records.ends.len());
            }
            misbehave(orders, batch)
        })
    }
}

fn misbehave(orders: &Orders, batch: Batch) -> Output {
    let count = batch.records.ends.len();
    match orders.what.as_str() {
        "abort" => std::process::abort(),
        "panic" => trap_with_a_word(),
        "trap-late" => {
            black_box(vec![7_u8; 1 << 20]);
            core::arch::wasm32::unreachable()
        }
        "overflow-stack" => {
            black_box(dig(1));
            keep_all(count)
        }
        "spin" => spin(),
        // About a second, and then as if nothing had been: too long or not is the deadline's to say.
        "crunch" => {
            for at in 0..5_000_000_000_u64 {
                black_box(at);
            }
            keep_all(count)
        }
        "spin-bulk" => {
            let mut hole = vec![0_u8; orders.bytes.unwrap_or(8 << 20)];
            let half = hole.len() / 2;
            loop {
                hole.fill(black_box(1));
                hole.copy_within(0..half, half);
                black_box(&hole);
            }
        }
        "spin-deep" => {
            black_box(toil(1));
            keep_all(count)
        }
        "hoard" => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        "hoard-quietly" => {
            while core::arch::wasm32::memory_grow(0, 16) != usize::MAX {}
            keep_all(count)
        }
        "remember" => {
            let start = core::arch::wasm32::memory_grow(0, 16) << 16;
            // SAFETY: the sixteen pages were just made, and nothing else knows of them.
            let fresh = unsafe { std::slice::from_raw_parts_mut(start as *mut u8, 16 << 16) };
            let clean = fresh.iter().all(|&byte| byte == 0) && !CALLED.replace(true);
            fresh.fill(0xaa);
            if clean { keep_all(count) } else { all(FAIL, count) }
        }
        "log" => {
            log::log(log::Level::Warn, "plain\nforged line\u{1b}[31m\u{202e}");
            log::write(true, b"half a ");
            log::write(true, b"line\nbytes \xff\n");
            log::write(false, b"unfinished");
            keep_all(count)
        }
        "flood-log" => {
            let line = "x".repeat(64 << 10);
            for _ in 0..1_000 {
                log::log(log::Level::Error, &line);
            }
            for _ in 0..100_000 {
                log::log(log::Level::Error, "");
            }
            keep_all(count)
        }
        "flood-write" => {
            let bytes = vec![b'y'; 1 << 20];
            for _ in 0..64 {
                log::write(false, &bytes);
            }
            keep_all(count)
        }
        "fail" => {
            let reasons = vec![Reason {
                input: 0,
                code: String::new(),
                message: format!("first\u{0}\n{}", "long ".repeat(1_000)),
            }];
            Output { reasons, ..all(FAIL, count) }
        }
        "split" => {
            let ends: Vec<u32> = (0..2 * count).map(|at| u32::try_from(at + 1).unwrap_or(0)).collect();
            let columns = vec![column("half", &["left", "right"], (0..2 * count).map(|at| u32::from(at % 2 == 1) + 1))];
            let records = Records { payload: vec![b'-'; 2 * count], ends, columns };
            Output {
                records,
                inputs: (0..2 * count).map(|at| u32::try_from(at / 2).unwrap_or(0)).collect(),
                ..all(REPLACE, count)
            }
        }
        "flood-output" => outputs(count, vec![vec![b'z'; 24 << 20]]),
        "flood-records" => outputs(count, vec![Vec::new(); 1 << 20]),
        "flood-reasons" => {
            let input = |at| u32::try_from(at).unwrap_or(0);
            let reason = |at| Reason { input: input(at), code: String::new(), message: "r".repeat(1 << 20) };
            Output { reasons: (0..count.max(24)).map(reason).collect(), ..all(FAIL, count) }
        }
        lie => tell(lie, count),
    }
}

/// Answers that do not fit the question.
fn tell(lie: &str, count: usize) -> Output {
    let one = |count| outputs(count, vec![b"output".to_vec()]);
    match lie {
        "lie-code" => all(9, count),
        "lie-outcomes-none" => all(KEEP, 0),
        "lie-outcomes-short" => all(KEEP, count - 1),
        "lie-outcomes-long" => all(KEEP, count + 1),
        "lie-replace-without-output" => all(REPLACE, count),
        "lie-keep-and-output" => Output { outcomes: vec![KEEP; count], ..one(count) },
        "lie-drop-and-output" => Output { outcomes: vec![DROP; count], ..one(count) },
        "lie-inputs-missing" => Output { inputs: Vec::new(), ..one(count) },
        "lie-inputs-unknown" => Output { inputs: vec![u32::MAX], ..one(count) },
        "lie-inputs-decrease" => {
            let mut lie = outputs(count, vec![Vec::new(), Vec::new()]);
            lie.inputs = vec![1, 0];
            lie
        }
        "lie-ends-decrease" => {
            let mut lie = outputs(count, vec![b"ab".to_vec(), Vec::new()]);
            lie.records.ends = vec![2, 1];
            lie
        }
        "lie-ends-open" => {
            let mut lie = one(count);
            lie.records.ends = vec![u32::MAX];
            lie
        }
        "lie-reason-for-kept" => Output {
            reasons: vec![Reason { input: 0, code: String::new(), message: "x".to_owned() }],
            ..all(KEEP, count)
        },
        "lie-reason-unknown" => Output {
            reasons: vec![Reason { input: u32::MAX, code: String::new(), message: "x".to_owned() }],
            ..all(FAIL, count)
        },
        "lie-column-codes" => {
            let mut lie = one(count);
            lie.records.columns = vec![column("key", &["a"], [2])];
            lie
        }
        "lie-column-name" => {
            let mut lie = one(count);
            lie.records.columns = vec![column("$secret", &["a"], [1])];
            lie
        }
        _ => keep_all(count),
    }
}

fn all(code: u8, count: usize) -> Output {
    let records = Records { payload: Vec::new(), ends: Vec::new(), columns: Vec::new() };
    Output { records, inputs: Vec::new(), outcomes: vec![code; count], reasons: Vec::new() }
}

fn keep_all(count: usize) -> Output {
    all(KEEP, count)
}

/// Replaces the first input by these, drops the others.
fn outputs(count: usize, records: Vec<Vec<u8>>) -> Output {
    let mut end = 0;
    let ends = records.iter().map(|record| {
        end += record.len();
        u32::try_from(end).unwrap_or(u32::MAX)
    });
    let mut output = all(DROP, count);
    output.outcomes[0] = REPLACE;
    output.inputs = vec![0; records.len()];
    output.records.ends = ends.collect();
    output.records.payload = records.concat();
    output
}

fn column(name: &str, dictionary: &[&str], codes: impl IntoIterator<Item = u32>) -> Column {
    Column {
        name: name.to_owned(),
        dictionary: dictionary.iter().map(|&value| value.to_owned()).collect(),
        codes: codes.into_iter().collect(),
    }
}

fn contains(payload: &[u8], text: &[u8]) -> bool {
    payload.windows(text.len()).any(|window| window == text)
}

#[expect(clippy::panic, reason = "the behaviour")]
fn trap_with_a_word() -> Output {
    panic!("a word before the end")
}

fn spin() -> ! {
    loop {
        black_box(());
    }
}

/// As deep as [`dig`] and far slower: it is the time that ends it.
fn toil(depth: usize) -> usize {
    let hole = black_box([depth; 8]);
    for at in 0..10_000_000_usize {
        black_box(at);
    }
    if hole[0] == 0 { 0 } else { toil(depth + 1) + black_box(hole[7]) }
}

fn dig(depth: usize) -> usize {
    let hole = black_box([depth; 64]);
    if hole[0] == 0 { 0 } else { dig(depth + 1) + black_box(hole[63]) }
}

bindings::export!(Hostile with_types_in bindings);
