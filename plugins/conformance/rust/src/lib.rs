//! The Rust guest of the conformance suite: does what the record or the setting `mode` says, like the guest of every
//! other language. Refuses to be clever: what differs between two languages is what the suite is to find.

use hydrant_plugin::json::Object;
use hydrant_plugin::{Batch, Context, Level, Outcome, Plugin, Record};

mod scenario;

/// What to do with records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conformance {
    /// Keep all of them.
    Keep,
    /// Parse, drop, fail, add a key and a member: the guest that is compared for speed.
    Edit,
    /// What each record says.
    Scenario,
}

impl Plugin for Conformance {
    type Answer = Outcome;

    fn configure(context: &Context) -> Result<Self, String> {
        if let Some(refuse) = context.setting("refuse") {
            return Err(refuse.to_owned());
        }
        Ok(match context.setting("mode") {
            Some("keep") => Self::Keep,
            Some("edit") => Self::Edit,
            _ => Self::Scenario,
        })
    }

    fn transform(&mut self, record: Record<'_>) -> Outcome {
        match self {
            Self::Keep => Outcome::Keep,
            Self::Edit => edit(record),
            Self::Scenario => scenario::transform(record),
        }
    }

    fn transform_batch(&mut self, batch: &mut Batch<'_>) {
        match self {
            Self::Keep => batch.keep_all(),
            Self::Edit => batch.each(edit),
            Self::Scenario => batch.each(scenario::transform),
        }
    }
}

hydrant_plugin::plugin!(type Conformance);

fn edit(mut record: Record<'_>) -> Outcome {
    let Ok(object) = Object::parse(record.data()) else {
        return Outcome::fail_with("bad-json", "no JSON object");
    };
    if let Some(level) = object.get("level").and_then(|level| level.as_str()) {
        if level == "debug" {
            return Outcome::Drop;
        }
        record.set("level", &level);
    }
    object.edit().set("pipeline", "hydrant").write_compact(record.output());
    Outcome::Replace
}

/// A level by its name.
fn level(name: &str) -> Option<Level> {
    Some(match name {
        "debug" => Level::Debug,
        "info" => Level::Info,
        "warn" => Level::Warn,
        "error" => Level::Error,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use hydrant_plugin::testing::{Fate, logged, run_plugin};

    use super::*;

    fn fates(settings: &[(&str, &str)], records: &[&[u8]]) -> Vec<Fate> {
        run_plugin::<Conformance>(&Context::new("clicks", settings), records).unwrap()
    }

    fn said(fate: &Fate) -> String {
        format!("{fate:?}")
    }

    #[test]
    fn a_record_says_what_becomes_of_it() {
        let fates = fates(
            &[("tone", "é")],
            &[
                b"",
                b"\xffab",
                b"keep it",
                b"one:a:b",
                b"many:A,B",
                b"many:",
                b"none",
                b"drop",
                b"setting:tone",
                b"stream",
                b"arrived",
                "count:aé😀".as_bytes(),
                "length:é".as_bytes(),
                b"repeat:3",
                b"log:warn:look",
            ],
        );
        assert_eq!(fates[0].text(), ["empty"]);
        let Fate::Replaced(reversed) = &fates[1] else { panic!("replaced") };
        assert_eq!(reversed[0].data, b"ba\xff");
        assert_eq!(fates[2], Fate::Kept);
        assert_eq!(fates[3].text(), ["a:b"]);
        assert_eq!(fates[4].text(), ["A", "B"]);
        assert_eq!(fates[5].text(), [""]);
        assert_eq!((&fates[6], &fates[7]), (&Fate::Dropped, &Fate::Dropped));
        let texts: Vec<_> = fates[8..14].iter().map(|fate| fate.text().concat()).collect();
        assert_eq!(texts, ["é", "clicks", "0", "3", "9", "xxx"]);
        assert_eq!(fates[14], Fate::Dropped);
        assert_eq!(logged(), [(Level::Warn, "look".to_owned())]);
    }

    #[test]
    fn a_record_says_how_it_fails() {
        let records: [&[u8]; 8] =
            [b"fail:why", b"code:C-1:why", b"half:", b"setting:no", b"column:no", b"a\xff", b"what", b"log:loud:x"];
        let fates = fates(&[], &records);
        let reasons = ["why", "why", "half", "no setting no", "no column no", "invalid utf-8", "unknown", "unknown"];
        for (fate, reason) in fates.iter().zip(reasons) {
            assert!(said(fate).starts_with("Failed") && said(fate).contains(reason), "{fate:?}");
        }
        assert!(said(&fates[1]).contains("C-1"), "{fates:?}");
    }

    #[test]
    fn keys_stand_on_kept_and_on_several_outputs() {
        let fates = fates(&[], &[b"keys:k", b"spread:A,B"]);
        let Fate::Replaced(kept) = &fates[0] else { panic!("replaced") };
        assert_eq!(kept[0].data, b"keys:k");
        let columns: Vec<_> = kept[0].columns.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(columns, [("$document-id", "k"), ("$index", "conformance"), ("key", "k")]);
        let Fate::Replaced(spread) = &fates[1] else { panic!("replaced") };
        let parts: Vec<_> = spread.iter().map(|one| (&one.data[..], one.columns["part"].as_str())).collect();
        assert_eq!(parts, [(&b"A"[..], "A"), (b"B", "B")]);
    }

    #[test]
    fn modes_and_refusal() {
        let kept = fates(&[("mode", "keep")], &[b"drop", b""]);
        assert_eq!(kept, [Fate::Kept, Fate::Kept]);
        let records: [&[u8]; 5] =
            [b" {\"level\": \"info\"}\n", b"{\"level\":\"debug\"}", b"[]", b"{\"level\":1}", b"{\"a\":1,}"];
        let edited = fates(&[("mode", "edit")], &records);
        assert_eq!(edited[0].text(), [r#"{"level":"info","pipeline":"hydrant"}"#]);
        let Fate::Replaced(with_key) = &edited[0] else { panic!("replaced") };
        assert_eq!(with_key[0].columns["level"], "info");
        assert_eq!(edited[1], Fate::Dropped);
        assert!(said(&edited[2]).contains("no JSON object") && said(&edited[2]).contains("bad-json"));
        assert_eq!(edited[3].text(), [r#"{"level":1,"pipeline":"hydrant"}"#]);
        assert!(said(&edited[4]).contains("no JSON object"));
        let refused = run_plugin::<Conformance>(&Context::new("", &[("refuse", "not today")]), &[""; 0]);
        assert_eq!(refused.unwrap_err(), "not today");
    }
}
