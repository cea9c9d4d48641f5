//! `RecordDeAggregation`: several records in one, JSON objects in a row or parts between delimiters.
//!
//! Outputs are the bytes that came, without what stood between them. Refuses to divide arrays, and records of more parts
//! than Firehose divides.

use memchr::memmem::Finder;
use serde::de::IgnoredAny;

use super::step::{Fault, Outputs, Stepped, each};
use crate::record::Records;

/// Most records in one: Firehose's own limit. A record of more goes on as it is.
const PARTS: usize = 500;

/// Not JSON objects in a row.
const INVALID: &str = "RecordDeAggregation.InvalidFormat";
/// Firehose's own code.
const TOO_MANY: &str = "DynamicPartitioning.DeAggregationRecordCountLimitExceeded";

/// How records are told apart.
#[derive(Debug)]
pub(super) struct DeAggregate {
    /// None: they are JSON objects.
    delimiter: Option<Finder<'static>>,
    /// Records are partitioned, so one of too many parts fails: it has no key of its own.
    is_partitioned: bool,
}

impl DeAggregate {
    pub(super) fn new(delimiter: Option<&[u8]>, is_partitioned: bool) -> Self {
        Self { delimiter: delimiter.map(|delimiter| Finder::new(delimiter).into_owned()), is_partitioned }
    }

    /// The records in each record.
    pub(super) fn apply(&self, records: &Records) -> Stepped {
        each(records, usize::MAX, |record, outputs| {
            let divided = match &self.delimiter {
                Some(delimiter) => between(record, delimiter, outputs),
                None => objects(record, outputs)?,
            };
            match (divided, self.is_partitioned) {
                (Divided::All, _) => Ok(()),
                (Divided::Undivided, false) => {
                    outputs.push(record);
                    Ok(())
                }
                (Divided::Undivided, true) => {
                    Err(Fault::failed(TOO_MANY, format!("the record holds more than {PARTS} records")))
                }
            }
        })
    }
}

/// What became of a record.
enum Divided {
    All,
    /// It has too many parts, and none was appended.
    Undivided,
}

fn objects(record: &[u8], outputs: &mut Outputs) -> Result<Divided, Fault> {
    let mut values = serde_json::Deserializer::from_slice(record).into_iter::<IgnoredAny>();
    let mut parts = Vec::new();
    let mut from = 0;
    while let Some(value) = values.next() {
        // The reader's own words may quote the record.
        value.map_err(|_| Fault::failed(INVALID, "the record is not JSON"))?;
        let part = record[from..values.byte_offset()].trim_ascii();
        from = values.byte_offset();
        if !part.starts_with(b"{") && !part.starts_with(b"[") {
            return Err(Fault::failed(INVALID, "the record holds something besides JSON objects and arrays"));
        }
        if parts.len() == PARTS {
            return Ok(Divided::Undivided);
        }
        parts.push(part);
    }
    parts.into_iter().for_each(|part| outputs.push(part));
    Ok(Divided::All)
}

