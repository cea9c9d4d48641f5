//! The error output's envelope: one JSON line per rejected record, Firehose's members first and in its order. What
//! processing refused begins with the record, what a destination refused with its attempts.
//!
//! After `lambdaARN` come members of our own that a replay needs: where the record stood and which plugin failed it.
//! It refuses to compress and to repeat anything of a record outside `rawData`.

use serde::Serialize;

use crate::record::{ErrorOutput, Rejected, Seal};

/// Everything of a line behind `rawData`, in the order it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tail<'a> {
    error_code: &'a str,
    error_message: &'a str,
    attempts_made: u32,
    arrival_timestamp: u64,
    attempt_ending_timestamp: u64,
    #[serde(rename = "lambdaARN", skip_serializing_if = "Option::is_none")]
    lambda_arn: Option<&'a str>,
    stream: &'a str,
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin_digest: Option<&'a str>,
}

/// Everything of a line before `rawData`, of a record that its destination did not take. What names it there follows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    attempts_made: u32,
    arrival_timestamp: u64,
    error_code: &'a str,
    error_message: &'a str,
    attempt_ending_timestamp: u64,
}

/// Where the record stood in the stream, for a replay.
#[derive(Serialize)]
struct Place<'a> {
    stream: &'a str,
    sequence: u64,
}

/// Member names, numbers and quotes of one line.
const LINE_BYTES: usize = 384;

/// One line per record. `attemptEndingTimestamp` is the instant of sealing: it is durable, so a retry writes it again.
pub(super) fn lines(rejected: Vec<Rejected>, seal: &Seal, stream: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(rejected.iter().map(|record| line_bytes(record, stream)).sum());
    for record in rejected {
        if is_undelivered(record.output) {
            undelivered_line(&record, seal, stream, &mut body);
            continue;
        }
        body.extend_from_slice(b"{\"rawData\":\"");
        base64_simd::STANDARD.encode_append(&record.data, &mut body);
        body.push(b'"');
        let start = body.len();
        let plugin = record.plugin.as_ref();
        let tail = Tail {
            error_code: &record.code,
            error_message: &record.message,
            attempts_made: record.attempts,
            arrival_timestamp: record.arrived_ms,
            attempt_ending_timestamp: seal.sealed_ms,
            lambda_arn: record.lambda_arn.as_deref(),
            stream,
            sequence: record.sequence,
            plugin_name: plugin.map(|plugin| plugin.name.as_str()),
            plugin_digest: plugin.map(|plugin| plugin.digest.as_str()),
        };
        // Text and numbers into memory: nothing here can fail.
        serde_json::to_writer(&mut body, &tail).unwrap_or_default();
        if let Some(brace) = body.get_mut(start) {
            *brace = b',';
        }
        body.push(b'\n');
    }
    body.shrink_to_fit();
    body
}

fn is_undelivered(output: ErrorOutput) -> bool {
    use ErrorOutput::{ElasticsearchFailed, HttpEndpointFailed, OpenSearchFailed, SplunkFailed};
    matches!(output, OpenSearchFailed | ElasticsearchFailed | SplunkFailed | HttpEndpointFailed)
}

/// Text and numbers into memory: nothing here can fail.
fn undelivered_line(record: &Rejected, seal: &Seal, stream: &str, body: &mut Vec<u8>) {
    let head = Head {
        attempts_made: record.attempts,
        arrival_timestamp: record.arrived_ms,
        error_code: &record.code,
        error_message: &record.message,
        attempt_ending_timestamp: seal.sealed_ms,
    };
    serde_json::to_writer(&mut *body, &head).unwrap_or_default();
    // The closing brace gives way to the members that follow.
    body.pop();
    for (name, value) in &record.names {
        body.push(b',');
        serde_json::to_writer(&mut *body, name).unwrap_or_default();
        body.push(b':');
        serde_json::to_writer(&mut *body, value).unwrap_or_default();
    }
    body.extend_from_slice(b",\"rawData\":\"");
    base64_simd::STANDARD.encode_append(&record.data, body);
    body.push(b'"');
    let start = body.len();
    serde_json::to_writer(&mut *body, &Place { stream, sequence: record.sequence }).unwrap_or_default();
    if let Some(brace) = body.get_mut(start) {
        *brace = b',';
    }
    body.push(b'\n');
}

/// About what a line takes; escapes in the message may make it longer.
fn line_bytes(record: &Rejected, stream: &str) -> usize {
    let plugin_bytes = record.plugin.as_ref().map_or(0, |plugin| plugin.name.len() + plugin.digest.len());
    let text_bytes = record.message.len() + record.code.len() + record.lambda_arn.as_ref().map_or(0, String::len);
    record.data.len().div_ceil(3) * 4 + text_bytes + plugin_bytes + stream.len() + LINE_BYTES
}
