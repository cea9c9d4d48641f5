//! Where commands write: standard output for results, standard error for the rest. Tests give it a buffer instead.
//! Refuses to decide what is said.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::Failure;

/// Results, notes and progress.
#[derive(Clone, Debug)]
pub struct Console {
    place: Place,
    format: Format,
}

/// Whom results are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Human,
    Json,
}

#[derive(Clone, Debug)]
enum Place {
    Process,
    #[cfg_attr(not(test), expect(dead_code, reason = "tests read what a command said"))]
    Buffer(Arc<Mutex<Vec<u8>>>),
}

impl Console {
    /// The process's own streams.
    pub(super) fn process(format: Format) -> Self {
        Self { place: Place::Process, format }
    }

    /// Whether results go to a machine.
    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Writes a result.
    pub(super) fn say(&self, text: &str) -> Result<(), Failure> {
        let written = match &self.place {
            Place::Process => writeln!(io::stdout().lock(), "{text}"),
            Place::Buffer(buffer) => writeln!(buffer.lock().unwrap_or_else(PoisonError::into_inner), "{text}"),
        };
        match written {
            // The reader has seen enough (`hydrant streams | head -1`).
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| Failure::new(anyhow::Error::new(error).context("cannot write"))),
        }
    }

    /// Writes bytes as they are.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        let written = match &self.place {
            Place::Process => io::stdout().lock().write_all(bytes).and_then(|()| io::stdout().flush()),
            Place::Buffer(buffer) => buffer.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes),
        };
        written.map_err(|error| Failure::new(anyhow::Error::new(error).context("cannot write")))
    }

    /// Writes a result as JSON.
    pub(super) fn say_json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(Failure::new)?;
        self.say(&text)
    }

    /// Writes a remark for people to standard error; nothing when a machine reads.
    pub(super) fn note(&self, text: &str) {
        if !self.is_json() {
            match &self.place {
                // Nobody can be told that standard error is closed.
                Place::Process => drop(writeln!(io::stderr().lock(), "{text}")),
                Place::Buffer(buffer) => {
                    drop(writeln!(buffer.lock().unwrap_or_else(PoisonError::into_inner), "{text}"));
                }
            }
        }
    }

    /// A progress bar on standard error; invisible unless that is a terminal and a person reads.
    pub(super) fn progress(&self, label: &'static str, length: Option<u64>, unit: Unit) -> ProgressBar {
        let visible = matches!(self.place, Place::Process) && !self.is_json() && io::stderr().is_terminal();
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let (done, of, rate) = match unit {
            Unit::Bytes => ("{bytes}", "{total_bytes}", "{bytes_per_sec}"),
            Unit::Records => ("{human_pos}", "{human_len}", "{per_sec}"),
        };
        let template = match length {
            Some(_) => format!("{{prefix:9}} {{bar:32}} {done} of {of}, {rate}, {{eta}} left{{msg}}"),
            None => format!("{{prefix:9}} {{spinner}} {done}, {rate}{{msg}}"),
        };
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(length, target).with_style(style).with_prefix(label)
    }
}

/// What a progress bar counts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unit {
    Bytes,
    Records,
}

/// A count of bytes for people.
pub(super) fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}

/// A count of anything else for people.
pub(super) fn count(count: u64) -> String {
    indicatif::HumanCount(count).to_string()
}

/// Rows with aligned columns; the last column is not padded.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
impl Console {
    /// Writes into a buffer.
    pub(super) fn buffer(format: Format) -> (Self, Arc<Mutex<Vec<u8>>>) {
        let buffer = Arc::new(Mutex::new(Vec::new()));
        (Self { place: Place::Buffer(Arc::clone(&buffer)), format }, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [["NAME".to_owned(), "STATUS".to_owned()], ["orders".to_owned(), "ACTIVE".to_owned()]];
        assert_eq!(table(&rows), "NAME    STATUS\norders  ACTIVE");
        assert_eq!(table::<1>(&[]), "");
    }

    #[test]
    fn notes_are_silent_for_machines() {
        let (console, buffer) = Console::buffer(Format::Json);
        console.note("remark");
        console.say_json(&serde_json::json!({})).expect("written");
        assert_eq!(buffer.lock().expect("a buffer").as_slice(), b"{}\n");
    }
}
