//! What goes wrong, in the service's own words: exception name, status and message.
//!
//! Only texts that a caller may see live here; what happened inside goes to the log. Refuses to decide anything.

use std::borrow::Cow;

use hyper::StatusCode;

/// An answer that is not a success: `{"__type":"…","message":"…"}`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {}", .message.as_deref().unwrap_or("no message"))]
pub(crate) struct Fault {
    /// HTTP status: it decides whether an SDK retries.
    pub(crate) status: StatusCode,
    /// Exception name, `__type`.
    pub(crate) kind: &'static str,
    /// Left out of the body when there is none, as the service does.
    pub(crate) message: Option<Cow<'static, str>>,
}

impl Fault {
    /// The compact JSON body.
    pub(crate) fn body(&self) -> Vec<u8> {
        let mut object = serde_json::Map::new();
        object.insert("__type".to_owned(), self.kind.into());
        if let Some(message) = &self.message {
            object.insert("message".to_owned(), message.as_ref().into());
        }
        serde_json::Value::Object(object).to_string().into_bytes()
    }
}

fn refused(kind: &'static str, message: impl Into<Cow<'static, str>>) -> Fault {
    Fault { status: StatusCode::BAD_REQUEST, kind, message: Some(message.into()) }
}

/// A rule between members is broken.
pub(crate) fn invalid_argument(message: impl Into<Cow<'static, str>>) -> Fault {
    refused("InvalidArgumentException", message)
}

/// A constraint of the service's model is broken.
pub(crate) fn validation(message: String) -> Fault {
    refused("ValidationException", message)
}

/// A member has the wrong JSON type, or its base64 is wrong.
pub(crate) fn serialization(message: impl Into<Cow<'static, str>>) -> Fault {
    refused("SerializationException", message)
}

/// The body is not a JSON object.
pub(crate) fn not_json() -> Fault {
    Fault { status: StatusCode::BAD_REQUEST, kind: "SerializationException", message: None }
}

/// `X-Amz-Target` names nothing.
pub(crate) fn unknown_operation() -> Fault {
    Fault { status: StatusCode::BAD_REQUEST, kind: "UnknownOperationException", message: None }
}

/// The stream does not exist, as the control plane says it.
pub(crate) fn stream_not_found(account: &str, name: &str) -> Fault {
    refused("ResourceNotFoundException", format!("Firehose {name} under account {account} not found."))
}

/// The stream does not exist, as PutRecord and PutRecordBatch say it (the service words the two differently).
pub(crate) fn put_stream_not_found(account: &str, name: &str) -> Fault {
    refused("ResourceNotFoundException", format!("Firehose {name} not found under account {account}."))
}

/// The name is taken, or the stream is in the wrong state.
pub(crate) fn resource_in_use(message: String) -> Fault {
    refused("ResourceInUseException", message)
}

/// A quota is used up.
pub(crate) fn limit_exceeded(message: String) -> Fault {
    refused("LimitExceededException", message)
}

/// The version id given is not the current one.
pub(crate) fn concurrent_modification(message: String) -> Fault {
    refused("ConcurrentModificationException", message)
}

/// An authentication error of that name.
pub(crate) fn authentication(kind: &'static str, message: impl Into<Cow<'static, str>>) -> Fault {
    refused(kind, message)
}

/// No room or no time for the request now. 503, because SDKs never retry this exception with status 400.
pub(crate) fn slow_down() -> Fault {
    Fault {
        status: StatusCode::SERVICE_UNAVAILABLE,
        kind: "ServiceUnavailableException",
        message: Some("Slow down.".into()),
    }
}

/// Something broke on this side; the cause is in the log.
pub(crate) fn internal_failure() -> Fault {
    Fault { status: StatusCode::INTERNAL_SERVER_ERROR, kind: "InternalFailure", message: None }
}
