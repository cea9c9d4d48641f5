//! One stripe: for every column an index of its row groups, then the streams of every column, one column after another,
//! and the footer that says where they are.
//!
//! Refuses values of another type than the column's, which would be a mistake of ours.

use super::bloom::Bloom;
use super::chunk::{self, Written};
use super::column::{Encoded, Within, by_group};
use super::dictionary;
use super::message::{Message, varint_wide};
use super::runs;
use super::statistics::Statistics;
use crate::convert::{Column, Field, Table, Texts, Type, Values};
use crate::definition::OrcSettings;

/// Kinds of streams, as their numbers are in the format.
#[derive(Clone, Copy)]
enum Stream {
    Present = 0,
    Data = 1,
    Length = 2,
    DictionaryData = 3,
    Secondary = 5,
    RowIndex = 6,
    BloomFilterUtf8 = 8,
}

/// A stripe without its place in the file.
pub(super) struct Stripe {
    /// Indexes of all columns.
    pub(super) index: Vec<u8>,
    /// Streams of all columns.
    pub(super) data: Vec<u8>,
    /// Where they are.
    pub(super) footer: Vec<u8>,
    /// For each column, the root first.
    pub(super) statistics: Vec<Statistics>,
}

/// Seconds from 1970 to 2015 in UTC, where instants of the format begin.
const EPOCH_SECONDS: i64 = 1_420_070_400;
const SECOND_NANOS: i64 = 1_000_000_000;

/// What bloom filters say of how they were made: texts as UTF-8, instants as UTC.
const BLOOM_ENCODING: u64 = 1;

/// Writes the rows. Memory of a column is given back once it is written.
pub(super) fn write(table: Table, fields: &[Field], settings: &OrcSettings) -> Stripe {
    let stride = usize::try_from(settings.row_index_stride).unwrap_or(usize::MAX).max(1);
    let cuts: Vec<usize> = (0..table.row_count).step_by(stride).collect();
    let mut writer = Writer { settings, index: Section::default(), data: Section::default(), columns: Vec::new() };
    let sizes = sizes(&cuts, table.row_count);
    let root = writer.open(sizes.map(Statistics::rows).collect());
    writer.close(root);
    for (field, column) in fields.iter().zip(table.columns) {
        let has_bloom = settings.bloom_filter_columns.iter().any(|name| name.eq_ignore_ascii_case(&field.name));
        writer.column(&field.kind, column, &cuts, has_bloom);
    }
    let Writer { index, data, columns, .. } = writer;
    let mut footer = index.streams.followed_by(data.streams);
    for column in &columns {
        footer = footer.message(2, column.encoding.clone());
    }
    let mut compressed = Vec::new();
    chunk::append(&footer.bytes(3, b"UTC").into_bytes(), settings.compression, &mut compressed);
    let statistics = columns.into_iter().map(|column| column.statistics).collect();
    Stripe { index: index.bytes, data: data.bytes, footer: compressed, statistics }
}

/// Streams, end to end, and what the footer says of them.
#[derive(Default)]
struct Section {
    bytes: Vec<u8>,
    streams: Message,
}

impl Section {
    fn put(&mut self, settings: &OrcSettings, column: usize, kind: Stream, bytes: &[u8]) -> Written {
        let written = chunk::append(bytes, settings.compression, &mut self.bytes);
        let stream = Message::default().number(1, kind as u64).number(2, column as u64);
        self.streams = std::mem::take(&mut self.streams).message(1, stream.number(3, written.length as u64));
        written
    }
}

/// What is known of a column once its streams are written.
struct Described {
    /// Of all row groups.
    statistics: Statistics,
    encoding: Message,
}

/// A column whose streams are being written.
struct Open {
    id: usize,
    /// Of each row group.
    statistics: Vec<Statistics>,
    /// Of each row group: places in all streams so far.
    positions: Vec<Vec<u64>>,
    blooms: Option<Vec<Bloom>>,
    /// Entries of its dictionary.
    dictionary: Option<usize>,
}

struct Writer<'s> {
    settings: &'s OrcSettings,
    index: Section,
    data: Section,
    /// By their numbers.
    columns: Vec<Described>,
}

