//! `pub -W`: the whole publish takes no longer, whatever the input and whatever holds it up; and
//! `sub --for`, which ends in time with exit code 0.

use std::process::Command;
use std::time::Duration;

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines::is_like;
use crate::support::program::{Outcome, Program};

/// `pub URL -V 311 -t t` with these flags.
fn publish(broker: &Broker, flags: &[&str]) -> Program {
    let url = broker.url();
    Program::new([&["pub", &url, "-V", "311", "-t", "t"], flags].concat())
}

fn times_out(outcome: &Outcome, line: &str) {
    let text = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.code() == Some(27) && is_like(&text, line), "expected {line}\n{outcome}");
}

/// A broker that takes everything and acknowledges nothing.
fn silent() -> Broker {
    Broker::start(connected([Step::Gone]))
}

#[test]
fn a_message_without_its_acknowledgement_times_out() {
    let folder = Folder::new();
    let small = folder.write("small", "x");
    let large = folder.write("large", "x".repeat(1_100_000));
    let none = "mqttws: publishing: timed out after 0.3 s with 0 of 1 message handed over\n";
    let numbered = none.replace("over\n", "over; go on with number 1, which may arrive twice\n");
    let sent = "mqttws: publishing: timed out after 0.3 s with 1100000 of 1100000 bytes sent\n";
    for (input, line) in [
        (&["-m", "x"][..], none),
        (&["-m", "x", "-r"], none),
        (&["-n"], none),
        (&["-f", &small], none),
        (&["-s"], none),
        (&["-m", "x", "--repeat", "3", "-M", "1"], &numbered),
        (&["-f", &large], sent),
        (&["-l"], &numbered),
        (&["-l", "--split", "/"], &numbered),
        (&["--json"], &numbered),
    ] {
        for qos in ["1", "2"] {
            let broker = silent();
            let mut flags = [&["-q", qos, "-W", "300ms"], input].concat();
            let stdin = if input.contains(&"--json") { "{\"payload\":\"x\"}\n" } else { "a/x\n" };
            let url = broker.url();
            if !input.contains(&"--split") {
                flags.extend(["-t", "t"]);
            }
            let program = Program::new([&["pub", &url, "-V", "311"], &flags[..]].concat());
            times_out(&program.stdin(stdin).run(), line);
        }
    }
}

#[test]
fn an_input_that_does_not_come_times_out() {
    let folder = Folder::new();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.display().to_string();
    for (input, counts) in [
        (&["-s"][..], "0 of 0 messages handed over"),
        (&["-l"], "1 of 1 message handed over; go on with number 2"),
        (&["-f", &pipe], "0 of 0 messages handed over"),
    ] {
        let broker = silent();
        let flags = [&["-W", "0.3"], input].concat();
        let outcome = publish(&broker, &flags).stdin("x\n").stdin_held_open().run();
        times_out(&outcome, &format!("mqttws: publishing: timed out after 0.3 s with {counts}*\n"));
    }
}

#[test]
fn a_named_pipe_is_a_file() {
    let folder = Folder::new();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.display().to_string();
    let broker = Broker::start(until_goodbye(connected([packet("30 <t> 'x'")])));
    let running = publish(&broker, &["-f", &pipe]).spawn();
    std::fs::write(&pipe, "x").unwrap();
    running.finish().expect(0, "", "");
}

/// At QoS 0 what waits in our memory is not handed over.
#[test]
fn a_server_that_does_not_read_times_out() {
    let folder = Folder::new();
    let large = folder.write("large", "x".repeat(40 << 20));
    for (flags, line) in [
        (
            &["-f", &large][..],
            "mqttws: publishing: timed out after 0.5 s with * of 41943040 bytes sent\n",
        ),
        (
            &["-s"],
            "mqttws: publishing: timed out after 0.5 s with 1 of 1 message handed over; of those of \
             QoS 0 some may be missing: the connection was lost meanwhile\n",
        ),
    ] {
        let far_away = Step::Dally(Duration::from_secs(3));
        let broker = Broker::start(connected([far_away, Step::Gone]));
        let program = publish(&broker, &[&["-W", "500ms"], flags].concat());
        times_out(&program.stdin("x".repeat(40 << 20)).run(), line);
    }
}

