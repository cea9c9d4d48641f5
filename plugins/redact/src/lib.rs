//! Masks or hashes e-mail addresses, card numbers, IBANs and phone numbers in JSON and in text. What is not found stays
//! byte for byte, and JSON stays valid. Refuses to promise more than it finds: the README says what that is.

mod fields;
mod find;
mod hide;
mod settings;
mod view;

use hydrant_plugin::json::{Kind, Token, Value, Values};
use hydrant_plugin::{Batch, Context, Outcome, Plugin, Record};

use fields::{Fields, Walk};
use find::Find;
use hide::Hide;
use view::View;

/// The plugin.
#[derive(Debug)]
pub struct Redact {
    find: Find,
    hide: Hide,
    fields: Option<Fields>,
    /// Scratch, so that most records allocate nothing.
    view: View,
    found: Vec<Found>,
}

/// What is to be hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Email,
    Card,
    Iban,
    Phone,
}

/// A place in the record, and where its plain form ended up.
#[derive(Clone, Copy, Debug)]
struct Found {
    start: usize,
    end: usize,
    what: What,
    /// What hashing makes of the plain form; nothing to be masked.
    hash: Option<u64>,
}

impl Plugin for Redact {
    type Answer = Outcome;

    fn configure(context: &Context) -> Result<Self, String> {
        let (find, hide, fields) = settings::read(context)?;
        Ok(Self { find, hide, fields, view: View::default(), found: Vec::new() })
    }

    fn transform(&mut self, mut record: Record<'_>) -> Outcome {
        let data = record.data();
        self.found.clear();
        if self.json(data).is_none() {
            self.found.clear();
            self.text(data, 0);
        }
        if self.found.is_empty() {
            return Outcome::Keep;
        }
        let output = record.output();
        let mut copied = 0;
        for found in &self.found {
            output.push(data.get(copied..found.start).unwrap_or_default());
            self.hide.write(found, output);
            copied = found.end;
        }
        output.push(data.get(copied..).unwrap_or_default());
        Outcome::Replace
    }

    fn transform_batch(&mut self, batch: &mut Batch<'_>) {
        if self.find.is_idle() { batch.keep_all() } else { batch.each(|record| self.transform(record)) }
    }
}

hydrant_plugin::plugin!(type Redact);

impl Redact {
    /// Looks into the texts of a record that is JSON; nothing if it is not.
    fn json(&mut self, data: &[u8]) -> Option<()> {
        let mut values = Values::new(data);
        let mut count = 0;
        while let Some(value) = values.next() {
            let value = value.ok()?;
            // Digits with blanks between them are many numbers to JSON, and one to a reader.
            if !matches!(value.kind(), Kind::String | Kind::Array | Kind::Object) {
                return None;
            }
            self.value(value, data.len() - values.left());
            count += 1;
        }
        (count > 0).then_some(())
    }

    /// Looks into the texts of a value that ends at a place of the record.
    fn value(&mut self, value: Value<'_>, end: usize) {
        let mut walk = self.fields.as_ref().map(|_| Walk::default());
        let mut tokens = value.tokens();
        while let Some(token) = tokens.next() {
            if let (Some(walk), Some(fields)) = (&mut walk, &self.fields)
                && !walk.step(fields, token)
            {
                continue;
            }
            if let Token::Text(text) = token {
                let text_end = end - tokens.left() - 1;
                self.text(text, text_end - text.len());
            }
        }
    }

    /// Looks into a text that begins at a place of the record.
    fn text(&mut self, text: &[u8], start: usize) {
        let Self { find, hide, view, found, .. } = self;
        if !find.is_likely(text) {
            return;
        }
        let plain = view.plain(text);
        find.each(plain.bytes, |what, from, to| {
            let hash = hide.hash(what, plain.bytes.get(from..to).unwrap_or_default());
            found.push(Found { start: start + plain.origin(from), end: start + plain.origin(to), what, hash });
        });
    }
}

#[cfg(test)]
mod tests;
