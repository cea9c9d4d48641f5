//! The SDK's view of JSON against a parser from another hand. Here and not in the SDK, whose copies in other people's
//! projects are to need nothing.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use hydrant_plugin::json::{self, Edit, Kind, New, Object, Token, Value, Values};
use proptest::prelude::*;
use serde_json::{Map, Value as Model};

/// Whether the other parser takes it. Its grammar without its types: numbers of any size, halves of surrogates.
fn is_json(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{0,20}",
        2 => "\\PC{0,12}",
        1 => r#"["\\/\x00-\x1f\u{7f}é€😀 ]{0,6}"#,
        1 => "[a-z]{30,70}",
    ]
}

fn scalar() -> impl Strategy<Value = Model> {
    prop_oneof![
        Just(Model::Null),
        any::<bool>().prop_map(Model::from),
        any::<i64>().prop_map(Model::from),
        any::<u64>().prop_map(Model::from),
        // Eighths, because the other parser rounds what has more digits.
        any::<i32>().prop_map(|eighths| Model::from(f64::from(eighths) / 8.0)),
        text().prop_map(Model::from),
    ]
}

fn value() -> impl Strategy<Value = Model> {
    scalar().prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Model::from),
            prop::collection::vec((name(), inner), 0..20)
                .prop_map(|members| Model::Object(members.into_iter().collect())),
        ]
    })
}

/// Few names, so that paths meet what is there; or any text.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![2 => "[abc]", 1 => text()]
}

fn object() -> impl Strategy<Value = Map<String, Model>> {
    prop::collection::vec((name(), value()), 0..24).prop_map(|members| members.into_iter().collect())
}

/// Writes a value with blanks and escapes that a seed chooses.
struct Style(u64);

impl Style {
    fn choice(&mut self, of: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % of
    }

    fn blank(&mut self, output: &mut String) {
        if self.choice(4) == 0 {
            output.push_str([" ", "\n", "\r\n", "\t", "  "][self.choice(5)]);
        }
    }

    fn text(&mut self, text: &str, output: &mut String) {
        output.push('"');
        for letter in text.chars() {
            let escaped = serde_json::to_string(&letter).unwrap();
            if self.choice(6) == 0 {
                let mut units = [0; 2];
                letter.encode_utf16(&mut units).iter().for_each(|unit| output.push_str(&format!("\\u{unit:04X}")));
            } else {
                output.push_str(&escaped[1..escaped.len() - 1]);
            }
        }
        output.push('"');
    }

    fn write(&mut self, value: &Model, output: &mut String) {
        self.blank(output);
        match value {
            Model::String(text) => self.text(text, output),
            Model::Array(items) => {
                output.push('[');
                for (at, item) in items.iter().enumerate() {
                    output.push_str(if at > 0 { "," } else { "" });
                    self.write(item, output);
                }
                self.blank(output);
                output.push(']');
            }
            Model::Object(members) => {
                output.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    output.push_str(if at > 0 { "," } else { "" });
                    self.blank(output);
                    self.text(name, output);
                    self.blank(output);
                    output.push(':');
                    self.write(value, output);
                }
                self.blank(output);
                output.push('}');
            }
            scalar => output.push_str(&scalar.to_string()),
        }
        self.blank(output);
    }
}

fn written(value: &Model, style: u64) -> String {
    let mut output = String::new();
    Style(style).write(value, &mut output);
    output
}

/// What the other parser makes of a value that was found.
fn model(value: Value<'_>) -> Model {
    serde_json::from_slice(value.raw()).unwrap()
}

/// A change of the member at a path: set, or removed.
type Change = (Vec<String>, Option<Model>);

fn change() -> impl Strategy<Value = Change> {
    (prop::collection::vec("[abcd]", 1..4), prop::option::of(scalar()))
}

fn apply(object: &mut Map<String, Model>, (path, value): &Change) {
    let (first, rest) = path.split_first().unwrap();
    match (rest.is_empty(), value) {
        (true, Some(value)) => drop(object.insert(first.clone(), value.clone())),
        (true, None) => drop(object.remove(first)),
        (false, Some(_)) => {
            let inner = object.entry(first.clone()).or_insert(Model::Null);
            if !inner.is_object() {
                *inner = Model::Object(Map::new());
            }
            apply(inner.as_object_mut().unwrap(), &(rest.to_vec(), value.clone()));
        }
        (false, None) => {
            if let Some(Model::Object(inner)) = object.get_mut(first) {
                apply(inner, &(rest.to_vec(), None));
            }
        }
    }
}

fn new(value: &Model) -> New<'_> {
    match value {
        Model::Null => New::Null,
        Model::Bool(value) => (*value).into(),
        Model::String(text) => text.into(),
        Model::Number(number) if number.is_i64() => number.as_i64().unwrap().into(),
        Model::Number(number) if number.is_u64() => number.as_u64().unwrap().into(),
        other => other.as_f64().unwrap().into(),
    }
}

