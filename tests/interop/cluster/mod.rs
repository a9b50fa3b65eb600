//! Clusters of three nodes that share sessions: the node that a subscriber and a publisher use is
//! killed, both go on at the next address, and nothing that was acknowledged is lost.

mod nats;
mod rabbitmq;

use std::collections::BTreeSet;

use crate::program::{Program, Running};
use crate::{LONG, sequence};

/// How many messages are published.
const LAST: u32 = 1500;

/// The node is killed when this one has come.
const KILLED_AFTER: &str = "100\n";

/// What is left may consist of messages that came before, so often.
const ROUNDS: usize = 5;

/// Nodes that run.
struct Cluster<Node> {
    /// Each ends when it is dropped.
    nodes: Vec<Node>,
    urls: [String; 3],
    /// What every command needs.
    flags: &'static [&'static str],
}

impl<Node> Cluster<Node> {
    /// A verb at all of the nodes, with a session that is kept.
    fn program(&self, verb: &str, flags: &[&str]) -> Program {
        let addresses = self.urls.iter().flat_map(|url| ["-L", url]);
        let session = ["-V", "311", "-i", verb, "-c", "-q", "1", "-t", "a/b"];
        let own = [verb].into_iter().chain(addresses).chain(session);
        Program::new(own.chain(self.flags.iter().copied()).chain(flags.iter().copied()))
    }

    /// Kills the first node while messages go through it.
    fn loses_nothing(mut self) {
        self.program("sub", &["-E", "--wait", "60", "--quiet"]).run().expect(0, "", "");
        let count = LAST.to_string();
        let subscriber = self.program("sub", &["-C", &count, "--connect-timeout", "20"]);
        let mut subscriber = subscriber.spawn();
        let publisher = self.program("pub", &["-l", "--rate", "500", "--connect-timeout", "20"]);
        let publisher = publisher.stdin(sequence(LAST)).spawn();
        subscriber.wait_for_line(|line| line == KILLED_AFTER);
        drop(self.nodes.remove(0));
        let (subscriber, publisher) = (wait_for_loss(subscriber), wait_for_loss(publisher));
        let outcome = publisher.finish_within(LONG);
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        let outcome = subscriber.finish_within(LONG);
        let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
        assert!(outcome.code() == Some(0) && said.contains(", session resumed\n"), "{outcome}");
        self.has_the_rest(numbers_in(&outcome.stdout));
    }

    /// A message may come twice when the node dies before it knows of the acknowledgement, and be
    /// among those that were counted: what is left is read after it.
    fn has_the_rest(&self, mut numbers: BTreeSet<u32>) {
        for _ in 0..ROUNDS {
            let left = LAST as usize - numbers.len();
            if left == 0 {
                return;
            }
            let flags = ["-C", &left.to_string(), "-W", "60", "--quiet"];
            let rest = self.program("sub", &flags).spawn().finish_within(LONG);
            assert_eq!(rest.code(), Some(0), "{left} are left: {rest}");
            numbers.extend(numbers_in(&rest.stdout));
        }
        panic!("{} of {LAST} came", numbers.len());
    }
}

fn wait_for_loss(mut running: Running) -> Running {
    running.wait_for_words("; trying again\n");
    running
}

fn numbers_in(stdout: &[u8]) -> BTreeSet<u32> {
    String::from_utf8_lossy(stdout).lines().filter_map(|line| line.parse().ok()).collect()
}
