//! What the admin port asks about plugins, put to the plugin host and the pipeline. Refuses to decide anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::admin::{Plugins, Refusal};
use crate::definition::Processor;
use crate::pipeline::Pipeline;
use crate::process::PluginHost;
use crate::process::plugin::{Asked, PublishError};
use crate::record::PluginVersion;

/// The plugins of a running host.
#[derive(Debug)]
pub(super) struct PluginDoor {
    plugins: Arc<PluginHost>,
    pipeline: Arc<Pipeline>,
}

impl PluginDoor {
    pub(super) fn new(plugins: Arc<PluginHost>, pipeline: Arc<Pipeline>) -> Self {
        Self { plugins, pipeline }
    }

    /// Does something that blocks, on a thread that may.
    async fn change(
        &self,
        work: impl FnOnce(&PluginHost) -> Result<PluginVersion, PublishError> + Send + 'static,
    ) -> Result<Value, Refusal> {
        let plugins = Arc::clone(&self.plugins);
        let done = tokio::task::spawn_blocking(move || work(&plugins)).await;
        let stopped = |_| Refusal { error: "the host is stopping".to_owned(), hint: "try again".to_owned() };
        let refused = |error: PublishError| {
            let hint = error.remedy().to_owned();
            Refusal { error: format!("{:#}", anyhow::Error::from(error)), hint }
        };
        let version = done.map_err(stopped)?.map_err(refused)?;
        let release = self.plugins.releases(&version.name).pop();
        let candidate = self.plugins.candidate(&version.name).filter(|candidate| candidate.digest == version.digest);
        Ok(json!({ "plugin": version.name, "digest": version.digest, "release": release, "candidate": candidate }))
    }
}

#[async_trait]
impl Plugins for PluginDoor {
    fn list(&self) -> Value {
        let mut streams: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for definition in self.pipeline.definitions() {
            for processor in &definition.processors {
                if let Processor::Plugin { name, .. } = processor {
                    streams.entry(name.clone()).or_default().push(definition.name.clone());
                }
            }
        }
        let plugins: Vec<Value> = self
            .plugins
            .list()
            .into_iter()
            .map(|version| {
                // A candidate that is said to rule is then also shown as what does.
                let candidate = self.plugins.candidate(&version.name);
                let version = self.plugins.ruling(&version.name).unwrap_or(version);
                let releases = self.plugins.releases(&version.name);
                let streams = streams.remove(&version.name).unwrap_or_default();
                json!({
                    "plugin": version.name,
                    "digest": version.digest,
                    "deterministic": self.plugins.is_deterministic(&version.name),
                    "streams": streams,
                    "releases": releases,
                    "candidate": candidate,
                })
            })
            .collect();
        let problems: Vec<Value> = self
            .plugins
            .problems()
            .into_iter()
            .map(|problem| json!({ "file": problem.file, "error": problem.what, "hint": problem.remedy }))
            .collect();
        // Named by a stream, and not there: the stream is held.
        json!({ "plugins": plugins, "problems": problems, "missing": streams })
    }

    fn component_bytes(&self) -> u64 {
        self.plugins.component_bytes()
    }

    async fn publish(&self, name: &str, component: Bytes, wishes: &[(&str, &str)]) -> Result<Value, Refusal> {
        let name = name.to_owned();
        let asked = Asked::read(wishes.iter().copied());
        self.change(move |plugins| match asked? {
            None => plugins.publish(&name, &component),
            Some(asked) => plugins.put_beside(&name, &component, asked),
        })
        .await
    }

    async fn roll_back(&self, name: &str, to: Option<&str>) -> Result<Value, Refusal> {
        // A candidate is what an operator means first.
        if to.is_none()
            && let Some(ended) = self.plugins.end_candidate(name)
        {
            let ruling = self.plugins.ruling(name).map(|version| version.digest);
            return Ok(json!({ "plugin": name, "digest": ruling, "ended": ended.digest }));
        }
        let (name, to) = (name.to_owned(), to.map(str::to_owned));
        self.change(move |plugins| plugins.roll_back(&name, to.as_deref())).await
    }
}
