//! The values that stages pass to each other: records in columns, and what each hop makes of them.
//!
//! Each hop has its own type, so that an un-encoded batch cannot be delivered and an un-journaled record cannot be
//! processed. Plain data only: nothing here does I/O, waits, or knows a stage.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Number of a stream, given at creation and never used again, not even after the stream is deleted.
/// Names never reach the disk layout; this number does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(pub u32);

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Place of a record in its stream, counted from 0 without holes. Ranges of sequence numbers are half open.
pub type Sequence = u64;

/// A dictionary-coded text column: the value of record `i` is `dictionary[codes[i] - 1]`; code 0 means "not set".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Plain names are partition keys; names beginning with `$` are reserved (`$document-id`, `$index`, …).
    pub name: String,
    /// Distinct values.
    pub dictionary: Vec<String>,
    /// One code per record.
    pub codes: Vec<u32>,
}

/// Records laid end to end: record `i` is `payload[ends[i - 1]..ends[i]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    payload: Bytes,
    ends: Vec<u32>,
    columns: Vec<Column>,
}

/// Why columns handed to [`Records::new`] do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordsError {
    /// An end offset is smaller than the one before it.
    #[error("end offset of record {0} is smaller than the one before it")]
    EndsDecrease(usize),
    /// The last end offset is not the payload's length.
    #[error("last end offset is {end} but the payload has {length} bytes")]
    EndsMismatch {
        /// Last end offset, 0 when there is none.
        end: u32,
        /// Payload length in bytes.
        length: usize,
    },
    /// A column has another number of codes than there are records, or a code outside its dictionary.
    #[error("column {0} does not fit the records")]
    Column(usize),
}

impl Records {
    /// Checks that `ends` never decreases and closes on the payload's length, and that columns fit.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn new(payload: Bytes, ends: Vec<u32>, columns: Vec<Column>) -> Result<Self, RecordsError> {
        if let Some(at) = ends.windows(2).position(|pair| pair[1] < pair[0]) {
            return Err(RecordsError::EndsDecrease(at + 1));
        }
        let end = ends.last().copied().unwrap_or(0);
        if end as usize != payload.len() {
            return Err(RecordsError::EndsMismatch { end, length: payload.len() });
        }
        for (at, column) in columns.iter().enumerate() {
            let known = column.dictionary.len();
            if column.codes.len() != ends.len() || column.codes.iter().any(|&code| code as usize > known) {
                return Err(RecordsError::Column(at));
            }
        }
        Ok(Self { payload, ends, columns })
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when there is no record (a record may be empty and still be one).
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All records' bytes, end to end.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// End offset of each record in [`Self::payload`].
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Dictionary-coded columns; usually none.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Byte range of record `at` in the payload.
    ///
    /// # Panics
    /// When there is no record `at`.
    pub fn range(&self, at: usize) -> Range<usize> {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        start..self.ends[at] as usize
    }

    /// Bytes of record `at`.
    ///
    /// # Panics
    /// When there is no record `at`.
    pub fn record(&self, at: usize) -> &[u8] {
        &self.payload[self.range(at)]
    }

    /// Every record in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|at| self.record(at))
    }
}

/// Consecutive records of one stream as the journal gives them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Owner.
    pub stream: StreamId,
    /// Sequence number of the first record; the others follow without a hole.
    pub first: Sequence,
    /// Arrival of each record, milliseconds since 1970.
    pub arrived_ms: Vec<u64>,
    /// The records.
    pub records: Records,
}

impl Batch {
    /// Sequence number after the last record.
    pub fn end(&self) -> Sequence {
        self.first + self.records.len() as u64
    }
}

/// A plugin at one version: what rules a range of records and what an error output names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PluginVersion {
    /// File name without `.wasm`; the function name of the processor's `LambdaArn`.
    pub name: String,
    /// SHA-256 of the component as published, lower-case hexadecimal.
    pub digest: String,
}

/// From which record on a definition version and plugin versions rule: what makes a replay use the same code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Stream it is about.
    pub stream: StreamId,
    /// First record it rules.
    pub from: Sequence,
    /// [`crate::definition::Definition::version`] in force.
    pub definition_version: u32,
    /// Plugins in the order of the definition's processors.
    pub plugins: Vec<PluginVersion>,
}

