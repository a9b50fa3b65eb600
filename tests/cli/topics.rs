//! Topics with characters for which brokers disconnect a client: refused wherever a topic is given.

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye, until_session_end};
use crate::support::program::Program;

const ALLOW: &str = "--allow-control-characters";

#[test]
fn a_control_character_in_a_topic_is_a_usage_error() {
    let commands: [(&str, &[&str]); 10] = [
        ("-t", &["pub", "-m", "x", "-t", "lab/A\r"]),
        ("-t", &["pub", "-l", "-t", "lab/A\r"]),
        ("-t", &["pub", "--json", "-t", "lab/A\r"]),
        ("--topic-prefix", &["pub", "-m", "x", "-t", "t", "--topic-prefix", "lab\r/"]),
        ("-e", &["pub", "-m", "x", "-t", "t", "--request", "-e", "lab/A\r"]),
        (
            "-D publish response-topic",
            &["pub", "-m", "x", "-t", "t", "-D", "publish", "response-topic", "lab/A\r"],
        ),
        ("--will-topic", &["pub", "-m", "x", "-t", "t", "--will-topic", "lab/A\r"]),
        ("-t", &["sub", "-t", "t", "-t", "lab/+/A\r"]),
        ("-T", &["sub", "-t", "t", "-T", "lab/A\r"]),
        ("-U", &["sub", "-t", "t", "-U", "lab/A\r"]),
    ];
    for (flag, command) in commands {
        let line = format!(
            "mqttws: {flag}: the topic holds the control character U+000D; \
             --allow-control-characters takes it\n"
        );
        Program::new(command).run().expect(2, "", &line);
    }
    let line = "mqttws: invalid value 'lab/#\\r' for '--topic <FILTER>': the topic holds the \
                control character U+000D; see mqttws help sub\n";
    Program::new(["sub", "-t", "lab/#\r"]).run().expect(2, "", line);
    for (topic, named) in [
        ("a\u{7f}", "control character U+007F"),
        ("a\u{85}", "control character U+0085"),
        ("\u{fdd0}", "non-character U+FDD0"),
        ("\u{1ffff}", "non-character U+1FFFF"),
    ] {
        let line = format!(
            "mqttws: -t: the topic holds the {named}; --allow-control-characters takes it\n"
        );
        Program::new(["pub", "-m", "x", "-t", topic]).run().expect(2, "", &line);
    }
}

#[test]
fn control_characters_are_taken_where_they_are_allowed() {
    let broker = Broker::start(until_goodbye(connected([
        packet("30 00 02 'a' 0d 'x'"),
        packet("c0"),
        Step::Send("d0"),
    ])));
    let url = broker.url();
    let command = ["pub", &url, "-V", "311", "-t", "a\r", "-m", "x", ALLOW];
    Program::new(command).run().expect(0, "", "");

    let steps =
        [packet("30 00 02 'a' 0d 'x'"), packet("c0"), Step::Send("d0"), packet("30 <b> 'y'")];
    let broker = Broker::start(until_goodbye(connected(steps)));
    let url = broker.url();
    let command = ["pub", &url, "-V", "311", "-l", "--split", " ", ALLOW];
    Program::new(command).stdin("a\r x\nb y\n").run().expect(0, "", "");
}

#[test]
fn a_split_line_with_one_is_a_bad_record() {
    let broker = Broker::start(until_goodbye(connected([packet("30 <b> 'y'")])));
    let url = broker.url();
    let line = "mqttws: reading stdin: record 1: the topic holds the control character U+000D\n";
    let command = ["pub", &url, "-V", "311", "-l", "--split", " "];
    Program::new(command).stdin("a\r x\nb y\n").run().expect(1, "", line);
}

/// A mirror passes on what a broker delivers.
#[test]
fn a_record_with_one_is_published_with_one_warning() {
    let input = "{\"topic\":\"a\\r\",\"payload\":\"x\"}\n{\"topic\":\"b\\n\",\"payload\":\"y\"}\n";
    let publish = |steps: Vec<Step>, flags: &[&str]| {
        let mut script = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00")];
        script.extend(steps);
        let broker = Broker::start(until_session_end(script));
        let url = broker.url();
        let command = ["pub", &url, "-V", "5", "--json"];
        Program::new([&command[..], flags].concat()).stdin(input).run()
    };
    let taken = || [packet("c0"), Step::Send("d0")];
    let both = || {
        let first = [packet("30 00 02 'a' 0d 00 'x'")].into_iter().chain(taken());
        first.chain([packet("30 00 02 'b' 0a 00 'y'")]).chain(taken()).collect()
    };
    let line = "mqttws: warning: reading stdin: record 1: the topic holds the control character \
                U+000D; it is published all the same\n";
    publish(both(), &[]).expect(0, "", line);
    publish(both(), &[ALLOW]).expect(0, "", "");
    publish(both(), &["--quiet"]).expect(0, "", "");
    let line = "mqttws: reading stdin: record 1: the topic holds the control character U+000D\n";
    publish(vec![], &["--strict-input"]).expect(1, "", line);
}

