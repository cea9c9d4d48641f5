//! The guest of the benchmarks: parses JSON log records, drops level `debug`, adds a member, fails what is no object.
//!
//! Twice the same work: with the SDK's view of JSON, and, where the setting `parser` is `serde_json`, with that. Either
//! way the record is checked whole, but only the level is read, and the new member is spliced in before the last brace.
//! With the setting `key = "service"` that member is a partition key.
//! Refuses nothing else: other members may be anything.

use std::borrow::Cow;
use std::hint::black_box;
use std::ops::Range;

use hydrant_plugin::json::Object;
use hydrant_plugin::{Context, Outcome, Plugin, Record};
use serde::Deserialize;

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct Edit {
    parser: Parser,
    /// The new member's value. Taken out of [`MEMBER`] when the plugin starts, so that a test that writes another one into
    /// the compiled guest changes it for both parsers.
    pipeline: &'static str,
    /// The service is a partition key.
    has_key: bool,
}

/// Who reads JSON.
#[derive(Clone, Copy, Debug)]
enum Parser {
    /// [`Object`].
    View,
    /// `serde_json`.
    Serde,
}

impl Plugin for Edit {
    type Answer = Outcome;

    fn configure(context: &Context) -> Result<Self, String> {
        let parser = match context.setting("parser") {
            None => Parser::View,
            Some("serde_json") => Parser::Serde,
            Some(other) => return Err(format!("no parser is called {other}")),
        };
        let pipeline = black_box(MEMBER).get(PIPELINE).ok_or("the member is too short")?;
        let pipeline = str::from_utf8(pipeline).map_err(|error| error.to_string())?;
        Ok(Self { parser, pipeline, has_key: context.setting("key") == Some("service") })
    }

    fn transform(&mut self, record: Record<'_>) -> Outcome {
        let outcome = match self.parser {
            Parser::View => view(record, *self).map_err(|error| error.to_string()),
            Parser::Serde => serde(record, *self).map_err(|error| error.to_string()),
        };
        outcome.unwrap_or_else(Outcome::fail)
    }
}

fn view(mut record: Record<'_>, edit: Edit) -> Result<Outcome, hydrant_plugin::json::Invalid> {
    let object = Object::parse(record.data())?;
    match object.get("level") {
        Some(level) if level == "debug" => Ok(Outcome::Drop),
        Some(_) => {
            if edit.has_key
                && let Some(service) = object.get("service")
            {
                record.set("service", &service.as_str().unwrap_or_default());
            }
            object.edit().set("pipeline", edit.pipeline).write(record.output());
            Ok(Outcome::Replace)
        }
        None => Ok(Outcome::fail("no level")),
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    level: Cow<'a, str>,
    #[serde(borrow, default)]
    service: Option<Cow<'a, str>>,
}

fn serde(mut record: Record<'_>, edit: Edit) -> Result<Outcome, serde_json::Error> {
    let data = record.data().trim_ascii_end();
    let blanks = &record.data()[data.len()..];
    let line: Line<'_> = serde_json::from_slice(data)?;
    if line.level == "debug" {
        return Ok(Outcome::Drop);
    }
    // A tuple of one member parses as this struct too, so what looks like no object is no log record.
    let Some(open) = data.strip_suffix(b"}") else {
        return Ok(Outcome::fail("no JSON object"));
    };
    if edit.has_key
        && let Some(service) = &line.service
    {
        record.set("service", service);
    }
    let output = record.output();
    output.push(open);
    output.push(MEMBER);
    output.push(blanks);
    Ok(Outcome::Replace)
}

hydrant_plugin::plugin!(type Edit);

static MEMBER: &[u8] = br#","pipeline":"hydrant"}"#;
/// Where its value stands.
const PIPELINE: Range<usize> = 13..20;

#[cfg(test)]
mod tests {
    use hydrant_plugin::testing::{Fate, run_plugin};

    use super::*;

    #[test]
    fn a_record_is_edited_dropped_or_failed_by_either() {
        let records =
            ["{\"level\":\"info\",\"n\":1}\n", r#"{"level":"debug"}"#, r#"["info"]"#, "no json", r#"{"n":1}"#];
        for settings in [&[][..], &[("parser", "serde_json")]] {
            let fates = run_plugin::<Edit>(&Context::new("", settings), &records).unwrap();
            assert_eq!(fates[0].text(), ["{\"level\":\"info\",\"n\":1,\"pipeline\":\"hydrant\"}\n"]);
            assert_eq!(fates[1], Fate::Dropped);
            assert!(matches!(&fates[2], Fate::Failed(reason) if reason.contains("no JSON object")), "{fates:?}");
            assert!(matches!(&fates[3], Fate::Failed(reason) if reason.contains("expected")), "{fates:?}");
            assert!(matches!(&fates[4], Fate::Failed(reason) if reason.contains("level")), "{fates:?}");
        }
    }
}
