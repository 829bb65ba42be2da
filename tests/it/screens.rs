//! What a deployer sees at once: the screens in a terminal of 80 columns and 24 rows.

use crate::scenarios::scenarios;
use crate::server::Server;

/// How many rows of a terminal a page takes: what is wider than it is wrapped by the terminal.
fn rows(page: &str) -> usize {
    page.lines().map(|line| line.chars().count().div_ceil(80).max(1)).sum()
}

#[test]
fn a_pending_check_fits_into_a_terminal() {
    let server = Server::new();
    let mut seen = 0;
    for (name, about) in scenarios() {
        if about["expect"] != "pending" {
            continue;
        }
        let mut command = server.phabgate();
        command.env("COLUMNS", "80").args(["check", about["task"].as_str().unwrap()]);
        command.args(about["deployer"].as_str().map(|name| format!("--deployer={name}")));
        let page = String::from_utf8(command.output().unwrap().stdout).unwrap();
        // Some are of another world.
        if !page.starts_with("PENDING ") {
            continue;
        }
        assert!(page.lines().last().unwrap().starts_with("Next: phabgate check "), "{page}");
        // One row is the prompt's.
        assert!(rows(&page) < 25, "{name} takes {} rows\n{page}", rows(&page));
        seen += 1;
    }
    assert!(seen >= 10, "{seen}");
}
