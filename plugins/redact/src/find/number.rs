//! Card numbers and phone numbers: digits in groups. Refuses numbers that only look like one: a card number has check
//! digits, a phone number a prefix, and neither is a date.

use super::{is_gap, is_inside_word, is_word_at, letter_at};

/// Digits between gaps.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    start: usize,
    end: usize,
}

impl Group {
    fn len(&self) -> usize {
        self.end - self.start
    }
}

/// More groups than any number has.
const GROUPS: usize = 10;

/// Groups of digits from a place on.
#[derive(Debug, Default)]
struct Groups {
    all: [Group; GROUPS],
    count: usize,
}

impl Groups {
    /// Reads groups with at most three signs between them that are taken for gaps.
    fn read(text: &[u8], start: usize, is_gap: impl Fn(char) -> bool) -> Self {
        let mut groups = Self::default();
        let mut at = start;
        while groups.count < GROUPS {
            let digits = text.get(at..).map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
            if digits == 0 {
                break;
            }
            groups.all[groups.count] = Group { start: at, end: at + digits };
            groups.count += 1;
            at += digits;
            for _ in 0..3 {
                match letter_at(text, at).filter(|&letter| is_gap(letter)) {
                    Some(letter) => at += letter.len_utf8(),
                    None => break,
                }
            }
            if groups.all[groups.count - 1].end == at {
                break;
            }
        }
        groups
    }

    fn groups(&self) -> &[Group] {
        &self.all[..self.count]
    }
}

/// Where the card number that begins at a place ends: 13 to 19 digits with a check digit, in one group or in groups of
/// three and more, the last of which may be shorter.
pub(super) fn card(text: &[u8], start: usize) -> Option<usize> {
    // A fraction is no card number.
    if is_inside_word(text, start) || is_after_point(text, start) {
        return None;
    }
    let groups = Groups::read(text, start, is_gap);
    let mut digits = [0; 19];
    let (mut count, mut end) = (0, None);
    for group in groups.groups() {
        if group.len() > digits.len() - count {
            break;
        }
        for (place, digit) in digits[count..].iter_mut().zip(&text[group.start..group.end]) {
            *place = digit - b'0';
        }
        count += group.len();
        let is_end = !is_word_at(text, group.end) && !is_before_fraction(text, group.end, b".");
        if count >= 13 && is_end && is_card(&digits[..count]) {
            end = Some(group.end);
        }
        if group.len() < 3 {
            break;
        }
    }
    end
}

/// Luhn's check digit, and a first digit that cards have: 0 is none, and 1 is a time since 1970, or, with 15 digits,
/// an airline's card.
fn is_card(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().fold(0, |sum, (at, &digit)| {
        let weighed = if at % 2 == 1 { digit * 2 } else { digit };
        sum + u32::from(if weighed > 9 { weighed - 9 } else { weighed })
    });
    sum % 10 == 0 && (digits[0] > 1 || digits[0] == 1 && digits.len() == 15)
}

