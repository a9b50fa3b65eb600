//! `mqttws check` on brokers other than mosquitto: the reports are as reviewed.

use super::kept::Remains;
use super::{Kind, PASSWORD, USER, aedes, amqtt, ejabberd, nats, rabbitmq};
use crate::daemon::free_ports;
use crate::folder::Folder;
use crate::reviewed;

/// The points that only wait, for 60 s and 75 s: what else is asked takes less.
const WAITING: &str = "mute-connection,idle-survives";

/// Compares the report of all points with that stored as `name`.
fn is_as_reviewed(name: &str, url: &str, flags: &[&str]) {
    let flags = [&["--full"], flags].concat();
    reviewed::compare(name, url, &["-u", USER, "-P", PASSWORD], &flags);
}

/// One of the test's own, which the broken bytes may end.
fn own_is_as_reviewed(name: &str, kind: &Kind, flags: &[&str]) {
    if crate::is_here(kind.program) {
        let folder = Folder::new();
        let server = kind.start(folder.path(), free_ports(), Remains::Folder);
        is_as_reviewed(name, &server.url, flags);
    }
}

/// It ends mute and idle connections within a minute.
#[test]
fn rabbitmq_is_as_reviewed() {
    let Some(server) = rabbitmq::rabbitmq() else { return };
    is_as_reviewed("rabbitmq", &server.url, &[]);
}

#[test]
fn ejabberd_is_as_reviewed() {
    let Some(server) = ejabberd::ejabberd() else { return };
    is_as_reviewed("ejabberd", &server.url, &["--skip", WAITING]);
}

#[test]
fn nats_is_as_reviewed() {
    own_is_as_reviewed("nats", &nats::NATS, &["--skip", WAITING]);
}

/// Over TLS the default set is enough: what it does not ask is the same.
#[test]
fn nats_over_tls_is_as_reviewed() {
    let kind = Kind { start: nats::start_secure, ..nats::NATS };
    if !crate::is_here(kind.program) {
        return;
    }
    let folder = Folder::new();
    let server = kind.start(folder.path(), free_ports(), Remains::Folder);
    let url = server.url.replace("ws://", "wss://");
    let authority = folder.path().join("ca.pem").display().to_string();
    let login = ["-u", USER, "-P", PASSWORD, "--cafile", &authority];
    reviewed::compare("nats-wss", &url, &login, &[]);
}

#[test]
fn aedes_is_as_reviewed() {
    own_is_as_reviewed("aedes", &aedes::AEDES, &["--skip", WAITING]);
}

/// Without what waits for a minute for messages that it has lost: offline-queue shows that.
#[test]
fn amqtt_is_as_reviewed() {
    let skip = format!("{WAITING},redelivery-dup,pubrel-resumed");
    own_is_as_reviewed("amqtt", &amqtt::AMQTT, &["--skip", &skip]);
}
