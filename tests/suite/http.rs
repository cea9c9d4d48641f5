//! Line 7 of the deliveries, first half: HTTP endpoints, against a strict receiver over TLS that misbehaves on demand.
#![expect(clippy::unwrap_used, reason = "a test says what it expects")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hydrant::definition::{Buffering, EndpointBody, HttpEndpoint, Login, Secret};
use hydrant::deliver::client::{Client, Egress};
use hydrant::deliver::{DeliveryError, Destination, HttpEndpointDestination, Receipt, Secrets, Verdict};
use hydrant::record::{Documents, Partition, Records, Rows, Seal, StreamId};
use hydrant_tests::peers::{Authority, EndpointFault, HttpEndpointReceiver, Webhook};
use uuid::Uuid;

pub(crate) const ARN: &str = "arn:aws:firehose:us-east-1:000000000000:deliverystream/alerts";
const KEY: &str = "canary-access-key";

/// A whole batch of these records; batches of different records have different ids.
pub(crate) fn documents(records: &[Vec<u8>]) -> Documents {
    let payload = records.concat();
    let end = |end: &mut u32, record: &Vec<u8>| {
        *end += u32::try_from(record.len()).unwrap();
        Some(*end)
    };
    let count = records.len() as u64;
    let id = Uuid::from_u128(payload.iter().fold(1, |sum: u128, &byte| sum.wrapping_mul(31) + u128::from(byte)));
    let rows = Rows {
        records: Records::new(payload.clone().into(), records.iter().scan(0, end).collect(), Vec::new()).unwrap(),
        sequences: (0..count).collect(),
        ordinals: vec![0; records.len()],
        arrived_ms: vec![1_700_000_000_000; records.len()],
    };
    let seal = Seal {
        id,
        stream: StreamId(1),
        partition: Partition::Main,
        first: 0,
        end: count,
        open_from: count,
        definition_version: 1,
        bucket: "backup".to_owned(),
        key: "unused".to_owned(),
        record_count: count,
        content_bytes: payload.len() as u64,
        oldest_arrived_ms: 1_700_000_000_000,
        sealed_ms: 1_700_000_000_500,
    };
    Documents { seal: Arc::new(seal), rows }
}

/// The host's way out, with a test's receivers in it.
pub(crate) fn client(authority: &Authority, host: &str) -> Arc<Client> {
    let loopback = "127.0.0.1".parse().unwrap();
    let egress = Egress {
        allow: vec![(loopback, 32)],
        ca_pem: Some(authority.pem()),
        resolve: BTreeMap::from([(host.to_owned(), loopback)]),
        ..Egress::default()
    };
    Arc::new(Client::new(egress).unwrap())
}

pub(crate) fn settings(url: String) -> HttpEndpoint {
    HttpEndpoint {
        url,
        access_key: Login::Given { user: String::new(), secret: Secret::new(KEY) },
        is_compressed: false,
        body: EndpointBody::Firehose,
        attributes: vec![("team".into(), "sensors".into()), ("ort".into(), "Köln".into())],
        buffering: Buffering { bytes: 5 << 20, seconds: 60 },
        retry_seconds: 300,
        backs_up_all: false,
    }
}

struct Stage {
    receiver: HttpEndpointReceiver,
    destination: HttpEndpointDestination,
    client: Arc<Client>,
}

async fn stage() -> Stage {
    let authority = Authority::new();
    let receiver = HttpEndpointReceiver::start(&authority).await;
    receiver.want_access_key(Some(KEY));
    let client = client(&authority, receiver.host());
    let destination =
        HttpEndpointDestination::new(&settings(receiver.url()), ARN, Arc::clone(&client), Secrets::new(None));
    Stage { receiver, destination, client }
}

fn two() -> Vec<Vec<u8>> {
    vec![b"{\"defect\":1}".to_vec(), Vec::new(), (0..=255).collect()]
}

async fn fails(destination: &dyn Destination<Documents>, documents: &Documents) -> DeliveryError {
    destination.deliver(documents).await.expect_err("an error")
}

