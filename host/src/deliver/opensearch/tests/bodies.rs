//! What requests look like, and which records never get into one.

use super::super::bulk::{Builder, Shape};
use super::*;

/// All bodies of `rows`, and what was refused: place and message.
fn built(target: &OpenSearch, rows: &Rows, limits: Limits) -> (Vec<String>, Vec<(usize, String)>) {
    let shape = Shape::new(target, ARN, 7);
    let mut builder = Builder::new(&shape, rows);
    let mut bodies = Vec::new();
    while let Some(bulk) = builder.bulk(limits.request_bytes, limits.request_documents) {
        bodies.push(String::from_utf8(bulk.body.to_vec()).unwrap());
    }
    let refused = builder.refused.into_iter().map(|one| {
        assert_eq!(one.code, "400");
        (one.at, one.message)
    });
    (bodies, refused.collect())
}

fn body(target: &OpenSearch, rows: &Rows) -> String {
    let (mut bodies, refused) = built(target, rows, Limits::default());
    assert_eq!((bodies.len(), refused), (1, Vec::new()));
    bodies.remove(0)
}

#[test]
fn an_action_line_names_index_and_id() {
    let mut target = target("http://x");
    target.rotation = IndexRotation::OneHour;
    let mut rows = rows(&[b"{\"a\":1}\n", b" {\"b\":[{}]} "], &[]);
    rows.ordinals[1] = 3;
    assert_eq!(
        body(&target, &rows),
        "{\"index\":{\"_index\":\"logs-2016-02-25-13\",\"_id\":\"960f808978e966e7-10.0\"}}\n{\"a\":1}\n\
         {\"index\":{\"_index\":\"logs-2016-02-25-13\",\"_id\":\"960f808978e966e7-11.3\"}}\n{\"b\":[{}]}\n"
    );
    target.has_document_ids = false;
    target.type_name = "line".to_owned();
    let expected = "{\"index\":{\"_index\":\"logs-2016-02-25-13\",\"_type\":\"line\"}}\n";
    assert!(body(&target, &rows).starts_with(expected));
    target.flavour = SearchFlavour::Serverless;
    target.has_document_ids = true;
    assert!(body(&target, &rows).starts_with("{\"index\":{\"_index\":\"logs\"}}\n"));
}

/// Row X7: ids tell streams apart, also one from its successor under the same name.
#[test]
fn ids_differ_between_streams() {
    let ids: Vec<String> = [(ARN, 7), (ARN, 8), ("arn:aws:firehose:other", 7)]
        .into_iter()
        .map(|(arn, created_ms)| {
            let shape = Shape::new(&target("http://x"), arn, created_ms);
            let rows = numbered(1);
            String::from_utf8(Builder::new(&shape, &rows).bulk(1, 1).unwrap().body.to_vec()).unwrap()
        })
        .collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{ids:?}");
}

