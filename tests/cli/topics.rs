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
    let broker = Broker::start(until_goodbye(connected([packet("30 00 02 'a' 0d 'x'")])));
    let url = broker.url();
    let command = ["pub", &url, "-V", "311", "-t", "a\r", "-m", "x", ALLOW];
    Program::new(command).run().expect(0, "", "");

    let steps = [packet("30 00 02 'a' 0d 'x'"), packet("30 <b> 'y'")];
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
    let both = || vec![packet("30 00 02 'a' 0d 00 'x'"), packet("30 00 02 'b' 0a 00 'y'")];
    let line = "mqttws: warning: reading stdin: record 1: the topic holds the control character \
                U+000D; it is published all the same\n";
    publish(both(), &[]).expect(0, "", line);
    publish(both(), &[ALLOW]).expect(0, "", "");
    publish(both(), &["--quiet"]).expect(0, "", "");
    let line = "mqttws: reading stdin: record 1: the topic holds the control character U+000D\n";
    publish(vec![], &["--strict-input"]).expect(1, "", line);
}
