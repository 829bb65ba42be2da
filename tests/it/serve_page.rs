//! The live page of `serve`: who may look, what they are shown, and how it follows what happens, over HTTP and in a browser.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::answers::say;
use crate::browser::Browser;
use crate::html::BEYOND;
use crate::server::Server;

/// How long something may take that happens by itself within seconds.
const MAX_DELAY: Duration = Duration::from_secs(60);
/// How often it is looked whether it did: less than what is answered a minute.
const PAUSE: Duration = Duration::from_millis(1_200);
/// What a proxy sends that says who looks.
const SECRET: &str = "between-the-proxy-and-the-watch";

/// On which socket a proxy comes.
const SOCKET: &str = "proxy.sock";

/// A watch over the emergencies of a sandbox.
struct Watched {
    server: Server,
    child: Child,
    url: String,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Watched {
    /// Starts it where a proxy on this machine may name accounts, and waits until it has listed what is open.
    fn start() -> Self {
        let server = Server::new();
        server
            .running
            .change(|world, _| {
                world.tasks.retain(|task| [1, 2, 6, 15, 22, 26, 27].contains(&task.id));
                let watch = world.user_named("phabgate").unwrap().phid.clone();
                for (number, view) in [(15, "public"), (27, watch.as_str())] {
                    let mut those = world.tasks.iter_mut().filter(|task| task.id == number);
                    those.next().unwrap().view = view.into();
                }
            })
            .unwrap();
        let home = server.machine.home();
        let secret = home.join("proxy-secret");
        std::fs::write(&secret, SECRET).unwrap();
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let config = home.join("config.toml");
        let more = format!(
            "{}[serve]\ntrusted_proxies = [\"127.0.0.1\"]\nidentity_header = \"X-Remote-User\"\nidentity_secret = {:?}\n\
             viewers = [\"outsider\", \"gone\"]\nsocket = {:?}\nsocket_mode = \"0620\"\n",
            std::fs::read_to_string(&config).unwrap(),
            secret.to_str().unwrap(),
            home.join(SOCKET).to_str().unwrap()
        );
        std::fs::write(&config, more).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_phabgate"))
            .args(["serve", "--listen", "127.0.0.1:0", "--format", "json"])
            .env_clear()
            .envs([("HOME", home), ("PHABGATE_CONFIG", config.as_path())])
            .env("PHABGATE_STATE", home.join("state"))
            .env("PHABGATE_LOG_ROOT", home.join("log"))
            .env("PHABGATE_URL", server.running.url.as_str())
            .env("PHABGATE_TOKEN", server.running.token_of("phabgate").unwrap().unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        let (mut printed, mut bytes) = (Vec::new(), [0; 1024]);
        let url = loop {
            let count = out.read(&mut bytes).unwrap();
            assert!(count > 0, "it ended: {}", String::from_utf8_lossy(&printed));
            printed.extend_from_slice(&bytes[..count]);
            if let Ok(started) = serde_json::from_slice::<Value>(&printed) {
                break started["url"].as_str().unwrap().trim_end_matches('/').to_owned();
            }
        };
        let watched = Self { server, child, url };
        let begun = Instant::now();
        // Until it knows the tasks, and who may look.
        while watched.get("/?fragment", &[]).1.matches("class=\"card").count() < 5
            || watched.get_as("sre1", "/").0 != 200
        {
            assert!(begun.elapsed() < MAX_DELAY, "{}", watched.get("/", &[]).1);
            std::thread::sleep(PAUSE);
        }
        watched
    }

    /// What is answered: the status, the page, and a header.
    fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let (status, _, text) = self.ask(path, headers);
        (status, text)
    }

    fn ask(&self, path: &str, headers: &[(&str, &str)]) -> (u16, reqwest::header::HeaderMap, String) {
        self.ask_by(&crate::harness::http(), path, headers)
    }

    fn ask_by(
        &self,
        client: &reqwest::Client,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (u16, reqwest::header::HeaderMap, String) {
        let mut request = client.get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let reply = request.send().await.unwrap();
            (reply.status().as_u16(), reply.headers().clone(), reply.text().await.unwrap())
        })
    }

    /// What is answered to an account that the proxy names.
    fn get_as(&self, account: &str, path: &str) -> (u16, String) {
        self.get(
            path,
            &[("x-remote-user", account), ("phabgate-proxy-secret", SECRET), ("x-forwarded-for", "192.0.2.7")],
        )
    }

