//! The table of destination kinds. Create, describe and update go over it; what is special about a kind is in its file.

use serde_json::{Map, Value};

use super::create::not_offered;
use super::members::arranged;
use super::{http_endpoint, login, opensearch, redshift, s3, splunk};
use crate::api::error::{Fault, invalid_argument};
use crate::api::model::{self, Shape};
use crate::api::settings::Rules;
use crate::definition::{Conversion, Definition, Partitioning, Processor, S3Destination, SourceBackup, Target};

/// A kind of destination.
#[derive(Debug)]
pub(super) struct Kind {
    /// Its name before `DestinationConfiguration` and `DestinationUpdate`.
    pub(super) stem: &'static str,
    /// The name before `DestinationDescription`; plain S3 is shown as extended S3, too.
    pub(super) described: &'static str,
    /// Shape of its configuration.
    pub(super) configuration: &'static Shape,
    /// Shape of its update.
    pub(super) update: &'static Shape,
    /// Checks its configuration; none for what this host does not offer.
    settle: Option<Settle>,
}

type Settle = fn(Map<String, Value>, &Rules) -> Result<Settled, Fault>;

/// A configuration made whole. It may hold secrets, so it cannot be printed.
pub(super) struct Settled {
    /// The configuration with defaults filled in. Secrets are taken out before anybody keeps it.
    pub(super) members: Map<String, Value>,
    pub(super) s3: S3Destination,
    pub(super) target: Target,
    pub(super) source_backup: Option<SourceBackup>,
    pub(super) partitioning: Option<Partitioning>,
    pub(super) conversion: Option<Conversion>,
    pub(super) processors: Vec<Processor>,
}

/// All kinds there are, in the model's order.
pub(super) static KINDS: [Kind; 10] = [
    Kind {
        stem: "S3",
        described: EXTENDED_S3,
        configuration: &model::S3_DESTINATION_CONFIGURATION,
        update: &model::S3_DESTINATION_UPDATE,
        settle: Some(s3::settle),
    },
    Kind {
        stem: EXTENDED_S3,
        described: EXTENDED_S3,
        configuration: &model::EXTENDED_S3_DESTINATION_CONFIGURATION,
        update: &model::EXTENDED_S3_DESTINATION_UPDATE,
        settle: Some(s3::settle),
    },
    Kind {
        stem: "Redshift",
        described: "Redshift",
        configuration: &model::REDSHIFT_DESTINATION_CONFIGURATION,
        update: &model::REDSHIFT_DESTINATION_UPDATE,
        settle: Some(redshift::settle),
    },
    Kind {
        stem: "Elasticsearch",
        described: "Elasticsearch",
        configuration: &model::ELASTICSEARCH_DESTINATION_CONFIGURATION,
        update: &model::ELASTICSEARCH_DESTINATION_UPDATE,
        settle: Some(opensearch::settle_elasticsearch),
    },
    Kind {
        stem: "Amazonopensearchservice",
        described: "Amazonopensearchservice",
        configuration: &model::OPENSEARCH_DESTINATION_CONFIGURATION,
        update: &model::OPENSEARCH_DESTINATION_UPDATE,
        settle: Some(opensearch::settle_opensearch),
    },
    Kind {
        stem: "Splunk",
        described: "Splunk",
        configuration: &model::SPLUNK_DESTINATION_CONFIGURATION,
        update: &model::SPLUNK_DESTINATION_UPDATE,
        settle: Some(splunk::settle),
    },
    Kind {
        stem: "HttpEndpoint",
        described: "HttpEndpoint",
        configuration: &model::HTTP_ENDPOINT_DESTINATION_CONFIGURATION,
        update: &model::HTTP_ENDPOINT_DESTINATION_UPDATE,
        settle: Some(http_endpoint::settle),
    },
    Kind {
        stem: "AmazonOpenSearchServerless",
        described: "AmazonOpenSearchServerless",
        configuration: &model::SERVERLESS_DESTINATION_CONFIGURATION,
        update: &model::SERVERLESS_DESTINATION_UPDATE,
        settle: Some(opensearch::settle_serverless),
    },
    Kind {
        stem: "Snowflake",
        described: "Snowflake",
        configuration: &model::SNOWFLAKE_DESTINATION_CONFIGURATION,
        update: &model::SNOWFLAKE_DESTINATION_UPDATE,
        settle: None,
    },
    Kind {
        stem: "Iceberg",
        described: "Iceberg",
        configuration: &model::ICEBERG_DESTINATION_CONFIGURATION,
        update: &model::ICEBERG_DESTINATION_UPDATE,
        settle: None,
    },
];

