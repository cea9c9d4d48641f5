//! What was given up on its way into Redshift, loaded again through the admin port.
//!
//! `POST /recopies/STREAM` begins, with `?below=2026/11/` for a part of the manifests, `&dry-run=true` to look only and
//! `&account=ID` where several accounts have a stream of this name. `GET /recopies/STREAM` says how far it is, with
//! `?after=N` what became of the manifests after the first N. Refuses to answer another machine, and a web page.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde_json::Value;

use super::plugins::{Answer, Refusal, admitted, settled, told};

/// Redshift's skipped manifests, as far as an operator asks for them; the app knows how.
pub trait Recopies: Send + Sync + fmt::Debug {
    /// Begins to load the skipped manifests of a stream as these wishes, names and values, say.
    ///
    /// # Errors
    /// Why it does not begin.
    fn begin(&self, stream: &str, wishes: &[(&str, &str)]) -> Result<Value, Refusal>;

    /// How far the last beginning came, and what became of manifests, as these wishes say.
    ///
    /// # Errors
    /// Nothing was begun, or it is not clear which is meant.
    fn progress(&self, stream: &str, wishes: &[(&str, &str)]) -> Result<Value, Refusal>;
}

/// Set once the streams are there; until then the port answers that the host starts.
pub type RecopyDoor = Arc<OnceLock<Arc<dyn Recopies>>>;

/// Answers a request below `/recopies`.
pub(super) fn answer(request: &Request<Incoming>, peer: SocketAddr, door: &RecopyDoor) -> Answer {
    let Some(recopies) = door.get() else {
        return told(StatusCode::SERVICE_UNAVAILABLE, "the host is starting", "ask again when /readyz answers 200");
    };
    let rest = request.uri().path().strip_prefix("/recopies/").unwrap_or_default();
    let query = request.uri().query().unwrap_or_default();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let wishes: Vec<(&str, &str)> = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
    let is_stream = !rest.is_empty() && !rest.contains('/');
    if !is_stream || !matches!(*request.method(), Method::GET | Method::POST) {
        let hint = "POST /recopies/STREAM begins, GET /recopies/STREAM says how far it is";
        return told(StatusCode::METHOD_NOT_ALLOWED, "nothing of recopies is there", hint);
    }
    let hint = "run `hydrant recopy` where the host runs";
    if let Err(answer) = admitted(request, peer, None, "manifests are loaded again", hint) {
        return answer;
    }
    match *request.method() {
        Method::POST => settled(recopies.begin(rest, &wishes)),
        _ => settled(recopies.progress(rest, &wishes)),
    }
}
