//! `wss://`: which certificates are taken, and how the others are explained.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use crate::support::broker::{Broker, Step, packet, until_goodbye};
use crate::support::certificates::{Authority, Certificate, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::lines::{self, fails};
use crate::support::program::Program;

/// A TLS server that shows this certificate.
pub fn server(certificate: &Certificate) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(certificate.key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.certificate.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

/// A broker that shows `certificate` and takes one message.
fn good_broker(certificate: &Certificate) -> Broker {
    Broker::start(until_goodbye(vec![
        Step::Tls(server(certificate)),
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ]))
}

/// A broker that shows `certificate` to a client that will not like it.
fn refused_broker(certificate: &Certificate) -> Broker {
    Broker::start(vec![Step::Tls(server(certificate)), Step::Gone])
}

fn publish(broker: &Broker, arguments: &[&str]) -> Program {
    let url = format!("wss://127.0.0.1:{}/mqtt", broker.port());
    Program::new([&["pub", &url, "-V", "311", "-t", "t", "-m", "x"], arguments].concat())
}

#[test]
fn a_certificate_of_the_given_authority_is_taken() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let file = folder.write("ca.pem", authority.pem());
    let broker = good_broker(&authority.certify(&["127.0.0.1"], FAR_AWAY));
    publish(&broker, &["--cafile", &file]).run().expect(0, "", "");
}

#[test]
fn any_tls_flag_means_wss() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let file = folder.write("ca.pem", authority.pem());
    let broker = good_broker(&authority.certify(&["localhost"], FAR_AWAY));
    let port = broker.port().to_string();
    let command =
        ["pub", "-V", "311", "-h", "localhost", "-p", &port, "--cafile", &file, "-t", "t", "-m", "x"];
    Program::new(command).run().expect(0, "", "");
}

#[test]
fn an_unknown_authority_is_refused() {
    let broker = refused_broker(&Authority::new().certify(&["127.0.0.1"], FAR_AWAY));
    fails(&publish(&broker, &[]).run(), 4, lines::UNKNOWN_ISSUER);

    let folder = Folder::new();
    let file = folder.write("ca.pem", Authority::new().pem());
    let broker = refused_broker(&Authority::new().certify(&["127.0.0.1"], FAR_AWAY));
    fails(&publish(&broker, &["--cafile", &file]).run(), 4, lines::UNKNOWN_ISSUER);
}

#[test]
fn an_unknown_authority_is_taken_when_told_and_said_each_time() {
    let broker = good_broker(&Authority::new().certify(&["elsewhere.example"], FAR_AWAY));
    let outcome = publish(&broker, &["--insecure"]).run();
    fails(&outcome, 0, lines::INSECURE_WARNING);
}

#[test]
fn an_expired_certificate_is_refused() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let file = folder.write("ca.pem", authority.pem());
    let broker = refused_broker(&authority.certify(&["127.0.0.1"], 2020));
    fails(&publish(&broker, &["--cafile", &file]).run(), 4, lines::EXPIRED);
}

#[test]
fn a_certificate_for_another_name_is_refused_and_the_name_told() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let file = folder.write("ca.pem", authority.pem());
    let broker = refused_broker(&authority.certify(&["elsewhere.example"], FAR_AWAY));
    fails(&publish(&broker, &["--cafile", &file]).run(), 4, lines::WRONG_NAME);
}

#[test]
fn a_server_without_tls_is_told_from_a_bad_one() {
    let broker = Broker::start(vec![Step::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".into()), Step::Gone]);
    fails(&publish(&broker, &[]).run(), 4, lines::NOT_TLS);
}

#[test]
fn a_handshake_that_never_ends_is_given_up() {
    let broker = Broker::start(vec![Step::Gone]);
    fails(&publish(&broker, &["--connect-timeout", "0.5"]).run(), 27, lines::TLS_TIMED_OUT);
}

#[test]
fn a_ca_file_that_is_not_there() {
    let program =
        Program::new(["pub", "wss://127.0.0.1:1/", "-t", "t", "-m", "x", "--cafile", "/no-such-file.pem"]);
    fails(&program.run(), 1, lines::NO_CA_FILE);
}
