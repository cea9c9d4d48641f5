//! What each failure means: one table from SQLSTATE and message to Firehose's codes, and what to do about each.
//!
//! Redshift reports most of what goes wrong in a COPY with one SQLSTATE (`XX000`) and tells the cases apart in words only,
//! hence the words. Nothing here rejects: what looks permanent is repaired by people while the batch waits, until the
//! pipeline gives up. A message about a row may quote it, so such messages are left out.

use tokio_postgres::error::DbError;

use crate::deliver::client::{SendError, SendErrorKind};
use crate::deliver::destination::{DeliveryError, Verdict};

/// A failed attempt, told to every batch that was in it.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    pub(super) code: &'static str,
    pub(super) text: String,
    /// What staging said to do about its own failure; everything else waits for the retry interval.
    verdict: Option<Verdict>,
}

impl Failed {
    pub(super) fn new(code: &'static str, text: String) -> Self {
        Self { code, text, verdict: None }
    }

    /// What a database's client says when it has no answer to `what`.
    pub(super) fn of(what: &str, error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(answer) => Self::answered(what, answer),
            None if has_unknown_login(error) => Self::told(
                what,
                "Redshift.AuthenticationFailed",
                "the cluster asks for a way to log in that only Amazon's drivers know; store the user's password as MD5",
            ),
            // Of the client's own messages none holds more than the state of a connection.
            None => Self::told(what, "Redshift.ConnectionFailed", &said(&error.to_string())),
        }
    }

    fn answered(what: &str, answer: &DbError) -> Self {
        let (state, message) = (answer.code().code(), answer.message());
        let code = code(state, message);
        let quotes_rows = matches!(code, DATA_LOAD_FAILED | MISSING_COLUMN) && state != "XX000";
        match remedy(code) {
            remedy if quotes_rows => Self::told(what, code, &format!("SQLSTATE {state}; {remedy}")),
            "" => Self::told(what, code, &format!("{}, SQLSTATE {state}", said(message))),
            remedy => Self::told(what, code, &format!("{}, SQLSTATE {state}; {remedy}", said(message))),
        }
    }

    /// No connection to `server`.
    pub(super) fn unreachable(server: &str, error: &SendError) -> Self {
        let text = match error.kind {
            SendErrorKind::Refused => "the address is not one that this host may speak to".to_owned(),
            _ => said(&error.to_string()),
        };
        Self::told(&format!("connect to {server}"), "Redshift.ConnectionFailed", &text)
    }

    /// No answer to `what` in time.
    pub(super) fn timed_out(what: &str, limit: std::time::Duration) -> Self {
        Self::told(what, TIMEOUT, &format!("no answer within {} s", limit.as_secs_f32()))
    }

    fn told(what: &str, code: &'static str, text: &str) -> Self {
        Self::new(code, format!("cannot {what}: {code}: {text}"))
    }

    /// True when another batch of the same COPY may be all that is wrong.
    pub(super) fn may_be_one_object(&self) -> bool {
        matches!(self.code, DATA_LOAD_FAILED | MISSING_COLUMN | MISSING_S3_FILE)
    }

    /// For the pipeline.
    pub(super) fn into_error(self, floor: std::time::Duration) -> DeliveryError {
        let verdict = self.verdict.unwrap_or(Verdict::Retry(Some(floor)));
        DeliveryError { verdict, code: self.code, text: self.text, source: None }
    }
}

impl From<DeliveryError> for Failed {
    /// Of staging, or of whoever keeps secrets.
    fn from(error: DeliveryError) -> Self {
        Self { code: error.code, text: error.text, verdict: Some(error.verdict) }
    }
}

/// Code of a table or schema that is not there.
pub(super) const TABLE_NOT_FOUND: &str = "Redshift.TableNotFound";
const DATA_LOAD_FAILED: &str = "Redshift.DataLoadFailed";
const MISSING_COLUMN: &str = "Redshift.MissingColumn";
const MISSING_S3_FILE: &str = "Redshift.MissingS3File";
const TIMEOUT: &str = "Redshift.Timeout";

