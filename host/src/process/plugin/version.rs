//! What a version of a plugin is: a component, the settings it is configured with, and what it may have, by content.
//!
//! Settings and capabilities change what a plugin makes of a record as much as its code does, so a replay needs all of
//! them as they were. A version with neither is named by its component's digest, any other by the digest of this recipe,
//! of which the store keeps a copy. Refuses to name anything but content.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::needs::Capability;
use super::store::digest_of;

/// A component with its settings and capabilities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recipe {
    /// SHA-256 of the component as published, lower-case hexadecimal.
    pub(super) component: String,
    /// Names and values, as `configure` is told them.
    pub(super) settings: Vec<(String, String)>,
    /// What it declared and the operator granted when it was published. Not written when there is none, so that versions
    /// from before there were any keep their names.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) capabilities: BTreeSet<Capability>,
}

impl Recipe {
    /// A component that is configured with nothing and has nothing.
    pub(super) fn plain(component: String) -> Self {
        Self { component, settings: Vec::new(), capabilities: BTreeSet::new() }
    }

    /// What names the version, and the recipe's own text where that is needed to find the component again.
    pub(super) fn digest(&self) -> (String, Option<Vec<u8>>) {
        if self.settings.is_empty() && self.capabilities.is_empty() {
            return (self.component.clone(), None);
        }
        // Text only: nothing here can fail.
        let text = serde_json::to_vec(self).unwrap_or_default();
        (digest_of(&text), Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_settings_are_another_version() {
        let plain = Recipe::plain("c0ffee".to_owned());
        assert_eq!(plain.digest(), ("c0ffee".to_owned(), None));
        let with = |value: &str| Recipe { settings: vec![("currency".to_owned(), value.to_owned())], ..plain.clone() };
        let (digest, text) = with("EUR").digest();
        assert_ne!(digest, with("USD").digest().0);
        assert_eq!(serde_json::from_slice::<Recipe>(&text.unwrap()).unwrap(), with("EUR"));
    }

    /// Journals name versions by these digests: a version without capabilities is called as it was before there were any.
    #[test]
    fn a_granted_capability_is_another_version_and_none_changes_no_name() {
        let settings = vec![("currency".to_owned(), "EUR".to_owned())];
        let plain = Recipe { settings, ..Recipe::plain("c0ffee".to_owned()) };
        let (digest, text) = plain.digest();
        assert_eq!(text.unwrap(), br#"{"component":"c0ffee","settings":[["currency","EUR"]]}"#);
        let granted = Recipe { capabilities: BTreeSet::from([Capability::Environment]), ..plain };
        let (other, text) = granted.digest();
        assert_ne!(other, digest);
        assert_eq!(serde_json::from_slice::<Recipe>(&text.unwrap()).unwrap(), granted);
        let bare = Recipe { settings: Vec::new(), ..granted };
        assert_ne!(bare.digest().0, "c0ffee");
    }
}
