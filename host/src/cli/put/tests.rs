//! Cutting, sending and repeating against a scripted host.

use std::io::Cursor;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::super::Failure;
use super::super::scripted::{Log, error, firehose};
use super::command::read;
use super::lines::{Lines, LinesError, Newline, RECORD_BYTES};
use super::*;

fn batches(input: &[u8], newline: Newline) -> Vec<Result<Batch, LinesError>> {
    Lines::new(Cursor::new(input.to_vec()), newline).collect()
}

fn records(input: &[u8], newline: Newline) -> Vec<Vec<u8>> {
    batches(input, newline).into_iter().flat_map(|batch| batch.expect("a batch").records).collect()
}

#[test]
fn lines_become_records() {
    assert_eq!(records(b"a\nb\r\n", Newline::Keep), [b"a\n".to_vec(), b"b\r\n".to_vec()]);
    assert_eq!(records(b"a\nb", Newline::Keep), [b"a\n".to_vec(), b"b\n".to_vec()]);
    assert_eq!(records(b"a\nb", Newline::Strip), [b"a".to_vec(), b"b".to_vec()]);
    assert_eq!(records(b"", Newline::Keep).len(), 0);
    let bytes: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    assert_eq!(records(&bytes, Newline::Strip), [bytes]);
}

#[test]
fn empty_lines_are_skipped_and_counted() {
    let batch = batches(b"\na\n\n", Newline::Keep).remove(0).expect("a batch");
    assert_eq!((batch.records.len(), batch.skipped_lines, batch.input_bytes), (1, 2, 4));
    let only_empty = batches(b"\n\n", Newline::Keep).remove(0).expect("a batch");
    assert_eq!((only_empty.records.len(), only_empty.skipped_lines), (0, 2));
}

#[test]
fn a_batch_holds_500_records() {
    let cut: Vec<Batch> =
        batches(&b"x\n".repeat(1001), Newline::Keep).into_iter().map(|batch| batch.expect("a batch")).collect();
    assert_eq!(cut.iter().map(|batch| batch.records.len()).collect::<Vec<_>>(), [500, 500, 1]);
    assert_eq!(
        cut.iter().map(|batch| batch.lines().expect("lines")).collect::<Vec<_>>(),
        [1..=500, 501..=1000, 1001..=1001]
    );
    assert_eq!(cut.iter().map(|batch| batch.input_bytes).sum::<u64>(), 2002);
}

#[test]
fn a_batch_holds_4_mib() {
    // Four records of 1 MiB are over a record's limit, so five of four fifths: exactly 4 MiB, then one byte more.
    let mut input = Vec::new();
    for length in [838_861, 838_861, 838_861, 838_861, 838_860, 1] {
        input.extend(vec![b'x'; length - 1]);
        input.push(b'\n');
    }
    // The last line is only a newline, hence skipped; a real record after it starts the second batch.
    input.extend(b"y");
    let cut: Vec<Batch> = batches(&input, Newline::Keep).into_iter().map(|batch| batch.expect("a batch")).collect();
    let sizes: Vec<usize> = cut.iter().map(|batch| batch.records.iter().map(Vec::len).sum()).collect();
    assert_eq!(sizes, [4 << 20, 2]);
}

#[test]
fn an_overlong_line_is_told_by_its_number() {
    let line = |length: usize| vec![b'x'; length];
    #[track_caller]
    fn check(input: &[u8], newline: Newline, overlong: Option<u64>) {
        let last = batches(input, newline).pop().expect("something");
        match (last, overlong) {
            (Err(LinesError::Overlong { line }), Some(expected)) => assert_eq!(line, expected),
            (Ok(_), None) => {}
            (last, expected) => panic!("{expected:?} expected, not {last:?}"),
        }
    }
    check(&line(RECORD_BYTES), Newline::Strip, None);
    check(&[line(RECORD_BYTES), b"\n".to_vec()].concat(), Newline::Strip, None);
    check(&[line(RECORD_BYTES - 1), b"\n".to_vec()].concat(), Newline::Keep, None);
    check(&line(RECORD_BYTES), Newline::Keep, Some(1));
    check(&line(RECORD_BYTES + 1), Newline::Strip, Some(1));
    check(&[b"a\n\n".to_vec(), line(RECORD_BYTES * 2)].concat(), Newline::Strip, Some(3));
}

/// What a host acknowledged, in order.
fn acknowledged(log: &Log, refused: impl Fn(&str) -> bool) -> Vec<String> {
    let log = log.lock().expect("a log");
    let records = log.iter().flat_map(|(_, input)| input["Records"].as_array().expect("records").clone());
    let data = records.map(|record| record["Data"].as_str().expect("data").to_owned());
    data.filter(|data| !refused(data)).collect()
}

fn accept(input: &Value) -> (u16, Value) {
    let records = input["Records"].as_array().expect("records");
    (200, json!({ "FailedPutCount": 0, "RequestResponses": vec![json!({ "RecordId": "1" }); records.len()] }))
}

async fn send(
    input: &[u8],
    script: impl Fn(&str, &Value) -> (u16, Value) + Send + Sync + 'static,
) -> (Summary, Option<Failure>, Log) {
    let (client, log) = firehose(script).await;
    let sending = Sending::new(client, "orders", 4).without_pauses();
    let batches = read(Cursor::new(input.to_vec()), Newline::Strip).expect("a thread");
    let (summary, failure) = sending.send(batches, |_, _| {}).await;
    (summary, failure, log)
}

