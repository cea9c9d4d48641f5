//! Which failures are meant. Refuses to read any.

use serde::{Deserialize, Serialize};

use super::{Failure, Stage};
use crate::deliver::Stored;

/// How much later than its object an instant in it may lie: clocks of two machines differ.
const SLACK_MS: u64 = 3_600_000;

/// Conditions, all of which must hold; one that is not set holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Failed at or after this instant, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// Failed before this instant, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// Names of stages, of which one must be its.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<String>,
    /// Codes, of which one must be its.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    /// Plugin that failed it: a name, the beginning of a digest, or both as `NAME@DIGEST`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
}

impl Filter {
    /// The stages that are meant; none means all.
    ///
    /// # Errors
    /// The name that is none.
    pub fn stages(&self) -> Result<Vec<Stage>, String> {
        self.stages.iter().map(|name| Stage::named(name).ok_or_else(|| name.clone())).collect()
    }

    /// False when nothing in this object can be meant.
    pub fn may_hold(&self, object: &Stored, stage: Stage) -> bool {
        let is_stage = self.stages.is_empty() || self.stages.iter().any(|name| name == stage.as_str());
        is_stage && self.since_ms.is_none_or(|since| object.modified_ms.saturating_add(SLACK_MS) >= since)
    }

    /// Whether a failure is meant, in an object of a stage that is. What does not say when it happened did when its object
    /// was written.
    pub fn takes(&self, failure: &Failure, object: &Stored) -> bool {
        let at_ms = failure.at_ms().unwrap_or(object.modified_ms);
        self.since_ms.is_none_or(|since| at_ms >= since)
            && self.until_ms.is_none_or(|until| at_ms < until)
            && (self.codes.is_empty() || self.codes.contains(&failure.code))
            && self.plugin.as_ref().is_none_or(|plugin| is_by(failure, plugin))
    }
}

fn is_by(failure: &Failure, plugin: &str) -> bool {
    let function = failure.lambda_arn.as_deref().and_then(|arn| arn.split(":function:").nth(1));
    let function = function.map(|rest| rest.split(':').next().unwrap_or(rest));
    let is_named = |name: &str| failure.plugin_name.as_deref().or(function) == Some(name);
    let has_digest = |start: &str| failure.plugin_digest.as_ref().is_some_and(|digest| digest.starts_with(start));
    match plugin.split_once('@') {
        Some((name, digest)) => is_named(name) && has_digest(digest),
        None => is_named(plugin) || (plugin.len() >= SHORTEST_DIGEST && has_digest(plugin)),
    }
}

/// Digits of a digest that are none by chance.
const SHORTEST_DIGEST: usize = 8;
