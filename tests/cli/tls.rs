//! `wss://`: which servers are trusted, and what is no TLS at all.

use std::sync::Arc;

use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};

use crate::support::broker::{Broker, Step, packet};
use crate::support::certificates::{Authority, Certificate, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::lines;
use crate::support::program::Program;
use crate::support::secure::{Server, fails, fixed, fixed_path, publish, publish_to};

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    digest(&SHA256, certificate)
        .as_ref()
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn folder_of(file: &str) -> String {
    file.rsplit_once('/').unwrap().0.to_owned()
}

fn local(authority: &Authority) -> Certificate {
    authority.certify(&["127.0.0.1", "localhost"], FAR_AWAY)
}

#[test]
fn a_certificate_of_the_given_authority_is_taken() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let file = folder.write("ca.pem", authority.pem());
    for flag in ["--cafile", "--ca", "--ca-cert"] {
        let broker = Server::showing(&local(&authority)).good();
        publish(&broker, &[flag, &file]).run().expect(0, "", "");
    }
}

#[test]
fn signatures_that_ring_does_not_verify() {
    for curve in ["P-256", "P-384", "P-521"] {
        let broker = Server::fixed(&format!("by-{curve}")).good();
        let file = fixed_path(&format!("authority-{curve}.pem"));
        publish(&broker, &["--cafile", &file]).run().expect(0, "", "");
    }
}

#[test]
fn several_authorities_can_be_given_in_files_and_folders() {
    let (one, other, folder) = (Authority::new(), Authority::new(), Folder::new());
    let files = (folder.write("one.pem", one.pem()), folder.write("other.pem", other.pem()));
    let broker = Server::showing(&local(&one)).good();
    publish(&broker, &["--cafile", &files.0, "--cafile", &files.1]).run().expect(0, "", "");

    // What else lies there does no harm.
    folder.write("key.pem", local(&one).key.serialize_pem());
    folder.write("der.crt", [0x30, 0x82, 0xff, 0xfe]);
    let path = folder_of(&files.0);
    let broker = Server::showing(&local(&other)).good();
    publish(&broker, &["--capath", &path]).run().expect(0, "", "");
}

#[test]
fn the_authorities_of_the_system_can_be_trusted() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let file = folder.write("ca.pem", authority.pem());
    for flag in ["--system-roots", "--tls-use-os-certs"] {
        let broker = Server::showing(&local(&authority)).good();
        publish(&broker, &[flag]).env("SSL_CERT_FILE", &file).run().expect(0, "", "");
    }
    let url = "wss://127.0.0.1:1/mqtt";
    let program = Program::new(["pub", url, "-t", "t", "-m", "x", "--system-roots"]);
    let outcome = program.env("SSL_CERT_FILE", "/no-such-file.pem").run();
    let words = "no certificates of the operating system found: *; install ca-certificates, or give --cafile";
    fails(&outcome, 1, words);
}

#[test]
fn any_tls_flag_means_wss() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let file = folder.write("ca.pem", authority.pem());
    let broker = Server::showing(&local(&authority)).good();
    let port = broker.port().to_string();
    let command = [
        "pub",
        "-V",
        "311",
        "-h",
        "localhost",
        "-p",
        &port,
        "--cafile",
        &file,
        "-t",
        "t",
        "-m",
        "x",
    ];
    Program::new(command).run().expect(0, "", "");
}

#[test]
fn an_unknown_authority_is_taken_when_told_and_said_each_time() {
    let certificate = Authority::new().certify(&["elsewhere.example"], FAR_AWAY);
    let broker = Server::showing(&certificate).good();
    lines::fails(&publish(&broker, &["--insecure"]).run(), 0, lines::INSECURE_WARNING);
    let broker = Server::showing(&certificate).good();
    publish(&broker, &["--insecure", "--quiet"]).run().expect(0, "", "");
}

