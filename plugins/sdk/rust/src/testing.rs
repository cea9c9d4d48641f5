//! Runs a transform on the desk, over records, and shows what became of each. No WebAssembly is involved.
//!
//! Log lines are kept per thread and read with [`logged`].

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::batch::{self, Input};
use crate::output::{DROP, KEEP, REPLACE};
use crate::{Batch, Context, IntoOutcome, Level, Output, Plugin, Record};

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Delivered as it is.
    Kept,
    /// Replaced by these.
    Replaced(Vec<Delivered>),
    /// Dropped on purpose.
    Dropped,
    /// Sent to the error output with this reason.
    Failed(String),
    /// The same, with the kind of failure that it named.
    FailedWith {
        /// For machines.
        code: String,
        /// For people.
        reason: String,
    },
}

/// One output record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Its bytes.
    pub data: Vec<u8>,
    /// Partition keys and reserved columns that are set on it.
    pub columns: BTreeMap<String, String>,
}

impl Fate {
    /// The replacements as text (lossy); empty unless replaced.
    pub fn text(&self) -> Vec<String> {
        match self {
            Self::Replaced(records) => {
                records.iter().map(|record| String::from_utf8_lossy(&record.data).into_owned()).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Runs a function of one record over records that arrived at 0.
pub fn run<O: IntoOutcome>(mut transform: impl FnMut(Record<'_>) -> O, records: &[impl AsRef<[u8]>]) -> Vec<Fate> {
    run_batch(|batch| batch.each(&mut transform), records)
}

/// Runs a function of a batch over one batch of records that arrived at 0.
pub fn run_batch(transform: impl FnOnce(&mut Batch<'_>), records: &[impl AsRef<[u8]>]) -> Vec<Fate> {
    let input = input(records);
    fates(batch::run(&input, &Context::default(), transform))
}

/// Configures a plugin and runs it over one batch of records that arrived at 0.
///
/// # Errors
/// What [`Plugin::configure`] said.
pub fn run_plugin<P: Plugin>(context: &Context, records: &[impl AsRef<[u8]>]) -> Result<Vec<Fate>, String> {
    let mut plugin = P::configure(context)?;
    Ok(fates(batch::run(&input(records), context, |batch| plugin.transform_batch(batch))))
}

/// What this thread has logged since it was last asked.
pub fn logged() -> Vec<(Level, String)> {
    LOGGED.with_borrow_mut(std::mem::take)
}

thread_local! {
    static LOGGED: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn remember(level: Level, line: &str) {
    LOGGED.with_borrow_mut(|lines| lines.push((level, line.to_owned())));
}

fn input(records: &[impl AsRef<[u8]>]) -> Input {
    let mut input = Input { arrived_ms: vec![0; records.len()], ..Input::default() };
    for record in records {
        input.payload.extend_from_slice(record.as_ref());
        input.ends.push(u32::try_from(input.payload.len()).unwrap_or(u32::MAX));
    }
    input
}

fn fates(mut output: Output) -> Vec<Fate> {
    let columns = output.finish_columns();
    let delivered = |at: usize| {
        let start = if at == 0 { 0 } else { output.ends[at - 1] as usize };
        let set = columns.iter().filter_map(|(name, dictionary, codes)| {
            let code = (codes[at] as usize).checked_sub(1)?;
            Some((name.clone(), dictionary[code].clone()))
        });
        Delivered { data: output.payload[start..output.ends[at] as usize].to_vec(), columns: set.collect() }
    };
    let fate = |(input, &code): (usize, &u8)| match code {
        KEEP => Fate::Kept,
        REPLACE => {
            let of_input = |&at: &usize| output.inputs[at] as usize == input;
            Fate::Replaced((0..output.inputs.len()).filter(of_input).map(delivered).collect())
        }
        DROP => Fate::Dropped,
        _ => {
            let found = output.reasons.iter().find(|reason| reason.input as usize == input);
            let (code, reason) = found.map(|of| (of.code.clone(), of.reason.clone())).unwrap_or_default();
            if code.is_empty() { Fate::Failed(reason) } else { Fate::FailedWith { code, reason } }
        }
    };
    output.outcomes.iter().enumerate().map(fate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;

    #[test]
    fn each_outcome_is_seen_and_discarded_output_leaves_nothing() {
        let transform = |mut record: Record<'_>| match record.data() {
            b"keep" => {
                record.output().push(b"noise");
                Outcome::Keep
            }
            b"drop" => {
                record.output().push(b"noise");
                record.output().end_record();
                Outcome::Drop
            }
            b"one" => record.replace("1"),
            b"many" => record.replace_many(["a", "", "c"]),
            b"none" => record.replace_many([""; 0]),
            b"coded" => Outcome::fail_with("bad-json", "no"),
            b"empty" => Outcome::Replace,
            _ => {
                record.set("lost", "x");
                record.output().push(b"noise");
                record.output().end_record();
                Outcome::fail("no")
            }
        };
        let fates = run(transform, &["keep", "drop", "one", "many", "none", "empty", "?", "one", "coded"]);
        assert_eq!(fates[0], Fate::Kept);
        assert_eq!(fates[1], Fate::Dropped);
        assert_eq!(fates[2].text(), ["1"]);
        assert_eq!(fates[3].text(), ["a", "", "c"]);
        assert_eq!(fates[4], Fate::Dropped);
        assert_eq!(fates[5].text(), [""]);
        assert_eq!(fates[6], Fate::Failed("no".to_owned()));
        assert_eq!(fates[8], Fate::FailedWith { code: "bad-json".to_owned(), reason: "no".to_owned() });
        let Fate::Replaced(last) = &fates[7] else { panic!("replaced") };
        assert!(last[0].columns.is_empty() && last[0].data == b"1");
    }

    #[test]
    fn keys_belong_to_their_record_and_a_kept_record_may_have_some() {
        let transform = |mut record: Record<'_>| {
            if !record.data().is_empty() {
                let text = record.text().unwrap_or_default();
                record.set("key", "first");
                record.set("key", text);
            }
            Outcome::Keep
        };
        let fates = run(transform, &["a", "", "b", "a"]);
        let key = |fate: &Fate| match fate {
            Fate::Replaced(records) => records[0].columns.get("key").cloned(),
            _ => None,
        };
        assert_eq!(fates[0].text(), ["a"]);
        assert_eq!(fates[1], Fate::Kept);
        let keys: Vec<_> = fates.iter().map(key).collect();
        assert_eq!(keys, [Some("a".to_owned()), None, Some("b".to_owned()), Some("a".to_owned())]);
    }

    #[test]
    fn a_record_that_a_batch_function_skips_fails() {
        let fates = run_batch(|_| {}, &["a"]);
        assert!(matches!(&fates[0], Fate::Failed(reason) if reason.contains("did not visit")), "{fates:?}");
    }

    #[test]
    fn lines_are_kept_for_the_test() {
        crate::warn!("stock is {}", 3);
        crate::info!("plain");
        assert_eq!(logged(), [(Level::Warn, "stock is 3".to_owned()), (Level::Info, "plain".to_owned())]);
        assert!(logged().is_empty());
    }
}
