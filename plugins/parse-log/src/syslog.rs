//! Lines of syslog: RFC 5424, RFC 3164 as programs really write it, and the latter without a priority, as it stands in
//! files. Refuses a line without a time.

use std::borrow::Cow;

use hydrant_plugin::Output;

use crate::line::{Fault, Rest, begin, name, number, text, write_lossy};
use crate::time::{Clock, Moment};

const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// One line.
#[derive(Debug)]
pub(crate) struct Syslog<'a> {
    format: &'static str,
    priority: Option<usize>,
    moment: Option<Moment<'a>>,
    host: Option<&'a [u8]>,
    app: Option<&'a [u8]>,
    process: Option<&'a [u8]>,
    message_id: Option<&'a [u8]>,
    data: Vec<Element<'a>>,
    message: &'a [u8],
}

/// Structured data with one name.
#[derive(Debug)]
struct Element<'a> {
    name: &'a [u8],
    parameters: Vec<(&'a [u8], &'a [u8])>,
}

/// Elements and parameters of one line.
const MOST_DATA: usize = 1_000;

/// Whether a line can only be syslog.
pub(crate) fn begins(line: &[u8]) -> bool {
    matches!(line, [b'<', b'0'..=b'9', ..])
}

impl<'a> Syslog<'a> {
    pub(crate) fn parse(line: &'a [u8], clock: Clock) -> Result<Self, Fault> {
        let mut rest = Rest(line);
        let mut priority = None;
        if rest.take(b"<").is_some() {
            let digits = rest.until(b'>').filter(|digits| digits.len() <= 3);
            let value = digits.and_then(number).and_then(|value| usize::try_from(value).ok());
            priority = Some(value.filter(|&value| value < 192).ok_or(Fault::Syslog("the priority is none"))?);
            if rest.take(b"1 ").is_some() {
                return Self::rfc_5424(rest, priority);
            }
        }
        Self::rfc_3164(rest, priority, clock)
    }

    fn rfc_5424(mut rest: Rest<'a>, priority: Option<usize>) -> Result<Self, Fault> {
        let mut field = |what| rest.word().ok_or(Fault::Syslog(what));
        let moment = match field("no time")? {
            b"-" => None,
            time => Some(Moment::of_iso(time).ok_or(Fault::Syslog("the time is none"))?),
        };
        let host = said(field("no host")?);
        let app = said(field("no application")?);
        let process = said(field("no process")?);
        let message_id = said(field("no message identifier")?);
        let mut data = Vec::new();
        if rest.take(b"-").is_none() {
            let mut count = 0;
            while rest.0.first() == Some(&b'[') {
                data.push(element(&mut rest, &mut count).ok_or(Fault::Syslog("the structured data is none"))?);
            }
            if data.is_empty() {
                return Err(Fault::Syslog("no structured data"));
            }
        }
        if !rest.0.is_empty() {
            rest.take(b" ").ok_or(Fault::Syslog("the structured data is none"))?;
        }
        let message = rest.0.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(rest.0);
        Ok(Self { format: "rfc5424", priority, moment, host, app, process, message_id, data, message })
    }

    fn rfc_3164(mut rest: Rest<'a>, priority: Option<usize>, clock: Clock) -> Result<Self, Fault> {
        let moment = match Moment::of_bsd(rest.0, clock) {
            Some((moment, after)) => {
                rest.0 = after;
                // Some routers set a colon behind the time.
                rest.0 = rest.0.strip_prefix(b":").unwrap_or(rest.0);
                rest.take(b" ").ok_or(Fault::Syslog("nothing follows the time"))?;
                moment
            }
            None => rest.word().and_then(Moment::of_iso).ok_or(Fault::Syslog("no time"))?,
        };
        let mut host = None;
        if tag(rest).is_none() {
            host = Some(rest.word().ok_or(Fault::Syslog("nothing follows the time"))?);
        }
        let (app, process, message) = match tag(rest) {
            Some((app, process, after)) => (Some(app), process, after),
            None => (None, None, rest.0),
        };
        let (message_id, data) = (None, Vec::new());
        let moment = Some(moment);
        Ok(Self { format: "rfc3164", priority, moment, host, app, process, message_id, data, message })
    }

