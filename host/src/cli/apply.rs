//! `hydrant apply`: makes streams be what files say.
//!
//! A file is the input of CreateDeliveryStream or the output of DescribeDeliveryStream. Create, update or nothing:
//! members that the file leaves out keep their value, as they do in UpdateDestination, so "unchanged" means that every
//! member given is what the host already has. Refuses to check a definition: that is the host's work.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::client::{Client, Operation, Refused};
use super::{Console, Failure};

/// Most bytes of a definition: its largest legal form is far below.
const FILE_BYTES: u64 = 4 << 20;
/// Creation is asynchronous in the API; a host that needs longer than this is stuck.
const CREATION_POLLS: u32 = 150;
/// Pause between two looks at a stream that is being created.
const CREATION_POLL_PAUSE: Duration = Duration::from_millis(200);
/// Parameters of a Lambda processor that Describe fills in.
const LAMBDA_DEFAULTS: [(&str, &str); 3] =
    [("NumberOfRetries", "3"), ("BufferSizeInMBs", "1"), ("BufferIntervalInSeconds", "60")];
/// What it fills in before Splunk instead.
const SPLUNK_LAMBDA_SIZE: (&str, &str) = ("BufferSizeInMBs", "0.25");
/// Members that create takes and UpdateDestination does not have: sent there, they would be dropped without a word.
const FIXED: [(&str, &[&str]); 3] = [
    ("Elasticsearch", &["S3BackupMode", "VpcConfigurationDescription"]),
    ("Amazonopensearchservice", &["S3BackupMode", "VpcConfigurationDescription"]),
    ("AmazonOpenSearchServerless", &["S3BackupMode", "VpcConfigurationDescription"]),
];

/// Applies every file, in order. All are read before the first is applied.
pub(super) async fn apply(console: &Console, client: &Client, files: &[PathBuf]) -> Result<(), Failure> {
    let wanted: Vec<Wanted> = files.iter().map(|file| read(file)).collect::<Result<_, _>>()?;
    let mut results = Vec::new();
    for wanted in &wanted {
        let outcome = wanted.apply(client).await;
        let outcome = outcome.map_err(|refused| {
            let failure = Failure::from(refused);
            Failure { error: failure.error.context(format!("cannot apply {}", wanted.name)), ..failure }
        });
        match outcome {
            Ok(outcome) if !console.is_json() => console.say(&format!("{} {}", wanted.name, outcome.text()))?,
            Ok(outcome) => results.push(json!({ "DeliveryStreamName": wanted.name, "Outcome": outcome.word() })),
            Err(failure) => {
                if console.is_json() && !results.is_empty() {
                    console.say_json(&results)?;
                }
                return Err(failure);
            }
        }
    }
    if console.is_json() { console.say_json(&results) } else { Ok(()) }
}

/// Creates or updates the one stream that `value` defines.
pub(super) async fn ensure(client: &Client, value: Value) -> Result<(), Failure> {
    let wanted = wanted(value).map_err(Failure::told)?;
    wanted.apply(client).await?;
    Ok(())
}

/// What a file asks for.
struct Wanted {
    name: String,
    /// Input of CreateDeliveryStream.
    input: Map<String, Value>,
    /// Destination kind, such as `ExtendedS3`, and its configuration.
    destination: (String, Value),
}

/// A definition may carry passwords, so only its name is ever printed.
impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted").field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Created,
    Updated { from: String, to: String },
    Unchanged,
}

impl Outcome {
    fn word(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated { .. } => "updated",
            Self::Unchanged => "unchanged",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Updated { from, to } => format!("updated from version {from} to {to}"),
            other => other.word().to_owned(),
        }
    }
}

