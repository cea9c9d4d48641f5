//! Addresses and numbers planted anywhere in JSON, escaped in any way, are found and nothing else is touched.

use hydrant_plugin::Context;
use hydrant_plugin::testing::{Fate, run_plugin};
use proptest::prelude::*;
use redact::Redact;
use serde_json::Value;

const PLANTED: &[(&str, &str)] = &[
    ("joe.o'neil+tag@mail.example.co.uk", "[email]"),
    ("jörg@bücher.de", "[email]"),
    ("4111 1111 1111 1111", "[card]"),
    ("5500000000000004", "[card]"),
    ("3782-822463-10005", "[card]"),
    ("DE89 3704 0044 0532 0130 00", "[iban]"),
    ("GB29NWBK60161331926819", "[iban]"),
    ("+49 (0) 170 / 123 45 67", "[phone]"),
    ("(415) 555-2671", "[phone]"),
    ("0170 1234567", "[phone]"),
];

fn redacted(record: &str) -> String {
    match run_plugin::<Redact>(&Context::new("", &[]), &[record]).map(|mut fates| fates.remove(0)) {
        Ok(Fate::Kept) => record.to_owned(),
        other => other.map(|fate| fate.text().concat()).unwrap_or_default(),
    }
}

/// A text as JSON, with the letters that a mask chooses escaped.
fn quoted(text: &str, mask: u64) -> String {
    let mut quoted = String::from("\"");
    for (at, letter) in text.chars().enumerate() {
        if mask >> (at % 64) & 1 == 1 {
            let mut units = [0; 2];
            letter.encode_utf16(&mut units).iter().for_each(|unit| quoted.push_str(&format!("\\u{unit:04x}")));
        } else {
            let escaped = Value::from(letter.to_string()).to_string();
            quoted.push_str(&escaped[1..escaped.len() - 1]);
        }
    }
    quoted.push('"');
    quoted
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_planted_is_found(
        before in r#"([a-zäß€😀"\\/\n]{1,6}[ \n:;,<("]{1,2}){0,4}"#,
        after in r#"[ \n;,>)"!]([a-zäß€😀"\\/\n]{1,6} ){0,3}"#,
        which in 0..PLANTED.len(),
        mask: u64,
        nested in 0..3_usize,
    ) {
        let (plant, hidden) = PLANTED[which];
        let mut text = format!("{before}{plant}{after}");
        let mut expected = format!("{before}{hidden}{after}");
        // A backslash may stand for an escape of its own to the plugin, which must then stay what it is.
        prop_assume!(!text.contains(['\\', '%']));
        for _ in 0..nested {
            text = format!("{{\"a\":{}}}", Value::from(text));
            expected = format!("{{\"a\":{}}}", Value::from(expected));
        }
        let record = format!(" {{\"n\" : 1.50, \"{plant}\": [{} ]}}\n", quoted(&text, mask));
        let parsed: Value = serde_json::from_str(&redacted(&record)).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&parsed[plant][0], &Value::from(expected), "{}", record);
    }

    #[test]
    fn json_stays_json_and_bytes_do_no_harm(text in r#"[-@.+() 0-9a-fA-F%\\u"x\u{a0}é:/\[\]]{0,60}"#, mask: u64) {
        redacted(&text);
        let record = format!("{{\"a\":{}}}", quoted(&text, mask));
        let after = redacted(&record);
        prop_assert!(serde_json::from_str::<Value>(&after).is_ok(), "{} became {}", record, after);
    }
}
