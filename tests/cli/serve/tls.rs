//! `mqttws serve` over TLS: certificates of its own and of others, and what is no TLS.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::serve_with;
use crate::disk::can_mount;
use crate::support::certificates::{Authority, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::lines::{fails, fails_after, is_like};
use crate::support::program::{Outcome, Program, Running};

/// A broker with these flags, and its URL.
fn secure(flags: &[&str]) -> (Running, String) {
    let mut running = Program::new([&["serve", "-p", "0"], flags].concat()).spawn();
    let url = running.wait_for_line(|line| line.starts_with("wss://127.0.0.1:"));
    (running, url)
}

fn port(url: &str) -> &str {
    url.rsplit(':').next().unwrap().trim_end_matches("/mqtt")
}

fn publish(url: &str, flags: &[&str]) -> Outcome {
    Program::new([&["pub", url, "-t", "t", "-q", "1", "-m", "x"], flags].concat()).run()
}

/// It ends with these lines on stderr.
fn ends_with(broker: Running, patterns: &[&str]) {
    broker.signal("TERM");
    let outcome = broker.finish();
    let text = String::from_utf8_lossy(&outcome.stderr);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((outcome.code(), lines.len()), (Some(0), patterns.len()), "{outcome}");
    for (line, pattern) in lines.into_iter().zip(patterns) {
        assert!(is_like(line, pattern), "{line} is not like {pattern}");
    }
}

#[test]
fn a_command_trusts_it_without_a_flag() {
    let text = "mqttws pub -t t -r -q 2 -m hello && mqttws sub -t t -C 1 && echo $MQTTWS_URL && \
                echo $MQTTWS_CAFILE && head -1 $MQTTWS_CAFILE && mqttws pub -t t -m x \
                wss://localhost:${MQTTWS_URL#*1:}";
    let outcome = Program::new(["serve", "--tls", "--json", "--", "sh", "-c", text]).run();
    let stdout = String::from_utf8_lossy(&outcome.stdout);
    let lines: Vec<&str> = stdout.lines().collect();
    let [start, "hello", url, file, "-----BEGIN CERTIFICATE-----"] = lines[..] else {
        panic!("{outcome}")
    };
    let pattern = format!("{{\"url\":\"{url}\",\"port\":*,\"pid\":*,\"ca\":\"{file}\"}}");
    assert!(is_like(start, &pattern) && is_like(url, "wss://127.0.0.1:*/mqtt"), "{outcome}");
    assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), &b""[..]), "{outcome}");
    assert!(!std::path::Path::new(file).exists(), "it goes with the broker");
}

#[test]
fn a_folder_for_temporary_files_may_be_relative_or_missing() {
    let folder = Folder::new();
    let text = "TMPDIR=. exec \"$0\" serve --tls -- sh -c 'cd / && mqttws pub -t t -m x'";
    let words = ["-c", text, env!("CARGO_BIN_EXE_mqttws")];
    let folder = folder.path().display().to_string();
    let words = [&["-C", &folder, "sh"][..], &words].concat();
    Program::of("env", words).run().expect(0, "", "");
    let line = "mqttws: writing /no/such/mqttws-serve-*.pem: No such file or directory: $TMPDIR \
                or --ca-out can name another place";
    let program = Program::new(["serve", "--tls", "--", "true"]).env("TMPDIR", "/no/such");
    fails(&program.run(), 1, line);
}