#[tokio::test]
async fn everything_arrives_once() {
    let input: Vec<u8> = (0..1234).flat_map(|number| format!("{number}\n").into_bytes()).collect();
    let (summary, failure, log) = send(&input, |operation, input| {
        assert_eq!((operation, input["DeliveryStreamName"].as_str()), ("PutRecordBatch", Some("orders")));
        accept(input)
    })
    .await;
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!((summary.records, summary.requests, summary.repeated_records), (1234, 3, 0));
    let mut arrived = acknowledged(&log, |_| false);
    arrived.sort();
    let mut expected: Vec<String> =
        (0..1234).map(|number| base64_simd::STANDARD.encode_to_string(number.to_string())).collect();
    expected.sort();
    assert_eq!(arrived, expected);
}

/// Only what was refused is sent again: the record `b` twice, `a` and `c` once.
#[tokio::test]
async fn refused_records_are_sent_again_alone() {
    let refusals = Mutex::new(2);
    let (summary, failure, log) = send(b"a\nb\nc\n", move |_, input| {
        let mut left = refusals.lock().expect("a count");
        let responses: Vec<Value> = input["Records"]
            .as_array()
            .expect("records")
            .iter()
            .map(|record| match record["Data"].as_str() {
                Some("Yg==") if *left > 0 => {
                    *left -= 1;
                    json!({ "ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down." })
                }
                _ => json!({ "RecordId": "1" }),
            })
            .collect();
        let failed = responses.iter().filter(|response| response.get("ErrorCode").is_some()).count();
        (200, json!({ "FailedPutCount": failed, "RequestResponses": responses }))
    })
    .await;
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!((summary.records, summary.requests, summary.repeated_records, summary.failed_records), (3, 3, 2, 0));
    let sizes: Vec<usize> = log
        .lock()
        .expect("a log")
        .iter()
        .map(|(_, input)| input["Records"].as_array().expect("records").len())
        .collect();
    assert_eq!(sizes, [3, 1, 1]);
}

#[tokio::test]
async fn a_throttled_request_is_repeated_whole() {
    let refusals = Mutex::new(3);
    let (summary, failure, log) = send(b"a\nb\n", move |_, input| {
        let mut left = refusals.lock().expect("a count");
        if *left > 0 {
            *left -= 1;
            return error("ServiceUnavailableException", "Slow down.");
        }
        accept(input)
    })
    .await;
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!((summary.records, summary.requests, summary.repeated_records), (2, 4, 6));
    assert_eq!(log.lock().expect("a log").len(), 4);
}

#[tokio::test]
async fn a_host_without_room_is_given_up_with_a_count() {
    let (summary, failure, log) = send(b"a\nb\n", |_, input| {
        let records = input["Records"].as_array().expect("records");
        let refused = json!({ "ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down." });
        (200, json!({ "FailedPutCount": records.len(), "RequestResponses": vec![refused; records.len()] }))
    })
    .await;
    assert_eq!((summary.records, summary.failed_records), (0, 2));
    assert_eq!(log.lock().expect("a log").len(), 16);
    assert_eq!(
        failure.expect("a failure").to_string(),
        "error: cannot send 2 of the records in lines 1 to 2: the host has no room\nhint: look at its journal and its destination"
    );
}

#[tokio::test]
async fn a_missing_stream_ends_at_once() {
    let input = b"x\n".repeat(5000);
    let (summary, failure, log) = send(&input, |_, _| {
        error("ResourceNotFoundException", "Firehose orders not found under account 000000000000.")
    })
    .await;
    assert_eq!(summary.records, 0);
    // Those on their way were waited for, the rest was never sent.
    assert!(log.lock().expect("a log").len() <= 5, "{}", log.lock().expect("a log").len());
    let told = failure.expect("a failure").to_string();
    assert!(told.contains("ResourceNotFoundException: Firehose orders not found under account"), "{told}");
    assert!(told.contains("\nhint: `hydrant streams`"), "{told}");
}

/// Nothing of the batch that holds an overlong line is sent; the batches before it are.
#[tokio::test]
async fn nothing_of_a_batch_with_an_overlong_line_is_sent() {
    let mut input = b"x\n".repeat(700);
    input.extend(vec![b'x'; RECORD_BYTES + 1]);
    let (summary, failure, log) = send(&input, |_, input| accept(input)).await;
    assert_eq!(summary.records, 500);
    assert_eq!(log.lock().expect("a log").len(), 1);
    assert_eq!(
        failure.expect("a failure").to_string(),
        "error: line 701 is longer than 1024000 bytes, the most a record may have\nhint: split or remove the line, then send from the first line that was not sent"
    );
}

/// An answer that does not say which record it speaks of is no answer.
#[tokio::test]
async fn a_short_answer_is_an_unknown_outcome() {
    let (summary, failure, _) =
        send(b"a\nb\n", |_, _| (200, json!({ "FailedPutCount": 0, "RequestResponses": [{ "RecordId": "1" }] }))).await;
    assert_eq!((summary.records, summary.failed_records), (0, 2));
    assert!(failure.expect("a failure").to_string().contains("1 results for 2 records"));
}
