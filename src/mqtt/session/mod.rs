//! The client's side of a session (MQTT 5 §4): a state machine driven by bytes and `Instant`s.
//!
//! The contract is *mutate, drain, wait*. After [`Session::receive`] or any other change, call
//! [`Session::poll`] until it returns no event and send the bytes of [`Session::outgoing`]. Only
//! then wait, at most until [`Session::deadline`]; when that passes, call [`Session::expire`].
//!
//! A session outlives its connections:
//!
//! ```text
//!             connect            CONNACK             disconnect
//!   Offline ----------> Connecting ----------> Online ----------> Closing
//!      ^                    | refused            | DISCONNECT, violation | DISCONNECT, violation
//!      |                    v                    v                       v
//!      +---- lost ---- (any state)             Ended <-------------------+
//! ```

mod acknowledgements;
mod authentication;
mod config;
mod connect;
mod event;
mod exchange;
mod idle;
mod in_flight;
mod inbound;
mod keep_alive;
mod lifetime;
mod outbox;
mod partial;
mod receive;
mod relaying;
mod reports;
mod runs;
mod send;
mod sent;
mod server_limits;
mod subscriptions;
#[cfg(test)]
mod tests;
mod topic_aliases;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::mqtt::packet::{Decoded, Disconnect, Packet, PacketType, SubAck, UnsubAck};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

pub use authentication::Authenticator;
pub use config::{
    Answering, Authentication, Config, ExtraProperties, Login, PacketGrouping, ReceiveOptions,
    ReportOptions, SendOptions, Strictness, SuccessReports, TopicAliasUse,
};
pub use event::{Delivery, Deviation, Event, Silence, Unsendable, Unsubscribable, Violation};
use in_flight::Exchanges;
use keep_alive::KeepAlive;
use lifetime::ServerSession;
pub use lifetime::{IdChoice, Lifetime};
use outbox::Outbox;
pub use receive::Received;
use receive::Receiver;
pub use relaying::Continuity;
use reports::Reports;
use server_limits::ServerLimits;
pub use server_limits::unsaid_window;
use subscriptions::SubscriptionList;
use topic_aliases::TopicAliases;

/// The state of the network connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is no connection.
    Offline,
    /// CONNECT was sent; CONNACK is awaited.
    Connecting,
    /// CONNACK has accepted the connection.
    Online,
    /// The client's DISCONNECT was sent. Nothing may be sent after it `[MQTT-3.14.4-1]`, but
    /// packets from the server still count.
    Closing,
    /// DISCONNECT was received, CONNECT was refused, or the server broke the protocol: nothing more
    /// is read or sent.
    Ended,
}

/// The client's side of a session, over any number of connections.
#[derive(Debug)]
pub struct Session {
    config: Config,
    state: State,
    at_server: ServerSession,
    authenticator: Authenticator,
    limits: ServerLimits,
    aliases: TopicAliases,
    keep_alive: KeepAlive,
    outbox: Outbox,
    exchanges: Exchanges,
    subscriptions: SubscriptionList,
    receiver: Receiver,
    reports: Reports,
}

impl Session {
    /// A session before its first connection.
    pub fn new(config: Config) -> Self {
        Self {
            state: State::Offline,
            at_server: ServerSession::default(),
            authenticator: Authenticator::default(),
            limits: ServerLimits::before_connack(),
            aliases: TopicAliases::default(),
            keep_alive: KeepAlive::default(),
            outbox: Outbox::new(config.sending.grouping),
            exchanges: Exchanges::default(),
            subscriptions: SubscriptionList::default(),
            receiver: Receiver::new(&config),
            reports: Reports::default(),
            config,
        }
    }

    /// The configuration. The server may have assigned the client identifier.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Sets the version for the next connection.
    pub fn set_version(&mut self, version: Version) {
        self.config.version = version;
    }

    /// Sets how the client authenticates itself in the next CONNECT.
    pub fn set_login(&mut self, login: Login) {
        self.config.login = login;
    }

    /// Leaves user name, password and enhanced authentication out of the next CONNECT, because it
    /// goes to another server than the one they are for. Returns whether that is a change.
    pub fn withhold_credentials(&mut self, withheld: bool) -> bool {
        self.authenticator.withhold(withheld)
    }

    /// The network connection is lost; unfinished exchanges wait for the next one.
    pub fn lost(&mut self) {
        self.state = State::Offline;
        self.outbox.clear();
        self.receiver.connection_lost(&self.config);
        self.keep_alive.stop();
    }

