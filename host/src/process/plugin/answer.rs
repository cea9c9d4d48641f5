//! Believes nothing that a plugin says before it is checked.
//!
//! What does not fit the question as a whole is a [`Lie`]: nothing of the answer is used, and the batch is tried in parts.
//! What is wrong about one input only costs that input. Refuses to repair.

use std::borrow::Cow;

use bytes::Bytes;

use super::bindings::v1::{Answer, ColumnOut, DROP, FAIL, KEEP, REPLACE, Reason};
use super::fault::{FAILED, INVALID, MISSING};
use super::settings::{CODE_BYTES, COLUMN_NAME_BYTES, COLUMNS, Limits, REASON_BYTES};
use crate::record::{Column, Records, RecordsError};

/// An answer that can be used.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Every input as it is.
    KeptAll,
    /// Anything else.
    Mixed(Checked),
}

/// An answer whose parts fit each other and the question.
#[derive(Debug)]
pub(super) struct Checked {
    /// A code per input; an input that is refused has [`FAIL`], and its outputs are not to be used.
    pub(super) outcomes: Vec<u8>,
    pub(super) outputs: Records,
    /// Input of each output, never decreasing.
    pub(super) inputs: Vec<u32>,
    /// Failed inputs by rising index, with code and message.
    pub(super) refused: Vec<(u32, Cow<'static, str>, String)>,
    /// Whether outputs exist that are not to be used.
    pub(super) stray_outputs: bool,
}

/// Why an answer as a whole cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lie {
    #[error("{given} outcomes for {count} records")]
    OutcomesMissing { given: usize, count: usize },
    #[error("{given} outcomes for {count} records")]
    OutcomesSurplus { given: usize, count: usize },
    #[error("outputs that do not fit together: {0}")]
    Records(#[from] RecordsError),
    #[error("{inputs} input indexes for {outputs} outputs")]
    Inputs { inputs: usize, outputs: usize },
    #[error("output {0} names an input that was not given")]
    UnknownInput(usize),
    #[error("output {0} names an input before that of the output before it")]
    InputsDecrease(usize),
    #[error("{0} outputs, more than allowed")]
    TooManyOutputs(usize),
    #[error("output {0} has more bytes than allowed")]
    RecordTooLarge(usize),
    #[error("{0} columns, more than allowed")]
    TooManyColumns(usize),
    #[error("column {0} has a name that is empty, too long, reserved or there twice")]
    ColumnName(usize),
    #[error("reason {0} is about an input that was not given or is there twice")]
    UnknownReason(usize),
    #[error("reason {0} is about an input that did not fail")]
    StrayReason(usize),
}

impl Lie {
    /// Firehose's code for the records that it costs.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::OutcomesMissing { .. } => MISSING,
            _ => INVALID,
        }
    }
}

/// Checks an answer to `count` records.
///
/// # Errors
/// The first rule that the answer as a whole breaks.
pub(super) fn check(answer: Answer, count: usize, limits: &Limits) -> Result<Verdict, Lie> {
    let Answer { records, inputs, mut outcomes, reasons } = answer;
    let given = outcomes.len();
    if given < count {
        return Err(Lie::OutcomesMissing { given, count });
    }
    if given > count {
        return Err(Lie::OutcomesSurplus { given, count });
    }
    let nothing_else = records.payload.is_empty() && records.ends.is_empty() && reasons.is_empty() && inputs.is_empty();
    if nothing_else && records.columns.is_empty() && outcomes.iter().all(|&outcome| outcome == KEEP) {
        return Ok(Verdict::KeptAll);
    }
    let columns = check_columns(records.columns)?;
    let outputs = Records::new(Bytes::from(records.payload), records.ends, columns)?;
    check_outputs(&outputs, &inputs, count, limits)?;
    let reasons = check_reasons(reasons, &outcomes)?;
    let (refused, stray_outputs) = judge(&mut outcomes, &inputs, reasons);
    Ok(Verdict::Mixed(Checked { outcomes, outputs, inputs, refused, stray_outputs }))
}

fn check_columns(columns: Vec<ColumnOut>) -> Result<Vec<Column>, Lie> {
    if columns.len() > COLUMNS {
        return Err(Lie::TooManyColumns(columns.len()));
    }
    let mut checked: Vec<Column> = Vec::with_capacity(columns.len());
    for (at, ColumnOut { name, dictionary, codes }) in columns.into_iter().enumerate() {
        let reserved = name.starts_with('$') && !RESERVED.contains(&name.as_str());
        let twice = checked.iter().any(|column| column.name == name);
        if name.is_empty() || name.len() > COLUMN_NAME_BYTES || reserved || twice {
            return Err(Lie::ColumnName(at));
        }
        checked.push(Column { name, dictionary, codes });
    }
    Ok(checked)
}

