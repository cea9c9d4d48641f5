//! The product as one value: opens everything that the settings name, in order, and stops it in reverse.
//!
//! Refuses to know what any part does; `pipeline` joins the stages, this joins the pipeline with its doors.

mod dead_letter;
mod plugins;
mod recopies;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::admin::{self, Admin, Health};
use crate::api;
use crate::batch::name;
use crate::cli::{Host, Journals, PluginLimits};
use crate::config::{self, Overflow, S3Endpoint, Settings};
use crate::convert;
use crate::deliver::client::Client;
use crate::deliver::{self, Policy, opensearch};
use crate::journal::{self, Journal, inspect};
use crate::pipeline::{Partitions, Parts, Pipeline, Stopped};
use crate::process::{self, PluginHost, plugin};
use crate::runtime::{Clock, Random, SystemClock};
use crate::spool::Spool;
use crate::telemetry::Telemetry;

use dead_letter::FailuresOf;
use plugins::PluginDoor;
use recopies::RecopyDesk;

/// Folder of the journal below `data_dir`.
const JOURNAL: &str = "journal";

/// The running product.
#[derive(Debug)]
pub struct App {
    pipeline: Arc<Pipeline>,
    health: Health,
    api: Door,
    admin: Admin,
    embedded: Option<Arc<deliver::Embedded>>,
    grace: std::time::Duration,
}

/// A listener with its server.
#[derive(Debug)]
struct Door {
    address: SocketAddr,
    close: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Door {
    async fn close(self) {
        if self.close.send(()).is_err() {
            tracing::warn!(address = %self.address, "a server had already stopped");
        }
        if let Err(error) = self.server.await {
            tracing::error!(%error, address = %self.address, "a server panicked");
        }
    }
}

async fn listen(address: SocketAddr, what: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} ({what})"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

impl Host for App {
    async fn start(settings: Settings) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random = Arc::new(Random::from_system());
        let telemetry = Telemetry::new();
        let health = Health::starting();
        let (door, failures) = (admin::Door::default(), admin::FailureDoor::default());
        let recopies = admin::RecopyDoor::default();
        let admin = Admin::start(
            settings.admin.listen,
            Arc::clone(&telemetry),
            health.clone(),
            Arc::clone(&door),
            Arc::clone(&failures),
            Arc::clone(&recopies),
        )
        .await?;
        let (api_listener, api_address) = listen(settings.api.listen, "api.listen").await?;
        let (journal, recovered) = open_journal(&settings, &clock, &random, &telemetry).await?;
        let plugins = PluginHost::start(plugin_settings(&settings), Arc::clone(&telemetry), Arc::clone(&clock))?;
        // Before any stream runs, the journal alone says what a replay may ask for.
        if let Err(error) = plugins.retain(&recovered.plugin_digests()) {
            tracing::warn!(%error, "old plugin versions stay in the data directory");
        }
        let delivery = deliver::build(delivery_settings(&settings)?, Policy::default(), Arc::clone(&random)).await?;
        let outlets = Arc::new(outlets(&settings, Arc::clone(&delivery.destination), &clock).await?);
        let pipeline = Arc::new(Pipeline::start(Parts {
            journal,
            recovered,
            plugins: Arc::clone(&plugins),
            destination: Arc::clone(&delivery.destination),
            catalog: catalog(&settings).await?,
            connector: Arc::clone(&outlets) as Arc<dyn deliver::Connector>,
            memory_bytes: usize::try_from(settings.memory.budget_bytes).unwrap_or(usize::MAX),
            spool: Spool::open(&settings.data_dir.join(SPOOL), SPOOL_BYTES)?,
            partitions: partitions(&settings),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            telemetry: Arc::clone(&telemetry),
        }));
        let api = {
            let (close, closed) = oneshot::channel();
            let backend = Arc::new(pipeline.backend());
            let settings = api_settings(&settings);
            let server =
                tokio::spawn(api::serve(api_listener, settings, backend, clock, random, async { drop(closed.await) }));
            Door { address: api_address, close, server }
        };
        // Set once, here.
        failures.set(Arc::new(FailuresOf(pipeline.dead_letters(delivery.look)))).ok();
        recopies.set(Arc::new(RecopyDesk::new(outlets, delivery.shelf, Arc::clone(&pipeline)))).ok();
        door.set(Arc::new(PluginDoor::new(plugins, Arc::clone(&pipeline)))).ok();
        show_held(pipeline.held(), health.clone());
        health.clear("start");
        Ok(Self { pipeline, health, api, admin, embedded: delivery.embedded, grace: settings.shutdown.grace })
    }

