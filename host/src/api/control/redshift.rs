//! Redshift: where it is, what is copied into it, who copies, and the bucket in which objects are staged.
//!
//! Nobody is connected to here; a wrong password shows with the first COPY, as with the service.

use serde_json::{Map, Value};

use super::kind::Settled;
use super::login::login;
use super::members::{given_text, logging, retry_seconds, text, text_within};
use super::processing::{self, Context};
use super::s3;
use crate::api::error::{Fault, invalid_argument};
use crate::api::settings::Rules;
use crate::definition::{JdbcUrl, Login, Redshift, RedshiftTextError, Secret, Target};

/// Seconds, unless given.
const RETRY_SECONDS: u32 = 3600;

/// Checks the configuration and fills its defaults in.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn settle(mut given: Map<String, Value>, rules: &Rules) -> Result<Settled, Fault> {
    let jdbc_url = text(&given, "ClusterJDBCURL").to_owned();
    let JdbcUrl { host, port, database } = Redshift::parse_jdbc(&jdbc_url).map_err(refused)?;
    let login = who(&given)?;
    check_staging(&given)?;
    let role_arn = text(&given, "RoleARN").to_owned();
    let steps = processing::settle(&mut given, &Context { role: &role_arn, lambda_size: "1", rules })?;
    let steps = steps.without_partitions()?;
    logging(&mut given)?;
    let retry_seconds = retry_seconds(&mut given, RETRY_SECONDS);
    let s3 = s3::nested(&mut given, rules)?;
    let (source_backup, processors) = s3::source_backup(&mut given, steps, rules)?;
    let copy = |member: &str| text_within(&given, "CopyCommand", member).to_owned();
    Redshift::check_table(&copy("DataTableName")).map_err(refused)?;
    Redshift::check_columns(&copy("DataTableColumns")).map_err(refused)?;
    Redshift::check_copy_options(&copy("CopyOptions")).map_err(refused)?;
    let redshift = Redshift {
        jdbc_url,
        host,
        port,
        database,
        table: copy("DataTableName"),
        columns: copy("DataTableColumns"),
        copy_options: copy("CopyOptions"),
        role_arn,
        login,
        retry_seconds,
    };
    Ok(Settled {
        members: given,
        s3,
        target: Target::Redshift(redshift),
        source_backup,
        partitioning: None,
        conversion: None,
        processors,
    })
}

/// A user with a password, or a stored secret; Redshift lets nobody in without.
fn who(given: &Map<String, Value>) -> Result<Login, Fault> {
    let (user, password) = (given_text(given, "Username"), given_text(given, "Password"));
    let has_either = user.is_some() || password.is_some();
    let pair = user.zip(password);
    let is_half = has_either && pair.is_none();
    let pair = pair.map(|(user, password)| Login::Given { user, secret: Secret::new(password) });
    // Either half is in the way of a stored secret.
    let in_the_way = pair.or(has_either.then_some(Login::None));
    match login(given, in_the_way, "Username and Password")? {
        Login::None if is_half => Err(invalid_argument("Both Username and Password must be specified.")),
        Login::None => Err(invalid_argument(
            "Username and Password, or SecretsManagerConfiguration with Enabled true, must be specified.",
        )),
        login => Ok(login),
    }
}

/// What COPY can read: one prefix, plain text or gzip; the service keeps the place of errors to itself.
fn check_staging(given: &Map<String, Value>) -> Result<(), Fault> {
    let Some(Value::Object(staging)) = given.get("S3Configuration") else { return Ok(()) };
    let broken = if text(staging, "Prefix").contains("!{") {
        "S3Configuration.Prefix must not contain expressions for a Redshift destination."
    } else if !text(staging, "ErrorOutputPrefix").is_empty() {
        "S3Configuration.ErrorOutputPrefix must be null for a Redshift destination."
    } else if !matches!(text(staging, "CompressionFormat"), "" | "UNCOMPRESSED" | "GZIP") {
        "S3Configuration.CompressionFormat must be UNCOMPRESSED or GZIP for a Redshift destination."
    } else {
        return Ok(());
    };
    Err(invalid_argument(broken))
}

fn refused(wrong: RedshiftTextError) -> Fault {
    invalid_argument(format!("{wrong}."))
}
