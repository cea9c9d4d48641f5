//! Plugin lines in the host's log: target `plugin`, labelled with plugin and stream, bounded per call and per minute.
//!
//! What a guest writes can neither begin a line nor move a terminal's cursor: control characters are escaped. Refuses to
//! buffer: what is over a limit is counted and thrown away.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::bindings::v1::Level;
use crate::telemetry::PluginMetrics;

/// One plugin's allowance per minute, shared by its calls, streams and versions.
#[derive(Debug)]
pub(super) struct Meter {
    bytes_per_minute: usize,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    used_bytes: usize,
    told: bool,
}

impl Meter {
    /// A full allowance.
    pub(super) fn new(bytes_per_minute: usize) -> Self {
        Self { bytes_per_minute, window: Mutex::new(Window { began: Instant::now(), used_bytes: 0, told: false }) }
    }

    fn take(&self, bytes: usize) -> Taken {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.began.elapsed() >= MINUTE {
            *window = Window { began: Instant::now(), used_bytes: 0, told: false };
        }
        if window.used_bytes + bytes <= self.bytes_per_minute {
            window.used_bytes += bytes;
            return Taken::Yes;
        }
        if std::mem::replace(&mut window.told, true) { Taken::No } else { Taken::FirstNo }
    }
}

enum Taken {
    Yes,
    No,
    FirstNo,
}

/// Whether anybody hears what a plugin says. A silent one may say as much, so that it cannot know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    Aloud,
    Silent,
}

/// The log of one call.
#[derive(Debug)]
pub(super) struct Log {
    plugin: Arc<str>,
    stream: Arc<str>,
    metrics: PluginMetrics,
    meter: Arc<Meter>,
    remaining_bytes: usize,
    voice: Voice,
    /// Unfinished lines of standard output and standard error.
    partial: [Vec<u8>; 2],
}

impl Log {
    /// The log of one call, with `bytes` to spend.
    pub(super) fn new(
        plugin: Arc<str>,
        stream: Arc<str>,
        metrics: PluginMetrics,
        meter: Arc<Meter>,
        bytes: usize,
    ) -> Self {
        let partial = [Vec::new(), Vec::new()];
        Self { plugin, stream, metrics, meter, remaining_bytes: bytes, voice: Voice::Aloud, partial }
    }

    /// The same with this voice.
    pub(super) fn spoken(self, voice: Voice) -> Self {
        Self { voice, ..self }
    }

    /// Bytes that this call may still log.
    pub(super) fn remaining(&self) -> usize {
        self.remaining_bytes
    }

    /// The start of `text` that is within the limits, and how many bytes are not.
    pub(super) fn admissible<'a>(&self, text: &'a str) -> (&'a str, usize) {
        let cut = text.floor_char_boundary(self.remaining_bytes.min(LINE_BYTES));
        (&text[..cut], text.len() - cut)
    }

    /// One line, of which `dropped_bytes` are gone already.
    pub(super) fn line(&mut self, level: Level, line: &str, dropped_bytes: usize) {
        self.drop_bytes(dropped_bytes);
        let cost = line.len() + LINE_COST_BYTES;
        if cost > self.remaining_bytes {
            self.remaining_bytes = 0;
            self.drop_bytes(line.len().max(1));
            return;
        }
        self.remaining_bytes -= cost;
        match self.meter.take(cost) {
            Taken::Yes => self.emit(level, &escape(line)),
            Taken::No => self.drop_bytes(line.len().max(1)),
            Taken::FirstNo => {
                self.drop_bytes(line.len().max(1));
                let limit = self.meter.bytes_per_minute;
                self.emit(Level::Warn, &format!("more than {limit} log bytes in a minute: the rest is thrown away"));
            }
        }
    }

    /// Raw output, cut into lines here.
    pub(super) fn write(&mut self, err: bool, bytes: &[u8], dropped_bytes: usize) {
        self.drop_bytes(dropped_bytes);
        let level = if err { Level::Warn } else { Level::Info };
        let mut partial = std::mem::take(&mut self.partial[usize::from(err)]);
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || partial.len() >= LINE_BYTES {
                self.raw_line(level, &partial);
                partial.clear();
            }
        }
        self.partial[usize::from(err)] = partial;
    }

    /// Lines that the call left unfinished.
    pub(super) fn finish(&mut self) {
        for (at, level) in [Level::Info, Level::Warn].into_iter().enumerate() {
            let partial = std::mem::take(&mut self.partial[at]);
            if !partial.is_empty() {
                self.raw_line(level, &partial);
            }
        }
    }

    fn raw_line(&mut self, level: Level, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned();
        let (line, dropped_bytes) = self.admissible(&text);
        let line = line.to_owned();
        self.line(level, &line, dropped_bytes);
    }

    fn drop_bytes(&self, bytes: usize) {
        if bytes > 0 {
            self.metrics.log_dropped_bytes.inc_by(bytes as u64);
        }
    }

    fn emit(&self, level: Level, line: &str) {
        if self.voice == Voice::Silent {
            return;
        }
        self.metrics.log_lines.inc();
        let (plugin, stream) = (&*self.plugin, &*self.stream);
        match level {
            Level::Debug => tracing::debug!(target: "plugin", plugin, stream, "{line}"),
            Level::Info => tracing::info!(target: "plugin", plugin, stream, "{line}"),
            Level::Warn => tracing::warn!(target: "plugin", plugin, stream, "{line}"),
            Level::Error => tracing::error!(target: "plugin", plugin, stream, "{line}"),
        }
    }
}

