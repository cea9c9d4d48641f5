//! Line 8: delivery to S3. Retries, unknown outcomes (X2) and other people's servers are tested beside the peers.

use hydrant_tests::checker::read_bucket;
use hydrant_tests::host::{Host, Setup};
use serde_json::json;

/// Line 8: an object larger than one part is uploaded in parts and arrives whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_object_arrives_whole() {
    let mut host = Host::prepare(Setup::default());
    let text = std::fs::read_to_string(host.config()).expect("the configuration");
    let parts = text.replace("path_style = true", "path_style = true\npart_bytes = 5_242_880");
    std::fs::write(host.config(), parts).expect("the configuration");
    host.launch().await;
    let client = host.client();
    client.create_stream("large", json!({"BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 900}})).await;
    let mut expected = Vec::new();
    for at in 0..17_u8 {
        let record = [vec![b'a' + at; 999_999], b"\n".to_vec()].concat();
        client.put("large", &[&record]).await;
        expected.extend(record);
    }
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let bodies: Vec<Vec<u8>> = read_bucket(&host.bucket()).map(|object| object.body).collect();
    assert_eq!(bodies.len(), 1);
    assert!(bodies[0] == expected, "{} bytes of {} arrived, or others", bodies[0].len(), expected.len());
}
