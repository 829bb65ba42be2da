//! Programs of whose command lines a part is a secret, though no word beside it says so: `redis-cli -a`, `zip -P`.
//!
//! Responsible for the table of programs and for finding what they take in a list of words. Not responsible for splitting a
//! text into words as a shell does, which [`super::words`] does, nor for what a secret looks like by itself.
//!
//! A program counts wherever its name stands as a word, since others start it: `sudo`, `env`, `timeout`, `ssh host`.

use std::ops::Range;

use super::words::{Word, split};

/// Where a program takes a secret.
#[derive(Debug, Clone, Copy)]
enum Takes {
    /// As the value of an option: in the next word, behind `=`, or of a short one directly behind it.
    Option(&'static str),
    /// Directly behind an option, and never in the next word.
    Glued(&'static str),
    /// In the word behind an option, and nowhere else: of programs whose options are whole words behind one dash.
    Next(&'static str),
    /// In the value of an option, behind the first of this character.
    Behind(&'static str, char),
    /// In the next word that is no option, behind these.
    After(&'static [&'static str]),
    /// Behind the first `=` of each word that follows these.
    Values(&'static [&'static str]),
    /// In every word that is no option from this one on, where one of these letters stands among the short options.
    From(&'static str, usize),
    /// In every word, behind the first `/` of it.
    Slash,
}

use Takes::{After, Behind, From, Glued, Next, Option as Opt, Slash, Values};

/// The programs, by the names of their files; `*` at the end stands for any ending.
const PROGRAMS: &[(&[&str], &[Takes])] = &[
    (
        &["redis-cli", "valkey-cli", "keydb-cli"],
        &[Opt("-a"), After(&["auth"]), After(&["requirepass"]), After(&["masterauth"])],
    ),
    (&["ldappasswd"], &[Opt("-w"), Opt("-s"), Opt("-a")]),
    (&["slappasswd"], &[Opt("-s")]),
    (&["ldap*", "kadmin", "kadmin.local", "kpasswd"], &[Opt("-w")]),
    (
        &["smbclient", "smbget", "smbcacls", "smbmap", "rpcclient", "winexe", "wmic", "net"],
        &[Behind("-U", '%'), Behind("--user", '%')],
    ),
    (
        &["mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport", "mongostat", "mongotop"],
        &[Opt("-p")],
    ),
    (&["mysqladmin", "mariadb-admin"], &[After(&["password"]), After(&["old-password"])]),
    (&["mysql*", "mariadb*", "mycli"], &[Glued("-p")]),
    (&["cqlsh", "sqlcmd", "bcp", "isql", "osql", "tsql"], &[Opt("-P"), Opt("-p")]),
    (&["sqlplus", "sqlldr", "expdp", "impdp", "rman"], &[Slash]),
    (&["clickhouse-client", "influx", "rabbitmqadmin", "ncftp", "ncftpput", "ncftpget"], &[Opt("-p")]),
    (
        &["rabbitmqctl"],
        &[After(&["add_user", "*"]), After(&["change_password", "*"]), After(&["authenticate_user", "*"])],
    ),
    (&["mosquitto_pub", "mosquitto_sub", "mosquitto_rr", "ipmitool", "telegraf"], &[Opt("-P")]),
    (&["snmp*"], &[Opt("-c"), Opt("-A"), Opt("-X")]),
    (&["lftp"], &[Behind("-u", ',')]),
    (&["zip", "unzip", "zipcloak", "zipnote"], &[Opt("-P")]),
    (&["7z", "7za", "7zr", "7zz"], &[Glued("-p")]),
    (&["rar", "unrar"], &[Glued("-hp"), Glued("-p")]),
    (&["htpasswd"], &[From("b", 1)]),
    (
        &["vault", "bao"],
        &[
            After(&["login"]),
            After(&["unwrap"]),
            After(&["unseal"]),
            After(&["token", "lookup"]),
            After(&["token", "renew"]),
            After(&["token", "revoke"]),
            Values(&["write"]),
            Values(&["put"]),
            Values(&["patch"]),
        ],
    ),
    (&["ssh-keygen"], &[Opt("-N"), Opt("-P")]),
    (
        &["openssl"],
        &[Behind("-passin", ':'), Behind("-passout", ':'), Behind("-pass", ':'), Next("-k"), Next("-K"), Next("-hmac")],
    ),
    (
        &["keytool", "jarsigner"],
        &[Next("-storepass"), Next("-keypass"), Next("-new"), Next("-srcstorepass"), Next("-deststorepass")],
    ),
    (&["sshpass"], &[Opt("-p")]),
    // `docker login -p`, and podman's, oc's, az's, helm's.
    (&["login"], &[Opt("-p")]),
    (&["curl"], &[Opt("-b"), Opt("--oauth2-bearer")]),
    (&["useradd", "usermod", "groupadd", "groupmod"], &[Opt("-p")]),
    (&["rclone"], &[After(&["obscure"])]),
    (&["wpa_passphrase"], &[After(&["*"])]),
    (&["nmcli"], &[After(&["password"])]),
    (&["ansible-vault"], &[After(&["encrypt_string"])]),
    (&["kubectl", "oc"], &[Behind("--from-literal", '=')]),
    (&["aws"], &[After(&["aws_secret_access_key"]), After(&["aws_session_token"])]),
];

/// How deep a text may be a command line within a command line.
const DEEPEST: usize = 3;

/// What of a command's arguments, which stand one behind the other in a line, is a secret that one of the programs takes.
pub(super) fn in_arguments(arguments: &[String]) -> Vec<Range<usize>> {
    let mut start = 0;
    let words = arguments.iter().map(|argument| {
        let word = Word::of_argument(argument, start);
        start = word.range.end + 1;
        word
    });
    in_words(&words.collect::<Vec<_>>(), DEEPEST)
}

fn in_words(words: &[Word<'_>], depth: usize) -> Vec<Range<usize>> {
    let mut found = taken(words);
    // A word with blanks in it may be a command line itself.
    for word in words.iter().filter(|word| depth > 0 && word.text.contains(char::is_whitespace)) {
        found.extend(in_words(&split(&word.text), depth - 1).iter().map(|secret| word.place(secret)));
    }
    found
}

fn taken(words: &[Word<'_>]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // Up to which word each program of the table was looked at: one that is named twice takes what it takes once.
    let mut looked = [0; PROGRAMS.len()];
    for (at, word) in words.iter().enumerate() {
        // An option is no program, and the last word of a command takes nothing.
        if word.ends_command || word.text.starts_with('-') {
            continue;
        }
        let name = word.text.rsplit('/').next().unwrap_or_default();
        let is_one = |known: &&str| match known.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *known,
        };
        for ((names, takes), looked) in PROGRAMS.iter().zip(&mut looked) {
            if *looked > at || !names.iter().any(is_one) {
                continue;
            }
            let own = words.get(at + 1..).unwrap_or_default();
            let end = own.iter().position(|word| word.ends_command).map_or(own.len(), |end| end + 1);
            *looked = at + 1 + end;
            takes.iter().for_each(|takes| takes.find(own.get(..end).unwrap_or_default(), &mut found));
        }
    }
    found
}

impl Takes {
    /// Finds what is taken among the words behind the program.
    fn find(self, own: &[Word<'_>], found: &mut Vec<Range<usize>>) {
        match self {
            Opt(option) => value_of(option, own, true, |word, from| found.extend(word.rest(from))),
            Next(option) => {
                let options = own.iter().zip(own.iter().skip(1)).filter(|(word, _)| word.text == option);
                found.extend(options.filter_map(|(_, value)| value.rest(0)));
            }
            Glued(option) => value_of(option, own, false, |word, from| found.extend(word.rest(from))),
            Behind(option, mark) => value_of(option, own, true, |word, from| {
                let behind = word.text.get(from..).and_then(|value| value.find(mark));
                found.extend(behind.and_then(|behind| word.rest(from + behind + mark.len_utf8())));
            }),
            After(before) => found.extend(behind(before, own).first().and_then(|word| word.rest(0))),
            Values(before) => {
                let values = behind(before, own).iter();
                found.extend(values.filter_map(|word| word.rest(word.text.find('=')? + 1)));
            }
            From(letters, first) => {
                let short = |word: &Word<'_>| word.text.starts_with('-') && !word.text.starts_with("--");
                let given = own.iter().filter(|word| short(word)).any(|word| word.text.contains(letters));
                let nothing = own.iter().filter(|word| short(word)).any(|word| word.text.contains('n'));
                // Without a file, which `-n` says, the name stands first.
                let skipped = if nothing { first } else { first + 1 };
                let plain = own.iter().filter(|word| !word.text.starts_with('-')).skip(skipped);
                found.extend(plain.filter(|_| given).filter_map(|word| word.rest(0)));
            }
            Slash => {
                let words = own.iter().filter(|word| !word.text.starts_with(['-', '/', '@']));
                found.extend(words.filter_map(|word| word.rest(word.text.find('/')? + 1)));
            }
        }
    }
}

/// Calls `take` with each word that holds a value of the option, and with where in the word the value begins.
fn value_of(option: &str, own: &[Word<'_>], next: bool, mut take: impl FnMut(&Word<'_>, usize)) {
    let letter = option.strip_prefix('-').filter(|letter| letter.chars().count() == 1);
    for (at, word) in own.iter().enumerate() {
        let text = word.text.as_ref();
        let is_it = text.eq_ignore_ascii_case(option) && (letter.is_none() || text == option);
        // `-xw` is `-x -w`.
        let cluster = letter.is_some_and(|letter| {
            text.len() <= 6
                && text
                    .strip_prefix('-')
                    .and_then(|rest| rest.strip_suffix(letter))
                    .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphabetic()))
        });
        if is_it || cluster {
            if let Some(value) = own.get(at + 1).filter(|_| next) {
                take(value, 0);
            }
        } else if let Some(rest) = text.strip_prefix(option) {
            match (letter, rest.starts_with('=')) {
                (_, true) => take(word, option.len() + 1),
                (Some(_), false) => take(word, option.len()),
                (None, false) if !next || !option.starts_with('-') => take(word, option.len()),
                (None, false) => {}
            }
        }
    }
}

/// The words behind the last of these, which stand one behind the other with nothing but options between; `*` is any word.
fn behind<'w, 't>(before: &[&str], own: &'w [Word<'t>]) -> &'w [Word<'t>] {
    let mut left = own;
    for name in before {
        let mut at = left
            .iter()
            .position(|word| !word.text.starts_with('-') && (*name == "*" || word.text.eq_ignore_ascii_case(name)));
        if name.starts_with('-') {
            at = left.iter().position(|word| word.text == *name);
        }
        match at {
            Some(at) => left = left.get(at + 1..).unwrap_or_default(),
            None => return &[],
        }
    }
    let first = left.iter().position(|word| !word.text.starts_with('-')).unwrap_or(left.len());
    left.get(first..).unwrap_or_default()
}
