//! `hydrant plugin compile`, hidden: the host's compiler, in a process of its own. Refuses to be of use to a person.

use super::super::arguments::CompilePlugin;
use super::super::{Exit, Failure};
use crate::process::plugin::compile_child;

/// A component from standard input, code to standard output.
pub(super) fn compile(asked: &CompilePlugin) -> Result<(), Failure> {
    let compiled = compile_child(asked.seconds, asked.memory_bytes);
    compiled.map_err(|error| Failure::new(error).exit(Exit::Internal))?.map_err(Failure::told)
}
