//! From objects to what PostgreSQL's `COPY FROM STDIN` takes.

use std::fmt::Write as _;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::Value;

use super::copy::{Copy, Format, Refusal};
use super::fetch::Store;

/// Redshift's own format of manifests; a member of another name is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    url: String,
    #[serde(default)]
    mandatory: bool,
}

/// What Redshift says of a row that it cannot take.
pub(super) fn failed(table: &str) -> Refusal {
    let text = format!("Load into table '{table}' failed.  Check 'stl_load_errors' system table for details.");
    Refusal::new("XX000", text)
}

/// Contents of all objects of the manifest, decompressed.
pub(super) async fn objects(copy: &Copy, store: &Store) -> Result<Vec<Vec<u8>>, Refusal> {
    let (bucket, key) = &copy.manifest;
    let unreadable = |text: &str| Refusal::new("XX000", format!("Problem reading manifest file - {text}"));
    let manifest = store.get(bucket, key).await.map_err(|refusal| unreadable(&refusal.text))?;
    let manifest: Manifest = serde_json::from_slice(&manifest).map_err(|error| unreadable(&error.to_string()))?;
    let mut contents = Vec::new();
    for Entry { url, mandatory } in manifest.entries {
        let place = url.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
        let (bucket, key) = place.ok_or_else(|| unreadable("an entry is not an address in S3"))?;
        match store.get(bucket, key).await {
            Ok(bytes) if copy.is_gzip => {
                let mut plain = Vec::new();
                MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain).map_err(|_| failed(&copy.table))?;
                contents.push(plain);
            }
            Ok(bytes) => contents.push(bytes.to_vec()),
            // Redshift passes over what is not mandatory and not there.
            Err(refusal) if !mandatory && refusal.text.contains("NoSuchKey") => {}
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(contents)
}

/// The statement that takes what [`rows`] gives.
pub(super) fn statement(copy: &Copy) -> String {
    let columns = if copy.columns.is_empty() { String::new() } else { format!(" ({})", copy.columns) };
    let options = match (copy.format, copy.delimiter) {
        (Format::Json, _) | (Format::Csv, None) => "FORMAT csv".to_owned(),
        (Format::Csv, Some(delimiter)) => format!("FORMAT csv, DELIMITER '{delimiter}'"),
        (Format::Delimited, delimiter) => format!("FORMAT text, DELIMITER '{}'", delimiter.unwrap_or('|')),
    };
    format!("COPY {}{columns} FROM STDIN WITH ({options})", copy.table)
}

/// The rows of one object. `columns` are the names of those that are loaded.
pub(super) fn rows(copy: &Copy, columns: &[String], content: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut text = std::str::from_utf8(content).map_err(|_| failed(&copy.table))?;
    for _ in 0..copy.header_lines {
        text = text.split_once('\n').map_or("", |(_, rest)| rest);
    }
    match copy.format {
        Format::Json => json(copy, columns, text),
        Format::Csv => Ok(with_end(text.to_owned())),
        // Without ESCAPE a backslash is nothing special.
        Format::Delimited => Ok(with_end(text.replace('\\', "\\\\"))),
    }
}

fn with_end(mut text: String) -> Vec<u8> {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.into_bytes()
}

/// Objects one after another, with or without white space between them; members by name.
fn json(copy: &Copy, columns: &[String], text: &str) -> Result<Vec<u8>, Refusal> {
    let mut csv = String::new();
    for object in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let Ok(Value::Object(object)) = object else { return Err(failed(&copy.table)) };
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                csv.push(',');
            }
            let value = match object.get(column) {
                None | Some(Value::Null) => continue,
                Some(Value::String(text)) => text.clone(),
                Some(value) => value.to_string(),
            };
            write!(csv, "\"{}\"", value.replace('"', "\"\"")).expect("a String takes everything");
        }
        csv.push('\n');
    }
    Ok(csv.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::redshift::copy::parse;

    #[test]
    fn members_become_columns_by_name() {
        let copy =
            parse("COPY t FROM 's3://b/m' CREDENTIALS 'aws_iam_role=arn:aws:x' MANIFEST json 'auto'").expect("a COPY");
        let columns = ["id", "name"].map(str::to_owned);
        let rows = rows(&copy, &columns, br#"{"id":1,"name":"a \"b\","} {"x":0,"id":null}{"name":""}"#).expect("rows");
        assert_eq!(String::from_utf8_lossy(&rows), "\"1\",\"a \"\"b\"\",\"\n,\n,\"\"\n");
        assert!(super::rows(&copy, &columns, b"[1]").is_err());
    }
}
