//! OpenSearch, Elasticsearch and OpenSearch Serverless: one destination in three shapes.

use serde_json::json;

use super::super::{BUCKET, ROLE};
use super::{Kind, bare_s3, plaintext};
use crate::definition::{Buffering, IndexRotation, OpenSearch, SearchFlavour, Target};

const STEMS: [(&str, SearchFlavour); 3] = [
    ("Elasticsearch", SearchFlavour::Elasticsearch),
    ("Amazonopensearchservice", SearchFlavour::OpenSearch),
    ("AmazonOpenSearchServerless", SearchFlavour::Serverless),
];

fn endpoint(stem: &str) -> &'static str {
    if stem == "AmazonOpenSearchServerless" { "CollectionEndpoint" } else { "ClusterEndpoint" }
}

#[tokio::test]
async fn defaults_are_shown_and_obeyed() {
    for (stem, flavour) in STEMS {
        let made = Kind::search(stem).made(json!({})).await;
        let is_serverless = flavour == SearchFlavour::Serverless;
        let mut expected = json!({
            "RoleARN": ROLE, endpoint(stem): "https://search.test", "IndexName": "logs",
            "BufferingHints": {"IntervalInSeconds": 300, "SizeInMBs": 5}, "RetryOptions": {"DurationInSeconds": 300},
            "S3BackupMode": "FailedDocumentsOnly", "S3DestinationDescription": bare_s3(),
            "CloudWatchLoggingOptions": {"Enabled": false},
        });
        if !is_serverless {
            expected["IndexRotationPeriod"] = json!("OneDay");
        }
        assert_eq!(made.description().await, expected);
        let target = OpenSearch {
            flavour,
            endpoint: "https://search.test".to_owned(),
            index: "logs".to_owned(),
            type_name: String::new(),
            rotation: if is_serverless { IndexRotation::NoRotation } else { IndexRotation::OneDay },
            has_document_ids: true,
            buffering: Buffering { bytes: 5 << 20, seconds: 300 },
            retry_seconds: 300,
            backs_up_all: false,
        };
        assert_eq!(made.definition().target, Target::OpenSearch(target));
    }
}

#[tokio::test]
async fn everything_given_is_obeyed_and_updates_lay_over_it() {
    let kind = Kind::search("Amazonopensearchservice");
    let made = kind
        .made(json!({
            "ClusterEndpoint": "https://search.test:9200/base/", "TypeName": "doc", "IndexRotationPeriod": "OneWeek",
            "S3BackupMode": "AllDocuments", "DocumentIdOptions": {"DefaultDocumentIdFormat": "NO_DOCUMENT_ID"},
            "RetryOptions": {"DurationInSeconds": 7}, "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 2},
        }))
        .await;
    assert_eq!(made.description().await["ClusterEndpoint"], "https://search.test:9200/base/");
    let target = OpenSearch {
        flavour: SearchFlavour::OpenSearch,
        endpoint: "https://search.test:9200/base".to_owned(),
        index: "logs".to_owned(),
        type_name: "doc".to_owned(),
        rotation: IndexRotation::OneWeek,
        has_document_ids: false,
        buffering: Buffering { bytes: 1 << 20, seconds: 2 },
        retry_seconds: 7,
        backs_up_all: true,
    };
    assert_eq!(made.definition().target, Target::OpenSearch(target.clone()));
    // The backup mode has no member in the update, as with the service: it stays.
    made.update(json!({"IndexName": "other", "TypeName": "", "S3BackupMode": "FailedDocumentsOnly"})).await;
    let next = OpenSearch { index: "other".to_owned(), type_name: String::new(), ..target };
    assert_eq!(made.definition().target, Target::OpenSearch(next));
    assert_eq!(made.description().await["TypeName"], "");
    for (period, rotation) in [
        ("NoRotation", IndexRotation::NoRotation),
        ("OneHour", IndexRotation::OneHour),
        ("OneDay", IndexRotation::OneDay),
        ("OneMonth", IndexRotation::OneMonth),
    ] {
        made.update(json!({"IndexRotationPeriod": period})).await;
        let Target::OpenSearch(search) = &made.definition().target else { panic!("a search") };
        assert_eq!(search.rotation, rotation);
    }
}

