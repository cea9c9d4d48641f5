//! What a record says is to become of it. Refuses what it does not know with `unknown`.

use hydrant_plugin::{Level, Outcome, Record, debug, error, info, warn};

use super::level;

pub(super) fn transform(mut record: Record<'_>) -> Outcome {
    let data = record.data();
    match data {
        [] => return record.replace("empty"),
        [0xFF, ..] => {
            let reversed: Vec<u8> = data.iter().rev().copied().collect();
            return record.replace(reversed);
        }
        _ => {}
    }
    let text = match record.text() {
        Ok(text) => text,
        Err(error) => return Outcome::fail(error.to_string()),
    };
    match text {
        "none" => return record.replace_many([""; 0]),
        "drop" => return Outcome::Drop,
        "stream" => {
            let stream = record.context().stream();
            return record.replace(stream);
        }
        "arrived" => {
            let arrived = record.arrived_ms().to_string();
            return record.replace(arrived);
        }
        _ if text.starts_with("keep") => return Outcome::Keep,
        _ => {}
    }
    let Some((verb, rest)) = text.split_once(':') else { return Outcome::fail("unknown") };
    match verb {
        "one" => record.replace(rest),
        "many" => record.replace_many(rest.split(',')),
        "fail" => Outcome::fail(rest.to_owned()),
        "code" => {
            let (code, reason) = rest.split_once(':').unwrap_or((rest, ""));
            Outcome::fail_with(code.to_owned(), reason.to_owned())
        }
        "keys" => {
            record.set("key", rest);
            record.set("$document-id", rest);
            record.set("$index", "conformance");
            Outcome::Keep
        }
        "spread" => {
            for part in rest.split(',') {
                record.set("part", part);
                record.output().push(part.as_bytes());
                record.output().end_record();
            }
            Outcome::Replace
        }
        "setting" => match record.context().setting(rest) {
            Some(value) => record.replace(value),
            None => Outcome::fail(format!("no setting {rest}")),
        },
        "log" => match rest.split_once(':').and_then(|(name, line)| Some((level(name)?, line))) {
            Some((level, line)) => {
                match level {
                    Level::Debug => debug!("{line}"),
                    Level::Info => info!("{line}"),
                    Level::Warn => warn!("{line}"),
                    Level::Error => error!("{line}"),
                }
                Outcome::Drop
            }
            None => Outcome::fail("unknown"),
        },
        "count" => record.replace(rest.chars().count().to_string()),
        "length" => record.replace(data.len().to_string()),
        "repeat" => match rest.parse() {
            Ok(times) => record.replace("x".repeat(times)),
            Err(_) => Outcome::fail("unknown"),
        },
        "column" => match record.column(rest) {
            Some(value) => record.replace(value),
            None => Outcome::fail(format!("no column {rest}")),
        },
        "half" => {
            record.set("lost", "x");
            record.output().push(b"lost");
            record.output().end_record();
            Outcome::fail("half")
        }
        _ => Outcome::fail("unknown"),
    }
}
