//! What `hydrant check` shows: every effective value and where it comes from. Refuses to hold a secret's value.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// Every effective value of one file.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The file.
    pub file: PathBuf,
    /// Relative paths in the file start here.
    pub relative_to: PathBuf,
    /// One entry per key, in the order of the documentation.
    pub values: Vec<Effective>,
}

/// One effective value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Effective {
    /// Dotted path.
    pub key: String,
    /// The value as text; for a secret, where it was found.
    pub value: String,
    /// Why this value.
    pub reason: Reason,
}

/// Why a value is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The file says so.
    Line(usize),
    /// The file is silent.
    Default(String),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} is good", self.file.display())?;
        writeln!(f, "relative paths start at {}", self.relative_to.display())?;
        writeln!(f)?;
        let keys = self.values.iter().map(|value| value.key.chars().count()).max().unwrap_or(0);
        let values = self.values.iter().map(|value| value.value.chars().count()).max().unwrap_or(0);
        for Effective { key, value, reason } in &self.values {
            writeln!(f, "{key:keys$}  {value:values$}  {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Default(why) => write!(f, "default: {why}"),
        }
    }
}

/// Bytes as people read them: exact, in the largest unit that divides them.
pub(super) fn bytes(count: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let exact = units.iter().find(|(_, shift)| count != 0 && count.is_multiple_of(1 << shift));
    match exact {
        Some((unit, shift)) => format!("{count} ({} {unit})", count >> shift),
        None => count.to_string(),
    }
}
