//! Builds the bodies of bulk requests: an action line and a document line per record. Refuses what would spoil the
//! request for its neighbours: the server must be able to tell where each line ends and which names it may use.

use std::borrow::Cow;
use std::io::Write as _;

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::index::{Names, legal_index};
use crate::definition::{IndexRotation, OpenSearch, SearchFlavour};
use crate::deliver::Refused;
use crate::record::{Column, Rows};

/// Longest id that OpenSearch takes, in bytes. A longer one would fail its whole request. Routing values have no limit
/// of their own and get the same, which is far beyond any in use.
const LONGEST_ID_BYTES: usize = 512;

/// What every document of a stream has in common.
#[derive(Debug)]
pub(super) struct Shape {
    index: String,
    rotation: IndexRotation,
    type_name: String,
    /// What our ids begin with; `None` leaves ids to the server.
    id_prefix: Option<String>,
    is_serverless: bool,
}

impl Shape {
    pub(super) fn new(definition: &OpenSearch, arn: &str, created_ms: u64) -> Self {
        let is_serverless = definition.flavour == SearchFlavour::Serverless;
        Self {
            index: definition.index.clone(),
            rotation: if is_serverless { IndexRotation::NoRotation } else { definition.rotation },
            type_name: if is_serverless { String::new() } else { definition.type_name.clone() },
            id_prefix: (definition.has_document_ids && !is_serverless).then(|| id_prefix(arn, created_ms)),
            is_serverless,
        }
    }
}

/// Names a stream: its ARN alone would name its successor, too.
fn id_prefix(arn: &str, created_ms: u64) -> String {
    let digest = Sha256::new().chain_update(arn).chain_update([0]).chain_update(created_ms.to_be_bytes()).finalize();
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// What is done with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Index,
    Create,
    Update,
    Upsert,
    Delete,
}

impl Action {
    fn named(word: &str) -> Option<Self> {
        Some(match word {
            "index" => Self::Index,
            "create" => Self::Create,
            "update" => Self::Update,
            "upsert" => Self::Upsert,
            "delete" => Self::Delete,
            _ => return None,
        })
    }

    /// Its word in requests and answers.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Update | Self::Upsert => "update",
            Self::Delete => "delete",
        }
    }
}

/// Who named a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// We: nobody else uses this id.
    Ours,
    /// The record's `$document-id`.
    Given,
    /// The server will.
    Server,
}

/// One record of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// Index into the rows.
    pub(super) at: usize,
    pub(super) action: Action,
    pub(super) naming: Naming,
    /// Where its lines end in the body as it was first built.
    end: usize,
}

/// One bulk request.
#[derive(Clone, Debug)]
pub(super) struct Bulk {
    pub(super) body: Bytes,
    pub(super) items: Vec<Item>,
    /// Where the body starts in the one that was first built.
    start: usize,
}

impl Bulk {
    /// Both halves, by number of documents; the body is shared, not copied. `None` for a single document.
    pub(super) fn halves(&self) -> Option<(Self, Self)> {
        let (first, second) = self.items.split_at_checked(self.items.len() / 2)?;
        let end = first.last()?.end;
        let cut = end - self.start;
        let first = Self { body: self.body.slice(..cut), items: first.to_vec(), start: self.start };
        Some((first, Self { body: self.body.slice(cut..), items: second.to_vec(), start: end }))
    }
}

/// The columns that say what becomes of a record, each found once.
#[derive(Debug)]
struct Columns<'a> {
    operation: Option<&'a Column>,
    id: Option<&'a Column>,
    index: Option<&'a Column>,
    routing: Option<&'a Column>,
}

fn value(column: Option<&Column>, at: usize) -> Option<&str> {
    let column = column?;
    let code = *column.codes.get(at)? as usize;
    column.dictionary.get(code.checked_sub(1)?).map(String::as_str)
}

