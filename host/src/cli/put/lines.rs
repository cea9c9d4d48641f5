//! Lines cut into batches that one PutRecordBatch may carry. Pure reading; refuses to send.

use std::io::{BufRead, Read};
use std::ops::RangeInclusive;

/// Most records of one request; the API's limit.
const BATCH_RECORDS: usize = 500;
/// Most bytes of one request before base64; the API's limit.
const BATCH_BYTES: usize = 4 << 20;
/// Most bytes of one record before base64; the API's limit.
pub(super) const RECORD_BYTES: usize = 1_024_000;

/// Records of one request.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Batch {
    /// Each within [`RECORD_BYTES`].
    pub(in super::super) records: Vec<Vec<u8>>,
    /// Input bytes that this batch covers, empty lines included; what a progress bar counts.
    pub(super) input_bytes: u64,
    /// First and last line, from 1; 0 when the records were not lines.
    pub(super) lines: (u64, u64),
    /// Empty lines left out.
    pub(super) skipped_lines: u64,
    bytes: usize,
}

impl Batch {
    /// Adds `record` if the batch still has room for it; gives it back otherwise.
    pub(in super::super) fn add(&mut self, record: Vec<u8>) -> Result<(), Vec<u8>> {
        if self.records.len() == BATCH_RECORDS || self.bytes + record.len() > BATCH_BYTES {
            return Err(record);
        }
        self.bytes += record.len();
        self.records.push(record);
        Ok(())
    }

    /// Lines that this batch covers, for messages.
    pub(super) fn lines(&self) -> Option<RangeInclusive<u64>> {
        (self.lines.0 > 0).then_some(self.lines.0..=self.lines.1)
    }
}

/// Whether a record keeps the newline that ended its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newline {
    /// Every record ends with one, the last line's too.
    Keep,
    /// No record ends with one.
    Strip,
}

/// Why the input cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinesError {
    /// One line is no record.
    #[error("line {line} is longer than {RECORD_BYTES} bytes, the most a record may have")]
    Overlong {
        /// From 1.
        line: u64,
    },
    /// The input broke off.
    #[error("cannot read after line {line}")]
    Unreadable {
        /// Last line read.
        line: u64,
        /// Why.
        source: std::io::Error,
    },
}

/// Batches of lines. After an error there is nothing more.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    newline: Newline,
    line: u64,
    /// A record that did not fit into the batch before, and its input bytes.
    held: Option<(Vec<u8>, u64)>,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    /// Reads `input` from its first line on.
    pub(super) fn new(input: R, newline: Newline) -> Self {
        Self { input, newline, line: 0, held: None, ended: false }
    }

    /// The next line as a record, and the input bytes it took; an empty record is an empty line.
    fn record(&mut self) -> Result<Option<(Vec<u8>, u64)>, LinesError> {
        let mut record = Vec::new();
        // The newline does not count when it is stripped, and one more byte shows that a line is too long.
        let most = RECORD_BYTES as u64 + 1;
        let read = (&mut self.input).take(most).read_until(b'\n', &mut record);
        let read = read.map_err(|source| LinesError::Unreadable { line: self.line, source })?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        if record.last() == Some(&b'\n') {
            record.pop();
        }
        if self.newline == Newline::Keep && !record.is_empty() {
            record.push(b'\n');
        }
        if record.len() > RECORD_BYTES {
            return Err(LinesError::Overlong { line: self.line });
        }
        let input_bytes = read as u64;
        Ok(Some((record, input_bytes)))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Batch, LinesError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let mut batch = Batch { lines: (self.line + 1, self.line), ..Batch::default() };
        if let Some((record, input_bytes)) = self.held.take() {
            batch.lines.0 = self.line;
            batch.input_bytes = input_bytes;
            // The first record of a batch always fits.
            drop(batch.add(record));
        }
        loop {
            match self.record() {
                Ok(Some((record, input_bytes))) if record.is_empty() => {
                    batch.skipped_lines += 1;
                    batch.input_bytes += input_bytes;
                }
                Ok(Some((record, input_bytes))) => match batch.add(record) {
                    Ok(()) => batch.input_bytes += input_bytes,
                    Err(record) => {
                        batch.lines.1 = self.line - 1;
                        self.held = Some((record, input_bytes));
                        return Some(Ok(batch));
                    }
                },
                Ok(None) => {
                    self.ended = true;
                    batch.lines.1 = self.line;
                    return (!batch.records.is_empty() || batch.skipped_lines > 0).then_some(Ok(batch));
                }
                Err(error) => {
                    // What was read of this batch is not sent: the author repairs the line and sends from there.
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
    }
}