fn commas(value: &Model) -> usize {
    match value {
        Model::Array(items) => items.len().saturating_sub(1) + items.iter().map(commas).sum::<usize>(),
        Model::Object(members) => members.len().saturating_sub(1) + members.values().map(commas).sum::<usize>(),
        _ => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_json_is_agreed_on(
        value in value(),
        style: u64,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..4),
    ) {
        let mut bytes = written(&value, style).into_bytes();
        prop_assert!(Value::parse(&bytes).is_ok());
        const LIKELY: &[u8] = b"{}[]:,\"\\u0123456789-+.eEtruefalsn \n\t\x00\x1f\xff\xc3\xa9";
        for (place, byte, kind) in changes {
            let at = place.index(bytes.len() + 1);
            let likely = LIKELY[usize::from(byte) % LIKELY.len()];
            match kind {
                0 => bytes.insert(at, likely),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 if at < bytes.len() => bytes[at] = likely,
                _ => bytes.truncate(at),
            }
            let parsed = Value::parse(&bytes);
            let shown = String::from_utf8_lossy(&bytes);
            prop_assert_eq!(parsed.is_ok(), is_json(&bytes), "{}: {:?}", shown, parsed);
            let object = Object::parse(&bytes);
            prop_assert_eq!(object.is_ok(), parsed.is_ok_and(|value| value.kind() == Kind::Object), "{}", shown);
            match (parsed, object) {
                (Err(one), Err(other)) => prop_assert_eq!(one, other, "{}", shown),
                (Ok(_), Err(error)) => prop_assert!(error.is_no_object()),
                _ => {}
            }
        }
    }

    #[test]
    fn any_bytes_are_judged_alike(bytes in r#"[\[\]{}:,"\\u0-9a-f.eE+ \n-]{0,40}"#) {
        prop_assert_eq!(Value::parse(bytes.as_bytes()).is_ok(), is_json(bytes.as_bytes()), "{}", bytes);
    }

    #[test]
    fn members_read_alike(members in object(), style: u64) {
        let text = written(&Model::Object(members.clone()), style);
        let object = Object::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(object.len(), members.len());
        for ((name, value), (found_name, found)) in members.iter().zip(object.members()) {
            prop_assert!(found_name == name.as_str());
            prop_assert_eq!(found_name.as_str().unwrap(), name.as_str());
            prop_assert_eq!(model(found), value.clone());
            let got = object.get(name).unwrap();
            prop_assert_eq!(got.raw(), found.raw());
            prop_assert!(got.as_str().as_deref() == value.as_str());
            prop_assert_eq!(got.as_bool(), value.as_bool());
            prop_assert_eq!(got.as_i64(), value.as_i64());
            prop_assert_eq!(got.as_u64(), value.as_u64());
            prop_assert_eq!(got.as_f64(), value.as_f64());
            prop_assert_eq!(got.is_null(), value.is_null());
            let items = got.as_array().map(|items| Model::Array(items.map(model).collect()));
            prop_assert_eq!(items.as_ref(), Some(value).filter(|value| value.is_array()));
        }
    }

    #[test]
    fn edits_do_what_they_say(members in object(), style: u64, changes in prop::collection::vec(change(), 0..7)) {
        let text = written(&Model::Object(members.clone()), style);
        let object = Object::parse(text.as_bytes()).unwrap();
        let paths: Vec<Vec<&str>> = changes.iter().map(|(path, _)| path.iter().map(String::as_str).collect()).collect();
        let mut edit: Edit<'_, '_> = object.edit();
        let mut expected = members;
        for (path, change) in paths.iter().zip(&changes) {
            apply(&mut expected, change);
            match (path.as_slice(), &change.1) {
                ([name], Some(value)) => drop(edit.set(name, new(value))),
                ([name], None) => drop(edit.remove(name)),
                (path, Some(value)) => drop(edit.set_path(path, new(value))),
                (path, None) => drop(edit.remove_path(path)),
            }
        }
        let mut output = Vec::new();
        edit.write_to(&mut output).unwrap();
        let shown = String::from_utf8_lossy(&output);
        prop_assert!(is_json(&output), "{} became {}", text, shown);
        let found: Model = serde_json::from_slice(&output).unwrap();
        prop_assert_eq!(found, Model::Object(expected), "{} became {}", text, shown);
    }

    #[test]
    fn compact_values_mean_the_same(value in value(), style: u64) {
        let text = written(&value, style);
        let mut output = Vec::new();
        json::compact(Value::parse(text.as_bytes()).unwrap(), &mut output).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Model>(&output).unwrap(), value);
        let mut again = Vec::new();
        let compacted = Value::parse(&output).unwrap();
        json::compact(compacted, &mut again).unwrap();
        prop_assert_eq!(&again, &output);
        // Without blanks, tokens are all there is but commas and colons.
        let length = |token| match token {
            Token::Key(text) => text.len() + 3,
            Token::Text(text) => text.len() + 2,
            Token::Scalar(text) => text.len(),
            _ => 1,
        };
        let commas = commas(&serde_json::from_slice(&output).unwrap());
        prop_assert_eq!(compacted.tokens().map(length).sum::<usize>() + commas, output.len());
    }

    #[test]
    fn values_follow_one_another(all in prop::collection::vec((value(), any::<u64>()), 0..6)) {
        let texts: Vec<String> = all.iter().map(|(value, style)| written(value, *style)).collect();
        let text = texts.join("\n");
        let found: Result<Vec<_>, _> = Values::new(text.as_bytes()).map(|value| value.map(model)).collect();
        let expected: Vec<_> = all.into_iter().map(|(value, _)| value).collect();
        prop_assert_eq!(found.unwrap(), expected);
    }
}