    fn api_address(&self) -> SocketAddr {
        self.api.address
    }

    fn admin_address(&self) -> SocketAddr {
        self.admin.address()
    }

    fn s3_address(&self) -> Option<SocketAddr> {
        self.embedded.as_ref().map(|server| server.address())
    }

    async fn ensure_bucket(&self, bucket: &str) -> anyhow::Result<()> {
        let embedded = self.embedded.as_ref().context("there is no embedded S3 server")?;
        Ok(embedded.ensure_bucket(bucket).await?)
    }

    async fn broken(&self) -> anyhow::Error {
        let reason = self.pipeline.failed().await;
        self.health.hold("host", &reason);
        anyhow::anyhow!(reason)
    }

    async fn drained(self) -> anyhow::Result<()> {
        self.health.hold("stop", "stopping");
        self.api.close().await;
        let stopped = self.pipeline.stop(self.grace).await;
        drop(self.admin);
        match stopped {
            Stopped::Drained => Ok(()),
            Stopped::Undelivered => Err(anyhow::anyhow!("time ran out before everything was delivered")),
        }
    }
}

impl Journals for App {
    fn inspect(data_dir: &Path) -> anyhow::Result<impl serde::Serialize + std::fmt::Display> {
        Ok(inspect::inspect(&data_dir.join(JOURNAL))?)
    }

    fn verify(data_dir: &Path) -> anyhow::Result<(impl serde::Serialize + std::fmt::Display, bool)> {
        let found = inspect::verify(&data_dir.join(JOURNAL))?;
        let whole = found.is_intact();
        Ok((found, whole))
    }
}

impl PluginLimits for App {
    fn plugin_limits(configured: Option<&config::Plugins>) -> plugin::Limits {
        let Some(configured) = configured else { return plugin::Limits::default() };
        plugin::Limits {
            memory_bytes: usize::try_from(configured.memory_bytes).unwrap_or(usize::MAX),
            deadline: configured.deadline,
            output_bytes: usize::try_from(configured.output_bytes).unwrap_or(usize::MAX),
            log_bytes: usize::try_from(configured.log_bytes).unwrap_or(usize::MAX),
            compile: configured.compile,
            compile_memory_bytes: configured.compile_memory_bytes,
            ..plugin::Limits::default()
        }
    }
}

async fn open_journal(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    random: &Arc<Random>,
    telemetry: &Telemetry,
) -> anyhow::Result<(Journal, journal::Recovered)> {
    let directory = settings.data_dir.join(JOURNAL);
    let storage = journal::Disk::new(directory);
    let limits = journal::Settings {
        segment_bytes: settings.journal.segment_bytes,
        capacity_bytes: settings.journal.capacity_bytes,
        cache_bytes: settings.journal.cache_bytes,
        ..journal::Settings::default()
    };
    let (clock, random, metrics) = (Arc::clone(clock), Arc::clone(random), telemetry.journal.clone());
    // Recovery reads whole segments; it must not hold a thread that serves sockets.
    let opened = tokio::task::spawn_blocking(move || Journal::open(limits, Arc::new(storage), clock, random, metrics));
    let (journal, recovered) = opened.await??;
    for damaged in &recovered.quarantined {
        tracing::error!(
            segment = damaged.segment,
            offset = damaged.offset,
            bytes = damaged.bytes,
            "journal_corruption: a damaged range is set aside"
        );
    }
    for lost in &recovered.lost {
        tracing::error!(stream = %lost.stream, first = lost.first, end = lost.end, "journal_corruption: records cannot be read");
    }
    tracing::info!(
        streams = recovered.streams.len(),
        segments = recovered.segment_count,
        bytes = recovered.scanned_bytes,
        cut_bytes = recovered.cut_bytes,
        clean = recovered.is_clean,
        "journal opened"
    );
    Ok((journal, recovered))
}

