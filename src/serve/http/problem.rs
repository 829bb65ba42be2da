//! What is answered where something cannot be: a problem document (RFC 9457).
//!
//! Responsible for its form. Not responsible for what a problem is. A problem says nothing of a task but what is said of each that is no
//! open emergency, and repeats nothing of a request but what is made inert.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

/// A problem document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The HTTP status.
    #[serde(serialize_with = "number")]
    status: StatusCode,
    /// What kind of problem it is, in a few words.
    title: &'static str,
    /// What is wrong here, and what to do.
    detail: String,
    /// What was decided on the deploy that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Value>,
    /// How many seconds to wait before it is tried again.
    #[serde(skip)]
    retry_after: Option<u64>,
}

fn number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.title, self.status.as_u16())
    }
}

impl Problem {
    /// A problem of this kind.
    pub fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, title, detail: detail.into(), verdict: None, retry_after: None }
    }

    /// The same, to be tried again after so many seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The same, with what was decided.
    #[must_use]
    pub fn with_verdict(self, verdict: Value) -> Self {
        Self { verdict: Some(verdict), ..self }
    }

    /// What was sent cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "the request cannot be understood", detail)
    }

    /// The same words for whatever keeps somebody from saying how a deploy goes on.
    pub fn no_such_share() -> Self {
        let detail = "no deploy that is under way was announced on this task with this secret";
        Self::new(StatusCode::NOT_FOUND, "no such deploy", detail)
    }

    /// The same words for a task that is hidden, missing or no open emergency.
    pub fn no_emergency() -> Self {
        let detail = "no open emergency of this number is shown to you";
        Self::new(StatusCode::NOT_FOUND, "no such emergency", detail)
    }

    /// Whoever asks does so too often.
    pub fn too_many() -> Self {
        let detail = "wait a minute; a program asks with a token, and waits with ?wait=55s or a stream of events";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "asked too often", detail).retry_after(30)
    }

    /// Something of the service itself does not work.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not available now", detail).retry_after(5)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status, self.retry_after);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// There is no such address.
pub(super) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no such address", "see /v1/openapi.json for those that there are")
}

/// The address is asked in another way.
pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "another method is needed",
        "see /v1/openapi.json for how each address is asked",
    )
}
