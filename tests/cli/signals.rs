//! SIGINT and SIGTERM: the broker gets a DISCONNECT, and the exit code says whether anything was left to do.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;
use std::time::Duration;

use rustix::fs::OFlags;

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines::{self, is_like};
use crate::support::program::Program;

const SIGNALS: [(&str, i32); 2] = [("INT", 130), ("TERM", 143)];

#[test]
fn an_endless_sub_is_done_when_interrupted() {
    for (signal, _) in SIGNALS {
        let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
        let mut sub = Program::new(["sub", &broker.url(), "-V", "311", "-t", "t"]).spawn();
        sub.wait_for_line(|line| line == "x\n");
        sub.signal(signal);
        sub.finish().expect(0, "x\n", "");
    }
}

#[test]
fn a_sub_that_waits_for_a_count_is_not_done() {
    for (signal, code) in SIGNALS {
        let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
        let mut sub = Program::new(["sub", &broker.url(), "-V", "311", "-t", "t", "-C", "2"]).spawn();
        sub.wait_for_line(|line| line == "x\n");
        sub.signal(signal);
        let outcome = sub.finish();
        assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(code), b"x\n".as_slice()), "{outcome}");
    }
}

#[test]
fn an_endless_ping_is_done_when_interrupted() {
    for (signal, _) in SIGNALS {
        let broker = Broker::start(until_goodbye(connected([packet("c0"), Step::Send("d0")])));
        let mut ping = Program::new(["ping", &broker.url(), "-V", "311", "--interval", "60"]).spawn();
        ping.wait_for_line(|line| is_like(line.trim_end(), lines::PING_PROBE));
        ping.signal(signal);
        let outcome = ping.finish();
        assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), b"".as_slice()), "{outcome}");
    }
}

#[test]
fn a_pub_that_waits_for_its_input_is_not_done() {
    for (signal, code) in SIGNALS {
        let steps = connected([packet("32 <t> id 'one'"), Step::Send("40 id"), Step::Tell]);
        let broker = Broker::start(until_goodbye(steps));
        let program = Program::new(["pub", &broker.url(), "-V", "311", "-t", "t", "-q", "1", "-l"]);
        let running = program.stdin("one\n").stdin_held_open().spawn();
        broker.wait();
        running.signal(signal);
        let outcome = running.finish();
        assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(code), b"".as_slice()), "{outcome}");
    }
}

#[test]
fn a_pub_that_waits_for_an_acknowledgement_is_not_done() {
    for (signal, code) in SIGNALS {
        let steps = connected([packet("32 <t> id 'one'"), Step::Tell]);
        let broker = Broker::start(until_goodbye(steps));
        let program = Program::new(["pub", &broker.url(), "-V", "311", "-t", "t", "-q", "1", "-m", "one"]);
        let running = program.spawn();
        broker.wait();
        running.signal(signal);
        let outcome = running.finish();
        assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(code), b"".as_slice()), "{outcome}");
    }
}

#[test]
fn a_connection_that_is_being_made_is_given_up() {
    for (signal, code) in SIGNALS {
        let broker = Broker::start(vec![Step::Request(&[]), Step::Tell, Step::Gone]);
        let running = Program::new(["sub", &broker.url(), "-V", "311", "-t", "t"]).spawn();
        broker.wait();
        running.signal(signal);
        let outcome = running.finish();
        assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(code), b"".as_slice()), "{outcome}");
    }
}

/// Its path, and the file that keeps it open: a pipe that takes nothing any more.
fn full_pipe(folder: &Folder) -> (String, File) {
    let path = folder.path().join("pipe").display().to_string();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
    let mut pipe = OpenOptions::new().read(true).write(true).custom_flags(flags).open(&path).unwrap();
    let filled = loop {
        if let Err(error) = pipe.write(&[b'x'; 4096]) {
            break error;
        }
    };
    assert_eq!(filled.kind(), io::ErrorKind::WouldBlock);
    (path, pipe)
}

/// A program whose output `number` (1 or 2) nobody reads is told to end where it has to write something.
fn is_obeyed(script: Vec<Step>, arguments: &str, number: u8) {
    let (folder, broker) = (Folder::new(), Broker::start(script));
    let (path, _pipe) = full_pipe(&folder);
    let (program, url) = (env!("CARGO_BIN_EXE_mqttws"), broker.url());
    let command = format!("verb=$1; shift; exec {program} $verb {url} \"$@\" {number}>{path}");
    let words = ["-c", &command, "sh"].into_iter().chain(arguments.split(' '));
    let running = Program::of("sh", words).spawn();
    broker.wait();
    running.signal("TERM");
    let outcome = running.finish_within(Duration::from_secs(8));
    assert_eq!(outcome.code(), Some(143), "{outcome}");
}

#[test]
fn a_signal_is_obeyed_although_nobody_reads_the_output() {
    is_obeyed(connected([Step::Tell, Step::Gone]), "ping -V 311 --interval 60", 1);
}

/// These are as short as a run can be.
#[test]
fn a_signal_is_obeyed_although_nobody_reads_what_was_refused() {
    let refused = [Step::Upgrade, packet("10 <MQTT> 04 *"), Step::Send("20 00 05"), Step::Tell, Step::Gone];
    is_obeyed(refused.into(), "pub -V 311 -t t -m x", 2);
    let connected = [Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00")];
    let denied = [packet("32 <t> id 00 'x'"), Step::Send("40 id 87"), Step::Tell, Step::Gone];
    is_obeyed(connected.into_iter().chain(denied).collect(), "pub -V 5 -t t -q 1 -m x", 2);
}
