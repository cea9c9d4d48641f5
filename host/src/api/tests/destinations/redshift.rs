//! Redshift: where, what, who, and the bucket in which objects are staged.

use serde_json::{Value, json};

use super::super::{BUCKET, ROLE};
use super::{Kind, bare_s3};
use crate::definition::{Login, Redshift, Secret, Target};

const SECRET_ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:loader";

fn target() -> Redshift {
    Redshift {
        jdbc_url: "jdbc:redshift://a.b.redshift.test:5439/dev".to_owned(),
        host: "a.b.redshift.test".to_owned(),
        port: 5439,
        database: "dev".to_owned(),
        table: "orders".to_owned(),
        columns: String::new(),
        copy_options: String::new(),
        role_arn: ROLE.to_owned(),
        login: Login::Given { user: "loader".to_owned(), secret: Secret::new("hunter22") },
        retry_seconds: 3600,
    }
}

#[tokio::test]
async fn defaults_are_shown_and_obeyed() {
    let made = Kind::redshift().made(json!({})).await;
    let expected = json!({
        "RoleARN": ROLE, "ClusterJDBCURL": "jdbc:redshift://a.b.redshift.test:5439/dev",
        "CopyCommand": {"DataTableName": "orders"}, "Username": "loader", "RetryOptions": {"DurationInSeconds": 3600},
        "S3DestinationDescription": bare_s3(), "S3BackupMode": "Disabled",
        "CloudWatchLoggingOptions": {"Enabled": false},
    });
    assert_eq!(made.description().await, expected);
    assert_eq!(made.definition().target, Target::Redshift(target()));
    assert_eq!(made.definition().source_backup, None);
}

#[tokio::test]
async fn updates_lay_over_and_keep_the_password() {
    let made = Kind::redshift().made(json!({})).await;
    let copy = json!({"DataTableName": "b", "DataTableColumns": "x,y", "CopyOptions": "json 'auto' GZIP"});
    let update = json!({"CopyCommand": copy, "ClusterJDBCURL": "jdbc:postgresql://c.redshift-serverless.test:1/d",
        "RetryOptions": {"DurationInSeconds": 0}, "S3Update": {"CompressionFormat": "GZIP"}});
    made.update(update).await;
    let next = Redshift {
        jdbc_url: "jdbc:postgresql://c.redshift-serverless.test:1/d".to_owned(),
        host: "c.redshift-serverless.test".to_owned(),
        port: 1,
        database: "d".to_owned(),
        table: "b".to_owned(),
        columns: "x,y".to_owned(),
        copy_options: "json 'auto' GZIP".to_owned(),
        retry_seconds: 0,
        ..target()
    };
    assert_eq!(made.definition().target, Target::Redshift(next.clone()));
    made.update(json!({"Password": "correct horse"})).await;
    let login = Login::Given { user: "loader".to_owned(), secret: Secret::new("correct horse") };
    assert_eq!(made.definition().target, Target::Redshift(Redshift { login, ..next.clone() }));
    // A stored secret takes the place of both, and what was given takes its place again.
    let stored = json!({"Enabled": true, "SecretARN": SECRET_ARN, "RoleARN": ROLE});
    made.update(json!({"SecretsManagerConfiguration": stored})).await;
    let login = Login::Stored(SECRET_ARN.to_owned());
    assert_eq!(made.definition().target, Target::Redshift(Redshift { login, ..next }));
    let shown = made.description().await;
    assert_eq!((&shown["SecretsManagerConfiguration"], &shown["Username"]), (&stored, &Value::Null));
    made.refuses(
        json!({"Username": "loader", "Password": "hunter22"}),
        "Username and Password must not be specified when SecretsManagerConfiguration is enabled.",
    )
    .await;
    let off = json!({"SecretsManagerConfiguration": {"Enabled": false}});
    made.refuses(
        off.clone(),
        "Username and Password, or SecretsManagerConfiguration with Enabled true, must be specified.",
    )
    .await;
    let mut given = off;
    given["Username"] = json!("loader");
    given["Password"] = json!("hunter22");
    made.update(given).await;
    let Target::Redshift(now) = &made.definition().target else { panic!("Redshift") };
    assert_eq!(now.login, target().login);
}

