//! Line 5: documents in a real OpenSearch node that refuses, throttles, dies and loses answers.
#![expect(clippy::unwrap_used, reason = "a test says what it expects")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use hydrant::definition::{Buffering, IndexRotation, OpenSearch, SearchFlavour};
use hydrant::deliver::client::{Client, Egress};
use hydrant::deliver::opensearch::{Authentication, Limits, OpenSearchDestination};
use hydrant::deliver::testing::object;
use hydrant::deliver::{DeliveryError, Destination, Receipt, Refused, Verdict};
use hydrant::record::{Column, Documents, Records, Rows};
use hydrant_tests::peers::{Proxy, SearchNode};
use hydrant_tests::wait::until;
use serde_json::{Value, json};

const ARN: &str = "arn:aws:firehose:us-east-1:000000000000:deliverystream/logs";
/// 25 February 2016, 13:00 UTC.
const ARRIVED_MS: u64 = 1_456_405_200_000;
/// A node that was killed needs some seconds to come back on a loaded machine.
const LIMIT: Duration = Duration::from_secs(180);

pub(crate) fn target(url: String, index: &str) -> OpenSearch {
    OpenSearch {
        flavour: SearchFlavour::OpenSearch,
        endpoint: url,
        index: index.to_owned(),
        type_name: String::new(),
        rotation: IndexRotation::NoRotation,
        has_document_ids: true,
        buffering: Buffering { bytes: 5 << 20, seconds: 300 },
        retry_seconds: 300,
        backs_up_all: false,
    }
}

pub(crate) fn destination(target: &OpenSearch) -> OpenSearchDestination {
    let allow = vec![(IpAddr::V4(Ipv4Addr::LOCALHOST), 8)];
    let client = Client::new(Egress { allow, plaintext: true, ..Egress::default() }).unwrap();
    OpenSearchDestination::new(target, ARN, 7, Arc::new(client), Authentication::None).unwrap()
}

/// Records with sequence numbers from `first` on.
fn rows(first: u64, texts: &[String]) -> Rows {
    let mut ends = Vec::new();
    let mut payload = Vec::new();
    for text in texts {
        payload.extend_from_slice(text.as_bytes());
        ends.push(u32::try_from(payload.len()).unwrap());
    }
    let count = texts.len();
    Rows {
        records: Records::new(payload.into(), ends, Vec::new()).unwrap(),
        sequences: (first..).take(count).collect(),
        ordinals: vec![0; count],
        arrived_ms: vec![ARRIVED_MS; count],
    }
}

/// The same rows with columns of these names; an empty value is an unset one.
pub(crate) fn with_columns(rows: Rows, columns: &[(&str, &[&str])]) -> Rows {
    let column = |(name, values): &(&str, &[&str])| Column {
        name: (*name).to_owned(),
        dictionary: values.iter().map(|value| (*value).to_owned()).collect(),
        codes: (1..).zip(*values).map(|(code, value)| if value.is_empty() { 0 } else { code }).collect(),
    };
    let ends = rows.records.ends().to_vec();
    let records = Records::new(rows.records.payload().clone(), ends, columns.iter().map(column).collect()).unwrap();
    Rows { records, ..rows }
}

fn numbered(range: std::ops::Range<u64>) -> Rows {
    let texts: Vec<String> = range.clone().map(|n| format!("{{\"n\":{n},\"text\":\"line {n}\"}}\n")).collect();
    rows(range.start, &texts)
}

fn documents(rows: Rows) -> Documents {
    // Nothing of a seal but its existence matters to a search destination.
    Documents { seal: object("bucket", "key", b"").seal, rows }
}

