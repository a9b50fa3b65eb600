//! The start and end of sessions: CONNECT, take-over, DISCONNECT, wills and expiry.

use std::time::{Duration, Instant};

use bytestring::ByteString;

use super::backlog::availability;
use super::publish::is_reserved;
use super::reason::Reason;
use super::session::ClientSession;
use super::{Alarm, ConnectionId, EndReason, NEVER, Router, SessionKey, copies, lesser};
use crate::broker::access::acl::TopicAccess;
use crate::broker::limits::{IN_FLIGHT, Limit};
use crate::broker::memory::MemoryLevel;
use crate::broker::router::message::{AddressedMessage, AppMessage, is_answerable};
use crate::mqtt::packet::{ConnAck, Connect, Disconnect, Packet, Will};
use crate::mqtt::property::{Properties, PropertyId};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// CONNACK return codes of the older versions (3.1.1 Table 3.1).
pub(super) const UNACCEPTABLE_VERSION: ReasonCode = ReasonCode(1);
const IDENTIFIER_REJECTED: ReasonCode = ReasonCode(2);
const SERVER_UNAVAILABLE: ReasonCode = ReasonCode(3);
/// The user name or the password is wrong.
pub const BAD_CREDENTIALS: ReasonCode = ReasonCode(4);
/// The client may not connect.
pub const NOT_AUTHORIZED: ReasonCode = ReasonCode(5);

/// The longest client identifier of MQTT 3.1, in characters (3.1 §3.1).
const LONGEST_IN_3_1: usize = 23;

/// A client identifier of so many bytes costs no more than a connection does.
const SMALL_CLIENT_ID: usize = 256;

impl Router {
    /// CONNECT (§3.1.4).
    pub(super) fn connect(&mut self, id: ConnectionId, connect: &Connect, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.introduce(connect);
        peer.heard = now;
        if let Err((reason, older)) = check(connect) {
            return self.refuse(id, &reason, older, now);
        }
        let refused = |will| lesser::refused_will(&self.limits, will);
        if let Some(reason) = connect.will.as_ref().and_then(refused) {
            return self.refuse(id, &reason, SERVER_UNAVAILABLE, now);
        }
        // Those who come for their messages make room.
        let is_kept = connect.will.is_some() || connect.client_id.len() > SMALL_CLIENT_ID;
        if is_kept && self.memory.level == MemoryLevel::Out {
            self.tell_of_memory(now);
            let reason = Reason::new(ReasonCode::SERVER_BUSY, "the broker has no memory left");
            return self.refuse(id, &reason, SERVER_UNAVAILABLE, now);
        }
        self.log_in(id, connect, now);
    }

    /// A client that may connect gets its session.
    pub(super) fn admit_client(&mut self, id: ConnectionId, connect: &Connect, now: Instant) {
        let anonymous = connect.client_id.is_empty();
        let client_id =
            if anonymous { self.assign_client_id() } else { copies::text(&connect.client_id) };
        self.take_over(&client_id, now);
        let (key, present) = self.begin_session(&client_id, connect.clean_start, now);
        let Some(key) = key else {
            let reason = Reason::new(ReasonCode::SERVER_BUSY, "the broker has too many sessions");
            return self.refuse(id, &reason, SERVER_UNAVAILABLE, now);
        };
        self.join(id, key, connect, now);
        let properties = match connect.version {
            Version::V5 => lesser::announced(&self.limits, connect, anonymous.then_some(client_id)),
            _ => Properties::default(),
        };
        let code = ReasonCode::SUCCESS;
        // In MQTT 3.1 the byte is reserved (3.1 §3.2).
        let session_present = present && connect.version != Version::V3_1;
        let connack = ConnAck { session_present, code, properties };
        let connack = Packet::ConnAck(Box::new(connack));
        if !self.peers.get(&id).is_some_and(|peer| peer.takes(&connack)) {
            // `[MQTT-3.1.2-24]`, and nothing else may come first `[MQTT-3.2.0-1]`.
            let string = "CONNACK is larger than the client's Maximum Packet Size";
            self.lines.notes.push(format!("{}: {string}", self.name(id)));
            return self.end(id, EndReason::Refused, now);
        }
        self.send(id, connack);
        self.pump(key, now);
    }

    /// Ties a connection to its session.
    fn join(&mut self, id: ConnectionId, key: SessionKey, connect: &Connect, now: Instant) {
        let (Some(peer), Some(session)) = (self.peers.get_mut(&id), self.sessions.get_mut(key))
        else {
            return;
        };
        let properties = &connect.properties;
        peer.session = Some(key);
        peer.silence = match lesser::keep_alive(&self.limits, connect) {
            0 => None,
            seconds => Some(Duration::from_millis(u64::from(seconds) * 1500)),
        };
        session.connection = Some(id);
        session.rights = self.logins.rights(&session.client_id, connect);
        self.statistics.connected();
        self.sessions.set_present(key);
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.expiry = match connect.version {
            Version::V5 => properties.session_expiry_interval().unwrap_or(0),
            _ if connect.clean_start => 0,
            _ => NEVER,
        };
        session.outbound.resume(properties.receive_maximum().unwrap_or(IN_FLIGHT));
        session.inbound.resume();
        session.will = connect.will.as_ref().map(copies::will);
        self.watch(id, now);
    }