#[tokio::test]
async fn rules_have_their_messages() {
    let kind = Kind::redshift();
    let neither = "Username and Password, or SecretsManagerConfiguration with Enabled true, must be specified.";
    kind.refuses(json!({"Username": null, "Password": null}), neither).await;
    let half = "Both Username and Password must be specified.";
    kind.refuses(json!({"Password": null}), half).await;
    kind.refuses(json!({"Username": null}), half).await;
    let both = "Username and Password must not be specified when SecretsManagerConfiguration is enabled.";
    let stored = json!({"Enabled": true, "SecretARN": SECRET_ARN});
    kind.refuses(json!({"SecretsManagerConfiguration": stored}), both).await;
    kind.refuses(json!({"SecretsManagerConfiguration": stored, "Password": null}), both).await;
    kind.refuses(
        json!({"SecretsManagerConfiguration": {"Enabled": true}, "Username": null, "Password": null}),
        "SecretsManagerConfiguration.SecretARN must not be null when it is enabled.",
    )
    .await;
    kind.made(json!({"SecretsManagerConfiguration": stored, "Username": null, "Password": null})).await;
    for url in ["jdbc:redshift://a.redshift.test:0/dev", "jdbc:redshift://a.redshift.test:65536/dev"] {
        let broken = "ClusterJDBCURL must be jdbc:redshift://HOST:PORT/DATABASE, with a host of Redshift like \
                      name.account.region.redshift.amazonaws.com and a port from 1 to 65535.";
        kind.refuses(json!({"ClusterJDBCURL": url}), broken).await;
    }
    let pattern = r"Member must satisfy regular expression pattern: jdbc:(redshift|postgresql)://((?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)+(redshift(-serverless)?)\.([a-zA-Z0-9\.\-]+):\d{1,5}/[a-zA-Z0-9_$-]+";
    for url in ["jdbc:redshift://localhost:5439/dev", "jdbc:redshift://-a.redshift.test:1/dev", "https://a"] {
        kind.breaks(json!({"ClusterJDBCURL": url}), "clusterJDBCURL", pattern).await;
    }
    let short = "Member must have length greater than or equal to 6";
    kind.breaks(json!({"Password": "12345"}), "password", short).await;
    kind.breaks(json!({"CopyCommand": null}), "copyCommand", "Member must not be null").await;
}

/// COPY reads one prefix of plain or gzipped objects, and errors have their own place (firehose.md §4.3 rule 6).
#[tokio::test]
async fn staging_is_what_copy_can_read() {
    let kind = Kind::redshift();
    let staging =
        |member: &str, value: &str| json!({"S3Configuration": {"RoleARN": ROLE, "BucketARN": BUCKET, member: value}});
    let expressions = "S3Configuration.Prefix must not contain expressions for a Redshift destination.";
    kind.refuses(staging("Prefix", "a/!{timestamp:yyyy}/"), expressions).await;
    let errors = "S3Configuration.ErrorOutputPrefix must be null for a Redshift destination.";
    kind.refuses(staging("ErrorOutputPrefix", "errors/"), errors).await;
    let compression = "S3Configuration.CompressionFormat must be UNCOMPRESSED or GZIP for a Redshift destination.";
    for format in ["ZIP", "Snappy", "HADOOP_SNAPPY", "ZSTD"] {
        kind.refuses(staging("CompressionFormat", format), compression).await;
    }
    for format in ["UNCOMPRESSED", "GZIP"] {
        let made = kind.made(staging("CompressionFormat", format)).await;
        made.refuses(json!({"S3Update": {"CompressionFormat": "ZIP"}}), compression).await;
        made.refuses(json!({"S3Update": {"ErrorOutputPrefix": "errors/"}}), errors).await;
    }
}

#[tokio::test]
async fn source_records_are_backed_up_for_good() {
    let backup = json!({"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::source", "Prefix": "raw/!{timestamp:yyyy}/",
        "ErrorOutputPrefix": "errors/", "CompressionFormat": "ZSTD"});
    let kind = Kind::redshift();
    let missing = "S3BackupConfiguration must not be null when S3BackupMode is Enabled.";
    kind.refuses(json!({"S3BackupMode": "Enabled"}), missing).await;
    let made = kind.made(json!({"S3BackupMode": "Enabled", "S3BackupConfiguration": backup})).await;
    let shown = made.description().await["S3BackupDescription"].clone();
    assert_eq!((&shown["Prefix"], &shown["BufferingHints"]["SizeInMBs"]), (&backup["Prefix"], &json!(5)));
    assert_eq!(made.definition().source_backup.as_ref().unwrap().s3.bucket, "source");
    made.refuses(json!({"S3BackupMode": "Disabled"}), "S3BackupMode cannot be changed from Enabled to Disabled.").await;
}
