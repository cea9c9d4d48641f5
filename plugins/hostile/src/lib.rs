//! Every way in which a guest can misbehave. The setting `do` selects one; with the setting `when`, only a batch with a
//! record that contains that text meets it. Otherwise every record is kept. The setting `bytes` says how much memory
//! the bulk operations of `spin-bulk` are about.
//!
//! The host's tests read [`BEHAVIOURS`] and fail when one is in no test. Refuses nothing.

/// Every value of the setting `do`.
pub const BEHAVIOURS: &[&str] = &[
    "abort",
    "configure-error",
    "configure-spin",
    "configure-trap",
    "crunch",
    "fail",
    "flood-log",
    "flood-output",
    "flood-reasons",
    "flood-records",
    "flood-write",
    "hoard",
    "hoard-quietly",
    "lie-code",
    "lie-column-codes",
    "lie-column-name",
    "lie-drop-and-output",
    "lie-ends-decrease",
    "lie-ends-open",
    "lie-inputs-decrease",
    "lie-inputs-missing",
    "lie-inputs-unknown",
    "lie-keep-and-output",
    "lie-outcomes-long",
    "lie-outcomes-none",
    "lie-outcomes-short",
    "lie-reason-for-kept",
    "lie-reason-unknown",
    "lie-replace-without-output",
    "log",
    "overflow-stack",
    "panic",
    "remember",
    "spin",
    "spin-bulk",
    "spin-deep",
    "split",
    "trap-late",
];

#[cfg(target_arch = "wasm32")]
mod guest;
