//! `hydrant recopy`: a running host loads again what it gave up on its way into Redshift. Refuses to load anything here:
//! the host has the logins, and the ledger that says what is loaded.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::arguments::Recopy;
use super::console::Unit;
use super::plugin::ask;
use super::{Console, Failure};

/// How often the host is asked how far it is.
const PACE: Duration = Duration::from_millis(250);

/// Begins a run and follows it to its end.
pub(super) async fn recopy(console: &Console, asked: &Recopy) -> Result<(), Failure> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    if asked.stream.is_empty() || !asked.stream.chars().all(legal) {
        return Err(Failure::told(format!("\"{}\" is no name of a stream", asked.stream))
            .hint("`hydrant streams` lists streams"));
    }
    if !asked.below.chars().all(|letter| letter.is_ascii_digit() || letter == '/') {
        let what = format!("\"{}\" is no folder of manifests", asked.below);
        return Err(Failure::told(what).hint("name a beginning of YYYY/MM/DD/HH/, such as 2026/11/"));
    }
    if !asked.account.iter().all(|account| account.chars().all(legal)) {
        return Err(Failure::told("that is no account").hint("an account is twelve digits"));
    }
    let account = asked.account.as_ref().map(|account| format!("&account={account}")).unwrap_or_default();
    let begin = format!("/recopies/{}?below={}&dry-run={}{account}", asked.stream, asked.below, asked.dry_run);
    let mut answer = ask(&asked.admin, Method::POST, &begin, "application/json", None).await?;
    let progress = console.progress("manifests", None, Unit::Records);
    let mut manifests: Vec<Value> = Vec::new();
    let mut told = 0;
    loop {
        let new = answer["manifests"].as_array().cloned().unwrap_or_default();
        let first = usize::try_from(answer["first"].as_u64().unwrap_or_default()).unwrap_or(usize::MAX);
        if first > told {
            console.note(&format!("{} manifests were not told in time; they are counted", first - told));
        }
        told = first.max(told) + new.len();
        progress.set_position(told as u64);
        for one in &new {
            if !console.is_json() {
                progress.suspend(|| console.say(&line(one, asked.dry_run)))?;
            }
        }
        manifests.extend(new);
        if answer["state"] != "running" {
            break;
        }
        tokio::time::sleep(PACE).await;
        let next = format!("/recopies/{}?after={told}{account}", asked.stream);
        answer = ask(&asked.admin, Method::GET, &next, "application/json", None).await?;
    }
    progress.finish_and_clear();
    ended(console, &answer, manifests, asked.dry_run)
}

/// Says what the run came to; a failure where something is not loaded.
fn ended(console: &Console, answer: &Value, manifests: Vec<Value>, is_dry: bool) -> Result<(), Failure> {
    let count = |name: &str| answer[name].as_u64().unwrap_or_default();
    let (loaded, known, failed) = (count("loaded"), count("known"), count("failed"));
    if console.is_json() {
        let mut whole = answer.clone();
        whole["manifests"] = json!(manifests);
        if let Some(whole) = whole.as_object_mut() {
            whole.remove("first");
        }
        console.say_json(&whole)?;
    } else {
        let verb = if is_dry { "to load" } else { "loaded" };
        console.say(&format!("{loaded} {verb}, {known} loaded before, {failed} failed"))?;
    }
    if answer["state"] == "failed" {
        let text = answer["error"].as_str().unwrap_or("the run failed");
        return Err(Failure::told(text).hint("mend it and run this again; what was loaded is not loaded twice"));
    }
    if failed > 0 {
        let hint = "mend what the codes name and run this again; what was loaded is not loaded twice";
        return Err(Failure::told(format!("{failed} manifests could not be loaded")).hint(hint));
    }
    Ok(())
}

/// A manifest in a line.
fn line(one: &Value, is_dry: bool) -> String {
    let text = |name: &str| one[name].as_str().unwrap_or("-");
    let (loaded, objects) = (one["loaded"].as_u64(), one["objects"].as_u64().unwrap_or_default());
    let key = text("manifest");
    match loaded {
        None => format!("failed   {key}: {}", text("error")),
        Some(0) => format!("known    {key}"),
        Some(count) if is_dry => format!("missing  {key}: {count} of {objects} objects"),
        Some(count) => format!("loaded   {key}: {count} of {objects} objects"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::console::Format;
    use super::*;

    fn said(format: Format, answer: &Value, is_dry: bool) -> (String, Result<(), Failure>) {
        let (console, buffer) = Console::buffer(format);
        let manifests = vec![json!({ "manifest": "a", "objects": 2, "loaded": 1 })];
        let ended = ended(&console, answer, manifests, is_dry);
        let said = String::from_utf8(buffer.lock().expect("a buffer").clone()).expect("text");
        (said, ended)
    }

    #[test]
    fn a_manifest_is_a_line() {
        let one = json!({ "manifest": "e/a", "objects": 3, "loaded": 2 });
        assert_eq!(line(&one, false), "loaded   e/a: 2 of 3 objects");
        assert_eq!(line(&one, true), "missing  e/a: 2 of 3 objects");
        assert_eq!(line(&json!({ "manifest": "e/a", "objects": 3, "loaded": 0 }), false), "known    e/a");
        let failed =
            json!({ "manifest": "e/a", "objects": 0, "code": "Redshift.X", "error": "cannot copy: Redshift.X" });
        assert_eq!(line(&failed, false), "failed   e/a: cannot copy: Redshift.X");
    }

    #[test]
    fn a_run_ends_in_a_failure_unless_all_is_loaded() {
        let answer = |state: &str, failed: u64| json!({ "state": state, "loaded": 1, "known": 4, "failed": failed, "first": 0, "manifests": [], "error": "no table" });
        let (text, ended) = said(Format::Human, &answer("done", 0), true);
        assert_eq!((text.as_str(), ended.is_ok()), ("1 to load, 4 loaded before, 0 failed\n", true));
        assert!(said(Format::Human, &answer("done", 2), false).1.unwrap_err().to_string().contains("2 manifests"));
        assert!(said(Format::Human, &answer("failed", 0), false).1.unwrap_err().to_string().contains("no table"));
        let (text, _) = said(Format::Json, &answer("done", 0), false);
        let read: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&read["manifests"][0]["loaded"], read.get("first")), (&json!(1), None));
    }
}
