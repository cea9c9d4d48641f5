//! Putting failures into their stream again: records and the memory of having put them are one frame of the journal.
//!
//! The work is a task of its own, so that whoever asked may go away in the middle of it. Refuses to put a line twice, and
//! to wait for room in the journal: it says that it is full, and where it stopped.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::Context;
use super::super::streams::Running;
use super::{Cursor, DeadLetterError};
use crate::dead_letter::Failure;
use crate::journal::AppendError;
use crate::record::{Column, Course, Lines, ObjectId, Records, Replay, Replayed};

/// Column that says of a record that it is delivered once more, so that it is not copied once more.
pub(crate) const REDELIVERED: &str = "$redelivered";

/// What was put again, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Failures that were put again.
    pub replayed: u64,
    /// Bytes of their records.
    pub replayed_bytes: u64,
    /// Failures that were put again before.
    pub already: u64,
    /// Failures of objects so old that it is forgotten whether they were.
    pub forgotten: u64,
    /// Lines that are no failures.
    pub unreadable: u64,
    /// Failures whose record cannot be put: it is larger than a frame of the journal, or of a kind that nobody takes.
    pub not_replayable: u64,
    /// Objects looked into.
    pub objects: u64,
    /// Objects that could not be used, and why.
    pub passed_over: Vec<String>,
    /// Why nothing more was put; later there is room.
    pub paused: Option<String>,
    /// Where to go on; none at the end.
    pub next: Option<Cursor>,
}

impl Tally {
    /// Counts both together; what says where to go on is the other's.
    pub fn add(&mut self, other: Self) {
        self.replayed += other.replayed;
        self.replayed_bytes += other.replayed_bytes;
        self.already += other.already;
        self.forgotten += other.forgotten;
        self.unreadable += other.unreadable;
        self.not_replayable += other.not_replayable;
        self.objects += other.objects;
        other.passed_over.into_iter().for_each(|why| self.passed_over(why));
        self.paused = other.paused;
        self.next = other.next;
    }

    /// Notes that an object could not be used; the first ones are told, and they are counted by hand from there.
    pub fn passed_over(&mut self, why: String) {
        if self.passed_over.len() < MOST_TOLD {
            self.passed_over.push(why);
        }
    }
}

/// Objects that are told of when they could not be used.
const MOST_TOLD: usize = 100;

/// Where failures came from, and which way they take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) object: ObjectId,
    pub(super) modified_ms: u64,
    pub(super) course: Course,
}

/// The way into one stream.
#[derive(Clone, Debug)]
pub(super) struct Putting {
    context: Arc<Context>,
    running: Arc<Running>,
    dry_run: bool,
}

/// Failures with their lines.
type Numbered = Vec<(u32, Failure)>;

impl Putting {
    pub(super) fn new(context: &Arc<Context>, running: &Arc<Running>, dry_run: bool) -> Self {
        Self { context: Arc::clone(context), running: Arc::clone(running), dry_run }
    }

    /// Puts those of these failures, whose lines rise, that were not put before.
    pub(super) async fn put(&self, origin: Origin, failures: Numbered) -> Result<Tally, DeadLetterError> {
        let mut replayed = self.running.replayed().lock_owned().await;
        let mut tally = Tally::default();
        if origin.modified_ms < replayed.floor_ms() {
            tally.forgotten = failures.len() as u64;
            return Ok(tally);
        }
        let count = failures.len();
        let new: Numbered = failures.into_iter().filter(|(line, _)| !replayed.contains(origin.object, *line)).collect();
        tally.already = (count - new.len()) as u64;
        if self.dry_run || new.is_empty() {
            tally.replayed = new.len() as u64;
            tally.replayed_bytes = new.iter().map(|(_, failure)| failure.data.len() as u64).sum();
            return Ok(tally);
        }
        let this = self.clone();
        // What is on its way into the journal must be remembered, whether anybody waits for it or not.
        let work = tokio::spawn(async move {
            let put = this.append_all(origin, new, &mut replayed, &mut tally).await;
            put.map(|()| tally)
        });
        work.await.map_err(|_| DeadLetterError::Gone)?
    }

