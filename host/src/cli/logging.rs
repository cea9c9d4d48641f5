//! Logs on standard error, for people or machines.
//!
//! The chosen level holds for Hydrant's own targets. Libraries stay at INFO or above whatever is chosen: at DEBUG and
//! TRACE the AWS and HTTP crates print headers and bodies, hence credentials and records. Refuses to read `RUST_LOG`,
//! which could lift that.

use std::io::IsTerminal;

use tracing::Level as TracingLevel;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Level, Log, LogFormat};

/// Installs the process's log. A second call changes nothing, which happens only when a test runs two commands.
pub(super) fn start(log: Log) {
    let registry = tracing_subscriber::registry().with(filter(log.level));
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let installed = match log.format {
        LogFormat::Human => registry.with(layer).try_init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    drop(installed);
}

/// What is let through.
fn filter(level: Level) -> Targets {
    let level = match level {
        Level::Error => TracingLevel::ERROR,
        Level::Warn => TracingLevel::WARN,
        Level::Info => TracingLevel::INFO,
        Level::Debug => TracingLevel::DEBUG,
        Level::Trace => TracingLevel::TRACE,
    };
    // Less severe levels are greater.
    let others = level.min(TracingLevel::INFO);
    Targets::new().with_target("hydrant", level).with_default(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row X12: libraries that print headers and bodies at DEBUG and TRACE are never let through below INFO.
    #[test]
    fn x12_libraries_never_log_below_info() {
        let filter = filter(Level::Trace);
        assert!(filter.would_enable("hydrant::journal", &TracingLevel::TRACE));
        for library in ["aws_smithy_runtime::client", "aws_sigv4", "hyper::proto", "hyper_util", "rustls", "s3s"] {
            assert!(filter.would_enable(library, &TracingLevel::INFO), "{library}");
            assert!(!filter.would_enable(library, &TracingLevel::DEBUG), "{library}");
            assert!(!filter.would_enable(library, &TracingLevel::TRACE), "{library}");
        }
    }

    #[test]
    fn the_level_holds_for_everybody() {
        let filter = filter(Level::Error);
        assert!(!filter.would_enable("hydrant", &TracingLevel::WARN));
        assert!(!filter.would_enable("hyper", &TracingLevel::WARN));
    }
}
