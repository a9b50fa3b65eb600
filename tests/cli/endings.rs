//! How it ends when something on our own side fails or stands still: the broker is told, the
//! session is not left behind, what was printed is acknowledged, and a signal is obeyed in time.

use std::fs::File;
use std::io::Read;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines;
use crate::support::program::{Outcome, Program};
use crate::support::websocket::{Peer, frame};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mqttws");

/// What this takes as a command of the shell, which becomes the program itself.
fn shell(arguments: &str, redirection: &str) -> Program {
    Program::of("sh", ["-c", &format!("exec {PROGRAM} {arguments} {redirection}")])
}

/// The only line on standard error.
fn fails_with(outcome: &Outcome, code: i32, words: &str) {
    assert_eq!(outcome.code(), Some(code), "{outcome}");
    assert!(lines::is_one_line(&outcome.stderr), "{outcome}");
    assert!(
        String::from_utf8_lossy(&outcome.stderr).contains(words),
        "no {words:?} in:\n{outcome}"
    );
}

#[test]
fn an_input_that_cannot_be_read_ends_the_session_in_order() {
    let broker = Broker::start(until_goodbye(connected([])));
    let arguments = format!("pub {} -V 311 -q 1 -t t -l", broker.url());
    fails_with(&shell(&arguments, "< /").run(), 1, "reading stdin: ");
}

#[test]
fn a_full_disk_ends_the_session_in_order_without_an_acknowledgement() {
    let steps = connected([packet("82 id <t> 01"), Step::Send("90 id 01; 32 <t> 00 07 'x'")]);
    let broker = Broker::start(until_goodbye(steps));
    let arguments = format!("sub {} -V 311 -q 1 -t t", broker.url());
    fails_with(
        &shell(&arguments, "> /dev/full").run(),
        1,
        "writing to stdout: No space left on device",
    );
}

/// A script that sends more than a pipe holds, and then waits for a PINGREQ.
fn more_than_a_pipe_holds() -> Vec<Step> {
    let mut publish = b"\x32\xe5\xa7\x12\x00\x01t\x00\x07".to_vec();
    publish.resize(publish.len() + 300_000, b'x');
    connected([
        packet("82 id <t> 01"),
        Step::Send("90 id 01"),
        Step::Raw(frame(0x82, &publish)),
        packet("c0"),
        Step::Send("d0"),
        Step::Tell,
    ])
}

/// A named pipe.
fn pipe(folder: &Folder) -> String {
    let path = folder.path().join("pipe").display().to_string();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

#[test]
fn the_last_message_is_acknowledged_however_slowly_it_is_read() {
    let folder = Folder::new();
    let path = pipe(&folder);
    let mut steps = more_than_a_pipe_holds();
    steps.push(packet("40 00 07"));
    let broker = Broker::start(until_goodbye(steps));
    let arguments = format!("sub {} -V 311 -q 1 -t t -C 1 -N -k 1", broker.url());
    let running = shell(&arguments, &format!("> {path}")).spawn();
    let mut reader = File::open(&path).unwrap();
    broker.wait();
    let mut printed = Vec::new();
    reader.read_to_end(&mut printed).unwrap();
    assert_eq!(printed.len(), 300_000);
    running.finish().expect(0, "", "");
}

#[test]
fn who_interrupts_the_last_write_learns_that_it_was_not_done() {
    let folder = Folder::new();
    let path = pipe(&folder);
    let broker = Broker::start(until_goodbye(more_than_a_pipe_holds()));
    let arguments = format!("sub {} -V 311 -q 1 -t t -C 1 -N -k 1", broker.url());
    let running = shell(&arguments, &format!("> {path}")).spawn();
    let _reader = File::open(&path).unwrap();
    broker.wait();
    running.signal("INT");
    fails_with(&running.finish(), 130, "interrupted");
}

#[test]
fn a_signal_is_obeyed_although_the_broker_does_not_read() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let arguments = format!("pub ws://{}/mqtt -V 311 -t t -s -d", listener.local_addr().unwrap());
    let mut running = shell(&arguments, "2>&1").stdin(vec![b'x'; 32 << 20]).spawn();
    let mut peer = Peer::new(listener.accept().unwrap().0, None);
    peer.read_request().unwrap();
    peer.write(peer.acceptance().as_bytes()).unwrap();
    peer.read_packet().unwrap();
    peer.write_frame(0x82, b"\x20\x02\x00\x00").unwrap();
    running.wait_for_line(|line| line.contains("sending PUBLISH"));
    running.signal("INT");
    let outcome = running.finish_within(Duration::from_secs(15));
    assert_eq!(outcome.code(), Some(130), "{outcome}");
}

#[test]
fn a_connection_that_is_made_and_lost_again_and_again_is_given_up() {
    let again = || {
        let connack = Step::Send("20 00 00");
        let subscribed = [packet("82 id <t> 00"), Step::Send("90 id 00")];
        [Step::End, Step::Reconnect, Step::Upgrade, packet("10 <MQTT> 04 *"), connack]
            .into_iter()
            .chain(subscribed)
    };
    let mut script = subscribed([]);
    script.extend(again().chain(again()).chain([Step::End]));
    let broker = Broker::start(script);
    let flags =
        ["-V", "311", "-t", "t", "--quiet", "--reconnect-delay", "0.01", "--reconnect-tries", "2"];
    let outcome = Program::new([&["sub", &broker.url()], &flags[..]].concat()).run();
    fails_with(&outcome, 8, "2 tries to connect again failed: connection lost: the server closed");
}

