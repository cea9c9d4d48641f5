//! The two ways of reading a batch agree.

use base64_simd::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::decode::decode_batch;

/// The same batch in a form that only the slow path takes.
fn made_odd(body: &Value) -> String {
    let mut odd = body.clone();
    odd["Unknown"] = json!([1, {"a": null}]);
    odd.to_string()
}

fn data() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| json!(STANDARD.encode_to_string(bytes))),
        1 => "[A-Za-z0-9+/=_ ]{0,9}".prop_map(Value::from),
        1 => prop_oneof![Just(json!(null)), Just(json!(5)), Just(json!(true)), Just(json!([])), Just(json!({}))],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Row A1: what one path accepts the other accepts with the same records, and refuses with the same words.
    #[test]
    fn quick_and_careful_reading_agree(
        name in "[a-zA-Z0-9_.-]{0,66}|[ -~]{0,6}",
        records in prop::collection::vec(data(), 0..6),
    ) {
        let records: Vec<Value> = records.into_iter().map(|data| json!({"Data": data})).collect();
        let body = json!({"DeliveryStreamName": name, "Records": records});
        let (plain, odd) = (body.to_string(), made_odd(&body));
        prop_assert_eq!(decode_batch(plain.as_bytes()), decode_batch(odd.as_bytes()));
    }

    /// Row A1: no bytes make it panic.
    #[test]
    fn any_bytes_are_answered(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _answered = decode_batch(&body);
    }
}