/// Nobody acknowledges a message of QoS 0: the answer to a PINGREQ shows that the server has taken
/// it. What comes after it is not lost with it.
#[test]
fn nothing_is_sent_after_one_until_the_server_is_known_to_have_taken_it() {
    let end = [Step::End, Step::Reconnect];
    let mut script = connected([packet("30 <a> '1'"), packet("30 00 02 'b' 01 '2'"), packet("c0")]);
    script.extend(end);
    let next = [packet("30 00 02 'b' 02 '3'"), packet("c0"), Step::Send("d0")];
    script.extend(connected(next));
    // What was taken once is taken again.
    script.extend([packet("30 00 02 'b' 02 '4'"), packet("30 <c> '5'")]);
    let broker = Broker::start(until_goodbye(script));
    let url = broker.url();
    let input = ["a", "b\\u0001", "b\\u0002", "b\\u0002", "c"].iter().zip(1..);
    let input = input
        .map(|(topic, number)| format!("{{\"topic\":\"{topic}\",\"payload\":\"{number}\"}}\n"))
        .collect::<Vec<_>>()
        .concat();
    let lines = "mqttws: publishing: message 2 refused: the connection ended at it, as some brokers \
                 end it at a control character\n\
                 mqttws: publishing: messages of QoS 0 may be missing: the connection was lost \
                 meanwhile\n";
    let command = ["pub", &url, "-V", "311", "--json", "--quiet", "--reconnect-delay", "0.01"];
    Program::new(command).stdin(input).run().expect(7, "", lines);
}

/// A stream of lines to such a topic goes on at full speed once the first of them was taken.
#[test]
fn a_stream_to_such_a_topic_waits_once() {
    let steps = [packet("30 00 02 'a' 0d '1'"), packet("c0"), Step::Send("d0")];
    let mut script = connected(steps);
    script.extend([packet("30 00 02 'a' 0d '2'"), packet("30 00 02 'a' 0d '3'")]);
    let broker = Broker::start(until_goodbye(script));
    let url = broker.url();
    let command = ["pub", &url, "-V", "311", "-l", "-t", "a\r", ALLOW];
    Program::new(command).stdin("1\n2\n3\n").run().expect(0, "", "");
}

/// In MQTT 5 a broker may say why it ends the connection: the record is named all the same.
#[test]
fn a_disconnect_at_one_names_the_record() {
    let broker = Broker::start(vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        packet("30 00 02 'a' 0d 00 'x'"),
        packet("c0"),
        Step::Send("e0 81"),
        Step::Gone,
    ]);
    let url = broker.url();
    let line = "mqttws: publishing: message 1 refused; go on with number 2: the broker \
                disconnected us: malformed packet\n";
    let input = "{\"topic\":\"a\\r\",\"payload\":\"x\"}\n{\"topic\":\"b\",\"payload\":\"y\"}\n";
    let command = ["pub", &url, "-V", "5", "--json", "--quiet"];
    Program::new(command).stdin(input).run().expect(6, "", line);
}

/// mosquitto ends a connection also for such a character in another text of the packet.
#[test]
fn one_in_a_property_is_published_and_proven() {
    let script = [
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        packet("30 <a> 05 03 00 02 'c' 01 'x'"),
        packet("c0"),
        Step::Send("d0"),
        packet("30 <a> 0a 26 00 02 'k' 01 00 03 'v' 0a 'w' 'y'"),
        packet("c0"),
        Step::Send("d0"),
        packet("30 <a> 05 03 00 02 'd' 01 'z'"),
    ];
    let broker = Broker::start(until_session_end(script.into()));
    let url = broker.url();
    let input = r#"{"topic":"a","payload":"x","properties":{"content-type":"c\u0001"}}
        {"topic":"a","payload":"y","properties":{"user-property":[["k\u0001","v\nw"]]}}
        {"topic":"a","payload":"z","properties":{"content-type":"d\u0001"}}
    "#;
    let line = "mqttws: warning: reading stdin: record 1: content-type holds the control character \
                U+0001; it is published all the same\n";
    Program::new(["pub", &url, "-V", "5", "--json"]).stdin(input).run().expect(0, "", line);
}
