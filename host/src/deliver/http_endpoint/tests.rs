//! Requests to the byte, and the table of answers.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Response;
use uuid::Uuid;

use super::request::*;
use super::response::*;
use crate::definition::EndpointBody;
use crate::record::{Documents, Partition, Records, Rows, Seal, StreamId};

const ID: Uuid = Uuid::from_u128(0x5eed);

/// A whole batch of records of these lengths.
fn batch(lengths: &[usize]) -> Documents {
    let mut ends = Vec::new();
    let mut payload = Vec::new();
    for (at, &length) in lengths.iter().enumerate() {
        payload.extend(std::iter::repeat_n(b'a' + u8::try_from(at % 26).unwrap(), length));
        ends.push(u32::try_from(payload.len()).unwrap());
    }
    let count = lengths.len();
    let rows = Rows {
        records: Records::new(payload.into(), ends, Vec::new()).unwrap(),
        sequences: (100..).take(count).collect(),
        ordinals: vec![0; count],
        arrived_ms: vec![1; count],
    };
    let seal = Seal {
        id: ID,
        stream: StreamId(1),
        partition: Partition::Main,
        first: 90,
        end: 100 + count as u64,
        open_from: 100 + count as u64,
        definition_version: 1,
        bucket: String::new(),
        key: String::new(),
        record_count: count as u64,
        content_bytes: 0,
        oldest_arrived_ms: 0,
        sealed_ms: 1_700_000_000_123,
    };
    Documents { seal: Arc::new(seal), rows }
}

/// What Firehose would send.
fn batches(documents: &Documents) -> Plan {
    plan(documents, EndpointBody::Firehose)
}

#[test]
fn a_body_is_what_the_specification_says_and_the_same_each_time() {
    let documents = batch(&[3, 0, 1]);
    let plan = batches(&documents);
    let plain = body(&documents.seal, &documents.rows.records, &plan.parts[0], false);
    let expected = r#"{"requestId":"00000000-0000-0000-0000-000000005eed","timestamp":1700000000123,"records":[{"data":"YWFh"},{"data":""},{"data":"Yw=="}]}"#;
    assert_eq!(String::from_utf8(plain.clone()).unwrap(), expected);
    let packed = body(&documents.seal, &documents.rows.records, &plan.parts[0], true);
    assert_eq!(packed, body(&documents.seal, &documents.rows.records, &plan.parts[0], true));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
}

#[test]
fn a_batch_within_the_limits_is_one_request_under_its_own_id() {
    let plan = batches(&batch(&vec![1; MOST_RECORDS]));
    assert_eq!(plan.parts.len(), 1);
    assert_eq!((plan.parts[0].id, plan.parts[0].records.len()), (ID, MOST_RECORDS));
    assert_eq!(batches(&batch(&[])), Plan::default());
}

#[test]
fn more_records_than_allowed_are_several_requests_with_ids_of_their_own() {
    let documents = batch(&vec![1; 2 * MOST_RECORDS + 1]);
    let whole = batches(&documents);
    assert_eq!(whole.parts.iter().map(|part| part.records.len()).collect::<Vec<_>>(), [MOST_RECORDS, MOST_RECORDS, 1]);
    let ids: Vec<Uuid> = whole.parts.iter().map(|part| part.id).collect();
    assert!(ids[0] == ID && ids[1] != ID && ids[2] != ID && ids[1] != ids[2], "{ids:?}");
    assert_eq!(batches(&documents), whole);
    // What is left after the first part was taken has the ids it had.
    let left: Vec<usize> = (MOST_RECORDS..documents.rows.len()).collect();
    let rest = Documents { seal: Arc::clone(&documents.seal), rows: documents.rows.select(&left) };
    assert_eq!(batches(&rest).parts.iter().map(|part| part.id).collect::<Vec<_>>(), ids[1..]);
}

#[test]
fn no_body_is_longer_than_allowed() {
    let documents = batch(&[MOST_RECORD_BYTES; 50]);
    let plan = batches(&documents);
    assert_eq!(plan.parts.len(), 2);
    for part in &plan.parts {
        let bytes = body(&documents.seal, &documents.rows.records, part, false).len();
        assert!(bytes <= MOST_BODY_BYTES, "{bytes}");
    }
    let first = body(&documents.seal, &documents.rows.records, &plan.parts[0], false).len();
    assert!(first + 1_365_336 > MOST_BODY_BYTES - 200, "as long as allowed: {first}");
}

