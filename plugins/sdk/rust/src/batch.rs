//! A batch, as an author who wants speed sees it. Refuses to leave a record without an outcome.

use crate::output::KEEP;
use crate::{Context, IntoOutcome, Outcome, Output, Record};

/// Consecutive records of one stream, for a transform that shares work between them:
///
/// ```
/// use hydrant_plugin::{Batch, Outcome};
///
/// fn transform(batch: &mut Batch<'_>) {
///     let mut scratch = Vec::new(); // allocated once for the batch
///     batch.each(|mut record| {
///         scratch.clear();
///         scratch.extend(record.data().iter().rev());
///         record.replace(&scratch)
///     });
/// }
///
/// hydrant_plugin::plugin!(batch transform);
/// ```
#[derive(Debug)]
pub struct Batch<'a> {
    input: &'a Input,
    output: &'a mut Output,
    context: &'a Context,
}

/// The columns of a batch.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// All records' bytes.
    pub(crate) payload: Vec<u8>,
    /// Where each record ends.
    pub(crate) ends: Vec<u32>,
    /// Arrival of each record.
    pub(crate) arrived_ms: Vec<u64>,
    /// Name, dictionary and codes.
    pub(crate) columns: Vec<(String, Vec<String>, Vec<u32>)>,
}

impl Batch<'_> {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.input.ends.len()
    }

    /// True when there is no record.
    pub fn is_empty(&self) -> bool {
        self.input.ends.is_empty()
    }

    /// All records' bytes, laid end to end: where each ends is in [`Self::ends`].
    pub fn payload(&self) -> &[u8] {
        &self.input.payload
    }

    /// Where each record ends in [`Self::payload`].
    pub fn ends(&self) -> &[u32] {
        &self.input.ends
    }

    /// The stream and the operator's settings.
    pub fn context(&self) -> &Context {
        self.context
    }

    /// Settles each record in order. A second call finds none left; a record that was never visited fails.
    pub fn each<O: IntoOutcome>(&mut self, mut transform: impl FnMut(Record<'_>) -> O) {
        let mut start = self.output.outcomes.len().checked_sub(1).map_or(0, |last| end(self.input, last));
        for at in self.output.outcomes.len()..self.input.ends.len() {
            let end = end(self.input, at);
            let data = &self.input.payload[start..end];
            let record = Record { data, at, input: self.input, output: self.output, context: self.context };
            let outcome = transform(record).into_outcome();
            self.output.settle(data, outcome);
            start = end;
        }
    }

    /// Keeps every record that has no outcome yet: the cheapest answer.
    pub fn keep_all(&mut self) {
        self.output.outcomes.resize(self.input.ends.len(), KEEP);
    }
}

/// Runs one batch.
pub(crate) fn run(input: &Input, context: &Context, transform: impl FnOnce(&mut Batch<'_>)) -> Output {
    let mut output = Output::for_inputs(input.ends.len(), input.payload.len());
    let mut batch = Batch { input, output: &mut output, context };
    transform(&mut batch);
    batch.each(|_| Outcome::fail("the plugin's batch function did not visit this record"));
    output
}

fn end(input: &Input, at: usize) -> usize {
    // Offsets are 32 bits, which every target that this crate builds for can hold.
    input.ends[at] as usize
}
