//! Row X5: what each answer makes of each record.

use serde_json::{Value, json};

use super::scripted::{Reply, Scripted, item, stored};
use super::*;
use crate::deliver::{DeliveryError, Destination, Receipt, Verdict};

/// One delivery of `rows` to a server that follows `script`; the requests it got, by the places of their documents.
async fn delivered(
    script: Vec<Reply>,
    rows: Rows,
    limits: Limits,
) -> (Result<Receipt, DeliveryError>, Vec<Vec<String>>) {
    let server = Scripted::start(script).await;
    let destination = destination(&target(&server.url), Authentication::None, limits);
    let outcome = destination.deliver(&documents(rows)).await;
    let id = |action: Value| {
        let about = action.as_object().unwrap().values().next().unwrap().clone();
        about["_id"].as_str().unwrap_or("none").rsplit('-').next().unwrap().to_owned()
    };
    let requests = server.seen().iter().map(|seen| seen.actions().into_iter().map(id).collect()).collect();
    (outcome, requests)
}

fn again(receipt: &Receipt) -> Vec<(usize, &str)> {
    receipt.again.iter().map(|one| (one.at, one.code.as_ref())).collect()
}

fn refused(receipt: &Receipt) -> Vec<(usize, &str, &str)> {
    receipt.refused.iter().map(|one| (one.at, one.code.as_ref(), one.message.as_str())).collect()
}

const ONE: Limits = Limits { request_bytes: 10 << 20, request_documents: 1 };

/// Row X5: every item is read, whatever `errors` says; what only time repairs goes again, what is wrong does not.
#[tokio::test]
async fn each_item_has_a_fate_of_its_own() {
    fn mixed(at: usize, action: &Value) -> Value {
        let status = [201, 400, 429, 503, 403, 404, 200, 500, 401, 413, 409][at];
        let error = (status >= 300).then(|| json!({ "type": "t", "reason": format!("r{status}") }));
        item(action, status, error)
    }
    let (receipt, requests) = delivered(vec![Reply::Items(mixed)], numbered(11), Limits::default()).await;
    let receipt = receipt.unwrap();
    assert_eq!(again(&receipt), [(2, "429"), (3, "503"), (4, "403"), (7, "500"), (8, "401"), (10, "409")]);
    assert_eq!(refused(&receipt), [(1, "400", "t: r400"), (5, "404", "t: r404"), (9, "413", "t: r413")]);
    assert_eq!(requests.len(), 1);
}

/// Row X5: a conflict on our own id means that an earlier attempt got through; what is deleted twice is gone.
#[tokio::test]
async fn repeated_creations_and_deletions_are_done() {
    fn repeated(at: usize, action: &Value) -> Value {
        match at {
            0 => item(action, 409, Some(json!({ "type": "version_conflict_engine_exception", "reason": "there" }))),
            1 => item(action, 404, None),
            _ => item(action, 404, Some(json!({ "type": "index_not_found_exception", "reason": "no such index" }))),
        }
    }
    let columns: [(&str, &[&str]); 2] =
        [("$operation", &["create", "delete", "delete"]), ("$document-id", &["", "a", "b"])];
    let rows = rows(&[b"{}", b"{}", b"{}"], &columns);
    let (receipt, _) = delivered(vec![Reply::Items(repeated)], rows, Limits::default()).await;
    assert_eq!(refused(&receipt.unwrap()), [(2, "404", "index_not_found_exception: no such index")]);
}

