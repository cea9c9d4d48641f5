//! Every destination as clients see it: what is filled in, what is refused, what an update may change, and that no
//! secret comes out where it should not.

mod http_endpoint;
mod redshift;
mod s3;
mod search;
mod secrets;
mod splunk;
mod table;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{BUCKET, ROLE, Rig, error, settings};
use crate::definition::Definition;

/// A kind of destination with a configuration that is legal as it stands.
struct Kind {
    stem: &'static str,
    least: Value,
}

impl Kind {
    fn of(stem: &'static str, mut least: Value) -> Self {
        if stem != "ExtendedS3" && stem != "S3" {
            least["S3Configuration"] = json!({"RoleARN": ROLE, "BucketARN": BUCKET});
        }
        Self { stem, least }
    }

    fn s3() -> Self {
        Self::of("ExtendedS3", json!({"RoleARN": ROLE, "BucketARN": BUCKET}))
    }

    fn redshift() -> Self {
        Self::of(
            "Redshift",
            json!({"RoleARN": ROLE, "ClusterJDBCURL": "jdbc:redshift://a.b.redshift.test:5439/dev",
            "CopyCommand": {"DataTableName": "orders"}, "Username": "loader", "Password": "hunter22"}),
        )
    }

    fn search(stem: &'static str) -> Self {
        let endpoint = if stem == "AmazonOpenSearchServerless" { "CollectionEndpoint" } else { "ClusterEndpoint" };
        Self::of(stem, json!({"RoleARN": ROLE, "IndexName": "logs", endpoint: "https://search.test"}))
    }

    fn http_endpoint() -> Self {
        Self::of("HttpEndpoint", json!({"EndpointConfiguration": {"Url": "https://hooks.test/in?a=b"}}))
    }

    fn splunk() -> Self {
        Self::of(
            "Splunk",
            json!({"HECEndpoint": "https://splunk.test:8088", "HECEndpointType": "Event",
            "HECToken": "hec-token"}),
        )
    }

    fn all() -> Vec<Self> {
        let searches = ["Elasticsearch", "Amazonopensearchservice", "AmazonOpenSearchServerless"];
        let mut all = vec![Self::s3(), Self::redshift(), Self::http_endpoint(), Self::splunk()];
        all.extend(searches.map(Self::search));
        all
    }

    /// CreateDeliveryStream with these members over the least ones; null takes one away.
    fn input(&self, members: Value) -> Value {
        let destination = over(&self.least, members);
        json!({"DeliveryStreamName": "s", format!("{}DestinationConfiguration", self.stem): destination})
    }

    async fn made(&self, members: Value) -> Made {
        self.made_on(Rig::new(), members).await
    }

    async fn made_on(&self, rig: Rig, members: Value) -> Made {
        rig.does("CreateDeliveryStream", self.input(members)).await;
        Made { rig, stem: self.stem }
    }

    async fn refuses(&self, members: Value, message: &str) {
        let answer = error("InvalidArgumentException", message);
        Rig::new().refuses("CreateDeliveryStream", self.input(members), 400, &answer).await;
    }

    /// The same for the model's own constraints, told under the shape that was used.
    async fn breaks(&self, members: Value, member: &str, constraint: &str) {
        let mut stem = self.stem.to_owned();
        stem[..1].make_ascii_lowercase();
        let message = format!(
            "1 validation error detected: Value at '{stem}DestinationConfiguration.{member}' failed to satisfy \
             constraint: {constraint}"
        );
        let answer = error("ValidationException", &message);
        Rig::new().refuses("CreateDeliveryStream", self.input(members), 400, &answer).await;
    }
}

/// A stream `s` of some kind.
struct Made {
    rig: Rig,
    stem: &'static str,
}

impl Made {
    fn definition(&self) -> Arc<Definition> {
        self.rig.definition()
    }

    /// The kind's own description.
    async fn description(&self) -> Value {
        let answer = self.rig.does("DescribeDeliveryStream", json!({"DeliveryStreamName": "s"})).await;
        let destination = &answer["DeliveryStreamDescription"]["Destinations"][0];
        destination[format!("{}DestinationDescription", self.stem)].clone()
    }

    fn update_input(&self, members: Value) -> Value {
        json!({
            "DeliveryStreamName": "s", "DestinationId": "destinationId-000000000001",
            "CurrentDeliveryStreamVersionId": self.definition().version.to_string(),
            format!("{}DestinationUpdate", self.stem): members,
        })
    }

    async fn update(&self, members: Value) {
        self.rig.does("UpdateDestination", self.update_input(members)).await;
    }

    /// The update is refused and changes nothing.
    async fn refuses(&self, members: Value, message: &str) {
        let before = self.definition();
        let answer = error("InvalidArgumentException", message);
        self.rig.refuses("UpdateDestination", self.update_input(members), 400, &answer).await;
        assert_eq!(self.definition(), before);
    }
}

fn over(least: &Value, members: Value) -> Value {
    let mut whole: Map<String, Value> = least.as_object().unwrap().clone();
    for (name, value) in members.as_object().unwrap() {
        whole.insert(name.clone(), value.clone());
    }
    whole.retain(|_, value| !value.is_null());
    Value::Object(whole)
}

/// A host that allows `http://`.
fn plaintext() -> Rig {
    Rig::with(crate::api::Settings { plaintext: true, ..settings() })
}

/// A described S3 configuration with nothing given.
fn bare_s3() -> Value {
    json!({
        "RoleARN": ROLE, "BucketARN": BUCKET, "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
        "CompressionFormat": "UNCOMPRESSED", "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
        "CloudWatchLoggingOptions": {"Enabled": false},
    })
}
