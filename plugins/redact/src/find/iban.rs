//! International bank account numbers of the countries that have them, by length and check digits. Refuses countries it
//! does not know: their lengths are unknown too.

use super::{is_gap, is_inside_word, is_word_at, letter_at};

/// Country and length, as the registry of the standard lists them.
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];
const LONGEST: usize = 33;

/// Where the number that begins at a place ends.
pub(super) fn at(text: &[u8], start: usize) -> Option<usize> {
    let head: [u8; 2] = text.get(start..)?.first_chunk::<2>()?.to_ascii_uppercase().try_into().ok()?;
    if is_inside_word(text, start) {
        return None;
    }
    let at = LENGTHS.binary_search_by_key(&&head, |&(country, _)| country).ok()?;
    let length = LENGTHS[at].1;
    let mut buffer = [0; LONGEST];
    let signs = &mut buffer[..length];
    let mut end = start;
    for (place, taken) in signs.iter_mut().enumerate() {
        let letter = letter_at(text, end)?;
        if place > 1 && is_gap(letter) {
            end += letter.len_utf8();
        }
        let sign = *text.get(end)?;
        if !sign.is_ascii_alphanumeric() || (2..4).contains(&place) && !sign.is_ascii_digit() {
            return None;
        }
        *taken = sign;
        end += 1;
    }
    (!is_word_at(text, end) && checks(signs)).then_some(end)
}

/// The remainder by 97 of the number with its head at the end and two digits for each letter is 1.
fn checks(signs: &[u8]) -> bool {
    let (head, rest) = signs.split_at(4);
    let remainder = rest.iter().chain(head).fold(0_u32, |remainder, sign| match sign {
        b'0'..=b'9' => remainder * 10 + u32::from(sign - b'0'),
        letter => remainder * 100 + u32::from(letter.to_ascii_uppercase() - b'A') + 10,
    } % 97);
    remainder == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_however_they_are_spaced() {
        let numbers = [
            "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "de89-3704-0044-0532-0130-00",
            "GB29 NWBK 6016 1331 9268 19",
            "FR14 2004 1010 0505 0001 3M02 606",
            "NO93 8601 1117 947",
            "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
            "BR18 0036 0305 0000 1000 9795 493C 1",
            "CH93\u{a0}0076\u{a0}2011\u{a0}6238\u{a0}5295\u{a0}7",
            "SC18SSCB11010000000000001497USD",
        ];
        for number in numbers {
            assert_eq!(at(number.as_bytes(), 0), Some(number.len()), "{number}");
            let within = format!("to {number}, thanks");
            assert_eq!(at(within.as_bytes(), 3), Some(3 + number.len()), "{number}");
        }
    }

    #[test]
    fn other_words_are_none() {
        for text in [
            "DE89370400440532013001",
            "DE8937040044053201300",
            "DE893704004405320130000",
            "ZZ89370400440532013000",
            "DE89 3704  0044 0532 0130 00",
            "DE",
            "DEAD370400440532013000",
        ] {
            assert_eq!(at(text.as_bytes(), 0), None, "{text}");
        }
        assert_eq!(at(b"xDE89370400440532013000", 1), None);
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(LENGTHS.is_sorted_by_key(|&(country, _)| country));
        assert!(LENGTHS.iter().all(|&(_, length)| length <= LONGEST));
    }
}
