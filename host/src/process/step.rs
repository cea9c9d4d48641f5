//! What a step of ours makes of records: outputs with the inputs they came from, and faults.
//!
//! Refuses to know a batch: who an input was, and what is written about it, is the flow's matter.

use bytes::Bytes;

use crate::convert::Failure;
use crate::record::{ErrorOutput, Origins, Records};

/// Most bytes that decompression may make of one batch. The pipeline hands out batches that stay below it even where every
/// record grows as far as it may (see [`Chain::most_bytes`](super::Chain::most_bytes)), so that where a batch was cut
/// decides nothing; other steps make no more bytes than they get.
pub(super) const BATCH_BYTES: usize = 64 << 20;

/// Why a record is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) output: ErrorOutput,
    pub(super) code: &'static str,
    /// For people; never holds payload.
    pub(super) message: String,
    /// It would come again.
    pub(super) is_repeatable: bool,
}

impl Fault {
    /// A record that ends in `processing-failed`, however often it is run.
    pub(super) fn failed(code: &'static str, message: impl Into<String>) -> Self {
        Self { output: ErrorOutput::ProcessingFailed, code, message: message.into(), is_repeatable: true }
    }
}

impl From<Failure> for Fault {
    fn from(Failure { code, message }: Failure) -> Self {
        Self { output: ErrorOutput::FormatConversionFailed, code, message, is_repeatable: true }
    }
}

/// What became of the records of a step.
#[derive(Debug)]
pub(super) struct Stepped {
    /// What goes on; its columns are those that the step set.
    pub(super) records: Records,
    /// Which record of the step each came from.
    pub(super) origins: Origins,
    /// Records that failed, by rising index.
    pub(super) faults: Vec<(u32, Fault)>,
}

/// Outputs in the making.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    payload: Vec<u8>,
    ends: Vec<u32>,
    origins: Vec<u32>,
    input: u32,
}

impl Outputs {
    /// Appends an output.
    pub(super) fn push(&mut self, record: &[u8]) {
        self.payload.extend_from_slice(record);
        self.close();
    }

    /// Where the bytes of an output are appended before [`Self::close`].
    pub(super) fn payload(&mut self) -> &mut Vec<u8> {
        &mut self.payload
    }

    /// What was appended since the last output is one.
    pub(super) fn close(&mut self) {
        // An input that makes more than fits is undone before anybody looks at its ends.
        self.ends.push(u32::try_from(self.payload.len()).unwrap_or(u32::MAX));
        self.origins.push(self.input);
    }

    fn finish(self, inputs: usize, faults: Vec<(u32, Fault)>) -> Stepped {
        let is_one_to_one =
            self.origins.len() == inputs && (0_u32..).zip(&self.origins).all(|(at, &input)| at == input);
        let origins = if is_one_to_one { Origins::Identity } else { Origins::Inputs(self.origins) };
        match Records::new(Bytes::from(self.payload), self.ends, Vec::new()) {
            Ok(records) => Stepped { records, origins, faults },
            // The ends are the payload's lengths as it grew: this does not happen, and would lose nothing.
            Err(error) => {
                let fault = Fault {
                    is_repeatable: false,
                    ..Fault::failed("Processing.Internal", format!("the outputs do not fit together: {error}"))
                };
                let faults = (0..inputs).map(|at| (index(at), fault.clone())).collect();
                Stepped { records: Records::default(), origins: Origins::Inputs(Vec::new()), faults }
            }
        }
    }
}

/// Runs `step` over each record. A record whose step fails leaves nothing behind, and so does one with which the outputs
/// would exceed `most_bytes`.
pub(super) fn each(
    records: &Records,
    most_bytes: usize,
    mut step: impl FnMut(&[u8], &mut Outputs) -> Result<(), Fault>,
) -> Stepped {
    let mut outputs = Outputs::default();
    let mut faults = Vec::new();
    for (at, record) in records.iter().enumerate() {
        outputs.input = index(at);
        let (bytes, count) = (outputs.payload.len(), outputs.ends.len());
        let made = step(record, &mut outputs).and_then(|()| match outputs.payload.len() > most_bytes {
            false => Ok(()),
            true => Err(Fault {
                is_repeatable: false,
                ..Fault::failed("Processing.BatchTooLarge", format!("its batch grew beyond {most_bytes} bytes"))
            }),
        });
        match made {
            // What was appended and not closed is no output.
            Ok(()) => outputs.payload.truncate(outputs.ends.last().map_or(0, |&end| end as usize)),
            Err(fault) => {
                outputs.payload.truncate(bytes);
                outputs.ends.truncate(count);
                outputs.origins.truncate(count);
                faults.push((outputs.input, fault));
            }
        }
    }
    outputs.finish(records.len(), faults)
}

/// The journal's ends have 32 bits, so there are no more records than that.
pub(super) fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Records of these bytes.
    pub(crate) fn records(texts: &[impl AsRef<[u8]>]) -> Records {
        let mut payload = Vec::new();
        let mut ends = Vec::new();
        for text in texts {
            payload.extend_from_slice(text.as_ref());
            ends.push(u32::try_from(payload.len()).unwrap());
        }
        Records::new(payload.into(), ends, Vec::new()).unwrap()
    }

    #[test]
    fn a_record_that_fails_leaves_nothing_behind() {
        let made = each(&records(&["a", "bad", "", "b"]), 99, |record, outputs| {
            outputs.push(record);
            outputs.payload().extend_from_slice(b"rest");
            if record == b"bad" { Err(Fault::failed("X", "x")) } else { Ok(()) }
        });
        assert_eq!(made.faults, [(1, Fault::failed("X", "x"))]);
        assert_eq!(made.records.iter().collect::<Vec<_>>(), [&b"a"[..], b"", b"b"]);
        assert_eq!(made.origins, Origins::Inputs(vec![0, 2, 3]));
    }

    #[test]
    fn a_batch_that_grows_too_large_rejects_what_does_not_fit() {
        let made = each(&records(&["abc", "d", "ef"]), 5, |record, outputs| {
            outputs.push(record);
            outputs.push(record);
            Ok(())
        });
        assert_eq!(made.faults.len(), 2);
        assert!(made.faults.iter().all(|(_, fault)| !fault.is_repeatable && fault.code == "Processing.BatchTooLarge"));
        assert_eq!((made.records.payload().as_ref(), made.origins), (&b"dd"[..], Origins::Inputs(vec![1, 1])));
    }

    #[test]
    fn one_to_one_is_the_identity() {
        let same = |record: &[u8], outputs: &mut Outputs| {
            outputs.push(record);
            Ok(())
        };
        assert_eq!(each(&records(&["a", ""]), 9, same).origins, Origins::Identity);
        assert_eq!(each(&records(&[""; 0]), 9, same).origins, Origins::Identity);
    }
}
