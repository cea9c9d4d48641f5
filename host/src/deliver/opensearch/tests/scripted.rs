//! An HTTP server that does as it is told: each request takes the next reply of the script, and after its end every
//! document is stored.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What one request is answered with.
pub(super) enum Reply {
    /// This status and body, whatever was asked.
    Answer(u16, String),
    /// Status, a header and an empty body.
    With(u16, &'static str, &'static str),
    /// An item for each document, made of its place in the request and its action line.
    Items(fn(usize, &Value) -> Value),
    /// The connection is cut.
    Cut,
}

/// A request as it came.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Seen {
    /// The action lines.
    pub(super) fn actions(&self) -> Vec<Value> {
        let mut lines = self.body.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut actions = Vec::new();
        while let Some(action) = lines.next() {
            if action.get("delete").is_none() {
                lines.next().unwrap();
            }
            actions.push(action);
        }
        actions
    }
}

/// The server; stops when dropped.
pub(super) struct Scripted {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Scripted {
    pub(super) async fn start(script: Vec<Reply>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let script = Arc::new(Mutex::new(VecDeque::from(script)));
        let shared = Arc::clone(&seen);
        let serving = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (seen, script) = (Arc::clone(&shared), Arc::clone(&script));
                connections.spawn(async move {
                    let service = service_fn(|request| handle(request, &seen, &script));
                    // An error here is a connection cut on purpose, or by the client.
                    let _cut = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { url, seen, serving }
    }

    /// Requests so far, which are forgotten.
    pub(super) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The item of a document that was stored.
pub(super) fn stored(_at: usize, action: &Value) -> Value {
    item(action, 201, None)
}

/// An item with this status and error.
pub(super) fn item(action: &Value, status: u16, error: Option<Value>) -> Value {
    let (name, about) = action.as_object().unwrap().iter().next().unwrap();
    let id = about.get("_id").cloned().unwrap_or_else(|| "the-server's-own".into());
    let mut outcome = json!({ "_index": about["_index"], "_id": id, "status": status });
    if let Some(error) = error {
        outcome["error"] = error;
    }
    json!({ name.as_str(): outcome })
}

#[derive(Debug, thiserror::Error)]
#[error("cut on command")]
struct CutOnCommand;

async fn handle(
    request: Request<Incoming>,
    seen: &Mutex<Vec<Seen>>,
    script: &Mutex<VecDeque<Reply>>,
) -> Result<Response<Full<Bytes>>, CutOnCommand> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| CutOnCommand)?.to_bytes();
    let request =
        Seen { path: head.uri.path().to_owned(), headers: head.headers, body: String::from_utf8(body.into()).unwrap() };
    let reply = script.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or(Reply::Items(stored));
    let answer = match reply {
        Reply::Answer(status, body) => Response::builder().status(status).body(Full::new(body.into())),
        Reply::With(status, name, value) => {
            Response::builder().status(status).header(name, value).body(Full::default())
        }
        Reply::Items(make) => {
            let items: Vec<Value> = request.actions().iter().enumerate().map(|(at, action)| make(at, action)).collect();
            let body = json!({ "took": 1, "errors": false, "items": items }).to_string();
            Response::builder().body(Full::new(body.into()))
        }
        Reply::Cut => return Err(CutOnCommand),
    };
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    Ok(answer.unwrap())
}
