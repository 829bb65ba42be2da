//! What `--version` says beside the version: the commit, its date, and the target that is built for.
//!
//! It runs again where another commit is checked out, and never because a source changed; so the commit is the one that the tree
//! was built from, whatever was edited on top. Without git, or in a tree that is no checkout of this repository, that is what it says.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    println!("cargo:rerun-if-changed=build.rs");
    let target = std::env::var("TARGET").unwrap_or_else(|_| "unknown target".to_owned());
    let (commit, date) = match head(&root) {
        Some((commit, date)) => {
            for file in watched(&root) {
                println!("cargo:rerun-if-changed={}", file.display());
            }
            (format!("{commit} {date}"), date)
        }
        None => ("built without git, commit not known".to_owned(), String::new()),
    };
    println!("cargo:rustc-env=PHABGATE_BUILD={commit}, {target}");
    println!("cargo:rustc-env=PHABGATE_BUILD_DATE={date}");
}

/// The short hash of the commit that is checked out, and its date.
fn head(root: &Path) -> Option<(String, String)> {
    // A tarball that was unpacked within another repository is no checkout of it.
    let top = PathBuf::from(git(root, &["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    let shown = git(root, &["show", "--no-patch", "--format=%h %cs", "HEAD"])?;
    let (commit, date) = shown.split_once(' ')?;
    Some((commit.to_owned(), date.to_owned()))
}

/// The files that change where another commit is checked out. One that is not there would make every build run this again.
fn watched(root: &Path) -> Vec<PathBuf> {
    let branch = git(root, &["symbolic-ref", "--quiet", "HEAD"]);
    let names = ["HEAD".to_owned(), "logs/HEAD".to_owned(), "packed-refs".to_owned()].into_iter().chain(branch);
    let paths = names.filter_map(|name| git(root, &["rev-parse", "--git-path", &name]));
    paths.map(|path| root.join(path)).filter(|path| path.is_file()).collect()
}

/// What git prints, without the end of the line; `None` where there is no git or it fails.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(root).args(arguments).env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
    let output = git.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
