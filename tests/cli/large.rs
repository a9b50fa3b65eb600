//! `mqttws sub` and messages of more than 1 MiB: written as they come, whole after a lost
//! connection, and told where they cannot be.

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines;
use crate::support::program::{Outcome, Program, Running};

/// The length of the payload.
const LENGTH: usize = 1_500_000;

/// How much of it comes before something happens.
const HALF: usize = 700_000;

/// A line, and then bytes that differ from place to place.
fn payload() -> Vec<u8> {
    let rest = (0..LENGTH - 6).map(|at| u8::try_from(at % 251).unwrap());
    b"begun\n".iter().copied().chain(rest).collect()
}

/// A PUBLISH to `t`: its first byte, and its identifier where it has one.
fn publish(first: u8, packet_id: &[u8]) -> Vec<u8> {
    let head = [b"\0\x01t", packet_id].concat();
    let mut length = head.len() + LENGTH;
    let mut packet = vec![first];
    while length > 127 {
        packet.push(u8::try_from(length % 128).unwrap() | 0x80);
        length /= 128;
    }
    packet.push(u8::try_from(length).unwrap());
    [packet, head, payload()].concat()
}

/// These bytes in binary messages of 64 KiB.
fn frames(bytes: &[u8]) -> Step {
    Step::Raw(bytes.chunks(1 << 16).flat_map(frame).collect())
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u64;
    let header = match length {
        0..126 => vec![0x82, u8::try_from(length).unwrap()],
        126..65_536 => [&[0x82, 126][..], &length.to_be_bytes()[6..]].concat(),
        _ => [&[0x82, 127][..], &length.to_be_bytes()].concat(),
    };
    [&header, payload].concat()
}

/// The packet up to the middle of its payload.
fn half(packet: &[u8]) -> Step {
    frames(&packet[..packet.len() - LENGTH + HALF])
}

fn run(broker: &Broker, flags: &[&str]) -> Outcome {
    start(broker, flags).finish()
}

fn start(broker: &Broker, flags: &[&str]) -> Running {
    let url = broker.url();
    let command = ["sub", &url, "-V", "311", "--reconnect-delay", "0.01", "--quiet", "-t", "t"];
    Program::new([&command[..], flags].concat()).spawn()
}

/// `steps` after the connection has ended and been made again.
fn again<const N: usize>(connack: &'static str, steps: [Step; N]) -> Vec<Step> {
    let mut script = vec![
        Step::End,
        Step::Reconnect,
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Send(connack),
    ];
    script.extend(steps);
    script
}

/// A broker that grants a subscription at this QoS, and then follows `steps`.
fn granted<const N: usize>(qos: &str, code: &'static str, steps: [Step; N]) -> Vec<Step> {
    let mut script = connected([packet(&format!("82 id <t> {qos}")), Step::Send(code)]);
    script.extend(steps);
    script
}

/// What is said of a message of which only the first half came.
fn cut(rest: &str) -> String {
    format!("{rest} in the middle of a message to t: {HALF} of {LENGTH} bytes were written")
}

#[test]
fn a_large_message_is_written_like_any_other() {
    for (flags, head, end) in
        [(&[][..], "", "\n"), (&["-v"], "t ", "\n"), (&["-N"], "", ""), (&["-0"], "", "\0")]
    {
        let broker = Broker::start(until_goodbye(subscribed([
            Step::Send("30 <t> 'a'"),
            frames(&publish(0x30, b"")),
            Step::Send("30 <t> 'b'"),
        ])));
        let flags = [&["-C", "3"], flags].concat();
        let small = |text| [head, text, end].concat().into_bytes();
        let large = [head.as_bytes(), &payload(), end.as_bytes()].concat();
        run(&broker, &flags).expect(0, [small("a"), large, small("b")].concat(), "");
    }
}

#[test]
fn it_is_counted_as_one_message() {
    let broker = Broker::start(until_goodbye(subscribed([frames(&publish(0x30, b""))])));
    let outcome = run(&broker, &["-C", "1", "-N", "--summary=json"]);
    assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(0), &payload()[..]), "{outcome}");
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    assert!(
        stderr.contains("\"received\":1,") && stderr.contains("\"bytes\":1500000,"),
        "{outcome}"
    );
}

