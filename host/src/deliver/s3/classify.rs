//! What each failure of S3 means: one table from S3's error codes to Firehose's, a verdict, and whether the request may
//! have taken effect all the same.
//!
//! S3 has no fallback, so nothing here rejects: even what looks permanent (no permission, no bucket) is repaired by
//! people while the records wait in the journal. Those failures ask for a long pause, and their code tells the operator
//! what to repair.

use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::deliver::destination::{DeliveryError, Verdict};

/// A failed request.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: DeliveryError,
    pub(super) effect: Effect,
    pub(super) cure: Cure,
}

/// Whether the request may have been carried out although it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The server refused it, or it never left.
    None,
    /// No answer, or one from a server in trouble.
    Unknown,
}

/// What has to change before the same request can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cure {
    /// Only time.
    Time,
    /// The multipart upload is gone or at odds with itself: begin a new one.
    Restart,
    /// Somebody has to change a bucket, a permission or a setting.
    People,
}

/// Least wait when people have to act: short enough to feel immediate after the repair, long enough not to spin.
pub(super) const PEOPLE_PAUSE: Duration = Duration::from_secs(15);

/// Longest `Retry-After` believed; a server must not park a stream for a day.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Judges a failed request; `what` says what was tried, for people.
pub(super) fn judge<E>(what: String, failed: SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let (code, effect, cure) = match &failed {
        // Building and signing happen before anything is sent; what fails there in practice is finding credentials.
        SdkError::ConstructionFailure(_) => ("S3.CredentialsUnavailable", Effect::None, Cure::Time),
        SdkError::TimeoutError(_) => ("S3.Timeout", Effect::Unknown, Cure::Time),
        SdkError::DispatchFailure(_) => ("S3.ConnectionFailed", Effect::Unknown, Cure::Time),
        SdkError::ResponseError(_) => ("S3.UnreadableAnswer", Effect::Unknown, Cure::Time),
        SdkError::ServiceError(answer) => {
            table(answer.err().meta().code().unwrap_or_default(), answer.raw().status().as_u16())
        }
        _ => ("S3.InternalError", Effect::Unknown, Cure::Time),
    };
    let asked = failed.raw_response().and_then(retry_after);
    let floor = match cure {
        Cure::People => Some(asked.unwrap_or(PEOPLE_PAUSE)),
        Cure::Time | Cure::Restart => asked,
    };
    let said = failed.as_service_error().and_then(|error| error.meta().message()).unwrap_or("no further explanation");
    let said: String = said.chars().filter(|c| !c.is_control()).take(300).collect();
    let text = match failed.raw_response() {
        Some(answer) => format!("cannot {what}: {code}, status {}: {said}", answer.status().as_u16()),
        None => format!("cannot {what}: {code}"),
    };
    let error = DeliveryError { verdict: Verdict::Retry(floor), code, text, source: Some(Box::new(failed)) };
    Failure { error, effect, cure }
}

/// A request that got no answer in time.
pub(super) fn timed_out(what: &str, limit: Duration) -> Failure {
    let error = DeliveryError {
        verdict: Verdict::Retry(None),
        code: "S3.Timeout",
        text: format!("cannot {what}: no answer within {} s", limit.as_secs_f32()),
        source: None,
    };
    Failure { error, effect: Effect::Unknown, cure: Cure::Time }
}

