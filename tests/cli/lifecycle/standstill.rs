//! A server that stops in the middle: after ten seconds one note says so. The tests wait for the
//! note itself.

use crate::support::broker::{Broker, Step, connected, packet, subscribed};
use crate::support::program::Program;

/// Waits for the note, and interrupts the command; the note stands there once.
fn is_noted(broker: &Broker, verb: &str, flags: &[&str], note: &str) {
    let url = broker.url();
    let arguments = [&[verb, &url, "-V", "311", "-t", "t"], flags].concat();
    let mut running = Program::new(arguments).spawn();
    running.wait_for_words(note);
    running.signal("INT");
    let outcome = running.finish();
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    assert_eq!(stderr.matches(note).count(), 1, "{outcome}");
}

/// Mosquitto before 2.1 does this.
#[test]
fn a_message_that_stops_arriving() {
    // A PUBLISH to t with a payload of 97 bytes, of which one comes.
    let begun = Step::Raw(b"\x82\x06\x30\x64\x00\x01tx".to_vec());
    let broker = Broker::start(subscribed([begun, Step::Gone]));
    let note = "mqttws: note: nothing more of a message of 97 bytes for 10 s; mosquitto before 2.1 \
                does this\n";
    is_noted(&broker, "sub", &[], note);
}

#[test]
fn a_message_that_is_not_acknowledged() {
    let broker = Broker::start(connected([packet("32 <t> id 'x'"), Step::Gone]));
    let note = "mqttws: note: the broker has sent no PUBACK for 10 s; -W limits how long it is \
                waited for\n";
    is_noted(&broker, "pub", &["-q", "1", "-m", "x"], note);
}
