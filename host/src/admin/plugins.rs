//! What the admin port changes: which version of a plugin rules.
//!
//! `GET /plugins` lists; `PUT /plugins/NAME` with a component publishes; `POST /plugins/NAME/rollback` goes back, with
//! `?to=DIGEST` to a certain release. `PUT /plugins/NAME?shadow=10` tries a component beside the ruling one,
//! `?canary=10` in turn with it. Refuses changes from another machine, and from a web page: the port has no
//! authentication, so whoever may change something must already be here.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};

/// Plugins, as far as an operator changes them; the app knows how.
#[async_trait]
pub trait Plugins: Send + Sync + fmt::Debug {
    /// Every plugin with its releases and the streams that name it.
    fn list(&self) -> Value;

    /// Longest component that is taken.
    fn component_bytes(&self) -> u64;

    /// Makes a component the current version of a plugin, or tries it as these wishes, names and values, say.
    ///
    /// # Errors
    /// Why the version before stays in force.
    async fn publish(&self, name: &str, component: Bytes, wishes: &[(&str, &str)]) -> Result<Value, Refusal>;

    /// Ends a plugin's candidate; where there is none, makes an earlier component the current one again.
    ///
    /// # Errors
    /// Why the current one stays in force.
    async fn roll_back(&self, name: &str, to: Option<&str>) -> Result<Value, Refusal>;
}

/// Why something was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub error: String,
    /// What to do about it.
    pub hint: String,
}

/// Set once the plugins are there; until then the port answers that the host starts.
pub type Door = Arc<OnceLock<Arc<dyn Plugins>>>;

/// What only this machine may do, and how it does it.
const CHANGED: &str = "plugins are changed";
const PUBLISH: &str = "run `hydrant plugin` where the host runs, or put the file into its plugin folder";

/// An answer: status and JSON.
pub(super) type Answer = (StatusCode, Value);

/// Answers a request below `/plugins`.
pub(super) async fn answer(request: Request<Incoming>, peer: SocketAddr, door: &Door) -> Answer {
    let Some(plugins) = door.get() else {
        return told(StatusCode::SERVICE_UNAVAILABLE, "the host is starting", "ask again when /readyz answers 200");
    };
    let path = request.uri().path().to_owned();
    let rest = path.strip_prefix("/plugins").unwrap_or_default().trim_matches('/');
    let steps: Vec<&str> = rest.split('/').filter(|step| !step.is_empty()).collect();
    match (request.method(), steps.as_slice()) {
        (&Method::GET | &Method::HEAD, []) => (StatusCode::OK, plugins.list()),
        (&Method::PUT, [name]) => match admitted(&request, peer, Some("application/wasm"), CHANGED, PUBLISH) {
            Ok(()) => publish(plugins.as_ref(), name, request).await,
            Err(answer) => answer,
        },
        (&Method::POST, [name, "rollback"]) => match admitted(&request, peer, None, CHANGED, PUBLISH) {
            Ok(()) => {
                let to = request.uri().query().and_then(|query| query.strip_prefix("to=")).filter(|to| !to.is_empty());
                settled(plugins.roll_back(name, to).await)
            }
            Err(answer) => answer,
        },
        _ => told(
            StatusCode::METHOD_NOT_ALLOWED,
            "nothing of plugins is there",
            "GET /plugins, PUT /plugins/NAME or POST /plugins/NAME/rollback",
        ),
    }
}

async fn publish(plugins: &dyn Plugins, name: &str, request: Request<Incoming>) -> Answer {
    let limit = usize::try_from(plugins.component_bytes()).unwrap_or(usize::MAX);
    let query = request.uri().query().unwrap_or_default().to_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let wishes: Vec<(&str, &str)> = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
    match Limited::new(request.into_body(), limit).collect().await {
        Ok(component) => settled(plugins.publish(name, component.to_bytes(), &wishes).await),
        Err(_) => told(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("the component is cut off or has more than {limit} bytes"),
            "build with optimisation and without debug information",
        ),
    }
}

/// Only who is on this machine, and no web page that a browser here shows: pages cannot ask with these types or under
/// the name of an address.
pub(super) fn admitted(
    request: &Request<Incoming>,
    peer: SocketAddr,
    content_type: Option<&str>,
    what: &str,
    hint: &str,
) -> Result<(), Answer> {
    let header = |name| request.headers().get(name).and_then(|value: &hyper::header::HeaderValue| value.to_str().ok());
    let host = header(HOST).unwrap_or_default();
    let is_address = host.parse::<SocketAddr>().is_ok() || host.parse::<IpAddr>().is_ok();
    let is_local = is_address || host.split(':').next() == Some("localhost");
    if !peer.ip().to_canonical().is_loopback() || !is_local || request.headers().contains_key("origin") {
        return Err(told(StatusCode::FORBIDDEN, &format!("{what} from the host's own machine only"), hint));
    }
    match content_type {
        Some(wanted) if header(CONTENT_TYPE) != Some(wanted) => {
            let hint = format!("send it as {wanted}");
            Err(told(StatusCode::UNSUPPORTED_MEDIA_TYPE, "that is of another type", &hint))
        }
        _ => Ok(()),
    }
}

pub(super) fn settled(done: Result<Value, Refusal>) -> Answer {
    match done {
        Ok(value) => (StatusCode::OK, value),
        Err(Refusal { error, hint }) => told(StatusCode::UNPROCESSABLE_ENTITY, &error, &hint),
    }
}

pub(super) fn told(status: StatusCode, error: &str, hint: &str) -> Answer {
    (status, json!({ "error": error, "hint": hint }))
}
