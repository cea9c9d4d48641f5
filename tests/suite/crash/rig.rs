//! A host that delivers to everything there is, and the peers it delivers to: an S3 server, an OpenSearch node behind a
//! proxy that loses answers, a PostgreSQL behind the stand-in for Redshift, and an HTTP endpoint.
//!
//! Refuses to decide what fails when; the cycles do.

use hydrant_tests::client::{BUCKET, Client, through_plugin};
use hydrant_tests::evidence::{Id, level_of};
use hydrant_tests::host::{Host, Setup, TEST_TABLES, plugin};
use hydrant_tests::peers::{
    Authority, DATABASE, HttpEndpointReceiver, PASSWORD, Proxy, Redshift, S3Peer, SearchNode, USER, versitygw,
};
use serde_json::{Value, json};

use crate::destinations::{add_egress, make_bucket};
use crate::streams;

/// Partitions by a query; its records are kept as they came, too.
pub(super) const KEYED: &str = "keyed";
/// Partitions by a plugin's key and by a query.
pub(super) const LEVELS: &str = "levels";
/// Documents of OpenSearch.
pub(super) const DOCUMENTS: &str = "documents";
/// Rows of Redshift.
pub(super) const ROWS: &str = "rows";
/// Requests to an HTTP endpoint, and everything of them in S3.
pub(super) const POSTS: &str = "posts";

/// All of them.
pub(super) const ALL: [&str; 5] = [KEYED, LEVELS, DOCUMENTS, ROWS, POSTS];

/// Index and table.
pub(super) const INDEX: &str = "crash";
pub(super) const TABLE: &str = "crash";

/// Sets the level as a key, drops level `debug`, fails what is no JSON, adds a member.
const KEYING_PLUGIN: &str = "conformance";
const ROLE: &str = "arn:aws:iam::000000000000:role/tests";
const CLUSTER: &str = "shop.abc123.eu-west-1.redshift.example.com";
/// Records in a row of a lane that share a group, and groups of a lane.
const RUN: u64 = 8;
const GROUPS: u64 = 40;
/// Partitions that are filled at once: a quarter of one stream's must wait, all of the other's have room.
const ACTIVE: u64 = 30;
/// No destination is given up in a test's time.
const RETRY_SECONDS: u32 = 7_200;

/// The host and its peers. The host goes first.
pub(super) struct Rig {
    pub(super) host: Host,
    pub(super) s3: S3Peer,
    pub(super) search: SearchNode,
    pub(super) proxy: Proxy,
    pub(super) cluster: Redshift,
    pub(super) receiver: HttpEndpointReceiver,
}

impl Rig {
    /// Starts the peers, and prepares a host that is not started yet.
    pub(super) async fn prepare(data_dir: Option<std::path::PathBuf>) -> Self {
        let s3 = versitygw();
        make_bucket(&s3).await;
        let search = SearchNode::start(&[]);
        let proxy = Proxy::start(&search.address).await;
        // What is not named is stored and not looked at.
        let mapping = json!({"mappings": {"dynamic": false, "properties": {"amount": {"type": "long"}}}});
        assert_eq!(search.call("PUT", &format!("/{INDEX}"), &mapping.to_string()).await.0, 200);
        let cluster = Redshift::start(&s3).await;
        let columns = "id text, level text, amount bigint, \"check\" text, text text";
        cluster.postgres.sql(&format!("CREATE TABLE {TABLE} ({columns})"));
        let authority = Authority::new();
        let receiver = HttpEndpointReceiver::start(&authority).await;

        let secrets = [("AWS_ACCESS_KEY_ID", s3.access_key_id), ("AWS_SECRET_ACCESS_KEY", s3.secret_access_key)];
        let plugins = [KEYING_PLUGIN, streams::PLUGIN].map(|name| (name.to_owned(), plugin(name)));
        let host = Host::prepare(Setup {
            data_dir,
            s3_endpoint: s3.url(),
            plugins: plugins.to_vec(),
            environment: secrets.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            tables: tables(),
            ..Setup::default()
        });
        let roots = host.folder().join("roots.pem");
        std::fs::write(&roots, authority.pem()).expect("the host's folder is writable");
        let resolve = format!("{{ {CLUSTER:?} = \"127.0.0.1\", {:?} = \"127.0.0.1\" }}", receiver.host());
        add_egress(&host, &format!("ca_file = {roots:?}\nresolve = {resolve}"));
        Self { host, s3, search, proxy, cluster, receiver }
    }