/// Issue 5, line 7: a batch arrives as the specification says, and the same batch again is the same request to the
/// byte, so an endpoint that keeps ids has it once.
#[tokio::test]
async fn a_batch_arrives_and_a_replay_is_the_same_request() {
    let stage = stage().await;
    let batch = documents(&two());
    for _ in 0..3 {
        assert_eq!(stage.destination.deliver(&batch).await.unwrap(), Receipt::default());
    }
    assert_eq!(stage.receiver.violations(), Vec::<String>::new());
    assert_eq!(stage.receiver.kept(), BTreeMap::from([(batch.seal.id.to_string(), two())]));
    let requests = stage.receiver.requests();
    assert!(requests.len() == 3 && requests.iter().all(|request| *request == requests[0]));
    let head = &stage.receiver.heads()[0];
    assert_eq!(
        head.header("x-amz-firehose-common-attributes"),
        Some(r#"{"commonAttributes":{"team":"sensors","ort":"K\u00f6ln"}}"#)
    );
    assert_eq!(head.header("content-encoding"), None);
    assert_eq!(head.header("x-amz-firehose-source-arn"), Some(ARN));
}

/// Issue 5, line 7: compressed, without key and attributes.
#[tokio::test]
async fn what_is_not_configured_is_not_sent_and_gzip_is_understood() {
    let stage = stage().await;
    stage.receiver.want_access_key(None);
    let settings = HttpEndpoint {
        access_key: Login::None,
        attributes: Vec::new(),
        is_compressed: true,
        ..settings(stage.receiver.url())
    };
    let destination = HttpEndpointDestination::new(&settings, ARN, Arc::clone(&stage.client), Secrets::new(None));
    destination.deliver(&documents(&two())).await.unwrap();
    let head = &stage.receiver.heads()[0];
    assert_eq!(head.header("content-encoding"), Some("gzip"));
    assert!(head.headers.iter().all(|(name, _)| !name.ends_with("-access-key") && !name.ends_with("-attributes")));
    assert_eq!(stage.receiver.kept().into_values().collect::<Vec<_>>(), [two()]);
    assert_eq!(stage.receiver.violations(), Vec::<String>::new());
}

/// Issue 5, line 7: each way to misbehave has its code, and the batch is delivered when it ends.
#[tokio::test]
async fn a_receiver_that_misbehaves_is_tried_again_under_the_same_id() {
    use EndpointFault::*;
    let Stage { receiver, destination, .. } = stage().await;
    let destination = destination.with_timeout(Duration::from_secs(3));
    let batch = documents(&two());
    for (fault, code) in [
        (Silent, "HttpEndpoint.RequestTimeout"),
        (Cut, "HttpEndpoint.ConnectionReset"),
        (CutAnswer, "HttpEndpoint.ConnectionReset"),
        (Status(500), "HttpEndpoint.DestinationException"),
        (Status(201), "HttpEndpoint.DestinationException"),
        (Status(404), "HttpEndpoint.DestinationException"),
        (Redirect, "HttpEndpoint.InvalidResponseFromDestination"),
        (OtherId, "HttpEndpoint.InvalidResponseFromDestination"),
        (OtherType, "HttpEndpoint.InvalidResponseFromDestination"),
        (ExtraMember, "HttpEndpoint.InvalidResponseFromDestination"),
        (NoLength, "HttpEndpoint.InvalidResponseFromDestination"),
        (Oversize, "HttpEndpoint.ResponseTooLarge"),
    ] {
        receiver.misbehave(&[fault]);
        let error = fails(&destination, &batch).await;
        assert_eq!((error.code, error.verdict), (code, Verdict::Retry(None)), "{fault:?}: {error}");
        assert!(!format!("{error:?}").contains(KEY), "{error:?}");
    }
    assert!(receiver.kept().is_empty());
    destination.deliver(&batch).await.unwrap();
    assert_eq!(receiver.kept(), BTreeMap::from([(batch.seal.id.to_string(), two())]));
    assert!(receiver.requests().iter().all(|(id, _)| *id == batch.seal.id.to_string()));
    assert_eq!(receiver.violations(), Vec::<String>::new());
    // A redirect was an answer: nothing asked for the other place.
    assert!(receiver.heads().iter().all(|head| head.target.starts_with("/in?")));
}

/// Issue 5, line 7: 413 is final for each record, also when it comes before the body was read.
#[tokio::test]
async fn a_batch_that_is_too_large_is_refused_record_by_record() {
    let Stage { receiver, destination, .. } = stage().await;
    for records in [two(), vec![vec![b'x'; 900_000]; 20]] {
        receiver.misbehave(&[EndpointFault::TooLarge]);
        let receipt = destination.deliver(&documents(&records)).await.unwrap();
        assert!(receipt.again.is_empty());
        assert_eq!(
            receipt.refused.iter().map(|one| one.at).collect::<Vec<_>>(),
            (0..records.len()).collect::<Vec<_>>()
        );
        assert!(receipt.refused.iter().all(|one| one.message.contains("413")), "{receipt:?}");
    }
    assert!(receiver.kept().is_empty());
}

/// Issue 5, line 7: a batch of three requests of which the second fails; only what is left is sent again, cut as before.
#[tokio::test]
async fn what_is_left_of_a_batch_keeps_its_ids() {
    let Stage { receiver, destination, .. } = stage().await;
    let records: Vec<Vec<u8>> = (0..20_001_u32).map(|at| at.to_be_bytes().to_vec()).collect();
    let batch = documents(&records);
    let first = receiver.requests().len();
    receiver.misbehave(&[EndpointFault::Status(200), EndpointFault::LoseAnswer]);
    // `Status(200)` answers well and keeps nothing: the first part is as good as taken.
    let receipt = destination.deliver(&batch).await.unwrap();
    assert!(receipt.refused.is_empty() && receipt.again.len() == 10_001, "{}", receipt.again.len());
    assert_eq!(receipt.again[0].at, 10_000);
    let left: Vec<usize> = receipt.again.iter().map(|one| one.at).collect();
    let rest = Documents { seal: Arc::clone(&batch.seal), rows: batch.rows.select(&left) };
    destination.deliver(&rest).await.unwrap();
    let ids: Vec<String> = receiver.requests()[first..].iter().map(|(id, _)| id.clone()).collect();
    assert!(ids.len() == 4 && ids[0] == batch.seal.id.to_string() && ids[1] == ids[2] && ids[2] != ids[3], "{ids:?}");
    let kept = receiver.kept();
    assert_eq!((kept[&ids[1]].as_slice(), kept[&ids[3]].as_slice()), (&records[10_000..20_000], &records[20_000..]));
    assert_eq!(receiver.violations(), Vec::<String>::new());
}

/// Issue 5, line 7: who is not who the URL says gets nothing.
#[tokio::test]
async fn a_receiver_without_a_trusted_certificate_gets_nothing() {
    let receiver = HttpEndpointReceiver::start(&Authority::new()).await;
    let client = client(&Authority::new(), receiver.host());
    let destination = HttpEndpointDestination::new(&settings(receiver.url()), ARN, client, Secrets::new(None));
    assert_eq!(fails(&destination, &documents(&two())).await.code, "HttpEndpoint.SSLHandshakeFailure");
    assert!(receiver.heads().is_empty());
}

/// Row X9: an endpoint that names the inside is refused, by name and by number, and tried again only in case the
/// operator or the name's owner mends it.
#[tokio::test]
async fn an_endpoint_inside_is_not_asked() {
    let authority = Authority::new();
    let receiver = HttpEndpointReceiver::start(&authority).await;
    let resolve = BTreeMap::from([(receiver.host().to_owned(), "127.0.0.1".parse().unwrap())]);
    let egress = Egress { ca_pem: Some(authority.pem()), resolve, ..Egress::default() };
    let client = Arc::new(Client::new(egress).unwrap());
    let metadata = "https://169.254.169.254/latest/meta-data/".to_owned();
    for url in [receiver.url(), receiver.url().replace(receiver.host(), "127.0.0.1"), metadata] {
        let destination = HttpEndpointDestination::new(&settings(url), ARN, Arc::clone(&client), Secrets::new(None));
        let error = fails(&destination, &documents(&two())).await;
        assert_eq!((error.code, error.verdict), ("HttpEndpoint.ConnectionFailed", Verdict::Retry(None)));
        assert!(error.text.contains("egress.allow"), "{error}");
    }
    assert!(receiver.heads().is_empty());
}

/// Issue 5, line 12: a webhook gets each record as it is, in order; a refusal costs its record alone, a pause keeps the
/// rest for later, and each record has an id that stays its own.
#[tokio::test]
async fn a_webhook_gets_one_record_at_a_time() {
    let authority = Authority::new();
    let receiver = Webhook::start(&authority).await;
    let settings = HttpEndpoint { body: EndpointBody::Record, access_key: Login::None, ..settings(receiver.url()) };
    let client = client(&authority, receiver.host());
    let destination = HttpEndpointDestination::new(&settings, ARN, client, Secrets::new(None));
    let records: Vec<Vec<u8>> = (0..5).map(|at| format!("{{\"text\":\"{at}\"}}").into_bytes()).collect();
    let batch = documents(&records);

    receiver.answer(&[204, 400, 201, 429]);
    let receipt = destination.deliver(&batch).await.unwrap();
    assert_eq!(receipt.refused.iter().map(|one| one.at).collect::<Vec<_>>(), [1]);
    assert!(receipt.refused[0].message.contains("status 400, body: ok"), "{receipt:?}");
    let left: Vec<usize> = receipt.again.iter().map(|one| one.at).collect();
    assert_eq!(left, [3, 4]);

    let rest = Documents { seal: Arc::clone(&batch.seal), rows: batch.rows.select(&left) };
    receiver.answer(&[429]);
    let error = fails(&destination, &rest).await;
    assert_eq!(error.verdict, Verdict::Retry(Some(Duration::from_secs(7))), "{error}");
    assert_eq!(destination.deliver(&rest).await.unwrap(), Receipt::default());

    let requests = receiver.requests();
    let sent: Vec<&[u8]> = requests.iter().map(|request| request.body.as_slice()).collect();
    assert_eq!(sent, [0, 1, 2, 3, 3, 3, 4].map(|at: usize| records[at].as_slice()));
    let ids: Vec<&str> = requests.iter().map(|one| one.header("x-amz-firehose-request-id").unwrap()).collect();
    assert!(ids[3] == ids[4] && ids[4] == ids[5], "{ids:?}");
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 5, "{ids:?}");
    for request in &requests {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/services/T0/B0/secret"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("x-amz-firehose-protocol-version"), None);
    }
}
