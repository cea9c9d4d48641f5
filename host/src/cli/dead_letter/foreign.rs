//! Buckets that are read from here. Refuses to know how: the product brings the client.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::{Exit, Failure};
use super::arguments::Foreign;
use crate::dead_letter::{Filter, Next, Objects, Stage, prefixes, stage_of};
use crate::deliver::{Look, Stored};

/// How long one step of a listing may take before there is a word about it; nobody waits here for an answer.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// A bucket, and how it is reached.
#[derive(Clone, Debug)]
pub struct ForeignBucket {
    /// URL of the service; none means Amazon's.
    pub endpoint_url: Option<String>,
    /// Region of the bucket.
    pub region: String,
}

/// What opens buckets.
pub trait Buckets {
    /// A look into buckets, with the credentials of the AWS SDK's own chain.
    fn look(bucket: &ForeignBucket) -> impl Future<Output = anyhow::Result<Arc<dyn Look>>> + Send;
}

/// An opened bucket.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) look: Arc<dyn Look>,
    pub(super) bucket: String,
    prefix: String,
}

impl Opened {
    /// The bucket that was named; none when none was.
    pub(super) async fn open<B: Buckets>(foreign: &Foreign) -> Result<Option<Self>, Failure> {
        let Some(bucket) = foreign.bucket.clone() else {
            // clap lets it pass beside a stream's name.
            if !foreign.prefix.is_empty() || foreign.endpoint_url.is_some() {
                let failure = Failure::told("--prefix and --endpoint-url are of a bucket, and none is named");
                return Err(failure.hint("name it with --bucket").exit(Exit::Usage));
            }
            return Ok(None);
        };
        let Foreign { endpoint_url, region, prefix, .. } = foreign.clone();
        let look = B::look(&ForeignBucket { endpoint_url, region }).await.map_err(|error| {
            Failure::new(error).hint("name the service with --endpoint-url, or leave it out for Amazon's")
        })?;
        Ok(Some(Self { look, bucket, prefix }))
    }

    /// Its objects of failures. A prefix may end anywhere, before or behind the name of a stage.
    pub(super) fn objects(&self, filter: &Filter) -> Result<Objects, Failure> {
        filter.stages().map_err(|name| Failure::told(format!("there is no stage {name}")).hint(stages()))?;
        // A mark of an expression, so that what was given is all that keys begin with.
        let beginnings = prefixes(&format!("{}!{{", self.prefix), "", &[]);
        let look = Arc::clone(&self.look);
        Ok(Objects::new(look, &self.bucket, beginnings, filter.clone(), None))
    }

    /// The next one; none at the end.
    pub(super) async fn next(&self, objects: &mut Objects) -> Result<Option<(Stored, Stage)>, Failure> {
        loop {
            match objects.next(Instant::now() + PATIENCE).await.map_err(unseen)? {
                Next::Object(object, stage) => return Ok(Some((object, stage))),
                Next::Later => {}
                Next::End => return Ok(None),
            }
        }
    }

    /// One object by its key.
    pub(super) async fn object(&self, key: &str) -> Result<(Stored, Stage), Failure> {
        let stage = stage_of(key);
        let stage = stage.ok_or_else(|| Failure::told(format!("{key} names no stage")).hint(stages()))?;
        let listed = self.look.objects(&self.bucket, key, None).await.map_err(unseen)?;
        let object = listed.into_iter().next().filter(|object| object.key == key);
        let missing = || Failure::told(format!("there is no object s3://{}/{key}", self.bucket));
        Ok((object.ok_or_else(|| missing().hint("`hydrant dead-letter list` shows the keys"))?, stage))
    }
}

fn stages() -> String {
    let names: Vec<&str> = Stage::ALL.iter().map(|stage| stage.as_str()).collect();
    format!("a stage is one of {}", names.join(", "))
}

fn unseen(error: crate::deliver::DeliveryError) -> Failure {
    Failure::new(error).hint("check bucket, region and credentials of the AWS SDK (environment, profile)")
}
