//! Splunk: the collector, its token, and how long an acknowledgement is waited for.

use serde_json::json;

use super::super::ROLE;
use super::{Kind, bare_s3, plaintext};
use crate::definition::{Buffering, Login, Secret, Splunk, Target};

const SECRET_ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:token";

fn target() -> Splunk {
    Splunk {
        endpoint: "https://splunk.test:8088".to_owned(),
        is_raw: false,
        token: Login::Given { user: String::new(), secret: Secret::new("hec-token") },
        acknowledgement_seconds: 180,
        buffering: Buffering { bytes: 5 << 20, seconds: 60 },
        retry_seconds: 300,
        backs_up_all: false,
    }
}

/// The token is shown, as by the service; whoever plans with what is described would send it again for ever otherwise.
#[tokio::test]
async fn defaults_are_shown_and_obeyed() {
    let made = Kind::splunk().made(json!({})).await;
    let expected = json!({
        "HECEndpoint": "https://splunk.test:8088", "HECEndpointType": "Event", "HECToken": "hec-token",
        "HECAcknowledgmentTimeoutInSeconds": 180, "RetryOptions": {"DurationInSeconds": 300},
        "S3BackupMode": "FailedEventsOnly", "S3DestinationDescription": bare_s3(),
        "CloudWatchLoggingOptions": {"Enabled": false}, "BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 5},
    });
    assert_eq!(made.description().await, expected);
    assert_eq!(made.definition().target, Target::Splunk(target()));
}

#[tokio::test]
async fn updates_lay_over() {
    let made = Kind::splunk().made(json!({})).await;
    let update = json!({"HECEndpoint": "https://splunk.test:8089/", "HECEndpointType": "Raw",
        "HECAcknowledgmentTimeoutInSeconds": 600, "S3BackupMode": "AllEvents"});
    made.update(update).await;
    let next = Splunk {
        endpoint: "https://splunk.test:8089".to_owned(),
        is_raw: true,
        acknowledgement_seconds: 600,
        backs_up_all: true,
        ..target()
    };
    assert_eq!(made.definition().target, Target::Splunk(next.clone()));
    let fewer = "S3BackupMode cannot be changed from AllEvents to FailedEventsOnly.";
    made.refuses(json!({"S3BackupMode": "FailedEventsOnly"}), fewer).await;
    let stored = json!({"Enabled": true, "SecretARN": SECRET_ARN, "RoleARN": ROLE});
    made.update(json!({"SecretsManagerConfiguration": stored})).await;
    assert_eq!(
        made.definition().target,
        Target::Splunk(Splunk { token: Login::Stored(SECRET_ARN.to_owned()), ..next })
    );
    assert!(made.description().await.get("HECToken").is_none());
    let both = "HECToken must not be specified when SecretsManagerConfiguration is enabled.";
    made.refuses(json!({"HECToken": "other"}), both).await;
}

#[tokio::test]
async fn rules_have_their_messages() {
    let kind = Kind::splunk();
    let neither = "HECToken, or SecretsManagerConfiguration with Enabled true, must be specified.";
    kind.refuses(json!({"HECToken": null}), neither).await;
    kind.refuses(json!({"HECToken": ""}), neither).await;
    kind.refuses(json!({"HECToken": "tökén"}), "HECToken must fit into an HTTP header.").await;
    kind.refuses(
        json!({"HECToken": null, "SecretsManagerConfiguration": {"Enabled": true, "SecretARN": SECRET_ARN}}),
        "SecretsManagerConfiguration.RoleARN must not be null for a Splunk destination.",
    )
    .await;
    let timeout = |seconds: u32| json!({"HECAcknowledgmentTimeoutInSeconds": seconds});
    for seconds in [180, 600] {
        kind.made(timeout(seconds)).await;
    }
    let member = "hECAcknowledgmentTimeoutInSeconds";
    kind.breaks(timeout(179), member, "Member must have value greater than or equal to 180").await;
    kind.breaks(timeout(601), member, "Member must have value less than or equal to 600").await;
    let kinds = "Member must satisfy enum value set: [Raw, Event]";
    kind.breaks(json!({"HECEndpointType": "raw"}), "hECEndpointType", kinds).await;
    let tls = "HECEndpoint must begin with https:// (http:// needs egress.plaintext in the host's configuration).";
    kind.refuses(json!({"HECEndpoint": "http://splunk.test:8088"}), tls).await;
    kind.refuses(json!({"HECEndpoint": "splunk.test:8088"}), tls).await;
    kind.refuses(json!({"HECEndpoint": ""}), "HECEndpoint is not a URL.").await;
    kind.made_on(plaintext(), json!({"HECEndpoint": "http://127.0.0.1:8088"})).await;
}
