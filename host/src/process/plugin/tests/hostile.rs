//! Rows P1 to P5 and P7: every behaviour of `plugins/hostile` meets its limit, costs the record it is about, and nothing
//! else.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::telemetry::FAULT_KINDS;

/// What a behaviour costs a batch of five of which the third holds the word that provokes it.
enum Cost {
    /// The third record, with this code and these words in the message; the others are delivered.
    Poison(&'static str, &'static str),
    /// All five.
    All(&'static str, &'static str),
    /// The first; so many of the others are delivered.
    First(&'static str, &'static str, usize),
    /// Nothing.
    Nothing,
    /// It is not loaded; the problem has these words.
    Refused(&'static str),
    /// Ten records are delivered.
    Doubled,
}
use Cost::{All, Doubled, First, Nothing, Poison, Refused};

const FUNCTION: &str = "Lambda.FunctionError";
const MISSING: &str = "Lambda.MissingRecordId";
const INVALID: &str = "Lambda.InvalidReturnFormat";
const FAILED: &str = "Lambda.ProcessingFailedStatus";

const CASES: &[(&str, Cost)] = &[
    // P1
    ("abort", Poison(FUNCTION, "unreachable")),
    ("panic", Poison(FUNCTION, "unreachable")),
    ("trap-late", Poison(FUNCTION, "unreachable")),
    ("overflow-stack", Poison(FUNCTION, "trapped: ")),
    ("configure-error", Refused("the setting 'colour' is missing\\nand so is the rest")),
    ("configure-trap", All(FUNCTION, "unreachable")),
    // P2
    ("crunch", Nothing),
    ("spin", Poison(FUNCTION, "took longer than its")),
    ("spin-bulk", Poison(FUNCTION, "took longer than its")),
    ("spin-deep", Poison(FUNCTION, "took longer than its")),
    ("configure-spin", All(FUNCTION, "refused its configuration: took longer than its")),
    // P3
    ("hoard", Poison(FUNCTION, "needed more than its 100663296 bytes of memory")),
    ("hoard-quietly", Poison(FUNCTION, "needed more than its 100663296 bytes of memory")),
    // P4
    ("flood-output", Poison(FUNCTION, "answered with more than")),
    ("flood-records", Poison(FUNCTION, "answered with more than")),
    ("flood-reasons", Poison(FUNCTION, "answered with more than")),
    // P5
    ("log", Nothing),
    ("flood-log", Nothing),
    ("flood-write", Nothing),
    // Lies about the whole are tried in parts, lies about one record cost that record.
    ("lie-code", All(INVALID, "outcome 9 is not known")),
    ("lie-column-codes", Poison(INVALID, "column 0 does not fit")),
    ("lie-column-name", Poison(INVALID, "column 0 has a name")),
    ("lie-drop-and-output", First(INVALID, "dropped, yet with outputs", 0)),
    ("lie-ends-decrease", Poison(INVALID, "end offset of record 1 is smaller")),
    ("lie-ends-open", Poison(INVALID, "last end offset is 4294967295")),
    ("lie-inputs-decrease", Poison(INVALID, "before that of the output before it")),
    ("lie-inputs-missing", Poison(INVALID, "0 input indexes for 1 outputs")),
    ("lie-inputs-unknown", Poison(INVALID, "output 0 names an input that was not given")),
    ("lie-keep-and-output", First(INVALID, "kept, yet with outputs", 4)),
    ("lie-outcomes-long", Poison(INVALID, "2 outcomes for 1 records")),
    ("lie-outcomes-none", Poison(MISSING, "0 outcomes for 1 records")),
    ("lie-outcomes-short", Poison(MISSING, "0 outcomes for 1 records")),
    ("lie-reason-for-kept", Poison(INVALID, "reason 0 is about an input that did not fail")),
    ("lie-reason-unknown", Poison(INVALID, "reason 0 is about an input that was not given")),
    ("lie-replace-without-output", All(MISSING, "replaced by no output")),
    // No lies, but seldom said.
    ("fail", All(FAILED, "")),
    ("remember", Nothing),
    ("split", Doubled),
];

fn records() -> Batch {
    batch(&["one", "two", "poison", "four", "five"])
}

fn check(host: &PluginHost, behaviour: &str, cost: &Cost) {
    if let Refused(words) = cost {
        let problems = host.problems();
        let file = format!("{behaviour}.wasm");
        let refused = |problem: &super::super::Problem| problem.file.ends_with(&file) && problem.what.contains(words);
        assert!(problems.iter().any(refused), "{behaviour}: {problems:?}");
        assert_eq!(host.current(behaviour), None, "{behaviour}");
        return;
    }
    let version = host.current(behaviour).unwrap_or_else(|| panic!("{behaviour}: {:?}", host.problems()));
    let made = chain(host, vec![plugin(behaviour)]).apply(records());
    let rejected = rejections(&made);
    let fits = |at: usize, code: &str, words: &str| rejected[at].1 == code && rejected[at].2.contains(words);
    match cost {
        Poison(code, words) => {
            assert_eq!(texts(&made), ["one", "two", "four", "five"], "{behaviour}: {rejected:?}");
            assert!(rejected.len() == 1 && rejected[0].0 == 2 && fits(0, code, words), "{behaviour}: {rejected:?}");
            let label = format!("{behaviour}@{} ", &version.digest[..12]);
            assert!(rejected[0].2.starts_with(&label), "{behaviour}: {rejected:?}");
            assert!(made.rejected[0].attempts > 1, "{behaviour}: the batch, then parts of it");
        }
        All(code, words) => {
            assert!(rejected.len() == 5 && made.outputs.is_empty(), "{behaviour}: {rejected:?}");
            assert!((0..5).all(|at| fits(at, code, words)), "{behaviour}: {rejected:?}");
        }
        First(code, words, others) => {
            assert!(rejected.len() == 1 && rejected[0].0 == 0 && fits(0, code, words), "{behaviour}: {rejected:?}");
            assert_eq!(made.outputs.len(), *others, "{behaviour}");
            assert_eq!(made.dropped_count, 4 - *others as u64, "{behaviour}");
        }
        Nothing => assert_eq!((texts(&made).len(), rejected.len()), (5, 0), "{behaviour}: {rejected:?}"),
        Doubled => assert_eq!((texts(&made).len(), rejected.len()), (10, 0), "{behaviour}: {rejected:?}"),
        Refused(_) => {}
    }
    if let Some(rejected) = made.rejected.first() {
        assert_eq!(rejected.plugin, Some(version));
        assert_eq!(rejected.lambda_arn, Some(format!("arn:{behaviour}")));
        assert_eq!(rejected.data, records().records.record(usize::try_from(rejected.sequence - 100).unwrap()));
        assert_eq!(rejected.arrived_ms, 1_000 + rejected.sequence - 100);
    }
}

/// Rows P1 to P5, P7: see the table.
#[test]
fn every_misbehaviour_meets_its_limit_and_costs_the_poison_record_only() {
    // A second is soon for what never ends, and long for what does on a busy machine.
    for (deadline, spins) in [(Duration::from_secs(1), true), (tight().deadline, false)] {
        let mut rig = Rig::new();
        rig.settings.limits.deadline = deadline;
        let cases: Vec<_> = CASES.iter().filter(|(behaviour, _)| behaviour.contains("spin") == spins).collect();
        for (behaviour, _) in &cases {
            rig.configure(behaviour, &[("do", behaviour), ("when", "poison")]);
            rig.install(behaviour, "hostile");
        }
        let host = rig.start();
        for (behaviour, cost) in cases {
            check(&host, behaviour, cost);
        }
    }
}

/// Rows P1 to P5: a thousand attacks in a row cost the others nothing. Those that are about time have tests of their own.
#[test]
fn a_thousand_hostile_runs_leave_the_host_serving_others() {
    const RUNS: usize = 1_000;
    let mut rig = Rig::new();
    let attacks = CASES.iter().map(|(behaviour, cost)| (*behaviour, cost));
    let attacks = attacks.filter(|(behaviour, cost)| {
        !behaviour.contains("spin") && *behaviour != "crunch" && !matches!(cost, Refused(_))
    });
    let attacks: Vec<&str> = attacks.map(|(behaviour, _)| behaviour).collect();
    for behaviour in &attacks {
        rig.configure(behaviour, &[("do", behaviour)]);
        rig.install(behaviour, "hostile");
    }
    rig.install("honest", "bench");
    let host = rig.start();
    let honest = chain(&host, vec![plugin("honest")]);
    let hostile: Vec<Chain> = attacks.iter().map(|behaviour| chain(&host, vec![plugin(behaviour)])).collect();
    let records = batch(&[r#"{"level":"info"}"#]);
    for at in 0..RUNS {
        let made = hostile[at % hostile.len()].apply(batch(&["x"]));
        // Whatever it did, the record is somewhere.
        let ends = made.outputs.len() as u64 + made.dropped_count + made.rejected.len() as u64;
        assert!(ends >= 1, "{}", attacks[at % attacks.len()]);
        if at % 20 == 0 {
            assert_eq!(texts(&honest.apply(records.clone())), [r#"{"level":"info","pipeline":"hydrant"}"#]);
        }
    }
}

/// A behaviour that no case knows would be a guest that no test runs.
#[test]
fn no_behaviour_is_left_untested() {
    let source = include_str!("../../../../../plugins/hostile/src/lib.rs");
    let list = source.split_once("= &[").unwrap().1.split_once("];").unwrap().0;
    let known: BTreeSet<&str> =
        list.split(',').map(|word| word.trim().trim_matches('"')).filter(|word| !word.is_empty()).collect();
    let tested: BTreeSet<&str> = CASES.iter().map(|(behaviour, _)| *behaviour).collect();
    assert!(known.len() > 30, "{known:?}");
    assert_eq!(known, tested);
}

/// Row P2: when the time for finding culprits is over, the rest is rejected by name, and it ends.
#[test]
fn a_plugin_that_spins_on_everything_is_given_up() {
    let mut rig = Rig::new();
    rig.configure("spin", &[("do", "spin")]);
    rig.settings.limits.deadline = Duration::from_millis(20);
    rig.settings.limits.recovery = Duration::from_millis(100);
    rig.install("spin", "hostile");
    let host = rig.start();
    let made = chain(&host, vec![plugin("spin")]).apply(batch(&["x"; 1_000]));
    assert_eq!((made.rejected.len(), made.outputs.len()), (1_000, 0));
    let given_up = made.rejected.iter().filter(|rejected| rejected.message.contains("left no time")).count();
    assert!(given_up > 500, "{given_up}");
    assert!(made.rejected.iter().all(|rejected| rejected.code == FUNCTION));
}

/// Row P1: many poison records in one batch are each found.
#[test]
fn several_poison_records_are_told_from_the_rest() {
    let mut rig = Rig::new();
    rig.configure("abort", &[("do", "abort"), ("when", "poison")]);
    rig.install("abort", "hostile");
    let host = rig.start();
    let records: Vec<String> =
        (0..200).map(|at| if at % 37 == 5 { format!("poison {at}") } else { at.to_string() }).collect();
    let made = chain(&host, vec![plugin("abort")]).apply(batch(&records));
    let rejected: Vec<u64> = made.rejected.iter().map(|rejected| rejected.sequence - 100).collect();
    assert_eq!(rejected, [5, 42, 79, 116, 153, 190]);
    let expected: Vec<&String> = records.iter().filter(|record| !record.contains("poison")).collect();
    assert_eq!(texts(&made).iter().collect::<Vec<_>>(), expected);
}

/// Rows P1, P3: what one batch did to its instance is unknown to the next.
#[test]
fn a_batch_after_a_fault_is_processed_as_if_nothing_had_been() {
    let mut rig = Rig::new();
    rig.configure("hoard", &[("do", "hoard"), ("when", "poison")]);
    rig.install("hoard", "hostile");
    let host = rig.start();
    let chain = chain(&host, vec![plugin("hoard")]);
    for _ in 0..3 {
        assert_eq!(chain.apply(records()).rejected.len(), 1);
        assert_eq!(texts(&chain.apply(batch(&["a", "b"]))), ["a", "b"]);
    }
    let metrics = rig.telemetry.plugin("hoard");
    let memory = &metrics.faults[FAULT_KINDS.iter().position(|kind| *kind == "memory").unwrap()];
    assert!(memory.get() >= 6 && metrics.calls.get() > memory.get());
    assert_eq!(metrics.faults.iter().map(|kind| kind.get()).sum::<u64>(), memory.get());
    let peak = usize::try_from(metrics.memory_peak_bytes.get()).unwrap();
    assert!(peak > rig.settings.limits.memory_bytes / 2 && peak <= rig.settings.limits.memory_bytes, "{peak}");
}

/// Row P10: an instance finds its memory as the component says, whatever ran in its slot before.
#[test]
fn nothing_is_left_of_the_batch_before() {
    let mut rig = Rig::new();
    for name in ["one", "two"] {
        rig.configure(name, &[("do", "remember")]);
        rig.install(name, "hostile");
    }
    let host = rig.start();
    let chains = ["one", "two"].map(|name| chain(&host, vec![plugin(name)]));
    for _ in 0..200 {
        for chain in &chains {
            assert_eq!(chain.apply(batch(&["x"])).rejected, []);
        }
    }
}

/// Row P5: lines are labelled, bounded and cannot be forged.
#[test]
fn plugin_lines_are_labelled_escaped_and_bounded() {
    let written = logged_by("log");
    let lines: Vec<&str> = written.lines().filter(|line| line.contains(" plugin:")).collect();
    assert!(lines[0].contains("WARN plugin: plain\\nforged line\\u{1b}[31m\\u{202e}"), "{written}");
    assert!(lines[1].contains("WARN plugin: half a line"), "{written}");
    assert!(lines[2].contains("WARN plugin: bytes \u{fffd}"), "{written}");
    assert!(lines[3].contains("INFO plugin: unfinished"), "{written}");
    assert!(lines.iter().all(|line| line.contains("plugin=\"log@") && line.contains("stream=\"orders\"")), "{written}");
    assert_eq!(lines.len(), 4, "{written}");
    for flood in ["flood-log", "flood-write"] {
        let written = logged_by(flood);
        assert!(written.len() < 3 * tight().log_bytes, "{flood}: {} bytes", written.len());
    }
}

fn logged_by(behaviour: &str) -> String {
    let mut rig = Rig::new();
    rig.configure(behaviour, &[("do", behaviour)]);
    rig.install(behaviour, "hostile");
    let host = rig.start();
    let chain = chain(&host, vec![plugin(behaviour)]);
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(lines.clone()).finish();
    tracing::subscriber::with_default(subscriber, || chain.apply(batch(&["x"])));
    let dropped = rig.telemetry.plugin(behaviour).log_dropped_bytes.get();
    assert_eq!(dropped > 0, behaviour.starts_with("flood"), "{behaviour}: {dropped}");
    let written = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8(written.clone()).unwrap()
}

/// What a subscriber wrote.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
