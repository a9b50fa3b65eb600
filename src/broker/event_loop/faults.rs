//! Faults on purpose: what was held arrives in its time, and connections are cut.

use std::time::Instant;

use super::EventLoop;
use crate::broker::event::BrokerEvent;
use crate::broker::fault::FaultEvent;
use crate::broker::router::ConnectionId;

impl EventLoop {
    /// Lets arrive what a fault has held.
    pub(super) fn release(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.release(&mut self.service, now);
        // What comes next is noted after it.
        self.connections.queue_write(id);
        self.connections.queue_read(id);
    }

    /// Notes when the next arrives that a fault holds.
    pub(super) fn watch_arrivals(&mut self, id: ConnectionId) {
        if self.service.faults.is_some()
            && let Some(connection) = self.connections.get_mut(id)
        {
            self.arrivals.set(id, connection.held_until());
        }
    }

    /// Ends a connection that is to be cut: by a reset, unless it is for silence, after which real
    /// proxies send FIN.
    pub(super) fn cut(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if let Some(cut) = connection.cut(now) {
            self.service.log.tell(&BrokerEvent::Fault(connection.address(), cut));
            if !matches!(cut, FaultEvent::CutIdle(_)) {
                connection.reset();
            }
            self.close(id, now);
        }
    }
}