impl Wanted {
    async fn apply(&self, client: &Client) -> Result<Outcome, Refused> {
        let described = match self.describe(client).await {
            Ok(described) => described,
            Err(refused) if refused.code() == Some("ResourceNotFoundException") => return self.create(client).await,
            Err(refused) => return Err(refused),
        };
        let (kind, configuration) = &self.destination;
        let destination = &described["Destinations"][0];
        let current = &destination[format!("{kind}DestinationDescription")];
        if current.is_null() {
            return Err(cannot("its destination is of another kind; delete the stream and create it again"));
        }
        let wanted = described_form(configuration.clone());
        if holds(&wanted, current) {
            return Ok(Outcome::Unchanged);
        }
        let fixed = FIXED.iter().find(|(of, _)| of == kind).map_or(&[] as &[&str], |(_, members)| members);
        let differs = |member: &&&str| wanted.get(**member).is_some_and(|wanted| !holds(wanted, &current[**member]));
        if let Some(member) = fixed.iter().find(differs) {
            let member = member.trim_end_matches("Description");
            return Err(cannot(&format!("{member} is fixed at creation; delete the stream and create it again")));
        }
        let mut input = Map::new();
        input.insert("DeliveryStreamName".to_owned(), json!(self.name));
        input.insert("CurrentDeliveryStreamVersionId".to_owned(), described["VersionId"].clone());
        input.insert("DestinationId".to_owned(), destination["DestinationId"].clone());
        input.insert(format!("{kind}DestinationUpdate"), update_form(configuration.clone()));
        client.call(Operation::Update, &Value::Object(input)).await?;
        let updated = self.describe(client).await?;
        let version = |description: &Value| description["VersionId"].as_str().unwrap_or("?").to_owned();
        Ok(Outcome::Updated { from: version(&described), to: version(&updated) })
    }

    /// Creates the stream and waits until it takes records.
    async fn create(&self, client: &Client) -> Result<Outcome, Refused> {
        client.call(Operation::Create, &Value::Object(self.input.clone())).await?;
        for _ in 0..CREATION_POLLS {
            let described = self.describe(client).await?;
            match described["DeliveryStreamStatus"].as_str() {
                Some("CREATING") => tokio::time::sleep(CREATION_POLL_PAUSE).await,
                Some("ACTIVE") => return Ok(Outcome::Created),
                status => return Err(creation_failed(status.unwrap_or("no status"))),
            }
        }
        Err(creation_failed("CREATING for too long"))
    }

    async fn describe(&self, client: &Client) -> Result<Value, Refused> {
        let mut answer = client.call(Operation::Describe, &json!({ "DeliveryStreamName": self.name })).await?;
        Ok(answer["DeliveryStreamDescription"].take())
    }
}

/// What this program knows that the host would not do.
fn cannot(reason: &str) -> Refused {
    Refused::Answered { code: "cannot update".to_owned(), message: reason.to_owned(), status: 200 }
}

fn creation_failed(status: &str) -> Refused {
    Refused::Answered { code: "creation failed".to_owned(), message: format!("the stream is {status}"), status: 200 }
}

fn read(file: &Path) -> Result<Wanted, Failure> {
    use std::io::Read;

    let cannot = |error: anyhow::Error| {
        Failure::new(error.context(format!("cannot read {}", file.display()))).hint(
            "give the JSON of `aws firehose create-delivery-stream --cli-input-json` or `hydrant describe --json`",
        )
    };
    let mut text = Vec::new();
    let opened = fs::File::open(file).map_err(|error| cannot(error.into()))?;
    opened.take(FILE_BYTES + 1).read_to_end(&mut text).map_err(|error| cannot(error.into()))?;
    if text.len() as u64 > FILE_BYTES {
        return Err(cannot(anyhow::anyhow!("larger than 4 MiB")));
    }
    let value: Value = serde_json::from_slice(&text).map_err(|error| cannot(error.into()))?;
    wanted(value).map_err(|what| cannot(anyhow::anyhow!(what)))
}

/// Understands either shape.
fn wanted(mut value: Value) -> Result<Wanted, &'static str> {
    if value.get("DeliveryStreamDescription").is_some() {
        value = value["DeliveryStreamDescription"].take();
    }
    let Value::Object(members) = value else { return Err("not a JSON object") };
    let input = if members.contains_key("Destinations") { from_description(members)? } else { members };
    let Some(name) = input.get("DeliveryStreamName").and_then(Value::as_str).map(str::to_owned) else {
        return Err("DeliveryStreamName is missing");
    };
    let mut kinds = input.iter().filter_map(|(key, value)| {
        let kind = key.strip_suffix("DestinationConfiguration")?;
        Some((kind.to_owned(), value.clone()))
    });
    match (kinds.next(), kinds.next()) {
        (Some(destination), None) => Ok(Wanted { name, destination, input: input.clone() }),
        (None, _) => Err("there is no destination configuration"),
        (Some(_), Some(_)) => Err("there is more than one destination configuration"),
    }
}