/// Row X2: a conflict on an id that the record brought is looked into: the same document is done, another is refused.
#[tokio::test]
async fn a_taken_id_is_looked_into() {
    fn taken(_at: usize, action: &Value) -> Value {
        item(action, 409, Some(json!({ "type": "version_conflict_engine_exception", "reason": "there" })))
    }
    let columns: [(&str, &[&str]); 3] = [
        ("$operation", &["create", "create", "create"]),
        ("$document-id", &["a", "b", "c"]),
        ("$routing", &["", "r", ""]),
    ];
    let batch = || rows(&[b"{\"n\":0}\n", b"{\"n\":1}", b"{\"n\":2}"], &columns);
    let there = json!({ "docs": [{ "_source": { "n": 0 } }, { "_source": { "n": 9 } }, { "found": false }] });
    let server = Scripted::start(vec![Reply::Items(taken), Reply::Answer(200, there.to_string())]).await;
    let destination = destination(&target(&server.url), Authentication::None, Limits::default());
    let receipt = destination.deliver(&documents(batch())).await.unwrap();
    let reason = "version_conflict_engine_exception: there";
    assert_eq!(refused(&receipt), [(1, "409", reason), (2, "409", reason)]);
    let seen = server.seen();
    assert_eq!(seen[1].path, "/_mget");
    let asked: Value = serde_json::from_str(&seen[1].body).unwrap();
    assert_eq!(asked["docs"][1], json!({ "_index": "logs", "_id": "b", "routing": "r" }));

    // A look that fails decides nothing.
    for reply in [Reply::Answer(503, String::new()), Reply::Answer(200, "{}".to_owned()), Reply::Cut] {
        let (receipt, _) = looked(vec![Reply::Items(taken), reply], batch()).await;
        let receipt = receipt.unwrap();
        assert_eq!((receipt.again.len(), receipt.refused.len()), (3, 0));
    }
}

async fn looked(script: Vec<Reply>, rows: Rows) -> (Result<Receipt, DeliveryError>, usize) {
    let server = Scripted::start(script).await;
    let destination = destination(&target(&server.url), Authentication::None, Limits::default());
    let outcome = destination.deliver(&documents(rows)).await;
    (outcome, server.seen().len())
}

/// Row X5: an answer that does not fit its request leaves all of it unknown.
#[tokio::test]
async fn answers_that_do_not_fit_are_not_believed() {
    fn swapped(at: usize, action: &Value) -> Value {
        let mut action = action.clone();
        action["index"]["_id"] = format!("960f808978e966e7-{}.0", 11 - at).into();
        item(&action, 201, None)
    }
    fn other_action(_at: usize, action: &Value) -> Value {
        item(&json!({ "create": action["index"] }), 201, None)
    }
    fn nameless(_at: usize, _action: &Value) -> Value {
        json!({ "index": { "status": 201 } })
    }
    let one = item(&json!({ "index": { "_index": "logs", "_id": "960f808978e966e7-10.0" } }), 201, None);
    for reply in [
        Reply::Items(swapped),
        Reply::Items(other_action),
        Reply::Items(nameless),
        Reply::Answer(200, json!({ "errors": false, "items": [one] }).to_string()),
        Reply::Answer(200, json!({ "errors": false, "items": [one, one, one] }).to_string()),
        Reply::Answer(200, json!({ "errors": false, "items": [] }).to_string()),
        Reply::Answer(200, json!({ "items": [one, one] }).to_string()),
        Reply::Answer(200, "{\"errors\":false,\"items\":[{\"index\":".to_owned()),
        Reply::Answer(200, "<html>welcome</html>".to_owned()),
        Reply::Answer(204, String::new()),
    ] {
        let (outcome, _) = delivered(vec![reply], numbered(2), Limits::default()).await;
        let error = outcome.unwrap_err();
        assert_eq!((error.code, error.verdict), ("OpenSearch.UnreadableAnswer", Verdict::Retry(None)));
    }
}

