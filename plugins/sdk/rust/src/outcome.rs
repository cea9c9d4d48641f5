//! What becomes of a record. Refuses to carry the replacement: that was written to the output already.

use std::borrow::Cow;
use std::fmt::Display;

/// What becomes of one record. Every record has exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Deliver it as it is (with the keys that were set). Whatever was written to its output is discarded.
    Keep,
    /// Deliver what was written to [`crate::Record::output`] instead; an empty record if nothing was.
    Replace,
    /// Deliver nothing, on purpose.
    Drop,
    /// Send it to the error output.
    Fail {
        /// What kind of failure, for machines; empty for `Lambda.ProcessingFailedStatus`.
        code: Cow<'static, str>,
        /// For people.
        reason: Cow<'static, str>,
    },
}

impl Outcome {
    /// Sends the record to the error output. The reason is for people; do not put payload into it.
    pub fn fail(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Fail { code: Cow::Borrowed(""), reason: reason.into() }
    }

    /// The same, and says to machines what kind of failure it is: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub fn fail_with(code: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Fail { code: code.into(), reason: reason.into() }
    }
}

/// What a transform may return: an [`Outcome`], or a `Result` whose error fails the record with its text.
pub trait IntoOutcome {
    /// The outcome.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

impl<E: Display> IntoOutcome for Result<Outcome, E> {
    fn into_outcome(self) -> Outcome {
        self.unwrap_or_else(|error| Outcome::fail(error.to_string()))
    }
}
