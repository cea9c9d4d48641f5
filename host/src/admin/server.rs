//! The HTTP side of the admin port. Refuses to know what plugins are.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::Health;
use super::dead_letter::{self, FailureDoor};
use super::plugins::{self, Door};
use super::recopies::{self, RecopyDoor};
use crate::telemetry::Telemetry;

/// Connections served at once; more wait in the kernel's queue. A few scrapers and probes, with room.
const MOST_CONNECTIONS: usize = 32;
/// Time for a request's headers, and hence for an idle connection: above the usual scrape interval.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for a whole connection, so that a reader who stops reading cannot hold one of the few for ever.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);
/// Bytes of a request's head: a scraper sends a few hundred.
const HEAD_BYTES: usize = 16 << 10;
/// Pause after a failed accept: mostly the process is out of descriptors, and spinning would not help.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the admin port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the admin server cannot listen on {address}")]
pub struct AdminError {
    /// As configured.
    pub address: SocketAddr,
    /// The system's reason.
    #[source]
    pub source: io::Error,
}

/// The running server; dropping it stops it.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    #[cfg_attr(not(test), expect(dead_code, reason = "tests look at how many connections are served"))]
    places: Arc<Semaphore>,
    serving: JoinHandle<()>,
}

impl Admin {
    /// Listens on `address` and serves.
    pub async fn start(
        address: SocketAddr,
        telemetry: Arc<Telemetry>,
        health: Health,
        plugins: Door,
        failures: FailureDoor,
        recopies: RecopyDoor,
    ) -> Result<Self, AdminError> {
        let cannot = |source| AdminError { address, source };
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let seen = Seen { telemetry, health, plugins, failures, recopies };
        let serving = tokio::spawn(serve(listener, Arc::clone(&places), seen));
        Ok(Self { address, places, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What requests look at.
#[derive(Clone)]
struct Seen {
    telemetry: Arc<Telemetry>,
    health: Health,
    plugins: Door,
    failures: FailureDoor,
    recopies: RecopyDoor,
}

async fn serve(listener: TcpListener, places: Arc<Semaphore>, seen: Seen) {
    // Connections end with the server, because the set is dropped with it.
    let mut connections = JoinSet::new();
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "admin server cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let seen = seen.clone();
        connections.spawn(async move {
            let _place = place;
            connection(stream, peer, &seen).await;
        });
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, seen: &Seen) {
    let service = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(if request.uri().path().starts_with("/plugins") {
            let (status, body) = plugins::answer(request, peer, &seen.plugins).await;
            respond(status, JSON, body.to_string())
        } else if request.uri().path().starts_with("/dead-letter") {
            let (status, body) = dead_letter::answer(request, peer, &seen.failures).await;
            respond(status, JSON, body.to_string())
        } else if request.uri().path().starts_with("/recopies") {
            let (status, body) = recopies::answer(&request, peer, &seen.recopies);
            respond(status, JSON, body.to_string())
        } else {
            answer(&request, &seen.telemetry, &seen.health)
        })
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_TIMEOUT, serving).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => tracing::debug!(%error, "admin connection ended early"),
    }
}

const JSON: &str = "application/json";

fn answer(request: &Request<Incoming>, telemetry: &Telemetry, health: &Health) -> Response<Full<Bytes>> {
    // The content type of version 1.0.0 of the OpenMetrics text that the registry writes.
    const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    let known = matches!(request.uri().path(), "/healthz" | "/readyz" | "/metrics");
    if known && !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = respond(StatusCode::METHOD_NOT_ALLOWED, JSON, told("only GET and HEAD"));
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match request.uri().path() {
        "/healthz" => respond(StatusCode::OK, JSON, json!({ "status": "alive" }).to_string()),
        "/readyz" => {
            let reasons = health.reasons();
            let (status, word) = match reasons.is_empty() {
                true => (StatusCode::OK, "ready"),
                false => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
            };
            let mut answer = json!({ "status": word, "reasons": reasons });
            let held = health.held();
            if !held.is_empty() {
                answer["held_streams"] = json!(held);
            }
            respond(status, JSON, answer.to_string())
        }
        "/metrics" => respond(StatusCode::OK, METRICS, telemetry.render()),
        _ => {
            let pages = "try /healthz, /readyz, /metrics, /plugins, /dead-letter or /recopies";
            respond(StatusCode::NOT_FOUND, JSON, told(pages))
        }
    }
}

fn told(error: &str) -> String {
    json!({ "error": error }).to_string()
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn started(health: &Health) -> (Admin, Arc<Telemetry>) {
        let telemetry = Telemetry::new();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        (
            Admin::start(
                loopback,
                Arc::clone(&telemetry),
                health.clone(),
                Door::default(),
                FailureDoor::default(),
                RecopyDoor::default(),
            )
            .await
            .expect("a port"),
            telemetry,
        )
    }

    /// Sends `head` and reads the answer to its end; the head must ask to close.
    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let head = format!("{request} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answer
    }

    #[tokio::test]
    async fn readiness_follows_its_reasons() {
        let health = Health::starting();
        let (admin, _) = started(&health).await;
        let answer = ask(admin.address(), "GET /readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.ends_with(r#"{"status":"not ready","reasons":{"start":"starting"}}"#), "{answer}");
        assert!(ask(admin.address(), "GET /healthz").await.starts_with("HTTP/1.1 200 "));
        health.clear("start");
        let answer = ask(admin.address(), "GET /readyz").await;
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(r#"{"status":"ready","reasons":{}}"#),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn metrics_are_shown() {
        let (admin, telemetry) = started(&Health::starting()).await;
        telemetry.stream("000000000000", "orders").durable.add(3, 30);
        let answer = ask(admin.address(), "GET /metrics").await;
        assert!(
            answer.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
            "{answer}"
        );
        assert!(answer.contains(r#"hydrant_journal_durable_records_total{account="000000000000",stream="orders"} 3"#));
        let head = ask(admin.address(), "HEAD /metrics").await;
        assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let (admin, _) = started(&Health::starting()).await;
        let answer = ask(admin.address(), "GET /etc/passwd").await;
        assert!(
            answer.starts_with("HTTP/1.1 404 ")
                && answer
                    .ends_with(r#"{"error":"try /healthz, /readyz, /metrics, /plugins, /dead-letter or /recopies"}"#)
        );
        let answer = ask(admin.address(), "POST /metrics").await;
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET, HEAD\r\n"), "{answer}");
        let long = format!("GET /{}", "x".repeat(2 * HEAD_BYTES));
        assert!(ask(admin.address(), &long).await.starts_with("HTTP/1.1 4"));
    }

    #[tokio::test]
    async fn a_taken_address_is_told() {
        let (admin, telemetry) = started(&Health::starting()).await;
        let error = Admin::start(
            admin.address(),
            telemetry,
            Health::starting(),
            Door::default(),
            FailureDoor::default(),
            RecopyDoor::default(),
        )
        .await
        .expect_err("taken");
        assert_eq!(error.to_string(), format!("the admin server cannot listen on {}", admin.address()));
    }

    /// The limit on connections is reached: one more is served only after another has gone.
    #[tokio::test]
    async fn connections_are_bounded() {
        let (admin, _) = started(&Health::starting()).await;
        let mut held = Vec::new();
        for _ in 0..MOST_CONNECTIONS {
            let mut stream = TcpStream::connect(admin.address()).await.expect("a connection");
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").await.expect("sent");
            let mut first = [0; 1];
            stream.read_exact(&mut first).await.expect("it is served");
            held.push(stream);
        }
        assert_eq!(admin.places.available_permits(), 0);
        let one_more = tokio::spawn(ask(admin.address(), "GET /healthz"));
        drop(held.pop());
        assert!(one_more.await.expect("an answer").starts_with("HTTP/1.1 200 "));
    }
}
