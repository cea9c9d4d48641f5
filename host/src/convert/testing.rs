//! For tests: rows of a table as JSON again.

use serde_json::{Map, Number, Value, json};

use super::schema::{Field, Schema, Type};
use super::table::{Column, Table, Texts, Values};

/// A schema of these columns.
pub(crate) fn schema(columns: &[(&str, &str)]) -> Schema {
    let columns: Vec<_> = columns.iter().map(|(name, kind)| json!({"Name": name, "Type": kind})).collect();
    Schema::from_glue(&json!({"StorageDescriptor": {"Columns": columns}})).unwrap()
}

/// Every row as an object; decimals as text, dates and instants as numbers.
pub(crate) fn rows(table: &Table, schema: &Schema) -> Vec<Value> {
    let columns: Vec<Vec<Value>> =
        schema.columns().iter().zip(&table.columns).map(|(field, column)| cells(column, &field.kind)).collect();
    assert!(columns.iter().all(|column| column.len() == table.row_count), "every column has a cell for every row");
    (0..table.row_count).map(|row| object(schema.columns(), &columns, row)).collect()
}

fn object(fields: &[Field], columns: &[Vec<Value>], at: usize) -> Value {
    let members = fields.iter().zip(columns).map(|(field, column)| (field.name.clone(), column[at].clone()));
    Value::Object(members.collect())
}

fn cells(column: &Column, kind: &Type) -> Vec<Value> {
    let mut values = values(&column.values, kind).into_iter();
    let cells: Vec<Value> = column
        .valid
        .iter()
        .map(
            |&is_there| {
                if is_there { values.next().expect("a value for every slot that has one") } else { Value::Null }
            },
        )
        .collect();
    assert!(values.next().is_none(), "no value without a slot");
    cells
}

fn values(values: &Values, kind: &Type) -> Vec<Value> {
    match (values, kind) {
        (Values::Boolean(values), _) => values.iter().map(|&value| value.into()).collect(),
        (Values::Int(values), _) => values.iter().map(|&value| value.into()).collect(),
        (Values::BigInt(values), _) => values.iter().map(|&value| value.into()).collect(),
        (Values::Float(values), _) => values.iter().map(|&value| float(value.into())).collect(),
        (Values::Double(values), _) => values.iter().map(|&value| float(value)).collect(),
        (Values::Decimal(values), Type::Decimal { scale, .. }) => {
            values.iter().map(|&value| decimal(value, *scale).into()).collect()
        }
        (Values::Bytes(texts), _) => texts_of(texts),
        (Values::List { lengths, items }, Type::Array(item)) => {
            let mut items = cells(items, item).into_iter();
            lengths.iter().map(|&length| Value::Array(items.by_ref().take(length as usize).collect())).collect()
        }
        (Values::Map { lengths, keys, values }, Type::Map(key, value)) => {
            let (keys, values) = (cells(keys, key), cells(values, value));
            let text = |key: Value| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            let mut entries = keys.into_iter().map(text).zip(values);
            lengths
                .iter()
                .map(|&length| Value::Object(entries.by_ref().take(length as usize).collect::<Map<_, _>>()))
                .collect()
        }
        (Values::Struct(columns), Type::Struct(fields)) => {
            let count = columns[0].valid.len();
            let columns: Vec<_> =
                fields.iter().zip(columns).map(|(field, column)| cells(column, &field.kind)).collect();
            (0..count).map(|at| object(fields, &columns, at)).collect()
        }
        _ => panic!("values of another type"),
    }
}

fn texts_of(texts: &Texts) -> Vec<Value> {
    texts.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned().into()).collect()
}

fn float(value: f64) -> Value {
    Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::Number)
}

/// A decimal with its point.
pub(crate) fn decimal(value: i128, scale: u8) -> String {
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    let sign = if value < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
