//! Some records of a batch: those that go into one partition, in the order they came.
//!
//! It only points at them. Refuses to say where they go.

use std::ops::Range;

use crate::record::{Records, Rows, Transformed};

/// Outputs of `transformed`, or, where its source is backed up, inputs.
#[derive(Clone, Debug)]
pub(super) struct Chosen<'t> {
    pub(super) transformed: &'t Transformed,
    from: &'t Records,
    /// Records of the source have themselves as inputs.
    is_source: bool,
    which: Which<'t>,
}

/// Rising indexes.
#[derive(Clone, Debug)]
enum Which<'t> {
    Range(Range<usize>),
    Each(&'t [usize]),
}

impl<'t> Chosen<'t> {
    /// All outputs from `from` on.
    pub(super) fn outputs(transformed: &'t Transformed, from: usize) -> Self {
        let which = Which::Range(from.min(transformed.outputs.len())..transformed.outputs.len());
        Self { transformed, from: &transformed.outputs, is_source: false, which }
    }

    /// These outputs.
    pub(super) fn each(transformed: &'t Transformed, indexes: &'t [usize]) -> Self {
        Self { transformed, from: &transformed.outputs, is_source: false, which: Which::Each(indexes) }
    }

    /// All inputs from `from` on, as they came.
    pub(super) fn source(transformed: &'t Transformed, source: &'t Records, from: usize) -> Self {
        let which = Which::Range(from.min(source.len())..source.len());
        Self { transformed, from: source, is_source: true, which }
    }

    pub(super) fn len(&self) -> usize {
        match &self.which {
            Which::Range(range) => range.len(),
            Which::Each(indexes) => indexes.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those at `range` of these.
    pub(super) fn part(&self, range: Range<usize>) -> Self {
        let which = match &self.which {
            Which::Range(whole) => Which::Range(whole.start + range.start..whole.start + range.end),
            Which::Each(indexes) => Which::Each(&indexes[range]),
        };
        Self { which, ..self.clone() }
    }

    /// Index of the input that record `at` of these came from.
    pub(super) fn input(&self, at: usize) -> Option<usize> {
        let index = self.index(at)?;
        Some(if self.is_source { index } else { self.transformed.input_of(index) })
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.which {
            Which::Range(range) => start_of(self.from, range.end) - start_of(self.from, range.start),
            Which::Each(indexes) => indexes.iter().map(|&at| self.from.range(at).len()).sum(),
        }
    }

    /// How many of these, from the first on, fill a batch that has room for `room` bytes: up to the last one of the
    /// input that reached it. None when they do not fill it.
    pub(super) fn filling(&self, room: u64) -> Option<usize> {
        let reaching = match &self.which {
            Which::Range(range) => {
                let start = start_of(self.from, range.start) as u64;
                self.from.ends()[range.clone()].partition_point(|&end| u64::from(end) - start < room)
            }
            Which::Each(indexes) => {
                let mut bytes = 0;
                let reaches = |&at: &usize| {
                    bytes += self.from.range(at).len() as u64;
                    bytes >= room
                };
                indexes.iter().position(reaches).unwrap_or(indexes.len())
            }
        };
        let input = self.input(reaching)?;
        let next = (reaching + 1..self.len()).find(|&at| self.input(at) != Some(input));
        Some(next.unwrap_or(self.len()))
    }

    /// Appends their bytes.
    pub(super) fn copy_to(&self, payload: &mut Vec<u8>) {
        match &self.which {
            Which::Range(range) => {
                let bytes = start_of(self.from, range.start)..start_of(self.from, range.end);
                payload.extend_from_slice(&self.from.payload()[bytes]);
            }
            Which::Each(indexes) => indexes.iter().for_each(|&at| payload.extend_from_slice(self.from.record(at))),
        }
    }

    /// Them as records; a run shares its payload.
    pub(super) fn records(&self) -> Records {
        match &self.which {
            Which::Range(range) => self.from.slice(range.clone()),
            Which::Each(indexes) => self.from.select(indexes),
        }
    }

    /// Appends what names each of them.
    pub(super) fn name(&self, names: &mut Rows) {
        for at in 0..self.len() {
            let (Some(index), Some(input)) = (self.index(at), self.input(at)) else { return };
            names.sequences.push(self.transformed.inputs.start + input as u64);
            names.ordinals.push(if self.is_source { 0 } else { self.transformed.ordinal_of(index) });
            names.arrived_ms.push(self.transformed.arrived_ms[input]);
        }
    }

    fn index(&self, at: usize) -> Option<usize> {
        match &self.which {
            Which::Range(range) => (at < range.len()).then(|| range.start + at),
            Which::Each(indexes) => indexes.get(at).copied(),
        }
    }
}

/// Where record `at` begins in the payload; the payload's length when there is no record `at`.
fn start_of(records: &Records, at: usize) -> usize {
    if at == 0 { 0 } else { records.ends()[at - 1] as usize }
}