/// Row X5: while nothing is settled, a request that fails fails the batch.
#[tokio::test]
async fn a_first_request_that_fails_fails_the_batch() {
    for (reply, code) in [
        (Reply::Answer(429, String::new()), "OpenSearch.TooManyRequests"),
        (Reply::Answer(503, String::new()), "OpenSearch.Unavailable"),
        (Reply::Answer(401, String::new()), "OpenSearch.Unauthorized"),
        (Reply::Answer(403, String::new()), "OpenSearch.AccessDenied"),
        (Reply::Answer(404, String::new()), "OpenSearch.NotFound"),
        (Reply::With(307, "location", "http://127.0.0.1:1/"), "OpenSearch.Redirected"),
        (Reply::Cut, "OpenSearch.ConnectionReset"),
    ] {
        let (outcome, requests) = delivered(vec![reply], numbered(2), ONE).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.code, code);
        assert!(matches!(error.verdict, Verdict::Retry(_)));
        assert!(requests.len() <= 1, "{requests:?}");
    }
}

/// Row X5: what is settled stays settled when a later request fails as a whole, and nothing more is sent.
#[tokio::test]
async fn a_later_request_that_fails_postpones_what_is_left() {
    fn first_bad(_at: usize, action: &Value) -> Value {
        item(action, 400, Some(json!({ "type": "t", "reason": "r" })))
    }
    let records: [&[u8]; 5] = [b"{}", b"{}", b"{}", b"no", b"{}"];
    for (reply, code) in [
        (Reply::Answer(503, String::new()), "OpenSearch.Unavailable"),
        (Reply::Answer(200, "{}".to_owned()), "OpenSearch.UnreadableAnswer"),
        (Reply::Cut, "OpenSearch.ConnectionReset"),
    ] {
        let (receipt, requests) = delivered(vec![Reply::Items(first_bad), reply], rows(&records, &[]), ONE).await;
        let receipt = receipt.unwrap();
        assert_eq!(again(&receipt), [(1, code), (2, code), (3, code), (4, code)]);
        assert_eq!(refused(&receipt), [(0, "400", "t: r")]);
        assert!(requests.len() <= 2);
    }
    // The next attempt of the rest finds out what cannot be sent.
    let (receipt, _) = delivered(Vec::new(), rows(&records, &[]).select(&[1, 2, 3, 4]), ONE).await;
    assert_eq!(refused(&receipt.unwrap()), [(2, "400", "the record is not a JSON object")]);
}

#[tokio::test]
async fn a_batch_without_a_sendable_record_needs_no_server() {
    let (receipt, requests) = delivered(vec![Reply::Cut], rows(&[b"no", b"[]"], &[]), Limits::default()).await;
    assert_eq!((receipt.unwrap().refused.len(), requests.len()), (2, 0));
}

/// Row X5: too large a request goes in halves, and the server's limit is remembered for the next.
#[tokio::test]
async fn too_large_a_request_is_halved_until_a_document_is_refused() {
    let too_large = || Reply::Answer(413, String::new());
    let script =
        vec![too_large(), too_large(), too_large(), Reply::Items(stored), Reply::Items(stored), Reply::Items(stored)];
    let (receipt, requests) = delivered(script, numbered(4), Limits::default()).await;
    let receipt = receipt.unwrap();
    let message = "the document alone is too large for the server: no further explanation";
    assert_eq!(refused(&receipt), [(0, "413", message)]);
    assert_eq!(
        requests,
        [&["10.0", "11.0", "12.0", "13.0"][..], &["10.0", "11.0"], &["10.0"], &["11.0"], &["12.0", "13.0"]]
    );

    let server = Scripted::start(vec![too_large()]).await;
    let destination = destination(&target(&server.url), Authentication::None, Limits::default());
    let text = format!("{{\"fill\":\"{}\"}}", "x".repeat(50_000));
    let large = || documents(rows(&[text.as_bytes(); 4], &[]));
    destination.deliver(&large()).await.unwrap();
    assert_eq!(server.seen().iter().map(|seen| seen.actions().len()).collect::<Vec<_>>(), [4, 2, 2]);
    destination.deliver(&large()).await.unwrap();
    assert_eq!(server.seen().iter().map(|seen| seen.actions().len()).collect::<Vec<_>>(), [2, 2]);
}

