//! The values that stages pass to each other: records in columns, and what each hop makes of them.
//!
//! Each hop has its own type, so that an un-encoded batch cannot be delivered and an un-journaled record cannot be
//! processed. Plain data only: nothing here does I/O, waits, or knows a stage.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::spool::SpoolFile;

mod replay;
mod sequences;

pub use replay::{Course, Lines, MOST_RANGES, NotAnObject, ObjectId, Replay, ReplayRefusal, Replayed};
pub use sequences::{NotSequences, Sequences};

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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Plain names are partition keys; names beginning with `$` are reserved (`$document-id`, `$index`, …).
    pub name: String,
    /// Distinct values.
    pub dictionary: Vec<String>,
    /// One code per record.
    pub codes: Vec<u32>,
}

impl Column {
    /// The columns of consecutive parts as one set; a part without a column leaves it unset for its records.
    fn concat(parts: &[&Records]) -> Vec<Self> {
        let mut columns: Vec<Self> = Vec::new();
        let mut before = 0;
        for part in parts {
            for from in &part.columns {
                let at = columns.iter().position(|known| known.name == from.name).unwrap_or_else(|| {
                    columns.push(Self { name: from.name.clone(), ..Self::default() });
                    columns.len() - 1
                });
                let into = &mut columns[at];
                into.codes.resize(before, 0);
                let shift = u32::try_from(into.dictionary.len()).unwrap_or(u32::MAX);
                into.codes.extend(from.codes.iter().map(|&code| if code == 0 { 0 } else { code + shift }));
                into.dictionary.extend_from_slice(&from.dictionary);
            }
            before += part.len();
            for column in &mut columns {
                column.codes.resize(before, 0);
            }
        }
        columns
    }
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

    /// Records `range` alone, sharing the payload.
    ///
    /// # Panics
    /// When the range reaches beyond the records.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let start = if range.start == 0 { 0 } else { self.ends[range.start - 1] };
        let ends: Vec<u32> = self.ends[range.clone()].iter().map(|end| end - start).collect();
        let length = ends.last().copied().unwrap_or(0) as usize;
        let payload = self.payload.slice(start as usize..start as usize + length);
        let column = |column: &Column| Column { codes: column.codes[range.clone()].to_vec(), ..column.clone() };
        Self { payload, ends, columns: self.columns.iter().map(column).collect() }
    }

    /// Records of all parts, one after another. Columns are kept when every part has the same ones.
    pub fn concat(parts: &[&Self]) -> Self {
        let mut payload = Vec::with_capacity(parts.iter().map(|part| part.payload.len()).sum());
        let mut ends = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            let start = ends.last().copied().unwrap_or(0);
            payload.extend_from_slice(&part.payload);
            ends.extend(part.ends.iter().map(|end| start + end));
        }
        Self { payload: payload.into(), ends, columns: Column::concat(parts) }
    }

    /// The records at these rising indexes, copied.
    ///
    /// # Panics
    /// When there is no such record.
    pub fn select(&self, keep: &[usize]) -> Self {
        let mut payload = Vec::with_capacity(keep.iter().map(|&at| self.range(at).len()).sum());
        let mut ends = Vec::with_capacity(keep.len());
        for &at in keep {
            payload.extend_from_slice(self.record(at));
            // A part is not longer than the whole, whose ends have 32 bits.
            ends.push(u32::try_from(payload.len()).unwrap_or(u32::MAX));
        }
        let pick = |column: &Column| Column {
            name: column.name.clone(),
            dictionary: column.dictionary.clone(),
            codes: keep.iter().map(|&at| column.codes[at]).collect(),
        };
        Self { payload: payload.into(), ends, columns: self.columns.iter().map(pick).collect() }
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
    /// The way that all of them take.
    pub course: Course,
}

impl Batch {
    /// Sequence number after the last record.
    pub fn end(&self) -> Sequence {
        self.first + self.records.len() as u64
    }
}

/// How often a batch may be running while the process dies before it is run in parts, and how often a record may do so
/// alone before it goes to the error output. Three, so that an operator's kills blame nobody.
pub const FATAL_ATTEMPTS: u32 = 3;

