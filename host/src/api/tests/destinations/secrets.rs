//! Canaries: a secret that was given comes out in no answer, no error and no debug text. The one exception is the
//! service's own: Splunk's token is described.

use serde_json::{Value, json};

use super::super::Rig;
use super::Kind;

const CANARY: &str = "canary-7f3a";

/// Each kind that takes a secret, with the canary in its place.
fn with_canary() -> Vec<(Kind, Value)> {
    let endpoint = json!({"Url": "https://hooks.test", "AccessKey": CANARY});
    vec![
        (Kind::redshift(), json!({"Password": CANARY})),
        (Kind::http_endpoint(), json!({"EndpointConfiguration": endpoint})),
        (Kind::splunk(), json!({"HECToken": CANARY})),
    ]
}

#[tokio::test]
async fn a_secret_is_kept_and_not_shown() {
    for (kind, members) in with_canary() {
        let made = kind.made(members.clone()).await;
        for _ in 0..2 {
            let definition = made.definition();
            assert!(!format!("{definition:?}").contains(CANARY), "{}", kind.stem);
            assert!(!definition.document.to_string().contains(CANARY), "{}", kind.stem);
            // The journal has to have it: it is delivered with after a restart.
            assert!(serde_json::to_string(&definition.target).unwrap().contains(CANARY), "{}", kind.stem);
            let shown = made.rig.call("DescribeDeliveryStream", r#"{"DeliveryStreamName":"s"}"#).await.text();
            assert_eq!(shown.contains(CANARY), kind.stem == "Splunk", "{}", kind.stem);
            made.update(json!({"RetryOptions": {"DurationInSeconds": 1}})).await;
        }
        let stream = crate::api::Backend::find(made.rig.memory.as_ref(), super::super::ACCOUNT, "s").unwrap();
        assert!(!format!("{stream:?}").contains(CANARY));
    }
}

/// Whatever else is wrong with a request, its secret is not repeated.
#[tokio::test]
async fn no_error_repeats_a_secret() {
    let wrong = [
        json!({"S3Configuration": {"RoleARN": "x", "BucketARN": "y"}}),
        json!({"S3Configuration": null}),
        json!({"RetryOptions": {"DurationInSeconds": -1}}),
        json!({"BufferingHints": {"SizeInMBs": 1}, "S3BackupMode": "nothing"}),
        json!({"SecretsManagerConfiguration": {"Enabled": true, "RoleARN": super::super::ROLE}}),
        json!({"ProcessingConfiguration": {"Enabled": true, "Processors": [{"Type": "Lambda"}]}}),
        json!({"HECEndpoint": format!("https://{CANARY}@splunk.test"), "ClusterJDBCURL": "jdbc:redshift://a.redshift.test:0/d",
            "RequestConfiguration": {"CommonAttributes": [{"AttributeName": "a", "AttributeValue": CANARY},
                {"AttributeName": "a", "AttributeValue": CANARY}]}}),
    ];
    for (kind, members) in with_canary() {
        for wrong in &wrong {
            let mut both = members.clone();
            both.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
            let answered = Rig::new().call("CreateDeliveryStream", kind.input(both).to_string()).await;
            assert_eq!(answered.status, 400, "{} {wrong}", kind.stem);
            assert!(!answered.text().contains(CANARY), "{} {}", kind.stem, answered.text());
        }
        for broken in [format!("{CANARY}\u{1}"), format!("{CANARY}é\n")] {
            let text = members.to_string().replace(CANARY, &json!(broken).to_string().replace('"', ""));
            let input = kind.input(serde_json::from_str(&text).unwrap());
            let answered = Rig::new().call("CreateDeliveryStream", input.to_string()).await;
            assert!(!answered.text().contains(CANARY), "{} {}", kind.stem, answered.text());
        }
    }
}
