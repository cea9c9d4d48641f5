//! What the admin port asks about Redshift's skipped manifests: runs that go on after the question, and what became of
//! each manifest. Refuses to load anything itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::admin::{Recopies, Refusal};
use crate::deliver::redshift::{Purpose, Recopied, RedshiftDestination, Shelf, Tally};
use crate::deliver::{DeliveryError, Outlets, Verdict};
use crate::pipeline::Pipeline;

/// Runs at once: each has a connection to a cluster, and an operator watches one.
const MOST_RUNNING: usize = 4;
/// Runs that are remembered, ended ones included; the oldest ended one makes room.
const MOST_KEPT: usize = 16;
/// Manifests of a run whose end is remembered until somebody asks: at half a kilobyte each.
const MOST_TOLD: usize = 2_000;

/// The skipped manifests of a running host.
#[derive(Debug)]
pub(super) struct RecopyDesk {
    outlets: Arc<Outlets>,
    shelf: Arc<dyn Shelf>,
    pipeline: Arc<Pipeline>,
    runs: Mutex<Runs>,
}

#[derive(Debug, Default)]
struct Runs {
    /// By account and stream.
    kept: BTreeMap<(String, String), Kept>,
    begun: u64,
    /// Ended with the host.
    tasks: JoinSet<()>,
}

/// A run that is remembered.
#[derive(Debug)]
struct Kept {
    /// Which began first.
    number: u64,
    run: Arc<Mutex<Run>>,
}

impl Kept {
    fn is_running(&self) -> bool {
        lock(&self.run).ended.is_none()
    }
}

/// Sees to it that a run ends, whatever becomes of its task: a stream has one at a time.
struct Ending(Arc<Mutex<Run>>);

impl Drop for Ending {
    fn drop(&mut self) {
        let without_result = || {
            let text = "the run ended without a result; what it loaded is in the ledger".to_owned();
            DeliveryError { verdict: Verdict::Retry(None), code: "InternalError", text, source: None }
        };
        lock(&self.0).ended.get_or_insert_with(|| Err(without_result()));
    }
}

/// One run over the manifests of a stream.
#[derive(Debug)]
struct Run {
    purpose: Purpose,
    tally: Tally,
    /// What became of manifests, the oldest left out.
    told: VecDeque<Value>,
    /// How many were left out.
    forgotten: usize,
    ended: Option<Result<(), DeliveryError>>,
}

impl RecopyDesk {
    pub(super) fn new(outlets: Arc<Outlets>, shelf: Arc<dyn Shelf>, pipeline: Arc<Pipeline>) -> Self {
        Self { outlets, shelf, pipeline, runs: Mutex::default() }
    }

    /// The destination of a stream, and the account it belongs to.
    fn find(&self, stream: &str, account: Option<&str>) -> Result<(String, RedshiftDestination), Refusal> {
        let mut found = self.pipeline.named(stream);
        found.retain(|(_, definition)| account.is_none_or(|account| account == definition.account_id));
        let [(id, definition)] = found.as_slice() else {
            return Err(match found.is_empty() {
                true => refused(format!("there is no stream {stream}"), "`hydrant streams` lists streams"),
                false => refused(
                    format!("{} accounts have a stream {stream}", found.len()),
                    "say whose it is with --account ID",
                ),
            });
        };
        match self.outlets.redshift(*id, definition) {
            Ok(Some(destination)) => Ok((definition.account_id.clone(), destination)),
            Ok(None) => {
                let hint = "only a stream to Redshift has manifests; see `hydrant dead-letter` for the others";
                Err(refused(format!("{stream} does not deliver to Redshift"), hint))
            }
            Err(error) => Err(refused(error.to_string(), "correct the destination with `hydrant apply`")),
        }
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        lock(&self.runs)
    }
}

