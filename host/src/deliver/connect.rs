//! From a checked definition to the destination that it names. Refuses to know anything of a destination but how it is made.

use crate::definition::{Definition, Target};

use super::{Connector, DeliveryError, Outlet, Verdict};

/// Opens the destinations of this host.
#[derive(Debug, Default)]
pub struct Outlets {}

impl Connector for Outlets {
    fn connect(&self, definition: &Definition) -> Result<Option<Outlet>, DeliveryError> {
        let kind = match &definition.target {
            Target::S3 => return Ok(None),
            Target::OpenSearch(_) => "OpenSearch",
            Target::Redshift(_) => "Redshift",
            Target::HttpEndpoint(_) => "HTTP endpoints",
            Target::Splunk(_) => "Splunk",
        };
        let text = format!("{kind} is not offered by this host");
        Err(DeliveryError { verdict: Verdict::Stop, code: "InternalError", text, source: None })
    }
}
