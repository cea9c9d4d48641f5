//! Inspecting, piping and testing a guest of this repository. Refuses to start a host.

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::super::arguments::{BenchPlugin, BuildPlugin, Configured, Language, NewPlugin, TestPlugin, TriedPlugin};
use super::super::console::Format;
use super::super::{Console, Failure};
use super::filter::{Counts, filter};
use super::{PluginLimits, bench, build, check, inspect, new, open};
use crate::config;
use crate::process::Workshop;
use crate::process::plugin::{Limits, guests::guest};

struct Defaults;

impl PluginLimits for Defaults {
    fn plugin_limits(_configured: Option<&config::Plugins>) -> Limits {
        Limits::default()
    }
}

fn tried(file: PathBuf) -> TriedPlugin {
    TriedPlugin { file, settings: Vec::new(), stream: String::new(), limits: Configured { config: None } }
}

fn said(format: Format, work: impl FnOnce(&Console) -> Result<(), Failure>) -> (String, Result<(), Failure>) {
    let (console, buffer) = Console::buffer(format);
    let done = work(&console);
    let text = String::from_utf8(buffer.lock().expect("a buffer").clone()).expect("text");
    (text, done)
}

#[test]
fn a_plugin_says_what_it_is() {
    let file = guest("bench");
    let (text, done) = said(Format::Human, |console| inspect::inspect(console, &Limits::default(), &file));
    done.expect("a plugin");
    for wanted in ["plugin     bench", "hydrant:transform/log@1.0.0", "rustc", "export hydrant:transform/transform"] {
        assert!(text.contains(wanted), "{wanted} is missing: {text}");
    }
    let (json, done) = said(Format::Json, |console| inspect::inspect(console, &Limits::default(), &file));
    done.expect("a plugin");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["digest"].as_str().expect("a digest").len(), 64);
    assert_eq!(json["limits"]["deadline_ms"], 10_000);
}

#[test]
fn what_is_no_plugin_is_refused_with_a_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("text.wasm");
    fs::write(&file, "no component").expect("a file");
    let (_, done) = said(Format::Human, |console| inspect::inspect(console, &Limits::default(), &file));
    let told = done.expect_err("refused").to_string();
    assert!(told.contains("text.wasm") && told.contains("hint:"), "{told}");
    let told = open::read(Path::new("/nowhere.wasm")).expect_err("missing").to_string();
    assert!(told.contains("cannot read /nowhere.wasm") && told.contains("hint:"), "{told}");
}

fn workshop(name: &str) -> Workshop {
    let bytes = fs::read(guest(name)).expect("a guest");
    Workshop::open(name, "s", &bytes, Limits::default(), Vec::new(), None).expect("a plugin")
}

#[test]
fn a_plugin_is_a_filter() {
    let lines = "{\"level\":\"info\",\"n\":1}\n{\"level\":\"debug\"}\nno json\n{\"level\":\"warn\"}";
    for batch in [1, 2, 500] {
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let input = BufReader::with_capacity(16, lines.as_bytes());
        let counts = filter(&workshop("bench"), batch, input, &mut output, &mut errors).expect("done");
        assert_eq!(counts, Counts { read: 4, delivered: 2, dropped: 1, failed: 1 });
        let output = String::from_utf8(output).expect("text");
        let expected =
            "{\"level\":\"info\",\"n\":1,\"pipeline\":\"hydrant\"}\n{\"level\":\"warn\",\"pipeline\":\"hydrant\"}\n";
        assert_eq!(output, expected);
        let errors = String::from_utf8(errors).expect("text");
        assert!(errors.starts_with("line 3: Lambda."), "{errors}");
    }
}

#[test]
fn a_line_that_no_stream_takes_ends_the_filter() {
    let line = vec![b'x'; 1_024_001];
    let input = BufReader::new(line.as_slice());
    let told = filter(&workshop("bench"), 1, input, &mut Vec::new(), &mut Vec::new()).expect_err("too long");
    assert!(told.to_string().contains("line 1 has more than 1024000 bytes"), "{told}");
}