/// Words of Redshift's messages, in small letters, and what they mean; the first that is found counts.
const WORDS: [(&str, &str); 26] = [
    ("not authorized to assume iam role", "Redshift.AccessDenied"),
    ("not authorized to assume role", "Redshift.AccessDenied"),
    ("not authorized to get credentials of role", "Redshift.AccessDenied"),
    ("iam role is not associated", "Redshift.AccessDenied"),
    ("permanentredirect", "Redshift.IncorrectOrMissingRegion"),
    ("must be addressed using the specified endpoint", "Redshift.IncorrectOrMissingRegion"),
    ("authorizationheadermalformed", "Redshift.IncorrectOrMissingRegion"),
    ("problem reading manifest file", MISSING_S3_FILE),
    ("mandatory url is not present in manifest", MISSING_S3_FILE),
    ("nosuchkey", MISSING_S3_FILE),
    ("specified key does not exist", MISSING_S3_FILE),
    ("number of jsonpaths and the number of columns should match", "Redshift.ColumnMismatch"),
    ("jsonpath", "Redshift.IncorrectJsonPathsFile"),
    ("s3serviceexception:access denied", "Redshift.S3BucketAccessDenied"),
    ("error:access denied", "Redshift.S3BucketAccessDenied"),
    ("accessdenied", "Redshift.S3BucketAccessDenied"),
    ("check 'stl_load_errors'", DATA_LOAD_FAILED),
    ("stl_load_errors", DATA_LOAD_FAILED),
    ("sys_load_error", DATA_LOAD_FAILED),
    ("cannot insert a null value into column", MISSING_COLUMN),
    ("missing newline", DATA_LOAD_FAILED),
    ("disk full", "Redshift.DiskFull"),
    ("read-only", "Redshift.ReadOnlyCluster"),
    ("resize", "Redshift.ReadOnlyCluster"),
    ("copy option", "Redshift.IncorrectCopyOptions"),
    ("conflicting or redundant options", "Redshift.IncorrectCopyOptions"),
];

/// Firehose's code.
fn code(state: &str, message: &str) -> &'static str {
    // A state that says it all goes before words, which may be a customer's.
    match state {
        "42P01" | "3F000" => return TABLE_NOT_FOUND,
        "42703" => return "Redshift.ColumnNotFound",
        "42501" => return "Redshift.InsufficientPrivilege",
        "3D000" => return "Redshift.DatabaseNotFound",
        "28P01" | "28000" => return "Redshift.AuthenticationFailed",
        "53100" => return "Redshift.DiskFull",
        "25006" => return "Redshift.ReadOnlyCluster",
        "23502" => return MISSING_COLUMN,
        "57014" => return TIMEOUT,
        "40001" | "40P01" | "55P03" => return "Redshift.Conflict",
        _ => {}
    }
    // Classes of states: data, and constraints upon it.
    if state.starts_with("22") && state != "22023" || state.starts_with("23") {
        return DATA_LOAD_FAILED;
    }
    let message = message.to_lowercase();
    if let Some((_, code)) = WORDS.iter().find(|(words, _)| message.contains(words)) {
        return code;
    }
    match state {
        "42601" => "Redshift.SyntaxError",
        "22023" | "0A000" | "42P17" => "Redshift.IncorrectCopyOptions",
        "57P01" | "57P02" | "57P03" => "Redshift.ConnectionFailed",
        state if state.starts_with("08") || state.starts_with("53") => "Redshift.ConnectionFailed",
        _ => "Redshift.InternalError",
    }
}

/// What people can do, where the server's message does not say.
fn remedy(code: &str) -> &'static str {
    match code {
        DATA_LOAD_FAILED => "see STL_LOAD_ERRORS, or SYS_LOAD_ERROR_DETAIL, for the rows",
        MISSING_COLUMN => "a column that is NOT NULL and has no default gets no value: load it, or give it a default",
        "Redshift.AccessDenied" => "attach RoleARN to the cluster and let the cluster assume it",
        "Redshift.S3BucketAccessDenied" => "let RoleARN list and read the staging bucket",
        "Redshift.IncorrectOrMissingRegion" => "add REGION 'the staging bucket's region' to CopyOptions",
        "Redshift.IncorrectCopyOptions" | "Redshift.SyntaxError" => "correct CopyOptions",
        "Redshift.InsufficientPrivilege" => {
            "the user needs INSERT on the table, and CREATE in its schema or all rights on the stream's hydrant_ledger_… there"
        }
        TABLE_NOT_FOUND => "create it",
        _ => "",
    }
}

/// A method of authentication that the client does not know; Redshift has one of its own.
fn has_unknown_login(error: &tokio_postgres::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(one) = cause {
        if one.to_string().contains("authentication") {
            return true;
        }
        cause = one.source();
    }
    false
}

