//! How a command ends: exit codes and the two lines that a failure prints. Refuses to decide what is a failure.

use std::fmt;

use crate::config::ConfigError;

/// Exit codes; a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All done; for `serve`: after a clean drain.
    Done,
    /// The command could not do its work.
    Run,
    /// The command line makes no sense.
    Usage,
    /// A fault of Hydrant itself.
    Internal,
    /// The configuration is not legal.
    Configuration,
    /// Stopped by Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Run => 1,
            Self::Usage => 64,
            Self::Internal => 70,
            Self::Configuration => 78,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// What went wrong; printed with its whole chain.
    pub error: anyhow::Error,
    /// What to do.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure at work.
    pub fn new(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Run, error: error.into(), hint: None }
    }

    /// A failure at work that is only a text.
    pub fn told(what: impl fmt::Display) -> Self {
        Self::new(anyhow::anyhow!("{what}"))
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Ends with another exit code.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Ctrl-C.
    pub fn interrupted() -> Self {
        Self::told("interrupted").exit(Exit::Interrupted)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let hint = match &error {
            ConfigError::Unreadable { .. } => "name a readable file with --config",
            ConfigError::Invalid { .. } => "repair the file, then run `hydrant check`",
        };
        Self::new(error).hint(hint).exit(Exit::Configuration)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `{:#}` prints the chain, each cause after a colon.
        write!(f, "error: {:#}", self.error)?;
        self.hint.iter().try_for_each(|hint| write!(f, "\nhint: {hint}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_prints_its_chain_and_its_hint() {
        let source = std::io::Error::other("disk on fire");
        let failure = Failure::new(anyhow::Error::new(source).context("cannot read FILE")).hint("buy another");
        assert_eq!(failure.to_string(), "error: cannot read FILE: disk on fire\nhint: buy another");
        assert_eq!(Failure::interrupted().to_string(), "error: interrupted");
    }

    #[test]
    fn exit_codes_are_the_promised_ones() {
        let codes = [Exit::Done, Exit::Run, Exit::Usage, Exit::Internal, Exit::Configuration, Exit::Interrupted];
        assert_eq!(codes.map(Exit::code), [0, 1, 64, 70, 78, 130]);
    }
}
