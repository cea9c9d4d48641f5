//! The operator's settings. Refuses what it does not know, and a share that is none.

use hydrant_plugin::Context;
use hydrant_plugin::json::Object;

use crate::Sample;

const SETTINGS: [&str; 3] = ["rate", "key", "always"];
const MOST_RULES: usize = 64;
/// Hashes are below it.
const ALL: f64 = 18_446_744_073_709_551_616.0;

/// A member and the value that it has in records that are always kept.
#[derive(Debug)]
pub(crate) struct Rule {
    path: Vec<String>,
    value: String,
}

impl Rule {
    /// Whether a text is the value, or anything else is written like it.
    pub(crate) fn holds(&self, object: &Object<'_>) -> bool {
        let found = object.path(&self.path);
        found.is_some_and(|found| found == self.value.as_str() || found.raw() == self.value.as_bytes())
    }
}

pub(crate) fn read(context: &Context) -> Result<Sample, String> {
    if let Some((name, _)) = context.settings().find(|(name, _)| !SETTINGS.contains(name)) {
        return Err(format!("{name}: no such setting; there are {}", SETTINGS.join(", ")));
    }
    let rate = context.setting("rate").unwrap_or("1");
    let threshold = match rate.parse::<f64>() {
        Ok(1.0) => None,
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the largest hash")]
        Ok(share) if (0.0..1.0).contains(&share) => Some((share * ALL) as u64),
        _ => return Err(format!("rate: a number from 0 to 1, not {rate:?}")),
    };
    let key = match context.setting("key") {
        None => None,
        Some(text) => match fields(text, &['.']).as_deref() {
            Some(names) if names.iter().any(|name| !name.is_empty()) => Some(names.to_vec()),
            _ => return Err(format!("key: a path such as user.id, not {text:?}")),
        },
    };
    let always = match context.setting("always") {
        None => Vec::new(),
        Some(text) => {
            rules(text).ok_or_else(|| format!("always: a list such as level=error,status=500, not {text:?}"))?
        }
    };
    if always.len() > MOST_RULES {
        return Err(format!("always: at most {MOST_RULES} members, not {}", always.len()));
    }
    Ok(Sample { threshold, key, always })
}

/// `path=value` between commas.
fn rules(text: &str) -> Option<Vec<Rule>> {
    let mut rules = Vec::new();
    for rule in raw_fields(text, ',') {
        let rule = rule.trim_start();
        let (path, value) = rule.split_at(raw_fields(rule, '=').next()?.len());
        let path = fields(path, &['.']).filter(|path| path.iter().any(|name| !name.is_empty()))?;
        let value = fields(value.strip_prefix('=')?, &[])?.concat();
        rules.push(Rule { path, value });
    }
    Some(rules)
}

/// The parts of a text between some letters, a backslash undone; nothing if it ends in one.
fn fields(text: &str, ends: &[char]) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if ends.contains(&letter) {
            fields.push(String::new());
            continue;
        }
        let letter = if letter == '\\' { letters.next()? } else { letter };
        fields.last_mut()?.push(letter);
    }
    Some(fields)
}

/// The parts of a text between a letter, unless a backslash is before it.
fn raw_fields(text: &str, end: char) -> impl Iterator<Item = &str> {
    let mut is_escaped = false;
    text.split(move |letter| {
        let is_end = letter == end && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        is_end
    })
}
