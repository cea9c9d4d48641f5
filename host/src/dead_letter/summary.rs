//! What one object holds, counted. Refuses to keep records.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Failure, Stage};
use crate::deliver::Stored;

/// Codes told apart in one object; the rest is counted together. A destination has a few dozen.
const MOST_CODES: usize = 64;

/// The name under which the rest is counted.
const OTHERS: &str = "(others)";

/// An object of failures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Its key.
    pub key: String,
    /// When it was written last, milliseconds since 1970.
    pub modified_ms: u64,
    /// Its length as it is stored.
    pub bytes: u64,
    /// Name of its stage.
    pub stage: String,
    /// Failures that are meant.
    pub records: u64,
    /// Bytes of their records.
    pub record_bytes: u64,
    /// How many of them were replayed.
    pub replayed: u64,
    /// Lines that are no failures.
    pub unreadable: u64,
    /// Failures by code.
    pub codes: BTreeMap<String, u64>,
    /// Why it was not read to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Summary {
    /// Of an object of which nothing is counted yet.
    pub fn new(object: &Stored, stage: Stage) -> Self {
        Self {
            key: object.key.clone(),
            modified_ms: object.modified_ms,
            bytes: object.bytes,
            stage: stage.as_str().to_owned(),
            ..Self::default()
        }
    }

    /// Counts a failure.
    pub fn add(&mut self, failure: &Failure, was_replayed: bool) {
        self.records += 1;
        self.record_bytes += failure.data.len() as u64;
        self.replayed += u64::from(was_replayed);
        let is_known = self.codes.len() < MOST_CODES || self.codes.contains_key(&failure.code);
        let code = if is_known { failure.code.as_str() } else { OTHERS };
        *self.codes.entry(code.to_owned()).or_default() += 1;
    }
}
