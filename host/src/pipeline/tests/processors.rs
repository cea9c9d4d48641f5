//! Our own processors in a stream: partitions, the source beside them, and all of it again from the journal.

use std::io::Write;

use flate2::write::GzEncoder;

use super::*;
use crate::batch::name;
use crate::definition::{KeySource, PartitionKey, Partitioning, SourceBackup};

/// Documents in a record: each for a partition of its own.
const PARTS: [&str; 2] = ["a", "b"];

/// Compressed records of two documents each, more than a decompressing stream reads at once, and one that is no gzip.
fn inputs() -> Vec<Vec<u8>> {
    let random = Random::seeded(5);
    let record = |number: u32| {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        for part in PARTS {
            let filler: String = (0..400).map(|_| format!("{:08x}", random.next_u64())).collect();
            write!(encoder, r#"{{"n":{number},"k":"{part}","filler":"{filler}"}}"#).unwrap();
        }
        encoder.finish().unwrap()
    };
    let mut records: Vec<_> = (0..40).map(record).collect();
    records.insert(17, b"plain".to_vec());
    records
}

fn processed() -> Definition {
    let plain = definition(1 << 20, 900);
    let key = PartitionKey { source: KeySource::Query, name: "k".into(), uses: 1 };
    let s3 = S3Destination { prefix: "data/!{partitionKeyFromQuery:k}/".into(), ..plain.s3.clone() };
    let backup = S3Destination { prefix: "source/".into(), ..plain.s3.clone() };
    Definition {
        processors: vec![
            Processor::Decompress,
            Processor::DeAggregate { delimiter: None },
            Processor::ExtractMetadata { query: "{k: .k}".into() },
            Processor::AppendDelimiter { delimiter: "\n".into() },
        ],
        partitioning: Some(Partitioning { keys: vec![key], room_bytes: 400, event_time: None }),
        source_backup: Some(SourceBackup { s3: backup, delimiter: String::new() }),
        s3,
        ..plain
    }
}

/// Everything comes once: from memory, and made again from the journal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_processors_make_is_made_again_the_same() {
    // Four objects, and more failures than attempts that keep a body in memory, where there is no spool.
    for failures in [0, 8] {
        let (folder, memory, disk) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)), SimDisk::new(9));
        let (journal, _) = open(Arc::new(disk.clone()), &Telemetry::new());
        let stream = journal.create_stream(processed()).await.unwrap();
        let inputs = inputs();
        let ends = inputs.iter().scan(0, |end, record| {
            *end += u32::try_from(record.len()).unwrap();
            Some(*end)
        });
        let records = Records::new(inputs.concat().into(), ends.collect(), Vec::new()).unwrap();
        assert!(records.payload().len() > 100 << 10, "the stream reads more than once");
        journal.append(stream, records, 1).await.unwrap();
        journal.close().await;
        memory.fail_next(failures, Verdict::Retry(None));
        let pipeline = start_on(Arc::new(disk.restart()), folder.path(), &memory, 1 << 20);
        assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
        let below = |prefix: &str| {
            let bodies = memory.bodies();
            let mut found: Vec<_> = bodies.into_iter().filter(|(key, _)| key.starts_with(prefix)).collect();
            assert_eq!(found.len(), 1, "{prefix}");
            found.pop().unwrap().1
        };
        for part in PARTS {
            let body = below(&format!("data/{part}/"));
            let documents = serde_json::Deserializer::from_slice(&body).into_iter::<serde_json::Value>();
            let found: Vec<_> =
                documents.map(|one| one.unwrap()).map(|one| (one["n"].as_u64(), one["k"].clone())).collect();
            let expected: Vec<_> = (0..40).map(|number| (Some(number), part.into())).collect();
            assert_eq!(found, expected);
        }
        assert_eq!(below("source/"), inputs.concat());
        let error: serde_json::Value = serde_json::from_slice(&below("errors/")).unwrap();
        assert_eq!(
            (&error["errorCode"], &error["rawData"]),
            (&"Decompression.InvalidFormat".into(), &"cGxhaW4=".into())
        );
    }
}

/// Data that came late lie in the objects of their own day, from memory and made again from the journal; what has no time
/// of its own is in the error output.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_records_lie_where_they_belong() {
    let plain = definition(1 << 20, 900);
    let prefix = "data/!{timestamp:'day='yyyy-MM-dd}/".into();
    let errors = "errors/!{firehose:error-output-type}/".into();
    let s3 = S3Destination { prefix, error_output_prefix: errors, ..plain.s3.clone() };
    let key = PartitionKey { source: KeySource::Query, name: "at".into(), uses: 0 };
    let partitioning = name::partitioning(&s3, Some(&key)).unwrap();
    let processors = vec![Processor::ExtractMetadata { query: "{at: .at}".into() }];
    let hourly = Definition { partitioning: Some(partitioning), processors, s3, ..plain };
    let records = [
        r#"{"at":"2018-08-27T10:30:00Z"}"#,
        r#"{"at":"2018-08-26T23:59:59.9Z"}"#,
        r#"{"at":"soon"}"#,
        r#"{"at":1535365800}"#,
        r#"{"at":null}"#,
        r#"{"at":1535365800123.5}"#,
    ];
    // Three objects, and more failures than attempts that keep a body in memory, where there is no spool.
    for failures in [0, 6] {
        let (folder, memory, disk) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)), SimDisk::new(9));
        let (journal, _) = open(Arc::new(disk.clone()), &Telemetry::new());
        let stream = journal.create_stream(hourly.clone()).await.unwrap();
        let ends = records.iter().scan(0, |end, record| {
            *end += u32::try_from(record.len()).unwrap();
            Some(*end)
        });
        let put = Records::new(records.concat().into_bytes().into(), ends.collect(), Vec::new()).unwrap();
        journal.append(stream, put, 1).await.unwrap();
        journal.close().await;
        memory.fail_next(failures, Verdict::Retry(None));
        let pipeline = start_on(Arc::new(disk.restart()), folder.path(), &memory, 1 << 20);
        assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
        let bodies = memory.bodies();
        let below = |prefix: &str| {
            let found: Vec<_> = bodies.iter().filter(|(key, _)| key.starts_with(prefix)).collect();
            assert_eq!(found.len(), 1, "{prefix}");
            String::from_utf8(found[0].1.to_vec()).unwrap()
        };
        assert_eq!(bodies.len(), 3);
        assert_eq!(below("data/day=2018-08-27/"), [records[0], records[3], records[5]].concat());
        assert_eq!(below("data/day=2018-08-26/"), records[1]);
        let errors = below("errors/processing-failed/");
        let codes = errors.matches(r#""errorCode":"DynamicPartitioning.MetadataExtractionFailed""#).count();
        assert_eq!((errors.lines().count(), codes), (2, 2), "{errors}");
    }
}
