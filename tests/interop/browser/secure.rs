//! `wss://`: a broker behind a TLS proxy with an authority that the browser trusts.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use super::carries::carries_in_every_version;
use super::chromium;
use crate::brokers::kept::{Kept, Remains, Start, lasting_folder};
use crate::certificates::{Authority, FAR_AWAY};
use crate::daemon::free_ports;
use crate::program::Program;

/// The broker and the proxy, up before the browser is: it reads once whom it trusts.
pub struct Secure {
    pub url: String,
    /// The file with the authority.
    pub authority: String,
    _processes: [Kept; 2],
}

/// The one that all tests share.
pub fn secure() -> &'static Secure {
    static SECURE: OnceLock<Secure> = OnceLock::new();
    SECURE.get_or_init(Secure::start)
}

impl Secure {
    fn start() -> Self {
        let [plain, port] = free_ports().map(|port: u16| port.to_string());
        let serve = [env!("CARGO_BIN_EXE_mqttws"), "serve", "-p", &plain];
        let serve = run(&serve, "/mqtt\n", &lasting_folder());
        let (folder, authority) = (lasting_folder(), Authority::new());
        let write = |name: &str, text: String| {
            let path = folder.join(name).display().to_string();
            fs::write(&path, text).unwrap();
            path
        };
        let trusted = write("authority.pem", authority.pem());
        let certificate = authority.certify(&["localhost", "127.0.0.1"], FAR_AWAY);
        let key = certificate.key.serialize_pem();
        let chain = write("server.pem", certificate.certificate.pem() + &key);
        let configuration = format!(
            "foreground = yes\npid =\n[broker]\naccept = 127.0.0.1:{port}\n\
             connect = 127.0.0.1:{plain}\ncert = {chain}\n"
        );
        let stunnel = ["stunnel", &write("stunnel.conf", configuration)];
        let stunnel = run(&stunnel, "Configuration successful", &folder);
        let url = format!("wss://127.0.0.1:{port}/mqtt");
        Self { url, authority: trusted, _processes: [serve, stunnel] }
    }
}

/// Runs a program until the tests have ended; it is ready when it says this, and the folder goes
/// with it.
fn run(words: &[&str], ready: &'static str, folder: &Path) -> Kept {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    let start = Start { words, environment: Vec::new(), ready };
    Kept::start(&start, folder, Remains::Nothing)
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
    certutil(&["-A", "-t", "C,,", "-n", "authority of the tests", "-i", authority]);
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