/// Bytes of a destination's description, which stays in memory for each of an account's streams. Lists of format
/// conversion have no bound in the model; everything else at its longest stays below.
const DOCUMENT_BYTES: usize = 512 << 10;

pub(super) const EXTENDED_S3: &str = "ExtendedS3";

/// Members that have one name in configurations and another in descriptions.
const RENAMED: [(&str, &str); 2] =
    [("S3Configuration", "S3DestinationDescription"), ("S3BackupConfiguration", "S3BackupDescription")];

impl Kind {
    /// The kind that a definition's document describes.
    pub(super) fn of(document: &Value) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.stem == kind.described && document.get(kind.description()).is_some())
    }

    /// `<Kind>DestinationConfiguration`.
    pub(super) fn configuration(&self) -> String {
        format!("{}DestinationConfiguration", self.stem)
    }

    /// `<Kind>DestinationDescription`, also the member of a definition's document.
    pub(super) fn description(&self) -> String {
        format!("{}DestinationDescription", self.described)
    }

    /// Checks a configuration, fills its defaults in, and lays it over a definition.
    ///
    /// # Errors
    /// `InvalidArgumentException` for a broken rule or for a kind this host does not offer.
    pub(super) fn settle_into(
        &self,
        definition: &mut Definition,
        given: Map<String, Value>,
        rules: &Rules,
    ) -> Result<(), Fault> {
        let settle = self.settle.ok_or_else(|| not_offered(&self.configuration()))?;
        let mut settled = settle(given, rules)?;
        login::hide(&mut settled.members);
        let described = self.show(settled.members);
        if described.to_string().len() > DOCUMENT_BYTES {
            return Err(invalid_argument(format!(
                "The destination's configuration must not be larger than {DOCUMENT_BYTES} bytes."
            )));
        }
        definition.document[self.description()] = described;
        definition.s3 = settled.s3;
        definition.target = settled.target;
        definition.source_backup = settled.source_backup;
        definition.partitioning = settled.partitioning;
        definition.conversion = settled.conversion;
        definition.processors = settled.processors;
        Ok(())
    }

    /// A configuration as Describe shows it: the model's order, and other names for what is nested.
    fn show(&self, members: Map<String, Value>) -> Value {
        let whole = KINDS.iter().find(|kind| kind.stem == self.described);
        let shape = whole.map_or(self.configuration, |kind| kind.configuration);
        renamed(arranged(shape, Value::Object(members)), |(from, to)| (from, to))
    }

    /// The configuration in force, secrets included, as it would have been given.
    pub(super) fn in_force(&self, definition: &Definition) -> Map<String, Value> {
        let described = definition.document[self.description()].clone();
        let Value::Object(mut members) = renamed(described, |(from, to)| (to, from)) else { return Map::new() };
        login::restore(&mut members, &definition.target);
        members
    }

    /// The description that a definition keeps, with the one secret that the service shows to who may describe.
    pub(super) fn shown(&self, definition: &Definition) -> Value {
        match definition.target {
            Target::Splunk(_) => self.show(self.in_force(definition)),
            _ => definition.document[self.description()].clone(),
        }
    }
}

/// Renames members at the top, keeping their order.
fn renamed<'n>(value: Value, turn: fn((&'n str, &'n str)) -> (&'n str, &'n str)) -> Value {
    let Value::Object(members) = value else { return value };
    let names = RENAMED.map(turn);
    let rename = |key: String| names.iter().find(|(from, _)| *from == key).map_or(key, |(_, to)| (*to).to_owned());
    Value::Object(members.into_iter().map(|(key, value)| (rename(key), value)).collect())
}
