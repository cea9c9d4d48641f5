//! Plugins that keep failing: what becomes of the records is what the stream's owner chose, once each, also when the
//! power is cut meanwhile.
//!
//! The guest `hostile` traps over records that hold a word. Refuses to look inside: counters, and what was delivered.

use base64_simd::STANDARD as BASE64;

use super::*;
use crate::journal::sim::{Fault, Tear};

fn records(numbers: impl IntoIterator<Item = u32>, level: &str) -> Records {
    let mut payload = Vec::new();
    let line = |number| {
        payload.extend_from_slice(format!("{{\"n\":{number},\"level\":\"{level}\"}}\n").as_bytes());
        u32::try_from(payload.len()).unwrap()
    };
    let ends = numbers.into_iter().map(line).collect();
    Records::new(payload.into(), ends, Vec::new()).unwrap()
}

/// Records over which the guest traps.
fn poison(numbers: impl IntoIterator<Item = u32>) -> Records {
    records(numbers, "poison")
}

/// Records that it keeps.
fn good(numbers: impl IntoIterator<Item = u32>) -> Records {
    records(numbers, "info")
}

/// The number in a line of the input or of the output, as it is or edited.
fn number(line: &[u8]) -> u32 {
    let line = std::str::from_utf8(line).expect("text");
    let rest = line.split_once("\"n\":").expect("a number").1;
    rest[..rest.find(',').expect("its end")].parse().expect("digits")
}

/// Numbers delivered and numbers in the error output, in order, with every repetition.
fn arrived(memory: &Memory) -> [Vec<u32>; 2] {
    let mut places = [Vec::new(), Vec::new()];
    for (key, body) in memory.bodies() {
        for line in body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            if key.starts_with("errors/") {
                let envelope: serde_json::Value = serde_json::from_slice(line).expect("an envelope");
                let raw = BASE64.decode_to_vec(envelope["rawData"].as_str().expect("raw data")).expect("base64");
                places[1].push(number(&raw));
            } else {
                places[0].push(number(line));
            }
        }
    }
    places.each_mut().map(|place| {
        place.sort_unstable();
        std::mem::take(place)
    })
}

struct Rig {
    folder: tempfile::TempDir,
    disk: SimDisk,
    memory: Arc<Memory>,
    telemetry: Arc<Telemetry>,
}

impl Rig {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("plugins")).unwrap();
        let (disk, memory) = (SimDisk::new(seed), Arc::new(Memory::new(BUCKET)));
        let rig = Self { folder, disk, memory, telemetry: Telemetry::new() };
        rig.publish("hostile");
        rig
    }

    /// A running stream `s` through the plugin.
    async fn start(&mut self, policy: OnFailure) -> Pipeline {
        let pipeline = self.live();
        let mut wanted = definition(1 << 20, 900);
        wanted.processors = vec![through("moody", policy)];
        pipeline.backend().create(wanted).await.unwrap();
        pipeline
    }

    /// The next life.
    fn live(&mut self) -> Pipeline {
        let plugins = self.plugins();
        self.live_with(plugins)
    }

    fn live_with(&mut self, plugins: Arc<PluginHost>) -> Pipeline {
        self.disk = self.disk.restart();
        let disk = Arc::new(self.disk.clone());
        start_with(disk, plugins, Arc::clone(&self.telemetry), &self.memory, 1 << 20)
    }

    /// A host of plugins with counters of its life.
    fn plugins(&mut self) -> Arc<PluginHost> {
        self.telemetry = Telemetry::new();
        let mut settings = plugin::Settings::new(self.folder.path().join("plugins"), self.folder.path().join("store"));
        let told = [("do", "abort"), ("when", "poison")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        settings.plugin_settings.insert("moody".into(), told.into());
        PluginHost::start(settings, Arc::clone(&self.telemetry), Arc::new(SystemClock)).unwrap()
    }

    /// Makes another guest the plugin's version, as a deployment does.
    fn publish(&self, guest: &str) {
        let beside = self.folder.path().join("new");
        std::fs::copy(plugin::guests::guest(guest), &beside).unwrap();
        std::fs::rename(&beside, self.folder.path().join("plugins/moody.wasm")).unwrap();
    }

    /// Takes the plugin away.
    fn withdraw(&self) {
        std::fs::remove_file(self.folder.path().join("plugins/moody.wasm")).unwrap();
    }

    fn stream(&self) -> crate::telemetry::StreamMetrics {
        self.telemetry.stream(ACCOUNT, "s")
    }

    /// Whether the breaker is shown to be open, and how often it tripped.
    fn breaker(&self) -> (bool, u64) {
        let counted = self.stream().breaker.of("moody");
        (counted.open.get() == 1, counted.trips.get())
    }

    /// Puts batches of one record that traps until the breaker trips; the number of the next record.
    async fn trip(&self, pipeline: &Pipeline) -> u32 {
        for at in 0..5 {
            assert_eq!(self.breaker(), (false, 0), "after {at}");
            let called = self.telemetry.plugin("moody").calls;
            let before = called.get();
            put(pipeline, poison([at])).await;
            until("a call of the plugin", || called.get() > before).await;
            until("its end", || self.stream().failed.records.get() > u64::from(at) || self.breaker().1 == 1).await;
        }
        until("the trip", || self.breaker() == (true, 1)).await;
        5
    }
}

