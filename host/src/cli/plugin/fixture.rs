//! Fixture files of `hydrant plugin test`: records, and what a plugin is to make of each.
//!
//! One JSON file is one batch for one stream:
//!
//! ```json
//! {
//!   "settings": {"mask": "*"},
//!   "records": [
//!     {"input": "{\"n\":1}\n", "expect": {"delivered": ["{\"n\":1}\n"]}},
//!     {"input": "{\"n\":2}\n", "expect": "dropped"},
//!     {"input": {"base64": "/w=="}, "expect": {"failed": {"code": "…", "message": "…"}}}
//!   ]
//! }
//! ```
//!
//! Refuses members it does not know: a misspelt expectation would never fail.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64_simd::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::super::Failure;
use crate::process::{Delivered, Fate};

/// Fixture files of one run; a folder with more is a mistake in the path.
const MAX_FILES: usize = 10_000;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fixture {
    /// Name of the stream that `configure` is told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) stream: String,
    /// Settings that `configure` is told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) settings: BTreeMap<String, String>,
    /// The batch.
    pub(super) records: Vec<Case>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// What is put.
    pub(super) input: Bytes,
    /// What becomes of it; missing in a fixture that is not blessed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expect: Option<Expected>,
}

/// What becomes of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expected {
    /// Delivered as these.
    Delivered(Vec<Output>),
    /// Dropped on purpose.
    Dropped,
    /// To the error output, with these words in the envelope.
    Failed {
        /// `errorCode`.
        code: String,
        /// `errorMessage`.
        message: String,
    },
}

/// One delivered record, with its keys when it has any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Output {
    /// Without keys.
    Plain(Bytes),
    /// With partition keys or reserved columns.
    Keyed {
        /// Its bytes.
        data: Bytes,
        /// By name.
        keys: BTreeMap<String, String>,
    },
}

/// Bytes: text where they are text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Bytes {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Binary {
        /// Standard alphabet, padded.
        base64: String,
    },
}

impl Bytes {
    pub(super) fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Binary { base64: BASE64.encode_to_string(bytes) },
        }
    }

    fn decode(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::Binary { base64 } => BASE64.decode_to_vec(base64).map_err(|_| format!("{base64:?} is no base64")),
        }
    }
}

impl From<Fate> for Expected {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Delivered(several) => Self::Delivered(several.into_iter().map(Output::from).collect()),
            Fate::Dropped => Self::Dropped,
            Fate::Failed { code, message } => Self::Failed { code, message },
        }
    }
}

impl From<Delivered> for Output {
    fn from(delivered: Delivered) -> Self {
        let data = Bytes::of(&delivered.data);
        if delivered.keys.is_empty() { Self::Plain(data) } else { Self::Keyed { data, keys: delivered.keys } }
    }
}

impl Fixture {
    /// Reads a file.
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(file).map_err(|error| unreadable(file, error))?;
        serde_json::from_str(&text).map_err(|error| unreadable(file, error))
    }

    /// Writes a file, whole or not at all.
    pub(super) fn write(&self, file: &Path) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(self).map_err(Failure::new)?;
        text.push('\n');
        let beside = file.with_extension("json.new");
        fs::write(&beside, text).and_then(|()| fs::rename(&beside, file)).map_err(|error| {
            Failure::new(anyhow::Error::new(error).context(format!("cannot write {}", file.display())))
        })
    }

    /// The records' bytes.
    pub(super) fn inputs(&self, file: &Path) -> Result<Vec<Vec<u8>>, Failure> {
        let inputs = self.records.iter().map(|case| case.input.decode());
        inputs.collect::<Result<_, _>>().map_err(|told| Failure::told(format!("{}: {told}", file.display())))
    }
}

fn unreadable(file: &Path, error: impl Into<anyhow::Error>) -> Failure {
    Failure::new(error.into().context(format!("{} is no fixture", file.display())))
        .hint("a fixture is {\"records\": [{\"input\": \"…\"}]}; `--update` fills in what is expected")
}

/// The fixtures that are named: files as they are, folders as the `.json` files in them, in the order of names.
pub(super) fn find(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in named {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let listed = fs::read_dir(path).map_err(|error| unreadable(path, error))?;
        let mut files: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
        files.sort();
        found.extend(files);
    }
    if found.is_empty() || found.len() > MAX_FILES {
        let told = format!("there are {} fixtures, and there must be 1 to {MAX_FILES}", found.len());
        return Err(Failure::told(told).hint("name files or a folder of .json files; the default is ./fixtures"));
    }
    Ok(found)
}
