//! Connections that end in the same way one after the other: because of a packet that the server
//! does not take, a second client with our id, or an idle limit on the way.

use std::time::{Duration, Instant};

use super::CredentialsAsked;
use super::input::LossFacts;
use crate::client::error::{Error, Unacknowledged};
use crate::mqtt::reason::ReasonCode;
use crate::transport;
use crate::websocket::WebSocketError;

/// This many connections in a row that end in the same way are no accident.
const ROUNDS: u32 = 3;

/// A server that does not take a packet ends the connection within this time.
const SOON: Duration = Duration::from_secs(1);

/// A connection that is taken over by another client with the same id lasts no longer: that client
/// reconnects after a pause of a few seconds.
const SHORT: Duration = Duration::from_secs(10);

/// Idle limits are at least this long: against a shorter one no keep alive helps, which has a whole
/// number of seconds. What ends each second is more likely a token.
const SHORTEST_IDLE: Duration = Duration::from_millis(1_600);

/// Two idle times that differ by less are the same limit.
const SAME: Duration = Duration::from_millis(250);

/// What is to be done about it.
#[derive(Debug, PartialEq, Eq)]
pub enum Consequence {
    /// The server will never take this message.
    GiveUp(Unacknowledged),
    /// The user is warned.
    Warn(String),
}

/// What connections that end in the same way have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CommonEnd {
    /// This message was sent, and not acknowledged.
    Message(u64),
    /// All messages were acknowledged, and it was short.
    Short,
}

/// What is known about an idle limit on the way.
#[derive(Debug, Clone, Copy, Default)]
enum IdleLimit {
    #[default]
    Unknown,
    /// Nothing had been sent or received for this long when the latest connection ended.
    Possible(Duration),
    /// The user was warned of this one.
    Reported(Duration),
}

/// Counts connections in a row that ended in the same way.
#[derive(Debug, Default)]
pub struct Repeated {
    kind: Option<CommonEnd>,
    rounds: u32,
    idle: IdleLimit,
}

impl Repeated {
    /// A message was acknowledged.
    #[inline]
    pub fn acknowledged(&mut self) {
        if matches!(self.kind, Some(CommonEnd::Message(_))) {
            self.kind = None;
        }
    }

    /// A connection failed before CONNACK: the server was away or not ready, so what ended the
    /// connections before it may not have been the message.
    pub fn interrupted(&mut self) {
        self.kind = None;
    }

    /// A connection that was accepted at `since` ended.
    pub fn ended(
        &mut self,
        error: &Error,
        facts: &LossFacts,
        credentials: CredentialsAsked,
        since: Instant,
        now: Instant,
    ) -> Option<Consequence> {
        let idle_time = idle_time(error, facts, now);
        // What is explained already needs no second cause.
        let kind = kind_of(error, facts, since, now)
            .filter(|kind| *kind != CommonEnd::Short || !self.is_reported(idle_time));
        self.rounds = if kind.is_some() && kind == self.kind { self.rounds + 1 } else { 1 };
        self.kind = kind;
        let idle = self.idle_limit(idle_time);
        if self.rounds != ROUNDS {
            return idle;
        }
        match kind? {
            CommonEnd::Message(_) => facts.unacknowledged.clone().map(Consequence::GiveUp),
            CommonEnd::Short => {
                Some(Consequence::Warn(short_ends(facts.is_subscriber, credentials)))
            }
        }
    }

    /// Whether a connection ended by the limit of which the user was warned.
    fn is_reported(&self, idle: Option<Duration>) -> bool {
        match (self.idle, idle) {
            (IdleLimit::Reported(limit), Some(idle)) => limit.abs_diff(idle) <= SAME,
            _ => false,
        }
    }

    /// The same time without traffic twice in a row, before the connection ended.
    fn idle_limit(&mut self, idle: Option<Duration>) -> Option<Consequence> {
        let before = match self.idle {
            IdleLimit::Reported(_) => return None,
            IdleLimit::Unknown => None,
            IdleLimit::Possible(before) => Some(before),
        };
        self.idle = idle.map_or(IdleLimit::Unknown, IdleLimit::Possible);
        if before?.abs_diff(idle?) > SAME {
            return None;
        }
        self.idle = IdleLimit::Reported(idle?);
        let seconds = idle?.as_secs_f64().round();
        Some(Consequence::Warn(format!(
            "the connection has ended twice {seconds} s after the last traffic: \
             an idle limit on the way? try -k with less than {seconds} s"
        )))
    }
}

/// The usual causes of short connections.
fn short_ends(is_subscriber: bool, credentials: CredentialsAsked) -> String {
    let (when, forbids) = if is_subscriber {
        ("SUBSCRIBE", ", or the server forbids a filter, its QoS or so many filters")
    } else {
        ("CONNACK", "")
    };
    let expire = match credentials {
        CredentialsAsked::Again | CredentialsAsked::Always => ", or the credentials end so soon",
        CredentialsAsked::Never | CredentialsAsked::Authorities => "",
    };
    format!(
        "the server ended three connections in a row soon after {when}: another client may use the \
         same id (choose another id with -i){forbids}{expire}"
    )
}

/// For how long there was no traffic when a connection ended, if that is an idle limit's time.
fn idle_time(error: &Error, facts: &LossFacts, now: Instant) -> Option<Duration> {
    let traffic = facts.traffic.filter(|_| matches!(error, Error::Lost(_)))?;
    Some(now.saturating_duration_since(traffic)).filter(|idle| *idle >= SHORTEST_IDLE)
}

fn kind_of(error: &Error, facts: &LossFacts, since: Instant, now: Instant) -> Option<CommonEnd> {
    if !is_ended_by_server(error) {
        return None;
    }
    let is_soon = |begun: Instant| now.saturating_duration_since(begun) < SOON;
    let is_just_sent = is_soon(since) || facts.sent.is_some_and(is_soon);
    match &facts.unacknowledged {
        Some(first) if is_just_sent => Some(CommonEnd::Message(first.record)),
        Some(_) => None,
        None if says_why(error) => None,
        None => (now.saturating_duration_since(since) < SHORT).then_some(CommonEnd::Short),
    }
}

/// Whether the server has named the cause, so that nothing is to be guessed.
fn says_why(error: &Error) -> bool {
    match error {
        Error::Disconnected(disconnect) => !matches!(
            disconnect.code,
            ReasonCode::UNSPECIFIED_ERROR | ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR
        ),
        _ => false,
    }
}

/// The server ended the connection in order: FIN, Close, DISCONNECT; no reset.
fn is_ended_by_server(error: &Error) -> bool {
    match error {
        Error::Disconnected(_) => true,
        Error::Lost(transport::Error::WebSocket(error)) => {
            matches!(error, WebSocketError::Closed { .. })
        }
        Error::Lost(transport::Error::Ended { cause }) => cause.is_none(),
        _ => false,
    }
}