/// Whichever of the three is killed.
#[test]
#[cfg(target_os = "linux")]
fn the_file_of_the_authority_does_not_outlive_it() {
    for (flags, victim, left) in [
        ("", "$(cut -d' ' -f4 /proc/$PPID/stat)", "gone"),
        ("", "$PPID", "gone"),
        ("", "$$", "gone"),
        ("--ca-out $1/ca.pem", "$(cut -d' ' -f4 /proc/$PPID/stat)", "there"),
    ] {
        let folder = Folder::new();
        let command =
            format!("echo $MQTTWS_CAFILE; test -s $MQTTWS_CAFILE && kill -9 {victim}; sleep 999");
        // The last process that has its stdout ends after the file is gone.
        let text = format!(
            "\"$0\" serve --tls {flags} -- sh -c \"$2\" | {{ read -r file; cat; \
             test -e $file && echo there || echo gone; }}"
        );
        let folder = folder.path().display().to_string();
        let words = ["-c", &text, env!("CARGO_BIN_EXE_mqttws"), &folder, &command];
        let outcome = Program::of("sh", words).run();
        assert_eq!(outcome.stdout, format!("{left}\n").as_bytes(), "{victim}: {outcome}");
    }
}

#[test]
fn others_get_the_authority_by_a_file() {
    let folder = Folder::new();
    let file = folder.write("ca.pem", "something old");
    let (broker, url) = secure(&["--ca-out", &file]);
    let localhost = format!("wss://localhost:{}/mqtt", port(&url));
    for version in ["1.2", "1.3"] {
        for url in [&url, &localhost] {
            publish(url, &["--cafile", &file, "--tls-version", version]).expect(0, "", "");
        }
    }
    // A large message in both directions.
    let large = "x".repeat(3_000_000);
    let stored = ["pub", &url, "--cafile", &file, "-t", "large", "-r", "-q", "1", "-s"];
    Program::new(stored).stdin(large.as_str()).run().expect(0, "", "");
    let read = ["sub", &url, "--cafile", &file, "-t", "large", "-C", "1", "-N"];
    Program::new(read).run().expect(0, large, "");
    let program =
        Program::of("curl", ["-sS", "--cacert", &file, &localhost.replace("wss", "https")]);
    let outcome = program.run();
    let text = String::from_utf8_lossy(&outcome.stdout);
    assert!(outcome.code() == Some(0) && text.starts_with("this is an MQTT broker"), "{outcome}");
    let outcome = publish(&url, &[]);
    assert_eq!(outcome.code(), Some(4), "{outcome}");
    ends_with(
        broker,
        &[
            "mqttws: warning: 127.0.0.1:* was refused with 426 Upgrade Required: *",
            "mqttws: warning: no TLS with 127.0.0.1:*: it does not trust our certificate: give it the \
           authority (--ca-out FILE, $MQTTWS_CAFILE)",
        ],
    );
    assert!(std::path::Path::new(&file).exists());
}

#[test]
fn certificates_of_others() {
    let folder = Folder::new();
    let authority = Authority::new();
    let made = authority.certify(&["127.0.0.1"], FAR_AWAY);
    let certificate = folder.write("server.pem", made.certificate.pem());
    let key = folder.write("server.key", made.key.serialize_pem());
    let ca = folder.write("ca.pem", authority.pem());
    let (broker, url) = secure(&["--cert", &certificate, "--key", &key]);
    publish(&url, &["--cafile", &ca]).expect(0, "", "");
    ends_with(broker, &[]);
    let command = ["--", "sh", "-c", "mqttws pub -t t -m x; echo $MQTTWS_CAFILE"];
    let words = [&["serve", "--cert", &certificate, "--key", &key], &command[..]].concat();
    Program::new(words).run().expect(0, format!("{certificate}\n"), "");
    let wrong = |flags: &[&str], code, line: &str| {
        fails(&Program::new([&["serve"], flags].concat()).run(), code, line);
    };
    wrong(&["--cert", &key, "--key", &certificate], 1, "mqttws: certificate *");
    wrong(&["--cert", "/no-such-file"], 1, "mqttws: cannot read certificate /no-such-file: *");
    wrong(&["--client-ca", &key], 1, "mqttws: no certificate in CA file *");
    wrong(&["--key", &key], 2, "mqttws: *--cert*");
    wrong(&["--cert", &certificate, "--ca-out", "x"], 2, "mqttws: *--ca-out*");
}

