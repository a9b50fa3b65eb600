//! NATS: MQTT 3.1.1 over its own streams.

use std::path::Path;
use std::sync::OnceLock;

use super::kept::Start;
use super::{Kind, PASSWORD, Retained, Server, USER, common, words, write};
use crate::certificates::{Authority, FAR_AWAY};

pub const NATS: Kind = Kind {
    program: "nats-server",
    path: "/mqtt",
    newest: "311",
    no_mqtt_5: Some("the broker refused MQTT 5: unacceptable protocol version"),
    retained: Retained::AsAsked,
    start,
};

fn start(folder: &Path, ports: [u16; 3]) -> Start {
    start_with(folder, ports, "no_tls: true")
}

/// The same, with TLS; the authority is in `ca.pem`.
pub fn start_secure(folder: &Path, ports: [u16; 3]) -> Start {
    let authority = Authority::new();
    let own = authority.certify(&["127.0.0.1"], FAR_AWAY);
    write(folder, "ca.pem", &authority.pem());
    let certificate = write(folder, "server.pem", &own.certificate.pem());
    let key = write(folder, "server.key", &own.key.serialize_pem());
    let tls = format!("tls {{ cert_file: \"{certificate}\", key_file: \"{key}\" }}");
    start_with(folder, ports, &tls)
}

/// A server name and a store: MQTT needs its streams.
fn start_with(folder: &Path, [ws, tcp, mqtt]: [u16; 3], tls: &str) -> Start {
    let configuration = format!(
        "server_name: mqttws\n\
         listen: \"127.0.0.1:{tcp}\"\n\
         jetstream {{ store_dir: \"{}\" }}\n\
         websocket {{ listen: \"127.0.0.1:{ws}\", {tls} }}\n\
         mqtt {{ listen: \"127.0.0.1:{mqtt}\" }}\n\
         max_payload: 2MB\n\
         authorization {{ users: [ {{ user: {USER}, password: {PASSWORD} }} ] }}\n",
        folder.join("store").display()
    );
    let file = write(folder, "nats.conf", &configuration);
    Start {
        words: words(["nats-server", "-c", &file]),
        environment: Vec::new(),
        ready: "Server is ready",
    }
}

fn nats() -> Option<&'static Server> {
    static SERVER: OnceLock<Server> = OnceLock::new();
    NATS.shared(&SERVER)
}

#[test]
fn carries_everything_at_qos_0_and_1() {
    let Some(server) = nats() else { return };
    common::carries(server, "0", "");
    common::carries(server, "1", "");
}

/// NATS before 2.10 grants QoS 1 to whoever asks for 2, and ends the connection at a PUBLISH of
/// QoS 2.
#[test]
fn qos_2_is_refused_by_the_end_of_three_connections() {
    let Some(server) = nats() else { return };
    let flags = ["-t", "nats/two", "-q", "2", "-m", "x", "--reconnect-delay", "0.05"];
    let outcome = server.newest("pub", &flags).run();
    let url = &server.url;
    let lost = format!(
        "mqttws: warning: {url}: connection lost: the server closed the WebSocket with code 1002 \
         (protocol error): Protocol Violation; trying again\n\
         mqttws: warning: connected again after"
    );
    let end = "mqttws: publishing to nats/two: the server ended three connections in a row on this \
               message (topic nats/two, QoS 2); the broker may forbid its topic, QoS, retain flag \
               or size\n";
    common::expect_with_times(&outcome, 7, &[&lost, &lost, end]);
}

#[test]
fn keeps_a_retained_message() {
    let Some(server) = nats() else { return };
    common::retains(server);
}

#[test]
fn keeps_a_session() {
    let Some(server) = nats() else { return };
    common::keeps_a_session(server, "1");
}

#[test]
fn older_versions_are_found() {
    let Some(server) = nats() else { return };
    common::falls_back(server);
}

#[test]
fn a_wrong_password_is_told() {
    let Some(server) = nats() else { return };
    common::refuses(server, "the broker refused: not authorized; check -u and -P");
}

/// Whatever does not end in `/mqtt` is for NATS's own protocol.
#[test]
fn a_wrong_path_is_told() {
    let Some(server) = nats() else { return };
    let outcome = common::wrong_path(server).run();
    let start = "mqttws: connecting to ";
    let middle = "/nowhere: the WebSocket server does not speak MQTT (it sent \"INFO {";
    let end = "\"); try another path, such as /mqtt\n";
    let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let is_told = said.starts_with(start) && said.contains(middle) && said.ends_with(end);
    assert!(is_told && outcome.code() == Some(9) && outcome.stdout.is_empty(), "{outcome}");
}

#[test]
fn a_shared_subscription_is_warned_of() {
    let Some(server) = nats() else { return };
    common::does_not_share(server);
}
