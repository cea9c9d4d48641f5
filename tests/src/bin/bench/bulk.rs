//! The least that a host takes for a search node: it stores nothing and says of every document that it was created.
//!
//! In the bench's own process, so that only what the host does is counted. Refuses nothing: a request that it cannot
//! read gets an answer that does not fit.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Listens until the process ends.
pub(crate) async fn listen() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A connection that breaks is the host's matter: it tries again, and that shows in its processor time.
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
    address
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let response = Response::builder().header("content-type", "application/json");
    Ok(response.body(Full::new(stored(&body).into())).expect("a response of fixed parts"))
}

/// One item for each action line, with its id.
fn stored(body: &[u8]) -> String {
    let mut text = r#"{"took":30,"errors":false,"items":["#.to_owned();
    for (at, action) in body.split(|&byte| byte == b'\n').step_by(2).filter(|line| !line.is_empty()).enumerate() {
        let action = String::from_utf8_lossy(action);
        let id = action.split("\"_id\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        let comma = if at == 0 { "" } else { "," };
        write!(text, r#"{comma}{{"index":{{"_index":"logs","_id":"{id}","_version":1,"result":"created","_shards":{{"total":2,"successful":1,"failed":0}},"_seq_no":{at},"_primary_term":1,"status":201}}}}"#)
            .expect("a String takes everything");
    }
    text.push_str("]}");
    text
}
