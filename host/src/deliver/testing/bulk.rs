//! A destination of rows in memory that refuses, postpones and fails on command.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::definition::Definition;
use crate::deliver::{Connector, DeliveryError, Destination, Outlet, Postponed, Receipt, Refused, Verdict};
use crate::record::{Documents, Sequence, StreamId};

/// Keeps rows by what names them.
#[derive(Clone, Debug, Default)]
pub struct Bulk(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    rows: BTreeMap<(Sequence, u32), Vec<u8>>,
    deliveries: Vec<usize>,
    /// Whole attempts that fail.
    failures: usize,
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

    /// Everything taken, by sequence number and ordinal.
    pub fn rows(&self) -> BTreeMap<(Sequence, u32), Vec<u8>> {
        self.lock().rows.clone()
    }

    /// Number of rows of each attempt so far.
    pub fn deliveries(&self) -> Vec<usize> {
        self.lock().deliveries.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Destination<Documents> for Bulk {
    async fn deliver(&self, batch: &Documents) -> Result<Receipt, DeliveryError> {
        let mut inner = self.lock();
        inner.deliveries.push(batch.rows.len());
        if inner.failures > 0 {
            inner.failures -= 1;
            let text = "failed on command".to_owned();
            return Err(DeliveryError { verdict: Verdict::Retry(None), code: "Test.Failed", text, source: None });
        }
        let mut receipt = Receipt::default();
        for at in 0..batch.rows.len() {
            let (sequence, ordinal) = (batch.rows.sequences[at], batch.rows.ordinals[at]);
            let put_off = inner.postponed.get_mut(&sequence).filter(|left| **left > 0);
            if let Some(left) = put_off {
                *left -= 1;
                receipt.again.push(Postponed { at, code: "429".into(), message: "put off on command".into() });
            } else if inner.refused.contains(&sequence) {
                receipt.refused.push(Refused { at, code: "400".into(), message: "refused on command".to_owned() });
            } else {
                let row = batch.rows.records.record(at).to_vec();
                inner.rows.insert((sequence, ordinal), row);
            }
        }
        Ok(receipt)
    }

    fn names_of(&self, batch: &Documents, at: usize) -> Vec<(&'static str, String)> {
        vec![("esDocumentId", format!("{}.{}", batch.rows.sequences[at], batch.rows.ordinals[at]))]
    }
}

impl Connector for Bulk {
    fn connect(&self, _stream: StreamId, definition: &Definition) -> Result<Option<Outlet>, DeliveryError> {
        Ok(definition.delivers_rows().then(|| Outlet::Rows(Arc::new(self.clone()))))
    }
}
