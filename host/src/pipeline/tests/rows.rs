//! Destinations that take records one by one: what they refuse, put off, or never answer.

use super::*;
use crate::definition::{Buffering, IndexRotation, OpenSearch, SearchFlavour, Target};

pub(super) fn searched(retry_seconds: u32, backs_up_all: bool) -> Definition {
    let target = Target::OpenSearch(OpenSearch {
        flavour: SearchFlavour::OpenSearch,
        endpoint: "https://search.example".to_owned(),
        index: "orders".to_owned(),
        type_name: String::new(),
        rotation: IndexRotation::NoRotation,
        has_document_ids: true,
        buffering: Buffering { bytes: 4_000, seconds: 900 },
        retry_seconds,
        backs_up_all,
    });
    Definition { target, ..definition(1 << 20, 900) }
}

/// A pipeline with one stream of this definition.
pub(super) async fn begin(
    folder: &Path,
    memory: &Arc<Memory>,
    bulk: &Bulk,
    definition: Option<Definition>,
) -> Pipeline {
    let telemetry = Telemetry::new();
    let plugins = plugins_in(folder, &telemetry);
    let storage = Arc::new(Disk::new(folder.join("journal")));
    let pipeline = start_beside(bulk, without_room(), storage, plugins, telemetry, memory, 1 << 20);
    if let Some(definition) = definition {
        pipeline.backend().create(definition).await.unwrap();
    }
    pipeline
}

/// Sequence numbers of rows that are where they belong, and of those in the error output, whose lines must be whole.
pub(super) fn found(memory: &Memory, bulk: &Bulk) -> (Vec<u64>, Vec<u64>) {
    let mut failed = Vec::new();
    for (key, body) in memory.bodies() {
        assert!(key.starts_with("errors/AmazonOpenSearchService-failed/"), "{key}");
        for line in std::str::from_utf8(&body).unwrap().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let sequence = line["sequence"].as_u64().unwrap();
            let raw = base64_simd::STANDARD.decode_to_vec(line["rawData"].as_str().unwrap()).unwrap();
            assert_eq!(raw, format!("{sequence:07}\n").into_bytes());
            assert_eq!(line["esDocumentId"], format!("{sequence}.0"));
            failed.push(sequence);
        }
    }
    failed.sort_unstable();
    (bulk.rows().keys().map(|(sequence, _)| *sequence).collect(), failed)
}

/// Row X5: what is refused goes to the error output, what is put off is sent again alone, the rest once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_row_has_its_own_end() {
    let (folder, memory, bulk) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)), Bulk::default());
    bulk.refuse(3);
    bulk.refuse(700);
    bulk.postpone(5, 1);
    bulk.postpone(6, 2);
    let pipeline = begin(folder.path(), &memory, &bulk, Some(searched(300, false))).await;
    put(&pipeline, lines(0..1_000)).await;
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    let (rows, failed) = found(&memory, &bulk);
    assert_eq!(failed, [3, 700]);
    assert_eq!(rows, (0..1_000).filter(|at| ![3, 700].contains(at)).collect::<Vec<u64>>());
    let mut deliveries = bulk.deliveries();
    deliveries.sort_unstable();
    assert_eq!(deliveries, [1, 2, 500, 500]);
}

/// Row X1: a destination that stays away longer than its batch is tried loses nothing: the error output has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_out_of_time_goes_to_the_error_output() {
    let (folder, memory, bulk) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)), Bulk::default());
    bulk.fail_next(1);
    // The error output's bucket is away, too, for longer than a batch is held in memory.
    memory.fail_next(4, Verdict::Retry(None));
    let pipeline = begin(folder.path(), &memory, &bulk, Some(searched(0, false))).await;
    put(&pipeline, lines(0..500)).await;
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    let (rows, failed) = found(&memory, &bulk);
    assert_eq!((rows.len(), failed), (0, (0..500).collect::<Vec<u64>>()));
}

/// Rows X1 and X14: rows whose memory was given back, or whose host was stopped, are made again under the same names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_made_again() {
    let (folder, memory, bulk) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)), Bulk::default());
    bulk.fail_next(usize::MAX);
    let pipeline = begin(folder.path(), &memory, &bulk, Some(searched(7_200, false))).await;
    put(&pipeline, lines(0..1_000)).await;
    assert_eq!(pipeline.stop(Duration::from_millis(300)).await, Stopped::Undelivered);
    // More failures than attempts that keep the rows in memory.
    bulk.fail_next(8);
    bulk.refuse(42);
    let pipeline = begin(folder.path(), &memory, &bulk, None).await;
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    let (rows, failed) = found(&memory, &bulk);
    assert_eq!((rows.len(), failed), (999, vec![42]));
    assert!(bulk.rows().iter().all(|((sequence, _), row)| *row == format!("{sequence:07}\n").into_bytes()));
}

/// `AllDocuments`: everything is in the bucket as well, as it would be of a stream to S3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_may_be_backed_up() {
    let (folder, memory, bulk) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)), Bulk::default());
    bulk.fail_next(1);
    let pipeline = begin(folder.path(), &memory, &bulk, Some(searched(300, true))).await;
    put(&pipeline, lines(0..1_000)).await;
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_once_each(&memory, 1_000);
    assert_eq!(bulk.rows().len(), 1_000);
}

/// Lets nobody deliver anywhere.
#[derive(Debug)]
struct Closed;

impl Connector for Closed {
    fn check(&self, definition: &Definition) -> Result<(), String> {
        Err(format!("{} may not log in there.", definition.account_id))
    }

    fn connect(
        &self,
        _: crate::record::StreamId,
        _: &Definition,
    ) -> Result<Option<crate::deliver::Outlet>, crate::deliver::DeliveryError> {
        Ok(None)
    }
}

/// Row X11: whoever may not use a login hears it when the stream is created, and there is no stream then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_may_not_deliver_there_is_not_created() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    let telemetry = Telemetry::new();
    let plugins = plugins_in(folder.path(), &telemetry);
    let storage = Arc::new(Disk::new(folder.path().join("journal")));
    let parts = parts(Arc::new(Closed), without_room(), storage, plugins, telemetry, &memory, 1 << 20);
    let pipeline = Pipeline::start(parts);
    let refused = pipeline.backend().create(searched(300, false)).await.unwrap_err();
    assert!(matches!(&refused, crate::api::ControlError::Refused(text) if text.contains(ACCOUNT)), "{refused:?}");
    assert!(pipeline.backend().find(ACCOUNT, "s").is_none());
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
}
