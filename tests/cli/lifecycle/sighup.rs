//! SIGHUP is SIGTERM's twin: the broker is told, commands of `--exec` end, and the exit code is
//! 129. A program that was started to ignore it (nohup) goes on.

use std::fs;
use std::io::Read;
use std::time::Duration;

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines::is_one_line;
use crate::support::program::Program;

use super::states::{Server, connecting, reconnecting};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mqttws");

#[test]
fn an_endless_sub_is_done() {
    let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
    let mut sub = Program::new(["sub", &broker.url(), "-V", "311", "-t", "t"]).spawn();
    sub.wait_for_line(|line| line == "x\n");
    sub.signal("HUP");
    sub.finish().expect(0, "x\n", "");
}

#[test]
fn a_sub_that_waits_for_a_count_is_not_done() {
    let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
    let mut sub = Program::new(["sub", &broker.url(), "-V", "311", "-t", "t", "-C", "2"]).spawn();
    sub.wait_for_line(|line| line == "x\n");
    sub.signal("HUP");
    sub.finish().expect(129, "x\n", "mqttws: subscribed: interrupted with 1 of 2 messages\n");
}

#[test]
fn a_pub_that_waits_for_an_acknowledgement_is_not_done() {
    let broker = Broker::start(until_goodbye(connected([packet("32 <t> id 'one'"), Step::Tell])));
    let program =
        Program::new(["pub", &broker.url(), "-V", "311", "-t", "t", "-q", "1", "-m", "one"]);
    let running = program.spawn();
    broker.wait();
    running.signal("HUP");
    let outcome = running.finish();
    assert_eq!(outcome.code(), Some(129), "{outcome}");
    assert!(is_one_line(&outcome.stderr), "{outcome}");
}

#[test]
fn an_endless_ping_is_done() {
    let broker = Broker::start(until_goodbye(connected([packet("c0"), Step::Send("d0")])));
    let mut ping = Program::new(["ping", &broker.url(), "-V", "311", "--interval", "60"]).spawn();
    ping.wait_for_line(|line| line.starts_with("answer from "));
    ping.signal("HUP");
    let outcome = ping.finish();
    assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), b"".as_slice()), "{outcome}");
}

#[test]
fn a_connection_that_is_being_made_is_given_up() {
    for state in connecting() {
        let Server { name, url, broker } = state.server();
        let running = Program::new(["sub", &url, "-V", "311", "-t", "t"]).spawn();
        broker.wait();
        running.signal("HUP");
        let outcome = running.finish_within(Duration::from_millis(4500));
        assert_eq!(outcome.code(), Some(129), "in the state {name}:\n{outcome}");
        assert!(is_one_line(&outcome.stderr), "{outcome}");
    }
}

#[test]
fn a_connection_that_is_made_again_is_given_up() {
    for state in reconnecting() {
        let Server { name, url, broker } = state.server();
        let flags = [
            "sub",
            &url,
            "-V",
            "311",
            "-t",
            "t",
            "-C",
            "2",
            "--quiet",
            "--reconnect-delay",
            "0.01",
        ];
        let running = Program::new(flags).spawn();
        broker.wait();
        running.signal("HUP");
        let outcome = running.finish_within(Duration::from_millis(4500));
        assert_eq!(outcome.code(), Some(129), "in the state {name}:\n{outcome}");
        assert_eq!(
            outcome.stderr, b"mqttws: subscribed: interrupted with 0 of 2 messages\n",
            "{outcome}"
        );
    }
}

#[test]
fn serve_ends() {
    let mut serve = Program::new(["serve", "-p", "0"]).spawn();
    let url = serve.wait_for_line(|line| line.starts_with("ws://"));
    serve.signal("HUP");
    serve.finish().expect(0, format!("{url}\n"), "");
}

/// A named pipe: who reads it comes to its end when the last that holds it has ended.
fn pipe(folder: &Folder) -> String {
    let path = folder.path().join("pipe").into_os_string().into_string().unwrap();
    Program::of("mkfifo", [&path]).run().expect(0, "", "");
    path
}

#[test]
fn commands_of_exec_are_not_left_running() {
    let folder = Folder::new();
    let path = pipe(&folder);
    let mut script = connected([packet("82 id <t> 01"), Step::Send("90 id 01; 32 <t> 00 07 'x'")]);
    script.extend([packet("e0"), Step::Close(1000), Step::Gone]);
    let broker = Broker::start(script);
    let command = format!("exec 3> {path}; echo started >&3; sleep 20");
    let flags = ["-V", "311", "-q", "1", "-t", "t", "--exec", &command];
    let sub = Program::new([&["sub", &broker.url()], &flags[..]].concat()).spawn();
    let mut reader = fs::File::open(&path).unwrap();
    let mut started = [0; 8];
    reader.read_exact(&mut started).unwrap();
    sub.signal("HUP");
    sub.finish_within(Duration::from_secs(10));
    let (end, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || end.send(reader.read_to_end(&mut Vec::new()).is_ok()));
    assert_eq!(ended.recv_timeout(Duration::from_secs(10)), Ok(true), "the command still runs");
}

/// It is SIGHUP that they get, as they get SIGINT and SIGTERM.
#[test]
fn commands_of_exec_learn_which_signal_it_was() {
    let mut script = connected([packet("82 id <t> 01"), Step::Send("90 id 01; 32 <t> 00 07 'x'")]);
    script.extend([packet("e0"), Step::Close(1000), Step::Gone]);
    let broker = Broker::start(script);
    let command = "trap 'echo hangup; exit 1' HUP; echo started; sleep 20 & wait";
    let flags = ["-V", "311", "-q", "1", "-t", "t", "--exec", command];
    let mut sub = Program::new([&["sub", &broker.url()], &flags[..]].concat()).spawn();
    sub.wait_for_line(|line| line == "started\n");
    sub.signal("HUP");
    let outcome = sub.finish_within(Duration::from_secs(10));
    assert_eq!(outcome.stdout, b"started\nhangup\n", "{outcome}");
}

/// Where it was ignored from the start it stays ignored; SIGTERM is obeyed.
#[test]
fn nohup_keeps_it_ignored() {
    let steps = [Step::Send("30 <t> 'x'"), Step::Tell, packet("c0"), Step::Send("d0; 30 <t> 'y'")];
    let broker = Broker::start(until_goodbye(subscribed(steps)));
    let command = format!("trap '' HUP; exec {PROGRAM} sub {} -V 311 -t t -k 1 -C 3", broker.url());
    let mut sub = Program::of("sh", ["-c", &command]).spawn();
    sub.wait_for_line(|line| line == "x\n");
    broker.wait();
    sub.signal("HUP");
    // The PINGREQ came after the signal.
    sub.wait_for_line(|line| line == "y\n");
    sub.signal("TERM");
    sub.finish().expect(143, "x\ny\n", "mqttws: subscribed: interrupted with 2 of 3 messages\n");
}

/// Also before there is a connection.
#[test]
fn nohup_keeps_it_ignored_while_connecting() {
    let broker = Broker::start(until_goodbye(vec![
        Step::Request(&[]),
        Step::Tell,
        Step::Dally(Duration::from_millis(500)),
        Step::Accept,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ]));
    let command = format!("trap '' HUP; exec {PROGRAM} pub {} -V 311 -t t -m x", broker.url());
    let publish = Program::of("sh", ["-c", &command]).spawn();
    broker.wait();
    publish.signal("HUP");
    publish.finish().expect(0, "", "");
}
