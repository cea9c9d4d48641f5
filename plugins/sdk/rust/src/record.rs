//! One record, as an author sees it. Refuses to copy it.

use std::str::Utf8Error;

use crate::batch::Input;
use crate::{Context, Outcome, Output};

/// One record, and where its replacements go.
#[derive(Debug)]
pub struct Record<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) at: usize,
    pub(crate) input: &'a Input,
    pub(crate) output: &'a mut Output,
    pub(crate) context: &'a Context,
}

impl<'a> Record<'a> {
    /// Its bytes.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Its bytes as text.
    ///
    /// # Errors
    /// When they are not UTF-8; returned from a transform, it fails the record.
    pub fn text(&self) -> Result<&'a str, Utf8Error> {
        std::str::from_utf8(self.data)
    }

    /// When it arrived, milliseconds since 1970. The only clock there is.
    pub fn arrived_ms(&self) -> u64 {
        self.input.arrived_ms.get(self.at).copied().unwrap_or(0)
    }

    /// Its value in a column that an earlier processor set.
    pub fn column(&self, name: &str) -> Option<&'a str> {
        let (_, dictionary, codes) = self.input.columns.iter().find(|(known, _, _)| known == name)?;
        let code = usize::try_from(*codes.get(self.at)?).ok()?;
        dictionary.get(code.checked_sub(1)?).map(String::as_str)
    }

    /// The stream and the operator's settings.
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// Where to write what replaces it; then return [`Outcome::Replace`]. It is an [`std::io::Write`].
    pub fn output(&mut self) -> &mut Output {
        self.output
    }

    /// Sets a partition key (or, with a name beginning with `$`, a reserved column) on every output of this record that
    /// is not ended yet.
    pub fn set(&mut self, name: &str, value: &str) {
        self.output.set(name, value);
    }

    /// Replaces it by one record of these bytes.
    pub fn replace(&mut self, bytes: impl AsRef<[u8]>) -> Outcome {
        self.output.push(bytes.as_ref());
        Outcome::Replace
    }

    /// Replaces it by several records; by none at all means to drop it.
    pub fn replace_many<B: AsRef<[u8]>>(&mut self, records: impl IntoIterator<Item = B>) -> Outcome {
        let mut any = Outcome::Drop;
        for bytes in records {
            self.output.push(bytes.as_ref());
            self.output.end_record();
            any = Outcome::Replace;
        }
        any
    }
}
