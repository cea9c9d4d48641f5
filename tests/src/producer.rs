//! Producers under whose load the host is killed: they send what they can, note each answer in the ledger, and come
//! back when the host does.
//!
//! A lane has one request in flight at a time, so its numbers arrive in order. Nothing is ever sent twice: a record
//! without an answer stays unknown. Refuses to pace itself; measuring is the load generator's work.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::{Answer, CallError, Client, Connection, Payload};
use crate::evidence::{Id, record};
use crate::ledger::{Ledger, State};

/// How often a producer knocks on a host that is down.
const KNOCK: Duration = Duration::from_millis(20);
/// The lanes end after their current request; this is longer than any request may take.
const STOP_LIMIT: Duration = Duration::from_secs(90);

/// Running producers.
#[derive(Debug)]
pub struct Producers {
    ledger: Arc<Mutex<Ledger>>,
    acknowledged: watch::Receiver<u64>,
    stop: watch::Sender<bool>,
    outages: watch::Sender<u64>,
    lanes: JoinSet<()>,
}

impl Producers {
    /// Starts `lanes` connections for each stream. The seed decides batch sizes.
    pub fn start(client: &Client, streams: &[&str], lanes: u32, seed: u64) -> Self {
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let (stop, stopped) = watch::channel(false);
        let (outages, outage) = watch::channel(0);
        let (count, acknowledged) = watch::channel(0);
        let count = Arc::new(count);
        let mut tasks = JoinSet::new();
        for (place, &stream) in (0..).zip(streams) {
            for lane in 0..lanes {
                let lane = Lane {
                    client: client.clone(),
                    stream: stream.to_owned(),
                    lane,
                    ledger: Arc::clone(&ledger),
                    acknowledged: Arc::clone(&count),
                    outage: outage.clone(),
                    rng: fastrand::Rng::with_seed(seed ^ (place << 32) ^ u64::from(lane)),
                };
                tasks.spawn(lane.run(stopped.clone()));
            }
        }
        Self { ledger, acknowledged, stop, outages, lanes: tasks }
    }

    /// Whatever is under way now stays unknown, also if an answer still comes: the machine that would give it has lost
    /// its power.
    pub fn lose_answers(&self) {
        self.outages.send_modify(|count| *count += 1);
    }

    /// Waits until `more` further requests have been acknowledged, counted from now.
    ///
    /// # Errors
    /// When they are not within `limit`.
    pub async fn acknowledged(&mut self, more: u64, limit: Duration) -> Result<(), String> {
        let goal = *self.acknowledged.borrow() + more;
        match tokio::time::timeout(limit, self.acknowledged.wait_for(|&count| count >= goal)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err("every producer has ended".to_owned()),
            Err(_) => Err(format!("waited {limit:?} in vain for {more} acknowledgements")),
        }
    }

    /// Lets every lane finish its request and gives the ledger back.
    ///
    /// # Panics
    /// When a lane panicked or does not end.
    pub async fn stop(mut self) -> Ledger {
        self.stop.send_replace(true);
        let ending = async {
            while let Some(ended) = self.lanes.join_next().await {
                ended.expect("no producer panics");
            }
        };
        tokio::time::timeout(STOP_LIMIT, ending).await.expect("producers end after their request");
        self.ledger.lock().expect("no producer panics").clone()
    }
}

struct Lane {
    client: Client,
    stream: String,
    lane: u32,
    ledger: Arc<Mutex<Ledger>>,
    /// Acknowledged requests of all lanes.
    acknowledged: Arc<watch::Sender<u64>>,
    /// Changes when answers to requests under way do not count any more.
    outage: watch::Receiver<u64>,
    rng: fastrand::Rng,
}

impl Lane {
    async fn run(mut self, stopped: watch::Receiver<bool>) {
        let mut connection = None;
        let mut knock = tokio::time::interval(KNOCK);
        while !*stopped.borrow() {
            let Some(open) = connection.as_mut() else {
                knock.tick().await;
                connection = self.client.connect().await.ok();
                continue;
            };
            if !self.put(open).await {
                connection = None;
            }
        }
    }

    /// Sends one batch; false when the connection is of no more use.
    async fn put(&mut self, connection: &mut Connection) -> bool {
        let count = if self.rng.u8(..) < 128 { self.rng.u64(1..=12) } else { self.rng.u64(1..=300) };
        let numbers = self.with_ledger(|ledger, lane| ledger.send(&lane.stream, lane.lane, count));
        let id = |number| Id { stream: self.stream.clone(), lane: self.lane, number };
        let records: Vec<Vec<u8>> = numbers.clone().map(|number| record(&id(number))).collect();
        let payload = Payload::put_record_batch(&self.stream, records.iter().map(Vec::as_slice));
        let outage = *self.outage.borrow();
        let answer = connection.call("PutRecordBatch", &payload).await;
        if *self.outage.borrow() != outage {
            return false;
        }
        let states = states_of(&answer, records.len());
        self.with_ledger(|ledger, lane| {
            for (number, &state) in numbers.zip(&states).filter(|(_, state)| **state != State::Unknown) {
                ledger.answer(&lane.stream, lane.lane, number, state);
            }
        });
        if states.contains(&State::Acked) {
            self.acknowledged.send_modify(|count| *count += 1);
        }
        answer.is_ok_and(|answer| answer.status == StatusCode::OK)
    }

    fn with_ledger<T>(&self, work: impl FnOnce(&mut Ledger, &Self) -> T) -> T {
        work(&mut self.ledger.lock().expect("no producer panics"), self)
    }
}

/// What one answer says about each record of its request.
///
/// A 4xx promises that nothing was stored. A 5xx is an outcome that nobody knows.
fn states_of(answer: &Result<Answer, CallError>, count: usize) -> Vec<State> {
    let Ok(answer) = answer else { return vec![State::Unknown; count] };
    if answer.status.is_client_error() {
        return vec![State::Refused; count];
    }
    let json = answer.json();
    let entries = json.get("RequestResponses").and_then(|entries| entries.as_array());
    match entries {
        Some(entries) if answer.status == StatusCode::OK => {
            assert_eq!(entries.len(), count, "an answer has one entry per record");
            let state = |entry: &serde_json::Value| {
                if entry.get("RecordId").is_some() { State::Acked } else { State::Refused }
            };
            entries.iter().map(state).collect()
        }
        _ => vec![State::Unknown; count],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Answer, CallError> {
        Ok(Answer { status: StatusCode::from_u16(status).unwrap(), body: body.to_owned().into() })
    }

    #[test]
    fn only_a_record_id_is_an_acknowledgement() {
        let mixed =
            r#"{"FailedPutCount":1,"RequestResponses":[{"RecordId":"a"},{"ErrorCode":"x","ErrorMessage":"y"}]}"#;
        assert_eq!(states_of(&answer(200, mixed), 2), [State::Acked, State::Refused]);
        assert_eq!(states_of(&answer(200, "{"), 2), [State::Unknown; 2]);
        assert_eq!(states_of(&answer(503, "{}"), 1), [State::Unknown]);
        assert_eq!(states_of(&answer(400, "{}"), 1), [State::Refused]);
        assert_eq!(states_of(&Err(CallError::NoAnswer), 1), [State::Unknown]);
    }
}
