//! What happens to the connections of a load.

use std::time::Instant;

use super::connecting::ConnectionState;
use super::receiving::ReceivedSink;
use super::{Load, LoadPhase, RunDisplay};
use crate::client::fleet::{Cause, Made};
use crate::command::bench::config::Comeback;
use crate::command::bench::plan::Role;
use crate::mqtt::packet::Publish;
use crate::mqtt::qos::QoS;

impl<D: RunDisplay> Load<D> {
    pub(super) fn received(&mut self, id: usize, head: &Publish, payload: &[u8], now: Instant) {
        let Self { context, receiving, results, seconds, sending, .. } = self;
        let at = context.clock.number(now);
        let mut sink = ReceivedSink {
            verified: &mut results.verified,
            messages: &mut results.messages,
            latencies: &mut results.latencies,
            second_times: &mut seconds.times,
            second_received: &mut seconds.received,
        };
        let publisher = receiving.message(id, head, payload, context, &mut sink, at);
        if let Some(publisher) = publisher.filter(|_| context.load.messages.qos == QoS::AtMostOnce)
        {
            sending.arrived(publisher, context, at);
        }
    }

    pub(super) fn made(&mut self, id: usize, made: &Made, at: u64) {
        let was = self.connecting.state(id);
        let plan = self.context.load.plan;
        let announced = made.connack.properties.receive_maximum();
        self.results.connections.receive_maximum = announced;
        let codes = match plan.role(id) {
            Role::Subscriber(subscriber) => plan.topics_of_subscriber(subscriber).len(),
            Role::Publisher(_) | Role::Idle(_) => 0,
        };
        self.connecting.made(id, made, codes, &mut self.results.connections);
        match plan.role(id) {
            // The session of one that was lost subscribes again by itself.
            Role::Subscriber(_) if was == ConnectionState::Pending => {
                self.chores.subscribe.push(id);
            }
            Role::Publisher(publisher) if self.phase == LoadPhase::Sending => {
                self.sending.online(publisher, &self.context, at);
            }
            Role::Subscriber(_) | Role::Publisher(_) | Role::Idle(_) => {}
        }
    }

    pub(super) fn lost(&mut self, id: usize, cause: Cause, now: Instant) {
        if matches!(self.phase, LoadPhase::Closing(_) | LoadPhase::Over) {
            return;
        }
        self.connecting.lost(id, cause, now, &mut self.results.connections);
        match self.context.load.plan.role(id) {
            Role::Subscriber(subscriber) => self.receiving.leave(subscriber, &self.context),
            Role::Publisher(publisher) => {
                self.sending.offline(publisher, self.context.clock.number(now));
                if self.context.load.comeback == Comeback::Never {
                    self.sending.give_up(publisher);
                }
            }
            Role::Idle(_) => {}
        }
    }
}
