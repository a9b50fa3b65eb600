//! What a fleet reports to its driver, and what the driver decides.

use std::time::{Duration, Instant};

use crate::mqtt::packet::{ConnAck, Publish};
use crate::mqtt::reason::ReasonCode;
use crate::transport::TlsHandshake;

use super::cause::Cause;
use super::connections::ManyConnections;

/// How long each step of a connection took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps {
    /// TCP.
    pub tcp: Option<Duration>,
    /// TLS; `None` for `ws://`.
    pub tls: Option<Duration>,
    /// The upgrade.
    pub upgrade: Option<Duration>,
    /// From CONNECT to CONNACK.
    pub connack: Option<Duration>,
    /// How the TLS handshake went; `None` for `ws://`.
    pub handshake: Option<TlsHandshake>,
}

/// A connection that was made.
#[derive(Debug)]
pub struct Made {
    /// The time from its intended beginning.
    pub took: Duration,
    /// The time of each step.
    pub steps: Steps,
    /// The answer of the server.
    pub connack: Box<ConnAck>,
}

/// What happened to one connection.
#[derive(Debug)]
pub enum Happening {
    /// The server has accepted it.
    Made(Made),
    /// SUBACK came.
    Subscribed {
        /// A code for each filter.
        codes: Vec<ReasonCode>,
        /// The time since the SUBSCRIBE.
        took: Duration,
    },
    /// A QoS 1 or 2 message is finished.
    Acknowledged {
        /// The token that it was published with.
        token: u64,
        /// Success, or a refusal.
        code: ReasonCode,
    },
    /// The server may or may not have this QoS 2 message: it has lost the session.
    InDoubt {
        /// The token that it was published with.
        token: u64,
    },
    /// A PINGREQ was answered.
    Pong {
        /// The time since the PINGREQ.
        took: Duration,
    },
    /// The server has taken what waited for it: more can be published.
    Sendable,
    /// The connection could not be made.
    NotMade(Cause),
    /// The connection was made and is lost.
    Lost(Cause),
    /// The connection has ended as it was asked to.
    Closed,
}

/// Who decides what a fleet does.
pub trait Driver {
    /// Something happened to a connection.
    fn happened(&mut self, id: usize, what: Happening, now: Instant);

    /// A message came over a connection.
    fn message(&mut self, id: usize, head: &Publish, payload: &[u8], now: Instant);

    /// SIGINT, SIGTERM or SIGHUP came: the first, or another one.
    fn interrupted(&mut self, signal: i32, now: Instant);

    /// SIGQUIT came: the figures so far are wanted.
    fn asked_for_figures(&mut self, now: Instant);

    /// Does what is due: dials, subscribes, publishes, closes.
    fn act(&mut self, fleet: &mut impl ManyConnections, now: Instant);

    /// When [`Driver::act`] has something to do, if nothing happens before.
    fn next_due(&self) -> Option<Instant>;

    /// All that was due was sent, and all that had come was read: does what can wait until then.
    fn rest(&mut self, now: Instant);

    /// Whether nothing is left to do.
    fn is_over(&self) -> bool;

    /// A turn of the loop took so long, from when it was to begin: in it nothing else was looked
    /// at.
    fn note_turn(&mut self, took: Duration);
}
