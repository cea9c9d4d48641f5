//! The protocol: order of checks, texts of errors, limits of puts, and answers byte by byte.

use base64_simd::STANDARD;
use serde_json::{Value, json};

use super::{ACCOUNT, Rig};
use crate::api::{Refusal, StreamStatus};

const JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.1");
const LIST: (&str, &str) = ("x-amz-target", "Firehose_20150804.ListDeliveryStreams");

fn batch(name: &str, records: impl IntoIterator<Item = Vec<u8>>) -> Value {
    let records: Vec<Value> =
        records.into_iter().map(|data| json!({"Data": STANDARD.encode_to_string(data)})).collect();
    json!({"DeliveryStreamName": name, "Records": records})
}

#[tokio::test]
async fn every_answer_carries_the_service_headers() {
    let rig = Rig::new();
    let good = rig.call("ListDeliveryStreams", "{}").await;
    let bad = rig.call("DescribeDeliveryStream", "{}").await;
    let foreign = rig.send("GET", "/", &[], "").await;
    for answered in [&good, &bad, &foreign] {
        let id = answered.headers["x-amzn-requestid"].to_str().unwrap();
        assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 4);
        let id_2 = answered.headers["x-amz-id-2"].to_str().unwrap();
        assert!((88..=96).contains(&id_2.len()));
        assert!((64..=80).contains(&STANDARD.decode_to_vec(id_2).unwrap().len()));
    }
    assert_eq!((good.status, good.headers["content-type"].as_bytes()), (200, &b"application/x-amz-json-1.1"[..]));
    assert_eq!((bad.status, bad.headers["content-type"].as_bytes()), (400, &b"application/x-amz-json-1.1"[..]));
    assert_eq!(foreign.headers.get("content-type"), None);
    assert_ne!(good.headers["x-amzn-requestid"], bad.headers["x-amzn-requestid"]);
    assert_eq!(good.text(), r#"{"DeliveryStreamNames":[],"HasMoreDeliveryStreams":false}"#);
}

#[tokio::test]
async fn what_is_not_aws_json_over_post_gets_xml() {
    let rig = Rig::new();
    let missing = "<MissingAuthenticationTokenException>\n  <Message>Missing Authentication Token</Message>\n</MissingAuthenticationTokenException>\n";
    let denied = "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n</AccessDeniedException>\n";
    let auth = ("authorization", "AWS4-HMAC-SHA256 x");
    type Case<'c> = (&'c str, &'c str, &'c [(&'c str, &'c str)], &'c str);
    let cases: &[Case<'_>] = &[
        ("GET", "/", &[], missing),
        ("PUT", "/", &[JSON, LIST], missing),
        ("POST", "/", &[LIST], missing),
        ("POST", "/", &[LIST, ("content-type", "application/x-amz-json-1.0")], missing),
        ("POST", "/", &[LIST, ("content-type", "application/json")], missing),
        ("POST", "/path", &[JSON, LIST], missing),
        ("GET", "/", &[auth], denied),
        ("POST", "/", &[auth, LIST, ("content-type", "text/plain")], denied),
    ];
    for (method, uri, headers, text) in cases {
        let answered = rig.send(method, uri, headers, "{}").await;
        assert_eq!((answered.status, answered.text().as_str()), (403, *text), "{method} {uri} {headers:?}");
    }
    for content_type in
        ["application/x-amz-json-1.1 ;charset=utf-8", " application/x-amz-json-1.1", "APPLICATION/x-amz-json-1.1;x"]
    {
        let answered = rig.send("POST", "/", &[("content-type", content_type.trim()), LIST], "{}").await;
        assert_eq!(answered.status, 200, "{content_type}");
    }
}

