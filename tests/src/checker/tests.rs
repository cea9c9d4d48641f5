//! The checker must see every kind of damage, or its silence proves nothing.

use super::*;

const STREAM: &str = "clicks";

fn id(number: u64) -> Id {
    Id { stream: STREAM.into(), lane: 0, number }
}

fn ledger(states: &[State]) -> Ledger {
    let mut ledger = Ledger::default();
    let range = ledger.send(STREAM, 0, states.len() as u64);
    for (number, &state) in range.zip(states) {
        if state != Unknown {
            ledger.answer(STREAM, 0, number, state);
        }
    }
    ledger
}

fn object(second: u32, numbers: impl IntoIterator<Item = u64>) -> Delivered {
    let body = numbers.into_iter().flat_map(|number| record(&id(number))).collect();
    Delivered { key: format!("2026/11/21/05/{STREAM}-1-2026-11-21-05-00-{second:02}-uuid{second}"), body }
}

fn envelope(number: u64) -> Delivered {
    let raw = BASE64.encode_to_string(record(&id(number)));
    let line = serde_json::json!({"rawData": raw, "errorCode": "Lambda.ProcessingFailedStatus", "errorMessage": "no",
        "attemptsMade": 1, "arrivalTimestamp": 1, "attemptEndingTimestamp": 2});
    Delivered { key: "processing-failed/2026/11/21/05/x".into(), body: format!("{line}\n").into_bytes() }
}

/// Checks five records in one lane and returns what the checker says.
fn check(kind: Processing, states: &[State], objects: &[Delivered]) -> Result<Report, String> {
    Checker::new(&ledger(states), &[(STREAM, kind)]).check(objects.to_vec())
}

fn complains(said: Result<Report, String>, about: &str) {
    let said = said.expect_err("the checker must complain");
    assert!(said.contains(about), "{said}");
}

use Processing::{None as Plain, Plugin};
use State::{Acked, Refused, Unknown};

#[test]
fn everything_once_and_in_order_is_fine() {
    let report = check(Plain, &[Acked, Acked, Unknown, Refused, Acked], &[object(1, [0, 1]), object(2, [2, 4])]);
    let expected = Report { objects: 2, delivered: 4, unknown_delivered: 1, ..Report::default() };
    assert_eq!(report, Ok(expected));
}

#[test]
fn an_acknowledged_record_that_is_missing_is_a_loss() {
    complains(check(Plain, &[Acked, Acked], &[object(1, [0])]), "acknowledged and lost: clicks/0/1");
}

#[test]
fn an_unknown_record_may_be_missing_and_may_not_be_twice() {
    assert!(check(Plain, &[Acked, Unknown], &[object(1, [0])]).is_ok());
    complains(check(Plain, &[Acked, Unknown], &[object(1, [0, 1]), object(2, [1])]), "repeated: clicks/0/1");
}

#[test]
fn a_refused_record_must_not_be_there() {
    complains(check(Plain, &[Refused], &[object(1, [0])]), "refused and delivered nevertheless");
}

#[test]
fn a_record_in_two_objects_is_repeated() {
    complains(check(Plain, &[Acked], &[object(1, [0]), object(2, [0])]), "repeated: clicks/0/0");
}

fn holds_invoice(number: u64) -> bool {
    record(&id(number)).windows(7).any(|word| word == b"invoice")
}

#[test]
fn one_changed_byte_is_an_alteration() {
    let number = (0..50).find(|&number| Fate::of(number) == Fate::Deliver && holds_invoice(number)).unwrap();
    let mut damaged = object(1, [number]);
    // Inside the text, where the line stays JSON and only its meaning changes.
    let place = damaged.body.windows(7).position(|word| word == b"invoice").unwrap();
    damaged.body[place] ^= 1;
    complains(check(Plain, &[Unknown; 50], &[damaged]), &format!("altered: clicks/0/{number} in"));
}

#[test]
fn a_record_nobody_sent_is_foreign() {
    complains(check(Plain, &[Acked], &[object(1, [0, 1])]), "foreign");
    let noise = Delivered { key: format!("{STREAM}-1-x"), body: b"noise\n".to_vec() };
    complains(check(Plain, &[], &[noise]), "foreign");
}