fn is_open(pipeline: &Pipeline) -> bool {
    let stream = pipeline.backend().find(ACCOUNT, "s").unwrap();
    stream.breaker_open.load(std::sync::atomic::Ordering::Relaxed)
}

/// Row P6: records go to the error output without being run, and a new version is run at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_keeps_failing_is_not_run() {
    let mut rig = Rig::new(1);
    let pipeline = rig.start(OnFailure::DeadLetter).await;
    let mut next = rig.trip(&pipeline).await;
    assert!(is_open(&pipeline));
    // A busy machine may make a trial of what was to be refused unseen.
    while rig.stream().breaker.of("moody").records[0].get() == 0 {
        put(&pipeline, poison([next])).await;
        next += 1;
        until("its rejection", || rig.stream().failed.records.get() == u64::from(next)).await;
    }
    rig.publish("bench");
    until("the new version to close the breaker", || !is_open(&pipeline)).await;
    assert_eq!(rig.breaker(), (false, 1));
    put(&pipeline, poison([next])).await;
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_eq!(arrived(&rig.memory), [vec![next], (0..next).collect()]);
    let errors: String = rig.memory.bodies().values().map(|body| String::from_utf8_lossy(body).into_owned()).collect();
    assert!(errors.contains("not run: plugin moody kept failing and its breaker was open"), "{errors}");
    assert!(errors.contains("unreachable"), "{errors}");
}

/// Row P6: what is tried and fails again is passed through as well; what comes through closes the breaker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_pass_a_plugin_that_keeps_failing() {
    let mut rig = Rig::new(2);
    // What passed is made again from the journal.
    rig.memory.fail_next(6, Verdict::Retry(None));
    let pipeline = rig.start(OnFailure::PassThrough).await;
    let mut next = rig.trip(&pipeline).await;
    let calls = rig.telemetry.plugin("moody").calls;
    let before = calls.get();
    // Until the plugin was tried in vain.
    while calls.get() == before {
        put(&pipeline, poison([next])).await;
        next += 1;
        until("its passing", || rig.stream().transformed.records.get() == u64::from(next - 4)).await;
    }
    let poisoned = next;
    while is_open(&pipeline) {
        put(&pipeline, good([next])).await;
        next += 1;
        until("its delivery", || rig.stream().transformed.records.get() == u64::from(next - 4)).await;
    }
    assert_eq!(rig.breaker(), (false, 1));
    assert!(rig.stream().breaker.of("moody").records[1].get() > u64::from(poisoned - 5));
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    // Four failed before anybody knew that the fifth would, too.
    assert_eq!(arrived(&rig.memory), [(4..next).collect(), (0..4).collect::<Vec<_>>()]);
}

