//! Unpacks what CloudWatch Logs subscriptions send: a gzipped document with many log events becomes a record for each.
//! Drops control messages. Refuses anything else, and a document that unpacks to more than a limit.

mod document;

use std::io::Read;

use flate2::bufread::MultiGzDecoder;
use hydrant_plugin::json::{Object, Values};
use hydrant_plugin::{Context, Outcome, Plugin, Record};

use document::Form;

const SETTINGS: [&str; 2] = ["output", "max-bytes"];
/// A document unpacked; what is sent is at most 1 MiB packed, and logs shrink to a tenth.
const UNPACKED: usize = 16 << 20;
/// More would not leave the host.
const MOST_UNPACKED: usize = 64 << 20;
const GZIP: &[u8] = b"\x1F\x8B";

/// The plugin.
#[derive(Debug)]
pub struct CloudwatchLogs {
    form: Form,
    max_bytes: usize,
    /// Scratch: the document unpacked.
    unpacked: Vec<u8>,
}

impl Plugin for CloudwatchLogs {
    type Answer = Outcome;

    fn configure(context: &Context) -> Result<Self, String> {
        if let Some((name, _)) = context.settings().find(|(name, _)| !SETTINGS.contains(name)) {
            return Err(format!("{name}: no such setting; there are {}", SETTINGS.join(", ")));
        }
        let form = match context.setting("output").unwrap_or("event") {
            "event" => Form::Event,
            "message" => Form::Message,
            other => return Err(format!("output: event or message, not {other:?}")),
        };
        let max_bytes = match context.setting("max-bytes") {
            None => UNPACKED,
            Some(text) => match text.parse() {
                Ok(number @ 1..=MOST_UNPACKED) => number,
                _ => return Err(format!("max-bytes: a number from 1 to {MOST_UNPACKED}, not {text:?}")),
            },
        };
        Ok(Self { form, max_bytes, unpacked: Vec::new() })
    }

    fn transform(&mut self, mut record: Record<'_>) -> Outcome {
        let data = record.data();
        // A delivery stream can be told to unpack before it asks a plugin.
        let text = if data.starts_with(GZIP) {
            if let Err(failed) = self.unpack(data) {
                return failed;
            }
            &self.unpacked
        } else {
            data
        };
        let mut count = 0;
        let mut documents = 0;
        for value in Values::new(text) {
            documents += 1;
            let object = match value.and_then(|value| Object::parse(value.raw())) {
                Ok(object) => object,
                Err(invalid) if invalid.is_no_object() => {
                    return Outcome::fail_with("no-log-document", "no log document: it is no JSON object");
                }
                Err(invalid) => return Outcome::fail_with("bad-json", invalid.to_string()),
            };
            match document::write(&object, self.form, record.output()) {
                Ok(events) => count += events,
                Err(fault) => return Outcome::fail_with("no-log-document", fault.to_string()),
            }
        }
        match (documents, count) {
            (0, _) => Outcome::fail_with("no-log-document", "no log document: the record is empty"),
            (_, 0) => Outcome::Drop,
            _ => Outcome::Replace,
        }
    }
}

hydrant_plugin::plugin!(type CloudwatchLogs);

