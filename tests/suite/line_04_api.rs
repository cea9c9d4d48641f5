//! Line 4: foreign clients work unchanged. boto3 and the AWS CLI are installed, with their versions pinned, into a
//! virtual environment below the target directory; aws-sdk-firehose is what `hydrant put` speaks.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hydrant_tests::client::Credentials;
use hydrant_tests::environment::{repository, target_directory, text};
use hydrant_tests::host::{Host, Setup};

/// Pinned: a test must not change because a client was released.
const REQUIREMENTS: [&str; 2] = ["boto3==1.43.11", "awscli==1.45.11"];

/// Line 4: boto3 creates, describes, lists, puts, updates and deletes, and sees the errors it knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_works_unchanged() {
    let python = environment().join("bin/python");
    run_against_a_host(&python, "boto3_check.py").await;
}

/// Line 4: the AWS CLI does the same from a shell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_aws_cli_works_unchanged() {
    run_against_a_host(Path::new("bash"), "cli_check.sh").await;
}

async fn run_against_a_host(interpreter: &Path, script: &str) {
    let mut host = Host::start(Setup::default()).await;
    let script = repository().join("tests/clients").join(script);
    let Credentials { access_key_id, secret_access_key } = Credentials::default();
    let path = format!("{}:{}", environment().join("bin").display(), text("PATH").unwrap_or_default());
    let output = Command::new(interpreter)
        .arg(&script)
        .arg(host.endpoint())
        .env("PATH", path)
        .env("AWS_ACCESS_KEY_ID", access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", secret_access_key)
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .expect("the script can be run");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).join("\n");
    assert!(output.status.success(), "{}:\n{said}", script.display());
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
}

/// The virtual environment, made once and kept while the pinned versions are the same.
fn environment() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = target_directory().join("peers/python-venv");
        let stamp = folder.join("installed");
        let wanted = REQUIREMENTS.join("\n");
        if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return folder;
        }
        step(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        let pip = folder.join("bin/pip");
        step(Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check"]).args(REQUIREMENTS));
        std::fs::write(&stamp, wanted).expect("a stamp");
        folder
    })
}

fn step(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}
