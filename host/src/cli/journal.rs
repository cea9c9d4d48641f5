//! `hydrant journal inspect|verify`: a report about a journal on disk. Refuses to change it.

use std::fmt::Display;
use std::path::Path;

use serde::Serialize;

use super::arguments::Journal;
use super::{Console, Failure};

/// What can be asked about the journal in a data directory; the pipeline knows where in it the journal lies.
pub trait Journals {
    /// Segments, streams, backlog.
    fn inspect(data_dir: &Path) -> anyhow::Result<impl Serialize + Display>;

    /// Reads every frame; the flag says whether all are whole.
    fn verify(data_dir: &Path) -> anyhow::Result<(impl Serialize + Display, bool)>;
}

/// Prints the report that was asked for.
pub(super) fn journal<J: Journals>(console: &Console, command: &Journal) -> Result<(), Failure> {
    let hint = "name the data_dir of a host; `hydrant check` shows it";
    let unreadable = |error: anyhow::Error| Failure::new(error.context("cannot read the journal")).hint(hint);
    match command {
        Journal::Inspect(directory) => report(console, &J::inspect(&directory.dir).map_err(unreadable)?),
        Journal::Verify(directory) => {
            let (found, whole) = J::verify(&directory.dir).map_err(unreadable)?;
            report(console, &found)?;
            if whole {
                return Ok(());
            }
            Err(Failure::told("the journal is damaged")
                .hint("the host skips damaged frames and says which; keep a copy"))
        }
    }
}

fn report(console: &Console, report: &(impl Serialize + Display)) -> Result<(), Failure> {
    if console.is_json() { console.say_json(report) } else { console.say(report.to_string().trim_end()) }
}
