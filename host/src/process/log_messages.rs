//! `CloudWatchLogProcessing`: of each document of CloudWatch Logs the messages only, a line each.
//!
//! Refuses to read messages: what they hold is copied as it is, and a document it does not know fails.

use std::borrow::Cow;

use serde::Deserialize;

use super::step::{Fault, Outputs, Stepped, each};
use crate::record::Records;

/// Not what CloudWatch Logs sends.
const INVALID: &str = "CloudWatchLogProcessing.InvalidFormat";

/// What a subscription sends, as far as it matters here.
#[derive(Deserialize)]
struct Document<'d> {
    #[serde(borrow, rename = "messageType")]
    message_type: Cow<'d, str>,
    #[serde(borrow, default, rename = "logEvents")]
    log_events: Vec<LogEvent<'d>>,
}

#[derive(Deserialize)]
struct LogEvent<'d> {
    #[serde(borrow)]
    message: Cow<'d, str>,
}

/// The messages of each record's documents, joined by newlines. A record without any (a `CONTROL_MESSAGE`, or a document
/// of no events) is dropped.
pub(super) fn apply(records: &Records) -> Stepped {
    each(records, usize::MAX, extract)
}

fn extract(record: &[u8], outputs: &mut Outputs) -> Result<(), Fault> {
    let mut documents = 0;
    let mut messages = 0;
    for document in serde_json::Deserializer::from_slice(record).into_iter::<Document<'_>>() {
        // The reader's own words may quote the record.
        let invalid = |_| Fault::failed(INVALID, "the record is no document of CloudWatch Logs");
        let document = document.map_err(invalid)?;
        documents += 1;
        match &*document.message_type {
            "DATA_MESSAGE" => {}
            "CONTROL_MESSAGE" => continue,
            _ => return Err(Fault::failed(INVALID, "messageType is neither DATA_MESSAGE nor CONTROL_MESSAGE")),
        }
        for LogEvent { message } in &document.log_events {
            if messages > 0 {
                outputs.payload().push(b'\n');
            }
            outputs.payload().extend_from_slice(message.as_bytes());
            messages += 1;
        }
    }
    if documents == 0 {
        return Err(Fault::failed(INVALID, "the record is empty"));
    }
    if messages > 0 {
        outputs.close();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::step::tests::records;
    use super::*;
    use crate::record::Origins;

    #[test]
    fn messages_are_what_is_left() {
        let data = r#"{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","subscriptionFilters":["f"],
            "logEvents":[{"id":"1","timestamp":1,"message":"a \"b\""},{"id":"2","timestamp":2,"message":"c","extra":{}}]}"#;
        let control = r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE"}]}"#;
        let none = r#"{"messageType":"DATA_MESSAGE","logEvents":[]}"#;
        let several = format!("{data}{control}\n{data}");
        let made = apply(&records(&[data, control, none, &several]));
        assert_eq!(made.records.iter().collect::<Vec<_>>(), [&b"a \"b\"\nc"[..], b"a \"b\"\nc\na \"b\"\nc"]);
        assert_eq!((made.origins, made.faults), (Origins::Inputs(vec![0, 3]), vec![]));
    }

    #[test]
    fn other_documents_fail() {
        let others = [
            "",
            "no json",
            "{}",
            "[]",
            r#"{"messageType":"OTHER","logEvents":[]}"#,
            r#"{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1"}]}"#,
            r#"{"messageType":"DATA_MESSAGE","logEvents":[{"message":{"secret":1}}]}"#,
            r#"{"messageType":"DATA_MESSAGE","logEvents":[{"message":"a"}]} secret"#,
        ];
        let made = apply(&records(&others));
        assert_eq!((made.faults.len(), made.records.len(), made.records.payload().len()), (others.len(), 0, 0));
        assert!(made.faults.iter().all(|(_, fault)| fault.code == INVALID && !fault.message.contains("secret")));
    }
}
