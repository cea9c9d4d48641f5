//! The one place where the tests wait for something they are not told about: look, and look again, up to a limit.
//!
//! Refuses to wait for time to pass, and to wait without end.

use std::time::Duration;

/// How often to look.
const PACE: Duration = Duration::from_millis(15);

/// Looks until `look` finds something.
///
/// # Errors
/// `what` and the limit, when nothing was found within `limit`.
pub async fn until<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Result<T, String> {
    let search = async {
        let mut pace = tokio::time::interval(PACE);
        loop {
            pace.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::time::timeout(limit, search).await.map_err(|_| format!("waited {limit:?} in vain for {what}"))
}
