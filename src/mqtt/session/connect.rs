//! The beginning of a connection: CONNECT, CONNACK, and the exchanges that an earlier connection
//! left unfinished.

use std::time::Instant;

use super::exchange::Resend;
use super::lifetime::SessionEnd;
use super::sent::SentMessage;
use super::server_limits::ServerLimits;
use super::{Config, Event, Session, State, Violation, inbound};
use crate::mqtt::packet::{Ack, ConnAck, Connect, MAXIMUM_REMAINING_LENGTH, Packet};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// The size of the largest packet that MQTT has, in bytes.
const LARGEST_PACKET: usize = 5 + MAXIMUM_REMAINING_LENGTH;

/// The length in bytes of a PUBACK, PUBREC, PUBREL or PUBCOMP without a reason code.
const SHORTEST_ANSWER: u32 = 4;

impl Session {
    /// Sends CONNECT on a new network connection. Nothing else is sent before CONNACK.
    pub fn connect(&mut self) {
        self.state = State::Connecting;
        self.receiver.connecting(&self.config);
        self.outbox.clear();
        self.aliases.clear();
        self.limits = ServerLimits::before_connack();
        self.keep_alive.stop();
        self.at_server.connecting();
        let properties = self.connect_properties();
        let connect = Connect {
            version: self.config.version,
            clean_start: self.clean_start(),
            keep_alive: self.config.keep_alive,
            client_id: self.config.client_id.clone(),
            will: self.config.will.clone(),
            credentials: self.authenticator.credentials(&self.config.login),
            properties,
        };
        self.send(&Packet::Connect(Box::new(connect)));
    }

    fn clean_start(&self) -> bool {
        let Config { lifetime, clean_start, version, .. } = self.config;
        self.at_server.clean_start(lifetime, clean_start, version)
    }

    /// How the session at the server ends when the client has finished.
    pub(super) fn end(&self) -> SessionEnd {
        self.config.lifetime.end(self.config.version)
    }

    /// Before MQTT 5, after [`Event::Connected`]: whether the server has an old session of this
    /// client identifier although the client wants a new one.
    pub fn is_stale(&self, connack: &ConnAck) -> bool {
        self.at_server.is_stale(self.config.lifetime, self.config.version, connack)
    }

    /// With `true`, the next connection ends the session at the server. With `false`, the one after
    /// it begins a new session.
    pub fn set_session_ending(&mut self, forget: bool) {
        self.at_server.set_ending(forget);
    }

    /// Whether the server retains the session after DISCONNECT although it should end. Then another
    /// connection must end it, see [`Session::set_session_ending`].
    pub fn needs_ending_connection(&self) -> bool {
        self.end() == SessionEnd::CleanConnection
    }

    /// Whether the server retains the session when this connection is lost, although no client will
    /// resume it.
    pub fn outlives_lost_connection(&self) -> bool {
        self.at_server.is_begun()
            && matches!(self.end(), SessionEnd::Disconnect | SessionEnd::CleanConnection)
    }

    fn connect_properties(&mut self) -> Properties {
        let mut properties = Properties::default();
        if !self.config.version.has_properties() {
            return properties;
        }
        if self.end() != SessionEnd::Connection && self.config.session_expiry > 0 {
            properties.push(Property::number(
                PropertyId::SessionExpiryInterval,
                self.config.session_expiry,
            ));
        }
        properties
            .push(Property::number(PropertyId::ReceiveMaximum, inbound::RECEIVE_MAXIMUM.into()));
        // A limit that no packet can exceed says nothing, and makes Paho's broker hang up. No Topic
        // Alias Maximum is announced: mochi sends a session again with aliases that it has
        // forgotten.
        if let Ok(maximum) = u32::try_from(self.config.receiving.maximum_packet)
            && self.config.receiving.maximum_packet < LARGEST_PACKET
        {
            properties.push(Property::number(PropertyId::MaximumPacketSize, maximum));
        }
        let given = self.config.properties.connect.iter();
        for property in given.filter(|property| !self.authenticator.withholds(property)) {
            properties.set(property.clone());
        }
        self.authenticator.begin(&self.config.login, &mut properties);
        properties
    }

