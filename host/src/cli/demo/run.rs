//! The demo as a story: prepare, start, define, send, wait, stop, show. Refuses to wait blindly: it asks the host how
//! far it is, and gives up when nothing moves.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::super::arguments::Demo;
use super::super::client::Client;
use super::super::console::Unit;
use super::super::put::{Batch, Sending};
use super::super::signal::Signals;
use super::super::{Console, Failure, Host, apply, logging};
use super::Orders;
use super::metrics::Progress;
use super::stage::Stage;
use super::summary::Summary;

/// The stream of the first example; the demo runs that example on a larger input.
const STREAM: &str = include_str!("../../../../examples/01-orders-to-s3/stream.json");
/// Its name.
const STREAM_NAME: &str = "orders";
/// Its bucket.
const BUCKET: &str = "shop";
/// Every run sends the same orders.
const SEED: u64 = 536_365;
/// Requests on their way at once: enough to share each fdatasync.
const IN_FLIGHT: usize = 16;
/// Batches generated ahead.
const AHEAD: usize = 4;
/// Pause between two looks at the counters.
const LOOK: Duration = Duration::from_millis(100);
/// Nothing moved for this long: something is wrong. Well above the stream's buffer interval.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the demo.
pub(in super::super) async fn demo<H: Host>(console: &Console, arguments: &Demo) -> Result<(), Failure> {
    let stage = Stage::prepare(arguments)?;
    logging::start(stage.settings.log);
    let mut signals = Signals::listen()?;
    let host = tokio::select! {
        host = H::start(stage.settings.clone()) => {
            host.map_err(|error| Failure::new(error.context("cannot start the demo")))?
        }
        _ = signals.wait() => return Err(Failure::interrupted()),
    };
    let outcome = tokio::select! {
        outcome = act(console, &host, arguments.records) => outcome,
        error = host.broken() => Err(Failure::new(error.context("the host cannot go on"))),
        _ = signals.wait() => Err(Failure::interrupted()),
    };
    let drained = tokio::select! {
        drained = host.drained() => drained.map_err(|error| Failure::new(error.context("cannot stop the demo"))),
        _ = signals.wait() => Err(Failure::interrupted()),
    };
    let (sent, progress) = outcome?;
    drained?;
    let configuration = stage.configuration.clone();
    let summary = Summary::new(&sent, progress, &stage.settings, configuration, BUCKET)?;
    if console.is_json() { console.say_json(&summary) } else { console.say(&summary.text(&program())) }
}

/// Defines the stream, sends, and waits until everything is somewhere for good.
async fn act<H: Host>(
    console: &Console,
    host: &H,
    records: u64,
) -> Result<(super::super::put::Summary, Progress), Failure> {
    let url = format!("http://{}", host.api_address());
    console.note(&format!("Hydrant runs at {url}; its metrics are at http://{}/metrics", host.admin_address()));
    host.ensure_bucket(BUCKET).await.map_err(Failure::new)?;
    let client = Client::local(&url);
    apply::ensure(&client, serde_json::from_str(STREAM).map_err(Failure::new)?).await?;
    console.note(&format!("stream {STREAM_NAME} delivers to bucket {BUCKET} through plugin orders"));

    let bar = console.progress("sending", Some(records), Unit::Records);
    let sending = Sending::new(client, STREAM_NAME, IN_FLIGHT);
    let (sent, failure) = sending.send(generate(records)?, |_, records| bar.inc(records)).await;
    bar.finish();
    if let Some(failure) = failure {
        return Err(failure);
    }

    let bar = console.progress("delivering", Some(records), Unit::Records);
    let progress = wait(host, sent.records, |done| bar.set_position(done)).await?;
    bar.finish();
    Ok((sent, progress))
}

/// Makes orders on a thread of its own, a few batches ahead.
fn generate(records: u64) -> Result<mpsc::Receiver<Result<Batch, Failure>>, Failure> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let work = move || {
        let mut batch = Batch::default();
        let orders = (0..records).zip(Orders::new(SEED));
        for (_, order) in orders {
            let Err(order) = batch.add(order.text.into_bytes()) else { continue };
            // The sender stops listening when it has failed.
            if sender.blocking_send(Ok(std::mem::take(&mut batch))).is_err() {
                return;
            }
            // The first record of a batch always fits.
            drop(batch.add(order));
        }
        drop(sender.blocking_send(Ok(batch)));
    };
    thread::Builder::new().name("demo-orders".to_owned()).spawn(work).map_err(Failure::new)?;
    Ok(receiver)
}

/// Asks the host until all records have ended, or nothing moves any more.
async fn wait<H: Host>(host: &H, sent: u64, show: impl Fn(u64)) -> Result<Progress, Failure> {
    let mut last = Progress::default();
    let mut moved = Instant::now();
    loop {
        let progress = Progress::read(host.admin_address(), STREAM_NAME).await;
        let progress = progress.map_err(|error| Failure::new(error.context("cannot read the host's metrics")))?;
        let ended = |progress: Progress| progress.dropped + progress.failed + progress.delivered;
        show(ended(progress).min(sent));
        if progress.is_done(sent) {
            return Ok(progress);
        }
        if ended(progress) != ended(last) {
            moved = Instant::now();
        }
        if moved.elapsed() > PATIENCE {
            let what = format!("only {} of {sent} orders have been delivered, and nothing moves", ended(progress));
            return Err(Failure::told(what).hint("the log above says why"));
        }
        last = progress;
        tokio::time::sleep(LOOK).await;
    }
}

/// How to call this program again: its path below the working directory, or its name if that is not where it is.
fn program() -> String {
    let (program, here) = (std::env::current_exe(), std::env::current_dir());
    let near = match (&program, &here) {
        (Ok(program), Ok(here)) => program.strip_prefix(here).ok().map(Path::to_owned),
        _ => None,
    };
    near.map_or_else(|| "hydrant".to_owned(), |path| path.display().to_string())
}
