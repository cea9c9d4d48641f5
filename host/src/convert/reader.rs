//! Reads JSON objects into the columns of a [`Table`].
//!
//! One row per object; a record may hold several. Keys that no column wants are passed over, columns without a key are
//! null. Refuses a whole record for one value that does not fit, and forgets what it had read of it; refuses records
//! whose nested values would take more memory than their own size explains.

use std::borrow::Cow;
use std::collections::HashMap;

use super::joda::{Format, FormatError};
use super::json::{Cursor, Kind, Malformed};
use super::scalar::Rules;
use super::schema::{Field, Schema, Type};
use super::table::{Column, Table, Values};
use crate::definition::Deserializer;

/// Values that one record may take in the table, nulls included: as many as a record of 10 MiB has when all of it are
/// numbers of one digit, rounded up. More only come of lists of wide structs that are almost empty.
pub const MOST_RECORD_SLOTS: usize = 6 << 20;

/// Why a record is not converted, as Firehose's error output says it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failure {
    /// `DataFormatConversion.ParseError` or `.MalformedData`.
    pub code: &'static str,
    /// Names columns and offsets; never holds payload.
    pub message: String,
}

/// Why one value cannot be read.
#[derive(Debug)]
pub(super) enum Problem {
    Malformed(Malformed),
    Mismatch {
        path: String,
        expected: String,
        found: &'static str,
    },
    /// The record as a whole.
    Unfit(&'static str),
}

impl From<Malformed> for Problem {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl Problem {
    pub(super) fn mismatch(kind: &Type, found: &'static str) -> Self {
        Self::Mismatch { path: String::new(), expected: kind.to_string(), found }
    }

    /// The same problem, seen from the value around it.
    fn within(self, name: &str) -> Self {
        match self {
            Self::Mismatch { path, expected, found } => {
                let path = if path.is_empty() { name.to_owned() } else { format!("{name}.{path}") };
                Self::Mismatch { path, expected, found }
            }
            other => other,
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let malformed_data = |message: String| Self {
            code: "DataFormatConversion.MalformedData",
            message: format!("Data does not match the schema. {message}"),
        };
        match problem {
            Problem::Malformed(malformed) => Self {
                code: "DataFormatConversion.ParseError",
                message: format!("Encountered malformed JSON. {malformed}"),
            },
            Problem::Mismatch { path, expected, found } => {
                malformed_data(format!("Column {path} is {expected} and cannot take {found} of this record"))
            }
            Problem::Unfit(problem) => malformed_data(problem.to_owned()),
        }
    }
}

/// A schema and a deserializer, made ready for many records.
#[derive(Clone, Debug)]
pub struct Reader {
    root: Fields,
    rules: Rules,
    keys: Keys,
}

/// What is done to a JSON key before a column is looked for.
#[derive(Clone, Copy, Debug)]
struct Keys {
    lower: bool,
    dots_to_underscores: bool,
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Type),
    List(Box<Node>),
    Map(Type, Box<Node>),
    Struct(Fields),
}

#[derive(Clone, Debug)]
struct Fields {
    /// Key of each field, as it is after [`Keys::normal`].
    keys: Vec<String>,
    names: Vec<String>,
    by_key: HashMap<String, usize>,
    nodes: Vec<Node>,
}

/// Why a deserializer cannot read for a schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReaderError {
    /// A format of `TimestampFormats`.
    #[error("timestamp format is not offered")]
    Format(#[from] FormatError),
    /// The Hive deserializer does not know columns like this.
    #[error("column name {0} has a dot, which the Hive JSON SerDe does not read; use the OpenX JSON SerDe")]
    Dot(String),
}

impl Reader {
    /// Prepares to read for `schema` by the rules of `deserializer`.
    ///
    /// # Errors
    /// The deserializer's settings do not go with the schema, or are not offered.
    pub fn new(schema: &Schema, deserializer: &Deserializer) -> Result<Self, ReaderError> {
        let (rules, keys, mappings) = match deserializer {
            Deserializer::OpenX { case_insensitive, dots_to_underscores, column_keys } => {
                let keys = Keys { lower: *case_insensitive, dots_to_underscores: *dots_to_underscores };
                (Rules::OpenX, keys, column_keys.as_slice())
            }
            Deserializer::Hive { timestamp_formats } => {
                let dotted = schema.columns().iter().find(|column| column.name.contains('.'));
                if let Some(column) = dotted {
                    return Err(ReaderError::Dot(column.name.clone()));
                }
                let formats = timestamp_formats.iter().map(|text| Format::parse(text)).collect::<Result<_, _>>()?;
                (Rules::Hive(formats), Keys { lower: true, dots_to_underscores: false }, [].as_slice())
            }
        };
        Ok(Self { root: Fields::new(schema.columns(), keys, mappings), rules, keys })
    }

