//! Plugins in every language, by their real toolchains: the same scenario ends in the same bytes, and a newcomer's way
//! from nothing to changed records works as it is written. Handlers of AWS Lambda run as they are.
//!
//! Projects lie below the folder where `plugins/toolchains.sh` installed the toolchains, so that they find them as any
//! project below a common `node_modules` or `.venv` does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use hydrant_tests::checker::read_bucket;
use hydrant_tests::client::through_plugin;
use hydrant_tests::environment::{repository, target_directory};
use hydrant_tests::host::{Host, Setup, binary};
use hydrant_tests::wait::until;
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(120);

/// The folder with the toolchains, installed once.
pub(super) fn toolchains() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let place = target_directory().join("toolchains");
        let mut script = Command::new("bash");
        script.arg(repository().join("plugins/toolchains.sh")).arg(&place);
        succeeds(&mut script);
        place
    })
}

/// An empty folder among the toolchains.
pub(super) fn fresh(name: &str) -> PathBuf {
    let place = toolchains().join("projects").join(name);
    if place.exists() {
        fs::remove_dir_all(&place).expect("an old project");
    }
    fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
    place
}

pub(super) fn plugin(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    // What is compiled is kept, but not among the user's own.
    command.arg("plugin").args(arguments).env("XDG_CACHE_HOME", target_directory().join("cache"));
    command
}

pub(super) fn ran(command: &mut Command) -> (Output, String) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = format!("{command:?}\n{}{}", text(&output.stdout), text(&output.stderr));
    (output, said)
}

pub(super) fn succeeds(command: &mut Command) -> String {
    let (output, said) = ran(command);
    assert!(output.status.success(), "{said}");
    said
}

pub(super) fn shown(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// Copies a folder; where a link points is copied, too.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())).flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// Builds the conformance guest of a language as its author would, and holds it to the fixtures.
fn conforms(language: &str, adapt: impl FnOnce(&Path, &Path)) {
    let guests = repository().join("plugins/conformance");
    let project = fresh(&format!("conformance-{language}"));
    adapt(&guests.join(language), &project);
    let file = project.with_extension("wasm");
    succeeds(&mut plugin(&["build", shown(&project), "--out", shown(&file)]));
    let said = succeeds(&mut plugin(&["test", shown(&file), shown(&guests.join("fixtures"))]));
    assert!(said.contains("4 fixtures, 51 records: all as expected"), "{said}");
}

/// The scenario in the file of a new project.
fn in_a_new_project(
    language: &'static str,
    source: &'static str,
    edit: fn(String) -> String,
) -> impl FnOnce(&Path, &Path) {
    move |guest, project| {
        let (folder, name) = (project.parent().expect("a folder"), project.file_name().expect("a name"));
        succeeds(plugin(&["new"]).arg(name).args(["--lang", language, "--dir"]).arg(folder));
        let text = fs::read_to_string(guest.join(source)).expect("a guest");
        fs::write(project.join(source), edit(text)).expect("a file");
    }
}

#[test]
fn rust_conforms() {
    let file = hydrant_tests::host::plugin("conformance");
    let fixtures = repository().join("plugins/conformance/fixtures");
    let said = succeeds(&mut plugin(&["test", shown(&file), shown(&fixtures)]));
    assert!(said.contains("4 fixtures, 51 records: all as expected"), "{said}");
}

/// A component that was built when version 1 of the contract was frozen, in C, still does what it did.
#[test]
fn what_was_built_then_runs_now() {
    let file = repository().join("tests/frozen/conformance-v1.wasm");
    let fixtures = repository().join("plugins/conformance/fixtures");
    let said = succeeds(&mut plugin(&["test", shown(&file), shown(&fixtures)]));
    assert!(said.contains("4 fixtures, 51 records: all as expected"), "{said}");
}

#[test]
fn javascript_conforms() {
    let edit = |text: String| text.replace("../../../sdk/javascript/", "../hydrant-plugin/");
    conforms("javascript", in_a_new_project("javascript", "src/plugin.js", edit));
}

#[test]
fn typescript_conforms() {
    let edit = |text: String| text.replace("../../../sdk/javascript/", "../hydrant-plugin/");
    conforms("typescript", in_a_new_project("typescript", "src/plugin.ts", edit));
}

#[test]
fn python_conforms() {
    conforms("python", in_a_new_project("python", "plugin.py", |text| text));
}

#[test]
fn go_conforms() {
    conforms("go", |guest, project| {
        copy(guest, project);
        let module = fs::read_to_string(project.join("go.mod")).expect("a module");
        let sdk = repository().join("plugins/sdk/go");
        fs::write(project.join("go.mod"), module.replace("../../sdk/go", shown(&sdk))).expect("a module");
    });
}

#[test]
fn c_conforms() {
    conforms("c", copy);
}

/// What a newcomer does in each language.
struct Way {
    language: &'static str,
    /// The file that is edited.
    source: &'static str,
    /// Runs the project's own tests.
    tests: &'static [&'static str],
}

