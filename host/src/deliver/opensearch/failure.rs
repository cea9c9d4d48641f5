//! What it means when a whole request fails: one table from statuses and broken connections to a verdict and a code.
//! Refuses to reject: whether a single document is at fault is found out by sending it alone.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::RETRY_AFTER;
use hyper::{Response, StatusCode};
use serde_json::Value;

use super::answer::message;
use crate::deliver::client::{SendError, SendErrorKind};
use crate::deliver::{DeliveryError, Verdict};

/// Least wait when people have to act: short enough to feel immediate after the repair, long enough not to spin.
const PEOPLE_PAUSE: Duration = Duration::from_secs(15);

/// Longest `Retry-After` believed; a server must not park a stream for a day.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// What an answer without items asks for.
#[derive(Debug)]
pub(super) enum Whole {
    /// The request is too large: try its halves. With what to say of a single document.
    Smaller(String),
    /// The request cannot be parsed or breaks a rule: a document in it may be at fault.
    Suspect(String),
    /// Another attempt of the same.
    Again(DeliveryError),
}

/// Judges an answer that is not a success. `endpoint` is for people.
pub(super) fn judge(endpoint: &str, answer: &Response<Bytes>) -> Whole {
    let status = answer.status();
    let said = said(answer.body());
    let retry_after = retry_after(answer);
    let again = |code: &'static str, least: Option<Duration>| {
        let text = format!("{endpoint} answered a bulk request with {status}: {said}");
        Whole::Again(DeliveryError { verdict: Verdict::Retry(retry_after.or(least)), code, text, source: None })
    };
    match status.as_u16() {
        413 => Whole::Smaller(said),
        // A setting of the cluster, which no choice of documents gets around.
        400 if said.contains("explicit index") => again("OpenSearch.ExplicitIndexNotAllowed", Some(PEOPLE_PAUSE)),
        // Only the server itself has read the documents: what a gateway refuses is its own affair.
        400 if has_error(answer.body()) => Whole::Suspect(said),
        401 => again("OpenSearch.Unauthorized", Some(PEOPLE_PAUSE)),
        403 => again("OpenSearch.AccessDenied", Some(PEOPLE_PAUSE)),
        404 => again("OpenSearch.NotFound", Some(PEOPLE_PAUSE)),
        429 => again("OpenSearch.TooManyRequests", None),
        300..=399 => again("OpenSearch.Redirected", Some(PEOPLE_PAUSE)),
        408 => again("OpenSearch.Timeout", None),
        502..=504 => again("OpenSearch.Unavailable", None),
        500..=599 => again("OpenSearch.InternalError", None),
        _ => again("OpenSearch.RequestRefused", Some(PEOPLE_PAUSE)),
    }
}

/// Judges a request without an answer.
pub(super) fn unanswered(endpoint: &str, failed: SendError) -> DeliveryError {
    let (code, least) = match failed.kind {
        SendErrorKind::Refused => ("OpenSearch.EndpointNotAllowed", Some(PEOPLE_PAUSE)),
        SendErrorKind::Invalid => ("OpenSearch.InvalidEndpoint", Some(PEOPLE_PAUSE)),
        SendErrorKind::Unresolved | SendErrorKind::Connect => ("OpenSearch.ConnectionFailed", None),
        SendErrorKind::Tls => ("OpenSearch.SSLHandshake", None),
        SendErrorKind::TimedOut { .. } => ("OpenSearch.Timeout", None),
        SendErrorKind::Cut { .. } => ("OpenSearch.ConnectionReset", None),
        SendErrorKind::TooLarge => ("OpenSearch.AnswerTooLarge", None),
    };
    let text = format!("no answer of {endpoint} to a bulk request: {failed}");
    DeliveryError { verdict: Verdict::Retry(least), code, text, source: Some(Box::new(failed)) }
}