/// Kinds of error output, by the name that stands in object keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorOutput {
    /// A plugin failed the record or the call.
    ProcessingFailed,
}

impl ErrorOutput {
    /// Value of `!{firehose:error-output-type}`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProcessingFailed => "processing-failed",
        }
    }
}

/// Where a record of a stream is collected: each partition has its own buffer, cut points and sealed-up-to mark.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Partition {
    /// The destination's own prefix.
    Main,
    /// The error output.
    Error(ErrorOutput),
}

/// One record that a stage gave up on, with its original bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its place in the stream.
    pub sequence: Sequence,
    /// Its arrival, milliseconds since 1970.
    pub arrived_ms: u64,
    /// The record as it was put.
    pub data: Bytes,
    /// Which error output it goes to.
    pub output: ErrorOutput,
    /// Firehose's code, for instance `Lambda.ProcessingFailedStatus`.
    pub code: &'static str,
    /// What went wrong; never holds payload.
    pub message: String,
    /// How often processing was tried.
    pub attempts: u32,
    /// `LambdaArn` of the processor that failed it.
    pub lambda_arn: Option<String>,
    /// The plugin that failed it.
    pub plugin: Option<PluginVersion>,
}

/// Which input each output record came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Output `i` is made of input `i`.
    Identity,
    /// Index of the input for each output, never decreasing.
    Inputs(Vec<u32>),
}

/// What processing made of one [`Batch`]: every input is an output, a drop or a rejection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transformed {
    /// Owner.
    pub stream: StreamId,
    /// Sequence numbers of all inputs.
    pub inputs: Range<Sequence>,
    /// Arrival of each input, milliseconds since 1970.
    pub arrived_ms: Vec<u64>,
    /// Records to deliver.
    pub outputs: Records,
    /// Inputs of the outputs.
    pub origins: Origins,
    /// Inputs that failed, by rising sequence number.
    pub rejected: Vec<Rejected>,
    /// Inputs dropped on purpose.
    pub dropped_count: u64,
}

impl Transformed {
    /// Index of the input that output `at` came from.
    pub fn input_of(&self, at: usize) -> usize {
        match &self.origins {
            Origins::Identity => at,
            Origins::Inputs(inputs) => inputs[at] as usize,
        }
    }
}

/// What a sealed batch holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Transformed records laid end to end.
    Records(Vec<u8>),
    /// Records for the error output, one line each once encoded.
    Rejected(Vec<Rejected>),
}

/// The plan of one delivery, made durable before anything is sent. Everything sent derives from it, so a retry,
/// even after a crash, overwrites itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Identity of the batch, and the uuid in the object's name.
    pub id: Uuid,
    /// Owner.
    pub stream: StreamId,
    /// Which of the stream's buffers was cut.
    pub partition: Partition,
    /// Sequence number of the first input whose output may be in here.
    pub first: Sequence,
    /// Sequence number after the last input whose outputs are in here; the partition is sealed up to it.
    pub end: Sequence,
    /// Every input below it is sealed, dropped, or both, in all partitions of the stream, once this seal is durable.
    pub open_from: Sequence,
    /// Definition whose destination settings rule this batch.
    pub definition_version: u32,
    /// Bucket name.
    pub bucket: String,
    /// Object key.
    pub key: String,
    /// Records inside.
    pub record_count: u64,
    /// Bytes inside before encoding.
    pub content_bytes: u64,
    /// Arrival of the oldest record, milliseconds since 1970: the instant in names.
    pub oldest_arrived_ms: u64,
    /// When it was sealed, milliseconds since 1970.
    pub sealed_ms: u64,
}

/// A durable seal with its content, ready for encoding.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The plan.
    pub seal: Arc<Seal>,
    /// What it promised.
    pub content: Content,
}

/// An object ready for delivery.
#[derive(Clone, Debug)]
pub struct Object {
    /// The plan it fulfils.
    pub seal: Arc<Seal>,
    /// Encoded bytes.
    pub body: Bytes,
    /// HTTP `Content-Encoding`.
    pub content_encoding: Option<&'static str>,
    /// KMS key for server-side encryption.
    pub kms_key_arn: Option<String>,
}