/// Turns a description into the input that would have created it.
fn from_description(mut description: Map<String, Value>) -> Result<Map<String, Value>, &'static str> {
    let kind = description.get("DeliveryStreamType").and_then(Value::as_str).unwrap_or("DirectPut");
    if kind != "DirectPut" {
        return Err("a description of a stream with a source does not say how to create it; write the create input");
    }
    let destination = description.get_mut("Destinations").and_then(|all| all.get_mut(0)).map(Value::take);
    let Some(Value::Object(mut destination)) = destination else { return Err("Destinations is empty") };
    if destination.contains_key("ExtendedS3DestinationDescription") {
        destination.remove("S3DestinationDescription");
    }
    let mut input = Map::new();
    for key in ["DeliveryStreamName", "DeliveryStreamType"] {
        input.extend(description.remove(key).map(|value| (key.to_owned(), value)));
    }
    for (key, value) in destination {
        if let Some(kind) = key.strip_suffix("DestinationDescription") {
            let renamed = rename(
                value,
                &[
                    ("S3DestinationDescription", "S3Configuration"),
                    ("S3BackupDescription", "S3BackupConfiguration"),
                    ("VpcConfigurationDescription", "VpcConfiguration"),
                ],
            );
            input.insert(format!("{kind}DestinationConfiguration"), renamed);
        }
    }
    Ok(input)
}

/// A destination configuration as UpdateDestination takes it.
fn update_form(configuration: Value) -> Value {
    rename(configuration, &[("S3Configuration", "S3Update"), ("S3BackupConfiguration", "S3BackupUpdate")])
}

/// A destination configuration as Describe returns it.
fn described_form(configuration: Value) -> Value {
    rename(
        configuration,
        &[
            ("S3Configuration", "S3DestinationDescription"),
            ("S3BackupConfiguration", "S3BackupDescription"),
            ("VpcConfiguration", "VpcConfigurationDescription"),
        ],
    )
}

/// Renames members at the top of `value`, keeping their order.
fn rename(value: Value, names: &[(&str, &str)]) -> Value {
    let Value::Object(members) = value else { return value };
    let renamed = |key: String| names.iter().find(|(from, _)| *from == key).map_or(key, |(_, to)| (*to).to_owned());
    Value::Object(members.into_iter().map(|(key, value)| (renamed(key), value)).collect())
}

/// Whether `current` has everything that `wanted` says.
fn holds(wanted: &Value, current: &Value) -> bool {
    match (wanted, current) {
        (Value::Object(wanted), Value::Object(current)) => wanted.iter().all(|(key, value)| match key.as_str() {
            // Replaced as a whole by an update, so what is left out counts as its default.
            "ProcessingConfiguration" => same_processing(value, current.get(key).unwrap_or(&Value::Null)),
            key => current.get(key).is_some_and(|current| holds(value, current)),
        }),
        (Value::Array(wanted), Value::Array(current)) => {
            wanted.len() == current.len() && wanted.iter().zip(current).all(|(wanted, current)| holds(wanted, current))
        }
        (wanted, current) => wanted == current,
    }
}

fn same_processing(wanted: &Value, current: &Value) -> bool {
    let enabled = |value: &Value| value["Enabled"].as_bool().unwrap_or(false);
    let processors = |value: &Value| value["Processors"].as_array().cloned().unwrap_or_default();
    let (wanted_steps, current_steps) = (processors(wanted), processors(current));
    enabled(wanted) == enabled(current)
        && wanted_steps.len() == current_steps.len()
        && wanted_steps.iter().zip(&current_steps).all(|(wanted, current)| same_processor(wanted, current))
}

/// The same type and parameters; a parameter that only the host names must have the value it fills in.
fn same_processor(wanted: &Value, current: &Value) -> bool {
    let (wanted_values, current_values) = (parameters(wanted), parameters(current));
    let filled_in = |name: &str, value: &str| {
        // The host takes the role from the destination when a processor names none.
        name == "RoleArn" || LAMBDA_DEFAULTS.contains(&(name, value)) || SPLUNK_LAMBDA_SIZE == (name, value)
    };
    wanted["Type"] == current["Type"]
        && wanted_values.iter().all(|pair| current_values.contains(pair))
        && current_values
            .iter()
            .all(|(name, value)| wanted_values.iter().any(|(wanted, _)| wanted == name) || filled_in(name, value))
}

fn parameters(processor: &Value) -> Vec<(&str, &str)> {
    let list = processor["Parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|one| Some((one["ParameterName"].as_str()?, one["ParameterValue"].as_str()?))).collect()
}

#[cfg(test)]
mod tests;