/// An answer that says success and cannot be believed.
pub(super) fn unreadable(endpoint: &str, why: &super::answer::Unreadable) -> DeliveryError {
    let text = format!("the answer of {endpoint} to a bulk request is of no use: {why}");
    DeliveryError { verdict: Verdict::Retry(None), code: "OpenSearch.UnreadableAnswer", text, source: None }
}

/// True for the shape of OpenSearch's own errors.
fn has_error(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| body.get("error").is_some())
}

/// The reason in an error's body, which is JSON of OpenSearch, JSON of a gateway, or a page of a proxy.
fn said(body: &[u8]) -> String {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return "no further explanation".to_owned() };
    let gateway = body.get("message").or_else(|| body.get("Message"));
    message(body.get("error").or(gateway))
}

fn retry_after(answer: &Response<Bytes>) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

/// True when credentials may be stale.
pub(super) fn is_denied(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 403)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<&str>, body: &str) -> Response<Bytes> {
        let mut answer = Response::builder().status(status);
        if let Some(value) = retry_after {
            answer = answer.header(RETRY_AFTER, value);
        }
        answer.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
    }

    /// Row X5: a whole request is sent again, in halves, or doubted, by status.
    #[test]
    fn each_status_of_a_whole_request_has_its_code_and_pause() {
        let people = Some(PEOPLE_PAUSE);
        for (status, code, pause) in [
            (307, "OpenSearch.Redirected", people),
            (400, "OpenSearch.RequestRefused", people),
            (401, "OpenSearch.Unauthorized", people),
            (403, "OpenSearch.AccessDenied", people),
            (404, "OpenSearch.NotFound", people),
            (405, "OpenSearch.RequestRefused", people),
            (408, "OpenSearch.Timeout", None),
            (429, "OpenSearch.TooManyRequests", None),
            (500, "OpenSearch.InternalError", None),
            (502, "OpenSearch.Unavailable", None),
            (503, "OpenSearch.Unavailable", None),
            (504, "OpenSearch.Unavailable", None),
        ] {
            let Whole::Again(error) = judge("http://x", &answer(status, None, "<html>")) else { panic!("{status}") };
            assert_eq!((error.code, error.verdict), (code, Verdict::Retry(pause)), "{status}");
        }
        assert!(matches!(judge("http://x", &answer(413, None, "")), Whole::Smaller(_)));
        let unparsed = r#"{"error":{"type":"parse_exception","reason":"x"},"status":400}"#;
        assert!(matches!(judge("http://x", &answer(400, None, unparsed)), Whole::Suspect(_)));
        let closed = r#"{"error":{"type":"illegal_argument_exception","reason":"explicit index in bulk is not allowed"},"status":400}"#;
        let Whole::Again(error) = judge("http://x", &answer(400, None, closed)) else { panic!("a setting") };
        assert_eq!(error.code, "OpenSearch.ExplicitIndexNotAllowed");
    }

    #[test]
    fn a_pause_that_is_asked_for_is_kept_up_to_a_limit() {
        for (asked, kept) in [("7", Some(7)), ("100000", Some(300)), ("Fri, 31 Dec 1999 23:59:59 GMT", None)] {
            let Whole::Again(error) = judge("http://x", &answer(429, Some(asked), "")) else { panic!("{asked}") };
            assert_eq!(error.verdict, Verdict::Retry(kept.map(Duration::from_secs)), "{asked}");
        }
    }

    #[test]
    fn what_gateways_say_is_repeated_in_brief() {
        let told = |body: &str| said(body.as_bytes());
        assert_eq!(told(r#"{"message":"The security token is expired"}"#), "The security token is expired");
        assert_eq!(told(r#"{"error":{"type":"t","reason":"r\u0000"}}"#), "t: r");
        assert_eq!(told("<html>"), "no further explanation");
        assert_eq!(told(&format!(r#"{{"Message":"{}"}}"#, "x".repeat(1_000))).len(), 300);
    }
}