#[test]
fn it_is_acknowledged_at_its_end() {
    let message = publish(0x32, b"\0\x07");
    let (first, last) = message.split_at(message.len() - 1);
    let steps = granted(
        "01",
        "90 id 01",
        [
            frames(first),
            Step::Frame(0x89, b"?"),
            Step::Pong(b"?"),
            frames(last),
            packet("40 00 07"),
        ],
    );
    let broker = Broker::start(until_goodbye(steps));
    run(&broker, &["-C", "1", "-q", "1", "-N"]).expect(0, payload(), "");
}

#[test]
fn one_that_is_left_out_is_acknowledged_too() {
    let steps = granted(
        "01",
        "90 id 01",
        [frames(&publish(0x32, b"\0\x07")), Step::Send("30 <x> 'end'"), packet("40 00 07")],
    );
    let broker = Broker::start(until_goodbye(steps));
    run(&broker, &["-C", "1", "-q", "1", "-T", "t"]).expect(0, "end\n", "");
}

#[test]
fn retained_only_ends_at_its_beginning() {
    let broker = Broker::start(until_goodbye(subscribed([half(&publish(0x30, b""))])));
    run(&broker, &["--retained-only"]).expect(0, "", "");
}

#[test]
fn after_a_lost_connection_it_is_whole() {
    for (qos, code, first, answer) in
        [("1", "90 id 01", 0x32, "40 00 07"), ("2", "90 id 02", 0x34, "50 00 07")]
    {
        let mut steps = granted(&format!("0{qos}"), code, [half(&publish(first, b"\0\x07"))]);
        steps.extend(again("20 01 00", [frames(&publish(first | 8, b"\0\x07")), packet(answer)]));
        if qos == "2" {
            steps.extend([Step::Send("62 00 07"), packet("70 00 07")]);
        }
        let broker = Broker::start(until_goodbye(steps));
        run(&broker, &["-C", "1", "-q", qos, "-N", "-c", "-i", "me"]).expect(0, payload(), "");
    }
}

#[test]
fn at_qos_0_a_lost_connection_is_the_end() {
    let broker = Broker::start(subscribed([half(&publish(0x30, b"")), Step::End]));
    let line = cut("mqttws: subscribed at ws://127.0.0.1:*/mqtt: connection lost");
    lines::fails_after(&run(&broker, &["-N"]), &payload()[..HALF], 8, &line);
}

#[test]
fn without_reconnecting_it_is_told_as_well() {
    let broker =
        Broker::start(granted("01", "90 id 01", [half(&publish(0x32, b"\0\x07")), Step::End]));
    let line = cut("mqttws: subscribed at ws://127.0.0.1:*/mqtt: connection lost");
    let flags = ["-N", "-q", "1", "-c", "-i", "me", "--no-reconnect"];
    lines::fails_after(&run(&broker, &flags), &payload()[..HALF], 8, &line);
}

#[test]
fn what_does_not_come_again_is_told() {
    let first = publish(0x32, b"\0\x07");
    let others = [
        (again("20 00 00", [packet("82 id <t> 01")]), "the session is lost"),
        (again("20 01 00", [Step::Send("32 <t> 00 08 'other'")]), "another message comes first"),
        (
            again("20 01 00", [frames(&publish(0x32, b"\0\x07"))]),
            "a new message under its identifier",
        ),
        (again("20 01 00", [frames(&publish(0x3a, b"\0\x08"))]), "one with another identifier"),
    ];
    for (other, why) in others {
        let mut steps = granted("01", "90 id 01", [half(&first)]);
        steps.extend(other);
        let broker = Broker::start(until_goodbye(steps));
        let outcome = run(&broker, &["-N", "-q", "1", "-c", "-i", "me"]);
        let line = cut("mqttws: subscribed at ws://127.0.0.1:*/mqtt: connection lost");
        println!("{why}");
        lines::fails_after(&outcome, &payload()[..HALF], 8, &line);
    }
}

