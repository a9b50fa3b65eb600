//! `wss://`: what is asked for and offered (SNI, ALPN, versions), the key log, and flags that make
//! no sense.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::ResolvesServerCertUsingSni;
use rustls::sign::CertifiedKey;

use crate::support::certificates::{Authority, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::lines;
use crate::support::program::Program;
use crate::support::secure::{Server, fails, good, publish, publish_to, shunned};

/// An authority, and its file.
fn trusted() -> (Authority, Folder, String) {
    let (authority, folder) = (Authority::new(), Folder::new());
    let file = folder.write("ca.pem", authority.pem());
    (authority, folder, file)
}

/// A server that has a certificate only for those who ask for `name`.
fn named(authority: &Authority, name: &str) -> ServerConfig {
    let certificate = authority.certify(&[name], FAR_AWAY);
    let provider = Arc::new(ring::default_provider());
    let key = certificate.key.serialize_der().try_into().unwrap();
    let chain = vec![certificate.certificate.der().clone()];
    let mut resolver = ResolvesServerCertUsingSni::new();
    resolver.add(name, CertifiedKey::from_der(chain, key, &provider).unwrap()).unwrap();
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver))
}

#[test]
fn the_host_or_another_name_is_asked_for() {
    let (authority, _folder, file) = trusted();
    let broker = good(named(&authority, "localhost"));
    publish_to("localhost", &broker, &["--cafile", &file]).run().expect(0, "", "");
    let broker = good(named(&authority, "broker.example"));
    publish(&broker, &["--cafile", &file, "--sni", "broker.example"]).run().expect(0, "", "");
    let broker = shunned(named(&authority, "broker.example"));
    let words = "the server refused access; no server name was sent, because the host is an address: give the server's name with --sni";
    fails(&publish(&broker, &["--cafile", &file]).run(), 4, words);
}

