//! What goes wrong on purpose in a connection: what is held arrives, and the connection is cut.

use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;

use super::{EndStage, ServerConnection, Service, close_code, log_input, tell_refusal};
use crate::broker::fault::{FaultEvent, FaultyTraffic, PacketDirection};

impl ServerConnection {
    /// Takes what has arrived by now of what a fault held.
    pub(super) fn take_held_input(&mut self, service: &mut Service, now: Instant) {
        let Self { id, address, sending, faults, has_ended, .. } = self;
        let Some(faults) = faults else { return };
        while let Some(part) = faults.next_input(now) {
            log_input(&service.log, *address, &part);
            if let Err(refusal) = sending.take_input(part, *id, &mut service.brokers, now) {
                tell_refusal(&service.log, &mut service.refusals, *address, &refusal, now);
            }
        }
        if *has_ended && !faults.holds_input() && sending.stage == EndStage::Open {
            self.finish_loss(service, now);
        }
    }

    /// When something that a fault holds arrives.
    pub fn held_until(&self) -> Option<Instant> {
        self.faults.as_ref().and_then(|faults| faults.due())
    }

    /// Lets arrive what is due of what a fault holds.
    pub fn release(&mut self, service: &mut Service, now: Instant) {
        if let Some(faults) = &mut self.faults {
            faults.wake(now);
        }
        self.take_held_input(service, now);
        let Some(faults) = &mut self.faults else { return };
        let unsent = self.sending.queue.unsent();
        self.sending.queue.post(&mut faults.arrived_packets(now), unsent);
        if let Some(reason) = faults.take_end() {
            self.sending.end(close_code(reason), now);
        }
    }

    /// The cut that is due, if one is.
    pub fn cut(&self, now: Instant) -> Option<FaultEvent<'static>> {
        self.faults.as_ref().and_then(|faults| faults.cut(now))
    }

    /// Whether the connection is cut as soon as what came before was answered.
    pub(super) fn is_at_end_of_input(&self) -> bool {
        self.faults.as_ref().is_some_and(|faults| faults.is_at_end_of_input())
    }

    /// Closing the socket resets the connection from now on: what was not delivered is lost.
    pub fn reset(&self) {
        // If it fails, the client sees an end that is not a reset.
        let _ = set_socket_linger(self.socket.stream(), Some(Duration::ZERO));
    }

    /// Before the connection is cut, the client is sent what is held for it: otherwise one that
    /// sends more in one go than may pass would never get an answer.
    pub(super) fn release_before_cut(&mut self) {
        if let Some(faults) = self.faults.as_mut().filter(|faults| faults.is_at_end_of_input()) {
            let unsent = self.sending.queue.unsent();
            self.sending.queue.post(&mut faults.all_packets(), unsent);
        }
    }
}

/// How many of so many bytes may pass in this direction now.
pub fn room(faults: Option<&FaultyTraffic>, direction: PacketDirection, bytes: usize) -> usize {
    faults.map_or(bytes, |faults| faults.room(direction, bytes))
}
