//! Reads what every peer holds and has the conservation checker hold it against the producers' ledger.
#![expect(clippy::unwrap_used, reason = "a test says what it expects")]

use std::collections::BTreeMap;
use std::path::Path;

use hydrant_tests::checker::{Checker, Delivered, PartitionOf, Processing, Report, files_below, read_bucket};
use hydrant_tests::client::BUCKET;
use hydrant_tests::evidence::claimed_id;
use hydrant_tests::ledger::Ledger;

use super::rig::{DOCUMENTS, INDEX, KEYED, LEVELS, POSTS, ROWS, Rig, TABLE, group_of, level_and_lane_of};
use crate::opensearch::stored;

/// Checks everything that a drained host has delivered anywhere, and says what there was by where it was.
///
/// # Errors
/// What is lost, repeated, altered, foreign, misplaced or out of order, and where.
pub(super) async fn everything(rig: &Rig, ledger: &Ledger) -> Result<BTreeMap<&'static str, Report>, String> {
    let bucket = rig.s3.bucket(BUCKET);
    let mut wrong = Vec::new();
    let mut found = BTreeMap::new();
    let mut look =
        |place: &'static str, stream: &str, kind, partition: PartitionOf, objects: Vec<Delivered>| match Checker::new(
            ledger,
            &[(stream, kind)],
        )
        .partitioned(partition)
        .check(objects)
        {
            Ok(report) => _ = found.insert(place, report),
            Err(violations) => wrong.push(format!("{place}: {violations}")),
        };
    let anywhere: PartitionOf = |_| String::new();
    let below = |folder: &str, stream: &str| [below(&bucket, folder), errors(&bucket, stream)].concat();
    look("partitions by a query", KEYED, Processing::Crowded, group_of, below(KEYED, KEYED));
    look("partitions by a plugin", LEVELS, Processing::Plugin, level_and_lane_of, below(LEVELS, LEVELS));
    look("records as they came", KEYED, Processing::None, anywhere, self::below(&bucket, "keyed-source"));
    look("copies of what was posted", POSTS, Processing::None, anywhere, below(POSTS, POSTS));
    let line = |record: Vec<u8>| record.strip_suffix(b"\n").map(<[u8]>::to_vec).unwrap_or(record);
    let posted = rig.receiver.kept().into_values().flatten().map(line);
    look("posts by request", POSTS, Processing::None, anywhere, vec![as_one(POSTS, posted)]);
    let documents = stored(&rig.search, INDEX).await.into_values().map(|document| document.to_string().into_bytes());
    let documents = [vec![as_one(DOCUMENTS, documents)], errors(&bucket, DOCUMENTS)].concat();
    look("documents by id", DOCUMENTS, Processing::Indexed, anywhere, documents);
    let rows = rig.cluster.postgres.sql(&format!("SELECT to_json(row) FROM {TABLE} row"));
    let refused = self::below(&bucket, ROWS).into_iter().filter(|object| object.key.contains(FAILED)).collect();
    let rows = [vec![as_one(ROWS, rows.into_iter().map(String::into_bytes))], refused].concat();
    look("rows", ROWS, Processing::Plugin, anywhere, rows);
    wrong.extend(rig.receiver.violations());
    wrong.extend(loads(rig, &bucket).err());
    let refused = found.get("partitions by a query").map_or(0, |report| report.refused);
    if refused == 0 && wrong.is_empty() {
        wrong.push("no record was refused for its partition: there is too much room to prove anything".to_owned());
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong.join("\n")) }
}

/// Each staged object was loaded once, by the ledger beside the table.
fn loads(rig: &Rig, bucket: &Path) -> Result<(), String> {
    let mut loaded = rig.cluster.postgres.sql(&format!("SELECT batch FROM hydrant_ledger_{ROWS} ORDER BY batch"));
    let staged = files_below(&bucket.join(ROWS)).into_iter().filter_map(|path| {
        let is_other = path.components().any(|part| part.as_os_str() == "manifests" || part.as_os_str() == FAILED);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // What ends a name is the batch's identity.
        (!is_other).then(|| name[name.len() - UUID_LETTERS..].to_owned())
    });
    let mut staged: Vec<String> = staged.collect();
    staged.sort();
    let count = loaded.len();
    loaded.dedup();
    if count == loaded.len() && loaded == staged {
        return Ok(());
    }
    Err(format!("{count} loads of {} batches, {} staged objects: {loaded:?} {staged:?}", loaded.len(), staged.len()))
}

/// Where a stream without a prefix for errors has them.
const FAILED: &str = "processing-failed";
const UUID_LETTERS: usize = 36;

fn below(bucket: &Path, folder: &str) -> Vec<Delivered> {
    let folder = bucket.join(folder);
    if folder.exists() { read_bucket(&folder).collect() } else { Vec::new() }
}

fn errors(bucket: &Path, stream: &str) -> Vec<Delivered> {
    below(bucket, &format!("{stream}-errors"))
}

/// Records of a place without an order as one object in the producers' order.
fn as_one(stream: &str, records: impl Iterator<Item = Vec<u8>>) -> Delivered {
    let mut lines: Vec<Vec<u8>> = records.collect();
    lines.sort_by_cached_key(|line| claimed_id(line).map(|id| (id.lane, id.number)));
    let body = lines.into_iter().flat_map(|line| [line, vec![b'\n']].concat()).collect();
    Delivered { key: format!("{stream}-all"), body }
}
