//! The client's end of a session (MQTT 5 §4): a state machine driven by bytes and `Instant`s.
//!
//! The contract is *mutate, drain, wait*: after [`Session::receive`] or any other change, call
//! [`Session::poll`] until it has no event, send what [`Session::outgoing`] holds, and only then
//! wait, at most until [`Session::deadline`]; when that passes, call [`Session::expire`].
//! It outlives its connections: [`Session::connect`] begins one, [`Session::lost`] ends one.

mod authentication;
mod config;
mod event;
mod exchange;
mod inbound;
mod keep_alive;
mod limits;
mod opening;
mod outbox;
mod parts;
mod receiving;
mod sending;
mod sent;
#[cfg(test)]
mod tests;
mod unanswered;

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::mqtt::packet::{
    Ack, Credentials, Decoder, Packet, PacketId, PacketType, Part, Subscription,
};
use crate::mqtt::property::Properties;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::scram::Scram;
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;

pub use config::{Authentication, Config};
pub use event::{Delivery, Event, Silence, Unsendable, Unsubscribable, Violation};
use exchange::Exchanges;
use inbound::Inbound;
use keep_alive::KeepAlive;
use limits::Limits;
use outbox::Outbox;
use parts::Parts;
pub use receiving::Shown;

/// Where the network connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is none.
    Offline,
    /// CONNECT is sent, CONNACK is awaited.
    Connecting,
    /// CONNACK came with success.
    Online,
    /// Our DISCONNECT is sent: nothing may be sent after it `[MQTT-3.14.4-1]`, but what the server
    /// has still to say counts.
    Closing,
    /// DISCONNECT was received, CONNECT was refused, or the server broke the protocol: nothing more
    /// is read or sent.
    Ended,
}

/// See the module.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Session {
    config: Config,
    state: State,
    decoder: Decoder,
    outbox: Outbox,
    exchanges: Exchanges,
    inbound: Inbound,
    parts: Parts,
    limits: Limits,
    keep_alive: KeepAlive,
    /// See [`Session::hold`]; it may outlast a connection.
    held: bool,
    /// Each SUBSCRIBE that the caller has made, without what it gave back.
    subscriptions: Vec<(Vec<Subscription>, Properties)>,
    /// A connection of ours has begun the session, so the next one takes it up.
    resumable: bool,
    /// What `resumable` was before the latest CONNACK.
    resumable_before: bool,
    forget_at_server: bool,
    withhold_credentials: bool,
    /// The latest CONNECT was not answered, or (`unsure`) one before it.
    unanswered: bool,
    unsure: bool,
    /// The aliases that the server knows on this connection.
    aliases: HashMap<TopicName, u16>,
    /// The SCRAM exchange of a connection that is being opened.
    scram: Option<Scram>,
    /// How many connections there were: each needs a nonce of its own.
    connections: u64,
    events: VecDeque<Event>,
    trace: VecDeque<String>,
    /// A message or an acknowledgement came, since somebody asked.
    useful: bool,
    /// The latest message that [`Session::hand_out`] has shown.
    delivery: Delivery,
}

impl Session {
    /// A session that was never connected.
    pub fn new(config: Config) -> Self {
        Self {
            state: State::Offline,
            decoder: decoder(&config),
            outbox: Outbox::new(config.whole_packets),
            exchanges: Exchanges::default(),
            inbound: Inbound::default(),
            parts: Parts::default(),
            limits: Limits::before_connack(),
            keep_alive: KeepAlive::off(),
            held: false,
            subscriptions: Vec::new(),
            resumable: false,
            resumable_before: false,
            forget_at_server: false,
            withhold_credentials: false,
            unanswered: false,
            unsure: false,
            aliases: HashMap::new(),
            scram: None,
            connections: 0,
            events: VecDeque::new(),
            trace: VecDeque::new(),
            useful: false,
            delivery: Delivery::default(),
            config,
        }
    }

    /// What it was asked to be; the client identifier may since have been assigned by the server.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Tries another version at the next connection.
    pub fn set_version(&mut self, version: Version) {
        self.config.version = version;
    }

    /// User name and password of the next CONNECT.
    pub fn set_credentials(&mut self, credentials: Credentials) {
        self.config.credentials = credentials;
    }

    /// Keeps user name and password out of the next CONNECT: it goes to another server than they
    /// are for. Says whether that is news.
    pub fn withhold_credentials(&mut self, withheld: bool) -> bool {
        std::mem::replace(&mut self.withhold_credentials, withheld) != withheld
    }