    /// Appends the rows of one record, or none of them.
    ///
    /// # Errors
    /// It is not JSON, not one or more objects, or does not fit the schema.
    pub fn read(&self, record: &[u8], table: &mut Table) -> Result<(), Failure> {
        let before = table.row_count;
        let read = self.try_read(record, table);
        if read.is_err() {
            table.truncate(before);
        }
        read.map_err(Failure::from)
    }

    fn try_read(&self, record: &[u8], table: &mut Table) -> Result<(), Problem> {
        let mut rows = Rows { reader: self, cursor: Cursor::new(text(record)?) };
        let mut slots = 0;
        let before = table.row_count;
        while let Some(more) = rows.next(table, MOST_RECORD_SLOTS - slots)? {
            slots += more;
        }
        if table.row_count == before {
            return Err(Problem::Unfit("The record is empty"));
        }
        Ok(())
    }

    /// The rows of a text of checked records that lie end to end.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub fn rows<'a>(&'a self, payload: &'a [u8]) -> Result<Rows<'a>, Failure> {
        let text = text(payload).map_err(Problem::from)?;
        Ok(Rows { reader: self, cursor: Cursor::new(text) })
    }
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|error| Malformed { problem: "invalid UTF-8", at: error.valid_up_to() })
}

/// Rows that are still to be read of a text.
#[derive(Debug)]
pub struct Rows<'a> {
    reader: &'a Reader,
    cursor: Cursor<'a>,
}

impl Rows<'_> {
    /// Appends rows until they are about `most_bytes` large, of text or in memory. False when none is left.
    ///
    /// # Errors
    /// What comes next is no object that fits; the rows before it are in the table.
    pub fn fill(&mut self, table: &mut Table, most_bytes: usize) -> Result<bool, Failure> {
        let start = self.cursor.at();
        let mut slots: usize = 0;
        loop {
            // A slot takes a flag and, when it is not null, a value whose text was read.
            if self.cursor.at() - start + slots >= most_bytes {
                return Ok(true);
            }
            match self.next(table, MOST_RECORD_SLOTS)? {
                Some(more) => slots += more,
                None => return Ok(false),
            }
        }
    }

    /// Appends one row and says how many slots it took.
    fn next(&mut self, table: &mut Table, room: usize) -> Result<Option<usize>, Problem> {
        if self.cursor.is_done() {
            return Ok(None);
        }
        if self.cursor.peek()? != Kind::Object {
            self.cursor.skip()?;
            return Err(Problem::Unfit("The record is not an object"));
        }
        let mut reading = Reading { rules: &self.reader.rules, keys: self.reader.keys, room };
        reading.fields(&self.reader.root, &mut self.cursor, table.row_count, &mut table.columns)?;
        table.row_count += 1;
        Ok(Some(room - reading.room))
    }
}

impl Fields {
    fn new(fields: &[Field], keys: Keys, mappings: &[(String, String)]) -> Self {
        let key_of = |field: &Field| {
            let mapped = mappings.iter().find(|(column, _)| *column == field.name);
            match mapped {
                Some((_, key)) if keys.lower => key.to_lowercase(),
                Some((_, key)) => key.clone(),
                None => keys.normal(Cow::Borrowed(&field.name)).into_owned(),
            }
        };
        let keys_of: Vec<String> = fields.iter().map(key_of).collect();
        Self {
            by_key: keys_of.iter().cloned().zip(0..).collect(),
            keys: keys_of,
            names: fields.iter().map(|field| field.name.clone()).collect(),
            nodes: fields.iter().map(|field| Node::new(&field.kind, keys, mappings)).collect(),
        }
    }

    /// Field of a key; fields mostly come in the schema's order.
    fn find(&self, key: &str, expected: usize) -> Option<usize> {
        match self.keys.get(expected) {
            Some(known) if known == key => Some(expected),
            _ => self.by_key.get(key).copied(),
        }
    }
}

impl Node {
    fn new(kind: &Type, keys: Keys, mappings: &[(String, String)]) -> Self {
        match kind {
            Type::Array(item) => Self::List(Box::new(Self::new(item, keys, mappings))),
            Type::Map(key, value) => Self::Map((**key).clone(), Box::new(Self::new(value, keys, mappings))),
            Type::Struct(fields) => Self::Struct(Fields::new(fields, keys, mappings)),
            leaf => Self::Leaf(leaf.clone()),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Leaf(_) => "a value",
            Self::List(_) => "an array",
            Self::Map(..) => "a map",
            Self::Struct(_) => "a struct",
        }
    }
}

impl Keys {
    fn normal<'a>(self, key: Cow<'a, str>) -> Cow<'a, str> {
        let changes = |byte: u8| {
            (self.lower && (byte.is_ascii_uppercase() || !byte.is_ascii()))
                || (self.dots_to_underscores && byte == b'.')
        };
        if !key.bytes().any(changes) {
            return key;
        }
        let lower = if self.lower { Cow::Owned(key.to_lowercase()) } else { key };
        if self.dots_to_underscores { Cow::Owned(lower.replace('.', "_")) } else { lower }
    }
}