#[test]
fn a_record_in_another_streams_object_is_foreign() {
    let mut moved = object(1, [0]);
    moved.key = "2026/11/21/05/other-1-2026-11-21-05-00-01-uuid".into();
    complains(check(Plain, &[Acked], &[moved]), "an object of another stream");
}

#[test]
fn swapped_records_and_overlapping_objects_are_out_of_order() {
    complains(check(Plain, &[Acked, Acked], &[object(1, [1, 0])]), "order");
    complains(check(Plain, &[Acked; 4], &[object(1, [0, 2]), object(2, [1, 3])]), "both hold");
    complains(check(Plain, &[Acked, Acked], &[object(9, [0]), object(1, [1])]), "named earlier");
}

#[test]
fn a_record_cut_short_is_seen() {
    let mut short = object(1, [0, 1]);
    short.body.pop();
    complains(check(Plain, &[Acked, Acked], &[short]), "does not end with");
}

#[test]
fn through_a_plugin_each_record_meets_its_fate() {
    let states = [Acked; 9];
    let kept = object(1, [0, 1, 2, 4, 5, 6, 8]);
    let report = check(Plugin, &states, &[kept.clone(), envelope(7)]);
    let expected = Report { objects: 1, error_objects: 1, delivered: 7, failed: 1, dropped: 1, ..Report::default() };
    assert_eq!(report, Ok(expected));
    complains(check(Plugin, &states, std::slice::from_ref(&kept)), "acknowledged and lost: clicks/0/7");
    complains(check(Plugin, &states, &[object(1, 0..7), object(2, [8]), envelope(7)]), "was to drop it");
    complains(check(Plugin, &states, &[object(1, [0, 1, 2, 4, 5, 6]), envelope(7), envelope(8)]), "without cause");
}

#[test]
fn an_envelope_holds_the_original_bytes() {
    let mut damaged = envelope(7);
    let line = String::from_utf8(damaged.body).unwrap();
    let mut value: Value = serde_json::from_str(&line).unwrap();
    let mut raw = record(&id(7));
    raw.pop();
    value["rawData"] = BASE64.encode_to_string(raw).into();
    damaged.body = format!("{value}\n").into_bytes();
    complains(check(Plugin, &[Unknown; 8], &[damaged]), "altered: clicks/0/7");
}

#[test]
fn partitions_have_records_and_an_order_of_their_own() {
    let partition: PartitionOf = |id| format!("half={}/", id.number % 2);
    let below = |half: u64, object: Delivered| Delivered { key: format!("half={half}/{}", object.key), ..object };
    let check = |objects: &[Delivered]| {
        let ledger = ledger(&[Acked; 4]);
        Checker::new(&ledger, &[(STREAM, Plain)]).partitioned(partition).check(objects.to_vec())
    };
    let (even, odd) = (below(0, object(2, [0, 2])), below(1, object(1, [1, 3])));
    assert_eq!(check(&[even.clone(), odd]).map(|report| report.delivered), Ok(4));
    complains(check(&[even, below(0, object(1, [1, 3]))]), "misplaced: clicks/0/1");
    complains(check(&[below(0, object(2, [2, 0])), below(1, object(1, [1, 3]))]), "order: clicks/0/0 stands after");
}

#[test]
fn what_reads_json_fails_what_is_none_and_an_index_what_has_no_amount() {
    let numbers = |kind: Processing| (0..14).filter(move |&number| kind.fate(Fate::of(number)) == Fate::Deliver);
    for (kind, failed) in [(Processing::Parsed, vec![7]), (Processing::Indexed, vec![3, 7, 13])] {
        let mut objects = vec![object(1, numbers(kind))];
        complains(check(kind, &[Acked; 14], &objects), "acknowledged and lost");
        objects.extend(failed.into_iter().map(envelope));
        assert_eq!(check(kind, &[Acked; 14], &objects).map(|report| report.delivered + report.failed), Ok(14));
    }
}

#[test]
fn what_is_put_to_other_streams_is_not_missed() {
    let mut ledger = ledger(&[Acked]);
    for number in ledger.send("views", 0, 2) {
        ledger.answer("views", 0, number, Acked);
    }
    let report = Checker::new(&ledger, &[(STREAM, Plain)]).check([object(1, [0])]);
    assert_eq!(report.map(|report| report.delivered), Ok(1));
}
