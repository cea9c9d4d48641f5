//! What a version of a plugin is: a component and the settings it is configured with, both by content.
//!
//! Settings change what a plugin makes of a record as much as its code does, so a replay needs both as they were. A
//! version without settings is named by its component's digest, one with settings by the digest of this recipe, of which
//! the store keeps a copy. Refuses to name anything but content.

use serde::{Deserialize, Serialize};

use super::store::digest_of;

/// A component with its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recipe {
    /// SHA-256 of the component as published, lower-case hexadecimal.
    pub(super) component: String,
    /// Names and values, as `configure` is told them.
    pub(super) settings: Vec<(String, String)>,
}

impl Recipe {
    /// A component that is configured with nothing.
    pub(super) fn plain(component: String) -> Self {
        Self { component, settings: Vec::new() }
    }

    /// What names the version, and the recipe's own text where that is needed to find the component again.
    pub(super) fn digest(&self) -> (String, Option<Vec<u8>>) {
        if self.settings.is_empty() {
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
}
