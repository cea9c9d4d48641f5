//! `hydrant streams`, `describe` and `delete`. Refuses to interpret a definition: members are shown as they come.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::client::{Client, Operation, Refused};
use super::console::table;
use super::{Console, Failure};

/// Names per page; what the API gives at most.
const PAGE: u32 = 10_000;
/// Descriptions asked for at once.
const IN_FLIGHT: usize = 8;

/// Lists every stream.
pub(super) async fn streams(console: &Console, client: &Client) -> Result<(), Failure> {
    let names = names(client).await?;
    if console.is_json() {
        return console.say_json(&json!({ "DeliveryStreamNames": names, "HasMoreDeliveryStreams": false }));
    }
    if names.is_empty() {
        console.note("no streams; `hydrant apply FILE` creates one");
        return Ok(());
    }
    let head = ["NAME", "STATUS", "VERSION", "DESTINATION", "DELIVERY", "CREATED"].map(str::to_owned);
    let rows: Vec<Option<[String; 6]>> =
        stream::iter(names).map(|name| row(client, name)).buffered(IN_FLIGHT).try_collect().await?;
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(rows.into_iter().flatten()).collect();
    console.say(&table(&rows))
}

/// Shows one stream.
pub(super) async fn describe(console: &Console, client: &Client, name: &str) -> Result<(), Failure> {
    let input = json!({ "DeliveryStreamName": name, "IncludePluginState": true, "IncludeDeliveryState": true });
    let answer = client.call(Operation::Describe, &input).await?;
    if console.is_json() {
        return console.say_json(&answer);
    }
    let mut rows = Vec::new();
    flatten("", &answer["DeliveryStreamDescription"], &mut rows);
    for member in ["PluginState", "DeliveryState"] {
        if let Some(state) = answer.get(member) {
            flatten(member, state, &mut rows);
        }
    }
    console.say(&table(&rows))
}

/// Deletes one stream.
pub(super) async fn delete(console: &Console, client: &Client, name: &str) -> Result<(), Failure> {
    let answer = client.call(Operation::Delete, &json!({ "DeliveryStreamName": name })).await?;
    if console.is_json() { console.say_json(&answer) } else { console.say(&format!("{name} deleted")) }
}

async fn names(client: &Client) -> Result<Vec<String>, Refused> {
    let mut names: Vec<String> = Vec::new();
    loop {
        let mut input = json!({ "Limit": PAGE });
        if let Some(last) = names.last() {
            input["ExclusiveStartDeliveryStreamName"] = json!(last);
        }
        let answer = client.call(Operation::List, &input).await?;
        let page = answer["DeliveryStreamNames"].as_array().into_iter().flatten();
        let before = names.len();
        names.extend(page.filter_map(Value::as_str).map(str::to_owned));
        // A page without names would never end.
        if answer["HasMoreDeliveryStreams"] != json!(true) || names.len() == before {
            return Ok(names);
        }
    }
}

/// A stream's line; none when it was deleted since it was listed.
async fn row(client: &Client, name: String) -> Result<Option<[String; 6]>, Refused> {
    let input = json!({ "DeliveryStreamName": name, "IncludeDeliveryState": true });
    let answer = match client.call(Operation::Describe, &input).await {
        Ok(answer) => answer,
        Err(refused) if refused.code() == Some("ResourceNotFoundException") => return Ok(None),
        Err(refused) => return Err(refused),
    };
    let found = &answer["DeliveryStreamDescription"];
    let text = |key: &str| found[key].as_str().unwrap_or("-").to_owned();
    Ok(Some([
        name,
        text("DeliveryStreamStatus"),
        text("VersionId"),
        destination(found),
        // Amazon's own service says nothing of it.
        answer["DeliveryState"]["State"].as_str().unwrap_or("-").to_owned(),
        time(&found["CreateTimestamp"]),
    ]))
}

fn destination(description: &Value) -> String {
    let members = description["Destinations"][0].as_object();
    let mut kinds = members.into_iter().flatten().filter(|(name, _)| name.ends_with("DestinationDescription"));
    // Every S3 stream is described twice; the extended form says more.
    let extended = description["Destinations"][0].get("ExtendedS3DestinationDescription");
    let bucket = extended.and_then(|described| described["BucketARN"].as_str());
    match (bucket, kinds.next()) {
        (Some(bucket), _) => format!("s3://{}", bucket.rsplit(':').next().unwrap_or(bucket)),
        (None, Some((name, _))) => name.trim_end_matches("DestinationDescription").to_owned(),
        (None, None) => "-".to_owned(),
    }
}

fn time(value: &Value) -> String {
    // Milliseconds are more than a table needs.
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a date fit")]
    let seconds = value.as_f64().map(|seconds| seconds as i64);
    let time = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "-".to_owned(), |time| time.to_string())
}