    /// Takes bytes from the server, any number of them, cut anywhere.
    pub fn receive(&mut self, bytes: Bytes, now: Instant) {
        self.keep_alive.received(now);
        self.receiver.decoder.feed(bytes);
    }

    /// Returns the next event, or `None` if more bytes are needed. After a violation the session
    /// has ended, and in MQTT 5 the outbox holds a DISCONNECT with the reason.
    pub fn poll(&mut self, now: Instant) -> Result<Option<Event>, Violation> {
        if let Some(event) = self.reports.next_event() {
            return Ok(Some(event));
        }
        while self.state != State::Ended {
            let step = match self.acknowledgements() {
                Ok(None) => match self.receiver.decoder.next_part() {
                    Ok(None) => return Ok(None),
                    Ok(Some(Decoded::Packet(packet))) => self.handle(packet, now),
                    Ok(Some(part)) => self.part(part),
                    Err(malformed) => Err(Violation::Malformed(malformed)),
                },
                step => step,
            };
            match step {
                Ok(None) => {}
                Ok(event) => return Ok(event),
                Err(violation) => return Err(self.violated(violation)),
            }
        }
        Ok(None)
    }

    fn violated(&mut self, violation: Violation) -> Violation {
        self.disconnect(violation.code());
        violation
    }

    /// Whether a message or an acknowledgement was received since the last call.
    pub fn was_useful(&mut self) -> bool {
        self.reports.take_useful()
    }

    fn handle(&mut self, packet: Packet, now: Instant) -> Result<Option<Event>, Violation> {
        self.note("received", &packet);
        if self.state == State::Connecting {
            return self.handle_connecting(packet, now);
        }
        let packet = match self.relayed(packet)? {
            ControlFlow::Break(event) => return Ok(event),
            ControlFlow::Continue(packet) => packet,
        };
        match packet {
            // It can no longer be acknowledged, so the server will send it again.
            Packet::Publish(_) if self.state == State::Closing => Ok(None),
            Packet::Publish(publish) => self.published(publish),
            Packet::PubAck(ack) => self.puback(&ack),
            Packet::PubRec(ack) => self.pubrec(&ack),
            Packet::PubComp(ack) => self.pubcomp(&ack),
            Packet::PubRel(ack) => {
                check_code(PacketType::PubRel, ack.code)?;
                self.pubrel(ack.packet_id);
                Ok(self.released())
            }
            Packet::SubAck(suback) => self.subscribed(suback),
            Packet::UnsubAck(unsuback) => self.unsubscribed(unsuback),
            Packet::PingResp => Ok(self.keep_alive.pong().then_some(Event::Pong)),
            Packet::Disconnect(disconnect) if self.config.version.has_properties() => {
                self.disconnected(disconnect).map(Some)
            }
            other => Err(Violation::Unexpected(other.packet_type().name())),
        }
    }

    fn disconnected(&mut self, disconnect: Disconnect) -> Result<Event, Violation> {
        check_code(PacketType::Disconnect, disconnect.code)?;
        self.state = State::Ended;
        Ok(Event::Disconnected(Box::new(disconnect)))
    }

    /// Handles a packet before CONNACK, or CONNACK itself. Some servers send DISCONNECT instead,
    /// which they must not `[MQTT-3.14.0-1]`; its reason is worth more than that.
    fn handle_connecting(
        &mut self,
        packet: Packet,
        now: Instant,
    ) -> Result<Option<Event>, Violation> {
        match packet {
            Packet::ConnAck(connack) => {
                check_code(PacketType::ConnAck, connack.code)?;
                self.authenticator.end(&connack)?;
                self.check_session(&connack)?;
                Ok(Some(self.connected(connack, now)))
            }
            Packet::Auth(auth) => {
                if auth.code != ReasonCode::CONTINUE_AUTHENTICATION {
                    let packet = PacketType::Auth;
                    return Err(Violation::UndefinedCode { packet, code: auth.code });
                }
                let answer = self.authenticator.answer(&auth)?;
                self.send(&Packet::Auth(answer));
                Ok(None)
            }
            Packet::Disconnect(disconnect) if self.config.version.has_properties() => {
                self.disconnected(disconnect).map(Some)
            }
            other => Err(Violation::Unexpected(other.packet_type().name())),
        }
    }

    fn subscribed(&mut self, suback: SubAck) -> Result<Option<Event>, Violation> {
        let awaited = self.exchanges.suback(suback.packet_id, suback.codes.len())?;
        suback.codes.iter().try_for_each(|&code| check_code(PacketType::SubAck, code))?;
        Ok(awaited.then(|| Event::Subscribed(suback)))
    }