/// A server that speaks these application protocols.
fn speaking(authority: &Authority, protocols: &[&str]) -> ServerConfig {
    let mut config = Server::showing(&authority.certify(&["127.0.0.1"], FAR_AWAY)).config();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

#[test]
fn application_protocols_are_offered_when_told() {
    let (authority, _folder, file) = trusted();
    let broker = good(speaking(&authority, &["mqtt"]));
    publish(&broker, &["--cafile", &file]).run().expect(0, "", "");
    let broker = good(speaking(&authority, &["mqtt"]));
    publish(&broker, &["--cafile", &file, "--tls-alpn", "http/1.1,mqtt"]).run().expect(0, "", "");
    let broker = shunned(speaking(&authority, &["mqtt"]));
    let words = "the server accepts none of the offered TLS application protocols (ALPN); do not use --tls-alpn, or name a protocol that the server accepts";
    fails(&publish(&broker, &["--cafile", &file, "--tls-alpn", "http/1.1"]).run(), 4, words);
}

#[test]
fn the_version_can_be_chosen() {
    let versions = [("1.2", &rustls::version::TLS12), ("1.3", &rustls::version::TLS13)];
    for (mine, _) in versions {
        for (theirs, version) in versions {
            let (authority, _folder, file) = trusted();
            let mut server = Server::showing(&authority.certify(&["127.0.0.1"], FAR_AWAY));
            server.versions = vec![version];
            let spelling = format!("tlsv{mine}");
            if mine == theirs {
                let arguments = ["--cafile", &file, "--tls-version", &spelling];
                publish(&server.good(), &arguments).run().expect(0, "", "");
            } else {
                let arguments = ["--cafile", &file, "--tls-version", mine];
                let words = "the server does not accept the client's TLS version; do not use --tls-version; TLS 1.1 and older are not supported";
                fails(&publish(&server.shunned(), &arguments).run(), 4, words);
            }
        }
    }
}

#[test]
fn secrets_are_logged_when_told() {
    let (authority, folder, file) = trusted();
    for by_flag in [true, false] {
        let log = folder.write(if by_flag { "by-flag" } else { "by-variable" }, "");
        let broker = Server::showing(&authority.certify(&["127.0.0.1"], FAR_AWAY)).good();
        let program = if by_flag {
            publish(&broker, &["--cafile", &file, "--tls-keylog", &log])
                .env("SSLKEYLOGFILE", "/no/such/file")
        } else {
            publish(&broker, &["--cafile", &file]).env("SSLKEYLOGFILE", &log)
        };
        program.run().expect(0, "", "");
        let text = fs::read_to_string(&log).unwrap();
        for label in ["CLIENT_TRAFFIC_SECRET_0", "SERVER_HANDSHAKE_TRAFFIC_SECRET"] {
            let line = text.lines().find(|line| line.starts_with(label)).unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            let is_hex = |word: &str| word.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(
                words.len() == 3 && words[1].len() == 64 && is_hex(words[1]) && is_hex(words[2]),
                "{line}"
            );
        }
    }
    let command =
        ["pub", "wss://127.0.0.1:1/mqtt", "-t", "t", "-m", "x", "--tls-keylog", "/no/such/file"];
    fails(&Program::new(command).run(), 1, "cannot write key log /no/such/file: no such file");
}

/// It is found out while it is written, and ends no connection.
#[test]
fn a_full_disk_under_the_key_log_is_told_once() {
    let (authority, _folder, file) = trusted();
    let certificate = authority.certify(&["127.0.0.1"], FAR_AWAY);
    let line = "mqttws: warning: cannot write key log /dev/full: no space left on device: it lacks \
                secrets\n";
    for flags in [&["--tls-keylog", "/dev/full"][..], &[], &["--quiet"]] {
        let broker = Server::showing(&certificate).good();
        let program = publish(&broker, &[&["--cafile", &file], flags].concat());
        let line = if flags == ["--quiet"] { "" } else { line };
        program.env("SSLKEYLOGFILE", "/dev/full").run().expect(0, "", line);
    }
}

#[test]
fn a_variable_for_secrets_that_cannot_be_written_is_told() {
    let (authority, folder, file) = trusted();
    let dir = folder.path().display().to_string();
    let certificate = authority.certify(&["127.0.0.1"], FAR_AWAY);
    let pipe = format!("{dir}/pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (path, words) in
        [("/no/such/file", "no such file"), (&dir, "is a directory"), (&pipe, "it is a named pipe")]
    {
        let broker = Server::showing(&certificate).good();
        let program = publish(&broker, &["--cafile", &file]).env("SSLKEYLOGFILE", path);
        let words = format!(
            "mqttws: warning: $SSLKEYLOGFILE: cannot write key log {path}: {words}: going on without\n"
        );
        program.run().expect(0, "", &words);
        let broker = Server::showing(&certificate).good();
        let program = publish(&broker, &["--cafile", &file, "--quiet"]).env("SSLKEYLOGFILE", path);
        program.run().expect(0, "", "");
    }
    let command = ["pub", "wss://127.0.0.1:1/mqtt", "-t", "t", "-m", "x", "--tls-keylog", &pipe];
    fails(
        &Program::new(command).run(),
        1,
        &format!("cannot write key log {pipe}: it is a named pipe"),
    );
    // Without TLS nothing is written anyway.
    let command = ["pub", "ws://127.0.0.1:1/mqtt", "-t", "t", "-m", "x"];
    let outcome = Program::new(command).env("SSLKEYLOGFILE", "/no/such/file").run();
    lines::fails(&outcome, 3, "mqttws: connecting to ws://127.0.0.1:1/mqtt: *");
}

/// Checks that these flags are refused.
fn refuses(flags: &[&str], words: &str) {
    let command = [&["pub", "wss://127.0.0.1:1/mqtt", "-t", "t", "-m", "x"], flags].concat();
    lines::fails(&Program::new(command).run(), 2, &format!("mqttws: {words}"));
}

#[test]
fn flags_that_belong_together() {
    refuses(&["--key", "x"], "--key is the key of a certificate: give the certificate with --cert");
    refuses(
        &["--key-password-file", "x"],
        "--key-password-file is for the key of a certificate: give the certificate with --cert",
    );
    refuses(
        &["--pin-sha256", &"0".repeat(64), "--insecure"],
        "--pin-sha256 <HEX> cannot be used with --insecure; see mqttws help pub",
    );
    refuses(
        &["--pin-sha256", "12"],
        "*'12' for '--pin-sha256 <HEX>': expected 64 hexadecimal digits*",
    );
    refuses(
        &["--tls-version", "tlsv1.1"],
        "*TLS before 1.2 is broken and not supported: expected 1.2 or 1.3*",
    );
    refuses(&["--sni", "b\u{202e}ü"], "*expected a host name, not an address*");
    refuses(&["--sni", "127.0.0.1"], "*expected a host name, not an address*");
}

#[test]
fn flags_of_others_are_answered() {
    refuses(&["--ciphers", "AES128-SHA"], "--ciphers: *--tls-version chooses the version");
    refuses(
        &["--psk", "00", "--psk-identity", "me"],
        "--psk: pre-shared keys are not supported: use a certificate*",
    );
    refuses(&["--tls-engine", "pkcs11", "--keyform", "engine"], "--tls-engine and --keyform: *");
    refuses(&["--tls-engine-kpass-sha1", "00"], "--tls-engine and --keyform: *");
    refuses(&["--dhparam", "x"], "--dhparam: *leave it out");
}

#[test]
fn tls_flags_on_a_plain_address() {
    for flags in [
        &["--cafile", "x"][..],
        &["--sni", "a.example"],
        &["--tls-version", "1.3"],
        &["--insecure"],
    ] {
        let command = [&["pub", "ws://127.0.0.1:1/mqtt", "-t", "t", "-m", "x"], flags].concat();
        let words = "mqttws: TLS flags need a wss:// address, and ws://127.0.0.1:1/mqtt is not one";
        lines::fails(&Program::new(command).run(), 2, words);
    }
}
