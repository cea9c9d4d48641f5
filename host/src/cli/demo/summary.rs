//! What the demo did, for people and for machines. Refuses to look anywhere but on the disk and at what it is given.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::console::{bytes, count, table};
use super::metrics::Progress;
use crate::config::Settings;

/// Objects shown one by one; the rest is summed up.
const SHOWN_OBJECTS: usize = 12;

/// What the demo did.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Summary {
    pub(super) sent_records: u64,
    pub(super) sent_bytes: u64,
    pub(super) dropped_records: u64,
    pub(super) failed_records: u64,
    pub(super) delivered_records: u64,
    pub(super) seconds: f64,
    /// Directory of the bucket.
    pub(super) bucket: PathBuf,
    pub(super) objects: Vec<Object>,
    /// Configuration to go on with.
    pub(super) configuration: PathBuf,
    pub(super) endpoint_url: String,
}

/// An object in the bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Object {
    pub(super) key: String,
    pub(super) bytes: u64,
}

impl Summary {
    /// Puts together what was sent, what the host counted and what lies in the bucket.
    pub(super) fn new(
        sent: &super::super::put::Summary,
        progress: Progress,
        settings: &Settings,
        configuration: PathBuf,
        bucket: &str,
    ) -> io::Result<Self> {
        let directory = settings.data_dir.join("s3").join(bucket);
        let mut objects = Vec::new();
        collect(&directory, "", &mut objects)?;
        objects.sort();
        Ok(Self {
            sent_records: sent.records,
            sent_bytes: sent.bytes,
            dropped_records: progress.dropped,
            failed_records: progress.failed,
            // Failed records are delivered too, to the error output; what is counted here is the rest.
            delivered_records: progress.durable.saturating_sub(progress.dropped + progress.failed),
            seconds: sent.seconds,
            bucket: directory,
            objects,
            configuration,
            endpoint_url: format!("http://{}", settings.api.listen),
        })
    }

    /// For people. `program` is how this program was called.
    pub(super) fn text(&self, program: &str) -> String {
        let (failed, good): (Vec<&Object>, Vec<&Object>) =
            self.objects.iter().partition(|object| object.key.starts_with("errors/"));
        let counts = table(&[
            row(
                "sent",
                self.sent_records,
                format!("orders, {}, each acknowledged after fdatasync", bytes(self.sent_bytes)),
            ),
            row("dropped", self.dropped_records, "heartbeats and test articles, by the plugin".to_owned()),
            row(
                "failed",
                self.failed_records,
                format!("malformed orders, kept with their reason in {} objects", failed.len()),
            ),
            row("delivered", self.delivered_records, format!("orders in {} objects", good.len())),
        ]);
        let mut rows = vec![["OBJECT".to_owned(), "SIZE".to_owned()]];
        let shown = self.objects.iter().take(SHOWN_OBJECTS);
        rows.extend(shown.map(|object| [object.key.clone(), bytes(object.bytes)]));
        if let Some(more) = self.objects.len().checked_sub(SHOWN_OBJECTS).filter(|more| *more > 0) {
            let size = self.objects.iter().skip(SHOWN_OBJECTS).map(|object| object.bytes).sum();
            rows.push([format!("and {more} more"), bytes(size)]);
        }
        let objects = table(&rows);
        let bucket = self.bucket.display();
        let next = self.next(program, good.first().copied(), failed.first().copied());
        format!("{counts}\n\n{objects}\n\nThe objects are files in {bucket}\n\nTry next:\n{next}")
    }

