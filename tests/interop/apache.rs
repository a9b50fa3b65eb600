//! The program through Debian's Apache before mosquitto: set up well, and in the ways that it is
//! set up badly.

use crate::broker::Mosquitto;
use crate::daemon::{Daemon, free_ports};
use crate::reverse::{Files, address, ends_the_idle, leads_on, publish};
use crate::{is_here, mosquitto};

/// It, and where its virtual hosts listen.
struct Apache {
    _daemon: Daemon,
    files: Files,
    plain: u16,
    secure: u16,
    /// Demands a certificate.
    demanding: u16,
}

fn apache(broker: &Mosquitto) -> Option<Apache> {
    is_here("apache2").then(|| {
        let files = Files::new();
        let [secure, demanding] = free_ports();
        let daemon = Daemon::start("apache2", |port| {
            let text = configuration([port, secure, demanding], &address(broker), &files);
            let file = files.folder.write("apache.conf", text);
            // One process, which takes all of it with it when it is killed.
            vec!["-X".into(), "-f".into(), file]
        });
        let plain = daemon.port;
        Apache { _daemon: daemon, files, plain, secure, demanding }
    })
}

fn configuration([plain, secure, demanding]: [u16; 3], broker: &str, files: &Files) -> String {
    let modules = [
        "mpm_event",
        "authz_core",
        "proxy",
        "proxy_http",
        "proxy_wstunnel",
        "socache_shmcb",
        "ssl",
    ];
    let modules = modules
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"));
    let host = |port: u16, lines: &str| {
        format!(
            "Listen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\n{lines}\
             ProxyPass /mqtt http://{broker}/mqtt upgrade=websocket\n</VirtualHost>\n"
        )
    };
    let Files { authority, certificate, key, .. } = files;
    let tls =
        format!("SSLEngine on\nSSLCertificateFile {certificate}\nSSLCertificateKeyFile {key}\n");
    let demand = format!("{tls}SSLCACertificateFile {authority}\nSSLVerifyClient require\n");
    let folder = files.path("");
    // One worker is shared by all paths that lead to the same address, with the settings of the
    // first: so each path has an address of its own. The longer of the two time limits counts,
    // that of the worker and `Timeout`.
    let paths = format!(
        "ProxyPass /idle http://{broker}/idle upgrade=websocket timeout=2\n\
         ProxyPass /tunnel ws://{broker}/mqtt\n\
         ProxyPass /plain http://{broker}/plain\n\
         ProxyPass /gone http://127.0.0.1:1/ upgrade=websocket\n\
         <Location /denied>\nRequire all denied\n</Location>\n"
    );
    format!(
        "Timeout 2\nServerName localhost\nServerRoot {folder}\nDefaultRuntimeDir {folder}\n\
         PidFile {folder}apache.pid\nErrorLog /dev/null\nUser daemon\nGroup daemon\n{}\
         {}{}{}",
        modules.concat(),
        host(plain, &paths),
        host(secure, &tls),
        host(demanding, &demand),
    )
}

/// What Apache says of itself depends on its version.
fn without_version(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr).into_owned();
    let Some((before, rest)) = text.split_once(" (Apache/") else { return text };
    let after = rest.split_once("): ").map_or_else(
        || rest.split_once("); ").map(|(_, after)| format!("; {after}")),
        |(_, after)| Some(format!(": {after}")),
    );
    format!("{before} (Apache){}", after.unwrap_or_default())
}

#[test]
fn set_up_well_it_leads_on() {
    let Some(broker) = mosquitto() else { return };
    let Some(proxy) = apache(&broker) else { return };
    leads_on(&broker, &format!("ws://127.0.0.1:{}/mqtt", proxy.plain), &[]);
    leads_on(&broker, &format!("ws://127.0.0.1:{}/tunnel", proxy.plain), &[]);
    let secure = ["--cafile", &proxy.files.authority];
    leads_on(&broker, &format!("wss://localhost:{}/mqtt", proxy.secure), &secure);
    let own = ["--cert", &proxy.files.certificate, "--key", &proxy.files.key];
    let url = format!("wss://localhost:{}/mqtt", proxy.demanding);
    publish(&url, &[&secure[..], &own].concat()).expect(0, "", "");
}

#[test]
fn an_idle_connection_is_ended() {
    let Some(broker) = mosquitto() else { return };
    let Some(proxy) = apache(&broker) else { return };
    ends_the_idle(&broker, &format!("ws://127.0.0.1:{}/idle", proxy.plain));
}

#[test]
fn set_up_badly_it_is_explained() {
    let Some(broker) = mosquitto() else { return };
    let Some(proxy) = apache(&broker) else { return };
    let says = |url: &str, flags: &[&str], code: i32, words: &str| {
        let outcome = publish(url, flags);
        let line = format!("mqttws: connecting to {url}: {words}\n");
        let said = without_version(&outcome.stderr);
        assert_eq!((outcome.code(), said.as_str()), (Some(code), &*line), "{outcome}");
        assert!(outcome.stdout.is_empty(), "{outcome}");
    };
    let ws = |port: u16, path: &str, words: &str| {
        says(&format!("ws://127.0.0.1:{port}/{path}"), &[], 5, words);
    };
    let unreached = "the proxy cannot reach the broker, or drops the Upgrade header";
    let gone = format!(
        "the server answered HTTP 503 Service Unavailable (Apache); \
         {unreached}"
    );
    ws(proxy.plain, "gone", &gone);
    // Without the Upgrade header mosquitto (libwebsockets) sees an ordinary request, and hangs up.
    let plain = format!("the server answered HTTP 502 Proxy Error (Apache); {unreached}");
    ws(proxy.plain, "plain", &plain);
    ws(
        proxy.plain,
        "denied",
        "the server answered HTTP 403 Forbidden (Apache); check the credentials \
         (--basic-auth, --bearer) and --origin",
    );
    ws(
        proxy.plain,
        "nowhere",
        "the server answered HTTP 404 Not Found (Apache); no WebSocket at this \
         path: try /mqtt, /ws or /",
    );
    ws(
        proxy.secure,
        "mqtt",
        "the server answered HTTP 400 Bad Request (Apache); this port speaks TLS: try \
         wss://",
    );
    let secure = ["--cafile", proxy.files.authority.as_str()];
    let wss = |port: u16, words: &str| {
        says(&format!("wss://localhost:{port}/mqtt"), &secure, 4, words);
    };
    wss(
        proxy.plain,
        "the server answered in plain HTTP, not TLS; try ws:// instead of wss://, or another port",
    );
    wss(proxy.demanding, "the server demands a client certificate; give one with --cert and --key");
}
