//! One value of a checked text, typed when it is asked for. Refuses to convert: a number in quotes is a text.

use std::borrow::Cow;

use super::object::Object;
use super::scan::{self, DEPTH, Invalid, Problem, Scan, Wrong};
use super::text;
use super::tokens::Tokens;

/// One value, as it stands in the record.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    raw: &'a [u8],
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number of any size.
    Number,
    /// A text.
    String,
    /// Values in brackets.
    Array,
    /// Members in braces.
    Object,
}

impl<'a> Value<'a> {
    /// Checks a text that is one value, with blanks around it or not.
    ///
    /// # Errors
    /// Where it is no JSON.
    pub fn parse(data: &'a [u8]) -> Result<Self, Invalid> {
        scan::check_text(data)?;
        let wrong = |wrong: Wrong| wrong.within(data);
        let mut scan = Scan::new(data);
        scan.blanks();
        let value = Self::next(&mut scan).map_err(wrong)?;
        scan.blanks();
        if scan.rest.is_empty() { Ok(value) } else { scan.wrong(Problem::Rest).map_err(wrong) }
    }

    /// Steps over a value.
    fn next(scan: &mut Scan<'a>) -> Result<Self, Wrong> {
        let start = scan.rest;
        scan.value(DEPTH)?;
        Ok(Self { raw: start.get(..start.len() - scan.rest.len()).unwrap_or_default() })
    }

    pub(super) fn checked(raw: &'a [u8]) -> Self {
        Self { raw }
    }

    /// Its bytes as they stand in the record; a text has its quotes and escapes.
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        match self.raw.first() {
            Some(b'"') => Kind::String,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// True for `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The text of a string; allocates only to undo escapes.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        self.quoted().map(text::unescape)
    }

    /// `true` or `false`.
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.raw == b"true")
    }

    /// A number; one beyond what a double holds is infinite.
    pub fn as_f64(self) -> Option<f64> {
        self.number()?.parse().ok()
    }

    /// A number that is written as an integer and fits.
    pub fn as_i64(self) -> Option<i64> {
        self.number()?.parse().ok()
    }

    /// A number that is written as an integer, is not negative and fits.
    pub fn as_u64(self) -> Option<u64> {
        self.number()?.parse().ok()
    }

    /// An object, to look into.
    pub fn as_object(self) -> Option<Object<'a>> {
        // Short of the limit by what is around it, so it cannot be too deep.
        if self.kind() == Kind::Object { Object::parse_checked(self.raw).ok() } else { None }
    }

    /// An array, to walk through.
    pub fn as_array(self) -> Option<Items<'a>> {
        (self.kind() == Kind::Array).then(|| Items { scan: Scan::new(self.raw.get(1..).unwrap_or_default()) })
    }

    /// The member at a path of names.
    pub fn path(self, path: &[impl AsRef<str>]) -> Option<Self> {
        path.iter().try_fold(self, |value, name| value.as_object()?.get(name.as_ref()))
    }

    /// Everything within, in order.
    pub fn tokens(self) -> Tokens<'a> {
        Tokens::new(self.raw)
    }

    /// What is within a string's quotes, escapes and all.
    pub fn quoted(self) -> Option<&'a [u8]> {
        self.raw.strip_prefix(b"\"")?.strip_suffix(b"\"")
    }

    fn number(self) -> Option<&'a str> {
        if self.kind() == Kind::Number { std::str::from_utf8(self.raw).ok() } else { None }
    }
}

/// True for a string with this text.
impl PartialEq<str> for Value<'_> {
    #[inline]
    fn eq(&self, text: &str) -> bool {
        let Some(quoted) = self.quoted() else { return false };
        // Escapes make a string longer than its text.
        quoted.len() >= text.len()
            && if quoted.contains(&b'\\') { text::unescape(quoted) == text } else { quoted == text.as_bytes() }
    }
}

impl PartialEq<&str> for Value<'_> {
    #[inline]
    fn eq(&self, text: &&str) -> bool {
        *self == **text
    }
}

