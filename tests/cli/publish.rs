//! `mqttws pub`: what goes over the wire for each way to give a message, and how it ends.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye, until_session_end};
use crate::support::folder::Folder;
use crate::support::lines::{self, fails};
use crate::support::program::Program;

/// `mqttws pub URL -V 311 -t t` and `arguments`.
fn publish(broker: &Broker, arguments: &[&str]) -> Program {
    let url = broker.url();
    Program::new([&["pub", &url, "-V", "311", "-t", "t"], arguments].concat())
}

/// A broker that takes these packets after CONNECT, and then the goodbye.
fn taking<const N: usize>(packets: [&str; N]) -> Broker {
    Broker::start(until_goodbye(connected(packets.map(packet))))
}

#[test]
fn a_message_at_qos_0() {
    let broker = taking(["30 <t> 'hello'"]);
    publish(&broker, &["-m", "hello"]).run().expect(0, "", "");
}

/// A payload is bytes, on the command line, too.
#[test]
fn a_message_that_is_no_text() {
    let broker = taking(["30 <t> ff fe"]);
    let url = broker.url();
    let arguments = ["pub", &url, "-V", "311", "-t", "t", "-m"].map(OsStr::new);
    Program::new([&arguments[..], &[OsStr::from_bytes(b"\xff\xfe")]].concat())
        .run()
        .expect(0, "", "");
}

#[test]
fn a_message_at_qos_1_waits_for_puback() {
    let steps = connected([packet("32 <t> id 'hello'"), Step::Send("40 id")]);
    let broker = Broker::start(until_goodbye(steps));
    publish(&broker, &["-m", "hello", "-q", "1"]).run().expect(0, "", "");
}

#[test]
fn a_message_at_qos_2_waits_for_pubcomp() {
    let steps = connected([
        packet("34 <t> id 'hello'"),
        Step::Send("50 id"),
        packet("62 id"),
        Step::Send("70 id"),
    ]);
    let broker = Broker::start(until_goodbye(steps));
    publish(&broker, &["-m", "hello", "-q", "2"]).run().expect(0, "", "");
}

#[test]
fn a_retained_message() {
    let broker = taking(["31 <t> 'hello'"]);
    publish(&broker, &["-m", "hello", "-r"]).run().expect(0, "", "");
}

#[test]
fn an_empty_message() {
    let broker = taking(["30 <t>"]);
    publish(&broker, &["-n"]).run().expect(0, "", "");
}

#[test]
fn all_of_standard_input() {
    let broker = taking(["30 <t> 'one' 0a 00 ff 'two' 0a"]);
    publish(&broker, &["-s"]).stdin(b"one\n\x00\xfftwo\n").run().expect(0, "", "");
}

#[test]
fn a_message_a_line() {
    let broker = taking(["30 <t> 'one'", "30 <t>", "30 <t> 00 ff", "30 <t> 'last'"]);
    publish(&broker, &["-l"]).stdin(b"one\n\n\x00\xff\nlast").run().expect(0, "", "");
}

#[test]
fn no_line_is_no_message() {
    let broker = taking([]);
    publish(&broker, &["-l"]).run().expect(0, "", "");
}

#[test]
fn lines_at_qos_1_have_ids_of_their_own_and_leave_in_order() {
    let steps = connected([
        packet("32 <t> 00 01 'a'"),
        packet("32 <t> 00 02 'b'"),
        packet("32 <t> 00 03 'c'"),
        Step::Send("40 00 01; 40 00 02; 40 00 03"),
    ]);
    let broker = Broker::start(until_goodbye(steps));
    publish(&broker, &["-l", "-q", "1"]).stdin("a\nb\nc\n").run().expect(0, "", "");
}

#[test]
fn a_file() {
    let folder = Folder::new();
    let file = folder.write("message", b"one\n\xfe\n");
    let broker = taking(["30 <t> 'one' 0a fe 0a"]);
    publish(&broker, &["-f", &file]).run().expect(0, "", "");
}

#[test]
fn a_file_that_is_not_there() {
    let outcome =
        Program::new(["pub", "ws://127.0.0.1:1/", "-t", "t", "-f", "/no-such-file"]).run();
    fails(&outcome, 1, lines::NO_SUCH_FILE);
}

/// The scripted broker refuses messages longer than 32 KiB, and anything but whole binary messages.
#[test]
fn a_large_file_is_cut_into_short_messages() {
    let payload: Vec<u8> = (0..=250).cycle().take(300_000).collect();
    let folder = Folder::new();
    let file = folder.write("large", &payload);
    let broker = Broker::start(until_goodbye(connected([Step::Payload(payload)])));
    publish(&broker, &["-f", &file]).run().expect(0, "", "");
}

