//! The router's thread: it passes what the threads of the connections post to the router, and hands
//! the router's packets to these threads.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use super::event::{BrokerEvent, Observer};
use super::router::{ConnectionId, EndReason, Outgoing, Router};
use super::shared_connection::SharedConnection;
use crate::mqtt::packet::{Malformed, Packet};
use crate::websocket::frame::{GOING_AWAY, NORMAL, PROTOCOL_ERROR};

/// How many events are routed before their results are handed over.
const BURST: usize = 64;

/// An event for the router.
#[derive(Debug)]
pub enum RouterEvent {
    /// A WebSocket is open.
    Opened(Arc<SharedConnection>),
    /// Packets came in; none if only a part of one did.
    Packets {
        /// The connection they came from.
        connection: ConnectionId,
        /// In order.
        packets: Vec<Packet>,
        /// The bytes that they count for.
        weight: usize,
    },
    /// What came in was not MQTT.
    Malformed {
        /// The connection they came from.
        connection: ConnectionId,
        /// What was wrong.
        error: Malformed,
    },
    /// A connection ended.
    Lost(ConnectionId),
    /// A connection that was full can be written to again.
    Relieved(ConnectionId),
    /// The broker stops.
    Stop,
}

/// The router's thread.
pub struct RouterThread {
    /// The broker's logic.
    pub router: Router,
    /// Its events.
    pub inbox: Receiver<RouterEvent>,
    /// All open connections.
    pub connections: HashMap<ConnectionId, Arc<SharedConnection>>,
    /// Who is told of what the router has to say.
    pub observer: Option<Observer>,
}

impl RouterThread {
    /// Routes until the broker stops.
    pub fn run(mut self) {
        let mut events = Vec::new();
        let mut routed = Vec::new();
        while self.wait(&mut events) {
            events.extend(self.inbox.try_iter().take(BURST));
            let stop = events.iter().any(|event| matches!(event, RouterEvent::Stop));
            for event in events.drain(..) {
                self.route(event, &mut routed);
            }
            self.router.tick(Instant::now());
            self.hand_over();
            for (id, weight) in routed.drain(..) {
                if let Some(connection) = self.connections.get(&id) {
                    connection.routed(weight);
                }
            }
            if stop {
                return;
            }
        }
    }

    /// Waits for the next event or the router's deadline. False when no more events can come.
    fn wait(&self, events: &mut Vec<RouterEvent>) -> bool {
        let event = match self.router.deadline() {
            Some(at) => self.inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
            None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let alive = !matches!(event, Err(RecvTimeoutError::Disconnected));
        events.extend(event);
        alive
    }

    /// Passes one event to the router.
    fn route(&mut self, event: RouterEvent, routed: &mut Vec<(ConnectionId, usize)>) {
        if let RouterEvent::Packets { connection, weight, .. } = &event {
            routed.push((*connection, *weight));
        }
        let now = Instant::now();
        match event {
            RouterEvent::Opened(connection) => {
                self.router.open(connection.id, Arc::clone(&connection.backlog), now);
                self.connections.insert(connection.id, connection);
            }
            RouterEvent::Packets { connection, packets, .. } => {
                self.router.heard(connection, now);
                for packet in packets {
                    self.router.receive(connection, packet, now);
                }
            }
            RouterEvent::Malformed { connection, error } => {
                self.router.malformed(connection, &error, now);
            }
            RouterEvent::Lost(connection) => {
                self.router.lost(connection, now);
                self.connections.remove(&connection);
            }
            RouterEvent::Relieved(connection) => self.router.relieved(connection, now),
            RouterEvent::Stop => self.router.stop(now),
        }
    }

    /// Hands the packets and ends that the router has to the connections.
    fn hand_over(&mut self) {
        let Self { router, connections, observer, .. } = self;
        router.drain(|mut outgoing| deliver(&mut outgoing, connections));
        let notes = router.notes();
        if let Some(observer) = observer {
            for note in &notes {
                observer(&BrokerEvent::Note(note));
            }
        }
    }
}

fn deliver(
    outgoing: &mut Outgoing<'_>,
    connections: &HashMap<ConnectionId, Arc<SharedConnection>>,
) {
    let Some(connection) = connections.get(&outgoing.connection) else {
        return outgoing.packets.clear();
    };
    if !outgoing.packets.is_empty() {
        connection.post(outgoing.packets);
    }
    if let Some(subscriber) = outgoing.hold_back_for.and_then(|id| connections.get(&id)) {
        connection.hold_back_for(subscriber);
    }
    if let Some(end) = outgoing.end {
        connection.end(close_code(end));
    }
}

/// The Close frame that follows the last packet.
fn close_code(end: EndReason) -> Option<u16> {
    match end {
        EndReason::Lost => None,
        EndReason::Done | EndReason::Refused | EndReason::Silent | EndReason::TakenOver => {
            Some(NORMAL)
        }
        EndReason::Misbehaved => Some(PROTOCOL_ERROR),
        EndReason::Stopped => Some(GOING_AWAY),
    }
}
