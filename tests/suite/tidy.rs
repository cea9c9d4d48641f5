//! The repository's own rules, as ordinary tests: what a reviewer would have to remember, a machine remembers.
//!
//! Each rule names the file and line that breaks it. Rules about code read text, not syntax: they are meant to be
//! obvious, and a false alarm is mended by plainer code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hydrant_tests::environment::repository;

mod rows;

/// Stages import plain values and the seams, never each other: only the pipeline and the edge see all of them.
#[test]
fn no_stage_imports_another() {
    const STAGES: [&str; 6] = ["api", "journal", "process", "batch", "encode", "deliver"];
    const SHARED: [&str; 5] = ["record", "definition", "runtime", "spool", "telemetry"];
    let mut wrong = Vec::new();
    // Two stages read records by the same rules; what they share is no stage and knows less than one.
    for file in files("host/src/convert", "rs") {
        for (line, text) in lines_without_comments(&file) {
            for module in modules_named(&text) {
                if !["convert", "record", "definition"].contains(&module) {
                    wrong.push(format!("{}:{line}: convert names crate::{module}", shown(&file)));
                }
            }
        }
    }
    for stage in STAGES {
        for file in files(&format!("host/src/{stage}"), "rs") {
            for (line, text) in lines_without_comments(&file) {
                for module in modules_named(&text) {
                    let converts = module == "convert" && ["process", "encode"].contains(&stage);
                    if module != stage && !SHARED.contains(&module) && !converts {
                        wrong.push(format!("{}:{line}: stage {stage} names crate::{module}", shown(&file)));
                    }
                }
            }
        }
    }
    none(
        wrong,
        "a stage may import record, definition, runtime, spool, telemetry and itself; process and encode also convert",
    );
}

/// Whoever looks for a promise's tests finds some: each filter of the table begins with a module of the suite, and what it
/// names in there is a test or a module.
#[test]
fn filters_of_the_table_of_promises_name_tests() {
    let page = fs::read_to_string(repository().join("CONTRIBUTING.md")).expect("a page");
    let table = page.split_once("### Where a promise is tested").expect("the table").1;
    let rows = table.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let filters: Vec<&str> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    assert!(filters.len() > 30, "{filters:?}");
    let wrong = filters.into_iter().filter(|filter| {
        let (module, rest) = filter.split_once("::").unwrap_or((filter, ""));
        let folder = repository().join("tests/suite").join(module);
        let text = fs::read_to_string(folder.with_extension("rs")).unwrap_or_default();
        let is_module = folder.is_dir() || !text.is_empty();
        let is_named =
            rest.is_empty() || folder.join(format!("{rest}.rs")).exists() || text.contains(&format!("fn {rest}("));
        !(is_module && is_named)
    });
    none(wrong.map(str::to_owned).collect(), "a filter of CONTRIBUTING.md must name a module or test of tests/suite");
}

/// Names after `crate::`, also inside braces: `use crate::{record::X, runtime}` names two.
fn modules_named(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        // `$crate::` and `some_crate::` are other words.
        let before = text[..at].chars().next_back();
        if before.is_some_and(|before| before.is_alphanumeric() || before == '_') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => found.extend(list.split(['}', ';']).next().unwrap_or_default().split(',').map(first_word)),
            None => found.push(first_word(rest)),
        }
    }
    found.retain(|name| !name.is_empty() && name.starts_with(char::is_lowercase));
    found
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start();
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or_default()
}

/// A file over 800 lines is two files; one without an opening `//!` hides what it is for.
#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for file in files("", "rs").into_iter().filter(|file| !is_generated(file)) {
        let text = read(&file);
        let count = text.lines().count();
        if count > 800 {
            wrong.push(format!("{} has {count} lines", shown(&file)));
        }
        if !text.starts_with("//! ") {
            wrong.push(format!("{} does not open with //!", shown(&file)));
        }
    }
    none(wrong, "at most 800 lines, opened by //!");
}

