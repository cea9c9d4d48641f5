//! One failure: a line of an error output, in any of the forms that this host and Amazon's service write.
//!
//! Lenient where captures and documents of the service differ: numbers may be text, members may be written as in older
//! pages. Strict about the record: a line without readable `rawData` is no failure.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// A failure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Firehose's code, `Lambda.ProcessingFailedStatus`; of a document, the status.
    pub code: String,
    /// What went wrong.
    pub message: String,
    /// How often it was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u64>,
    /// Arrival of the record, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrived_ms: Option<u64>,
    /// When the last attempt ended, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// ARN of the function that failed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda_arn: Option<String>,
    /// The plugin that failed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin_name: Option<String>,
    /// Its digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin_digest: Option<String>,
    /// Id of the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_id: Option<String>,
    /// Index of the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// What was to be done with the document, where its plugin said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Routing of the document, where its plugin said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing: Option<String>,
    /// The record.
    #[serde(rename = "rawData", serialize_with = "encoded", deserialize_with = "decoded")]
    pub data: Bytes,
}

/// Why a line is no failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON object.
    #[error("the line is no JSON object")]
    Json,
    /// It has no record, or one that is not in base64.
    #[error("the line has no rawData in base64")]
    Data,
    /// It is longer than is read.
    #[error("the line is longer than {0} bytes")]
    Long(usize),
}

impl Failure {
    /// Understands a line.
    ///
    /// # Errors
    /// It holds no record that could be had.
    pub fn parse(line: &[u8]) -> Result<Self, Unreadable> {
        let mut members: Map<String, Value> = serde_json::from_slice(line).map_err(|_| Unreadable::Json)?;
        let data = match members.remove("rawData") {
            Some(Value::String(text)) => decode(&text).ok_or(Unreadable::Data)?,
            _ => return Err(Unreadable::Data),
        };
        let mut text = |names: &[&str]| names.iter().find_map(|name| plain(members.remove(*name)?));
        Ok(Self {
            code: text(&["errorCode", "lastErrorCode", "ErrorCode"]).unwrap_or_default(),
            message: text(&["errorMessage", "lastErrorMessage", "ErrorMessage"]).unwrap_or_default(),
            attempts: text(&["attemptsMade"]).and_then(|count| count.parse().ok()),
            arrived_ms: text(&["arrivalTimestamp"]).as_deref().and_then(instant),
            ended_ms: text(&["attemptEndingTimestamp"]).as_deref().and_then(instant),
            lambda_arn: text(&["lambdaARN", "lambdaArn"]),
            plugin_name: text(&["pluginName"]),
            plugin_digest: text(&["pluginDigest"]),
            document_id: text(&["esDocumentId", "osDocumentId"]),
            index: text(&["esIndexName", "osIndexName"]),
            operation: text(&["operation"]),
            routing: text(&["routing"]),
            data,
        })
    }

    /// When it happened, as far as the line says: the end of the last attempt, else the arrival.
    pub fn at_ms(&self) -> Option<u64> {
        self.ended_ms.or(self.arrived_ms)
    }
}

/// Milliseconds since 1970; an instant as text is understood, too.
fn instant(text: &str) -> Option<u64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok()
}

/// A member as text; nothing when it is empty, or has parts.
fn plain(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn decode(text: &str) -> Option<Bytes> {
    base64_simd::forgiving_decode_to_vec(text.as_bytes()).ok().map(Bytes::from)
}

fn encoded<S: Serializer>(data: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&base64_simd::STANDARD.encode_to_string(data))
}

fn decoded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    decode(&text).ok_or_else(|| serde::de::Error::custom("rawData is not in base64"))
}