/// Delivers as the pipeline does: what is postponed is sent again alone, what failed as a whole is sent again.
/// Sequence numbers and reasons of what was refused, and how many attempts there were.
async fn until_settled(destination: &OpenSearchDestination, rows: Rows) -> (Vec<(u64, Refused)>, usize) {
    let mut left = documents(rows);
    let mut refused = Vec::new();
    let mut attempts = 0;
    until("every document to be settled", LIMIT, async || {
        attempts += 1;
        let Ok(receipt) = destination.deliver(&left).await else { return None };
        refused.extend(receipt.refused.into_iter().map(|one| (left.rows.sequences[one.at], one)));
        let again: Vec<usize> = receipt.again.iter().map(|one| one.at).collect();
        left.rows = left.rows.select(&again);
        left.rows.is_empty().then_some(())
    })
    .await
    .unwrap();
    (refused, attempts)
}

/// Every document of an index by id.
pub(crate) async fn stored(node: &SearchNode, index: &str) -> BTreeMap<String, Value> {
    let (status, _) = node.call("POST", &format!("/{index}/_refresh"), "").await;
    assert_eq!(status, 200, "{index} can be refreshed");
    let mut found = BTreeMap::new();
    let mut after = Value::Null;
    loop {
        let mut query = json!({ "size": 5_000, "sort": ["_id"], "query": { "match_all": {} } });
        if !after.is_null() {
            query["search_after"] = json!([after]);
        }
        let (status, mut page) = node.call("POST", &format!("/{index}/_search"), &query.to_string()).await;
        assert_eq!(status, 200, "{page}");
        let hits = page["hits"]["hits"].as_array_mut().unwrap();
        let Some(last) = hits.last() else { return found };
        after = last["_id"].clone();
        for hit in hits {
            let id = hit["_id"].as_str().unwrap().to_owned();
            assert_eq!(found.insert(id, hit["_source"].take()), None);
        }
    }
}

