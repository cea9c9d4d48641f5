//! An object whose text was checked whole, and where its first members are. Refuses to remember more than a few of them: the
//! rest is walked through again when it is asked for.

use std::cell::Cell;
use std::mem;

use super::edit::Edit;
use super::scan::{self, DEPTH, Invalid, Problem, Scan, Wrong};
use super::text;
use super::value::Value;

/// Members whose places are remembered; log records and readings rarely have more.
const REMEMBERED: usize = 16;

/// A JSON object.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    /// The text, with blanks around the object.
    pub(super) data: &'a [u8],
    /// The opening brace.
    pub(super) open: usize,
    /// The closing brace.
    pub(super) close: usize,
    /// Behind the last member.
    pub(super) last_end: usize,
    /// Whether blanks stand between tokens.
    pub(super) is_spaced: bool,
    count: usize,
    members: Remembered,
}

/// Where an object's first members are, in room that its thread keeps for the next one: an array beside the object would be
/// moved whenever that is, and in a guest each move of more than a few words is a call of the host.
#[derive(Clone, Debug)]
struct Remembered(Vec<Member>);

thread_local! {
    static SPARE: Cell<Vec<Member>> = const { Cell::new(Vec::new()) };
}

impl Remembered {
    fn empty() -> Self {
        let mut members = SPARE.try_with(Cell::take).unwrap_or_default();
        members.clear();
        members.reserve(REMEMBERED);
        Self(members)
    }
}

impl Drop for Remembered {
    fn drop(&mut self) {
        // Only a thread that ends keeps nothing.
        SPARE.try_with(|spare| spare.set(mem::take(&mut self.0))).unwrap_or_default();
    }
}

/// Where a member is. Texts are shorter than 2 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Behind the name's opening quote.
    key: u32,
    /// The name's closing quote, and [`ESCAPED`].
    key_end: u32,
    value: u32,
    end: u32,
}

/// Whether a name holds a backslash.
const ESCAPED: u32 = 1 << 31;

impl<'a> Object<'a> {
    /// Checks a text that is one object, with blanks around it or not.
    ///
    /// # Errors
    /// Where it is no JSON, or that it is none but no object.
    #[inline]
    pub fn parse(data: &'a [u8]) -> Result<Self, Invalid> {
        scan::check_text(data)?;
        Self::parse_checked(data)
    }

    /// The same for a text that is known to be UTF-8 of a fair length.
    #[inline]
    pub(super) fn parse_checked(data: &'a [u8]) -> Result<Self, Invalid> {
        let members = Remembered::empty();
        let mut object = Self { data, open: 0, close: 0, last_end: 0, is_spaced: false, count: 0, members };
        match object.read() {
            Ok(()) => Ok(object),
            Err(wrong) => Err(wrong.within(data)),
        }
    }

    #[inline(never)]
    fn read(&mut self) -> Result<(), Wrong> {
        let length = self.data.len();
        let mut scan = Scan::new(self.data);
        scan.blanks();
        if scan.peek() != Some(b'{') {
            scan.value(DEPTH)?;
            scan.blanks();
            return scan.wrong(if scan.rest.is_empty() { Problem::NoObject } else { Problem::Rest });
        }
        self.open = length - scan.rest.len();
        let mut last_end = self.open + 1;
        let mut count = 0;
        scan = Scan::new(scan.rest);
        scan.step();
        scan.blanks();
        if scan.peek() != Some(b'}') {
            loop {
                let member = Member::scan(&mut scan, length)?;
                if count < REMEMBERED {
                    self.members.0.push(member);
                }
                count += 1;
                last_end = member.end();
                scan.blanks();
                match scan.peek() {
                    Some(b',') => scan.step(),
                    Some(b'}') => break,
                    _ => return scan.wrong(Problem::CommaOrBrace),
                }
                scan.blanks();
            }
        }
        (self.count, self.last_end, self.close) = (count, last_end, length - scan.rest.len());
        self.is_spaced = scan.spaces > 0;
        scan.step();
        scan.blanks();
        if scan.rest.is_empty() { Ok(()) } else { scan.wrong(Problem::Rest) }
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.count
    }

