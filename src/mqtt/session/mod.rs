//! The client's end of a session (MQTT 5 §4): a state machine driven by bytes and `Instant`s.
//!
//! The contract is *mutate, drain, wait*: after [`Session::receive`] or any other change, call
//! [`Session::poll`] until it has no event, send what [`Session::outgoing`] holds, and only then
//! wait, at most until [`Session::deadline`]; when that passes, call [`Session::expire`].
//! It outlives its connections: [`Session::connect`] begins one, [`Session::lost`] ends one.

mod exchange;
mod inbound;
mod keep_alive;
mod limits;
mod outbox;

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::time::Instant;

use bytes::Bytes;
use bytestring::ByteString;

use crate::mqtt::packet::{
    Ack, ConnAck, Connect, Credentials, Decoder, Disconnect, EncodeError, Malformed, Packet, PacketId,
    Publish, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe, Will,
};
use crate::mqtt::property::{Properties, Property};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicFilter;
use crate::mqtt::version::Version;

use exchange::{Exchange, Exchanges};
use inbound::Inbound;
use keep_alive::KeepAlive;
pub use limits::Limits;
use outbox::Outbox;

/// What a session is asked to be; fixed for its life, but for the version, which may fall back.
#[derive(Debug, Clone)]
pub struct Config {
    /// The version of every packet.
    pub version: Version,
    /// The client identifier; empty asks the server to assign one.
    pub client_id: ByteString,
    /// Clean Start (Clean Session) of the first connection.
    pub clean_start: bool,
    /// Keep Alive in seconds; 0 turns it off (§3.1.2.10).
    pub keep_alive: u16,
    /// Session Expiry Interval in seconds (MQTT 5 §3.1.2.11.2).
    pub session_expiry: u32,
    /// User name and password.
    pub credentials: Credentials,
    /// The will message.
    pub will: Option<Will>,
    /// `-M`: the most QoS 1 and 2 messages in flight, below what the server allows.
    pub max_inflight: Option<NonZeroU16>,
    /// The largest packet we accept, in bytes.
    pub maximum_packet: usize,
    /// Keep a line for each packet, for `-d`.
    pub trace: bool,
}

/// What happened, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The server accepted the connection.
    Connected(Box<ConnAck>),
    /// The server refused it; nothing more will come.
    Refused(Box<ConnAck>),
    /// A message for us. It is acknowledged when its number is given to [`Session::settle`].
    Message(Delivery),
    /// A QoS 1 or 2 message of ours came to its end, well or (code 0x80 and above) refused.
    Acknowledged {
        /// The number given to [`Session::publish`].
        record: u64,
        /// From PUBACK, PUBREC or PUBCOMP.
        code: ReasonCode,
        /// The server's own words (MQTT 5 Reason String).
        reason: Option<ByteString>,
    },
    /// The server has lost the session: it may or may not have this QoS 2 message of ours. It is not
    /// sent again, for that could duplicate it.
    InDoubt {
        /// The number given to [`Session::publish`].
        record: u64,
    },
    /// The answer to a SUBSCRIBE: one code per filter.
    Subscribed(SubAck),
    /// The answer to an UNSUBSCRIBE.
    Unsubscribed(UnsubAck),
    /// The answer to a PINGREQ.
    Pong,
    /// The server ends the connection and says why (MQTT 5 only).
    Disconnected(Box<Disconnect>),
}

/// A message from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Counts the messages of this session, from 1; what [`Session::settle`] is told.
    pub number: u64,
    /// The message; its topic is always there, aliases are resolved.
    pub publish: Publish,
}

/// The server broke the protocol: what it did, and so which reason code the DISCONNECT has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// A packet that cannot be decoded.
    Malformed(Malformed),
    /// A packet that a server never sends, or not now.
    Unexpected(&'static str),
    /// More QoS 1 and 2 messages in flight than our Receive Maximum `[MQTT-3.3.4-9]`.
    ReceiveMaximumExceeded,
    /// A topic alias that was never defined, or is above our maximum `[MQTT-3.3.2-9]`.
    TopicAliasInvalid,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(malformed) => write!(f, "malformed packet: {malformed}"),
            Self::Unexpected(packet) => write!(f, "an unexpected {packet}"),
            Self::ReceiveMaximumExceeded => f.write_str("more messages in flight than our receive maximum"),
            Self::TopicAliasInvalid => f.write_str("a topic alias that was not defined"),
        }
    }
}

