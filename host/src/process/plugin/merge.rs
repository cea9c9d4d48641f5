//! Kept records and replacements become one batch again, in the order of their inputs. Copies runs of bytes and nothing
//! record by record that could be copied in a run; refuses to copy anything when every record was kept.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use super::answer::Checked;
use super::bindings::v1::{KEEP, REPLACE};
use super::fault::FUNCTION_ERROR;
use crate::record::{Column, Origins, Records};

/// What a plugin made of a batch.
#[derive(Clone, Debug)]
pub(in super::super) enum Made {
    /// Every record as it was.
    Unchanged,
    /// Anything else.
    Changed(Stage),
}

/// Records between two processors.
#[derive(Clone, Debug)]
pub(in super::super) struct Stage {
    /// What goes on.
    pub(in super::super) records: Records,
    /// Which input each came from.
    pub(in super::super) origins: Origins,
    /// Inputs that failed, by rising index.
    pub(in super::super) refused: Vec<Refused>,
    /// Every call faulted: there is no answer about any record.
    pub(in super::super) faulted: bool,
}

/// One input that a plugin failed, or failed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Refused {
    /// Index of the input.
    pub(in super::super) input: u32,
    /// Firehose's code.
    pub(in super::super) code: Cow<'static, str>,
    /// For people.
    pub(in super::super) message: String,
    /// Calls that it was part of.
    pub(in super::super) attempts: u32,
    /// It would fail in the same way if it were run again.
    pub(in super::super) is_repeatable: bool,
}

/// Whether a refusal would come again if the same records were run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repeatable(pub(super) bool);

/// What became of consecutive inputs.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) inputs: Range<usize>,
    pub(super) attempts: u32,
    pub(super) fate: Fate,
}

/// How a part ended.
#[derive(Debug)]
pub(super) enum Fate {
    KeptAll,
    Mixed(Checked),
    /// All of them, with code and message.
    Refused(Cow<'static, str>, String, Repeatable),
}

/// Joins the parts of a batch, given in order.
pub(super) fn merge(input: &Records, mut parts: Vec<Part>) -> Made {
    if parts.iter().all(|part| matches!(part.fate, Fate::KeptAll)) {
        return Made::Unchanged;
    }
    if parts.len() == 1
        && let Some(Part { fate: Fate::Mixed(checked), .. }) = parts.first()
        && !checked.stray_outputs
        && !checked.outcomes.contains(&KEEP)
        && let Some(Part { fate: Fate::Mixed(checked), attempts, .. }) = parts.pop()
    {
        return Made::Changed(whole(checked, attempts));
    }
    let faulted = parts.iter().all(|part| matches!(part.fate, Fate::Refused(..)));
    let mut merger = Merger::new(input, &parts);
    for part in parts {
        merger.take(part);
    }
    Made::Changed(Stage { faulted, ..merger.finish(input) })
}

/// Every output is used and nothing is kept: the guest's payload is the batch's.
fn whole(checked: Checked, attempts: u32) -> Stage {
    let one_to_one = checked.inputs.len() == checked.outcomes.len()
        && (0_u32..).zip(&checked.inputs).all(|(at, &input)| at == input);
    let origins = if one_to_one { Origins::Identity } else { Origins::Inputs(checked.inputs) };
    let refuse = |(input, code, message)| Refused { input, code, message, attempts, is_repeatable: true };
    let refused = checked.refused.into_iter().map(refuse).collect();
    Stage { records: checked.outputs, origins, refused, faulted: false }
}

struct Merger<'a> {
    input: &'a Records,
    payload: Vec<u8>,
    ends: Vec<u32>,
    origins: Vec<u32>,
    columns: Columns,
    refused: Vec<Refused>,
}

impl<'a> Merger<'a> {
    fn new(input: &'a Records, parts: &[Part]) -> Self {
        let outputs = |part: &Part| match &part.fate {
            Fate::Mixed(checked) => (checked.outputs.payload().len(), checked.outputs.len()),
            _ => (0, 0),
        };
        let (bytes, count) = parts.iter().map(outputs).fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        // At most everything that is kept besides every output: the bound is close when either is rare.
        let payload = Vec::with_capacity(bytes + input.payload().len());
        let ends = Vec::with_capacity(count + input.len());
        let origins = Vec::with_capacity(count + input.len());
        Self { input, payload, ends, origins, columns: Columns::default(), refused: Vec::new() }
    }