impl Recopies for RecopyDesk {
    fn begin(&self, stream: &str, wishes: &[(&str, &str)]) -> Result<Value, Refusal> {
        let below = wish(wishes, "below").unwrap_or_default().to_owned();
        if below.len() > FOLDER_BYTES || below.chars().any(|letter| !letter.is_ascii_digit() && letter != '/') {
            let hint = "name a beginning of YYYY/MM/DD/HH/, such as 2026/11/";
            return Err(refused(format!("{below} is no folder of manifests"), hint));
        }
        let purpose = match wish(wishes, "dry-run") {
            None | Some("false") => Purpose::Load,
            Some("true" | "") => Purpose::Look,
            Some(other) => return Err(refused(format!("dry-run={other} is neither true nor false"), "leave it out")),
        };
        let (account, destination) = self.find(stream, wish(wishes, "account"))?;
        let run = Arc::new(Mutex::new(Run::new(purpose)));
        self.runs().begin((account, stream.to_owned()), Arc::clone(&run))?;
        let (shelf, ending) = (Arc::clone(&self.shelf), Ending(Arc::clone(&run)));
        let name = stream.to_owned();
        let work = async move {
            let mut tell = |one: &Recopied| lock(&ending.0).learn(one);
            let ended = destination.recopy(shelf.as_ref(), &below, purpose, &mut tell).await.map(drop);
            if let Err(error) = &ended {
                tracing::warn!(stream = name, code = error.code, %error, "skipped manifests are not loaded any further");
            }
            lock(&ending.0).ended = Some(ended);
        };
        self.runs().tasks.spawn(work);
        Ok(lock(&run).shown(stream, 0))
    }

    fn progress(&self, stream: &str, wishes: &[(&str, &str)]) -> Result<Value, Refusal> {
        let after = wish(wishes, "after").map_or(Some(0), |text| text.parse().ok());
        let Some(after) = after else {
            return Err(refused("after is not a number".to_owned(), "count the manifests that were told so far"));
        };
        let account = wish(wishes, "account");
        let runs = self.runs();
        let mut found =
            runs.kept.iter().filter(|((of, name), _)| name == stream && account.is_none_or(|account| account == of));
        match (found.next(), found.next()) {
            (Some((_, kept)), None) => Ok(lock(&kept.run).shown(stream, after)),
            (Some(_), Some(_)) => {
                Err(refused(format!("several accounts have a stream {stream}"), "say whose it is with --account ID"))
            }
            (None, _) => {
                let error = format!("nothing of {stream} was begun since the host started");
                Err(refused(error, "begin with `hydrant recopy`"))
            }
        }
    }
}

impl Runs {
    fn begin(&mut self, key: (String, String), run: Arc<Mutex<Run>>) -> Result<(), Refusal> {
        while self.tasks.try_join_next().is_some() {}
        if self.kept.get(&key).is_some_and(Kept::is_running) {
            let hint = "wait until it has ended; GET /recopies/STREAM on the admin port says how far it is";
            return Err(refused(format!("the manifests of {} are being loaded already", key.1), hint));
        }
        if self.kept.values().filter(|kept| kept.is_running()).count() >= MOST_RUNNING {
            let error = format!("{MOST_RUNNING} streams are being loaded again already");
            return Err(refused(error, "wait until one has ended"));
        }
        self.kept.remove(&key);
        if self.kept.len() >= MOST_KEPT {
            let ended = self.kept.iter().filter(|(_, kept)| !kept.is_running());
            let oldest = ended.min_by_key(|(_, kept)| kept.number).map(|(key, _)| key.clone());
            // There is one: fewer run than are kept.
            oldest.into_iter().for_each(|key| drop(self.kept.remove(&key)));
        }
        self.begun += 1;
        self.kept.insert(key, Kept { number: self.begun, run });
        Ok(())
    }
}

impl Run {
    fn new(purpose: Purpose) -> Self {
        Self { purpose, tally: Tally::default(), told: VecDeque::new(), forgotten: 0, ended: None }
    }

    fn learn(&mut self, one: &Recopied) {
        self.tally.count(one);
        if self.told.len() == MOST_TOLD {
            self.told.pop_front();
            self.forgotten += 1;
        }
        self.told.push_back(match &one.outcome {
            Ok(count) => json!({ "manifest": one.key, "objects": one.entries, "loaded": count }),
            Err(error) => {
                json!({ "manifest": one.key, "objects": one.entries, "code": error.code, "error": error.text })
            }
        });
    }