impl Violation {
    /// The reason code that tells the server so (§4.13).
    fn code(&self) -> ReasonCode {
        match self {
            Self::Malformed(Malformed::PacketTooLarge { .. }) => ReasonCode::PACKET_TOO_LARGE,
            Self::Malformed(_) => ReasonCode::MALFORMED_PACKET,
            Self::Unexpected(_) => ReasonCode::PROTOCOL_ERROR,
            Self::ReceiveMaximumExceeded => ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
            Self::TopicAliasInvalid => ReasonCode::TOPIC_ALIAS_INVALID,
        }
    }
}

/// Why a message cannot be sent to this server at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsendable {
    /// Larger than the server's Maximum Packet Size `[MQTT-3.2.2-15]`.
    TooLarge {
        /// Of the whole packet, in bytes.
        size: usize,
        /// The server's, in bytes.
        limit: usize,
    },
    /// Above the server's Maximum QoS `[MQTT-3.2.2-11]`.
    QoSNotSupported(QoS),
    /// The server keeps no retained messages `[MQTT-3.2.2-14]`.
    RetainNotSupported,
    /// It has no wire form.
    Encode(EncodeError),
}

impl std::fmt::Display for Unsendable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLarge { size, limit } => {
                write!(f, "the packet has {size} bytes and the broker takes at most {limit}")
            }
            Self::QoSNotSupported(maximum) => write!(f, "the broker takes QoS {maximum} at most"),
            Self::RetainNotSupported => f.write_str("the broker keeps no retained messages"),
            Self::Encode(error) => error.fmt(f),
        }
    }
}

/// The server did not answer a PINGREQ in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// For how long nothing came.
    pub waited: std::time::Duration,
}

/// Where the network connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is none.
    Offline,
    /// CONNECT is sent, CONNACK is awaited.
    Connecting,
    /// CONNACK came with success.
    Online,
    /// DISCONNECT was sent or received, or CONNECT was refused: nothing more is said.
    Ended,
}

/// See the module.
#[derive(Debug)]
pub struct Session {
    config: Config,
    state: State,
    decoder: Decoder,
    outbox: Outbox,
    exchanges: Exchanges,
    inbound: Inbound,
    limits: Limits,
    keep_alive: KeepAlive,
    subscriptions: Vec<Subscription>,
    resumable: bool,
    events: VecDeque<Event>,
    trace: VecDeque<String>,
}

impl Session {
    /// A session that was never connected.
    pub fn new(config: Config) -> Self {
        Self {
            state: State::Offline,
            decoder: Decoder::new(config.version, config.maximum_packet),
            outbox: Outbox::default(),
            exchanges: Exchanges::default(),
            inbound: Inbound::default(),
            limits: Limits::before_connack(),
            keep_alive: KeepAlive::off(),
            subscriptions: Vec::new(),
            resumable: false,
            events: VecDeque::new(),
            trace: VecDeque::new(),
            config,
        }
    }

    /// What it was asked to be; the client identifier may since have been assigned by the server.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the server of this connection allows.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Tries another version at the next connection.
    pub fn set_version(&mut self, version: Version) {
        self.config.version = version;
    }

    /// A network connection stands: CONNECT goes out, alone, and CONNACK is awaited.
    pub fn connect(&mut self) {
        self.state = State::Connecting;
        self.decoder = Decoder::new(self.config.version, self.config.maximum_packet);
        self.outbox.clear();
        self.limits = Limits::before_connack();
        self.keep_alive = KeepAlive::off();
        let connect = Connect {
            version: self.config.version,
            clean_start: self.config.clean_start && !self.resumable,
            keep_alive: self.config.keep_alive,
            client_id: self.config.client_id.clone(),
            will: self.config.will.clone(),
            credentials: self.config.credentials.clone(),
            properties: self.connect_properties(),
        };
        self.send(&Packet::Connect(Box::new(connect)));
    }