#[test]
fn a_connection_that_is_not_made_times_out() {
    let broker = Broker::start(vec![Step::Request(&[]), Step::Gone]);
    let outcome = publish(&broker, &["-m", "x", "-W", "0.3"]).run();
    times_out(&outcome, "mqttws: connecting to ws://*/mqtt: no WebSocket upgrade within 0.3 s*\n");
}

/// The port stays open, and nobody answers there.
#[test]
fn a_lost_connection_times_out() {
    let broker = Broker::start(connected([packet("32 <t> id 'x'"), Step::End]));
    let outcome = publish(&broker, &["-m", "x", "-q", "1", "-W", "1"]).run();
    let line = "mqttws: warning: *: connection lost: the server closed the connection; trying again\n\
                mqttws: publishing: timed out after 1 s with 0 of 1 message handed over\n";
    times_out(&outcome, line);
}

#[test]
fn what_is_acknowledged_in_time_is_done() {
    for (qos, steps) in [
        ("0", vec![packet("30 <t> 'x'")]),
        ("1", vec![packet("32 <t> id 'x'"), Step::Send("40 id")]),
        (
            "2",
            vec![
                packet("34 <t> id 'x'"),
                Step::Send("50 id"),
                packet("62 id"),
                Step::Send("70 id"),
            ],
        ),
    ] {
        let mut script = connected([]);
        script.extend(steps);
        let broker = Broker::start(until_goodbye(script));
        publish(&broker, &["-m", "x", "-q", qos, "-W", "20"]).run().expect(0, "", "");
    }
}

/// clap lets a flag pass that needs --request beside one that excludes --request.
#[test]
fn flags_for_answers_need_a_request() {
    for (flags, flag) in [
        (&["-r", "-v"][..], "-v"),
        (&["-r", "-e", "a"], "-e"),
        (&["--repeat", "2", "-F", "%p"], "-F"),
        (&["-r", "--hex"], "--hex"),
        (&["-r", "-N"], "-N"),
    ] {
        let outcome = Program::new([&["pub", "-t", "t", "-m", "x"], flags].concat()).run();
        let line = format!("mqttws: {flag} is for answers: it needs --request\n");
        outcome.expect(2, "", &line);
    }
}

#[test]
fn a_subscription_for_a_time_is_done() {
    let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
    let flags = ["-V", "311", "-t", "t", "--for", "300ms"];
    Program::new([&["sub", &broker.url()], &flags[..]].concat()).run().expect(0, "x\n", "");
    let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
    let flags = ["-V", "311", "-t", "t", "--for", "20", "-C", "1"];
    Program::new([&["sub", &broker.url()], &flags[..]].concat()).run().expect(0, "x\n", "");
}

/// Its time begins with the answer of the broker, and a message is not cut in silence.
#[test]
fn a_subscription_for_a_time_is_not_done_without_it() {
    let broker = Broker::start(connected([packet("82 id <t> 00"), Step::Gone]));
    let flags = ["-V", "311", "-t", "t", "--for", "0.1", "--connect-timeout", "0.3"];
    let outcome = Program::new([&["sub", &broker.url()], &flags[..]].concat()).run();
    assert_eq!(outcome.code(), Some(27), "{outcome}");
    // A PUBLISH of 2 MiB, of which the beginning comes.
    let begun = b"\x82\x08\x30\x80\x80\x80\x01\x00\x01t".to_vec();
    let piece = [&b"\x82\x7e\x40\x00"[..], &[b'x'; 16 * 1024]].concat();
    let broker = Broker::start(subscribed([Step::Raw(begun), Step::Raw(piece), Step::Gone]));
    let flags = ["-V", "311", "-t", "t", "--for", "0.5"];
    let outcome = Program::new([&["sub", &broker.url()], &flags[..]].concat()).run();
    let line = "mqttws: subscribed: ended in the middle of a message to t: 16384 of 2097149 bytes \
                were written\n";
    outcome.expect(27, "x".repeat(16 * 1024), line);
}