#[test]
fn one_that_is_left_out_is_not_missed() {
    let mut steps = subscribed([half(&publish(0x30, b""))]);
    steps.extend(again("20 00 00", [packet("82 id <t> 00"), Step::Send("90 id 00; 30 <x> 'end'")]));
    let broker = Broker::start(until_goodbye(steps));
    run(&broker, &["-C", "1", "-T", "t"]).expect(0, "end\n", "");
}

#[test]
fn who_breaks_the_protocol_in_the_middle_is_named() {
    let broker = Broker::start(subscribed([
        half(&publish(0x30, b"")),
        Step::Frame(0x81, b"text"),
        Step::Close(1003),
        Step::Gone,
    ]));
    let line = format!(
        "mqttws: subscribed at ws://127.0.0.1:*/mqtt: in the middle of a message to t, of which {HALF} of \
         {LENGTH} bytes were written: the server sent a text frame (\"text\"), but MQTT needs binary frames; another service may be at this path: \
         try another path, such as /mqtt"
    );
    lines::fails_after(&run(&broker, &["-N"]), &payload()[..HALF], 9, &line);
}

#[test]
fn an_interruption_in_the_middle_is_told() {
    let broker = Broker::start(until_goodbye(subscribed([half(&publish(0x30, b""))])));
    let mut running = start(&broker, &["-N"]);
    running.wait_for_line(|line| line == "begun\n");
    running.signal("INT");
    let outcome = running.finish();
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    let pattern = format!(
        "mqttws: subscribed: ended in the middle of a message to t: * of {LENGTH} bytes were written\n"
    );
    assert!(outcome.code() == Some(0) && lines::is_like(&stderr, &pattern), "{outcome}");
    let written =
        stderr.split(" of ").nth(1).and_then(|text| text.rsplit(' ').next()).unwrap_or_default();
    assert!(stderr.contains(&format!("{} of {LENGTH}", outcome.stdout.len())), "{written}");
    assert!(payload().starts_with(&outcome.stdout));
}

/// What the reader has not taken when we have to go may never be read.
#[test]
fn with_a_reader_that_stands_still_nobody_can_be_sure() {
    let broker = Broker::start(subscribed([half(&publish(0x30, b"")), Step::Gone]));
    let (folder, url) = (Folder::new(), broker.url());
    let pipe = folder.path().join("pipe").display().to_string();
    let script =
        "mkfifo \"$2\" && exec 3<>\"$2\" && exec \"$0\" sub \"$1\" -V 311 -t t -N -W 0.5 >&3";
    let outcome = Program::of(
        "sh",
        ["-c", script, env!("CARGO_BIN_EXE_mqttws"), url.as_str(), pipe.as_str()],
    )
    .run();
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    let pattern = format!(
        "mqttws: subscribed: timed out after 0.5 s with 0 messages\nmqttws: subscribed: ended in the middle of a \
         message to t: at most * of {LENGTH} bytes were written\n"
    );
    assert!(outcome.code() == Some(27) && lines::is_like(&stderr, &pattern), "{outcome}");
}

#[test]
fn a_message_that_stands_still_times_out() {
    for (flag, words) in
        [("-W", "mqttws: subscribed: timed out after 0.5 s with 0 messages\n"), ("--idle", "")]
    {
        let broker = Broker::start(until_goodbye(subscribed([half(&publish(0x30, b""))])));
        let line = cut("mqttws: subscribed: ended");
        run(&broker, &["-N", flag, "0.5"]).expect(
            27,
            &payload()[..HALF],
            &format!("{words}{line}\n"),
        );
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let broker = Broker::start(until_goodbye(subscribed([frames(&publish(0x30, b""))])));
    let url = broker.url();
    let program = Program::new(["sub", &url, "-V", "311", "-t", "t"]).stdout_read_for_one_line();
    program.run().expect(0, "begun\n", "");
}

#[test]
fn a_reader_that_has_seen_enough_does_not_wait_for_the_rest() {
    // All of this is written before the reader goes.
    let begun = frames(&publish(0x30, b"")[..4096]);
    let broker = Broker::start(until_goodbye(subscribed([begun])));
    let url = broker.url();
    let program = Program::new(["sub", &url, "-V", "311", "-t", "t"]).stdout_read_for_one_line();
    program.run().expect(0, "begun\n", "");
}
