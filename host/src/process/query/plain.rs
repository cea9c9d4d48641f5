//! Programs that only look at members, `{country: .country, day: .ts[0:10]}`, without the interpreter.
//!
//! Most partition keys are made so, and the interpreter's values cost ten times what finding the members does. A record
//! is still read to its end: what is no JSON fails as it does there, and of two members of one name the last counts.
//! A property test holds every answer against the interpreter's. Refuses every program and every record of which the
//! interpreter might say anything else, its limits included.

use std::borrow::Cow;

use jaq_core::load;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::Term;
use jaq_core::path::{Opt, Part};

use super::extract::Problem;
use super::value::Value;
use crate::convert::json::{Cursor, Kind, Malformed};

/// Most members of the object that a program says, each with its bit. With so few, and records this short, no program of
/// this kind comes near a limit of the interpreter's: an object of all members takes some hundred steps, the slices of a
/// record 20,480 each, and its values at most 17 bytes for each of its own.
const MOST_MEMBERS: usize = 16;
/// Most parts of a path.
const MOST_PARTS: usize = 8;
/// Longest record.
const MOST_BYTES: usize = 256 << 10;
/// Bounds of slices are no larger, so that reckoning with them is exact.
const MOST_BOUND: i64 = 1 << 30;
/// A number that is longer, or has an exponent, may be out of a double's range.
const SAFE_NUMBER_BYTES: usize = 300;

/// Members by their bits.
type Set = u32;

/// A program of this kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plain {
    members: Vec<Member>,
}

/// A member of the object that the program says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    name: String,
    /// Names, from the record inwards; at least one.
    path: Vec<String>,
    slice: Option<(Option<i64>, Option<i64>)>,
}

/// What stands at a path. A path that is not there is null, as in jq.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Found<'r> {
    #[default]
    Null,
    Bool(bool),
    Number(&'r str),
    Text(Cow<'r, str>),
    Array,
    Object,
    /// The path leads into what has no members: the program fails.
    Nowhere,
}

impl Plain {
    /// None for every other program.
    pub(super) fn of(query: &str) -> Option<Self> {
        let Term::Obj(entries) = load::parse(query, |parser| parser.term())? else { return None };
        if entries.is_empty() || entries.len() > MOST_MEMBERS {
            return None;
        }
        let members: Option<_> = entries.iter().map(|(name, value)| Member::of(name, value.as_ref())).collect();
        Some(Self { members: members? })
    }

    /// Whether it can say anything of this record.
    pub(super) fn takes(&self, record: &[u8]) -> bool {
        record.len() <= MOST_BYTES
    }

    /// Which member a key is: the last of its name.
    pub(super) fn place(&self, key: &str) -> Option<usize> {
        self.members.iter().rposition(|member| member.name == key)
    }

    /// What it says of a record, by [`Self::place`]. The record is one that it [takes](Self::takes).
    pub(super) fn say<'r>(&self, record: &'r [u8]) -> Result<[Found<'r>; MOST_MEMBERS], Problem> {
        let no_json = || Problem::new("the record is not one JSON document");
        let text = std::str::from_utf8(record).map_err(|_| no_json())?;
        let mut reader = Reader { members: &self.members, cursor: Cursor::new(text), found: Default::default() };
        reader.read().map_err(|_| no_json())?;
        let mut found = reader.found;
        for (member, found) in self.members.iter().zip(&mut found) {
            if let Some(slice) = member.slice {
                found.slice(slice);
            }
            if *found == Found::Nowhere {
                return Err(Problem::new("the query fails on the record"));
            }
        }
        Ok(found)
    }
}