    fn next(&self, program: &str, good: Option<&Object>, failed: Option<&Object>) -> String {
        let file = |object: &Object| quoted(&self.bucket.join(&object.key).display().to_string());
        let show = |object: &Object| match object.key.ends_with(".gz") {
            true => format!("gunzip -c {} | head -3", file(object)),
            false => format!("head -3 {}", file(object)),
        };
        let mut lines = Vec::new();
        lines.extend(good.map(|object| ("read some orders", show(object))));
        lines.extend(failed.map(|object| ("read why others failed", show(object))));
        let configuration = quoted(&self.configuration.display().to_string());
        lines.push(("start the service again, in the same place", format!("{program} serve --config {configuration}")));
        let order = r#"{"date":"2026-11-02T10:15:30Z","order":"1","stock_code":"22752","quantity":2,"price":7.65,"customer":"17850","country":"France"}"#;
        let url = &self.endpoint_url;
        lines.push((
            "and, while it runs, send an order with the AWS CLI",
            format!(
                "AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any aws --endpoint-url {url} --region us-east-1 firehose put-record \\\n      \
                 --delivery-stream-name orders --cli-binary-format raw-in-base64-out --record '{}'",
                serde_json::json!({ "Data": order })
            ),
        ));
        lines.push(("or look at the stream", format!("{program} describe orders --endpoint-url {url}")));
        lines.iter().map(|(why, command)| format!("  # {why}\n  {command}")).collect::<Vec<_>>().join("\n")
    }
}

fn row(word: &str, number: u64, what: String) -> [String; 3] {
    [word.to_owned(), format!("{:>9}", count(number)), what]
}

/// For a shell, when it needs it.
fn quoted(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+=:@%,".contains(character);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Files below `directory`, named as keys; what begins with a dot is the server's own.
fn collect(directory: &Path, prefix: &str, objects: &mut Vec<Object>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let key = format!("{prefix}{name}");
        let metadata = entry.metadata()?;
        match metadata.is_dir() {
            true => collect(&entry.path(), &format!("{key}/"), objects)?,
            false => objects.push(Object { key, bytes: metadata.len() }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(objects: Vec<Object>) -> Summary {
        Summary {
            sent_records: 200_000,
            sent_bytes: 30 << 20,
            dropped_records: 10_000,
            failed_records: 2_000,
            delivered_records: 188_000,
            seconds: 4.0,
            bucket: PathBuf::from("/tmp/de mo/data/s3/shop"),
            objects,
            configuration: PathBuf::from("hydrant-demo/hydrant.toml"),
            endpoint_url: "http://127.0.0.1:4573".to_owned(),
        }
    }

    #[test]
    fn the_summary_reads_well() {
        let objects = vec![
            Object { key: "errors/processing-failed/1.gz".to_owned(), bytes: 2048 },
            Object { key: "orders/1.gz".to_owned(), bytes: 1 << 20 },
        ];
        let expected = r#"sent         200,000  orders, 30.00 MiB, each acknowledged after fdatasync
dropped       10,000  heartbeats and test articles, by the plugin
failed         2,000  malformed orders, kept with their reason in 1 objects
delivered    188,000  orders in 1 objects

OBJECT                         SIZE
errors/processing-failed/1.gz  2.00 KiB
orders/1.gz                    1.00 MiB

The objects are files in /tmp/de mo/data/s3/shop

Try next:
  # read some orders
  gunzip -c '/tmp/de mo/data/s3/shop/orders/1.gz' | head -3
  # read why others failed
  gunzip -c '/tmp/de mo/data/s3/shop/errors/processing-failed/1.gz' | head -3
  # start the service again, in the same place
  ./hydrant serve --config hydrant-demo/hydrant.toml
  # and, while it runs, send an order with the AWS CLI
"#;
        let text = summary(objects).text("./hydrant");
        assert!(text.starts_with(expected), "{text}");
        assert!(text.ends_with("\n  ./hydrant describe orders --endpoint-url http://127.0.0.1:4573"), "{text}");
    }

    #[test]
    fn many_objects_are_summed_up() {
        let objects = (0..SHOWN_OBJECTS + 3).map(|at| Object { key: format!("orders/{at:03}"), bytes: 1024 }).collect();
        let text = summary(objects).text("hydrant");
        assert!(text.contains("\nand 3 more  3.00 KiB\n"), "{text}");
        assert!(!text.contains("orders/012"), "{text}");
    }

    #[test]
    fn objects_are_found_on_disk() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(directory.path().join("a/b")).expect("a directory");
        fs::write(directory.path().join("a/b/c"), "four").expect("a file");
        fs::write(directory.path().join(".own"), "x").expect("a file");
        let mut objects = Vec::new();
        collect(directory.path(), "", &mut objects).expect("read");
        assert_eq!(objects, [Object { key: "a/b/c".to_owned(), bytes: 4 }]);
    }
}
