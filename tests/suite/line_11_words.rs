//! Line 11: the words that a stranger, an operator and a contributor need are there, and their links lead somewhere.

use hydrant_tests::environment::repository;

use crate::tidy::{files, none, read, shown};

/// Line 11: each page exists and speaks of what it is for.
#[test]
fn every_page_is_there() {
    let table: [(&str, &[&str]); 7] = [
        ("README.md", &["make demo", "first plugin", "aws", "not", "promise"]),
        ("ARCHITECTURE.md", &["journal", "pipeline.rs", "invariant"]),
        ("CONTRIBUTING.md", &["make test", "make setup"]),
        ("DECISIONS.md", &["context", "choice", "cost"]),
        ("CHANGELOG.md", &["0.1.0"]),
        ("LICENSE", &["apache license", "version 2.0"]),
        ("examples/01-orders-to-s3/README.md", &["orders"]),
    ];
    let mut wrong = Vec::new();
    for (page, words) in table {
        let Ok(text) = std::fs::read_to_string(repository().join(page)) else {
            wrong.push(format!("{page} is missing"));
            continue;
        };
        let text = text.to_lowercase();
        wrong.extend(
            words.iter().filter(|word| !text.contains(*word)).map(|word| format!("{page} says nothing of {word:?}")),
        );
    }
    none(wrong, "README, ARCHITECTURE, CONTRIBUTING, DECISIONS, CHANGELOG, LICENSE and the example");
}

/// Line 11: a relative link of any page leads to a file or folder.
#[test]
fn relative_links_lead_somewhere() {
    let mut wrong = Vec::new();
    for page in files("", "md") {
        let text = read(&page);
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap_or_default();
            let path = target.split('#').next().unwrap_or_default();
            let is_elsewhere = path.is_empty() || path.contains("://") || path.starts_with("mailto:");
            if !is_elsewhere && !page.parent().expect("a folder").join(path).exists() {
                wrong.push(format!("{}: {target}", shown(&page)));
            }
        }
    }
    none(wrong, "links lead somewhere");
}
