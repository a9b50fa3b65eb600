//! Servers that end in the middle and are started again on the same data and ports: nothing that
//! was acknowledged is lost, for `pub -l` as for `sub -c`.

use std::collections::BTreeSet;

use super::kept::Remains;
use super::{Kind, PASSWORD, USER, nats, rabbitmq};
use crate::broker::Mosquitto;
use crate::daemon::free_ports;
use crate::folder::Folder;
use crate::program::Program;
use crate::{LONG, is_here, sequence, without_mosquitto};

/// How many messages are published, and after which one has come the server ends.
const LAST: u32 = 3000;
const ENDED_AFTER: &str = "700\n";

/// Publishes numbers and reads them, both through the restart; `program` makes a command with a
/// verb and its flags.
fn loses_nothing(program: impl Fn(&str, &[&str]) -> Program, restart: impl FnOnce()) {
    let flags = ["-t", "numbers", "-q", "1", "--reconnect-delay", "0.1,0.3"];
    let session = [&flags[..], &["-i", "reader", "-c"]].concat();
    program("sub", &[&session[..], &["-E"]].concat()).run().expect(0, "", "");
    let mut reader = program("sub", &session).spawn();
    let publish = program("pub", &[&flags[..], &["-l", "-i", "writer"]].concat());
    let publisher = publish.stdin(sequence(LAST)).spawn();
    reader.wait_for_line(|line| line == ENDED_AFTER);
    restart();
    let outcome = publisher.finish_within(LONG);
    assert!(outcome.code() == Some(0) && outcome.stdout.is_empty(), "{outcome}");
    program("pub", &[&flags[..], &["-m", "end"]].concat()).run().expect(0, "", "");
    reader.wait_for_line_within(LONG, |line| line == "end\n");
    reader.signal("TERM");
    let outcome = reader.finish();
    let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let arrived: BTreeSet<u32> = said.lines().filter_map(|line| line.parse().ok()).collect();
    let missing: Vec<u32> = (1..=LAST).filter(|number| !arrived.contains(number)).collect();
    assert!(missing.is_empty(), "missing {missing:?}\n{outcome}");
}

/// The server is killed.
fn killed(kind: &Kind) {
    if !is_here(kind.program) {
        return;
    }
    let (folder, ports) = (Folder::new(), free_ports());
    let start = || kind.start(folder.path(), ports, Remains::Folder);
    let server = start();
    let url = server.url.clone();
    let own = [&*url, "-V", server.newest, "-u", USER, "-P", PASSWORD];
    let program = |verb: &str, flags: &[&str]| Program::new([&[verb], &own[..], flags].concat());
    let mut again = None;
    loses_nothing(program, || {
        drop(server);
        again = Some(start());
    });
}

#[test]
fn nats_killed_loses_nothing() {
    killed(&nats::NATS);
}

#[test]
fn rabbitmq_killed_loses_nothing() {
    killed(&rabbitmq::RABBITMQ);
}

/// It writes its memory to the disk when it ends in order, and in intervals: killed, it would lose
/// what it has acknowledged.
#[test]
fn mosquitto_ended_loses_nothing() {
    if without_mosquitto() {
        return;
    }
    let settings = "persistence true\npersistence_location {folder}/\n";
    let mut broker = Mosquitto::start_with(settings);
    let url = broker.ws();
    let program = |verb: &str, flags: &[&str]| Program::new([&[verb, &url], flags].concat());
    loses_nothing(program, || {
        broker.terminate();
        broker.start_again();
    });
}