/// This program, even after its file was replaced by another release; where there is no such name, the process itself
/// compiles.
const OWN_PROGRAM: &str = "/proc/self/exe";

fn partitions(settings: &Settings) -> Partitions {
    Partitions {
        most_active: usize::try_from(settings.partitions.active_count).unwrap_or(usize::MAX),
        refuses: settings.partitions.overflow == Overflow::Refuse,
    }
}

fn plugin_settings(settings: &Settings) -> plugin::Settings {
    let limits = App::plugin_limits(Some(&settings.plugins));
    let store_dir = settings.data_dir.join("plugins");
    plugin::Settings {
        limits,
        compiled_dir: Some(store_dir.join("compiled")),
        compiler: Some(OWN_PROGRAM.into()).filter(|program: &std::path::PathBuf| program.exists()),
        plugin_settings: settings.plugins.settings.clone(),
        grants: grants(settings),
        double_run: Some(settings.plugins.double_run).filter(|every| !every.is_zero()),
        canary_period: settings.plugins.canary_period,
        trial_records: usize::try_from(settings.plugins.trial_records).unwrap_or(usize::MAX),
        ..plugin::Settings::new(settings.plugin_dir.clone(), store_dir)
    }
}

fn grants(settings: &Settings) -> BTreeMap<String, BTreeSet<plugin::Capability>> {
    let capability = |one: &config::Capability| match one {
        config::Capability::Environment => plugin::Capability::Environment,
    };
    let grants = settings.plugins.grants.iter();
    grants.map(|(name, granted)| (name.clone(), granted.iter().map(capability).collect())).collect()
}

fn delivery_settings(settings: &Settings) -> anyhow::Result<deliver::Settings> {
    let endpoint = match &settings.s3.endpoint {
        S3Endpoint::Embedded => {
            deliver::Endpoint::Embedded { directory: settings.data_dir.join("s3"), listen: settings.s3.listen }
        }
        S3Endpoint::Url(url) => deliver::Endpoint::Url(url.clone()),
        S3Endpoint::Aws => deliver::Endpoint::Aws,
    };
    let roots_pem = ca_pem(settings)?;
    let part_bytes = usize::try_from(settings.s3.part_bytes).unwrap_or(usize::MAX);
    Ok(deliver::Settings {
        path_style: settings.s3.path_style,
        // The operator chose this endpoint; egress rules are for addresses that tenants name.
        plaintext: true,
        roots_pem,
        attempt_timeout: settings.s3.timeout,
        multipart_threshold_bytes: part_bytes.saturating_add(1),
        part_bytes,
        bucket_owner_full_control: settings.s3.bucket_owner_full_control,
        ..deliver::Settings::new(endpoint, &settings.region)
    })
}

