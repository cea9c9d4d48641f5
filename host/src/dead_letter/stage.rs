//! The kinds of failures by the names that stand in keys, and where each lies. Refuses to read objects.

use crate::record::{Course, ErrorOutput};

/// A kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stage(&'static str);

/// Where Redshift's skipped manifests lie; their objects are loaded again, not their records.
pub const MANIFESTS: Stage = Stage("errors/manifests");

impl Stage {
    /// Everything that an error output may be named.
    pub const ALL: [Self; 12] = [
        Self(ErrorOutput::ProcessingFailed.as_str()),
        Self(ErrorOutput::DecompressionFailed.as_str()),
        Self(ErrorOutput::FormatConversionFailed.as_str()),
        Self(ErrorOutput::ActivePartitionExceeded.as_str()),
        Self(ErrorOutput::OpenSearchFailed.as_str()),
        Self(ErrorOutput::ElasticsearchFailed.as_str()),
        Self(ErrorOutput::SplunkFailed.as_str()),
        Self(ErrorOutput::HttpEndpointFailed.as_str()),
        Self("iceberg-failed"),
        Self("snowflake-failed"),
        // Amazon's own guide has it once.
        Self("AmazonOpenSearchService_failed"),
        MANIFESTS,
    ];

    /// The stage of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.0 == name)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Which way its records take when they are put again; none when they cannot be.
    pub fn course(self) -> Option<Course> {
        use ErrorOutput::{
            ActivePartitionExceeded, DecompressionFailed, ElasticsearchFailed, FormatConversionFailed,
            HttpEndpointFailed, OpenSearchFailed, ProcessingFailed, SplunkFailed,
        };
        let is = |outputs: &[ErrorOutput]| outputs.iter().any(|output| output.as_str() == self.0);
        if is(&[ProcessingFailed, DecompressionFailed, FormatConversionFailed, ActivePartitionExceeded]) {
            Some(Course::Process)
        } else if is(&[OpenSearchFailed, ElasticsearchFailed, SplunkFailed, HttpEndpointFailed])
            || self.0 == "AmazonOpenSearchService_failed"
        {
            Some(Course::Deliver)
        } else {
            None
        }
    }

    /// True when both are failures of the same kind of destination, or neither is one of a destination.
    pub fn is_kin(self, other: ErrorOutput) -> bool {
        let searches = [ErrorOutput::OpenSearchFailed, ErrorOutput::ElasticsearchFailed].map(ErrorOutput::as_str);
        let is_search = |name: &str| searches.contains(&name) || name == "AmazonOpenSearchService_failed";
        self.0 == other.as_str() || (is_search(self.0) && is_search(other.as_str()))
    }
}

/// The stage that a key names: a whole step of its path, or else the last name in it.
pub fn stage_of(key: &str) -> Option<Stage> {
    if key.contains("errors/manifests/") {
        return Some(MANIFESTS);
    }
    let step = key.rsplit('/').find_map(Stage::named);
    let anywhere = || Stage::ALL.into_iter().filter_map(|stage| Some((key.rfind(stage.0)?, stage))).max();
    step.or_else(|| anywhere().map(|(_, stage)| stage))
}

/// What keys of failures begin with, rising, by a destination's two prefixes: one beginning for each of `stages`, all of
/// them when there are none; or only one where the ruling prefix has expressions.
pub fn prefixes(error_output_prefix: &str, prefix: &str, stages: &[Stage]) -> Vec<String> {
    let ruling = if error_output_prefix.is_empty() { prefix } else { error_output_prefix };
    if let Some((literal, _)) = ruling.split_once("!{") {
        return vec![literal.to_owned()];
    }
    let wanted = if stages.is_empty() { &Stage::ALL[..] } else { stages };
    let mut all: Vec<String> = wanted.iter().map(|stage| format!("{ruling}{}/", stage.0)).collect();
    all.sort_unstable();
    all.dedup();
    all
}