    /// Checks that Clean Start has begun a new session `[MQTT-3.2.2-2]` `[MQTT-3.2.2-4]`, and that
    /// acknowledgements fit. In an old session the server could take a new QoS 2 message for one
    /// that it already has under the same identifier.
    pub(super) fn check_session(&self, connack: &ConnAck) -> Result<(), Violation> {
        if connack.session_present && self.clean_start() && self.config.version.has_properties() {
            return Err(Violation::Unexpected(
                "session in CONNACK, although a new one was asked for",
            ));
        }
        let limit = connack.properties.maximum_packet_size();
        match limit.filter(|size| connack.code == ReasonCode::SUCCESS && *size < SHORTEST_ANSWER) {
            Some(size) => Err(Violation::MaximumPacketSize(size)),
            None => Ok(()),
        }
    }

    pub(super) fn connected(&mut self, connack: Box<ConnAck>, now: Instant) -> Event {
        if connack.code != ReasonCode::SUCCESS {
            self.at_server.refused();
            self.state = State::Ended;
            return Event::Refused(connack);
        }
        self.state = State::Online;
        self.limits = ServerLimits::from_connack(&connack.properties, self.config.version);
        let keep_alive = self.limits.server_keep_alive.unwrap_or(self.config.keep_alive);
        self.keep_alive.start(keep_alive, now);
        if let Some(assigned) = connack.properties.assigned_client_identifier() {
            self.config.client_id = assigned.clone();
        }
        let is_present = self.session_present(&connack);
        self.receiver.relaying.connected(is_present);
        if !self.at_server.is_ending() {
            self.resume(is_present);
        }
        self.at_server.connected();
        Event::Connected(connack)
    }

    /// Whether the server has the session. MQTT 3.1 has no Session Present: there a session is
    /// taken to exist unless this CONNECT has begun a new one (3.1 §3.1).
    fn session_present(&self, connack: &ConnAck) -> bool {
        match self.config.version {
            Version::V3_1 => self.at_server.is_begun() && !self.clean_start(),
            Version::V3_1_1 | Version::V5 => connack.session_present,
        }
    }

    /// Resumes the unfinished exchanges on a new connection (§4.4).
    fn resume(&mut self, session_present: bool) {
        // The server may have lost the session, and an unanswered CONNECT of this client may then
        // have begun the session that it now reports.
        let unsure = self.at_server.take_unsure() || self.config.version == Version::V3_1;
        let resumed = self.exchanges.resume(session_present);
        if self.receiver.resume(session_present, unsure) {
            self.reports.push(Event::MessageCut);
        }
        if !session_present || unsure || resumed.unanswered_subscribe {
            self.subscribe_again();
        }
        for (filters, properties) in resumed.unsubscribe {
            self.unsubscribe(filters, properties);
        }
        for token in resumed.in_doubt {
            self.reports.push(Event::InDoubt { token });
        }
        self.give_up();
        self.resend();
    }

    /// Sends unfinished packets again, as far as the window and the outbox allow.
    pub(super) fn resend(&mut self) {
        while self.state == State::Online && !self.at_server.is_ending() && self.outbox.has_room() {
            let (limits, asked) = (&self.limits, self.config.sending.max_inflight);
            match self.exchanges.resend(|qos| limits.window(qos, asked)) {
                Some(Resend::Publish { sent, packet_id, dup }) => {
                    self.send_publish(&sent, Some(packet_id), dup).expect("it was encoded before");
                }
                Some(Resend::Release(packet_id)) => {
                    self.send(&Packet::PubRel(Ack::success(packet_id)));
                }
                None => return,
            }
        }
    }

    /// Refuses unfinished messages that the server of this connection does not accept; its limits
    /// may be lower than before.
    fn give_up(&mut self) {
        let (limits, version) = (&self.limits, self.config.version);
        let verdict = |sent: &SentMessage| {
            limits.check(&sent.head(), sent.length(), version).err().map(|error| error.code())
        };
        for (token, code) in self.exchanges.give_up(verdict) {
            self.reports.push(Event::Acknowledged { token, code, reason: None });
        }
    }

    fn subscribe_again(&mut self) {
        for (subscriptions, properties) in self.subscriptions.take() {
            self.subscribe(subscriptions, properties);
        }
    }
}