#[test]
fn a_record_that_no_request_may_hold_is_left_out_alone() {
    let plan = batches(&batch(&[1, MOST_RECORD_BYTES + 1, MOST_RECORD_BYTES]));
    assert_eq!((plan.too_large, plan.parts[0].records.clone()), (vec![1], vec![0, 2]));
}

/// Line 12 of the deliveries: a webhook gets one record at a time, each under an id that stays its own.
#[test]
fn a_record_by_itself_is_a_request_with_its_bytes() {
    let documents = batch(&[3, 0, MOST_RECORD_BYTES + 1]);
    let singles = |documents: &Documents| plan(documents, EndpointBody::Record);
    let whole = singles(&documents);
    assert!(whole.too_large.is_empty(), "what is too large for an endpoint, it says itself");
    assert_eq!(whole.parts.iter().map(|part| part.records.clone()).collect::<Vec<_>>(), [[0], [1], [2]]);
    let body = |at: usize, is_compressed| single(&documents.rows.records, &whole.parts[at], is_compressed);
    assert_eq!((body(0, false), body(1, false)), (b"aaa".to_vec(), Vec::new()));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&body(0, true)[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, b"aaa");
    let ids: Vec<Uuid> = whole.parts.iter().map(|part| part.id).collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && !ids.contains(&ID), "{ids:?}");
    let rest = Documents { seal: Arc::clone(&documents.seal), rows: documents.rows.select(&[1, 2]) };
    assert_eq!(singles(&rest).parts.iter().map(|part| part.id).collect::<Vec<_>>(), ids[1..]);
}

/// Line 12 of the deliveries: every status of a webhook, which knows nothing of Firehose's answer.
#[test]
fn a_webhook_says_with_its_status_alone_what_became_of_a_record() {
    let code = |status: u16| match judge_single(&answer(status, &[("content-type", "text/plain")], "ok")) {
        Verdict::Taken => "taken",
        Verdict::Again { code, .. } => code,
        Verdict::Never { .. } => "never",
    };
    for status in [200, 201, 202, 204] {
        assert_eq!(code(status), "taken", "{status}");
    }
    for status in [400, 413, 422] {
        assert_eq!(code(status), "never", "{status}");
    }
    for status in [401, 403, 404, 408, 409, 410, 425, 429, 500, 503] {
        assert_eq!(code(status), DESTINATION_EXCEPTION, "{status}");
    }
    for status in [100, 302, 307] {
        assert_eq!(code(status), INVALID_RESPONSE, "{status}");
    }
    let Verdict::Again { after, .. } = judge_single(&answer(429, &[("retry-after", "30")], "")) else {
        panic!("a pause");
    };
    assert_eq!(after, Some(Duration::from_secs(30)));
}

#[test]
fn attributes_are_json_in_ascii_in_the_order_given() {
    assert_eq!(common_attributes(&[]), None);
    let given = [("b", "1"), ("a", "\"\\"), ("ü", "line\n"), ("𝄞", "")];
    let text = common_attributes(&given.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let expected = r#"{"commonAttributes":{"b":"1","a":"\"\\","\u00fc":"line\u000a","\ud834\udd1e":""}}"#;
    assert_eq!(text, expected);
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["commonAttributes"]["ü"], "line\n");
}

/// An answer; `$ID` stands for the request's id.
fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
    let body = body.replace("$ID", &ID.to_string());
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(Bytes::from(body)).unwrap()
}

const HEADERS: [(&str, &str); 2] = [("content-type", "application/json"), ("content-length", "1")];
const BODY: &str = r#"{"requestId":"$ID","timestamp":1}"#;

fn code(answer: &Response<Bytes>) -> &'static str {
    match judge(answer, ID) {
        Verdict::Taken => "taken",
        Verdict::Again { code, .. } => code,
        Verdict::Never { .. } => "never",
    }
}

