//! No verb exits while an event waits to be handled: what a broker that lost the session may or may
//! not have is told as in doubt, also when it is the last that was published.

use crate::support::broker::{Broker, Step, packet};
use crate::support::folder::Folder;
use crate::support::lines;
use crate::support::program::Program;

/// A `pub -q 2` of MQTT 5 or 3.1.1 whose connection breaks after these packets, with nothing
/// acknowledged, at a broker that has lost the session when it is connected to again.
fn loses_the_session(version: &str, published: impl IntoIterator<Item = String>) -> Broker {
    let [connect, connack] = match version {
        "5" => ["10 <MQTT> 05 *", "20 00 00 00"],
        _ => ["10 <MQTT> 04 *", "20 00 00"],
    };
    let mut script = vec![Step::Upgrade, packet(connect), Step::Send(connack)];
    script.extend(published.into_iter().map(|pattern| packet(&pattern)));
    script.extend([
        Step::End,
        Step::Reconnect,
        Step::Upgrade,
        packet(connect),
        Step::Send(connack),
    ]);
    let end = if version == "5" { "e0 00 05 11 00 00 00 00" } else { "e0" };
    script.extend([packet(end), Step::Close(1000), Step::Gone]);
    Broker::start(script)
}

/// The PUBLISH of `payload` to `t` at QoS 2.
fn publish(version: &str, payload: &str) -> String {
    let properties = if version == "5" { "00" } else { "" };
    format!("34 <t> id {properties} '{payload}'")
}

/// Runs it; it ends with exit code 7 and these lines.
fn ends(version: &str, payloads: &[&str], flags: &[&str], input: &str, lines: &str) {
    let broker =
        loses_the_session(version, payloads.iter().map(|payload| publish(version, payload)));
    let url = broker.url();
    let command = ["pub", &url, "-V", version, "-q", "2", "--quiet", "--reconnect-delay", "0.01"];
    Program::new([&command, flags].concat()).stdin(input).run().expect(7, "", lines);
}

const ONE: &str =
    "mqttws: publishing to t: message refused: in doubt: the broker has lost the session\n";
const FIRST: &str =
    "mqttws: publishing to t: message 1 refused: in doubt: the broker has lost the session\n";
const SECOND: &str =
    "mqttws: publishing to t: message 2 refused: in doubt: the broker has lost the session\n";

#[test]
fn a_message_of_m() {
    for version in ["5", "311"] {
        ends(version, &["x"], &["-t", "t", "-m", "x"], "", ONE);
    }
}

#[test]
fn a_message_from_stdin() {
    for version in ["5", "311"] {
        ends(version, &["x"], &["-t", "t", "-s"], "x", ONE);
    }
}

#[test]
fn a_message_from_a_file() {
    let folder = Folder::new();
    let file = folder.write("x", "x");
    for version in ["5", "311"] {
        ends(version, &["x"], &["-t", "t", "-f", &file], "", ONE);
    }
}

#[test]
fn an_empty_message() {
    for version in ["5", "311"] {
        ends(version, &[""], &["-t", "t", "-n"], "", ONE);
    }
}

#[test]
fn lines() {
    let both = [FIRST, SECOND].concat();
    for version in ["5", "311"] {
        ends(version, &["x"], &["-t", "t", "-l"], "x\n", FIRST);
        ends(version, &["x", "y"], &["-t", "t", "-l"], "x\ny\n", &both);
        let without_topic = FIRST.replace(" to t", "");
        ends(version, &["x"], &["-l", "--split", ","], "t,x\n", &without_topic);
    }
}

#[test]
fn records() {
    let line = "mqttws: publishing: message 1 refused: in doubt: the broker has lost the session\n";
    for version in ["5", "311"] {
        ends(version, &["x"], &["--json"], "{\"topic\":\"t\",\"payload\":\"x\",\"qos\":2}\n", line);
    }
}

#[test]
fn a_repeated_message() {
    for version in ["5", "311"] {
        ends(
            version,
            &["x", "x"],
            &["-t", "t", "-m", "x", "--repeat", "2"],
            "",
            &[FIRST, &FIRST.replace("message 1", "message 2")].concat(),
        );
    }
}

/// The refusal and the end of the connection come together.
#[test]
fn a_refusal_right_before_the_end_of_the_connection() {
    let begin = [Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00")];
    let refused = [packet("32 <t> id 00 'x'"), Step::Send("40 id 87"), Step::End];
    let broker = Broker::start(begin.into_iter().chain(refused).collect());
    let publish = Program::new(["pub", &broker.url(), "-V", "5", "-q", "1", "-t", "t", "-m", "x"]);
    publish.run().expect(7, "", &format!("{}\n", lines::PUBLISH_REFUSED));
}

/// A request whose answer nobody will send, perhaps.
#[test]
fn a_request() {
    let begin = || {
        [Step::Upgrade, packet("10 <MQTT> 04 *"), Step::Send("20 00 00"), packet("82 id <a> 02")]
    };
    let mut script: Vec<Step> = begin().into();
    script.extend([Step::Send("90 id 02"), packet("34 <t> id 'x'"), Step::End, Step::Reconnect]);
    script.extend(begin());
    script.extend([Step::Send("90 id 02"), packet("e0"), Step::Close(1000), Step::Gone]);
    let broker = Broker::start(script);
    let flags =
        ["-V", "311", "-q", "2", "--quiet", "--reconnect-delay", "0.01", "-t", "t", "-m", "x"];
    let request =
        Program::new([&["pub", &broker.url(), "--request", "-e", "a"], &flags[..]].concat());
    request.run().expect(
        7,
        "",
        "mqttws: asking t: refused: in doubt: the broker has lost the session\n",
    );
}