fn api_settings(settings: &Settings) -> api::Settings {
    let authentication = match &settings.api.authentication {
        config::Authentication::None => api::Authentication::None { account_id: settings.account_id.clone() },
        config::Authentication::Sigv4(credentials) => {
            let credential = |one: &config::Credential| api::Credential {
                access_key_id: one.access_key_id.clone(),
                secret: one.secret_access_key.clone(),
                account_id: one.account_id.clone(),
            };
            api::Authentication::Sigv4(credentials.iter().map(credential).collect())
        }
    };
    api::Settings {
        authentication,
        region: settings.region.clone(),
        stream_quota: STREAM_QUOTA,
        names: api::NameRules {
            prefix: |text, place, is_partitioned| {
                let place = if place == api::PrefixPlace::Data { name::Place::Data } else { name::Place::Error };
                name::Prefix::parse(text, place, is_partitioned).map(drop).map_err(|error| error.to_string())
            },
            destination: |destination, is_partitioned| {
                name::check(destination, is_partitioned).map(drop).map_err(|error| error.to_string())
            },
            partitioning: |destination, event_key| {
                name::partitioning(destination, event_key).map_err(|error| error.to_string())
            },
            time_zone: |zone| name::time_zone(zone).is_ok(),
        },
        check_query: process::check_query,
        plaintext: settings.egress.plaintext,
        limits: api::Limits::default(),
    }
}

/// What opens the destinations that tenants name.
async fn outlets(
    settings: &Settings,
    staging: Arc<dyn deliver::Destination>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<deliver::Outlets> {
    let egress = &settings.egress;
    let client = Client::new(deliver::client::Egress {
        allow: egress.allow.iter().map(config::AddressRange::parts).collect(),
        plaintext: egress.plaintext,
        ca_pem: ca_pem(settings)?,
        resolve: egress.resolve.clone(),
    })?;
    let login = |credential: &config::SearchCredential| opensearch::SearchLogin {
        endpoint: credential.endpoint.clone(),
        account_id: credential.account_id.clone(),
        user: match &credential.access {
            config::SearchAccess::Basic { username, password } => {
                Some(opensearch::Basic { username: username.clone(), password: password.clone() })
            }
            config::SearchAccess::Sigv4 => None,
        },
    };
    let provider = deliver::identity(&settings.region).await.context("the AWS SDK has no chain of credentials")?;
    Ok(deliver::Outlets {
        client: Arc::new(client),
        secrets: deliver::Secrets::new(settings.secrets.dir.clone()),
        search_logins: settings.opensearch.credentials.iter().map(login).collect(),
        staging,
        redshift_retry: settings.redshift.retry,
        plaintext: egress.plaintext,
        ca_pem: ca_pem(settings)?,
        signing: opensearch::Signing { provider, region: settings.region.clone(), clock: Arc::clone(clock) },
    })
}

/// Has readiness name the streams that are held, for as long as there is a pipeline.
fn show_held(mut held: watch::Receiver<Vec<String>>, health: Health) {
    tokio::spawn(async move {
        while held.changed().await.is_ok() {
            let streams = held.borrow_and_update().clone();
            health.show_held(streams);
        }
    });
}

/// Where tables of format conversion are looked up.
async fn catalog(settings: &Settings) -> anyhow::Result<Option<convert::Catalog>> {
    Ok(match &settings.catalog {
        None => None,
        Some(config::Catalog::Directory(folder)) => Some(convert::Catalog::Directory(folder.clone())),
        Some(config::Catalog::Endpoint(endpoint)) => {
            let provider =
                deliver::identity(&settings.region).await.context("the AWS SDK has no chain of credentials")?;
            Some(convert::Catalog::Glue(convert::Glue::new(endpoint, provider)))
        }
    })
}

/// Certificates trusted beside the system's roots.
fn ca_pem(settings: &Settings) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(file) = &settings.egress.ca_file else { return Ok(None) };
    let pem = std::fs::read(file).with_context(|| format!("cannot read egress.ca_file {}", file.display()))?;
    Ok(Some(pem))
}

/// Folder of the spool below `data_dir`.
const SPOOL: &str = "spool";

/// Most bytes in the spool: what 500 partitions of 128 MiB may hold on average half full.
const SPOOL_BYTES: u64 = 32 << 30;

/// Streams per account: Firehose's own quota in its large regions.
const STREAM_QUOTA: usize = 5_000;