/// Row X5: a request that is refused as a whole is searched for the document at fault.
#[tokio::test]
async fn a_document_that_spoils_its_request_is_found() {
    let bad = || Reply::Answer(400, r#"{"error":{"type":"parse_exception","reason":"what"}}"#.to_owned());
    let script = vec![bad(), Reply::Items(stored), bad(), bad(), Reply::Items(stored)];
    let (receipt, requests) = delivered(script, numbered(4), Limits::default()).await;
    assert_eq!(refused(&receipt.unwrap()), [(2, "400", "parse_exception: what")]);
    assert_eq!(requests.len(), 5);
    // The search is bounded: of many at fault some are found, the rest goes on with the next attempt.
    let script = (0..10_000).map(|_| bad()).collect();
    let (receipt, requests) = delivered(script, numbered(1_000), Limits::default()).await;
    let receipt = receipt.unwrap();
    assert!(requests.len() < 200, "{}", requests.len());
    assert!(!receipt.refused.is_empty());
    assert_eq!(receipt.refused.len() + receipt.again.len(), 1_000);
    assert!(receipt.again.windows(2).all(|pair| pair[0].at < pair[1].at));
    assert!(receipt.refused.windows(2).all(|pair| pair[0].at < pair[1].at));
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let endless = format!("{{\"errors\":false,\"fill\":\"{}\"}}", "x".repeat(200 << 10));
    let (outcome, _) = delivered(vec![Reply::Answer(200, endless)], numbered(2), Limits::default()).await;
    assert_eq!(outcome.unwrap_err().code, "OpenSearch.AnswerTooLarge");
}

/// Values of documents do not get into messages, whoever quotes them.
#[tokio::test]
async fn reasons_are_kept_without_what_they_quote() {
    fn quoting(at: usize, action: &Value) -> Value {
        let reason = [
            "failed to parse field [n] of type [long] in document with id '1'. Preview of field's value: 'SECRET'",
            "Document contains at least one immense term in field=\"n\" (whose UTF8 encoding is longer than the max length 32766), all of which were skipped.  Please correct the analyzer to not produce such terms. The prefix of the first immense term is: '[83, 69]...'",
            "For input string: \"SECRET\"",
        ][at];
        let cause = json!({ "type": "illegal_argument_exception", "reason": "SECRET" });
        item(action, 400, Some(json!({ "type": "t", "reason": reason, "caused_by": cause })))
    }
    let (receipt, _) = delivered(vec![Reply::Items(quoting)], numbered(3), Limits::default()).await;
    let receipt = receipt.unwrap();
    for one in &receipt.refused {
        assert!(!one.message.contains("SECRET") && !one.message.contains("83") && one.message.len() <= 300, "{one:?}");
    }
    assert_eq!(receipt.refused[0].message, "t: failed to parse field [n] of type [long] in document with id '1'.");
    // Servers from long ago say it in one text.
    let old = json!({ "errors": true, "items": [{ "index": { "_id": "960f808978e966e7-10.0", "status": 400, "error": "MapperParsingException[failed]" } }] });
    let (receipt, _) = delivered(vec![Reply::Answer(200, old.to_string())], numbered(1), Limits::default()).await;
    assert_eq!(receipt.unwrap().refused[0].message, "MapperParsingException[failed]");
}

/// The server's own ids are not ours to compare.
#[tokio::test]
async fn documents_without_ids_are_told_apart_by_their_place() {
    fn second_bad(at: usize, action: &Value) -> Value {
        item(action, if at == 1 { 400 } else { 201 }, (at == 1).then(|| json!({ "type": "t" })))
    }
    let server = Scripted::start(vec![Reply::Items(second_bad)]).await;
    let mut target = target(&server.url);
    target.has_document_ids = false;
    let destination = destination(&target, Authentication::None, Limits::default());
    let receipt = destination.deliver(&documents(numbered(3))).await.unwrap();
    assert_eq!(refused(&receipt), [(1, "400", "t")]);
}