/// Row P6: nothing leaves the journal until the plugin works; then everything is delivered. Other streams go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_stream_waits_for_its_plugin() {
    let mut rig = Rig::new(3);
    let pipeline = rig.start(OnFailure::Hold).await;
    put(&pipeline, poison(0..10)).await;
    until("the trip", || rig.breaker() == (true, 1)).await;
    assert!(is_open(&pipeline));
    let backend = pipeline.backend();
    backend.create(Definition { name: "other".into(), ..definition(1, 0) }).await.unwrap();
    let other = backend.find(ACCOUNT, "other").unwrap();
    backend.append(&other, good([777])).await.unwrap();
    until("the other stream's delivery", || arrived(&rig.memory)[0] == [777]).await;
    put(&pipeline, poison(10..20)).await;
    until("the gauge of what waits", || rig.stream().freshness_ms.get() > 0).await;
    assert_eq!(pipeline.stop(Duration::from_millis(50)).await, Stopped::Undelivered);
    assert_eq!(arrived(&rig.memory), [vec![777], Vec::new()]);
    assert_eq!(rig.stream().failed.records.get(), 0);

    // Another life with the same plugin, and the one that mends it.
    let pipeline = rig.live();
    put(&pipeline, good(20..25)).await;
    put(&pipeline, poison(25..30)).await;
    until("the trip, or what came through", || rig.breaker().1 == 1 || rig.stream().failed.records.get() > 0).await;
    rig.publish("bench");
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    let [delivered, failed] = arrived(&rig.memory);
    // All of it was one batch, of which the good records came through: that is data, as ever.
    let mut all: Vec<u32> = delivered.iter().chain(&failed).copied().collect();
    all.sort_unstable();
    assert_eq!(all, (0..30).chain([777]).collect::<Vec<_>>());
    assert!((20..25).all(|at| delivered.contains(&at)), "{delivered:?}");
}

/// Row P6: a version that works delivers all that was held, and nothing of it is in the error output.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_works_delivers_what_was_held() {
    let mut rig = Rig::new(4);
    let pipeline = rig.start(OnFailure::Hold).await;
    put(&pipeline, poison(0..1_000)).await;
    until("the trip", || rig.breaker() == (true, 1)).await;
    // The first time every record is tried alone, afterwards only a few are, and each at most twice.
    let calls = rig.telemetry.plugin("moody").calls.get();
    assert!((2_000..2_000 + 5 * 128).contains(&calls), "{calls}");
    put(&pipeline, poison(1_000..1_010)).await;
    rig.publish("bench");
    until("the processing of all", || rig.stream().transformed.records.get() == 1_010).await;
    assert!(!is_open(&pipeline));
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_eq!(arrived(&rig.memory), [(0..1_010).collect(), Vec::new()]);
}

/// A record that is alone in its batch and traps holds the stream only until others come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_record_holds_nothing_that_comes_after_it() {
    let mut rig = Rig::new(5);
    let pipeline = rig.start(OnFailure::Hold).await;
    put(&pipeline, poison([0])).await;
    until("the trip", || rig.breaker() == (true, 1)).await;
    put(&pipeline, good(1..4)).await;
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_eq!(arrived(&rig.memory), [vec![1, 2, 3], vec![0]]);
    assert_eq!(rig.breaker(), (false, 1));
}

/// Rows P6, P7: neither does one that is run alone because the process died while a batch with it was running.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_record_that_is_run_alone_after_crashes_is_joined_by_others() {
    let mut rig = Rig::new(6);
    let (journal, _) = open(Arc::new(rig.disk.clone()), &Telemetry::new());
    let mut wanted = definition(1 << 20, 900);
    wanted.processors = vec![through("moody", OnFailure::Hold)];
    let stream = journal.create_stream(wanted).await.unwrap();
    for records in [good(0..2), poison([2]), good(3..5)] {
        journal.append(stream, records, 1).await.unwrap();
    }
    for _ in 0..FATAL_ATTEMPTS {
        journal.attempt(stream, 0, 5).await.unwrap();
    }
    let pipeline = rig.live();
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_eq!(arrived(&rig.memory), [vec![0, 1, 3, 4], vec![2]]);
}

