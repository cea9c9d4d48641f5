//! Search delivery against a server that answers by script.

mod answers;
mod bodies;
mod conformance;
mod logins;
mod scripted;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use uuid::Uuid;

use super::{Authentication, Limits, OpenSearchDestination};
use crate::definition::{Buffering, IndexRotation, OpenSearch, SearchFlavour};
use crate::deliver::client::{Client, Egress};
use crate::record::{Column, Documents, Partition, Records, Rows, Seal, StreamId};

const ARN: &str = "arn:aws:firehose:us-east-1:000000000000:deliverystream/logs";
/// 25 February 2016, 13:00 UTC.
const ARRIVED_MS: u64 = 1_456_405_200_000;

fn target(endpoint: &str) -> OpenSearch {
    OpenSearch {
        flavour: SearchFlavour::OpenSearch,
        endpoint: endpoint.to_owned(),
        index: "logs".to_owned(),
        type_name: String::new(),
        rotation: IndexRotation::NoRotation,
        has_document_ids: true,
        buffering: Buffering { bytes: 5 << 20, seconds: 300 },
        retry_seconds: 300,
        backs_up_all: false,
    }
}

fn destination(target: &OpenSearch, authentication: Authentication, limits: Limits) -> OpenSearchDestination {
    let allow = vec![(IpAddr::V4(Ipv4Addr::LOCALHOST), 8)];
    let client = Client::new(Egress { allow, plaintext: true, ..Egress::default() }).unwrap();
    OpenSearchDestination::new(target, ARN, 7, Arc::new(client), authentication).unwrap().with_limits(limits)
}

/// Records with sequence numbers from 10 on, and columns; an empty value is an unset one.
fn rows(records: &[&[u8]], columns: &[(&str, &[&str])]) -> Rows {
    let column = |(name, values): &(&str, &[&str])| Column {
        name: (*name).to_owned(),
        dictionary: values.iter().map(|value| (*value).to_owned()).collect(),
        codes: (1..).zip(*values).map(|(code, value)| if value.is_empty() { 0 } else { code }).collect(),
    };
    let mut ends = Vec::new();
    let mut payload = Vec::new();
    for record in records {
        payload.extend_from_slice(record);
        ends.push(u32::try_from(payload.len()).unwrap());
    }
    let count = records.len();
    Rows {
        records: Records::new(payload.into(), ends, columns.iter().map(column).collect()).unwrap(),
        sequences: (10..).take(count).collect(),
        ordinals: vec![0; count],
        arrived_ms: vec![ARRIVED_MS; count],
    }
}

fn documents(rows: Rows) -> Documents {
    let seal = Seal {
        id: Uuid::from_u128(1),
        stream: StreamId(1),
        partition: Partition::Main,
        first: 0,
        end: 1,
        open_from: 1,
        definition_version: 1,
        bucket: String::new(),
        key: String::new(),
        record_count: rows.len() as u64,
        content_bytes: 0,
        oldest_arrived_ms: ARRIVED_MS,
        sealed_ms: ARRIVED_MS,
    };
    Documents { seal: Arc::new(seal), rows }
}

/// `count` small documents.
fn numbered(count: usize) -> Rows {
    let texts: Vec<String> = (0..count).map(|n| format!("{{\"n\":{n}}}")).collect();
    rows(&texts.iter().map(String::as_bytes).collect::<Vec<_>>(), &[])
}
