//! Chromium without a screen, shared by all tests; pages are opened and closed through the HTTP
//! half of its `DevTools`.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::secure::trust;
use super::site::Site;
use crate::brokers::kept::{Kept, Remains, Start, lasting_folder};

/// How long a page may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// Debian's `/usr/bin/chromium-headless-shell` is a script that would outlive what it starts.
const PROGRAM: &str = "/usr/lib/chromium/chromium-headless-shell";

/// The names that lead here, for pages with a foreign origin; no other name is looked up.
const HOSTS: &str = "--host-resolver-rules=MAP foreign.example 127.0.0.1, MAP * ~NOTFOUND, \
                     EXCLUDE localhost, EXCLUDE 127.0.0.1";

/// The browser.
pub struct Chromium {
    port: u16,
    pub site: Site,
    _process: Kept,
}

impl Chromium {
    /// Starts it; it trusts the authority in this file.
    pub fn start(authority: &str) -> Self {
        let folder = lasting_folder();
        trust(authority, &folder);
        let profile = format!("--user-data-dir={}", folder.join("profile").display());
        let words = [
            PROGRAM,
            // Root has none, and the pages are ours.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-background-timer-throttling",
            "--disable-renderer-backgrounding",
            "--remote-debugging-port=0",
            HOSTS,
            &profile,
        ];
        let start = Start {
            words: words.map(str::to_owned).to_vec(),
            environment: Vec::new(),
            ready: "DevTools listening on ws://127.0.0.1:",
        };
        let process = Kept::start(&start, &folder, Remains::Nothing);
        let log = fs::read_to_string(folder.join("log")).unwrap();
        let (_, rest) = log.split_once(start.ready).expect("it is ready");
        let port = rest.split('/').next().and_then(|port| port.parse().ok());
        Self { port: port.expect("DevTools have a port"), site: Site::start(), _process: process }
    }

    /// Opens a page at an address; it tells its lines under this name.
    pub fn open(&'static self, address: &str, name: &str) -> Page {
        let told = self.site.listen(name);
        // DevTools take the address up to the first "&".
        let address = address.replace('&', "%26");
        let answer = self.request("PUT", &format!("/json/new?{address}"));
        let id = answer.split_once("\"id\": \"").and_then(|(_, rest)| rest.split('"').next());
        let id = id.unwrap_or_else(|| panic!("the page has an id: {answer}")).to_owned();
        Page { chromium: self, id, told, lines: Vec::new() }
    }

    /// A request to `DevTools`, and the answer.
    fn request(&self, method: &str, target: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        // The connection stays open; the answer ends with its length.
        while !is_whole(&answer) {
            match stream.read(&mut buffer) {
                Ok(length @ 1..) => answer.extend_from_slice(&buffer[..length]),
                _ => panic!("{target}: {}", String::from_utf8_lossy(&answer)),
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// Whether an answer has as many bytes as it says.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length:"));
    length.is_some_and(|length| body.len() >= length.trim().parse().unwrap())
}

/// A page, closed when dropped.
pub struct Page {
    chromium: &'static Chromium,
    id: String,
    told: Receiver<String>,
    /// What it has told so far.
    lines: Vec<String>,
}

impl Page {
    /// The next line that the page tells is this one.
    pub fn tells(&mut self, line: &str) {
        let told = self.told.recv_timeout(PATIENCE);
        let before = &self.lines;
        assert_eq!(told.as_deref().ok(), Some(line), "after {before:#?}");
        self.lines.push(line.chars().take(100).collect());
    }

    /// The page tells this line, whatever it tells before.
    pub fn tells_at_last(&mut self, line: &str) {
        while let Ok(told) = self.told.recv_timeout(PATIENCE) {
            if told == line {
                return;
            }
            self.lines.push(told);
        }
        panic!("not {line}, but {:#?}", self.lines);
    }

    /// Closes it as a user does.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.chromium.request("GET", &format!("/json/close/{}", self.id));
    }
}