    /// What it came to, with the manifests after the first `after`. In a dry run `loaded` is what would be.
    fn shown(&self, stream: &str, after: usize) -> Value {
        let from = after.clamp(self.forgotten, self.forgotten + self.told.len());
        let manifests: Vec<&Value> = self.told.iter().skip(from - self.forgotten).collect();
        let mut shown = json!({
            "stream": stream,
            "dry_run": self.purpose == Purpose::Look,
            "state": match &self.ended { None => "running", Some(Ok(())) => "done", Some(Err(_)) => "failed" },
            "loaded": self.tally.loaded,
            "known": self.tally.known,
            "failed": self.tally.failed,
            "first": from,
            "manifests": manifests,
        });
        if let Some(Err(error)) = &self.ended {
            shown["code"] = error.code.into();
            shown["error"] = error.text.clone().into();
        }
        shown
    }
}

/// Bytes of `YYYY/MM/DD/HH/`.
const FOLDER_BYTES: usize = 14;

fn wish<'a>(wishes: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    wishes.iter().find(|(of, _)| *of == name).map(|(_, value)| *value)
}

fn refused(error: String, hint: &str) -> Refusal {
    Refusal { error, hint: hint.to_owned() }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> (String, String) {
        ("000000000000".to_owned(), format!("stream-{number}"))
    }

    fn run() -> Arc<Mutex<Run>> {
        Arc::new(Mutex::new(Run::new(Purpose::Load)))
    }

    #[test]
    fn runs_are_bounded_and_one_for_each_stream() {
        let mut runs = Runs::default();
        let held: Vec<_> = (0..MOST_RUNNING).map(|_| run()).collect();
        for (number, run) in held.iter().enumerate() {
            runs.begin(key(number), Arc::clone(run)).unwrap();
        }
        assert!(runs.begin(key(0), run()).unwrap_err().error.contains("already"));
        assert!(runs.begin(key(MOST_RUNNING), run()).unwrap_err().error.contains("4 streams"));
        lock(&held[0]).ended = Some(Ok(()));
        runs.begin(key(0), run()).unwrap();
        for kept in runs.kept.values() {
            lock(&kept.run).ended = Some(Ok(()));
        }
        for number in 0..2 * MOST_KEPT {
            let next = run();
            runs.begin(key(100 + number), Arc::clone(&next)).unwrap();
            lock(&next).ended = Some(Ok(()));
        }
        assert_eq!(runs.kept.len(), MOST_KEPT);
        assert!(runs.kept.contains_key(&key(100 + 2 * MOST_KEPT - 1)) && !runs.kept.contains_key(&key(100)));
    }

    #[test]
    fn a_run_whose_task_dies_has_ended() {
        let run = run();
        drop(Ending(Arc::clone(&run)));
        assert_eq!(lock(&run).shown("orders", 0)["code"], "InternalError");
    }

    #[test]
    fn what_became_of_manifests_is_told_in_parts_and_bounded() {
        let mut run = Run::new(Purpose::Look);
        for number in 0..MOST_TOLD + 5 {
            run.learn(&Recopied { key: number.to_string(), entries: 1, outcome: Ok(number % 2) });
        }
        let error = DeliveryError {
            verdict: Verdict::Retry(None),
            code: "Redshift.DataLoadFailed",
            text: "no".to_owned(),
            source: None,
        };
        run.learn(&Recopied { key: "last".to_owned(), entries: 2, outcome: Err(error) });
        let all = run.shown("orders", 0);
        assert_eq!((all["first"].as_u64(), all["manifests"].as_array().map(Vec::len)), (Some(6), Some(MOST_TOLD)));
        let rest = run.shown("orders", MOST_TOLD + 5);
        let last = json!({ "manifest": "last", "objects": 2, "code": "Redshift.DataLoadFailed", "error": "no" });
        assert_eq!(rest["manifests"], json!([last]));
        assert_eq!((rest["failed"].as_u64(), rest["dry_run"].as_bool()), (Some(1), Some(true)));
        assert_eq!(run.shown("orders", usize::MAX)["manifests"], json!([]));
    }
}
