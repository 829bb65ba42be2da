//! The server: HTTP around the methods, with the faults where they were asked for.
//!
//! In the room: requests, replies, their dates, what each fault does, starting and stopping. Not in the room: what a
//! method answers ([`super::methods`]) and how a connection breaks ([`super::wire`]).

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use super::fault::{Fault, FaultKind, Injector};
use super::methods;
use super::request::Call;
use super::store::{Clock, Source, Store, StoreError};
use super::tamper::TamperError;
use super::wire::{Gate, Wire};
use super::world::World;

/// The largest request that is read, as the recorded server's configuration has it.
const LARGEST_REQUEST: usize = 32 << 20;
/// The size of the reply of [`FaultKind::Huge`], and of its pieces.
const HUGE: usize = 64 << 20;
const PIECE: &[u8] = &[b'['; 64 << 10];

/// How the sandbox is served.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port on 127.0.0.1; 0 for any that is free.
    pub port: u16,
    /// Where the world comes from.
    pub source: Source,
    /// The world's present.
    pub clock: Clock,
    /// What is to go wrong.
    pub faults: Vec<Fault>,
    /// The seed of the dice for faults that strike with a probability.
    pub seed: u64,
    /// How long [`FaultKind::Stall`] says nothing.
    pub stall: Duration,
    /// How much later [`FaultKind::LateCommit`] carries the call out.
    pub late: Duration,
    /// The pause between two bytes of [`FaultKind::Drip`].
    pub drip: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            source: Source::BuiltIn,
            clock: Clock::Running,
            faults: Vec::new(),
            seed: 1,
            stall: Duration::from_secs(120),
            late: Duration::from_secs(5),
            drip: Duration::from_millis(50),
        }
    }
}

