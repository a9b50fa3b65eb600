//! How a connection begins: CONNECT, CONNACK, and the unfinished business of the one before.

use std::time::Instant;

use super::exchange::Again;
use super::keep_alive::KeepAlive;
use super::limits::Limits;
use super::sent::Sent;
use super::{Event, Session, State, Violation, inbound};
use crate::mqtt::packet::{Ack, ConnAck, Connect, Credentials, Packet};
use crate::mqtt::property::{Properties, Property};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

impl Session {
    /// A network connection stands: CONNECT goes out, alone, and CONNACK is awaited.
    pub fn connect(&mut self) {
        self.state = State::Connecting;
        self.decoder = super::decoder(&self.config);
        self.parts.connection_lost();
        self.outbox.clear();
        self.aliases.clear();
        self.limits = Limits::before_connack();
        self.keep_alive = KeepAlive::off();
        self.unsure |= std::mem::replace(&mut self.unanswered, true);
        let properties = self.connect_properties();
        let connect = Connect {
            version: self.config.version,
            clean_start: self.clean_start(),
            keep_alive: self.config.keep_alive,
            client_id: self.config.client_id.clone(),
            will: self.config.will.clone(),
            credentials: self.credentials(),
            properties,
        };
        self.send(&Packet::Connect(Box::new(connect)));
    }

    fn credentials(&self) -> Credentials {
        if self.withhold_credentials {
            Credentials::default()
        } else {
            self.config.credentials.clone()
        }
    }

    /// Clean Start begins a new session; the older Clean Session also ends it with the connection,
    /// so where it must not, a new session is only begun by [`Session::forget_at_server`].
    fn clean_start(&self) -> bool {
        match self.config.version {
            _ if self.forget_at_server => true,
            Version::V5 => self.config.clean_start && !self.resumable,
            Version::V3_1 | Version::V3_1_1 => !self.survives(),
        }
    }

    fn survives_connection(&self) -> bool {
        self.config.outlives_connection
            && (self.config.version == Version::V5 || !self.config.only_with_expiry)
    }

    /// Whether the server is asked to keep the session when the connection is lost.
    pub(super) fn survives(&self) -> bool {
        self.survives_connection() || self.config.outlives_us
    }

    /// Before MQTT 5: the server has an old session of our identifier, where we want a new one
    /// (after [`Event::Connected`]).
    pub fn is_stale(&self, connack: &ConnAck) -> bool {
        connack.session_present
            && self.leaves_remains()
            && !self.resumable_before
            && !self.forget_at_server
    }

    /// Makes the next connection end the session at the server, or (`false`) the one after it begin
    /// a new one.
    pub fn forget_at_server(&mut self, forget: bool) {
        self.forget_at_server = forget;
        self.resumable = false;
    }

    /// Whether the server would keep the session after our DISCONNECT, although we do not want it
    /// to: then one more connection must end it, see [`Session::forget_at_server`].
    pub fn leaves_remains(&self) -> bool {
        self.config.version < Version::V5 && self.survives_connection() && !self.config.outlives_us
    }

    /// Whether the server keeps a session of ours that nobody wants when this connection is lost.
    pub fn stays_at_server(&self) -> bool {
        self.resumable && self.survives_connection() && !self.config.outlives_us
    }

    fn connect_properties(&mut self) -> Properties {
        let mut properties = Properties::default();
        if !self.config.version.has_properties() {
            return properties;
        }
        if self.survives() && self.config.session_expiry > 0 {
            properties.push(Property::SessionExpiryInterval(self.config.session_expiry));
        }
        properties.push(Property::ReceiveMaximum(inbound::RECEIVE_MAXIMUM));
        if inbound::TOPIC_ALIAS_MAXIMUM > 0 {
            properties.push(Property::TopicAliasMaximum(inbound::TOPIC_ALIAS_MAXIMUM));
        }
        if let Ok(maximum) = u32::try_from(self.config.maximum_packet) {
            properties.push(Property::MaximumPacketSize(maximum));
        }
        for property in &self.config.connect_properties {
            properties.set(property.clone());
        }
        self.begin_authentication(&mut properties);
        properties
    }

