//! ProcessingConfiguration: the rules of its processors, and the plugin that a Lambda ARN names.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::create::not_offered;
use crate::api::error::{Fault, invalid_argument};
use crate::definition::{OnFailure, Processor};

/// Checks the block, fills in its defaults, and reads the processors out in the order in which they work. A block that is
/// not enabled is checked all the same, and then nothing of it works.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn settle(block: &mut Value, role: &str) -> Result<Vec<Processor>, Fault> {
    if block["Enabled"].is_null() {
        block["Enabled"] = json!(false);
    }
    let enabled = block["Enabled"] == true;
    let Some(processors) = block.get_mut("Processors").and_then(Value::as_array_mut) else { return Ok(Vec::new()) };
    // A repeated parameter is told before anything that a processor's own parameters say.
    if processors.iter().any(repeats_a_parameter) {
        return Err(invalid_argument("Duplicate ProcessorParameter passed to ProcessingConfiguration."));
    }
    if processors.iter().filter(|processor| processor["Type"] == "Lambda").count() > 1 {
        return Err(invalid_argument("Cannot have more than 1 Lambda processor."));
    }
    let (mut plugins, mut delimiter) = (Vec::new(), None);
    for processor in processors {
        let kind = processor["Type"].as_str().unwrap_or_default().to_owned();
        match kind.as_str() {
            "Lambda" => plugins = settle_lambda(processor, role)?,
            "AppendDelimiterToRecord" if delimiter.is_some() => {
                return Err(invalid_argument("Cannot have more than 1 AppendDelimiterToRecord processor."));
            }
            "AppendDelimiterToRecord" => delimiter = Some(append_delimiter(processor)),
            _ if enabled => return Err(not_offered(&format!("Processor type {kind}"))),
            _ => {}
        }
    }
    Ok(if enabled { plugins.into_iter().chain(delimiter).collect() } else { Vec::new() })
}

fn repeats_a_parameter(processor: &Value) -> bool {
    let mut seen = HashSet::new();
    !parameters(processor).all(|(name, _)| seen.insert(name))
}

