//! An HTTP server that does as it is told: each request takes the next reply of the script, and after its end every
//! document is stored.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hyper::{HeaderMap, Request, Response};
use serde_json::{Value, json};

use crate::deliver::testing::{self, Web};

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
    _web: Web,
}

impl Scripted {
    pub(super) async fn start(script: Vec<Reply>) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (script, shared) = (Mutex::new(VecDeque::from(script)), Arc::clone(&seen));
        let web = Web::start(move |request| handle(request, &shared, &script)).await.unwrap();
        Self { url: web.url(), seen, _web: web }
    }

    /// Requests so far, which are forgotten.
    pub(super) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
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

fn handle(request: Request<Bytes>, seen: &Mutex<Vec<Seen>>, script: &Mutex<VecDeque<Reply>>) -> testing::Reply {
    let (head, body) = request.into_parts();
    let request =
        Seen { path: head.uri.path().to_owned(), headers: head.headers, body: String::from_utf8(body.into()).unwrap() };
    let reply = script.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or(Reply::Items(stored));
    let answer = match reply {
        Reply::Answer(status, body) => Response::builder().status(status).body(body.into()),
        Reply::With(status, name, value) => {
            Response::builder().status(status).header(name, value).body(Bytes::default())
        }
        Reply::Items(make) => {
            let items: Vec<Value> = request.actions().iter().enumerate().map(|(at, action)| make(at, action)).collect();
            let body = json!({ "took": 1, "errors": false, "items": items }).to_string();
            Response::builder().body(body.into())
        }
        Reply::Cut => return testing::Reply::Cut,
    };
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    testing::Reply::Answer(answer.unwrap())
}
