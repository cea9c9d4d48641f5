//! Rows in columns: what a reader fills and an encoder writes.
//!
//! A column has one flag per slot and one value per slot that is not null. A struct's fields have a slot only where the
//! struct is there; a list's items lie end to end. Both formats are written from this without looking back at text.
//! Refuses nothing: what comes in was checked by the reader.

use std::collections::HashSet;
use std::hash::Hash;
use std::ops::Range;

use super::schema::{Schema, Type};

/// Rows of one schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// One per column of the schema, in its order.
    pub columns: Vec<Column>,
    /// Rows in it.
    pub row_count: usize,
}

/// Values of one column, or of one field of a nested one.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// For each slot whether there is a value.
    pub valid: Vec<bool>,
    /// The values that are there.
    pub values: Values,
}

/// Values by their physical form.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// `boolean`.
    Boolean(Vec<bool>),
    /// `tinyint`, `smallint`, `int`, and `date` as days since 1970.
    Int(Vec<i32>),
    /// `bigint`, and `timestamp` as nanoseconds since 1970.
    BigInt(Vec<i64>),
    /// `float`.
    Float(Vec<f32>),
    /// `double`.
    Double(Vec<f64>),
    /// `decimal`, without its point.
    Decimal(Vec<i128>),
    /// `string`, `char`, `varchar`, `binary`.
    Bytes(Texts),
    /// `array`.
    List {
        /// Items of each list.
        lengths: Vec<u32>,
        /// All items.
        items: Box<Column>,
    },
    /// `map`.
    Map {
        /// Entries of each map.
        lengths: Vec<u32>,
        /// All keys; none is null.
        keys: Box<Column>,
        /// All values.
        values: Box<Column>,
    },
    /// `struct`.
    Struct(Vec<Column>),
}

/// Strings end to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// All bytes.
    pub data: Vec<u8>,
    /// End of each.
    pub ends: Vec<usize>,
}

impl Texts {
    /// Appends one.
    pub fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.ends.push(self.data.len());
    }

    /// The one at `at`.
    ///
    /// # Panics
    /// When there is none.
    pub fn get(&self, at: usize) -> &[u8] {
        &self.data[self.start(at)..self.ends[at]]
    }

    /// Where the one at `at` begins, or would.
    pub fn start(&self, at: usize) -> usize {
        if at == 0 { 0 } else { self.ends[at - 1] }
    }

    /// Bytes of those at `range`.
    pub fn bytes(&self, range: Range<usize>) -> u64 {
        (self.start(range.end) - self.start(range.start)) as u64
    }

    /// Every one in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.from(0)
    }

    fn from(&self, first: usize) -> impl Iterator<Item = &[u8]> + Clone {
        (first..self.ends.len()).map(|at| self.get(at))
    }
}

impl Table {
    /// An empty one.
    pub fn new(schema: &Schema) -> Self {
        Self { columns: schema.columns().iter().map(|field| Column::new(&field.kind)).collect(), row_count: 0 }
    }

    /// Forgets every row behind the first `rows`.
    pub fn truncate(&mut self, rows: usize) {
        for column in &mut self.columns {
            column.truncate(rows);
        }
        self.row_count = self.row_count.min(rows);
    }
}

impl Column {
    fn new(kind: &Type) -> Self {
        let values = match kind {
            Type::Boolean => Values::Boolean(Vec::new()),
            Type::TinyInt | Type::SmallInt | Type::Int | Type::Date => Values::Int(Vec::new()),
            Type::BigInt | Type::Timestamp => Values::BigInt(Vec::new()),
            Type::Float => Values::Float(Vec::new()),
            Type::Double => Values::Double(Vec::new()),
            Type::Decimal { .. } => Values::Decimal(Vec::new()),
            Type::String | Type::Char(_) | Type::Varchar(_) | Type::Binary => Values::Bytes(Texts::default()),
            Type::Array(item) => Values::List { lengths: Vec::new(), items: Box::new(Self::new(item)) },
            Type::Map(key, value) => {
                Values::Map { lengths: Vec::new(), keys: Box::new(Self::new(key)), values: Box::new(Self::new(value)) }
            }
            Type::Struct(fields) => Values::Struct(fields.iter().map(|field| Self::new(&field.kind)).collect()),
        };
        Self { valid: Vec::new(), values }
    }

    /// Forgets every slot behind the first `slots`.
    pub fn truncate(&mut self, slots: usize) {
        let Some(gone) = self.valid.get(slots..) else { return };
        let gone = gone.iter().filter(|&&is_there| is_there).count();
        self.valid.truncate(slots);
        self.values.drop_last(gone);
    }
}

impl Values {
    /// True when a value at or after `from` is there twice. Only keys of maps are asked for, which are not nested.
    pub(super) fn has_twice_from(&self, from: usize) -> bool {
        match self {
            Self::Boolean(values) => is_twice(values.iter().skip(from)),
            Self::Int(values) => is_twice(values.iter().skip(from)),
            Self::BigInt(values) => is_twice(values.iter().skip(from)),
            Self::Float(values) => is_twice(values.iter().skip(from).map(|value| value.to_bits())),
            Self::Double(values) => is_twice(values.iter().skip(from).map(|value| value.to_bits())),
            Self::Decimal(values) => is_twice(values.iter().skip(from)),
            Self::Bytes(texts) => is_twice(texts.from(from)),
            Self::List { .. } | Self::Map { .. } | Self::Struct(_) => false,
        }
    }

    fn drop_last(&mut self, gone: usize) {
        if gone == 0 {
            return;
        }
        match self {
            Self::Boolean(values) => shorten(values, gone),
            Self::Int(values) => shorten(values, gone),
            Self::BigInt(values) => shorten(values, gone),
            Self::Float(values) => shorten(values, gone),
            Self::Double(values) => shorten(values, gone),
            Self::Decimal(values) => shorten(values, gone),
            Self::Bytes(texts) => {
                shorten(&mut texts.ends, gone);
                texts.data.truncate(texts.ends.last().copied().unwrap_or(0));
            }
            Self::List { lengths, items } => {
                let item_count = drop_lengths(lengths, gone);
                items.truncate(items.valid.len().saturating_sub(item_count));
            }
            Self::Map { lengths, keys, values } => {
                let entry_count = drop_lengths(lengths, gone);
                keys.truncate(keys.valid.len().saturating_sub(entry_count));
                values.truncate(values.valid.len().saturating_sub(entry_count));
            }
            Self::Struct(columns) => {
                for column in columns {
                    column.truncate(column.valid.len().saturating_sub(gone));
                }
            }
        }
    }
}

/// Maps are small as a rule: those are compared, larger ones hashed.
fn is_twice<T: Eq + Hash>(values: impl Iterator<Item = T> + Clone) -> bool {
    if values.size_hint().0 <= 8 {
        let mut rest = values;
        while let Some(value) = rest.next() {
            if rest.clone().any(|other| other == value) {
                return true;
            }
        }
        return false;
    }
    let mut seen = HashSet::new();
    !values.into_iter().all(|value| seen.insert(value))
}

fn shorten<T>(values: &mut Vec<T>, gone: usize) {
    values.truncate(values.len().saturating_sub(gone));
}

/// Drops the last `gone` lengths and says what they add up to.
fn drop_lengths(lengths: &mut Vec<u32>, gone: usize) -> usize {
    let at = lengths.len().saturating_sub(gone);
    lengths.drain(at..).map(|length| length as usize).sum()
}
