//! RabbitMQ, where a policy mirrors the queues of sessions on all nodes.
//!
//! Its quorum queues (`mqtt.durable_queue_type = quorum`) are not for WebSockets in 3.10:
//! `web_mqtt` does not understand what they deliver, and logs `unexpected message`.

use std::thread;

use super::Cluster;
use crate::brokers::kept::{Kept, Remains};
use crate::brokers::{Node, USER_FLAGS};
use crate::daemon::free_ports;
use crate::folder::Folder;
use crate::is_here;

/// The user, and the policy: a message is confirmed when all nodes have it, and a node that comes
/// later gets what the others hold. The hash is that of the password with the salt 1, 2, 3, 4.
const DEFINITIONS: &str = r#"{
  "users": [{
    "name": "ann",
    "password_hash": "AQIDBLq/hWyT4GNQ5SjFtltSvLoQIZIQIckdYAqRUvj04Npv",
    "hashing_algorithm": "rabbit_password_hashing_sha256",
    "tags": ""
  }],
  "vhosts": [{"name": "/"}],
  "permissions": [
    {"user": "ann", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
  ],
  "policies": [{
    "name": "sessions",
    "vhost": "/",
    "pattern": "^mqtt-subscription-",
    "apply-to": "queues",
    "definition": {"ha-mode": "all", "ha-sync-mode": "automatic"}
  }]
}
"#;

/// The first node, and then the others, which join it.
fn start(folder: &Folder) -> Cluster<Kept> {
    let ([cluster], ws) = (free_ports(), free_ports::<3>());
    let definitions = folder.write("definitions.json", DEFINITIONS);
    let first = format!("load_definitions = {definitions}\n");
    let joining = "cluster_formation.peer_discovery_backend = classic_config\n\
                   cluster_formation.classic_config.nodes.1 = mqttws@127.0.0.1\n";
    let node = |host: u8, ws: u16, settings: &str| {
        let own = folder.path().join(format!("node{host}"));
        std::fs::create_dir(&own).unwrap();
        let start = Node { host, ws, cluster, settings }.start(&own);
        Kept::start(&start, &own, Remains::Folder)
    };
    let mut nodes = vec![node(1, ws[0], &first)];
    let others = [(2, ws[1]), (3, ws[2])];
    thread::scope(|scope| {
        let starting = others.map(|(host, ws)| scope.spawn(move || node(host, ws, joining)));
        nodes.extend(starting.map(|node| node.join().expect("it has started")));
    });
    let urls = ws.map(|port| format!("ws://127.0.0.1:{port}/ws"));
    Cluster { nodes, urls, flags: &USER_FLAGS }
}

#[test]
fn a_node_of_rabbitmq_that_is_killed_takes_nothing_with_it() {
    if !is_here("rabbitmq-server") {
        return;
    }
    let folder = Folder::new();
    start(&folder).loses_nothing();
}
