//! Line 12: lints, toolchain and the dependency tables. The rest of the repository's rules are in [`crate::tidy`].
//!
//! `deny.toml` is written for cargo-deny (`make deny`); its licence, ban, source and duplicate tables are held here
//! too, because compiling cargo-deny takes longer than the whole suite.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::OnceLock;

use hydrant_tests::environment::{repository, text};

use crate::tidy::{none, read};

/// One package that ends up in a build for the targets that `deny.toml` names.
#[derive(Debug, PartialEq, Eq)]
struct Package {
    name: String,
    version: String,
    licence: String,
    /// True for a package of the registry or of this repository.
    is_from_registry_or_here: bool,
}

/// What cargo would build, tests included.
fn packages() -> &'static [Package] {
    static FOUND: OnceLock<Vec<Package>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut cargo = Command::new(text("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["tree", "--workspace", "--locked", "--edges", "normal,build,dev", "--prefix", "none"]);
        cargo.args(["--format", "{p}|{l}"]);
        for target in deny()["graph"]["targets"].as_array().expect("targets") {
            cargo.args(["--target", target.as_str().expect("a target")]);
        }
        let output = cargo.current_dir(repository()).output().expect("cargo can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.lines().filter(|line| !line.is_empty()).map(package).collect()
    })
}

/// Reads `NAME vVERSION (SOURCE)|LICENCE (*)`; the source of a package of the registry is not shown.
fn package(line: &str) -> Package {
    let (package, licence) = line.split_once('|').unwrap_or((line, ""));
    let mut words = package.splitn(3, ' ');
    let mut next = || words.next().unwrap_or_default().to_owned();
    let (name, version, source) = (next(), next(), next());
    let source = source.replace("(proc-macro)", "");
    let here = format!("({}", repository().display());
    Package {
        name,
        version,
        licence: licence.trim_end_matches("(*)").trim().to_owned(),
        is_from_registry_or_here: source.trim().is_empty() || source.trim().starts_with(&here),
    }
}

fn deny() -> toml::Table {
    read(&repository().join("deny.toml")).parse().expect("deny.toml is TOML")
}

fn names(table: &toml::Value, member: &str) -> Vec<String> {
    let name = |entry: &toml::Value| match entry {
        toml::Value::String(name) => name.clone(),
        entry => entry["name"].as_str().unwrap_or_default().to_owned(),
    };
    table[member].as_array().expect("a list").iter().map(name).collect()
}

/// Line 12: every package offers a licence of the allow-list.
#[test]
fn every_licence_is_allowed() {
    let allowed = names(&deny()["licenses"], "allow");
    assert!(packages().len() > 100, "cargo tree shows what is built");
    let refused = packages().iter().filter(|package| !satisfies(&package.licence, &allowed));
    let shown = refused.map(|package| format!("{}: {:?}", package.name, package.licence));
    none(shown.collect(), "deny.toml lists the licences that may enter");
}

/// An expression of SPDX identifiers with AND, OR, brackets and the old slash.
fn satisfies(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let value = any_of(&words, &mut at, allowed);
    value && at == words.len()
}

fn any_of(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut value = all_of(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        value |= all_of(words, at, allowed);
    }
    value
}

fn all_of(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut value = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        value &= one(words, at, allowed);
    }
    value
}

fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let Some(&first) = words.get(*at) else { return false };
    *at += 1;
    if first == "(" {
        let value = any_of(words, at, allowed);
        *at += 1;
        return value;
    }
    let mut name = first.to_owned();
    if words.get(*at) == Some(&"WITH") {
        name = format!("{first} WITH {}", words.get(*at + 1).unwrap_or(&""));
        *at += 2;
    }
    allowed.contains(&name)
}

/// Line 12: nothing banned, nothing from outside the registry.
#[test]
fn nothing_is_banned_or_from_elsewhere() {
    let banned = names(&deny()["bans"], "deny");
    let mut wrong = Vec::new();
    for package in packages() {
        if banned.contains(&package.name) {
            wrong.push(format!("{} is banned", package.name));
        }
        if !package.is_from_registry_or_here {
            wrong.push(format!("{} comes from outside the registry", package.name));
        }
    }
    none(wrong, "deny.toml bans it");
}

/// Line 12: a package that is there twice has a reason, and a reason that is no longer needed goes.
#[test]
fn every_duplicate_has_a_reason() {
    let deny = deny();
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        versions.entry(package.name.clone()).or_default().insert(package.version.clone());
    }
    let twice: BTreeSet<&String> =
        versions.iter().filter(|(_, versions)| versions.len() > 1).map(|(name, _)| name).collect();
    let skipped = names(&deny["bans"], "skip");
    let mut wrong: Vec<String> = twice
        .iter()
        .filter(|name| !skipped.contains(name))
        .map(|name| format!("{name} is there twice: {:?}", versions[*name]))
        .collect();
    wrong.extend(
        skipped
            .iter()
            .filter(|name| !twice.contains(name))
            .map(|name| format!("{name} is there once: its reason can go")),
    );
    for entry in deny["bans"]["skip"].as_array().into_iter().flatten() {
        if entry.get("reason").is_none() {
            wrong.push(format!("{entry:?} has no reason"));
        }
    }
    none(wrong, "deny.toml lists each duplicate with its reason");
}

#[test]
fn lines_of_cargo_tree_are_understood() {
    let read = package("syn v2.0.1 (proc-macro)|MIT OR Apache-2.0 (*)");
    assert_eq!(
        (read.name.as_str(), read.licence.as_str(), read.is_from_registry_or_here),
        ("syn", "MIT OR Apache-2.0", true)
    );
    assert!(!package("x v1.0.0 (https://example.org/x.git#abc)|MIT").is_from_registry_or_here);
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    let table = [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(GPL-3.0 OR MIT) AND MIT", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("GPL-3.0/MIT", true),
        ("", false),
    ];
    for (expression, expected) in table {
        assert_eq!(satisfies(expression, &allowed), expected, "{expression}");
    }
}

/// Line 12: the toolchain file and `rust-version` name the same compiler.
#[test]
fn one_compiler_version() {
    let toolchain: toml::Table = read(&repository().join("rust-toolchain.toml")).parse().expect("TOML");
    let manifest: toml::Table = read(&repository().join("Cargo.toml")).parse().expect("TOML");
    let channel = toolchain["toolchain"]["channel"].as_str().expect("a channel");
    let minimum = manifest["workspace"]["package"]["rust-version"].as_str().expect("a version");
    assert!(channel.starts_with(minimum), "{channel} and {minimum}");
    for lint in ["unsafe_code", "missing_docs", "unreachable_pub"] {
        assert!(manifest["workspace"]["lints"]["rust"].get(lint).is_some(), "{lint}");
    }
    for lint in ["unwrap_used", "expect_used", "panic", "todo", "allow_attributes_without_reason"] {
        assert!(manifest["workspace"]["lints"]["clippy"].get(lint).is_some(), "{lint}");
    }
}