/// A foreign message without control characters and of bounded length.
fn said(message: &str) -> String {
    message.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row X8: failures are told apart by code, and each has a name an operator can act on.
    #[test]
    fn every_failure_has_firehoses_code() {
        for (state, message, expected) in [
            ("42P01", r#"relation "orders" does not exist"#, "TableNotFound"),
            ("3F000", r#"schema "shop" does not exist"#, "TableNotFound"),
            ("42601", r#"syntax error at or near "jsn""#, "SyntaxError"),
            ("28P01", r#"password authentication failed for user "loader""#, "AuthenticationFailed"),
            ("28000", r#"password authentication failed for user "loader""#, "AuthenticationFailed"),
            (
                "XX000",
                "User arn:aws:redshift:… is not authorized to assume IAM Role arn:aws:iam::1:role/x",
                "AccessDenied",
            ),
            ("XX000", "S3ServiceException:Access Denied,Status 403,Error AccessDenied", "S3BucketAccessDenied"),
            (
                "XX000",
                "Load into table 'orders' failed.  Check 'stl_load_errors' system table for details.",
                "DataLoadFailed",
            ),
            ("22P02", "invalid input syntax for type integer", "DataLoadFailed"),
            ("22001", "value too long for type character varying(3)", "DataLoadFailed"),
            ("23505", "duplicate key value violates unique constraint", "DataLoadFailed"),
            ("42703", r#"column "x" of relation "orders" does not exist"#, "ColumnNotFound"),
            ("3D000", r#"database "shop" does not exist"#, "DatabaseNotFound"),
            ("42601", "conflicting or redundant options", "IncorrectCopyOptions"),
            ("22023", "COPY delimiter must be a single character", "IncorrectCopyOptions"),
            ("23502", "null value in column \"id\" violates not-null constraint", "MissingColumn"),
            ("XX000", "Cannot insert a NULL value into column id", "MissingColumn"),
            ("08006", "connection failure", "ConnectionFailed"),
            ("53300", "too many clients already", "ConnectionFailed"),
            ("57P01", "terminating connection due to administrator command", "ConnectionFailed"),
            ("XX000", "Number of jsonpaths and the number of columns should match. JSONPath size: 2", "ColumnMismatch"),
            ("XX000", "S3ServiceException:PermanentRedirect,Status 301", "IncorrectOrMissingRegion"),
            ("XX000", "Invalid JSONPath format: not an array", "IncorrectJsonPathsFile"),
            ("XX000", "Problem reading manifest file - S3ServiceException:NoSuchKey", "MissingS3File"),
            ("XX000", "S3ServiceException:The specified key does not exist.,Status 404", "MissingS3File"),
            ("42501", "permission denied for relation orders", "InsufficientPrivilege"),
            ("25006", "cannot execute COPY in a read-only transaction", "ReadOnlyCluster"),
            ("XX000", "cluster is in read-only mode during resize", "ReadOnlyCluster"),
            ("53100", "could not extend file", "DiskFull"),
            ("XX000", "Disk Full", "DiskFull"),
            ("57014", "Query cancelled on user's request", "Timeout"),
            ("40001", "Serializable isolation violation on table", "Conflict"),
            ("XX000", "anything else", "InternalError"),
        ] {
            assert_eq!(code(state, message).strip_prefix("Redshift."), Some(expected), "{state} {message}");
        }
    }

    #[test]
    fn only_failures_of_objects_are_divided() {
        let is_divided = |code| Failed::new(code, String::new()).may_be_one_object();
        assert!([DATA_LOAD_FAILED, MISSING_S3_FILE, MISSING_COLUMN].into_iter().all(is_divided));
        assert!(!["Redshift.TableNotFound", "Redshift.ConnectionFailed", "S3.SlowDown"].into_iter().any(is_divided));
    }

    #[test]
    fn staging_says_for_itself_what_to_do() {
        let floor = std::time::Duration::from_secs(300);
        let staging = DeliveryError { verdict: Verdict::Stop, code: "S3.X", text: "t".to_owned(), source: None };
        assert_eq!(Failed::from(staging).into_error(floor).verdict, Verdict::Stop);
        assert_eq!(Failed::new("Redshift.X", String::new()).into_error(floor).verdict, Verdict::Retry(Some(floor)));
    }
}
