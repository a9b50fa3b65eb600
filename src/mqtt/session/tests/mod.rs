//! Tests of the session in virtual time: packet by packet, and in a seeded simulation against a
//! model broker.

mod aliases;
mod audit;
mod authentication;
mod awaited;
mod broker;
mod closing;
mod connecting;
mod identifiers;
mod inbound;
mod keep_alive;
mod outbound;
mod packet_limit;
mod partial;
mod promises;
mod resuming;
mod runs;
mod simulation;
mod streaming;
mod subscribing;
mod wire;
mod world;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    Answering, Config, Deviation, Event, ExtraProperties, Lifetime, Login, ReceiveOptions,
    ReportOptions, SendOptions, Session, Strictness, Violation,
};
use crate::mqtt::packet::{
    Ack, ConnAck, Credentials, Decoder, Packet, PacketId, Publish, Subscription,
};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::{TopicFilter, TopicName, TopicSlice};
use crate::mqtt::version::Version;

const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

/// A session that outlives its connections, but not the client.
fn config(version: Version) -> Config {
    Config {
        version,
        client_id: "client".into(),
        clean_start: true,
        lifetime: Lifetime::Client,
        keep_alive: 45,
        session_expiry: 3600,
        login: Login::default(),
        will: None,
        properties: ExtraProperties::default(),
        sending: SendOptions::default(),
        receiving: receiving(None, Strictness::Tolerant),
        reports: ReportOptions::default(),
    }
}

fn parts_above(size: usize) -> ReceiveOptions {
    receiving(Some(size), Strictness::Tolerant)
}

fn receiving(parts_above: Option<usize>, strictness: Strictness) -> ReceiveOptions {
    ReceiveOptions {
        maximum_packet: 1 << 20,
        parts_above,
        strictness,
        answering: Answering::Session,
    }
}

/// The same session that takes no deviation.
fn strict(config: Config) -> Config {
    Config { receiving: receiving(None, Strictness::Strict), ..config }
}

fn with_aliases() -> SendOptions {
    SendOptions { topic_aliases: super::TopicAliasUse::AsAllowed, ..SendOptions::default() }
}

fn traced() -> ReportOptions {
    ReportOptions { trace: true, ..ReportOptions::default() }
}

fn topic(text: &'static str) -> TopicName {
    TopicName::new(text).unwrap()
}

fn filter(text: &'static str) -> TopicFilter {
    TopicFilter::new(text).unwrap()
}

fn id(packet_id: u16) -> PacketId {
    PacketId::new(packet_id).unwrap()
}

/// A message whose payload begins with its number; some of them are longer.
fn message(name: &'static str, qos: QoS, number: u32) -> Publish {
    let mut payload = BytesMut::zeroed(0);
    payload.put_u32(number);
    payload.put_bytes(b'.', (number % 5) as usize * 7);
    let properties = Properties::default();
    let payload = payload.freeze();
    Publish { qos, properties, ..Publish::new(topic(name), payload) }
}

/// A session, the time, and the packets that it has sent.
struct Client {
    session: Session,
    now: Instant,
    sent: Decoder,
}

impl Client {
    fn new(config: Config) -> Self {
        let sent = Decoder::new(config.version, 1 << 20);
        Self { session: Session::new(config), now: Instant::now(), sent }
    }

    /// A client whose CONNECT was just accepted.
    fn online(config: Config) -> Self {
        let mut client = Self::new(config);
        client.reconnect(connack(false));
        client
    }

    /// A client of MQTT 5 whose CONNACK has these properties.
    fn limited(config: Config, limits: &[Property]) -> Self {
        let mut client = Self::new(config);
        client.reconnect(limited(limits));
        client
    }

    /// A new connection up to and including this CONNACK. Returns the events after `Connected`.
    fn reconnect(&mut self, connack: Packet) -> Vec<Event> {
        self.lose();
        self.session.connect();
        assert!(matches!(self.sent()[..], [Packet::Connect(_)]), "CONNECT goes out alone");
        let mut events = self.feed(&[connack]);
        assert!(matches!(events.remove(0), Event::Connected(_)));
        events
    }

    fn lose(&mut self) {
        self.session.lost();
        self.sent = Decoder::new(self.session.config().version, 1 << 20);
    }

    fn version(&self) -> Version {
        self.session.config().version
    }

    fn after(&mut self, seconds: f64) -> &mut Self {
        self.now += Duration::from_secs_f64(seconds);
        self
    }

    /// The packets that the session sends now.
    fn sent(&mut self) -> Vec<Packet> {
        while let Some(piece) = self.session.outgoing(self.now) {
            self.sent.feed(piece);
        }
        std::iter::from_fn(|| self.sent.next().expect("what we send is well formed")).collect()
    }

