//! `hydrant plugin publish`, `list` and `rollback`: what a running host is told through its admin port. Refuses to know
//! more of HTTP than one question and one answer.

use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::super::arguments::{AdminPort, Configured, ListPlugins, PublishPlugin, RollBackPlugin, Trial};
use super::super::console::table;
use super::super::{Console, Failure, check};
use super::open;

/// Where a host's admin port is unless told otherwise.
const DEFAULT: &str = "127.0.0.1:9573";
/// The host compiles within minutes, or says that it does not.
const PATIENCE: Duration = Duration::from_secs(900);
/// A list of a thousand plugins with ten releases each has some megabytes.
const ANSWER_BYTES: usize = 64 << 20;

/// Makes a file the current version of a plugin.
pub(super) async fn publish(console: &Console, asked: &PublishPlugin) -> Result<(), Failure> {
    let component = open::read(&asked.file)?;
    let name = asked.name.clone().unwrap_or_else(|| open::name(&asked.file));
    let path = format!("/plugins/{name}{}", query(&asked.trial));
    let answer = ask(&asked.admin, Method::PUT, &path, Some(component)).await?;
    settled(console, &answer)
}

/// What the host is asked for, as it wants to be asked.
fn query(trial: &Trial) -> String {
    let Trial { shadow, canary, most_failures, most_latency, after, promote_after } = trial;
    let wishes = [
        ("shadow", shadow),
        ("canary", canary),
        ("most-failures", most_failures),
        ("most-latency", most_latency),
        ("after", after),
        ("promote-after", promote_after),
    ];
    let said = wishes.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", plain(value.as_ref()?))));
    let said: Vec<String> = said.collect();
    if said.is_empty() { String::new() } else { format!("?{}", said.join("&")) }
}

/// A number without its percent sign. What is none stays none where it meets the host.
fn plain(value: &str) -> String {
    let number = value.trim().trim_end_matches('%');
    number.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '_' }).collect()
}

/// Ends a candidate, or makes an earlier component the current one.
pub(super) async fn roll_back(console: &Console, asked: &RollBackPlugin) -> Result<(), Failure> {
    let to = asked.to.as_ref().map(|to| format!("?to={to}")).unwrap_or_default();
    let path = format!("/plugins/{}/rollback{to}", asked.name);
    let answer = ask(&asked.admin, Method::POST, &path, None).await?;
    settled(console, &answer)
}

fn settled(console: &Console, answer: &Value) -> Result<(), Failure> {
    if console.is_json() {
        return console.say_json(answer);
    }
    let text = |name: &str| answer[name].as_str().unwrap_or("-").to_owned();
    let (plugin, digest) = (text("plugin"), short(&text("digest")));
    if let Some(ended) = answer["ended"].as_str() {
        return console.say(&format!("{plugin} stays {digest}; {} is tried no more", short(ended)));
    }
    let candidate = &answer["candidate"];
    console.say(&match candidate["kind"].as_str() {
        Some(kind) if candidate["verdict"] == "watching" => {
            format!(
                "{plugin} is tried with {digest} as a {kind} of {}%; see `hydrant plugin list`",
                candidate["share_percent"]
            )
        }
        _ => format!("{plugin} is {digest} from the next batch"),
    })
}

/// Shows every plugin, its releases, and who uses it.
pub(super) async fn list(console: &Console, asked: &ListPlugins) -> Result<(), Failure> {
    let answer = ask(&asked.admin, Method::GET, "/plugins", None).await?;
    if console.is_json() {
        return console.say_json(&answer);
    }
    let members = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let head = ["PLUGIN", "DIGEST", "SINCE", "BY", "STREAMS"].map(str::to_owned);
    let (mut rows, mut trials) = (vec![head], Vec::new());
    for plugin in members(&answer["plugins"]) {
        let streams = members(&plugin["streams"]);
        let streams: Vec<&str> = streams.iter().filter_map(Value::as_str).collect();
        trials.extend(tried(&plugin));
        if plugin["deterministic"] == false {
            let name = plugin["plugin"].as_str().unwrap_or("-");
            console.note(&format!("{name} answers differently to the same records: a replay may not repeat it"));
        }
        for (at, release) in members(&plugin["releases"]).iter().rev().enumerate() {
            let since = release["since_ms"].as_i64().and_then(|since| jiff::Timestamp::from_millisecond(since).ok());
            rows.push([
                if at == 0 { plugin["plugin"].as_str().unwrap_or("-").to_owned() } else { String::new() },
                short(release["digest"].as_str().unwrap_or("-")),
                since.map_or_else(|| "-".to_owned(), |since| since.strftime("%Y-%m-%d %H:%M:%S").to_string()),
                release["by"].as_str().unwrap_or("-").to_owned(),
                if at == 0 { streams.join(", ") } else { String::new() },
            ]);
        }
    }
    for problem in members(&answer["problems"]) {
        let text = |name: &str| problem[name].as_str().unwrap_or("-").to_owned();
        console.note(&format!("{}: {}; {}", text("file"), text("error"), text("hint")));
    }
    for (name, streams) in answer["missing"].as_object().into_iter().flatten() {
        let streams = members(streams);
        let streams: Vec<&str> = streams.iter().filter_map(Value::as_str).collect();
        console.note(&format!("{name} is missing: {} wait for it", streams.join(", ")));
    }
    if rows.len() == 1 {
        console.note("no plugins; `hydrant plugin publish FILE` brings one");
        return Ok(());
    }
    console.say(&table(&rows))?;
    trials.iter().try_for_each(|line| console.say(line))
}

