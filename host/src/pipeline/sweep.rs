//! Looks for uploads that were never finished, at the start and every hour after it.
//!
//! Refuses to judge uploads: the destination knows which are its own.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Context;
use super::streams::Streams;
use crate::definition::Definition;
use crate::deliver::Leftovers;

/// From one look to the next: what is left behind costs by the month.
const EVERY: Duration = Duration::from_secs(3600);

/// Age from which on nobody sends an upload any more: its parts are few and each is given up after minutes. A day, so that
/// another host with a stream of the same name and bucket, or a clock that is wrong, is not in danger.
const UNFINISHED_MS: u64 = 24 * 3600 * 1000;

/// Looks until the host is gone.
pub(super) async fn run(context: Weak<Context>, streams: Weak<Streams>) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let (Some(context), Some(streams)) = (context.upgrade(), streams.upgrade()) else { return };
        for running in streams.all() {
            sweep(&context, &running.handle().definition).await;
        }
    }
}

/// Sweeps all places where a stream stores objects.
pub(super) async fn sweep(context: &Arc<Context>, definition: &Definition) {
    let begun_before_ms = context.clock.now_ms().saturating_sub(UNFINISHED_MS);
    for (bucket, prefix) in places(definition) {
        let left = Leftovers { bucket, prefix, stream: definition.name.clone(), begun_before_ms };
        match context.destination.sweep(&left).await {
            Ok(0) => {}
            Ok(count) => {
                tracing::info!(stream = %definition.name, bucket = %left.bucket, prefix = %left.prefix, count, "unfinished uploads were aborted");
            }
            // Many roles may not list uploads; a lifecycle rule of the bucket does the same.
            Err(error) => {
                tracing::debug!(stream = %definition.name, code = error.code, %error, "unfinished uploads are not swept");
            }
        }
    }
}

/// Buckets, and what all keys there begin with. A prefix that another one begins with is left out.
fn places(definition: &Definition) -> BTreeSet<(String, String)> {
    let backup = definition.source_backup.as_ref().map(|backup| &backup.s3);
    let mut places = BTreeSet::new();
    for s3 in [Some(&definition.s3), backup].into_iter().flatten() {
        for prefix in [&s3.prefix, &s3.error_output_prefix] {
            let literal = prefix.find("!{").map_or(prefix.as_str(), |at| &prefix[..at]);
            places.insert((s3.bucket.clone(), literal.to_owned()));
        }
    }
    let all = places.clone();
    places.retain(|(bucket, prefix)| {
        let covers =
            |(other, begin): &(String, String)| other == bucket && begin != prefix && prefix.starts_with(begin);
        !all.iter().any(covers)
    });
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{S3Destination, SourceBackup, testing};

    #[test]
    fn every_place_is_looked_at_once() {
        let s3 = |bucket: &str, prefix: &str, error_output_prefix: &str| S3Destination {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            error_output_prefix: error_output_prefix.to_owned(),
            ..testing::s3()
        };
        let found = |one: S3Destination, backup: Option<S3Destination>| {
            let source_backup = backup.map(|s3| SourceBackup { s3, delimiter: String::new() });
            let places = places(&Definition { s3: one, source_backup, ..testing::definition("orders") });
            places.into_iter().map(|(bucket, prefix)| format!("{bucket}/{prefix}")).collect::<Vec<_>>()
        };
        assert_eq!(found(s3("a", "", ""), None), ["a/"]);
        assert_eq!(found(s3("a", "data/!{timestamp:yyyy}/", "errors/"), None), ["a/data/", "a/errors/"]);
        assert_eq!(found(s3("a", "data/", "data/errors/"), Some(s3("b", "raw/", ""))), ["a/data/", "b/"]);
    }
}