/// Why the sandbox cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The world cannot be opened.
    #[error("cannot open the sandbox's world: {0}")]
    Store(#[from] StoreError),
    /// The port cannot be listened on.
    #[error("cannot serve the sandbox on 127.0.0.1:{port}: {source}; choose another port, or 0 for a free one")]
    Listen {
        /// The port.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// The address of the server is no URL.
    #[error("the address of the sandbox is not a URL: {0}")]
    Address(#[from] url::ParseError),
    /// A comment cannot be edited or removed.
    #[error(transparent)]
    Tamper(#[from] TamperError),
}

/// A call that was served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The method.
    pub method: String,
    /// What went wrong with it on purpose.
    pub fault: Option<FaultKind>,
}

/// What all requests share.
struct Shared {
    store: Store,
    injector: Mutex<Injector>,
    served: Mutex<Vec<Served>>,
    /// Calls that are still to be carried out, by the order in which they came.
    late: Mutex<BTreeMap<usize, LateCall>>,
    stop: watch::Sender<bool>,
    hosts: Vec<String>,
    options: Options,
}

struct LateCall {
    method: String,
    kind: String,
    body: Bytes,
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A sandbox that is being served. It stops when it is dropped.
pub struct Running {
    /// Where it is.
    pub url: Url,
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

/// Serves the sandbox on 127.0.0.1, on the runtime of the caller, until the handle is dropped.
///
/// # Errors
/// Where the world cannot be opened or the port not be listened on.
pub async fn serve(mut options: Options) -> Result<Running, SandboxError> {
    // taken, not copied: a large world is not held twice
    let store = Store::open(std::mem::take(&mut options.source), options.clock)?;
    let port = options.port;
    let listen = |source| SandboxError::Listen { port, source };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(listen)?;
    let address: SocketAddr = listener.local_addr().map_err(listen)?;
    let url = Url::parse(&format!("http://{address}/"))?;
    let base = Url::parse(&store.read(|world, _| world.base_uri.clone())?)?;
    let hosts = [&url, &base].map(|url| url.authority().to_owned());
    let shared = Arc::new(Shared {
        injector: Mutex::new(Injector::new(options.faults.clone(), options.seed)),
        served: Mutex::default(),
        late: Mutex::default(),
        stop: watch::Sender::new(false),
        hosts: hosts.into_iter().chain([format!("localhost:{}", address.port())]).collect(),
        options,
        store,
    });
    let router = Router::new().fallback(handle).with_state(Arc::clone(&shared));
    let service = router.into_make_service_with_connect_info::<Wire>();
    let stopped = stopped(&shared);
    let task = tokio::spawn(async move {
        // accepting never ends by itself, and errors of single connections are their own
        let _ = axum::serve(Gate(listener), service).with_graceful_shutdown(stopped).await;
    });
    Ok(Running { url, shared, task: Some(task) })
}

/// Ends when the server is told to stop.
fn stopped(shared: &Shared) -> impl Future<Output = ()> + Send + use<> {
    let mut stop = shared.stop.subscribe();
    async move {
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

impl Running {
    /// The API token of an account of the world, as it is now.
    ///
    /// # Errors
    /// Where the world cannot be read.
    pub fn token_of(&self, username: &str) -> Result<Option<String>, SandboxError> {
        Ok(self.shared.store.read(|world, _| world.token_of(username).map(str::to_owned))?)
    }

    /// A copy of the world as it is now.
    ///
    /// # Errors
    /// Where the world cannot be read.
    pub fn world(&self) -> Result<World, SandboxError> {
        Ok(self.shared.store.read(|world, _| World::clone(world))?)
    }

    /// Changes the world behind the API's back, at its present.
    ///
    /// # Errors
    /// Where the world cannot be kept.
    pub fn change<R>(&self, change: impl FnOnce(&mut World, i64) -> R) -> Result<R, SandboxError> {
        Ok(self.shared.store.write(|world, now| change(world, now))?)
    }

    /// Edits a comment, as its author can in the web interface.
    ///
    /// # Errors
    /// Where there is no such comment or account, or the world cannot be kept.
    pub fn edit_comment(&self, transaction: &str, user: &str, text: &str) -> Result<(), SandboxError> {
        Ok(self.change(|world, now| world.edit_comment(transaction, user, text, now))??)
    }

    /// Removes a comment, as its author or an administrator can in the web interface.
    ///
    /// # Errors
    /// Where there is no such comment or account, or the world cannot be kept.
    pub fn remove_comment(&self, transaction: &str, user: &str) -> Result<(), SandboxError> {
        Ok(self.change(|world, now| world.remove_comment(transaction, user, now))??)
    }

    /// The world's present, in seconds since 1970.
    pub fn now(&self) -> i64 {
        self.shared.store.now()
    }

    /// Moves the world's present.
    pub fn advance(&self, by: Duration) {
        self.shared.store.advance(by);
    }

    /// Injects these faults from now on, and no others; calls are counted anew.
    pub fn inject(&self, faults: Vec<Fault>) {
        *guard(&self.shared.injector) = Injector::new(faults, self.shared.options.seed);
    }

    /// The calls that were served so far, in the order in which they came.
    pub fn served(&self) -> Vec<Served> {
        guard(&self.shared.served).clone()
    }

    /// Carries out at once what [`FaultKind::LateCommit`] has put off, and says how many calls that were.
    pub fn commit_late(&self) -> usize {
        self.shared.commit_late()
    }

    /// Waits until the server is stopped by dropping it or by its runtime, for a command that does nothing but serve.
    pub async fn wait(mut self) {
        if let Some(task) = self.task.as_mut() {
            let _ = task.await;
        }
    }

    /// Stops: no new calls, idle connections closed, what is still to be carried out is.
    pub async fn shutdown(mut self) {
        self.stop();
        if let Some(mut task) = self.task.take() {
            // a client that holds on to its connection does not hold up the end
            if tokio::time::timeout(Duration::from_secs(1), &mut task).await.is_err() {
                task.abort();
            }
        }
    }

    fn stop(&self) {
        self.shared.stop.send_replace(true);
        self.shared.commit_late();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn answer(&self, method: &str, kind: &str, body: &[u8]) -> Result<String, StoreError> {
        let call = Call::read(method, kind, body);
        match methods::writes(method) {
            true => self.store.write(|world, now| methods::answer(world, &call, method, now)),
            false => self.store.read(|world, now| methods::answer(world, &call, method, now)),
        }
    }

    fn commit_late(&self) -> usize {
        let due = std::mem::take(&mut *guard(&self.late));
        due.values().map(|call| self.answer(&call.method, &call.kind, &call.body)).filter(Result::is_ok).count()
    }

    /// A reply of this kind, dated by the world's clock.
    fn reply(&self, status: StatusCode, kind: &'static str, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        let date = Timestamp::from_second(self.store.now()).unwrap_or(Timestamp::UNIX_EPOCH);
        let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(date) = HeaderValue::from_str(&date) {
            response.headers_mut().insert(header::DATE, date);
        }
        response
    }

    fn page(&self, status: StatusCode, title: &str, text: &str) -> Response {
        let page = format!("<html><head><title>{title}</title></head><body><h1>{text}</h1></body></html>");
        self.reply(status, "text/html; charset=UTF-8", page.into())
    }

    /// The page that a broken proxy or a maintenance shows.
    fn unavailable(&self, status: StatusCode) -> Response {
        self.page(status, "Unavailable", status.as_str())
    }

    /// The reply of a call that is carried out.
    fn carry_out(&self, method: &str, headers: &HeaderMap, body: &[u8]) -> Carried {
        match self.answer(method, content_type(headers), body) {
            Ok(reply) => Carried::Reply(reply),
            Err(error) => Carried::Failed(self.page(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Unhandled Exception",
                &format!("the sandbox cannot keep its world: {error}"),
            )),
        }
    }
}

enum Carried {
    Reply(String),
    /// The world could not be read or kept.
    Failed(Response),
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

async fn handle(State(shared): State<Arc<Shared>>, ConnectInfo(wire): ConnectInfo<Wire>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let path = head.uri.path();
    if !shared.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
        let text = format!(
            "This request asked for &quot;{path}&quot; on host &quot;{host}&quot;, but no site is configured which can \
             serve this request.",
            path = escape(path),
            host = escape(host),
        );
        return shared.page(StatusCode::INTERNAL_SERVER_ERROR, "Site Not Found", &text);
    }
    let Some(method) = path.strip_prefix("/api/").map(|method| method.trim_end_matches('/').to_owned()) else {
        return shared.page(StatusCode::NOT_FOUND, "404 Not Found", "The sandbox serves Conduit alone, below /api/.");
    };
    let fault = guard(&shared.injector).pick(&method);
    let number = {
        let mut served = guard(&shared.served);
        served.push(Served { method: method.clone(), fault });
        served.len()
    };
    let nothing = || Response::new(Body::empty());
    if fault == Some(FaultKind::Refuse) {
        wire.reset();
        return nothing();
    }
    let Ok(body) = axum::body::to_bytes(body, LARGEST_REQUEST).await else {
        return shared.page(StatusCode::PAYLOAD_TOO_LARGE, "413 Request Entity Too Large", "413");
    };
    let canned = match fault {
        None | Some(FaultKind::Truncate | FaultKind::Drip | FaultKind::LostReply | FaultKind::Late502) => None,
        Some(FaultKind::Refuse | FaultKind::Reset) => {
            wire.reset();
            Some(nothing())
        }
        Some(FaultKind::Stall) => {
            let _ = tokio::time::timeout(shared.options.stall, stopped(&shared)).await;
            wire.reset();
            Some(nothing())
        }
        Some(FaultKind::LateCommit) => {
            let kind = content_type(&head.headers).to_owned();
            guard(&shared.late).insert(number, LateCall { method: method.clone(), kind, body: body.clone() });
            commit_later(Arc::clone(&shared), number);
            wire.reset();
            Some(nothing())
        }
        Some(FaultKind::TooManyRequests) => {
            let mut reply = shared.unavailable(StatusCode::TOO_MANY_REQUESTS);
            reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            Some(reply)
        }
        Some(FaultKind::BadGateway) => Some(shared.unavailable(StatusCode::BAD_GATEWAY)),
        Some(FaultKind::Unavailable) => Some(shared.unavailable(StatusCode::SERVICE_UNAVAILABLE)),
        Some(FaultKind::GatewayTimeout) => Some(shared.unavailable(StatusCode::GATEWAY_TIMEOUT)),
        Some(FaultKind::Html) => Some(shared.unavailable(StatusCode::OK)),
        Some(FaultKind::Redirect) => {
            let mut reply = shared.reply(StatusCode::FOUND, "text/html", Body::empty());
            let elsewhere = HeaderValue::from_static("http://127.0.0.2/elsewhere");
            reply.headers_mut().insert(header::LOCATION, elsewhere);
            Some(reply)
        }
        Some(FaultKind::Garbage) => {
            Some(shared.reply(StatusCode::OK, "application/json", Body::from(&b"\xff\xfe{\x80"[..])))
        }
        Some(FaultKind::Huge) => Some(huge(&shared)),
    };
    if let Some(reply) = canned {
        return reply;
    }
    let text = match shared.carry_out(&method, &head.headers, &body) {
        Carried::Reply(text) => text,
        Carried::Failed(page) => return page,
    };
    match fault {
        Some(FaultKind::LostReply) => {
            wire.reset();
            nothing()
        }
        Some(FaultKind::Late502) => shared.unavailable(StatusCode::BAD_GATEWAY),
        Some(FaultKind::Truncate) => truncated(&shared, &text),
        other => {
            if other == Some(FaultKind::Drip) {
                wire.drip(shared.options.drip);
            }
            shared.reply(StatusCode::OK, "application/json", text.into())
        }
    }
}

/// Carries the call out after a while, unless that was done before.
fn commit_later(shared: Arc<Shared>, number: usize) {
    tokio::spawn(async move {
        let _ = tokio::time::timeout(shared.options.late, stopped(&shared)).await;
        let due = guard(&shared.late).remove(&number);
        if let Some(call) = due {
            // nobody is there any more who could be told of an error
            let _ = shared.answer(&call.method, &call.kind, &call.body);
        }
    });
}

/// Half of the reply under the length of the whole, and the end of the connection.
fn truncated(shared: &Shared, text: &str) -> Response {
    let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    let end = stream::once(async {
        // what was given before is sent while this waits; an error at once would throw it away
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::UnexpectedEof))
    });
    let body = stream::iter([Ok(half)]).chain(end);
    let mut reply = shared.reply(StatusCode::OK, "application/json", Body::from_stream(body));
    reply.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    reply
}

/// A reply that is far too large, made piece by piece.
fn huge(shared: &Shared) -> Response {
    let pieces = stream::iter((0..HUGE / PIECE.len()).map(|_| Ok::<_, io::Error>(Bytes::from_static(PIECE))));
    let mut reply = shared.reply(StatusCode::OK, "application/json", Body::from_stream(pieces));
    reply.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(HUGE));
    reply
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