    /// Creates all streams.
    pub(super) async fn create(&self) {
        let client = self.host.client();
        for name in [KEYED, LEVELS] {
            client.create_stream(name, partitioned(name)).await;
        }
        let documents = json!({
            "ClusterEndpoint": self.proxy.url(), "IndexName": INDEX, "IndexRotationPeriod": "NoRotation",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
            "RetryOptions": {"DurationInSeconds": RETRY_SECONDS},
        });
        create(&client, DOCUMENTS, "AmazonopensearchserviceDestinationConfiguration", documents).await;
        let mut processing = through_plugin(streams::PLUGIN);
        processing["Processors"].as_array_mut().expect("a list").push(json!({"Type": "AppendDelimiterToRecord"}));
        let rows = json!({
            "ClusterJDBCURL": format!("jdbc:redshift://{CLUSTER}:{}/{DATABASE}", self.cluster.port()),
            "CopyCommand": {"DataTableName": TABLE, "CopyOptions": "json 'auto'"},
            "Username": USER, "Password": PASSWORD, "RoleARN": self.cluster.role(),
            "RetryOptions": {"DurationInSeconds": RETRY_SECONDS}, "ProcessingConfiguration": processing,
        });
        create(&client, ROWS, "RedshiftDestinationConfiguration", rows).await;
        let posts = json!({
            "EndpointConfiguration": {"Url": self.receiver.url()}, "RequestConfiguration": {"ContentEncoding": "GZIP"},
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}, "S3BackupMode": "AllData",
            "RetryOptions": {"DurationInSeconds": RETRY_SECONDS},
        });
        create(&client, POSTS, "HttpEndpointDestinationConfiguration", posts).await;
    }

    /// Changes the keys of both partitioned streams, which cuts all that they have collected. Where records lie does
    /// not change.
    pub(super) async fn repartition(&self) {
        let client = self.host.client();
        for name in [KEYED, LEVELS] {
            let described = client.expect("DescribeDeliveryStream", &json!({"DeliveryStreamName": name})).await;
            let description = &described["DeliveryStreamDescription"];
            let destination = &description["Destinations"][0];
            let prefix = destination["ExtendedS3DestinationDescription"]["Prefix"].as_str().expect("a prefix");
            let once = prefix_of(name);
            let twice = format!("{once}again=!{{partitionKeyFromQuery:group}}/");
            let input = json!({
                "DeliveryStreamName": name, "CurrentDeliveryStreamVersionId": description["VersionId"],
                "DestinationId": destination["DestinationId"],
                "ExtendedS3DestinationUpdate": {"Prefix": if prefix == once { twice } else { once }},
            });
            client.expect("UpdateDestination", &input).await;
        }
    }
}

fn tables() -> String {
    // As little memory as may be, so that partitions go to the spool, and not all of them at once; a COPY that failed is
    // tried again soon.
    TEST_TABLES.to_owned()
        + "[memory]\nbudget_bytes = 8_388_608\n\n[redshift]\nretry_seconds = 1\n\n"
        + &format!("[partitions]\nactive_count = {ACTIVE}\n\n")
        + &format!("[plugins.settings.{KEYING_PLUGIN}]\nmode = \"edit\"\n")
}

fn s3(name: &str, prefix: String) -> Value {
    json!({
        "RoleARN": ROLE, "BucketARN": format!("arn:aws:s3:::{BUCKET}"), "Prefix": prefix,
        "ErrorOutputPrefix": format!("{name}-errors/!{{firehose:error-output-type}}/"),
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 1},
    })
}

async fn create(client: &Client, name: &str, kind: &str, mut configuration: Value) {
    configuration["S3Configuration"] = s3(name, format!("{name}/"));
    if configuration["RoleARN"].is_null() {
        configuration["RoleARN"] = json!(ROLE);
    }
    if name == ROWS {
        // Redshift has none; its error output lies below the prefix.
        configuration["S3Configuration"].as_object_mut().expect("an object").remove("ErrorOutputPrefix");
    }
    client.expect("CreateDeliveryStream", &json!({"DeliveryStreamName": name, kind: configuration})).await;
}

/// Where a partitioned stream's objects go.
fn prefix_of(name: &str) -> String {
    let level = if name == LEVELS { "level=!{partitionKeyFromLambda:level}/" } else { "" };
    format!("{name}/{level}group=!{{partitionKeyFromQuery:group}}/")
}

/// Both begin every folder below their own with this.
pub(super) fn group_of(id: &Id) -> String {
    format!("group={}-{}/", id.lane, id.number / RUN % GROUPS)
}

/// As [`group_of`], for the stream of few partitions.
pub(super) fn level_and_lane_of(id: &Id) -> String {
    format!("level={}/group={}/", level_of(id.number), id.lane)
}

fn partitioned(name: &str) -> Value {
    let parameter = |name: &str, value: &str| json!({"ParameterName": name, "ParameterValue": value});
    let query = if name == KEYED {
        format!(r#"{{group: (.id | split("/") | "\(.[1])-\((.[2] | tonumber) / {RUN} | floor % {GROUPS})")}}"#)
    } else {
        r#"{group: (.id | split("/")[1])}"#.to_owned()
    };
    let query = [parameter("MetadataExtractionQuery", &query), parameter("JsonParsingEngine", "JQ-1.6")];
    let extraction = json!({"Type": "MetadataExtraction", "Parameters": query});
    let mut processing =
        if name == LEVELS { through_plugin(KEYING_PLUGIN) } else { json!({"Enabled": true, "Processors": []}) };
    let processors = processing["Processors"].as_array_mut().expect("a list");
    processors.push(extraction);
    let mut destination = s3(name, prefix_of(name));
    if name == LEVELS {
        // What the plugin writes does not end in a newline.
        processors.push(json!({"Type": "AppendDelimiterToRecord"}));
        destination["CompressionFormat"] = json!("GZIP");
    } else {
        destination["S3BackupMode"] = json!("Enabled");
        destination["S3BackupConfiguration"] = s3(name, format!("{name}-source/"));
    }
    destination["BufferingHints"] = json!({"SizeInMBs": 64, "IntervalInSeconds": 60});
    destination["DynamicPartitioningConfiguration"] = json!({"Enabled": true});
    destination["ProcessingConfiguration"] = processing;
    destination
}