    /// Closes a task as somebody would.
    fn close(&self, task: &str) {
        let token = self.server.running.token_of("deployer1").unwrap().unwrap();
        let body = json!({
            "objectIdentifier": task,
            "transactions": [{"type": "status", "value": "resolved"}],
            "__conduit__": {"token": token},
        });
        let url = self.server.running.url.join("api/maniphest.edit").unwrap();
        let form = [("params", body.to_string()), ("output", "json".to_owned())];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let reply = runtime.block_on(async { crate::harness::http().post(url).form(&form).send().await?.text().await });
        assert!(reply.unwrap().contains("\"error_code\":null"));
    }
}

#[test]
fn each_is_shown_what_they_may_see_and_nobody_else_anything() {
    let watched = Watched::start();
    // A reader on this machine without an account: texts of what is public, names of the others, the number of the restricted one.
    let (status, all) = watched.get("/", &[]);
    assert_eq!(status, 200);
    for task in ["T1", "T6", "T15", "T26", "T27"] {
        assert!(all.contains(&format!("id=\"{task}\"")), "{task}: {all}");
    }
    assert!(all.contains("Turn off the cache") && !all.contains("Thumbnail cache is corrupt"), "{all}");
    assert!(all.contains(">sre1<") && !all.contains("Embargoed"), "{all}");
    let (_, restricted) = watched.get("/T27", &[]);
    assert!(restricted.contains("A restricted task") && !restricted.contains("Embargoed"), "{restricted}");
    assert!(!restricted.contains("Emergency-Approve"), "{restricted}");
    // A member of a team, somebody whom the configuration names, and the texts that neither is shown.
    for account in ["sre1", "SRE1", "outsider"] {
        let (status, page) = watched.get_as(account, "/T6");
        assert_eq!(status, 200, "{account}");
        assert!(page.contains("Thumbnail cache is corrupt") && page.contains("Emergency-Approve: sre"), "{page}");
        let (status, page) = watched.get_as(account, "/T27");
        assert!(status == 200 && !page.contains("Embargoed"), "{page}");
    }
    assert!(watched.get_as("sre1", "/T6").1.contains("You are asked"));
    let hostile = watched.get_as("sre1", "/T26").1;
    assert!(!hostile.contains(['\u{1b}', '\u{202e}']) && hostile.contains("\\u{202e}"), "{hostile}");
    // One whose account was disabled is nobody any more, though the configuration names them.
    assert_eq!(watched.get_as("gone", "/T6").0, 403);
    // Anybody else gets no content, of whatever they ask.
    for path in ["/", "/T1", "/T15", "/T999", "/?fragment", "/T1?fragment"] {
        let (status, page) = watched.get_as("nobody-of-note", path);
        assert_eq!(status, 403, "{path}");
        assert!(page.contains("nobody-of-note") && !page.contains("Turn off") && !page.contains("id=\"T1"), "{page}");
        for headers in [
            [("x-forwarded-for", "127.0.0.1"), ("accept", "*/*")],
            [("x-remote-user", "sre1"), ("via", "1.1 proxy")],
            [("forwarded", "for=127.0.0.1"), ("phabgate-proxy-secret", "wrong")],
        ] {
            let (status, page) = watched.get(path, &headers);
            assert_eq!(status, 401, "{path} {headers:?}");
            assert!(page.contains("Open this page by its usual address") && !page.contains("T1"), "{page}");
        }
        let (status, _) = watched.get(path, &[("host", "evil.example")]);
        assert_eq!(status, 421);
    }
}

#[test]
fn a_proxy_that_may_open_the_socket_is_believed_and_nobody_else_by_it() {
    let mut watched = Watched::start();
    let socket = watched.server.machine.home().join(SOCKET);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&socket).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o620);
    let client = reqwest::Client::builder().unix_socket(socket.clone()).build().unwrap();
    let named = [("x-remote-user", "sre1"), ("phabgate-proxy-secret", SECRET), ("x-forwarded-for", "192.0.2.7")];
    let (status, _, page) = watched.ask_by(&client, "/T6", &named);
    assert!(status == 200 && page.contains("Thumbnail cache is corrupt"), "{page}");
    // Without a name they are nobody, and no reader on this machine either; the metrics of this machine are not theirs.
    for headers in [&named[..1], &named[1..], &[]] {
        let (status, _, page) = watched.ask_by(&client, "/T6", headers);
        assert!(status == 401 && !page.contains("T6"), "{headers:?}: {page}");
        assert_eq!(watched.ask_by(&client, "/metrics", headers).0, 401, "{headers:?}");
    }
    // It is gone with the service.
    let pid = rustix::process::Pid::from_child(&watched.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(watched.child.wait().unwrap().success());
    assert!(!socket.exists());
}

