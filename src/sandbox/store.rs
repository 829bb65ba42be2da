//! Where the world lives: in memory, or in one file that several processes share.
//!
//! Responsible for reading and writing under a lock, saving so that a crash leaves the old world or the new one, and
//! the world's clock. Not responsible for what is in the world.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::built_in::{BuiltIn, BuiltInError};
use super::index::Indexed;
use super::world::{World, WorldError};

/// What the server takes for the present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// Starts at the world's last transaction, or a second after it where the world is opened again, and runs on while it is
    /// served, so that its scenarios do not age.
    #[default]
    Running,
    /// Stands still at this time, in seconds since 1970.
    Fixed(i64),
}

/// Where the world comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A built-in world, in memory, with tokens that were made for it.
    BuiltIn(BuiltIn),
    /// This world, in memory, with the tokens that it has.
    World(Box<World>),
    /// This file, made from a built-in world with tokens of its own where there is none. Who can read it can use them:
    /// its mode is 0600.
    File(PathBuf, BuiltIn),
}

impl Default for Source {
    fn default() -> Self {
        Self::BuiltIn(BuiltIn::Recorded)
    }
}

/// Why the world cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is no world.
    #[error("{path}: {source}; `sandbox --reset` starts anew", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: WorldError,
    },
    /// The built-in world is no world.
    #[error(transparent)]
    BuiltIn(#[from] BuiltInError),
    /// The file cannot be read or written.
    #[error("cannot {doing} {path}: {source}", path = path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

fn failed(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> StoreError {
    move |source| StoreError::File { doing, path: path.to_owned(), source }
}

/// Distinguishes one version of the file from another: a file that is renamed into place is a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    seconds: i64,
    nanoseconds: i64,
}

#[derive(Debug)]
struct Held {
    world: Indexed,
    stamp: Option<Stamp>,
    clock: Clock,
    offset: i64,
    started: Instant,
    begins: i64,
}

/// The world and its clock.
#[derive(Debug)]
pub(crate) struct Store {
    /// The file, and what it is made from where it is missing.
    file: Option<(PathBuf, BuiltIn)>,
    held: Mutex<Held>,
}

impl Store {
    /// Opens the world.
    pub(crate) fn open(source: Source, clock: Clock) -> Result<Self, StoreError> {
        let mut resumed = false;
        let (file, world, stamp) = match source {
            Source::BuiltIn(which) => (None, begun(which, clock)?, None),
            Source::World(world) => (None, *world, None),
            Source::File(path, which) => {
                let _lock = lock(&path)?;
                let (mut world, mut stamp) = match load(&path)? {
                    Some(loaded) => {
                        resumed = true;
                        loaded
                    }
                    None => begin(&path, which, clock)?,
                };
                if has_known_tokens(&world)? {
                    world.renew_tokens();
                    stamp = save(&path, &world)?;
                }
                (Some((path, which)), world, Some(stamp))
            }
        };
        // Whoever opens it again comes after what was done before, however little of a second that took.
        let begins = world.last_event().saturating_add(i64::from(resumed));
        let held = Held { world: world.into(), stamp, clock, offset: 0, started: Instant::now(), begins };
        Ok(Self { file, held: Mutex::new(held) })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the world as it is now.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&mut Indexed, i64) -> R) -> Result<R, StoreError> {
        let mut held = self.held();
        self.refresh(&mut held, false)?;
        let now = held.now();
        Ok(look(&mut held.world, now))
    }

    /// Changes the world, and keeps the change before anybody hears of it.
    pub(crate) fn write<R>(&self, change: impl FnOnce(&mut Indexed, i64) -> R) -> Result<R, StoreError> {
        let mut held = self.held();
        let _lock = self.file.as_ref().map(|(path, _)| lock(path)).transpose()?;
        self.refresh(&mut held, true)?;
        let now = held.now();
        let Some((path, _)) = &self.file else { return Ok(change(&mut held.world, now)) };
        let mut world = Indexed::from(World::clone(&held.world));
        let result = change(&mut world, now);
        if *world != *held.world {
            held.stamp = Some(save(path, &world)?);
            held.world = world;
        }
        Ok(result)
    }

    /// Takes over what another process wrote; `locked` where the lock of the file is already held.
    fn refresh(&self, held: &mut Held, locked: bool) -> Result<(), StoreError> {
        let Some((path, which)) = &self.file else { return Ok(()) };
        if held.stamp.is_some() && stamp_of(path)? == held.stamp {
            return Ok(());
        }
        let (world, stamp) = match load(path)? {
            Some(loaded) => loaded,
            // A file that was taken away under a running server is begun anew, as by a reset, and by one alone.
            None => {
                let _lock = if locked { None } else { Some(lock(path)?) };
                match load(path)? {
                    Some(loaded) => loaded,
                    None => begin(path, *which, held.clock)?,
                }
            }
        };
        held.world = world.into();
        held.stamp = Some(stamp);
        Ok(())
    }

    /// The present of the world.
    pub(crate) fn now(&self) -> i64 {
        self.held().now()
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, by: Duration) {
        let mut held = self.held();
        held.offset = held.offset.saturating_add(i64::try_from(by.as_secs()).unwrap_or(i64::MAX));
    }
}

