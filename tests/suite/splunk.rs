//! Line 7 of the deliveries, second half: Splunk's event collector with indexer acknowledgement.

use std::sync::Arc;
use std::time::Duration;

use hydrant::definition::{Buffering, Login, Secret, Splunk};
use hydrant::deliver::client::Client;
use hydrant::deliver::{DeliveryError, Destination, Receipt, Secrets, SplunkDestination, Verdict};
use hydrant::record::Documents;
use hydrant_tests::peers::{Acknowledging, Authority, CollectorFault, HecReceiver, splunk_hec_handler};

use crate::http::{client, documents};

pub(crate) const ARN: &str = "arn:aws:firehose:us-east-1:000000000000:deliverystream/logs";
const TOKEN: &str = "canary-0000-hec-token";

pub(crate) fn settings(endpoint: String, is_raw: bool, seconds: u32) -> Splunk {
    Splunk {
        endpoint,
        is_raw,
        token: Login::Given { user: String::new(), secret: Secret::new(TOKEN) },
        acknowledgement_seconds: seconds,
        buffering: Buffering { bytes: 5 << 20, seconds: 60 },
        retry_seconds: 300,
        backs_up_all: false,
    }
}

/// Long enough never to matter.
pub(crate) const LONG: u32 = 60;

struct Stage {
    collector: HecReceiver,
    client: Arc<Client>,
}

impl Stage {
    async fn new() -> Self {
        let authority = Authority::new();
        let collector = HecReceiver::start(&authority, TOKEN).await;
        let client = client(&authority, collector.host());
        Self { collector, client }
    }

    fn destination(&self, is_raw: bool, seconds: u32) -> SplunkDestination {
        let settings = settings(self.collector.url(), is_raw, seconds);
        SplunkDestination::new(&settings, ARN, Arc::clone(&self.client), Secrets::new(None))
    }
}

fn lines() -> Vec<Vec<u8>> {
    vec![b"first line\n".to_vec(), Vec::new(), b"second, without end".to_vec(), b"third\n".to_vec()]
}

async fn fails(destination: &dyn Destination<Documents>, documents: &Documents) -> DeliveryError {
    destination.deliver(documents).await.expect_err("an error")
}

/// Issue 5, line 7: the records' bytes end to end, delivered when the indexer says so and not before.
#[tokio::test]
async fn a_batch_is_delivered_once_it_is_indexed() {
    let stage = Stage::new().await;
    stage.collector.acknowledge(Acknowledging::After(2));
    let batch = documents(&lines());
    assert_eq!(stage.destination(true, LONG).deliver(&batch).await.unwrap(), Receipt::default());
    assert_eq!(stage.collector.indexed(), [lines().concat()]);
    assert_eq!(stage.collector.questions(), 3);
    // Another process speaks on the same channel.
    stage.destination(true, LONG).deliver(&batch).await.unwrap();
    assert_eq!(stage.collector.channels().len(), 1);
    assert_eq!(stage.collector.violations(), Vec::<String>::new());
}