fn check_outputs(outputs: &Records, inputs: &[u32], count: usize, limits: &Limits) -> Result<(), Lie> {
    if inputs.len() != outputs.len() {
        return Err(Lie::Inputs { inputs: inputs.len(), outputs: outputs.len() });
    }
    if outputs.len() > limits.output_records {
        return Err(Lie::TooManyOutputs(outputs.len()));
    }
    if let Some(at) = inputs.windows(2).position(|pair| pair[1] < pair[0]) {
        return Err(Lie::InputsDecrease(at + 1));
    }
    // The inputs never decrease, so the last one is the highest.
    if inputs.last().is_some_and(|&last| last as usize >= count) {
        let at = inputs.partition_point(|&input| (input as usize) < count);
        return Err(Lie::UnknownInput(at));
    }
    if outputs.payload().len() > limits.record_bytes
        && let Some(at) = outputs.iter().position(|record| record.len() > limits.record_bytes)
    {
        return Err(Lie::RecordTooLarge(at));
    }
    Ok(())
}

/// Reasons by rising input, each once, cut to what is kept.
fn check_reasons(mut reasons: Vec<Reason>, outcomes: &[u8]) -> Result<Vec<Reason>, Lie> {
    for (at, Reason { input, message, .. }) in reasons.iter_mut().enumerate() {
        match outcomes.get(*input as usize) {
            None => return Err(Lie::UnknownReason(at)),
            Some(&FAIL) => {}
            Some(_) => return Err(Lie::StrayReason(at)),
        }
        message.truncate(message.floor_char_boundary(REASON_BYTES));
        message.shrink_to_fit();
    }
    reasons.sort_by_key(|reason| reason.input);
    match reasons.windows(2).position(|pair| pair[0].input == pair[1].input) {
        Some(at) => Err(Lie::UnknownReason(at + 1)),
        None => Ok(reasons),
    }
}

/// The plugin's own code where it is one.
fn code(code: String) -> Cow<'static, str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    match code.len() {
        1..=CODE_BYTES if code.bytes().all(allowed) => Cow::Owned(code),
        _ => Cow::Borrowed(FAILED),
    }
}

