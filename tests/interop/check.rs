//! `mqttws check` on Debian's mosquitto: the reports are as reviewed.

use crate::broker::Mosquitto;
use crate::{mosquitto, reviewed, without_mosquitto};

/// All points, with traffic that makes it as fast as others; but for those that wait for minutes.
#[test]
fn mosquitto_is_as_reviewed() {
    let Some(broker) = mosquitto() else { return };
    let _bustle = broker.keep_busy();
    let flags = ["--full", "--skip", "mute-connection,idle-survives"];
    reviewed::compare("mosquitto", &broker.ws(), &[], &flags);
}

#[test]
fn mosquitto_over_tls_is_as_reviewed() {
    if without_mosquitto() {
        return;
    }
    let broker = Mosquitto::start();
    // One address, whatever the machine knows of its own name.
    let url = broker.wss().replace("localhost", "127.0.0.1");
    reviewed::compare("mosquitto-wss", &url, &["--cafile", &*broker.authority], &[]);
}
