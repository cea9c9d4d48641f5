//! What can go wrong in a call: data about a guest, never an error of the host.

use wasmtime::Trap;

use super::answer::Lie;
use super::wasi::Denied;

/// Why a call gave no answer that can be believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("trapped: {0}")]
    Trapped(String),
    #[error("took longer than its {0} ms")]
    Deadline(u128),
    #[error("needed more than its {bytes} bytes of memory or {elements} table elements")]
    Memory { bytes: usize, elements: usize },
    #[error("answered with more than {0} bytes")]
    Output(usize),
    #[error("refused its configuration: {0}")]
    Configure(String),
    #[error("answered nonsense: {0}")]
    Lie(#[from] Lie),
    #[error("could not be called: {0}")]
    Call(String),
    #[error("made the host panic")]
    HostPanic,
}

/// Whether trying again, whole or in parts, can end differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// It does not depend on the records.
    Never,
    /// Fewer records may succeed, the same ones will not.
    Fewer,
    /// The same records may succeed on a machine that is less busy.
    Same,
}

impl Fault {
    /// Firehose's code for records that failed by it.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Lie(lie) => lie.code(),
            _ => FUNCTION_ERROR,
        }
    }

    /// Place of its kind in [`FAULT_KINDS`](crate::telemetry::FAULT_KINDS).
    pub(super) fn kind(&self) -> usize {
        match self {
            Self::Trapped(_) => 0,
            Self::Deadline(_) => 1,
            Self::Memory { .. } => 2,
            Self::Output(_) => 3,
            Self::Configure(_) => 4,
            Self::Lie(_) => 5,
            Self::Call(_) => 6,
            Self::HostPanic => 7,
        }
    }

    /// Whether the same record, given again with others or on a busier machine, is certain to fail in the same way.
    /// Where it is not, the record's end must be noted before anything is sealed beyond it.
    pub(super) fn is_repeatable(&self) -> bool {
        match self {
            Self::Trapped(_) | Self::Memory { .. } | Self::Lie(_) => true,
            Self::Deadline(_) | Self::Output(_) | Self::Configure(_) | Self::Call(_) | Self::HostPanic => false,
        }
    }

    /// Whether to try again.
    pub(super) fn again(&self) -> Again {
        match self {
            Self::Configure(_) => Again::Never,
            Self::Deadline(_) | Self::Call(_) => Again::Same,
            Self::Trapped(_) | Self::Memory { .. } | Self::Output(_) | Self::Lie(_) | Self::HostPanic => Again::Fewer,
        }
    }

    /// What an error of the engine means, the limiter having denied nothing.
    pub(super) fn from_engine(error: &wasmtime::Error, deadline_ms: u128, output_bytes: usize) -> Self {
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Self::Deadline(deadline_ms),
            Some(trap) => Self::Trapped(trap.to_string()),
            // The engine's error for it has no public type.
            None if error.chain().any(|cause| cause.to_string().contains("fuel allocated for hostcalls")) => {
                Self::Output(output_bytes)
            }
            None => match error.downcast_ref::<Denied>() {
                Some(denied) => Self::Trapped(denied.to_string()),
                None => error.chain().find_map(|cause| unknown_import(&cause.to_string())).map_or_else(
                    || Self::Call(format!("{error:#}")),
                    |import| Self::Trapped(format!("called {import}, which plugins do not get")),
                ),
            },
        }
    }
}

/// The import that the engine says is not there: again an error without a public type.
fn unknown_import(message: &str) -> Option<String> {
    let (import, _) = message.strip_prefix("unknown import: `")?.split_once('`')?;
    Some(import.to_owned())
}

/// The call failed.
pub(super) const FUNCTION_ERROR: &str = "Lambda.FunctionError";
/// An input has no outcome.
pub(super) const MISSING: &str = "Lambda.MissingRecordId";
/// An outcome makes no sense.
pub(super) const INVALID: &str = "Lambda.InvalidReturnFormat";
/// The plugin failed the record.
pub(super) const FAILED: &str = "Lambda.ProcessingFailedStatus";
