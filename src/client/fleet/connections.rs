//! What a driver can do with the connections of a fleet.

use std::ops::Range;
use std::rc::Rc;
use std::time::Instant;

use crate::mqtt::packet::{Publish, Subscription};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::session::Unsendable;

/// How TCP is ended under a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpEnd {
    /// By a reset: what was not sent, or not read, is lost.
    Reset,
    /// By a FIN after what was sent.
    Fin,
}

/// Connections by their numbers, as a driver sees them: those of a fleet, or of a test that has
/// neither sockets nor a clock.
pub trait ManyConnections {
    /// Begins a connection, which was to begin at `intended`.
    fn dial(&mut self, id: usize, intended: Instant, now: Instant);

    /// Begins a connection that only ends the session at the server: a clean one, after which
    /// nothing is left of the session.
    fn dial_to_end_session(&mut self, id: usize, now: Instant);

    /// Whether CONNECT was sent over this connection, so that the server may have begun a session.
    fn has_sent_connect(&self, id: usize) -> bool;

    /// Subscribes; the answer is told as `Happening::Subscribed`.
    fn subscribe(
        &mut self,
        id: usize,
        subscriptions: Vec<Subscription>,
        properties: Properties,
        now: Instant,
    );

    /// Whether one more message of this QoS may be published now.
    fn can_publish(&mut self, id: usize, qos: QoS) -> bool;

    /// Whether the server does not take what is sent to this connection.
    fn is_congested(&self, id: usize) -> bool;

    /// Publishes messages like `head`; see [`crate::mqtt::session::Session::publish_run`].
    fn publish_run(
        &mut self,
        id: usize,
        head: &Rc<Publish>,
        token: u64,
        next: impl FnMut(usize) -> Option<Range<usize>>,
    ) -> u64;

    /// Publishes a message that is too large for a run.
    fn publish(&mut self, id: usize, message: Publish, token: u64) -> Result<(), Unsendable>;

    /// Ends a connection in order; `Happening::Closed` tells that it has ended.
    fn close(&mut self, id: usize, now: Instant);

    /// Ends a connection at once.
    fn abandon(&mut self, id: usize);

    /// Ends TCP under a connection, without a word to the server. It can be begun again at once.
    fn cut(&mut self, id: usize, how: TcpEnd);

    /// From now on nothing is read from this connection, and nothing that it waits for is missed.
    fn stall(&mut self, id: usize);

    /// A connection that was stalled is read again.
    fn read_again(&mut self, id: usize);
}
