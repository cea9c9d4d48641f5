//! The conformance suite, on an endpoint in the process that keeps requests by id.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use base64_simd::STANDARD;
use bytes::Bytes;
use hyper::Request;
use serde_json::Value;
use tempfile::TempDir;

use super::HttpEndpointDestination;
use crate::definition::{Buffering, EndpointBody, HttpEndpoint, Login};
use crate::deliver::client::{Client, Egress};
use crate::deliver::testing::{Bench, DoesNotApply, Expected, Reply, Trouble, Web, conformance, counted, rows};
use crate::deliver::{Destination, Secrets};
use crate::record::Documents;

#[derive(Debug)]
struct Endpoint {
    kept: BTreeMap<String, Vec<Vec<u8>>>,
    trouble: Option<Trouble>,
    key: &'static str,
}

impl Endpoint {
    fn answer(&mut self, request: &Request<Bytes>) -> Reply {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let id = header("x-amz-firehose-request-id").unwrap().to_owned();
        let said = |status| Reply::json(status, format!(r#"{{"requestId":"{id}","timestamp":1}}"#));
        if header("x-amz-firehose-access-key") != Some(self.key) {
            return said(401);
        }
        let trouble = self.trouble.take_if(|trouble| *trouble != Trouble::RefuseAll);
        match trouble.or(self.trouble) {
            Some(Trouble::FailBefore) => return said(503),
            Some(Trouble::RefuseAll) => return said(413),
            Some(Trouble::Hang) => return Reply::Hang,
            _ => {}
        }
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let records = body["records"].as_array().unwrap().iter();
        let records = records.map(|one| STANDARD.decode_to_vec(one["data"].as_str().unwrap()).unwrap()).collect();
        self.kept.insert(id.clone(), records);
        if trouble == Some(Trouble::CutAfter) { Reply::Cut } else { said(200) }
    }
}

struct Desk {
    endpoint: Arc<Mutex<Endpoint>>,
    web: Web,
    client: Arc<Client>,
    secrets: TempDir,
}

impl Desk {
    async fn new() -> Self {
        let endpoint = Arc::new(Mutex::new(Endpoint { kept: BTreeMap::new(), trouble: None, key: "old" }));
        let shared = Arc::clone(&endpoint);
        let answer = move |request| shared.lock().unwrap_or_else(PoisonError::into_inner).answer(&request);
        let web = Web::start(answer).await.unwrap();
        let allow = vec![("127.0.0.1".parse().unwrap(), 32)];
        let client = Arc::new(Client::new(Egress { allow, plaintext: true, ..Egress::default() }).unwrap());
        let desk = Self { endpoint, web, client, secrets: tempfile::tempdir().unwrap() };
        desk.show_key();
        desk
    }

    fn endpoint(&self) -> MutexGuard<'_, Endpoint> {
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the key of the moment where the destination finds it.
    fn show_key(&self) {
        let text = format!(r#"{{"api_key":"{}"}}"#, self.endpoint().key);
        std::fs::write(self.secrets.path().join("hook.json"), text).unwrap();
    }
}

#[async_trait(?Send)]
impl Bench for Desk {
    type Batch = Documents;

    fn open(&self) -> Arc<dyn Destination<Documents>> {
        let settings = HttpEndpoint {
            url: self.web.url(),
            body: EndpointBody::Firehose,
            access_key: Login::Stored("arn:aws:secretsmanager:us-east-1:000000000000:secret:hook".to_owned()),
            is_compressed: false,
            attributes: Vec::new(),
            buffering: Buffering { bytes: 5 << 20, seconds: 60 },
            retry_seconds: 300,
            backs_up_all: false,
        };
        let secrets = Secrets::new(Some(self.secrets.path().to_owned()));
        Arc::new(HttpEndpointDestination::new(&settings, "arn", Arc::clone(&self.client), secrets))
    }

    fn batch(&self, number: u32) -> Documents {
        rows(number)
    }

    async fn misbehave(&self, trouble: Trouble, _number: u32) -> Result<Expected, DoesNotApply> {
        let mut endpoint = self.endpoint();
        let expected = match trouble {
            Trouble::FailBefore => Expected::Retry("HttpEndpoint.DestinationException"),
            Trouble::CutAfter => Expected::Retry("HttpEndpoint.ConnectionReset"),
            Trouble::RefuseAll => Expected::Refused("HttpEndpoint.DestinationException"),
            Trouble::RefuseLogin => {
                endpoint.key = "new";
                return Ok(Expected::Retry("HttpEndpoint.DestinationException"));
            }
            Trouble::Hang => Expected::NoAnswer,
            Trouble::RefuseOne(_) | Trouble::PutOffOne(_) => {
                return Err(DoesNotApply { because: "an answer is about a whole request" });
            }
        };
        endpoint.trouble = Some(trouble);
        Ok(expected)
    }

    async fn mend(&self) {
        self.endpoint().trouble = None;
        self.show_key();
    }

    async fn hanging(&self) {
        self.web.hanging().await;
    }

    async fn stored(&self, number: u32) -> Vec<usize> {
        let endpoint = self.endpoint();
        counted(number, endpoint.kept.values().flatten().map(Vec::as_slice))
    }
}

/// A record is called by its place in the stream, whichever of its input's outputs it is.
#[tokio::test]
async fn records_are_named_by_their_place() {
    let (destination, mut batch) = (Desk::new().await.open(), rows(2));
    batch.rows.ordinals = vec![0, 1, 2];
    let names = destination.names_of(&batch, 1);
    assert_eq!(names, [("subsequenceNumber", 1.into()), ("dataId", "201.1".into())]);
}

/// Rows X2, X7, X8 and X15.
#[tokio::test]
async fn conformance_of_http_endpoints() {
    let report = conformance(&Desk::new().await).await.unwrap();
    assert_eq!(report.left_out(), [Trouble::RefuseOne(1), Trouble::PutOffOne(1)]);
}
