//! ProcessingConfiguration: the rules of its processors, and the order in which they work.
//!
//! Runs nothing; the one thing it asks of another stage is whether a query compiles.

use std::collections::HashSet;

use base64_simd::STANDARD;
use serde_json::{Map, Value, json};

use super::extensions::{self, Extensions};
use super::lambda;
use super::partitioning::{event_time_only_with_partitions, only_with_partitions};
use crate::api::error::{Fault, invalid_argument};
use crate::api::settings::Rules;
use crate::definition::Processor;

/// What processors take from the destination that they stand before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'c> {
    /// `RoleArn` of a Lambda processor that names none.
    pub(super) role: &'c str,
    /// `BufferSizeInMBs` of a Lambda processor that gives none.
    pub(super) lambda_size: &'static str,
    /// Rules borrowed from other stages.
    pub(super) rules: &'c Rules,
}

/// What a block comes to.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// Whether any of it works.
    pub(super) is_enabled: bool,
    /// The processors in the order in which they work; none while the block is not enabled.
    pub(super) processors: Vec<Processor>,
    /// Keys that the query says, as far as they are known without a record.
    pub(super) query_keys: Option<Vec<String>>,
    /// What is asked of us beyond what the service knows.
    pub(super) extensions: Extensions,
}

impl Steps {
    /// The processors of a destination that has no source backup in use.
    ///
    /// # Errors
    /// `InvalidArgumentException` when a delimiter was given for it.
    pub(super) fn without_backup(self) -> Result<Vec<Processor>, Fault> {
        self.extensions.refuse_backup_delimiter()?;
        Ok(self.processors)
    }

    /// The same for a destination that is no HTTP endpoint.
    ///
    /// # Errors
    /// `InvalidArgumentException` when it was said what such an endpoint gets.
    pub(super) fn without_endpoint(self) -> Result<Self, Fault> {
        self.extensions.refuse_endpoint_body()?;
        Ok(self)
    }

    /// The same for a destination that cannot partition.
    ///
    /// # Errors
    /// `InvalidArgumentException` when there is a query, or something of ours that is about partitions.
    pub(super) fn without_partitions(self) -> Result<Self, Fault> {
        let extracts = self.processors.iter().any(|step| matches!(step, Processor::ExtractMetadata { .. }));
        match &self.extensions {
            _ if extracts => Err(only_with_partitions()),
            Extensions { event_key: Some(_), .. } => Err(event_time_only_with_partitions()),
            Extensions { sizes_compressed: true, .. } => Err(extensions::compressed_size_only_with_s3()),
            _ => Ok(self),
        }
    }
}

/// Checks the block, fills in its defaults, and reads the processors out in the order in which they work. A block that is
/// not enabled is checked all the same, and then nothing of it works.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn settle(given: &mut Map<String, Value>, context: &Context<'_>) -> Result<Steps, Fault> {
    let Some(Value::Object(block)) = given.get_mut("ProcessingConfiguration") else { return Ok(Steps::default()) };
    if block.get("Enabled").is_none_or(Value::is_null) {
        block.insert("Enabled".to_owned(), json!(false));
    }
    let is_enabled = block["Enabled"] == true;
    let Some(processors) = block.get_mut("Processors").and_then(Value::as_array_mut) else {
        return Ok(Steps { is_enabled, ..Steps::default() });
    };
    // A repeated parameter is told before anything that a processor's own parameters say.
    if processors.iter().any(repeats_a_parameter) {
        return Err(invalid_argument("Duplicate ProcessorParameter passed to ProcessingConfiguration."));
    }
    let mut seen = HashSet::new();
    if let Some(again) = processors.iter().map(kind).find(|kind| !seen.insert((*kind).to_owned())) {
        return Err(invalid_argument(format!("Cannot have more than 1 {again} processor.")));
    }
    if seen.contains("CloudWatchLogProcessing") && !seen.contains("Decompression") {
        return Err(invalid_argument(
            "CloudWatchLogProcessing processor can only be used with Decompression processor.",
        ));
    }
    let mut steps = Steps { is_enabled, ..Steps::default() };
    for processor in processors {
        let step = match kind(processor) {
            "Lambda" => {
                steps.processors.extend(lambda::settle(processor, context)?);
                continue;
            }
            extensions::KIND => {
                steps.extensions = extensions::settle(processor)?;
                continue;
            }
            "Decompression" => decompression(processor)?,
            "CloudWatchLogProcessing" => log_messages(processor)?,
            "RecordDeAggregation" => de_aggregation(processor)?,
            "MetadataExtraction" => {
                let (step, keys) = metadata_extraction(processor, context.rules)?;
                steps.query_keys = Some(keys);
                step
            }
            _ => append_delimiter(processor),
        };
        steps.processors.push(step);
    }
    steps.processors.sort_by_key(rank);
    Ok(if is_enabled { steps } else { Steps::default() })
}

