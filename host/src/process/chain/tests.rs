//! Chains of our own steps: what they make of a batch, of its parts, and of a replay.

use std::io::Write;
use std::sync::{Arc, LazyLock};

use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use super::super::plugin::{Settings, Stage};
use super::super::step::tests::records;
use super::*;
use crate::definition::{PartitionKey, SourceBackup, testing};
use crate::record::{Column, ErrorOutput, Origins, Ran, Rejected, StreamId, Transformed};
use crate::runtime::ManualClock;
use crate::telemetry::Telemetry;

/// A host without plugins.
static HOST: LazyLock<(TempDir, Arc<PluginHost>)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("plugins")).unwrap();
    let settings = Settings::new(folder.path().join("plugins"), folder.path().join("store"));
    let host = PluginHost::start(settings, Telemetry::new(), Arc::new(ManualClock::at(7))).unwrap();
    (folder, host)
});

fn definition(processors: Vec<Processor>) -> Definition {
    Definition { processors, ..testing::definition("orders") }
}

fn partitioned(processors: Vec<Processor>, keys: &[(KeySource, &str)]) -> Definition {
    let key = |&(source, name): &(KeySource, &str)| PartitionKey { source, name: name.to_owned(), uses: 1 };
    let partitioning = Partitioning { keys: keys.iter().map(key).collect(), room_bytes: 100, event_time: None };
    Definition { partitioning: Some(partitioning), ..definition(processors) }
}

fn chain(definition: &Definition) -> Chain {
    let epoch = Epoch { stream: StreamId(1), from: 0, definition_version: 1, plugins: Vec::new() };
    Chain::new(definition, &epoch, &HOST.1).unwrap()
}

