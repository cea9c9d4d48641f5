//! Tests of the API as a whole: a backend in memory, a clock that stands still, and requests with or without sockets.

mod control;
mod destinations;
mod lifecycle;
mod memory;
mod processors;
mod sockets;
mod wire;

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::{Value, json};

use self::memory::Memory;
use super::{Api, Authentication, Backend, Limits, NameRules, PrefixPlace, Settings};
use crate::definition::{Definition, EventTime, KeySource, PartitionKey, Partitioning};
use crate::runtime::{ManualClock, Random};

/// Account of every request of these tests.
const ACCOUNT: &str = "123456789012";

/// 8 August 2015, 00:00:00.123 UTC.
const NOW_MS: u64 = 1_438_992_000_123;

/// An API without authentication on a backend in memory.
struct Rig {
    api: Arc<Api>,
    memory: Arc<Memory>,
    clock: Arc<ManualClock>,
}

/// An answer, read to its end.
struct Answered {
    status: u16,
    headers: hyper::HeaderMap,
    body: Bytes,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }
}

fn settings() -> Settings {
    Settings {
        authentication: Authentication::None { account_id: ACCOUNT.to_owned() },
        region: "us-east-1".to_owned(),
        stream_quota: 12,
        names: NameRules {
            prefix: |text, place, is_partitioned| match (text, place) {
                ("!{bad", _) => Err("Invalid expression usage".to_owned()),
                ("only/data/", PrefixPlace::Error) => Err("not here".to_owned()),
                (text, _) if text.contains("partitionKey") && !is_partitioned => Err("partitions are off".to_owned()),
                _ => Ok(()),
            },
            destination: |_, _| Ok(()),
            partitioning: |s3, event_key| {
                let event_time = event_key.map(|key| EventTime {
                    key: key.clone(),
                    patterns: Vec::new(),
                    time_zone: s3.time_zone.clone(),
                });
                Ok(Partitioning { keys: keys_of(&s3.prefix), room_bytes: 7, event_time })
            },
            time_zone: |zone| zone == "UTC" || zone == "Europe/Paris",
        },
        check_query: |query| match query.strip_prefix('{') {
            Some(keys) => Ok(keys.trim_end_matches('}').split(',').map(str::to_owned).collect()),
            None if query == "bad" => Err("the query is not jq".to_owned()),
            None => Ok(Vec::new()),
        },
        plaintext: false,
        limits: Limits::default(),
    }
}

/// What the stage that evaluates prefixes would say of one.
fn keys_of(prefix: &str) -> Vec<PartitionKey> {
    let key = |part: &str| {
        let (source, rest) = match part.strip_prefix("Query:") {
            Some(rest) => (KeySource::Query, rest),
            None => (KeySource::Plugin, part.strip_prefix("Lambda:")?),
        };
        let name = rest.split('}').next()?.to_owned();
        Some(PartitionKey { source, name, uses: 1 })
    };
    prefix.split("!{partitionKeyFrom").filter_map(key).collect()
}

impl Rig {
    fn new() -> Self {
        Self::with(settings())
    }

    fn with(settings: Settings) -> Self {
        let (memory, clock) = (Arc::new(Memory::default()), Arc::new(ManualClock::at(NOW_MS)));
        let api = Api::new(settings, memory.clone(), clock.clone(), Arc::new(Random::seeded(1)));
        Self { api, memory, clock }
    }

    async fn call(&self, operation: &str, body: impl Into<Bytes>) -> Answered {
        let target = format!("Firehose_20150804.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        self.send("POST", "/", &headers, body).await
    }

    async fn send(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answered {
        let mut request = Request::builder().method(method).uri(uri).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let (head, body) = self.api.clone().answer(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answered { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// Calls and expects success.
    async fn does(&self, operation: &str, body: Value) -> Value {
        let answered = self.call(operation, body.to_string()).await;
        assert_eq!(answered.status, 200, "{operation} {body}: {}", answered.text());
        answered.json()
    }

    /// Calls and expects exactly this answer.
    async fn refuses(&self, operation: &str, body: impl ToString, status: u16, answer: &str) {
        let body = body.to_string();
        let answered = self.call(operation, body.clone()).await;
        let shown: String = body.chars().take(300).collect();
        assert_eq!((answered.status, answered.text().as_str()), (status, answer), "{operation} {shown}");
    }

    /// The definition in force of the stream `s`.
    fn definition(&self) -> Arc<Definition> {
        Arc::clone(&Backend::find(self.memory.as_ref(), ACCOUNT, "s").unwrap().definition)
    }

    /// Makes a bare stream.
    async fn create(&self, name: &str) {
        self.does("CreateDeliveryStream", create_input(name, json!({}))).await;
    }
}

/// CreateDeliveryStream of an extended S3 stream with these members beside the required ones.
fn create_input(name: &str, members: Value) -> Value {
    let mut destination = json!({"RoleARN": ROLE, "BucketARN": BUCKET});
    destination.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    json!({"DeliveryStreamName": name, "ExtendedS3DestinationConfiguration": destination})
}

const ROLE: &str = "arn:aws:iam::123456789012:role/firehose";
const BUCKET: &str = "arn:aws:s3:::orders";

const LAMBDA: &str = "arn:aws:lambda:us-east-1:123456789012:function:clean";

async fn destination(rig: &Rig) -> Value {
    let answer = rig.does("DescribeDeliveryStream", json!({"DeliveryStreamName": "s"})).await;
    answer["DeliveryStreamDescription"]["Destinations"][0].clone()
}

async fn extended(rig: &Rig) -> Value {
    destination(rig).await["ExtendedS3DestinationDescription"].clone()
}

fn error(kind: &str, message: &str) -> String {
    json!({"__type": kind, "message": message}).to_string()
}

/// Creating with these members is refused with this message, and makes nothing.
async fn refuses_members(members: Value, message: &str) {
    let rig = Rig::new();
    rig.refuses("CreateDeliveryStream", create_input("s", members), 400, &error("InvalidArgumentException", message))
        .await;
    assert_eq!(rig.does("ListDeliveryStreams", json!({})).await["DeliveryStreamNames"], json!([]));
}

fn update_input(version: &str, members: Value) -> Value {
    json!({
        "DeliveryStreamName": "s", "CurrentDeliveryStreamVersionId": version, "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": members,
    })
}