/// Cuts the rows of a batch into requests, one when it is asked for, so that one body at a time is in memory.
#[derive(Debug)]
pub(super) struct Builder<'a> {
    shape: &'a Shape,
    rows: &'a Rows,
    columns: Columns<'a>,
    names: Names<'a>,
    /// First row that is in no request yet.
    pub(super) next: usize,
    /// Rows that no request will hold.
    pub(super) refused: Vec<Refused>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(shape: &'a Shape, rows: &'a Rows) -> Self {
        let find = |name: &str| rows.records.columns().iter().find(|column| column.name == name);
        let columns = Columns {
            operation: find("$operation"),
            id: find("$document-id"),
            index: find("$index"),
            routing: find("$routing"),
        };
        let names = Names::new(&shape.index, shape.rotation);
        Self { shape, rows, columns, names, next: 0, refused: Vec::new() }
    }

    /// The next request, of at most so many documents, and of so many bytes unless one document alone has more.
    pub(super) fn bulk(&mut self, most_bytes: usize, most_documents: usize) -> Option<Bulk> {
        let left = self.rows.len() - self.next;
        let mut items = Vec::with_capacity(left.min(most_documents));
        let mut body = Vec::new();
        while self.next < self.rows.len() && items.len() < most_documents {
            let (at, start) = (self.next, body.len());
            let record_bytes = self.rows.records.range(at).len();
            if !items.is_empty() && start + record_bytes > most_bytes {
                break;
            }
            if body.capacity() == 0 {
                // What is left, with room for action lines; reserving is not touching.
                let estimate = self.rows.records.payload().len() / self.rows.len().max(1) * left + left * 128;
                body.reserve(estimate.min(most_bytes));
            }
            match self.append(at, &mut body) {
                Ok(_) if !items.is_empty() && body.len() > most_bytes => {
                    body.truncate(start);
                    break;
                }
                Ok((action, naming)) => items.push(Item { at, action, naming, end: body.len() }),
                Err(message) => {
                    body.truncate(start);
                    self.refused.push(Refused { at, code: Cow::Borrowed("400"), message });
                }
            }
            self.next += 1;
        }
        (!items.is_empty()).then(|| Bulk { body: body.into(), items, start: 0 })
    }

    fn append(&mut self, at: usize, body: &mut Vec<u8>) -> Result<(Action, Naming), String> {
        let action = match value(self.columns.operation, at) {
            None => Action::Index,
            Some(word) => Action::named(word)
                .ok_or_else(|| "$operation is none of index, create, update, upsert and delete".to_owned())?,
        };
        let given = value(self.columns.id, at);
        let naming = match (given, &self.shape.id_prefix) {
            (Some(id), _) => {
                bounded("$document-id", id)?;
                Naming::Given
            }
            (None, _) if matches!(action, Action::Update | Action::Upsert | Action::Delete) => {
                return Err(format!("$operation {} needs $document-id", action.as_str()));
            }
            (None, Some(_)) => Naming::Ours,
            (None, None) => Naming::Server,
        };
        let routing = value(self.columns.routing, at);
        if let Some(routing) = routing {
            bounded("$routing", routing)?;
        }
        let named_index = value(self.columns.index, at);
        if let Some(index) = named_index {
            legal_index(index).map_err(|wrong| format!("$index {wrong}"))?;
        }
        let document = match action {
            Action::Delete => None,
            _ => Some(document(self.rows.records.record(at))?),
        };

        body.extend_from_slice(b"{\"");
        body.extend_from_slice(action.as_str().as_bytes());
        body.extend_from_slice(b"\":{\"_index\":");
        quoted(named_index.unwrap_or_else(|| self.names.at(self.rows.arrived_ms[at])), body);
        if !self.shape.type_name.is_empty() {
            body.extend_from_slice(b",\"_type\":");
            quoted(&self.shape.type_name, body);
        }
        match (given, &self.shape.id_prefix) {
            (Some(id), _) => {
                body.extend_from_slice(b",\"_id\":");
                quoted(id, body);
            }
            (None, Some(prefix)) => {
                body.extend_from_slice(b",\"_id\":\"");
                write_id(prefix, self.rows, at, body);
                body.push(b'"');
            }
            (None, None) => {}
        }
        if let Some(routing) = routing {
            body.extend_from_slice(b",\"routing\":");
            quoted(routing, body);
        }
        body.extend_from_slice(b"}}\n");
        let (before, after) = match action {
            Action::Update => ("{\"doc\":", "}"),
            Action::Upsert => ("{\"doc\":", ",\"doc_as_upsert\":true}"),
            Action::Index | Action::Create | Action::Delete => ("", ""),
        };
        if let Some(document) = document {
            body.extend_from_slice(before.as_bytes());
            append_line(document, body);
            body.extend_from_slice(after.as_bytes());
            body.push(b'\n');
        }
        Ok((action, naming))
    }
}

