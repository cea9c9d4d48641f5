//! Failures that are put into their stream again: once each, never into a backup, and past the plugin where they are what
//! it made.

use super::*;
use crate::dead_letter::Filter;
use crate::definition::SourceBackup;
use crate::deliver::Look;
use crate::pipeline::{DeadLetterError, DeadLetters, Tally, Wish};

use super::rows::{begin, searched};

fn letters_of(pipeline: &Pipeline, memory: &Arc<Memory>) -> DeadLetters {
    pipeline.dead_letters(Arc::clone(memory) as Arc<dyn Look>)
}

/// Asks until there is no more to do.
async fn replay(letters: &DeadLetters, mut wish: Wish) -> Tally {
    let mut all = Tally::default();
    loop {
        let tally = letters.replay("s", &wish).await.unwrap();
        assert_eq!(tally.paused, None);
        all.add(tally);
        match all.next.take() {
            Some(next) => wish.cursor = next,
            None => return all,
        }
    }
}

/// A line of an error output for a record.
fn line(number: u32) -> String {
    let data = base64_simd::STANDARD.encode_to_string(format!("{number:07}\n"));
    format!("{{\"rawData\":\"{data}\",\"errorCode\":\"Lambda.FunctionError\",\"errorMessage\":\"m\"}}\n")
}

fn lines_of(range: std::ops::Range<u32>) -> String {
    range.map(line).collect()
}

/// What lies below a prefix, by number and how often.
fn below(memory: &Memory, prefix: &str) -> BTreeMap<u32, u32> {
    delivered(&memory.bodies().into_iter().filter(|(key, _)| key.starts_with(prefix)).collect())
}

fn once(range: std::ops::Range<u32>) -> BTreeMap<u32, u32> {
    range.map(|number| (number, 1)).collect()
}

/// What processing refused goes to the destination, and not to the source backup, whatever is put around it, also when the
/// batch is made again from the journal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_not_backed_up() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    memory.insert("errors/processing-failed/2026/a", lines_of(100..1_700));
    memory.insert("errors/decompression-failed/2026/b", lines_of(1_700..1_703));
    let backup = S3Destination { prefix: "source/".into(), ..definition(1 << 20, 900).s3 };
    let backup = SourceBackup { s3: backup, delimiter: String::new() };
    let pipeline = start(folder.path(), &memory, 1 << 20);
    pipeline.backend().create(Definition { source_backup: Some(backup), ..definition(1 << 20, 900) }).await.unwrap();
    put(&pipeline, lines(0..50)).await;
    let all = replay(&letters_of(&pipeline, &memory), Wish::default()).await;
    assert_eq!((all.replayed, all.already, all.objects), (1_603, 0, 2));
    put(&pipeline, lines(50..100)).await;
    // Longer than a batch is held in memory.
    memory.fail_next(8, Verdict::Retry(None));
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_eq!(below(&memory, "data/"), once(0..1_703));
    assert_eq!(below(&memory, "source/"), once(0..100));
}

/// A replay is remembered: asked twice at once, asked again, and asked after a restart, each failure is put once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_failure_is_put_once() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    memory.insert(
        "errors/processing-failed/2026/a",
        format!("{}\nnonsense\n{}", lines_of(0..2_500), lines_of(2_500..3_000)),
    );
    memory.insert("errors/iceberg-failed/2026/c", lines_of(0..3));
    let pipeline = start(folder.path(), &memory, 1 << 20);
    pipeline.backend().create(definition(1 << 20, 900)).await.unwrap();
    let letters = letters_of(&pipeline, &memory);
    let dry = replay(&letters, Wish { dry_run: true, ..Wish::default() }).await;
    assert_eq!((dry.replayed, dry.unreadable, dry.passed_over.len()), (3_000, 1, 1));
    let coded = Filter { codes: vec!["other".into()], ..Filter::default() };
    assert_eq!(replay(&letters, Wish { filter: coded, ..Wish::default() }).await.replayed, 0);
    let (one, other) = tokio::join!(replay(&letters, Wish::default()), replay(&letters, Wish::default()));
    assert_eq!((one.replayed + other.replayed, one.already + other.already), (3_000, 3_000));
    let listed = letters.list("s", &Wish::default()).await.unwrap();
    let counted: Vec<_> = listed.objects.iter().map(|one| (one.stage.as_str(), one.records, one.replayed)).collect();
    assert_eq!(counted, [("iceberg-failed", 3, 0), ("processing-failed", 3_000, 3_000)]);
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    let pipeline = start(folder.path(), &memory, 1 << 20);
    let letters = letters_of(&pipeline, &memory);
    let again = replay(&letters, Wish::default()).await;
    assert_eq!((again.replayed, again.already), (0, 3_000));
    // Another object under the same key holds other failures.
    memory.insert("errors/processing-failed/2026/a", lines_of(3_000..3_004));
    assert_eq!(replay(&letters, Wish::default()).await.replayed, 4);
    assert_eq!(letters.forget(None, "s", u64::MAX).await.unwrap(), 0);
    assert_eq!(replay(&letters, Wish::default()).await.forgotten, 4);
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_eq!(below(&memory, "data/"), once(0..3_004));
}

