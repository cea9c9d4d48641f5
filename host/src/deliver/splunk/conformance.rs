//! The conformance suite, on a collector in the process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use hyper::Request;
use tempfile::TempDir;

use super::SplunkDestination;
use crate::definition::{Buffering, Login, Splunk};
use crate::deliver::client::{Client, Egress};
use crate::deliver::testing::{
    Bench, DoesNotApply, Expected, Repetition, Reply, Trouble, Web, conformance, counted, rows,
};
use crate::deliver::{Destination, Secrets};
use crate::record::Documents;

#[derive(Debug)]
struct Collector {
    indexed: Vec<Bytes>,
    trouble: Option<Trouble>,
    token: &'static str,
}

impl Collector {
    fn answer(&mut self, request: &Request<Bytes>) -> Reply {
        let wanted = format!("Splunk {}", self.token);
        if request.headers().get("authorization").is_none_or(|value| value != wanted.as_str()) {
            return Reply::json(403, r#"{"text":"Invalid token","code":4}"#);
        }
        let is_question = request.uri().path().ends_with("/ack");
        let trouble = self.trouble.take_if(|trouble| *trouble != Trouble::RefuseAll);
        match trouble.or(self.trouble) {
            Some(Trouble::FailBefore) => return Reply::json(503, r#"{"text":"Server is busy","code":9}"#),
            Some(Trouble::RefuseAll) => return Reply::json(400, r#"{"text":"Invalid data format","code":6}"#),
            Some(Trouble::Hang) => return Reply::Hang,
            _ => {}
        }
        if is_question {
            return Reply::json(200, r#"{"acks":{"0":true}}"#);
        }
        self.indexed.push(request.body().clone());
        if trouble == Some(Trouble::CutAfter) {
            return Reply::Cut;
        }
        Reply::json(200, r#"{"text":"Success","code":0,"ackId":0}"#)
    }
}

struct Desk {
    collector: Arc<Mutex<Collector>>,
    web: Web,
    client: Arc<Client>,
    secrets: TempDir,
}

impl Desk {
    async fn new() -> Self {
        let collector = Arc::new(Mutex::new(Collector { indexed: Vec::new(), trouble: None, token: "old" }));
        let shared = Arc::clone(&collector);
        let answer = move |request| shared.lock().unwrap_or_else(PoisonError::into_inner).answer(&request);
        let web = Web::start(answer).await.unwrap();
        let allow = vec![("127.0.0.1".parse().unwrap(), 32)];
        let client = Arc::new(Client::new(Egress { allow, plaintext: true, ..Egress::default() }).unwrap());
        let desk = Self { collector, web, client, secrets: tempfile::tempdir().unwrap() };
        desk.show_token();
        desk
    }

    fn collector(&self) -> MutexGuard<'_, Collector> {
        self.collector.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the token of the moment where the destination finds it.
    fn show_token(&self) {
        let text = format!(r#"{{"hec_token":"{}"}}"#, self.collector().token);
        std::fs::write(self.secrets.path().join("hec.json"), text).unwrap();
    }
}

#[async_trait(?Send)]
impl Bench for Desk {
    type Batch = Documents;

    fn open(&self) -> Arc<dyn Destination<Documents>> {
        let settings = Splunk {
            endpoint: self.web.url(),
            is_raw: true,
            token: Login::Stored("arn:aws:secretsmanager:us-east-1:000000000000:secret:hec".to_owned()),
            acknowledgement_seconds: 60,
            buffering: Buffering { bytes: 5 << 20, seconds: 60 },
            retry_seconds: 300,
            backs_up_all: false,
        };
        let secrets = Secrets::new(Some(self.secrets.path().to_owned()));
        Arc::new(SplunkDestination::new(&settings, "arn", Arc::clone(&self.client), secrets))
    }

    fn batch(&self, number: u32) -> Documents {
        rows(number)
    }

    async fn misbehave(&self, trouble: Trouble, _number: u32) -> Result<Expected, DoesNotApply> {
        let mut collector = self.collector();
        let expected = match trouble {
            Trouble::FailBefore => Expected::Retry("Splunk.ServerError"),
            Trouble::CutAfter => Expected::Retry("Splunk.ConnectionClosed"),
            Trouble::RefuseAll => Expected::Reject("Splunk.InvalidDataFormat"),
            Trouble::RefuseLogin => {
                collector.token = "new";
                return Ok(Expected::Retry("Splunk.InvalidToken"));
            }
            Trouble::Hang => Expected::NoAnswer,
            Trouble::RefuseOne(_) | Trouble::PutOffOne(_) => {
                return Err(DoesNotApply { because: "the collector answers for a whole request" });
            }
        };
        collector.trouble = Some(trouble);
        Ok(expected)
    }

    async fn mend(&self) {
        self.collector().trouble = None;
        self.show_token();
    }

    async fn hanging(&self) {
        self.web.hanging().await;
    }

    async fn stored(&self, number: u32) -> Vec<usize> {
        let collector = self.collector();
        counted(number, collector.indexed.iter().flat_map(|body| body.split_inclusive(|byte| *byte == b'\n')))
    }

    fn repetition(&self) -> Repetition {
        Repetition::IsThere { because: "the collector knows no batches" }
    }
}

/// A record is called by its place in the stream, whichever of its input's outputs it is.
#[tokio::test]
async fn records_are_named_by_their_place() {
    let (destination, mut batch) = (Desk::new().await.open(), rows(2));
    batch.rows.ordinals = vec![0, 1, 2];
    assert_eq!(destination.names_of(&batch, 2), [("EventId", "202.2".into())]);
}

/// Rows X2, X7, X8 and X15.
#[tokio::test]
async fn conformance_of_splunk() {
    let report = conformance(&Desk::new().await).await.unwrap();
    assert_eq!(report.left_out(), [Trouble::RefuseOne(1), Trouble::PutOffOne(1)]);
}