#[test]
fn version_5_is_the_first_choice() {
    let broker = Broker::start(until_goodbye(vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        packet("30 <t> 00 'hello'"),
    ]));
    Program::new(["pub", &broker.url(), "-t", "t", "-m", "hello"]).run().expect(0, "", "");
}

#[test]
fn version_3_1_has_its_own_names() {
    let broker = Broker::start(until_goodbye(vec![
        Step::Request(&["Sec-WebSocket-Protocol: mqttv3.1"]),
        Step::Accept,
        packet("10 <MQIsdp> 03 02 00 2d <me>"),
        Step::Send("20 00 00"),
        packet("30 <t> 'hello'"),
    ]));
    let command = ["pub", &broker.url(), "-V", "31", "-i", "me", "-t", "t", "-m", "hello"];
    Program::new(command).run().expect(0, "", "");
}

#[test]
fn a_broker_that_does_not_speak_version_5_is_spoken_to_in_3_1_1() {
    let broker = Broker::start(until_goodbye(vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 01"),
        Step::End,
        Step::Reconnect,
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 00"),
        packet("30 <t> 'hello'"),
    ]));
    Program::new(["pub", &broker.url(), "-t", "t", "-m", "hello", "--quiet"])
        .run()
        .expect(0, "", "");
}

#[test]
fn the_connect_packet_says_what_the_flags_say() {
    let broker = Broker::start(until_goodbye(vec![
        Step::Upgrade,
        packet("10 <MQTT> 04 c2 00 0a <me> <ann> <s3cret>"),
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ]));
    let flags = ["-i", "me", "-u", "ann", "-P", "s3cret", "-k", "10", "-m", "x"];
    publish(&broker, &flags).run().expect(0, "", "");
}

#[test]
fn user_and_password_may_stand_in_the_url() {
    let broker = Broker::start(until_goodbye(vec![
        Step::Upgrade,
        packet("10 <MQTT> 04 c2 00 2d <me> <ann> <s3c@t>"),
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ]));
    let url = broker.url().replace("ws://", "ws://ann:s3c%40t@");
    Program::new(["pub", "-V", "311", "-i", "me", "-t", "t", "-m", "x", "-L", &url])
        .run()
        .expect(0, "", "");
}

#[test]
fn a_session_that_is_to_be_kept() {
    let broker = Broker::start(until_goodbye(vec![
        Step::Upgrade,
        packet("10 <MQTT> 04 00 00 2d <me>"),
        Step::Send("20 01 00"),
        packet("30 <t> 'x'"),
    ]));
    publish(&broker, &["-i", "me", "-c", "-m", "x"]).run().expect(0, "", "");
}

#[test]
fn client_ids_are_made_of_what_every_broker_takes() {
    let broker = Broker::start(until_goodbye(vec![
        Step::Upgrade,
        packet("10 <MQTT> 04 02 00 2d 00 12 'mqttws' .. .. .. .. .. .. .. .. .. .. .. .."),
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ]));
    publish(&broker, &["-m", "x"]).run().expect(0, "", "");
}

/// Runs `pub` with this address against a broker that wants these lines in the request.
fn requesting(lines: &'static [&'static str], address: impl FnOnce(u16) -> Vec<String>) {
    let mut steps =
        vec![Step::Request(lines), Step::Accept, packet("10 <MQTT> 04 *"), Step::Send("20 00 00")];
    steps.push(packet("30 <t> 'x'"));
    let broker = Broker::start(until_goodbye(steps));
    let address = address(broker.port());
    let mut command = vec!["pub", "-V", "311", "-t", "t", "-m", "x"];
    command.extend(address.iter().map(String::as_str));
    Program::new(command).run().expect(0, "", "");
}

#[test]
fn the_path_is_mqtt_unless_said_otherwise() {
    let upgrade = &[
        "GET /mqtt HTTP/1.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: mqtt",
    ];
    requesting(upgrade, |port| vec!["-L".into(), format!("ws://127.0.0.1:{port}")]);
    requesting(&["GET / HTTP/1.1"], |port| vec![format!("ws://127.0.0.1:{port}/")]);
    requesting(&["GET /ws/%20?token=a&b HTTP/1.1"], |port| {
        vec![format!("http://localhost:{port}/ws/%20?token=a&b")]
    });
    requesting(&["GET /other HTTP/1.1"], |port| {
        ["-h", "127.0.0.1", "-p", &port.to_string(), "--path", "/other"].map(String::from).into()
    });
    requesting(&["GET /mqtt HTTP/1.1"], |port| ["-p".to_owned(), port.to_string()].into());
}

