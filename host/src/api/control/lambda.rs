//! The Lambda processor: the plugins that it names, and the parameters that Describe fills in.
//!
//! Whether a plugin of that name exists is not looked at: it may be published later.

use serde_json::{Value, json};

use super::processing::{Context, parameters};
use crate::api::error::{Fault, invalid_argument};
use crate::definition::{OnFailure, Processor};

/// Describe shows these five in this order, and whatever else was sent after them.
const LAMBDA_PARAMETERS: [&str; 5] =
    ["LambdaArn", "NumberOfRetries", "RoleArn", "BufferSizeInMBs", "BufferIntervalInSeconds"];

/// An extension of ours: it has no default that Describe would show, so that answers stay the service's without it.
const ON_PLUGIN_FAILURE: &str = "OnPluginFailure";

/// Plugins of one stream, one after another; more is a mistake, and each costs a call for every batch.
const CHAINED: usize = 8;

/// The plugins of a processor: one, or, as an extension of ours, several whose ARNs are separated by commas.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn settle(processor: &mut Value, context: &Context<'_>) -> Result<Vec<Processor>, Fault> {
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
    let (size, interval) =
        (or_default("BufferSizeInMBs", context.lambda_size), or_default("BufferIntervalInSeconds", "60"));
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
    let role = or_default("RoleArn", context.role);
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