/// However many records of each batch fail, one that comes through tells that the plugin works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_records_among_others_never_trip_it() {
    for policy in OnFailure::ALL {
        let mut rig = Rig::new(7);
        let pipeline = rig.start(policy).await;
        for at in 0..8 {
            let mixed = Records::concat(&[&poison(at * 4..at * 4 + 3), &good([at * 4 + 3])]);
            put(&pipeline, mixed).await;
            until("its end", || rig.stream().transformed.records.get() == u64::from(at + 1)).await;
        }
        assert_eq!(rig.breaker(), (false, 0));
        assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
        let (delivered, failed): (Vec<u32>, Vec<u32>) = (0..32).partition(|at| at % 4 == 3);
        assert_eq!(arrived(&rig.memory), [delivered, failed]);
    }
}

/// A policy that is changed while the breaker is open rules at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_policy_rules_what_is_held() {
    let mut rig = Rig::new(8);
    let pipeline = rig.start(OnFailure::Hold).await;
    put(&pipeline, poison(0..10)).await;
    until("the trip", || rig.breaker() == (true, 1)).await;
    let mut second = definition(1 << 20, 900);
    second.version = 2;
    second.processors = vec![through("moody", OnFailure::PassThrough)];
    pipeline.backend().update(second).await.unwrap();
    until("the passing of all", || rig.stream().transformed.records.get() == 10).await;
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_eq!(arrived(&rig.memory), [(0..10).collect(), Vec::new()]);
}

/// A stand-in rules on after a restart, until the plugin was tried.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_breaker_survives_a_restart() {
    let mut rig = Rig::new(9);
    let pipeline = rig.start(OnFailure::PassThrough).await;
    let mut next = rig.trip(&pipeline).await;
    while rig.stream().breaker.of("moody").records[1].get() == 0 {
        put(&pipeline, poison([next])).await;
        next += 1;
        until("its passing", || rig.stream().transformed.records.get() == u64::from(next - 4)).await;
    }
    rig.disk.set_faults(&[Fault::Crash(rig.disk.operations() + 1)]);
    pipeline.stop(Duration::ZERO).await;
    rig.disk = rig.disk.power_cycle(Tear::Prefix, 1);
    let pipeline = rig.live();
    assert!(is_open(&pipeline));
    put(&pipeline, poison(next..next + 10)).await;
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_eq!(rig.breaker(), (true, 0));
    // One trial, and nothing of it in the error output, where the first four may have been sealed before the cut.
    let [delivered, failed] = arrived(&rig.memory);
    assert!(failed.iter().all(|&at| at < 4), "{failed:?}");
    assert_eq!([failed, delivered].concat(), (0..next + 10).collect::<Vec<_>>());
}

/// Lives per run; the last one drains.
const LIVES: u32 = 10;

/// Puts records until the power is gone: it is cut soon after the breaker is as the records make it.
async fn put_until_dark(rig: &Rig, pipeline: &Pipeline, traps: bool, sent: &mut Vec<bool>, rng: &mut fastrand::Rng) {
    let backend = pipeline.backend();
    let stream = backend.find(ACCOUNT, "s").expect("the stream");
    let mut pace = tokio::time::interval(Duration::from_millis(3));
    let patience = tokio::time::Instant::now() + LIMIT;
    let mut is_armed = false;
    while !rig.disk.is_crashed() {
        pace.tick().await;
        if !is_armed && is_open(pipeline) == traps {
            rig.disk.set_faults(&[Fault::Crash(rig.disk.operations() + rng.u64(1..200))]);
            is_armed = true;
        }
        let waits = !is_armed && tokio::time::Instant::now() > patience;
        assert!(!waits, "the breaker does not become open={traps}:\n{}", rig.telemetry.render());
        let first = u32::try_from(sent.len()).unwrap();
        // A plugin that is given much to fail takes long over it.
        let end = first + rng.u32(1..if is_armed { 20 } else { 3 });
        let put = if traps { poison(first..end) } else { good(first..end) };
        let acknowledged = backend.append(&stream, put).await.is_ok();
        sent.extend((first..end).map(|_| acknowledged));
    }
}