#[test]
fn columns_choose_operation_id_index_and_routing() {
    let rows = rows(
        &[&b"{\"n\":0}"[..]; 6],
        &[
            ("$operation", &["", "index", "create", "update", "upsert", "delete"]),
            ("$document-id", &["a\"b", "", "c", "d", "e", "f"]),
            ("$index", &["", "other", "", "", "", "other"]),
            ("$routing", &["", "", "r", "", "", "q\\"]),
            ("region", &["x", "x", "x", "x", "x", "x"]),
        ],
    );
    let expected = [
        r#"{"index":{"_index":"logs","_id":"a\"b"}}"#,
        r#"{"n":0}"#,
        r#"{"index":{"_index":"other","_id":"960f808978e966e7-11.0"}}"#,
        r#"{"n":0}"#,
        r#"{"create":{"_index":"logs","_id":"c","routing":"r"}}"#,
        r#"{"n":0}"#,
        r#"{"update":{"_index":"logs","_id":"d"}}"#,
        r#"{"doc":{"n":0}}"#,
        r#"{"update":{"_index":"logs","_id":"e"}}"#,
        r#"{"doc":{"n":0},"doc_as_upsert":true}"#,
        r#"{"delete":{"_index":"other","_id":"f","routing":"q\\"}}"#,
    ];
    assert_eq!(body(&target("http://x"), &rows).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn what_would_spoil_a_request_is_refused_by_name() {
    let long = "x".repeat(513);
    let cases: [(&str, &str, &str); 12] = [
        ("$operation", "Index", "$operation is none of index, create, update, upsert and delete"),
        ("$operation", "update", "$operation update needs $document-id"),
        ("$operation", "upsert", "$operation update needs $document-id"),
        ("$operation", "delete", "$operation delete needs $document-id"),
        ("$document-id", &long, "$document-id has 513 bytes, more than 512"),
        ("$routing", &long, "$routing has 513 bytes, more than 512"),
        ("$index", "Logs", "$index is not in lower case"),
        ("$index", "-logs", "$index begins with -, _, + or ."),
        ("$index", ".security", "$index begins with -, _, + or ."),
        ("$index", "a b", "$index holds a space, a control character or one of \\ / * ? \" < > | , # :"),
        ("$index", "a\nb", "$index holds a space, a control character or one of \\ / * ? \" < > | , # :"),
        ("$index", &long, "$index is longer than 255 bytes"),
    ];
    for (column, value, message) in cases {
        let rows = rows(&[b"{}", b"{}"], &[(column, &["", value])]);
        let (bodies, refused) = built(&target("http://x"), &rows, Limits::default());
        assert_eq!((bodies.len(), refused), (1, vec![(1, message.to_owned())]), "{column} {value}");
        assert_eq!(bodies[0].lines().count(), 2);
    }
    // A value that is there and empty is not an unset one.
    let mut empty = rows(&[b"{}"], &[]);
    let column = Column { name: "$document-id".to_owned(), dictionary: vec![String::new()], codes: vec![1] };
    empty.records = Records::new(empty.records.payload().clone(), vec![2], vec![column]).unwrap();
    assert_eq!(built(&target("http://x"), &empty, Limits::default()).1, [(0, "$document-id is empty".to_owned())]);
}

#[test]
fn what_is_not_one_json_object_is_refused_without_repeating_it() {
    for (record, message) in [
        (&b""[..], "the record is not a JSON object"),
        (b"[1]", "the record is not a JSON object"),
        (b"text", "the record is not a JSON object"),
        (b"\xff{}", "the record is not UTF-8"),
        (b"{\"a\":\"\xff\"}", "the record is not UTF-8"),
        (b"{\"a\":1", "the record is not one JSON object: EOF while parsing an object at line 1 column 6"),
        (b"{}{}", "the record is not one JSON object: trailing characters at line 1 column 3"),
        (b"{}\n{}", "the record is not one JSON object: trailing characters at line 2 column 1"),
        (b"{a:1}", "the record is not one JSON object: key must be a string at line 1 column 2"),
    ] {
        let rows = rows(&[b"{}", record], &[]);
        assert_eq!(built(&target("http://x"), &rows, Limits::default()).1, [(1, message.to_owned())], "{record:?}");
    }
    let raw = rows(&[b"{\"a\":\"x\ny\"}"], &[]);
    let (bodies, refused) = built(&target("http://x"), &raw, Limits::default());
    assert_eq!(bodies, [""; 0]);
    assert!(refused[0].1.contains("control character"), "{refused:?}");
}

#[test]
fn a_document_of_several_lines_becomes_one_and_means_the_same() {
    let pretty = b"{\r\n  \"a\": \"x\\ny\",\n  \"b\": [\n    1\n  ]\n}\r\n";
    let body = body(&target("http://x"), &rows(&[pretty, b"{}"], &[]));
    let lines: Vec<&str> = body.split('\n').collect();
    assert_eq!(lines.len(), 5);
    let value = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).unwrap();
    assert_eq!(value(lines[1].as_bytes()), value(pretty));
    assert!(!body.contains('\r'));
}

#[test]
fn requests_keep_to_their_limits_and_a_larger_document_goes_alone() {
    let by_count = Limits { request_documents: 4, ..Limits::default() };
    let (bodies, _) = built(&target("http://x"), &numbered(10), by_count);
    assert_eq!(bodies.iter().map(|body| body.lines().count() / 2).collect::<Vec<_>>(), [4, 4, 2]);

    let large = format!("{{\"large\":\"{}\"}}", "x".repeat(500));
    let small: &[u8] = b"{\"small\":1}";
    let rows = rows(&[small, small, large.as_bytes(), small, small, small, small, small, small, small], &[]);
    let by_bytes = Limits { request_bytes: 400, ..Limits::default() };
    let (bodies, refused) = built(&target("http://x"), &rows, by_bytes);
    assert_eq!(refused, []);
    assert!(bodies.iter().all(|body| body.len() <= 400 || body.lines().count() == 2), "{bodies:?}");
    assert_eq!(bodies.iter().map(|body| body.lines().count() / 2).collect::<Vec<_>>(), [2, 1, 5, 2]);
    assert_eq!(bodies.concat(), body(&target("http://x"), &rows));
}

#[test]
fn halves_of_halves_are_what_was_sent() {
    let shape = Shape::new(&target("http://x"), ARN, 7);
    let rows = numbered(7);
    let whole = Builder::new(&shape, &rows).bulk(1 << 20, 100).unwrap();
    let mut pending = vec![whole.clone()];
    let (mut body, mut places) = (Vec::new(), Vec::new());
    while let Some(bulk) = pending.pop() {
        match bulk.halves() {
            Some((first, second)) => pending.extend([second, first]),
            None => {
                assert_eq!(bulk.items.len(), 1);
                body.extend_from_slice(&bulk.body);
                places.push(bulk.items[0].at);
            }
        }
    }
    assert_eq!((body, places), (whole.body.to_vec(), (0..7).collect()));
}
