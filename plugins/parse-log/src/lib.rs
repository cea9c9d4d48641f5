//! Makes JSON of log lines: access logs of Apache and nginx, syslog of RFC 3164 and RFC 5424. A record may hold several
//! lines; each becomes a record of its own. Refuses to guess: a line that fits no format fails its record, saying why.

mod access;
mod line;
mod syslog;
mod time;

use hydrant_plugin::{Context, Outcome, Output, Plugin, Record};

use access::Access;
use line::Fault;
use syslog::Syslog;
use time::Clock;

const SETTINGS: [&str; 3] = ["format", "unparsable", "utc-offset"];
/// Lines of one record; beyond that it is a file.
const LINES: usize = 10_000;

/// The plugin.
#[derive(Debug)]
pub struct ParseLog {
    format: Format,
    keeps_unparsable: bool,
    /// Of times without a zone, in seconds.
    utc_offset: i64,
}

/// Which lines are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Auto,
    Combined,
    Common,
    Syslog,
}

impl Plugin for ParseLog {
    type Answer = Outcome;

    fn configure(context: &Context) -> Result<Self, String> {
        if let Some((name, _)) = context.settings().find(|(name, _)| !SETTINGS.contains(name)) {
            return Err(format!("{name}: no such setting; there are {}", SETTINGS.join(", ")));
        }
        let format = match context.setting("format").unwrap_or("auto") {
            "auto" => Format::Auto,
            "combined" => Format::Combined,
            "common" => Format::Common,
            "syslog" => Format::Syslog,
            other => return Err(format!("format: auto, combined, common or syslog, not {other:?}")),
        };
        let keeps_unparsable = match context.setting("unparsable").unwrap_or("fail") {
            "fail" => false,
            "keep" => true,
            other => return Err(format!("unparsable: fail or keep, not {other:?}")),
        };
        let offset = context.setting("utc-offset").unwrap_or("Z");
        let utc_offset = time::offset(offset.as_bytes())
            .ok_or_else(|| format!("utc-offset: Z or an offset such as +01:00, not {offset:?}"))?;
        Ok(Self { format, keeps_unparsable, utc_offset })
    }

    fn transform(&mut self, mut record: Record<'_>) -> Outcome {
        let data = record.data();
        let clock = Clock { arrived_ms: record.arrived_ms(), utc_offset: self.utc_offset };
        let lines = data.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let lines = (1..).zip(lines).filter(|(_, line)| !line.is_empty());
        let (mut written, mut parsed) = (0, 0);
        for (number, line) in lines {
            if written == LINES {
                return Outcome::fail_with("too-many-lines", format!("more than {LINES} lines in one record"));
            }
            match self.line(line, clock, record.output()) {
                Ok(()) => parsed += 1,
                Err(_) if self.keeps_unparsable => record.output().push(line),
                Err(fault) if line.len() == data.trim_ascii_end().len() => {
                    return Outcome::fail_with("unparsable", fault.to_string());
                }
                Err(fault) => return Outcome::fail_with("unparsable", format!("line {number}: {fault}")),
            }
            record.output().push(b"\n");
            record.output().end_record();
            written += 1;
        }
        match (written, parsed) {
            (0, _) => Outcome::Drop,
            (1, 0) => Outcome::Keep,
            _ => Outcome::Replace,
        }
    }
}

hydrant_plugin::plugin!(type ParseLog);

impl ParseLog {
    /// Writes what a line says.
    fn line(&self, line: &[u8], clock: Clock, output: &mut Output) -> Result<(), Fault> {
        match self.format {
            Format::Common => Access::parse(line)?.only_common()?.write(output),
            Format::Combined => Access::parse(line)?.only_combined()?.write(output),
            Format::Syslog => Syslog::parse(line, clock)?.write(output),
            Format::Auto if syslog::begins(line) => Syslog::parse(line, clock)?.write(output),
            Format::Auto => match Access::parse(line) {
                Ok(access) => access.write(output),
                Err(fault) => Syslog::parse(line, clock).map_err(|_| fault.or_syslog())?.write(output),
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
