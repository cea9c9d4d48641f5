//! Dynamic partitioning: whether each record has what its partition is named by.
//!
//! The last step, so that nothing behind it has to doubt a value. Refuses to name partitions: that is the batch's matter.

use super::step::{Fault, index};
use crate::definition::{PartitionKey, Partitioning, instant_ms};
use crate::record::{Column, Records};

/// What Firehose says of a record without its keys.
pub(super) const FAILED: &str = "DynamicPartitioning.MetadataExtractionFailed";

/// A value of a key.
#[derive(Clone, Debug)]
enum Value {
    /// Bytes that it takes in an evaluated prefix.
    Fits(usize),
    /// What is wrong with it.
    Wrong(&'static str),
}

/// The records of which no partition can be named, by rising index.
pub(super) fn check(records: &Records, partitioning: &Partitioning) -> Vec<(u32, Fault)> {
    let keys = partitioning.keys.iter().map(|key| Key::new(records, key, |value| judge(value, key.uses)));
    let instants = partitioning.event_time.iter().map(|event| Key::new(records, &event.key, judge_instant));
    let keys: Vec<Key<'_>> = keys.chain(instants).collect();
    let room = partitioning.room_bytes as usize;
    (0..records.len()).filter_map(|at| Some((index(at), fault_of(&keys, at, room)?))).collect()
}

struct Key<'r> {
    name: &'r str,
    column: Option<&'r Column>,
    /// Of each value of the column's dictionary.
    values: Vec<Value>,
}

impl<'r> Key<'r> {
    fn new(records: &'r Records, key: &'r PartitionKey, judge: impl Fn(&str) -> Value) -> Self {
        let name = key.column();
        let column = records.columns().iter().find(|column| column.name == name);
        let values =
            column.map_or_else(Vec::new, |column| column.dictionary.iter().map(|value| judge(value)).collect());
        Self { name: &key.name, column, values }
    }
}

