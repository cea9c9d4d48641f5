//! Lines for the host's log. Refuses to format anything itself; on a native target lines are kept for the test.

use std::fmt;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For the author.
    Debug,
    /// Worth a line.
    Info,
    /// Odd but safe.
    Warn,
    /// Somebody must act.
    Error,
}

/// Writes one line at [`Level::Debug`], with the arguments of [`format!`].
#[macro_export]
macro_rules! debug {
    ($($argument:tt)*) => { $crate::__write($crate::Level::Debug, ::core::format_args!($($argument)*)) };
}

/// Writes one line at [`Level::Info`], with the arguments of [`format!`].
#[macro_export]
macro_rules! info {
    ($($argument:tt)*) => { $crate::__write($crate::Level::Info, ::core::format_args!($($argument)*)) };
}

/// Writes one line at [`Level::Warn`], with the arguments of [`format!`].
#[macro_export]
macro_rules! warn {
    ($($argument:tt)*) => { $crate::__write($crate::Level::Warn, ::core::format_args!($($argument)*)) };
}

/// Writes one line at [`Level::Error`], with the arguments of [`format!`].
#[macro_export]
macro_rules! error {
    ($($argument:tt)*) => { $crate::__write($crate::Level::Error, ::core::format_args!($($argument)*)) };
}

/// What the macros expand to.
pub fn write(level: Level, line: fmt::Arguments<'_>) {
    match line.as_str() {
        Some(text) => send(level, text),
        None => send(level, &line.to_string()),
    }
}

#[cfg(target_arch = "wasm32")]
fn send(level: Level, line: &str) {
    crate::component::log(level, line);
}

#[cfg(not(target_arch = "wasm32"))]
fn send(level: Level, line: &str) {
    crate::testing::remember(level, line);
}
