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
use super::{Console, Exit, Failure, Host, apply, check, client, journal, put, serve, streams};

/// The whole program: parses, runs, prints a failure, and says how it ended.
pub fn main<H: Host + Journals>(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
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
pub async fn run<H: Host + Journals>(arguments: &Arguments) -> Result<(), Failure> {
    let console = Console::process(if arguments.json { Format::Json } else { Format::Human });
    let work = async {
        match &arguments.command {
            Command::Serve(configured) => serve::serve::<H>(configured).await,
            Command::Check(configured) => check::check(&console, configured),
            Command::Demo(_) => Ok(()),
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
fn usage(error: &clap::Error) -> Exit {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed pipe has seen enough.
            drop(io::stdout().lock().write_all(text.as_bytes()));
            Exit::Done
        }
        _ => {
            let text =
                text.replace("For more information, try '--help'.", "hint: `hydrant --help` lists what there is");
            drop(writeln!(io::stderr().lock(), "{}", text.trim_end()));
            Exit::Usage
        }
    }
}

fn tell(failure: &Failure) -> Exit {
    // Nobody can be told that standard error is closed.
    drop(writeln!(io::stderr().lock(), "{failure}"));
    failure.exit
}
