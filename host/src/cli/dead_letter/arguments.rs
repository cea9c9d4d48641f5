//! The arguments of `hydrant dead-letter`. Refuses to act on any.

use clap::{Args, Subcommand};

use super::super::arguments::AdminPort;
use crate::dead_letter::Filter;
use crate::runtime::{Clock, SystemClock};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DeadLetter {
    /// List the objects of failures: when, what, how many
    List(List),
    /// Show the failures of one object, or the bytes of one record
    #[command(long_about = "Show the failures of one object, or the bytes of one record.\n\nName the stream and the \
        key, or --bucket and the key. --raw writes the record of --line to standard output, byte for byte as it was \
        sent.")]
    Show(Show),
    /// Put failures into their stream again, each once
    #[command(long_about = "Put failures into their stream again, each once.\n\nWhat processing refused runs through \
        the current plugin; what a destination refused is delivered as it is, under the document id it had. Neither is \
        backed up once more. The host remembers in its journal what was replayed: stop it, kill either side, run it \
        again, and it goes on where it stopped. With --bucket, failures of Amazon's own service are put into a stream.")]
    Replay(Replay),
    /// Forget what was replayed of old objects; they cannot be replayed any more
    Forget(Forget),
}

/// Which failures.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which failures")]
pub(in crate::cli) struct Choice {
    /// Failed at or after this: an instant (2026-11-21T10:00:00Z), a day, or so long ago (90s, 30m, 6h, 7d)
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<u64>,
    /// Failed before this
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<u64>,
    /// Stage, such as processing-failed; may be given more than once
    #[arg(long, value_name = "STAGE")]
    stage: Vec<String>,
    /// Code, such as Lambda.FunctionError; may be given more than once
    #[arg(long, value_name = "CODE")]
    code: Vec<String>,
    /// Plugin that failed it: a name, the beginning of a digest, or NAME@DIGEST
    #[arg(long, value_name = "PLUGIN")]
    plugin: Option<String>,
}

impl Choice {
    /// The same as the host understands it.
    pub(super) fn filter(&self) -> Filter {
        let Self { since, until, stage, code, plugin } = self.clone();
        Filter { since_ms: since, until_ms: until, stages: stage, codes: code, plugin }
    }
}

/// A bucket that no host needs to see.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "A bucket of another service")]
pub(in crate::cli) struct Foreign {
    /// Bucket to read instead of a stream's, with the AWS SDK's own credentials
    #[arg(long, value_name = "BUCKET")]
    pub(super) bucket: Option<String>,
    /// What keys begin with
    #[arg(long, value_name = "PREFIX", default_value = "", requires = "bucket")]
    pub(super) prefix: String,
    /// URL of the S3 service [default: Amazon's]
    #[arg(long, value_name = "URL", requires = "bucket")]
    pub(super) endpoint_url: Option<String>,
    /// Region of the bucket
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    pub(super) region: String,
}

/// Which host, and whose stream.
#[derive(Debug, Args)]
pub(in crate::cli) struct At {
    /// Account of the stream, where several have one of its name
    #[arg(long, value_name = "ACCOUNT")]
    pub(super) account: Option<String>,
    #[command(flatten)]
    pub(super) admin: AdminPort,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Name of the stream
    #[arg(required_unless_present = "bucket", conflicts_with = "bucket")]
    pub(super) stream: Option<String>,
    /// Most objects to list
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) limit: u32,
    #[command(flatten)]
    pub(super) choice: Choice,
    #[command(flatten)]
    pub(super) foreign: Foreign,
    #[command(flatten)]
    pub(super) at: At,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// Name of the stream, unless there is --bucket, and key of the object
    #[arg(required = true, num_args = 1..=2, value_name = "STREAM OBJECT")]
    pub(super) names: Vec<String>,
    /// Begin with this line, counted from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) line: u32,
    /// Most failures to show
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) limit: u32,
    /// Write the record of that line to standard output, byte for byte
    #[arg(long)]
    pub(super) raw: bool,
    #[command(flatten)]
    pub(super) choice: Choice,
    #[command(flatten)]
    pub(super) foreign: Foreign,
    #[command(flatten)]
    pub(super) at: At,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Replay {
    /// Name of the stream to put them into
    pub(super) stream: String,
    /// Only the failures of this object
    #[arg(long, value_name = "KEY")]
    pub(super) object: Option<String>,
    /// Only say what would be replayed
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) choice: Choice,
    #[command(flatten)]
    pub(super) foreign: Foreign,
    #[command(flatten)]
    pub(super) at: At,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Forget {
    /// Name of the stream
    pub(super) stream: String,
    /// Objects that were written before this: an instant, a day, or so long ago
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(super) before: u64,
    #[command(flatten)]
    pub(super) at: At,
}

fn instant(text: &str) -> Result<u64, String> {
    instant_at(text, SystemClock.now_ms())
}

/// Milliseconds since 1970 of an instant, a day, or a stretch of time before now.
fn instant_at(text: &str, now_ms: u64) -> Result<u64, String> {
    let unit_ms = |unit: char| match unit {
        's' => Some(1_000_u64),
        'm' => Some(60_000),
        'h' => Some(3_600_000),
        'd' => Some(86_400_000),
        _ => None,
    };
    let ago = text.chars().next_back().and_then(unit_ms).and_then(|unit_ms| {
        let count: u64 = text.get(..text.len() - 1)?.parse().ok()?;
        Some(now_ms.saturating_sub(count.saturating_mul(unit_ms)))
    });
    if let Some(ago) = ago {
        return Ok(ago);
    }
    let at = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let day = text.parse::<jiff::civil::Date>().ok()?;
        Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    });
    let at_ms = at.and_then(|at| u64::try_from(at.as_millisecond()).ok());
    at_ms.ok_or_else(|| "a time is 2026-11-21T10:00:00Z, 2026-11-21, or so long ago: 90s, 30m, 6h, 7d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_instants_days_or_so_long_ago() {
        let now_ms = 1_789_014_240_448;
        let check = |text: &str| instant_at(text, now_ms).ok();
        assert_eq!(check("90s"), Some(now_ms - 90_000));
        assert_eq!(check("7d"), Some(now_ms - 7 * 86_400_000));
        assert_eq!(check("2026-11-21T10:00:00Z"), Some(1_795_255_200_000));
        assert_eq!(check("2026-11-21"), Some(1_795_219_200_000));
        assert_eq!(
            (check("soon"), check("d"), check(""), check("5y"), check("1h\u{e9}")),
            (None, None, None, None, None)
        );
    }
}
