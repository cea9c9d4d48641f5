//! Changes of an object's members, collected; [`super::splice`] writes them. Refuses to apply them one by one.

use std::borrow::Cow;
use std::io::{self, Write};

use super::compact::compact_raw;
use super::object::Object;
use super::splice::{Scope, copy};
use super::text;
use super::value::Value;
use crate::Output;

/// Changes of an object's members.
///
/// A member that exists keeps its place, a new one goes to the end. Of several changes of one member the last counts; a
/// change within a value that the same edit sets replaces that value.
#[derive(Clone, Debug)]
pub struct Edit<'a, 'e> {
    object: &'e Object<'a>,
    first: [Option<Change<'e>>; BESIDE],
    more: Vec<Change<'e>>,
    /// Whether every change so far sets a member that was not there: the usual case, and the cheapest.
    is_appending: bool,
}

/// Changes that need no allocation.
const BESIDE: usize = 2;

/// A value to set.
#[derive(Clone, Debug, PartialEq)]
pub enum New<'v> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Signed(i64),
    /// An integer that is not negative.
    Unsigned(u64),
    /// A number; `null` if it is infinite or none, which JSON cannot say.
    Float(f64),
    /// A text, escaped when it is written.
    Text(Cow<'v, str>),
    /// A value as it stands in a record.
    Value(&'v [u8]),
}

#[derive(Clone, Debug)]
pub(super) struct Change<'e> {
    pub(super) path: Path<'e>,
    /// Nothing removes the member.
    pub(super) value: Option<New<'e>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Path<'e> {
    Name(&'e str),
    Names(&'e [&'e str]),
}

impl<'e> Path<'e> {
    pub(super) fn names(&self) -> &[&'e str] {
        match self {
            Self::Name(name) => std::slice::from_ref(name),
            Self::Names(names) => names,
        }
    }
}

impl<'a, 'e> Edit<'a, 'e> {
    pub(super) fn new(object: &'e Object<'a>) -> Self {
        Self { object, first: [const { None }; BESIDE], more: Vec::new(), is_appending: true }
    }

    /// Sets a member.
    pub fn set(&mut self, name: &'e str, value: impl Into<New<'e>>) -> &mut Self {
        self.push(Change { path: Path::Name(name), value: Some(value.into()) })
    }

    /// Sets the member at a path; objects on the way that are missing, or are none, are made. An empty path is nothing.
    pub fn set_path(&mut self, path: &'e [&'e str], value: impl Into<New<'e>>) -> &mut Self {
        self.push(Change { path: Path::Names(path), value: Some(value.into()) })
    }

    /// Removes a member, if it is there.
    pub fn remove(&mut self, name: &'e str) -> &mut Self {
        self.push(Change { path: Path::Name(name), value: None })
    }

    /// Removes the member at a path, if it is there.
    pub fn remove_path(&mut self, path: &'e [&'e str]) -> &mut Self {
        self.push(Change { path: Path::Names(path), value: None })
    }

    /// Writes the record with the changes; blanks stay.
    pub fn write(&self, output: &mut Output) {
        self.write_to(output).unwrap_or_default(); // an output has no errors
    }

    /// Writes the object with the changes, without blanks between tokens or around it.
    pub fn write_compact(&self, output: &mut Output) {
        let Object { data, open, last_end, is_spaced, .. } = *self.object;
        if !is_spaced {
            return self.write_changed(output).unwrap_or_default();
        }
        if self.is_appending {
            compact_raw(data.get(open..last_end).unwrap_or_default(), output).unwrap_or_default();
            self.append_members(output).unwrap_or_default();
            return output.push(b"}");
        }
        let mut spaced = Vec::with_capacity(self.object.data.len() + 64);
        self.write_changed(&mut spaced).unwrap_or_default();
        compact_raw(&spaced, output).unwrap_or_default();
    }

