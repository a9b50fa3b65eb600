//! amqtt: MQTT 3.1.1 on Python's asyncio.

use std::path::Path;
use std::sync::OnceLock;

use super::kept::Start;
use super::{Kind, Retained, Server, common, installed, words, write};

pub const AMQTT: Kind = Kind {
    program: "amqtt",
    path: "/mqtt",
    newest: "311",
    // A third of --connect-timeout.
    no_mqtt_5: Some("no CONNACK to MQTT 5 within 1 s"),
    retained: Retained::ToOthers,
    start,
};

/// The password is hashed by Argon2, with as little work as it allows.
const USERS: &str = "ann:$argon2id$v=19$m=8,t=1,p=1$lmhX9sftH9UWRHYliJB5Lg\
                     $JohCrewJczfPCXhhAkVpMfFsjAMmzrdkqv05r06j+pE\n";

fn start(folder: &Path, [ws, ..]: [u16; 3]) -> Start {
    let users = write(folder, "users", USERS);
    let configuration = format!(
        "listeners:\n  default:\n    type: ws\n    bind: 127.0.0.1:{ws}\n\
         plugins:\n  amqtt.plugins.authentication.FileAuthPlugin:\n    password_file: {users}\n"
    );
    let file = write(folder, "amqtt.yaml", &configuration);
    Start {
        words: words([&installed("python/bin/amqtt"), "-c", &file]),
        environment: Vec::new(),
        ready: "Starting session expiration monitor",
    }
}

fn amqtt() -> Option<&'static Server> {
    static SERVER: OnceLock<Server> = OnceLock::new();
    AMQTT.shared(&SERVER)
}

#[test]
fn carries_everything_at_every_qos() {
    let Some(server) = amqtt() else { return };
    for qos in ["0", "1", "2"] {
        common::carries(server, qos, "");
    }
}

#[test]
fn keeps_a_retained_message() {
    let Some(server) = amqtt() else { return };
    common::retains(server);
}

/// It never answers a CONNECT of MQTT 5 that has properties.
#[test]
fn silence_leads_to_an_older_version() {
    let Some(server) = amqtt() else { return };
    common::falls_back(server);
}

#[test]
fn a_wrong_password_is_told() {
    let Some(server) = amqtt() else { return };
    common::refuses(server, "the broker refused: not authorized; check -u and -P");
}

#[test]
fn every_path_is_served() {
    let Some(server) = amqtt() else { return };
    common::wrong_path(server).run().expect(0, "", "");
}

#[test]
fn a_shared_subscription_is_warned_of() {
    let Some(server) = amqtt() else { return };
    common::does_not_share(server);
}