/// The place of a processor in the order in which Firehose runs them, whatever order they came in.
fn rank(step: &Processor) -> u8 {
    match step {
        Processor::Decompress => 0,
        Processor::ExtractLogMessages => 1,
        Processor::DeAggregate { .. } => 2,
        Processor::Plugin { .. } => 3,
        Processor::ExtractMetadata { .. } => 4,
        Processor::AppendDelimiter { .. } => 5,
    }
}

fn kind(processor: &Value) -> &str {
    processor["Type"].as_str().unwrap_or_default()
}

fn repeats_a_parameter(processor: &Value) -> bool {
    let mut seen = HashSet::new();
    !parameters(processor).all(|(name, _)| seen.insert(name))
}

/// Names and values of a processor's parameters.
pub(super) fn parameters(processor: &Value) -> impl Iterator<Item = (&str, &str)> {
    let list = processor["Parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(|parameter| Some((parameter["ParameterName"].as_str()?, parameter["ParameterValue"].as_str()?)))
}

/// The value of one.
pub(super) fn parameter<'v>(processor: &'v Value, name: &str) -> Option<&'v str> {
    parameters(processor).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn required<'v>(processor: &'v Value, name: &str) -> Result<&'v str, Fault> {
    parameter(processor, name)
        .ok_or_else(|| invalid_argument(format!("{name} is required when {} processor is used.", kind(processor))))
}

fn decompression(processor: &Value) -> Result<Processor, Fault> {
    match parameter(processor, "CompressionFormat") {
        None | Some("GZIP") => Ok(Processor::Decompress),
        Some(_) => Err(invalid_argument("CompressionFormat must be GZIP for Decompression processor.")),
    }
}

fn log_messages(processor: &Value) -> Result<Processor, Fault> {
    if required(processor, "DataMessageExtraction")?.eq_ignore_ascii_case("true") {
        return Ok(Processor::ExtractLogMessages);
    }
    Err(invalid_argument("DataMessageExtraction must be true for CloudWatchLogProcessing processor."))
}

/// Text between records comes as base64, unlike the delimiter that is appended.
fn de_aggregation(processor: &Value) -> Result<Processor, Fault> {
    match required(processor, "SubRecordType")? {
        "JSON" => Ok(Processor::DeAggregate { delimiter: None }),
        "DELIMITED" => {
            let delimiter = STANDARD.decode_to_vec(required(processor, "Delimiter")?).ok();
            let delimiter = delimiter.filter(|bytes| !bytes.is_empty()).ok_or_else(|| {
                invalid_argument(
                    "Delimiter must be the base64 of the text between records for RecordDeAggregation processor.",
                )
            })?;
            Ok(Processor::DeAggregate { delimiter: Some(delimiter) })
        }
        _ => Err(invalid_argument("SubRecordType must be JSON or DELIMITED for RecordDeAggregation processor.")),
    }
}

fn metadata_extraction(processor: &Value, rules: &Rules) -> Result<(Processor, Vec<String>), Fault> {
    let query = required(processor, "MetadataExtractionQuery")?;
    if required(processor, "JsonParsingEngine")? != "JQ-1.6" {
        return Err(invalid_argument("JsonParsingEngine must be JQ-1.6 for MetadataExtraction processor."));
    }
    let keys =
        (rules.check_query)(query).map_err(|wrong| invalid_argument(format!("MetadataExtractionQuery: {wrong}.")))?;
    Ok((Processor::ExtractMetadata { query: query.to_owned() }, keys))
}

fn append_delimiter(processor: &Value) -> Processor {
    let delimiter = unescaped(parameter(processor, "Delimiter").unwrap_or("\\n"));
    Processor::AppendDelimiter { delimiter }
}

/// A delimiter comes as text with backslash escapes: the two characters `\n` mean a newline.
pub(super) fn unescaped(given: &str) -> String {
    let mut delimiter = String::new();
    let mut letters = given.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            delimiter.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => delimiter.push('\n'),
            Some('r') => delimiter.push('\r'),
            Some('t') => delimiter.push('\t'),
            Some('\\') => {
                // `\\n` is how `\n` looks after one escaping too many, a frequent sight; it means a newline, too.
                let rest = letters.as_str();
                if !rest.starts_with(['n', 'r', 't']) {
                    delimiter.push('\\');
                    continue;
                }
                delimiter.push(match letters.next() {
                    Some('r') => '\r',
                    Some('t') => '\t',
                    _ => '\n',
                });
            }
            Some(other) => delimiter.extend(['\\', other]),
            None => delimiter.push('\\'),
        }
    }
    delimiter
}
