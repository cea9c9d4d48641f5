//! Texts as numbers of a dictionary, where few of them differ.
//!
//! Refuses a dictionary that would be larger than was asked for, as soon as it is.

use std::collections::HashMap;

use crate::convert::Texts;

/// Texts of a column, each once, and which of them each value is.
#[derive(Debug)]
pub(super) struct Dictionary {
    /// In the order of their bytes.
    pub(super) entries: Texts,
    pub(super) numbers: Vec<i64>,
}

/// A dictionary of `texts`; none where more than this share of them differ.
pub(super) fn of(texts: &Texts, threshold: f64) -> Option<Dictionary> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
    let most = (texts.ends.len() as f64 * threshold.clamp(0.0, 1.0)) as usize;
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    for text in texts.iter() {
        places.entry(text).or_default();
        if places.len() > most {
            return None;
        }
    }
    let mut sorted: Vec<&[u8]> = places.keys().copied().collect();
    sorted.sort_unstable();
    let mut entries = Texts::default();
    for text in sorted {
        places.insert(text, entries.ends.len());
        entries.push(text);
    }
    // There are fewer than bytes in a batch.
    let number = |text: &[u8]| places.get(text).map_or(0, |&place| i64::try_from(place).unwrap_or(i64::MAX));
    let numbers = texts.iter().map(number).collect();
    Some(Dictionary { entries, numbers })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: &[&str]) -> Texts {
        let mut texts = Texts::default();
        all.iter().for_each(|text| texts.push(text.as_bytes()));
        texts
    }

    #[test]
    fn few_texts_are_numbered_in_their_order() {
        let many = texts(&["b", "a", "b", "", "a"]);
        let dictionary = of(&many, 0.6).unwrap();
        assert_eq!(dictionary.entries, texts(&["", "a", "b"]));
        assert_eq!(dictionary.numbers, [2, 1, 2, 0, 1]);
        assert!(of(&many, 0.59).is_none() && of(&many, 0.0).is_none());
        assert!(of(&texts(&["a", "b"]), 1.0).is_some());
    }
}
