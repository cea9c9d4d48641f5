//! The table as a whole: every pattern compiles, and its tricky translations match what Java would.

use super::shape::{Pattern, Shape};
use super::*;

fn visit(shape: &'static Shape, seen: &mut Vec<&'static Shape>) {
    if seen.iter().any(|known| std::ptr::eq(*known, shape)) {
        return;
    }
    seen.push(shape);
    match shape {
        Shape::Structure(members) => members.iter().for_each(|member| visit(member.shape, seen)),
        Shape::List { member, .. } => visit(member, seen),
        Shape::Map { key, value } => [key, value].into_iter().for_each(|shape| visit(shape, seen)),
        _ => {}
    }
}

#[test]
fn every_pattern_of_the_table_compiles() {
    let mut seen = Vec::new();
    visit(&CREATE_DELIVERY_STREAM_INPUT, &mut seen);
    visit(&UPDATE_DESTINATION_INPUT, &mut seen);
    let mut patterns = 0;
    for shape in &seen {
        let found = match shape {
            Shape::Text { pattern: Some(pattern), .. } => vec![pattern],
            Shape::Address { pattern, plaintext, .. } => vec![pattern, plaintext],
            _ => Vec::new(),
        };
        for pattern in found {
            assert!(pattern.compiles(), "{}", pattern.printed);
            patterns += 1;
        }
    }
    assert!(seen.len() > 150 && patterns > 50, "{} shapes, {patterns} patterns", seen.len());
}

#[test]
fn patterns_match_as_java_does() {
    let check = |pattern: &Pattern, good: &[&str], bad: &[&str]| {
        for text in good {
            assert!(pattern.matches(text), "{} {text:?}", pattern.printed);
        }
        for text in bad {
            assert!(!pattern.matches(text), "{} {text:?}", pattern.printed);
        }
    };
    let of = |shape: &'static Shape| match shape {
        Shape::Text { pattern: Some(pattern), .. } => pattern,
        other => panic!("{other:?} has no pattern"),
    };
    check(of(&DELIVERY_STREAM_NAME), &["a", "A_z.9-"], &["", "a b", "é", "a\n"]);
    check(
        of(&BUCKET_ARN),
        &["arn:aws:s3:::b", "arn:aws-cn:s3:::my_b.u-9"],
        &["arn:aws:s3:::", "arn:aws:s3:::a/b", "arn:aws:s3:::é"],
    );
    check(
        of(&ROLE_ARN),
        &["arn:aws:iam::123456789012:role/a/b"],
        &["arn:aws:iam::12345678901:role/a", "arn:aws:iam::١٢٣٤٥٦٧٨٩٠١٢:role/a"],
    );
    check(of(&PREFIX), &["", "a/!{timestamp:yyyy}/é"], &["a\nb", "a\r", "\u{2028}"]);
    check(of(&FILE_EXTENSION), &["", ".log", ".a!-_.*'()"], &["log", ".", ".LOG", ".a\n"]);
    check(of(&CUSTOM_TIME_ZONE), &["", "UTC", "America/New_York"], &["Etc/GMT+1", " "]);
    check(of(&PROCESSOR_PARAMETER_VALUE), &["a", " a", "\u{3000}"], &["", " \t", "a\nb"]);
    check(of(&TAG_KEY), &["", "Ünï codé:/=+-@%", "aws", "日本"], &["aws:x", "a#", "a\tb"]);
    check(of(&LOG_STREAM_NAME), &["", "a/b\nc"], &["a:b", "*"]);
    check(of(&NON_EMPTY_STRING_WITHOUT_WHITESPACE), &["a", "é"], &["", "a b", "\t"]);
}
