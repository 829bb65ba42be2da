//! What is masked and what stays.

use proptest::prelude::*;

use super::*;

fn masked(arguments: &[&str]) -> String {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    Mask::default().arguments(&arguments).join(" ")
}

#[test]
fn quotes_what_a_shell_would_act_on() {
    for (argument, expected) in [
        ("plain-1.2:/x=y", "plain-1.2:/x=y"),
        ("", "''"),
        ("two words", "'two words'"),
        ("it's", r"'it'\''s'"),
        ("$(id)", "'$(id)'"),
        ("*", "'*'"),
    ] {
        assert_eq!(quote(argument), expected);
    }
}

fn pattern(expression: &str) -> Pattern {
    Pattern::new(Regex::new(expression).unwrap())
}

#[test]
fn the_constant_patterns_compile() {
    assert!(PATTERNS.is_some());
}

#[test]
fn secrets_are_masked_in_the_shapes_people_write_them() {
    for (arguments, expected) in [
        (&["--password", "a b"][..], "--password [masked]"),
        (&["-pwd", "x", "y"], "-pwd [masked] y"),
        (&["--db-password=x y"], "--db-password=[masked]"),
        (&["AWS_SECRET_ACCESS_KEY=x", "go"], "AWS_SECRET_ACCESS_KEY=[masked] go"),
        (&["apiKey=x"], "apiKey=[masked]"),
        (&["key=x"], "key=[masked]"),
        (&["sh", "-c", "TOKEN=x deploy --password 'a b' --all"], "sh -c TOKEN=[masked]"),
        (&["sh", "-c", "deploy --password 'a b' --all"], "sh -c deploy --password [masked] --all"),
        (&["sh", "-c", "A=1 TOKEN=x deploy"], "sh -c A=1 TOKEN=[masked] deploy"),
        (&["curl", "-H", "Authorization: Bearer abc.def"], "curl -H Authorization: Bearer [masked]"),
        (&["curl", "-H", "authorization: token abc"], "curl -H authorization: token [masked]"),
        (&["x", "api-abcdefghijklmnopqrstuvwxyz23"], "x [masked]"),
        (&["git", "https://me:pw@host/x"], "git https://[masked]@host/x"),
        (&["--tokens-file=/etc/x"], "--tokens-file=[masked]"),
        (&["redis-cli", "-a", "pw", "flushall"], "redis-cli -a [masked] flushall"),
        (&["sudo", "/usr/bin/redis-cli", "-apw"], "sudo /usr/bin/redis-cli -a[masked]"),
        (&["redis-cli", "AUTH", "pw"], "redis-cli AUTH [masked]"),
        (&["ldapsearch", "-xw", "pw", "-b", "dc=x"], "ldapsearch -xw [masked] -b dc=x"),
        (&["smbclient", "//h/s", "-U", "me%p w"], "smbclient //h/s -U me%[masked]"),
        (&["mongosh", "-u", "me", "-p", "pw"], "mongosh -u me -p [masked]"),
        (&["zip", "-rP", "pw", "x.zip", "x"], "zip -rP [masked] x.zip x"),
        (&["htpasswd", "-b", "f", "me", "pw"], "htpasswd -b f me [masked]"),
        (&["htpasswd", "-nbB", "me", "pw"], "htpasswd -nbB me [masked]"),
        (&["vault", "login", "-no-print", "tok"], "vault login -no-print [masked]"),
        (&["vault", "kv", "put", "secret/x", "a=b c"], "vault kv put secret/x a=[masked]"),
        (&["deploy", "--session", "x"], "deploy --session [masked]"),
        (&["deploy", "--pin", "x"], "deploy --pin [masked]"),
        (&["ssh-keygen", "-t", "ed25519", "-N", "p w"], "ssh-keygen -t ed25519 -N [masked]"),
        (&["mysqladmin", "-u", "root", "password", "pw"], "mysqladmin -u root password [masked]"),
        (&["openssl", "rsa", "-passin", "pass:pw", "-in", "k"], "openssl rsa -passin pass:[masked] -in k"),
        (&["sqlplus", "me/pw@db"], "sqlplus me/[masked]"),
        (
            &["mysql", "-e", "ALTER USER r IDENTIFIED BY 'p''w'; SELECT 1"],
            "mysql -e ALTER USER r IDENTIFIED BY [masked]; SELECT 1",
        ),
        (&["mysql", "-e", "SET PASSWORD FOR r = PASSWORD(\"pw\")"], "mysql -e SET PASSWORD FOR r = [masked]"),
        (
            &["psql", "-c", "ALTER ROLE r PASSWORD 'p w' VALID UNTIL 'x'"],
            "psql -c ALTER ROLE r PASSWORD [masked] VALID UNTIL 'x'",
        ),
        (
            &["ssh", "db1", "sudo mysql -e \"ALTER USER r IDENTIFIED BY 'pw'\""],
            "ssh db1 sudo mysql -e \"ALTER USER r IDENTIFIED BY [masked]\"",
        ),
        (
            &["ssh", "h", "sh -c 'redis-cli -a \"p w\" ping; ls -a x'"],
            "ssh h sh -c 'redis-cli -a [masked] ping; ls -a x'",
        ),
        (&["azcopy", "https://x.blob/y?se=2027&sp=r&sig=a%2Bb"], "azcopy https://x.blob/y?se=2027&sp=r&sig=[masked]"),
        (&["curl", "-d", r#"{"password":"a \"b", "n": 1}"#], r#"curl -d {"password":[masked], "n": 1}"#),
        (&["curl", "-d", r#"{"body": "{\"token\": \"a\"}"}"#], r#"curl -d {"body": "{\"token\": [masked]}"}"#),
        (&["curl", "-u", "me:p w", "https://host"], "curl -u me:[masked] https://host"),
        (&["curl", "-ume:pw", "--user=me:pw"], "curl -ume:[masked] --user=me:[masked]"),
        (&["sh", "-c", "curl -u 'me:pw' x"], "sh -c curl -u 'me:[masked]' x"),
        (&["mysql", "-u", "root", "-ppw", "wiki"], "mysql -u root -p[masked] wiki"),
        (&["sh", "-c", "mysqldump -p'a b' wiki"], "sh -c mysqldump -p[masked] wiki"),
        (&["sshpass", "-p", "a b", "ssh", "host"], "sshpass -p [masked] ssh host"),
        (&["deploy", "-phunter2"], "deploy -p[masked]"),
        (&["deploy", "--pw", "x", "--otp=1"], "deploy --pw [masked] --otp=[masked]"),
        (&["curl", "-H", "Cookie: a=b; c=d", "x"], "curl -H Cookie: [masked] x"),
        (&["sh", "-c", "curl -H 'Cookie: a=b; c=d' x"], "sh -c curl -H 'Cookie: [masked]' x"),
        (&["curl", "-b", "session=abc", "x"], "curl -b [masked] x"),
        (&["curl", "-H", "Authorization: abc"], "curl -H Authorization: [masked]"),
        (
            &["env", "PGPASSWORD=x", "DATABASE_URL=postgres://u:p@db/w"],
            "env PGPASSWORD=[masked] DATABASE_URL=postgres://[masked]@db/w",
        ),
        (
            &["git", "push", "https://ghp_0123456789abcdefghijABCDEFGHIJ012345@github.com/x"],
            "git push https://[masked]@github.com/x",
        ),
        (&["aws", "AKIAIOSFODNN7EXAMPLE"], "aws [masked]"),
    ] {
        assert_eq!(masked(arguments), expected);
    }
}

#[test]
fn what_is_no_secret_stays() {
    for arguments in [
        &["scap", "sync-file", "--message=T1: roll back", "wmf-config/x.php"][..],
        &["monkey=5", "turkey", "--keyboard", "dvorak"],
        &["https://host/a@b", "cli-tool", "api-gateway01"],
        &["docker", "run", "-u", "1000:1000", "-p8080:80", "x"],
        &["ssh", "-p2222", "host", "mkdir", "-pv", "/srv/x1", "find", "-print", "-perm"],
        &["rsync", "-a", "here:/srv", "there:/srv"],
        &["scap", "deploy", "-u", "deploy1"],
        &["grep", "-a", "x", "y"],
        &["ls", "-w", "80", "-N"],
        &["git", "commit", "-a", "-m", "Drop the session of the old host", "-P"],
        &["tar", "-P", "-xf", "x.tar", "-b", "20"],
        &["scap", "deploy", "-w", "30", "-a", "x"],
        &["ssh", "-N", "-P", "x", "-c", "aes256-ctr", "-A", "-X"],
        &["openssl", "x509", "-keyform", "PEM", "-in", "a.pem"],
        &["redis-cli", "-h", "db1", "-p", "6379", "flushall"],
        &["mongosh", "--port", "27017", "db1"],
        &["zip", "-r", "x.zip", "wmf-config"],
        &["mysql", "-h", "db1", "-P", "3306", "-e", "SELECT password_expired FROM user"],
        &["sudo", "-u", "www-data", "mwscript", "eval.php", "--wiki", "enwiki"],
        &["smbclient", "-U", "me", "//h/s"],
        &["curl", "https://x/y?se=2027&sp=r&page=2", "-o", "z"],
        &["helm", "upgrade", "--install", "mw", "-f", "values.yaml"],
        &["systemctl", "restart", "php8.1-fpm", "memcached"],
    ] {
        assert_eq!(masked(arguments), arguments.join(" "));
    }
}

#[test]
fn configured_patterns_mask_their_group_or_all_and_may_span_arguments() {
    let mask = Mask::new(vec![pattern(r"-u (?<secret>\w+)"), pattern("PIN\\d+")]);
    let arguments = ["x", "-u", "alice", "PIN123-4"].map(String::from);
    assert_eq!(mask.arguments(&arguments), ["x", "-u", "[masked]", "[masked]-4"]);
}

#[test]
fn notes_and_changes_are_masked_as_commands_are() {
    let masked = Mask::default().text("rolled back; password: hunter2\nsee https://me:pw@host/T1, or ask \"sre\"");
    assert_eq!(masked, "rolled back; password: [masked]\nsee https://[masked]@host/T1, or ask \"sre\"");
    for words in [
        "The roll back took 3 min: see T123 and https://gerrit.example.org/r/c/1234",
        "The root password is wrong, and the token is expired; who knows what the secret is?",
        "Password resets are broken since T1234, the session of alice too",
        "The login page asks for the password twice",
    ] {
        assert_eq!(Mask::default().text(words), words);
    }
}

#[test]
fn what_people_write_of_a_password_is_masked_in_many_languages() {
    for (text, masked) in [
        ("root password is PW", "root password is [masked]"),
        ("the password for root on db1 was PW.", "the password for root on db1 was [masked]"),
        ("Password changed to PW", "Password changed to [masked]"),
        ("password is now PW", "password is now [masked]"),
        ("new password hunter2", "new password [masked]"),
        ("the PIN is 4711", "the PIN is [masked]"),
        ("PIN 4711", "PIN [masked]"),
        ("Passwort: PW", "Passwort: [masked]"),
        ("Das Passwort für root ist PW", "Das Passwort für root ist [masked]"),
        ("mot de passe : PW", "mot de passe : [masked]"),
        ("contraseña: PW", "contraseña: [masked]"),
        ("La contraseña de root es PW", "La contraseña de root es [masked]"),
        ("senha=PW", "senha=[masked]"),
        ("hasło: PW", "hasło: [masked]"),
        ("lösenord: PW", "lösenord: [masked]"),
        ("wachtwoord: PW", "wachtwoord: [masked]"),
        ("пароль: PW", "пароль: [masked]"),
        ("Пароль от root: PW", "Пароль от root: [masked]"),
        ("şifre: PW", "şifre: [masked]"),
        ("密码：PW", "密码：[masked]"),
        ("パスワード: PW", "パスワード: [masked]"),
        ("סיסמה: PW", "סיסמה: [masked]"),
        ("كلمة المرور: PW", "كلمة المرور: [masked]"),
        ("I ran redis-cli -a PW flushall", "I ran redis-cli -a [masked] flushall"),
    ] {
        assert_eq!(Mask::default().text(text), masked);
    }
}

/// Command lines in which `SECRET` is one.
const LEAKS: &[&[&str]] = &[
    &["redis-cli", "-a", "SECRET", "ping"],
    &["valkey-cli", "-h", "x", "--pass", "SECRET"],
    &["ldapsearch", "-x", "-D", "cn=a", "-w", "SECRET", "-b", "dc=x"],
    &["ldappasswd", "-s", "SECRET", "uid=x"],
    &["smbclient", "//h/s", "-U", "me%SECRET"],
    &["rpcclient", "-Ume%SECRET", "h"],
    &["mongo", "-u", "me", "-p", "SECRET"],
    &["mongodump", "--password=SECRET"],
    &["mysql", "-pSECRET", "wiki"],
    &["mysqladmin", "password", "SECRET"],
    &["zip", "-P", "SECRET", "x.zip", "x"],
    &["unzip", "-P", "SECRET", "x.zip"],
    &["7z", "x", "-pSECRET", "x.7z"],
    &["htpasswd", "-bc", "f", "me", "SECRET"],
    &["vault", "login", "SECRET"],
    &["vault", "write", "auth/x", "role=SECRET"],
    &["ssh-keygen", "-f", "k", "-N", "SECRET"],
    &["openssl", "enc", "-k", "SECRET", "-in", "x"],
    &["keytool", "-list", "-storepass", "SECRET"],
    &["sshpass", "-p", "SECRET", "ssh", "h"],
    &["docker", "login", "-u", "me", "-p", "SECRET"],
    &["mosquitto_pub", "-u", "me", "-P", "SECRET"],
    &["ipmitool", "-U", "me", "-P", "SECRET", "power", "off"],
    &["rabbitmqctl", "change_password", "me", "SECRET"],
    &["lftp", "-u", "me,SECRET", "h"],
    &["kubectl", "create", "secret", "generic", "x", "--from-literal=a=SECRET"],
    &["aws", "configure", "set", "aws_secret_access_key", "SECRET"],
    &["deploy", "--session", "SECRET"],
    &["deploy", "--pin=SECRET"],
    &["curl", "-H", "Authorization: Bearer SECRET"],
    &["curl", "https://x/y?X-Amz-Signature=SECRET&x=1"],
    &["curl", "https://x/y?a=1&X-Goog-Signature=SECRET"],
    &["env", "PHPSESSID=SECRET", "AccountKey=SECRET", "x"],
];

proptest! {
    #[test]
    fn nothing_of_a_secret_is_left_whoever_starts_the_program(
        which in 0..LEAKS.len(),
        secret in "[b-z0-9][!#%+.0-9A-Z_a-z^~]{7,20}",
        wrapped in 0..4,
    ) {
        let arguments: Vec<String> = LEAKS[which].iter().map(|word| word.replace("SECRET", &secret)).collect();
        let quoted = arguments.iter().map(|argument| quote(argument)).collect::<Vec<_>>().join(" ");
        let line = match wrapped {
            0 => arguments,
            1 => ["sudo", "timeout", "5"].into_iter().map(String::from).chain(arguments).collect(),
            2 => vec!["sh".to_owned(), "-c".to_owned(), format!("cd /x && {quoted}; true")],
            _ => vec!["ssh".to_owned(), "h".to_owned(), format!("sudo sh -c {}", quote(&quoted))],
        };
        let masked = Mask::default().arguments(&line);
        prop_assert!(!masked.concat().contains(&secret), "{line:?} {masked:?}");
        prop_assert!(masked.concat().contains(MASKED));
        prop_assert_eq!(&Mask::default().arguments(&masked), &masked);
    }

    #[test]
    fn masking_again_changes_nothing(text in r#"(?:[a-z0-9'" =:@/\-]|password|-p|token|login|redis-cli -a | is |identified by |sig=|://){0,14}"#) {
        let masked = Mask::default().text(&text);
        prop_assert_eq!(Mask::default().text(&masked), masked);
    }

    #[test]
    fn a_masked_secret_is_never_in_the_output(secret in "[!-~]{9,20}", other in "[a-z ]{0,10}") {
        let arguments = [other.clone(), "--password".to_owned(), secret.clone(), other, format!("TOKEN={secret}")];
        let line = Mask::default().arguments(&arguments).join(" ");
        prop_assert!(!line.contains(&secret), "{line}");
    }

    #[test]
    fn the_number_of_arguments_stays(arguments in proptest::collection::vec(".*", 0..6)) {
        prop_assert_eq!(Mask::default().arguments(&arguments).len(), arguments.len());
    }
}
