//! Parquet: rows of a batch in columns, by the plain column writers of the `parquet` crate.
//!
//! Types are written as Hive writes them, so that the table the schema came from reads its own objects: `timestamp` as
//! the 96-bit instant, `decimal` in as few bytes as its precision needs, lists and maps in three levels, everything
//! optional except the keys of maps. Refuses to convert text: what comes in was read by [`crate::convert`].

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType,
    Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type as Node, TypePtr};

use super::EncodeError;
use super::levels::{Levels, levels};
use crate::convert::{Column, Field, Plan, Table, Texts, Type, Values};
use crate::definition::{ParquetCompression, ParquetSettings};

/// Bytes of values in one row group, whatever `BlockSizeBytes` says: the group is in memory before it is written, and
/// the least that can be asked for is 64 MiB. An object of 128 MiB then has two or three groups.
pub(super) const MOST_GROUP_BYTES: u64 = 64 << 20;

/// Values handed over at once where they have to be copied for it.
const CHUNK: usize = 8_192;

/// The same text in every object: an object that is made again must be the same.
const CREATED_BY: &str = "hydrant version 1 (build 1)";

/// Writes checked records that lie end to end as one Parquet file.
pub(super) fn file(payload: Vec<u8>, plan: &Plan, settings: &ParquetSettings) -> Result<Vec<u8>, EncodeError> {
    let properties = Arc::new(properties(settings));
    let schema = root(plan.schema.columns()).map_err(EncodeError::Parquet)?;
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).map_err(EncodeError::Parquet)?;
    let most = usize::try_from(settings.block_bytes.min(MOST_GROUP_BYTES)).unwrap_or(usize::MAX);
    let mut rows = plan.reader.rows(&payload).map_err(EncodeError::Unchecked)?;
    loop {
        let mut table = Table::new(&plan.schema);
        let has_more = rows.fill(&mut table, most).map_err(EncodeError::Unchecked)?;
        if table.row_count > 0 {
            pad(&mut writer, settings).map_err(EncodeError::Parquet)?;
            group(&mut writer, plan.schema.columns(), table).map_err(EncodeError::Parquet)?;
        }
        if !has_more {
            break;
        }
    }
    let mut body = writer.into_inner().map_err(EncodeError::Parquet)?;
    drop(payload);
    body.shrink_to_fit();
    Ok(body)
}

/// Fills the rest of a block with zeros where that is not more than may be, so that the next row group begins with the
/// next block.
fn pad(writer: &mut SerializedFileWriter<Vec<u8>>, settings: &ParquetSettings) -> Result<(), ParquetError> {
    let block_bytes = settings.block_bytes.max(1);
    let left = block_bytes - writer.bytes_written() as u64 % block_bytes;
    if left < block_bytes && left <= settings.most_padding_bytes {
        writer.write_all(&vec![0; usize::try_from(left).unwrap_or(0)])?;
    }
    Ok(())
}

fn properties(settings: &ParquetSettings) -> WriterProperties {
    let page_bytes = usize::try_from(settings.page_bytes).unwrap_or(usize::MAX);
    WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_writer_version(if settings.is_v2 { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 })
        .set_compression(match settings.compression {
            ParquetCompression::Uncompressed => Compression::UNCOMPRESSED,
            ParquetCompression::Gzip => Compression::GZIP(parquet::basic::GzipLevel::default()),
            ParquetCompression::Snappy => Compression::SNAPPY,
        })
        .set_dictionary_enabled(settings.has_dictionary)
        .set_dictionary_page_size_limit(page_bytes)
        .set_data_page_size_limit(page_bytes)
        .set_data_page_row_count_limit(usize::MAX)
        // One group is cut by us; the library must not cut another.
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build()
}

/// The message around all columns.
fn root(columns: &[Field]) -> Result<TypePtr, ParquetError> {
    let fields = columns.iter().map(|field| node(&field.name, &field.kind, Repetition::OPTIONAL));
    Ok(Arc::new(Node::group_type_builder("hive_schema").with_fields(fields.collect::<Result<_, _>>()?).build()?))
}

