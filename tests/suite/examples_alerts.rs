//! `examples/05` and `examples/06` do what their pages say: every command of a page is run as it is written, on a copy
//! of the example whose ports nobody else uses.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use hydrant_tests::checker::read_bucket;
use hydrant_tests::client;
use hydrant_tests::environment::{repository, target_directory, text};
use hydrant_tests::host::{binary, free_address};
use hydrant_tests::process::has_ended;
use hydrant_tests::wait::until;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::languages::toolchains;

/// A start compiles plugins; JavaScript's and Python's take their time on a busy machine.
const LIMIT: Duration = Duration::from_secs(600);

/// Ports that the examples use: API, admin, S3, and what stands in for somebody else.
const PORTS: [&str; 4] = ["4573", "9573", "4574", "4575"];

/// A copy of an example, where its page would be followed.
struct Example {
    root: tempfile::TempDir,
    name: &'static str,
    addresses: [SocketAddr; 4],
    /// Where the terminal is.
    at: PathBuf,
    serving: Vec<(String, Child)>,
}

impl Example {
    /// Copies `examples/NAME`; beside it is what its page refers to.
    fn copy(name: &'static str) -> Self {
        let root = tempfile::Builder::new().prefix("example-").tempdir().expect("a temporary folder");
        let addresses = PORTS.map(|_| free_address());
        std::os::unix::fs::symlink(repository().join("plugins"), root.path().join("plugins")).expect("a link");
        let example = Self { at: root.path().to_owned(), root, name, addresses, serving: Vec::new() };
        copy_with(&repository().join("examples").join(name), &example.folder(), &|text| {
            PORTS
                .iter()
                .zip(addresses)
                .fold(text, |text, (port, address)| text.replace(port, &address.port().to_string()))
        });
        example
    }

    /// The copy.
    fn folder(&self) -> PathBuf {
        self.root.path().join("examples").join(self.name)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// The commands that its page shows, block by block.
    fn blocks(&self) -> Vec<Vec<String>> {
        let page = self.read("README.md");
        let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
        blocks.map(|block| block.lines().map(str::to_owned).collect()).collect()
    }

    /// A command as a terminal would run it.
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("bash");
        let folder = binary().parent().expect("a folder");
        let path = text("PATH").unwrap_or_default();
        let found = std::env::join_paths([folder.to_owned()].into_iter().chain(std::env::split_paths(&path)));
        command.args(["-o", "pipefail", "-euc", line]).current_dir(&self.at).env("PATH", found.expect("a path"));
        command.env("AWS_ENDPOINT_URL_FIREHOSE", format!("http://{}", self.addresses[0]));
        command.env("AWS_EC2_METADATA_DISABLED", "true").env_remove("AWS_PROFILE");
        // What is compiled is kept, but not among the user's own.
        command.env("XDG_CACHE_HOME", target_directory().join("cache"));
        command.env("CARGO_TARGET_DIR", target_directory().join("guests")).stdin(Stdio::null());
        command
    }

    /// Runs a block of the page; what serves goes on serving.
    async fn follow(&mut self, block: &[String]) {
        for line in block {
            if let Some(folder) = line.strip_prefix("cd ") {
                self.at = self.at.join(folder);
            } else if let Some(rest) = line.strip_prefix("hydrant serve ") {
                self.serve(&format!("hydrant serve {rest}"));
                self.ready().await;
            } else if line.contains("webhook.py") {
                self.serve(line);
                let port = self.addresses[3];
                let listens = until("the webhook", LIMIT, async || std::net::TcpStream::connect(port).ok());
                drop(listens.await.unwrap_or_else(|error| panic!("{error}")));
            } else {
                let output = self.command(line).output().expect("bash can be run");
                let said = [output.stdout, output.stderr].concat();
                assert!(output.status.success(), "{line}\n{}\n{}", String::from_utf8_lossy(&said), self.log());
            }
        }
    }

    fn serve(&mut self, line: &str) {
        let log = File::options().create(true).append(true).open(self.log_file(line)).expect("a log file");
        // The process that is ended is the program, not a shell around it.
        let mut command = self.command(&format!("exec {line}"));
        let child =
            command.stdout(log.try_clone().expect("a second handle")).stderr(log).spawn().expect("bash can be run");
        self.serving.push((line.to_owned(), child));
    }