impl Member {
    fn of(name: &Term<&str>, value: Option<&Term<&str>>) -> Option<Self> {
        let name = text(name)?;
        let Some(value) = value else { return Some(Self { path: vec![name.clone()], name, slice: None }) };
        let Term::Path(start, path) = value else { return None };
        if !matches!(**start, Term::Id) || path.0.len() > MOST_PARTS {
            return None;
        }
        let mut member = Self { name, path: Vec::new(), slice: None };
        for (part, optional) in &path.0 {
            match (part, optional) {
                // Nothing is looked at behind a slice.
                _ if member.slice.is_some() => return None,
                (Part::Index(index), Opt::Essential) => member.path.push(text(index)?),
                (Part::Range(from, to), Opt::Essential) if from.is_some() || to.is_some() => {
                    let bound = |term: &Option<Term<&str>>| match term {
                        None => Some(None),
                        Some(term) => bound(term).map(Some),
                    };
                    member.slice = Some((bound(from)?, bound(to)?));
                }
                _ => return None,
            }
        }
        (!member.path.is_empty()).then_some(member)
    }
}

/// A text that stands in the program.
fn text(term: &Term<&str>) -> Option<String> {
    let Term::Str(None, parts) = term else { return None };
    let part = |part: &StrPart<&str, Term<&str>>| match part {
        StrPart::Str(text) => Some((*text).to_owned()),
        StrPart::Char(one) => Some(one.to_string()),
        StrPart::Term(_) => None,
    };
    parts.iter().map(part).collect()
}

/// A whole number that stands in the program.
fn bound(term: &Term<&str>) -> Option<i64> {
    let bound = match term {
        Term::Num(number) => number.parse::<i64>().ok()?,
        Term::Neg(number) => match **number {
            Term::Num(number) => number.parse::<i64>().ok()?.checked_neg()?,
            _ => return None,
        },
        _ => return None,
    };
    (bound.abs() <= MOST_BOUND).then_some(bound)
}

impl<'r> Found<'r> {
    /// A part of a text, in characters; an array stays one, and nothing stays nothing.
    fn slice(&mut self, bounds: (Option<i64>, Option<i64>)) {
        *self = match std::mem::take(self) {
            Self::Text(text) => Self::Text(slice(text, bounds)),
            Self::Null => Self::Null,
            Self::Array => Self::Array,
            Self::Bool(_) | Self::Number(_) | Self::Object | Self::Nowhere => Self::Nowhere,
        };
    }

    /// As a partition key.
    pub(super) fn text(&self, key: &str) -> Result<Cow<'_, str>, Problem> {
        match self {
            Self::Text(text) if text.len() <= super::extract::VALUE_BYTES => Ok(Cow::Borrowed(text)),
            Self::Text(_) => Err(Problem::too_long(key)),
            Self::Bool(true) => Ok(Cow::Borrowed("true")),
            Self::Bool(false) => Ok(Cow::Borrowed("false")),
            // Of at most 18 digits: it is written as it was read.
            Self::Number(text) if text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(Cow::Borrowed(text))
            }
            Self::Number(text) => match serde_json::from_str::<Value>(text) {
                Ok(number) => Ok(Cow::Owned(number.to_json())),
                // It was read before.
                Err(_) => Err(Problem::of(key, "it is no number")),
            },
            Self::Null | Self::Nowhere => Err(Problem::null(key)),
            Self::Array | Self::Object => Err(Problem::nested(key)),
        }
    }
}

fn slice(text: Cow<'_, str>, (from, to): (Option<i64>, Option<i64>)) -> Cow<'_, str> {
    let count = if text.is_ascii() { text.len() } else { text.chars().count() };
    let place = |bound: i64| {
        let length = i64::try_from(count).unwrap_or(i64::MAX);
        let at = if bound < 0 { bound.saturating_add(length) } else { bound };
        usize::try_from(at).unwrap_or(0).min(count)
    };
    let from = from.map_or(0, place);
    let to = to.map_or(count, place).max(from);
    let byte = |at: usize| match count == text.len() {
        true => at,
        false => text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte),
    };
    let range = byte(from)..byte(to);
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
    }
}