fn table(code: &str, status: u16) -> (&'static str, Effect, Cure) {
    use Cure::{People, Restart, Time};
    use Effect::{None, Unknown};
    match (code, status) {
        ("NoSuchBucket", _) => ("S3.NoSuchBucket", None, People),
        ("AccessDenied", _) => ("S3.AccessDenied", None, People),
        ("MethodNotAllowed", _) => ("S3.MethodNotAllowed", None, People),
        ("AccountProblem", _) => ("S3.AccountProblem", None, People),
        ("AllAccessDisabled", _) => ("S3.AllAccessDisabled", None, People),
        ("InvalidPayer", _) => ("S3.InvalidPayer", None, People),
        ("NotSignedUp", _) => ("S3.NotSignedUp", None, People),
        ("InvalidAccessKeyId", _) => ("S3.InvalidAccessKeyId", None, People),
        ("SignatureDoesNotMatch", _) => ("S3.SignatureDoesNotMatch", None, People),
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
        | (_, 301 | 307 | 308) => ("S3.WrongRegion", None, People),
        ("KMS.NotFoundException", _) => ("S3.KMS.NotFoundException", None, People),
        ("KMS.DisabledException", _) => ("S3.KMS.DisabledException", None, People),
        ("KMS.KMSInvalidStateException" | "KMS.InvalidStateException", _) => {
            ("S3.KMS.InvalidStateException", None, People)
        }
        ("KMS.RequestLimitExceeded" | "KMS.ThrottlingException", _) => ("S3.KMS.RequestLimitExceeded", None, Time),
        // The SDK replaces credentials by itself, and clocks drift back: row X15.
        ("ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "InvalidToken", _) => {
            ("S3.ExpiredToken", None, Time)
        }
        ("RequestTimeTooSkewed", _) => ("S3.RequestTimeTooSkewed", None, Time),
        ("SlowDown" | "ServiceUnavailable" | "Throttling" | "ThrottlingException" | "RequestLimitExceeded", _)
        | (_, 429 | 503) => ("S3.SlowDown", None, Time),
        ("RequestTimeout", _) | (_, 408) => ("S3.RequestTimeout", None, Time),
        ("BadDigest" | "InvalidDigest" | "IncompleteBody" | "XAmzContentSHA256Mismatch", _) => {
            ("S3.BadDigest", None, Time)
        }
        // A lost "complete" may have finished the upload, hence unknown.
        ("NoSuchUpload" | "InvalidPart" | "InvalidPartOrder", _) => ("S3.UploadConflict", Unknown, Restart),
        ("OperationAborted" | "ConditionalRequestConflict", _) | (_, 409) => ("S3.UploadConflict", Unknown, Restart),
        // An error inside a 200, and gateways that lost their backend.
        (_, 200 | 500..=599) if status != 501 => ("S3.InternalError", Unknown, Time),
        (_, 401 | 403) => ("S3.AccessDenied", None, People),
        (_, 404) => ("S3.NoSuchBucket", None, People),
        (_, 405) => ("S3.MethodNotAllowed", None, People),
        _ => ("S3.RequestRefused", None, People),
    }
}

fn retry_after(answer: &HttpResponse) -> Option<Duration> {
    let seconds: u64 = answer.headers().get("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row X8: permanent and transient failures are told apart by code, and each has a name an operator can act on.
    #[test]
    fn every_code_has_a_verdict() {
        let cases = [
            ("AccessDenied", 403, "S3.AccessDenied", Effect::None, Cure::People),
            ("", 403, "S3.AccessDenied", Effect::None, Cure::People),
            ("NoSuchBucket", 404, "S3.NoSuchBucket", Effect::None, Cure::People),
            ("MethodNotAllowed", 405, "S3.MethodNotAllowed", Effect::None, Cure::People),
            ("AccountProblem", 403, "S3.AccountProblem", Effect::None, Cure::People),
            ("AllAccessDisabled", 403, "S3.AllAccessDisabled", Effect::None, Cure::People),
            ("InvalidPayer", 403, "S3.InvalidPayer", Effect::None, Cure::People),
            ("NotSignedUp", 403, "S3.NotSignedUp", Effect::None, Cure::People),
            ("KMS.NotFoundException", 400, "S3.KMS.NotFoundException", Effect::None, Cure::People),
            ("KMS.RequestLimitExceeded", 400, "S3.KMS.RequestLimitExceeded", Effect::None, Cure::Time),
            ("PermanentRedirect", 301, "S3.WrongRegion", Effect::None, Cure::People),
            ("ExpiredToken", 400, "S3.ExpiredToken", Effect::None, Cure::Time),
            ("SlowDown", 503, "S3.SlowDown", Effect::None, Cure::Time),
            ("", 429, "S3.SlowDown", Effect::None, Cure::Time),
            ("InternalError", 500, "S3.InternalError", Effect::Unknown, Cure::Time),
            ("InternalError", 200, "S3.InternalError", Effect::Unknown, Cure::Time),
            ("", 502, "S3.InternalError", Effect::Unknown, Cure::Time),
            ("NoSuchUpload", 404, "S3.UploadConflict", Effect::Unknown, Cure::Restart),
            ("OperationAborted", 409, "S3.UploadConflict", Effect::Unknown, Cure::Restart),
            ("BadDigest", 400, "S3.BadDigest", Effect::None, Cure::Time),
            ("NotImplemented", 501, "S3.RequestRefused", Effect::None, Cure::People),
            ("EntityTooLarge", 400, "S3.RequestRefused", Effect::None, Cure::People),
        ];
        for (code, status, named, effect, cure) in cases {
            assert_eq!(table(code, status), (named, effect, cure), "{code} {status}");
        }
    }
}
