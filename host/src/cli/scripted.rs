//! A Firehose for tests: answers from a script over real HTTP on loopback. Refuses to check signatures.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use super::arguments::Endpoint;
use super::client::{Client, connect};

/// Operation name and input in, status and body out.
pub(super) type Script = dyn Fn(&str, &Value) -> (u16, Value) + Send + Sync;

/// What was asked, in order.
pub(super) type Log = Arc<Mutex<Vec<(String, Value)>>>;

/// Starts a server that lives as long as the test's runtime; gives a client of it and what it was asked.
pub(super) async fn firehose(script: impl Fn(&str, &Value) -> (u16, Value) + Send + Sync + 'static) -> (Client, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (script, log): (Arc<Script>, Log) = (Arc::new(script), Log::default());
    let kept = Arc::clone(&log);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (script, log) = (Arc::clone(&script), Arc::clone(&kept));
            let service = service_fn(move |request| answer(Arc::clone(&script), Arc::clone(&log), request));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let client = connect(&Endpoint { endpoint_url: Some(url), ..Endpoint::default() }).await.expect("a client");
    (client, log)
}

/// An error answer.
pub(super) fn error(code: &str, message: &str) -> (u16, Value) {
    let status = if code == "ServiceUnavailableException" { 503 } else { 400 };
    (status, serde_json::json!({ "__type": code, "message": message }))
}

async fn answer(
    script: Arc<Script>,
    log: Log,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let target = request.headers()["x-amz-target"].to_str().expect("a target").to_owned();
    let operation = target.strip_prefix("Firehose_20150804.").expect("Firehose").to_owned();
    assert!(request.headers().contains_key("authorization"), "every request is signed");
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let (status, answer) = script(&operation, &body);
    log.lock().expect("a log").push((operation, body));
    let response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.1");
    Ok(response.body(Full::from(answer.to_string())).expect("a response"))
}