/// The values of an array, in order.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    scan: Scan<'a>,
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.scan.blanks();
        if self.scan.peek() == Some(b',') {
            self.scan.step();
            self.scan.blanks();
        }
        if self.scan.peek() == Some(b']') { None } else { Value::next(&mut self.scan).ok() }
    }
}

/// The values of a text that holds any number of them one after the other, with blanks between them or not. An error
/// is the last item.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    data: &'a [u8],
    scan: Scan<'a>,
    wrong: Option<Invalid>,
}

impl<'a> Values<'a> {
    /// Looks at a text.
    pub fn new(data: &'a [u8]) -> Self {
        Self { data, scan: Scan::new(data), wrong: scan::check_text(data).err() }
    }

    /// How many bytes of the text are behind the last value.
    pub fn left(&self) -> usize {
        self.scan.rest.len()
    }

    fn one(&mut self) -> Result<Value<'a>, Wrong> {
        let value = Value::next(&mut self.scan)?;
        // `1.5.2` or `truefalse` is not two values.
        let is_open = !matches!(value.kind(), Kind::String | Kind::Array | Kind::Object);
        if is_open && !matches!(self.scan.peek(), None | Some(b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'{' | b'[')) {
            return self.scan.wrong(Problem::Rest);
        }
        Ok(value)
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Result<Value<'a>, Invalid>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = match self.wrong.take() {
            Some(wrong) => Err(wrong),
            None => {
                self.scan.blanks();
                self.scan.peek()?;
                self.one().map_err(|wrong| wrong.within(self.data))
            }
        };
        if next.is_err() {
            self.scan.rest = &[];
        }
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_typed_when_asked_for() {
        let value = |text: &'static str| Value::parse(text.as_bytes()).unwrap();
        assert_eq!(value(" null ").kind(), Kind::Null);
        assert_eq!((value("true").as_bool(), value("false").as_bool()), (Some(true), Some(false)));
        assert_eq!((value("-0.5e1").as_f64(), value("1e400").as_f64()), (Some(-5.0), Some(f64::INFINITY)));
        assert_eq!((value("-7").as_i64(), value("-7").as_u64(), value("7.0").as_i64()), (Some(-7), None, None));
        assert_eq!(value(r#""7""#).as_i64(), None);
        assert_eq!(value(r#""a\u0062""#).as_str().unwrap(), "ab");
        assert!(value(r#""a\u0062""#) == "ab" && value(r#""ab""#) == "ab" && value(r#""ab""#) != "a");
        assert!(value("7") != "7");
        let items: Vec<_> = value(r#"[ 1 , [2,3] ,"x" ]"#).as_array().unwrap().map(Value::raw).collect();
        assert_eq!(items, [&b"1"[..], b"[2,3]", b"\"x\""]);
        assert_eq!(value("[]").as_array().unwrap().count(), 0);
        assert_eq!(value(r#"{"a":{"b":[{"c":1}]}}"#).path(&["a", "b"]).unwrap().raw(), br#"[{"c":1}]"#);
        assert!(value(r#"{"a":1}"#).path(&["a", "b"]).is_none());
    }

    #[test]
    fn several_values_follow_one_another() {
        let all = |text: &'static str| {
            let found: Result<Vec<_>, _> = Values::new(text.as_bytes()).collect();
            found.map(|found| found.into_iter().map(Value::raw).collect::<Vec<_>>())
        };
        assert_eq!(all(r#"{"a":1}{} [2]"x"1 null"#).unwrap().len(), 6);
        assert_eq!(all("1{}").unwrap().len(), 2);
        assert!(all(" \r\n ").unwrap().is_empty());
        assert_eq!(all("1.5.2").unwrap_err().offset(), 3);
        assert_eq!(all("truefalse").unwrap_err().offset(), 4);
        assert_eq!(all("{} x").unwrap_err().offset(), 3);
        assert_eq!(Values::new(b"\"\xff\"").next().unwrap().unwrap_err().offset(), 1);
    }
}
