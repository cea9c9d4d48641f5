//! Plugins that take too long now and not then: a replay never decides otherwise than the first run did.
//!
//! The guest `hostile` works for a second on records that hold a word, and the deadline changes between lives here, as
//! the load of a machine does in earnest.

use super::*;

/// Lines 0 to 9; the word stands in line 4.
fn input() -> Records {
    let mut payload = Vec::new();
    let mut ends = Vec::new();
    for number in 0..10 {
        payload.extend_from_slice(if number == 4 { b"poison\n".as_slice() } else { b"record\n" });
        ends.push(u32::try_from(payload.len()).unwrap());
    }
    Records::new(payload.into(), ends, Vec::new()).unwrap()
}

struct Rig {
    folder: tempfile::TempDir,
    disk: SimDisk,
    memory: Arc<Memory>,
    /// Of the life that began last.
    telemetry: Arc<Telemetry>,
}

impl Rig {
    /// A stream through the guest, with all ten lines in the journal.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("plugins")).unwrap();
        std::fs::copy(plugin::guests::guest("hostile"), folder.path().join("plugins/moody.wasm")).unwrap();
        let disk = SimDisk::new(3);
        let (journal, _) = open(Arc::new(disk.clone()), &Telemetry::new());
        let mut wanted = definition(1 << 20, 900);
        let processor = through("moody", OnFailure::DeadLetter);
        wanted.processors = vec![processor];
        let stream = journal.create_stream(wanted).await.unwrap();
        journal.append(stream, input(), 1).await.unwrap();
        journal.close().await;
        Self { folder, disk, memory: Arc::new(Memory::new(BUCKET)), telemetry: Telemetry::new() }
    }

    /// The next life, in which a second is too long or is not.
    fn live(&mut self, hurries: bool) -> Pipeline {
        let mut settings = plugin::Settings::new(self.folder.path().join("plugins"), self.folder.path().join("store"));
        // Long enough for honest records on a machine that is busy with other tests.
        settings.limits.deadline = if hurries { Duration::from_millis(500) } else { Duration::from_secs(100) };
        let told = [("do", "crunch"), ("when", "poison")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        settings.plugin_settings.insert("moody".into(), told.into());
        self.telemetry = Telemetry::new();
        let telemetry = Arc::clone(&self.telemetry);
        let plugins = PluginHost::start(settings, Arc::clone(&telemetry), Arc::new(SystemClock)).unwrap();
        self.disk = self.disk.restart();
        start_with(Arc::new(self.disk.clone()), plugins, telemetry, &self.memory, 1 << 20)
    }

    /// A life that ends once every line was processed and sealed; its destination must be away.
    async fn live_until_sealed(&mut self, hurries: bool) {
        let pipeline = self.live(hurries);
        let stream = self.telemetry.stream(ACCOUNT, "s");
        let processed = || stream.transformed.records.get() + stream.failed.records.get() == 10;
        until("the lines to be processed", processed).await;
        assert_eq!(pipeline.stop(Duration::from_secs(2)).await, Stopped::Undelivered);
    }

    /// Lines delivered, and lines in the error output.
    fn found(&self) -> (usize, usize) {
        let bodies = self.memory.bodies();
        let lines = |prefix: &str| {
            let below = bodies.iter().filter(|(key, _)| key.starts_with(prefix));
            below.map(|(_, body)| body.iter().filter(|&&byte| byte == b'\n').count()).sum()
        };
        (lines("data/"), lines("errors/"))
    }
}

/// A record that took too long stays in the error output, although the replay would be quick, and is not delivered
/// as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_took_too_long_is_not_run_again() {
    let mut rig = Rig::new().await;
    rig.memory.fail_next(usize::MAX, Verdict::Retry(Some(Duration::from_secs(3_600))));
    rig.live_until_sealed(true).await;
    assert_eq!(rig.found(), (0, 0));
    rig.memory.fail_next(0, Verdict::Retry(None));
    assert_eq!(rig.live(false).stop(GRACE).await, Stopped::Drained);
    assert_eq!(rig.found(), (9, 1));
}

/// The same while the process lives: a destination that is away long makes the batch be made again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_took_too_long_is_left_out_when_its_batch_is_made_again() {
    let mut rig = Rig::new().await;
    rig.memory.fail_next(6, Verdict::Retry(None));
    assert_eq!(rig.live(true).stop(GRACE).await, Stopped::Drained);
    assert_eq!(rig.found(), (9, 1));
}

/// A record that is in a sealed batch is never lost because the replay takes too long: the batch waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_record_that_takes_too_long_now_holds_its_batch() {
    let mut rig = Rig::new().await;
    rig.memory.fail_next(usize::MAX, Verdict::Retry(Some(Duration::from_secs(3_600))));
    rig.live_until_sealed(false).await;
    rig.memory.fail_next(0, Verdict::Retry(None));
    assert_eq!(rig.live(true).stop(Duration::from_secs(2)).await, Stopped::Undelivered);
    assert_eq!(rig.found(), (0, 0));
    assert_eq!(rig.live(false).stop(GRACE).await, Stopped::Drained);
    assert_eq!(rig.found(), (10, 0));
}

/// A record that is set aside and then ruled by a definition without its plugin is delivered, also when its batch has
/// to be made again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_set_aside_is_delivered_where_nothing_runs() {
    let (folder, memory, disk) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)), SimDisk::new(7));
    let (journal, _) = open(Arc::new(disk.clone()), &Telemetry::new());
    let stream = journal.create_stream(definition(1 << 20, 900)).await.unwrap();
    journal.append(stream, lines(0..10), 1).await.unwrap();
    journal.set_aside(stream, 4, 5).await.unwrap();
    journal.close().await;
    // More failures than attempts that keep the body in memory.
    memory.fail_next(6, Verdict::Retry(None));
    let pipeline = start_on(Arc::new(disk.restart()), folder.path(), &memory, 1 << 20);
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_once_each(&memory, 10);
}
