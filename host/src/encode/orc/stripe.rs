//! One stripe: the streams of every column, one column after another, and the footer that says where they are.
//!
//! Refuses values of another type than the column's, which would be a mistake of ours.

use super::chunk;
use super::message::{Message, varint_wide};
use super::runs;
use crate::convert::{Column, Field, Table, Type, Values};
use crate::definition::OrcCompression;

/// Kinds of streams, as their numbers are in the format.
#[derive(Clone, Copy)]
enum Stream {
    Present = 0,
    Data = 1,
    Length = 2,
    Secondary = 5,
}

/// A stripe without its place in the file.
pub(super) struct Stripe {
    /// Streams, then footer.
    pub(super) bytes: Vec<u8>,
    /// Length of the footer in it.
    pub(super) footer_bytes: usize,
    /// For each column, the root first: values that are there, and whether any is missing.
    pub(super) counts: Vec<(u64, bool)>,
}

/// Seconds from 1970 to 2015 in UTC, where instants of the format begin.
const EPOCH_SECONDS: i64 = 1_420_070_400;
const SECOND_NANOS: i64 = 1_000_000_000;

/// Writes the rows. Memory of a column is given back once it is written.
pub(super) fn write(table: Table, fields: &[Field], compression: OrcCompression) -> Stripe {
    let mut writer = Writer { compression, bytes: Vec::new(), streams: Message::default(), counts: Vec::new() };
    writer.counts.push((table.row_count as u64, false));
    for (field, column) in fields.iter().zip(table.columns) {
        writer.column(&field.kind, column);
    }
    let mut footer = writer.streams;
    for _ in &writer.counts {
        // Plain values: the first encoding.
        footer = footer.bytes(2, &Message::default().number(1, 0).into_bytes());
    }
    footer = footer.bytes(3, b"UTC");
    let before = writer.bytes.len();
    chunk::append(&footer.into_bytes(), compression, &mut writer.bytes);
    Stripe { footer_bytes: writer.bytes.len() - before, bytes: writer.bytes, counts: writer.counts }
}

struct Writer {
    compression: OrcCompression,
    bytes: Vec<u8>,
    streams: Message,
    counts: Vec<(u64, bool)>,
}

impl Writer {
    fn column(&mut self, kind: &Type, column: Column) {
        let id = self.counts.len() as u64;
        let Column { valid, values } = column;
        let there = valid.iter().filter(|&&is_there| is_there).count();
        let has_null = there < valid.len();
        self.counts.push((there as u64, has_null));
        if has_null {
            self.stream(id, Stream::Present, &runs::bits(&valid));
        }
        drop(valid);
        match (values, kind) {
            (Values::Boolean(values), _) => self.stream(id, Stream::Data, &runs::bits(&values)),
            (Values::Int(values), Type::TinyInt) => {
                let narrow: Vec<u8> = values.iter().map(|value| value.to_le_bytes()[0]).collect();
                self.stream(id, Stream::Data, &runs::bytes(&narrow));
            }
            (Values::Int(values), _) => {
                let wide: Vec<i64> = values.into_iter().map(i64::from).collect();
                self.stream(id, Stream::Data, &runs::signed(&wide));
            }
            (Values::BigInt(values), Type::Timestamp) => self.instants(id, &values),
            (Values::BigInt(values), _) => self.stream(id, Stream::Data, &runs::signed(&values)),
            (Values::Float(values), _) => {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                self.stream(id, Stream::Data, &bytes);
            }
            (Values::Double(values), _) => {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                self.stream(id, Stream::Data, &bytes);
            }
            (Values::Decimal(values), Type::Decimal { scale, .. }) => self.decimals(id, &values, *scale),
            (Values::Bytes(texts), _) => {
                self.stream(id, Stream::Data, &texts.data);
                let starts = std::iter::once(0).chain(texts.ends.iter().copied());
                let lengths: Vec<i64> = starts.zip(&texts.ends).map(|(start, &end)| length(end - start)).collect();
                self.stream(id, Stream::Length, &runs::unsigned(&lengths));
            }
            (Values::List { lengths, items }, Type::Array(item)) => {
                self.lengths(id, &lengths);
                self.column(item, *items);
            }
            (Values::Map { lengths, keys, values }, Type::Map(key, value)) => {
                self.lengths(id, &lengths);
                self.column(key, *keys);
                self.column(value, *values);
            }
            (Values::Struct(columns), Type::Struct(fields)) => {
                for (field, column) in fields.iter().zip(columns) {
                    self.column(&field.kind, column);
                }
            }
            // Columns are made of the type they are written by.
            _ => unreachable!("values of another type"),
        }
    }

    fn lengths(&mut self, id: u64, lengths: &[u32]) {
        let wide: Vec<i64> = lengths.iter().copied().map(i64::from).collect();
        self.stream(id, Stream::Length, &runs::unsigned(&wide));
    }

    /// Whole seconds since 2015, and nanoseconds whose final zeros are a count. The format has a hole that every
    /// writer has: before 1970 the seconds are rounded up, so a fraction within the last second before 1970 reads as
    /// one after it.
    fn instants(&mut self, id: u64, values: &[i64]) {
        let (mut seconds, mut fractions) = (Vec::with_capacity(values.len()), Vec::with_capacity(values.len()));
        for value in values {
            let (second, nanos) = (value.div_euclid(SECOND_NANOS), value.rem_euclid(SECOND_NANOS));
            let rounded = if second < 0 && nanos > 999_999 { second + 1 } else { second };
            seconds.push(rounded - EPOCH_SECONDS);
            fractions.push(fraction(nanos));
        }
        self.stream(id, Stream::Data, &runs::signed(&seconds));
        self.stream(id, Stream::Secondary, &runs::unsigned(&fractions));
    }

    fn decimals(&mut self, id: u64, values: &[i128], scale: u8) {
        let mut bytes = Vec::new();
        for value in values {
            varint_wide((value << 1 ^ value >> 127).cast_unsigned(), &mut bytes);
        }
        self.stream(id, Stream::Data, &bytes);
        self.stream(id, Stream::Secondary, &runs::signed(&vec![i64::from(scale); values.len()]));
    }

    fn stream(&mut self, column: u64, kind: Stream, bytes: &[u8]) {
        let before = self.bytes.len();
        chunk::append(bytes, self.compression, &mut self.bytes);
        let written = (self.bytes.len() - before) as u64;
        let stream = Message::default().number(1, kind as u64).number(2, column).number(3, written);
        self.streams = std::mem::take(&mut self.streams).bytes(1, &stream.into_bytes());
    }
}

/// Nanoseconds with their final zeros counted in three bits, from two zeros on.
fn fraction(nanos: i64) -> i64 {
    let mut zeros = 0;
    let mut rest = nanos;
    while rest != 0 && rest % 10 == 0 && zeros < 8 {
        rest /= 10;
        zeros += 1;
    }
    if zeros < 2 { nanos << 3 } else { rest << 3 | (zeros - 1) }
}

/// Texts are shorter than a batch.
fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