impl CloudwatchLogs {
    /// Unpacks all members of a gzip file, with their checksums.
    fn unpack(&mut self, data: &[u8]) -> Result<(), Outcome> {
        self.unpacked.clear();
        let limit = u64::try_from(self.max_bytes).unwrap_or(u64::MAX).saturating_add(1);
        match MultiGzDecoder::new(data).take(limit).read_to_end(&mut self.unpacked) {
            Ok(_) if self.unpacked.len() > self.max_bytes => {
                let reason = format!("it unpacks to more than {} bytes", self.max_bytes);
                Err(Outcome::fail_with("too-big", reason))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(Outcome::fail_with("bad-gzip", format!("no gzip: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use hydrant_plugin::testing::{Fate, run_plugin};

    use super::*;

    const DATA: &str = r#"{"messageType":"DATA_MESSAGE","owner":"123456789012","logGroup":"/aws/\"x\"","logStream":"s/1","subscriptionFilters":["f"],"logEvents":[{"id":"1","timestamp":1763713560000,"message":"a\n"},{"id":"2","timestamp":1763713560001,"message":"b \u00e9","extractedFields":{"n":"1"}}]}"#;
    const CONTROL: &str = r#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],"logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}"#;

    fn packed(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn fate(settings: &[(&str, &str)], record: impl AsRef<[u8]>) -> Fate {
        run_plugin::<CloudwatchLogs>(&Context::new("", settings), &[record]).unwrap().remove(0)
    }

    fn reason(record: impl AsRef<[u8]>) -> String {
        match fate(&[], record) {
            Fate::Kept | Fate::Dropped | Fate::Replaced(_) => panic!("it did not fail"),
            failed => format!("{failed:?}"),
        }
    }

    #[test]
    fn each_event_becomes_a_record() {
        let events = [
            "{\"owner\":\"123456789012\",\"logGroup\":\"/aws/\\\"x\\\"\",\"logStream\":\"s/1\",\"id\":\"1\",\"timestamp\":1763713560000,\"message\":\"a\\n\"}\n",
            "{\"owner\":\"123456789012\",\"logGroup\":\"/aws/\\\"x\\\"\",\"logStream\":\"s/1\",\"id\":\"2\",\"timestamp\":1763713560001,\"message\":\"b \\u00e9\",\"extractedFields\":{\"n\":\"1\"}}\n",
        ];
        assert_eq!(fate(&[], packed(DATA)).text(), events);
        assert_eq!(fate(&[], DATA).text(), events, "unpacked already");
        assert_eq!(fate(&[("output", "message")], packed(DATA)).text(), ["a\n", "b é\n"]);
        let spaced = DATA.replace("[{\"id\"", "[ {\n \"id\"");
        assert_eq!(fate(&[], packed(&spaced)).text(), events);
        let twice = [packed(DATA), packed(DATA)].concat();
        assert_eq!(fate(&[], twice).text().len(), 4);
    }

    #[test]
    fn control_messages_and_empty_documents_are_dropped() {
        assert_eq!(fate(&[], packed(CONTROL)), Fate::Dropped);
        let empty = r#"{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","logEvents":[]}"#;
        assert_eq!(fate(&[], packed(empty)), Fate::Dropped);
    }

    #[test]
    fn anything_else_fails() {
        let table = [
            ("", "the record is empty"),
            ("hello", "invalid JSON at byte 0"),
            ("[]", "no log document: it is no JSON object"),
            ("{}", "no log document: messageType is missing"),
            (r#"{"messageType":"OTHER"}"#, "no log document: messageType is neither DATA_MESSAGE nor CONTROL_MESSAGE"),
            (r#"{"messageType":"DATA_MESSAGE","owner":"1"}"#, "no log document: logGroup is no text"),
            (
                r#"{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s"}"#,
                "no log document: logEvents is no list",
            ),
            (
                r#"{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","logEvents":[{"id":"1","timestamp":1}]}"#,
                "no log document: an event has no message",
            ),
            (
                r#"{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","logEvents":[{"id":"1","timestamp":"1","message":"m"}]}"#,
                "no log document: an event has no timestamp",
            ),
        ];
        for (text, expected) in table {
            assert!(reason(packed(text)).contains(expected), "{text}: {}", reason(packed(text)));
        }
        let mut corrupt = packed(DATA);
        let last = corrupt.len() - 6; // within the checksum
        corrupt[last] ^= 1;
        assert!(reason(corrupt).contains("no gzip: "));
        let half = packed(DATA);
        assert!(reason(&half[..half.len() / 2]).contains("no gzip: "));
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused_before_it_is_held() {
        let bomb = packed(&" ".repeat(1 << 20));
        assert!(bomb.len() < 2_000);
        let failed = fate(&[("max-bytes", "100000")], &bomb);
        assert!(format!("{failed:?}").contains("it unpacks to more than 100000 bytes"), "{failed:?}");
        let length = DATA.len().to_string();
        assert_eq!(fate(&[("max-bytes", &length)], packed(DATA)).text().len(), 2);
    }

    #[test]
    fn settings_are_checked() {
        let refused = |name: &str, value: &str| {
            run_plugin::<CloudwatchLogs>(&Context::new("", &[(name, value)]), &[""; 0]).unwrap_err()
        };
        assert_eq!(refused("form", "event"), "form: no such setting; there are output, max-bytes");
        assert_eq!(refused("output", "json"), "output: event or message, not \"json\"");
        assert_eq!(refused("max-bytes", "0"), "max-bytes: a number from 1 to 67108864, not \"0\"");
    }
}
