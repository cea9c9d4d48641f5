//! What a plugin works for. Refuses to be changed.

/// The stream and the operator's settings.
#[derive(Clone, Debug, Default)]
pub struct Context {
    stream: String,
    settings: Vec<(String, String)>,
}

impl Context {
    /// A context as the host gives it; tests make their own.
    pub fn new(stream: &str, settings: &[(&str, &str)]) -> Self {
        let owned = settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Self { stream: stream.to_owned(), settings: owned.collect() }
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn from_parts(stream: String, settings: Vec<(String, String)>) -> Self {
        Self { stream, settings }
    }

    /// Name of the delivery stream; empty while the host tries a new version out.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// The operator's setting of this name.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All of the operator's settings for this plugin.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
