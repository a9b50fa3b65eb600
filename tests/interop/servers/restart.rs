//! Servers that are killed in the middle and started again on the same data and ports: nothing
//! that was acknowledged is lost.

use std::collections::BTreeSet;

use super::kept::Remains;
use super::{Kind, nats, rabbitmq};
use crate::daemon::free_ports;
use crate::folder::Folder;
use crate::{LONG, is_here, sequence};

/// How many messages are published, and after which one has come the server is killed.
const LAST: u32 = 3000;
const KILLED_AFTER: &str = "700\n";

fn loses_nothing(kind: &Kind) {
    if !is_here(kind.program) {
        return;
    }
    let (folder, ports) = (Folder::new(), free_ports());
    let start = || kind.start(folder.path(), ports, Remains::Folder);
    let server = start();
    let flags = ["-t", "numbers", "-q", "1", "--reconnect-delay", "0.1,0.3"];
    let session = [&flags[..], &["-i", "reader", "-c"]].concat();
    server.newest("sub", &[&session[..], &["-E"]].concat()).run().expect(0, "", "");
    let mut reader = server.newest("sub", &session).spawn();
    let publish = server.newest("pub", &[&flags[..], &["-l", "-i", "writer"]].concat());
    let publisher = publish.stdin(sequence(LAST)).spawn();
    reader.wait_for_line(|line| line == KILLED_AFTER);
    drop(server);
    let server = start();
    let outcome = publisher.finish_within(LONG);
    assert!(outcome.code() == Some(0) && outcome.stdout.is_empty(), "{outcome}");
    server.newest("pub", &[&flags[..], &["-m", "end"]].concat()).run().expect(0, "", "");
    reader.wait_for_line_within(LONG, |line| line == "end\n");
    reader.signal("TERM");
    let outcome = reader.finish();
    let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let arrived: BTreeSet<u32> = said.lines().filter_map(|line| line.parse().ok()).collect();
    let missing: Vec<u32> = (1..=LAST).filter(|number| !arrived.contains(number)).collect();
    assert!(missing.is_empty(), "missing {missing:?}\n{outcome}");
}

#[test]
fn nats_restarted_loses_nothing() {
    loses_nothing(&nats::NATS);
}

#[test]
fn rabbitmq_restarted_loses_nothing() {
    loses_nothing(&rabbitmq::RABBITMQ);
}
