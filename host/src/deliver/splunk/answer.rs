//! What the collector's answers mean, in Firehose's words. Pure.

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde::Deserialize;

use crate::deliver::Verdict;

/// What a failed answer is called, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) code: &'static str,
    pub(super) verdict: Verdict,
}

pub(super) const DISABLED_ACK: Meaning = again("Splunk.DisabledAck");
pub(super) const INVALID_ENDPOINT: Meaning = again("Splunk.InvalidEndpoint");
const DISABLED_TOKEN: Meaning = again("Splunk.DisabledToken");
const INVALID_TOKEN: Meaning = again("Splunk.InvalidToken");
const INVALID_INDEX: Meaning = again("Splunk.InvalidIndex");
const SERVER_ERROR: Meaning = again("Splunk.ServerError");
const NO_STICKY_SESSIONS: Meaning = again("Splunk.ProxyWithoutStickySessions");
/// The only one that another attempt cannot mend: the bytes stay what they are.
const INVALID_DATA: Meaning = Meaning { code: "Splunk.InvalidDataFormat", verdict: Verdict::Reject };

const fn again(code: &'static str) -> Meaning {
    Meaning { code, verdict: Verdict::Retry(None) }
}

/// Which of the collector's services answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// `raw` or `event`.
    Collector,
    /// `ack`.
    Acknowledgement,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    code: Option<u32>,
    ack_id: Option<u64>,
    acks: Option<BTreeMap<String, bool>>,
}

/// The number under which the indexer will acknowledge what was sent.
pub(super) fn accepted(status: StatusCode, body: &[u8]) -> Result<u64, Meaning> {
    let reply: Option<Reply> = serde_json::from_slice(body).ok();
    match (status, reply) {
        // Splunk says 0 for success; without a number there is nothing to wait for, and so no proof.
        (StatusCode::OK, Some(Reply { code: Some(0), ack_id, .. })) => ack_id.ok_or(DISABLED_ACK),
        // Somebody answers, but no collector.
        (StatusCode::OK, None | Some(Reply { code: None, .. })) => Err(INVALID_ENDPOINT),
        (status, reply) => Err(refused(status, reply.and_then(|reply| reply.code), Service::Collector)),
    }
}

/// Whether what was sent under `id` is indexed by now.
pub(super) fn acknowledged(status: StatusCode, body: &[u8], id: u64) -> Result<bool, Meaning> {
    let reply: Option<Reply> = serde_json::from_slice(body).ok();
    match (status, reply) {
        (StatusCode::OK, Some(Reply { acks: Some(acks), .. })) => {
            Ok(acks.get(&id.to_string()).copied().unwrap_or(false))
        }
        (StatusCode::OK, None) => Err(INVALID_ENDPOINT),
        (status, reply) => Err(refused(status, reply.and_then(|reply| reply.code), Service::Acknowledgement)),
    }
}

/// By the collector's own number where there is one: the status alone says 400 to seven different things.
/// Source: Splunk's table of HEC answers.
fn refused(status: StatusCode, code: Option<u32>, service: Service) -> Meaning {
    match (code, service) {
        (Some(1), _) => DISABLED_TOKEN,
        // Token is required; invalid authorization; invalid token.
        (Some(2..=4), _) => INVALID_TOKEN,
        (Some(7), _) => INVALID_INDEX,
        (Some(14), _) => DISABLED_ACK,
        // No data; invalid data format; event field required, blank; indexed fields.
        (Some(5 | 6 | 12 | 13 | 15), Service::Collector) => INVALID_DATA,
        // The channel was opened at another indexer than the one that is asked now.
        (Some(10 | 11), Service::Acknowledgement) => NO_STICKY_SESSIONS,
        // Internal error; busy; queues full; shutting down; and whatever comes later.
        (Some(_), _) => SERVER_ERROR,
        (None, _) => match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => INVALID_TOKEN,
            _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => SERVER_ERROR,
            _ => INVALID_ENDPOINT,
        },
    }
}
