//! What the pipeline can do with a definition. Everything else is checked in full and then refused, so that no stream
//! is made that would not be delivered.

use super::create::not_offered;
use crate::api::error::Fault;
use crate::definition::{Compression, Definition, Processor, SearchFlavour, Target};

/// Something that a definition may ask of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feature {
    OpenSearch,
    Elasticsearch,
    Serverless,
    Redshift,
    HttpEndpoint,
    Splunk,
    SourceBackup,
    Partitioning,
    Conversion,
    Decompression,
    LogMessages,
    DeAggregation,
    Zstd,
}

/// What is joined to the pipeline by now.
const WIRED: &[Feature] = &[
    Feature::OpenSearch,
    Feature::Elasticsearch,
    Feature::Serverless,
    Feature::Redshift,
    Feature::HttpEndpoint,
    Feature::Splunk,
    Feature::SourceBackup,
    Feature::Partitioning,
    Feature::Conversion,
    Feature::Decompression,
    Feature::LogMessages,
    Feature::DeAggregation,
    Feature::Zstd,
];

impl Feature {
    /// All of them.
    const ALL: &[Self] = &[
        Self::OpenSearch,
        Self::Elasticsearch,
        Self::Serverless,
        Self::Redshift,
        Self::HttpEndpoint,
        Self::Splunk,
        Self::SourceBackup,
        Self::Partitioning,
        Self::Conversion,
        Self::Decompression,
        Self::LogMessages,
        Self::DeAggregation,
        Self::Zstd,
    ];

    fn is_asked_by(self, definition: &Definition) -> bool {
        let flavour = match &definition.target {
            Target::OpenSearch(search) => Some(search.flavour),
            _ => None,
        };
        let has = |wanted: fn(&Processor) -> bool| definition.processors.iter().any(wanted);
        match self {
            Self::OpenSearch => flavour == Some(SearchFlavour::OpenSearch),
            Self::Elasticsearch => flavour == Some(SearchFlavour::Elasticsearch),
            Self::Serverless => flavour == Some(SearchFlavour::Serverless),
            Self::Redshift => matches!(definition.target, Target::Redshift(_)),
            Self::HttpEndpoint => matches!(definition.target, Target::HttpEndpoint(_)),
            Self::Splunk => matches!(definition.target, Target::Splunk(_)),
            Self::SourceBackup => definition.source_backup.is_some(),
            Self::Partitioning => definition.partitioning.is_some(),
            Self::Conversion => definition.conversion.is_some(),
            Self::Decompression => has(|processor| matches!(processor, Processor::Decompress)),
            Self::LogMessages => has(|processor| matches!(processor, Processor::ExtractLogMessages)),
            Self::DeAggregation => has(|processor| matches!(processor, Processor::DeAggregate { .. })),
            Self::Zstd => {
                let backup = definition.source_backup.as_ref().map(|backup| &backup.s3);
                [Some(&definition.s3), backup].into_iter().flatten().any(|s3| s3.compression == Compression::Zstd)
            }
        }
    }

    /// As refusals call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OpenSearch => "AmazonopensearchserviceDestinationConfiguration",
            Self::Elasticsearch => "ElasticsearchDestinationConfiguration",
            Self::Serverless => "AmazonOpenSearchServerlessDestinationConfiguration",
            Self::Redshift => "RedshiftDestinationConfiguration",
            Self::HttpEndpoint => "HttpEndpointDestinationConfiguration",
            Self::Splunk => "SplunkDestinationConfiguration",
            Self::SourceBackup => "S3BackupMode Enabled",
            Self::Partitioning => "DynamicPartitioningConfiguration with Enabled true",
            Self::Conversion => "DataFormatConversionConfiguration with Enabled true",
            Self::Decompression => "Processor type Decompression",
            Self::LogMessages => "Processor type CloudWatchLogProcessing",
            Self::DeAggregation => "Processor type RecordDeAggregation",
            Self::Zstd => "CompressionFormat ZSTD",
        }
    }
}

/// Refuses a definition that asks for what is not joined yet. Tests of the rules see everything joined.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn check(definition: &Definition) -> Result<(), Fault> {
    check_against(definition, if cfg!(test) { Feature::ALL } else { WIRED })
}

/// As [`check`], against a list.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn check_against(definition: &Definition, wired: &[Feature]) -> Result<(), Fault> {
    let missing = Feature::ALL.iter().find(|feature| !wired.contains(feature) && feature.is_asked_by(definition));
    missing.map_or(Ok(()), |feature| Err(not_offered(feature.name())))
}
