//! A real OpenSearch node, behind a proxy that misbehaves.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hydrant::deliver::Destination;
use hydrant::deliver::opensearch::OpenSearchDestination;
use hydrant::deliver::testing::{Bench, DoesNotApply, Expected, RECORDS, Trouble, conformance, documents, id, record};
use hydrant::record::Documents;
use hydrant_tests::peers::{Proxy, SearchNode};
use serde_json::Value;

use crate::opensearch::{destination, target, with_columns};

const INDEX: &str = "conformance";
/// Takes nothing while it is blocked.
const LATE: &str = "conformance-late";

struct Desk {
    node: Arc<SearchNode>,
    proxy: Proxy,
    destination: Arc<OpenSearchDestination>,
    trouble: Mutex<Option<(Trouble, u32)>>,
}

impl Desk {
    async fn new() -> Self {
        let node = SearchNode::shared();
        let mapping = r#"{"mappings":{"properties":{"id":{"type":"long"}}}}"#;
        for index in [INDEX, LATE] {
            assert_eq!(node.call("PUT", &format!("/{index}"), mapping).await.0, 200);
        }
        let proxy = Proxy::start(&node.address).await;
        let destination = Arc::new(destination(&target(proxy.url(), INDEX)));
        Self { node, proxy, destination, trouble: Mutex::default() }
    }

    async fn block(&self, value: &str) {
        let settings = format!(r#"{{"index.blocks.read_only_allow_delete":{value}}}"#);
        assert_eq!(self.node.call("PUT", &format!("/{LATE}/_settings"), &settings).await.0, 200);
    }

    fn trouble(&self, number: u32) -> Option<Trouble> {
        self.trouble.lock().unwrap().filter(|(_, of)| *of == number).map(|(trouble, _)| trouble)
    }
}

#[async_trait(?Send)]
impl Bench for Desk {
    type Batch = Documents;

    fn open(&self) -> Arc<dyn Destination<Documents>> {
        Arc::clone(&self.destination) as Arc<dyn Destination<Documents>>
    }

    fn batch(&self, number: u32) -> Documents {
        let trouble = self.trouble(number);
        let text = |at: usize| match trouble {
            Some(Trouble::RefuseAll) => r#"{"id":"none"}"#.to_owned(),
            Some(Trouble::RefuseOne(bad)) if at == bad => r#"{"id":"none"}"#.to_owned(),
            _ => record(number, at),
        };
        let mut batch = documents(number, &(0..RECORDS).map(text).collect::<Vec<_>>());
        if let Some(Trouble::PutOffOne(late)) = trouble {
            let column: Vec<&str> = (0..RECORDS).map(|at| if at == late { LATE } else { "" }).collect();
            batch.rows = with_columns(batch.rows, &[("$index", &column)]);
        }
        batch
    }

    async fn misbehave(&self, trouble: Trouble, number: u32) -> Result<Expected, DoesNotApply> {
        let expected = match trouble {
            Trouble::FailBefore => {
                self.proxy.lose_requests("POST", "_bulk", 1);
                Expected::Retry("OpenSearch.ConnectionReset")
            }
            Trouble::CutAfter => {
                self.proxy.lose_answers("POST", "_bulk", 1);
                Expected::Retry("OpenSearch.ConnectionReset")
            }
            Trouble::Hang => {
                self.proxy.hold("POST", "_bulk");
                Expected::NoAnswer
            }
            Trouble::PutOffOne(_) => {
                self.block("true").await;
                Expected::PutOff("429")
            }
            Trouble::RefuseOne(_) | Trouble::RefuseAll => Expected::Refused("400"),
            Trouble::RefuseLogin => {
                return Err(DoesNotApply { because: "the node has no security plugin, so nobody logs in" });
            }
        };
        *self.trouble.lock().unwrap() = Some((trouble, number));
        Ok(expected)
    }

    async fn mend(&self) {
        self.proxy.mend();
        self.block("null").await;
        *self.trouble.lock().unwrap() = None;
    }

    async fn hanging(&self) {
        self.proxy.holding().await;
    }

    async fn stored(&self, number: u32) -> Vec<usize> {
        assert_eq!(self.node.call("POST", "/conformance*/_refresh", "").await.0, 200);
        let mut counts = Vec::new();
        for at in 0..RECORDS {
            let path = format!("/conformance*/_count?q=id:{}", id(number, at));
            let (status, counted) = self.node.call("GET", &path, "").await;
            assert_eq!(status, 200, "{counted}");
            counts.push(usize::try_from(counted["count"].as_u64().unwrap()).unwrap());
        }
        counts
    }
}

/// Line 11 of the deliveries; rows X2, X5 and X7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conformance_of_opensearch_on_a_real_node() {
    let desk = Desk::new().await;
    let report = conformance(&desk).await.unwrap();
    assert_eq!(report.left_out(), [Trouble::RefuseLogin]);
    // What was refused left no document either.
    let (_, all) = desk.node.call("GET", "/conformance*/_count", "").await;
    assert_eq!(all["count"], Value::from(9 * RECORDS - 1), "{all}");
}