/// Line 7 of the deliveries: every rule of the specification's answer, kept and broken.
#[test]
fn only_the_exact_answer_is_success() {
    let with_message = format!(r#"{{"requestId":"$ID","timestamp":1,"errorMessage":"{}"}}"#, "ü".repeat(8192));
    let too_long = with_message.replace("ü\"", "üü\"");
    for (what, headers, body, expected) in [
        ("as specified", &HEADERS[..], BODY, "taken"),
        ("with a message", &HEADERS, &with_message, "taken"),
        ("a message too long", &HEADERS, &too_long, INVALID_RESPONSE),
        ("no type", &HEADERS[1..], BODY, INVALID_RESPONSE),
        (
            "a type with a charset",
            &[("content-type", "application/json; charset=utf-8"), HEADERS[1]],
            BODY,
            INVALID_RESPONSE,
        ),
        ("another type", &[("content-type", "text/plain"), HEADERS[1]], BODY, INVALID_RESPONSE),
        ("two types", &[HEADERS[0], HEADERS[0], HEADERS[1]], BODY, INVALID_RESPONSE),
        ("no length", &HEADERS[..1], BODY, INVALID_RESPONSE),
        ("an encoding", &[HEADERS[0], HEADERS[1], ("content-encoding", "gzip")], BODY, INVALID_RESPONSE),
        ("another id", &HEADERS, r#"{"requestId":"other","timestamp":1}"#, INVALID_RESPONSE),
        ("no id", &HEADERS, r#"{"timestamp":1}"#, INVALID_RESPONSE),
        ("no time", &HEADERS, r#"{"requestId":"$ID"}"#, INVALID_RESPONSE),
        ("time as text", &HEADERS, r#"{"requestId":"$ID","timestamp":"1"}"#, INVALID_RESPONSE),
        ("time as fraction", &HEADERS, r#"{"requestId":"$ID","timestamp":1.5}"#, INVALID_RESPONSE),
        ("one member more", &HEADERS, r#"{"requestId":"$ID","timestamp":1,"more":1}"#, INVALID_RESPONSE),
        ("more after it", &HEADERS, r#"{"requestId":"$ID","timestamp":1}x"#, INVALID_RESPONSE),
        ("no JSON", &HEADERS, "ok", INVALID_RESPONSE),
        ("nothing", &HEADERS, "", INVALID_RESPONSE),
    ] {
        assert_eq!(code(&answer(200, headers, body)), expected, "{what}");
    }
}

/// Line 7 of the deliveries: every status.
#[test]
fn every_other_status_is_tried_again_but_413() {
    for (status, expected) in [
        (100, INVALID_RESPONSE),
        (201, DESTINATION_EXCEPTION),
        (202, DESTINATION_EXCEPTION),
        (204, DESTINATION_EXCEPTION),
        (301, INVALID_RESPONSE),
        (302, INVALID_RESPONSE),
        (307, INVALID_RESPONSE),
        (400, DESTINATION_EXCEPTION),
        (401, DESTINATION_EXCEPTION),
        (403, DESTINATION_EXCEPTION),
        (404, DESTINATION_EXCEPTION),
        (413, "never"),
        (429, DESTINATION_EXCEPTION),
        (500, DESTINATION_EXCEPTION),
        (503, DESTINATION_EXCEPTION),
        (600, INVALID_RESPONSE),
    ] {
        assert_eq!(code(&answer(status, &HEADERS, BODY)), expected, "{status}");
        assert_eq!(code(&answer(status, &[], "<html>")), expected, "{status} of a proxy");
    }
    let wait = |text: &str| match judge(&answer(503, &[("retry-after", text)], ""), ID) {
        Verdict::Again { after, .. } => after,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (wait("7"), wait("soon"), wait("86400")),
        (Some(Duration::from_secs(7)), None, Some(Duration::from_secs(120)))
    );
}

#[test]
fn a_message_repeats_the_answer_within_bounds() {
    let message = |body: &str| match judge(&answer(500, &HEADERS, body), ID) {
        Verdict::Again { message, .. } => message,
        other => panic!("{other:?}"),
    };
    assert!(message("the disk is full").ends_with("status 500, body: the disk is full"));
    assert!(message("").ends_with("body: (empty)"));
    assert!(message("a\nb\u{1b}[31m").ends_with("a\\nb\\u{1b}[31m"));
    let long = message(&"ü".repeat(100_000));
    assert!(long.ends_with('…') && long.chars().count() < 1200, "{}", long.len());
    assert_eq!(quoted(b"\xff"), "\u{fffd}");
}