    /// True when there is no member.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The value of the member with this name; of several, of the last.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.find(name).map(|member| member.value(self.data))
    }

    /// The value at a path of names, through objects.
    pub fn path(&self, path: &[impl AsRef<str>]) -> Option<Value<'a>> {
        let (first, rest) = path.split_first()?;
        self.get(first.as_ref())?.path(rest)
    }

    /// Names and values, in order.
    pub fn members(&self) -> Members<'a, '_> {
        Members { places: self.places() }
    }

    /// Begins a change of some members.
    pub fn edit<'e>(&'e self) -> Edit<'a, 'e> {
        Edit::new(self)
    }

    pub(super) fn find(&self, name: &str) -> Option<Member> {
        if self.count > REMEMBERED {
            return self.places().filter(|member| member.is_named(self.data, name)).last();
        }
        self.members.0.iter().rev().find(|member| member.is_named(self.data, name)).copied()
    }

    /// The places of all members, in order.
    pub(super) fn places(&self) -> Places<'a, '_> {
        Places { object: self, next: 0, end: 0 }
    }
}

impl Member {
    /// Steps over a member of a text of some length.
    #[inline(always)]
    fn scan(scan: &mut Scan<'_>, length: usize) -> Result<Self, Wrong> {
        let key = place(length - scan.rest.len()) + 1;
        let name = scan.key()?;
        let key_end = place(length - name.left) - 1;
        let value = place(length - scan.rest.len());
        scan.value(DEPTH - 1)?;
        let escaped = if name.is_escaped { ESCAPED } else { 0 };
        Ok(Self { key, key_end: key_end | escaped, value, end: place(length - scan.rest.len()) })
    }

    #[inline]
    pub(super) fn is_named(&self, data: &[u8], name: &str) -> bool {
        if self.key_end & ESCAPED == 0 {
            // Lengths differ most of the time.
            return (self.key_end - self.key) as usize == name.len() && self.key(data) == name.as_bytes();
        }
        text::unescape(self.key(data)) == name
    }

    /// The name, escapes and all.
    fn key<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        data.get(self.key as usize..self.key_end()).unwrap_or_default()
    }

    fn key_end(&self) -> usize {
        (self.key_end & !ESCAPED) as usize
    }

    /// The name's opening quote.
    pub(super) fn start(&self) -> usize {
        self.key as usize - 1
    }

    pub(super) fn value_start(&self) -> usize {
        self.value as usize
    }

    pub(super) fn end(&self) -> usize {
        self.end as usize
    }

    pub(super) fn value<'a>(&self, data: &'a [u8]) -> Value<'a> {
        Value::checked(data.get(self.value as usize..self.end as usize).unwrap_or_default())
    }
}

/// Longer texts were refused.
#[expect(clippy::cast_possible_truncation, reason = "every text is shorter than 2 GiB")]
fn place(at: usize) -> u32 {
    at as u32
}

/// The places of an object's members: those remembered, then those found again.
#[derive(Clone, Debug)]
pub(super) struct Places<'a, 'o> {
    object: &'o Object<'a>,
    next: usize,
    /// Behind the member before.
    end: usize,
}

impl Iterator for Places<'_, '_> {
    type Item = Member;

    #[inline]
    fn next(&mut self) -> Option<Member> {
        if self.next >= self.object.count {
            return None;
        }
        let remembered = self.object.members.0.get(self.next).copied();
        self.next += 1;
        let member = remembered.or_else(|| self.find_again())?;
        self.end = member.end();
        Some(member)
    }
}

impl Places<'_, '_> {
    fn find_again(&self) -> Option<Member> {
        let data = self.object.data;
        let mut scan = Scan::new(data.get(self.end..)?);
        scan.blanks();
        scan.step(); // the comma
        scan.blanks();
        Member::scan(&mut scan, data.len()).ok()
    }
}

