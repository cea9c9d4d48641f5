//! From a checked definition to the destination that it names. Refuses to know anything of a destination but how it is made.

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::definition::{Definition, OpenSearch, Target};
use crate::record::StreamId;

use super::client::Client;
use super::opensearch::{Authentication, OpenSearchDestination, OthersLogin, SearchLogin, Signing};
use super::redshift::{self, RedshiftDestination};
use super::{
    Connector, DeliveryError, Destination, HttpEndpointDestination, Outlet, Secrets, SplunkDestination, Verdict,
};

/// Opens the destinations of this host.
#[derive(Debug)]
pub struct Outlets {
    /// The way to addresses that tenants name.
    pub client: Arc<Client>,
    /// What destinations log in with.
    pub secrets: Secrets,
    /// How to log in at search endpoints.
    pub search_logins: Vec<SearchLogin>,
    /// What requests to Amazon's services are signed with.
    pub signing: Signing,
    /// Where objects and manifests for Redshift are staged.
    pub staging: Arc<dyn Destination>,
    /// Least wait before a batch is loaded into Redshift again.
    pub redshift_retry: Duration,
    /// Whether connections without TLS are made.
    pub plaintext: bool,
    /// Certificates trusted beside the system's roots, PEM.
    pub ca_pem: Option<Vec<u8>>,
}

impl Outlets {
    /// The destination of a stream that delivers to Redshift; none of another.
    ///
    /// # Errors
    /// It cannot be reached by what the definition says of it.
    pub fn redshift(
        &self,
        stream: StreamId,
        definition: &Definition,
    ) -> Result<Option<RedshiftDestination>, DeliveryError> {
        let Target::Redshift(redshift) = &definition.target else { return Ok(None) };
        let settings = redshift::Settings {
            retry_interval: self.redshift_retry,
            plaintext: self.plaintext,
            ca_pem: self.ca_pem.clone(),
            ..redshift::Settings::new(redshift.clone(), definition.s3.clone(), stream, &definition.name)
        };
        let (staging, clock) = (Arc::clone(&self.staging), Arc::clone(&self.signing.clock));
        let (client, secrets) = (Client::clone(&self.client), self.secrets.clone());
        let made = RedshiftDestination::new(settings, staging, client, secrets, clock);
        made.map(Some).map_err(|error| unusable(error.to_string()))
    }
}

impl Connector for Outlets {
    fn check(&self, definition: &Definition) -> Result<(), String> {
        let Target::OpenSearch(search) = &definition.target else { return Ok(()) };
        self.authentication(search, definition).map(drop).map_err(|error| format!("{error}."))
    }

    fn connect(&self, stream: StreamId, definition: &Definition) -> Result<Option<Outlet>, DeliveryError> {
        let (arn, client, secrets) = (&definition.arn, Arc::clone(&self.client), self.secrets.clone());
        let outlet = match &definition.target {
            Target::S3 => return Ok(None),
            Target::HttpEndpoint(endpoint) => {
                Outlet::Rows(Arc::new(HttpEndpointDestination::new(endpoint, arn, client, secrets)))
            }
            Target::Splunk(splunk) => Outlet::Rows(Arc::new(SplunkDestination::new(splunk, arn, client, secrets))),
            Target::OpenSearch(search) => {
                let chosen = self.authentication(search, definition);
                let authentication = chosen.map_err(|error| unusable(error.to_string()))?;
                let made = OpenSearchDestination::new(search, arn, definition.created_ms, client, authentication);
                Outlet::Rows(Arc::new(made.map_err(|error| unusable(error.to_string()))?))
            }
            Target::Redshift(_) => match self.redshift(stream, definition)? {
                Some(made) => Outlet::Objects(Arc::new(made)),
                None => return Ok(None),
            },
        };
        Ok(Some(outlet))
    }
}

impl Outlets {
    fn authentication(&self, search: &OpenSearch, definition: &Definition) -> Result<Authentication, OthersLogin> {
        Authentication::choose(search, &definition.account_id, &self.search_logins, &self.signing)
    }
}

fn unusable(text: String) -> DeliveryError {
    DeliveryError { verdict: Verdict::Stop, code: "InvalidEndpoint", text, source: None }
}

/// The AWS SDK's own chain of credentials. None are looked up before they are needed, so a host starts without network.
pub async fn identity(region: &str) -> Option<SharedCredentialsProvider> {
    let tls = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
    let loader = aws_config::defaults(BehaviorVersion::latest());
    let loaded = loader.region(Region::new(region.to_owned())).http_client(tls.build_https()).load().await;
    loaded.credentials_provider()
}
