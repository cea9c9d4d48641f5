//! Where environment variables come from: the process, or a map in tests. Refuses to give any variable a meaning.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// A source of environment variables.
pub trait Environment: Send + Sync {
    /// The variable's value; `None` when it is unset or not UTF-8.
    fn variable(&self, name: &str) -> Option<String>;
}

/// The environment of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "the one place that may read the environment")]
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// The user's folder for what can be made again: `$XDG_CACHE_HOME/hydrant`, else `~/.cache/hydrant`.
pub fn cache_dir(environment: &dyn Environment) -> Option<PathBuf> {
    let absolute = |name: &str| environment.variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache"))).map(|folder| folder.join("hydrant"))
}

impl Environment for BTreeMap<&str, &str> {
    fn variable(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| (*value).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_lies_where_the_user_says_or_below_home() {
        let found = |variables: &[(&'static str, &'static str)]| {
            let environment: BTreeMap<&str, &str> = variables.iter().copied().collect();
            cache_dir(&environment)
        };
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[("HOME", "/home/ada")]), Some("/home/ada/.cache/hydrant".into()));
        assert_eq!(found(&[("HOME", "/home/ada"), ("XDG_CACHE_HOME", "/c")]), Some("/c/hydrant".into()));
        assert_eq!(found(&[("HOME", "relative")]), None);
    }
}
