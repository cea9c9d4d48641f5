//! What the admin port says of failures, and the way back for them.
//!
//! `POST /dead-letter/STREAM/list`, `show`, `replay`, `take` and `forget`, each with a question in JSON. Refuses to answer
//! another machine, and a web page: what failed is the records themselves, and the port has no authentication.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, StatusCode};
use serde_json::Value;

use super::plugins::{Answer, Refusal, admitted, settled, told};

/// Longest question: failures that were read elsewhere, one of which may fill a frame of the journal.
const QUESTION_BYTES: usize = 32 << 20;

/// Dead letters, as far as an operator asks for them; the app knows how.
#[async_trait]
pub trait Failures: Send + Sync + fmt::Debug {
    /// Answers a question about a stream.
    ///
    /// # Errors
    /// Why there is no answer.
    async fn answer(&self, stream: &str, what: What, question: Bytes) -> Result<Value, Refusal>;
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The next objects.
    List,
    /// The next lines of an object.
    Show,
    /// To put the next failures into the stream again.
    Replay,
    /// To put these failures into the stream.
    Take,
    /// To forget what was put again.
    Forget,
}

impl What {
    fn named(word: &str) -> Option<Self> {
        Some(match word {
            "list" => Self::List,
            "show" => Self::Show,
            "replay" => Self::Replay,
            "take" => Self::Take,
            "forget" => Self::Forget,
            _ => return None,
        })
    }
}

/// Set once the streams are there; until then the port answers that the host starts.
pub type FailureDoor = Arc<OnceLock<Arc<dyn Failures>>>;

/// Answers a request below `/dead-letter`.
pub(super) async fn answer(request: Request<Incoming>, peer: SocketAddr, door: &FailureDoor) -> Answer {
    let Some(failures) = door.get() else {
        return told(StatusCode::SERVICE_UNAVAILABLE, "the host is starting", "ask again when /readyz answers 200");
    };
    let path = request.uri().path().to_owned();
    let steps: Vec<&str> = path.strip_prefix("/dead-letter/").unwrap_or_default().split('/').collect();
    let (stream, what) = match (request.method(), steps.as_slice()) {
        (&Method::POST, [stream, what]) if !stream.is_empty() => (*stream, What::named(what)),
        _ => ("", None),
    };
    let Some(what) = what else {
        let hint = "POST /dead-letter/STREAM/list, show, replay, take or forget";
        return told(StatusCode::METHOD_NOT_ALLOWED, "nothing of dead letters is there", hint);
    };
    let hint = "run `hydrant dead-letter` where the host runs";
    if let Err(answer) = admitted(&request, peer, Some("application/json"), "dead letters are read and replayed", hint)
    {
        return answer;
    }
    match Limited::new(request.into_body(), QUESTION_BYTES).collect().await {
        Ok(question) => settled(failures.answer(stream, what, question.to_bytes()).await),
        Err(_) => told(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("the question is cut off or has more than {QUESTION_BYTES} bytes"),
            "bring fewer failures at once",
        ),
    }
}