/// Reads a record to its end, and notes what stands at the members' paths.
struct Reader<'p, 'r> {
    members: &'p [Member],
    cursor: Cursor<'r>,
    found: [Found<'r>; MOST_MEMBERS],
}

impl<'r> Reader<'_, 'r> {
    fn read(&mut self) -> Result<(), Malformed> {
        let all = (0..self.members.len()).fold(0, |set: Set, at| set | 1 << at);
        self.value(0, all)?;
        if self.cursor.is_done() { Ok(()) } else { Err(self.cursor.trailing()) }
    }

    /// A value to which the first `depth` names of these members' paths lead.
    fn value(&mut self, depth: usize, members: Set) -> Result<(), Malformed> {
        let (mut ending, mut passing) = (0, 0);
        for at in places(members) {
            let set = if self.members[at].path.len() == depth { &mut ending } else { &mut passing };
            *set |= 1 << at;
        }
        match self.cursor.peek()? {
            Kind::Object => {
                self.note(ending, &Found::Object);
                if passing == 0 { self.skip() } else { self.object(depth, passing) }
            }
            Kind::Array => {
                self.note(ending, &Found::Array);
                self.note(passing, &Found::Nowhere);
                self.skip()
            }
            Kind::String => {
                self.note(passing, &Found::Nowhere);
                if ending == 0 {
                    return self.cursor.skip_string();
                }
                let text = self.cursor.string()?;
                self.note(ending, &Found::Text(text));
                Ok(())
            }
            Kind::Number => {
                let number = self.number()?;
                self.note(ending, &Found::Number(number));
                self.note(passing, &Found::Nowhere);
                Ok(())
            }
            kind @ (Kind::True | Kind::False) => {
                self.note(ending, &Found::Bool(kind == Kind::True));
                self.note(passing, &Found::Nowhere);
                self.cursor.word(kind)
            }
            Kind::Null => {
                self.note(ending | passing, &Found::Null);
                self.cursor.word(Kind::Null)
            }
        }
    }

    fn object(&mut self, depth: usize, members: Set) -> Result<(), Malformed> {
        // Of two objects of one name the last counts, with what it has not.
        self.note(members, &Found::Null);
        self.cursor.enter()?;
        let mut is_first = true;
        while let Some(name) = self.cursor.next_key(is_first)? {
            is_first = false;
            let mut named = 0;
            for at in places(members) {
                if self.members[at].path[depth] == *name {
                    named |= 1 << at;
                }
            }
            if named == 0 { self.skip()? } else { self.value(depth + 1, named)? }
        }
        Ok(())
    }

    fn skip(&mut self) -> Result<(), Malformed> {
        let mut is_first = true;
        match self.cursor.peek()? {
            Kind::Object => {
                self.cursor.enter()?;
                while self.cursor.next_key(is_first)?.is_some() {
                    is_first = false;
                    self.skip()?;
                }
                Ok(())
            }
            Kind::Array => {
                self.cursor.enter()?;
                while self.cursor.next_item(is_first)? {
                    is_first = false;
                    self.skip()?;
                }
                Ok(())
            }
            Kind::String => self.cursor.skip_string(),
            Kind::Number => self.number().map(|_| ()),
            kind @ (Kind::True | Kind::False | Kind::Null) => self.cursor.word(kind),
        }
    }

    /// A number that the interpreter's reader takes, too.
    fn number(&mut self) -> Result<&'r str, Malformed> {
        let number = self.cursor.number()?;
        let is_safe = number.len() <= SAFE_NUMBER_BYTES && !number.bytes().any(|byte| matches!(byte, b'e' | b'E'));
        if is_safe || serde_json::from_str::<Value>(number).is_ok() { Ok(number) } else { Err(self.cursor.trailing()) }
    }

    fn note(&mut self, members: Set, found: &Found<'r>) {
        places(members).for_each(|at| self.found[at] = found.clone());
    }
}

/// Places of a set, rising.
fn places(mut set: Set) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = (set != 0).then(|| set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(at)
    })
}

#[cfg(test)]
mod tests;