    fn take(&mut self, part: Part) {
        let Part { inputs, attempts, fate } = part;
        let first = offset(inputs.start);
        match fate {
            Fate::KeptAll => self.copy(self.input, inputs, offset),
            Fate::Refused(code, message, Repeatable(is_repeatable)) => {
                let refuse = |at| Refused {
                    input: offset(at),
                    code: code.clone(),
                    message: message.clone(),
                    attempts,
                    is_repeatable,
                };
                self.refused.extend(inputs.map(refuse));
            }
            Fate::Mixed(checked) => {
                self.take_mixed(inputs.start, &checked);
                let is_repeatable = true;
                let refuse =
                    |(input, code, message)| Refused { input: first + input, code, message, attempts, is_repeatable };
                self.refused.extend(checked.refused.into_iter().map(refuse));
            }
        }
    }

    /// Copies runs of kept inputs and runs of used outputs, in the order of inputs.
    fn take_mixed(&mut self, first: usize, checked: &Checked) {
        let input = self.input;
        let outcomes = &checked.outcomes;
        let mut at = 0;
        let mut output = 0;
        while at < outcomes.len() {
            let kept = outcomes[at..].iter().take_while(|&&outcome| outcome == KEEP).count();
            self.copy(input, first + at..first + at + kept, offset);
            at += kept;
            let others = outcomes[at..].iter().take_while(|&&outcome| outcome != KEEP).count();
            let of_these = checked.inputs[output..].partition_point(|&input| (input as usize) < at + others);
            let end = output + of_these;
            // Stray outputs are those of refused inputs; there are hardly ever any.
            while output < end {
                let used = |&&input: &&u32| outcomes[input as usize] == REPLACE;
                let run = checked.inputs[output..end].iter().take_while(used).count();
                self.copy(&checked.outputs, output..output + run, |at| offset(first) + checked.inputs[at]);
                output += run;
                output += checked.inputs[output..end].iter().take_while(|input| !used(input)).count();
            }
            at += others;
        }
    }

    fn copy(&mut self, from: &Records, records: Range<usize>, origin: impl Fn(usize) -> u32) {
        if records.is_empty() {
            return;
        }
        let start = from.range(records.start).start;
        let end = from.range(records.end - 1).end;
        let base = self.payload.len();
        self.columns.copy(from.columns(), records.clone(), self.ends.len());
        self.payload.extend_from_slice(&from.payload()[start..end]);
        self.ends.extend(from.ends()[records.clone()].iter().map(|&end| offset(base + end as usize - start)));
        self.origins.extend(records.map(origin));
    }

    fn finish(self, input: &Records) -> Stage {
        let columns = self.columns.finish(self.ends.len());
        match Records::new(Bytes::from(self.payload), self.ends, columns) {
            Ok(records) => {
                Stage { records, origins: Origins::Inputs(self.origins), refused: self.refused, faulted: false }
            }
            // Offsets beyond 4 GiB: settings far above the defaults and an input of gigabytes. Nothing is lost.
            Err(error) => {
                let message = format!("the transformed batch cannot be put together: {error}");
                let is_repeatable = false;
                let refuse = |at| {
                    let (code, message) = (FUNCTION_ERROR.into(), message.clone());
                    Refused { input: offset(at), code, message, attempts: 1, is_repeatable }
                };
                let refused = (0..input.len()).map(refuse).collect();
                Stage { records: Records::default(), origins: Origins::Inputs(Vec::new()), refused, faulted: false }
            }
        }
    }
}

/// Columns of several sources, joined by name.
#[derive(Default)]
struct Columns(Vec<Joined>);

struct Joined {
    column: Column,
    known: HashMap<String, u32>,
}

impl Columns {
    /// Appends the values of `records`, which become records `at..` of the result.
    fn copy(&mut self, from: &[Column], records: Range<usize>, at: usize) {
        for column in from {
            let joined = self.named(&column.name);
            joined.column.codes.resize(at, 0);
            let mut translated: Vec<u32> = vec![0; column.dictionary.len() + 1];
            for &code in &column.codes[records.clone()] {
                let slot = code as usize;
                if slot > 0 && translated[slot] == 0 {
                    translated[slot] = joined.code(&column.dictionary[slot - 1]);
                }
                joined.column.codes.push(translated[slot]);
            }
        }
    }

