//! The conservation checker: reads everything that was delivered, to the destination and to the error output, and
//! holds it against the producer's ledger.
//!
//! Every acknowledged record is there exactly once, in the place its fate asks for and below its partition's prefix;
//! none is altered; none is foreign; a refused one is absent; an unknown one is there at most once. Within a lane the
//! order of arrival is kept inside an object and between objects of a partition. Refuses to sample: it reads all bytes, and it refuses to trust the host's metrics.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64_simd::STANDARD as BASE64;
use flate2::read::MultiGzDecoder;
use serde_json::Value;

use crate::evidence::{Fate, Id, claimed_id, is_intact, record};
use crate::ledger::{Ledger, State};

/// How many violations a failure lists.
const SHOWN: usize = 25;

/// What a stream's records go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processing {
    /// Nothing: what was put is what must come out, byte for byte.
    None,
    /// A plugin that obeys each record's fate and may add members.
    Plugin,
    /// Something that reads JSON: what is none fails, the rest comes out byte for byte.
    Parsed,
    /// The same in more partitions than may be filled at once: what has no room is refused, and which that is nobody can say
    /// beforehand.
    Crowded,
    /// An index that wants numbers: what is no JSON and what has a word for an amount fails.
    Indexed,
}

impl Processing {
    /// What becomes of a record that asks for `fate`.
    fn fate(self, fate: Fate) -> Fate {
        match (self, fate) {
            (Self::Plugin, fate) => fate,
            (Self::Parsed | Self::Crowded | Self::Indexed, Fate::Fail) | (Self::Indexed, Fate::Drop) => Fate::Fail,
            (Self::None | Self::Parsed | Self::Crowded | Self::Indexed, _) => Fate::Deliver,
        }
    }

    fn keeps_bytes(self) -> bool {
        matches!(self, Self::None | Self::Parsed | Self::Crowded)
    }
}

/// The beginning of the keys that a record may lie under.
pub type PartitionOf = fn(&Id) -> String;

/// One delivered object, decompressed.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Object key.
    pub key: String,
    /// Contents.
    pub body: Vec<u8>,
}

/// What was found when nothing was wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Objects of the destination.
    pub objects: u64,
    /// Objects of the error output.
    pub error_objects: u64,
    /// Records in objects.
    pub delivered: u64,
    /// Records in the error output.
    pub failed: u64,
    /// Records in the error output for want of room for their partitions.
    pub refused: u64,
    /// Acknowledged records that asked to be dropped.
    pub dropped: u64,
    /// Records without an answer that were delivered nevertheless.
    pub unknown_delivered: u64,
}

/// Everything below a bucket's folder in order of keys, each object read and decompressed when its turn comes.
///
/// # Panics
/// When something cannot be read: an unreadable object is a failed proof.
pub fn read_bucket(bucket: &Path) -> impl Iterator<Item = Delivered> + use<> {
    let mut found = files_below(bucket);
    found.sort();
    let bucket = bucket.to_path_buf();
    found.into_iter().map(move |path| read_object(&bucket, &path))
}

