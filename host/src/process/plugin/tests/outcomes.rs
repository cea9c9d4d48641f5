//! What an honest plugin can make of a record, and how the processors compose.

use super::*;
use crate::record::{Origins, Ran, StandIn};

fn bench_host() -> Arc<PluginHost> {
    let rig = Rig::new();
    rig.install("bench", "bench");
    rig.install("orders", "orders");
    rig.install("keep", "hostile");
    let host = rig.start();
    assert_eq!(host.problems(), []);
    host
}

/// Kept records pass untouched, whatever they are: empty, large, no text.
#[test]
fn kept_records_are_the_same_bytes_in_the_same_place() {
    let host = bench_host();
    let megabyte = "ü".repeat(500_000);
    let batch = batch(&["", "plain", &megabyte, "\u{0}\u{202e}", ""]);
    let place = batch.records.payload().as_ptr();
    let made = chain(&host, vec![plugin("keep")]).apply(batch.clone());
    assert_eq!((made.outputs.payload().as_ptr(), &made.origins), (place, &Origins::Identity));
    assert_eq!((made.inputs, made.arrived_ms, made.dropped_count), (100..105, batch.arrived_ms, 0));
    assert_eq!((made.outputs, made.rejected), (batch.records, Vec::new()));
}

#[test]
fn each_record_meets_its_own_fate() {
    let host = bench_host();
    let long = format!(r#"{{"level":"info","text":"{}"}}"#, "é".repeat(500_000));
    let records =
        [r#"{"level":"info","n":1}"#, r#"{"level":"debug"}"#, "no json", "", &long, r#"{"level":"日本","n":2}"#];
    let made = chain(&host, vec![plugin("bench")]).apply(batch(&records));
    let edited = |record: &str| format!(r#"{},"pipeline":"hydrant"}}"#, &record[..record.len() - 1]);
    assert_eq!(texts(&made), [edited(records[0]), edited(&long), edited(records[5])]);
    assert_eq!(made.origins, Origins::Inputs(vec![0, 4, 5]));
    assert_eq!(made.dropped_count, 1);
    let rejected = rejections(&made);
    assert_eq!((rejected.len(), rejected[0].0, rejected[1].0), (2, 2, 3));
    assert!(rejected.iter().all(|rejected| rejected.1 == "Lambda.ProcessingFailedStatus"));
    assert!(rejected[0].2.contains("expected"), "{rejected:?}");
    assert_eq!((made.rejected[0].data.as_ref(), made.rejected[0].attempts), (b"no json".as_slice(), 1));
}

#[test]
fn what_a_plugin_did_is_counted() {
    let rig = Rig::new();
    rig.install("bench", "bench");
    let host = rig.start();
    let records = [r#"{"level":"info"}"#, r#"{"level":"debug"}"#, "no json", r#"{"level":"warn"}"#];
    chain(&host, vec![plugin("bench")]).apply(batch(&records));
    let counted = rig.telemetry.plugin("bench");
    let figures = [&counted.input.records, &counted.output.records, &counted.dropped_records, &counted.failed_records];
    assert_eq!(figures.map(|figure| figure.get()), [4, 2, 1, 1]);
    assert_eq!(counted.input.bytes.get(), records.iter().map(|record| record.len() as u64).sum::<u64>());
    assert!(counted.output.bytes.get() > 32 && counted.memory_peak_bytes.get() > 0);
    let digest = &host.list()[0].digest;
    let shown = rig.telemetry.render();
    assert!(shown.contains(&format!("hydrant_plugin_version{{plugin=\"bench\",digest=\"{digest}\"}} 1")), "{shown}");
}

/// Outputs of one input stay together and keep their columns.
#[test]
fn one_record_becomes_many_with_columns() {
    let mut rig = Rig::new();
    rig.configure("split", &[("do", "split")]);
    rig.install("split", "hostile");
    let host = rig.start();
    let made = chain(&host, vec![plugin("split"), delimiter(";")]).apply(batch(&["a", "b", "c"]));
    assert_eq!(made.outputs.payload().as_ref(), b"-;-;-;-;-;-;");
    assert_eq!(made.origins, Origins::Inputs(vec![0, 0, 1, 1, 2, 2]));
    let half = &made.outputs.columns()[0];
    assert_eq!((half.name.as_str(), &half.codes), ("half", &vec![1, 2, 1, 2, 1, 2]));
    assert_eq!((made.dropped_count, made.input_of(5)), (0, 2));
}

#[test]
fn a_delimiter_follows_each_record_that_is_left() {
    let host = bench_host();
    let delimited = chain(&host, vec![delimiter("\n")]).apply(batch(&["a", "", "b\n"]));
    assert_eq!(
        (delimited.outputs.payload().as_ref(), &delimited.origins),
        (b"a\n\nb\n\n".as_slice(), &Origins::Identity)
    );
    let both = chain(&host, vec![plugin("bench"), delimiter("\n")]);
    let made = both.apply(batch(&[r#"{"level":"debug"}"#, r#"{"level":"info"}"#, "x"]));
    assert_eq!(texts(&made), ["{\"level\":\"info\",\"pipeline\":\"hydrant\"}\n"]);
    assert_eq!((made.dropped_count, made.rejected.len(), made.origins), (1, 1, Origins::Inputs(vec![1])));
}

/// An input whose second plugin fails one of its parts comes once, in the error output.
#[test]
fn a_second_plugin_rejects_the_record_as_it_was_put() {
    let mut rig = Rig::new();
    rig.configure("split", &[("do", "split"), ("when", "two")]);
    rig.install("split", "hostile");
    rig.install("bench", "bench");
    let host = rig.start();
    let made = chain(&host, vec![plugin("bench"), plugin("split"), plugin("bench")]);
    let made = made.apply(batch(&[r#"{"level":"one"}"#, r#"{"level":"debug"}"#, r#"{"level":"two"}"#]));
    // The batch holds "two", so "split" replaces both records by halves that are no JSON.
    assert_eq!((made.outputs.len(), made.dropped_count, made.rejected.len()), (0, 1, 2));
    assert_eq!(made.rejected[1].data.as_ref(), br#"{"level":"two"}"#);
    assert_eq!((made.rejected[1].sequence, made.rejected[1].lambda_arn.as_deref()), (102, Some("arn:bench")));
}

#[test]
fn a_chain_without_processors_is_the_identity() {
    let host = bench_host();
    assert!(chain(&host, Vec::new()).is_identity() && chain(&host, vec![delimiter("")]).is_identity());
    assert!(!chain(&host, vec![delimiter("\n")]).is_identity() && !chain(&host, vec![plugin("keep")]).is_identity());
    let batch = batch(&["a", "b"]);
    let made = chain(&host, Vec::new()).apply(batch.clone());
    assert_eq!(
        (made.outputs.payload().as_ptr(), made.outputs),
        (batch.records.payload().as_ptr(), batch.records.clone())
    );
}

/// More batches at once than there are slots wait for one another.
#[test]
fn more_threads_than_slots_all_get_their_answer() {
    let host = bench_host();
    let chain = chain(&host, vec![plugin("bench")]);
    let records = batch(&vec![r#"{"level":"info"}"#; 200]);
    let expected = chain.apply(records.clone());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..100).map(|_| scope.spawn(|| chain.apply(records.clone()))).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), expected);
        }
    });
}

#[test]
fn an_empty_batch_stays_empty() {
    let host = bench_host();
    let made = chain(&host, vec![plugin("bench"), delimiter("\n")]).apply(batch(&[""; 0]));
    assert!(made.outputs.is_empty() && made.rejected.is_empty() && made.inputs.is_empty());
}

/// Whether the plugin works, or only its records do not.
#[test]
fn faults_are_told_from_failures() {
    let mut rig = Rig::new();
    for (name, told) in [("abort", "abort"), ("fail", "fail"), ("lie", "lie-ends-open")] {
        rig.configure(name, &[("do", told), ("when", "poison")]);
        rig.install(name, "hostile");
    }
    let host = rig.start();
    let ran = |name: &str, records: &[&str]| {
        let ran = chain(&host, vec![plugin(name)]).apply(batch(records)).ran;
        let version = host.current(name).unwrap();
        match ran {
            Ran::Nothing => "nothing",
            Ran::Through(of) if of == version => "through",
            Ran::Faulted(of) if of == version => "faulted",
            other => panic!("{other:?}"),
        }
    };
    for (name, records, expected) in [
        ("abort", ["poison", "poison"].as_slice(), "faulted"),
        ("abort", &["poison"], "faulted"),
        ("abort", &["poison", "x", "poison"], "through"),
        ("abort", &["x"], "through"),
        ("abort", &[], "nothing"),
        ("lie", &["poison", "poison"], "faulted"),
        // What it fails on purpose is data.
        ("fail", &["poison", "poison"], "through"),
    ] {
        assert_eq!(ran(name, records), expected, "{name} {records:?}");
    }
    assert_eq!(chain(&host, vec![delimiter("\n")]).apply(batch(&["a"])).ran, Ran::Nothing);
    // A step behind one that left nothing is not asked.
    let both = |names: [&str; 2]| chain(&host, names.map(plugin).into()).apply(batch(&["poison"])).ran;
    assert_eq!(both(["abort", "fail"]), Ran::Faulted(host.current("abort").unwrap()));
    assert_eq!(both(["fail", "abort"]), Ran::Through(host.current("fail").unwrap()));
}

/// The chain of these processors where a breaker's word rules.
fn stood_in(host: &PluginHost, processors: Vec<Processor>, stand_in: StandIn) -> Chain {
    let version = PluginVersion::replaced("abort", stand_in);
    assert_eq!(version.stand_in(), Some(stand_in));
    Chain::new(&definition(processors), &epoch(vec![version]), host).unwrap()
}

#[test]
fn a_stand_in_passes_every_record_through() {
    // The plugin need not be there.
    let host = Rig::new().start();
    let passing = stood_in(&host, vec![plugin("abort")], StandIn::PassThrough);
    assert!(passing.is_identity() && !passing.runs_plugins());
    let batch = batch(&["a", "", "b"]);
    let made = passing.apply(batch.clone());
    assert_eq!((&made.outputs, &made.origins, made.rejected.len()), (&batch.records, &Origins::Identity, 0));
    assert_eq!(made.ran, Ran::Through(PluginVersion::replaced("abort", StandIn::PassThrough)));
    let delimited = stood_in(&host, vec![plugin("abort"), delimiter(";")], StandIn::PassThrough);
    assert!(!delimited.is_identity() && !delimited.runs_plugins());
    assert_eq!(texts(&delimited.apply(batch)), ["a;", ";", "b;"]);
}

#[test]
fn a_stand_in_rejects_every_record() {
    let host = Rig::new().start();
    let rejecting = stood_in(&host, vec![plugin("abort"), delimiter(";")], StandIn::DeadLetter);
    assert!(!rejecting.is_identity() && !rejecting.runs_plugins());
    let made = rejecting.apply(batch(&["a", "", "b"]));
    let message = "not run: plugin abort kept failing and its breaker was open";
    let expected: Vec<_> = (0..3).map(|at| (at, "Lambda.FunctionError", message)).collect();
    assert_eq!((rejections(&made), made.outputs.len(), made.dropped_count), (expected, 0, 0));
    let of = |at: usize| (made.rejected[at].data.as_ref(), made.rejected[at].attempts, made.rejected[at].is_repeatable);
    assert_eq!([of(0), of(1), of(2)], [(b"a".as_slice(), 0, true), (b"", 0, true), (b"b", 0, true)]);
    assert_eq!(made.rejected[0].lambda_arn.as_deref(), Some("arn:abort"));
    assert_eq!(made.ran, Ran::Through(PluginVersion::replaced("abort", StandIn::DeadLetter)));
}

/// Row P12: the same batch gives the same answer, to the byte.
#[test]
fn a_batch_gives_the_same_answer_every_time() {
    let host = bench_host();
    let mut random = fastrand::Rng::with_seed(7);
    let mut order = |at: usize| {
        let (quantity, price) = (random.i32(-9..9), random.u32(0..10_000));
        let country = ["France", "Deutschland", "日本", ""][random.usize(0..4)];
        format!(
            r#"{{"date":"2026-11-21","order":"{at}","stock_code":"{}","quantity":{quantity},"price":{price}e-2,"country":"{country}"}}"#,
            ["a1", "TEST1", "b2"][random.usize(0..3)]
        )
    };
    let orders: Vec<String> = (0..1_000).map(&mut order).collect();
    let chain = chain(&host, vec![plugin("orders"), delimiter("\n")]);
    let first = chain.apply(batch(&orders));
    assert!(first.dropped_count > 100 && first.rejected.len() > 100 && first.outputs.len() > 300);
    assert_eq!(first.outputs.columns()[0].dictionary.len(), 3);
    for _ in 0..3 {
        assert_eq!(chain.apply(batch(&orders)), first);
    }
}
