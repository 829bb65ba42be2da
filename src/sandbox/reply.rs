//! The replies of the sandbox, those of its faults among them.
//!
//! Responsible for status, headers and body of each reply, dated by the world's clock. Not for the decision which one is
//! given ([`super::server`]), nor for connections that break ([`super::wire`]).

use std::io;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use serde_json::json;

use super::fault::FaultKind;
use super::store::StoreError;

/// The size of the reply of [`FaultKind::Huge`] in bytes, and its pieces.
const HUGE: usize = 64 << 20;
const PIECE: &[u8] = &[b'['; 64 << 10];

/// A reply with this status, type and body; `now` is its date, in seconds since 1970.
fn reply(status: StatusCode, kind: &'static str, body: Body, now: i64) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let date = Timestamp::from_second(now).unwrap_or(Timestamp::UNIX_EPOCH);
    let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::from_str(&date) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// Conduit's JSON.
pub(super) fn conduit(text: String, now: i64) -> Response {
    reply(StatusCode::OK, "application/json", text.into(), now)
}

/// The error of Conduit that this fault answers in place of a result, as the server writes it under HTTP 200.
pub(super) fn conduit_error(info: &str, now: i64) -> Response {
    let error = json!({"result": null, "error_code": "ERR-CONDUIT-CORE", "error_info": info});
    conduit(error.to_string(), now)
}

/// An HTML page. `title` and `text` are HTML already.
pub(super) fn page(status: StatusCode, title: &str, text: &str, now: i64) -> Response {
    let page = format!("<html><head><title>{title}</title></head><body><h1>{text}</h1></body></html>");
    reply(status, "text/html; charset=UTF-8", page.into(), now)
}

/// A page of the site for people: it loads nothing, runs nothing and is in no frame.
pub(super) fn site(status: StatusCode, page: String, now: i64) -> Response {
    let mut reply = reply(status, "text/html; charset=UTF-8", page.into(), now);
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in headers {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    reply
}

/// The page where the world cannot be read or written.
pub(super) fn unkept(error: &StoreError, now: i64) -> Response {
    let text = format!("the sandbox cannot keep its world: {}", escape(&error.to_string()));
    page(StatusCode::INTERNAL_SERVER_ERROR, "Unhandled Exception", &text, now)
}

/// The page that a broken proxy or a maintenance shows.
pub(super) fn unavailable(status: StatusCode, now: i64) -> Response {
    page(status, "Unavailable", status.as_str(), now)
}

/// The page of a limit on the request's body, as nginx has it.
pub(super) fn too_large(now: i64) -> Response {
    let title = "413 Request Entity Too Large";
    page(StatusCode::PAYLOAD_TOO_LARGE, title, title, now)
}

/// The reply of a fault that answers without the call being carried out; `None` for every other fault.
pub(super) fn instead(fault: FaultKind, now: i64) -> Option<Response> {
    Some(match fault {
        FaultKind::TooManyRequests => {
            let mut reply = unavailable(StatusCode::TOO_MANY_REQUESTS, now);
            reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            reply
        }
        FaultKind::BadGateway => unavailable(StatusCode::BAD_GATEWAY, now),
        FaultKind::Unavailable => unavailable(StatusCode::SERVICE_UNAVAILABLE, now),
        FaultKind::GatewayTimeout => unavailable(StatusCode::GATEWAY_TIMEOUT, now),
        FaultKind::Html => unavailable(StatusCode::OK, now),
        FaultKind::Redirect => {
            let mut reply = reply(StatusCode::FOUND, "text/html", Body::empty(), now);
            let elsewhere = HeaderValue::from_static("http://127.0.0.2/elsewhere");
            reply.headers_mut().insert(header::LOCATION, elsewhere);
            reply
        }
        FaultKind::Garbage => reply(StatusCode::OK, "application/json", Body::from(&b"\xff\xfe{\x80"[..]), now),
        FaultKind::Huge => huge(now),
        FaultKind::Forbidden => page(StatusCode::FORBIDDEN, "403 Forbidden", "Blocked by the web filter", now),
        FaultKind::TooLarge => too_large(now),
        FaultKind::LateError => return None,
        other => conduit_error(other.conduit_error()?, now),
    })
}

/// Half of the reply under the length of the whole, and the end of the connection.
pub(super) fn truncated(text: &str, now: i64) -> Response {
    let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    let end = stream::once(async {
        // what was given before is sent while this waits; an error at once would throw it away
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::UnexpectedEof))
    });
    let body = stream::iter([Ok(half)]).chain(end);
    let mut reply = reply(StatusCode::OK, "application/json", Body::from_stream(body), now);
    reply.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    reply
}

/// A reply that is far too large, made piece by piece.
fn huge(now: i64) -> Response {
    let pieces = stream::iter((0..HUGE / PIECE.len()).map(|_| Ok::<_, io::Error>(Bytes::from_static(PIECE))));
    let mut reply = reply(StatusCode::OK, "application/json", Body::from_stream(pieces), now);
    reply.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(HUGE));
    reply
}

/// Text in which nothing is HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
