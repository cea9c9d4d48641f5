//! Compiled components in memory, so that neither a replay nor a rollback loads one again. Refuses to grow: beyond a number
//! of them, what was unused for longest is forgotten, and `compiler` loads it again.

use std::collections::HashMap;
use std::sync::Arc;

/// Compiled components by digest; the one unused for longest goes first.
#[derive(Debug)]
pub(super) struct Recent<T> {
    entries: HashMap<String, (u64, Arc<T>)>,
    uses: u64,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { entries: HashMap::new(), uses: 0 }
    }
}

impl<T> Recent<T> {
    /// Looks one up, which makes it the last used.
    pub(super) fn find(&mut self, digest: &str) -> Option<Arc<T>> {
        self.uses += 1;
        let (used, compiled) = self.entries.get_mut(digest)?;
        *used = self.uses;
        Some(Arc::clone(compiled))
    }

    /// Remembers one, and forgets another where there are too many.
    pub(super) fn keep(&mut self, digest: &str, compiled: Arc<T>) {
        self.uses += 1;
        self.entries.insert(digest.to_owned(), (self.uses, compiled));
        while self.entries.len() > COMPILED_COUNT {
            let oldest = self.entries.iter().min_by_key(|(_, (used, _))| *used).map(|(digest, _)| digest.clone());
            if let Some(oldest) = oldest {
                self.entries.remove(&oldest);
            }
        }
    }
}

/// A JavaScript component takes some 37 MB compiled; a Rust one 0.4.
const COMPILED_COUNT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_forgets_what_was_unused_for_longest() {
        let mut cache = Recent::default();
        for at in 0..COMPILED_COUNT {
            cache.keep(&at.to_string(), Arc::new(at));
        }
        assert_eq!(cache.find("0").as_deref(), Some(&0));
        cache.keep("new", Arc::new(0));
        assert!(cache.find("0").is_some() && cache.find("1").is_none() && cache.find("new").is_some());
        assert_eq!(cache.entries.len(), COMPILED_COUNT);
    }
}
