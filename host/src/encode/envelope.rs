//! The error output's envelope: one JSON line per rejected record, Firehose's members first and in its order. What
//! processing refused begins with the record, what a destination refused with its attempts.
//!
//! After Firehose's come members of our own that a replay needs: where the record stood and which plugin failed it.
//! A record that could not be converted has another line than all others, because Firehose's has.
//! It refuses to compress and to repeat anything of a record outside `rawData`.

use serde::Serialize;

use crate::definition::{Definition, SchemaSource};
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

/// Everything of a line before `rawData`, of a record that its destination did not take.
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

/// Everything of a line of `format-conversion-failed` before `rawData`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConversionHead<'a> {
    attempts_made: u32,
    arrival_timestamp: u64,
    last_error_code: &'a str,
    last_error_message: &'a str,
    attempt_ending_timestamp: u64,
}

/// Everything of such a line behind `rawData`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConversionTail<'a> {
    /// Only records of a Kinesis stream have one.
    sequence_number: Option<&'a str>,
    sub_sequence_number: Option<u64>,
    data_catalog_table: Option<CatalogTable<'a>>,
    stream: &'a str,
    sequence: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CatalogTable<'a> {
    catalog_id: Option<&'a str>,
    database_name: &'a str,
    table_name: &'a str,
    region: &'a str,
    version_id: &'a str,
    catalog_arn: Option<&'a str>,
}

impl<'a> CatalogTable<'a> {
    fn new(source: &'a SchemaSource, definition: &'a Definition) -> Self {
        let given = |text: &'a str| (!text.is_empty()).then_some(text);
        // The fourth part of an ARN is its region.
        let of_stream = definition.arn.split(':').nth(3).unwrap_or_default();
        Self {
            catalog_id: given(&source.catalog_id),
            database_name: &source.database,
            table_name: &source.table,
            region: given(&source.region).unwrap_or(of_stream),
            version_id: given(&source.version_id).unwrap_or("LATEST"),
            catalog_arn: None,
        }
    }
}

/// Member names, numbers and quotes of one line.
const LINE_BYTES: usize = 640;

/// One line per record. `attemptEndingTimestamp` is the instant of sealing: it is durable, so a retry writes it again.
pub(super) fn lines(rejected: Vec<Rejected>, seal: &Seal, definition: &Definition) -> Vec<u8> {
    let mut body = Vec::with_capacity(rejected.iter().map(|record| line_bytes(record, &definition.name)).sum());
    for record in rejected {
        match record.output {
            ErrorOutput::FormatConversionFailed => conversion_line(&record, seal, definition, &mut body),
            output if is_undelivered(output) => undelivered_line(&record, seal, &definition.name, &mut body),
            _ => line(&record, seal, &definition.name, &mut body),
        }
        body.extend_from_slice(b"}\n");
    }
    body.shrink_to_fit();
    body
}

fn is_undelivered(output: ErrorOutput) -> bool {
    use ErrorOutput::{ElasticsearchFailed, HttpEndpointFailed, OpenSearchFailed, SplunkFailed};
    matches!(output, OpenSearchFailed | ElasticsearchFailed | SplunkFailed | HttpEndpointFailed)
}

/// The same of a record that its destination did not take.
fn undelivered_line(record: &Rejected, seal: &Seal, stream: &str, body: &mut Vec<u8>) {
    let head = Head {
        attempts_made: record.attempts,
        arrival_timestamp: record.arrived_ms,
        error_code: &record.code,
        error_message: &record.message,
        attempt_ending_timestamp: seal.sealed_ms,
    };
    body.push(b'{');
    members(&head, body);
    body.push(b',');
    // Firehose names a document before its bytes, and what went to Splunk or an HTTP endpoint behind them.
    let is_document = matches!(record.output, ErrorOutput::OpenSearchFailed | ErrorOutput::ElasticsearchFailed);
    if is_document {
        names(record, body);
        raw_data(record, body);
        body.push(b',');
    } else {
        raw_data(record, body);
        body.push(b',');
        names(record, body);
    }
    members(&Place { stream, sequence: record.sequence }, body);
}

/// What names a record at its destination, each member with a comma behind it.
fn names(record: &Rejected, body: &mut Vec<u8>) {
    for (name, value) in &record.names {
        // Text into memory: nothing here can fail.
        serde_json::to_writer(&mut *body, name).unwrap_or_default();
        body.push(b':');
        serde_json::to_writer(&mut *body, value).unwrap_or_default();
        body.push(b',');
    }
}

/// A line without its closing brace.
fn line(record: &Rejected, seal: &Seal, stream: &str, body: &mut Vec<u8>) {
    body.push(b'{');
    raw_data(record, body);
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
    body.push(b',');
    members(&tail, body);
}

/// The same of a record that could not be converted.
fn conversion_line(record: &Rejected, seal: &Seal, definition: &Definition, body: &mut Vec<u8>) {
    let head = ConversionHead {
        attempts_made: record.attempts,
        arrival_timestamp: record.arrived_ms,
        last_error_code: &record.code,
        last_error_message: &record.message,
        attempt_ending_timestamp: seal.sealed_ms,
    };
    let tail = ConversionTail {
        sequence_number: None,
        sub_sequence_number: None,
        data_catalog_table: definition.conversion.as_ref().map(|one| CatalogTable::new(&one.schema, definition)),
        stream: &definition.name,
        sequence: record.sequence,
    };
    body.push(b'{');
    members(&head, body);
    body.push(b',');
    raw_data(record, body);
    body.push(b',');
    members(&tail, body);
}

fn raw_data(record: &Rejected, body: &mut Vec<u8>) {
    body.extend_from_slice(b"\"rawData\":\"");
    base64_simd::STANDARD.encode_append(&record.data, body);
    body.push(b'"');
}

/// The members of `value` without the braces around them.
fn members(value: &impl Serialize, body: &mut Vec<u8>) {
    let start = body.len();
    // Text and numbers into memory: nothing here can fail.
    serde_json::to_writer(&mut *body, value).unwrap_or_default();
    body.pop();
    body.remove(start);
}

/// About what a line takes; escapes in the message may make it longer.
fn line_bytes(record: &Rejected, stream: &str) -> usize {
    let plugin_bytes = record.plugin.as_ref().map_or(0, |plugin| plugin.name.len() + plugin.digest.len());
    let text_bytes = record.message.len() + record.code.len() + record.lambda_arn.as_ref().map_or(0, String::len);
    record.data.len().div_ceil(3) * 4 + text_bytes + plugin_bytes + stream.len() + LINE_BYTES
}