#[test]
fn the_subprotocol_is_as_asked() {
    let steps = vec![
        Step::Request(&["Sec-WebSocket-Protocol: mqttv3.1, mqtt"]),
        Step::Accept,
        packet("10 *"),
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ];
    let broker = Broker::start(until_goodbye(steps));
    publish(&broker, &["-m", "x", "--subprotocol", "mqttv3.1,mqtt"]).run().expect(0, "", "");

    let steps = vec![
        Step::RequestWithout("Sec-WebSocket-Protocol"),
        Step::Accept,
        packet("10 *"),
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ];
    let broker = Broker::start(until_goodbye(steps));
    publish(&broker, &["-m", "x", "--subprotocol", "none", "--quiet"]).run().expect(0, "", "");
}

#[test]
fn an_address_comes_from_the_environment() {
    let broker = taking(["30 <t> 'x'"]);
    let program = Program::new(["pub", "-V", "311", "-t", "t", "-m", "x"]);
    program.env("MQTTWS_URL", &broker.url()).run().expect(0, "", "");
}

#[test]
fn a_refused_message_is_named_and_the_others_go_on() {
    let broker = Broker::start(until_session_end(vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        packet("32 <t> 00 01 00 'a'"),
        packet("32 <t> 00 02 00 'b'"),
        Step::Send("40 00 01 87; 40 00 02"),
    ]));
    let program = Program::new(["pub", &broker.url(), "-V", "5", "-t", "t", "-q", "1", "-l"]);
    fails(&program.stdin("a\nb\n").run(), 7, lines::LINE_REFUSED);
}

#[test]
fn a_refused_message_at_qos_2_is_not_released() {
    let broker = Broker::start(until_session_end(vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        packet("34 <t> id 00 'a'"),
        Step::Send("50 id 87"),
    ]));
    let program = Program::new(["pub", &broker.url(), "-V", "5", "-t", "t", "-q", "2", "-m", "a"]);
    fails(&program.run(), 7, lines::PUBLISH_REFUSED);
}

/// What was read before is handed over, however long that takes.
#[test]
fn a_line_that_is_too_long_comes_behind_those_before_it() {
    let broker = Broker::start(until_goodbye(connected([
        packet("32 <t> id 'one'"),
        packet("32 <t> 00 02 'two'"),
        packet("c0"),
        Step::Send("d0; 40 00 01; 40 00 02"),
    ])));
    let flags = ["-V", "311", "-t", "t", "-q", "1", "-l", "-k", "1", "--max-message-size", "1000"];
    let input = ["one\ntwo\n", &"x".repeat(200_000)].concat();
    let outcome = Program::new([&["pub", &broker.url()], &flags[..]].concat()).stdin(input).run();
    let line = "mqttws: publishing to t: gave up with 2 messages acknowledged and 0 in doubt; go on with number 3: \
                reading stdin: a line has more than 1000 bytes\n";
    outcome.expect(1, "", line);
}

/// It is told before anything is connected.
#[test]
fn a_file_that_no_packet_can_hold_is_refused_at_once() {
    let folder = Folder::new();
    let path = folder.path().join("large").display().to_string();
    let file = File::create(&path).unwrap();
    let publish = || {
        Program::new(["pub", "ws://127.0.0.1:1/mqtt", "-V", "311", "-t", "t", "-f", &path]).run()
    };
    file.set_len(268_435_455 - 2).unwrap();
    let line = format!(
        "mqttws: reading {path}: the packet would have 268435456 bytes, MQTT allows 268435455 (§1.5.5)\n"
    );
    publish().expect(1, "", &line);
    file.set_len(300_000_000).unwrap();
    let line = format!(
        "mqttws: reading {path}: it has 300000000 bytes, and a message can have at most 268500992\n"
    );
    publish().expect(1, "", &line);
    file.set_len(268_435_455 - 3).unwrap();
    assert_eq!(publish().code(), Some(3), "it is connected to");
}

/// Nobody knows whether the broker had the first one whole.
#[test]
fn a_repeated_file_may_be_missing_after_a_lost_connection() {
    let payload: Vec<u8> = (0..=250).cycle().take(1_100_000).collect();
    let folder = Folder::new();
    let file = folder.write("large", &payload);
    let mut steps = connected([Step::Payload(payload.clone()), Step::End, Step::Reconnect]);
    steps.extend(until_goodbye(connected([Step::Payload(payload)])));
    let broker = Broker::start(steps);
    let flags =
        ["-f", &file, "--repeat", "2", "--repeat-delay", "0.3", "--reconnect-delay", "0.01"];
    let outcome = publish(&broker, &flags).run();
    assert_eq!(outcome.code(), Some(8), "{outcome}");
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    let last = stderr.lines().last();
    let line =
        "mqttws: publishing: messages of QoS 0 may be missing: the connection was lost meanwhile";
    assert_eq!(last, Some(line), "{outcome}");
}
