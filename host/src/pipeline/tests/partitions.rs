//! More partitions than may be filled: refused while that can be remembered, cut early when it cannot.

use super::outages::{documents, keyed};
use super::*;
use crate::journal::AppendError;
use crate::record::{Sequences, StreamId};

/// Documents of four partitions, of which three may be filled: how many are delivered and how many refused.
async fn of_four_partitions(prepare: impl AsyncFnOnce(&Journal, StreamId)) -> (usize, usize) {
    let (folder, memory, disk) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)), SimDisk::new(11));
    let (journal, _) = open(Arc::new(disk.clone()), &Telemetry::new());
    let stream = journal.create_stream(keyed("s", BUCKET, 1 << 20)).await.unwrap();
    journal.append(stream, documents(4, 0..100), 1).await.unwrap();
    prepare(&journal, stream).await;
    journal.close().await;
    let telemetry = Telemetry::new();
    let plugins = plugins_in(folder.path(), &telemetry);
    let disk = Arc::new(disk.restart());
    let parts = parts(Arc::new(Bulk::default()), without_room(), disk, plugins, telemetry, &memory, 1 << 20);
    let pipeline = Pipeline::start(Parts { partitions: Partitions { most_active: 3, refuses: true }, ..parts });
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    let lines = |is_refused: bool| {
        let bodies = memory.bodies();
        let such = bodies.iter().filter(|(key, _)| key.contains("activePartitionExceeded") == is_refused);
        such.map(|(_, body)| body.iter().filter(|&&byte| byte == b'\n').count()).sum()
    };
    (lines(false), lines(true))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_too_many_is_refused() {
    assert_eq!(of_four_partitions(async |_, _| ()).await, (75, 25));
}

/// As many are refused already as can be remembered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_remembered_is_not_refused() {
    let fill = async |journal: &Journal, stream: StreamId| {
        // First much at a time, then little.
        for count in [32_768, 16] {
            for at in (1_u64 << 32..).step_by(1 << 16) {
                let records: Sequences = (at + count as u64..).step_by(2).take(count).collect();
                match journal.exceeding(stream, records).await {
                    Ok(()) => {}
                    Err(AppendError::TooManyExceeding(_)) => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    };
    assert_eq!(of_four_partitions(fill).await, (100, 0));
}
