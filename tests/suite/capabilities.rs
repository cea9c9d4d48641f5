//! What a plugin says that it needs: limits of its own, and capabilities that the operator must grant. With the built
//! binary, and guests made by real toolchains.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hydrant_tests::checker::read_bucket;
use hydrant_tests::client::through_plugin;
use hydrant_tests::host::{Host, Setup, TEST_TABLES};
use hydrant_tests::wait::until;
use serde_json::{Value, json};

use crate::languages::{fresh, plugin, ran, shown, succeeds};

const LIMIT: Duration = Duration::from_secs(120);
const DECLARED: &str = "capabilities = [\"environment\"]\n";

/// A new project whose plugin makes every record its setting COLOUR, read as environment.
fn project(language: &str, source: &str, edits: &[(&str, &str)]) -> (PathBuf, PathBuf) {
    let name = format!("coloured-{language}");
    let project = fresh(&name);
    succeeds(plugin(&["new", &name, "--lang", language, "--dir"]).arg(project.parent().expect("a folder")));
    let source = project.join(source);
    let edited = edits.iter().fold(fs::read_to_string(&source).expect("a source"), |text, (from, to)| {
        assert!(text.contains(from), "{from}: {text}");
        text.replacen(from, to, 1)
    });
    fs::write(&source, edited).expect("a source");
    let file = project.join(format!("{name}.wasm"));
    (project, file)
}

/// Read when the program starts, as Go's runtime does itself.
fn go() -> (PathBuf, PathBuf) {
    let edits = [
        ("import (\n", "import (\n\t\"os\"\n"),
        ("strings.TrimSpace(text)", "colour"),
        ("func main()", "var colour = os.Getenv(\"COLOUR\")\n\nfunc main()"),
    ];
    project("go", "main.go", &edits)
}

/// What a plugin makes of one record, with the setting COLOUR.
fn colour(file: &Path) -> (String, String) {
    let line = file.with_extension("txt");
    fs::write(&line, "one\n").expect("a file");
    let input = fs::File::open(&line).expect("a file");
    let mut command = plugin(&["run", shown(file), "--setting", "COLOUR=blue"]);
    let output = command.stdin(input).output().expect("the binary can be run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// A project without plugin.toml has no environment, one that declares it has its settings there, by the means of its
/// own language.
fn reads_its_environment(project: &Path, file: &Path, nothing: &str) {
    succeeds(&mut plugin(&["build", shown(project)]));
    let (made, said) = colour(file);
    assert_eq!(made, format!("{nothing}\n"), "{said}");
    fs::write(project.join("plugin.toml"), DECLARED).expect("a file");
    succeeds(&mut plugin(&["build", shown(project)]));
    let (made, said) = colour(file);
    assert_eq!(made, "blue\n", "{said}");
    assert!(said.contains("note: granted here because"), "{said}");
    let facts = succeeds(&mut plugin(&["inspect", shown(file)]));
    assert!(facts.lines().any(|line| line.starts_with("needs") && line.ends_with("environment")), "{facts}");
}

#[test]
fn a_plugin_in_c_reads_its_environment() {
    let edits = [
        ("#include \"hydrant_plugin.h\"\n", "#include \"hydrant_plugin.h\"\n#include <stdlib.h>\n"),
        ("trim(text)", "hydrant_string(getenv(\"COLOUR\") ? getenv(\"COLOUR\") : \"none\")"),
        ("static hydrant_text trim(", "__attribute__((unused)) static hydrant_text trim("),
    ];
    let (project, file) = project("c", "src/plugin.c", &edits);
    reads_its_environment(&project, &file, "none");
}

#[test]
fn a_plugin_in_python_reads_its_environment() {
    let edits = [
        ("from hydrant_plugin", "import os\n\nfrom hydrant_plugin"),
        ("text.strip()", "os.environ.get(\"COLOUR\", \"none\")"),
    ];
    let (project, file) = project("python", "plugin.py", &edits);
    reads_its_environment(&project, &file, "none");
}

fn publish(host: &Host, file: &Path) -> (bool, String) {
    let admin = host.admin_address().to_string();
    let (output, said) = ran(&mut plugin(&["publish", shown(file), "--admin", &admin]));
    (output.status.success(), said)
}

fn delivered(host: &Host) -> String {
    read_bucket(&host.bucket()).map(|object| String::from_utf8_lossy(&object.body).into_owned()).collect()
}

/// A plugin that declares `environment` does not rule until the operator grants it, and is told so with the line to
/// write; with the grant it finds its settings; without it, after a restart, its file is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capability_wants_both_sides() {
    let (project, file) = go();
    reads_its_environment(&project, &file, "");
    let name = "coloured-go";
    let line = format!("{name} = [\"environment\"]");
    let ungranted = format!("{TEST_TABLES}\n[plugins.settings.{name}]\nCOLOUR = \"blue\"\n");
    let granted = format!("{ungranted}\n[plugins.grants]\n{line}\n");
    let mut host = Host::start(Setup { tables: ungranted.clone(), ..Setup::default() }).await;
    let (is_taken, said) = publish(&host, &file);
    assert!(!is_taken && said.contains(&format!("[plugins.grants] {line}")), "{said}");
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());

    host.write_config("embedded", "", &granted);
    let said = succeeds(&mut command_of(&host, &["check"]));
    assert!(said.contains(&format!("plugins.grants.{name}")), "{said}");
    host.launch().await;
    let (is_taken, said) = publish(&host, &file);
    assert!(is_taken, "{said}");
    let hints = json!({"SizeInMBs": 1, "IntervalInSeconds": 0});
    let destination = json!({"BufferingHints": hints, "ProcessingConfiguration": through_plugin(name)});
    host.client().create_stream("colours", destination).await;
    host.client().put("colours", &[b"one"]).await;
    let text = until("what the plugin makes", LIMIT, async || Some(delivered(&host)).filter(|text| !text.is_empty()));
    assert_eq!(text.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail())), "blue\n");
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());

    host.write_config("embedded", "", &ungranted);
    host.launch().await;
    let lines = host.log();
    let refused = lines.lines().rev().find(|line| line.contains("plugin file refused")).expect("a refusal");
    assert!(refused.contains(name) && refused.contains("[plugins.grants]"), "{refused}");
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
}