impl Writer<'_> {
    fn open(&mut self, statistics: Vec<Statistics>) -> Open {
        let id = self.columns.len();
        let mut all = Statistics::default();
        statistics.iter().for_each(|group| all.add(group.clone()));
        self.columns.push(Described { statistics: all, encoding: Message::default() });
        let positions = vec![Vec::new(); statistics.len()];
        Open { id, statistics, positions, blooms: None, dictionary: None }
    }

    /// Writes the column's index and says how it was encoded: plainly, or by a dictionary.
    fn close(&mut self, open: Open) {
        let mut index = Message::default();
        for (positions, statistics) in open.positions.into_iter().zip(&open.statistics) {
            index = index.message(1, Message::default().packed(1, positions).message(2, statistics.message()));
        }
        self.index.put(self.settings, open.id, Stream::RowIndex, &index.into_bytes());
        let mut encoding = Message::default().number(1, u64::from(open.dictionary.is_some()));
        if let Some(entries) = open.dictionary {
            encoding = encoding.number(2, entries as u64);
        }
        if let Some(blooms) = open.blooms {
            let filters = blooms.iter().fold(Message::default(), |all, bloom| all.message(1, bloom.message()));
            self.index.put(self.settings, open.id, Stream::BloomFilterUtf8, &filters.into_bytes());
            encoding = encoding.number(3, BLOOM_ENCODING);
        }
        self.columns[open.id].encoding = encoding;
    }

    /// Writes a column and what is nested in it; each cut is the slot at which a row group begins.
    fn column(&mut self, kind: &Type, column: Column, cuts: &[usize], has_bloom: bool) {
        let Column { valid, values } = column;
        let of_values = count_before(&valid, cuts);
        let there = valid.iter().filter(|&&is_there| is_there).count();
        let groups = of_values.iter().zip(sizes(&of_values, there)).map(|(&from, count)| from..from + count);
        let statistics = groups.clone().zip(sizes(cuts, valid.len())).map(|(group, slots)| {
            let has_null = group.len() < slots;
            Statistics::of(kind, &values, group, has_null)
        });
        let mut open = self.open(statistics.collect());
        let probability = self.settings.bloom_filter_probability;
        open.blooms = has_bloom.then(|| Bloom::of_groups(kind, &values, groups, probability)).flatten();
        if there < valid.len() {
            self.stream(&mut open, Stream::Present, &runs::bits(&valid, cuts));
        }
        drop(valid);
        let cuts = &of_values;
        match (values, kind) {
            (Values::List { lengths, items }, Type::Array(item)) => {
                let of_items = self.lengths(&mut open, &lengths, cuts);
                self.close(open);
                self.column(item, *items, &of_items, false);
            }
            (Values::Map { lengths, keys, values }, Type::Map(key, value)) => {
                let of_entries = self.lengths(&mut open, &lengths, cuts);
                self.close(open);
                self.column(key, *keys, &of_entries, false);
                self.column(value, *values, &of_entries, false);
            }
            (Values::Struct(columns), Type::Struct(fields)) => {
                self.close(open);
                for (field, column) in fields.iter().zip(columns) {
                    self.column(&field.kind, column, cuts, false);
                }
            }
            (values, kind) => {
                self.values(&mut open, kind, values, cuts);
                self.close(open);
            }
        }
    }

    /// Writes values that hold no others.
    fn values(&mut self, open: &mut Open, kind: &Type, values: Values, cuts: &[usize]) {
        match (values, kind) {
            (Values::Boolean(values), _) => self.stream(open, Stream::Data, &runs::bits(&values, cuts)),
            (Values::Int(values), Type::TinyInt) => {
                let narrow: Vec<u8> = values.iter().map(|value| value.to_le_bytes()[0]).collect();
                self.stream(open, Stream::Data, &runs::bytes(&narrow, cuts));
            }
            (Values::Int(values), _) => {
                let wide: Vec<i64> = values.into_iter().map(i64::from).collect();
                self.stream(open, Stream::Data, &runs::signed(&wide, cuts));
            }
            (Values::BigInt(values), Type::Timestamp) => self.instants(open, &values, cuts),
            (Values::BigInt(values), _) => self.stream(open, Stream::Data, &runs::signed(&values, cuts)),
            (Values::Float(values), _) => {
                let put =
                    |values: &[f32], out: &mut Vec<u8>| out.extend(values.iter().flat_map(|one| one.to_le_bytes()));
                self.stream(open, Stream::Data, &by_group(&values, cuts, put));
            }
            (Values::Double(values), _) => {
                let put =
                    |values: &[f64], out: &mut Vec<u8>| out.extend(values.iter().flat_map(|one| one.to_le_bytes()));
                self.stream(open, Stream::Data, &by_group(&values, cuts, put));
            }
            (Values::Decimal(values), Type::Decimal { scale, .. }) => self.decimals(open, &values, *scale, cuts),
            (Values::Bytes(texts), Type::Binary) => self.texts(open, texts, cuts),
            (Values::Bytes(texts), _) => match dictionary::of(&texts, self.settings.dictionary_threshold) {
                Some(dictionary) => {
                    drop(texts);
                    self.stream(open, Stream::Data, &runs::unsigned(&dictionary.numbers, cuts));
                    open.dictionary = Some(dictionary.entries.ends.len());
                    // Read as a whole whichever row group is read.
                    let Texts { data, ends } = dictionary.entries;
                    self.data.put(self.settings, open.id, Stream::DictionaryData, &data);
                    let lengths = runs::unsigned(&lengths(&ends), &[0]);
                    self.data.put(self.settings, open.id, Stream::Length, &lengths.bytes);
                }
                None => self.texts(open, texts, cuts),
            },
            // Columns are made of the type they are written by.
            _ => unreachable!("values of another type"),
        }
    }

    fn texts(&mut self, open: &mut Open, texts: Texts, cuts: &[usize]) {
        let starts = cuts.iter().map(|&cut| texts.start(cut)).collect();
        let Texts { data, ends } = texts;
        self.stream(open, Stream::Data, &Encoded { bytes: data, starts, within: Within::Bytes });
        self.stream(open, Stream::Length, &runs::unsigned(&lengths(&ends), cuts));
    }

    /// Writes how many items each list has; answers with the item at which each row group begins.
    fn lengths(&mut self, open: &mut Open, lengths: &[u32], cuts: &[usize]) -> Vec<usize> {
        let wide: Vec<i64> = lengths.iter().copied().map(i64::from).collect();
        self.stream(open, Stream::Length, &runs::unsigned(&wide, cuts));
        running(cuts, lengths.iter().map(|&length| length as usize))
    }

    /// Whole seconds since 2015, and nanoseconds whose final zeros are a count. The format has a hole that every
    /// writer has: before 1970 the seconds are rounded up, so a fraction within the last second before 1970 reads as
    /// one after it.
    fn instants(&mut self, open: &mut Open, values: &[i64], cuts: &[usize]) {
        let (mut seconds, mut fractions) = (Vec::with_capacity(values.len()), Vec::with_capacity(values.len()));
        for value in values {
            let (second, nanos) = (value.div_euclid(SECOND_NANOS), value.rem_euclid(SECOND_NANOS));
            let rounded = if second < 0 && nanos > 999_999 { second + 1 } else { second };
            seconds.push(rounded - EPOCH_SECONDS);
            fractions.push(fraction(nanos));
        }
        self.stream(open, Stream::Data, &runs::signed(&seconds, cuts));
        self.stream(open, Stream::Secondary, &runs::unsigned(&fractions, cuts));
    }

    fn decimals(&mut self, open: &mut Open, values: &[i128], scale: u8, cuts: &[usize]) {
        let put = |values: &[i128], out: &mut Vec<u8>| {
            values.iter().for_each(|value| varint_wide((value << 1 ^ value >> 127).cast_unsigned(), out));
        };
        self.stream(open, Stream::Data, &by_group(values, cuts, put));
        self.stream(open, Stream::Secondary, &runs::signed(&vec![i64::from(scale); values.len()], cuts));
    }

    /// Writes a stream that a reader may enter at each row group.
    fn stream(&mut self, open: &mut Open, kind: Stream, encoded: &Encoded) {
        let written = self.data.put(self.settings, open.id, kind, &encoded.bytes);
        for (group, positions) in open.positions.iter_mut().enumerate() {
            positions.extend(written.positions(encoded.starts[group]));
            positions.extend(encoded.within.positions(group));
        }
    }
}

/// For each cut how many of the slots before it have a value.
fn count_before(valid: &[bool], cuts: &[usize]) -> Vec<usize> {
    running(cuts, valid.iter().map(|&is_there| usize::from(is_there)))
}

/// For each cut the sum of what comes before it.
fn running(cuts: &[usize], mut counts: impl Iterator<Item = usize>) -> Vec<usize> {
    let (mut at, mut sum) = (0, 0);
    let mut upto = |cut: usize| {
        sum += counts.by_ref().take(cut - at).sum::<usize>();
        at = cut;
        sum
    };
    cuts.iter().map(|&cut| upto(cut)).collect()
}

/// How many there are from each cut to the next, of `count` in all.
fn sizes(cuts: &[usize], count: usize) -> impl Iterator<Item = usize> + Clone {
    let ends = cuts.iter().copied().skip(1).chain([count]);
    cuts.iter().zip(ends).map(|(from, to)| to - from)
}

fn lengths(ends: &[usize]) -> Vec<i64> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    // Texts are shorter than a batch.
    starts.zip(ends).map(|(start, &end)| i64::try_from(end - start).unwrap_or(i64::MAX)).collect()
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