    pub(crate) fn write(&self, output: &mut Output) {
        begin(self.format, output);
        if let Some(moment) = self.moment {
            output.push(name!("time").as_bytes());
            moment.write(output);
        }
        if let Some(priority) = self.priority {
            text(name!("facility"), Some(FACILITIES[priority / 8].as_bytes()), output);
            text(name!("severity"), Some(SEVERITIES[priority % 8].as_bytes()), output);
        }
        text(name!("host"), self.host, output);
        text(name!("app"), self.app, output);
        text(name!("process"), self.process, output);
        text(name!("message_id"), self.message_id, output);
        if !self.data.is_empty() {
            output.push(name!("data").as_bytes());
            write_data(&self.data, output);
        }
        text(name!("message"), Some(self.message), output);
        output.push(b"}");
    }
}

/// Application, process and message.
type Tag<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

/// `su:` or `sshd[4711]:` at the start, and what follows.
fn tag(rest: Rest<'_>) -> Option<Tag<'_>> {
    let end = rest.0.iter().position(|byte| matches!(byte, b':' | b'[' | b' ')).filter(|&end| end > 0)?;
    let (app, mut after) = rest.0.split_at(end);
    let mut process = None;
    if let [b'[', inner @ ..] = after {
        let close = inner.iter().position(|&byte| byte == b']')?;
        process = Some(&inner[..close]);
        after = &inner[close + 1..];
    }
    let message = after.strip_prefix(b":")?;
    // An address of IPv6 is a host.
    if !message.is_empty() && !message.starts_with(b" ") {
        return None;
    }
    Some((app, process, message.strip_prefix(b" ").unwrap_or(message)))
}

/// `[name parameter="value" …]`.
fn element<'a>(rest: &mut Rest<'a>, count: &mut usize) -> Option<Element<'a>> {
    rest.take(b"[")?;
    let end = rest.0.iter().position(|byte| matches!(byte, b' ' | b']')).filter(|&end| end > 0)?;
    let (name, after) = rest.0.split_at(end);
    rest.0 = after;
    let mut parameters = Vec::new();
    while rest.take(b" ").is_some() {
        *count += 1;
        if *count > MOST_DATA {
            return None;
        }
        let name = rest.until(b'=').filter(|name| !name.is_empty())?;
        parameters.push((name, rest.quoted()?));
    }
    rest.take(b"]")?;
    *count += 1;
    (*count <= MOST_DATA).then_some(Element { name, parameters })
}

/// An object of objects; a parameter that stands there several times is a list.
fn write_data(data: &[Element<'_>], output: &mut Output) {
    for (at, element) in data.iter().enumerate() {
        write_name(at == 0, element.name, output);
        let all = &element.parameters;
        let mut is_first = true;
        for (at, (name, value)) in all.iter().enumerate() {
            if all[..at].iter().any(|(other, _)| other == name) {
                continue;
            }
            write_name(is_first, name, output);
            is_first = false;
            let more = || all[at + 1..].iter().filter(|(other, _)| other == name);
            let is_list = more().next().is_some();
            output.push(if is_list { b"[" } else { b"" });
            write_lossy(&unescape(value), output);
            for (_, value) in more() {
                output.push(b",");
                write_lossy(&unescape(value), output);
            }
            output.push(if is_list { b"]" } else { b"" });
        }
        output.push(if is_first { b"{}" } else { b"}" });
    }
    output.push(b"}");
}

fn write_name(is_first: bool, name: &[u8], output: &mut Output) {
    output.push(if is_first { b"{" } else { b"," });
    write_lossy(name, output);
    output.push(b":");
}

/// RFC 5424 escapes a quote, a backslash and a closing bracket; a backslash before anything else stands for itself.
fn unescape(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'\\') {
        return Cow::Borrowed(value);
    }
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'\\', [escaped @ (b'"' | b'\\' | b']'), after @ ..]) => {
                plain.push(*escaped);
                rest = after;
            }
            _ => plain.push(*first),
        }
    }
    Cow::Owned(plain)
}

/// A hyphen says that there is nothing to say.
fn said(text: &[u8]) -> Option<&[u8]> {
    Some(text).filter(|text| *text != b"-")
}
