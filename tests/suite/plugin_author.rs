//! What the author of a plugin does without a host: inspect it, pipe records through it, hold it to its fixtures. Run
//! with the built binary, on the plugins of this repository.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hydrant_tests::environment::repository;
use hydrant_tests::host::{binary, plugin};
use serde_json::Value;

fn hydrant(arguments: &[&str], file: &Path, rest: &[&str], input: &str) -> Output {
    let mut command = Command::new(binary());
    command.arg("plugin").args(arguments).arg(file).args(rest).current_dir(repository());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be run");
    // A command that reads no input may be gone already.
    drop(child.stdin.take().expect("a pipe").write_all(input.as_bytes()));
    child.wait_with_output().expect("an own child")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The plugins of this repository do what their fixtures say.
#[test]
fn the_plugins_hold_to_their_fixtures() {
    const READY_MADE: [&str; 7] =
        ["orders", "json-to-ndjson", "redact", "parse-log", "cloudwatch-logs", "sample", "sensor-quality"];
    for name in READY_MADE {
        let output = hydrant(&["test"], &plugin(name), &[&format!("plugins/{name}/fixtures")], "");
        assert_eq!(output.status.code(), Some(0), "{name}: {}{}", text(&output.stdout), text(&output.stderr));
        assert!(text(&output.stdout).ends_with("records: all as expected\n"), "{name}: {}", text(&output.stdout));
    }

    // Another plugin does something else with them.
    let output = hydrant(&["test", "--json"], &plugin("bench"), &["plugins/orders/fixtures"], "");
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(!report["differences"].as_array().expect("a list").is_empty(), "{report}");
    assert!(text(&output.stderr).contains("hint: if the plugin is right"), "{}", text(&output.stderr));
}

/// A plugin in a shell pipe: lines in, lines out, failures on standard error and in the exit code.
#[test]
fn a_plugin_works_in_a_pipe() {
    let lines = "{\"level\":\"info\"}\n{\"level\":\"debug\"}\n";
    let output = hydrant(&["run"], &plugin("bench"), &[], lines);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "{\"level\":\"info\",\"pipeline\":\"hydrant\"}\n");

    let output = hydrant(&["run"], &plugin("bench"), &[], "no json\n{\"level\":\"info\"}\n");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "{\"level\":\"info\",\"pipeline\":\"hydrant\"}\n");
    let errors = text(&output.stderr);
    assert!(errors.contains("line 1: Lambda.") && errors.contains("error: 1 of 2 records failed"), "{errors}");
}

/// A file says what it is; what is no plugin is refused with a remedy.
#[test]
fn a_plugin_file_says_what_it_is() {
    let output = hydrant(&["inspect", "--json"], &plugin("orders"), &[], "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let facts: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(facts["plugin"], "orders");
    assert!(facts["wit"].as_str().expect("text").contains("export hydrant:transform/transform@1.0.0"), "{facts}");

    let output = hydrant(&["inspect"], &repository().join("README.md"), &[], "");
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(errors.contains("it is not WebAssembly") && errors.contains("hint:"), "{errors}");
}

/// From nothing to a tested plugin: new, build, test, and the author's own unit tests; then an edit shows.
#[test]
fn a_new_rust_plugin_builds_and_passes_its_tests() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = folder.path().display().to_string();
    let made = hydrant(&["new"], Path::new("fresh-orders"), &["--lang", "rust", "--dir", &place], "");
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let project = folder.path().join("fresh-orders");

    let built = hydrant(&["build"], &project, &["--json"], "");
    assert_eq!(built.status.code(), Some(0), "{}", text(&built.stderr));
    let facts: Value = serde_json::from_slice(&built.stdout).expect("JSON");
    assert!(facts["bytes"].as_u64().expect("a size") < 200_000, "{facts}");
    let file = project.join("fresh-orders.wasm");
    let fixtures = project.join("fixtures").display().to_string();
    let held = hydrant(&["test"], &file, &[&fixtures], "");
    assert_eq!(held.status.code(), Some(0), "{}{}", text(&held.stdout), text(&held.stderr));

    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--quiet"]).current_dir(&project).env_remove("CARGO_TARGET_DIR");
    let tested = cargo.output().expect("cargo can be run");
    assert!(tested.status.success(), "{}{}", text(&tested.stdout), text(&tested.stderr));

    let source = project.join("src/lib.rs");
    let edited = std::fs::read_to_string(&source).expect("a file").replace("\"heartbeat\"", "\"noise\"");
    std::fs::write(&source, edited).expect("a file");
    assert_eq!(hydrant(&["build"], &project, &[], "").status.code(), Some(0));
    let held = hydrant(&["test"], &file, &[&fixtures], "");
    assert_eq!(held.status.code(), Some(1));
    assert!(text(&held.stdout).contains("record 2: it is not what is expected"), "{}", text(&held.stdout));
}

/// What a record costs, for machines; the count of instructions is the same for the same plugin.
#[test]
fn a_plugin_is_measured() {
    let orders = plugin("orders");
    let place = orders.display().to_string();
    let rest = ["--json", "--input", "plugins/orders/fixtures", "--against", place.as_str()];
    let output = hydrant(&["bench"], &orders, &rest, "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let counted = |figures: &Value| figures["batches"][2]["instructions_per_record"].as_u64().expect("a count");
    assert!(counted(&report["plugin"]) > 0);
    assert_eq!(counted(&report["plugin"]), counted(&report["against"]));
}
