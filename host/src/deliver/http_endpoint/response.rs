//! What an answer means, rule by rule. Pure. Every breach of the specification is a failure that is retried; only 413 is
//! final, whoever says it and however: the same request would be too large again. Where a request is one record, 400 and
//! 422 are final, too: it is that record they speak of.

use bytes::Bytes;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use hyper::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use std::time::Duration;
use uuid::Uuid;

/// Most characters of `errorMessage`. Source: the endpoint specification.
const MOST_MESSAGE_CHARACTERS: usize = 8192;

/// Most characters of an answer that go into a failure's message: the error output repeats it for every record.
const MOST_QUOTED_CHARACTERS: usize = 1024;

/// Longest wait an endpoint may ask for: the cap of Firehose's own back-off.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// Status other than 200.
pub(super) const DESTINATION_EXCEPTION: &str = "HttpEndpoint.DestinationException";

/// An answer that breaks the specification.
pub(super) const INVALID_RESPONSE: &str = "HttpEndpoint.InvalidResponseFromDestination";

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Everything in it is taken.
    Taken,
    /// Nothing of it is taken for sure; it may be sent again.
    Again {
        /// Firehose's code.
        code: &'static str,
        /// What was answered.
        message: String,
        /// The wait the endpoint asks for.
        after: Option<Duration>,
    },
    /// It will never be taken.
    Never {
        /// What was answered.
        message: String,
    },
}

/// The body of an answer. Members beyond these are a breach.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Answer {
    request_id: String,
    timestamp: serde_json::Number,
    error_message: Option<String>,
}

/// Judges the answer to request `id`.
pub(super) fn judge(answer: &Response<Bytes>, id: Uuid) -> Verdict {
    let status = answer.status();
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return Verdict::Never { message: described(answer, "the request is too large for the endpoint") };
    }
    let breach = breach(answer, id);
    if status == StatusCode::OK {
        return match breach {
            None => Verdict::Taken,
            Some(breach) => Verdict::Again { code: INVALID_RESPONSE, message: described(answer, breach), after: None },
        };
    }
    untaken(answer)
}

/// What any other status says: nothing for sure, so it may be sent again.
fn untaken(answer: &Response<Bytes>) -> Verdict {
    let status = answer.status();
    let is_known = status.is_success() || status.is_client_error() || status.is_server_error();
    let (code, what) = match is_known {
        true => (DESTINATION_EXCEPTION, "the endpoint did not take the request"),
        false => (INVALID_RESPONSE, "the status is not one of 2xx, 4xx or 5xx, and redirects are not followed"),
    };
    Verdict::Again { code, message: described(answer, what), after: pause(answer.headers()) }
}

/// Judges the answer to a request that held one record, by what HTTP says: whoever takes it knows nothing of Firehose.
pub(super) fn judge_single(answer: &Response<Bytes>) -> Verdict {
    let status = answer.status();
    if status.is_success() {
        return Verdict::Taken;
    }
    // The record itself is at fault, and would be the next time.
    if matches!(status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY) {
        return Verdict::Never { message: described(answer, "the endpoint refused the record") };
    }
    untaken(answer)
}

/// The first rule that the answer breaks.
fn breach(answer: &Response<Bytes>, id: Uuid) -> Option<&'static str> {
    let headers = answer.headers();
    let only = |name| {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none())
    };
    if only(CONTENT_TYPE).is_none_or(|value| value != "application/json") {
        return Some("Content-Type is not exactly application/json");
    }
    if headers.contains_key(CONTENT_ENCODING) {
        return Some("the answer has a Content-Encoding");
    }
    if !headers.contains_key(CONTENT_LENGTH) {
        return Some("the answer has no Content-Length");
    }
    let Ok(body) = serde_json::from_slice::<Answer>(answer.body()) else {
        return Some(
            "the body is not a JSON object of requestId, timestamp in milliseconds and, if need be, errorMessage",
        );
    };
    if !body.timestamp.is_u64() && !body.timestamp.is_i64() {
        return Some("timestamp is not a whole number of milliseconds");
    }
    if body.error_message.is_some_and(|text| text.chars().count() > MOST_MESSAGE_CHARACTERS) {
        return Some("errorMessage has more than 8192 characters");
    }
    if !body.request_id.eq(&id.to_string()) {
        return Some("requestId is not that of the request");
    }
    None
}

fn described(answer: &Response<Bytes>, what: &str) -> String {
    let body = quoted(answer.body());
    format!("{what}; status {}, body: {body}", answer.status().as_u16())
}

/// The beginning of an answer as text without control characters.
pub(in crate::deliver) fn quoted(body: &[u8]) -> String {
    let most_bytes = body.len().min(4 * MOST_QUOTED_CHARACTERS);
    let text = String::from_utf8_lossy(&body[..most_bytes]);
    let mut quoted: String = text.chars().take(MOST_QUOTED_CHARACTERS).flat_map(escaped).collect();
    if text.chars().nth(MOST_QUOTED_CHARACTERS).is_some() || most_bytes < body.len() {
        quoted.push('…');
    }
    if quoted.is_empty() { "(empty)".to_owned() } else { quoted }
}

fn escaped(letter: char) -> Vec<char> {
    if letter.is_control() { letter.escape_default().collect() } else { vec![letter] }
}

fn pause(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}
