//! A table's columns, as Glue describes them: what rows are checked against and what columns are written.
//!
//! Refuses what no row could be converted by: types that Firehose does not know, names twice, and tables so deep or so
//! wide that one row would take more memory than a host has.

use std::collections::BTreeSet;

use serde_json::Value;

use super::types;

/// Types within types. Hive's own tables rarely nest further than four; levels of Parquet are written by recursion.
pub const MOST_DEPTH: usize = 16;

/// Columns and everything nested in them. Redshift, the widest of the usual readers, takes 1,600 columns.
pub const MOST_FIELDS: usize = 2_048;

/// Bytes of one column's type: Glue's own limit.
pub(super) const MOST_TYPE_BYTES: usize = 131_072;

/// Bytes of a name: Glue's own limit.
pub(super) const MOST_NAME_BYTES: usize = 255;

/// The columns of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    columns: Vec<Field>,
}

/// A column, or a field of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// As the catalogue spells it.
    pub name: String,
    /// What it holds.
    pub kind: Type,
}

/// Hive's types, as far as Firehose converts to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `boolean`.
    Boolean,
    /// `tinyint`, 8 bits.
    TinyInt,
    /// `smallint`, 16 bits.
    SmallInt,
    /// `int` or `integer`, 32 bits.
    Int,
    /// `bigint`, 64 bits.
    BigInt,
    /// `float`, 32 bits.
    Float,
    /// `double`, 64 bits.
    Double,
    /// `decimal(precision,scale)`.
    Decimal {
        /// Digits, 1 to 38.
        precision: u8,
        /// Digits behind the point, at most as many.
        scale: u8,
    },
    /// `string`.
    String,
    /// `char(n)`, 1 to 255 characters.
    Char(u16),
    /// `varchar(n)`, 1 to 65,535 characters.
    Varchar(u16),
    /// `binary`.
    Binary,
    /// `date`, days.
    Date,
    /// `timestamp`, nanoseconds without a zone.
    Timestamp,
    /// `array<item>`.
    Array(Box<Type>),
    /// `map<key,value>`; keys are not nested.
    Map(Box<Type>, Box<Type>),
    /// `struct<name:type,…>`.
    Struct(Vec<Field>),
}

impl Type {
    /// True when it holds other types.
    pub fn is_nested(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Map(..) | Self::Struct(_))
    }
}

impl std::fmt::Display for Type {
    /// Hive's own word, without what is nested in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::TinyInt => "tinyint",
            Self::SmallInt => "smallint",
            Self::Int => "int",
            Self::BigInt => "bigint",
            Self::Float => "float",
            Self::Double => "double",
            Self::Decimal { precision, scale } => return write!(f, "decimal({precision},{scale})"),
            Self::String => "string",
            Self::Char(length) => return write!(f, "char({length})"),
            Self::Varchar(length) => return write!(f, "varchar({length})"),
            Self::Binary => "binary",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Array(_) => "array",
            Self::Map(..) => "map",
            Self::Struct(_) => "struct",
        })
    }
}

/// Why a table cannot be converted to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The answer has not the shape of Glue's.
    #[error("table has no StorageDescriptor.Columns with Name and Type")]
    Shape,
    /// There is nothing to write.
    #[error("table has no columns")]
    Empty,
    /// Two columns, or two fields of one struct, have names that differ in case at most.
    #[error("name {0} stands twice")]
    Twice(String),
    /// It is empty or too long.
    #[error("name of {0} bytes: 1 to 255 are legal")]
    Name(usize),
    /// There are more than [`MOST_FIELDS`].
    #[error("table has more than 2048 columns and nested fields")]
    Wide,
    /// The type of a column is not one of ours.
    #[error("column {column}: {problem}")]
    Type {
        /// Name of the column.
        column: String,
        /// What is wrong with its type.
        problem: types::TypeError,
    },
}