/// A column or a field as Parquet describes it.
fn node(name: &str, kind: &Type, repetition: Repetition) -> Result<TypePtr, ParquetError> {
    let group = |fields, logical, converted| {
        let group = Node::group_type_builder(name).with_repetition(repetition).with_fields(fields);
        group.with_logical_type(logical).with_converted_type(converted).build()
    };
    let repeated = |name: &str, fields: Vec<TypePtr>| {
        Node::group_type_builder(name).with_repetition(Repetition::REPEATED).with_fields(fields).build().map(Arc::new)
    };
    let built = match kind {
        Type::Array(item) => {
            let list = repeated("list", vec![node("element", item, Repetition::OPTIONAL)?])?;
            group(vec![list], Some(LogicalType::List), ConvertedType::LIST)
        }
        Type::Map(key, value) => {
            let fields = vec![node("key", key, Repetition::REQUIRED)?, node("value", value, Repetition::OPTIONAL)?];
            group(vec![repeated("key_value", fields)?], Some(LogicalType::Map), ConvertedType::MAP)
        }
        Type::Struct(fields) => {
            let fields = fields.iter().map(|field| node(&field.name, &field.kind, Repetition::OPTIONAL));
            group(fields.collect::<Result<_, _>>()?, None, ConvertedType::NONE)
        }
        leaf => primitive(name, leaf, repetition),
    };
    built.map(Arc::new)
}

fn primitive(name: &str, kind: &Type, repetition: Repetition) -> Result<Node, ParquetError> {
    let physical = match kind {
        Type::Boolean => Physical::BOOLEAN,
        Type::TinyInt | Type::SmallInt | Type::Int | Type::Date => Physical::INT32,
        Type::BigInt => Physical::INT64,
        Type::Timestamp => Physical::INT96,
        Type::Float => Physical::FLOAT,
        Type::Double => Physical::DOUBLE,
        Type::Decimal { .. } => Physical::FIXED_LEN_BYTE_ARRAY,
        _ => Physical::BYTE_ARRAY,
    };
    let builder = Node::primitive_type_builder(name, physical).with_repetition(repetition);
    let integer = |bit_width| Some(LogicalType::integer(bit_width, true));
    match kind {
        Type::TinyInt => builder.with_logical_type(integer(8)).with_converted_type(ConvertedType::INT_8),
        Type::SmallInt => builder.with_logical_type(integer(16)).with_converted_type(ConvertedType::INT_16),
        Type::Date => builder.with_logical_type(Some(LogicalType::Date)).with_converted_type(ConvertedType::DATE),
        Type::String | Type::Char(_) | Type::Varchar(_) => {
            builder.with_logical_type(Some(LogicalType::String)).with_converted_type(ConvertedType::UTF8)
        }
        Type::Decimal { precision, scale } => {
            let (precision_i32, scale) = (i32::from(*precision), i32::from(*scale));
            builder
                .with_length(i32::try_from(decimal_bytes(*precision)).unwrap_or(16))
                .with_precision(precision_i32)
                .with_scale(scale)
                .with_logical_type(Some(LogicalType::decimal(scale, precision_i32)))
                .with_converted_type(ConvertedType::DECIMAL)
        }
        _ => builder,
    }
    .build()
}

/// Fewest bytes whose two's complement holds every number of so many digits.
fn decimal_bytes(precision: u8) -> usize {
    let largest = 10_i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX);
    (1..16).find(|bytes| largest <= 1_i128 << (bytes * 8 - 1)).unwrap_or(16)
}

/// Writes the rows as one row group; a column's memory is given back once it is written.
fn group(writer: &mut SerializedFileWriter<Vec<u8>>, fields: &[Field], table: Table) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    let Table { columns, row_count } = table;
    for (field, mut column) in fields.iter().zip(columns) {
        let mut path = Vec::new();
        write_leaves(&mut group, &field.kind, &mut column, row_count, &mut path)?;
    }
    group.close().map(drop)
}

/// Step from a nested column to one within it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Item,
    Key,
    Value,
    Field(usize),
}

/// Writes every leaf below `path` in the schema's order.
fn write_leaves(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    kind: &Type,
    root: &mut Column,
    row_count: usize,
    path: &mut Vec<Step>,
) -> Result<(), ParquetError> {
    let within: Vec<(Step, &Type)> = match kind {
        Type::Array(item) => vec![(Step::Item, item)],
        Type::Map(key, value) => vec![(Step::Key, key), (Step::Value, value)],
        Type::Struct(fields) => fields.iter().enumerate().map(|(at, field)| (Step::Field(at), &field.kind)).collect(),
        leaf => {
            let levels = levels(root, path, row_count);
            return write_leaf(group, leaf, leaf_of(root, path), &levels);
        }
    };
    for (step, kind) in within {
        path.push(step);
        write_leaves(group, kind, root, row_count, path)?;
        path.pop();
    }
    Ok(())
}