/// Escapes whatever could forge a line or steer a terminal: controls, line separators, bidirectional overrides.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        let steers = matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (character.is_control() && character != '\t') || steers {
            // Writing into a String cannot fail.
            let _infallible = write!(escaped, "{}", character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

const MINUTE: Duration = Duration::from_secs(60);
/// A line as long as a screen of text; longer ones are cut.
const LINE_BYTES: usize = 8 * 1024;
/// What a line costs beside its text, so that empty lines are not free: about what the host's label takes.
const LINE_COST_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_forge_a_line_is_escaped() {
        let cases = [
            ("plain, with ümlaut and\ttab", "plain, with ümlaut and\ttab"),
            ("a\nb\r", "a\\nb\\r"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("\u{0}\u{7f}\u{85}", "\\u{0}\\u{7f}\\u{85}"),
            ("\u{202e}\u{2028}\u{2066}", "\\u{202e}\\u{2028}\\u{2066}"),
        ];
        for (text, expected) in cases {
            assert_eq!(escape(text), expected);
        }
    }

    fn log(per_call: usize, per_minute: usize) -> (Log, PluginMetrics) {
        let metrics = PluginMetrics::default();
        let meter = Arc::new(Meter::new(per_minute));
        (Log::new("p@1".into(), "s".into(), metrics.clone(), meter, per_call), metrics)
    }

    /// Row P5: a call's allowance is in bytes and lines.
    #[test]
    fn a_call_spends_its_allowance_and_no_more() {
        let (mut log, metrics) = log(10 * (LINE_COST_BYTES + 1), usize::MAX);
        for _ in 0..15 {
            log.line(Level::Info, "x", 0);
        }
        assert_eq!((metrics.log_lines.get(), metrics.log_dropped_bytes.get()), (10, 5));
    }

    /// Row P5: what one minute of a plugin may log is shared by its calls, and said once.
    #[test]
    fn a_minute_has_an_allowance_of_its_own() {
        let (mut log, metrics) = log(usize::MAX, 2 * (LINE_COST_BYTES + 1));
        for _ in 0..5 {
            log.line(Level::Info, "x", 0);
        }
        assert_eq!((metrics.log_lines.get(), metrics.log_dropped_bytes.get()), (3, 3), "two lines and the notice");
    }

    #[test]
    fn raw_output_is_cut_into_lines_and_long_ones_are_cut_short() {
        let (mut log, metrics) = log(usize::MAX, usize::MAX);
        log.write(false, b"one\ntwo\nthr", 0);
        assert_eq!(metrics.log_lines.get(), 2);
        log.write(false, b"ee", 0);
        log.finish();
        assert_eq!(metrics.log_lines.get(), 3);
        let long = "ö".repeat(LINE_BYTES);
        let (line, dropped) = log.admissible(&long);
        assert_eq!((line.len(), dropped), (LINE_BYTES, LINE_BYTES));
    }
}