/// One row being read.
struct Reading<'a> {
    rules: &'a Rules,
    keys: Keys,
    /// Slots that may still be taken.
    room: usize,
}

impl Reading<'_> {
    /// Reads an object. Whatever becomes of it, every column has `slots + 1` slots afterwards.
    fn fields(
        &mut self,
        fields: &Fields,
        cursor: &mut Cursor<'_>,
        slots: usize,
        columns: &mut [Column],
    ) -> Result<(), Problem> {
        let read = self.members(fields, cursor, slots, columns);
        for column in columns.iter_mut().filter(|column| column.valid.len() == slots) {
            column.valid.push(false);
        }
        read.and_then(|()| self.take(columns.len()))
    }

    fn members(
        &mut self,
        fields: &Fields,
        cursor: &mut Cursor<'_>,
        slots: usize,
        columns: &mut [Column],
    ) -> Result<(), Problem> {
        cursor.enter()?;
        let mut expected = 0;
        let mut is_first = true;
        while let Some(key) = cursor.next_key(is_first)? {
            is_first = false;
            let key = self.keys.normal(key);
            let Some(at) = fields.find(&key, expected) else {
                cursor.skip()?;
                continue;
            };
            expected = at + 1;
            let (node, column) = (&fields.nodes[at], &mut columns[at]);
            // Of a key that comes twice the last value counts.
            column.truncate(slots);
            self.value(node, cursor, column).map_err(|problem| problem.within(&fields.names[at]))?;
        }
        Ok(())
    }

    /// Reads a value. Whatever becomes of it, the column has one slot more afterwards.
    fn value(&mut self, node: &Node, cursor: &mut Cursor<'_>, column: &mut Column) -> Result<(), Problem> {
        if let Node::Leaf(kind) = node {
            let read = self.rules.read(kind, cursor, &mut column.values);
            column.valid.push(matches!(read, Ok(true)));
            return read.map(drop);
        }
        let token = match cursor.peek() {
            Ok(token) => token,
            Err(malformed) => {
                column.valid.push(false);
                return Err(malformed.into());
            }
        };
        match (node, token, &mut column.values) {
            (Node::List(node), Kind::Array, Values::List { lengths, items }) => {
                column.valid.push(true);
                let before = items.valid.len();
                let read = self.items(node, cursor, items);
                lengths.push(length(items.valid.len() - before));
                read
            }
            (Node::Map(key, node), Kind::Object, Values::Map { lengths, keys, values }) => {
                column.valid.push(true);
                let before = keys.valid.len();
                let read = self.entries(key, node, cursor, keys, values);
                lengths.push(length(keys.valid.len() - before));
                read
            }
            (Node::Struct(fields), Kind::Object, Values::Struct(columns)) => {
                column.valid.push(true);
                let slots = columns.first().map_or(0, |column| column.valid.len());
                self.fields(fields, cursor, slots, columns)
            }
            _ => {
                column.valid.push(false);
                if token == Kind::Null {
                    return Ok(cursor.word(token)?);
                }
                let expected = node.name().to_owned();
                Err(Problem::Mismatch { path: String::new(), expected, found: token.as_str() })
            }
        }
    }

    fn items(&mut self, node: &Node, cursor: &mut Cursor<'_>, items: &mut Column) -> Result<(), Problem> {
        cursor.enter()?;
        let mut is_first = true;
        while cursor.next_item(is_first)? {
            is_first = false;
            self.take(1)?;
            self.value(node, cursor, items).map_err(|problem| problem.within("item"))?;
        }
        Ok(())
    }

    fn entries(
        &mut self,
        key_kind: &Type,
        node: &Node,
        cursor: &mut Cursor<'_>,
        keys: &mut Column,
        values: &mut Column,
    ) -> Result<(), Problem> {
        cursor.enter()?;
        let before = keys.valid.len();
        let mut is_first = true;
        while let Some(key) = cursor.next_key(is_first)? {
            is_first = false;
            self.take(2)?;
            let key = if self.keys.lower { Keys { dots_to_underscores: false, ..self.keys }.normal(key) } else { key };
            self.rules.key(key_kind, &key, &mut keys.values).map_err(|problem| problem.within("key"))?;
            keys.valid.push(true);
            self.value(node, cursor, values).map_err(|problem| problem.within("value"))?;
        }
        // Some readers refuse the whole object for it.
        if keys.values.has_twice_from(before) {
            return Err(Problem::Unfit("A map of the record has a key twice"));
        }
        Ok(())
    }

    fn take(&mut self, slots: usize) -> Result<(), Problem> {
        self.room = self.room.checked_sub(slots).ok_or(Problem::Unfit("The record has too many nested values"))?;
        Ok(())
    }
}

/// A record that was accepted has at most [`MOST_RECORD_SLOTS`] of anything.
fn length(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
