//! Aedes with `ws`: the small server beside this file, on Node.js.

use std::path::Path;
use std::sync::OnceLock;

use super::kept::Start;
use super::{Kind, PASSWORD, Retained, Server, USER, common, installed, words, write};

pub const AEDES: Kind = Kind {
    program: "aedes",
    path: "/mqtt",
    newest: "311",
    no_mqtt_5: Some("the broker refused MQTT 5: unacceptable protocol version"),
    retained: Retained::AsAsked,
    start,
};

fn start(_: &Path, [ws, ..]: [u16; 3]) -> Start {
    // Beside the packages that it imports.
    let script = write(Path::new(&installed("npm")), "aedes.mjs", include_str!("aedes.mjs"));
    Start {
        words: words(["node", &script, &ws.to_string(), USER, PASSWORD]),
        environment: Vec::new(),
        ready: "ready",
    }
}

fn aedes() -> Option<&'static Server> {
    static SERVER: OnceLock<Server> = OnceLock::new();
    AEDES.shared(&SERVER)
}

#[test]
fn carries_everything_at_every_qos() {
    let Some(server) = aedes() else { return };
    for qos in ["0", "1", "2"] {
        common::carries(server, qos, "");
    }
}

#[test]
fn keeps_a_retained_message() {
    let Some(server) = aedes() else { return };
    common::retains(server);
}

/// At QoS 1: of messages that waited with QoS 2 it sends some again although it has had the PUBCOMP.
#[test]
fn keeps_a_session() {
    let Some(server) = aedes() else { return };
    common::keeps_a_session(server, "1");
}

#[test]
fn older_versions_are_found() {
    let Some(server) = aedes() else { return };
    common::falls_back(server);
}

#[test]
fn a_wrong_password_is_told() {
    let Some(server) = aedes() else { return };
    common::refuses(server, "the broker refused: bad user name or password; check -u and -P");
}

#[test]
fn a_wrong_path_is_told() {
    let Some(server) = aedes() else { return };
    common::is_not_found(server, "404 Not Found");
}

#[test]
fn a_shared_subscription_is_warned_of() {
    let Some(server) = aedes() else { return };
    common::does_not_share(server);
}
