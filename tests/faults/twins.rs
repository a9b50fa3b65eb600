//! Two clients with one identifier take the session from each other; where the broker does not say
//! so, the program does, once.

use crate::program::Program;
use crate::{SOON, mosquitto};

const HINT: &str = "mqttws: warning: the server ended three connections in a row soon after \
     SUBSCRIBE: another client may use the same id (choose another id with -i), or the server forbids \
     a filter, its QoS or so many filters\n";

/// Runs two of them until both have said it; all that each has said.
fn twins(url: &str, version: &str, delay: &str) -> [String; 2] {
    let flags = ["-V", version, "-i", "same", "-t", "t", "--reconnect-delay", delay];
    let start = || Program::new([&["sub", url], &flags[..]].concat()).spawn();
    let mut both = [start(), start()];
    for twin in &mut both {
        twin.wait_for_words(HINT);
    }
    both.map(|twin| {
        twin.signal("KILL");
        String::from_utf8_lossy(&twin.finish().stderr).into_owned()
    })
}

/// Each connection stands until the other one comes back: up to a second or two with the usual
/// delays.
#[test]
fn two_clients_with_one_identifier_are_told() {
    let Some(broker) = mosquitto() else { return };
    for (version, delay) in [("311", SOON), ("311", "1,30"), ("5", SOON)] {
        for stderr in twins(&broker.ws(), version, delay) {
            assert_eq!(stderr.matches(HINT).count(), 1, "{stderr}");
        }
    }
}
