//! From arguments to an exit code: which command runs, and how it ends. Refuses to do a command's work.

use std::ffi::OsString;
use std::io::{self, Write};
use std::panic;

use clap::Parser;
use clap::error::ErrorKind;

use super::arguments::{Arguments, Command};
use super::console::Format;
use super::journal::Journals;
use super::signal::Signals;
use super::{
    Buckets, Console, Exit, Failure, Host, PluginLimits, apply, check, client, dead_letter, demo, journal, plugin, put,
    recopy, serve, streams,
};

/// The whole program: parses, runs, prints a failure, and says how it ended.
pub fn main<H: Host + Journals + PluginLimits + Buckets>(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let (exit, text) = usage(&error);
            // Nobody can be told that a stream is closed.
            drop(match exit {
                Exit::Done => io::stdout().lock().write_all(text.as_bytes()),
                _ => writeln!(io::stderr().lock(), "{text}"),
            });
            return exit;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tell(&Failure::new(error).exit(Exit::Internal)),
    };
    panic::set_hook(Box::new(|panic| {
        tell(&Failure::told(panic).hint("this is a fault of Hydrant: please report it").exit(Exit::Internal));
    }));
    let ended = panic::catch_unwind(panic::AssertUnwindSafe(|| runtime.block_on(run::<H>(&arguments))));
    // A blocked reader of standard input must not keep the process.
    runtime.shutdown_background();
    match ended {
        Ok(Ok(())) => Exit::Done,
        Ok(Err(failure)) => tell(&failure),
        Err(_already_told) => Exit::Internal,
    }
}

/// Runs one command.
pub async fn run<H: Host + Journals + PluginLimits + Buckets>(arguments: &Arguments) -> Result<(), Failure> {
    let console = Console::process(if arguments.json { Format::Json } else { Format::Human });
    let work = async {
        match &arguments.command {
            Command::Serve(configured) => serve::serve::<H>(configured).await,
            Command::Check(configured) => check::check(&console, configured),
            Command::Demo(arguments) => demo::demo::<H>(&console, arguments).await,
            Command::Put(arguments) => {
                put::put(&console, &client::connect(&arguments.endpoint).await?, arguments).await
            }
            Command::Apply(arguments) => {
                apply::apply(&console, &client::connect(&arguments.endpoint).await?, &arguments.files).await
            }
            Command::Streams(endpoint) => streams::streams(&console, &client::connect(endpoint).await?).await,
            Command::Describe(named) => {
                streams::describe(&console, &client::connect(&named.endpoint).await?, &named.stream).await
            }
            Command::Delete(named) => {
                streams::delete(&console, &client::connect(&named.endpoint).await?, &named.stream).await
            }
            Command::Recopy(asked) => recopy::recopy(&console, asked).await,
            Command::Plugin(command) => plugin::plugin::<H>(&console, command).await,
            Command::DeadLetter(command) => dead_letter::dead_letter::<H>(&console, command).await,
            Command::Journal(command) => journal::journal::<H>(&console, command),
        }
    };
    if matches!(arguments.command, Command::Serve(_) | Command::Demo(_)) {
        // They have something to stop and listen for signals themselves.
        return Box::pin(work).await;
    }
    let mut signals = Signals::listen()?;
    tokio::select! {
        done = Box::pin(work) => done,
        _ = signals.wait() => Err(Failure::interrupted()),
    }
}

/// Help and version are answers; everything else that clap says is a usage error.
fn usage(error: &clap::Error) -> (Exit, String) {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => (Exit::Done, text),
        _ => {
            let text = text.trim_end().trim_end_matches("For more information, try '--help'.").trim_end();
            (Exit::Usage, format!("{text}\nhint: `hydrant --help` lists what there is"))
        }
    }
}

fn tell(failure: &Failure) -> Exit {
    // Nobody can be told that standard error is closed.
    drop(writeln!(io::stderr().lock(), "{failure}"));
    failure.exit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_a_usage_error() {
        for line in [
            "hydrant",
            "hydrant bogus",
            "hydrant put",
            "hydrant put orders - extra",
            "hydrant put orders --in-flight 0",
            "hydrant put orders --config a --endpoint-url b",
            "hydrant apply",
            "hydrant demo --records 0",
            "hydrant demo --records many",
            "hydrant plugin",
            "hydrant plugin run p.wasm --setting a",
            "hydrant plugin run p.wasm --batch 0",
            "hydrant recopy",
            "hydrant plugin new clean --lang cobol",
            "hydrant journal",
            "hydrant dead-letter list",
            "hydrant dead-letter list orders --bucket b",
            "hydrant dead-letter list orders --since soon",
            "hydrant dead-letter replay",
            "hydrant dead-letter forget orders",
            "hydrant --verbose streams",
        ] {
            let error = Arguments::try_parse_from(line.split(' ')).expect_err(line);
            let (exit, text) = usage(&error);
            assert_eq!(exit.code(), 64, "{line}");
            assert!(text.ends_with("\nhint: `hydrant --help` lists what there is"), "{text}");
        }
        let error = Arguments::try_parse_from(["hydrant", "serve", "--bogus"]).expect_err("an unknown flag");
        assert!(usage(&error).1.starts_with("error: unexpected argument '--bogus' found\n"));
    }

    #[test]
    fn help_and_version_are_answers() {
        for line in ["hydrant --help", "hydrant --version", "hydrant put --help", "hydrant help apply"] {
            let error = Arguments::try_parse_from(line.split(' ')).expect_err(line);
            assert_eq!(usage(&error).0.code(), 0, "{line}");
        }
    }

    #[test]
    fn every_command_is_understood() {
        for line in [
            "hydrant serve",
            "hydrant serve --config a.toml",
            "hydrant check --json",
            "hydrant --json check",
            "hydrant demo --records 10 --dir d --plugin-dir p",
            "hydrant put orders",
            "hydrant put orders - --no-newline --in-flight 1 --region eu-west-1",
            "hydrant apply a.json b.json --endpoint-url http://127.0.0.1:1",
            "hydrant streams --config a.toml",
            "hydrant describe orders",
            "hydrant delete orders --json",
            "hydrant recopy orders",
            "hydrant recopy orders --below 2026/11/ --dry-run --json --account 000000000000 --admin 127.0.0.1:1",
            "hydrant plugin new clean --lang rust --dir d",
            "hydrant plugin build",
            "hydrant plugin build d --out p.wasm --json",
            "hydrant plugin inspect p.wasm --json",
            "hydrant plugin test p.wasm",
            "hydrant plugin test p.wasm a.json b --update --config a.toml",
            "hydrant plugin bench p.wasm --input a.ndjson --against old.wasm --json",
            "hydrant plugin run p.wasm --setting a=b --setting c= --stream s --batch 1",
            "hydrant dead-letter list orders --since 6h --until 2026-11-21 --stage processing-failed --code a --code b",
            "hydrant dead-letter list --bucket b --prefix p --endpoint-url http://127.0.0.1:1 --region eu-west-1 --json",
            "hydrant dead-letter show orders errors/a --line 3 --raw",
            "hydrant dead-letter replay orders --dry-run --plugin clean@00ff --object k",
            "hydrant dead-letter replay orders --bucket b",
            "hydrant dead-letter forget orders --before 90d",
            "hydrant journal inspect data",
            "hydrant journal verify data --json",
        ] {
            Arguments::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }
}
