//! The end of a connection at a mosquitto that is behind, and one that has lost its memory: exit 0
//! is a promise.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::Command;

use crate::folder::Folder;
use crate::numbers::sequence;
use crate::program::Program;
use crate::{LONG, SOON, mosquitto, wait_until};

/// What is queued for a session before it is taken up.
const QUEUED: u32 = 30_000;

/// `sub -c -i s -q 2 -t t`, MQTT 3.1.1, with a will.
fn subscribe(url: &str, flags: &[&str]) -> Program {
    let session = ["-V", "311", "-c", "-i", "s", "-q", "2", "-t", "t", "--will-topic", "will"];
    Program::new([&["sub", url], &session[..], flags].concat())
}

/// What was printed before exit 0 does not come again, and the will is not published.
#[test]
fn a_session_that_was_read_to_its_end_is_empty() {
    let Some(broker) = mosquitto() else { return };
    let url = broker.ws();
    subscribe(&url, &["-E"]).run().expect(0, "", "");
    let publish = Program::new(["pub", &url, "-V", "311", "-q", "2", "-t", "t", "-l"]);
    publish.stdin(sequence(QUEUED)).spawn().finish_within(LONG).expect(0, "", "");
    let mut wills = broker.client("mosquitto_sub", &["-i", "wills", "-t", "will"]).spawn();
    broker.wait_for_subscription("wills");

    let first = subscribe(&url, &["-C", &QUEUED.to_string()]).spawn().finish_within(LONG);
    first.expect(0, sequence(QUEUED), "");

    broker.client("mosquitto_pub", &["-t", "t", "-q", "2", "-m", "end"]).run().expect(0, "", "");
    subscribe(&url, &["-C", "1"]).spawn().finish_within(LONG).expect(0, "end\n", "");
    broker.client("mosquitto_pub", &["-t", "will", "-m", "none"]).run().expect(0, "", "");
    wills.wait_for_line(|line| line == "none\n");
    wills.signal("TERM");
    let outcome = wills.finish();
    assert_eq!(outcome.stdout, b"none\n", "{outcome}");
}

/// A named pipe as standard input of a shell's command.
fn pipe(folder: &Folder) -> String {
    let path = folder.path().join("pipe").into_os_string().into_string().unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// Whether something waits in a socket of the server at this port to be read.
fn has_unread(port: u16) -> bool {
    let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
    sockets.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, here, _, state, queues, ..] = words[..] else { return false };
        let is_there = here.ends_with(&format!(":{port:04X}")) && state == "01";
        is_there && queues.split_once(':').is_some_and(|(_, unread)| unread != "00000000")
    })
}

/// The last message is on the way when mosquitto is killed, and it comes back without its memory.
#[test]
fn the_last_message_at_a_broker_that_forgets_is_in_doubt() {
    for version in ["5", "311"] {
        let Some(mut broker) = mosquitto() else { return };
        let folder = Folder::new();
        let path = pipe(&folder);
        let mut subscriber =
            broker.client("mosquitto_sub", &["-i", "sub", "-t", "t", "-q", "0"]).spawn();
        broker.wait_for_subscription("sub");
        let (program, url) = (env!("CARGO_BIN_EXE_mqttws"), broker.ws());
        let command = format!(
            "exec {program} pub {url} -V {version} -q 2 -t t -l --quiet \
             --reconnect-delay {SOON} < {path}"
        );
        let publisher = Program::of("sh", ["-c", &command]).spawn();
        let mut lines = OpenOptions::new().write(true).open(&path).unwrap();
        lines.write_all(b"1\n").unwrap();
        subscriber.wait_for_line(|line| line == "1\n");
        broker.pause();
        lines.write_all(b"2\n").unwrap();
        drop(lines);
        let port = broker.ws_port();
        wait_until("the message reaches mosquitto", || has_unread(port));
        broker.kill();
        broker.start_again();
        let outcome = publisher.finish_within(LONG);
        let line = "mqttws: publishing to t: message 2 refused: in doubt: the broker has \
                    lost the session\n";
        assert_eq!(outcome.code(), Some(7), "{outcome}");
        assert!(String::from_utf8_lossy(&outcome.stderr).contains(line), "{outcome}");
    }
}