    /// Receives these packets. Returns their events.
    fn feed(&mut self, packets: &[Packet]) -> Vec<Event> {
        self.feed_bytes(encoded(self.version(), packets)).expect("the server keeps to the protocol")
    }

    fn feed_bytes(&mut self, bytes: Bytes) -> Result<Vec<Event>, Violation> {
        self.session.receive(bytes, self.now);
        let mut events = Vec::new();
        while let Some(next) =
            next_events(&mut self.session, self.now, || ControlFlow::Continue(()))?
        {
            events.extend(next);
        }
        Ok(events)
    }

    /// Receives a packet that a server must not send. Returns the violation, and the code of the
    /// client's DISCONNECT.
    fn violated(&mut self, packet: Packet) -> (Violation, Option<ReasonCode>) {
        let violation =
            self.feed_bytes(encoded(self.version(), &[packet])).expect_err("a violation");
        assert_eq!(self.session.poll(self.now), Ok(None), "the session has ended");
        let code = self.sent().into_iter().find_map(|packet| match packet {
            Packet::Disconnect(disconnect) => Some(disconnect.code),
            _ => None,
        });
        (violation, code)
    }

    /// What the session has taken although it is against the protocol.
    fn deviations(&mut self) -> Vec<Deviation> {
        std::iter::from_fn(|| self.session.next_deviation()).collect()
    }

    /// Publishes message `number` as record `number`.
    fn publish(&mut self, qos: QoS, number: u32) {
        assert!(self.session.can_publish(qos), "message {number} may be published");
        self.session
            .publish(message("a/topic", qos, number), u64::from(number))
            .expect("it can be sent");
    }
}

/// The next events, with messages read by their fast path; `None` if there is nothing.
fn next_events(
    session: &mut Session,
    now: Instant,
    mut go_on: impl FnMut() -> ControlFlow<()>,
) -> Result<Option<Vec<Event>>, Violation> {
    let mut events = Vec::new();
    let _ = session.for_each_publish(|mut shown| {
        events.push(Event::Message(shown.delivery().clone()));
        go_on()
    })?;
    if events.is_empty() {
        events.extend(session.poll(now)?);
    }
    Ok(Some(events).filter(|events| !events.is_empty()))
}

fn encoded(version: Version, packets: &[Packet]) -> Bytes {
    let mut out = BytesMut::new();
    for packet in packets {
        packet.encode(version, &mut out).unwrap();
    }
    out.freeze()
}

fn connack(session_present: bool) -> Packet {
    refusal_or_success(session_present, ReasonCode::SUCCESS, &[])
}

fn limited(limits: &[Property]) -> Packet {
    refusal_or_success(false, ReasonCode::SUCCESS, limits)
}

fn refusal_or_success(session_present: bool, code: ReasonCode, properties: &[Property]) -> Packet {
    let properties = Properties(properties.to_vec());
    Packet::ConnAck(Box::new(ConnAck { session_present, code, properties }))
}

fn puback(packet_id: u16) -> Packet {
    Packet::PubAck(Ack::success(id(packet_id)))
}

fn pubrec(packet_id: u16) -> Packet {
    Packet::PubRec(Ack::success(id(packet_id)))
}

fn pubrel(packet_id: u16) -> Packet {
    Packet::PubRel(Ack::success(id(packet_id)))
}

fn pubcomp(packet_id: u16) -> Packet {
    Packet::PubComp(Ack::success(id(packet_id)))
}

/// A message from the server.
fn from_server(qos: QoS, packet_id: u16, dup: bool, number: u32) -> Packet {
    let packet_id = PacketId::new(packet_id);
    Packet::Publish(Publish { dup, packet_id, ..message("a/topic", qos, number) })
}

fn acknowledged(record: u64) -> Event {
    Event::Acknowledged { token: record, code: ReasonCode::SUCCESS, reason: None }
}

/// Packets in few words: type, identifier and DUP.
fn brief(packets: &[Packet]) -> Vec<String> {
    packets.iter().map(one_brief).collect()
}

fn one_brief(packet: &Packet) -> String {
    let name = packet.packet_type().name();
    match packet {
        Packet::Publish(publish) => {
            let dup = if publish.dup { " dup" } else { "" };
            format!("{name} {}{dup}", publish.packet_id.map_or(0, u16::from))
        }
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            let code = if ack.code == ReasonCode::SUCCESS {
                String::new()
            } else {
                format!(" {:#x}", ack.code.0)
            };
            format!("{name} {}{code}", ack.packet_id)
        }
        Packet::Subscribe(subscribe) => format!("{name} {}", subscribe.packet_id),
        Packet::Unsubscribe(unsubscribe) => format!("{name} {}", unsubscribe.packet_id),
        _ => name.to_owned(),
    }
}