/// One row per leaf, named by its path. A list of parameters is shown as name and value.
fn flatten(path: &str, value: &Value, rows: &mut Vec<[String; 2]>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(members) => {
            if let (Some(Value::String(name)), Some(value)) =
                (members.get("ParameterName"), members.get("ParameterValue"))
            {
                let place = path.rfind('[').map_or(path, |at| &path[..at]);
                return flatten(&format!("{place}.{name}"), value, rows);
            }
            for (name, value) in members {
                // The extended form beside it says the same and more.
                if name == "S3DestinationDescription" && members.contains_key("ExtendedS3DestinationDescription") {
                    continue;
                }
                flatten(&below(name), value, rows);
            }
        }
        Value::Array(members) => {
            members.iter().enumerate().for_each(|(at, member)| flatten(&format!("{path}[{at}]"), member, rows));
        }
        Value::String(text) => rows.push([path.to_owned(), text.escape_debug().to_string()]),
        value if path.ends_with("Timestamp") => rows.push([path.to_owned(), time(value)]),
        value => rows.push([path.to_owned(), value.to_string()]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::console::Format;
    use super::super::scripted::{error, firehose};
    use super::*;

    fn description(name: &str) -> Value {
        let s3 = json!({ "BucketARN": "arn:aws:s3:::shop", "ProcessingConfiguration": { "Processors": [
            { "Type": "Lambda", "Parameters": [{ "ParameterName": "LambdaArn", "ParameterValue": "arn:…:orders" }] },
            { "Type": "AppendDelimiterToRecord", "Parameters": [{ "ParameterName": "Delimiter", "ParameterValue": "\\n" }] }] } });
        json!({ "DeliveryStreamDescription": { "DeliveryStreamName": name, "DeliveryStreamStatus": "ACTIVE", "VersionId": "1",
            "CreateTimestamp": 1_438_900_800.123,
            "Destinations": [{ "DestinationId": "d", "S3DestinationDescription": s3, "ExtendedS3DestinationDescription": s3 }] } })
    }

    /// Two names a page, one of which is gone when it is described.
    fn script(operation: &str, input: &Value) -> (u16, Value) {
        match (operation, input["ExclusiveStartDeliveryStreamName"].as_str(), input["DeliveryStreamName"].as_str()) {
            ("ListDeliveryStreams", None, _) => {
                (200, json!({ "DeliveryStreamNames": ["a", "b"], "HasMoreDeliveryStreams": true }))
            }
            ("ListDeliveryStreams", Some("b"), _) => {
                (200, json!({ "DeliveryStreamNames": ["c"], "HasMoreDeliveryStreams": false }))
            }
            ("DescribeDeliveryStream", _, Some("b")) => error("ResourceNotFoundException", "Firehose b not found."),
            ("DescribeDeliveryStream", _, Some(name)) => {
                let mut answer = description(name);
                if input["IncludePluginState"] == json!(true) {
                    answer["PluginState"] = json!({ "Plugin": "orders", "OnPluginFailure": "Hold", "Breaker": "open" });
                }
                if input["IncludeDeliveryState"] == json!(true) && name == "a" {
                    answer["DeliveryState"] = json!({ "State": "held" });
                }
                (200, answer)
            }
            ("DeleteDeliveryStream", _, Some("a")) => (200, json!({})),
            _ => error("UnknownOperationException", "not in the script"),
        }
    }

    async fn said(format: Format, command: &str) -> Result<String, Failure> {
        let (client, _) = firehose(script).await;
        let (console, buffer) = Console::buffer(format);
        match command {
            "streams" => streams(&console, &client).await?,
            "delete" => delete(&console, &client, "a").await?,
            name => describe(&console, &client, name).await?,
        }
        let said = buffer.lock().expect("a buffer").clone();
        Ok(String::from_utf8(said).expect("text"))
    }

    #[tokio::test]
    async fn streams_are_listed_over_pages() {
        let expected = "\
NAME  STATUS  VERSION  DESTINATION  DELIVERY  CREATED
a     ACTIVE  1        s3://shop    held      2015-08-06T22:40:00Z
c     ACTIVE  1        s3://shop    -         2015-08-06T22:40:00Z
";
        assert_eq!(said(Format::Human, "streams").await.expect("a list"), expected);
        let json: Value = serde_json::from_str(&said(Format::Json, "streams").await.expect("a list")).expect("JSON");
        assert_eq!(json, json!({ "DeliveryStreamNames": ["a", "b", "c"], "HasMoreDeliveryStreams": false }));
    }

    #[tokio::test]
    async fn a_stream_is_described() {
        let expected = "\
DeliveryStreamName                                                                                    a
DeliveryStreamStatus                                                                                  ACTIVE
VersionId                                                                                             1
CreateTimestamp                                                                                       2015-08-06T22:40:00Z
Destinations[0].DestinationId                                                                         d
Destinations[0].ExtendedS3DestinationDescription.BucketARN                                            arn:aws:s3:::shop
Destinations[0].ExtendedS3DestinationDescription.ProcessingConfiguration.Processors[0].Type           Lambda
Destinations[0].ExtendedS3DestinationDescription.ProcessingConfiguration.Processors[0].Parameters.LambdaArn  arn:…:orders
Destinations[0].ExtendedS3DestinationDescription.ProcessingConfiguration.Processors[1].Type           AppendDelimiterToRecord
Destinations[0].ExtendedS3DestinationDescription.ProcessingConfiguration.Processors[1].Parameters.Delimiter  \\\\n
PluginState.Plugin orders
PluginState.OnPluginFailure Hold
PluginState.Breaker open
DeliveryState.State held
";
        let words = |text: &str| -> Vec<String> {
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
        };
        assert_eq!(words(&said(Format::Human, "a").await.expect("a description")), words(expected));
        let json: Value = serde_json::from_str(&said(Format::Json, "a").await.expect("JSON")).expect("JSON");
        assert_eq!(json["DeliveryStreamDescription"], description("a")["DeliveryStreamDescription"]);
        assert_eq!(json["PluginState"]["Breaker"], "open");
    }

    #[tokio::test]
    async fn a_missing_stream_is_told_with_a_hint() {
        let failure = said(Format::Human, "b").await.expect_err("no such stream");
        assert_eq!(
            failure.to_string(),
            "error: ResourceNotFoundException: Firehose b not found.\nhint: `hydrant streams` lists streams, `hydrant apply FILE` creates one"
        );
    }

    #[tokio::test]
    async fn a_stream_is_deleted() {
        assert_eq!(said(Format::Human, "delete").await.expect("deleted"), "a deleted\n");
        assert_eq!(said(Format::Json, "delete").await.expect("deleted"), "{}\n");
    }
}
