//! One subscription document. Refuses to parse its events further than to see that they are some: they are copied.

use std::fmt;

use hydrant_plugin::Output;
use hydrant_plugin::json::{Kind, Object, Value, compact};

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An object with where it came from.
    Event,
    /// Its message alone.
    Message,
}

/// Why a document is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NoType,
    UnknownType,
    NoText(&'static str),
    NoEvents,
    NoObject,
    NoMember(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no log document: ")?;
        match self {
            Self::NoType => f.write_str("messageType is missing"),
            Self::UnknownType => f.write_str("messageType is neither DATA_MESSAGE nor CONTROL_MESSAGE"),
            Self::NoText(member) => write!(f, "{member} is no text"),
            Self::NoEvents => f.write_str("logEvents is no list"),
            Self::NoObject => f.write_str("an event is no object"),
            Self::NoMember(member) => write!(f, "an event has no {member}"),
        }
    }
}

/// Writes an output for each event; their number.
pub(crate) fn write(document: &Object<'_>, form: Form, output: &mut Output) -> Result<usize, Fault> {
    let kind = document.get("messageType").ok_or(Fault::NoType)?;
    if kind == "CONTROL_MESSAGE" {
        return Ok(0);
    }
    if kind != "DATA_MESSAGE" {
        return Err(Fault::UnknownType);
    }
    let origin = origin(document)?;
    let events = document.get("logEvents").and_then(Value::as_array).ok_or(Fault::NoEvents)?;
    let mut count = 0;
    for value in events {
        let event = value.as_object().ok_or(Fault::NoObject)?;
        let member = |name: &'static str, kind: Kind| {
            event.get(name).filter(|value| value.kind() == kind).ok_or(Fault::NoMember(name))
        };
        let message = member("message", Kind::String)?;
        member("timestamp", Kind::Number)?;
        match form {
            Form::Event => {
                output.push(&origin);
                write_rest(value, output);
                output.push(b"\n");
            }
            Form::Message => {
                let text = message.as_str().unwrap_or_default();
                output.push(text.as_bytes());
                if !text.ends_with('\n') {
                    output.push(b"\n");
                }
            }
        }
        output.end_record();
        count += 1;
    }
    Ok(count)
}

/// The beginning of every event: where it came from.
fn origin(document: &Object<'_>) -> Result<Vec<u8>, Fault> {
    let mut origin = vec![b'{'];
    for name in ["owner", "logGroup", "logStream"] {
        let value = document.get(name).filter(|value| value.kind() == Kind::String).ok_or(Fault::NoText(name))?;
        origin.extend_from_slice(b"\"");
        origin.extend_from_slice(name.as_bytes());
        origin.extend_from_slice(b"\":");
        origin.extend_from_slice(value.raw());
        origin.push(b',');
    }
    Ok(origin)
}

/// An event without its opening brace, on one line.
fn write_rest(event: Value<'_>, output: &mut Output) {
    let raw = event.raw();
    if raw.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        let mut line = Vec::with_capacity(raw.len());
        compact(event, &mut line).unwrap_or_default(); // a vector has no errors
        output.push(line.get(1..).unwrap_or_default());
    } else {
        output.push(raw.get(1..).unwrap_or_default());
    }
}
