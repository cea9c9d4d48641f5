//! Keeps a share of the records and drops the others. The same record fares the same every time and everywhere: a hash
//! decides, of the record or of one member, so that all records of a customer are kept or none. Refuses to fail a record.

mod settings;

use hydrant_plugin::json::{Kind, Object, Value};
use hydrant_plugin::{Batch, Context, Outcome, Plugin, Record};

use settings::Rule;

/// The plugin.
#[derive(Debug)]
pub struct Sample {
    /// Hashes below it are kept; nothing keeps all of them.
    threshold: Option<u64>,
    key: Option<Vec<String>>,
    always: Vec<Rule>,
}

impl Plugin for Sample {
    type Answer = Outcome;

    fn configure(context: &Context) -> Result<Self, String> {
        settings::read(context)
    }

    fn transform(&mut self, record: Record<'_>) -> Outcome {
        if self.is_kept(record.data()) { Outcome::Keep } else { Outcome::Drop }
    }

    fn transform_batch(&mut self, batch: &mut Batch<'_>) {
        if self.threshold.is_none() { batch.keep_all() } else { batch.each(|record| self.transform(record)) }
    }
}

hydrant_plugin::plugin!(type Sample);

impl Sample {
    fn is_kept(&self, data: &[u8]) -> bool {
        let Some(threshold) = self.threshold else { return true };
        // Only who looks into records pays for it.
        let looks = self.key.is_some() || !self.always.is_empty();
        let Some(object) = looks.then(|| Object::parse(data).ok()).flatten() else { return hash(data) < threshold };
        if self.always.iter().any(|rule| rule.holds(&object)) {
            return true;
        }
        match self.key.as_ref().and_then(|key| object.path(key)) {
            Some(value) => hash_of(value) < threshold,
            None => hash(data) < threshold,
        }
    }
}

/// The hash of a text, or of any other value as it stands in the record.
fn hash_of(value: Value<'_>) -> u64 {
    match value.as_str() {
        Some(text) if value.kind() == Kind::String => hash(text.as_bytes()),
        _ => hash(value.raw()),
    }
}

/// Digits of pi, so that no record hashes to 0.
const SEED: u64 = 0x243F_6A88_85A3_08D3;

/// Murmur's mixing, eight bytes at a time. It may never change: streams on several hosts, and the same record given
/// again, must agree.
fn hash(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, word: u64| {
        let hash = (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash ^ hash >> 32
    };
    let (words, tail) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(bytes.len() as u64 ^ SEED, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..tail.len()].copy_from_slice(tail);
    let hash = mix(hash, u64::from_le_bytes(last));
    let hash = (hash ^ hash >> 33).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use hydrant_plugin::testing::{Fate, run_plugin};

    use super::*;

    fn kept(settings: &[(&str, &str)], records: &[String]) -> Vec<bool> {
        let fates = run_plugin::<Sample>(&Context::new("", settings), records).unwrap();
        let is_kept = |fate: Fate| match fate {
            Fate::Kept => true,
            Fate::Dropped => false,
            other => panic!("{other:?}"),
        };
        fates.into_iter().map(is_kept).collect()
    }

    fn share(kept: &[bool]) -> f64 {
        kept.iter().filter(|&&kept| kept).count() as f64 / kept.len() as f64
    }

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(hash(b""), 0x149A_EEC1_9B31_D6CC);
        assert_eq!(hash(b"a"), 0xFFEA_B7A6_D6AF_930E);
        assert_eq!(hash(b"hydrant "), 0xCC01_A273_0FCE_6C6B);
        assert_eq!(hash(b"{\"level\":\"info\"}\n"), 0x71BA_F5A1_8DDB_603A);
    }

    #[test]
    fn the_share_is_what_was_asked_for() {
        let numbered: Vec<String> = (0..20_000).map(|number| format!("{{\"n\":{number}}}\n")).collect();
        let words: Vec<String> = (0..20_000).map(|number| format!("{number:x}")).collect();
        for records in [numbered, words] {
            for rate in [0.01, 0.1, 0.5, 0.9] {
                let found = share(&kept(&[("rate", &rate.to_string())], &records));
                assert!((found - rate).abs() < 0.012, "{rate} became {found}");
            }
            assert!(share(&kept(&[("rate", "0")], &records)) == 0.0);
            assert!(share(&kept(&[("rate", "1")], &records)) == 1.0);
            assert!(share(&kept(&[], &records)) == 1.0);
        }
    }

    #[test]
    fn records_with_one_key_fare_alike_and_a_higher_rate_keeps_more() {
        let records: Vec<String> =
            (0..5_000).map(|number| format!("{{\"n\":{number},\"user\":{{\"id\":\"u{}\"}}}}", number % 50)).collect();
        let few = kept(&[("rate", "0.3"), ("key", "user.id")], &records);
        let more = kept(&[("rate", "0.6"), ("key", "user.id")], &records);
        for (at, is_kept) in few.iter().enumerate() {
            assert_eq!(*is_kept, few[at % 50], "one user");
            assert!(!is_kept || more[at], "whoever is kept at 0.3 is kept at 0.6");
        }
        assert!((0.1..0.5).contains(&share(&few)));
        let written = [r#"{"k":"x\u0041"}"#, r#"{ "k" : "xA", "n": 1 }"#].map(str::to_owned);
        let alike = kept(&[("rate", "0.5"), ("key", "k")], &written);
        assert_eq!(alike[0], alike[1]);
    }

    #[test]
    fn what_is_always_kept_is_kept() {
        let settings = [("rate", "0"), ("always", r"level=error, http.status=500,ok=false,a\.b=c\,d")];
        let table = [
            (r#"{"level":"error"}"#, true),
            (r#"{"level":"\u0065rror"}"#, true),
            (r#"{"level":"errors"}"#, false),
            (r#"{"http":{"status":500}}"#, true),
            (r#"{"http":{"status":"500"}}"#, true),
            (r#"{"http":{"status":501}}"#, false),
            (r#"{"ok":false}"#, true),
            (r#"{"ok":null}"#, false),
            (r#"{"a.b":"c,d"}"#, true),
            (r#"[{"level":"error"}]"#, false),
            ("level=error", false),
            ("", false),
        ];
        for (record, expected) in table {
            assert_eq!(kept(&settings, &[record.to_owned()]), [expected], "{record}");
        }
    }

    #[test]
    fn settings_are_checked() {
        let refused =
            |name: &str, value: &str| run_plugin::<Sample>(&Context::new("", &[(name, value)]), &[""; 0]).unwrap_err();
        assert_eq!(refused("ratio", "1"), "ratio: no such setting; there are rate, key, always");
        for wrong in ["", "1.1", "-0.1", "NaN", "10%", "inf"] {
            assert!(refused("rate", wrong).starts_with("rate: a number from 0 to 1, not"), "{wrong}");
        }
        assert!(refused("key", "").starts_with("key: a path such as user.id"));
        for wrong in ["", "level", "=error", "level=a,,"] {
            assert!(refused("always", wrong).starts_with("always: a list such as level=error"), "{wrong}");
        }
        assert!(refused("always", &vec!["a=b"; 65].join(",")).starts_with("always: at most 64"));
    }
}