#[test]
fn a_pinned_certificate_is_taken_whatever_it_is() {
    // Of nobody we know, for another name, and expired.
    let certificate = Authority::new().certify(&["elsewhere.example"], 2020);
    let pin = fingerprint(certificate.certificate.der());
    let broker = Server::showing(&certificate).good();
    publish(&broker, &["--pin-sha256", &pin]).run().expect(0, "", "");

    // As OpenSSL prints it, beside another.
    let pairs: Vec<String> = pin
        .to_uppercase()
        .as_bytes()
        .chunks(2)
        .map(|pair| String::from_utf8_lossy(pair).into_owned())
        .collect();
    let broker = Server::showing(&certificate).good();
    let other = "0".repeat(64);
    let pins = ["--pin-sha256", &other, "--pin-sha256", &pairs.join(":")];
    publish(&broker, &pins).run().expect(0, "", "");
}

#[test]
fn a_pinned_certificate_may_be_of_x509_version_1() {
    use rustls::pki_types::pem::PemObject;
    let pin = fingerprint(&CertificateDer::from_pem_file(fixed("version-1.pem")).unwrap());
    let with = |version| {
        let mut server = Server::fixed("version-1");
        server.versions = vec![version];
        server
    };
    publish(&with(&TLS13).good(), &["--pin-sha256", &pin]).run().expect(0, "", "");
    let outcome = publish(&with(&TLS12).shunned(), &["--pin-sha256", &pin]).run();
    let words = "certificate is X.509 version 1, which has no extensions; issue a new certificate with extensions \
         (openssl x509 -req -extfile), or trust it with --pin-sha256 over TLS 1.3 (in TLS 1.2 rustls \
         checks no signature of such a certificate)";
    fails(&outcome, 4, words);
}

#[test]
fn another_certificate_than_the_pinned_one_is_named() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let file = folder.write("ca.pem", authority.pem());
    let certificate = local(&authority);
    let own = fingerprint(certificate.certificate.der());
    let broker = Server::showing(&certificate).shunned();
    let outcome = publish(&broker, &["--cafile", &file, "--pin-sha256", &"0".repeat(64)]).run();
    let words = format!(
        "certificate does not match --pin-sha256; its SHA-256 is {own}; if you trust the server's new certificate, pin that one"
    );
    fails(&outcome, 4, &words);
}

#[test]
fn files_of_authorities_that_cannot_be_used() {
    let folder = Folder::new();
    let (empty, binary) =
        (folder.write("empty", ""), folder.write("binary", [0x30, 0x82, 0xff, 0xfe]));
    let no_folder = "cannot read CA folder /no-such-folder: no such file";
    let rows: [(&str, &str, String); 5] = [
        (
            "--cafile",
            "/no-such-file.pem",
            "cannot read CA file /no-such-file.pem: no such file".into(),
        ),
        ("--cafile", &empty, format!("no certificate in CA file {empty}")),
        (
            "--cafile",
            &binary,
            format!(
                "CA file {binary} is binary (DER or PKCS#12), not PEM; convert it: openssl x509 -inform DER, or \
                 openssl pkcs12"
            ),
        ),
        ("--capath", "/no-such-folder", no_folder.into()),
        (
            "--capath",
            &folder_of(&empty),
            format!("no certificate in CA folder {}", folder_of(&empty)),
        ),
    ];
    for (flag, path, words) in rows {
        let outcome =
            Program::new(["pub", "wss://127.0.0.1:1/mqtt", "-t", "t", "-m", "x", flag, path]).run();
        fails(&outcome, 1, &words);
    }
}

#[test]
fn a_server_without_tls_is_told_from_a_bad_one() {
    let rows: [(&[u8], &str); 4] = [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "the server answered in plain HTTP, not TLS; try ws:// instead of wss://, or another port",
        ),
        (
            b"\x20\x02\x00\x01",
            "the server speaks MQTT without TLS and WebSockets on this port; use the port of the broker's \
             WebSocket listener",
        ),
        (
            b"SSH-2.0-OpenSSH_9.2\r\n",
            "the server does not speak TLS on this port (it sent \"SSH-2.0-OpenSSH_9.2\\r\\n\"); check the port",
        ),
        (
            b"",
            "the server closed the connection during the TLS handshake; does the server speak TLS on this port? no server name was sent, because the host is an address: --sni gives one",
        ),
    ];
    for (answer, words) in rows {
        let broker = Broker::start(vec![Step::Raw(answer.into()), Step::HalfClose, Step::Gone]);
        fails(&publish(&broker, &[]).run(), 4, words);
    }
}