/// Finds what is wrong about single inputs, and what the plugin itself failed.
fn judge(outcomes: &mut [u8], inputs: &[u32], reasons: Vec<Reason>) -> (Vec<(u32, Cow<'static, str>, String)>, bool) {
    let mut refused = Vec::new();
    let mut stray_outputs = false;
    let mut reasons = reasons.into_iter().peekable();
    let mut output = 0;
    for (input, outcome) in (0_u32..).zip(outcomes) {
        let first = output;
        while inputs.get(output).is_some_and(|&of| of == input) {
            output += 1;
        }
        let has_outputs = output > first;
        let (code, message) = match (*outcome, has_outputs) {
            (REPLACE, true) | (KEEP | DROP, false) => continue,
            (FAIL, false) => {
                let reason = reasons.next_if(|reason| reason.input == input);
                let (given, message) = reason.map(|reason| (reason.code, reason.message)).unwrap_or_default();
                (code(given), if message.is_empty() { NO_REASON.to_owned() } else { message })
            }
            (REPLACE, false) => (MISSING.into(), "replaced by no output".to_owned()),
            (KEEP, true) => (INVALID.into(), "kept, yet with outputs".to_owned()),
            (DROP, true) => (INVALID.into(), "dropped, yet with outputs".to_owned()),
            (FAIL, true) => (INVALID.into(), "failed, yet with outputs".to_owned()),
            (unknown, _) => (INVALID.into(), format!("outcome {unknown} is not known")),
        };
        // A reason for an input that is refused for another reason is passed over.
        while reasons.next_if(|reason| reason.input <= input).is_some() {}
        stray_outputs |= has_outputs;
        *outcome = FAIL;
        refused.push((input, code, message));
    }
    (refused, stray_outputs)
}

/// What Firehose itself says.
const NO_REASON: &str = "ProcessingFailed status set for record";
/// Reserved columns that exist.
const RESERVED: [&str; 4] = ["$document-id", "$index", "$table", "$operation"];

#[cfg(test)]
mod tests {
    use super::super::bindings::v1::RecordsOut;
    use super::*;

    fn answer(outcomes: &[u8], records: &[(&str, u32)]) -> Answer {
        let mut payload = Vec::new();
        let mut ends = Vec::new();
        for (record, _) in records {
            payload.extend_from_slice(record.as_bytes());
            ends.push(u32::try_from(payload.len()).unwrap());
        }
        Answer {
            records: RecordsOut { payload, ends, columns: Vec::new() },
            inputs: records.iter().map(|&(_, input)| input).collect(),
            outcomes: outcomes.to_vec(),
            reasons: Vec::new(),
        }
    }

    fn column(name: &str) -> ColumnOut {
        ColumnOut { name: name.to_owned(), dictionary: Vec::new(), codes: Vec::new() }
    }

    fn small() -> Limits {
        Limits { output_records: 2, record_bytes: 4, ..Limits::default() }
    }

    /// Row P4: what is over a limit is no answer.
    #[test]
    fn an_answer_over_a_limit_is_refused_as_a_whole() {
        let cases = [
            (answer(&[REPLACE], &[("", 0), ("", 0), ("", 0)]), Lie::TooManyOutputs(3)),
            (answer(&[REPLACE], &[("1234", 0), ("12345", 0)]), Lie::RecordTooLarge(1)),
            (
                Answer {
                    records: RecordsOut {
                        columns: (0..=COLUMNS).map(|at| column(&at.to_string())).collect(),
                        payload: Vec::new(),
                        ends: Vec::new(),
                    },
                    ..answer(&[KEEP], &[])
                },
                Lie::TooManyColumns(COLUMNS + 1),
            ),
        ];
        for (answer, expected) in cases {
            assert_eq!(check(answer, 1, &small()).unwrap_err(), expected);
        }
        for name in [vec![""], vec!["$unknown"], vec!["a", "a"], vec![&*"x".repeat(COLUMN_NAME_BYTES + 1)]] {
            let mut named = answer(&[KEEP], &[]);
            named.records.columns = name.iter().map(|name| column(name)).collect();
            assert_eq!(check(named, 1, &small()).unwrap_err(), Lie::ColumnName(name.len() - 1));
        }
    }

    #[test]
    fn what_is_wrong_about_one_input_costs_that_input_alone() {
        let mut mixed = answer(&[KEEP, REPLACE, DROP, FAIL, 7, KEEP, FAIL], &[("a", 0), ("b", 2)]);
        mixed.reasons = vec![reason(6, "", &"ö".repeat(REASON_BYTES)), reason(3, "", "no")];
        let Verdict::Mixed(checked) = check(mixed, 7, &Limits::default()).unwrap() else { panic!("mixed") };
        let codes: Vec<_> = checked.refused.iter().map(|(input, code, _)| (*input, &**code)).collect();
        assert_eq!(codes, [(0, INVALID), (1, MISSING), (2, INVALID), (3, FAILED), (4, INVALID), (6, FAILED)]);
        assert_eq!(checked.outcomes, [FAIL, FAIL, FAIL, FAIL, FAIL, KEEP, FAIL]);
        assert!(checked.stray_outputs);
        assert_eq!(checked.refused[3].2, "no");
        assert_eq!(checked.refused[5].2.len(), REASON_BYTES);
    }

    fn reason(input: u32, code: &str, message: &str) -> Reason {
        Reason { input, code: code.to_owned(), message: message.to_owned() }
    }

    #[test]
    fn a_plugin_names_the_kind_of_a_failure_and_nothing_else_passes_as_one() {
        let kept = ["bad-json", "Lambda.MissingRecordId", &"x".repeat(CODE_BYTES)];
        let refused = ["", "two words", "line\nbreak", "ä", &"x".repeat(CODE_BYTES + 1)];
        let given: Vec<_> = kept.iter().chain(&refused).copied().collect();
        let mut failed = answer(&vec![FAIL; given.len()], &[]);
        failed.reasons = (0..).zip(&given).map(|(input, code)| reason(input, code, "why")).collect();
        let Verdict::Mixed(checked) = check(failed, given.len(), &Limits::default()).unwrap() else { panic!("mixed") };
        let codes: Vec<_> = checked.refused.iter().map(|(_, code, _)| &**code).collect();
        let expected: Vec<_> = kept.into_iter().chain(refused.iter().map(|_| FAILED)).collect();
        assert_eq!(codes, expected);
    }

    #[test]
    fn a_failure_without_a_reason_says_what_firehose_says() {
        let Verdict::Mixed(checked) = check(answer(&[FAIL], &[]), 1, &Limits::default()).unwrap() else {
            panic!("mixed")
        };
        assert_eq!(checked.refused, [(0, FAILED.into(), NO_REASON.to_owned())]);
    }
}
