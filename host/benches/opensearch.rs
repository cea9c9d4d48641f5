//! What does a record for OpenSearch cost the host, beside the network: building bulk bodies and reading answers?
//!
//! 20,000 JSON records of 256 bytes in requests of the usual size, each answered as a node answers stored documents; a
//! second round has every tenth document refused. Prints a table; asserts nothing about time.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails loudly and prints its table")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use hydrant::definition::{Buffering, IndexRotation, OpenSearch, SearchFlavour};
use hydrant::deliver::opensearch::figures::build_and_read;
use hydrant::record::{Records, Rows};

const RECORDS: usize = 20_000;
const RECORD_BYTES: usize = 256;
const ROUNDS: usize = 10;

fn main() {
    let rows = rows();
    println!("OpenSearch bulk, {RECORDS} × {RECORD_BYTES} B, one core: bodies built and answers read");
    for (what, refused_every) in [("all stored", usize::MAX), ("every tenth refused", 10)] {
        let answers = answers(&rows, refused_every);
        let best = (0..ROUNDS).map(|_| measure(&rows, &answers)).fold(f64::INFINITY, f64::min);
        println!("{what:24} {best:>6.0} ns/record, {:>9.0} records/s", 1e9 / best);
        if refused_every == usize::MAX {
            println!(r#"{{"stage":"opensearch","nanoseconds_per_record":{best:.1}}}"#);
        }
    }
}

fn measure(rows: &Rows, answers: &[Vec<u8>]) -> f64 {
    let mut answers = answers.iter();
    let started = Instant::now();
    let done = build_and_read(&definition(), rows, |body| {
        black_box(body);
        answers.next().unwrap().clone()
    });
    let taken = started.elapsed();
    black_box(done.unwrap());
    taken.as_secs_f64() * 1e9 / RECORDS as f64
}

/// What a node would say to each request, made beforehand.
fn answers(rows: &Rows, refused_every: usize) -> Vec<Vec<u8>> {
    let mut answers = Vec::new();
    build_and_read(&definition(), rows, |body| {
        answers.push(answer(body, refused_every));
        answers.last().unwrap().clone()
    })
    .unwrap();
    answers
}

fn answer(body: &[u8], refused_every: usize) -> Vec<u8> {
    let ids = std::str::from_utf8(body).unwrap().lines().step_by(2);
    let mut text = r#"{"took":30,"errors":false,"items":["#.to_owned();
    for (at, action) in ids.enumerate() {
        let id = action.split("\"_id\":\"").nth(1).unwrap().split('"').next().unwrap();
        let comma = if at == 0 { "" } else { "," };
        let head = format!(r#"{comma}{{"index":{{"_index":"logs-2016-02-25","_id":"{id}","#);
        if at % refused_every == refused_every - 1 {
            write!(text, r#"{head}"status":400,"error":{{"type":"mapper_parsing_exception","reason":"failed to parse field [level] of type [long] in document with id '{id}'. Preview of field's value: 'info'","caused_by":{{"type":"illegal_argument_exception","reason":"For input string: \"info\""}}}}}}}}"#).unwrap();
        } else {
            write!(text, r#"{head}"_version":1,"result":"created","_shards":{{"total":2,"successful":1,"failed":0}},"_seq_no":{at},"_primary_term":1,"status":201}}}}"#).unwrap();
        }
    }
    text.push_str("]}");
    text.into_bytes()
}

fn definition() -> OpenSearch {
    OpenSearch {
        flavour: SearchFlavour::OpenSearch,
        endpoint: "https://search.example.com".to_owned(),
        index: "logs".to_owned(),
        type_name: String::new(),
        rotation: IndexRotation::OneDay,
        has_document_ids: true,
        buffering: Buffering { bytes: 5 << 20, seconds: 300 },
        retry_seconds: 300,
        backs_up_all: false,
    }
}

fn rows() -> Rows {
    let mut rng = fastrand::Rng::with_seed(1);
    let (mut payload, mut ends) = (Vec::new(), Vec::new());
    for at in 0..RECORDS {
        let head = format!(r#"{{"level":"info","request":{at},"text":""#);
        let text: String = (0..RECORD_BYTES - head.len() - 3).map(|_| rng.alphanumeric()).collect();
        payload.extend_from_slice(format!("{head}{text}\"}}\n").as_bytes());
        ends.push(u32::try_from(payload.len()).unwrap());
    }
    Rows {
        records: Records::new(payload.into(), ends, Vec::new()).unwrap(),
        sequences: (0..RECORDS as u64).collect(),
        ordinals: vec![0; RECORDS],
        arrived_ms: (0..RECORDS as u64).map(|at| 1_456_405_200_000 + at).collect(),
    }
}
