//! How fast the sandbox answers: `cargo bench --bench sandbox -- 1000 10000` asks worlds of so many tasks, over four
//! connections that stay open, as an audit does.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "clippy's exception for tests does not know benchmarks")]
#![allow(missing_docs, reason = "a program")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use common::Server;
use common::world::world;

const CONNECTIONS: usize = 4;
const TIME: Duration = Duration::from_secs(3);

/// A connection that stays open.
struct Connection {
    reader: BufReader<TcpStream>,
    host: String,
    token: String,
    reply: Vec<u8>,
}

impl Connection {
    fn to(server: &Server) -> Self {
        let host = server.running.url.authority().to_owned();
        let stream = TcpStream::connect(&host).unwrap();
        stream.set_nodelay(true).unwrap();
        let token = server.running.token_of("phabgate").unwrap().unwrap();
        Self { reader: BufReader::with_capacity(64 << 10, stream), host, token, reply: Vec::new() }
    }

    fn ask(&mut self, method: &str, mut params: Value) -> &[u8] {
        params["__conduit__"] = json!({"token": self.token});
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let body = form.append_pair("params", &params.to_string()).append_pair("output", "json").finish();
        let request = format!(
            "POST /api/{method} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        self.reader.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut length, mut line) = (0, String::new());
        while line != "\r\n" {
            line.clear();
            self.reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        self.reply.resize(length, 0);
        self.reader.read_exact(&mut self.reply).unwrap();
        &self.reply
    }
}

/// Asks over all connections for a while; `params` of the number of the question.
fn load(server: &Server, what: &str, method: &str, params: impl Fn(usize) -> Value + Sync) {
    Connection::to(server).ask(method, params(0));
    let (over, asked, bytes) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let (cpu, begun) = (server.cpu(), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut connection = Connection::to(server);
                while !over.load(Ordering::Relaxed) {
                    let reply = connection.ask(method, params(asked.fetch_add(1, Ordering::Relaxed)));
                    assert!(reply.starts_with(b"{\"error_code\":null") || reply.starts_with(b"{\"result\":{"));
                    bytes.fetch_add(reply.len(), Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(TIME);
        over.store(true, Ordering::Relaxed);
    });
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), (server.cpu() - cpu).as_secs_f64());
    let asked = asked.into_inner() as f64;
    let size = bytes.into_inner() as f64 / asked / 1024.0;
    println!(
        "  {what:<44} {:>9.0} a second, {:>9.0} a second of its core, {size:>7.1} KB each",
        asked / wall,
        asked / cpu
    );
}

fn main() {
    for tasks in common::sizes(&[1_000, 10_000]) {
        let world = world(tasks);
        let recorder = world.user_named("phabgate").unwrap().phid.clone();
        let tag = world.project_tagged("emergency-deployment").unwrap().phid.clone();
        let rows: Vec<String> = world.transactions.iter().map(|row| row.phid.clone()).collect();
        let server = Server::of(world);
        println!("{tasks} tasks, {} transactions", rows.len());
        let task = |number: usize| format!("T{}", number * 7919 % tasks + 1);
        load(&server, "user.whoami", "user.whoami", |_| json!({}));
        load(
            &server,
            "transaction.search of a task",
            "transaction.search",
            |number| json!({"objectIdentifier": task(number), "limit": 1000}),
        );
        load(&server, "transaction.search of 1,000 PHIDs", "transaction.search", |number| {
            let some: Vec<_> = (0..1000).map(|at| &rows[(number * 7919 + at * 15) % rows.len()]).collect();
            json!({"objectType": "TASK", "constraints": {"phids": some}, "limit": 1000})
        });
        load(&server, "transaction.search by an author, a page", "transaction.search", |number| {
            let after = (number * 7919 % rows.len()).max(1).to_string();
            json!({"objectType": "TASK", "constraints": {"authorPHIDs": [recorder]}, "limit": 1000, "after": after})
        });
        load(&server, "maniphest.search of a tag, a page", "maniphest.search", |number| {
            let after = (number * 7919 % tasks + 1).to_string();
            json!({
                "constraints": {"projects": [tag]},
                "attachments": {"projects": true},
                "order": "oldest",
                "limit": 100,
                "after": after,
            })
        });
    }
}
