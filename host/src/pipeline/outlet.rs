//! The destination of a stream's own records, opened when it is first needed and again when its definition changed; and
//! what its deliveries share: the gates of its places, a shelf in the spool, the making of batches again.
//!
//! Every attempt asks here, so that a repaired address or key helps what already waits. Refuses to deliver.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::definition::Definition;
use crate::deliver::{Connector, DeliveryError, Outlet};
use crate::record::StreamId;
use crate::telemetry::{DeliveryState, Place, StreamMetrics};

use super::Context;
use super::gate::Gate;
use super::gather::Gathering;
use super::parcel::Shelf;

/// One stream's outlet, shared by its deliveries.
#[derive(Debug)]
pub(crate) struct Outlets {
    connector: Arc<dyn Connector>,
    stream: StreamId,
    definition: watch::Receiver<Arc<Definition>>,
    open: Mutex<Option<(u32, Option<Outlet>)>>,
    /// In the order of [`Place::ALL`].
    gates: [Arc<Gate>; Place::ALL.len()],
    shelf: Shelf,
    gathering: Gathering,
}

impl Outlets {
    pub(crate) fn new(
        context: &Context,
        stream: StreamId,
        definition: watch::Receiver<Arc<Definition>>,
        metrics: &StreamMetrics,
    ) -> Self {
        let gate = |place| Gate::new(context.backoff, Arc::clone(&context.random), metrics.gates.of(place));
        Self {
            connector: Arc::clone(&context.connector),
            stream,
            definition,
            open: Mutex::default(),
            gates: Place::ALL.map(gate),
            shelf: context.shelf(),
            gathering: Gathering::new(metrics.clone()),
        }
    }

    /// The gate of a place.
    pub(crate) fn gate(&self, place: Place) -> &Arc<Gate> {
        let [destination, backup, source] = &self.gates;
        match place {
            Place::Destination => destination,
            Place::Backup => backup,
            Place::Source => source,
        }
    }

    /// Where what nobody else takes is stored: the bucket that is the destination, or the one behind it.
    pub(crate) fn last_resort(&self) -> Place {
        if self.definition().target.is_s3() { Place::Destination } else { Place::Backup }
    }

    /// How deliveries fare.
    pub(crate) fn state(&self) -> DeliveryState {
        let is_tripped = |place| self.gate(place).is_tripped();
        if is_tripped(self.last_resort()) || is_tripped(Place::Source) {
            DeliveryState::Held
        } else if is_tripped(Place::Destination) {
            DeliveryState::Retrying
        } else {
            DeliveryState::Delivering
        }
    }

    /// Where batches wait for a place that is away.
    pub(crate) fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Makes batches again.
    pub(crate) fn gathering(&self) -> &Gathering {
        &self.gathering
    }

    /// The definition in force.
    pub(crate) fn definition(&self) -> Arc<Definition> {
        Arc::clone(&self.definition.borrow())
    }

    /// The outlet of the definition in force; none when S3 is all there is.
    pub(crate) fn current(&self) -> Result<Option<Outlet>, DeliveryError> {
        let definition = self.definition();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((version, outlet)) = &*open
            && *version == definition.version
        {
            return Ok(outlet.clone());
        }
        let outlet = self.connector.connect(self.stream, &definition)?;
        *open = Some((definition.version, outlet.clone()));
        Ok(outlet)
    }
}
