//! The one payload that all replacements of a batch are written to. Refuses to reorder or to take back a closed input.

use std::collections::HashMap;
use std::io;

use crate::Outcome;

/// Where a record's replacements are written; see [`crate::Record::output`]. Writing never fails.
#[derive(Debug, Default)]
pub struct Output {
    pub(crate) payload: Vec<u8>,
    pub(crate) ends: Vec<u32>,
    pub(crate) inputs: Vec<u32>,
    pub(crate) outcomes: Vec<u8>,
    pub(crate) reasons: Vec<Reason>,
    columns: Vec<Keys>,
    /// Column and code of what was set for the input at hand.
    set: Vec<(usize, u32)>,
    /// Where the input at hand began.
    first_end: usize,
    /// Where the record being written began.
    record_start: usize,
    input_start: usize,
    /// What the first write reserves: most replacements are about as long as their inputs.
    expected_bytes: usize,
}

/// Why an input failed.
#[derive(Debug)]
pub(crate) struct Reason {
    pub(crate) input: u32,
    pub(crate) code: String,
    pub(crate) reason: String,
}

/// Codes of [`Output::outcomes`], as the world defines them.
pub(crate) const KEEP: u8 = 0;
pub(crate) const REPLACE: u8 = 1;
pub(crate) const DROP: u8 = 2;
pub(crate) const FAIL: u8 = 3;

#[derive(Debug, Default)]
struct Keys {
    name: String,
    dictionary: Vec<String>,
    known: HashMap<String, u32>,
    codes: Vec<u32>,
}

/// One finished column: name, dictionary, codes.
pub(crate) type FinishedColumn = (String, Vec<String>, Vec<u32>);

impl Output {
    pub(crate) fn for_inputs(count: usize, bytes: usize) -> Self {
        Self { outcomes: Vec::with_capacity(count), expected_bytes: bytes + bytes / 4, ..Self::default() }
    }

    /// Appends bytes to the record being written.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.payload.capacity() == 0 {
            self.payload.reserve(self.expected_bytes.max(bytes.len()));
        }
        self.payload.extend_from_slice(bytes);
    }

    /// Ends the record being written and begins another one of the same input. The last one of an input needs no end.
    pub fn end_record(&mut self) {
        let output = self.ends.len();
        self.ends.push(offset(self.payload.len()));
        self.inputs.push(offset(self.outcomes.len()));
        for &(column, code) in &self.set {
            let codes = &mut self.columns[column].codes;
            codes.resize(output, 0);
            codes.push(code);
        }
        self.record_start = self.payload.len();
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let column = self.columns.iter().position(|column| column.name == name).unwrap_or_else(|| {
            self.columns.push(Keys { name: name.to_owned(), ..Keys::default() });
            self.columns.len() - 1
        });
        let code = self.columns[column].code(value);
        self.set.retain(|&(known, _)| known != column);
        self.set.push((column, code));
    }

    /// Settles the input at hand, whose bytes are `data`.
    pub(crate) fn settle(&mut self, data: &[u8], outcome: Outcome) {
        let code = match outcome {
            Outcome::Keep if self.set.is_empty() => self.discard(KEEP),
            // Keys belong to outputs, so a kept record with keys is delivered as a copy of itself.
            Outcome::Keep => {
                self.discard(REPLACE);
                self.push(data);
                self.end_record();
                REPLACE
            }
            Outcome::Replace => {
                if self.ends.len() == self.first_end || self.payload.len() > self.record_start {
                    self.end_record();
                }
                REPLACE
            }
            Outcome::Drop => self.discard(DROP),
            Outcome::Fail { code, reason } => {
                let (input, code, reason) = (offset(self.outcomes.len()), code.into_owned(), reason.into_owned());
                self.reasons.push(Reason { input, code, reason });
                self.discard(FAIL)
            }
        };
        self.outcomes.push(code);
        self.set.clear();
        self.first_end = self.ends.len();
        self.input_start = self.payload.len();
        self.record_start = self.payload.len();
    }

    fn discard(&mut self, code: u8) -> u8 {
        if self.payload.len() != self.input_start || self.ends.len() != self.first_end {
            self.payload.truncate(self.input_start);
            self.ends.truncate(self.first_end);
            self.inputs.truncate(self.first_end);
            for column in &mut self.columns {
                column.codes.truncate(self.first_end);
            }
            self.record_start = self.input_start;
        }
        code
    }

    pub(crate) fn finish_columns(&mut self) -> Vec<FinishedColumn> {
        let count = self.ends.len();
        let finish = |mut column: Keys| {
            column.codes.resize(count, 0);
            (column.name, column.dictionary, column.codes)
        };
        std::mem::take(&mut self.columns).into_iter().map(finish).collect()
    }
}

impl io::Write for Output {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.push(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Keys {
    fn code(&mut self, value: &str) -> u32 {
        if let Some(&code) = self.known.get(value) {
            return code;
        }
        self.dictionary.push(value.to_owned());
        let code = offset(self.dictionary.len());
        self.known.insert(value.to_owned(), code);
        code
    }
}

/// Offsets are 32 bits because a guest's memory is; a native test that writes 4 GiB would saturate.
fn offset(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
