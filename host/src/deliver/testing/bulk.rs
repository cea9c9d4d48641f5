//! A destination of rows in memory that refuses, postpones and fails on command.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Notify;

use crate::definition::Definition;
use crate::deliver::{Connector, DeliveryError, Destination, Outlet, Postponed, Receipt, Refused, Verdict};
use crate::record::{Documents, Sequence, StreamId};

/// Keeps rows by what names them.
#[derive(Clone, Debug, Default)]
pub struct Bulk {
    inner: Arc<Mutex<Inner>>,
    hanging: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Inner {
    rows: BTreeMap<(Sequence, u32), Vec<u8>>,
    deliveries: Vec<usize>,
    /// Whole attempts that fail.
    failures: usize,
    /// The next attempt takes everything and fails all the same.
    loses_answer: bool,
    /// The next attempt is not answered.
    hangs: bool,
    /// Rows that are never taken.
    refused: BTreeSet<Sequence>,
    /// Rows that are taken later: how often they are put off.
    postponed: BTreeMap<Sequence, usize>,
}

impl Bulk {
    /// Fails this many attempts from now on as a whole.
    pub fn fail_next(&self, count: usize) {
        self.lock().failures = count;
    }

    /// Never takes what came of this record.
    pub fn refuse(&self, sequence: Sequence) {
        self.lock().refused.insert(sequence);
    }

    /// Takes what came of this record only after so many attempts.
    pub fn postpone(&self, sequence: Sequence, times: usize) {
        self.lock().postponed.insert(sequence, times);
    }

    /// Takes what the next attempt brings, and fails it all the same.
    pub fn lose_next_answer(&self) {
        self.lock().loses_answer = true;
    }

    /// Never answers the next attempt.
    pub fn hang_next(&self) {
        self.lock().hangs = true;
    }

    /// Resolves once an attempt hangs; each that does resolves it once.
    pub async fn hanging(&self) {
        self.hanging.notified().await;
    }

    /// Everything taken, by sequence number and ordinal.
    pub fn rows(&self) -> BTreeMap<(Sequence, u32), Vec<u8>> {
        self.lock().rows.clone()
    }

    /// Number of rows of each attempt so far.
    pub fn deliveries(&self) -> Vec<usize> {
        self.lock().deliveries.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn take(&mut self, batch: &Documents) -> Result<Receipt, DeliveryError> {
        let failed = || {
            let text = "failed on command".to_owned();
            DeliveryError { verdict: Verdict::Retry(None), code: "Test.Failed", text, source: None }
        };
        self.deliveries.push(batch.rows.len());
        if self.failures > 0 {
            self.failures -= 1;
            return Err(failed());
        }
        let mut receipt = Receipt::default();
        for at in 0..batch.rows.len() {
            let (sequence, ordinal) = (batch.rows.sequences[at], batch.rows.ordinals[at]);
            let put_off = self.postponed.get_mut(&sequence).filter(|left| **left > 0);
            if let Some(left) = put_off {
                *left -= 1;
                receipt.again.push(Postponed { at, code: "429".into(), message: "put off on command".into() });
            } else if self.refused.contains(&sequence) {
                receipt.refused.push(Refused { at, code: "400".into(), message: "refused on command".to_owned() });
            } else {
                let row = batch.rows.records.record(at).to_vec();
                self.rows.insert((sequence, ordinal), row);
            }
        }
        if std::mem::take(&mut self.loses_answer) { Err(failed()) } else { Ok(receipt) }
    }
}

#[async_trait]
impl Destination<Documents> for Bulk {
    async fn deliver(&self, batch: &Documents) -> Result<Receipt, DeliveryError> {
        if std::mem::take(&mut self.lock().hangs) {
            self.hanging.notify_one();
            std::future::pending::<()>().await;
        }
        self.lock().take(batch)
    }

    fn names_of(&self, batch: &Documents, at: usize) -> Vec<(&'static str, Value)> {
        vec![("esDocumentId", batch.rows.place(at).into())]
    }
}

impl Connector for Bulk {
    fn connect(&self, _stream: StreamId, definition: &Definition) -> Result<Option<Outlet>, DeliveryError> {
        Ok(definition.delivers_rows().then(|| Outlet::Rows(Arc::new(self.clone()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::testing::{Bench, DoesNotApply, Expected, Trouble, conformance, counted, rows};

    struct Desk(Bulk);

    #[async_trait(?Send)]
    impl Bench for Desk {
        type Batch = Documents;

        fn open(&self) -> Arc<dyn Destination<Documents>> {
            Arc::new(self.0.clone())
        }

        fn batch(&self, number: u32) -> Documents {
            rows(number)
        }

        async fn misbehave(&self, trouble: Trouble, number: u32) -> Result<Expected, DoesNotApply> {
            let sequences = rows(number).rows.sequences;
            Ok(match trouble {
                Trouble::FailBefore => {
                    self.0.fail_next(1);
                    Expected::Retry("Test.Failed")
                }
                Trouble::CutAfter => {
                    self.0.lose_next_answer();
                    Expected::Retry("Test.Failed")
                }
                Trouble::RefuseOne(at) => {
                    self.0.refuse(sequences[at]);
                    Expected::Refused("400")
                }
                Trouble::PutOffOne(at) => {
                    self.0.postpone(sequences[at], 1);
                    Expected::PutOff("429")
                }
                Trouble::RefuseAll => {
                    sequences.into_iter().for_each(|sequence| self.0.refuse(sequence));
                    Expected::Refused("400")
                }
                Trouble::Hang => {
                    self.0.hang_next();
                    Expected::NoAnswer
                }
                Trouble::RefuseLogin => return Err(DoesNotApply { because: "nobody logs in to memory" }),
            })
        }

        async fn mend(&self) {
            self.0.lock().refused.clear();
        }

        async fn hanging(&self) {
            self.0.hanging().await;
        }

        async fn stored(&self, number: u32) -> Vec<usize> {
            let rows = self.0.rows();
            counted(number, rows.values().map(Vec::as_slice))
        }
    }

    #[tokio::test]
    async fn conformance_of_bulk() {
        let report = conformance(&Desk(Bulk::default())).await.unwrap();
        assert_eq!(report.left_out(), [Trouble::RefuseLogin]);
    }
}
