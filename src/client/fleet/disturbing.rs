//! What is done to connections on purpose: they are cut, and their sessions are ended.

use std::net::Shutdown;
use std::time::Duration;

use super::connection::{FleetConnection, Queued};
use super::connections::TcpEnd;
use crate::mqtt::session::{Config, Lifetime, Session};

impl FleetConnection {
    /// Ends TCP under it.
    pub fn cut(&mut self, how: TcpEnd) {
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
    pub fn forget_session(&mut self) {
        let config = self.session().config().clone();
        let lifetime = Lifetime::Connection;
        *self.session() =
            Session::new(Config { lifetime, clean_start: true, will: None, ..config });
    }
}
