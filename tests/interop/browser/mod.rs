//! Pages in Chromium, with the two MQTT libraries of npm that browsers use, at `mqttws serve`. It
//! must never know how `serve` does it.
//!
//! A page publishes to NAME/out what it receives on NAME/in, and tells the test what happens.

mod carries;
mod chromium;
mod hot_reload;
mod origins;
mod restart;
mod secure;
mod site;
mod wills;

use std::sync::OnceLock;

use chromium::{Chromium, Page};
use secure::secure;

use crate::is_here;
use crate::program::{Program, Running};

/// The libraries, and the versions of MQTT (as they are numbered in CONNECT) that each speaks.
const LIBRARIES: [(&str, &[u8]); 2] = [("mqttjs", &[3, 4, 5]), ("paho", &[3, 4])];

/// The browser that all tests share; none when `tests/run` was told to do without.
fn chromium() -> Option<&'static Chromium> {
    static CHROMIUM: OnceLock<Chromium> = OnceLock::new();
    let is_here =
        ["chromium-headless-shell", "browser-libraries", "certutil"].into_iter().all(is_here);
    is_here.then(|| CHROMIUM.get_or_init(|| Chromium::start(&secure().authority)))
}

/// Where `tests/run` puts a library.
fn library_file(library: &str) -> String {
    let file = match library {
        "mqttjs" => "mqtt/dist/mqtt.min.js",
        "paho" => "paho-mqtt/paho-mqtt-min.js",
        other => panic!("what is {other}?"),
    };
    format!("{}/target/interop/browser/node_modules/{file}", env!("CARGO_MANIFEST_DIR"))
}

/// A broker, and its URL.
fn serve() -> (Running, String) {
    serve_with(&[])
}

/// The same with these flags.
fn serve_with(flags: &[&str]) -> (Running, String) {
    let mut serve = Program::new([&["serve", "-p", "0"], flags].concat()).spawn();
    let url = serve.wait_for_line(|line| line.starts_with("ws"));
    (serve, url)
}

/// What a page is to do.
struct Task<'a> {
    library: &'a str,
    version: u8,
    /// The broker.
    url: &'a str,
    /// More of its query: `will=1` leaves a will, `again=MS` connects again after a loss.
    more: &'a str,
}

impl Task<'_> {
    /// The name of its page, which its topics begin with; each test has a broker of its own.
    fn name(&self) -> String {
        let (_, address) = self.url.split_once("://").unwrap();
        let port = address.split(['/', ':']).nth(1).unwrap();
        format!("{}-{}-{port}", self.library, self.version)
    }

    /// The address of its page in a place; it tells its lines under this name to the site at this
    /// port.
    fn address(&self, place: &str, site: u16, name: &str) -> String {
        let Self { library, version, url, more } = self;
        format!(
            "{place}/{library}.html?library={library}&version={version}&url={url}&name={name}\
             &{more}&site=http://127.0.0.1:{site}"
        )
    }

    /// Opens its page.
    fn start(&self, chromium: &'static Chromium) -> Page {
        let site = chromium.site.port;
        let (place, name) = (format!("http://localhost:{site}"), self.name());
        chromium.open(&self.address(&place, site, &name), &name)
    }

    /// Opens its page, and waits until it has connected and subscribed.
    fn open(&self, chromium: &'static Chromium) -> Page {
        let mut page = self.start(chromium);
        let subprotocol = if self.version == 3 { "mqttv3.1" } else { "mqtt" };
        page.tells(&format!("upgraded {subprotocol}"));
        page.tells("subscribed");
        page
    }
}

/// `mqttws` at a broker, whose authority it trusts if there is one.
fn mqttws(verb: &str, url: &str, arguments: &[&str]) -> Program {
    let trust = ["--cafile", secure().authority.as_str()];
    let trust = if url.starts_with("wss:") { &trust[..] } else { &[] };
    Program::new([&[verb, url], trust, arguments].concat())
}

/// A subscriber whose subscription stands.
fn subscribe(url: &str, arguments: &[&str]) -> Running {
    let mut running = mqttws("sub", url, &[&["-d"], arguments].concat()).spawn();
    running.wait_for_words("received SUBACK");
    running
}

/// Waits for the end of a subscriber, and compares what it wrote.
fn receives(subscriber: Running, stdout: &str) {
    let outcome = subscriber.finish();
    assert!(outcome.code() == Some(0) && outcome.stdout == stdout.as_bytes(), "{outcome}");
}
