//! The generator against a server of a few lines: what it sends, and what it counts.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use super::*;

/// Answers every put; each tenth request has one failed record.
async fn fake(records: Arc<AtomicU64>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicU64::new(0));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (records, requests) = (Arc::clone(&records), Arc::clone(&requests));
            tokio::spawn(async move {
                let service = service_fn(|request: Request<Incoming>| {
                    let (records, requests) = (Arc::clone(&records), Arc::clone(&requests));
                    async move {
                        assert!(request.headers().contains_key("authorization"));
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let body: Value = serde_json::from_slice(&body).unwrap();
                        records.fetch_add(body["Records"].as_array().unwrap().len() as u64, Ordering::SeqCst);
                        let failed = u64::from(requests.fetch_add(1, Ordering::SeqCst) % 10 == 0);
                        let answer = format!(r#"{{"FailedPutCount":{failed},"RequestResponses":[]}}"#);
                        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(answer))))
                    }
                });
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await
                    .unwrap();
            });
        }
    });
    address
}

fn work(streams: usize, rate: Option<u64>) -> Work {
    let streams = (0..streams).map(|at| format!("s{at}")).collect();
    Work { streams, records: 2_000, record_bytes: 256, batch: 50, connections: 4, rate, keys: None }
}

#[tokio::test]
async fn every_record_is_sent_and_counted_once() {
    for (streams, rate) in [(1, None), (7, None), (3, Some(1_000_000))] {
        let arrived = Arc::new(AtomicU64::new(0));
        let client = Client::new(fake(Arc::clone(&arrived)).await);
        let summary = run(&client, &work(streams, rate)).await;
        assert_eq!(arrived.load(Ordering::SeqCst), 2_000);
        assert_eq!((summary.acknowledged_records, summary.refused_records), (1_996, 4));
        assert!(summary.p50_ms <= summary.p99_ms && summary.p99_ms <= summary.p999_ms);
    }
}

#[test]
fn records_have_their_size_and_are_json_lines() {
    for line in log_records(3, 200, 256, None) {
        assert_eq!(line.len(), 256);
        assert!(line.ends_with('\n'));
        let value: Value = serde_json::from_str(&line).unwrap();
        assert!(value["level"].is_string());
    }
    let debug = log_records(3, 200, 256, None).iter().filter(|line| line.contains(r#""level":"debug""#)).count();
    assert_eq!(debug, 20);
}

#[test]
fn shares_add_up() {
    for (all, workers) in [(10, 3), (3, 16), (4_000, 16)] {
        assert_eq!((0..workers).map(|at| share(all, workers, at)).sum::<u64>(), all);
    }
}

#[test]
fn an_answer_without_a_count_is_a_failure() {
    assert_eq!(failed_count(br#"{"FailedPutCount":0,"x":1}"#), 0);
    assert_eq!(failed_count(br#"{"a":1,"FailedPutCount":17}"#), 17);
    assert_eq!(failed_count(br#"{"FailedPutCount": 3}"#), 3);
    assert_eq!(failed_count(b"{}"), u64::MAX);
}
