//! Row X9 through the whole program: a name that a stream's owner controls begins to stand for an address inside.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::Duration;

use hydrant_tests::environment::say;
use hydrant_tests::host::{Host, Setup};
use hydrant_tests::metrics::sum;
use hydrant_tests::own_hosts::OwnHosts;
use hydrant_tests::peers::{Authority, EndpointFault, HttpEndpointReceiver};
use hydrant_tests::wait::until;
use serde_json::json;

use crate::destinations::{add_egress, bucket};

const STREAM: &str = "hook";
const LIMIT: Duration = Duration::from_secs(60);

/// What is inside listens on the receiver's port at another address, and is never connected to, while the name stands for
/// it; nothing is lost, and everything is delivered once the name stands for the receiver again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_rebinds_to_the_inside_is_refused() {
    if let Some(reason) = OwnHosts::probe() {
        say(&format!("A NAME THAT REBINDS NOT TESTED: this machine gives a process no names of its own: {reason}"));
        return;
    }
    let authority = Authority::new();
    let receiver = HttpEndpointReceiver::start(&authority).await;
    let name = receiver.host();
    let inside = TcpListener::bind(("127.0.0.2", receiver.port())).unwrap();
    inside.set_nonblocking(true).unwrap();
    let (outside, rebound) = (format!("127.0.0.1 {name}\n"), format!("127.0.0.2 {name}\n"));
    let hosts = OwnHosts::new(&outside);
    let mut host = Host::prepare(Setup { hosts: Some(hosts.file()), ..Setup::default() });
    let roots = host.folder().join("roots.pem");
    std::fs::write(&roots, authority.pem()).unwrap();
    add_egress(&host, &format!("ca_file = {roots:?}"));
    let config = std::fs::read_to_string(host.config()).unwrap();
    std::fs::write(host.config(), config.replace("127.0.0.0/8", "127.0.0.1/32")).unwrap();
    host.launch().await;

    let client = host.client();
    let destination = json!({
        "EndpointConfiguration": {"Url": receiver.url()}, "RetryOptions": {"DurationInSeconds": 7_200},
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}, "S3Configuration": bucket(),
    });
    let input = json!({"DeliveryStreamName": STREAM, "HttpEndpointDestinationConfiguration": destination});
    client.expect("CreateDeliveryStream", &input).await;
    // Requests have no order, and each here has one record.
    let taken = || receiver.kept().into_values().flatten().collect::<BTreeSet<_>>();
    client.put(STREAM, &[b"first"]).await;
    until("the first record", LIMIT, async || (taken().len() == 1).then_some(())).await.unwrap();

    hosts.say(&rebound);
    // The connection that is open goes on being used until it ends.
    receiver.misbehave(&[EndpointFault::Cut]);
    client.put(STREAM, &[b"second"]).await;
    let retries = async || sum(&host.metrics().await, "hydrant_deliver_retries_total", &[STREAM]);
    until("some refusals", LIMIT, async || (retries().await >= 4.0).then_some(())).await.unwrap();
    assert_eq!(taken().len(), 1);
    assert!(host.log().contains("egress.allow"), "{}", host.log_tail());
    assert_eq!(inside.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "somebody connected");

    hosts.say(&outside);
    let both = BTreeSet::from([b"first".to_vec(), b"second".to_vec()]);
    until("the second record", LIMIT, async || (taken() == both).then_some(())).await.unwrap();
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    assert_eq!(inside.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "somebody connected");
}
