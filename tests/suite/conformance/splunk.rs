//! The event collector with indexer acknowledgement, over TLS.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hydrant::definition::{Login, Splunk};
use hydrant::deliver::client::Client;
use hydrant::deliver::testing::{
    Bench, DoesNotApply, Expected, RECORDS, Repetition, Trouble, conformance, documents, id,
};
use hydrant::deliver::{Destination, Secrets, SplunkDestination};
use hydrant::record::Documents;
use hydrant_tests::peers::{Acknowledging, Authority, CollectorFault, HecReceiver};
use hydrant_tests::wait::until;
use tempfile::TempDir;

use crate::http::client;
use crate::splunk::{ARN, LONG, settings};

struct Desk {
    collector: HecReceiver,
    client: Arc<Client>,
    secrets: TempDir,
    token: AtomicUsize,
    /// The batch that holds no events.
    spoiled: Mutex<Option<u32>>,
}

impl Desk {
    async fn new() -> Self {
        let authority = Authority::new();
        let collector = HecReceiver::start(&authority, "token-0").await;
        let client = client(&authority, collector.host());
        let (secrets, token) = (tempfile::tempdir().unwrap(), AtomicUsize::new(0));
        let desk = Self { collector, client, secrets, token, spoiled: Mutex::default() };
        desk.show();
        desk
    }

    /// Writes the token of the moment where the destination finds it.
    fn show(&self) {
        let token = format!("token-{}", self.token.load(Ordering::SeqCst));
        std::fs::write(self.secrets.path().join("hec.json"), format!(r#"{{"hec_token":"{token}"}}"#)).unwrap();
    }
}

fn event(number: u32, at: usize) -> String {
    format!("{{\"event\":\"id {}\"}}\n", id(number, at))
}

#[async_trait(?Send)]
impl Bench for Desk {
    type Batch = Documents;

    fn open(&self) -> Arc<dyn Destination<Documents>> {
        let token = Login::Stored("arn:aws:secretsmanager:us-east-1:000000000000:secret:hec".to_owned());
        let settings = Splunk { token, ..settings(self.collector.url(), false, LONG) };
        let secrets = Secrets::new(Some(self.secrets.path().to_owned()));
        Arc::new(SplunkDestination::new(&settings, ARN, Arc::clone(&self.client), secrets))
    }

    fn batch(&self, number: u32) -> Documents {
        let is_spoiled = *self.spoiled.lock().unwrap() == Some(number);
        let text = |at| if is_spoiled { r#"{"data":1}"#.to_owned() } else { event(number, at) };
        documents(number, &(0..RECORDS).map(text).collect::<Vec<_>>())
    }

    async fn misbehave(&self, trouble: Trouble, number: u32) -> Result<Expected, DoesNotApply> {
        Ok(match trouble {
            Trouble::FailBefore => {
                self.collector.misbehave(&[CollectorFault::Busy]);
                Expected::Retry("Splunk.ServerError")
            }
            Trouble::CutAfter => {
                self.collector.misbehave(&[CollectorFault::LoseAnswer]);
                Expected::Retry("Splunk.ConnectionClosed")
            }
            Trouble::RefuseAll => {
                *self.spoiled.lock().unwrap() = Some(number);
                Expected::Reject("Splunk.InvalidDataFormat")
            }
            Trouble::RefuseLogin => {
                let next = self.token.fetch_add(1, Ordering::SeqCst) + 1;
                self.collector.want_token(&format!("token-{next}"));
                Expected::Retry("Splunk.InvalidToken")
            }
            Trouble::Hang => {
                // Indexed, and never acknowledged.
                self.collector.acknowledge(Acknowledging::Never);
                Expected::NoAnswer
            }
            Trouble::RefuseOne(_) | Trouble::PutOffOne(_) => {
                return Err(DoesNotApply { because: "the collector answers for a whole request" });
            }
        })
    }

    async fn mend(&self) {
        *self.spoiled.lock().unwrap() = None;
        self.collector.acknowledge(Acknowledging::After(0));
        self.show();
    }

    async fn hanging(&self) {
        let before = self.collector.questions();
        let asked = async || (self.collector.questions() > before).then_some(());
        until("a question", Duration::from_secs(30), asked).await.unwrap();
    }

    async fn stored(&self, number: u32) -> Vec<usize> {
        let indexed = self.collector.indexed();
        let count = |at: usize| {
            let wanted = event(number, at);
            let events = indexed.iter().flat_map(|body| body.split_inclusive(|byte| *byte == b'\n'));
            events.filter(|event| *event == wanted.as_bytes()).count()
        };
        (0..RECORDS).map(count).collect()
    }

    fn repetition(&self) -> Repetition {
        Repetition::IsThere { because: "the collector knows no batches" }
    }
}

/// Line 11 of the deliveries; rows X2, X7, X8 and X15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conformance_of_splunk_on_the_collector() {
    let desk = Desk::new().await;
    let report = conformance(&desk).await.unwrap();
    assert_eq!(report.left_out(), [Trouble::RefuseOne(1), Trouble::PutOffOne(1)]);
    assert_eq!(desk.collector.violations(), Vec::<String>::new());
}
