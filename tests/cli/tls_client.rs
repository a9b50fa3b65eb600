//! `wss://`: client certificates, in every kind of file, shown to a server that demands them.

use std::fs;
use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use crate::support::broker::{Broker, Step};
use crate::support::certificates::{Authority, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::program::Program;
use crate::support::secure::{Server, fails, fixed, fixed_path, publish};

/// A server that demands a certificate of `tests/cli/certificates/authority.pem`, and how to trust
/// it.
fn demanding(versions: &[&'static SupportedProtocolVersion]) -> (Server, Folder, String) {
    let (authority, folder) = (Authority::new(), Folder::new());
    let mut server = Server::showing(&authority.certify(&["127.0.0.1"], FAR_AWAY));
    server.clients = Some(fixed("authority.pem"));
    server.versions = versions.to_vec();
    let file = folder.write("ca.pem", authority.pem());
    (server, folder, file)
}

#[test]
fn a_key_that_everybody_can_read_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let read = |name| fs::read(fixed(name)).unwrap();
    let certificate = folder.write("own.pem", read("client-ec.pem"));
    let key = folder.write("own.key", read("client-ec.key"));
    let both = folder.write("both.pem", [read("client-ec.key"), read("client-ec.pem")].concat());
    let url = "wss://127.0.0.1:1/mqtt";
    for (flags, path) in
        [(&["--cert", &certificate, "--key", &key][..], &key), (&["--cert", &both], &both)]
    {
        let told = || {
            let outcome = Program::new([&["pub", url, "-t", "t", "-m", "x"], flags].concat()).run();
            String::from_utf8_lossy(&outcome.stderr).contains(&format!(
                "mqttws: warning: everybody can read the private key in {path}: chmod 600 {path}\n"
            ))
        };
        assert!(!told(), "{path}");
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(told(), "{path}");
    }
}

#[test]
fn keys_of_every_form_are_taken() {
    let folder = Folder::new();
    let password = folder.write("password", "secret\n");
    let both =
        [fs::read(fixed("client-ec.key")).unwrap(), fs::read(fixed("client-ec.pem")).unwrap()];
    let both = folder.write("both.pem", both.concat());
    // As `openssl ecparam -genkey` writes it; and as a mail from a machine with Windows brings it.
    let parameters =
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let sec1 = fs::read_to_string(fixed("client-ec.sec1.key")).unwrap();
    let with_parameters = folder.write("parameters.key", parameters.to_owned() + &sec1);
    let encrypted = fs::read_to_string(fixed("client-rsa.encrypted.key")).unwrap();
    let windows =
        folder.write("windows.key", format!("A comment\n{encrypted}").replace('\n', "\r\n"));
    let (rsa, ec) = (fixed_path("client-rsa.pem"), fixed_path("client-ec.pem"));
    let rows: [&[&str]; 8] = [
        &["--cert", &rsa, "--key", &fixed_path("client-rsa.key")],
        &["--cert", &rsa, "--key", &fixed_path("client-rsa.pkcs1.key")],
        &[
            "--cert",
            &rsa,
            "--key",
            &fixed_path("client-rsa.encrypted.key"),
            "--key-password-file",
            &password,
        ],
        &["--cert", &ec, "--key", &fixed_path("client-ec.key")],
        &["--cert", &ec, "--key", &fixed_path("client-ec.sec1.key")],
        &["--cert", &ec, "--key", &with_parameters],
        &["--cert", &rsa, "--key", &windows, "--key-password-file", &password],
        &["--cert", &both],
    ];
    for row in rows {
        for version in [&TLS13, &TLS12] {
            let (server, _folder, file) = demanding(&[version]);
            publish(&server.good(), &[&["--cafile", &file], row].concat()).run().expect(0, "", "");
        }
    }
}

#[test]
fn a_demanded_certificate_that_is_not_there() {
    for version in [&TLS13, &TLS12] {
        let (server, _folder, file) = demanding(&[version]);
        let outcome = publish(&server.shunned(), &["--cafile", &file]).run();
        fails(
            &outcome,
            4,
            "the server demands a client certificate; give one with --cert and --key",
        );
    }
}

#[test]
fn a_certificate_that_the_server_does_not_know() {
    let stranger = Authority::new().certify(&[], FAR_AWAY);
    let folder = Folder::new();
    let certificate = folder.write("client.pem", stranger.certificate.pem());
    let key = folder.write("client.key", stranger.key.serialize_pem());
    for version in [&TLS13, &TLS12] {
        let (server, _folder, file) = demanding(&[version]);
        let arguments = ["--cafile", &file, "--cert", &certificate, "--key", &key];
        let words = "the server refused the client certificate: it does not trust the authority that signed \
             it; does --cert hold the intermediate certificates, too?";
        fails(&publish(&server.shunned(), &arguments).run(), 4, words);
    }
}

#[test]
fn a_server_that_hangs_up_for_want_of_a_certificate() {
    let (mut server, _folder, file) = demanding(rustls::ALL_VERSIONS);
    server.optional = true;
    let steps =
        [Step::Tls(Arc::new(server.config())), Step::RequestWithout("Origin"), Step::HalfClose];
    let broker = Broker::start(steps.into_iter().chain([Step::Gone]).collect());
    let words = "the server asked for a client certificate and closed the connection without one; give one \
         with --cert and --key";
    fails(&publish(&broker, &["--cafile", &file]).run(), 4, words);
}

/// Checks what is said before anything is connected.
fn refuses(arguments: &[&str], code: i32, words: &str) {
    let command = [&["pub", "wss://127.0.0.1:1/mqtt", "-t", "t", "-m", "x"], arguments].concat();
    fails(&Program::new(command).run(), code, words);
}

#[test]
fn files_that_do_not_fit() {
    let (rsa, ec) = (fixed_path("client-rsa.pem"), fixed_path("client-ec.pem"));
    let (rsa_key, ec_key) = (fixed_path("client-rsa.key"), fixed_path("client-ec.key"));
    let words = format!(
        "private key {ec_key} does not belong to client certificate {rsa}; give the key with which the \
         certificate was requested"
    );
    refuses(&["--cert", &rsa, "--key", &ec_key], 1, &words);
    let words = format!(
        "client certificate {rsa_key} holds a private key and no certificate; are --cert and --key swapped?"
    );
    refuses(&["--cert", &rsa_key, "--key", &rsa], 1, &words);
    let words = format!("no private key in {ec}; give the file of the private key with --key");
    refuses(&["--cert", &ec], 1, &words);
    refuses(
        &["--cert", "/no-such-file", "--key", &ec_key],
        1,
        "cannot read client certificate /no-such-file: no such file",
    );
    refuses(
        &["--cert", &ec, "--key", "/no-such-file"],
        1,
        "cannot read private key /no-such-file: no such file",
    );
}

#[test]
fn keys_that_cannot_be_read() {
    let folder = Folder::new();
    let certificate = fixed_path("client-rsa.pem");
    let encrypted = fixed_path("client-rsa.encrypted.key");
    let wrong = folder.write("wrong", "wrong\n");
    let words =
        format!("private key {encrypted} is encrypted; give its password with --key-password-file");
    refuses(&["--cert", &certificate, "--key", &encrypted], 1, &words);
    let words = format!("the password does not decrypt private key {encrypted}");
    let arguments = ["--cert", &certificate, "--key", &encrypted, "--key-password-file", &wrong];
    refuses(&arguments, 1, &words);
    let marked = folder.write("marked", "\u{feff}secret\r\n");
    let words = format!("the password in {marked} is wrong: it begins with a byte order mark");
    let arguments = ["--cert", &certificate, "--key", &encrypted, "--key-password-file", &marked];
    refuses(&arguments, 1, &words);

    let old = fixed_path("client-rsa.old.key");
    let words = format!(
        "private key {old} is encrypted in the old format of OpenSSL; convert it: openssl pkcs8 -topk8 -in KEY -out \
         NEW"
    );
    refuses(&["--cert", &certificate, "--key", &old], 1, &words);

    let damaged =
        folder.write("damaged", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    let words = format!(
        "private key {damaged} is damaged or of a kind that is not supported; RSA keys of 2048 to 8192 bits, \
         P-256, P-384 and Ed25519 keys are supported"
    );
    refuses(&["--cert", &certificate, "--key", &damaged], 1, &words);
}