    /// `[MQTT-3.2.2-2]`, `[MQTT-3.2.2-4]`: Clean Start begins a new session. In another one our
    /// identifiers would not be ours: a message of QoS 2 could pass for one that the server has
    /// already.
    pub(super) fn check_session(&self, connack: &ConnAck) -> Result<(), Violation> {
        if connack.session_present && self.clean_start() && self.config.version.has_properties() {
            return Err(Violation::Unexpected(
                "session in CONNACK, although a new one was asked for",
            ));
        }
        Ok(())
    }

    pub(super) fn connected(&mut self, connack: Box<ConnAck>, now: Instant) -> Event {
        self.unanswered = false;
        if connack.code != ReasonCode::SUCCESS {
            self.state = State::Ended;
            return Event::Refused(connack);
        }
        self.state = State::Online;
        self.limits = Limits::from_connack(&connack.properties, self.config.version);
        let keep_alive = self.limits.server_keep_alive.unwrap_or(self.config.keep_alive);
        self.keep_alive = KeepAlive::every(keep_alive, now, self.held);
        if let Some(assigned) = connack.properties.assigned_client_identifier() {
            self.config.client_id = assigned.clone();
        }
        if !self.forget_at_server {
            self.resume(self.session_present(&connack));
        }
        self.resumable_before = std::mem::replace(&mut self.resumable, true);
        Event::Connected(connack)
    }

    /// MQTT 3.1 has no Session Present: what we did not begin anew must be there (3.1 §3.1).
    fn session_present(&self, connack: &ConnAck) -> bool {
        match self.config.version {
            Version::V3_1 => self.resumable && !self.clean_start(),
            Version::V3_1_1 | Version::V5 => connack.session_present,
        }
    }

    /// Takes up the unfinished exchanges on a new connection (§4.4).
    fn resume(&mut self, session_present: bool) {
        // The session may also be one that an unanswered CONNECT of ours began, after the server
        // lost the other.
        let unsure = std::mem::take(&mut self.unsure) || self.config.version == Version::V3_1;
        let resumed = self.exchanges.resume(session_present);
        self.inbound.resume(session_present, unsure);
        if (!session_present || self.parts.is_fleeting()) && self.tear() {
            self.events.push_back(Event::MessageTorn);
        }
        if !session_present || unsure || resumed.unanswered_subscribe {
            self.subscribe_again();
        }
        for (filters, properties) in resumed.unsubscribe {
            self.unsubscribe(filters, properties);
        }
        self.events.extend(resumed.in_doubt.into_iter().map(|record| Event::InDoubt { record }));
        self.give_up();
        self.resend();
    }

    /// Sends again what the window and the outbox allow.
    pub(super) fn resend(&mut self) {
        while self.state == State::Online && !self.forget_at_server && self.outbox.has_room() {
            let (limits, asked) = (&self.limits, self.config.max_inflight);
            match self.exchanges.resend(|qos| limits.window(qos, asked)) {
                Some(Again::Publish { sent, packet_id, dup }) => {
                    self.send_publish(&sent, Some(packet_id), dup).expect("it was encoded before");
                }
                Some(Again::Release(packet_id)) => {
                    self.send(&Packet::PubRel(Ack::success(packet_id)))
                }
                None => return,
            }
        }
    }

    /// The server of this connection may take less than the one before: what it would not take is
    /// refused here.
    fn give_up(&mut self) {
        let (limits, version) = (&self.limits, self.config.version);
        let verdict = |sent: &Sent| {
            limits.check(&sent.head, sent.length(), version).err().map(|error| error.code())
        };
        for (record, code) in self.exchanges.give_up(verdict) {
            self.events.push_back(Event::Acknowledged { record, code, reason: None });
        }
    }

    fn subscribe_again(&mut self) {
        for (subscriptions, properties) in std::mem::take(&mut self.subscriptions) {
            self.subscribe(subscriptions, properties);
        }
    }
}
