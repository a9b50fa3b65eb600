//! `wss://`: a broker with the authority that `serve --tls` makes, which the browser trusts.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use super::carries::carries_in_every_version;
use super::{Task, chromium, serve_with};
use crate::brokers::kept::{Kept, Remains, Start, lasting_folder};
use crate::program::Program;

/// The broker, up before the browser is: it reads once whom it trusts.
pub struct Secure {
    pub url: String,
    /// The file with its authority.
    pub authority: String,
    _process: Kept,
}

/// The one that all tests share.
pub fn secure() -> &'static Secure {
    static SECURE: OnceLock<Secure> = OnceLock::new();
    SECURE.get_or_init(Secure::start)
}

impl Secure {
    fn start() -> Self {
        let folder = lasting_folder();
        let authority = folder.join("authority.pem").display().to_string();
        let program = env!("CARGO_BIN_EXE_mqttws");
        let words = [program, "serve", "-p", "0", "--tls", "--ca-out", &authority];
        let words = words.map(str::to_owned).to_vec();
        let start = Start { words, environment: Vec::new(), ready: "/mqtt\n" };
        let process = Kept::start(&start, &folder, Remains::Nothing);
        let url = fs::read_to_string(folder.join("log")).unwrap().trim().to_owned();
        Self { url, authority, _process: process }
    }
}

/// Lets the browser whose home this is trust an authority, as a user of Chromium on Linux does.
pub fn trust(authority: &str, home: &Path) {
    let folder = home.join(".pki/nssdb");
    fs::create_dir_all(&folder).unwrap();
    let database = format!("sql:{}", folder.display());
    let certutil = |words: &[&str]| {
        let words = [&["-d", &database], words].concat();
        Program::of("certutil", words).run().expect(0, "", "");
    };
    certutil(&["-N", "--empty-password"]);
    certutil(&["-A", "-t", "C,,", "-n", "mqttws serve", "-i", authority]);
}

#[test]
fn mqtt_js_carries_everything_over_tls() {
    let Some(chromium) = chromium() else { return };
    carries_in_every_version(0, &secure().url, chromium);
}

#[test]
fn paho_javascript_carries_everything_over_tls() {
    let Some(chromium) = chromium() else { return };
    carries_in_every_version(1, &secure().url, chromium);
}

#[test]
fn an_authority_that_the_browser_does_not_trust_ends_in_1006() {
    let Some(chromium) = chromium() else { return };
    let (_serve, url) = serve_with(&["--tls"]);
    let task = Task { library: "mqttjs", version: 5, url: &url, more: "" };
    task.start(chromium).tells("closed 1006");
}