#[test]
fn a_handshake_that_never_ends_is_given_up() {
    let broker = Broker::start(vec![Step::Gone]);
    let words = "no TLS handshake within 0.5 s; does the server speak TLS on this port?";
    fails(&publish(&broker, &["--connect-timeout", "0.5"]).run(), 27, words);
}

#[test]
fn alerts_are_explained() {
    let rows = [
        (
            40,
            "the server refused the TLS handshake (handshake failure); the server may require another TLS version or cipher, or a name (--sni), or have a key other than RSA, P-256, P-384, Ed25519 or (in TLS 1.3) P-521",
        ),
        (
            70,
            "the server does not accept the client's TLS version; do not use --tls-version; TLS 1.1 and older are not supported",
        ),
        (
            112,
            "the server does not know the host name (unrecognized name); give a name that the server knows with --sni",
        ),
        (116, "the server demands a client certificate; give one with --cert and --key"),
        (80, "the server reports an internal error in TLS"),
    ];
    for (alert, words) in rows {
        let broker = Broker::start(vec![
            Step::Raw(vec![0x15, 3, 3, 0, 2, 2, alert]),
            Step::HalfClose,
            Step::Gone,
        ]);
        fails(&publish_to("localhost", &broker, &["--wait", "0"]).run(), 4, words);
    }
}

#[test]
fn tls_that_is_broken_has_words() {
    let long = [&b"\x16\x03\x03\x00\x08\x02\xff\xff\xff"[..], &[0; 4]].concat();
    let rows: [(Vec<u8>, &str); 4] = [
        (
            long,
            "the server sent more than 64 KiB of TLS handshake at once (too many certificates?); the server should send only its certificate and the intermediate ones",
        ),
        (
            b"\x15\x03\x03\x00\x00".into(),
            "the server sent a TLS message that is malformed (InvalidEmptyPayload); *",
        ),
        (
            b"\x17\x03\x03\x00\x04abcd".into(),
            "the server broke TLS (an unexpected ApplicationData message); *",
        ),
        (
            b"\x15\x03\x03\x00\x02\x02\x00".into(),
            "the server closed the connection during the TLS handshake; does the server speak TLS on this port? no server name was sent, because the host is an address: --sni gives one",
        ),
    ];
    for (bytes, words) in rows {
        let broker = Broker::start(vec![Step::Raw(bytes), Step::HalfClose, Step::Gone]);
        fails(&publish(&broker, &[]).run(), 4, words);
    }
}

#[test]
fn the_authority_of_the_fixed_certificates_is_an_authority() {
    let broker = Server::fixed("weakly-signed").shunned();
    let file = fixed_path("authority.pem");
    let words = "certificate signed by an unknown authority (CN=Weak authority); the file you gave with --cafile does not hold its issuer CN=Weak authority: give that authority's certificate with --cafile, or trust it with --pin-sha256 *";
    fails(&publish(&broker, &["--cafile", &file]).run(), 4, words);
}

/// After our DISCONNECT nothing of ours can be lost: whoever hangs up then has heard everything.
#[test]
fn a_server_that_hangs_up_at_our_disconnect_is_no_failure() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let file = folder.write("ca.pem", authority.pem());
    for _ in 0..10 {
        let config = Arc::new(Server::showing(&local(&authority)).config());
        let broker = Broker::start(vec![
            Step::Tls(config),
            Step::Upgrade,
            packet("10 <MQTT> 04 *"),
            Step::Send("20 00 00"),
            packet("30 <t> 'x'"),
            packet("e0"),
            Step::Reset,
        ]);
        publish(&broker, &["--cafile", &file]).run().expect(0, "", "");
    }
}
