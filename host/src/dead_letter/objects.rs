//! The objects of a dead letter, by rising key.
//!
//! Refuses to hold more than one page of a listing, and to go on for longer than it is given.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Filter, Stage, stage_of};
use crate::deliver::{DeliveryError, Look, Stored};

/// Behind a prefix it stands for a key after all that begin with it, in what is told by [`Objects::after`]; no such key is
/// ever asked for.
const DONE: char = '\u{10ffff}';

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// An object that may hold what is meant.
    Object(Stored, Stage),
    /// Time is up; begin again after [`Objects::after`].
    Later,
    /// Nothing.
    End,
}

/// A listing under way.
#[derive(Debug)]
pub struct Objects {
    look: Arc<dyn Look>,
    bucket: String,
    prefixes: VecDeque<String>,
    filter: Filter,
    after: Option<String>,
    page: VecDeque<Stored>,
}

impl Objects {
    /// The objects of `bucket` whose keys begin with one of `prefixes`, which rise, and come after `after`.
    pub fn new(
        look: Arc<dyn Look>,
        bucket: &str,
        prefixes: Vec<String>,
        filter: Filter,
        after: Option<String>,
    ) -> Self {
        let is_ahead = |prefix: &String| {
            after.as_ref().is_none_or(|after| {
                let rest = after.strip_prefix(prefix.as_str());
                rest.map_or(*prefix > *after, |rest| !rest.starts_with(DONE))
            })
        };
        let prefixes = prefixes.into_iter().filter(is_ahead).collect();
        Self { look, bucket: bucket.to_owned(), prefixes, filter, after, page: VecDeque::new() }
    }

    /// The key after which a listing goes on where this one is.
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The next object of which something may be meant. One of a manifest counts, though it holds no failures.
    ///
    /// # Errors
    /// The bucket cannot be listed.
    pub async fn next(&mut self, until: Instant) -> Result<Next, DeliveryError> {
        loop {
            while let Some(object) = self.page.pop_front() {
                self.after = Some(object.key.clone());
                let stage = stage_of(&object.key).filter(|&stage| self.filter.may_hold(&object, stage));
                if let Some(stage) = stage {
                    return Ok(Next::Object(object, stage));
                }
            }
            let Some(prefix) = self.prefixes.front() else { return Ok(Next::End) };
            if Instant::now() >= until {
                return Ok(Next::Later);
            }
            // What comes after a key of a lower prefix comes before all of this one.
            let after = self.after.as_deref().filter(|after| after.starts_with(prefix.as_str()));
            self.page = self.look.objects(&self.bucket, prefix, after).await?.into();
            if self.page.is_empty()
                && let Some(prefix) = self.prefixes.pop_front()
            {
                // Whoever begins anew must not meet it again, however slow the bucket is.
                self.after = Some(format!("{prefix}{DONE}"));
            }
        }
    }
}