fn command_of(host: &Host, arguments: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(hydrant_tests::host::binary());
    command.args(arguments).arg("--config").arg(host.config());
    command
}

/// The hostile guest with a section that a toolchain might have written.
fn declaring(folder: &Path, name: &str, limits: &Value) -> (String, PathBuf) {
    let mut bytes = fs::read(hydrant_tests::host::plugin("hostile")).expect("a guest");
    let needs = json!({ "limits": limits }).to_string();
    let body = [&[13], b"hydrant:needs".as_slice(), needs.as_bytes()].concat();
    let length = u8::try_from(body.len()).ok().filter(|length| *length < 0x80).expect("a length of one byte");
    bytes.extend_from_slice(&[0, length]);
    bytes.extend_from_slice(&body);
    let file = folder.join(format!("{name}.wasm"));
    fs::write(&file, bytes).expect("a file");
    (name.to_owned(), file)
}

/// Rows P2 and P3: a plugin is stopped at a limit that it set itself below the ceiling, and one that declares more than
/// the ceiling is stopped there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_lowers_its_limits_and_never_lifts_them() {
    const CASES: [(&str, &str, &str); 3] = [
        ("short", "spin", "took longer than its 1000 ms"),
        ("modest", "hoard", "needed more than its 33554432 bytes"),
        ("greedy", "hoard", "needed more than its 67108864 bytes"),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let plugins = vec![
        // So long because a new version's trial must end within it on a busy machine, too.
        declaring(folder.path(), "short", &json!({"deadline_milliseconds": 1_000})),
        declaring(folder.path(), "modest", &json!({"memory_bytes": 32 << 20})),
        declaring(folder.path(), "greedy", &json!({"memory_bytes": 1_u64 << 30})),
    ];
    let mut tables = format!("{TEST_TABLES}\n[plugins]\nmemory_bytes = 67_108_864\n");
    for (name, does, _) in CASES {
        tables += &format!("[plugins.settings.{name}]\ndo = \"{does}\"\nwhen = \"poison\"\n");
    }
    let mut host = Host::start(Setup { tables, plugins, ..Setup::default() }).await;
    let hints = json!({"SizeInMBs": 1, "IntervalInSeconds": 0});
    for (name, ..) in CASES {
        let destination = json!({"BufferingHints": hints, "ProcessingConfiguration": through_plugin(name)});
        host.client().create_stream(name, destination).await;
        host.client().put(name, &[b"poison"]).await;
    }
    for (name, _, words) in CASES {
        let told = until("the reason", LIMIT, async || delivered(&host).contains(words).then_some(()));
        told.await.unwrap_or_else(|error| panic!("{name}: {error}:\n{}\n{}", delivered(&host), host.log_tail()));
    }
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
}
