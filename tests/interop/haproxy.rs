//! The program through Debian's haproxy before mosquitto: set up well, and in the ways that it is
//! set up badly.

use crate::broker::Mosquitto;
use crate::daemon::{Daemon, free_ports};
use crate::reverse::{Files, address, ends_the_idle, leads_on, publish};
use crate::{is_here, mosquitto};

/// It, and where each of its front ends listens.
struct Haproxy {
    _daemon: Daemon,
    files: Files,
    well: u16,
    /// Ends TLS.
    secure: u16,
    /// Ends TLS, and demands a certificate.
    demanding: u16,
    /// Ends TLS for a name that it knows.
    strict: u16,
    /// Ends connections over which nothing went for 2 s.
    idle: u16,
    /// Takes the Upgrade header away.
    plain: u16,
    /// Has no broker behind it.
    gone: u16,
    denied: u16,
    /// Wants the PROXY protocol.
    prefaced: u16,
}

fn haproxy(broker: &Mosquitto) -> Option<Haproxy> {
    is_here("haproxy").then(|| {
        let files = Files::new();
        let others = free_ports();
        let daemon = Daemon::start("haproxy", |port| {
            let text = configuration(port, others, &address(broker), &files);
            vec!["-db".into(), "-f".into(), files.folder.write("haproxy.cfg", text)]
        });
        let [secure, demanding, strict, idle, plain, gone, denied, prefaced] = others;
        let well = daemon.port;
        Haproxy {
            _daemon: daemon,
            files,
            well,
            secure,
            demanding,
            strict,
            idle,
            plain,
            gone,
            denied,
            prefaced,
        }
    })
}

fn configuration(well: u16, others: [u16; 8], broker: &str, files: &Files) -> String {
    let [secure, demanding, strict, idle, plain, gone, denied, prefaced] = others;
    let Files { authority, both, .. } = files;
    let front = |port: u16, words: &str, lines: &str| {
        format!("frontend f{port}\n bind 127.0.0.1:{port} {words}\n{lines}\n")
    };
    let to = |back: &str| format!(" default_backend {back}");
    [
        "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n"
            .into(),
        front(well, "", &to("broker")),
        front(secure, &format!("ssl crt {both} alpn h2,http/1.1"), &to("broker")),
        front(
            demanding,
            &format!("ssl crt {both} ca-file {authority} verify required"),
            &to("broker"),
        ),
        front(strict, &format!("ssl crt {both} strict-sni"), &to("broker")),
        front(idle, "", &to("idle")),
        front(plain, "", &format!(" http-request del-header Upgrade\n{}", to("broker"))),
        front(gone, "", &to("gone")),
        front(denied, "", &format!(" http-request deny\n{}", to("broker"))),
        front(prefaced, "accept-proxy", &to("broker")),
        format!("backend broker\n server broker {broker}\n"),
        format!("backend idle\n timeout tunnel 2s\n server broker {broker}\n"),
        "backend gone\n server gone 127.0.0.1:1\n".into(),
    ]
    .concat()
}

#[test]
fn set_up_well_it_leads_on() {
    let Some(broker) = mosquitto() else { return };
    let Some(proxy) = haproxy(&broker) else { return };
    leads_on(&broker, &format!("ws://127.0.0.1:{}/mqtt", proxy.well), &[]);
    let secure = ["--cafile", &proxy.files.authority];
    leads_on(&broker, &format!("wss://localhost:{}/mqtt", proxy.secure), &secure);
    let alpn = ["--tls-alpn", "http/1.1"];
    let flags = [&secure[..], &alpn].concat();
    leads_on(&broker, &format!("wss://localhost:{}/mqtt", proxy.secure), &flags);
}

#[test]
fn an_idle_connection_is_ended() {
    let Some(broker) = mosquitto() else { return };
    let Some(proxy) = haproxy(&broker) else { return };
    ends_the_idle(&broker, &format!("ws://127.0.0.1:{}/mqtt", proxy.idle));
}

#[test]
fn set_up_badly_it_is_explained() {
    let Some(broker) = mosquitto() else { return };
    let Some(proxy) = haproxy(&broker) else { return };
    let says = |url: &str, flags: &[&str], code: i32, words: &str| {
        let line = format!("mqttws: connecting to {url}: {words}\n");
        publish(url, flags).expect(code, "", &line);
    };
    let ws = |port: u16, words: &str| says(&format!("ws://127.0.0.1:{port}/mqtt"), &[], 5, words);
    let unreached = "the proxy cannot reach the broker, or drops the Upgrade header";
    ws(proxy.gone, &format!("the server answered HTTP 503 Service Unavailable; {unreached}"));
    // Without the Upgrade header mosquitto (libwebsockets) sees an ordinary request, and hangs up.
    ws(proxy.plain, &format!("the server answered HTTP 502 Bad Gateway; {unreached}"));
    ws(
        proxy.denied,
        "the server answered HTTP 403 Forbidden; check the credentials (--basic-auth, --bearer) \
         and --origin",
    );
    ws(
        proxy.prefaced,
        "the server reset the connection without an HTTP answer; the port may speak TLS (try \
         wss://) or plain MQTT or expect the PROXY protocol, or the server listens at another \
         address or is overloaded",
    );
    ws(
        proxy.secure,
        "the server closed the connection without an HTTP answer; most often --subprotocol or \
         --origin is wrong, or the port speaks another protocol (TLS, plain MQTT) or expects the \
         PROXY protocol",
    );
    let secure = ["--cafile", proxy.files.authority.as_str()];
    let wss = |host: &str, port: u16, more: &[&str], code: i32, words: &str| {
        let url = format!("wss://{host}:{port}/mqtt");
        says(&url, &[&secure[..], more].concat(), code, words);
    };
    wss(
        "localhost",
        proxy.well,
        &[],
        4,
        "the server answered in plain HTTP, not TLS; try ws:// instead of wss://, or another port",
    );
    wss(
        "localhost",
        proxy.demanding,
        &[],
        4,
        "the server demands a client certificate; give one with --cert and --key",
    );
    wss(
        "127.0.0.1",
        proxy.strict,
        &[],
        4,
        "the server does not know the host name (unrecognized name); no server name was sent, \
         because the host is an address: give the server's name with --sni",
    );
    wss(
        "localhost",
        proxy.secure,
        &["--tls-alpn", "h2,http/1.1"],
        5,
        "h2 was agreed on with the server (ALPN), but a WebSocket needs HTTP/1.1; leave h2 out of \
         --tls-alpn",
    );
}

/// A client that shows the certificate that is demanded, and one that gives the name.
#[test]
fn what_it_demands_can_be_given() {
    let Some(broker) = mosquitto() else { return };
    let Some(proxy) = haproxy(&broker) else { return };
    let secure = ["--cafile", proxy.files.authority.as_str()];
    let own = ["--cert", &proxy.files.certificate, "--key", &proxy.files.key];
    let url = format!("wss://localhost:{}/mqtt", proxy.demanding);
    publish(&url, &[&secure[..], &own].concat()).expect(0, "", "");
    let url = format!("wss://127.0.0.1:{}/mqtt", proxy.strict);
    publish(&url, &[&secure[..], &["--sni", "localhost"]].concat()).expect(0, "", "");
}
