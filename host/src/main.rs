//! The program: arguments in, an exit code out.

use std::process::ExitCode;

/// The system's allocator keeps what buffers leave behind that grow by doubling, in sizes it has no use for: with 500
/// partitions the host was larger than its memory budget, of which it used half.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    ExitCode::from(hydrant::cli::main::<hydrant::app::App>(std::env::args_os()).code())
}
