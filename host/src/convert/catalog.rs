//! Where tables come from: a folder of files in Glue's shape, or a service that speaks Glue's protocol.
//!
//! Asked once, when a stream is created or changed; what it says is pinned in the definition. Refuses to be asked per
//! batch: a table that changes under way must not change what a replay makes.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::glue::{Glue, GlueError};
use super::schema::{Schema, SchemaError, table_of};
use crate::definition::SchemaSource;

/// Bytes of one table's description: sixteen times what a table of 2,048 columns with usual names takes.
pub const MOST_TABLE_BYTES: usize = 4 << 20;

/// The version that is meant when none is named.
const LATEST: &str = "LATEST";

/// A place to look tables up.
#[derive(Debug)]
pub enum Catalog {
    /// `DATABASE/TABLE.json` below it, each as Glue's `GetTable` answers or the bare `Table`.
    Directory(PathBuf),
    /// A service.
    Glue(Glue),
}

/// Why a table cannot be had. [`Self::public`] is what the API answers; the rest is for the log.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// There is no such database or table.
    #[error("no table {database}.{table} in the catalogue")]
    NoTable {
        /// Database asked for.
        database: String,
        /// Table asked for.
        table: String,
    },
    /// The table has no such version.
    #[error("table {table} has no version {version}")]
    NoVersion {
        /// Table asked for.
        table: String,
        /// Version asked for.
        version: String,
    },
    /// The service does not let the host see it.
    #[error("the catalogue refuses: {0}")]
    Denied(String),
    /// The description cannot be converted to.
    #[error("table {table} cannot be converted to")]
    Schema {
        /// Table asked for.
        table: String,
        /// What is wrong.
        #[source]
        source: SchemaError,
    },
    /// A file cannot be read.
    #[error("table file {path} cannot be read")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The service does not answer as it should.
    #[error("the catalogue does not answer")]
    Service(#[source] GlueError),
}

/// What a caller of the API is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Public {
    /// `InvalidArgumentException` with this message.
    InvalidArgument(String),
    /// `ServiceUnavailableException`: try again; the log says why.
    Unavailable,
}

impl CatalogError {
    /// What the API answers: Firehose's own messages where there are any.
    pub fn public(&self) -> Public {
        Public::InvalidArgument(match self {
            Self::NoTable { .. } => "The specified table/database could not be found. Please ensure that the \
                                     table/database exists and that the values provided in the schema configuration \
                                     are correct, especially with regards to casing."
                .to_owned(),
            Self::NoVersion { .. } => "Could not find a matching schema from glue. Please make sure the specified \
                                       version of the table exists."
                .to_owned(),
            Self::Denied(_) => {
                "Access was denied when calling Glue. Please ensure that the role specified in the data \
                                format conversion configuration has the necessary permissions."
                    .to_owned()
            }
            Self::Schema { source: SchemaError::Shape, .. } => {
                "Could not find a matching schema from glue. Please make \
                                                                sure the table is configured with a non-null storage \
                                                                descriptor containing the target columns."
                    .to_owned()
            }
            Self::Schema { source: SchemaError::Empty, .. } => {
                "The schema is invalid. The specified table has no columns.".to_owned()
            }
            Self::Schema { source, .. } => format!("The schema is invalid. Error parsing the schema: {source}."),
            Self::File { .. } | Self::Service(_) => return Public::Unavailable,
        })
    }
}

impl Catalog {
    /// What [`Conversion::resolved`](crate::definition::Conversion::resolved) keeps of the table that `source` names:
    /// its names, its `VersionId` and its columns, checked. `now_ms` is the instant for signatures, milliseconds since
    /// 1970; `region` and `account_id` hold where the source names none.
    ///
    /// # Errors
    /// The table cannot be had, or not converted to.
    pub async fn resolve(
        &self,
        source: &SchemaSource,
        region: &str,
        account_id: &str,
        now_ms: u64,
    ) -> Result<Value, CatalogError> {
        let answer = match self {
            Self::Directory(folder) => {
                let (folder, source) = (folder.clone(), source.clone());
                let read = tokio::task::spawn_blocking(move || from_folder(&folder, &source)).await;
                read.map_err(|_| CatalogError::Service(GlueError::Stopped))??
            }
            Self::Glue(glue) => glue.table(source, region, account_id, now_ms).await?,
        };
        pinned(&answer, source)
    }
}

/// The part of an answer that a conversion needs; whatever else is in it may be large and may be secret.
fn pinned(answer: &Value, source: &SchemaSource) -> Result<Value, CatalogError> {
    let wrong = |problem| CatalogError::Schema { table: source.table.clone(), source: problem };
    let schema = Schema::from_glue(answer);
    schema.map_err(wrong)?;
    let columns = table_of(answer).pointer("/StorageDescriptor/Columns").and_then(Value::as_array);
    let columns = columns.ok_or_else(|| wrong(SchemaError::Shape))?;
    let columns: Vec<Value> =
        columns.iter().map(|column| json!({"Name": column["Name"], "Type": column["Type"]})).collect();
    Ok(json!({
        "DatabaseName": source.database,
        "Name": source.table,
        "VersionId": version_of(answer),
        "StorageDescriptor": {"Columns": columns},
    }))
}

fn version_of(answer: &Value) -> Option<&str> {
    let of_version = answer.pointer("/TableVersion/VersionId").and_then(Value::as_str);
    of_version.or_else(|| table_of(answer).get("VersionId").and_then(Value::as_str))
}

fn from_folder(folder: &Path, source: &SchemaSource) -> Result<Value, CatalogError> {
    let missing = || CatalogError::NoTable { database: source.database.clone(), table: source.table.clone() };
    if !is_plain(&source.database) || !is_plain(&source.table) {
        return Err(missing());
    }
    let path = folder.join(&source.database).join(format!("{}.json", source.table));
    let failed = |error| CatalogError::File { path: path.clone(), source: error };
    let mut text = Vec::new();
    let file = std::fs::File::open(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => missing(),
        _ => failed(error),
    })?;
    let most = u64::try_from(MOST_TABLE_BYTES).unwrap_or(u64::MAX);
    file.take(most + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() > MOST_TABLE_BYTES {
        return Err(failed(std::io::Error::other("larger than 4 MiB")));
    }
    let mut answer: Value = serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
    if version_of(&answer).is_none() {
        let digest: String = Sha256::digest(&text).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let table = if answer.get("Table").is_some() { answer.get_mut("Table") } else { Some(&mut answer) };
        if let Some(Value::Object(table)) = table {
            table.insert("VersionId".to_owned(), digest.into());
        }
    }
    let wanted = source.version_id.as_str();
    if !matches!(wanted, "" | LATEST) && version_of(&answer) != Some(wanted) {
        return Err(CatalogError::NoVersion { table: source.table.clone(), version: wanted.to_owned() });
    }
    Ok(answer)
}

/// A name that is one step of a path and nothing else.
fn is_plain(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == name)
        && !name.contains('\0')
}

#[cfg(test)]
mod tests;
