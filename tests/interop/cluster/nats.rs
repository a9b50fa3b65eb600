//! NATS, whose sessions are on all nodes: `stream_replicas: 3`. What the node in use has delivered
//! and not seen acknowledged is given again after `ack_wait`, 30 s if it is not set.

use std::process::{Child, Command, Stdio};

use super::Cluster;
use crate::daemon::free_ports;
use crate::folder::Folder;
use crate::is_here;

/// A node, killed when dropped.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn start(folder: &Folder) -> Cluster<Node> {
    let [ws, mqtt, own, routes] = [(); 4].map(|()| free_ports::<3>());
    let known = routes.map(|port| format!("\"nats://127.0.0.1:{port}\"")).join(", ");
    let node = |at: usize| {
        let (store, name) = (folder.path().join(format!("store{at}")), format!("node{at}"));
        let text = format!(
            "server_name: {name}\nlisten: \"127.0.0.1:{}\"\n\
             jetstream {{ store_dir: \"{}\" }}\n\
             websocket {{ listen: \"127.0.0.1:{}\", no_tls: true }}\n\
             mqtt {{ listen: \"127.0.0.1:{}\", stream_replicas: 3, ack_wait: \"3s\" }}\n\
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
    let urls = ws.map(|port| format!("ws://127.0.0.1:{port}/mqtt"));
    Cluster { nodes, urls, flags: &[] }
}

#[test]
fn a_node_of_nats_that_is_killed_takes_nothing_with_it() {
    if !is_here("nats-server") {
        return;
    }
    let folder = Folder::new();
    start(&folder).loses_nothing();
}
