//! The arguments, as clap understands them. Refuses to act on any.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::dead_letter::DeadLetter;

/// A self-hosted Amazon Data Firehose whose transforms are WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(name = "hydrant", version, propagate_version = true, max_term_width = 100)]
pub struct Arguments {
    /// Results as JSON, for machines
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the service until SIGTERM or Ctrl-C
    Serve(Configured),
    /// Check a configuration and print every effective value with its reason
    Check(Configured),
    /// Send generated shop orders through a plugin into an embedded S3, and show what arrived
    Demo(Demo),
    /// Send newline-delimited records to a stream
    Put(Put),
    /// Create or update streams from files
    #[command(long_about = "Create or update streams from files.\n\nA file holds what `aws firehose \
        create-delivery-stream --cli-input-json` takes, or what `describe-delivery-stream` returns. Members that a \
        file leaves out keep their value. Applying the same file twice changes nothing.")]
    Apply(Apply),
    /// List streams
    Streams(Endpoint),
    /// Show one stream
    Describe(Named),
    /// Delete a stream and everything it has not delivered yet
    Delete(Named),
    /// Load into Redshift what a stream gave up
    #[command(
        long_about = "Load into Redshift what a stream gave up.\n\nA batch that could not be loaded in the stream's \
        retry time stays staged, with a manifest below errors/manifests/. A running host loads each of these manifests by \
        the stream's present definition, unless the stream's ledger in the cluster says that its batch is loaded: running \
        this twice loads nothing twice. Manifests stay where they are."
    )]
    Recopy(Recopy),
    /// Try out, test and inspect a plugin file
    #[command(subcommand)]
    Plugin(Plugin),
    /// List, show and replay what was not delivered
    #[command(subcommand)]
    DeadLetter(DeadLetter),
    /// Look into the journal of a stopped host
    #[command(subcommand)]
    Journal(Journal),
}

#[derive(Clone, Debug, Args)]
pub(super) struct Configured {
    /// Configuration file [default: ./hydrant.toml]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Orders to generate and send
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(super) records: u64,
    /// Directory of the demo; its data of an earlier run is replaced
    #[arg(long, value_name = "DIR", default_value = "hydrant-demo")]
    pub(super) dir: PathBuf,
    /// Directory that holds orders.wasm [default: plugins/ beside this program's build directory]
    #[arg(long, value_name = "DIR")]
    pub(super) plugin_dir: Option<PathBuf>,
}

/// Which host to talk to. Without any of these: the SDK's own `AWS_ENDPOINT_URL_FIREHOSE` or `AWS_ENDPOINT_URL`, then
/// the address that a host listens on by default.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which host")]
pub(super) struct Endpoint {
    /// URL of the host [env: AWS_ENDPOINT_URL_FIREHOSE, AWS_ENDPOINT_URL] [default: http://127.0.0.1:4573]
    #[arg(long, value_name = "URL")]
    pub(super) endpoint_url: Option<String>,
    /// Take address, region and credentials from a host's configuration
    #[arg(long, value_name = "FILE", conflicts_with = "endpoint_url")]
    pub(super) config: Option<PathBuf>,
    /// Region to sign for [default: the AWS SDK's, else us-east-1]
    #[arg(long, value_name = "REGION")]
    pub(super) region: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// Name of the stream
    pub(super) stream: String,
    #[command(flatten)]
    pub(super) endpoint: Endpoint,
}

#[derive(Debug, Args)]
pub(super) struct Apply {
    /// Stream definitions, JSON
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) endpoint: Endpoint,
}

#[derive(Debug, Args)]
#[command(
    long_about = "Send newline-delimited records to a stream.\n\nEvery line becomes one record; empty lines are \
        skipped and counted. A record keeps its newline, so that delivered objects are lines too; --no-newline strips \
        it. Records that the host refuses for want of room are sent again, and only they. A request whose answer is \
        lost is sent again as well, so a record may arrive twice, never less than once. Records of different requests \
        may overtake each other unless --in-flight is 1."
)]
pub(super) struct Put {
    /// Name of the stream
    pub(super) stream: String,
    /// File to read; - is standard input
    #[arg(default_value = "-")]
    pub(super) file: PathBuf,
    /// Strip the newline from each record
    #[arg(long)]
    pub(super) no_newline: bool,
    /// Requests on their way at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) in_flight: u8,
    #[command(flatten)]
    pub(super) endpoint: Endpoint,
}

#[derive(Debug, Args)]
pub(super) struct Recopy {
    /// Name of the stream
    pub(super) stream: String,
    /// Only manifests below errors/manifests/ whose hour begins so, such as 2026/11/
    #[arg(long, value_name = "YYYY/MM/DD/HH/", default_value = "", hide_default_value = true)]
    pub(super) below: String,
    /// Account of the stream, where several have one of this name
    #[arg(long, value_name = "ID")]
    pub(super) account: Option<String>,
    /// Say what would be loaded, and load nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) admin: AdminPort,
}

#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// Make a project that builds and passes its own tests
    New(NewPlugin),
    /// Build a project's plugin with its own toolchain
    Build(BuildPlugin),
    /// Say what a plugin file is: digest, size, imports, tools, WIT, limits
    Inspect(InspectPlugin),
    /// Run fixtures and show what differs
    #[command(long_about = "Run fixtures and show what differs.\n\nA fixture is a JSON file with a batch of records \
        and what is expected of each: {\"records\": [{\"input\": \"…\", \"expect\": {\"delivered\": [\"…\"]}}]}. \
        \"dropped\" and {\"failed\": {\"code\": …, \"message\": …}} are the other ends of a record. Write inputs \
        only, and --update fills in the rest. Every record also runs alone, and must fare the same.")]
    Test(TestPlugin),
    /// Measure what a record costs in a plugin
    Bench(BenchPlugin),
    /// Pass standard input through a plugin, line by line, to standard output
    Run(RunPlugin),
    /// Make a file the current version of a plugin on a running host
    #[command(long_about = "Make a file the current version of a plugin on a running host.\n\nThe host compiles it, \
        tries it with nothing and with recent records of the streams that use it, keeps a copy, and puts it into its \
        plugin folder; it rules from the next batch. If anything of that fails, the version before stays in force.")]
    Publish(PublishPlugin),
    /// List plugins, the versions that ruled lately, and the streams that use them
    List(ListPlugins),
    /// Make an earlier version the current one again
    Rollback(RollBackPlugin),
    /// What a host runs to compile within limits: a component in, code out
    #[command(hide = true)]
    Compile(CompilePlugin),
}

#[derive(Debug, Args)]
pub(super) struct NewPlugin {
    /// Name of the plugin, and of the folder that is made
    pub(super) name: String,
    /// Language to write it in
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    pub(super) lang: Language,
    /// Folder to make it in
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) dir: PathBuf,
}

/// What plugins are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    Rust,
    #[value(alias = "js")]
    Javascript,
    #[value(alias = "ts")]
    Typescript,
    Python,
    Go,
    C,
}

#[derive(Debug, Args)]
pub(super) struct BuildPlugin {
    /// Folder of the project
    #[arg(default_value = ".")]
    pub(super) dir: PathBuf,
    /// File to write [default: NAME.wasm in the project]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// A handler of AWS Lambda instead of a project: a file of Python or JavaScript as it is
    #[arg(long, value_name = "FILE[:FUNCTION]")]
    pub(super) lambda: Option<String>,
    #[command(flatten)]
    pub(super) limits: Configured,
}

#[derive(Debug, Args)]
pub(super) struct InspectPlugin {
    /// The plugin: a component, or a core module made with a Hydrant SDK
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) limits: Configured,
}

#[derive(Debug, Args)]
pub(super) struct TestPlugin {
    #[command(flatten)]
    pub(super) plugin: TriedPlugin,
    /// Fixture files, or folders of them
    #[arg(default_value = "fixtures")]
    pub(super) fixtures: Vec<PathBuf>,
    /// Write what the plugin does into the fixtures
    #[arg(long)]
    pub(super) update: bool,
}

#[derive(Debug, Args)]
pub(super) struct RunPlugin {
    #[command(flatten)]
    pub(super) plugin: TriedPlugin,
    /// Lines of one batch
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = batch_size)]
    pub(super) batch: usize,
}

/// How a running host is reached for what changes it.
#[derive(Debug, Args)]
pub(super) struct AdminPort {
    /// Admin port of the host [default: 127.0.0.1:9573]
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) admin: Option<String>,
    /// Configuration file of the host; its admin port is used
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct PublishPlugin {
    /// The plugin: a component, or a core module made with a Hydrant SDK
    pub(super) file: PathBuf,
    /// Name of the plugin [default: the file's without its ending]
    #[arg(long)]
    pub(super) name: Option<String>,
    #[command(flatten)]
    pub(super) trial: Trial,
    #[command(flatten)]
    pub(super) admin: AdminPort,
}

/// How a version is tried before it rules. The host knows what holds where nothing is said, and checks.
#[derive(Debug, Default, Args)]
pub(super) struct Trial {
    /// Run it beside the ruling version on this share of its batches [default: 10], and deliver nothing of it
    #[arg(long, value_name = "PERCENT", num_args = 0..=1, default_missing_value = "10", conflicts_with = "canary")]
    pub(super) shadow: Option<String>,
    /// Let it rule for this share of the time, until it breaks a bound or is published
    #[arg(long, value_name = "PERCENT")]
    pub(super) canary: Option<String>,
    /// Failed records in a hundred that a canary may have above the ruling version's [default: 5]
    #[arg(long, value_name = "PERCENT", requires = "canary")]
    pub(super) most_failures: Option<String>,
    /// How many times the ruling version's time a canary's record may take [default: 2]
    #[arg(long, value_name = "FACTOR", requires = "canary")]
    pub(super) most_latency: Option<String>,
    /// Records that both versions must have had before a bound decides [default: 1000]
    #[arg(long, value_name = "RECORDS", requires = "canary")]
    pub(super) after: Option<String>,
    /// Records after which a canary within its bounds rules [default: it stays a canary]
    #[arg(long, value_name = "RECORDS", requires = "canary")]
    pub(super) promote_after: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ListPlugins {
    #[command(flatten)]
    pub(super) admin: AdminPort,
}

#[derive(Debug, Args)]
pub(super) struct RollBackPlugin {
    /// Name of the plugin
    pub(super) name: String,
    /// Beginning of the digest to go back to [default: a candidate is ended, else the version before the current one]
    #[arg(long, value_name = "DIGEST")]
    pub(super) to: Option<String>,
    #[command(flatten)]
    pub(super) admin: AdminPort,
}

#[derive(Debug, Args)]
pub(super) struct CompilePlugin {
    /// Processor time
    #[arg(long, value_name = "N")]
    pub(super) seconds: u64,
    /// Address space
    #[arg(long, value_name = "N")]
    pub(super) memory_bytes: u64,
}

#[derive(Debug, Args)]
pub(super) struct BenchPlugin {
    #[command(flatten)]
    pub(super) plugin: TriedPlugin,
    /// Records to measure with: a file of lines, or fixtures
    #[arg(long, value_name = "PATH", default_value = "fixtures")]
    pub(super) input: PathBuf,
    /// Another version, measured in the same way; differences are shown against it
    #[arg(long, value_name = "FILE")]
    pub(super) against: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct TriedPlugin {
    /// The plugin: a component, or a core module made with a Hydrant SDK
    pub(super) file: PathBuf,
    /// Setting for the plugin; fixtures bring their own
    #[arg(long = "setting", value_name = "NAME=VALUE", value_parser = setting)]
    pub(super) settings: Vec<(String, String)>,
    /// Stream that the plugin is told it works for
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(super) stream: String,
    #[command(flatten)]
    pub(super) limits: Configured,
}

impl TriedPlugin {
    /// The same for another file.
    pub(super) fn of(&self, file: &Path) -> Self {
        Self { file: file.to_owned(), ..self.clone() }
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a setting is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn batch_size(text: &str) -> Result<usize, String> {
    let size = text.parse().ok().filter(|size| (1..=4_096).contains(size));
    size.ok_or_else(|| "a batch has 1 to 4096 lines".to_owned())
}

#[derive(Debug, Subcommand)]
pub(super) enum Journal {
    /// Say what is in the journal: segments, streams, backlog
    Inspect(JournalDirectory),
    /// Read every frame and report damage
    Verify(JournalDirectory),
}

#[derive(Debug, Args)]
pub(super) struct JournalDirectory {
    /// The data_dir of the host
    pub(super) dir: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