    fn connect_properties(&self) -> Properties {
        let mut properties = Properties::default();
        if !self.config.version.has_properties() {
            return properties;
        }
        if self.config.session_expiry > 0 {
            properties.push(Property::SessionExpiryInterval(self.config.session_expiry));
        }
        properties.push(Property::ReceiveMaximum(inbound::RECEIVE_MAXIMUM));
        if inbound::TOPIC_ALIAS_MAXIMUM > 0 {
            properties.push(Property::TopicAliasMaximum(inbound::TOPIC_ALIAS_MAXIMUM));
        }
        if let Ok(maximum) = u32::try_from(self.config.maximum_packet) {
            properties.push(Property::MaximumPacketSize(maximum));
        }
        properties
    }

    /// The network connection is gone; what is unfinished waits for the next one.
    pub fn lost(&mut self) {
        self.state = State::Offline;
        self.outbox.clear();
        self.inbound.connection_lost();
        self.keep_alive = KeepAlive::off();
    }

    /// Bytes from the server; any number of them, cut anywhere.
    pub fn receive(&mut self, bytes: Bytes, now: Instant) {
        self.keep_alive.received(now);
        self.decoder.feed(bytes);
    }

    /// The next event, or `None` when more bytes are needed. After a violation the session has ended,
    /// and a DISCONNECT that says why waits in the outbox (MQTT 5).
    pub fn poll(&mut self, now: Instant) -> Result<Option<Event>, Violation> {
        if let Some(event) = self.events.pop_front() {
            return Ok(Some(event));
        }
        while self.state != State::Ended {
            let step = match self.decoder.next() {
                Ok(None) => return Ok(None),
                Ok(Some(packet)) => self.handle(packet, now),
                Err(malformed) => Err(Violation::Malformed(malformed)),
            };
            match step {
                Ok(None) => {}
                Ok(event) => return Ok(event),
                Err(violation) => {
                    self.disconnect(violation.code());
                    return Err(violation);
                }
            }
        }
        Ok(None)
    }

    fn handle(&mut self, packet: Packet, now: Instant) -> Result<Option<Event>, Violation> {
        self.note("received", &packet);
        match (self.state, packet) {
            (State::Connecting, Packet::ConnAck(connack)) => Ok(Some(self.connected(connack, now))),
            (State::Connecting, other) => Err(Violation::Unexpected(before_connack(&other))),
            (_, Packet::Publish(publish)) => self.published(publish),
            (_, Packet::PubAck(ack)) => {
                let event = self.exchanges.puback(ack)?;
                self.resend();
                Ok(event)
            }
            (_, Packet::PubRec(ack)) => self.pubrec(ack),
            (_, Packet::PubComp(ack)) => {
                let event = self.exchanges.pubcomp(ack)?;
                self.resend();
                Ok(event)
            }
            (_, Packet::PubRel(ack)) => {
                self.pubrel(&ack);
                Ok(None)
            }
            (_, Packet::SubAck(suback)) => Ok(self.suback(suback)),
            (_, Packet::UnsubAck(unsuback)) => {
                Ok(self.exchanges.finish(unsuback.packet_id).then(|| Event::Unsubscribed(unsuback)))
            }
            (_, Packet::PingResp) => Ok(self.keep_alive.pong().then_some(Event::Pong)),
            (_, Packet::Disconnect(disconnect)) if self.config.version.has_properties() => {
                self.state = State::Ended;
                Ok(Some(Event::Disconnected(Box::new(disconnect))))
            }
            (_, other) => Err(Violation::Unexpected(other.packet_type().name())),
        }
    }

