//! Regular expressions in jq programs.
//!
//! By an engine that takes time in proportion to text and expression, within a bound of size for the latter. Refuses what
//! such engines do not have: references back and looking around.

use std::cell::RefCell;
use std::rc::Rc;

use regex::{Regex, RegexBuilder};

use super::meter;
use super::ops::Error;
use super::value::{Map, Value};

/// Most bytes of a compiled expression: some thousand states.
const COMPILED_BYTES: usize = 256 << 10;
/// Most bytes of what an expression learns about texts.
const CACHE_BYTES: usize = 1 << 20;
/// How deep expressions nest.
const NEST: u32 = 50;
/// Expressions that a thread remembers: those of one program, unless records name them.
const REMEMBERED: usize = 16;
/// Steps of compiling one.
const COMPILE_STEPS: usize = 500;

/// An expression with its flags, and what was compiled of it.
struct Known {
    pattern: String,
    flags: Flags,
    regex: Rc<Regex>,
}

thread_local! {
    /// The thread lives for one batch.
    static COMPILED: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

/// Which parts of the text are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    /// What stands between matches.
    pub(super) between: bool,
    pub(super) matches: bool,
}

/// `g n i x s l p` of jq's manual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flags {
    is_global: bool,
    ignores_empty: bool,
    ignores_case: bool,
    is_extended: bool,
    dot_is_any: bool,
    is_lazy: bool,
    lines: bool,
}

impl Flags {
    fn new(text: &str) -> Result<Self, Error> {
        let mut flags = Self::default();
        for flag in text.chars() {
            match flag {
                'g' => flags.is_global = true,
                'n' => flags.ignores_empty = true,
                'i' => flags.ignores_case = true,
                'x' => flags.is_extended = true,
                's' => flags.dot_is_any = true,
                'l' => flags.is_lazy = true,
                'p' => (flags.dot_is_any, flags.lines) = (true, true),
                _ => return Err(Error::str("an unknown flag of a regular expression")),
            }
        }
        Ok(flags)
    }
}

/// What of `text` matches, or stands between matches.
pub(super) fn run(text: &Value, pattern: &Value, flags: &Value, parts: Parts) -> Result<Value, Error> {
    let wanted = |value: &'_ Value| value.as_text().cloned().ok_or_else(|| Error::typ(value.clone(), "string"));
    let (text, pattern) = (wanted(text)?, wanted(pattern)?);
    let flags = Flags::new(&wanted(flags)?)?;
    let regex = compiled(&pattern, flags)?;
    // A text is read once, whatever is found.
    meter::spend(text.len());
    let (mut found, mut from) = (Vec::new(), 0);
    let mut characters = Characters { text: &text, byte: 0, count: 0 };
    for captures in regex.captures_iter(&text) {
        meter::spend(captures.len());
        let Some(whole) = captures.get(0) else { continue };
        if flags.ignores_empty && whole.is_empty() {
            continue;
        }
        if parts.between {
            found.push(Value::text(&text[from..whole.start()]));
            from = whole.end();
        }
        if parts.matches {
            let groups = captures.iter().zip(regex.capture_names());
            found.push(groups.filter_map(|(group, name)| Some(describe(group?, name, &mut characters))).collect());
        }
        if !flags.is_global {
            break;
        }
    }
    if parts.between {
        found.push(Value::text(&text[from..]));
    }
    Ok(found.into_iter().collect())
}

fn describe(group: regex::Match<'_>, name: Option<&str>, characters: &mut Characters<'_>) -> Value {
    let mut map = Map::new();
    meter::spend(group.len() / 16);
    map.insert("offset".into(), Value::from(characters.before(group.start())));
    map.insert("length".into(), Value::from(group.as_str().chars().count()));
    map.insert("string".into(), Value::text(group.as_str()));
    if let Some(name) = name {
        map.insert("name".into(), Value::text(name));
    }
    Value::object(map)
}

/// Counts characters before a byte; goes on from where it was asked last.
struct Characters<'t> {
    text: &'t str,
    byte: usize,
    count: usize,
}

impl Characters<'_> {
    fn before(&mut self, byte: usize) -> usize {
        if byte < self.byte {
            (self.byte, self.count) = (0, 0);
        }
        meter::spend((byte - self.byte) / 16);
        self.count += self.text[self.byte..byte].chars().count();
        self.byte = byte;
        self.count
    }
}

fn compiled(pattern: &str, flags: Flags) -> Result<Rc<Regex>, Error> {
    // Whether it is known already depends on the batch, and must not decide what becomes of a record.
    meter::spend(COMPILE_STEPS + pattern.len());
    COMPILED.with_borrow_mut(|known| {
        if let Some(one) = known.iter().find(|one| one.pattern == pattern && one.flags == flags) {
            return Ok(Rc::clone(&one.regex));
        }
        let regex = RegexBuilder::new(pattern)
            .case_insensitive(flags.ignores_case)
            .ignore_whitespace(flags.is_extended)
            .dot_matches_new_line(flags.dot_is_any)
            .swap_greed(flags.is_lazy)
            .multi_line(flags.lines)
            .size_limit(COMPILED_BYTES)
            .dfa_size_limit(CACHE_BYTES)
            .nest_limit(NEST)
            .build();
        let regex = Rc::new(regex.map_err(|_| Error::str("not a regular expression, or too large a one"))?);
        if known.len() == REMEMBERED {
            known.remove(0);
        }
        known.push(Known { pattern: pattern.to_owned(), flags, regex: Rc::clone(&regex) });
        Ok(regex)
    })
}