/// `mod.rs` is a table of contents: documentation, declarations, re-exports.
#[test]
fn mod_files_hold_no_logic() {
    let mut wrong = Vec::new();
    for file in files("host/src", "rs").into_iter().filter(|file| file.ends_with("mod.rs")) {
        for (line, text) in lines_without_comments(&file) {
            let first = text.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            if first.starts_with("fn ") || first.starts_with("impl ") || first.starts_with("async fn ") {
                wrong.push(format!("{}:{line}: {}", shown(&file), text.trim()));
            }
        }
    }
    none(wrong, "mod.rs holds documentation, declarations and re-exports");
}

/// Words that mean unfinished, slow or silenced.
#[test]
fn nothing_is_unfinished_skipped_or_slept() {
    // Spelled in two halves, so that this file does not find itself.
    let words = [
        ["#[ign", "ore"],
        ["todo", "!("],
        ["unimplemen", "ted!("],
        ["#[should", "_panic"],
        ["thread::sl", "eep"],
        ["time::sl", "eep("],
        ["#[al", "low("],
    ]
    .map(|halves| halves.concat());
    let mut wrong = Vec::new();
    for file in files("", "rs").into_iter().filter(|file| !is_generated(file)) {
        // The product may wait between two attempts of its own; a test may not wait for something to have happened.
        let may_sleep = file.starts_with(repository().join("host/src")) && !file.ends_with("tests.rs");
        let mut may_sleep = may_sleep;
        for (line, text) in lines_without_comments(&file) {
            may_sleep &= !text.trim_start().starts_with("mod tests {");
            // A macro that expands in other people's crates cannot know which of their lints would fire.
            let is_macro = text.contains("generated\")]") && shown(&file).starts_with("plugins/sdk/");
            for word in words.iter().filter(|word| text.contains(word.as_str())) {
                if !(may_sleep && word.contains("sleep") || is_macro && word.contains("low(")) {
                    wrong.push(format!("{}:{line}: {word}", shown(&file)));
                }
            }
        }
    }
    none(wrong, "nothing unfinished, nothing skipped, no sleep in a test, `expect` instead of `allow`");
}

/// SDKs carry a copy of the contract, because a published package cannot reach outside itself; copies are equal.
#[test]
fn copies_of_the_contract_are_equal() {
    let originals = files("wit/v1", "wit");
    assert!(!originals.is_empty(), "wit/v1 holds the plugin contract");
    let mut copies = 0;
    let mut wrong = Vec::new();
    for copy in files("plugins", "wit") {
        let name = copy.file_name().expect("a file has a name");
        let Some(original) = originals.iter().find(|original| original.file_name() == Some(name)) else { continue };
        copies += 1;
        if read(&copy) != read(original) {
            wrong.push(format!("{} differs from {}", shown(&copy), shown(original)));
        }
    }
    assert!(copies > 0, "the SDK carries a copy of wit/v1");
    none(wrong, "copy wit/v1 over its copies");
}

/// What is built against version 1 loads for ever: a change of it, be it a comment, is made in `wit/v2`.
#[test]
fn version_1_of_the_contract_is_frozen() {
    const V1: &str = "a94f060a8b2c6da9777a23a13d30259fdd341e5e9f64e68b5644942a47181378";
    assert_eq!(
        hydrant_tests::client::sha256_hex(&fs::read(repository().join("wit/v1/hydrant.wit")).expect("the contract")),
        V1
    );
}

/// Five folders at the top, each with one purpose; anything else has a place inside one of them.
#[test]
fn no_stray_folder_at_the_top() {
    const FOLDERS: [&str; 5] = ["host", "plugins", "wit", "examples", "tests"];
    let ignored = read(&repository().join(".gitignore"));
    let mut stray = Vec::new();
    for entry in fs::read_dir(repository()).expect("the repository") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_ignored = ignored.lines().any(|line| line.trim_matches('/') == name);
        if entry.path().is_dir() && !name.starts_with('.') && !is_ignored && !FOLDERS.contains(&name.as_str()) {
            stray.push(name);
        }
    }
    none(stray, "top-level folders are host, plugins, wit, examples, tests");
}

