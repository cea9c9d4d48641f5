//! The guest of the benchmarks: parses JSON log records, drops level `debug`, adds a member, fails what is no object.
//!
//! The record is parsed whole, and so checked, but only the level is kept; the new member is spliced in before the last
//! brace, which costs a copy and no serialisation. With the setting `key = "service"` that member is a partition key.
//! Refuses nothing else: other members may be anything.

use std::borrow::Cow;

use hydrant_plugin::{Outcome, Record};
use serde::Deserialize;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    level: Cow<'a, str>,
    #[serde(borrow, default)]
    service: Option<Cow<'a, str>>,
}

/// One record.
///
/// # Errors
/// When it is no JSON object with a textual `level`.
pub fn transform(mut record: Record<'_>) -> Result<Outcome, serde_json::Error> {
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
    if let (Some("service"), Some(service)) = (record.context().setting("key"), &line.service) {
        record.set("service", service);
    }
    let output = record.output();
    output.push(open);
    output.push(MEMBER);
    output.push(blanks);
    Ok(Outcome::Replace)
}

hydrant_plugin::plugin!(transform);

const MEMBER: &[u8] = br#","pipeline":"hydrant"}"#;

#[cfg(test)]
mod tests {
    use hydrant_plugin::testing::{Fate, run};

    use super::*;

    #[test]
    fn a_record_is_edited_dropped_or_failed() {
        let fates = run(
            transform,
            &["{\"level\":\"info\",\"n\":1}\n", r#"{"level":"debug"}"#, r#"["info"]"#, "no json", r#"{"n":1}"#],
        );
        assert_eq!(fates[0].text(), ["{\"level\":\"info\",\"n\":1,\"pipeline\":\"hydrant\"}\n"]);
        assert_eq!(fates[1], Fate::Dropped);
        assert_eq!(fates[2], Fate::Failed("no JSON object".to_owned()));
        assert!(matches!(&fates[3], Fate::Failed(reason) if reason.contains("expected")), "{fates:?}");
        assert!(matches!(&fates[4], Fate::Failed(reason) if reason.contains("level")), "{fates:?}");
    }
}
