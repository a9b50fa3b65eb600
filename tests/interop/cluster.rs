//! Three nodes of NATS, whose sessions are on all of them (`stream_replicas: 3`): the one that a
//! subscriber and a publisher use is killed, and nothing that was acknowledged is lost.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

use crate::daemon::free_ports;
use crate::folder::Folder;
use crate::is_here;
use crate::program::{Program, Running};

/// A node, killed when dropped.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The nodes and the URLs of their WebSockets.
fn start(folder: &Folder) -> (Vec<Node>, [String; 3]) {
    let [ws, mqtt, own, routes] = [(); 4].map(|()| free_ports::<3>());
    let known = routes.map(|port| format!("\"nats://127.0.0.1:{port}\"")).join(", ");
    let node = |at: usize| {
        let (store, name) = (folder.path().join(format!("store{at}")), format!("node{at}"));
        let text = format!(
            "server_name: {name}\nlisten: \"127.0.0.1:{}\"\n\
             jetstream {{ store_dir: \"{}\" }}\n\
             websocket {{ listen: \"127.0.0.1:{}\", no_tls: true }}\n\
             mqtt {{ listen: \"127.0.0.1:{}\", stream_replicas: 3 }}\n\
             cluster {{ name: lab, listen: \"127.0.0.1:{}\", routes: [{known}] }}\n",
            own[at],
            store.display(),
            ws[at],
            mqtt[at],
            routes[at]
        );
        let file = folder.write(&format!("{name}.conf"), text);
        let mut command = Command::new("/usr/sbin/nats-server");
        command.args(["-c", &file]).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Node(child.expect("tests/run installs nats-server"))
    };
    let nodes = (0..3).map(node).collect();
    (nodes, ws.map(|port| format!("ws://127.0.0.1:{port}/mqtt")))
}

/// A verb at all of the nodes, with a session that is kept.
fn at(urls: &[String; 3], verb: &str, flags: &[&str]) -> Program {
    let addresses = urls.iter().flat_map(|url| ["-L", url]);
    let session = ["-V", "311", "-i", verb, "-c", "-q", "1", "-t", "a/b"];
    Program::new([verb].into_iter().chain(addresses).chain(session).chain(flags.iter().copied()))
}

fn wait_for_loss(mut running: Running) -> Running {
    running.wait_for_words("; trying again\n");
    running
}

#[test]
fn a_node_that_is_killed_takes_nothing_with_it() {
    if !is_here("nats-server") {
        return;
    }
    let folder = Folder::new();
    let (mut nodes, urls) = start(&folder);
    at(&urls, "sub", &["-E", "--wait", "60", "--quiet"]).run().expect(0, "", "");
    let mut subscriber = at(&urls, "sub", &["-C", "1500", "--connect-timeout", "20"]).spawn();
    let lines: Vec<String> = (1..=1500).map(|number| format!("{number}\n")).collect();
    let publisher = at(&urls, "pub", &["-l", "--rate", "500", "--connect-timeout", "20"]);
    let publisher = publisher.stdin(lines.concat()).spawn();
    subscriber.wait_for_line(|line| line == "100\n");
    drop(nodes.remove(0));
    let (subscriber, publisher) = (wait_for_loss(subscriber), wait_for_loss(publisher));
    let outcome = publisher.finish();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let outcome = subscriber.finish();
    let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(outcome.code() == Some(0) && said.contains(", session resumed\n"), "{outcome}");
    // A message may come twice when the node dies before it knows of the acknowledgement, and be
    // among those that were counted: what is left is read after it.
    let mut numbers = numbers_in(&outcome.stdout);
    for _ in 0..ROUNDS {
        let left = lines.len() - numbers.len();
        if left == 0 {
            return;
        }
        let rest = at(&urls, "sub", &["-C", &left.to_string(), "-W", "60", "--quiet"]).run();
        assert_eq!(rest.code(), Some(0), "{left} are left: {rest}");
        numbers.extend(numbers_in(&rest.stdout));
    }
    panic!("{} of {} came", numbers.len(), lines.len());
}

/// What is left may consist of messages that came before, so often.
const ROUNDS: usize = 5;

fn numbers_in(stdout: &[u8]) -> BTreeSet<u32> {
    String::from_utf8_lossy(stdout).lines().filter_map(|line| line.parse().ok()).collect()
}