impl Held {
    fn now(&self) -> i64 {
        if let Clock::Fixed(time) = self.clock {
            return time.saturating_add(self.offset);
        }
        let elapsed = i64::try_from(self.started.elapsed().as_secs()).unwrap_or(i64::MAX);
        // What another process did since is never in the future.
        self.begins.saturating_add(elapsed).saturating_add(self.offset).max(self.world.last_event())
    }
}

/// Makes the world in this file anew from a built-in one.
///
/// # Errors
/// Where the file cannot be written.
pub fn reset(path: &Path, which: BuiltIn) -> Result<(), StoreError> {
    let _lock = lock(path)?;
    begin(path, which, Clock::Running).map(drop)
}

/// A built-in world with tokens of its own, so that no other sandbox's open it.
fn begun(which: BuiltIn, clock: Clock) -> Result<World, StoreError> {
    let now = match clock {
        Clock::Running => jiff::Timestamp::now().as_second(),
        Clock::Fixed(time) => time,
    };
    let mut world = which.world(now)?;
    world.renew_tokens();
    Ok(world)
}

fn begin(path: &Path, which: BuiltIn, clock: Clock) -> Result<(World, Stamp), StoreError> {
    let world = begun(which, clock)?;
    let stamp = save(path, &world)?;
    Ok((world, stamp))
}

/// Whether a world of an earlier version still has tokens that everybody knows.
fn has_known_tokens(world: &World) -> Result<bool, StoreError> {
    let known = World::built_in().map_err(BuiltInError::from)?;
    Ok(known.users.iter().any(|user| world.users.iter().any(|own| own.token == user.token)))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

/// Holds the lock beside the file until it is dropped; the system lets go of it where the process dies.
fn lock(path: &Path) -> Result<File, StoreError> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed("create", directory))?;
    }
    let path = beside(path, ".lock");
    let mut options = OpenOptions::new();
    let file =
        options.write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed("open", &path))?;
    file.lock().map_err(failed("lock", &path))?;
    Ok(file)
}

