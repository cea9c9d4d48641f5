//! The dead letter of a running host: listing, showing, and putting failures into their stream again.
//!
//! Every question is bounded in time and answers with a cursor for the next one, so whoever asks shows progress, may stop
//! whenever they like, and begins anew without harm: what was put again is remembered by the journal, in the frame that
//! holds it. Refuses to change a bucket, and to put a failure into a stream twice.

mod put;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::dead_letter::{Failure, Filter, MANIFESTS, Next, Objects, ReadError, Reading, Stage, Summary};
use crate::dead_letter::{prefixes, stage_of};
use crate::definition::Definition;
use crate::deliver::{DeliveryError, Look, Stored};
use crate::journal::AppendError;
use crate::record::{Course, ObjectId};

use super::Context;
use super::streams::{Running, Streams};

pub(crate) use put::REDELIVERED;
pub use put::Tally;
use put::{Origin, Putting};

/// How long one question is worked on before it is answered with what there is: short enough for a progress bar.
const PATIENCE: Duration = Duration::from_secs(2);

/// Questions worked on at once, over all streams; each has some 20 MB in memory.
const AT_ONCE: usize = 2;

/// Objects in one answer.
const MOST_OBJECTS: usize = 200;

/// Where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cursor {
    /// Objects up to this key are done with.
    pub after: Option<String>,
    /// The object to go on in, if it comes next.
    pub key: Option<String>,
    /// Its first line that is not done with.
    pub line: u32,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wish {
    /// Account of the stream, where several have one of its name.
    pub account: Option<String>,
    /// Which failures.
    pub filter: Filter,
    /// Only those of this object.
    pub object: Option<String>,
    /// Where the last answer said to go on.
    pub cursor: Cursor,
    /// Most objects of a list, most failures that are shown.
    pub limit: Option<u32>,
    /// Only say what would be put again.
    pub dry_run: bool,
}

/// A list of objects.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Bucket that they lie in.
    pub bucket: String,
    /// In the order of their keys.
    pub objects: Vec<Summary>,
    /// None at the end.
    pub next: Option<Cursor>,
}

/// A line of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// Its number, from 0.
    pub line: u32,
    /// Whether it was put into the stream again.
    pub replayed: bool,
    /// What it says.
    pub failure: Option<Failure>,
    /// Why it says nothing.
    pub error: Option<String>,
}

/// Lines of an object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// Bucket that it lies in.
    pub bucket: String,
    /// Its stage.
    pub stage: String,
    /// Lines that are meant, and those that say nothing.
    pub lines: Vec<Shown>,
    /// None at the end.
    pub next: Option<Cursor>,
}

/// Failures that somebody else read: of a bucket that this host does not see.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brought {
    /// Account of the stream, where several have one of its name.
    #[serde(default)]
    pub account: Option<String>,
    /// Bucket that they lie in.
    pub bucket: String,
    /// Key of their object.
    pub key: String,
    /// Its entity tag.
    pub etag: String,
    /// When it was written last, milliseconds since 1970.
    pub modified_ms: u64,
    /// The failures with their lines, rising.
    pub failures: Vec<(u32, Failure)>,
    /// Only say what would be put again.
    #[serde(default)]
    pub dry_run: bool,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// No stream of this name.
    #[error("there is no stream {0}")]
    NoStream(String),
    /// More than one account has it.
    #[error("several accounts have a stream {0}")]
    Ambiguous(String),
    /// No stage of this name.
    #[error("there is no stage {0}")]
    NoStage(String),
    /// The key names no stage.
    #[error("{0} is no object of an error output")]
    NotAFailure(String),
    /// The bucket does not have it.
    #[error("there is no object {0}")]
    NoObject(String),
    /// The failures are of a destination that the stream does not have.
    #[error("{stage} holds records made for another destination than that of stream {stream}")]
    OtherDestination {
        /// Stage of the failures.
        stage: &'static str,
        /// The stream.
        stream: String,
    },
    /// The bucket cannot be read.
    #[error(transparent)]
    Look(#[from] DeliveryError),
    /// The object cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The journal does not take them.
    #[error("nothing more is put into the stream")]
    Journal(#[from] AppendError),
    /// The host stops.
    #[error("the host is stopping")]
    Gone,
}

impl DeadLetterError {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoStream(_) => "`hydrant streams` lists them",
            Self::Ambiguous(_) => "name one with --account",
            Self::NoStage(_) => "`hydrant dead-letter list` shows them",
            Self::NotAFailure(_) | Self::NoObject(_) => "`hydrant dead-letter list` shows the keys",
            Self::OtherDestination { .. } => "replay them into a stream with the same kind of destination",
            Self::Look(_) | Self::Read(ReadError::Fetch(_)) => "run it again when the bucket can be read",
            Self::Read(ReadError::Damaged { .. }) => "replay other objects by name with --object",
            Self::Journal(AppendError::TooManyReplays(_)) => {
                "`hydrant dead-letter forget` makes room: what it forgets cannot be replayed any more"
            }
            Self::Journal(_) | Self::Gone => "run it again: it goes on where it stopped",
        }
    }
}

