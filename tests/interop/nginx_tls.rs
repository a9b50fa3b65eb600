//! The program through an nginx that ends TLS before mosquitto: set up well, and set up badly.

use crate::broker::Mosquitto;
use crate::daemon::{Daemon, free_ports};
use crate::reverse::{Files, address, leads_on, publish};
use crate::{is_here, mosquitto};

/// It, and where its servers listen.
struct Nginx {
    _daemon: Daemon,
    files: Files,
    secure: u16,
    /// Demands a certificate.
    demanding: u16,
    plain: u16,
}

fn nginx(broker: &Mosquitto) -> Option<Nginx> {
    is_here("nginx").then(|| {
        let files = Files::new();
        let [secure, demanding] = free_ports();
        let daemon = Daemon::start("nginx", |port| {
            let text = configuration([port, secure, demanding], &address(broker), &files);
            let file = files.folder.write("nginx.conf", text);
            vec!["-p".into(), files.path(""), "-c".into(), file, "-e".into(), "stderr".into()]
        });
        let plain = daemon.port;
        Nginx { _daemon: daemon, files, secure, demanding, plain }
    })
}

fn configuration([plain, secure, demanding]: [u16; 3], broker: &str, files: &Files) -> String {
    let folder = files.path("");
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}{kind};\n"))
        .concat();
    let Files { authority, certificate, key, .. } = files;
    let server = |port: u16, words: &str, lines: &str| {
        format!(
            "server {{\nlisten 127.0.0.1:{port} {words};\nserver_name localhost;\n{lines}\
             location / {{ proxy_pass http://{broker}; proxy_http_version 1.1; \
             proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }}\n}}\n"
        )
    };
    let demand = format!("ssl_client_certificate {authority};\nssl_verify_client on;\n");
    format!(
        "daemon off;\nmaster_process off;\npid {folder}nginx.pid;\nevents {{}}\nhttp {{\n\
         access_log off;\n{temporary}ssl_certificate {certificate};\nssl_certificate_key {key};\n\
         {}{}{}}}\n",
        server(plain, "", ""),
        server(secure, "ssl http2", ""),
        server(demanding, "ssl", &demand),
    )
}

#[test]
fn set_up_well_it_leads_on() {
    let Some(broker) = mosquitto() else { return };
    let Some(proxy) = nginx(&broker) else { return };
    let secure = ["--cafile", proxy.files.authority.as_str()];
    leads_on(&broker, &format!("wss://localhost:{}/mqtt", proxy.secure), &secure);
    let own = ["--cert", &proxy.files.certificate, "--key", &proxy.files.key];
    let url = format!("wss://localhost:{}/mqtt", proxy.demanding);
    publish(&url, &[&secure[..], &own].concat()).expect(0, "", "");
}

/// What nginx says of itself depends on its version.
fn without_version(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr).into_owned();
    let Some((before, rest)) = text.split_once("(nginx/") else { return text };
    let (_, after) = rest.split_once(')').unwrap();
    format!("{before}(nginx){after}")
}

#[test]
fn set_up_badly_it_is_explained() {
    let Some(broker) = mosquitto() else { return };
    let Some(proxy) = nginx(&broker) else { return };
    let secure = ["--cafile", proxy.files.authority.as_str()];
    let says = |url: &str, flags: &[&str], code: i32, words: &str| {
        let outcome = publish(url, flags);
        let line = format!("mqttws: connecting to {url}: {words}\n");
        let said = without_version(&outcome.stderr);
        assert_eq!((outcome.code(), said.as_str()), (Some(code), &*line), "{outcome}");
    };
    let (plain, tls, demanding) = (
        format!("ws://localhost:{}/mqtt", proxy.plain),
        format!("wss://localhost:{}/mqtt", proxy.secure),
        format!("wss://localhost:{}/mqtt", proxy.demanding),
    );
    says(
        &tls.replace("wss", "ws"),
        &[],
        5,
        "the server answered HTTP 400 Bad Request (nginx): 400 The plain HTTP request was sent to \
         HTTPS port; this port speaks TLS: try wss://",
    );
    says(
        &demanding,
        &secure,
        5,
        "the server answered HTTP 400 Bad Request (nginx): 400 No required SSL certificate was \
         sent; the server requires a client certificate: give one with --cert and --key",
    );
    says(
        &plain.replace("ws", "wss"),
        &secure,
        4,
        "the server answered in plain HTTP, not TLS; try ws:// instead of wss://, or another port",
    );
    let header = format!("Cookie: {}", "x".repeat(20_000));
    says(
        &plain,
        &["-H", &header],
        5,
        "the server answered HTTP 400 Bad Request (nginx): 400 Request Header Or Cookie Too Large; \
         the request is too large for the server: shorten the query of the URL or the headers of \
         -H",
    );
    let h2 = [&secure[..], &["--tls-alpn", "h2,http/1.1"]].concat();
    says(
        &tls,
        &h2,
        5,
        "h2 was agreed on with the server (ALPN), but a WebSocket needs HTTP/1.1; leave h2 out of \
         --tls-alpn",
    );
}