    /// The network connection is gone; what is unfinished waits for the next one.
    pub fn lost(&mut self) {
        self.state = State::Offline;
        self.outbox.clear();
        // What it has not decided yet must not be taken for the next connection's.
        self.decoder = decoder(&self.config);
        self.inbound.connection_lost();
        self.parts.connection_lost();
        self.keep_alive = KeepAlive::off();
    }

    /// Bytes from the server; any number of them, cut anywhere.
    pub fn receive(&mut self, bytes: Bytes, now: Instant) {
        self.keep_alive.received(now);
        self.decoder.feed(bytes);
    }

    /// The next event, or `None` when more bytes are needed. After a violation the session has
    /// ended, and a DISCONNECT that says why waits in the outbox (MQTT 5).
    pub fn poll(&mut self, now: Instant) -> Result<Option<Event>, Violation> {
        if let Some(event) = self.events.pop_front() {
            return Ok(Some(event));
        }
        while self.state != State::Ended {
            let step = match self.acknowledgements() {
                Ok(None) => match self.decoder.next_part() {
                    Ok(None) => return Ok(None),
                    Ok(Some(Part::Packet(packet))) => self.handle(packet, now),
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

    /// A run of acknowledgements of success, which almost all answers are: no packet is made of
    /// each.
    fn acknowledgements(&mut self) -> Result<Option<Event>, Violation> {
        if !matches!(self.state, State::Online | State::Closing) || self.config.trace {
            return Ok(None);
        }
        let mut some_ended = false;
        while let Some((packet, packet_id)) = self.decoder.next_acknowledgement() {
            let ended = match packet {
                PacketType::PubAck => self.exchanges.puback(packet_id)?,
                PacketType::PubComp => self.exchanges.pubcomp(packet_id)?,
                PacketType::PubRec => {
                    self.exchanges.pubrec(packet_id)?;
                    self.send_success(PacketType::PubRel, packet_id);
                    None
                }
                _ => {
                    self.pubrel(packet_id);
                    None
                }
            };
            self.useful = true;
            if let Some(record) = ended.filter(|_| !self.config.only_failures) {
                self.resend();
                return Ok(Some(Event::Acknowledged {
                    record,
                    code: ReasonCode::SUCCESS,
                    reason: None,
                }));
            }
            some_ended |= ended.is_some();
        }
        self.resend();
        Ok(some_ended.then_some(Event::SomeAcknowledged))
    }

    /// Whether a message or an acknowledgement came since the last call.
    pub fn was_useful(&mut self) -> bool {
        std::mem::take(&mut self.useful)
    }

    fn handle(&mut self, packet: Packet, now: Instant) -> Result<Option<Event>, Violation> {
        self.note("received", &packet);
        match (self.state, packet) {
            (State::Connecting, Packet::ConnAck(connack)) => {
                self.end_authentication(&connack)?;
                self.check_session(&connack)?;
                Ok(Some(self.connected(connack, now)))
            }
            (State::Connecting, Packet::Auth(auth)) => {
                self.continue_authentication(&auth).map(|()| None)
            }
            (State::Connecting, other) => Err(Violation::Unexpected(other.packet_type().name())),
            // It could not be acknowledged any more, so the server will send it again.
            (State::Closing, Packet::Publish(_)) => Ok(None),
            (_, Packet::Publish(publish)) => self.published(publish),
            (_, Packet::PubAck(ack)) => {
                let ended = self.exchanges.puback(ack.packet_id)?;
                Ok(self.acknowledged(ended, ack.code, &ack.properties))
            }
            (_, Packet::PubRec(ack)) => self.received(&ack),
            (_, Packet::PubComp(ack)) => {
                // The server has had the message since its PUBREC: "identifier not found" is no
                // failure.
                let ended = self.exchanges.pubcomp(ack.packet_id)?;
                Ok(self.acknowledged(ended, ReasonCode::SUCCESS, &Properties::default()))
            }
            (_, Packet::PubRel(ack)) => {
                self.pubrel(ack.packet_id);
                Ok(None)
            }
            (_, Packet::SubAck(suback)) => {
                let awaited = self.exchanges.suback(suback.packet_id, suback.codes.len())?;
                if let Some(code) = suback.codes.iter().find(|code| !code.is_of_suback()) {
                    return Err(Violation::SubAckCode(*code));
                }
                Ok(awaited.then(|| Event::Subscribed(suback)))
            }
            (_, Packet::UnsubAck(unsuback)) => Ok(self
                .exchanges
                .unsuback(unsuback.packet_id)
                .then(|| Event::Unsubscribed(unsuback))),
            (_, Packet::PingResp) => Ok(self.keep_alive.pong().then_some(Event::Pong)),
            (_, Packet::Disconnect(disconnect)) if self.config.version.has_properties() => {
                self.state = State::Ended;
                Ok(Some(Event::Disconnected(Box::new(disconnect))))
            }
            (_, other) => Err(Violation::Unexpected(other.packet_type().name())),
        }
    }

    /// Every message up to this number was dealt with: the acknowledgements that are due go out,
    /// in the order in which the messages came `[MQTT-4.6.0-2]`.
    pub fn settle(&mut self, number: u64) {
        while let Some((packet, packet_id)) = self.inbound.settle_next(number) {
            if self.state == State::Online {
                self.send_success(packet, packet_id);
            }
        }
    }

    fn received(&mut self, ack: &Ack) -> Result<Option<Event>, Violation> {
        if ack.code.is_error() {
            let ended = self.exchanges.pubrec_refused(ack.packet_id)?;
            return Ok(self.acknowledged(ended, ack.code, &ack.properties));
        }
        self.exchanges.pubrec(ack.packet_id)?;
        self.send_success(PacketType::PubRel, ack.packet_id);
        self.resend();
        Ok(None)
    }

    /// A message of ours came to its end, if there is one: that makes room for others.
    fn acknowledged(
        &mut self,
        record: Option<u64>,
        code: ReasonCode,
        properties: &Properties,
    ) -> Option<Event> {
        self.useful = true;
        self.resend();
        record.map(|record| Event::Acknowledged {
            record,
            code,
            reason: properties.reason_string().cloned(),
        })
    }

    /// PUBREL always gets its PUBCOMP, also for an identifier that is unknown (§3.7.2.1).
    fn pubrel(&mut self, packet_id: PacketId) {
        if self.inbound.release(packet_id) || !self.config.version.has_properties() {
            return self.send_success(PacketType::PubComp, packet_id);
        }
        let code = ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
        self.send_answer(&Packet::PubComp(Ack { code, ..Ack::success(packet_id) }));
    }

    /// When [`Session::expire`] must be called, if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        if self.state == State::Online { self.keep_alive.deadline() } else { None }
    }

    /// The keep alive of this connection, if there is one.
    pub fn keep_alive(&self) -> Option<Duration> {
        self.keep_alive.interval()
    }

    /// The deadline may have passed: sends a PINGREQ when one is due, or finds the server silent.
    pub fn expire(&mut self, now: Instant) -> Result<(), Silence> {
        if self.state == State::Online && self.keep_alive.expire(now)? {
            self.send(&Packet::PingReq);
        }
        Ok(())
    }

    /// While the caller does not read from the server, its silence proves nothing.
    pub fn hold(&mut self, held: bool, now: Instant) {
        self.held = held;
        self.keep_alive.hold(held, now);
    }

    /// The next piece of what must be sent; call until `None`. Pieces may be joined or cut
    /// anywhere; each is one packet where the configuration asks for that.
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

    /// Whether more than 64 KiB of acknowledgements (PUBACK, PUBREC, PUBREL, PUBCOMP) wait in
    /// [`Session::outgoing`]: the server sends without reading. Feed nothing more until they are
    /// taken, or a server could fill our memory.
    pub fn must_stop_reading(&self) -> bool {
        self.outbox.has_too_many_answers()
    }

    /// The next line of the packet log, when the configuration asked for one.
    pub fn traced(&mut self) -> Option<String> {
        self.trace.pop_front()
    }

    fn note(&mut self, verb: &str, packet: &Packet) {
        self.note_description(verb, || packet.describe());
    }

    fn note_description(&mut self, verb: &str, packet: impl FnOnce() -> String) {
        if self.config.trace {
            let id = &self.config.client_id;
            self.trace.push_back(format!("Client {id} {verb} {}", packet()));
        }
    }
}

/// What reads the packets of a new connection.
fn decoder(config: &Config) -> Decoder {
    let decoder = Decoder::new(config.version, config.maximum_packet);
    match config.parts_above {
        Some(size) => decoder.in_parts_above(size),
        None => decoder,
    }
}
