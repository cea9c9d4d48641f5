//! Figures with their goals, as text, and how busy the machine was. Refuses to compute.

use std::fmt;

/// One figure.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) name: String,
    /// The figure with its unit.
    pub(crate) value: String,
    /// What was hoped for; empty when nothing was.
    pub(crate) goal: &'static str,
}

/// A figure without more ado.
pub(crate) fn row(name: impl Into<String>, value: impl Into<String>, goal: &'static str) -> Row {
    Row { name: name.into(), value: value.into(), goal }
}

/// 1234567.8 as `1,234,568`.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0.0 { format!("-{text}") } else { text }
}

/// Bytes as MiB.
pub(crate) fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Load averages of the last minute and five minutes: what a figure of a busy machine is to be read with.
pub(crate) fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(2).collect::<Vec<_>>().join(", ")
}

/// Groups of rows.
#[derive(Debug, Default)]
pub(crate) struct Table {
    groups: Vec<(String, Vec<Row>)>,
}

impl Table {
    /// Appends a group.
    pub(crate) fn add(&mut self, title: &str, rows: Vec<Row>) {
        self.groups.push((title.to_owned(), rows));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<52} {:>24}   goal", "figure", "measured")?;
        for (title, rows) in &self.groups {
            writeln!(f, "\n{title}")?;
            for row in rows {
                writeln!(f, "  {:<50} {:>24}   {}", row.name, row.value, row.goal)?;
            }
        }
        Ok(())
    }
}