/// The column at the end of `path`.
fn leaf_of<'a>(column: &'a mut Column, path: &[Step]) -> &'a mut Column {
    let Some((step, rest)) = path.split_first() else { return column };
    match (step, &mut column.values) {
        (Step::Item, Values::List { items, .. }) => leaf_of(items, rest),
        (Step::Key, Values::Map { keys, .. }) => leaf_of(keys, rest),
        (Step::Value, Values::Map { values, .. }) => leaf_of(values, rest),
        (Step::Field(at), Values::Struct(columns)) if *at < columns.len() => leaf_of(&mut columns[*at], rest),
        // A path is made of the type that the column was made of.
        _ => unreachable!("a path of another type"),
    }
}

fn write_leaf(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    kind: &Type,
    leaf: &mut Column,
    levels: &Levels,
) -> Result<(), ParquetError> {
    let Some(mut writer) = group.next_column()? else {
        return Err(ParquetError::General("fewer columns than leaves".to_owned()));
    };
    match (std::mem::replace(&mut leaf.values, Values::Boolean(Vec::new())), kind) {
        (Values::Boolean(values), _) => put(writer.typed::<BoolType>(), &values, levels)?,
        (Values::Int(values), _) => put(writer.typed::<Int32Type>(), &values, levels)?,
        (Values::BigInt(values), Type::Timestamp) => {
            let all = values.into_iter().map(int96);
            put_mapped(writer.typed::<Int96Type>(), all, levels)?;
        }
        (Values::BigInt(values), _) => put(writer.typed::<Int64Type>(), &values, levels)?,
        (Values::Float(values), _) => put(writer.typed::<FloatType>(), &values, levels)?,
        (Values::Double(values), _) => put(writer.typed::<DoubleType>(), &values, levels)?,
        (Values::Decimal(values), Type::Decimal { precision, .. }) => {
            let all = fixed(&values, decimal_bytes(*precision));
            put_mapped(writer.typed::<FixedLenByteArrayType>(), all, levels)?;
        }
        (Values::Bytes(texts), _) => put_mapped(writer.typed::<ByteArrayType>(), slices(texts), levels)?,
        _ => return Err(ParquetError::General("values of another type".to_owned())),
    }
    writer.close()
}

fn put<T: DataType>(
    writer: &mut ColumnWriterImpl<'_, T>,
    values: &[T::T],
    levels: &Levels,
) -> Result<(), ParquetError> {
    writer.write_batch(values, levels.definition(), levels.repetition()).map(drop)
}

/// Writes values that are made one by one, a chunk at a time.
fn put_mapped<T: DataType>(
    writer: &mut ColumnWriterImpl<'_, T>,
    mut values: impl Iterator<Item = T::T>,
    levels: &Levels,
) -> Result<(), ParquetError> {
    let mut chunk = Vec::with_capacity(CHUNK);
    for part in levels.chunks(CHUNK) {
        chunk.clear();
        chunk.extend(values.by_ref().take(part.value_count()));
        writer.write_batch(&chunk, part.definition(), part.repetition())?;
    }
    Ok(())
}

fn slices(texts: Texts) -> impl Iterator<Item = ByteArray> {
    let Texts { data, ends } = texts;
    let data = Bytes::from(data);
    let mut start = 0;
    ends.into_iter().map(move |end| {
        let slice = data.slice(start..end);
        start = end;
        ByteArray::from(slice)
    })
}

/// Big-endian two's complement of `width` bytes each.
fn fixed(values: &[i128], width: usize) -> impl Iterator<Item = FixedLenByteArray> + use<> {
    let mut data = Vec::with_capacity(values.len() * width);
    for value in values {
        data.extend_from_slice(&value.to_be_bytes()[16 - width..]);
    }
    let data = Bytes::from(data);
    (0..values.len()).map(move |at| FixedLenByteArray::from(ByteArray::from(data.slice(at * width..(at + 1) * width))))
}

/// Day of 1970-01-01 in Julian days, which begin at noon and are written as if they began at midnight.
const JULIAN_1970: i64 = 2_440_588;
const DAY_NANOS: i64 = 86_400_000_000_000;

fn int96(nanos: i64) -> Int96 {
    let (day, of_day) = (nanos.div_euclid(DAY_NANOS) + JULIAN_1970, nanos.rem_euclid(DAY_NANOS));
    let mut value = Int96::new();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "halves of 64 bits, and a day of 1677 to 2262"
    )]
    value.set_data(of_day as u32, (of_day >> 32) as u32, day as u32);
    value
}

#[cfg(test)]
mod tests;
