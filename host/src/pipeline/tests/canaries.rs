//! A canary in a running pipeline: whose turn it is changes again and again, and what is delivered does not suffer.

use super::*;
use crate::process::plugin::stamped::stamped;
use crate::process::plugin::{Asked, guests};
use crate::runtime::{Clock, ManualClock};

const PERIOD_MS: u64 = 1_000;

/// Log records with a number each.
fn numbered(range: std::ops::Range<u32>) -> Records {
    let mut payload = Vec::new();
    let mut ends = Vec::new();
    for number in range {
        payload.extend_from_slice(format!("{{\"level\":\"info\",\"n\":{number}}}\n").as_bytes());
        ends.push(u32::try_from(payload.len()).unwrap());
    }
    Records::new(payload.into(), ends, Vec::new()).unwrap()
}

/// A host whose plugin "bench" has a canary that stamps records otherwise.
fn plugins(folder: &Path, telemetry: &Arc<Telemetry>, clock: Arc<dyn Clock>) -> Arc<PluginHost> {
    std::fs::create_dir_all(folder.join("plugins")).unwrap();
    std::fs::copy(guests::guest("bench"), folder.join("plugins/bench.wasm")).unwrap();
    let mut settings = plugin::Settings::new(folder.join("plugins"), folder.join("store"));
    settings.canary_period = Duration::from_millis(PERIOD_MS);
    let host = PluginHost::start(settings, Arc::clone(telemetry), clock).unwrap();
    let asked = Asked::read([("canary", "50"), ("most-latency", "1000")]).unwrap().unwrap();
    host.put_beside("bench", &stamped("another"), asked).unwrap();
    host
}

/// Waits until so many records came out of processing, so that the next turn meets a stream that is at work.
async fn processed(telemetry: &Telemetry, count: u32) {
    let transformed = telemetry.stream(ACCOUNT, "s").transformed;
    let look = async {
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        while transformed.records.get() < u64::from(count) {
            pace.tick().await;
        }
    };
    tokio::time::timeout(GRACE, look).await.expect("records are processed");
}

/// Row P8: turns change under load, the destination fails now and then so that batches are made again, and the
/// process stops in the middle. Every record is delivered once, none fails, each object was made by one version, and
/// what is made again by the version that made it first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_lose_nothing_and_each_object_is_made_by_one_version() {
    const PUTS: u32 = 60;
    const EACH: u32 = 20;
    const LAST: u32 = PUTS - 12;
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    let (disk, clock) = (SimDisk::new(11), Arc::new(ManualClock::at(0)));
    let telemetry = Telemetry::new();
    let host = plugins(folder.path(), &telemetry, clock.clone());
    let pipeline = start_with(Arc::new(disk.clone()), Arc::clone(&host), Arc::clone(&telemetry), &memory, 1 << 20);
    let mut wanted = definition(1 << 20, 900);
    wanted.processors = vec![Processor::Plugin {
        name: "bench".into(),
        lambda_arn: "arn:aws:lambda:x".into(),
        retries: 0,
        on_failure: OnFailure::DeadLetter,
    }];
    pipeline.backend().create(wanted).await.unwrap();
    for part in 0..PUTS {
        // Four times a period, so that either has turns enough.
        clock.set(u64::from(part) * PERIOD_MS / 4);
        host.take_turns();
        if part % 20 == 0 {
            memory.fail_next(4, Verdict::Retry(None));
        }
        if part == LAST {
            // What these are made to is delivered in the next life only, where there is no canary.
            memory.fail_next(usize::MAX, Verdict::Retry(Some(Duration::from_secs(3_600))));
        }
        put(&pipeline, numbered(part * EACH..(part + 1) * EACH)).await;
        if part < LAST {
            processed(&telemetry, (part + 1) * EACH).await;
        }
    }
    assert_eq!(pipeline.stop(Duration::from_secs(2)).await, Stopped::Undelivered);
    drop(host);
    memory.fail_next(0, Verdict::Retry(None));
    let pipeline = start_on(Arc::new(disk.restart()), folder.path(), &memory, 1 << 20);
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);

    let (mut seen, mut made_by) = (BTreeMap::new(), BTreeMap::new());
    for (key, body) in memory.bodies() {
        assert!(key.starts_with("data/"), "{key}");
        let text = String::from_utf8(body.to_vec()).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let stamp = lines[0]["pipeline"].as_str().unwrap().to_owned();
        assert!(lines.iter().all(|line| line["pipeline"] == *stamp), "{key} was made by two versions");
        *made_by.entry(stamp).or_insert(0) += 1;
        for line in lines {
            *seen.entry(line["n"].as_u64().unwrap()).or_insert(0) += 1;
        }
    }
    assert_eq!(seen.len() as u64, u64::from(PUTS * EACH), "something is lost");
    assert!(seen.values().all(|&times| times == 1), "something is there twice");
    assert!(made_by.len() == 2 && made_by.values().all(|&objects| objects > 2), "{made_by:?}");
}