/// Issue 5, line 7: events as they come; what is no event is refused for good, whatever is wrong with it.
#[tokio::test]
async fn events_are_events_or_refused() {
    let stage = Stage::new().await;
    let destination = stage.destination(false, LONG);
    let events = [&br#"{"event":"one","fields":{"a":"b"}}"#[..], br#"{"event":{"two":2}}"#].map(<[u8]>::to_vec);
    destination.deliver(&documents(&events)).await.unwrap();
    assert_eq!(stage.collector.indexed(), [events.concat()]);
    for bad in [&br#"{"event":""}"#[..], br#"{"data":1}"#, b"no json", b"[1]"] {
        let error = fails(&destination, &documents(&[bad.to_vec()])).await;
        assert_eq!((error.code, error.verdict), ("Splunk.InvalidDataFormat", Verdict::Reject), "{error}");
    }
    assert_eq!(stage.collector.indexed().len(), 1);
    // Nothing to say is nothing to lose.
    assert_eq!(destination.deliver(&documents(&[Vec::new()])).await.unwrap(), Receipt::default());
}

/// Issue 5, line 7: each way to misbehave has its code, and the batch is delivered when it ends.
#[tokio::test]
async fn a_collector_that_misbehaves_is_told_apart_and_tried_again() {
    use CollectorFault::*;
    let stage = Stage::new().await;
    let destination = stage.destination(true, LONG).with_timeout(Duration::from_secs(3));
    let batch = documents(&lines());
    for (fault, code) in [
        (Busy, "Splunk.ServerError"),
        (TokenDisabled, "Splunk.DisabledToken"),
        (AckDisabled, "Splunk.DisabledAck"),
        (WrongIndex, "Splunk.InvalidIndex"),
        (Page, "Splunk.InvalidEndpoint"),
        (Silent, "Splunk.ConnectionTimeout"),
        (Cut, "Splunk.ConnectionClosed"),
    ] {
        stage.collector.misbehave(&[fault]);
        let error = fails(&destination, &batch).await;
        assert_eq!((error.code, error.verdict), (code, Verdict::Retry(None)), "{fault:?}: {error}");
        assert!(!format!("{error:?}").contains(TOKEN), "{error:?}");
    }
    assert!(stage.collector.indexed().is_empty());
    // Without a number to ask for, nothing proves that it is indexed.
    stage.collector.misbehave(&[NoAckId]);
    assert_eq!(fails(&destination, &batch).await.code, "Splunk.DisabledAck");
    destination.deliver(&batch).await.unwrap();
    assert_eq!(stage.collector.violations(), Vec::<String>::new());
}

/// Issue 5, line 7: an acknowledgement that never comes, of another indexer, or from a collector that is busy.
#[tokio::test]
async fn an_acknowledgement_that_does_not_come_ends_the_attempt() {
    let stage = Stage::new().await;
    let batch = documents(&lines());
    for (how, code) in [
        (Acknowledging::Never, "Splunk.AckTimeout"),
        (Acknowledging::Busy, "Splunk.AckTimeout"),
        (Acknowledging::Elsewhere, "Splunk.ProxyWithoutStickySessions"),
    ] {
        stage.collector.acknowledge(how);
        let error = fails(&stage.destination(true, 1), &batch).await;
        assert_eq!((error.code, error.verdict), (code, Verdict::Retry(None)), "{error}");
    }
    assert!(stage.collector.questions() > 3);
    stage.collector.acknowledge(Acknowledging::After(0));
    stage.destination(true, 1).deliver(&batch).await.unwrap();
    // The collector knows no batches: what timed out and was indexed is there again. Firehose is no different.
    assert_eq!(stage.collector.indexed(), vec![lines().concat(); 4]);
}

/// The collector is one to others, too: a client from other hands delivers to it, and is refused with a wrong token.
#[tokio::test]
async fn a_foreign_client_takes_the_collector_for_one() {
    const SCRIPT: &str = r#"
import logging, sys
from splunk_hec_handler import SplunkHecHandler
logging.raiseExceptions = True
host, port, ca, token, channel = sys.argv[1:]
handler = SplunkHecHandler(host, token, port=port, proto="https", ssl_verify=ca, source="test")
handler.r.headers["X-Splunk-Request-Channel"] = channel
handler.emit(logging.makeLogRecord({"msg": {"hello": "world"}, "levelname": "INFO"}))
"#;
    let authority = Authority::new();
    let collector = HecReceiver::start(&authority, TOKEN).await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let python = tokio::task::spawn_blocking(splunk_hec_handler).await.unwrap();
    let port = collector.port().to_string();
    let channel = "11111111-2222-3333-4444-555555555555";
    for (token, is_taken) in [(TOKEN, true), ("another", false)] {
        let mut command = std::process::Command::new(&python);
        // The client's library would take trusted certificates and proxies from there.
        command.env_clear().args(["-c", SCRIPT, "127.0.0.1", &port]).arg(&ca).args([token, channel]);
        let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        assert_eq!(ended.status.success(), is_taken, "{}", String::from_utf8_lossy(&ended.stderr));
    }
    let indexed = collector.indexed();
    assert_eq!(indexed.len(), 1);
    let event: serde_json::Value = serde_json::from_slice(&indexed[0]).unwrap();
    assert_eq!((&event["event"]["hello"], &event["source"]), (&"world".into(), &"test".into()));
    assert_eq!(collector.violations(), Vec::<String>::new());
}

/// Issue 5, line 7: certificates that are not trusted are told from other failures.
#[tokio::test]
async fn a_collector_without_a_trusted_certificate_gets_nothing() {
    let collector = HecReceiver::start(&Authority::new(), TOKEN).await;
    let client = client(&Authority::new(), collector.host());
    let settings = settings(collector.url(), true, LONG);
    let destination = SplunkDestination::new(&settings, ARN, client, Secrets::new(None));
    assert_eq!(fails(&destination, &documents(&lines())).await.code, "Splunk.SSLUnverified");
    assert!(collector.indexed().is_empty());
}