    /// The connection that has this session ends `[MQTT-3.1.4-3]`.
    fn take_over(&mut self, client_id: &ByteString, now: Instant) {
        let session = self.sessions.find(client_id).and_then(|key| self.sessions.get(key));
        if let Some(old) = session.and_then(|session| session.connection) {
            let string = "another connection has the same client identifier";
            let reason = Reason::new(ReasonCode::SESSION_TAKEN_OVER, string);
            self.shut(old, &reason, EndReason::TakenOver, now);
        }
    }

    /// The session of a client identifier, and whether it was there (§3.1.2.4); `None` if there
    /// are too many.
    fn begin_session(
        &mut self,
        client_id: &ByteString,
        clean: bool,
        now: Instant,
    ) -> (Option<SessionKey>, bool) {
        if let Some(key) = self.sessions.find(client_id) {
            if !clean {
                self.wake(key);
                return (Some(key), true);
            }
            self.end_session(key, now);
        }
        let is_full = self.sessions.len() >= self.limits.get(Limit::Sessions);
        if is_full && !self.make_room_for_session(now) {
            return (None, false);
        }
        (Some(self.sessions.insert(ClientSession::new(client_id.clone()))), false)
    }

    /// Ends the session of an absent client, so that old sessions do not lock new clients out.
    /// False if all are there.
    fn make_room_for_session(&mut self, now: Instant) -> bool {
        let Some(key) = self.sessions.least_missed() else { return false };
        if let Some(session) = self.sessions.get(key) {
            let (client_id, messages) = (&*session.client_id, session.outbound.len());
            let line = format!(
                "there are too many sessions (see --limit): that of {client_id:?}, whose client \
                 has been absent longest, is ended, with {messages} messages for it"
            );
            // Only what is lost must be seen; there may be many.
            let lines = if messages > 0 { &mut self.lines.warnings } else { &mut self.lines.notes };
            lines.push(line);
        }
        self.end_session(key, now);
        true
    }

    /// The client of a session has reconnected in time: the session does not expire, and its will
    /// is not published.
    fn wake(&mut self, key: SessionKey) {
        self.report_dropped(key);
        let Some(session) = self.sessions.get_mut(key) else { return };
        self.timers.cancel(session.will_at.take(), Alarm::Will(key));
        self.timers.cancel(session.expires_at.take(), Alarm::Expiry(key));
        session.will = None;
    }

    /// A client identifier that no session has `[MQTT-3.1.3-6]`.
    fn assign_client_id(&mut self) -> ByteString {
        loop {
            let client_id = ByteString::from(format!("served{}", self.sessions.next_number()));
            if self.sessions.find(&client_id).is_none() {
                return client_id;
            }
        }
    }

    /// Refuses a CONNECT with the code of its version, and closes the connection.
    pub(super) fn refuse(
        &mut self,
        id: ConnectionId,
        Reason { code, string }: &Reason,
        older: ReasonCode,
        now: Instant,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let code = if peer.version == Version::V5 { *code } else { older };
        let connack = |properties| {
            Packet::ConnAck(Box::new(ConnAck { session_present: false, code, properties }))
        };
        let connack = peer.explained(string, connack);
        // `[MQTT-3.1.2-24]`
        if peer.takes(&connack) {
            peer.push(connack.into());
        }
        self.lines.notes.push(format!("{}: {string}", self.name(id)));
        self.end(id, EndReason::Refused, now);
    }