/// What a destination refused is delivered as it is: no plugin runs over its own output, and the copy of all documents
/// does not get it once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_delivered_skips_its_plugin() {
    let (folder, memory, bulk) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)), Bulk::default());
    bulk.refuse(3);
    bulk.refuse(700);
    let mut wanted = searched(300, true);
    // A step that would show: each time a record passes, it becomes longer.
    wanted.processors = vec![Processor::AppendDelimiter { delimiter: "\n".to_owned() }];
    let pipeline = begin(folder.path(), &memory, &bulk, Some(wanted)).await;
    put(&pipeline, lines(0..1_000)).await;
    until("the refused documents", || below_failed(&memory) == 2).await;
    let letters = letters_of(&pipeline, &memory);
    assert_eq!(replay(&letters, Wish::default()).await.replayed, 2);
    put(&pipeline, lines(1_000..1_010)).await;
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    let rows = bulk.rows();
    assert_eq!(rows.len(), 1_010);
    let mut replayed: Vec<&Vec<u8>> = [1_000, 1_001].iter().map(|&sequence| &rows[&(sequence, 0)]).collect();
    replayed.sort_unstable();
    assert_eq!(replayed, [b"0000003\n\n", b"0000700\n\n"]);
    let copied: BTreeMap<String, Bytes> =
        memory.bodies().into_iter().filter(|(key, _)| !key.contains("-failed/")).collect();
    let copied = copied.values().map(|body| String::from_utf8(body.to_vec()).unwrap().replace("\n\n", "\n"));
    let copied: BTreeMap<String, Bytes> = copied.enumerate().map(|(at, body)| (at.to_string(), body.into())).collect();
    assert_eq!(delivered(&copied), once(0..1_010));
}

/// Failures in the error output of documents.
fn below_failed(memory: &Memory) -> usize {
    let failed = memory.bodies().into_iter().filter(|(key, _)| key.contains("-failed/"));
    failed.map(|(_, body)| body.iter().filter(|&&byte| byte == b'\n').count()).sum()
}

/// Failures of one kind of destination are not forced upon another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_of_another_destination_are_refused() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    memory.insert("errors/splunk-failed/2026/a", lines_of(0..3));
    let pipeline = start(folder.path(), &memory, 1 << 20);
    pipeline.backend().create(definition(1 << 20, 900)).await.unwrap();
    let letters = letters_of(&pipeline, &memory);
    let refused = letters.replay("s", &Wish::default()).await;
    assert!(matches!(refused, Err(DeadLetterError::OtherDestination { stage: "splunk-failed", .. })));
    assert!(matches!(letters.replay("t", &Wish::default()).await, Err(DeadLetterError::NoStream(_))));
    let object = |key: &str| Wish { object: Some(key.to_owned()), ..Wish::default() };
    assert!(matches!(letters.show("s", &object("data/x")).await, Err(DeadLetterError::NotAFailure(_))));
    assert!(matches!(letters.show("s", &object("splunk-failed/x")).await, Err(DeadLetterError::NoObject(_))));
    let page = letters.show("s", &object("errors/splunk-failed/2026/a")).await.unwrap();
    let shown: Vec<_> = page.lines.iter().map(|one| (one.line, one.failure.as_ref().unwrap().data.clone())).collect();
    assert_eq!(shown[2], (2, Bytes::from_static(b"0000002\n")));
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
}