#[test]
fn nothing_is_left_of_a_temporary_file_that_does_not_fit() {
    let folder = Folder::new();
    let path = folder.path().display().to_string();
    if !can_mount(&path) {
        return;
    }
    let program = env!("CARGO_BIN_EXE_mqttws");
    let text = format!(
        "mount -t tmpfs -o size=4k none '{path}' && head -c 4096 /dev/zero >'{path}/full' && \
         TMPDIR='{path}' '{program}' serve --tls -- true; code=$?; ls -A '{path}'; exit $code"
    );
    let outcome = Program::of("unshare", ["-m", "sh", "-c", &text]).run();
    let line = "mqttws: writing */mqttws-serve-*.pem: No space left on device: $TMPDIR or --ca-out \
                can name another place";
    fails_after(&outcome, b"full\n", 1, line);
}

#[test]
fn clients_may_have_to_show_a_certificate() {
    let folder = Folder::new();
    let authority = Authority::new();
    let client = authority.certify(&["client"], FAR_AWAY);
    let certificate = folder.write("client.pem", client.certificate.pem());
    let key = folder.write("client.key", client.key.serialize_pem());
    Program::of("chmod", ["600", &key]).run().expect(0, "", "");
    let foreign = Authority::new().certify(&["client"], FAR_AWAY);
    let foreign_certificate = folder.write("foreign.pem", foreign.certificate.pem());
    let foreign_key = folder.write("foreign.key", foreign.key.serialize_pem());
    let expired = authority.certify(&["client"], 2020);
    let expired_certificate = folder.write("expired.pem", expired.certificate.pem());
    let expired_key = folder.write("expired.key", expired.key.serialize_pem());
    Program::of("chmod", ["600", &foreign_key, &expired_key]).run().expect(0, "", "");
    let clients = folder.write("clients.pem", authority.pem());
    let ca = folder.path().join("ca.pem").display().to_string();
    let (broker, url) = secure(&["--ca-out", &ca, "--client-ca", &clients]);
    let shown = ["--cafile", &ca, "--cert", &certificate, "--key", &key];
    publish(&url, &shown).expect(0, "", "");
    assert_eq!(publish(&url, &["--cafile", &ca]).code(), Some(4));
    let shown = ["--cafile", &ca, "--cert", &foreign_certificate, "--key", &foreign_key];
    assert_eq!(publish(&url, &shown).code(), Some(4));
    let shown = ["--cafile", &ca, "--cert", &expired_certificate, "--key", &expired_key];
    assert_eq!(publish(&url, &shown).code(), Some(4));
    ends_with(
        broker,
        &[
            "mqttws: warning: no TLS with 127.0.0.1:*: it sent no certificate, which --client-ca \
             demands",
            "mqttws: warning: no TLS with 127.0.0.1:*: its certificate is not by an authority of \
             --client-ca",
            "mqttws: warning: no TLS with 127.0.0.1:*: its certificate has expired, * days ago",
        ],
    );
}

#[test]
fn who_speaks_the_other_language_is_told() {
    let (broker, url) = secure(&["--tls"]);
    let outcome = publish(&url.replace("wss", "ws"), &[]);
    let line = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the server answered HTTP 400 Bad \
                Request: TLS is spoken at this port: connect by wss:// or https://; *";
    fails(&outcome, 5, line);
    // It asks twice, under both names of the subprotocol.
    let line = "mqttws: warning: 127.0.0.1:* was refused with 400 Bad Request: TLS is spoken at \
                this port: connect by wss:// or https://";
    ends_with(broker, &[line, line]);
    let (broker, url) = serve_with(&[]);
    let outcome = publish(&url.replace("ws", "wss"), &["--insecure", "--quiet"]);
    assert_eq!(outcome.code(), Some(4), "{outcome}");
    ends_with(
        broker,
        &["mqttws: warning: 127.0.0.1:* was refused*: this is TLS, which is not spoken here: \
           the URL begins with ws://, not with wss://"],
    );
}