fn fault_of(keys: &[Key<'_>], at: usize, room: usize) -> Option<Fault> {
    let mut bytes = 0_usize;
    for key in keys {
        let code = key.column.map_or(0, |column| column.codes[at]);
        let problem = match (code as usize).checked_sub(1).and_then(|code| key.values.get(code)) {
            None => "the record has none",
            Some(Value::Wrong(problem)) => problem,
            Some(Value::Fits(more)) => {
                bytes = bytes.saturating_add(*more);
                if bytes <= room {
                    continue;
                }
                return Some(Fault::failed(
                    FAILED,
                    format!("partition key {}: with it the prefix is longer than 512 bytes", key.name),
                ));
            }
        };
        return Some(Fault::failed(FAILED, format!("partition key {}: {problem}", key.name)));
    }
    None
}

/// Event time takes no bytes: the prefix holds what its timestamps print of it, and has room for that.
fn judge_instant(value: &str) -> Value {
    match instant_ms(value) {
        Some(_) => Value::Fits(0),
        None => Value::Wrong("it is no instant of the years 1970 to 9999"),
    }
}

fn judge(value: &str, uses: u32) -> Value {
    if value.is_empty() {
        Value::Wrong("it is empty")
    } else if value.chars().any(char::is_control) {
        Value::Wrong("it has a control character")
    } else if value.split('/').any(|part| part == "." || part == "..") {
        // Object stores that keep files refuse such names, or worse, follow them: the batch would never be delivered.
        Value::Wrong("it has a part that is . or ..")
    } else {
        Value::Fits(value.len().saturating_mul(uses as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::{Filling, with};
    use super::super::step::tests::records;
    use super::*;
    use crate::definition::{EventTime, KeySource};

    fn partitioned(rows: &[(Option<&str>, Option<&str>)], room_bytes: u32) -> Vec<(u32, String)> {
        let (mut plugin, mut query) = (Filling::new("region".into()), Filling::new("$query:day".into()));
        for (at, (region, day)) in rows.iter().enumerate() {
            region.iter().for_each(|value| plugin.set(at, value));
            day.iter().for_each(|value| query.set(at, value));
        }
        let records = with(&records(&vec!["r"; rows.len()]), vec![plugin.finish(rows.len()), query.finish(rows.len())]);
        let key = |source, name: &str, uses| PartitionKey { source, name: name.to_owned(), uses };
        let keys = vec![key(KeySource::Plugin, "region", 1), key(KeySource::Query, "day", 2)];
        let faults = check(&records, &Partitioning { keys, room_bytes, event_time: None });
        assert!(faults.iter().all(|(_, fault)| fault.code == FAILED && fault.is_repeatable));
        faults.into_iter().map(|(at, fault)| (at, fault.message)).collect()
    }

    #[test]
    fn every_key_must_be_there_and_fit_to_be_named_by() {
        let check = |region, day, expected: &str| {
            let found = partitioned(&[(Some("eu"), Some("1")), (region, day)], 100);
            let expected: Vec<_> = if expected.is_empty() { Vec::new() } else { vec![(1, expected.to_owned())] };
            assert_eq!(found, expected);
        };
        check(Some("us"), Some("2"), "");
        check(Some("a/b.c/..d/e f é"), Some("2"), "");
        check(None, Some("2"), "partition key region: the record has none");
        check(Some("us"), None, "partition key day: the record has none");
        check(Some(""), Some("2"), "partition key region: it is empty");
        check(Some("us"), Some("a\nb"), "partition key day: it has a control character");
        check(Some("\u{7f}"), Some("a"), "partition key region: it has a control character");
        check(Some("\u{85}"), Some("a"), "partition key region: it has a control character");
        check(Some(".."), Some("a"), "partition key region: it has a part that is . or ..");
        check(Some("a"), Some("a/./b"), "partition key day: it has a part that is . or ..");
    }

    /// Late, early or in no form that anybody knows: a record without a time has no place of its own.
    #[test]
    fn event_time_must_be_an_instant() {
        let key = || PartitionKey { source: KeySource::Query, name: "at".into(), uses: 0 };
        let event_time = EventTime { key: key(), patterns: vec!["yyyy".into()], time_zone: String::new() };
        let mut column = Filling::new(key().column());
        for (at, value) in ["2018-08-27T10:30:00Z", "1535365800", "soon"].into_iter().enumerate() {
            column.set(at, value);
        }
        let records = with(&records(&["r"; 4]), vec![column.finish(4)]);
        let faults = check(&records, &Partitioning { keys: Vec::new(), room_bytes: 0, event_time: Some(event_time) });
        let faults: Vec<_> = faults.iter().map(|(at, fault)| (*at, fault.code, fault.message.as_str())).collect();
        let expected = [
            (2, FAILED, "partition key at: it is no instant of the years 1970 to 9999"),
            (3, FAILED, "partition key at: the record has none"),
        ];
        assert_eq!(faults, expected);
    }

    /// The bound counts bytes, and each use of a key.
    #[test]
    fn values_have_as_much_room_as_the_prefix_leaves() {
        let too_long = "partition key day: with it the prefix is longer than 512 bytes";
        assert_eq!(partitioned(&[(Some("eu"), Some("abcd"))], 10), []);
        assert_eq!(partitioned(&[(Some("eu"), Some("abcd"))], 9), [(0, too_long.to_owned())]);
        assert_eq!(partitioned(&[(Some("é"), Some("éé"))], 10), []);
        let long = "x".repeat(1_000_000);
        assert_eq!(partitioned(&[(Some("eu"), Some(&long))], 512), [(0, too_long.to_owned())]);
    }

    #[test]
    fn records_without_any_column_have_no_partition() {
        let keys = vec![PartitionKey { source: KeySource::Plugin, name: "k".into(), uses: 1 }];
        assert_eq!(check(&records(&["a", "b"]), &Partitioning { keys, room_bytes: 9, event_time: None }).len(), 2);
    }
}