/// The dead letters of all streams of a host.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    context: Arc<Context>,
    streams: Arc<Streams>,
    look: Arc<dyn Look>,
    turns: Arc<Semaphore>,
}

impl DeadLetters {
    pub(super) fn new(context: Arc<Context>, streams: Arc<Streams>, look: Arc<dyn Look>) -> Self {
        Self { context, streams, look, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Counts what is in the next objects.
    ///
    /// # Errors
    /// No such stream or stage, or a bucket that cannot be listed. What is wrong with one object stands beside it.
    pub async fn list(&self, stream: &str, wish: &Wish) -> Result<Found, DeadLetterError> {
        let _turn = self.turns.acquire().await;
        let running = self.find(wish.account.as_deref(), stream)?;
        let definition = Arc::clone(&running.handle().definition);
        let most = wish.limit.map_or(MOST_OBJECTS, |limit| (limit as usize).clamp(1, MOST_OBJECTS));
        let until = Instant::now() + PATIENCE;
        let mut objects = self.objects(&definition, wish)?;
        let mut found = Found { bucket: definition.s3.bucket.clone(), ..Found::default() };
        while found.objects.len() < most {
            let (object, stage) = match objects.next(until).await? {
                Next::Object(object, stage) => (object, stage),
                Next::Later => break,
                Next::End => return Ok(found),
            };
            let summary = self.count(&running, &definition, &object, stage, &wish.filter).await;
            if summary.records > 0 || summary.unreadable > 0 || summary.error.is_some() || stage == MANIFESTS {
                found.objects.push(summary);
            }
            if Instant::now() >= until {
                break;
            }
        }
        found.next = Some(Cursor { after: objects.after().map(str::to_owned), ..Cursor::default() });
        Ok(found)
    }

    /// Shows the next lines of the object that is wished for.
    ///
    /// # Errors
    /// There is no such object, or it cannot be read.
    pub async fn show(&self, stream: &str, wish: &Wish) -> Result<Page, DeadLetterError> {
        let _turn = self.turns.acquire().await;
        let running = self.find(wish.account.as_deref(), stream)?;
        let definition = Arc::clone(&running.handle().definition);
        let key = wish.object.clone().unwrap_or_default();
        let (object, stage) = self.object(&definition, &key).await?;
        let id = ObjectId::new(&definition.s3.bucket, &object.key, &object.etag);
        let most = wish.limit.map_or(usize::MAX, |limit| limit.max(1) as usize);
        let until = Instant::now() + PATIENCE;
        let mut page =
            Page { bucket: definition.s3.bucket.clone(), stage: stage.as_str().to_owned(), ..Page::default() };
        let mut reading = Reading::start(Arc::clone(&self.look), &page.bucket, &object, wish.cursor.line);
        while let Some(lines) = reading.next().await? {
            let mut line = 0;
            let replayed = running.replayed();
            let replayed = replayed.lock().await;
            for read in lines {
                if page.lines.len() >= most {
                    break;
                }
                line = read.at.saturating_add(1);
                let (failure, error) = match read.failure {
                    Ok(failure) if !wish.filter.takes(&failure, &object) => continue,
                    Ok(failure) => (Some(failure), None),
                    Err(error) => (None, Some(error.to_string())),
                };
                page.lines.push(Shown { line: read.at, replayed: replayed.contains(id, read.at), failure, error });
            }
            // One part is an answer of a good size.
            if !page.lines.is_empty() || Instant::now() >= until {
                page.next = Some(Cursor { line, ..wish.cursor.clone() });
                return Ok(page);
            }
        }
        Ok(page)
    }

    /// Puts the next failures into their stream again, each once whatever is asked how often.
    ///
    /// # Errors
    /// What the next question would meet, too. What was put until then is remembered.
    pub async fn replay(&self, stream: &str, wish: &Wish) -> Result<Tally, DeadLetterError> {
        let _turn = self.turns.acquire().await;
        let running = self.find(wish.account.as_deref(), stream)?;
        let definition = Arc::clone(&running.handle().definition);
        let until = Instant::now() + PATIENCE;
        let putting = self.putting(&running, wish.dry_run);
        let mut tally = Tally::default();
        if let Some(key) = &wish.object {
            let (object, stage) = self.object(&definition, key).await?;
            let line = self.put_object(&putting, &definition, (&object, stage), wish, until, &mut tally).await?;
            tally.next = line.map(|line| Cursor { key: Some(key.clone()), line, after: None });
            return Ok(tally);
        }
        let mut objects = self.objects(&definition, wish)?;
        loop {
            let before = objects.after().map(str::to_owned);
            let (object, stage) = match objects.next(until).await? {
                Next::Object(object, stage) => (object, stage),
                Next::End => return Ok(tally),
                Next::Later => {
                    let after = objects.after().map(str::to_owned);
                    tally.next = Some(Cursor { after, ..Cursor::default() });
                    return Ok(tally);
                }
            };
            let line = self.put_object(&putting, &definition, (&object, stage), wish, until, &mut tally).await?;
            if let Some(line) = line {
                tally.next = Some(Cursor { after: before, key: Some(object.key), line });
                return Ok(tally);
            }
            if Instant::now() >= until {
                let after = objects.after().map(str::to_owned);
                tally.next = Some(Cursor { after, ..Cursor::default() });
                return Ok(tally);
            }
        }
    }

    /// Puts failures into a stream that somebody else read.
    ///
    /// # Errors
    /// As [`Self::replay`].
    pub async fn take(&self, stream: &str, brought: Brought) -> Result<Tally, DeadLetterError> {
        let running = self.find(brought.account.as_deref(), stream)?;
        let definition = Arc::clone(&running.handle().definition);
        let stage = stage_of(&brought.key).ok_or_else(|| DeadLetterError::NotAFailure(brought.key.clone()))?;
        let mut tally = Tally::default();
        let Some(course) = course_in(stage, &definition)? else {
            tally.not_replayable += brought.failures.len() as u64;
            return Ok(tally);
        };
        let origin = Origin {
            object: ObjectId::new(&brought.bucket, &brought.key, &brought.etag),
            modified_ms: brought.modified_ms,
            course,
        };
        let mut failures = brought.failures;
        failures.sort_unstable_by_key(|(line, _)| *line);
        failures.dedup_by_key(|(line, _)| *line);
        tally.add(self.putting(&running, brought.dry_run).put(origin, failures).await?);
        Ok(tally)
    }

    /// Forgets what was put again of objects that were written before this instant, milliseconds since 1970; none of them
    /// can be put again afterwards. Answers with how many ranges of lines are still remembered.
    ///
    /// # Errors
    /// No such stream, or the journal does not take it.
    pub async fn forget(&self, account: Option<&str>, stream: &str, before_ms: u64) -> Result<usize, DeadLetterError> {
        let running = self.find(account, stream)?;
        let replayed = running.replayed();
        let mut replayed = replayed.lock().await;
        self.context.journal.forget_replays(running.handle().id, before_ms).await?;
        replayed.forget_before(before_ms);
        Ok(replayed.ranges())
    }

    fn find(&self, account: Option<&str>, name: &str) -> Result<Arc<Running>, DeadLetterError> {
        let is_it = |running: &Arc<Running>| {
            let definition = &running.handle().definition;
            definition.name == name && account.is_none_or(|account| definition.account_id == account)
        };
        let mut found: Vec<_> = self.streams.all().into_iter().filter(is_it).collect();
        match (found.pop(), found.is_empty()) {
            (Some(running), true) => Ok(running),
            (Some(_), false) => Err(DeadLetterError::Ambiguous(name.to_owned())),
            (None, _) => Err(DeadLetterError::NoStream(name.to_owned())),
        }
    }

    fn objects(&self, definition: &Definition, wish: &Wish) -> Result<Objects, DeadLetterError> {
        let stages = wish.filter.stages().map_err(DeadLetterError::NoStage)?;
        let s3 = &definition.s3;
        let prefixes = prefixes(&s3.error_output_prefix, &s3.prefix, &stages);
        let (look, after) = (Arc::clone(&self.look), wish.cursor.after.clone());
        Ok(Objects::new(look, &s3.bucket, prefixes, wish.filter.clone(), after))
    }

    async fn object(&self, definition: &Definition, key: &str) -> Result<(Stored, Stage), DeadLetterError> {
        let stage = stage_of(key).ok_or_else(|| DeadLetterError::NotAFailure(key.to_owned()))?;
        // Of all keys that begin with it, itself is the first.
        let listed = self.look.objects(&definition.s3.bucket, key, None).await?;
        let object = listed.into_iter().next().filter(|object| object.key == key);
        Ok((object.ok_or_else(|| DeadLetterError::NoObject(key.to_owned()))?, stage))
    }

    async fn count(
        &self,
        running: &Running,
        definition: &Definition,
        object: &Stored,
        stage: Stage,
        filter: &Filter,
    ) -> Summary {
        let mut summary = Summary::new(object, stage);
        if stage == MANIFESTS {
            return summary;
        }
        let id = ObjectId::new(&definition.s3.bucket, &object.key, &object.etag);
        let mut reading = Reading::start(Arc::clone(&self.look), &definition.s3.bucket, object, 0);
        loop {
            let lines = match reading.next().await {
                Ok(Some(lines)) => lines,
                Ok(None) => return summary,
                Err(error) => {
                    summary.error = Some(format!("{:#}", anyhow::Error::from(error)));
                    return summary;
                }
            };
            let replayed = running.replayed();
            let replayed = replayed.lock().await;
            for line in lines {
                match line.failure {
                    Ok(failure) if filter.takes(&failure, object) => {
                        summary.add(&failure, replayed.contains(id, line.at));
                    }
                    Ok(_) => {}
                    Err(_) => summary.unreadable += 1,
                }
            }
        }
    }

    fn putting(&self, running: &Arc<Running>, dry_run: bool) -> Putting {
        Putting::new(&self.context, running, dry_run)
    }

    /// Puts what is meant of an object; answers with the line to go on with, when there is more.
    async fn put_object(
        &self,
        putting: &Putting,
        definition: &Definition,
        (object, stage): (&Stored, Stage),
        wish: &Wish,
        until: Instant,
        tally: &mut Tally,
    ) -> Result<Option<u32>, DeadLetterError> {
        tally.objects += 1;
        let bucket = &definition.s3.bucket;
        let Some(course) = course_in(stage, definition)? else {
            tally.passed_over(format!("{}: records of {} cannot be replayed", object.key, stage.as_str()));
            return Ok(None);
        };
        let id = ObjectId::new(bucket, &object.key, &object.etag);
        let origin = Origin { object: id, modified_ms: object.modified_ms, course };
        let from = if wish.cursor.key.as_deref() == Some(&object.key) { wish.cursor.line } else { 0 };
        let mut reading = Reading::start(Arc::clone(&self.look), bucket, object, from);
        loop {
            let lines = match reading.next().await {
                Ok(Some(lines)) => lines,
                Ok(None) => return Ok(None),
                Err(error @ ReadError::Damaged { .. }) => {
                    tally.passed_over(format!("{:#}", anyhow::Error::from(error)));
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            };
            let (first, end) = (lines.first().map_or(0, |line| line.at), lines.last().map_or(0, |line| line.at + 1));
            let mut failures = Vec::new();
            let mut unreadable = 0;
            for line in lines {
                match line.failure {
                    Ok(failure) if wish.filter.takes(&failure, object) => failures.push((line.at, failure)),
                    Ok(_) => {}
                    Err(_) => unreadable += 1,
                }
            }
            let put = putting.put(origin, failures).await?;
            let is_paused = put.paused.is_some();
            tally.add(put);
            if is_paused {
                return Ok(Some(first));
            }
            tally.unreadable += unreadable;
            if Instant::now() >= until {
                return Ok(Some(end));
            }
        }
    }
}

/// Which way failures of this stage take in this stream; none when they cannot be put again at all.
fn course_in(stage: Stage, definition: &Definition) -> Result<Option<Course>, DeadLetterError> {
    let course = stage.course();
    let is_own = definition.delivers_rows() && stage.is_kin(definition.undelivered_output());
    if course == Some(Course::Deliver) && !is_own {
        let stream = definition.name.clone();
        return Err(DeadLetterError::OtherDestination { stage: stage.as_str(), stream });
    }
    Ok(course)
}