#[test]
fn fixtures_are_blessed_held_and_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("levels.json");
    let inputs = r#"{"records": [{"input": "{\"level\":\"info\"}"}, {"input": "{\"level\":\"debug\"}"}, {"input": {"base64": "/w=="}}]}"#;
    fs::write(&file, inputs).expect("a file");
    let asked = |update| TestPlugin { plugin: tried(guest("bench")), fixtures: vec![folder.path().into()], update };
    let run = |update| said(Format::Human, |console| check::check::<Defaults>(console, &asked(update)));

    let (text, done) = run(false);
    assert!(text.contains("record 1: nothing is expected yet"), "{text}");
    assert!(done.expect_err("not blessed").to_string().contains("`--update`"));
    let (text, done) = run(true);
    done.expect("blessed");
    assert!(text.contains("1 fixtures, 3 records: 1 files updated"), "{text}");
    let (text, done) = run(false);
    done.expect("held");
    assert!(text.contains("1 fixtures, 3 records: all as expected"), "{text}");

    let blessed = fs::read_to_string(&file).expect("a file");
    fs::write(&file, blessed.replace("dropped", "dorpped")).expect("a file");
    assert!(run(false).1.expect_err("misspelt").to_string().contains("is no fixture"));
    fs::write(&file, blessed.replace("hydrant", "other")).expect("a file");
    let (text, done) = run(false);
    assert!(done.expect_err("it differs").to_string().contains("1 of 3 records differ"));
    let shown: Vec<&str> = text.lines().map(str::trim).collect();
    assert!(shown[0].ends_with("record 1: it is not what is expected"), "{text}");
    assert!(shown[2].starts_with("- {\"delivered\"") && shown[2].contains("other"), "{text}");
    assert!(shown[3].starts_with("+ {\"delivered\"") && shown[3].contains("hydrant"), "{text}");
}

/// Times vary; counted instructions do not, and so tell two versions apart.
#[test]
fn a_bench_counts_the_same_instructions_every_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("logs.ndjson");
    fs::write(&input, "{\"level\":\"info\"}\n{\"level\":\"debug\"}\n").expect("a file");
    let asked = |against| BenchPlugin { plugin: tried(guest("bench")), input: input.clone(), against };
    let run = |against| {
        let (text, done) = said(Format::Json, |console| bench::bench::<Defaults>(console, &asked(against)));
        done.expect("measured");
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
    };
    let report = run(Some(guest("bench")));
    let counts = |figures: &serde_json::Value| -> Vec<u64> {
        let rows = figures["batches"].as_array().expect("rows");
        rows.iter().map(|row| row["instructions_per_record"].as_u64().expect("a count")).collect()
    };
    let counted = counts(&report["plugin"]);
    assert_eq!(counted, counts(&report["against"]));
    assert_eq!(counted.len(), 4);
    assert!(counted[0] > counted[3] && counted[3] > 50, "a larger batch shares its start: {counted:?}");
    let (text, done) = said(Format::Human, |console| bench::bench::<Defaults>(console, &asked(Some(guest("bench")))));
    done.expect("measured");
    assert!(text.contains("instructions per record, batch of 4,000") && text.contains("+0.0 %"), "{text}");
}

#[test]
fn a_project_is_made_once_and_under_a_good_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let asked = |name: &str| NewPlugin { name: name.into(), lang: Language::Rust, dir: folder.path().into() };
    let (text, done) = said(Format::Human, |console| new::new(console, &asked("clean-orders")));
    done.expect("made");
    assert!(text.contains("hydrant plugin test clean-orders.wasm"), "{text}");
    let manifest = fs::read_to_string(folder.path().join("clean-orders/Cargo.toml")).expect("a manifest");
    assert!(manifest.contains("name = \"clean-orders\""), "{manifest}");
    let told =
        said(Format::Human, |console| new::new(console, &asked("clean-orders"))).1.expect_err("exists").to_string();
    assert!(told.contains("cannot make the project") && told.contains("hint:"), "{told}");
    for name in ["", "Clean", "9lives", "../up", "a b", &"a".repeat(65), "hydrant-plugin"] {
        let told = said(Format::Human, |console| new::new(console, &asked(name))).1.expect_err(name).to_string();
        assert!(told.contains("is no name for a plugin"), "{told}");
    }
}

/// The project gets the version of the bindings that this repository tests.
#[test]
fn a_project_has_the_bindings_that_are_tested() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/Cargo.toml");
    let manifest = fs::read_to_string(manifest).expect("a manifest");
    assert!(manifest.contains(&format!("wit-bindgen = {{ version = \"{}\"", new::WIT_BINDGEN)), "{manifest}");
}

#[test]
fn a_folder_without_a_project_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let asked = BuildPlugin { dir: folder.path().into(), out: None, lambda: None, limits: Configured { config: None } };
    let done = said(Format::Human, |console| build::build::<Defaults>(console, &asked)).1;
    let told = done.expect_err("no project").to_string();
    assert!(told.contains("no project that a plugin can be built of") && told.contains("hint:"), "{told}");
}