    fn connected(&mut self, connack: Box<ConnAck>, now: Instant) -> Event {
        if connack.code != ReasonCode::SUCCESS {
            self.state = State::Ended;
            return Event::Refused(connack);
        }
        self.state = State::Online;
        self.limits = Limits::from_connack(&connack.properties, self.config.version);
        let keep_alive = self.limits.server_keep_alive.unwrap_or(self.config.keep_alive);
        self.keep_alive = KeepAlive::every(keep_alive, now);
        if let Some(assigned) = connack.properties.assigned_client_identifier() {
            self.config.client_id = assigned.clone();
        }
        self.resume(connack.session_present);
        self.resumable = true;
        Event::Connected(connack)
    }

    /// Takes up the unfinished exchanges on a new connection (§4.4).
    fn resume(&mut self, session_present: bool) {
        let resumed = self.exchanges.resume(session_present);
        if !session_present {
            self.inbound.session_lost();
        }
        if !session_present || resumed.unanswered_subscribe {
            self.subscribe_again();
        }
        self.events.extend(resumed.in_doubt.into_iter().map(|record| Event::InDoubt { record }));
        self.resend();
    }

    /// Sends again what the window allows.
    fn resend(&mut self) {
        loop {
            let (limits, asked) = (&self.limits, self.config.max_inflight);
            match self.exchanges.resend(|qos| limits.window(qos, asked)) {
                Some(Packet::Publish(publish)) => self.send_publish(&publish).expect("it was encoded before"),
                Some(packet) => self.send(&packet),
                None => return,
            }
        }
    }

    fn subscribe_again(&mut self) {
        let subscriptions = std::mem::take(&mut self.subscriptions);
        if !subscriptions.is_empty() {
            self.subscribe(subscriptions, Properties::default());
        }
    }

    /// A PUBLISH from the server: an event, unless it is a QoS 2 message that we already have (§4.3.3).
    fn published(&mut self, mut publish: Publish) -> Result<Option<Event>, Violation> {
        self.inbound.resolve_alias(&mut publish)?;
        let answer = self.inbound.accept(&publish)?;
        match answer {
            inbound::Accepted::New(number) => Ok(Some(Event::Message(Delivery { number, publish }))),
            inbound::Accepted::Pending => Ok(None),
            inbound::Accepted::Settled(packet_id) => {
                self.send(&Packet::PubRec(Ack::success(packet_id)));
                Ok(None)
            }
        }
    }

    /// Every message up to this number was dealt with: the acknowledgements that are due go out,
    /// in the order in which the messages came `[MQTT-4.6.0-2]`.
    pub fn settle(&mut self, number: u64) {
        while let Some(packet) = self.inbound.settle_next(number) {
            if self.state == State::Online {
                self.send(&packet);
            }
        }
    }

    fn pubrec(&mut self, ack: Ack) -> Result<Option<Event>, Violation> {
        let packet_id = ack.packet_id;
        let (answer, event) = self.exchanges.pubrec(ack)?;
        if answer {
            self.send(&Packet::PubRel(Ack::success(packet_id)));
        }
        self.resend();
        Ok(event)
    }

    /// PUBREL always gets its PUBCOMP, also for an identifier that is unknown (§3.7.2.1).
    fn pubrel(&mut self, ack: &Ack) {
        let known = self.inbound.release(ack.packet_id);
        let mut answer = Ack::success(ack.packet_id);
        if !known && self.config.version.has_properties() {
            answer.code = ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
        }
        self.send(&Packet::PubComp(answer));
    }

    fn suback(&mut self, suback: SubAck) -> Option<Event> {
        self.exchanges.finish(suback.packet_id).then_some(Event::Subscribed(suback))
    }

    /// Whether one more message of this QoS may be given to [`Session::publish`] now.
    pub fn can_publish(&self, qos: QoS) -> bool {
        self.state == State::Online
            && self.outbox.has_room()
            && (qos == QoS::AtMostOnce
                || (self.exchanges.outstanding() < self.limits.window(qos, self.config.max_inflight)
                    && self.exchanges.has_room()))
    }

