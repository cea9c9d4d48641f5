//! The receiver for HTTP endpoints, over TLS.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hydrant::definition::{HttpEndpoint, Login};
use hydrant::deliver::client::Client;
use hydrant::deliver::testing::{Bench, DoesNotApply, Expected, Trouble, conformance, counted, rows};
use hydrant::deliver::{Destination, HttpEndpointDestination, Secrets};
use hydrant::record::Documents;
use hydrant_tests::peers::{Authority, EndpointFault, HttpEndpointReceiver};
use hydrant_tests::wait::until;
use tempfile::TempDir;

use crate::http::{ARN, client, settings};

struct Desk {
    receiver: HttpEndpointReceiver,
    client: Arc<Client>,
    secrets: TempDir,
    key: AtomicUsize,
}

impl Desk {
    async fn new() -> Self {
        let authority = Authority::new();
        let receiver = HttpEndpointReceiver::start(&authority).await;
        receiver.want_access_key(Some("key 0"));
        let client = client(&authority, receiver.host());
        let secrets = tempfile::tempdir().unwrap();
        let desk = Self { receiver, client, secrets, key: AtomicUsize::new(0) };
        desk.show();
        desk
    }

    /// Writes the key of the moment where the destination finds it.
    fn show(&self) {
        let key = format!("key {}", self.key.load(Ordering::SeqCst));
        std::fs::create_dir_all(self.secrets.path().join("team")).unwrap();
        std::fs::write(self.secrets.path().join("team/hook.json"), format!(r#"{{"api_key":"{key}"}}"#)).unwrap();
    }
}

#[async_trait(?Send)]
impl Bench for Desk {
    type Batch = Documents;

    fn open(&self) -> Arc<dyn Destination<Documents>> {
        let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:team/hook-AbC123";
        let settings = HttpEndpoint { access_key: Login::Stored(arn.to_owned()), ..settings(self.receiver.url()) };
        let secrets = Secrets::new(Some(self.secrets.path().to_owned()));
        Arc::new(HttpEndpointDestination::new(&settings, ARN, Arc::clone(&self.client), secrets))
    }

    fn batch(&self, number: u32) -> Documents {
        rows(number)
    }

    async fn misbehave(&self, trouble: Trouble, _number: u32) -> Result<Expected, DoesNotApply> {
        let (faults, expected) = match trouble {
            Trouble::FailBefore => {
                (vec![EndpointFault::Status(503)], Expected::Retry("HttpEndpoint.DestinationException"))
            }
            Trouble::CutAfter => (vec![EndpointFault::LoseAnswer], Expected::Retry("HttpEndpoint.ConnectionReset")),
            // The scenario sends it twice.
            Trouble::RefuseAll => {
                (vec![EndpointFault::TooLarge; 2], Expected::Refused("HttpEndpoint.DestinationException"))
            }
            Trouble::RefuseLogin => {
                let next = self.key.fetch_add(1, Ordering::SeqCst) + 1;
                self.receiver.want_access_key(Some(&format!("key {next}")));
                (Vec::new(), Expected::Retry("HttpEndpoint.DestinationException"))
            }
            Trouble::Hang => (vec![EndpointFault::Silent], Expected::NoAnswer),
            Trouble::RefuseOne(_) | Trouble::PutOffOne(_) => {
                return Err(DoesNotApply { because: "an answer is about a whole request" });
            }
        };
        self.receiver.misbehave(&faults);
        Ok(expected)
    }

    async fn mend(&self) {
        self.show();
    }

    async fn hanging(&self) {
        let before = self.receiver.requests().len();
        let come = async || (self.receiver.requests().len() > before).then_some(());
        until("the request", Duration::from_secs(30), come).await.unwrap();
    }

    async fn stored(&self, number: u32) -> Vec<usize> {
        let kept = self.receiver.kept();
        counted(number, kept.values().flatten().map(Vec::as_slice))
    }
}

/// Line 11 of the deliveries; rows X2, X7, X8 and X15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conformance_of_http_endpoints_on_the_receiver() {
    let desk = Desk::new().await;
    let report = conformance(&desk).await.unwrap();
    assert_eq!(report.left_out(), [Trouble::RefuseOne(1), Trouble::PutOffOne(1)]);
    assert_eq!(desk.receiver.violations(), Vec::<String>::new());
}
