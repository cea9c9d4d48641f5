//! How many megabytes of PutRecordBatch bodies does one core check, parse and decode per second?
//!
//! 500 records of 256 bytes, the workload of the design's figures; the backend takes records and forgets them. Prints a
//! table; asserts nothing about time.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails loudly and prints its table")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use async_trait::async_trait;
use aws_sdk_firehose::config::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use base64_simd::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hydrant::api::{
    Api, Authentication, Backend, ControlError, Credential, Limits, NameRules, Refusal, Settings, Stream, StreamHandle,
    StreamStatus,
};
use hydrant::definition::{Definition, testing};
use hydrant::record::{Records, Sequence, StreamId};
use hydrant::runtime::{ManualClock, Random};
use hydrant::telemetry::StreamMetrics;
use hyper::Request;

const NOW_SECONDS: u64 = 1_795_237_200;
const RECORDS: usize = 500;
const RECORD_BYTES: usize = 256;

/// Takes everything and keeps nothing.
#[derive(Debug)]
struct Void(StreamHandle);

#[async_trait]
impl Backend for Void {
    fn find(&self, _account: &str, _name: &str) -> Option<StreamHandle> {
        Some(Arc::clone(&self.0))
    }
    fn list(&self, _account: &str) -> Vec<String> {
        Vec::new()
    }
    async fn append(&self, _stream: &StreamHandle, records: Records) -> Result<Sequence, Refusal> {
        black_box(records);
        Ok(0)
    }
    async fn create(&self, _definition: Definition) -> Result<(), ControlError> {
        Ok(())
    }
    async fn update(&self, _definition: Definition) -> Result<(), ControlError> {
        Ok(())
    }
    async fn delete(&self, _account: &str, _name: &str) -> Result<(), ControlError> {
        Ok(())
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let body = body();
    println!("PutRecordBatch, {RECORDS} × {RECORD_BYTES} B, body {} kB, one core", body.len() / 1000);
    let open = Authentication::None { account_id: "000000000000".to_owned() };
    let signed = Authentication::Sigv4(vec![Credential {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret: "secret".into(),
        account_id: "000000000000".to_owned(),
    }]);
    for (what, authentication) in [("parse + decode + answer", open), ("SigV4 + parse + decode + answer", signed)] {
        let api = api(authentication);
        let rate = runtime.block_on(measure(&api, &body));
        println!(
            "{what:34} {:>6.0} MB/s of body, {:>9.0} records/s",
            rate,
            rate * 1e6 / body.len() as f64 * RECORDS as f64
        );
        if what.starts_with("SigV4") {
            let nanoseconds = body.len() as f64 / rate * 1e3 / RECORDS as f64;
            println!(r#"{{"stage":"decode","nanoseconds_per_record":{nanoseconds:.1}}}"#);
        }
    }
}

/// Best of several rounds, in megabytes per second.
async fn measure(api: &Arc<Api>, body: &Bytes) -> f64 {
    let headers = headers(body);
    let mut best: f64 = 0.0;
    for _ in 0..10 {
        let (started, mut calls) = (Instant::now(), 0_u32);
        while started.elapsed() < Duration::from_millis(200) {
            let mut request = Request::post("/");
            for (name, value) in &headers {
                request = request.header(name, value);
            }
            let answer = Arc::clone(api).answer(request.body(Full::new(body.clone())).unwrap()).await;
            assert_eq!(answer.status(), 200);
            black_box(answer);
            calls += 1;
        }
        best = best.max(f64::from(calls) * body.len() as f64 / 1e6 / started.elapsed().as_secs_f64());
    }
    best
}

fn body() -> Bytes {
    let mut rng = fastrand::Rng::with_seed(1);
    let records: Vec<String> = (0..RECORDS)
        .map(|at| {
            let head = format!(r#"{{"level":"info","request":{at},"text":""#);
            let fill = RECORD_BYTES - head.len() - 3;
            let text: String = (0..fill).map(|_| rng.alphanumeric()).collect();
            format!(r#"{{"Data":"{}"}}"#, STANDARD.encode_to_string(format!("{head}{text}\"}}\n")))
        })
        .collect();
    format!(r#"{{"DeliveryStreamName":"orders","Records":[{}]}}"#, records.join(",")).into()
}

fn headers(body: &[u8]) -> Vec<(String, String)> {
    let mut headers = vec![
        ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
        ("x-amz-target".to_owned(), "Firehose_20150804.PutRecordBatch".to_owned()),
    ];
    let identity: Identity = Credentials::new("AKIDEXAMPLE", "secret", None, None, "bench").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("firehose")
        .time(UNIX_EPOCH + Duration::from_secs(NOW_SECONDS))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let borrowed = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let request = SignableRequest::new("POST", "http://localhost/", borrowed, SignableBody::Bytes(body)).unwrap();
    let (instructions, _) = sign(request, &params).unwrap().into_parts();
    headers.extend(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())));
    headers.push(("host".to_owned(), "localhost".to_owned()));
    headers
}

fn api(authentication: Authentication) -> Arc<Api> {
    let definition = testing::definition("orders");
    let stream = Arc::new(Stream {
        id: StreamId(1),
        definition: Arc::new(definition),
        metrics: StreamMetrics::default(),
        status: StreamStatus::Active,
        breaker_open: Arc::default(),
        held: tokio::sync::watch::channel(None).1,
    });
    let settings = Settings {
        authentication,
        region: "us-east-1".to_owned(),
        stream_quota: 1,
        names: NameRules {
            prefix: |_, _, _| Ok(()),
            destination: |_, _| Ok(()),
            partitioning: |_, _| Err(String::new()),
            time_zone: |_| true,
        },
        check_query: |_| Ok(Vec::new()),
        plaintext: false,
        limits: Limits::default(),
    };
    let clock = Arc::new(ManualClock::at(NOW_SECONDS * 1000));
    Api::new(settings, Arc::new(Void(stream)), clock, Arc::new(Random::seeded(1)))
}
