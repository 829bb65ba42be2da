//! What the benchmarks share: a world, and the sandbox that serves it in a thread of its own.

pub(crate) mod world;

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use phabgate::sandbox::{Options, Running, Source, World, serve};
use tokio::sync::oneshot;

/// The sandbox of a benchmark. One thread serves it, so that what it costs is told apart from what asks it.
pub(crate) struct Server {
    pub(crate) running: Arc<Running>,
    account: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn of(world: World) -> Self {
        let options = Options { source: Source::World(Box::new(world)), ..Options::default() };
        let (made, served) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let account = std::fs::read_link("/proc/thread-self").unwrap();
                made.send((Arc::new(serve(options).await.unwrap()), account)).unwrap();
                let _ = stopped.await;
            });
        });
        let (running, account) = served.recv().unwrap();
        Self { running, account, stop: Some(stop), thread: Some(thread) }
    }

    /// How long the thread that serves has run so far.
    pub(crate) fn cpu(&self) -> Duration {
        let text = std::fs::read_to_string(PathBuf::from("/proc").join(&self.account).join("schedstat")).unwrap();
        Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The numbers on the command line, or these.
pub(crate) fn sizes(default: &[usize]) -> Vec<usize> {
    // cargo adds `--bench`
    let given: Vec<usize> =
        std::env::args().skip(1).filter(|word| !word.starts_with("--")).map(|word| word.parse().unwrap()).collect();
    if given.is_empty() { default.to_vec() } else { given }
}