    fn log_file(&self, line: &str) -> PathBuf {
        self.root.path().join(if line.contains("webhook.py") { "webhook.log" } else { "host.log" })
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_file("hydrant serve")).unwrap_or_default()
    }

    async fn ready(&self) {
        let admin = self.addresses[1];
        let (_, child) = self.serving.last().expect("a running host");
        let ready = until("/readyz", LIMIT, async || match client::get(admin, "/readyz").await {
            Ok(answer) if answer.status.is_success() => Some(true),
            _ => has_ended(child.id()).then_some(false),
        });
        assert_eq!(ready.await, Ok(true), "{}", self.log());
    }

    /// Ends what was started with a line that holds `word`, and says how it ended. Ctrl-C does the same, but a test that runs in the background is deaf to it.
    async fn end(&mut self, word: &str) -> ExitStatus {
        let at = self.serving.iter().position(|(line, _)| line.contains(word)).expect("something that serves");
        let (_, mut child) = self.serving.remove(at);
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, Signal::TERM).expect("an own child can be signalled");
        let ended = until("its end", LIMIT, async || has_ended(child.id()).then_some(())).await;
        ended.unwrap_or_else(|error| panic!("{word}: {error}\n{}", self.log()));
        child.wait().expect("an own child can be waited for")
    }

    /// Objects of a bucket of the server inside.
    fn objects(&self, bucket: &str) -> Vec<hydrant_tests::checker::Delivered> {
        read_bucket(&self.folder().join("data/s3").join(bucket)).collect()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        for (_, child) in &mut self.serving {
            // It may have ended by itself.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Copies a folder, with texts changed.
fn copy_with(from: &Path, to: &Path, change: &impl Fn(String) -> String) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())).flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        // What a reader of the page left behind is no part of the example.
        if ["data", "plugins", "target", "node_modules", ".venv"].iter().any(|left| path.ends_with(left)) {
            continue;
        } else if path.is_dir() {
            copy_with(&path, &target, change);
        } else {
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            fs::write(&target, change(text)).expect("a copy");
        }
    }
}

/// Line 12, `examples/05-alerts-over-http`: of all readings the defects, and nothing else, are messages that the webhook
/// takes; what is sent while it is away arrives when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_over_http() {
    let mut example = Example::copy("05-alerts-over-http");
    let [host, webhook, stream, again] = example.blocks().try_into().expect("four blocks of commands");
    example.follow(&host).await;
    example.follow(&webhook).await;
    example.follow(&stream).await;
    let expected = example.read("expected/alarms.txt");
    let messages = |example: &Example| fs::read_to_string(example.log_file("webhook.py")).unwrap_or_default();
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let arrived = until("the alarms", LIMIT, async || (messages(&example).lines().count() == 5).then_some(())).await;
    assert!(
        arrived.is_ok() && sorted(&messages(&example)) == sorted(&expected),
        "{}\n{}",
        messages(&example),
        example.log()
    );

    example.end("webhook.py").await;
    example.follow(&again).await;
    let noticed = || example.log().contains("delivery failed, will be repeated");
    until("a failed delivery", LIMIT, async || noticed().then_some(())).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(messages(&example).lines().count(), 5);
    // The page's way to the webhook begins at the top.
    example.at = example.root.path().to_owned();
    example.follow(&webhook).await;
    let arrived = until("the rest", LIMIT, async || (messages(&example).lines().count() == 10).then_some(())).await;
    assert!(
        arrived.is_ok() && sorted(&messages(&example)) == sorted(&expected.repeat(2)),
        "{}\n{}",
        messages(&example),
        example.log()
    );

    assert_eq!(example.end("hydrant serve").await.code(), Some(0), "{}", example.log());
    // The URL is the webhook's only secret.
    assert!(!example.log().contains("T000/B000"), "{}", example.log());
    let errors = example.objects("factory");
    assert!(errors.iter().all(|object| object.key.starts_with("errors/processing-failed/")), "{errors:?}");
    let text: String = errors.iter().map(|object| String::from_utf8_lossy(&object.body).into_owned()).collect();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.lines().all(|line| line.contains("bad-json")), "{text}");
}