/// Where the phone number that begins at a place ends.
pub(super) fn phone(text: &[u8], start: usize) -> Option<usize> {
    if is_inside_word(text, start) || is_after_point(text, start) || is_after_digit(text, start) {
        return None;
    }
    match text.get(start)? {
        b'+' => international(text, start + 1, 8..=15),
        b'(' => national(text, start + 1).filter(|_| {
            // The area code alone is in brackets.
            let code = text[start + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            text.get(start + 1 + code) == Some(&b')')
        }),
        _ => national(text, start),
    }
}

/// Digits behind `+` or `00`, grouped in any way.
fn international(text: &[u8], start: usize, length: std::ops::RangeInclusive<usize>) -> Option<usize> {
    if !matches!(text.get(start)?, b'1'..=b'9' | b'0') {
        return None;
    }
    let groups = Groups::read(text, start, |letter| is_gap(letter) || matches!(letter, '.' | '/' | '(' | ')'));
    let (mut count, mut best) = (0, None);
    for (at, group) in groups.groups().iter().enumerate() {
        count += group.len();
        // An amount with a sign has one point and few digits behind it.
        let is_amount = at == 1 && group.len() < 3 && text.get(group.start - 1) == Some(&b'.');
        if length.contains(&count) && is_end(text, group.end) && !is_amount {
            best = Some(group.end);
        }
    }
    best
}

/// Digits with a trunk prefix or in the form of North America, with a gap at least.
fn national(text: &[u8], start: usize) -> Option<usize> {
    let groups = Groups::read(text, start, |letter| is_gap(letter) || matches!(letter, '.' | '/' | ')'));
    let groups = groups.groups();
    let (first, rest) = groups.split_first()?;
    if rest.is_empty() {
        return None;
    }
    let sign = |at: usize| text.get(at).copied().unwrap_or_default();
    match (sign(first.start), sign(first.start + 1)) {
        (b'0', b'0') => match sign(first.start + 2) {
            b'1'..=b'9' => international(text, start, 10..=17),
            b' ' if matches!(sign(first.start + 3), b'1'..=b'9') => international(text, start, 10..=17),
            _ => None,
        },
        (b'0', b'1'..=b'9') => trunk(text, groups),
        (b'1', b'-' | b'.' | b' ') => north_american(text, rest),
        _ => north_american(text, groups),
    }
}

/// A zero, an area code, a gap, and the rest: 9 to 12 digits. No dates, and points only as France sets them.
fn trunk(text: &[u8], groups: &[Group]) -> Option<usize> {
    let gap_has = |at: usize, sign: u8| {
        groups.get(at).zip(groups.get(at + 1)).is_some_and(|(one, next)| text[one.end..next.start].contains(&sign))
    };
    let (mut count, mut best) = (0, None);
    for (at, group) in groups.iter().enumerate().take(6) {
        count += group.len();
        let pairs = groups[..=at].iter().all(|group| group.len() == 2);
        let is_french = pairs && at == 4;
        let begins_like_a_date = groups[0].len() == 2 && at >= 1 && groups[1].len() == 2;
        let has_points = (0..at).any(|at| gap_has(at, b'.'));
        let is_plain = at >= 1 && !begins_like_a_date && !has_points && groups[0].len() >= 2;
        if (9..=12).contains(&count) && (is_french || is_plain) && is_end(text, group.end) {
            best = Some(group.end);
        }
        if group.len() < 2 {
            break;
        }
    }
    best
}

/// Three, three and four digits; hyphens, points or brackets between them, because blanks alone are columns of numbers.
fn north_american(text: &[u8], groups: &[Group]) -> Option<usize> {
    let [area, exchange, line, ..] = groups else { return None };
    let lengths = [area, exchange, line].map(Group::len);
    let is_code = |group: &Group| matches!(text.get(group.start), Some(b'2'..=b'9'));
    let gaps = [&text[area.end..exchange.start], &text[exchange.end..line.start]];
    let is_set = gaps.iter().any(|gap| gap.iter().any(|byte| !matches!(byte, b' ' | b'/')));
    let is_phone = lengths == [3, 3, 4] && is_code(area) && is_code(exchange) && is_set && is_end(text, line.end);
    is_phone.then_some(line.end)
}

/// Whether a phone number may end here: no letter or digit follows, no fraction, and no minutes.
fn is_end(text: &[u8], end: usize) -> bool {
    !is_word_at(text, end) && !is_before_fraction(text, end, b".:")
}

/// Whether one of these signs and a digit follow.
fn is_before_fraction(text: &[u8], end: usize, signs: &[u8]) -> bool {
    text.get(end).is_some_and(|sign| signs.contains(sign)) && text.get(end + 1).is_some_and(u8::is_ascii_digit)
}

fn is_after_point(text: &[u8], start: usize) -> bool {
    start > 1 && text[start - 1] == b'.' && text[start - 2].is_ascii_digit()
}

/// Whether digits stand before it, with a gap or without: it is the end of something longer.
fn is_after_digit(text: &[u8], start: usize) -> bool {
    let before = |back: usize| start.checked_sub(back).map_or(0, |at| text[at]);
    match before(1) {
        b'-' | b'/' | b'.' | b':' | b'+' => before(2).is_ascii_digit(),
        byte => byte.is_ascii_digit(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_found_however_they_are_spaced() {
        let numbers = [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111\u{a0}1111\u{2011}1111  1111",
            "5500 0000 0000 0004",
            "3782 822463 10005",
            "378282246310005",
            "3056 930902 5904",
            "6011000990139424",
            "3530111333300000",
            "4222222222222",
            "6304000000000000000",
            "6799990100000000019",
            "122000000000003",
        ];
        for number in numbers {
            assert_eq!(card(number.as_bytes(), 0), Some(number.len()), "{number}");
        }
        let followed = "4111 1111 1111 1111 2027";
        assert_eq!(card(followed.as_bytes(), 0), Some(19), "{followed}");
        assert_eq!(card(b"1,4111111111111111,2", 2), Some(18));
        assert_eq!(card(b"4111111111111111:12/27", 0), Some(16));
    }

    #[test]
    fn other_numbers_are_no_cards() {
        for text in [
            "4111111111111112",
            "411111111111",
            "41111111111111111111",
            "4111111111111111a",
            "4111111111111111.5",
            "1700000000000",
            "1763713560000000000",
            "0000000000000000",
            "41 11 11 11 11 11 11 11",
        ] {
            assert_eq!(card(text.as_bytes(), 0), None, "{text}");
        }
        assert_eq!(card(b"0.4111111111111111", 2), None);
        assert_eq!(card(b"a4111111111111111", 1), None);
    }

    #[test]
    fn phones_are_found_in_their_forms() {
        let numbers = [
            "+491701234567",
            "+49 170 1234567",
            "+49 (0) 170 / 123 45 67",
            "+1 (415) 555-2671",
            "+1.415.555.2671",
            "+44\u{a0}20\u{a0}7946\u{a0}0958",
            "0049 170 1234567",
            "00 49 170 1234567",
            "(415) 555-2671",
            "415-555-2671",
            "415.555.2671",
            "1-415-555-2671",
            "0170 1234567",
            "030/1234567",
            "(030) 1234567",
            "089-12 34 56 78",
            "01 23 45 67 89",
            "01.23.45.67.89",
            "020 7946 0958",
        ];
        for number in numbers {
            assert_eq!(phone(number.as_bytes(), 0), Some(number.len()), "{number}");
            let within = format!("call {number}, or");
            assert_eq!(phone(within.as_bytes(), 5), Some(5 + number.len()), "{number}");
        }
    }

    #[test]
    fn other_numbers_are_no_phones() {
        for text in [
            "2026-11-21 08:26:00",
            "01-02-2026 10",
            "01.02.2026 10:20",
            "01/02/2026",
            "08:26:00",
            "4155552671",
            "415 555 2671",
            "000000 123456",
            "0.12345678901",
            "+1234567",
            "+12345678.50",
            "+1234567890123456",
            "192.168.100.200",
            "123-45-6789",
            "1700000000000",
            "007 1",
        ] {
            assert_eq!(phone(text.as_bytes(), 0), None, "{text}");
        }
        assert_eq!(phone(b"2026-0170 1234567", 5), None);
        assert_eq!(phone(b"T08:26:00+01000000000", 9), None);
    }
}