impl Schema {
    /// Reads a table: the answer of Glue's `GetTable`, the `Table` in it, `GetTableVersion`'s, or what
    /// [`crate::definition::Conversion::resolved`] keeps.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn from_glue(value: &Value) -> Result<Self, SchemaError> {
        let table = table_of(value);
        let columns = table.pointer("/StorageDescriptor/Columns").and_then(Value::as_array);
        let columns = columns.ok_or(SchemaError::Shape)?;
        // What is read below is bounded by it.
        if columns.len() > MOST_FIELDS {
            return Err(SchemaError::Wide);
        }
        let read = |column: &Value| {
            let text = |name: &str| column.get(name).and_then(Value::as_str).ok_or(SchemaError::Shape);
            let name = text("Name")?.to_owned();
            let kind =
                types::parse(text("Type")?).map_err(|problem| SchemaError::Type { column: name.clone(), problem })?;
            Ok(Field { name, kind })
        };
        Self::new(columns.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// Checks names and sizes.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn new(columns: Vec<Field>) -> Result<Self, SchemaError> {
        if columns.is_empty() {
            return Err(SchemaError::Empty);
        }
        let mut room = MOST_FIELDS;
        check_fields(&columns, &mut room)?;
        Ok(Self { columns })
    }

    /// The columns, in the catalogue's order.
    pub fn columns(&self) -> &[Field] {
        &self.columns
    }
}

/// The table within an answer, whichever it is.
pub(super) fn table_of(value: &Value) -> &Value {
    let version = value.get("TableVersion").unwrap_or(value);
    version.get("Table").unwrap_or(version)
}

fn check_fields(fields: &[Field], room: &mut usize) -> Result<(), SchemaError> {
    let mut names = BTreeSet::new();
    for field in fields {
        if field.name.is_empty() || field.name.len() > MOST_NAME_BYTES {
            return Err(SchemaError::Name(field.name.len()));
        }
        if !names.insert(field.name.to_lowercase()) {
            return Err(SchemaError::Twice(field.name.clone()));
        }
        check_type(&field.kind, room)?;
    }
    Ok(())
}

fn check_type(kind: &Type, room: &mut usize) -> Result<(), SchemaError> {
    *room = room.checked_sub(1).ok_or(SchemaError::Wide)?;
    match kind {
        Type::Array(item) => check_type(item, room),
        Type::Map(key, value) => check_type(key, room).and_then(|()| check_type(value, room)),
        Type::Struct(fields) => check_fields(fields, room),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table(columns: &[(&str, &str)]) -> Value {
        let columns: Vec<_> = columns.iter().map(|(name, kind)| json!({"Name": name, "Type": kind})).collect();
        json!({"Name": "t", "StorageDescriptor": {"Columns": columns}})
    }

    #[test]
    fn every_shape_of_glues_answers_is_read() {
        let bare = table(&[("id", "bigint"), ("tags", "array<string>")]);
        let schema = Schema::from_glue(&bare).unwrap();
        assert_eq!(schema.columns()[1].kind, Type::Array(Box::new(Type::String)));
        for shape in [json!({"Table": bare}), json!({"TableVersion": {"Table": bare, "VersionId": "3"}})] {
            assert_eq!(Schema::from_glue(&shape).as_ref(), Ok(&schema));
        }
    }

    #[test]
    fn tables_that_no_row_could_fit_are_refused() {
        let read = |columns: &[(&str, &str)]| Schema::from_glue(&table(columns)).unwrap_err().to_string();
        assert_eq!(read(&[]), "table has no columns");
        assert_eq!(read(&[("a", "int"), ("A", "int")]), "name A stands twice");
        assert_eq!(read(&[("a", "struct<b:int,B:int>")]), "name B stands twice");
        assert_eq!(read(&[("", "int")]), "name of 0 bytes: 1 to 255 are legal");
        assert_eq!(read(&[(&"x".repeat(256), "int")]), "name of 256 bytes: 1 to 255 are legal");
        assert!(read(&[("a", "set<int>")]).starts_with("column a: type set is not offered"));
        assert_eq!(Schema::from_glue(&json!({})), Err(SchemaError::Shape));
        assert_eq!(
            Schema::from_glue(&json!({"StorageDescriptor": {"Columns": [{"Name": "a"}]}})),
            Err(SchemaError::Shape)
        );
    }

    #[test]
    fn width_is_bounded_nested_fields_included() {
        let wide = |fields: usize| {
            let fields: Vec<_> = (0..fields).map(|at| format!("f{at}:int")).collect();
            Schema::from_glue(&table(&[("s", &format!("struct<{}>", fields.join(",")))]))
        };
        assert!(wide(MOST_FIELDS - 1).is_ok());
        assert_eq!(wide(MOST_FIELDS), Err(SchemaError::Wide));
        let names: Vec<_> = (0..=MOST_FIELDS).map(|at| format!("c{at}")).collect();
        let columns: Vec<_> = names.iter().map(|name| (name.as_str(), "int")).collect();
        assert_eq!(Schema::from_glue(&table(&columns)), Err(SchemaError::Wide));
    }
}