    async fn append_all(
        &self,
        origin: Origin,
        failures: Numbered,
        replayed: &mut Replayed,
        tally: &mut Tally,
    ) -> Result<(), DeadLetterError> {
        let mut waiting = vec![failures];
        while let Some(mut part) = waiting.pop() {
            match self.append(origin, &part, replayed).await {
                Ok(bytes) => {
                    tally.replayed += part.len() as u64;
                    tally.replayed_bytes += bytes;
                }
                Err(AppendError::TooLarge { .. }) if part.len() > 1 => {
                    let rest = part.split_off(part.len() / 2);
                    waiting.extend([rest, part]);
                }
                Err(AppendError::TooLarge { .. }) => tally.not_replayable += 1,
                Err(error @ (AppendError::Full | AppendError::Busy)) => {
                    tally.paused = Some(error.to_string());
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// One frame.
    async fn append(
        &self,
        origin: Origin,
        failures: &[(u32, Failure)],
        replayed: &mut Replayed,
    ) -> Result<u64, AppendError> {
        let handle = self.running.handle();
        let Origin { object, modified_ms, course } = origin;
        let lines = Lines::of(failures.iter().map(|(line, _)| *line));
        let replay = Replay { object, modified_ms, lines, course };
        let records = records(failures, course);
        let (count, bytes) = (records.len() as u64, records.payload().len() as u64);
        let now_ms = self.context.clock.now_ms();
        self.context.journal.replay(handle.id, records, replay.clone(), now_ms).await?;
        replayed.add(&replay);
        handle.metrics.durable.add(count, bytes);
        Ok(bytes)
    }
}

/// The records of these failures, with what names them where they are only delivered.
fn records(failures: &[(u32, Failure)], course: Course) -> Records {
    let mut payload = Vec::with_capacity(failures.iter().map(|(_, failure)| failure.data.len()).sum());
    let mut ends = Vec::with_capacity(failures.len());
    for (_, failure) in failures {
        payload.extend_from_slice(&failure.data);
        // A part has some megabytes, or one line.
        ends.push(u32::try_from(payload.len()).unwrap_or(u32::MAX));
    }
    let columns = match course {
        Course::Put | Course::Process => Vec::new(),
        Course::Deliver => [
            column("$document-id", failures, |failure| failure.document_id.as_deref()),
            column("$index", failures, |failure| failure.index.as_deref()),
            column("$operation", failures, |failure| failure.operation.as_deref()),
            column("$routing", failures, |failure| failure.routing.as_deref()),
            column(REDELIVERED, failures, |_| Some("1")),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    // They were made for each other.
    Records::new(payload.into(), ends, columns).unwrap_or_default()
}

/// A column of what `value` says; none where it says nothing of any.
fn column(name: &str, failures: &[(u32, Failure)], value: fn(&Failure) -> Option<&str>) -> Option<Column> {
    let mut known: HashMap<&str, u32> = HashMap::new();
    let mut column = Column { name: name.to_owned(), ..Column::default() };
    for (_, failure) in failures {
        let code = value(failure).map_or(0, |text| {
            let next = u32::try_from(known.len() + 1).unwrap_or(u32::MAX);
            *known.entry(text).or_insert_with(|| {
                column.dictionary.push(text.to_owned());
                next
            })
        });
        column.codes.push(code);
    }
    (!column.dictionary.is_empty()).then_some(column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(data: &'static str, id: Option<&str>) -> Failure {
        let index = Some("logs-2026".to_owned());
        Failure { data: data.into(), document_id: id.map(str::to_owned), index, ..Failure::default() }
    }

    #[test]
    fn what_is_only_delivered_keeps_its_names() {
        let failures = [(3, failure("a", Some("x"))), (4, failure("", None)), (9, failure("ccc", Some("y")))];
        let made = records(&failures, Course::Deliver);
        assert_eq!(made.iter().collect::<Vec<_>>(), [&b"a"[..], b"", b"ccc"]);
        let codes = |name: &str| made.columns().iter().find(|column| column.name == name).map(|column| &column.codes);
        assert_eq!(codes("$document-id"), Some(&vec![1, 0, 2]));
        assert_eq!(codes("$index"), Some(&vec![1, 1, 1]));
        assert_eq!((codes("$operation"), codes(REDELIVERED)), (None, Some(&vec![1, 1, 1])));
        assert_eq!(records(&failures, Course::Process).columns(), []);
    }
}
