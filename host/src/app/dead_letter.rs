//! What the admin port asks about dead letters, put to the pipeline; and a look into buckets that are not this host's.
//! Refuses to decide anything.

use std::sync::Arc;

use async_trait::async_trait;
use hyper::body::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::App;
use crate::admin::{Failures, Refusal, What};
use crate::cli::{Buckets, ForeignBucket};
use crate::deliver::{self, Look, Policy};
use crate::pipeline::{DeadLetterError, DeadLetters};
use crate::runtime::Random;

/// The dead letters of a running host.
#[derive(Debug)]
pub(super) struct FailuresOf(pub(super) DeadLetters);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forgetting {
    #[serde(default)]
    account: Option<String>,
    before_ms: u64,
}

#[async_trait]
impl Failures for FailuresOf {
    async fn answer(&self, stream: &str, what: What, question: Bytes) -> Result<Value, Refusal> {
        let letters = &self.0;
        match what {
            What::List => told(letters.list(stream, &read(&question)?).await),
            What::Show => told(letters.show(stream, &read(&question)?).await),
            What::Replay => told(letters.replay(stream, &read(&question)?).await),
            What::Take => told(letters.take(stream, read(&question)?).await),
            What::Forget => {
                let Forgetting { account, before_ms } = read(&question)?;
                let left = letters.forget(account.as_deref(), stream, before_ms).await;
                told(left.map(|ranges| json!({ "remembered": ranges })))
            }
        }
    }
}

fn read<T: DeserializeOwned>(question: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(question).map_err(|error| Refusal {
        error: format!("the question cannot be understood: {error}"),
        hint: "ask with a `hydrant` of the host's own release".to_owned(),
    })
}

fn told(answer: Result<impl serde::Serialize, DeadLetterError>) -> Result<Value, Refusal> {
    let refused = |error: DeadLetterError| {
        let hint = error.remedy().to_owned();
        Refusal { error: format!("{:#}", anyhow::Error::from(error)), hint }
    };
    let unsaid = |error: serde_json::Error| Refusal { error: error.to_string(), hint: "report this".to_owned() };
    serde_json::to_value(answer.map_err(refused)?).map_err(unsaid)
}

impl Buckets for App {
    async fn look(bucket: &ForeignBucket) -> anyhow::Result<Arc<dyn Look>> {
        let endpoint = match &bucket.endpoint_url {
            Some(url) => deliver::Endpoint::Url(url.clone()),
            None => deliver::Endpoint::Aws,
        };
        // Whoever names an endpoint on the command line means it.
        let settings = deliver::Settings { plaintext: true, ..deliver::Settings::new(endpoint, &bucket.region) };
        Ok(deliver::look(settings, Policy::default(), Arc::new(Random::from_system())).await?)
    }
}