#[tokio::test]
async fn a_domain_alone_is_refused_with_the_remedy() {
    let domain = json!("arn:aws:es:us-east-1:123456789012:domain/logs");
    for stem in ["Elasticsearch", "Amazonopensearchservice"] {
        let kind = Kind::search(stem);
        let alone = "DomainARN is not offered by this host, which cannot look a domain up; specify ClusterEndpoint \
                     instead.";
        kind.refuses(json!({"DomainARN": domain, "ClusterEndpoint": null}), alone).await;
        let both = "Exactly one of DomainARN or ClusterEndpoint must be specified.";
        kind.refuses(json!({"DomainARN": domain}), both).await;
        kind.refuses(json!({"ClusterEndpoint": null}), "ClusterEndpoint must not be null").await;
        let made = kind.made(json!({})).await;
        made.refuses(json!({"DomainARN": domain}), both).await;
    }
    let serverless = Kind::search("AmazonOpenSearchServerless");
    serverless.refuses(json!({"CollectionEndpoint": null}), "CollectionEndpoint must not be null").await;
}

#[tokio::test]
async fn addresses_are_addresses() {
    for (stem, _) in STEMS {
        let (kind, member) = (Kind::search(stem), endpoint(stem));
        let mut path = member.to_owned();
        path[..1].make_ascii_lowercase();
        let pattern = "Member must satisfy regular expression pattern: https:.*";
        let remedy = format!("{pattern} (http:// needs egress.plaintext in the host's configuration)");
        kind.breaks(json!({member: "http://search.test"}), &path, &remedy).await;
        kind.breaks(json!({member: "ftp://search.test"}), &path, pattern).await;
        for (text, broken) in [
            ("https://me:secret@search.test", "must not contain a user name or a fragment."),
            ("https://search.test/#a", "must not contain a user name or a fragment."),
            ("https://search.test/?a=b", "must not contain a query."),
            ("https://search.test:0", "must name a host and, behind a colon, a port from 1 to 65535."),
            ("https://search.test:", "must name a host and, behind a colon, a port from 1 to 65535."),
            ("https://search test", "is not a URL."),
            ("https:", "must begin with https:// (http:// needs egress.plaintext in the host's configuration)."),
        ] {
            kind.refuses(json!({member: text}), &format!("{member} {broken}")).await;
        }
        kind.made(json!({member: "https://[2001:db8::1]:9200"})).await;
        let made = kind.made_on(plaintext(), json!({member: "http://127.0.0.1:9200"})).await;
        let Target::OpenSearch(search) = &made.definition().target else { panic!("a search") };
        assert_eq!(search.endpoint, "http://127.0.0.1:9200");
    }
}

#[tokio::test]
async fn index_names_are_those_that_the_server_takes() {
    let kind = Kind::search("Amazonopensearchservice");
    for name in ["a", "logs-2026.01", "ü", &"a".repeat(80)] {
        kind.made(json!({"IndexName": name})).await;
    }
    let letters = "must not contain spaces or any of \\ / * ? \" < > | , # :";
    for (name, broken) in [
        ("a b", letters),
        ("a/b", letters),
        ("a*", letters),
        ("a:b", letters),
        ("Logs", "must be lower case"),
        ("_logs", "must not begin with _, - or +"),
        ("-logs", "must not begin with _, - or +"),
        ("+logs", "must not begin with _, - or +"),
        ("..", "must not be . or .."),
    ] {
        kind.refuses(json!({"IndexName": name}), &format!("IndexName {broken}.")).await;
    }
    // 80 characters of four bytes each are more than the server takes.
    kind.refuses(json!({"IndexName": "𝄞".repeat(80)}), "IndexName must not be longer than 241 bytes.").await;
    let long = "Member must have length less than or equal to 80";
    kind.breaks(json!({"IndexName": "a".repeat(81)}), "indexName", long).await;
}

#[tokio::test]
async fn a_network_of_ones_own_is_not_offered() {
    let vpc = json!({"SubnetIds": ["subnet-1"], "RoleARN": ROLE, "SecurityGroupIds": ["sg-1"]});
    for (stem, _) in STEMS {
        let message = "VpcConfiguration is not offered by this host.";
        Kind::search(stem).refuses(json!({"VpcConfiguration": vpc}), message).await;
    }
}

/// A stream of these tests backs up where its objects would go.
#[tokio::test]
async fn failed_documents_go_where_the_s3_configuration_says() {
    let kind = Kind::search("Elasticsearch");
    let s3 = json!({"RoleARN": ROLE, "BucketARN": BUCKET, "Prefix": "a/", "ErrorOutputPrefix": "failed/"});
    let made = kind.made(json!({"S3Configuration": s3})).await;
    let definition = made.definition();
    assert_eq!((definition.s3.prefix.as_str(), definition.s3.error_output_prefix.as_str()), ("a/", "failed/"));
}
