//! DataFormatConversionConfiguration: the service's checks in the service's order, then what the encoder obeys.
//!
//! Whether the table exists is the backend's business.

use serde_json::{Map, Value, json};

use super::members::text;
use crate::api::error::{Fault, invalid_argument};
use crate::definition::{
    Conversion, Deserializer, OrcCompression, OrcSettings, ParquetCompression, ParquetSettings, SchemaSource,
    Serializer,
};

const BLOCK: &str = "DataFormatConversionConfiguration";

/// Least `SizeInMBs`.
const LEAST_MB: u64 = 64;

/// Reads the block. An omitted `Enabled` means true here; a block that is not enabled is kept as it is.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn settle(given: &mut Map<String, Value>) -> Result<Option<Conversion>, Fault> {
    let Some(Value::Object(block)) = given.get_mut(BLOCK) else { return Ok(None) };
    if block.get("Enabled") == Some(&json!(false)) {
        return Ok(None);
    }
    block.insert("Enabled".to_owned(), json!(true));
    if !matches!(text(given, "CompressionFormat"), "" | "UNCOMPRESSED") {
        return Err(invalid_argument("CompressionFormat must be UNCOMPRESSED when data format conversion is enabled."));
    }
    let size_mb = given.get("BufferingHints").and_then(|hints| hints["SizeInMBs"].as_u64());
    if size_mb.is_some_and(|size_mb| size_mb < LEAST_MB) {
        return Err(invalid_argument(
            "BufferingHints.SizeInMBs must be at least 64 when data format conversion is enabled.",
        ));
    }
    let block = &given[BLOCK];
    for member in ["InputFormatConfiguration", "OutputFormatConfiguration", "SchemaConfiguration"] {
        if block[member].is_null() {
            return Err(must_not_be_null(member));
        }
    }
    let input = the_one(&block["InputFormatConfiguration"]["Deserializer"], "Deserializer")?;
    let output = the_one(&block["OutputFormatConfiguration"]["Serializer"], "Serializer")?;
    let schema = schema(&block["SchemaConfiguration"])?;
    Ok(Some(Conversion { schema, input: deserializer(input), output: serializer(output), resolved: None }))
}

fn must_not_be_null(member: &str) -> Fault {
    invalid_argument(format!("{member} must not be null"))
}

/// The one member of a choice, with its name.
fn the_one<'v>(choice: &'v Value, name: &str) -> Result<(&'v str, &'v Value), Fault> {
    let mut given = choice.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    match (given.next(), given.next()) {
        (None, _) => Err(must_not_be_null(name)),
        (Some((kind, options)), None) => Ok((kind, options)),
        (Some(_), Some(_)) => {
            let name = name.to_ascii_lowercase();
            Err(invalid_argument(format!("More than one {name} specified. Only one may be chosen.")))
        }
    }
}

fn schema(block: &Value) -> Result<SchemaSource, Fault> {
    let given = |member: &str| block[member].as_str().unwrap_or_default();
    for (member, printed) in [("RoleARN", "RoleArn"), ("DatabaseName", "DatabaseName"), ("TableName", "TableName")] {
        if given(member).is_empty() {
            return Err(invalid_argument(format!("SchemaConfiguration.{printed} must not be null or empty")));
        }
    }
    let version_id = Some(given("VersionId")).filter(|version| !version.is_empty()).unwrap_or("LATEST");
    Ok(SchemaSource {
        catalog_id: given("CatalogId").to_owned(),
        database: given("DatabaseName").to_owned(),
        table: given("TableName").to_owned(),
        region: given("Region").to_owned(),
        version_id: version_id.to_owned(),
    })
}

fn deserializer((kind, options): (&str, &Value)) -> Deserializer {
    let flag = |member: &str, default: bool| options[member].as_bool().unwrap_or(default);
    if kind == "HiveJsonSerDe" {
        return Deserializer::Hive { timestamp_formats: texts(&options["TimestampFormats"]) };
    }
    let keys = options["ColumnToJsonKeyMappings"].as_object().into_iter().flatten();
    Deserializer::OpenX {
        case_insensitive: flag("CaseInsensitive", true),
        dots_to_underscores: flag("ConvertDotsInJsonKeysToUnderscores", false),
        column_keys: keys.filter_map(|(column, key)| Some((column.clone(), key.as_str()?.to_owned()))).collect(),
    }
}

fn serializer((kind, options): (&str, &Value)) -> Serializer {
    let number = |member: &str, default: u64| options[member].as_u64().unwrap_or(default);
    let share = |member: &str, default: f64| options[member].as_f64().unwrap_or(default);
    let word = |member: &str| options[member].as_str().unwrap_or_default();
    if kind == "ParquetSerDe" {
        let default = ParquetSettings::default();
        return Serializer::Parquet(ParquetSettings {
            block_bytes: number("BlockSizeBytes", default.block_bytes),
            page_bytes: number("PageSizeBytes", default.page_bytes),
            compression: match word("Compression") {
                "UNCOMPRESSED" => ParquetCompression::Uncompressed,
                "GZIP" => ParquetCompression::Gzip,
                _ => ParquetCompression::Snappy,
            },
            has_dictionary: options["EnableDictionaryCompression"] == true,
            most_padding_bytes: number("MaxPaddingBytes", default.most_padding_bytes),
            is_v2: word("WriterVersion") == "V2",
        });
    }
    let default = OrcSettings::default();
    Serializer::Orc(OrcSettings {
        stripe_bytes: number("StripeSizeBytes", default.stripe_bytes),
        block_bytes: number("BlockSizeBytes", default.block_bytes),
        row_index_stride: number("RowIndexStride", default.row_index_stride),
        is_padded: options["EnablePadding"] == true,
        padding_tolerance: share("PaddingTolerance", default.padding_tolerance),
        compression: match word("Compression") {
            "NONE" => OrcCompression::None,
            "ZLIB" => OrcCompression::Zlib,
            _ => OrcCompression::Snappy,
        },
        bloom_filter_columns: texts(&options["BloomFilterColumns"]),
        bloom_filter_probability: share("BloomFilterFalsePositiveProbability", default.bloom_filter_probability),
        dictionary_threshold: share("DictionaryKeyThreshold", default.dictionary_threshold),
        is_v0_11: word("FormatVersion") == "V0_11",
    })
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
}