/// A plugin at one version: what rules a range of records and what an error output names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PluginVersion {
    /// File name without `.wasm`; the function name of the processor's `LambdaArn`.
    pub name: String,
    /// SHA-256 of the component as published, lower-case hexadecimal; or the word of a [`StandIn`].
    pub digest: String,
}

impl PluginVersion {
    /// `stand_in` at the place of the plugin `name`.
    pub fn replaced(name: &str, stand_in: StandIn) -> Self {
        Self { name: name.to_owned(), digest: stand_in.as_str().to_owned() }
    }

    /// What works in place of the plugin, if anything does.
    pub fn stand_in(&self) -> Option<StandIn> {
        StandIn::ALL.into_iter().find(|stand_in| self.digest == stand_in.as_str())
    }
}

/// What works in place of a plugin that keeps failing. Stands in epochs where a digest would, so that a replay makes
/// the same of the same records; no SHA-256 in hexadecimal is such a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandIn {
    /// Every record goes to the error output.
    DeadLetter,
    /// Every record goes on as it is.
    PassThrough,
}

impl StandIn {
    /// Both, in the order in which they are counted.
    pub const ALL: [Self; 2] = [Self::DeadLetter, Self::PassThrough];

    /// The word in journals, error outputs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeadLetter => "dead-letter",
            Self::PassThrough => "pass-through",
        }
    }
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
    /// A plugin failed the record or the call, or a partition key cannot be had of it.
    ProcessingFailed,
    /// A record that was to be decompressed is not compressed, or too large when it is not.
    DecompressionFailed,
    /// A record does not fit its table.
    FormatConversionFailed,
    /// It belongs to a partition for which there is no room.
    ActivePartitionExceeded,
    /// OpenSearch refused the document, or stayed away for longer than is waited.
    OpenSearchFailed,
    /// The same, of a stream that was created with the older shape.
    ElasticsearchFailed,
    /// Splunk stayed away, or did not acknowledge.
    SplunkFailed,
    /// The HTTP endpoint stayed away, or refused.
    HttpEndpointFailed,
}

impl ErrorOutput {
    /// Value of `!{firehose:error-output-type}`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProcessingFailed => "processing-failed",
            Self::DecompressionFailed => "decompression-failed",
            Self::FormatConversionFailed => "format-conversion-failed",
            Self::ActivePartitionExceeded => "activePartitionExceeded",
            Self::OpenSearchFailed => "AmazonOpenSearchService-failed",
            Self::ElasticsearchFailed => "elasticsearch-failed",
            Self::SplunkFailed => "splunk-failed",
            Self::HttpEndpointFailed => "http-endpoint-failed",
        }
    }
}

/// Where a record of a stream is collected: each partition has its own buffer, cut points and sealed-up-to mark.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Partition {
    /// The destination.
    Main,
    /// A partition of the destination: the values of its keys, in the order of
    /// [`Partitioning::keys`](crate::definition::Partitioning::keys).
    Keyed(Vec<String>),
    /// The error output.
    Error(ErrorOutput),
    /// Records as they came.
    Source,
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
    pub code: Cow<'static, str>,
    /// What went wrong; never holds payload.
    pub message: String,
    /// How often processing was tried.
    pub attempts: u32,
    /// `LambdaArn` of the processor that failed it.
    pub lambda_arn: Option<String>,
    /// The plugin that failed it.
    pub plugin: Option<PluginVersion>,
    /// What names it at the destination that refused it: further members of its envelope.
    pub names: Vec<(&'static str, serde_json::Value)>,
    /// It would end like this if it were run again. Where time or luck decided, the end must be noted before anything
    /// is sealed, or a replay may decide otherwise.
    pub is_repeatable: bool,
}

/// Which input each output record came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Output `i` is made of input `i`.
    Identity,
    /// Index of the input for each output, never decreasing.
    Inputs(Vec<u32>),
}

/// What became of the calls of a plugin over one batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ran {
    /// There was none: no plugin is set up, or no record was left for it.
    #[default]
    Nothing,
    /// At least one call was answered, whatever was said of the records.
    Through(PluginVersion),
    /// Every call faulted: no record came through.
    Faulted(PluginVersion),
}

