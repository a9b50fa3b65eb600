//! What the driver of a fleet does with its connections.

use std::ops::Range;
use std::rc::Rc;
use std::time::Instant;

use super::Fleet;
use super::connection::Queued;
use super::connections::{ManyConnections, TcpEnd};
use super::driver::Happening;
use super::stage::ConnectionStage;
use crate::mqtt::packet::{Publish, Subscription};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::session::Unsendable;

impl ManyConnections for Fleet {
    fn dial(&mut self, id: usize, intended: Instant, now: Instant) {
        if let Err(cause) = self.begin(id, intended, now) {
            self.happened.push_back((id, Happening::NotMade(cause)));
        }
    }

    fn dial_to_end_session(&mut self, id: usize, now: Instant) {
        self.connections[id].forget_session();
        self.dial(id, now, now);
    }

    fn has_sent_connect(&self, id: usize) -> bool {
        self.connections[id].stage >= ConnectionStage::Connack
    }

    fn subscribe(
        &mut self,
        id: usize,
        subscriptions: Vec<Subscription>,
        properties: Properties,
        now: Instant,
    ) {
        let connection = &mut self.connections[id];
        connection.session().subscribe(subscriptions, properties);
        connection.note_subscribe(now);
        self.queue_write(id);
        self.arm(id);
    }

    fn can_publish(&mut self, id: usize, qos: QoS) -> bool {
        let connection = &mut self.connections[id];
        !connection.is_congested() && connection.session().can_publish(qos)
    }

    fn is_congested(&self, id: usize) -> bool {
        self.connections[id].is_congested()
    }

    fn publish_run(
        &mut self,
        id: usize,
        head: &Rc<Publish>,
        token: u64,
        next: impl FnMut(usize) -> Option<Range<usize>>,
    ) -> u64 {
        let is_large = self.connections.is_large();
        let connection = &mut self.connections[id];
        if is_large {
            // With the headers, about.
            connection.session().make_room(head.payload.len() * 3 / 2);
        }
        let count = connection.session().publish_run(head, token, next);
        // At once: what is prepared for others would hold it up, and lie in memory with it.
        connection.write(Instant::now());
        if is_large {
            connection.release_memory();
        }
        count
    }

    fn publish(&mut self, id: usize, message: Publish, token: u64) -> Result<(), Unsendable> {
        self.queue_write(id);
        self.connections[id].session().publish(message, token)
    }

    fn close(&mut self, id: usize, now: Instant) {
        if self.connections[id].close(now) {
            self.arm(id);
        } else {
            self.happened.push_back((id, Happening::Closed));
        }
    }

    fn abandon(&mut self, id: usize) {
        self.connections[id].drop_link();
    }

    fn cut(&mut self, id: usize, how: TcpEnd) {
        self.connections[id].cut(how);
    }

    fn stall(&mut self, id: usize) {
        if self.connections[id].stage == ConnectionStage::Online {
            self.connections[id].reading = Queued::Stalled;
        }
    }

    fn read_again(&mut self, id: usize) {
        if self.connections[id].reading == Queued::Stalled {
            self.connections[id].reading = Queued::No;
            self.queue_read(id);
            self.arm(id);
        }
    }
}