fn batch(texts: &[impl AsRef<[u8]>]) -> Batch {
    let records = records(texts);
    let arrived_ms = (0..records.len() as u64).map(|at| 1_000 + at).collect();
    Batch { stream: StreamId(1), first: 100, arrived_ms, records, course: crate::record::Course::Put }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn query(text: &str) -> Processor {
    Processor::ExtractMetadata { query: text.to_owned() }
}

fn json() -> Processor {
    Processor::DeAggregate { delimiter: None }
}

fn newline() -> Processor {
    Processor::AppendDelimiter { delimiter: "\n".to_owned() }
}

/// Sequence, bytes and columns of each output.
type Output = (u64, Vec<u8>, Vec<(String, String)>);

fn outputs(made: &Transformed) -> Vec<Output> {
    let set = |column: &Column, at: usize| {
        let code = (column.codes[at] as usize).checked_sub(1)?;
        Some((column.name.clone(), column.dictionary[code].clone()))
    };
    let output = |at: usize| {
        let mut columns: Vec<_> = made.outputs.columns().iter().filter_map(|column| set(column, at)).collect();
        columns.sort();
        (made.inputs.start + made.input_of(at) as u64, made.outputs.record(at).to_vec(), columns)
    };
    (0..made.outputs.len()).map(output).collect()
}

fn texts(made: &Transformed) -> Vec<String> {
    made.outputs.iter().map(|record| String::from_utf8_lossy(record).into_owned()).collect()
}

fn codes(made: &Transformed) -> Vec<(u64, &str)> {
    made.rejected.iter().map(|rejected| (rejected.sequence, &*rejected.code)).collect()
}

/// Firehose's order: what CloudWatch Logs sends becomes lines in partitions.
#[test]
fn steps_follow_one_another() {
    let event = |message: &str| format!(r#"{{"id":"1","timestamp":1,"message":{}}}"#, Value::from(message));
    let document = |kind: &str, events: &[String]| {
        gzip(format!(r#"{{"messageType":"{kind}","logEvents":[{}]}}"#, events.join(",")).as_bytes())
    };
    let good = document("DATA_MESSAGE", &[event(r#"{"k":"a"}"#), event(r#"{"k":2}"#)]);
    let control = document("CONTROL_MESSAGE", &[event("reachable")]);
    let bad = document("DATA_MESSAGE", &[event(r#"{"k":"a"}"#), event(r#"{"k":null}"#)]);
    let processors = vec![Processor::Decompress, Processor::ExtractLogMessages, json(), query("{k: .k}"), newline()];
    let chain = chain(&partitioned(processors, &[(KeySource::Query, "k")]));
    let input = batch(&[good, control, bad.clone(), b"plain".to_vec()]);
    let made = chain.apply(input.clone());
    let key = |value: &str| vec![("$query:k".to_owned(), value.to_owned())];
    assert_eq!(
        outputs(&made),
        [(100, b"{\"k\":\"a\"}\n".to_vec(), key("a")), (100, b"{\"k\":2}\n".to_vec(), key("2"))]
    );
    assert_eq!(
        codes(&made),
        [(102, "DynamicPartitioning.MetadataExtractionFailed"), (103, "Decompression.InvalidFormat")]
    );
    // What fails behind the decompression comes as it was put.
    assert_eq!((made.rejected[0].data.as_ref(), made.rejected[0].arrived_ms), (bad.as_slice(), 1_002));
    assert_eq!(made.rejected[0].output, ErrorOutput::ProcessingFailed);
    assert_eq!((made.rejected[1].output, made.rejected[1].attempts), (ErrorOutput::DecompressionFailed, 1));
    assert_eq!((made.dropped_count, made.dropped_bytes), (1, input.records.range(1).len() as u64));
    assert_eq!((made.ran, made.source), (Ran::Nothing, None));
}

/// An input of which one record fails is rejected whole, once.
#[test]
fn a_record_in_a_record_fails_all_of_it() {
    let chain = chain(&partitioned(vec![json(), query("{k: .k}")], &[(KeySource::Query, "k")]));
    let made = chain.apply(batch(&[r#"{"k":1}{"k":""}{"k":[]}"#, r#"{"k":3}{"k":4}"#, "[1]"]));
    assert_eq!(texts(&made), [r#"{"k":3}"#, r#"{"k":4}"#]);
    assert_eq!(made.rejected.iter().map(|one| one.sequence).collect::<Vec<_>>(), [100, 102]);
    assert_eq!(made.rejected[0].data.as_ref(), br#"{"k":1}{"k":""}{"k":[]}"#);
}

#[test]
fn too_many_records_in_one_fail_where_partitions_are_named() {
    let many = "{}".repeat(501);
    let made = chain(&definition(vec![json()])).apply(batch(&[&many]));
    assert_eq!(texts(&made), [many.as_str()]);
    let made = chain(&partitioned(vec![json()], &[])).apply(batch(&[&many]));
    assert_eq!(codes(&made), [(100, "DynamicPartitioning.DeAggregationRecordCountLimitExceeded")]);
    assert_eq!(made.rejected[0].data.as_ref(), many.as_bytes());
}

/// The check is there without any step before it.
#[test]
fn a_stream_with_partitions_and_no_keys_rejects_everything() {
    let chain = chain(&partitioned(Vec::new(), &[(KeySource::Plugin, "k")]));
    let made = chain.apply(batch(&["a", "b"]));
    assert!(made.outputs.is_empty() && made.rejected.len() == 2);
    assert_eq!(made.rejected[0].message, "partition key k: the record has none");
}

#[test]
fn sources_are_kept_as_they_came() {
    let backup = |delimiter: &str| Some(SourceBackup { s3: testing::s3(), delimiter: delimiter.to_owned() });
    let with = |delimiter| Definition { source_backup: backup(delimiter), ..definition(vec![json(), newline()]) };
    let input = batch(&["{}{}", "bad", ""]);
    let made = chain(&with("")).apply(input.clone());
    assert_eq!(made.source.as_ref(), Some(&input.records));
    assert_eq!(texts(&made), ["{}\n", "{}\n"]);
    let chain = chain(&with("\r\n"));
    let source = |made: &Transformed| made.source.clone().unwrap().iter().map(<[u8]>::to_vec).collect::<Vec<_>>();
    let expected = [b"{}{}\r\n".to_vec(), b"bad\r\n".to_vec(), b"\r\n".to_vec()];
    assert_eq!(source(&chain.apply(input.clone())), expected);
    let rejected = chain.reject(input, "not run", 3);
    assert_eq!((source(&rejected).as_slice(), rejected.rejected.len()), (expected.as_slice(), 3));
}

#[test]
fn only_a_chain_that_does_nothing_is_the_identity() {
    let is = |definition: &Definition| {
        let chain = chain(definition);
        (chain.is_identity(), chain.runs_plugins())
    };
    assert_eq!(is(&definition(Vec::new())), (true, false));
    let backup = Some(SourceBackup { s3: testing::s3(), delimiter: String::new() });
    assert_eq!(is(&Definition { source_backup: backup, ..definition(Vec::new()) }), (false, false));
    assert_eq!(is(&partitioned(Vec::new(), &[])), (false, false));
    for step in [Processor::Decompress, Processor::ExtractLogMessages, json(), newline()] {
        assert_eq!(is(&definition(vec![step])), (false, false));
    }
    // A program is code that is not ours: what happens to it when it kills the process is what happens to a plugin.
    assert_eq!(is(&definition(vec![query("{a: .a}")])), (false, true));
}

#[test]
fn records_that_grow_come_in_smaller_batches() {
    let most = |processors| chain(&definition(processors)).most_bytes(1 << 20);
    assert_eq!(most(vec![json()]), 1 << 20);
    let inflating = most(vec![Processor::Decompress]);
    assert!(inflating >= 32 << 10, "{inflating}");
    assert!(inflating * decompress::RATIO + decompress::RECORD_BYTES <= BATCH_BYTES);
}

#[test]
fn a_program_that_does_not_compile_holds_the_stream() {
    let epoch = Epoch { stream: StreamId(1), from: 0, definition_version: 1, plugins: Vec::new() };
    let error = Chain::new(&definition(vec![query("{a: nothing}")]), &epoch, &HOST.1).unwrap_err();
    assert!(matches!(error, ChainError::Query { version: 1, .. }), "{error}");
}

/// A plugin that replaces a record does not forget what was said of it before, and never sees what queries said.
#[test]
fn columns_survive_what_comes_behind_them() {
    let input = batch(&["a", "b"]);
    let mut flow = Flow::new(&input);
    let column = |name: &str, codes: &[u32]| Column {
        name: name.to_owned(),
        dictionary: vec!["x".to_owned(), "y".to_owned()],
        codes: codes.to_vec(),
    };
    flow.named(vec![column("region", &[1, 2]), column("$query:day", &[2, 0])]);
    let version = PluginVersion { name: "p".into(), digest: "d".into() };
    let made = columns::with(&records(&["b1", "b2"]), vec![column("region", &[0, 1])]);
    let stage = Stage { records: made, origins: Origins::Inputs(vec![1, 1]), refused: Vec::new(), faulted: false };
    flow.changed(stage, Blamed { version: &version, lambda_arn: "arn" });
    flow.appended(delimiter::append(flow.records(), b";"));
    flow.sifted(Vec::new());
    let made = flow.finish(None);
    let region = |value: &str| vec![("region".to_owned(), value.to_owned())];
    assert_eq!(outputs(&made), [(101, b"b1;".to_vec(), region("y")), (101, b"b2;".to_vec(), region("x"))]);
}

/// What a batch becomes, however it was cut.
fn normal(parts: &[Transformed]) -> (Vec<Output>, Vec<Rejected>, u64, u64, Vec<Vec<u8>>) {
    (
        parts.iter().flat_map(outputs).collect(),
        parts.iter().flat_map(|part| part.rejected.clone()).collect(),
        parts.iter().map(|part| part.dropped_count).sum(),
        parts.iter().map(|part| part.dropped_bytes).sum(),
        parts.iter().flat_map(|part| part.source.iter().flat_map(Records::iter)).map(<[u8]>::to_vec).collect(),
    )
}

fn part(batch: &Batch, from: usize, to: usize) -> Batch {
    Batch {
        stream: batch.stream,
        first: batch.first + from as u64,
        arrived_ms: batch.arrived_ms[from..to].to_vec(),
        records: batch.records.slice(from..to),
        course: batch.course,
    }
}

fn a_record() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20),
        prop::sample::select(vec![
            r#"{"k":"a","t":1}"#,
            r#"{"k":"a","t":1}{"k":"b"}"#,
            r#"{"k":null}"#,
            r#"[{"k":1}]"#,
            "{}",
            "",
            "no json",
            r#"{"k":[1]}"#,
            r#"{"k":"x/y","n":2}"#,
            r#"{"k":".."}"#,
            r#"{"k":""}"#,
            "{\"k\":1}\n{\"k\":2}\n",
            r#"{"k":{"a":1}} "#,
            r#"{"k":true}{"#,
            r#"{"messageType":"DATA_MESSAGE","logEvents":[{"message":"{\"k\":7}"},{"message":"{\"k\":8}"}]}"#,
            r#"{"messageType":"CONTROL_MESSAGE","logEvents":[]}"#,
        ])
        .prop_map(|text: &str| text.as_bytes().to_vec()),
    ];
    (text, 0..3).prop_map(|(text, kind)| if kind == 0 { text } else { gzip(&text) })
}

fn a_definition() -> impl Strategy<Value = Definition> {
    let steps = prop::collection::vec(any::<bool>(), 6);
    (steps, 0..3, any::<bool>()).prop_map(|(steps, partitions, is_backed_up)| {
        let all = [
            Processor::Decompress,
            Processor::ExtractLogMessages,
            json(),
            Processor::DeAggregate { delimiter: Some(b"\n".to_vec()) },
            query("{k: (.k | if type == \"object\" then .a else . end), n: (.n // 0)}"),
            newline(),
        ];
        let processors = all.into_iter().zip(steps).filter_map(|(step, is_on)| is_on.then_some(step)).collect();
        let made = match partitions {
            0 => definition(processors),
            1 => partitioned(processors, &[(KeySource::Query, "k")]),
            _ => partitioned(processors, &[(KeySource::Query, "n"), (KeySource::Query, "k")]),
        };
        let backup = SourceBackup { s3: testing::s3(), delimiter: "\n".to_owned() };
        Definition { source_backup: is_backed_up.then_some(backup), ..made }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn where_a_batch_is_cut_and_how_often_it_is_run_changes_nothing(
        definition in a_definition(),
        inputs in prop::collection::vec(a_record(), 0..12),
        cut in 0_usize..13,
    ) {
        let chain = chain(&definition);
        let whole = batch(&inputs);
        let cut = cut.min(inputs.len());
        let made = chain.apply(whole.clone());
        // An input is delivered, dropped or rejected, and a rejected one comes as it was put.
        let mut delivered: Vec<usize> = (0..made.outputs.len()).map(|at| made.input_of(at)).collect();
        delivered.dedup();
        prop_assert_eq!(delivered.len() + made.rejected.len() + usize::try_from(made.dropped_count).unwrap(), inputs.len());
        for rejected in &made.rejected {
            let at = usize::try_from(rejected.sequence - 100).unwrap();
            prop_assert!(!delivered.contains(&at) && rejected.is_repeatable);
            prop_assert_eq!(rejected.data.as_ref(), inputs[at].as_slice());
        }
        let once = normal(std::slice::from_ref(&made));
        prop_assert_eq!(&once, &normal(&[chain.apply(whole.clone())]));
        let parts = [chain.apply(part(&whole, 0, cut)), chain.apply(part(&whole, cut, inputs.len()))];
        prop_assert_eq!(&once, &normal(&parts));
        let alone: Vec<_> = (0..inputs.len()).map(|at| chain.apply(part(&whole, at, at + 1))).collect();
        prop_assert_eq!(&once, &normal(&alone));
    }
}
