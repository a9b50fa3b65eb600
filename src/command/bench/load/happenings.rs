//! What happens to the connections of a load.

use std::time::{Duration, Instant};

use super::connecting::ConnectionState;
use super::receiving::{FirstCopy, ReceivedSink};
use super::stalls::ArrivedCopy;
use super::{Load, LoadPhase, RunDisplay};
use crate::client::fleet::{Cause, Made};
use crate::command::bench::config::Comeback;
use crate::command::bench::plan::Role;
use crate::mqtt::packet::Publish;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;

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
        let came = receiving.message(id, head, payload, context, &mut sink, at);
        let Some(FirstCopy { publisher, intended, finished }) = came else { return };
        if context.load.messages.qos == QoS::AtMostOnce {
            if context.member.share.has_publisher(publisher) {
                sending.arrived(publisher, finished, context, at);
            } else if sending.has_window_of_qos_0() {
                self.arrived_from_afar(publisher, finished);
            }
        }
        let Self { context, results, .. } = self;
        if context.load.disturbances.concern_copies() {
            let publisher = context.load.plan.publisher_id(publisher);
            let copy = ArrivedCopy { reader: id, publisher, intended, at };
            let is_near = self.absences.copy(copy);
            if context.load.disturbances.has_cuts() && !is_near && context.window.holds(intended) {
                results.disturbances.away.add(at.saturating_sub(intended));
            }
        }
    }

    pub(super) fn made(&mut self, id: usize, made: &Made, at: u64) {
        let was = self.connecting.state(id);
        let role = self.context.load.plan.role(id);
        let announced = made.connack.properties.receive_maximum();
        self.results.connections.receive_maximum = announced;
        match was {
            ConnectionState::Closed => return self.made_clean(id),
            _ if self.is_of_connecting() => return self.made_in_step(id, made, at),
            ConnectionState::Away => self.returns(id, made, at),
            ConnectionState::Elsewhere
            | ConnectionState::Pending
            | ConnectionState::Subscribing(_)
            | ConnectionState::Ready
            | ConnectionState::Lost
            | ConnectionState::Returning(_)
            | ConnectionState::Failed => {
                let codes = self.codes(id);
                self.connecting.made(id, made, codes, &mut self.results.connections);
            }
        }
        match role {
            // The session of one that was lost subscribes again by itself.
            Role::Subscriber(_) if was == ConnectionState::Pending => {
                self.chores.subscribe.push(id);
            }
            Role::Subscriber(subscriber) if !made.connack.session_present => {
                self.leave(subscriber);
            }
            Role::Publisher(publisher) if self.phase == LoadPhase::Sending => {
                self.sending.online(publisher, &self.context, at);
            }
            Role::Subscriber(_) | Role::Publisher(_) | Role::Idle(_) => {}
        }
    }

    pub(super) fn subscribed(
        &mut self,
        id: usize,
        codes: &[ReasonCode],
        took: Duration,
        now: Instant,
    ) {
        let was = self.connecting.state(id);
        let to = &mut self.results.connections;
        match self.connecting.subscribed(id, codes, took, to) {
            Ok(granted) => {
                let results = &mut self.results;
                results.granted = [results.granted, granted].into_iter().flatten().min();
                let is_ready = self.connecting.state(id) == ConnectionState::Ready;
                if is_ready && matches!(was, ConnectionState::Returning(_)) {
                    self.is_back(id, false, self.context.clock.number(now));
                }
            }
            Err(cause) => {
                self.not_made(id, cause, now);
                self.chores.abandon.push(id);
            }
        }
    }

    pub(super) fn not_made(&mut self, id: usize, cause: Cause, now: Instant) {
        match self.connecting.state(id) {
            ConnectionState::Closed => return self.session_left(),
            _ if self.is_of_connecting() => return self.not_made_in_step(id, cause, now),
            ConnectionState::Away | ConnectionState::Returning(_) => {
                self.absences.failed(id, cause);
            }
            ConnectionState::Elsewhere
            | ConnectionState::Pending
            | ConnectionState::Subscribing(_)
            | ConnectionState::Ready
            | ConnectionState::Lost
            | ConnectionState::Failed => {}
        }
        if cause.is_after_connect() {
            // The server may have accepted it, and may keep its session and have its will.
            self.will_may_come(id);
            self.chores.sessions.push(id);
        }
        if let Role::Subscriber(subscriber) = self.context.load.plan.role(id)
            && matches!(self.connecting.state(id), ConnectionState::Subscribing(_))
        {
            let topics = self.context.topics_of_subscriber(subscriber);
            self.receiving.retained.fails(subscriber, topics);
        }
        self.connecting.not_made(id, cause, now, &mut self.results.connections);
    }

    pub(super) fn lost(&mut self, id: usize, cause: Cause, now: Instant) {
        match self.phase {
            // The clean connection was made, which is enough.
            LoadPhase::Ending(_) => return self.session_ended(),
            LoadPhase::Closing(_) | LoadPhase::Clearing(_) | LoadPhase::Over => return,
            LoadPhase::Setting
            | LoadPhase::Readers
            | LoadPhase::Others
            | LoadPhase::Holding(_)
            | LoadPhase::Making
            | LoadPhase::Settling(_)
            | LoadPhase::Emptying(_)
            | LoadPhase::Sending
            | LoadPhase::Draining => {}
        }
        match self.connecting.state(id) {
            ConnectionState::Returning(_) => return self.not_made(id, cause, now),
            ConnectionState::Elsewhere
            | ConnectionState::Pending
            | ConnectionState::Subscribing(_)
            | ConnectionState::Ready
            | ConnectionState::Lost
            | ConnectionState::Away
            | ConnectionState::Failed
            | ConnectionState::Closed => {}
        }
        self.will_may_come(id);
        self.absences.stalls.lost(id, self.context.clock.number(now));
        self.connecting.lost(id, cause, now, &mut self.results.connections);
        if self.is_of_connecting() {
            self.connecting.paced.lost(id, self.context.clock.number(now));
        }
        self.is_away(id, self.context.clock.number(now));
        if let Role::Publisher(publisher) = self.context.load.plan.role(id)
            && self.context.load.comeback == Comeback::Never
        {
            self.sending.give_up(publisher);
        }
    }

    /// A connection has ended as it was asked to.
    pub(super) fn closed(&mut self, id: usize, now: Instant) {
        match self.phase {
            LoadPhase::Closing(_) | LoadPhase::Clearing(_) => {
                self.chores.closing = self.chores.closing.saturating_sub(1);
            }
            LoadPhase::Ending(_) => self.session_ended(),
            _ if self.is_of_connecting() => {
                self.connecting.paced.ended(id, self.context.clock.number(now));
            }
            LoadPhase::Setting
            | LoadPhase::Readers
            | LoadPhase::Others
            | LoadPhase::Holding(_)
            | LoadPhase::Making
            | LoadPhase::Settling(_)
            | LoadPhase::Emptying(_)
            | LoadPhase::Sending
            | LoadPhase::Draining => self.absences.redial.push(id),
            LoadPhase::Over => {}
        }
    }
}