    /// DISCONNECT (§3.14.4).
    pub(super) fn disconnected(
        &mut self,
        id: ConnectionId,
        key: SessionKey,
        disconnect: &Disconnect,
        now: Instant,
    ) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        if let Some(expiry) = disconnect.properties.session_expiry_interval() {
            // §3.14.2.2.2: a session that ends with the connection cannot get an expiry now.
            if session.expiry == 0 && expiry != 0 {
                let string =
                    "DISCONNECT sets a session expiry interval, CONNECT had 0 (§3.14.2.2.2)";
                return self.misbehaved(id, string, now);
            }
            session.expiry = expiry;
        }
        // `[MQTT-3.14.4-3]`
        if disconnect.code == ReasonCode::SUCCESS {
            session.will = None;
        }
        self.end(id, EndReason::Done, now);
    }

    /// A session loses its connection: will delay and expiry count from now on.
    pub(super) fn part(&mut self, key: SessionKey, now: Instant) {
        self.report_dropped(key);
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.connection = None;
        self.statistics.disconnected();
        session.outbound.detach();
        self.sessions.set_absent(key, now);
        let Some(session) = self.sessions.get_mut(key) else { return };
        let expiry = session.expiry;
        let delay = |will: &Will| will.properties.will_delay_interval().unwrap_or(0);
        let delay = session.will.as_ref().map(delay);
        if expiry != 0 && expiry != NEVER {
            session.expires_at = now.checked_add(Duration::from_secs(u64::from(expiry)));
            if let Some(at) = session.expires_at {
                self.timers.set(at, Alarm::Expiry(key));
            }
        }
        // The earlier of the delay and the end of the session (§3.1.3.2.2).
        match delay.map(|delay| delay.min(expiry)) {
            Some(0) => self.publish_will(key, now),
            Some(delay) => {
                session.will_at = now.checked_add(Duration::from_secs(u64::from(delay)));
                if let Some(at) = session.will_at {
                    self.timers.set(at, Alarm::Will(key));
                }
            }
            None => {}
        }
        if expiry == 0 {
            self.end_session(key, now);
        }
    }

    /// Publishes the will of a session, once `[MQTT-3.1.2-8]`.
    pub(super) fn publish_will(&mut self, key: SessionKey, now: Instant) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        self.timers.cancel(session.will_at.take(), Alarm::Will(key));
        let Some(will) = session.will.take() else { return };
        if is_reserved(&will.topic) || !session.may(TopicAccess::Write, &will.topic) {
            let (client_id, topic) = (&*session.client_id, will.topic.as_str());
            let note = format!("{client_id:?} may not publish its will to {topic:?}");
            return self.lines.notes.push(note);
        }
        self.route(&mut AppMessage::willed(will, now), Some(key), None, now);
    }

    /// Removes a session; a will that was delayed until its end is published.
    pub(super) fn end_session(&mut self, key: SessionKey, now: Instant) {
        self.publish_will(key, now);
        self.readmit(key);
        let Some(session) = self.sessions.remove(key) else { return };
        self.timers.cancel(session.expires_at, Alarm::Expiry(key));
        for filter in &session.filters {
            self.subscriptions.remove(key, filter);
        }
        for delivery in session.outbound.into_undelivered() {
            self.pass_on(delivery, now);
        }
    }

    /// Gives a message of a shared subscription to another member (§4.8.2).
    fn pass_on(&mut self, delivery: AddressedMessage, now: Instant) {
        let Some((filter, mut message)) = AppMessage::taken_back(delivery) else { return };
        if message.is_expired(now) {
            return;
        }
        let (sessions, peers, topic) = (&self.sessions, &self.peers, &message.topic);
        let availability = |key| availability(sessions, peers, key, topic);
        let next = self.subscriptions.next_member(&filter, message.retain, availability);
        if let Some((key, grant)) = next {
            self.readmit(key);
            self.deliver(key, &mut message, &grant, None, now);
        }
    }
}

/// The reasons to refuse a CONNECT, for MQTT 5 and for the older versions.
fn check(connect: &Connect) -> Result<(), (Reason, ReasonCode)> {
    let refused = |code, string| Err((Reason::new(code, string), SERVER_UNAVAILABLE));
    if connect.properties.has(PropertyId::AuthenticationMethod) {
        let string = "the broker has no enhanced authentication";
        return refused(ReasonCode::BAD_AUTHENTICATION_METHOD, string);
    }
    if connect.properties.has(PropertyId::AuthenticationData) {
        let string = "authentication data without an authentication method (§3.1.2.11.10)";
        return refused(ReasonCode::PROTOCOL_ERROR, string);
    }
    if connect.will.as_ref().is_some_and(|will| !is_answerable(&will.properties)) {
        let string = "the response topic of the will has a wildcard [MQTT-3.3.2-14]";
        return refused(ReasonCode::PROTOCOL_ERROR, string);
    }
    if let Some(string) = refused_identifier(connect) {
        let code = ReasonCode::CLIENT_IDENTIFIER_NOT_VALID;
        return Err((Reason::new(code, string), IDENTIFIER_REJECTED));
    }
    Ok(())
}

/// Why a client identifier is refused: one of MQTT 3.1 has 1 to 23 characters (3.1 §3.1), and in
/// 3.1.1 an empty one needs a clean session (3.1.1 `[MQTT-3.1.3-8]`).
fn refused_identifier(connect: &Connect) -> Option<&'static str> {
    let Connect { version, client_id, clean_start, .. } = connect;
    match (version, client_id.is_empty()) {
        (Version::V3_1, true) => Some("MQTT 3.1 needs a client identifier"),
        (Version::V3_1, false) if client_id.chars().count() > LONGEST_IN_3_1 => {
            Some("in MQTT 3.1 a client identifier has at most 23 characters")
        }
        (Version::V3_1_1, true) if !clean_start => {
            Some("an empty client identifier needs a clean session")
        }
        _ => None,
    }
}
