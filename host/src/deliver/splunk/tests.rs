//! The collector's answers, one by one.

use hyper::StatusCode;

use super::answer::{accepted, acknowledged};
use crate::deliver::Verdict;

const RETRY: Verdict = Verdict::Retry(None);

/// Line 7 of the deliveries: every answer that Splunk documents, as the collector gives it.
#[test]
fn every_documented_answer_has_a_meaning() {
    for (status, number, text, code, verdict) in [
        (403, 1, "Token disabled", "Splunk.DisabledToken", RETRY),
        (401, 2, "Token is required", "Splunk.InvalidToken", RETRY),
        (401, 3, "Invalid authorization", "Splunk.InvalidToken", RETRY),
        (403, 4, "Invalid token", "Splunk.InvalidToken", RETRY),
        (400, 5, "No data", "Splunk.InvalidDataFormat", Verdict::Reject),
        (400, 6, "Invalid data format", "Splunk.InvalidDataFormat", Verdict::Reject),
        (400, 7, "Incorrect index", "Splunk.InvalidIndex", RETRY),
        (500, 8, "Internal server error", "Splunk.ServerError", RETRY),
        (503, 9, "Server is busy", "Splunk.ServerError", RETRY),
        (400, 10, "Data channel is missing", "Splunk.ServerError", RETRY),
        (400, 11, "Invalid data channel", "Splunk.ServerError", RETRY),
        (400, 12, "Event field is required", "Splunk.InvalidDataFormat", Verdict::Reject),
        (400, 13, "Event field cannot be blank", "Splunk.InvalidDataFormat", Verdict::Reject),
        (400, 14, "ACK is disabled", "Splunk.DisabledAck", RETRY),
        (400, 15, "Error in handling indexed fields", "Splunk.InvalidDataFormat", Verdict::Reject),
        (400, 16, "Query string authorization is not enabled", "Splunk.ServerError", RETRY),
        (503, 18, "HEC is unhealthy, queues are full", "Splunk.ServerError", RETRY),
        (503, 19, "HEC is unhealthy, ack service unavailable", "Splunk.ServerError", RETRY),
        (503, 20, "HEC is unhealthy, queues are full, ack service unavailable", "Splunk.ServerError", RETRY),
        (503, 23, "Server is shutting down", "Splunk.ServerError", RETRY),
        (429, 26, "HEC queue is full", "Splunk.ServerError", RETRY),
    ] {
        let body = format!(r#"{{"text":"{text}","code":{number},"invalid-event-number":1}}"#);
        let found = accepted(StatusCode::from_u16(status).unwrap(), body.as_bytes()).unwrap_err();
        assert_eq!((found.code, found.verdict), (code, verdict), "{body}");
    }
}

#[test]
fn only_a_number_to_wait_for_is_success() {
    let said = |status: u16, body: &str| accepted(StatusCode::from_u16(status).unwrap(), body.as_bytes());
    assert_eq!(said(200, r#"{"text":"Success","code":0,"ackId":7}"#), Ok(7));
    assert_eq!(said(200, r#"{"text":"Success","code":0}"#).unwrap_err().code, "Splunk.DisabledAck");
    for (status, body, code) in [
        (200, "<html>welcome</html>", "Splunk.InvalidEndpoint"),
        (200, r#"{"ackId":7}"#, "Splunk.InvalidEndpoint"),
        (201, r#"{"text":"Success","code":0,"ackId":7}"#, "Splunk.ServerError"),
        (302, "", "Splunk.InvalidEndpoint"),
        (404, r#"{"text":"The requested URL was not found on this server.","code":404}"#, "Splunk.ServerError"),
        (404, "", "Splunk.InvalidEndpoint"),
        (401, "", "Splunk.InvalidToken"),
        (403, "<html>", "Splunk.InvalidToken"),
        (429, "", "Splunk.ServerError"),
        (502, "<html>", "Splunk.ServerError"),
    ] {
        assert_eq!(said(status, body).unwrap_err().code, code, "{status} {body}");
    }
}

#[test]
fn acknowledgements_are_read_by_their_number() {
    let said = |status: u16, body: &str| acknowledged(StatusCode::from_u16(status).unwrap(), body.as_bytes(), 7);
    assert_eq!(said(200, r#"{"acks":{"7":true}}"#), Ok(true));
    assert_eq!(said(200, r#"{"acks":{"7":false}}"#), Ok(false));
    assert_eq!(said(200, r#"{"acks":{"8":true}}"#), Ok(false));
    for (status, body, code) in [
        (400, r#"{"text":"ACK is disabled","code":14}"#, "Splunk.DisabledAck"),
        (400, r#"{"text":"Invalid data channel","code":11}"#, "Splunk.ProxyWithoutStickySessions"),
        (400, r#"{"text":"Data channel is missing","code":10}"#, "Splunk.ProxyWithoutStickySessions"),
        (403, r#"{"text":"Invalid token","code":4}"#, "Splunk.InvalidToken"),
        (400, r#"{"text":"Invalid data format","code":6}"#, "Splunk.ServerError"),
        (200, "nonsense", "Splunk.InvalidEndpoint"),
        (200, r#"{"acks":7}"#, "Splunk.InvalidEndpoint"),
    ] {
        assert_eq!(said(status, body).unwrap_err().code, code, "{status} {body}");
    }
}