/// Every object's file below a bucket's folder.
///
/// # Panics
/// When a folder cannot be read.
pub fn files_below(bucket: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![bucket.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("a folder's entry").path();
            // Servers keep their own notes in hidden files and folders.
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with('.') {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

fn read_object(bucket: &Path, path: &Path) -> Delivered {
    let key = path.strip_prefix(bucket).expect("below the bucket").to_string_lossy().into_owned();
    let raw = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let body = if raw.starts_with(&[0x1f, 0x8b]) {
        let mut body = Vec::new();
        let read = MultiGzDecoder::new(raw.as_slice()).read_to_end(&mut body);
        read.unwrap_or_else(|error| panic!("object {key} is no whole gzip file: {error}"));
        body
    } else {
        raw
    };
    Delivered { key, body }
}

/// Holds what was delivered against the ledger.
#[derive(Debug)]
pub struct Checker<'a> {
    ledger: &'a Ledger,
    processing: BTreeMap<String, Processing>,
    partition_of: PartitionOf,
    /// Where each record that was sent has been found, by stream and lane.
    seen: BTreeMap<(String, u32), Vec<Option<Place>>>,
    /// For each lane in each partition the spans of numbers that each object of the destination holds.
    spans: BTreeMap<LanePart, Vec<Span>>,
    report: Report,
    violations: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Destination,
    ErrorOutput,
    /// In the error output for want of room for its partition.
    Refused,
}

/// Stream, lane and partition: where order is kept.
type LanePart = (String, u32, String);

#[derive(Clone, Debug)]
struct Span {
    first: u64,
    last: u64,
    key: String,
}

impl<'a> Checker<'a> {
    /// For records of these streams only: anything else is foreign, and what was put to other streams is not missed.
    pub fn new(ledger: &'a Ledger, processing: &[(&str, Processing)]) -> Self {
        let processing = processing.iter().map(|&(stream, kind)| (stream.to_owned(), kind)).collect();
        let unseen = ledger.lanes().map(|(stream, lane, states)| ((stream.to_owned(), lane), vec![None; states.len()]));
        Self {
            ledger,
            processing,
            partition_of: |_| String::new(),
            seen: unseen.collect(),
            spans: BTreeMap::new(),
            report: Report::default(),
            violations: Vec::new(),
        }
    }

    /// Records lie under keys that begin like this, and order is kept in each partition, not between them.
    #[must_use]
    pub fn partitioned(mut self, partition_of: PartitionOf) -> Self {
        self.partition_of = partition_of;
        self
    }

    /// Checks everything.
    ///
    /// # Errors
    /// What is lost, repeated, altered, foreign or out of order.
    pub fn check(mut self, objects: impl IntoIterator<Item = Delivered>) -> Result<Report, String> {
        for object in objects {
            let object = &object;
            if object.key.contains("-failed/") {
                self.report.error_objects += 1;
                self.read_envelopes(object, Place::ErrorOutput);
            } else if object.key.contains("activePartitionExceeded/") {
                self.report.error_objects += 1;
                self.read_envelopes(object, Place::Refused);
            } else {
                self.report.objects += 1;
                self.read_records(object);
            }
        }
        self.check_order();
        self.check_ledger();
        if self.violations.is_empty() {
            return Ok(self.report);
        }
        let count = self.violations.len();
        self.violations.truncate(SHOWN);
        Err(format!("{count} violations, {:?}:\n{}", self.report, self.violations.join("\n")))
    }

    fn read_records(&mut self, object: &Delivered) {
        if !object.body.ends_with(b"\n") {
            self.violations.push(format!("object {} does not end with its last record's newline", object.key));
        }
        let mut last: BTreeMap<LanePart, u64> = BTreeMap::new();
        for line in object.body.split(|&byte| byte == b'\n') {
            // A plugin may leave the newline that the stream's delimiter then repeats.
            if line.is_empty() {
                continue;
            }
            let Some(id) = self.accept(line, &object.key) else { continue };
            self.check_contents(line, &id, &object.key);
            let lane = (id.stream.clone(), id.lane, (self.partition_of)(&id));
            if let Some(before) = last.insert(lane.clone(), id.number)
                && before >= id.number
            {
                self.violations.push(format!("order: {id} stands after number {before} in {}", object.key));
            }
            self.widen(lane, id.number, &object.key);
            self.see(&id, Place::Destination, &object.key);
        }
    }

    fn read_envelopes(&mut self, object: &Delivered, place: Place) {
        for line in object.body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let envelope: Value = serde_json::from_slice(line).unwrap_or_default();
            let raw = envelope.get("rawData").and_then(Value::as_str).unwrap_or_default();
            let Ok(raw) = BASE64.decode_to_vec(raw) else {
                self.violations.push(format!("foreign: an envelope without rawData in {}", object.key));
                continue;
            };
            for member in ["errorCode", "errorMessage", "attemptsMade", "arrivalTimestamp", "attemptEndingTimestamp"] {
                if envelope.get(member).is_none() {
                    self.violations.push(format!("an envelope without {member} in {}", object.key));
                }
            }
            let Some(id) = self.accept(raw.trim_ascii_end(), &object.key) else { continue };
            if raw != record(&id) {
                self.violations.push(format!("altered: {id} in the error output {}", object.key));
            }
            self.see(&id, place, &object.key);
        }
    }

    /// The id of a line, when the producer has sent such a record to a stream that is looked at.
    fn accept(&mut self, line: &[u8], key: &str) -> Option<Id> {
        let id = claimed_id(line).filter(|id| {
            let known = self.ledger.state(&id.stream, id.lane, id.number).is_some();
            known && self.processing.contains_key(&id.stream)
        });
        if id.is_none() {
            let shown = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
            self.violations.push(format!("foreign: {shown:?} in {key}"));
        }
        id
    }

    fn check_contents(&mut self, line: &[u8], id: &Id, key: &str) {
        if !key.rsplit('/').next().is_some_and(|name| name.starts_with(&format!("{}-", id.stream))) {
            self.violations.push(format!("foreign: {id} in an object of another stream, {key}"));
        }
        if !key.starts_with(&(self.partition_of)(id)) {
            self.violations.push(format!("misplaced: {id} in {key}"));
        }
        let keeps_bytes = self.processing.get(&id.stream).is_none_or(|kind| kind.keeps_bytes());
        let intact = if keeps_bytes { record(id).strip_suffix(b"\n") == Some(line) } else { is_intact(line, id) };
        if !intact {
            self.violations.push(format!("altered: {id} in {key}"));
        }
    }

    fn see(&mut self, id: &Id, place: Place, key: &str) {
        match place {
            Place::Destination => self.report.delivered += 1,
            Place::ErrorOutput => self.report.failed += 1,
            Place::Refused => self.report.refused += 1,
        }
        let at = usize::try_from(id.number).unwrap_or(usize::MAX);
        let slot = self.seen.get_mut(&(id.stream.clone(), id.lane)).and_then(|lane| lane.get_mut(at));
        if let Some(before) = slot.expect("only records that were sent are accepted").replace(place) {
            self.violations.push(format!("repeated: {id} in {key}, before in {before:?}"));
        }
    }

    fn widen(&mut self, lane: LanePart, number: u64, key: &str) {
        let spans = self.spans.entry(lane).or_default();
        match spans.last_mut() {
            Some(span) if span.key == key => {
                span.first = span.first.min(number);
                span.last = span.last.max(number);
            }
            _ => spans.push(Span { first: number, last: number, key: key.to_owned() }),
        }
    }

    /// Objects of one stream cut each lane into spans that do not overlap, and the instants in their names (arrival
    /// of the oldest record) do not run backwards from span to span.
    fn check_order(&mut self) {
        for ((stream, lane, _), spans) in &mut self.spans {
            spans.sort_by_key(|span| span.first);
            for pair in spans.windows(2) {
                if pair[1].first <= pair[0].last {
                    self.violations.push(format!(
                        "order: objects {} and {} both hold {stream}/{lane} around number {}",
                        pair[0].key, pair[1].key, pair[1].first
                    ));
                }
                if instant(stream, &pair[1].key) < instant(stream, &pair[0].key) {
                    self.violations.push(format!(
                        "order: {} holds later records of {stream}/{lane} than {} and is named earlier",
                        pair[1].key, pair[0].key
                    ));
                }
            }
        }
    }

    fn check_ledger(&mut self) {
        for (stream, lane, states) in self.ledger.lanes() {
            let Some(kind) = self.processing.get(stream).copied() else { continue };
            let places = self.seen.get(&(stream.to_owned(), lane)).map(Vec::as_slice).unwrap_or_default();
            for ((number, &state), &place) in (0..).zip(states).zip(places) {
                let fate = kind.fate(Fate::of(number));
                if place.is_some() && state == State::Unknown {
                    self.report.unknown_delivered += 1;
                }
                if fate == Fate::Drop && place.is_none() && state == State::Acked {
                    self.report.dropped += 1;
                }
                // Where there may be no room, being refused is as good as being delivered.
                let place = place.map(|place| match place {
                    Place::Refused if kind == Processing::Crowded => Place::Destination,
                    other => other,
                });
                if let Some(wrong) = judge(fate, state, place) {
                    self.violations.push(format!("{wrong}: {stream}/{lane}/{number}"));
                }
            }
        }
    }
}

/// What is wrong with one record's end, if anything.
fn judge(fate: Fate, state: State, place: Option<Place>) -> Option<&'static str> {
    match (fate, state, place) {
        (_, State::Refused, Some(_)) => Some("refused and delivered nevertheless"),
        (Fate::Drop, _, Some(_)) => Some("delivered although the plugin was to drop it"),
        (Fate::Deliver, _, Some(Place::ErrorOutput | Place::Refused)) => Some("in the error output without cause"),
        (Fate::Fail, _, Some(Place::Destination | Place::Refused)) => Some("delivered although it is broken"),
        (Fate::Deliver | Fate::Fail, State::Acked, None) => Some("acknowledged and lost"),
        _ => None,
    }
}

/// `yyyy-MM-dd-HH-mm-ss` of an object name `STREAM-VERSION-yyyy-MM-dd-HH-mm-ss-UUID`, which compares as text.
fn instant(stream: &str, key: &str) -> String {
    let name = key.rsplit('/').next().unwrap_or_default();
    let rest = name.strip_prefix(stream).unwrap_or_default().trim_start_matches('-');
    let (_version, stamp) = rest.split_once('-').unwrap_or_default();
    stamp.chars().take("yyyy-MM-dd-HH-mm-ss".len()).collect()
}

#[cfg(test)]
mod tests;
