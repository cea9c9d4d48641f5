//! From a checked definition to the destination that it names. Refuses to know anything of a destination but how it is made.

use std::sync::Arc;

use crate::definition::{Definition, Target};

use super::client::Client;
use super::{Connector, DeliveryError, HttpEndpointDestination, Outlet, Secrets, SplunkDestination, Verdict};

/// Opens the destinations of this host.
#[derive(Debug)]
pub struct Outlets {
    client: Arc<Client>,
    secrets: Secrets,
}

impl Outlets {
    /// Connects through `client`, and logs in with what streams were given or what lies in `secrets`.
    pub fn new(client: Arc<Client>, secrets: Secrets) -> Self {
        Self { client, secrets }
    }
}

impl Connector for Outlets {
    fn connect(&self, definition: &Definition) -> Result<Option<Outlet>, DeliveryError> {
        let (client, secrets) = (Arc::clone(&self.client), self.secrets.clone());
        let rows: Outlet = match &definition.target {
            Target::S3 => return Ok(None),
            Target::HttpEndpoint(endpoint) => {
                Outlet::Rows(Arc::new(HttpEndpointDestination::new(endpoint, &definition.arn, client, secrets)))
            }
            Target::Splunk(splunk) => {
                Outlet::Rows(Arc::new(SplunkDestination::new(splunk, &definition.arn, client, secrets)))
            }
            Target::OpenSearch(_) => return Err(not_offered("OpenSearch")),
            Target::Redshift(_) => return Err(not_offered("Redshift")),
        };
        Ok(Some(rows))
    }
}

fn not_offered(kind: &str) -> DeliveryError {
    let text = format!("{kind} is not offered by this host");
    DeliveryError { verdict: Verdict::Stop, code: "InternalError", text, source: None }
}