#[test]
fn what_is_no_open_emergency_is_answered_with_the_same_words() {
    let watched = Watched::start();
    // Closed, without the tag, missing.
    let pages = ["T22", "T2", "T999"].map(|task| {
        let (status, page) = watched.get(&format!("/{task}?fragment"), &[]);
        assert_eq!(status, 404, "{task}");
        let page = page.replace(task, "T0");
        let times = page.split("<time").map(|part| part.split_once("</time>").map_or(part, |(_, rest)| rest));
        let page: String = times.collect();
        page.split("data-title").nth(1).unwrap().to_owned()
    });
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:?}");
    for path in ["/nothing", "/T0", "/T01x", "/T1/else"] {
        let (status, headers, _) = watched.ask(path, &[]);
        assert_eq!(status, 404, "{path}");
        assert_eq!(headers["content-type"], "application/problem+json", "{path}");
    }
    let (_, headers, _) = watched.ask("/", &[]);
    let policy = headers["content-security-policy"].to_str().unwrap();
    for directive in
        ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "connect-src 'self'"]
    {
        assert!(policy.contains(directive), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(headers["cache-control"], "no-store");
    for path in ["/events", "/T1/events"] {
        assert_eq!(watched.get(path, &[("via", "1.1 proxy")]).0, 401);
        assert_eq!(watched.get_as("nobody-of-note", path).0, 403);
    }
}

/// A browser in which somebody is signed in.
fn browser_of(account: &str) -> Option<Browser> {
    let mut browser = Browser::start()?;
    let headers = json!({ "x-remote-user": account, "phabgate-proxy-secret": SECRET });
    browser.call("Network.setExtraHTTPHeaders", &json!({ "headers": headers }));
    Some(browser)
}

/// Waits until an expression comes to this.
fn until(browser: &mut Browser, expression: &str, value: &Value) {
    let begun = Instant::now();
    loop {
        let now = browser.eval(expression);
        if now == *value {
            return;
        }
        assert!(begun.elapsed() < MAX_DELAY, "{expression} is {now}, and not {value}: {:?}", browser.complaints());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Text whose contrast with what is behind it is below 4.5.
fn pale(browser: &mut Browser, least: usize) -> Value {
    browser.eval(&crate::html::PALE.replace("seen > 200", &format!("seen > {least}")))
}

const BADGE: &str = "document.querySelector('#head .badge')?.textContent ?? null";

#[test]
fn it_fits_a_phone_and_a_screen_in_light_and_dark_with_and_without_its_script() {
    let Some(mut browser) = browser_of("sre1") else { return };
    let watched = Watched::start();
    for scripts in [true, false] {
        browser.call("Emulation.setScriptExecutionDisabled", &json!({ "value": !scripts }));
        for (width, scheme) in [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")] {
            for (path, least) in [("/", 25), ("/T6", 30), ("/T15", 30), ("/T26", 25), ("/T27", 15)] {
                let case = format!("{path} {width} {scheme}, scripts {scripts}");
                browser.window(width, scheme);
                browser.visit(&format!("{}{path}", watched.url));
                assert_eq!(browser.eval(BEYOND), json!([]), "{case}");
                assert_eq!(pale(&mut browser, least), json!([]), "{case}");
                assert_eq!(browser.complaints(), [] as [String; 0], "{case}");
                let foreign = browser
                    .requests()
                    .into_iter()
                    .find(|asked| !asked.starts_with(&watched.url) && !asked.starts_with("data:"));
                assert_eq!(foreign, None, "{case}");
                let hidden =
                    format!("[...document.querySelectorAll('[data-copy]')].every((it) => it.hidden === {})", !scripts);
                assert_eq!(browser.eval(&hidden), true, "{case}: what cannot copy is not there");
            }
        }
    }
    // Without its script the page asks for itself again.
    assert_eq!(browser.eval("document.querySelector('head meta[http-equiv=refresh]').content"), "15");
    // On a phone whoever is woken sees what they have to write without scrolling.
    browser.call("Emulation.setScriptExecutionDisabled", &json!({ "value": false }));
    browser.window(390, "dark");
    browser.visit(&format!("{}/T6", watched.url));
    let seen = "[...document.querySelectorAll('#needed code')].find((it) => it.textContent === 'Emergency-Approve: sre').getBoundingClientRect().bottom < 720";
    assert_eq!(browser.eval(seen), true);
}

#[test]
fn an_approval_is_on_the_page_within_seconds_and_the_reader_stays_where_they_are() {
    let Some(mut browser) = browser_of("sre2") else { return };
    let watched = Watched::start();
    browser.window(390, "light");
    browser.visit(&format!("{}/T6", watched.url));
    until(&mut browser, "document.getElementById('live').textContent", &json!("live"));
    assert_eq!(browser.eval(BADGE), "PENDING");
    // Who reads further down has a button in focus there.
    browser.eval("window.marked = true; document.querySelector('#elsewhere button').focus(); document.getElementById('elsewhere').scrollIntoView()");
    let place = browser.eval("Math.round(document.getElementById('elsewhere').getBoundingClientRect().top)");
    say(&watched.server, "sre1", "T6", "Emergency-Approve: sre");
    until(&mut browser, BADGE, &json!("ALLOWED"));
    assert_eq!(browser.eval("window.marked"), true, "it was not loaded anew");
    assert_eq!(browser.eval("document.title"), "ALLOWED T6");
    assert_eq!(browser.eval("document.getElementById('announced').textContent"), "ALLOWED T6");
    assert_eq!(browser.eval("document.activeElement === document.querySelector('#elsewhere button')"), true);
    let now = browser.eval("Math.round(document.getElementById('elsewhere').getBoundingClientRect().top)");
    let moved = (now.as_f64().unwrap() - place.as_f64().unwrap()).abs();
    assert!(moved <= 2.0, "it moved by {moved}");
    // A task that is closed is not shown any more, and its text is gone with it.
    watched.close("T6");
    until(&mut browser, "document.body.textContent.includes('Thumbnail cache is corrupt')", &json!(false));
    until(&mut browser, "document.querySelector('h1')?.textContent ?? null", &json!("T6 is not shown"));
    // The console complains of the page that is not there, and of nothing else.
    let complaints = browser.complaints();
    assert!(complaints.iter().all(|complaint| complaint.contains("404")), "{complaints:?}");
}

#[test]
fn the_list_follows_and_what_is_to_be_written_is_copied() {
    let Some(mut browser) = browser_of("sre2") else { return };
    let watched = Watched::start();
    browser.window(1280, "light");
    browser.visit(&format!("{}/", watched.url));
    until(&mut browser, "document.getElementById('live').textContent", &json!("live"));
    let badge = "document.querySelector('#T6 .badge')?.textContent ?? null";
    assert_eq!(browser.eval(badge), "PENDING");
    say(&watched.server, "sre1", "T6", "Emergency-Reject: sre - not now");
    until(&mut browser, badge, &json!("DENIED"));
    watched.close("T6");
    until(&mut browser, badge, &Value::Null);
    until(&mut browser, "document.querySelector('h1').textContent", &json!("4 emergencies are open"));
    assert_eq!(browser.complaints(), [] as [String; 0]);
    // A page that is left holds no stream: a browser opens six to one service, and the next page would wait for one of them.
    let begun = Instant::now();
    for path in ["/", "/T1"].into_iter().cycle().take(14) {
        browser.visit(&format!("{}{path}", watched.url));
        until(&mut browser, "document.getElementById('live').textContent", &json!("live"));
    }
    assert!(begun.elapsed() < MAX_DELAY / 2, "a page waited: {:?}", begun.elapsed());
    // The clipboard is given to a page that is asked for by a person.
    let origin = json!({ "origin": watched.url, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
    browser.call("Browser.grantPermissions", &origin);
    say(&watched.server, "sre1", "T1", "Emergency-Withdraw: sre");
    browser.visit(&format!("{}/T1", watched.url));
    until(&mut browser, BADGE, &json!("PENDING"));
    browser.eval("document.querySelector('#needed .write button').click()");
    until(
        &mut browser,
        "/^(Copied|Selected)$/.test(document.querySelector('#needed .write button').textContent)",
        &json!(true),
    );
}
