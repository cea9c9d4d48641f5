//! Finds what is to be hidden in a text without escapes. Refuses to be slow where there is nothing: most texts have
//! neither an `@` nor enough digits.

mod email;
mod iban;
mod number;

use std::mem;

use crate::What;

/// What is looked for.
#[derive(Debug)]
pub(crate) struct Find {
    wanted: [bool; 4],
    /// Scratch: addresses come first, and what is left of the text after them.
    found: Vec<(What, usize, usize)>,
}

/// Digits of the shortest number that is looked for.
const FEWEST_DIGITS: usize = 8;

impl Find {
    pub(crate) fn new(wanted: [bool; 4]) -> Self {
        Self { wanted, found: Vec::new() }
    }

    /// True when nothing is looked for.
    pub(crate) fn is_idle(&self) -> bool {
        self.wanted == [false; 4]
    }

    /// Whether a closer look, without escapes, is worth it.
    pub(crate) fn is_likely(&self, text: &[u8]) -> bool {
        text.len() >= FEWEST_SIGNS && (text.iter().any(|byte| matches!(byte, b'@' | b'\\' | b'%')) || has_digits(text))
    }

    /// Calls back for everything that is found, from left to right, without overlap.
    pub(crate) fn each(&mut self, text: &[u8], mut each: impl FnMut(What, usize, usize)) {
        let mut found = mem::take(&mut self.found);
        found.clear();
        if self.wanted[What::Email as usize] {
            email::find(text, |from, to| found.push((What::Email, from, to)));
        }
        if self.wanted[1..] != [false; 3] && has_digits(text) {
            let mut from = 0;
            for at in 0..=found.len() {
                let (end, next) = found.get(at).map_or((text.len(), text.len()), |&(_, start, end)| (start, end));
                self.numbers(text, from, end, &mut found);
                from = next;
            }
            found.sort_unstable_by_key(|&(_, from, _)| from);
        }
        for &(what, from, to) in &found {
            each(what, from, to);
        }
        self.found = found;
    }

    /// Finds everything but addresses in a part of a text.
    fn numbers(&self, text: &[u8], mut at: usize, end: usize, found: &mut Vec<(What, usize, usize)>) {
        while let Some(&byte) = text.get(at).filter(|_| at < end) {
            let next = match byte {
                b'0'..=b'9' | b'+' | b'(' => self.number(text, at, end),
                b'A'..=b'Z' | b'a'..=b'z' if self.wanted[What::Iban as usize] => {
                    iban::at(text.get(..end).unwrap_or_default(), at).map(|to| (What::Iban, at, to))
                }
                _ => None,
            };
            if let Some(next) = next {
                found.push(next);
                at = next.2;
                continue;
            }
            at += 1;
            if byte.is_ascii_alphanumeric() {
                // What begins within a word is no number of ours.
                at += text
                    .get(at..end)
                    .map_or(0, |rest| rest.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len()));
            }
        }
    }

    fn number(&self, text: &[u8], at: usize, end: usize) -> Option<(What, usize, usize)> {
        let text = text.get(..end)?;
        if self.wanted[What::Card as usize]
            && let Some(to) = number::card(text, at)
        {
            return Some((What::Card, at, to));
        }
        if self.wanted[What::Phone as usize]
            && let Some(to) = number::phone(text, at)
        {
            return Some((What::Phone, at, to));
        }
        None
    }
}

/// The shortest address is `a@b.cd`.
const FEWEST_SIGNS: usize = 6;

fn has_digits(text: &[u8]) -> bool {
    // Without a branch, so that it becomes vector instructions; a byte holds the count of a chunk.
    text.chunks(128).fold(0_usize, |count, chunk| {
        count + usize::from(chunk.iter().fold(0_u8, |count, byte| count + u8::from(byte.is_ascii_digit())))
    }) >= FEWEST_DIGITS
}

/// The letter that ends before a place, and the one that begins there; bytes that are no UTF-8 are none.
fn letter_before(text: &[u8], at: usize) -> Option<char> {
    let start = (1..=4).filter_map(|back| at.checked_sub(back)).find(|&start| text[start] & 0xC0 != 0x80)?;
    std::str::from_utf8(text.get(start..at)?).ok()?.chars().next()
}

fn letter_at(text: &[u8], at: usize) -> Option<char> {
    let first = *text.get(at)?;
    let length = match first {
        0..0x80 => return Some(char::from(first)),
        0x80..0xE0 => 2,
        0xE0..0xF0 => 3,
        _ => 4,
    };
    std::str::from_utf8(text.get(at..at + length)?).ok()?.chars().next()
}

/// What may stand between two groups of digits or letters: a blank or a hyphen, plain or as word processors set them.
fn is_gap(letter: char) -> bool {
    matches!(letter, ' ' | '-' | '\u{A0}' | '\u{2007}' | '\u{202F}' | '\u{2009}' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Whether a letter or a digit of ASCII ends before a place, or begins there.
fn is_inside_word(text: &[u8], at: usize) -> bool {
    at > 0 && text.get(at - 1).is_some_and(u8::is_ascii_alphanumeric)
}

fn is_word_at(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_alphanumeric)
}