    /// Writes the record with the changes; blanks stay.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_to(&self, mut output: impl Write) -> io::Result<()> {
        let Object { data, open, close, .. } = *self.object;
        if open > 0 {
            copy(data, 0, open, &mut output)?;
        }
        self.write_changed(&mut output)?;
        if close + 1 < data.len() { copy(data, close + 1, data.len(), &mut output) } else { Ok(()) }
    }

    /// The object, without what is around it.
    fn write_changed<W: Write>(&self, output: &mut W) -> io::Result<()> {
        if self.is_appending { self.append(output) } else { self.write_object(self.object, Scope::WHOLE, output) }
    }

    /// All changes, in the order in which they were asked for.
    pub(super) fn all(&self) -> impl Iterator<Item = &Change<'e>> {
        self.first.iter().flatten().chain(&self.more)
    }

    /// Writes the object when every change adds a member.
    fn append<W: Write>(&self, output: &mut W) -> io::Result<()> {
        let Object { data, open, close, last_end, .. } = *self.object;
        copy(data, open, last_end, output)?;
        self.append_members(output)?;
        copy(data, last_end, close + 1, output)
    }

    fn append_members<W: Write>(&self, output: &mut W) -> io::Result<()> {
        let mut before: &[u8] = if self.object.is_empty() { b"\"" } else { b",\"" };
        for change in self.all() {
            let (Path::Name(name), Some(value)) = (change.path, &change.value) else { continue };
            output.write_all(before)?;
            text::write_escaped(name, output)?;
            if let New::Text(text) = value {
                output.write_all(b"\":\"")?;
                text::write_escaped(text, output)?;
                output.write_all(b"\"")?;
            } else {
                output.write_all(b"\":")?;
                value.write_to(output)?;
            }
            before = b",\"";
        }
        Ok(())
    }

    fn push(&mut self, change: Change<'e>) -> &mut Self {
        self.is_appending &= match (change.path, &change.value) {
            (Path::Name(name), Some(_)) => {
                let is_new = |other: &Change<'_>| other.path.names() != [name];
                self.object.find(name).is_none() && self.all().all(is_new)
            }
            _ => false,
        };
        match self.first.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(change),
            None => self.more.push(change),
        }
        self
    }
}

impl New<'_> {
    pub(super) fn write_to<W: Write>(&self, output: &mut W) -> io::Result<()> {
        match self {
            Self::Null => output.write_all(b"null"),
            Self::Bool(true) => output.write_all(b"true"),
            Self::Bool(false) => output.write_all(b"false"),
            Self::Signed(number) => write!(output, "{number}"),
            Self::Unsigned(number) => write!(output, "{number}"),
            // The debug form has an exponent where the other one would have hundreds of zeros.
            Self::Float(number) if number.is_finite() => write!(output, "{number:?}"),
            Self::Float(_) => output.write_all(b"null"),
            Self::Text(text) => text::write_text(text, output),
            Self::Value(raw) => output.write_all(raw),
        }
    }
}

macro_rules! new_from {
    ($($type:ty => $value:ident => $new:expr),* $(,)?) => {
        $(impl<'v> From<$type> for New<'v> {
            fn from($value: $type) -> Self {
                $new
            }
        })*
    };
}

