//! Streams as clients see them come, go and be listed; their tags.

use serde_json::{Value, json};

use super::{ACCOUNT, Rig, create_input, error, update_input};
use crate::api::{ControlError, StreamStatus};

#[tokio::test]
async fn names_are_taken_quotas_hold_and_absence_is_told() {
    let rig = Rig::new();
    rig.create("s").await;
    let taken = error("ResourceInUseException", "Firehose s under accountId 123456789012 already exists");
    rig.refuses("CreateDeliveryStream", create_input("s", json!({})), 400, &taken).await;
    let absent = error("ResourceNotFoundException", "Firehose none under account 123456789012 not found.");
    for operation in
        ["DescribeDeliveryStream", "DeleteDeliveryStream", "ListTagsForDeliveryStream", "StopDeliveryStreamEncryption"]
    {
        rig.refuses(operation, json!({"DeliveryStreamName": "none"}), 400, &absent).await;
    }
    let update = json!({"DeliveryStreamName": "none", "CurrentDeliveryStreamVersionId": "1", "DestinationId": "x"});
    rig.refuses("UpdateDestination", update, 400, &absent).await;
    for at in 1..12 {
        rig.create(&format!("s-{at}")).await;
    }
    let names = "s, s-1, s-10, s-11, s-2, s-3, s-4, s-5, s-6, s-7, s-8, s-9";
    let full = error(
        "LimitExceededException",
        &format!("You have already consumed your firehose quota of 12 hoses. Firehose names: [{names}]"),
    );
    rig.refuses("CreateDeliveryStream", create_input("t", json!({})), 400, &full).await;

    let list = async |input: Value| rig.does("ListDeliveryStreams", input).await;
    let first = list(json!({})).await;
    assert_eq!(
        first["DeliveryStreamNames"],
        json!(["s", "s-1", "s-10", "s-11", "s-2", "s-3", "s-4", "s-5", "s-6", "s-7"])
    );
    assert_eq!(first["HasMoreDeliveryStreams"], true);
    let rest = list(json!({"ExclusiveStartDeliveryStreamName": "s-7"})).await;
    assert_eq!(rest, json!({"DeliveryStreamNames": ["s-8", "s-9"], "HasMoreDeliveryStreams": false}));
    assert_eq!(
        list(json!({"ExclusiveStartDeliveryStreamName": "s-75", "Limit": 1})).await,
        json!({"DeliveryStreamNames": ["s-8"], "HasMoreDeliveryStreams": true})
    );
    assert_eq!(list(json!({"DeliveryStreamType": "KinesisStreamAsSource"})).await["DeliveryStreamNames"], json!([]));

    assert_eq!(
        rig.does("DeleteDeliveryStream", json!({"DeliveryStreamName": "s", "AllowForceDelete": true})).await,
        json!({})
    );
    rig.create("t").await;
}

#[tokio::test]
async fn a_stream_on_its_way_out_is_described_but_not_changed() {
    let rig = Rig::new();
    rig.create("s").await;
    rig.memory.set_status(ACCOUNT, "s", StreamStatus::Deleting);
    let name = json!({"DeliveryStreamName": "s"});
    let shown = rig.does("DescribeDeliveryStream", name.clone()).await;
    assert_eq!(shown["DeliveryStreamDescription"]["DeliveryStreamStatus"], "DELETING");
    assert_eq!(rig.does("DeleteDeliveryStream", name).await, json!({}));
    let leaving = error("ResourceInUseException", "Firehose s under accountId 123456789012 is being deleted");
    rig.refuses("UpdateDestination", update_input("1", json!({})), 400, &leaving).await;
    let taken = error("ResourceInUseException", "Firehose s under accountId 123456789012 already exists");
    rig.refuses("CreateDeliveryStream", create_input("s", json!({})), 400, &taken).await;
}

#[tokio::test]
async fn a_backend_that_cannot_is_not_hidden() {
    let rig = Rig::new();
    rig.memory.fail(ControlError::Refused("Table t not found.".to_owned()));
    let refused = error("InvalidArgumentException", "Table t not found.");
    rig.refuses("CreateDeliveryStream", create_input("s", json!({})), 400, &refused).await;
    rig.memory.fail(ControlError::Unavailable("disk".to_owned()));
    rig.refuses(
        "CreateDeliveryStream",
        create_input("s", json!({})),
        503,
        &error("ServiceUnavailableException", "Slow down."),
    )
    .await;
}

#[tokio::test]
async fn tags_are_laid_over_and_taken_off() {
    let rig = Rig::new();
    rig.create("s").await;
    let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
    let call = async |operation: &str, input: Value| {
        let mut input = input;
        input["DeliveryStreamName"] = json!("s");
        rig.does(operation, input).await
    };
    assert_eq!(call("TagDeliveryStream", json!({"Tags": [tag("a", "1"), {"Key": "b"}]})).await, json!({}));
    call("TagDeliveryStream", json!({"Tags": [tag("c", "3"), tag("a", "2")]})).await;
    let all = json!([tag("a", "2"), {"Key": "b"}, tag("c", "3")]);
    assert_eq!(call("ListTagsForDeliveryStream", json!({})).await, json!({"Tags": all, "HasMoreTags": false}));
    assert_eq!(
        call("ListTagsForDeliveryStream", json!({"ExclusiveStartTagKey": "a", "Limit": 1})).await,
        json!({"Tags": [{"Key": "b"}], "HasMoreTags": true})
    );
    call("UntagDeliveryStream", json!({"TagKeys": ["b", "none"]})).await;
    assert_eq!(call("ListTagsForDeliveryStream", json!({})).await["Tags"], json!([tag("a", "2"), tag("c", "3")]));
    let many: Vec<Value> = (0..49).map(|at| tag(&format!("k{at}"), "")).collect();
    let input = json!({"DeliveryStreamName": "s", "Tags": many});
    rig.refuses(
        "TagDeliveryStream",
        input,
        400,
        &error("LimitExceededException", "A delivery stream can have at most 50 tags."),
    )
    .await;
    let shown = rig.does("DescribeDeliveryStream", json!({"DeliveryStreamName": "s"})).await;
    assert_eq!(shown["DeliveryStreamDescription"]["VersionId"], "1", "tags make no new version");
}
