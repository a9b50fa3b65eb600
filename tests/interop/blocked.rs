//! What is said where the way is blocked, by real servers: nginx with and without TLS, HTTP/2, the
//! PROXY protocol and client certificates, and mosquitto's plain port.

use crate::certificates::{Authority, FAR_AWAY};
use crate::daemon::Daemon;
use crate::folder::Folder;
use crate::is_here;
use crate::program::Program;

/// nginx with one server of this configuration, `{port}` being its port, and its authority's file.
fn nginx(folder: &Folder, server: &str) -> Option<(Daemon, String)> {
    let authority = Authority::new();
    let certificate = authority.certify(&["localhost", "127.0.0.1"], FAR_AWAY);
    let trusted = folder.write("authority.pem", authority.pem());
    folder.write("server.pem", certificate.certificate.pem());
    folder.write("server.key", certificate.key.serialize_pem());
    let prefix = folder.write("nginx.pid", "").replace("nginx.pid", "");
    let daemon = is_here("nginx").then(|| {
        Daemon::start("nginx", |port| {
            let text = configuration(&server.replace("{port}", &port.to_string()), &prefix);
            let file = folder.write("nginx.conf", text);
            vec!["-p".into(), prefix.clone(), "-c".into(), file, "-e".into(), "stderr".into()]
        })
    });
    daemon.map(|daemon| (daemon, trusted))
}

fn configuration(server: &str, prefix: &str) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {prefix}{kind};\n"))
        .concat();
    format!(
        "daemon off;\nmaster_process off;\npid {prefix}nginx.pid;\nevents {{}}\nhttp {{\naccess_log off;\n\
         {temporary}ssl_certificate {prefix}server.pem;\nssl_certificate_key {prefix}server.key;\n\
         ssl_client_certificate {prefix}authority.pem;\nserver {{ {server} }}\n}}\n"
    )
}

/// Checks how a connection to nginx with this server fails.
fn blocked(server: &str, scheme: &str, arguments: &[&str], words: &str) {
    let folder = Folder::new();
    let Some((nginx, trusted)) = nginx(&folder, server) else { return };
    let url = format!("{scheme}://localhost:{}/mqtt", nginx.port);
    let trust = ["--cafile", &trusted];
    let trust = if scheme == "wss" { &trust[..] } else { &[] };
    let command = [&["pub", &url, "-t", "t", "-n", "--quiet"], trust, arguments].concat();
    let outcome = Program::new(command).run();
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let (start, end) = words.split_once(" (*)").unwrap_or(("", words));
    let is_told = stderr.starts_with(&format!("mqttws: connecting to {url}: {start}"))
        && stderr.ends_with(&format!("{end}\n"));
    assert!(outcome.code() == Some(5) && is_told, "{words}\n{outcome}");
}

#[test]
fn nginx_tells_what_it_misses_or_how_it_is_spoken_to() {
    let demanding = "listen 127.0.0.1:{port} ssl; ssl_verify_client on;";
    blocked(
        demanding,
        "wss",
        &[],
        "the server answered HTTP 400 Bad Request (*): 400 No required SSL certificate was sent; the \
         server requires a client certificate: give one with --cert and --key",
    );
    blocked(
        demanding,
        "ws",
        &[],
        "the server answered HTTP 400 Bad Request (*): 400 The plain HTTP request was sent to HTTPS \
         port; this port speaks TLS: try wss://",
    );
    let large = format!("X-Large: {}", "x".repeat(20_000));
    blocked(
        "listen 127.0.0.1:{port};",
        "ws",
        &["-H", &large],
        "the server answered HTTP 400 Bad Request (*): 400 Request Header Or Cookie Too Large; the \
         request is too large for the server: shorten the query of the URL or the headers of -H",
    );
}

#[test]
fn nginx_chooses_http_2_where_it_may() {
    let flags = ["--tls-alpn", "h2,http/1.1"];
    blocked(
        "listen 127.0.0.1:{port} ssl http2;",
        "wss",
        &flags,
        "h2 was agreed on with the server (ALPN), but a WebSocket needs HTTP/1.1; leave h2 out of \
         --tls-alpn",
    );
    blocked(
        "listen 127.0.0.1:{port} http2;",
        "ws",
        &[],
        "the server answered in HTTP/2; a WebSocket needs HTTP/1.1: try another port, or configure \
         the proxy for HTTP/1.1",
    );
}

#[test]
fn nginx_wants_the_proxy_protocol() {
    blocked("listen 127.0.0.1:{port} proxy_protocol;", "ws", &[], " or expects the PROXY protocol");
}