fn parameters(processor: &Value) -> impl Iterator<Item = (&str, &str)> {
    let list = processor["Parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(|parameter| Some((parameter["ParameterName"].as_str()?, parameter["ParameterValue"].as_str()?)))
}

/// Describe shows these five in this order, and whatever else was sent after them.
const LAMBDA_PARAMETERS: [&str; 5] =
    ["LambdaArn", "NumberOfRetries", "RoleArn", "BufferSizeInMBs", "BufferIntervalInSeconds"];

/// An extension of ours: it has no default that Describe would show, so that answers stay the service's without it.
const ON_PLUGIN_FAILURE: &str = "OnPluginFailure";

/// Plugins of one stream, one after another; more is a mistake, and each costs a call for every batch.
const CHAINED: usize = 8;

/// The plugins of a processor: one, or, as an extension of ours, several whose ARNs are separated by commas.
fn settle_lambda(processor: &mut Value, role: &str) -> Result<Vec<Processor>, Fault> {
    let given = |name: &str| parameters(processor).find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    let lambda_arn =
        given("LambdaArn").ok_or_else(|| invalid_argument("LambdaArn is required when Lambda processor is used."))?;
    let named = |arn: &str| Some((function_name(arn)?.to_owned(), arn.to_owned()));
    let named: Option<Vec<(String, String)>> = lambda_arn.split(',').map(|arn| named(arn.trim())).collect();
    let named = named.ok_or_else(|| invalid_argument("Invalid lambda ARN."))?;
    if named.len() > CHAINED {
        return Err(invalid_argument(format!("LambdaArn must not name more than {CHAINED} plugins.")));
    }
    if given("BufferSizeInMBs").is_some() != given("BufferIntervalInSeconds").is_some() {
        return Err(invalid_argument(
            "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure buffering for lambda processor.",
        ));
    }
    let or_default = |name: &str, default: &str| given(name).unwrap_or_else(|| default.to_owned());
    // The service takes 0 and 9 although it documents 1 to 8; a plugin only needs a number.
    let retries = or_default("NumberOfRetries", "3");
    let Ok(retry_count) = retries.parse() else {
        return Err(invalid_argument("NumberOfRetries must be a number."));
    };
    let (size, interval) = (or_default("BufferSizeInMBs", "1"), or_default("BufferIntervalInSeconds", "60"));
    if !size.parse::<f64>().is_ok_and(|size| (0.2..=3.0).contains(&size)) {
        return Err(invalid_argument("BufferSizeInMBs must be between 0.2 and 3 for lambda processor."));
    }
    if !interval.parse::<u32>().is_ok_and(|interval| interval <= 900) {
        return Err(invalid_argument("BufferIntervalInSeconds must be between 0 and 900 for lambda processor."));
    }
    let on_failure = match given(ON_PLUGIN_FAILURE) {
        Some(word) => OnFailure::ALL.into_iter().find(|policy| policy.as_str() == word).ok_or_else(|| {
            let words = OnFailure::ALL.map(OnFailure::as_str).join(", ");
            invalid_argument(format!("{ON_PLUGIN_FAILURE} must be one of {words}."))
        })?,
        None => OnFailure::default(),
    };
    let role = or_default("RoleArn", role);
    let values = [lambda_arn.as_str(), &retries, &role, &size, &interval];
    let known = LAMBDA_PARAMETERS.into_iter().zip(values);
    let others = parameters(processor).filter(|(name, _)| !LAMBDA_PARAMETERS.contains(name));
    let settled: Vec<Value> =
        known.chain(others).map(|(name, value)| json!({"ParameterName": name, "ParameterValue": value})).collect();
    processor["Parameters"] = Value::Array(settled);
    let plugin = |(name, lambda_arn)| Processor::Plugin { name, lambda_arn, retries: retry_count, on_failure };
    Ok(named.into_iter().map(plugin).collect())
}

/// Function name of `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`: the plugin's name. The letters are
/// those Lambda allows, so the name is safe in a path.
pub(super) fn function_name(arn: &str) -> Option<&str> {
    let word = |text: &str, most: usize, extra: &str| {
        (1..=most).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    };
    let parts: Vec<&str> = arn.split(':').collect();
    let (&["arn", partition, "lambda", region, account, "function", name], qualifier) = parts.split_at_checked(7)?
    else {
        return None;
    };
    let partition = partition.strip_prefix("aws")?;
    let legal = (partition.is_empty() || word(partition, 32, "-"))
        && word(region, 32, "-")
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && word(name, 64, "_-")
        && match qualifier {
            [] => true,
            [qualifier] => *qualifier == "$LATEST" || word(qualifier, 128, "_-"),
            _ => false,
        };
    legal.then_some(name)
}

/// The delimiter comes as text with backslash escapes: the two characters `\n` mean a newline, which is also the default.
fn append_delimiter(processor: &Value) -> Processor {
    let given = parameters(processor).find(|(name, _)| *name == "Delimiter").map_or("\\n", |(_, value)| value);
    let mut delimiter = String::new();
    let mut letters = given.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            delimiter.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => delimiter.push('\n'),
            Some('r') => delimiter.push('\r'),
            Some('t') => delimiter.push('\t'),
            Some('\\') => {
                // `\\n` is how `\n` looks after one escaping too many, a frequent sight; it means a newline, too.
                let rest = letters.as_str();
                if !rest.starts_with(['n', 'r', 't']) {
                    delimiter.push('\\');
                    continue;
                }
                delimiter.push(match letters.next() {
                    Some('r') => '\r',
                    Some('t') => '\t',
                    _ => '\n',
                });
            }
            Some(other) => delimiter.extend(['\\', other]),
            None => delimiter.push('\\'),
        }
    }
    Processor::AppendDelimiter { delimiter }
}