fn stamp_of(path: &Path) -> Result<Option<Stamp>, StoreError> {
    match fs::metadata(path) {
        Ok(data) => Ok(Some(Stamp {
            inode: data.ino(),
            length: data.len(),
            seconds: data.mtime(),
            nanoseconds: data.mtime_nsec(),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

fn load(path: &Path) -> Result<Option<(World, Stamp)>, StoreError> {
    // the stamp first: where the file changes in between, the next look loads it again
    let Some(stamp) = stamp_of(path)? else { return Ok(None) };
    let text = fs::read_to_string(path).map_err(failed("read", path))?;
    let world = World::from_json(&text).map_err(|source| StoreError::Damaged { path: path.to_owned(), source })?;
    Ok(Some((world, stamp)))
}

/// Writes beside the file and renames, with the contents and the name on the disk before it returns.
fn save(path: &Path, world: &World) -> Result<Stamp, StoreError> {
    let text = world.to_json().map_err(BuiltInError::from)?;
    let new = beside(path, ".new");
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(failed("write", &new))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed("write", &new))?;
    fs::rename(&new, path).map_err(failed("replace", path))?;
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed("write", directory))?;
    let gone = || failed("read", path)(io::ErrorKind::NotFound.into());
    stamp_of(path)?.ok_or_else(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn title(store: &Store) -> String {
        store.read(|world, _| world.tasks[0].title.clone()).unwrap()
    }

    #[test]
    fn two_stores_of_one_file_see_each_others_changes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/world.json");
        let open = || Store::open(Source::File(path.clone(), BuiltIn::Recorded), Clock::Running).unwrap();
        let (one, two) = (open(), open());
        one.write(|world, _| world.tasks[0].title.push_str(" 1")).unwrap();
        two.write(|world, _| world.tasks[0].title.push_str(" 2")).unwrap();
        assert!(title(&one).ends_with(" 1 2"));
        assert_eq!(title(&open()), title(&one));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&directory.path().join("deep")), 0o700);
    }

    #[test]
    fn a_world_that_is_opened_again_comes_after_what_was_done() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("world.json");
        let open = || Store::open(Source::File(path.clone(), BuiltIn::Recorded), Clock::Running).unwrap();
        let done = open().read(|world, _| world.last_event()).unwrap();
        assert!(open().now() > done);
    }

    #[test]
    fn a_world_has_tokens_of_its_own_and_keeps_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("world.json");
        let token = |store: &Store| store.read(|world, _| world.token_of("phabgate").unwrap().to_owned()).unwrap();
        let open = || Store::open(Source::File(path.clone(), BuiltIn::Recorded), Clock::Running).unwrap();
        let kept = token(&open());
        let known = World::built_in().unwrap();
        assert_ne!(Some(kept.as_str()), known.token_of("phabgate"));
        assert_eq!(token(&open()), kept);
        reset(&path, BuiltIn::Recorded).unwrap();
        assert_ne!(token(&open()), kept);
        let memory = || token(&Store::open(Source::default(), Clock::Running).unwrap());
        assert_ne!(memory(), memory());
        // a world that an earlier version made, with tokens that everybody knows
        save(&path, &known).unwrap();
        let renewed = token(&open());
        assert_ne!(Some(renewed.as_str()), known.token_of("phabgate"));
        assert_eq!(token(&open()), renewed);
    }

    #[test]
    fn writes_from_many_threads_are_all_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("world.json");
        let add = || {
            let store = Store::open(Source::File(path.clone(), BuiltIn::Recorded), Clock::Running).unwrap();
            for _ in 0..5 {
                store.write(|world, _| world.serial += 1).unwrap();
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(add);
            }
        });
        let store = Store::open(Source::File(path.clone(), BuiltIn::Recorded), Clock::Running).unwrap();
        assert_eq!(store.read(|world, _| world.serial).unwrap(), 20);
    }

    #[test]
    fn a_reset_begins_anew_and_a_damaged_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("world.json");
        let store = Store::open(Source::File(path.clone(), BuiltIn::Recorded), Clock::Running).unwrap();
        let fresh = title(&store);
        store.write(|world, _| world.tasks[0].title.push('!')).unwrap();
        reset(&path, BuiltIn::Recorded).unwrap();
        assert_eq!(title(&store), fresh);
        fs::write(&path, "{").unwrap();
        let error = Store::open(Source::File(path.clone(), BuiltIn::Recorded), Clock::Running).unwrap_err().to_string();
        assert!(error.contains("world.json") && error.contains("--reset"), "{error}");
    }

    #[test]
    fn the_clock_starts_at_the_last_event_and_never_before_it() {
        let store = Store::open(Source::default(), Clock::Running).unwrap();
        let last = store.read(|world, _| world.last_event()).unwrap();
        assert!(store.now() >= last);
        store.advance(Duration::from_secs(3600));
        assert!(store.now() >= last + 3600);
        let fixed = Store::open(Source::default(), Clock::Fixed(42)).unwrap();
        fixed.advance(Duration::from_secs(8));
        assert_eq!(fixed.now(), 50);
    }
}
