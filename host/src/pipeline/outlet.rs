//! The destination of a stream's own records, opened when it is first needed and again when its definition changed.
//!
//! Every attempt asks here, so that a repaired address or key helps what already waits. Refuses to deliver.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::definition::Definition;
use crate::deliver::{Connector, DeliveryError, Outlet};
use crate::record::StreamId;

/// One stream's outlet, shared by its deliveries.
#[derive(Debug)]
pub(crate) struct Outlets {
    connector: Arc<dyn Connector>,
    stream: StreamId,
    definition: watch::Receiver<Arc<Definition>>,
    open: Mutex<Option<(u32, Option<Outlet>)>>,
}

impl Outlets {
    pub(crate) fn new(
        connector: Arc<dyn Connector>,
        stream: StreamId,
        definition: watch::Receiver<Arc<Definition>>,
    ) -> Self {
        Self { connector, stream, definition, open: Mutex::default() }
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