/// Line 12, `examples/06-lambda-migration`: handlers as they were uploaded answer as they did on Lambda, descriptions of
/// the real service make the streams, and records come out as expected.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lambda_migration() {
    let mut example = Example::copy("06-lambda-migration");
    // What the page installs is installed for other tests already; the page's command sees that and leaves it.
    for installed in [".venv", "node_modules", "installed"] {
        let place = example.folder().join(installed);
        std::os::unix::fs::symlink(toolchains().join(installed), place).expect("a link");
    }
    let [build, compare, host, streams, found] = example.blocks().try_into().expect("five blocks of commands");
    example.follow(&build).await;
    example.follow(&compare).await;
    example.follow(&host).await;
    let first = std::mem::replace(&mut example.at, example.root.path().to_owned());
    example.follow(&streams).await;
    assert_eq!(example.end("hydrant serve").await.code(), Some(0), "{}", example.log());
    assert_eq!(example.at, first);
    example.follow(&found).await;

    let failed: Vec<(String, String)> = example.objects("shop-lake").into_iter().filter_map(failure).collect();
    let code = "Lambda.ProcessingFailedStatus";
    let lines = [("clicks", "{broken"), ("orders", "no order")];
    for (stream, line) in lines {
        let arn = format!("arn:aws:lambda:eu-west-1:123456789012:function:{}:$LATEST", function(stream));
        let of_stream =
            failed.iter().filter(|(key, _)| key.starts_with(&format!("errors/{stream}/processing-failed/")));
        let envelopes: Vec<Value> = of_stream
            .flat_map(|(_, text)| {
                text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<_>>()
            })
            .collect();
        let raw = base64_simd::STANDARD.encode_to_string(line);
        let all = envelopes.iter().all(|one| one["errorCode"] == code && one["lambdaARN"] == arn.as_str());
        assert!(all && envelopes.iter().any(|one| one["rawData"] == raw.as_str()), "{envelopes:?}");
    }
    let streams: BTreeSet<&str> = failed.iter().filter_map(|(key, _)| key.split('/').nth(1)).collect();
    assert_eq!(streams, BTreeSet::from(["clicks", "orders"]));
}

fn function(stream: &str) -> &str {
    if stream == "orders" { "clean-orders" } else { "mask-clicks" }
}

/// Key and text of an object of the error output.
fn failure(object: hydrant_tests::checker::Delivered) -> Option<(String, String)> {
    let text = String::from_utf8(object.body).ok()?;
    object.key.starts_with("errors/").then_some((object.key, text))
}

/// What each Lambda function is said to have answered, it answers: by the runtimes themselves, without a plugin.
#[test]
fn the_answers_of_the_migration_are_the_handlers_own() {
    let folder = repository().join("examples/06-lambda-migration");
    let python = "import json, sys; sys.path.insert(0, 'clean-orders'); sys.dont_write_bytecode = True; \
                  from lambda_function import lambda_handler as call; \
                  print(json.dumps(call(json.load(open('clean-orders/event.json')), None)))";
    let node = "import('./mask-clicks/index.mjs').then(async ({ handler }) => console.log(JSON.stringify(await \
                handler(JSON.parse(require('fs').readFileSync('mask-clicks/event.json'))))))";
    let rates = r#"{"EUR": "1", "USD": "0.92", "GBP": "1.17"}"#;
    for (program, arguments, function, variable) in [
        ("python3", ["-c", python], "clean-orders", ("RATES", rates)),
        ("node", ["-e", node], "mask-clicks", ("SALT", "pepper")),
    ] {
        let mut command = Command::new(program);
        command.args(arguments).env(variable.0, variable.1).current_dir(&folder).stdin(Stdio::null());
        let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        let answered: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let kept = fs::read_to_string(folder.join(function).join("answer.json")).expect("an answer");
        assert_eq!(answered, serde_json::from_str::<Value>(&kept).expect("JSON"), "{function}");
    }
}