new_from! {
    bool => value => Self::Bool(value),
    i32 => value => Self::Signed(value.into()),
    i64 => value => Self::Signed(value),
    u32 => value => Self::Unsigned(value.into()),
    u64 => value => Self::Unsigned(value),
    f64 => value => Self::Float(value),
    &'v str => value => Self::Text(Cow::Borrowed(value)),
    &'v String => value => Self::Text(Cow::Borrowed(value)),
    String => value => Self::Text(Cow::Owned(value)),
    Cow<'v, str> => value => Self::Text(value),
    Value<'v> => value => Self::Value(value.raw()),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, change: impl for<'x, 'o> FnOnce(&'x mut Edit<'o, 'o>) -> &'x mut Edit<'o, 'o>) -> String {
        let object = Object::parse(text.as_bytes()).unwrap();
        let mut edit = object.edit();
        change(&mut edit);
        let mut written = Vec::new();
        edit.write_to(&mut written).unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn what_is_not_changed_stays_byte_for_byte() {
        let text = " {\n \"a\" : 1.00 , \"b\":\"x\", \"c\":[ ] } \n";
        assert_eq!(edited(text, |edit| edit), text);
        let set = edited(text, |edit| edit.set("b", "\"é").set("d", true));
        assert_eq!(set, " {\n \"a\" : 1.00 , \"b\":\"\\\"é\", \"c\":[ ],\"d\":true } \n");
        assert_eq!(edited(text, |edit| edit.remove("a")), " {\"b\":\"x\", \"c\":[ ] } \n");
        assert_eq!(edited(text, |edit| edit.remove("b")), " {\n \"a\" : 1.00, \"c\":[ ] } \n");
        assert_eq!(edited(text, |edit| edit.remove("c")), " {\n \"a\" : 1.00 , \"b\":\"x\" } \n");
        let all = edited(text, |edit| edit.remove("a").remove("c").remove("b").remove("?"));
        assert_eq!(all, " { } \n");
        let other = edited(text, |edit| edit.remove("a").remove("c").remove("b").set("d", 1));
        assert_eq!(other, " {\"d\":1 } \n");
        assert_eq!(edited("{}", |edit| edit.set("a", 1).set("b", 2)), r#"{"a":1,"b":2}"#);
    }

    #[test]
    fn values_of_every_type_are_written() {
        let value = Value::parse(b"[1, 2]").unwrap();
        let all = edited("{}", |edit| {
            edit.set("a", New::Null).set("b", -1_i64).set("c", u64::MAX).set("d", 0.1).set("e", 1e300);
            edit.set("f", f64::NAN).set("g", String::from("\n")).set("h\"", value).set("i", false)
        });
        let expected =
            r#"{"a":null,"b":-1,"c":18446744073709551615,"d":0.1,"e":1e300,"f":null,"g":"\n","h\"":[1, 2],"i":false}"#;
        assert_eq!(all, expected);
    }

    #[test]
    fn paths_are_made_where_they_are_missing() {
        let text = r#"{"a":{"b":{"c":1,"d":2}},"n":7}"#;
        let set = edited(text, |edit| {
            edit.set_path(&["a", "b", "c"], 9).set_path(&["a", "x", "y"], 8).set_path(&["n", "z"], 6);
            edit.remove_path(&["a", "b", "d"]).remove_path(&["q", "r"]).set_path(&[], 5)
        });
        assert_eq!(set, r#"{"a":{"b":{"c":9},"x":{"y":8}},"n":{"z":6}}"#);
        assert_eq!(edited(text, |edit| edit.remove_path(&["n", "z"])), text);
    }

    #[test]
    fn of_several_changes_the_last_counts() {
        let text = r#"{"a":1,"b":2}"#;
        assert_eq!(edited(text, |edit| edit.set("a", 3).set("a", 4)), r#"{"a":4,"b":2}"#);
        assert_eq!(edited(text, |edit| edit.remove("a").set("a", 4)), r#"{"a":4,"b":2}"#);
        assert_eq!(edited(text, |edit| edit.set("c", 4).remove("c")), text);
        let within = edited(text, |edit| {
            edit.set_path(&["a", "lost"], 1).set("a", 2).set_path(&["a", "x"], 3).remove_path(&["b", "y"])
        });
        assert_eq!(within, r#"{"a":{"x":3},"b":2}"#);
        let settled = edited(text, |edit| edit.set_path(&["a", "x"], 3).set("a", 5).remove_path(&["a", "x"]));
        assert_eq!(settled, r#"{"a":5,"b":2}"#);
    }

    #[test]
    fn of_several_members_with_one_name_the_last_is_changed_and_the_others_go() {
        let text = r#"{"a":1,"b":2,"\u0061":3}"#;
        assert_eq!(edited(text, |edit| edit.set("a", 4)), r#"{"b":2,"\u0061":4}"#);
        assert_eq!(edited(text, |edit| edit.remove("a")), r#"{"b":2}"#);
        assert_eq!(edited(text, |edit| edit.set("b", 4)), r#"{"a":1,"b":4,"\u0061":3}"#);
    }

    #[test]
    fn compact_drops_blanks() {
        let compacted = |text: &'static str| {
            let transform = |mut record: crate::Record<'_>| {
                let object = Object::parse(record.data()).unwrap();
                object.edit().set("b", "x y").write_compact(record.output());
                crate::Outcome::Replace
            };
            crate::testing::run(transform, &[text])[0].text()
        };
        assert_eq!(compacted(" { \"a\" : [ 1 ] } \n"), [r#"{"a":[1],"b":"x y"}"#]);
        assert_eq!(compacted(r#"{"a":[1]}"#), [r#"{"a":[1],"b":"x y"}"#]);
    }
}