    fn unsubscribed(&mut self, unsuback: UnsubAck) -> Result<Option<Event>, Violation> {
        let codes = self.config.version.has_properties().then_some(unsuback.codes.len());
        let awaited = self.exchanges.unsuback(unsuback.packet_id, codes)?;
        unsuback.codes.iter().try_for_each(|&code| check_code(PacketType::UnsubAck, code))?;
        Ok(awaited.then(|| Event::Unsubscribed(unsuback)))
    }

    /// The caller has finished with every message up to this number. Sends the acknowledgements
    /// that are due, in the order of the messages `[MQTT-4.6.0-2]`.
    pub fn acknowledge_up_to(&mut self, number: u64) {
        while let Some((packet, packet_id)) = self.receiver.inbound.next_acknowledgement(number) {
            if self.state == State::Online {
                self.send_success(packet, packet_id);
            }
        }
    }

    /// The time at which [`Session::expire`] must be called if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        if self.state == State::Online { self.keep_alive.deadline() } else { None }
    }

    /// The keep alive that the server demands instead of ours, 0 for none (MQTT 5 §3.2.2.3.14).
    pub fn server_keep_alive(&self) -> Option<Duration> {
        self.limits.server_keep_alive.map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// The keep alive of this connection, or `None` if it is off.
    pub fn keep_alive(&self) -> Option<Duration> {
        self.keep_alive.interval()
    }

    /// Call it when the deadline has passed. Sends a PINGREQ if one is due, or finds that the
    /// server is silent.
    pub fn expire(&mut self, now: Instant) -> Result<(), Silence> {
        if self.state == State::Online && self.keep_alive.expire(now)? {
            self.send(&Packet::PingReq);
        }
        Ok(())
    }

    /// While `held`, the caller does not read from the server, so its silence proves nothing.
    pub fn hold(&mut self, held: bool, now: Instant) {
        self.keep_alive.hold(held, now);
    }

    /// The next bytes to send; call it until it returns `None`. They may be joined or cut anywhere.
    /// With [`PacketGrouping::Single`] each piece is one packet.
    pub fn outgoing(&mut self, now: Instant) -> Option<Bytes> {
        let piece = self.outbox.take().or_else(|| {
            self.resend();
            self.outbox.take()
        });
        if piece.is_some() {
            self.keep_alive.sent(now);
        }
        piece
    }

    /// How many bytes of an incomplete packet have arrived.
    pub fn partial_packet(&self) -> usize {
        self.receiver.decoder.buffered()
    }

    /// How much of the payload of the message has arrived that is incomplete, and its length, both
    /// in bytes. `None` if there is no such message, or its length has not arrived.
    pub fn arriving_message(&self) -> Option<(usize, usize)> {
        if self.state == State::Online { self.receiver.decoder.incomplete_publish() } else { None }
    }

    /// Whether more than 64 KiB of acknowledgements (PUBACK, PUBREC, PUBREL, PUBCOMP) wait in
    /// [`Session::outgoing`], which means that the server sends without reading. Feed nothing more
    /// until they are taken, or a server could fill the client's memory.
    pub fn must_stop_reading(&self) -> bool {
        self.outbox.has_too_many_answers()
    }

    /// The next line of the packet log, if the configuration asks for one.
    pub fn traced(&mut self) -> Option<String> {
        self.reports.next_line()
    }

    /// What the server did against the protocol and the session has taken: each kind once.
    pub fn next_deviation(&mut self) -> Option<Deviation> {
        self.reports.next_deviation()
    }

    /// Takes a deviation of the server, unless it must keep to the protocol strictly.
    fn take_deviation(&mut self, deviation: Deviation) -> Result<(), Violation> {
        match self.config.receiving.strictness {
            Strictness::Strict => Err(deviation.violation()),
            Strictness::Tolerant => {
                self.reports.deviate(deviation);
                Ok(())
            }
        }
    }

    fn note(&mut self, verb: &str, packet: &Packet) {
        self.note_description(verb, || packet.describe());
    }

    fn note_description(&mut self, verb: &str, packet: impl FnOnce() -> String) {
        self.reports.log(&self.config, verb, packet);
    }
}

/// Refuses a code that is neither a success of this packet nor a failure.
fn check_code(packet: PacketType, code: ReasonCode) -> Result<(), Violation> {
    if code.is_valid_in(packet) {
        return Ok(());
    }
    Err(Violation::UndefinedCode { packet, code })
}
