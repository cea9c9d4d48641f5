//! `hydrant plugin …`: what the author of a plugin needs, on the engine and within the limits of the service.
//!
//! | command | file |
//! |---|---|
//! | `new` | `new`, and `templates/` |
//! | `build` | `build`, and `declared` for what a project says that it needs |
//! | `inspect` | `inspect` |
//! | `run` | `filter` |
//! | `test` | `check`, and `fixture` for the files |
//! | `bench` | `bench` |
//! | `publish`, `list`, `rollback` | `remote` |
//!
//! Refuses to need a running host, but for the last ones.

mod bench;
mod build;
mod check;
mod compile;
mod declared;
mod embedded;
mod filter;
mod fixture;
mod inspect;
mod new;
mod open;
mod remote;

#[cfg(test)]
mod tests;

use super::arguments::Plugin;
use super::{Console, Failure};

pub use open::PluginLimits;
pub(super) use remote::ask;

/// Runs one of them.
pub(super) async fn plugin<P: PluginLimits>(console: &Console, command: &Plugin) -> Result<(), Failure> {
    match command {
        Plugin::New(asked) => new::new(console, asked),
        Plugin::Build(asked) => build::build::<P>(console, asked),
        Plugin::Inspect(asked) => inspect::inspect(console, &open::limits::<P>(&asked.limits)?, &asked.file),
        Plugin::Run(asked) => filter::run(open::open::<P>(console, &asked.plugin)?, asked.batch).await,
        Plugin::Bench(asked) => bench::bench::<P>(console, asked),
        Plugin::Publish(asked) => remote::publish(console, asked).await,
        Plugin::List(asked) => remote::list(console, asked).await,
        Plugin::Rollback(asked) => remote::roll_back(console, asked).await,
        Plugin::Compile(asked) => compile::compile(asked),
        Plugin::Test(asked) => check::check::<P>(console, asked),
    }
}