/// Rust puts `/dev/null` in place of a closed stdout.
#[test]
fn a_closed_stdout_is_told() {
    for (redirection, told) in [(">&-", true), ("1<>/dev/null", true), (">/dev/null", false)] {
        let broker = Broker::start(until_goodbye(connected([
            packet("82 id <t> 01"),
            Step::Send("90 id 01; 32 <t> 00 01 'one'"),
            packet("40 00 01"),
        ])));
        let arguments = format!("sub {} -V 311 -q 1 -t t -C 1", broker.url());
        let warning = "mqttws: warning: stdout is closed (or leads to /dev/null): messages are acknowledged and \
                       thrown away\n";
        shell(&arguments, redirection).run().expect(0, "", if told { warning } else { "" });
    }
}

/// It is an empty one, as for `mosquitto_pub` and curl.
#[test]
fn a_closed_stdin_is_an_empty_input() {
    let broker = Broker::start(until_goodbye(connected([])));
    let arguments = format!("pub {} -V 311 -q 1 -t t -l", broker.url());
    shell(&arguments, "<&-").run().expect(0, "", "");
}

/// The conversation of a `pub` at QoS 2 up to what goes wrong.
fn session_at(version: &str, steps: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let [connect, connack, publish] = match version {
        "5" => ["10 <MQTT> 05 00 *", "20 00 00 00", "34 <t> id 00 'x'"],
        _ => ["10 <MQTT> 04 00 *", "20 00 00", "34 <t> id 'x'"],
    };
    let begin = [Step::Upgrade, packet(connect), Step::Send(connack), packet(publish)];
    begin.into_iter().chain(steps).collect()
}

/// One more connection that does nothing but begin a new session, and ends that.
fn ended_by_another(version: &str) -> Vec<Step> {
    let [connect, connack, disconnect] = match version {
        "5" => ["10 <MQTT> 05 02 *", "20 00 00 00", "e0 00 05 11 00 00 00 00"],
        _ => ["10 <MQTT> 04 02 *", "20 00 00", "e0"],
    };
    vec![
        Step::Reconnect,
        Step::Upgrade,
        packet(connect),
        Step::Send(connack),
        packet(disconnect),
        Step::Close(1000),
        Step::Gone,
    ]
}

/// Runs `pub -q 2` against this script; how it ends.
fn pub_ends(version: &str, script: Vec<Step>, flags: &[&str], code: i32, words: &str) {
    let broker = Broker::start(script);
    let command = ["pub", &broker.url(), "-V", version, "-t", "t", "-q", "2", "-m", "x"];
    fails_with(&Program::new([&command, flags].concat()).run(), code, words);
}

#[test]
fn a_violation_leaves_no_session_behind() {
    // A PINGREQ, which no server sends.
    let words = "an unexpected PINGREQ";
    let told = [Step::Send("c0"), packet("e0 82 05 11 00 00 00 00"), Step::Close(1000), Step::Gone];
    pub_ends("5", session_at("5", told), &[], 9, words);
    let mut script = session_at("311", [Step::Send("c0"), Step::Close(1000), Step::Gone]);
    script.extend(ended_by_another("311"));
    pub_ends("311", script, &[], 9, words);
}

#[test]
fn a_lost_connection_leaves_no_session_behind() {
    for version in ["5", "311"] {
        let mut script = session_at(version, [Step::End]);
        script.extend(ended_by_another(version));
        pub_ends(version, script, &["--no-reconnect"], 8, "connection lost");
    }
}

#[test]
fn a_failed_mending_leaves_no_session_behind() {
    let mut script = session_at("5", [Step::End, Step::Reconnect, Step::Upgrade, Step::End]);
    script.extend(ended_by_another("5"));
    let flags = ["--quiet", "--reconnect-delay", "0.01", "--reconnect-tries", "1"];
    pub_ends("5", script, &flags, 8, "1 try to connect again failed");
}

/// Another client has our identifier now: a connection of ours would end its session.
#[test]
fn a_session_that_was_taken_over_is_left_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/mqtt", listener.local_addr().unwrap());
    let running = Program::new(["sub", &url, "-V", "5", "-t", "t", "-q", "1"]).spawn();
    let mut peer = Peer::new(listener.accept().unwrap().0, None);
    peer.read_request().unwrap();
    peer.write(peer.acceptance().as_bytes()).unwrap();
    peer.read_packet().unwrap();
    peer.write_frame(0x82, b"\x20\x03\0\0\0\xe0\x01\x8e").unwrap();
    fails_with(&running.finish(), 6, "taken over");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "it came back");
}

/// Where `nohup` leads the stdin of a terminal there is nothing to read.
#[test]
fn a_stdin_that_cannot_be_read_is_at_its_end() {
    for flag in ["-l", "--json"] {
        let broker = Broker::start(until_goodbye(connected([])));
        let arguments = format!("pub {} -V 311 -t t {flag}", broker.url());
        shell(&arguments, "0>/dev/null").run().expect(0, "", "");
    }
}
