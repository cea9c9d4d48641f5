//! E-mail addresses: every `@` between what may be a mailbox and a domain with a dot. Refuses what only a mail server
//! accepts: a mailbox with a blank, unless it is in quotes.

use super::{letter_at, letter_before};

/// Longest mailbox in quotes.
const QUOTED: usize = 66;
/// Longest address of a machine in brackets.
const BRACKETED: usize = 48;

/// Calls back for every address, from left to right.
pub(super) fn find(text: &[u8], mut each: impl FnMut(usize, usize)) {
    let mut free = 0;
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.iter().position(|&byte| byte == b'@')) {
        let at = from + at;
        from = at + 1;
        if let (Some(start), Some(end)) = (mailbox(text, free, at), domain(text, at + 1)) {
            each(start, end);
            (free, from) = (end, end);
        }
    }
}

/// Where the mailbox before an `@` begins.
fn mailbox(text: &[u8], free: usize, at: usize) -> Option<usize> {
    let mut start = at;
    while let Some(letter) = letter_before(text, start).filter(|&letter| is_mailbox(letter)) {
        if start - letter.len_utf8() < free {
            break;
        }
        start -= letter.len_utf8();
    }
    // `&`, `/`, `=` and `?` are legal too, but are how addresses of web pages and logs set a mailbox apart.
    while let Some(letter) = letter_at(text, start).filter(|letter| start < at && !is_mailbox_start(*letter)) {
        start += letter.len_utf8();
    }
    if start < at {
        return Some(start);
    }
    let before = at.checked_sub(1).filter(|&quote| quote > free && text[quote] == b'"')?;
    let window = before.saturating_sub(QUOTED).max(free);
    let quote = text.get(window..before)?.iter().rposition(|&byte| byte == b'"')? + window;
    (quote + 1 < before).then_some(quote)
}

fn is_mailbox(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '.' | '_' | '%' | '+' | '-' | '\'' | '!' | '#' | '$' | '*' | '^' | '~')
}

fn is_mailbox_start(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '+' | '~')
}

/// Where the domain that begins at a place ends.
fn domain(text: &[u8], start: usize) -> Option<usize> {
    if text.get(start) == Some(&b'[') {
        let inner = text.get(start + 1..)?.iter().take(BRACKETED).position(|&byte| byte == b']')?;
        return (inner > 1).then_some(start + inner + 2);
    }
    let mut end = start;
    let mut label = start;
    let mut best = None;
    loop {
        let letter = letter_at(text, end);
        match letter {
            Some(letter) if letter.is_alphanumeric() || matches!(letter, '-' | '_') => end += letter.len_utf8(),
            other => {
                if label == end {
                    return best;
                }
                if label > start && is_top(text.get(label..end)?) {
                    best = Some(label + trimmed(text.get(label..end)?));
                }
                if other != Some('.') {
                    return best;
                }
                end += 1;
                label = end;
            }
        }
    }
}

/// A top-level domain has no digit at its start and two letters or more.
fn is_top(label: &[u8]) -> bool {
    trimmed(label) >= 2 && !label[0].is_ascii_digit() && label[0] != b'-'
}

/// Without hyphens at the end.
fn trimmed(label: &[u8]) -> usize {
    label.iter().rposition(|byte| !matches!(byte, b'-' | b'_')).map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        find(text.as_bytes(), |from, to| found.push(&text[from..to]));
        found
    }

    #[test]
    fn addresses_are_found_in_all_surroundings() {
        let table: &[(&str, &[&str])] = &[
            ("joe@example.com", &["joe@example.com"]),
            ("<joe.o'neil+tag@mail.example.co.uk>, x", &["joe.o'neil+tag@mail.example.co.uk"]),
            ("mailto:joe@example.com.", &["joe@example.com"]),
            ("a=joe@example.com&b=ann@example.org", &["joe@example.com", "ann@example.org"]),
            ("'joe@example.com'", &["joe@example.com"]),
            ("joe@example.com,ann@example.com;x@y.zz", &["joe@example.com", "ann@example.com", "x@y.zz"]),
            ("jörg@bücher.de und 李@例子.中国。", &["jörg@bücher.de", "李@例子.中国"]),
            ("“joe@example.com”", &["joe@example.com"]),
            ("\"joe doe\"@example.com", &["\"joe doe\"@example.com"]),
            ("joe@[192.0.2.1] and", &["joe@[192.0.2.1]"]),
            ("joe@xn--bcher-kva.xn--p1ai", &["joe@xn--bcher-kva.xn--p1ai"]),
            ("joe@example.com-", &["joe@example.com"]),
            ("joe@example.com..x", &["joe@example.com"]),
            ("joe@example.com.7", &["joe@example.com"]),
            ("joe@localhost pkg@1.2.3 root@10.0.0.1 @joe a@b @@ x@ @y.com", &[]),
            ("a@b.cd@e.fg", &["a@b.cd"]),
            ("\"@example.com", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(&found(text), expected, "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        let mut count = 0;
        find(b"\xff\xfejoe@example.com\xff @\xc3 \xe2\x82@x.yz", |_, _| count += 1);
        assert_eq!(count, 1);
    }
}
