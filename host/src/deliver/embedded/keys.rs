//! Keys of objects as paths of files, one to one: no key escapes its bucket's folder, no two keys share a file.
//!
//! Each `/` of the key is a folder level. Inside a level `%` and the zero byte are percent-encoded, `.` and `..` lose
//! their meaning the same way, an empty level is the lone `%`, and a level longer than a file name may be is
//! continued in a folder below whose parent ends in `%-`. Everything else looks as the key does.

use std::path::PathBuf;

/// Longest piece of a level in one file name; Linux allows 255 bytes.
const PIECE_BYTES: usize = 240;
/// Ends the name of a folder whose level goes on below.
const CONTINUED: &str = "%-";
const EMPTY: &str = "%";

/// The file of `key`, relative to its bucket's folder.
pub(super) fn path_of(key: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for level in key.split('/') {
        let mut name = match level {
            "" => EMPTY.to_owned(),
            "." => "%2E".to_owned(),
            ".." => "%2E%2E".to_owned(),
            _ => level.replace('%', "%25").replace('\0', "%00"),
        };
        while name.len() > PIECE_BYTES {
            let rest = name.split_off(cut(&name));
            path.push(name + CONTINUED);
            name = rest;
        }
        path.push(name);
    }
    path
}

/// Where to cut a long name: never inside a character, and never inside an escape, so that each piece decodes alone.
fn cut(name: &str) -> usize {
    let mut at = name.floor_char_boundary(PIECE_BYTES);
    for back in 1..=2 {
        if name.as_bytes()[at - back] == b'%' {
            at -= back;
            break;
        }
    }
    at
}

/// What a file or folder name adds to the key of its parent; `None` for names no key has.
/// The flag says whether the level ends here.
pub(super) fn piece_of(name: &str) -> Option<(String, bool)> {
    if name == EMPTY {
        return Some((String::new(), true));
    }
    let (name, ends) = match name.strip_suffix(CONTINUED) {
        Some(name) => (name, false),
        None => (name, true),
    };
    let mut text = String::with_capacity(name.len());
    let mut pieces = name.split('%');
    text.push_str(pieces.next()?);
    for piece in pieces {
        text.push(match piece.get(..2)? {
            "25" => '%',
            "00" => '\0',
            "2E" => '.',
            _ => return None,
        });
        text.push_str(&piece[2..]);
    }
    Some((text, ends))
}

#[cfg(test)]
mod tests {
    use std::path::Component;

    use proptest::prelude::*;

    use super::*;

    fn key_of(path: &std::path::Path) -> String {
        let mut key = String::new();
        let mut names = path.components().peekable();
        while let Some(name) = names.next() {
            let (piece, ends) = piece_of(name.as_os_str().to_str().unwrap()).unwrap();
            key.push_str(&piece);
            if ends && names.peek().is_some() {
                key.push('/');
            }
        }
        key
    }

    fn check(key: &str) {
        let path = path_of(key);
        assert!(path.components().all(|component| matches!(component, Component::Normal(_))), "{key:?}");
        assert!(path.components().all(|component| component.as_os_str().len() <= 255), "{key:?}");
        assert_eq!(key_of(&path), key);
    }

    /// Row X10: whatever the key, its file lies inside the bucket's folder.
    #[test]
    fn odd_keys_stay_inside_and_come_back() {
        let long = "%é".repeat(400);
        for key in [
            "a",
            "/",
            "//",
            "",
            "../../etc/passwd",
            ".",
            "a/../b",
            "a/./b/",
            "%",
            "%-",
            "a%-",
            "100%/x%25",
            "\0",
            &long,
        ] {
            check(key);
        }
        assert_eq!(path_of("2026/11/21/05/orders-1.gz"), PathBuf::from("2026/11/21/05/orders-1.gz"));
    }

    proptest! {
        /// Row X10, for any key.
        #[test]
        fn any_key_stays_inside_and_comes_back(key in "[a-c%./\\-é\0]{0,700}") {
            check(&key);
        }

        #[test]
        fn different_keys_have_different_files(one in "[a%./\\-]{0,8}", other in "[a%./\\-]{0,8}") {
            prop_assert_eq!(one == other, path_of(&one) == path_of(&other));
        }
    }
}
