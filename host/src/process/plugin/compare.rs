//! Where two answers to the same records differ, record by record: outputs, their columns, drops and failures. Refuses to
//! look at messages, which are for people.

use std::ops::Range;

use super::merge::{Made, Refused};
use crate::record::{Column, Origins, Records};

/// How many inputs fare differently.
pub(super) fn differences(input: &Records, one: &Made, other: &Made) -> u64 {
    if matches!((one, other), (Made::Unchanged, Made::Unchanged)) {
        return 0;
    }
    let (mut one, mut other) = (View::of(input, one), View::of(input, other));
    let columns = pairs(one.records.columns(), other.records.columns());
    let differs = |at: &u32| {
        let (a, b) = (one.fate(*at), other.fate(*at));
        let same_output = |(a, b): (usize, usize)| {
            let same_column = |pair: &(Option<&Column>, Option<&Column>)| value(pair.0, a) == value(pair.1, b);
            one.records.record(a) == other.records.record(b) && columns.iter().all(same_column)
        };
        let outputs = a.outputs.len() == b.outputs.len() && a.outputs.zip(b.outputs).all(same_output);
        !outputs || a.code != b.code
    };
    let count = u32::try_from(input.len()).unwrap_or(u32::MAX);
    (0..count).filter(differs).count() as u64
}

/// Whether time or luck had a part in it, so that another run may honestly end otherwise.
pub(super) fn is_by_luck(made: &Made) -> bool {
    matches!(made, Made::Changed(stage) if stage.refused.iter().any(|refused| !refused.is_repeatable))
}

/// An answer that is read from its first input to its last.
struct View<'a> {
    records: &'a Records,
    origins: Option<&'a [u32]>,
    refused: &'a [Refused],
    /// Outputs of the inputs before.
    read: usize,
}

/// What became of one input; dropped when it is nothing.
struct Fate<'a> {
    outputs: Range<usize>,
    code: Option<&'a str>,
}

impl<'a> View<'a> {
    fn of(input: &'a Records, made: &'a Made) -> Self {
        match made {
            Made::Unchanged => Self { records: input, origins: None, refused: &[], read: 0 },
            Made::Changed(stage) => {
                let origins = match &stage.origins {
                    Origins::Identity => None,
                    Origins::Inputs(inputs) => Some(inputs.as_slice()),
                };
                Self { records: &stage.records, origins, refused: &stage.refused, read: 0 }
            }
        }
    }

    fn fate(&mut self, input: u32) -> Fate<'a> {
        let begin = self.read;
        let count = match self.origins {
            None => usize::from(begin < self.records.len()),
            Some(origins) => origins[begin..].iter().take_while(|&&origin| origin == input).count(),
        };
        self.read += count;
        let refused = self.refused.split_first().filter(|(first, _)| first.input == input);
        let code = refused.map(|(first, rest)| {
            self.refused = rest;
            &*first.code
        });
        Fate { outputs: begin..self.read, code }
    }
}

/// Columns of either, by name.
fn pairs<'a>(one: &'a [Column], other: &'a [Column]) -> Vec<(Option<&'a Column>, Option<&'a Column>)> {
    let named = |columns: &'a [Column], name: &str| columns.iter().find(|column| column.name == name);
    let of_one = one.iter().map(|column| (Some(column), named(other, &column.name)));
    let of_other = other.iter().filter(|column| named(one, &column.name).is_none());
    of_one.chain(of_other.map(|column| (None, Some(column)))).collect()
}

fn value(column: Option<&Column>, at: usize) -> Option<&str> {
    let column = column?;
    let code = column.codes.get(at)?.checked_sub(1)?;
    column.dictionary.get(code as usize).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::super::merge::Stage;
    use super::*;

    fn records(texts: &[&str], keys: Option<&[&str]>) -> Records {
        let mut end = 0;
        let ends = texts.iter().map(|text| {
            end += u32::try_from(text.len()).unwrap();
            end
        });
        let ends: Vec<u32> = ends.collect();
        let columns = keys.map(|keys| Column {
            name: "k".to_owned(),
            dictionary: keys.iter().map(|&key| key.to_owned()).collect(),
            codes: (1..).take(keys.len()).collect(),
        });
        Records::new(texts.concat().into(), ends, columns.into_iter().collect()).unwrap()
    }

    fn made(outputs: Records, origins: &[u32], refused: &[(u32, &'static str, &str)]) -> Made {
        let refuse = |&(input, code, message): &(u32, &'static str, &str)| {
            let (is_repeatable, message) = (code != "luck", message.to_owned());
            Refused { input, code: code.into(), message, attempts: 1, is_repeatable }
        };
        let refused = refused.iter().map(refuse).collect();
        Made::Changed(Stage { records: outputs, origins: Origins::Inputs(origins.to_vec()), refused, faulted: false })
    }

    fn identity(outputs: Records) -> Made {
        Made::Changed(Stage { records: outputs, origins: Origins::Identity, refused: Vec::new(), faulted: false })
    }

    #[test]
    fn each_input_that_fares_otherwise_counts_once() {
        let input = records(&["a", "b", "c"], None);
        let kept = || made(input.clone(), &[0, 1, 2], &[]);
        let cases = [
            (Made::Unchanged, Made::Unchanged, 0),
            (Made::Unchanged, kept(), 0),
            (Made::Unchanged, identity(input.clone()), 0),
            (identity(records(&["a", "B", "c"], None)), Made::Unchanged, 1),
            // Bytes that move from one record to the next.
            (made(records(&["ab", "", "c"], None), &[0, 1, 2], &[]), kept(), 2),
            // A drop, and one record in place of two.
            (made(records(&["a", "c"], None), &[0, 2], &[]), kept(), 1),
            (made(records(&["a", "a", "b", "c"], None), &[0, 0, 1, 2], &[]), kept(), 1),
            (made(records(&[], None), &[], &[]), Made::Unchanged, 3),
            // Failed is not dropped; words about it are for people, codes are delivered.
            (
                made(records(&["a", "b"], None), &[0, 1], &[(2, "x", "")]),
                made(records(&["a", "b"], None), &[0, 1], &[]),
                1,
            ),
            (made(records(&[], None), &[], &[(0, "x", "one")]), made(records(&[], None), &[], &[(0, "x", "two")]), 0),
            (made(records(&[], None), &[], &[(0, "x", "")]), made(records(&[], None), &[], &[(0, "y", "")]), 1),
            // Columns count by value, whatever their codes; one that is not there is not set.
            (identity(records(&["a", "b", "c"], Some(&["1", "2", "3"]))), Made::Unchanged, 3),
            (
                identity(records(&["a", "b", "c"], Some(&["1", "2", "3"]))),
                identity(records(&["a", "b", "c"], Some(&["1", "9", "3"]))),
                1,
            ),
        ];
        for (at, (one, other, expected)) in cases.iter().enumerate() {
            assert_eq!(differences(&input, one, other), *expected, "case {at}");
            assert_eq!(differences(&input, other, one), *expected, "case {at}, turned around");
        }
    }

    #[test]
    fn what_time_ended_is_luck() {
        assert!(!is_by_luck(&Made::Unchanged));
        assert!(!is_by_luck(&made(records(&[], None), &[], &[(0, "x", "")])));
        assert!(is_by_luck(&made(records(&[], None), &[], &[(0, "x", ""), (1, "luck", "")])));
    }
}
