//! What the commands say of sudo in their help.
//!
//! Responsible for these words. Not responsible for what is refused there ([`super::under_sudo`]).

/// What is another thing under sudo, where root's rights are lent to whoever calls.
pub(super) const UNDER_SUDO: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "configuration, server, token and journal are those of /etc/phabgate;",
            "variables of yours do not count, and --config, --url, --sandbox and",
            "--show-restricted are refused",
        ],
    ),
    ("check", &["--server is refused: the watch is that of /etc/phabgate/config.toml"]),
    (
        "run",
        &[
            "the command runs as you, not as root; you deploy as the account that",
            "/etc/phabgate/config.toml names for you; --as-root and --server are refused",
        ],
    ),
    ("record", &["you deploy as the account that /etc/phabgate/config.toml names for you"]),
    ("request", &["you deploy as the account that /etc/phabgate/config.toml names for you"]),
    ("page", &["only who /etc/phabgate/config.toml names as a deployer pages anybody"]),
    ("approve", ANSWERED),
    ("withdraw", ANSWERED),
    ("reject", ANSWERED),
    ("outbox drop", &["refused: whoever administers the machine gives records up"]),
    ("config", SHOWN),
    ("config show", SHOWN),
    ("config check", SHOWN),
    ("browse", &["refused: it would open a browser as root"]),
    #[cfg(feature = "serve")]
    ("serve", &["refused: the service runs as a user of its own"]),
    ("sandbox", &["refused: the sandbox needs no right of root's"]),
    ("man", &["--output is refused"]),
];
const ANSWERED: &[&str] = &["refused: an answer is its author's, with a token of their own"];
const SHOWN: &[&str] = &["refused: it would show what only root may read"];

/// What is another thing under sudo, in lines; none where nothing is but what holds for all commands.
pub(super) fn under_sudo(name: &str) -> &'static [&'static str] {
    UNDER_SUDO.iter().find(|(of, _)| *of == name).map_or(&[], |(_, lines)| lines)
}