    /// Sends a message; call only after [`Session::can_publish`]. `record` is the caller's number for it:
    /// a QoS 1 or 2 message comes back with it in [`Event::Acknowledged`].
    pub fn publish(&mut self, mut publish: Publish, record: u64) -> Result<(), Unsendable> {
        self.limits.check(&publish, self.config.version)?;
        if publish.qos != QoS::AtMostOnce {
            publish.packet_id = Some(self.exchanges.next_id());
        }
        self.send_publish(&publish).map_err(Unsendable::Encode)?;
        match publish.qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.exchanges.begin(Exchange::AtLeastOnce { publish, record }),
            QoS::ExactlyOnce => self.exchanges.begin(Exchange::ExactlyOnce { publish, record }),
        }
        Ok(())
    }

    /// Whether the server has accepted the connection, and nobody has ended it.
    pub fn is_online(&self) -> bool {
        self.state == State::Online
    }

    /// How many QoS 1 and 2 messages of ours have not come to their end.
    pub fn in_flight(&self) -> usize {
        self.exchanges.publishing()
    }

    /// Asks for subscriptions; [`Event::Subscribed`] has the answer, under the identifier returned.
    pub fn subscribe(&mut self, subscriptions: Vec<Subscription>, properties: Properties) -> PacketId {
        let packet_id = self.exchanges.next_id();
        self.exchanges.begin(Exchange::Subscribe);
        self.subscriptions.extend(subscriptions.iter().cloned());
        self.send(&Packet::Subscribe(Subscribe { packet_id, properties, subscriptions }));
        packet_id
    }

    /// Gives subscriptions back; [`Event::Unsubscribed`] has the answer.
    pub fn unsubscribe(&mut self, filters: Vec<TopicFilter>, properties: Properties) -> PacketId {
        let packet_id = self.exchanges.next_id();
        self.exchanges.begin(Exchange::Unsubscribe);
        self.subscriptions.retain(|subscription| !filters.contains(&subscription.filter));
        self.send(&Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters }));
        packet_id
    }

    /// Sends a PINGREQ now; [`Event::Pong`] is its answer.
    pub fn ping(&mut self) {
        self.keep_alive.asked();
        self.send(&Packet::PingReq);
    }

    /// Says goodbye; nothing is sent or understood after it.
    pub fn disconnect(&mut self, code: ReasonCode) {
        // Before MQTT 5 a DISCONNECT has no reason, and means that all is well: the will is discarded.
        if self.state == State::Online && (!code.is_error() || self.config.version.has_properties()) {
            self.send(&Packet::Disconnect(Disconnect { code, properties: Properties::default() }));
        }
        self.state = State::Ended;
    }

    /// When [`Session::expire`] must be called, if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        if self.state == State::Online { self.keep_alive.deadline() } else { None }
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
        self.keep_alive.hold(held, now);
    }

    /// The next piece of what must be sent; call until `None`. Pieces may be joined or cut anywhere.
    pub fn outgoing(&mut self, now: Instant) -> Option<Bytes> {
        let piece = self.outbox.take();
        if piece.is_some() {
            self.keep_alive.sent(now);
        }
        piece
    }

    /// The next line of the packet log, when the configuration asked for one.
    pub fn traced(&mut self) -> Option<String> {
        self.trace.pop_front()
    }

    fn send(&mut self, packet: &Packet) {
        self.note("sending", packet);
        packet
            .encode(self.config.version, self.outbox.buffer())
            .expect("packets of our own making fit: the command line checks the lengths of what the user gave");
    }

    fn send_publish(&mut self, publish: &Publish) -> Result<(), EncodeError> {
        if self.config.trace {
            self.note("sending", &Packet::Publish(publish.clone()));
        }
        publish.encode_header(self.config.version, self.outbox.buffer())?;
        self.outbox.push(&publish.payload);
        Ok(())
    }

    fn note(&mut self, verb: &str, packet: &Packet) {
        if self.config.trace {
            let id = &self.config.client_id;
            self.trace.push_back(format!("Client {id} {verb} {}", packet.describe()));
        }
    }
}

/// What came instead of CONNACK.
fn before_connack(packet: &Packet) -> &'static str {
    match packet {
        Packet::ConnAck(_) => "second CONNACK",
        other => other.packet_type().name(),
    }
}