/// A client that speaks to the broker, and what it sends of the handshake.
struct Handshake {
    connection: ClientConnection,
}

impl Handshake {
    fn new(ca: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        Self { connection: ClientConnection::new(Arc::new(config), name).unwrap() }
    }

    /// What waits to be sent.
    fn flight(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// Reads what the broker answers.
    fn answered(&mut self, socket: &mut TcpStream) {
        while self.connection.is_handshaking() && !self.connection.wants_write() {
            assert!(self.connection.read_tls(socket).unwrap() > 0);
            self.connection.process_new_packets().unwrap();
        }
    }
}

fn dial(url: &str) -> TcpStream {
    let socket = TcpStream::connect(format!("127.0.0.1:{}", port(url))).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket
}

/// Sends the bytes, ends its side, and waits for the end.
fn leaves(mut socket: TcpStream, bytes: &[u8]) {
    socket.write_all(bytes).ok();
    socket.shutdown(std::net::Shutdown::Write).ok();
    let mut answer = Vec::new();
    if let Err(error) = socket.read_to_end(&mut answer) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_handshake_may_be_altered_or_end_at_every_byte() {
    let folder = Folder::new();
    let ca = folder.path().join("ca.pem").display().to_string();
    let (broker, url) = secure(&["--ca-out", &ca]);
    let hello = Handshake::new(&ca).flight();
    for at in 0..hello.len() {
        leaves(dial(&url), &hello[..at]);
        let mut altered = hello.clone();
        altered[at] ^= 0xff;
        leaves(dial(&url), &altered);
    }
    let mut at = 0;
    loop {
        let mut lengths = [0; 2];
        for (length, alters) in lengths.iter_mut().zip([false, true]) {
            let mut socket = dial(&url);
            let mut handshake = Handshake::new(&ca);
            socket.write_all(&handshake.flight()).unwrap();
            handshake.answered(&mut socket);
            let mut last = handshake.flight();
            *length = last.len();
            if alters && at < last.len() {
                last[at] ^= 0x01;
            } else {
                last.truncate(at);
            }
            leaves(socket, &last);
        }
        at += 1;
        if at >= lengths[0] {
            break;
        }
    }
    publish(&url, &["--cafile", &ca]).expect(0, "", "");
    broker.signal("TERM");
    assert_eq!(broker.finish().code(), Some(0));
}

/// As refused upgrades are: ten lines in ten seconds, and a count of the others.
#[test]
fn a_flood_of_failed_handshakes_is_counted() {
    let (broker, url) = secure(&["--tls"]);
    for _ in 0..100 {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{}", port(&url))).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // A record of the kind alert that is none.
        stream.write_all(b"\x15\x03\x03\x00\x01\x00").unwrap();
        // The end may be a reset.
        stream.read_to_end(&mut Vec::new()).ok();
    }
    broker.signal("TERM");
    let outcome = broker.finish();
    let text = String::from_utf8_lossy(&outcome.stderr);
    let lines: Vec<&str> = text.lines().collect();
    // A busy machine may need some times ten seconds.
    assert!((11..=60).contains(&lines.len()), "{outcome}");
    assert!(lines[0].starts_with("mqttws: warning: no TLS with 127.0.0.1:"), "{outcome}");
    let last = "mqttws: warning: * more TLS handshakes failed; -d shows each of them";
    assert!(is_like(lines[lines.len() - 1], last), "{outcome}");
}

/// With a log, they stand in it.
#[test]
fn failed_handshakes_in_a_log_of_json_are_objects() {
    let (broker, url) = secure(&["--tls", "--log", "json"]);
    let mut stream = TcpStream::connect(format!("127.0.0.1:{}", port(&url))).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"\x15\x03\x03\x00\x01\x00").unwrap();
    stream.read_to_end(&mut Vec::new()).ok();
    let text = "{\"time\":\"*\",\"event\":\"note\",\"text\":\"no TLS with 127.0.0.1:*\"}";
    ends_with(broker, &[text]);
}
