//! Questions to a host about its dead letters. Refuses to understand the answers.

use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::Failure;
use super::super::plugin::ask;
use super::arguments::At;

/// Asks the host `what` about a stream.
pub(super) async fn question<T: DeserializeOwned>(
    at: &At,
    stream: &str,
    what: &str,
    question: &impl Serialize,
) -> Result<T, Failure> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if stream.is_empty() || !stream.chars().all(is_name) {
        return Err(Failure::told(format!("{stream} is no name of a stream")).hint("`hydrant streams` lists them"));
    }
    let body = serde_json::to_vec(question).map_err(Failure::new)?;
    let path = format!("/dead-letter/{stream}/{what}");
    let answer = ask(&at.admin, Method::POST, &path, "application/json", Some(body)).await?;
    serde_json::from_value(answer).map_err(|error| {
        let text = format!("the host's answer cannot be understood: {error}");
        Failure::told(text).hint("use a `hydrant` of the host's own release")
    })
}
