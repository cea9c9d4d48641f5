//! Line 1: `hydrant demo` sends orders through the plugin `orders` into the embedded S3 and ends with a summary.

use std::process::{Command, Output, Stdio};

use hydrant_tests::checker::read_bucket;
use hydrant_tests::host::{binary, plugin};

/// Enough for drops, failures and more than one object; few enough for an unoptimised build.
const RECORDS: u64 = 5_000;

fn demo(folder: &std::path::Path) -> Output {
    let plugins = plugin("orders").parent().expect("a folder").to_path_buf();
    let mut command = Command::new(binary());
    command.arg("demo").args(["--records", &RECORDS.to_string()]).arg("--dir").arg(folder);
    command.arg("--plugin-dir").arg(plugins).stdin(Stdio::null());
    command.output().expect("the binary can be run")
}

/// Line 1: it exits with 0, says what was sent, dropped, failed and delivered, where the objects lie and what to try
/// next; a second run works too.
#[test]
fn the_demo_runs_twice_and_sums_up() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = folder.path().join("demo");
    for run in 1..=2 {
        let output = demo(&place);
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "run {run}: {text}");
        for word in ["sent", "dropped", "failed", "delivered", "firehose put-record", "--endpoint-url"] {
            assert!(text.to_lowercase().contains(word), "run {run} does not say {word:?}:\n{text}");
        }
    }
}

/// Line 1: the objects are gzip JSON lines, the malformed orders lie in the error output, and the numbers add up.
#[test]
fn the_demo_delivers_every_order_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = demo(folder.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut delivered = 0;
    let mut failed = 0;
    for object in read_bucket(&s3_root(folder.path())) {
        let lines = object.body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count() as u64;
        if object.key.contains("processing-failed/") {
            failed += lines;
        } else {
            delivered += lines;
        }
    }
    assert!(delivered > RECORDS / 2 && failed > 0, "{delivered} delivered, {failed} failed");
    let digits: String = String::from_utf8_lossy(&output.stdout).chars().filter(|letter| *letter != ',').collect();
    for number in [RECORDS, delivered, failed, RECORDS - delivered - failed] {
        assert!(digits.contains(&number.to_string()), "the summary does not show {number}:\n{digits}");
    }
}

/// The folder named `s3` of the demo's data.
fn s3_root(folder: &std::path::Path) -> std::path::PathBuf {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(at) = folders.pop() {
        if at.ends_with("s3") {
            return at;
        }
        for entry in std::fs::read_dir(&at).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    panic!("no embedded S3 below {}", folder.display());
}
