//! The server: HTTP around the methods, with the faults where they were asked for.
//!
//! Responsible for requests, for what each fault does to a call, for starting and stopping. Not for what a method answers
//! ([`super::methods`]), what a reply looks like ([`super::reply`]) and how a connection breaks ([`super::wire`]).

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use super::fault::{Fault, FaultKind, Injector};
use super::like::Like;
use super::methods;
use super::reply;
use super::request::Call;
use super::served::{LONGEST_NAME, Log, Served};
use super::site;
use super::store::{Clock, Source, Store, StoreError};
use super::tamper::TamperError;
use super::wire::{Gate, Wire};
use super::world::World;

/// The largest request that is read, as the recorded server's configuration has it.
const LARGEST_REQUEST: usize = 32 << 20;
/// How many bytes of writing calls are carried out by one server, so that it does not grow for ever.
const MOST_WRITTEN: usize = 256 << 20;

/// How the sandbox is served.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port on 127.0.0.1; 0 for any that is free.
    pub port: u16,
    /// Where the world comes from.
    pub source: Source,
    /// The version of the server as which it answers.
    pub like: Like,
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
    /// The largest request in bytes that is let through; what is larger gets HTTP 413, as from a limit in front of the
    /// server.
    pub largest_request: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            source: Source::default(),
            like: Like::Master,
            clock: Clock::Running,
            faults: Vec::new(),
            seed: 1,
            stall: Duration::from_secs(120),
            late: Duration::from_secs(5),
            drip: Duration::from_millis(50),
            largest_request: LARGEST_REQUEST,
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

/// What all requests share.
struct Shared {
    store: Store,
    injector: Mutex<Injector>,
    served: Mutex<Log>,
    /// Calls that are still to be carried out, by the order in which they came.
    late: Mutex<BTreeMap<usize, LateCall>>,
    /// How many bytes of writing calls were carried out.
    written: AtomicUsize,
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
    // both are this machine's own, wherever they are asked for
    let names = ["localhost", "sandbox.localhost"];
    let shared = Arc::new(Shared {
        injector: Mutex::new(Injector::new(options.faults.clone(), options.seed)),
        served: Mutex::default(),
        late: Mutex::default(),
        written: AtomicUsize::new(0),
        stop: watch::Sender::new(false),
        hosts: hosts.into_iter().chain(names.map(|name| format!("{name}:{}", address.port()))).collect(),
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

/// Ends when the server is asked to stop.
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

    /// The last 10,000 calls that were served, in the order in which they came.
    pub fn served(&self) -> Vec<Served> {
        guard(&self.shared.served).calls()
    }

    /// How many calls of each method were served.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        guard(&self.shared.served).counts()
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
        let call = Call::read(method, kind, body, self.options.like);
        match methods::writes(method) {
            true if self.written.fetch_add(body.len(), Ordering::Relaxed) > MOST_WRITTEN => Ok(methods::full()),
            true => self.store.write(|world, now| methods::answer(world, &call, method, now)),
            false => self.store.read(|world, now| methods::answer(world, &call, method, now)),
        }
    }

    fn commit_late(&self) -> usize {
        let due = std::mem::take(&mut *guard(&self.late));
        due.values().map(|call| self.answer(&call.method, &call.kind, &call.body)).filter(Result::is_ok).count()
    }
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

async fn handle(State(shared): State<Arc<Shared>>, ConnectInfo(wire): ConnectInfo<Wire>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let path = head.uri.path();
    let now = || shared.store.now();
    if !shared.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
        let text = format!(
            "This request asked for &quot;{path}&quot; on host &quot;{host}&quot;, but no site is configured which can \
             serve this request.",
            path = reply::escape(path),
            host = reply::escape(host),
        );
        return reply::page(StatusCode::INTERNAL_SERVER_ERROR, "Site Not Found", &text, now());
    }
    let Some(method) = path.strip_prefix("/api/").map(|method| method.trim_end_matches('/').to_owned()) else {
        return match shared.store.read(|world, now| site::page(world, path, now)) {
            Ok((status, page)) => reply::site(status, page, now()),
            Err(error) => reply::unkept(&error, now()),
        };
    };
    let fault = guard(&shared.injector).pick(&method);
    let fault = fault.filter(|fault| !fault.spares_reads() || methods::writes(&method));
    let name = method.chars().take(LONGEST_NAME).collect();
    let number = guard(&shared.served).push(Served { method: name, fault });
    let nothing = || Response::new(Body::empty());
    if fault == Some(FaultKind::Refuse) {
        wire.reset();
        return nothing();
    }
    let body = axum::body::to_bytes(body, LARGEST_REQUEST).await;
    let Some(body) = body.ok().filter(|body| body.len() <= shared.options.largest_request) else {
        guard(&shared.served).set_fault(number, FaultKind::TooLarge);
        return reply::too_large(now());
    };
    let kind = content_type(&head.headers);
    match fault {
        Some(FaultKind::Reset) => {
            wire.reset();
            return nothing();
        }
        Some(FaultKind::Stall) => {
            let _ = tokio::time::timeout(shared.options.stall, stopped(&shared)).await;
            wire.reset();
            return nothing();
        }
        Some(FaultKind::LateCommit) => {
            guard(&shared.late).insert(number, LateCall { method, kind: kind.to_owned(), body });
            commit_later(Arc::clone(&shared), number);
            wire.reset();
            return nothing();
        }
        _ => {}
    }
    if let Some(reply) = fault.and_then(|fault| reply::instead(fault, now())) {
        return reply;
    }
    let text = match shared.answer(&method, kind, &body) {
        Ok(text) => text,
        Err(error) => return reply::unkept(&error, now()),
    };
    match fault {
        Some(FaultKind::LostReply) => {
            wire.reset();
            nothing()
        }
        Some(FaultKind::Late502) => reply::unavailable(StatusCode::BAD_GATEWAY, now()),
        Some(FaultKind::LateError) => {
            reply::conduit_error(FaultKind::LateError.conduit_error().unwrap_or_default(), now())
        }
        Some(FaultKind::Truncate) => reply::truncated(&text, now()),
        other => {
            if other == Some(FaultKind::Drip) {
                wire.drip(shared.options.drip);
            }
            reply::conduit(text, now())
        }
    }
}

/// Carries the call out after a while, unless that was done before.
fn commit_later(shared: Arc<Shared>, number: usize) {
    tokio::spawn(async move {
        let _ = tokio::time::timeout(shared.options.late, stopped(&shared)).await;
        let due = guard(&shared.late).remove(&number);
        if let Some(call) = due {
            // nobody is there any more to whom an error could be returned
            let _ = shared.answer(&call.method, &call.kind, &call.body);
        }
    });
}
