//! `hydrant plugin run`: standard input through a plugin to standard output, line by line, so that a plugin works in a
//! shell pipe.
//!
//! Lines are given in batches, but a batch never waits for more input than is there, so `tail -f` works. Refuses to end
//! well when a record failed.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use super::super::Failure;
use crate::process::{Fate, Workshop};

/// A record of the service has at most so many bytes.
const LINE_BYTES: u64 = 1_024_000;
/// What a read takes at once.
const READ_BYTES: usize = 1 << 20;

/// What became of the lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) read: u64,
    pub(super) delivered: u64,
    pub(super) dropped: u64,
    pub(super) failed: u64,
}

/// Runs until the end of standard input.
pub(super) async fn run(workshop: Workshop, batch: usize) -> Result<(), Failure> {
    let worked = tokio::task::spawn_blocking(move || {
        let (input, output) = (BufReader::with_capacity(READ_BYTES, io::stdin()), io::stdout());
        filter(&workshop, batch, input, &mut output.lock(), &mut io::stderr())
    });
    let Counts { read, delivered, dropped, failed } = worked.await.map_err(Failure::new)??;
    if failed == 0 {
        return Ok(());
    }
    let told = format!("{failed} of {read} records failed ({delivered} delivered, {dropped} dropped)");
    Err(Failure::told(told).hint("each of them is named above; in a stream they go to the error output"))
}

/// Transforms all lines of `input`.
pub(super) fn filter<R: Read>(
    workshop: &Workshop,
    batch: usize,
    mut input: BufReader<R>,
    output: &mut impl Write,
    errors: &mut impl Write,
) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        let length = (&mut input).take(LINE_BYTES).read_until(b'\n', &mut line).map_err(Failure::new)?;
        if length as u64 == LINE_BYTES && line.last() != Some(&b'\n') {
            let told = format!("line {} has more than {LINE_BYTES} bytes", counts.read + 1);
            return Err(Failure::told(told).hint("no stream takes a record of that size"));
        }
        if length > 0 {
            counts.read += 1;
            lines.push(line);
        }
        let is_waiting = input.buffer().is_empty();
        if !lines.is_empty() && (length == 0 || is_waiting || lines.len() >= batch) {
            let first = counts.read - lines.len() as u64 + 1;
            pass(workshop, &lines, first, output, errors, &mut counts)?;
            lines.clear();
        }
        if length == 0 {
            return Ok(counts);
        }
    }
}

fn pass(
    workshop: &Workshop,
    lines: &[Vec<u8>],
    first: u64,
    output: &mut impl Write,
    errors: &mut impl Write,
    counts: &mut Counts,
) -> Result<(), Failure> {
    let fates = workshop.transform(lines, now_ms()).map_err(Failure::new)?;
    for (at, fate) in (first..).zip(fates) {
        match fate {
            Fate::Delivered(several) => {
                counts.delivered += 1;
                for one in several {
                    output.write_all(&one.data).map_err(Failure::new)?;
                    if one.data.last() != Some(&b'\n') {
                        output.write_all(b"\n").map_err(Failure::new)?;
                    }
                }
            }
            Fate::Dropped => counts.dropped += 1,
            Fate::Failed { code, message } => {
                counts.failed += 1;
                writeln!(errors, "line {at}: {code}: {message}").map_err(Failure::new)?;
            }
        }
    }
    output.flush().map_err(Failure::new)
}

/// When records of a pipe arrive.
#[expect(clippy::disallowed_methods, reason = "a person's terminal has no simulated clock")]
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
