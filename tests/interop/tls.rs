//! `wss://` at a mosquitto that demands client certificates.

use crate::broker::Mosquitto;
use crate::certificates::{Authority, FAR_AWAY};
use crate::folder::Folder;
use crate::program::{Outcome, Program};
use crate::{mosquitto, without_mosquitto};

/// A certificate of a client and its key as files.
fn identity(authority: &Authority, folder: &Folder, name: &str) -> [String; 2] {
    let certificate = authority.certify(&[name], FAR_AWAY);
    let file = |suffix: &str, text: String| folder.write(&format!("{name}.{suffix}"), text);
    [file("pem", certificate.certificate.pem()), file("key", certificate.key.serialize_pem())]
}

/// `mqttws pub` to the listener of `broker`, whose certificate is trusted.
fn publish(broker: &Mosquitto, arguments: &[&str]) -> Outcome {
    let trust =
        ["pub", &broker.wss(), "-q", "1", "-t", "t", "-m", "x", "--cafile", &broker.authority];
    Program::new([&trust, arguments].concat()).run()
}

/// Checks that this is a failure of TLS for the reason that is told.
fn fails(broker: &Mosquitto, outcome: &Outcome, reason: &str) {
    outcome.expect(4, "", &format!("mqttws: connecting to {}: {reason}\n", broker.wss()));
}

#[test]
fn a_client_with_its_certificate_is_taken_and_others_are_told_why_not() {
    if without_mosquitto() {
        return;
    }
    let (clients, folder) = (Authority::new(), Folder::new());
    let broker = Mosquitto::demanding(&folder.write("clients.pem", clients.pem()));
    let [certificate, key] = identity(&clients, &folder, "client");
    let [stranger, strange_key] = identity(&Authority::new(), &folder, "stranger");
    for version in ["1.3", "1.2"] {
        let told = ["--tls-version", version];
        publish(&broker, &[&told[..], &["--cert", &certificate, "--key", &key]].concat())
            .expect(0, "", "");
        let outcome = publish(&broker, &told);
        let reason = "the server demands a client certificate; give one with --cert and --key";
        fails(&broker, &outcome, reason);
        let outcome =
            publish(&broker, &[&told[..], &["--cert", &stranger, "--key", &strange_key]].concat());
        let reason = "the server refused the client certificate: it does not trust the authority that signed \
             it; does --cert hold the intermediate certificates, too?";
        fails(&broker, &outcome, reason);
    }
}

#[test]
fn the_names_of_mosquittos_flags_do() {
    let Some(broker) = mosquitto() else { return };
    publish(&broker, &["--tls-version", "tlsv1.2", "--tls-alpn", "mqtt"]).expect(0, "", "");
    let host = ["pub", "-h", "localhost", "-p", &broker.wss_port(), "--path", "/mqtt"];
    let message = ["-t", "t", "-m", "x", "--cafile", &broker.authority];
    Program::new([&host[..], &message].concat()).run().expect(0, "", "");
}

#[test]
fn a_key_that_ring_does_not_know_is_verified() {
    if without_mosquitto() {
        return;
    }
    let broker = Mosquitto::showing("own-P-521", "authority-P-521");
    let url = broker.wss().replace("localhost", "127.0.0.1");
    let command = ["pub", &url, "-q", "1", "-t", "t", "-m", "x", "--cafile", &broker.authority];
    Program::new(command).run().expect(0, "", "");
    // In TLS 1.2 a server's curve must be one for the exchange of keys, too (RFC 8422 §5.1.1), and
    // ring has none of this one.
    let outcome = Program::new([&command[..], &["--tls-version", "1.2"]].concat()).run();
    let reason = "the server refused the TLS handshake (handshake failure); the server may require another TLS \
         version or cipher, or a name (--sni), or have a key other than RSA, P-256, P-384, Ed25519 or (in TLS 1.3) \
         P-521";
    outcome.expect(4, "", &format!("mqttws: connecting to {url}: {reason}\n"));
}