/// Names and values of an object, in order.
#[derive(Clone, Debug)]
pub struct Members<'a, 'o> {
    places: Places<'a, 'o>,
}

impl<'a> Iterator for Members<'a, '_> {
    /// The name as a value, so that its text is read like any other, and the value.
    type Item = (Value<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let member = self.places.next()?;
        let data = self.places.object.data;
        let name = data.get(member.start()..=member.key_end()).unwrap_or_default();
        Some((Value::checked(name), member.value(data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_wherever_they_are() {
        let names: Vec<String> = (0..40).map(|at| format!("n{at}")).collect();
        let text: Vec<String> = names.iter().map(|name| format!(" \"{name}\" : [\"{name}\"] ")).collect();
        let text = format!(" {{{}}} \n", text.join(","));
        let object = Object::parse(text.as_bytes()).unwrap();
        assert_eq!(object.len(), 40);
        for name in &names {
            assert_eq!(object.get(name).unwrap().raw(), format!("[\"{name}\"]").as_bytes());
        }
        let found: Vec<String> = object.members().map(|(name, _)| name.as_str().unwrap().into_owned()).collect();
        assert_eq!(found, names);
        assert!(object.get("n40").is_none() && object.get("").is_none());
    }

    #[test]
    fn a_name_may_be_escaped_and_the_last_of_several_counts() {
        let object = Object::parse(br#"{"le\u0076el":1,"b":2,"level":3,"\"":4}"#).unwrap();
        assert_eq!(object.get("level").unwrap().as_i64(), Some(3));
        assert_eq!(object.get("\"").unwrap().as_i64(), Some(4));
        let object = Object::parse(br#"{"le\u0076el":1}"#).unwrap();
        assert_eq!(object.get("level").unwrap().as_i64(), Some(1));
        assert!(object.get(r"le\u0076el").is_none());
    }

    #[test]
    fn what_is_no_object_says_so() {
        let refused = |text: &str| Object::parse(text.as_bytes()).unwrap_err();
        for text in ["[1]", "7", " \"x\" ", "null"] {
            assert!(refused(text).is_no_object(), "{text}");
        }
        let table = [
            ("", 0, "a value"),
            ("{", 1, "a name"),
            ("{}x", 2, "more follows"),
            ("{\"a\"}", 4, "a colon"),
            ("{\"a\":}", 5, "a value"),
            ("{\"a\":1,}", 7, "a name"),
            ("{\"a\":01}", 6, "closing brace"),
            ("{\"a\":[1,]}", 8, "a value"),
            ("{\"a\":[1}", 7, "closing bracket"),
            ("{\"a\":{\"b\":1]}", 11, "closing brace"),
            ("{\"a\":-}", 6, "a digit"),
            ("{\"a\":1.e1}", 7, "a digit"),
            ("{\"a\":tru}", 5, "a value"),
            ("{\"a\":\"\\x\"}", 6, "escape"),
            ("{\"a\":\"\\u00g0\"}", 6, "escape"),
            ("{\"a\":\"\n\"}", 6, "control"),
            ("{\"a\":\"b}", 8, "no end"),
            ("{\"a\":NaN}", 5, "a value"),
            ("\u{feff}{}", 0, "a value"),
        ];
        for (text, offset, said) in table {
            let refused = refused(text);
            assert_eq!(refused.offset(), offset, "{text}");
            assert!(refused.to_string().contains(said) && !refused.is_no_object(), "{text}: {refused}");
        }
        assert_eq!(Object::parse(b"{\"\xff\":1}").unwrap_err().offset(), 2);
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(Object::parse(nested(DEPTH as usize).as_bytes()).is_ok());
        let refused = Object::parse(nested(DEPTH as usize + 1).as_bytes()).unwrap_err();
        assert!(refused.to_string().contains("too deep"), "{refused}");
        assert!(Object::parse(nested(100_000).as_bytes()).is_err());
    }
}
