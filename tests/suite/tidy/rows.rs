//! Every row of the failure catalogue and every numbered line that this product claims is proven by a test that names
//! it in its doc comment.

use std::collections::BTreeSet;

use super::{files, none, read};

/// Rows claimed so far.
const ROWS: [&str; 36] = [
    "A3", "D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9", "D10", "D11", "D12", "D14", "D15", "P1", "P2", "P3",
    "P4", "P5", "P6", "P7", "P8", "P9", "P12", "X1", "X2", "X5", "X6", "X7", "X8", "X9", "X11", "X13", "X14", "X15",
];

/// Numbered lines of the spine's specification.
const LINES: usize = 12;

#[test]
fn every_claimed_row_is_named_by_a_test() {
    let mut named = BTreeSet::new();
    for file in files("host", "rs").into_iter().chain(files("tests", "rs")) {
        named.extend(rows_named_by_tests(&read(&file)));
    }
    let missing = ROWS.iter().filter(|row| !named.contains(**row)).map(|row| format!("row {row}"));
    none(missing.collect(), "a test that proves a row says so in its doc comment");
}

#[test]
fn every_numbered_line_has_its_module() {
    let modules = files("tests/suite", "rs");
    let names: Vec<String> =
        modules.iter().filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).collect();
    let has = |line: &usize| names.iter().any(|name| name.starts_with(&format!("line_{line:02}_")));
    let missing = (1..=LINES).filter(|line| !has(line)).map(|line| format!("line {line}"));
    none(missing.collect(), "tests/suite/line_NN_….rs shows line NN");
}

/// Words like `D4` in doc comments that stand directly above a test.
fn rows_named_by_tests(text: &str) -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    let mut comment = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(said) = line.strip_prefix("///") {
            comment.push_str(said);
        } else if line.starts_with("#[") && line.contains("test") {
            let words = comment.split(|letter: char| !letter.is_alphanumeric());
            rows.extend(words.filter(|word| is_row(word)).map(str::to_owned));
        } else if !line.starts_with("#[") {
            comment.clear();
        }
    }
    rows
}

fn is_row(word: &str) -> bool {
    let Some(number) = word.strip_prefix(['A', 'D', 'P', 'X']) else { return false };
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[test]
fn only_comments_of_tests_count() {
    let text =
        "/// Rows D4, D12: x\n/// and P3.\n#[tokio::test]\nfn a() {}\n/// D9\nfn b() {}\n// D7\n#[test]\nfn c() {}";
    assert_eq!(rows_named_by_tests(text), ["D12", "D4", "P3"].map(str::to_owned).into());
}