/// A candidate in a line, if there is one.
fn tried(plugin: &Value) -> Option<String> {
    let candidate = &plugin["candidate"];
    let text = |name: &str| candidate[name].as_str().unwrap_or("-");
    let kind = candidate["kind"].as_str()?;
    let counted = |who: &str| {
        let tally = &candidate[who];
        let (seconds, records) = (tally["seconds"].as_f64().unwrap_or(0.0), tally["records"].as_f64().unwrap_or(0.0));
        format!(
            "{} records, {} failed, {} dropped, {:.1} µs each",
            tally["records"],
            tally["failed_records"],
            tally["dropped_records"],
            1e6 * seconds / records.max(1.0)
        )
    };
    let differing =
        candidate["differing_records"].as_u64().map(|count| format!("; {count} differ")).unwrap_or_default();
    let reason = candidate["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
    Some(format!(
        "{} {kind} {} of {}%: {}{reason}; {}; ruling: {}{differing}",
        plugin["plugin"].as_str().unwrap_or("-"),
        short(text("digest")),
        candidate["share_percent"],
        text("verdict"),
        counted("candidate"),
        counted("ruling")
    ))
}

fn short(digest: &str) -> String {
    digest.get(..12).unwrap_or(digest).to_owned()
}

/// Asks the host and takes its JSON; an error that it answers is the failure.
pub(in crate::cli) async fn ask(
    port: &AdminPort,
    method: Method,
    path: &str,
    body: Option<Vec<u8>>,
) -> Result<Value, Failure> {
    let address = address(port)?;
    let unanswered = |error: anyhow::Error| {
        Failure::new(error.context(format!("no answer from the admin port {address}")))
            .hint("is the host running? name its port with --admin HOST:PORT or its file with --config")
    };
    let asked = async {
        let stream = TcpStream::connect(&address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header(HOST, address.as_str());
        let request =
            request.header(CONTENT_TYPE, "application/wasm").body(Full::<Bytes>::from(body.unwrap_or_default()))?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body: Bytes = Limited::new(answer.into_body(), ANSWER_BYTES)
            .collect()
            .await
            .map_err(|error| anyhow::anyhow!("{error}"))?
            .to_bytes();
        connection.abort();
        Ok::<_, anyhow::Error>((status, body))
    };
    let asked = tokio::time::timeout(PATIENCE, asked).await;
    let (status, body) = asked.map_err(|late| unanswered(late.into()))?.map_err(unanswered)?;
    let answer: Value = serde_json::from_slice(&body).map_err(|error| unanswered(error.into()))?;
    if status.is_success() {
        return Ok(answer);
    }
    let text = |name: &str| answer[name].as_str().map(str::to_owned);
    let failure = Failure::told(text("error").unwrap_or_else(|| status.to_string()));
    Err(match text("hint") {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}

fn address(port: &AdminPort) -> Result<String, Failure> {
    match (&port.admin, &port.config) {
        (Some(address), _) => Ok(address.trim_start_matches("http://").trim_end_matches('/').to_owned()),
        (None, Some(file)) => configured(file),
        (None, None) => Ok(DEFAULT.to_owned()),
    }
}

fn configured(file: &Path) -> Result<String, Failure> {
    let listen = check::load(&Configured { config: Some(file.to_owned()) })?.settings.admin.listen;
    // A host that listens everywhere listens here, too.
    Ok(if listen.ip().is_unspecified() { format!("127.0.0.1:{}", listen.port()) } else { listen.to_string() })
}