/// A `make` target that the documentation names exists.
#[test]
fn documented_make_targets_exist() {
    let makefile = read(&repository().join("Makefile"));
    let targets: BTreeSet<&str> =
        makefile.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    let mut wrong = Vec::new();
    for file in files("", "md") {
        for (line, text) in (1..).zip(read(&file).lines()) {
            for code in text.split('`').skip(1).step_by(2) {
                let Some(rest) = code.strip_prefix("make ") else { continue };
                let target = rest.split_whitespace().next().unwrap_or_default();
                if !targets.contains(target) {
                    wrong.push(format!("{}:{line}: make {target}", shown(&file)));
                }
            }
        }
    }
    none(wrong, "the Makefile has no such target");
}

/// A map that is longer than the walk is no map.
#[test]
fn the_architecture_fits_in_two_hundred_lines() {
    let count = read(&repository().join("ARCHITECTURE.md")).lines().count();
    assert!(count < 200, "ARCHITECTURE.md has {count} lines");
}

/// Every dependency in one table, in order, each with its reason.
#[test]
fn workspace_dependencies_are_sorted_and_reasoned() {
    let manifest = read(&repository().join("Cargo.toml"));
    let table = manifest.split("[workspace.dependencies]").nth(1).expect("a table of dependencies");
    let table = table.split("\n[").next().unwrap_or_default();
    let entries: Vec<&str> = table.lines().filter(|line| line.contains(" = ")).collect();
    let names: Vec<&str> = entries.iter().filter_map(|line| line.split(" = ").next()).collect();
    let mut wrong: Vec<String> =
        names.windows(2).filter(|pair| pair[0] > pair[1]).map(|pair| pair.join(" after ")).collect();
    for entry in &entries {
        let name = entry.split(" = ").next().unwrap_or_default();
        if !entry.contains(" # ") {
            wrong.push(format!("{name} has no reason"));
        }
        if !entry.contains("default-features = false") {
            wrong.push(format!("{name} takes its default features"));
        }
    }
    none(wrong, "sorted, one line of reason each, features by name");
}

/// Members take versions and lints from the workspace, so no table can drift from the others.
#[test]
fn members_inherit_versions_and_lints() {
    let mut wrong = Vec::new();
    for member in ["host", "tests"] {
        let manifest: toml::Table = read(&repository().join(member).join("Cargo.toml")).parse().expect("a manifest");
        let inherits = |value: &toml::Value| value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
        if !manifest.get("lints").is_some_and(inherits) {
            wrong.push(format!("{member} does not take the workspace's lints"));
        }
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let entries = manifest.get(table).and_then(toml::Value::as_table);
            for (name, value) in entries.into_iter().flatten().filter(|(_, value)| !inherits(value)) {
                let is_local = value.get("path").is_some();
                if !is_local {
                    wrong.push(format!("{member}: {name} has a version of its own"));
                }
            }
        }
    }
    none(wrong, "name = { workspace = true }");
}

/// Files of the repository with this ending below a folder, build products and hidden folders left out.
pub(crate) fn files(below: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![repository().join(below)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("an entry").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Text of a file, which must be there.
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", shown(path)))
}

/// A path as a reader of the repository knows it.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap_or(path).display().to_string()
}

/// Fails with everything that is wrong.
pub(crate) fn none(wrong: Vec<String>, rule: &str) {
    assert!(wrong.is_empty(), "rule: {rule}\n{}", wrong.join("\n"));
}

fn lines_without_comments(file: &Path) -> Vec<(usize, String)> {
    let text = read(file);
    let code = (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.map(|(number, line)| (number, line.to_owned())).collect()
}

/// Written by a tool, which says so in its first lines.
fn is_generated(file: &Path) -> bool {
    read(file).lines().take(5).any(|line| line.contains("@generated") || line.contains("Generated by"))
}

/// The rules themselves see what they are for.
#[test]
fn the_import_rule_sees_every_form() {
    let found: BTreeMap<&str, Vec<&str>> = [
        ("use crate::journal::Journal;", vec!["journal"]),
        ("use crate::{record::Batch, deliver};", vec!["record", "deliver"]),
        ("let x = crate::api::parse(y);", vec!["api"]),
        ("other_crate::api::parse(y)", vec![]),
    ]
    .into();
    for (text, modules) in found {
        assert_eq!(modules_named(text), modules, "{text}");
    }
}