/// From nothing to changed records: `new`, the project's own tests, `build` and `test` at once; then an edit, which a
/// fixture notices, `--update`, and `publish` to a running host, through which records come out changed.
async fn walks(way: &Way) {
    let name = format!("fresh-{}", way.language);
    let project = fresh(&name);
    let (file, fixtures) = (project.join(format!("{name}.wasm")), project.join("fixtures"));
    succeeds(plugin(&["new", &name, "--lang", way.language, "--dir"]).arg(project.parent().expect("a folder")));
    succeeds(Command::new(way.tests[0]).args(&way.tests[1..]).current_dir(&project).env_remove("CARGO_TARGET_DIR"));
    succeeds(&mut plugin(&["build", shown(&project)]));
    let said = succeeds(&mut plugin(&["test", shown(&file), shown(&fixtures)]));
    assert!(said.contains("1 fixtures, 3 records: all as expected"), "{said}");

    let source = project.join(way.source);
    let text = fs::read_to_string(&source).expect("a source");
    assert!(text.contains("heartbeat"), "{text}");
    fs::write(&source, text.replace("heartbeat", "noise")).expect("a source");
    succeeds(&mut plugin(&["build", shown(&project)]));
    let (output, said) = ran(&mut plugin(&["test", shown(&file), shown(&fixtures)]));
    assert!(output.status.code() == Some(1) && said.contains("record 2: it is not what is expected"), "{said}");
    succeeds(&mut plugin(&["test", shown(&file), shown(&fixtures), "--update"]));
    succeeds(&mut plugin(&["test", shown(&file), shown(&fixtures)]));

    let mut host = Host::start(Setup::default()).await;
    let admin = host.admin_address().to_string();
    let said = succeeds(&mut plugin(&["publish", shown(&file), "--admin", &admin]));
    assert!(said.contains("from the next batch"), "{said}");
    let hints = json!({"SizeInMBs": 1, "IntervalInSeconds": 0});
    let destination = json!({"BufferingHints": hints, "ProcessingConfiguration": through_plugin(&name)});
    host.client().create_stream("orders", destination).await;
    host.client().put("orders", &[b"  one order ", b"noise 7", b"heartbeat 7"]).await;
    let delivered = until("what the plugin makes", LIMIT, async || {
        let text: String =
            read_bucket(&host.bucket()).map(|object| String::from_utf8_lossy(&object.body).into_owned()).collect();
        (!text.is_empty()).then_some(text)
    });
    let delivered = delivered.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()));
    assert_eq!(delivered, "one order\nheartbeat 7\n");
    let said = succeeds(&mut plugin(&["list", "--admin", &admin]));
    assert!(said.contains(&name) && said.contains("publish") && said.contains("orders"), "{said}");
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_writes_rust() {
    walks(&Way { language: "rust", source: "src/lib.rs", tests: &["cargo", "test", "--quiet"] }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_writes_javascript() {
    walks(&Way { language: "javascript", source: "src/plugin.js", tests: &["npm", "test", "--silent"] }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_writes_typescript() {
    walks(&Way { language: "typescript", source: "src/plugin.ts", tests: &["npm", "test", "--silent"] }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_writes_python() {
    walks(&Way { language: "python", source: "plugin.py", tests: &["python3", "-m", "unittest"] }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_writes_go() {
    walks(&Way { language: "go", source: "main.go", tests: &["go", "test", "./..."] }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_writes_c() {
    walks(&Way { language: "c", source: "src/plugin.c", tests: &["make", "test"] }).await;
}

/// Builds a handler as it is and holds it to its fixtures.
fn lambda(language: &str, handlers: &[(&str, &str)]) {
    let adapter = repository().join("plugins/lambda").join(language);
    let folder = fresh(&format!("lambda-{language}"));
    copy(&adapter.join("handlers"), &folder);
    fs::write(folder.join("plugin.toml"), "[limits]\noutput_bytes = 8_000_000\n").expect("a file");
    for (handler, fixtures) in handlers {
        let out = folder.join(handler).with_extension("wasm");
        let source = folder.join(handler);
        let arguments = ["build", "--json", "--lambda", shown(&source), "--out", shown(&out)];
        let built = succeeds(&mut plugin(&arguments));
        assert!(built.contains("8000000"), "what stands beside the handler: {built}");
        let said = succeeds(&mut plugin(&["test", shown(&out), shown(&adapter.join("fixtures").join(fixtures))]));
        assert!(said.contains("all as expected"), "{said}");
    }
    let staged = fs::read_dir(&folder).expect("a folder").flatten();
    let left: Vec<_> =
        staged.map(|entry| entry.file_name()).filter(|name| shown(Path::new(name)).starts_with('.')).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A handler of AWS Lambda in Python: partition keys, settings as environment, and each of Amazon's rules.
#[test]
fn a_python_handler_runs_as_it_is() {
    lambda("python", &[("json_edit.py", "json_edit"), ("misbehaving.py", "misbehaving")]);
}

/// The same for Node.js.
#[test]
fn a_node_handler_runs_as_it_is() {
    lambda("node", &[("json-edit.js", "json_edit"), ("misbehaving.js", "misbehaving")]);
}
