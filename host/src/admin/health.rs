//! Whether puts are accepted, and why not. Refuses to find out by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

/// Readiness, shared: parts hold it back with a reason and let go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Health {
    reasons: Arc<watch::Sender<BTreeMap<&'static str, String>>>,
    held: Arc<watch::Sender<Vec<String>>>,
}

impl Health {
    /// Not ready yet: part `start` holds it back until it is cleared.
    pub fn starting() -> Self {
        let reasons = BTreeMap::from([("start", "starting".to_owned())]);
        Self { reasons: Arc::new(watch::Sender::new(reasons)), held: Arc::default() }
    }

    /// `part` is the reason not to be ready; replaces what the part said before.
    pub fn hold(&self, part: &'static str, reason: impl Into<String>) {
        let reason = reason.into();
        self.reasons.send_if_modified(|reasons| reasons.insert(part, reason.clone()).as_ref() != Some(&reason));
    }

    /// `part` is no longer a reason.
    pub fn clear(&self, part: &'static str) {
        self.reasons.send_if_modified(|reasons| reasons.remove(part).is_some());
    }

    /// Streams that are held. No reason not to be ready: what is put is kept, and other streams go on.
    pub fn show_held(&self, streams: Vec<String>) {
        self.held.send_replace(streams);
    }

    /// Streams that are held.
    pub fn held(&self) -> Vec<String> {
        self.held.borrow().clone()
    }

    /// Whether nothing holds readiness back.
    pub fn is_ready(&self) -> bool {
        self.reasons.borrow().is_empty()
    }

    /// Why not ready, by part; empty when ready.
    pub fn reasons(&self) -> BTreeMap<&'static str, String> {
        self.reasons.borrow().clone()
    }

    /// Waits until nothing holds readiness back.
    pub async fn ready(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        drop(self.reasons.subscribe().wait_for(BTreeMap::is_empty).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_part_must_let_go() {
        let health = Health::starting();
        assert!(!health.is_ready());
        health.hold("journal", "full");
        health.hold("journal", "poisoned");
        health.clear("start");
        assert_eq!(health.reasons(), BTreeMap::from([("journal", "poisoned".to_owned())]));
        let (seen, other) = (health.clone(), health.clone());
        let waiting = tokio::spawn(async move { seen.ready().await });
        other.clear("journal");
        waiting.await.expect("ready");
        assert!(health.is_ready());
    }
}
