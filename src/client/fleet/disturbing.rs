//! What is done to connections on purpose: they are cut, and their sessions are ended.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use super::Fleet;
use super::connection::{FleetConnection, Queued};
use super::stage::ConnectionStage;
use crate::mqtt::session::{Config, Lifetime, Session};

/// How TCP is ended under a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpEnd {
    /// By a reset: what was not sent, or not read, is lost.
    Reset,
    /// By a FIN after what was sent.
    Fin,
}

impl Fleet {
    /// Ends TCP under a connection, without a word to the server. It can be begun again at once.
    pub fn cut(&mut self, id: usize, how: TcpEnd) {
        self.connections[id].cut(how);
    }

    /// From now on nothing is read from this connection, and nothing that it waits for is missed.
    pub fn stall(&mut self, id: usize) {
        if self.connections[id].stage == ConnectionStage::Online {
            self.connections[id].reading = Queued::Stalled;
        }
    }

    /// A connection that was stalled is read again.
    pub fn read_again(&mut self, id: usize) {
        if self.connections[id].reading == Queued::Stalled {
            self.connections[id].reading = Queued::No;
            self.queue_read(id);
            self.arm(id);
        }
    }

    /// Whether CONNECT was sent over this connection, so that the server may have begun a session.
    pub fn has_sent_connect(&self, id: usize) -> bool {
        self.connections[id].stage >= ConnectionStage::Connack
    }

    /// Begins a connection that only ends the session at the server: a clean one, after which
    /// nothing is left of the session.
    pub fn dial_to_end_session(&mut self, id: usize, now: Instant) {
        self.connections[id].forget_session();
        self.dial(id, now, now);
    }
}

impl FleetConnection {
    fn cut(&mut self, how: TcpEnd) {
        self.reading = Queued::No;
        if let Some(socket) = self.socket() {
            // It fails only where the connection has ended already, or on a Unix socket, which has
            // no reset.
            let _ = match how {
                TcpEnd::Reset => socket.set_linger(Some(Duration::ZERO)),
                TcpEnd::Fin => socket.shutdown(Shutdown::Write),
            };
        }
        self.drop_link();
    }

    /// The next connection is one of a client that remembers nothing, and leaves nothing.
    fn forget_session(&mut self) {
        let config = self.session().config().clone();
        let lifetime = Lifetime::Connection;
        *self.session() =
            Session::new(Config { lifetime, clean_start: true, will: None, ..config });
    }
}
