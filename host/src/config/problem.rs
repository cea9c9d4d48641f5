//! What is wrong with a configuration, told so that it can be repaired. Refuses to show a secret or a file's content.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// One thing to repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Dotted path of the key; empty when the text is not TOML.
    pub path: String,
    /// Line in the file, from 1; absent when the key is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub hint: String,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read configuration {}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file has problems: all of them.
    #[error("{}", Listing { file, problems })]
    Invalid {
        /// The file.
        file: PathBuf,
        /// In the order of their lines; missing keys first.
        problems: Vec<Problem>,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.path.as_str(), self.line) {
            ("", Some(line)) => write!(f, "line {line}: ")?,
            ("", None) => {}
            (path, Some(line)) => write!(f, "{path} (line {line}): ")?,
            (path, None) => write!(f, "{path}: ")?,
        }
        write!(f, "{}\n    hint: {}", self.what, self.hint)
    }
}

struct Listing<'a> {
    file: &'a PathBuf,
    problems: &'a [Problem],
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "{} has {count} problem{}", self.file.display(), if count == 1 { "" } else { "s" })?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}