async fn cut(policy: OnFailure, seed: u64) -> u64 {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut rig = Rig::new(seed);
    let plugins = rig.plugins();
    let (pipeline, broken) = (rig.live_with(Arc::clone(&plugins)), plugins.current("moody"));
    let mut wanted = definition(2_000, 0);
    wanted.processors = vec![through("moody", policy)];
    pipeline.backend().create(wanted).await.unwrap();
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    let mut sent = Vec::new();
    for _ in 1..LIVES {
        let pipeline = rig.live_with(Arc::clone(&plugins));
        rig.memory.fail_next(rng.usize(0..6), Verdict::Retry(None));
        let traps = rng.u32(0..3) > 0;
        put_until_dark(&rig, &pipeline, traps, &mut sent, &mut rng).await;
        pipeline.stop(Duration::ZERO).await;
        rig.disk = rig.disk.power_cycle(rng.choice(Tear::ALL).expect("four"), rng.u64(..));
    }
    let trips = rig.breaker().1;
    // A version that works ends every hold; what is sealed is made again by the one that ruled.
    rig.publish("bench");
    until("the new version", || plugins.current("moody") != broken).await;
    let pipeline = rig.live_with(Arc::clone(&plugins));
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained, "{policy:?} seed {seed}");

    let [delivered, failed] = arrived(&rig.memory);
    let mut found: Vec<u32> = delivered.iter().chain(&failed).copied().collect();
    found.sort_unstable();
    let once = found.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(once, "{policy:?} seed {seed}: delivered {delivered:?} failed {failed:?}");
    let wanted = (0..).zip(&sent).filter(|(_, acknowledged)| **acknowledged).map(|(at, _)| at);
    let lost: Vec<u32> = wanted.filter(|at| found.binary_search(at).is_err()).collect();
    assert!(lost.is_empty(), "{policy:?} seed {seed}: lost {lost:?}");
    assert!(found.iter().all(|&at| (at as usize) < sent.len()), "{policy:?} seed {seed}: foreign records");
    assert!(sent.iter().filter(|acknowledged| **acknowledged).count() > 100, "{policy:?} seed {seed}");
    trips
}

/// Rows D1, P6: the power is cut while the breaker trips, is open, and closes; every acknowledged record arrives once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_cuts_around_an_open_breaker_lose_nothing() {
    for policy in OnFailure::ALL {
        let mut trips = 0;
        for seed in 0..2 {
            trips += cut(policy, seed).await;
        }
        assert!(trips > 0, "{policy:?}: a breaker that never tripped proves nothing");
    }
}

/// A stream whose plugin is not there says so, keeps its records, and goes on when it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_plugin_holds_the_stream_and_is_named() {
    let mut rig = Rig::new(6);
    let pipeline = rig.start(OnFailure::Hold).await;
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    rig.withdraw();
    let pipeline = rig.live();
    put(&pipeline, good(0..3)).await;
    let mut held = pipeline.backend().find(ACCOUNT, "s").unwrap().held.clone();
    let reason = held.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    assert!(reason.starts_with("plugin moody is not in the plugin folder"), "{reason}");
    rig.publish("bench");
    held.wait_for(Option::is_none).await.unwrap();
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_eq!(arrived(&rig.memory), [vec![0, 1, 2], Vec::new()]);
}