/// What [`numbered`] documents look like in the index, by the number in them; ids are told apart by [`stored`].
async fn numbers(node: &SearchNode, index: &str) -> Vec<u64> {
    let mut numbers: Vec<u64> =
        stored(node, index).await.values().map(|document| document["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

fn all(count: u64) -> Vec<u64> {
    (0..count).collect()
}

fn code_of(outcome: Result<Receipt, DeliveryError>) -> &'static str {
    let error = outcome.unwrap_err();
    assert!(matches!(error.verdict, Verdict::Retry(_)), "{error:?}");
    error.code
}

/// Line 5, rows X5 and X7: ten thousand documents are there once each, and delivering them again changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_documents_arrive_once_each_and_a_second_delivery_changes_nothing() {
    let node = SearchNode::shared();
    let destination = destination(&target(node.url(), "thousands"));
    let batch = documents(numbered(0..10_000));
    assert_eq!(destination.deliver(&batch).await.unwrap(), Receipt::default());
    let first = stored(&node, "thousands").await;
    assert_eq!(first.len(), 10_000);
    assert_eq!(destination.deliver(&batch).await.unwrap(), Receipt::default());
    assert_eq!(stored(&node, "thousands").await, first);
    assert!(first.iter().all(|(id, document)| id.ends_with(&format!("-{}.0", document["n"]))));
}

/// Line 5, row X5: of a mixed batch exactly the documents that do not fit the mapping are refused, with the reason and
/// without their values.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_conflict_refuses_exactly_the_documents_at_fault() {
    let node = SearchNode::shared();
    let mapping = r#"{"mappings":{"properties":{"n":{"type":"long"}}}}"#;
    assert_eq!(node.call("PUT", "/mapped", mapping).await.0, 200);
    let texts: Vec<String> = (0..100)
        .map(|n| if n % 10 == 3 { format!(r#"{{"n":"secret-{n}"}}"#) } else { format!(r#"{{"n":{n}}}"#) })
        .collect();
    let receipt = destination(&target(node.url(), "mapped")).deliver(&documents(rows(0, &texts))).await.unwrap();
    assert_eq!(receipt.again, []);
    let places: Vec<usize> = receipt.refused.iter().map(|one| one.at).collect();
    assert_eq!(places, (0..100).filter(|n| n % 10 == 3).collect::<Vec<_>>());
    for refused in &receipt.refused {
        assert_eq!(refused.code, "400");
        assert!(refused.message.starts_with("mapper_parsing_exception: failed to parse field [n]"), "{refused:?}");
        assert!(!refused.message.contains("secret"), "{refused:?}");
    }
    assert_eq!(numbers(&node, "mapped").await, (0..100).filter(|n| n % 10 != 3).collect::<Vec<u64>>());
}

/// Line 5, rows X5 and X2: creating what somebody else created is refused; what an earlier attempt created is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creating_a_document_that_is_there_conflicts_unless_it_is_the_same() {
    let node = SearchNode::shared();
    let destination = destination(&target(node.url(), "created"));
    node.call("PUT", "/created/_doc/theirs", r#"{"n":77}"#).await;
    let texts = [r#"{"n":0}"#, r#"{"n":1}"#, r#"{"n":2}"#].map(str::to_owned);
    let columns: [(&str, &[&str]); 2] =
        [("$operation", &["create", "create", "create"]), ("$document-id", &["theirs", "mine", ""])];
    let batch = documents(with_columns(rows(0, &texts), &columns));
    for _ in 0..2 {
        let receipt = destination.deliver(&batch).await.unwrap();
        assert_eq!(receipt.again, []);
        let [refused] = receipt.refused.as_slice() else { panic!("{receipt:?}") };
        assert_eq!((refused.at, refused.code.as_ref()), (0, "409"));
        assert!(refused.message.starts_with("version_conflict_engine_exception: [theirs]"), "{refused:?}");
    }
    assert_eq!(numbers(&node, "created").await, [1, 2, 77]);
}

/// Line 5, row X5: a request that is too large for the server goes in parts, and a document that is too large alone is
/// refused alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_too_large_is_split_until_it_fits() {
    let node = SearchNode::start(&[("http.max_content_length", "100kb")]);
    let destination = destination(&target(node.url(), "large"));
    let mut texts: Vec<String> = (0..500).map(|n| format!(r#"{{"n":{n},"fill":"{}"}}"#, "x".repeat(12_000))).collect();
    texts[250] = format!(r#"{{"n":250,"fill":"{}"}}"#, "x".repeat(150_000));
    let (refused, attempts) = until_settled(&destination, rows(0, &texts)).await;
    assert_eq!(attempts, 1);
    let [(250, refused)] = refused.as_slice() else { panic!("{refused:?}") };
    assert_eq!(refused.code, "413", "{refused:?}");
    assert_eq!(numbers(&node, "large").await, (0..500).filter(|&n| n != 250).collect::<Vec<u64>>());
}

/// Line 5, row X5: while an index takes nothing (429 where its disk is full, 403 where it is blocked), its documents
/// are to be sent again alone; those of the other index are stored meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_of_a_blocked_index_are_sent_again_alone() {
    let node = SearchNode::shared();
    for (block, code) in [("read_only_allow_delete", "429"), ("write", "403")] {
        let (blocked, open) = (format!("blocked-{code}"), format!("open-{code}"));
        let settings = |value: &str| format!(r#"{{"index.blocks.{block}":{value}}}"#);
        assert_eq!(node.call("PUT", &format!("/{blocked}"), "").await.0, 200);
        let path = format!("/{blocked}/_settings");
        assert_eq!(node.call("PUT", &path, &settings("true")).await.0, 200);
        let destination = destination(&target(node.url(), &open));
        let mut batch = documents(with_columns(numbered(0..4), &[("$index", &[&blocked, "", &blocked, ""])]));
        let receipt = destination.deliver(&batch).await.unwrap();
        assert_eq!(receipt.refused, []);
        let again: Vec<(usize, &str)> = receipt.again.iter().map(|one| (one.at, one.code.as_ref())).collect();
        assert_eq!(again, [(0, code), (2, code)]);
        assert!(receipt.again[0].message.starts_with("cluster_block_exception"), "{receipt:?}");
        assert_eq!(numbers(&node, &open).await, [1, 3]);

        assert_eq!(node.call("PUT", &path, &settings("null")).await.0, 200);
        batch.rows = batch.rows.select(&[0, 2]);
        assert_eq!(destination.deliver(&batch).await.unwrap(), Receipt::default());
        assert_eq!(numbers(&node, &blocked).await, [0, 2]);
        assert_eq!(numbers(&node, &open).await, [1, 3]);
    }
}

/// Line 5, row X5: a node without memory for a request throttles all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_throttled_as_a_whole_is_sent_again_as_a_whole() {
    let node = SearchNode::start(&[("indexing_pressure.memory.limit", "20kb")]);
    let destination = destination(&target(node.url(), "pressed"));
    let large = format!(r#"{{"n":1,"fill":"{}"}}"#, "x".repeat(30_000));
    let outcome = destination.deliver(&documents(rows(0, std::slice::from_ref(&large)))).await;
    assert_eq!(code_of(outcome), "OpenSearch.TooManyRequests");
    // Once a part is settled, only the rest waits.
    let texts = [r#"{"n":0}"#.to_owned(), large, r#"{"n":2}"#.to_owned()];
    let destination = destination.with_limits(Limits { request_documents: 1, ..Limits::default() });
    let receipt = destination.deliver(&documents(rows(0, &texts))).await.unwrap();
    let again: Vec<(usize, &str)> = receipt.again.iter().map(|one| (one.at, one.code.as_ref())).collect();
    assert_eq!(again, [(1, "OpenSearch.TooManyRequests"), (2, "OpenSearch.TooManyRequests")]);
    assert_eq!(numbers(&node, "pressed").await, [0]);
}

/// Line 5, rows X5 and X7: the node dies in the middle of a batch and comes back: nothing is lost, nothing is twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_in_the_middle_loses_and_repeats_nothing() {
    const COUNT: u64 = 6_000;
    let mut node = SearchNode::start(&[]);
    let proxy = Proxy::start(&node.address).await;
    let small = Limits { request_documents: 50, ..Limits::default() };
    let destination = destination(&target(proxy.url(), "killed")).with_limits(small);
    let killing = async {
        for requests in [5, 30] {
            let seen = until("requests", LIMIT, async || (proxy.requests("POST", "_bulk") >= requests).then_some(()));
            seen.await.unwrap();
            node.kill();
            node.restart();
        }
    };
    let ((refused, attempts), ()) = tokio::join!(until_settled(&destination, numbered(0..COUNT)), killing);
    assert_eq!(refused, []);
    assert!(attempts > 1, "the node was killed before the first attempt was over");
    assert_eq!(numbers(&node, "killed").await, all(COUNT));
}

/// Line 5, row X5: six writers against one thread with a queue of one: what does not fit is rejected and sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_rejects_and_nothing_is_lost() {
    let node = SearchNode::start(&[("thread_pool.write.size", "1"), ("thread_pool.write.queue_size", "1")]);
    let destination = destination(&target(node.url(), "queued"));
    let writer = async |writer: u64| {
        let mut attempts = 0;
        for part in 0..10 {
            let first = (writer * 10 + part) * 100;
            let (refused, needed) = until_settled(&destination, numbered(first..first + 100)).await;
            assert_eq!(refused, []);
            attempts += needed;
        }
        attempts
    };
    let (a, b, c, d, e, f) = tokio::join!(writer(0), writer(1), writer(2), writer(3), writer(4), writer(5));
    let attempts = a + b + c + d + e + f;
    // How often the queue is full is luck; that it costs attempts and nothing else is not.
    let (_, stats) = node.call("GET", "/_nodes/stats/thread_pool", "").await;
    let pools = stats["nodes"].as_object().unwrap().values().next().unwrap();
    let rejected = pools["thread_pool"]["write"]["rejected"].as_u64().unwrap();
    assert_eq!(rejected > 0, attempts > 60, "{rejected} rejected, {attempts} attempts");
    assert_eq!(numbers(&node, "queued").await, all(6_000));
}

/// Line 5: a plugin's columns choose id, index, routing and operation of a document.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_choose_id_index_routing_and_operation() {
    let node = SearchNode::shared();
    let destination = destination(&target(node.url(), "columns"));
    let texts: Vec<String> = (0..6).map(|n| format!(r#"{{"n":{n},"m{n}":true}}"#)).collect();
    let columns: [(&str, &[&str]); 4] = [
        ("$document-id", &["order \"1\"", "", "gone", "order \"1\"", "new", "gone"]),
        ("$index", &["", "elsewhere", "", "", "", ""]),
        ("$routing", &["", "customer-7", "", "", "", ""]),
        ("$operation", &["", "", "", "update", "upsert", "delete"]),
    ];
    let receipt = destination.deliver(&documents(with_columns(rows(0, &texts), &columns))).await.unwrap();
    assert_eq!(receipt, Receipt::default());
    let found = stored(&node, "columns").await;
    let expected = [
        ("order \"1\"".to_owned(), json!({ "n": 3, "m0": true, "m3": true })),
        ("new".to_owned(), json!({ "n": 4, "m4": true })),
    ];
    assert_eq!(found, expected.into());
    let (_, page) = node.call("POST", "/elsewhere/_search?q=n:1&routing=customer-7", "").await;
    assert_eq!(stored(&node, "elsewhere").await.len(), 1, "{page}");
    let (_, page) = node.call("GET", "/elsewhere/_search", "").await;
    assert_eq!(page["hits"]["hits"][0]["_routing"], "customer-7");
}

/// Line 5: an index for each period of arrival.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indices_rotate_with_the_arrival() {
    let node = SearchNode::shared();
    let mut target = target(node.url(), "rotated");
    target.rotation = IndexRotation::OneDay;
    let mut batch = numbered(0..3);
    batch.arrived_ms[2] += 86_400_000;
    assert_eq!(destination(&target).deliver(&documents(batch)).await.unwrap(), Receipt::default());
    assert_eq!(numbers(&node, "rotated-2016-02-25").await, [0, 1]);
    assert_eq!(numbers(&node, "rotated-2016-02-26").await, [2]);
}

/// Line 5, row X2: the answer is lost after the documents were stored; the delivery after it overwrites them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_repeat_nothing() {
    let node = SearchNode::shared();
    let proxy = Proxy::start(&node.address).await;
    let destination = destination(&target(proxy.url(), "unheard"));
    proxy.lose_answers("POST", "_bulk", 2);
    let batch = documents(with_columns(
        numbered(0..3),
        &[("$operation", &["", "create", "create"]), ("$document-id", &["", "mine", ""])],
    ));
    for _ in 0..2 {
        assert_eq!(code_of(destination.deliver(&batch).await), "OpenSearch.ConnectionReset");
        assert_eq!(numbers(&node, "unheard").await, all(3));
    }
    assert_eq!(destination.deliver(&batch).await.unwrap(), Receipt::default());
    assert_eq!(numbers(&node, "unheard").await, all(3));
}

/// Line 5, rows X2 and X7: a delivery that is dropped on its way is settled by the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_delivery_is_settled_by_the_next() {
    let node = SearchNode::shared();
    let proxy = Proxy::start(&node.address).await;
    let small = Limits { request_documents: 20, ..Limits::default() };
    let destination = destination(&target(proxy.url(), "cancelled")).with_limits(small);
    let batch = documents(numbered(0..2_000));
    let seen = until("a request", LIMIT, async || (proxy.requests("POST", "_bulk") >= 2).then_some(()));
    tokio::select! {
        seen = seen => seen.unwrap(),
        whole = destination.deliver(&batch) => panic!("nobody looked in time: {whole:?}"),
    }
    assert_eq!(destination.deliver(&batch).await.unwrap(), Receipt::default());
    assert_eq!(numbers(&node, "cancelled").await, all(2_000));
}
