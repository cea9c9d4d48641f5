//! What becomes of whole records.

use hydrant_plugin::testing::{Fate, run_plugin};

use super::*;

const SALT: (&str, &str) = ("salt", "sixteen bytes or more");

fn fate(settings: &[(&str, &str)], record: &str) -> Fate {
    run_plugin::<Redact>(&Context::new("", settings), &[record]).unwrap().remove(0)
}

/// The record after redaction.
fn redacted(settings: &[(&str, &str)], record: &str) -> String {
    match fate(settings, record) {
        Fate::Kept => record.to_owned(),
        other => other.text().concat(),
    }
}

fn refused(settings: &[(&str, &str)]) -> String {
    run_plugin::<Redact>(&Context::new("", settings), &[""; 0]).unwrap_err()
}

#[test]
fn all_kinds_are_masked_and_the_rest_stays() {
    let record = "{ \"mail\": \"Joe <joe@example.com>\", \"card\":\"4111 1111 1111 1111\",\"n\":4111111111111111,\n \"iban\":\"DE89 3704 0044 0532 0130 00\",\"phone\":\"+49 170 1234567\",\"joe@example.com\":[\"x\",null] }\n";
    let expected = "{ \"mail\": \"Joe <[email]>\", \"card\":\"[card]\",\"n\":4111111111111111,\n \"iban\":\"[iban]\",\"phone\":\"[phone]\",\"joe@example.com\":[\"x\",null] }\n";
    assert_eq!(redacted(&[], record), expected);
    for kept in ["", "{}", "{\"a\":\"b\"}", "plain text", "[1,2]", "{\"id\":\"1700000000000\"}"] {
        assert_eq!(fate(&[], kept), Fate::Kept, "{kept}");
    }
}

#[test]
fn escapes_hide_nothing() {
    let table = [
        (r#"{"a":"joe\u0040example.com"}"#, r#"{"a":"[email]"}"#),
        (r#"{"a":"x \u006aoe\u0040example\u002ecom\n"}"#, r#"{"a":"x [email]\n"}"#),
        (r#"{"a":"4111\u00201111\u00a01111\u20111111"}"#, r#"{"a":"[card]"}"#),
        (r#"{"a":"\u0034111111111111111"}"#, r#"{"a":"[card]"}"#),
        (r#"{"a":"tel:\u002b49 170 1234567\\"}"#, r#"{"a":"tel:[phone]\\"}"#),
        (r#"{"a":"DE89 3704 0044 0532 0130 0\u0030"}"#, r#"{"a":"[iban]"}"#),
        (r#"{"a":"/reset?mail=joe%40example.com&t=1"}"#, r#"{"a":"/reset?mail=[email]&t=1"}"#),
        (
            r#"{"a":"{\"mail\":\"joe\\u0040example.com\",\"b\":\"\\n\"}"}"#,
            r#"{"a":"{\"mail\":\"[email]\",\"b\":\"\\n\"}"}"#,
        ),
        (r#"{"a":"j\u00f6rg@b\u00fccher.de \ud83d\ude00"}"#, r#"{"a":"[email] \ud83d\ude00"}"#),
        (r"no json: joe\u0040example.com", "no json: [email]"),
        ("GET /?mail=joe%40example.com HTTP/1.1", "GET /?mail=[email] HTTP/1.1"),
    ];
    for (record, expected) in table {
        assert_eq!(redacted(&[], record), expected, "{record}");
    }
}

#[test]
fn text_and_several_values_are_searched_too() {
    let table = [
        ("4111 1111 1111 1111", "[card]"),
        ("4111111111111111\n", "[card]\n"),
        ("\"joe@example.com\" {\"a\":\"joe@example.com\"}\n", "\"[email]\" {\"a\":\"[email]\"}\n"),
        ("{\"a\":\"joe@example.com\"} 4111 1111 1111 1111", "{\"a\":\"[email]\"} [card]"),
        ("{\"a\":\"joe@example.com\",}", "{\"a\":\"[email]\",}"),
        ("Nov 21 mail from=<joe@example.com> to +1 (415) 555-2671", "Nov 21 mail from=<[email]> to [phone]"),
        ("4111111111111111@example.com 4111111111111111", "[email] [card]"),
    ];
    for (record, expected) in table {
        assert_eq!(redacted(&[], record), expected, "{record}");
    }
    let fates = run_plugin::<Redact>(&Context::new("", &[]), &[&b"\xff joe@example.com \xfe"[..]]).unwrap();
    let Fate::Replaced(records) = &fates[0] else { panic!("replaced") };
    assert_eq!(records[0].data, b"\xff [email] \xfe");
}

#[test]
fn each_kind_has_its_way() {
    let record = r#"{"a":"joe@example.com 4111111111111111 +491701234567"}"#;
    let ways = [("email", "keep"), ("phone", "keep")];
    assert_eq!(redacted(&ways, record), r#"{"a":"joe@example.com [card] +491701234567"}"#);
    let none = [("email", "keep"), ("phone", "keep"), ("card", "keep"), ("iban", "keep")];
    assert_eq!(fate(&none, record), Fate::Kept);
}

#[test]
fn hashes_are_the_same_for_every_form_and_differ_by_salt() {
    let hashed = |salt: &str, record: &str| {
        redacted(&[("salt", salt), ("email", "hash"), ("card", "hash"), ("iban", "hash"), ("phone", "hash")], record)
    };
    let one = hashed(SALT.1, "Joe@Example.com");
    // HMAC-SHA-256 of `joe@example.com`, as any other tool computes it.
    assert_eq!(one, "[email:1a1ac9cd059d6799]");
    assert_eq!(one, hashed(SALT.1, "joe%40example.com"));
    assert_ne!(one, hashed("another salt, as long", "joe@example.com"));
    assert_eq!(hashed(SALT.1, "4111-1111-1111-1111"), hashed(SALT.1, "4111111111111111"));
    assert_eq!(hashed(SALT.1, "DE89 3704 0044 0532 0130 00"), hashed(SALT.1, "de89370400440532013000"));
    assert_eq!(hashed(SALT.1, "+49 170/1234567"), hashed(SALT.1, "+491701234567"));
}

#[test]
fn fields_restrict_json_and_nothing_else() {
    let record = r#"{"user":{"mail":"a@b.cd"},"to":[{"mail":"e@f.gh"}],"note":"i@j.kl"}"#;
    let fields = [("fields", "user.mail, to.mail")];
    assert_eq!(redacted(&fields, record), r#"{"user":{"mail":"[email]"},"to":[{"mail":"[email]"}],"note":"i@j.kl"}"#);
    assert_eq!(redacted(&fields, "a@b.cd"), "[email]");
}

#[test]
fn settings_are_checked() {
    assert!(
        refused(&[("mail", "mask")]).starts_with("mail: no such setting; there are email, card, iban, phone, salt")
    );
    assert_eq!(refused(&[("card", "drop")]), "card: keep, mask or hash, not \"drop\"");
    assert!(refused(&[("email", "hash")]).starts_with("salt: hashing needs a secret of at least 16 bytes"));
    assert!(refused(&[SALT]).starts_with("salt: nothing is hashed"));
    assert!(refused(&[("fields", "")]).starts_with("fields: paths such as"));
    let plugin = Redact::configure(&Context::new("", &[SALT, ("email", "hash")])).unwrap();
    assert!(!format!("{plugin:?}").contains("sixteen"), "a secret is not shown");
}