    fn named(&mut self, name: &str) -> &mut Joined {
        let at = self.0.iter().position(|joined| joined.column.name == name).unwrap_or_else(|| {
            let column = Column { name: name.to_owned(), ..Column::default() };
            self.0.push(Joined { column, known: HashMap::new() });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    fn finish(self, count: usize) -> Vec<Column> {
        let finish = |mut joined: Joined| {
            joined.column.codes.resize(count, 0);
            joined.column
        };
        self.0.into_iter().map(finish).collect()
    }
}

impl Joined {
    fn code(&mut self, value: &str) -> u32 {
        if let Some(&code) = self.known.get(value) {
            return code;
        }
        self.column.dictionary.push(value.to_owned());
        let code = offset(self.column.dictionary.len());
        self.known.insert(value.to_owned(), code);
        code
    }
}

/// Offsets have 32 bits everywhere; one that does not fit is found when the records are put together.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::bindings::v1::{DROP, FAIL};
    use super::*;

    fn records(texts: &[&str], key: Option<(&str, &[&str])>) -> Records {
        let mut ends = Vec::new();
        let mut end = 0;
        for text in texts {
            end += text.len();
            ends.push(offset(end));
        }
        let columns = key.map(|(name, values)| {
            let mut columns = Columns::default();
            for (at, value) in values.iter().enumerate() {
                let joined = columns.named(name);
                joined.column.codes.resize(at, 0);
                let code = if value.is_empty() { 0 } else { joined.code(value) };
                joined.column.codes.push(code);
            }
            columns.finish(values.len())
        });
        Records::new(Bytes::from(texts.concat()), ends, columns.unwrap_or_default()).unwrap()
    }

    fn values(records: &Records, name: &str) -> Vec<String> {
        let column = records.columns().iter().find(|column| column.name == name).unwrap();
        let value = |&code: &u32| match code {
            0 => String::new(),
            code => column.dictionary[code as usize - 1].clone(),
        };
        column.codes.iter().map(value).collect()
    }

    fn mixed(outcomes: &[u8], outputs: Records, inputs: &[u32]) -> Fate {
        let stray_outputs = inputs.iter().any(|&input| outcomes[input as usize] != REPLACE);
        let checked = Checked {
            outcomes: outcomes.to_vec(),
            outputs,
            inputs: inputs.to_vec(),
            refused: Vec::new(),
            stray_outputs,
        };
        Fate::Mixed(checked)
    }

    fn changed(made: Made) -> Stage {
        match made {
            Made::Changed(stage) => stage,
            Made::Unchanged => panic!("changed"),
        }
    }

    #[test]
    fn runs_keep_their_order_and_strays_vanish() {
        let input = records(&["a", "b", "c", "d", "e", "f"], None);
        let outputs = records(&["B1", "B2", "x", "E"], None);
        let fate = mixed(&[KEEP, REPLACE, FAIL, DROP, REPLACE, KEEP], outputs, &[1, 1, 2, 4]);
        let stage = changed(merge(&input, vec![Part { inputs: 0..6, attempts: 1, fate }]));
        let texts: Vec<_> = stage.records.iter().map(|record| String::from_utf8_lossy(record).into_owned()).collect();
        assert_eq!(texts, ["a", "B1", "B2", "E", "f"]);
        assert_eq!(stage.origins, Origins::Inputs(vec![0, 1, 1, 4, 5]));
    }

    #[test]
    fn parts_join_with_their_columns() {
        let input = records(&["a", "b", "c", "d"], Some(("k", &["x", "", "y", "x"])));
        let outputs = records(&["C"], Some(("k", &["z"])));
        let also = records(&["D"], Some(("n", &["1"])));
        let parts = vec![
            Part { inputs: 0..2, attempts: 2, fate: Fate::KeptAll },
            Part { inputs: 2..3, attempts: 3, fate: mixed(&[REPLACE], outputs, &[0]) },
            Part { inputs: 3..4, attempts: 3, fate: mixed(&[REPLACE], also, &[0]) },
        ];
        let stage = changed(merge(&input, parts));
        assert_eq!(stage.records.payload().as_ref(), b"abCD");
        assert_eq!(values(&stage.records, "k"), ["x", "", "z", ""]);
        assert_eq!(values(&stage.records, "n"), ["", "", "", "1"]);
        assert_eq!(stage.origins, Origins::Inputs(vec![0, 1, 2, 3]));
    }

    #[test]
    fn an_answer_that_replaces_everything_is_not_copied() {
        let input = records(&["a", "b"], None);
        let outputs = records(&["A", "B"], None);
        let place = outputs.payload().as_ptr();
        let fate = mixed(&[REPLACE, REPLACE], outputs, &[0, 1]);
        let stage = changed(merge(&input, vec![Part { inputs: 0..2, attempts: 1, fate }]));
        assert_eq!((stage.records.payload().as_ptr(), stage.origins), (place, Origins::Identity));
    }

    #[test]
    fn refused_parts_name_each_input() {
        let input = records(&["a", "b", "c"], None);
        let parts = vec![
            Part { inputs: 0..1, attempts: 1, fate: Fate::KeptAll },
            Part { inputs: 1..3, attempts: 2, fate: Fate::Refused("C".into(), "m".to_owned(), Repeatable(true)) },
        ];
        let stage = changed(merge(&input, parts));
        let inputs: Vec<_> = stage.refused.iter().map(|refused| (refused.input, refused.attempts)).collect();
        assert_eq!(inputs, [(1, 2), (2, 2)]);
        assert_eq!(stage.records.payload().as_ref(), b"a");
    }
}
