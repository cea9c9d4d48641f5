//! `hydrant put`: input, progress, summary. Refuses to hold more than a few batches.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::thread;

use tokio::sync::mpsc;

use super::super::arguments::Put;
use super::super::client::Client;
use super::super::console::{Unit, bytes, count};
use super::super::{Console, Failure};
use super::lines::{Lines, LinesError, Newline};
use super::{Batch, Sending, Summary};

/// Batches read ahead of the sender: one is enough to keep it busy.
const READ_AHEAD: usize = 2;
/// Bytes read from the input at once.
const INPUT_BUFFER_BYTES: usize = 1 << 20;

/// Sends every line of the input.
pub(in super::super) async fn put(console: &Console, client: &Client, arguments: &Put) -> Result<(), Failure> {
    let (input, length) = open(&arguments.file)?;
    let newline = if arguments.no_newline { Newline::Strip } else { Newline::Keep };
    let bar = console.progress("sending", length, Unit::Bytes);
    let sending = Sending::new(client.clone(), &arguments.stream, usize::from(arguments.in_flight));
    let (summary, failure) = sending.send(read(input, newline)?, |bytes, _| bar.inc(bytes)).await;
    bar.finish_and_clear();
    tell(console, &summary)?;
    failure.map_or(Ok(()), Err)
}

/// Reads on a thread of its own: standard input blocks, and so may a file.
pub(super) fn read(
    input: impl BufRead + Send + 'static,
    newline: Newline,
) -> Result<mpsc::Receiver<Result<Batch, Failure>>, Failure> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let work = move || {
        for batch in Lines::new(input, newline) {
            // The sender stops listening when it has failed.
            if sender.blocking_send(batch.map_err(Failure::from)).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("put-input".to_owned()).spawn(work).map_err(Failure::new)?;
    Ok(receiver)
}

fn open(file: &Path) -> Result<(Box<dyn BufRead + Send>, Option<u64>), Failure> {
    if file == Path::new("-") {
        return Ok((Box::new(BufReader::with_capacity(INPUT_BUFFER_BYTES, io::stdin())), None));
    }
    let cannot = |error: io::Error| {
        Failure::new(anyhow::Error::new(error).context(format!("cannot read {}", file.display())))
            .hint("name a readable file, or - for standard input")
    };
    let opened = File::open(file).map_err(cannot)?;
    let metadata = opened.metadata().map_err(cannot)?;
    let length = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(BufReader::with_capacity(INPUT_BUFFER_BYTES, opened)), length))
}

fn tell(console: &Console, summary: &Summary) -> Result<(), Failure> {
    if console.is_json() {
        return console.say_json(summary);
    }
    let mut text = format!(
        "{} records ({}) in {:.1} s, {} records/s, {} requests",
        count(summary.records),
        bytes(summary.bytes),
        summary.seconds,
        summary.records_per_second,
        count(summary.requests)
    );
    for (number, what) in [
        (summary.repeated_records, "sent again"),
        (summary.failed_records, "failed"),
        (summary.skipped_lines, "empty lines skipped"),
    ] {
        if number > 0 {
            text.push_str(&format!(", {} {what}", count(number)));
        }
    }
    console.say(&text)
}

impl From<LinesError> for Failure {
    fn from(error: LinesError) -> Self {
        let hint = match &error {
            LinesError::Overlong { .. } => "split or remove the line, then send from the first line that was not sent",
            LinesError::Unreadable { .. } => "send again from the first line that was not sent",
        };
        Self::new(error).hint(hint)
    }
}