fn between(record: &[u8], delimiter: &Finder<'_>, outputs: &mut Outputs) -> Divided {
    let width = delimiter.needle().len();
    let mut ends: Vec<usize> =
        if width == 0 { Vec::new() } else { delimiter.find_iter(record).take(PARTS + 1).collect() };
    // What follows the last delimiter is a part, unless it is nothing.
    if ends.len() <= PARTS && ends.last().map_or(0, |last| last + width) < record.len() {
        ends.push(record.len());
    }
    if ends.len() > PARTS {
        return Divided::Undivided;
    }
    let mut from = 0;
    for end in ends {
        outputs.push(&record[from..end]);
        from = end + width;
    }
    Divided::All
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::step::tests::records;
    use super::*;
    use crate::record::Origins;

    fn divide(delimiter: Option<&str>, record: &str) -> Result<Vec<String>, &'static str> {
        let made = DeAggregate::new(delimiter.map(str::as_bytes), true).apply(&records(&[record]));
        match made.faults.first() {
            Some((_, fault)) => Err(fault.code),
            None => Ok(made.records.iter().map(|part| String::from_utf8(part.to_vec()).unwrap()).collect()),
        }
    }

    #[test]
    fn objects_in_a_row_are_records() {
        let check = |record: &str, expected: &[&str]| assert_eq!(divide(None, record).unwrap(), expected, "{record:?}");
        check(r#"{"a":1}"#, &[r#"{"a":1}"#]);
        check(r#"{"a":1}{"b":"}{"}"#, &[r#"{"a":1}"#, r#"{"b":"}{"}"#]);
        check("{\"a\" : 1}\n{ }\r\n \t{}\n", &[r#"{"a" : 1}"#, "{ }", "{}"]);
        check(r#"[{"a":1},{"b":2}]"#, &[r#"[{"a":1},{"b":2}]"#]);
        check(" \n", &[]);
        for wrong in ["{", r#"{"a":1}x"#, "1", r#"{"a":1} 2"#, r#""text""#, r#"{"a":1},{"b":2}"#, "null"] {
            assert_eq!(divide(None, wrong), Err(INVALID), "{wrong:?}");
        }
    }

    #[test]
    fn parts_between_delimiters_are_records() {
        let check =
            |record: &str, expected: &[&str]| assert_eq!(divide(Some("##"), record).unwrap(), expected, "{record:?}");
        check("a##b", &["a", "b"]);
        check("a##b##", &["a", "b"]);
        check("a####b", &["a", "", "b"]);
        check("##a", &["", "a"]);
        check("a#b###", &["a#b", "#"]);
        check("a", &["a"]);
        check("##", &[""]);
        check("", &[]);
        assert_eq!(divide(Some(""), "ab").unwrap(), ["ab"]);
    }

    /// Firehose's limit: one record more, and it is not divided; with partitions, it fails.
    #[test]
    fn too_many_parts_are_not_divided() {
        let (most, more) = ("{}".repeat(PARTS), "{}".repeat(PARTS + 1));
        let (lines, more_lines) = ("x\n".repeat(PARTS), "x\n".repeat(PARTS) + "y");
        for (delimiter, most, more) in [(None, &most, &more), (Some("\n"), &lines, &more_lines)] {
            assert_eq!(divide(delimiter, most).map(|parts| parts.len()), Ok(PARTS));
            assert_eq!(divide(delimiter, more), Err(TOO_MANY));
            let made = DeAggregate::new(delimiter.map(str::as_bytes), false).apply(&records(&[most, more]));
            assert_eq!((made.records.len(), made.records.record(PARTS)), (PARTS + 1, more.as_bytes()));
            assert!(made.faults.is_empty());
        }
    }

    #[test]
    fn parts_know_their_record() {
        let made = DeAggregate::new(None, false).apply(&records(&["{}{}", "x", "", "{}"]));
        assert_eq!((made.origins, made.faults.len()), (Origins::Inputs(vec![0, 0, 3]), 1));
    }

    proptest! {
        #[test]
        fn any_bytes_divide_or_fail(garbage in prop::collection::vec(any::<u8>(), 0..300), text in "[]{}\":,a1 \n\\\\]{0,60}") {
            let input = records(&[garbage.as_slice(), text.as_bytes(), b"{}"]);
            for delimiter in [None, Some(&b"\n"[..]), Some(b"{}"), Some(&garbage[..garbage.len().min(2)])] {
                let made = DeAggregate::new(delimiter, false).apply(&input);
                prop_assert!(made.records.payload().len() <= input.payload().len());
            }
        }

        #[test]
        fn what_is_put_together_comes_apart(
            parts in prop::collection::vec(prop::collection::btree_map("[a-z\"{}\\\\]{0,5}", any::<i32>(), 0..4), 0..20),
            gaps in prop::collection::vec("[ \n\t]{0,3}", 20),
        ) {
            let parts: Vec<String> = parts.iter().map(|part| serde_json::to_string(part).unwrap()).collect();
            let record: String = parts.iter().zip(&gaps).map(|(part, gap)| format!("{part}{gap}")).collect();
            prop_assert_eq!(divide(None, &record).unwrap(), parts);
        }
    }
}