/// The id of an item, unless the server chooses it.
pub(super) fn id<'a>(shape: &Shape, rows: &'a Rows, item: &Item) -> Option<Cow<'a, str>> {
    match item.naming {
        Naming::Given => rows.value("$document-id", item.at).map(Cow::Borrowed),
        Naming::Ours => {
            let mut id = Vec::new();
            write_id(shape.id_prefix.as_deref()?, rows, item.at, &mut id);
            String::from_utf8(id).ok().map(Cow::Owned)
        }
        Naming::Server => None,
    }
}

/// The index of an item.
pub(super) fn index<'a>(shape: &'a Shape, rows: &'a Rows, item: &Item) -> Cow<'a, str> {
    match rows.value("$index", item.at) {
        Some(name) => Cow::Borrowed(name),
        None => {
            let arrived_ms = rows.arrived_ms.get(item.at).copied().unwrap_or_default();
            Cow::Owned(Names::new(&shape.index, shape.rotation).at(arrived_ms).to_owned())
        }
    }
}

/// What names row `at`: index, type and id, as far as they are known before it is sent.
pub(super) fn names(shape: &Shape, rows: &Rows, at: usize) -> Vec<(&'static str, Value)> {
    let naming = match (rows.value("$document-id", at), &shape.id_prefix) {
        (Some(_), _) => Naming::Given,
        (None, Some(_)) => Naming::Ours,
        (None, None) => Naming::Server,
    };
    let item = Item { at, action: Action::Index, naming, end: 0 };
    let [id_name, index_name] =
        if shape.is_serverless { ["osDocumentId", "osIndexName"] } else { ["esDocumentId", "esIndexName"] };
    let mut names = Vec::with_capacity(3);
    names.extend(id(shape, rows, &item).map(|id| (id_name, id.into_owned().into())));
    names.push((index_name, index(shape, rows, &item).into_owned().into()));
    if !shape.is_serverless && !shape.type_name.is_empty() {
        names.push(("esTypeName", shape.type_name.clone().into()));
    }
    // Members of ours: without them a replay could not do what was to be done.
    for (column, name) in [("$operation", "operation"), ("$routing", "routing")] {
        names.extend(rows.value(column, at).map(|value| (name, value.into())));
    }
    names
}

fn write_id(prefix: &str, rows: &Rows, at: usize, into: &mut Vec<u8>) {
    // A Vec takes everything.
    let _written = write!(into, "{prefix}-{}.{}", rows.sequences[at], rows.ordinals[at]);
}

fn bounded(name: &str, value: &str) -> Result<(), String> {
    match value.len() {
        0 => Err(format!("{name} is empty")),
        1..=LONGEST_ID_BYTES => Ok(()),
        length => Err(format!("{name} has {length} bytes, more than {LONGEST_ID_BYTES}")),
    }
}

/// `text` as JSON.
fn quoted(text: &str, into: &mut Vec<u8>) {
    // Text into memory: nothing here can fail.
    serde_json::to_writer(into, text).unwrap_or_default();
}

/// The record without white space around it, when it is one JSON object.
pub(super) fn document(record: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(record.trim_ascii()).map_err(|_| "the record is not UTF-8".to_owned())?;
    if !text.starts_with('{') {
        return Err("the record is not a JSON object".to_owned());
    }
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(IgnoredAny) => Ok(text),
        // Says what and where, never which bytes.
        Err(error) => Err(format!("the record is not one JSON object: {error}")),
    }
}

/// Appends a JSON text as one line. Where it is valid, a line break can only be white space between tokens: inside
/// strings it is written as an escape. So a space in its place changes nothing.
fn append_line(document: &str, body: &mut Vec<u8>) {
    let start = body.len();
    body.extend_from_slice(document.as_bytes());
    if document.contains(['\n', '\r'])
        && let Some(appended) = body.get_mut(start..)
    {
        for byte in appended.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
            *byte = b' ';
        }
    }
}
