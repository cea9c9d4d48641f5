//! The conformance suite, on a server in the process that keeps documents by id.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use hyper::{HeaderMap, Request};
use serde_json::{Value, json};

use super::super::Service;
use super::logins::{signed, signing};
use super::scripted::{item, stored};
use super::*;
use crate::deliver::Destination;
use crate::deliver::testing::{self, Bench, DoesNotApply, Expected, Reply, Trouble, Web, conformance, counted};

/// A search server, as far as bulk requests go.
#[derive(Debug, Default)]
struct Node {
    documents: BTreeMap<String, String>,
    trouble: Option<Trouble>,
    /// The least number of a key that is let in.
    least_key: u64,
}

fn lock(node: &Mutex<Node>) -> MutexGuard<'_, Node> {
    node.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key_of(headers: &HeaderMap) -> u64 {
    let text = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let number = text.split_once("AKID").and_then(|(_, rest)| rest.split('/').next());
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

impl Node {
    fn answer(&mut self, request: &Request<Bytes>) -> Reply {
        if key_of(request.headers()) < self.least_key {
            return Reply::json(403, r#"{"message":"The security token included in the request is expired"}"#);
        }
        match self.trouble.take_if(|trouble| *trouble != Trouble::RefuseAll) {
            Some(Trouble::FailBefore) => return Reply::json(503, "{}"),
            Some(Trouble::Hang) => return Reply::Hang,
            Some(Trouble::CutAfter) => {
                self.store(request.body(), |_| None);
                return Reply::Cut;
            }
            Some(Trouble::RefuseOne(bad)) => return self.store(request.body(), |at| (at == bad).then_some(400)),
            Some(Trouble::PutOffOne(busy)) => return self.store(request.body(), |at| (at == busy).then_some(429)),
            Some(Trouble::RefuseAll | Trouble::RefuseLogin) | None => {}
        }
        let refuses = self.trouble == Some(Trouble::RefuseAll);
        self.store(request.body(), |_| refuses.then_some(400))
    }

    fn store(&mut self, body: &[u8], fate: impl Fn(usize) -> Option<u16>) -> Reply {
        let text = String::from_utf8(body.to_vec()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let mut items = Vec::new();
        for (at, pair) in lines.chunks(2).enumerate() {
            let action: Value = serde_json::from_str(pair[0]).unwrap();
            items.push(match fate(at) {
                Some(status) => item(&action, status, Some(json!({ "type": "t", "reason": "on command" }))),
                None => {
                    self.documents.insert(action["index"]["_id"].as_str().unwrap().to_owned(), pair[1].to_owned());
                    stored(at, &action)
                }
            });
        }
        Reply::json(200, json!({ "took": 1, "errors": true, "items": items }).to_string())
    }
}

struct Desk {
    node: Arc<Mutex<Node>>,
    web: Web,
    destination: Arc<OpenSearchDestination>,
}

impl Desk {
    async fn new() -> Self {
        let node: Arc<Mutex<Node>> = Arc::default();
        let shared = Arc::clone(&node);
        let web = Web::start(move |request| lock(&shared).answer(&request)).await.unwrap();
        let (signing, _) = signing(9);
        let authentication = signed(&signing, Service::Es);
        let destination = Arc::new(destination(&target(&web.url()), authentication, Limits::default()));
        Self { node, web, destination }
    }
}

#[async_trait(?Send)]
impl Bench for Desk {
    type Batch = Documents;

    fn open(&self) -> Arc<dyn Destination<Documents>> {
        Arc::clone(&self.destination) as Arc<dyn Destination<Documents>>
    }

    fn batch(&self, number: u32) -> Documents {
        testing::rows(number)
    }

    async fn misbehave(&self, trouble: Trouble, _number: u32) -> Result<Expected, DoesNotApply> {
        let mut node = lock(&self.node);
        node.trouble = Some(trouble);
        Ok(match trouble {
            Trouble::FailBefore => Expected::Retry("OpenSearch.Unavailable"),
            Trouble::CutAfter => Expected::Retry("OpenSearch.ConnectionReset"),
            Trouble::RefuseOne(_) | Trouble::RefuseAll => Expected::Refused("400"),
            Trouble::PutOffOne(_) => Expected::PutOff("429"),
            Trouble::RefuseLogin => {
                // The key that the destination has is the first.
                node.least_key = 2;
                Expected::Retry("OpenSearch.AccessDenied")
            }
            Trouble::Hang => Expected::NoAnswer,
        })
    }

    async fn mend(&self) {
        lock(&self.node).trouble = None;
    }

    async fn hanging(&self) {
        self.web.hanging().await;
    }

    async fn stored(&self, number: u32) -> Vec<usize> {
        let node = lock(&self.node);
        counted(number, node.documents.values().map(String::as_bytes))
    }
}

/// Rows X2, X5, X7, X8 and X15.
#[tokio::test]
async fn conformance_of_opensearch() {
    let report = conformance(&Desk::new().await).await.unwrap();
    assert_eq!(report.left_out(), []);
}
