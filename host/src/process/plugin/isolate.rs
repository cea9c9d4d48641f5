//! Halves a batch whose call failed until the poison record stands alone, and delivers the rest (rows P1, P7).
//!
//! At most `2n - 1` calls for `n` records, and all of them after the first within the limits' recovery time; what was not
//! tried by then is refused, saying so. Refuses to call again where that cannot end differently.

use std::ops::Range;
use std::time::Instant;

use super::answer::{Verdict, check};
use super::bindings::v1::{BatchIn, ColumnIn, RecordsIn};
use super::fault::{Again, FUNCTION_ERROR, Fault};
use super::instance::Call;
use super::merge::{Fate, Part, Repeatable};
use super::registry::Plugin;
use crate::record::{Column, Records};

/// What is still to be tried, and how often it was.
struct Todo {
    inputs: Range<usize>,
    attempts: u32,
}

/// Runs a batch through a plugin; the parts cover every input, in order.
pub(super) fn run(plugin: &Plugin, stream: &str, retries: u32, records: &Records, arrived_ms: &[u64]) -> Vec<Part> {
    let limits = plugin.limits();
    let mut parts = Vec::with_capacity(1);
    let mut todo = vec![Todo { inputs: 0..records.len(), attempts: 0 }];
    let mut output_bytes = limits.output_bytes;
    let mut recovery_ends: Option<Instant> = None;
    while let Some(Todo { inputs, attempts }) = todo.pop() {
        let left = recovery_ends.map_or(limits.deadline, |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            let message = format!("{plugin} left no time: its faults in this batch took {:?}", limits.recovery);
            parts.push(Part {
                inputs,
                attempts,
                fate: Fate::Refused(FUNCTION_ERROR.into(), message, Repeatable(false)),
            });
            continue;
        }
        let call = plugin.call(stream, left.min(limits.deadline), output_bytes);
        let attempts = attempts + 1;
        match attempt(plugin, &call, stream, records, arrived_ms, inputs.clone()) {
            Ok(Verdict::KeptAll) => parts.push(Part { inputs, attempts, fate: Fate::KeptAll }),
            Ok(Verdict::Mixed(checked)) => {
                output_bytes = output_bytes.saturating_sub(checked.outputs.payload().len());
                parts.push(Part { inputs, attempts, fate: Fate::Mixed(checked) });
            }
            Err(fault) => {
                recovery_ends.get_or_insert_with(|| {
                    // Once per batch: a plugin that fails every record must not fill the log with it.
                    tracing::warn!(plugin = %plugin, stream, records = inputs.len(), "plugin failed a batch: {fault}");
                    Instant::now() + limits.recovery
                });
                plugin.metrics().faults[fault.kind()].inc();
                let lone = inputs.len() <= 1;
                match fault.again() {
                    Again::Same if lone && attempts <= retries => todo.push(Todo { inputs, attempts }),
                    Again::Same | Again::Fewer if !lone => {
                        let middle = inputs.start + inputs.len() / 2;
                        todo.push(Todo { inputs: middle..inputs.end, attempts });
                        todo.push(Todo { inputs: inputs.start..middle, attempts });
                    }
                    _ => {
                        let message = format!("{plugin} {fault}");
                        let repeatable = Repeatable(fault.is_repeatable());
                        parts.push(Part {
                            inputs,
                            attempts,
                            fate: Fate::Refused(fault.code().into(), message, repeatable),
                        });
                    }
                }
            }
        }
    }
    parts
}

/// One call over consecutive inputs.
fn attempt(
    plugin: &Plugin,
    call: &Call<'_>,
    stream: &str,
    records: &Records,
    arrived_ms: &[u64],
    inputs: Range<usize>,
) -> Result<Verdict, Fault> {
    let columns = records.columns().iter().map(|Column { name, dictionary, codes }| ColumnIn {
        name,
        dictionary,
        codes: &codes[inputs.clone()],
    });
    let columns: Vec<_> = columns.collect();
    let start = inputs.start.checked_sub(1).map_or(0, |before| records.ends()[before]);
    let end = inputs.end.checked_sub(1).map_or(0, |last| records.ends()[last]);
    let rebased: Vec<u32>;
    let ends = if start == 0 {
        &records.ends()[inputs.clone()]
    } else {
        rebased = records.ends()[inputs.clone()].iter().map(|end| end - start).collect();
        &rebased
    };
    let payload = &records.payload()[start as usize..end as usize];
    let batch =
        BatchIn { records: RecordsIn { payload, ends, columns: &columns }, arrived_ms: &arrived_ms[inputs.clone()] };
    let began = Instant::now();
    let answer = call.run(plugin.log(stream), batch);
    plugin.metrics().calls.inc();
    plugin.metrics().seconds.observe(began.elapsed().as_secs_f64());
    Ok(check(answer?, inputs.len(), plugin.limits())?)
}
