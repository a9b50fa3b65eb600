//! Two clients of one thread, for a caller that passes messages from one server to another:
//! [`Client::next_of_two`] waits for both in the place where a client waits for one.

use std::ops::ControlFlow;
use std::time::Instant;

use super::event_queue::EventQueue;
use super::lifecycle::ConnectionInput;
use super::{Client, Error, Event};
use crate::mqtt::packet::{PacketId, PacketType, Publish};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session::Unsendable;

/// One of two clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one that was named first.
    First,
    /// The other one.
    Second,
}

impl Client {
    /// The next event of either client; waits for it until `alarm` at the most, which is an event
    /// of the first. What a client has found is handed out before that of the second is looked at.
    /// See [`Client::next`].
    pub fn next_of_two(
        first: &mut Self,
        second: &mut Self,
        alarm: Option<Instant>,
    ) -> Result<(Which, Event), (Which, Error)> {
        loop {
            // Nothing is sent while either has more to tell: one write then holds all that follows
            // from what has come.
            for (which, client) in [(Which::First, &mut *first), (Which::Second, &mut *second)] {
                if let Some(event) = client.poll().map_err(|error| (which, error))? {
                    return Ok((which, event));
                }
            }
            let mut waits = true;
            for (which, client) in [(Which::First, &mut *first), (Which::Second, &mut *second)] {
                match client.before_wait(alarm, true).map_err(|error| (which, error))? {
                    ControlFlow::Break(Some(event)) => return Ok((which, event)),
                    ControlFlow::Break(None) => waits = false,
                    ControlFlow::Continue(()) => {}
                }
            }
            if waits && Self::wait_for_two(first, second, alarm) {
                return Ok((Which::First, Event::Alarm));
            }
        }
    }

    /// Waits, and takes what has ended the wait; whether only the alarm has.
    fn wait_for_two(first: &mut Self, second: &mut Self, alarm: Option<Instant>) -> bool {
        let until = [first.deadline(), second.deadline(), alarm].into_iter().flatten().min();
        let writing = [first.is_congested(), second.is_congested()];
        let queues = [&mut first.events, &mut second.events];
        let wakes = EventQueue::wait_for_two(queues, until, writing);
        let now = Instant::now();
        for (client, wake) in [&mut *first, &mut *second].into_iter().zip(wakes) {
            client.now = now;
            if let Some(wake) = wake {
                client.handle_wake(wake);
            }
        }
        let is_late = alarm.is_some_and(|alarm| alarm <= now);
        is_late && first.pending.is_empty() && second.pending.is_empty()
    }

    /// Answers a message of the server; see [`crate::mqtt::session::Session::answer`].
    pub fn answer(&mut self, packet: PacketType, packet_id: PacketId, code: ReasonCode) {
        self.session.answer(packet, packet_id, code);
    }

    /// Makes another connection with the same session in the place of this one: the server sends
    /// again what it has no acknowledgement of.
    pub fn connect_again(&mut self) {
        self.feed(ConnectionInput::ConnectAgain);
    }

    /// Publishes a message under the identifier that it has; see
    /// [`crate::mqtt::session::Session::pass_on`].
    pub fn pass_on(&mut self, publish: Publish) -> Result<(), Unsendable> {
        self.session.pass_on(publish)
    }
}
