//! What a server refuses, kept in the state directory for the next command.
//!
//! Responsible for one small file a server. It may be lost, stale or wrong: it only saves a repeated call, is forgotten
//! after a day, and where it hides a project from a search, the search is repeated. What cannot be read or written is
//! passed over for that reason. What is refused is found by [`crate::conduit`].

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use crate::conduit::Refusals;
use crate::text::hex;

/// The schema of the file.
const SCHEMA: &str = "phabgate/server/1";
/// How long it is believed: a server may be updated at any time.
const LASTS: SignedDuration = SignedDuration::from_hours(24);

#[derive(Serialize, Deserialize)]
struct KeptRefusals {
    schema: String,
    url: Url,
    /// `project.search` refused the constraint `status` then.
    project_status_refused: Timestamp,
}

/// What earlier commands found of this server; what is found from now on is kept in this directory, where it exists.
pub(super) fn recall(state: &Path, server: &Url) -> Refusals {
    let path = file_of(state, server);
    let refused = read(&path, server, Timestamp::now());
    let (state, server) = (state.to_owned(), server.clone());
    Refusals::new(refused, move |refused| {
        // Whether it can be kept is no matter of this command.
        let _ = if refused { write(&state, &path, &server) } else { std::fs::remove_file(&path) };
    })
}

fn file_of(state: &Path, server: &Url) -> PathBuf {
    let name = hex(&Sha256::digest(server.as_str())[..8]);
    state.join(format!("server-{name}.json"))
}

fn read(path: &Path, server: &Url, now: Timestamp) -> bool {
    let kept = std::fs::read(path).ok().and_then(|text| serde_json::from_slice::<KeptRefusals>(&text).ok());
    kept.is_some_and(|kept| {
        let age = now.duration_since(kept.project_status_refused);
        kept.schema == SCHEMA && kept.url == *server && !age.is_negative() && age < LASTS
    })
}

fn write(state: &Path, path: &Path, server: &Url) -> std::io::Result<()> {
    let kept =
        KeptRefusals { schema: SCHEMA.to_owned(), url: server.clone(), project_status_refused: Timestamp::now() };
    let mut file = tempfile::NamedTempFile::new_in(state)?;
    file.write_all(&serde_json::to_vec(&kept)?)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_of_one_server_and_for_a_day() {
        let state = tempfile::tempdir().unwrap();
        let server = Url::parse("https://phab.example/").unwrap();
        let path = file_of(state.path(), &server);
        let now = Timestamp::now();
        assert!(!read(&path, &server, now), "nothing is known at first");
        write(state.path(), &path, &server).unwrap();
        let now = Timestamp::now();
        assert!(read(&path, &server, now) && recall(state.path(), &server).project_status());
        assert!(!read(&path, &Url::parse("https://other.example/").unwrap(), now));
        assert!(!read(&path, &server, now + LASTS) && !read(&path, &server, now - LASTS));
        for damaged in ["", "{}", "[1]", "\0"] {
            std::fs::write(&path, damaged).unwrap();
            assert!(!read(&path, &server, now), "{damaged:?}");
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_not_made() {
        let state = tempfile::tempdir().unwrap();
        let missing = state.path().join("missing");
        let server = Url::parse("https://phab.example/").unwrap();
        assert!(write(&missing, &file_of(&missing, &server), &server).is_err());
        assert!(!missing.exists());
    }
}