impl Ran {
    /// Of calls over parts of one batch: one that was answered tells that the plugin works.
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, other) | (Self::Faulted(_), other @ Self::Through(_)) => other,
            (known, _) => known,
        }
    }
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
    /// Their bytes.
    pub dropped_bytes: u64,
    /// Whether the plugin works.
    pub ran: Ran,
    /// The inputs as they came, where they are backed up.
    pub source: Option<Records>,
}

impl Transformed {
    /// Index of the input that output `at` came from.
    pub fn input_of(&self, at: usize) -> usize {
        match &self.origins {
            Origins::Identity => at,
            Origins::Inputs(inputs) => inputs[at] as usize,
        }
    }

    /// Which of its input's outputs output `at` is, from 0.
    pub fn ordinal_of(&self, at: usize) -> u32 {
        match &self.origins {
            Origins::Identity => 0,
            Origins::Inputs(inputs) => {
                let first = inputs.partition_point(|&input| input < inputs[at]);
                u32::try_from(at - first).unwrap_or(u32::MAX)
            }
        }
    }
}

/// Records that are delivered one by one, with what names each of them for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The records, and the columns that say where they go.
    pub records: Records,
    /// The input of each, never decreasing.
    pub sequences: Vec<Sequence>,
    /// Which of its input's outputs each is, from 0.
    pub ordinals: Vec<u32>,
    /// Arrival of each one's input, milliseconds since 1970.
    pub arrived_ms: Vec<u64>,
}

impl Rows {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The rows at these rising indexes.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn select(&self, keep: &[usize]) -> Self {
        Self {
            records: self.records.select(keep),
            sequences: keep.iter().map(|&at| self.sequences[at]).collect(),
            ordinals: keep.iter().map(|&at| self.ordinals[at]).collect(),
            arrived_ms: keep.iter().map(|&at| self.arrived_ms[at]).collect(),
        }
    }

    /// Appends these outputs of a batch, in rising order.
    ///
    /// # Panics
    /// When there is no such output.
    pub fn append(&mut self, transformed: &Transformed, outputs: &[usize]) {
        self.records = Records::concat(&[&self.records, &transformed.outputs.select(outputs)]);
        for &at in outputs {
            let input = transformed.input_of(at);
            self.sequences.push(transformed.inputs.start + input as u64);
            self.ordinals.push(transformed.ordinal_of(at));
            self.arrived_ms.push(transformed.arrived_ms[input]);
        }
    }

    /// What names record `at` in its stream: sequence number and ordinal, as Firehose writes a Kinesis record's.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn place(&self, at: usize) -> String {
        format!("{}.{}", self.sequences[at], self.ordinals[at])
    }

    /// Value of record `at` in the column `name`, when there is one.
    pub fn value(&self, name: &str, at: usize) -> Option<&str> {
        let column = self.records.columns().iter().find(|column| column.name == name)?;
        let code = *column.codes.get(at)? as usize;
        column.dictionary.get(code.checked_sub(1)?).map(String::as_str)
    }
}

/// What a sealed batch holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// Transformed records laid end to end.
    Records(Vec<u8>),
    /// The same, of which the first part is in a file.
    Spilled {
        /// The first part.
        file: Arc<SpoolFile>,
        /// The rest.
        tail: Vec<u8>,
    },
    /// Transformed records, for a destination that takes them one by one.
    Rows(Rows),
    /// Records for the error output, one line each once encoded.
    Rejected(Vec<Rejected>),
}

impl Content {
    /// Bytes of it in memory.
    pub fn bytes_in_memory(&self) -> usize {
        let bytes = match self {
            Self::Spilled { tail, .. } => tail.len() as u64,
            other => other.bytes(),
        };
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// All of it in memory. Blocking where a part of it is in a file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn load(self) -> std::io::Result<Self> {
        match self {
            Self::Spilled { file, tail } => file.read_with(&tail).map(Self::Records),
            other => Ok(other),
        }
    }

