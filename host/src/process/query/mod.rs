//! `MetadataExtraction`: partition keys by a jq 1.6 program.
//!
//! | file | what it does |
//! |---|---|
//! | `program` | compiles a program, and says what is wrong with it |
//! | `extract` | runs it over records, and makes columns of what it says |
//! | `plain` | the same for programs that only look at members, without running them |
//! | `meter` | what a run may use up |
//! | `value`, `ops`, `reckon` | JSON with jq's rules |
//! | `funs`, `regexes` | the functions |
//!
//! The language is that of the `jaq` crates: parser, compiler, interpreter and most functions. The values are ours, so that
//! every one is counted before it is made, and reckoning is as in jq 1.6.
//!
//! **What bounds a program.** Steps by the record's length, memory, texts, depth and stack (see [`meter`]); a run that
//! reaches one fails its record, the same in every replay. A program that says more than one thing of a record is not asked
//! for a third.
//!
//! **What bounds it not.** One call of a function of the library is one step, however long its texts are, and a text has up
//! to 1 MiB or the record's length: sorting, escaping and formatting such texts takes milliseconds a call. A regular
//! expression of the largest size takes microseconds a byte, and is counted as one step a byte.
//!
//! **Where it is not jq 1.6.** Numbers without a fraction are exact up to 64 bits. Left out are `now`, `env`, `$ENV`,
//! `input`, `inputs`, `debug`, `stderr`, `halt`, `halt_error`, `input_filename`, `$__loc__`, `import` and `include`;
//! `localtime` and `strflocaltime` are in UTC, and times beyond the year 9999 fail. `strptime` and `strftime` know the
//! directives of `jiff`. Regular expressions have no look-around and no references back, and groups that took no part are
//! left out of `captures`. Definitions that take filters do not call themselves. Messages of errors that a program catches
//! are worded otherwise. A record that is no UTF-8, nests deeper than 128 or holds several documents fails. What later
//! versions added is there (`trim`, `abs`, `pick`, `if` without `else`, …). The tests have the idioms.
//!
//! Refuses to answer differently for the same record: neither time nor place nor what was run before is asked.

mod extract;
mod funs;
mod meter;
mod ops;
mod plain;
mod program;
mod reckon;
mod regexes;
mod value;

#[cfg(test)]
mod tests;

pub(super) use extract::Query;
pub use program::{QueryError, check_query};

use program::Kind;
