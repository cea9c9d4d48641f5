//! The program: arguments in, an exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(hydrant::cli::main::<hydrant::app::App>(std::env::args_os()).code())
}