    /// Bytes before encoding; for rejected records, of the records themselves.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Records(payload) => payload.len() as u64,
            Self::Spilled { file, tail } => file.bytes() + tail.len() as u64,
            Self::Rows(rows) => rows.records.payload().len() as u64,
            Self::Rejected(list) => list.iter().map(|one| one.data.len() as u64).sum(),
        }
    }
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

/// Records ready for a destination that takes them one by one.
#[derive(Clone, Debug)]
pub struct Documents {
    /// The plan they fulfil.
    pub seal: Arc<Seal>,
    /// All of the batch, or what is still to be delivered of it.
    pub rows: Rows,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(texts: &[&str], column: Option<(&str, &[&str])>) -> Records {
        let mut ends = Vec::new();
        let mut payload = Vec::new();
        for text in texts {
            payload.extend_from_slice(text.as_bytes());
            ends.push(u32::try_from(payload.len()).unwrap());
        }
        let columns = column.into_iter().map(|(name, values)| Column {
            name: name.to_owned(),
            dictionary: values.iter().map(|&value| value.to_owned()).collect(),
            codes: (1..).take(texts.len()).collect(),
        });
        Records::new(payload.into(), ends, columns.collect()).unwrap()
    }

    #[test]
    fn ends_that_lie_are_refused() {
        let check = |ends: &[u32]| Records::new(Bytes::from_static(b"abcd"), ends.to_vec(), Vec::new()).err();
        assert_eq!(check(&[2, 4]), None);
        assert_eq!(check(&[2, 1, 4]), Some(RecordsError::EndsDecrease(1)));
        assert_eq!(check(&[2, 5]), Some(RecordsError::EndsMismatch { end: 5, length: 4 }));
        assert_eq!(check(&[]), Some(RecordsError::EndsMismatch { end: 0, length: 4 }));
        let column = |codes: &[u32]| Column { name: "k".into(), dictionary: vec!["v".into()], codes: codes.to_vec() };
        let with = |codes| Records::new(Bytes::from_static(b"a"), vec![1], vec![column(codes)]).err();
        assert_eq!(with(&[1]), None);
        assert_eq!(with(&[2]), Some(RecordsError::Column(0)));
        assert_eq!(with(&[]), Some(RecordsError::Column(0)));
    }

    #[test]
    fn a_slice_and_a_concatenation_are_inverse() {
        let all = records(&["ab", "", "cde", "f"], Some(("k", &["1", "2", "3", "4"])));
        for cut in 0..=4 {
            let joined = Records::concat(&[&all.slice(0..cut), &all.slice(cut..4)]);
            assert_eq!(joined.payload(), all.payload());
            assert_eq!(joined.ends(), all.ends());
            let value = |records: &Records, at: usize| {
                let column = &records.columns()[0];
                column.dictionary[column.codes[at] as usize - 1].clone()
            };
            assert!((0..4).all(|at| value(&joined, at) == value(&all, at)));
        }
    }

    #[test]
    fn chosen_rows_keep_what_names_them() {
        let rows = Rows {
            records: records(&["ab", "", "cde", "f"], Some(("k", &["1", "2", "3", "4"]))),
            sequences: vec![7, 7, 8, 9],
            ordinals: vec![0, 1, 0, 0],
            arrived_ms: vec![1, 1, 2, 3],
        };
        let chosen = rows.select(&[1, 3]);
        assert_eq!(chosen.records.iter().collect::<Vec<_>>(), [&b""[..], b"f"]);
        assert_eq!((chosen.sequences.as_slice(), chosen.ordinals.as_slice()), (&[7, 9][..], &[1, 0][..]));
        assert_eq!((chosen.value("k", 0), chosen.value("k", 1), chosen.value("x", 0)), (Some("2"), Some("4"), None));
        assert_eq!(chosen.arrived_ms, [1, 3]);
    }

    #[test]
    fn a_part_without_a_column_leaves_it_unset() {
        let joined =
            Records::concat(&[&records(&["a"], None), &records(&["b"], Some(("k", &["v"]))), &records(&["c"], None)]);
        assert_eq!(joined.columns()[0].codes, vec![0, 1, 0]);
    }
}