/// Row A1.
#[tokio::test]
async fn json_is_judged_before_the_target_and_the_target_before_the_rest() {
    let rig = Rig::new();
    let not_json = r#"{"__type":"SerializationException"}"#;
    let unknown = r#"{"__type":"UnknownOperationException"}"#;
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let crowded = format!("{{\"a\":[{}0]}}", "[0,0],".repeat(60_000));
    for operation in ["ListDeliveryStreams", "PutRecord", "PutRecordBatch"] {
        for body in
            ["", "null", "true", "[]", "\"x\"", "hello", "{", "{}}", "{\"a\":1e999}", "{\"a\":\"\\ud800\"}", &deep]
        {
            rig.refuses(operation, body, 400, not_json).await;
        }
    }
    rig.refuses("ListDeliveryStreams", &crowded, 200, r#"{"DeliveryStreamNames":[],"HasMoreDeliveryStreams":false}"#)
        .await;
    let crowded = format!("{{{}\"a\":0}}", "\"a\":{},".repeat(60_000));
    rig.refuses("ListDeliveryStreams", &crowded, 400, not_json).await;
    rig.refuses("NoSuchThing", "{}", 400, unknown).await;
    rig.refuses("putrecord", "{}", 400, unknown).await;
    rig.refuses("NoSuchThing", "[]", 400, not_json).await;
    for headers in [
        &[JSON][..],
        &[JSON, ("x-amz-target", "Kinesis_20131202.ListStreams")],
        &[JSON, ("x-amz-target", "ListDeliveryStreams")],
        &[JSON, LIST, LIST],
    ] {
        let answered = rig.send("POST", "/", headers, "{}").await;
        assert_eq!((answered.status, answered.text().as_str()), (400, unknown), "{headers:?}");
    }
}

#[tokio::test]
async fn wrong_types_are_told_in_java() {
    let rig = Rig::new();
    let number = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to";
    let cases = [
        ("ListDeliveryStreams", json!({"DeliveryStreamType": true}), "class java.lang.Boolean can not be converted to an String".to_owned()),
        ("ListDeliveryStreams", json!({"DeliveryStreamType": 23}), format!("{number} an String")),
        ("ListDeliveryStreams", json!({"DeliveryStreamType": 3.5}), format!("{number} an String")),
        ("ListDeliveryStreams", json!({"DeliveryStreamType": []}), "Start of list found where not expected".to_owned()),
        ("ListDeliveryStreams", json!({"DeliveryStreamType": {}}), "Start of structure or map found where not expected.".to_owned()),
        ("ListDeliveryStreams", json!({"Limit": "23"}), "class java.lang.String can not be converted to an Integer".to_owned()),
        ("ListDeliveryStreams", json!({"Limit": true}), "class java.lang.Boolean can not be converted to an Integer".to_owned()),
        ("DeleteDeliveryStream", json!({"AllowForceDelete": "23"}), "'23' can not be converted to an Boolean".to_owned()),
        ("DeleteDeliveryStream", json!({"AllowForceDelete": 23}), format!("{number} an Boolean")),
        ("PutRecord", json!({"Record": "x"}), "Expected null".to_owned()),
        ("PutRecord", json!({"Record": []}), "Start of list found where not expected".to_owned()),
        ("PutRecord", json!({"Record": {"Data": true}}), "class java.lang.Boolean can not be converted to a Blob".to_owned()),
        ("PutRecord", json!({"Record": {"Data": 5}}), format!("{number} a Blob")),
        ("PutRecord", json!({"Record": {"Data": "23456"}}), "'23456' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 5".to_owned()),
        ("PutRecord", json!({"Record": {"Data": "=+/="}}), "'=+/=' can not be converted to a Blob: Invalid Base64 character: '='".to_owned()),
        ("PutRecord", json!({"Record": {"Data": "+/+="}}), "'+/+=' can not be converted to a Blob: Invalid last non-pad Base64 character dectected".to_owned()),
        ("PutRecordBatch", json!({"Records": {}}), "Start of structure or map found where not expected.".to_owned()),
        ("PutRecordBatch", json!({"Records": "x"}), "Expected list or null".to_owned()),
        ("PutRecordBatch", json!({"Records": [{"Data": "AAAA"}, {"Data": "a_=="}]}), "'a_==' can not be converted to a Blob: Invalid Base64 character: '_'".to_owned()),
    ];
    for (operation, body, message) in cases {
        let answer = json!({"__type": "SerializationException", "message": message}).to_string();
        rig.refuses(operation, body, 400, &answer).await;
    }
    let answered = rig.call("PutRecord", json!({"Record": {"Data": "x".repeat(2_000_001)}}).to_string()).await;
    assert!(answered.status == 400 && answered.body.len() < 2_000, "a bad blob is not sent back whole");
}

#[tokio::test]
async fn broken_constraints_are_named_by_their_place() {
    let rig = Rig::new();
    let check = async |operation: &str, body: Value, message: &str| {
        let answer = json!({"__type": "ValidationException", "message": message}).to_string();
        rig.refuses(operation, body, 400, &answer).await;
    };
    let pre = "1 validation error detected: Value at";
    let name = "failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+";
    check(
        "DescribeDeliveryStream",
        json!({}),
        &format!("{pre} 'deliveryStreamName' failed to satisfy constraint: Member must not be null"),
    )
    .await;
    check(
        "DescribeDeliveryStream",
        json!({"DeliveryStreamName": null}),
        &format!("{pre} 'deliveryStreamName' failed to satisfy constraint: Member must not be null"),
    )
    .await;
    check(
        "DescribeDeliveryStream",
        json!({"DeliveryStreamName": "a b"}),
        &format!("{pre} 'deliveryStreamName' {name}"),
    )
    .await;
    check(
        "DescribeDeliveryStream",
        json!({"DeliveryStreamName": "a\n"}),
        &format!("{pre} 'deliveryStreamName' {name}"),
    )
    .await;
    check("DescribeDeliveryStream", json!({"DeliveryStreamName": ""}), &format!("2 validation errors detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must have length greater than or equal to 1; Value at 'deliveryStreamName' {name}")).await;
    check(
        "DescribeDeliveryStream",
        json!({"DeliveryStreamName": "a".repeat(65)}),
        &format!(
            "{pre} 'deliveryStreamName' failed to satisfy constraint: Member must have length less than or equal to 64"
        ),
    )
    .await;
    check(
        "ListDeliveryStreams",
        json!({"Limit": 0}),
        &format!("{pre} 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"),
    )
    .await;
    check(
        "ListDeliveryStreams",
        json!({"Limit": 10001}),
        &format!("{pre} 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000"),
    )
    .await;
    check(
        "PutRecord",
        json!({"DeliveryStreamName": "a", "Record": {}}),
        &format!("{pre} 'record.data' failed to satisfy constraint: Member must not be null"),
    )
    .await;
    check(
        "PutRecordBatch",
        json!({"DeliveryStreamName": "a", "Records": []}),
        &format!("{pre} 'records' failed to satisfy constraint: Member must have length greater than or equal to 1"),
    )
    .await;
    check("PutRecordBatch", json!({"DeliveryStreamName": "a", "Records": [{"Data": ""}, {"Data": null}, null]}), "2 validation errors detected: Value at 'records.2.member.data' failed to satisfy constraint: Member must not be null; Value at 'records.3.member' failed to satisfy constraint: Member must not be null").await;
    check("CreateDeliveryStream", json!({"DeliveryStreamName": "a", "Tags": [{"Key": "aws:x"}]}), &format!(r"{pre} 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?!aws:)[\p{{L}}\p{{Z}}\p{{N}}_.:\/=+\-@%]*$")).await;
}

/// Rows A1, A10, D15: limits and one beyond; nothing of a refused call is stored.
#[tokio::test]
async fn limits_of_puts_hold_to_the_byte() {
    let rig = Rig::new();
    rig.create("s").await;
    let refuse = async |operation: &str, body: Value, kind: &str, message: &str| {
        rig.refuses(operation, body, 400, &json!({"__type": kind, "message": message}).to_string()).await;
        assert_eq!(rig.memory.records().len(), 0);
    };
    let too_long = |place: &str| {
        format!(
            "1 validation error detected: Value at '{place}' failed to satisfy constraint: Member must have length less than or equal to 1024000"
        )
    };
    let (most, over) = (vec![7; 1_024_000], vec![7; 1_024_001]);
    refuse(
        "PutRecord",
        json!({"DeliveryStreamName": "s", "Record": {"Data": STANDARD.encode_to_string(&over)}}),
        "ValidationException",
        &too_long("record.data"),
    )
    .await;
    let mut records = vec![b"x".to_vec(); 40];
    records[35] = over;
    refuse("PutRecordBatch", batch("s", records), "ValidationException", &too_long("records.36.member.data")).await;
    let many = "1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length less than or equal to 500";
    refuse("PutRecordBatch", batch("s", vec![vec![]; 501]), "ValidationException", many).await;
    refuse("PutRecordBatch", batch("s", vec![vec![0; 8_500]; 501]), "ValidationException", many).await;
    refuse("PutRecordBatch", batch("s", vec![vec![]; 100_000]), "ValidationException", many).await;
    let mut sized = vec![most.clone(); 4];
    sized.push(vec![1; (4 << 20) - 4 * 1_024_000 + 1]);
    refuse("PutRecordBatch", batch("s", sized.clone()), "InvalidArgumentException", "Records size exceeds 4 MB limit")
        .await;
    // The same through the slow path, which an unknown member forces.
    let mut odd = batch("s", sized.clone());
    odd["Unknown"] = json!(1);
    refuse("PutRecordBatch", odd, "InvalidArgumentException", "Records size exceeds 4 MB limit").await;

    sized[4].pop();
    rig.does("PutRecordBatch", batch("s", sized.clone())).await;
    rig.does("PutRecord", json!({"DeliveryStreamName": "s", "Record": {"Data": STANDARD.encode_to_string(&most)}}))
        .await;
    rig.does("PutRecordBatch", batch("s", vec![vec![]; 500])).await;
    assert_eq!(rig.memory.records().len(), 5 + 1 + 500);
    assert_eq!(rig.memory.records()[..5], sized[..]);
}

#[tokio::test]
async fn answers_of_puts_are_compact_and_ids_unique() {
    let rig = Rig::new();
    rig.create("s").await;
    let answered = rig.call("PutRecordBatch", batch("s", [b"a".to_vec(), b"b".to_vec()]).to_string()).await;
    let text = answered.text();
    assert!(text.starts_with(r#"{"FailedPutCount":0,"Encrypted":false,"RequestResponses":[{"RecordId":""#), "{text}");
    let body = answered.json();
    let mut ids: Vec<String> = body["RequestResponses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            assert_eq!(entry.as_object().unwrap().len(), 1);
            entry["RecordId"].as_str().unwrap().to_owned()
        })
        .collect();
    let one = rig.does("PutRecord", json!({"DeliveryStreamName": "s", "Record": {"Data": "Yw=="}})).await;
    assert_eq!(one["Encrypted"], false);
    ids.push(one["RecordId"].as_str().unwrap().to_owned());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert_eq!(rig.memory.records(), [b"a", b"b", b"c"]);
}

#[tokio::test]
async fn puts_to_what_takes_no_records_say_so() {
    let rig = Rig::new();
    rig.create("s").await;
    let missing = |name: &str| {
        format!(
            r#"{{"__type":"ResourceNotFoundException","message":"Firehose {name} not found under account {ACCOUNT}."}}"#
        )
    };
    rig.refuses("PutRecordBatch", batch("none", [vec![]]), 400, &missing("none")).await;
    rig.refuses("PutRecord", json!({"DeliveryStreamName": "none", "Record": {"Data": ""}}), 400, &missing("none"))
        .await;
    let slow = r#"{"__type":"ServiceUnavailableException","message":"Slow down."}"#;
    for refusal in [Refusal::Busy, Refusal::Full, Refusal::Stopped] {
        rig.memory.refuse(Some(refusal));
        rig.refuses("PutRecordBatch", batch("s", [vec![]]), 503, slow).await;
        rig.refuses("PutRecord", json!({"DeliveryStreamName": "s", "Record": {"Data": ""}}), 503, slow).await;
    }
    rig.memory.refuse(Some(Refusal::Gone));
    rig.refuses("PutRecordBatch", batch("s", [vec![]]), 400, &missing("s")).await;
    rig.memory.refuse(None);
    rig.memory.set_status(ACCOUNT, "s", StreamStatus::Deleting);
    rig.refuses("PutRecordBatch", batch("s", [vec![]]), 400, &missing("s")).await;
    assert_eq!(rig.memory.records().len(), 0);
}

/// Row A1: of members with the same name the last one counts, as in Java.
#[tokio::test]
async fn unusual_but_legal_puts_are_taken() {
    let rig = Rig::new();
    rig.create("s").await;
    for body in [
        r#"{"Records":[{"Data":"YQ=="}],"DeliveryStreamName":"s"}"#,
        r#"{"DeliveryStreamName":"none","DeliveryStreamName":"s","Records":[{"Data":"YQ=="}]}"#,
        r#"{"DeliveryStreamName":"s","Records":[],"Records":[{"Data":"YQ=="}]}"#,
        r#"{"DeliveryStreamName":"s","Records":[{"Data":"Yg==","Data":"YQ=="}]}"#,
        r#"{"DeliveryStreamName":"s","Records":[{"Data":"YQ==","Other":[1,{}]}],"More":1e9}"#,
        r#"{"Delivery\u0053treamName":"\u0073","Records":[{"Data":"\u0059Q=="}]}"#,
        " { \"DeliveryStreamName\" : \"s\" , \"Records\" : [ { \"Data\" : \"YQ==\" } ] } \n",
    ] {
        let answered = rig.call("PutRecordBatch", body).await;
        assert_eq!(answered.status, 200, "{body}: {}", answered.text());
    }
    // `\/` is how some encoders write a slash of base64.
    rig.call("PutRecordBatch", r#"{"DeliveryStreamName":"s","Records":[{"Data":"\/\/8="}]}"#).await;
    let mut expected = vec![b"a".to_vec(); 7];
    expected.push(vec![0xff, 0xff]);
    assert_eq!(rig.memory.records(), expected);
}
