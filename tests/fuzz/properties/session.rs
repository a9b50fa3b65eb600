//! A session under arbitrary events: packets of a broker that does what it likes, lost connections,
//! time. Never more is in flight than allowed, nothing is sent that the server forbade, no message
//! and no acknowledgement is swallowed, and memory stays bounded.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::choices::Choices;
use crate::memory;
use crate::mqtt::packet::{
    Ack, Auth, ConnAck, Decoder, Disconnect, Packet, PacketId, Publish, SubAck, Subscription,
    UnsubAck,
};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session::{
    Answering, Config, Event, ExtraProperties, Lifetime, Login, PacketGrouping, ReceiveOptions,
    ReportOptions, SendOptions, Session, Strictness, SuccessReports, TopicAliasUse,
};
use crate::mqtt::topic::{TopicFilter, TopicName};
use crate::mqtt::version::Version;

/// What a session may hold beside what arrived and what is published.
const BASE: usize = 1024 * 1024;

/// The most steps of one input.
const STEPS: usize = 400;

const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

pub fn check(data: &[u8]) {
    let (arrived, most) = memory::most_of(|| {
        let mut choices = Choices::new(data);
        let mut world = World::new(&mut choices);
        for _ in 0..STEPS {
            if choices.is_empty() {
                break;
            }
            world.step(&mut choices);
            world.audit();
        }
        world.end();
        world.bytes
    });
    assert!(most <= BASE + 64 * arrived, "{most} bytes of memory for {arrived}");
}

/// The configuration of a client with defaults.
pub fn config(version: Version) -> Config {
    Config {
        version,
        client_id: "client".into(),
        clean_start: true,
        lifetime: Lifetime::Client,
        keep_alive: 0,
        session_expiry: 60,
        login: Login::default(),
        will: None,
        properties: ExtraProperties::default(),
        sending: SendOptions::default(),
        receiving: ReceiveOptions {
            maximum_packet: 1 << 28,
            parts_above: None,
            strictness: Strictness::Tolerant,
            answering: Answering::Session,
        },
        reports: ReportOptions::default(),
    }
}

/// A session, and what is known about it from outside.
struct World {
    session: Session,
    version: Version,
    max_inflight: Option<u16>,
    now: Instant,
    /// Everything that went in, in bytes.
    bytes: usize,
    /// The next token, and those of messages that have not ended.
    next: u64,
    unfinished: HashSet<u64>,
    /// The number of the last message that was delivered, and the last that was finished with.
    delivered: u64,
    finished: u64,
    /// Between the beginning of a large message and its end: how much of it is missing.
    missing: Option<usize>,
    connection: Connection,
}

/// What is known of one connection.
struct Connection {
    up: Decoder,
    sent_connect: bool,
    /// What CONNACK says; nothing may be sent before.
    limits: Option<Limits>,
    /// Identifiers of messages that were sent and whose last acknowledgement has not come.
    outstanding: HashSet<PacketId>,
    /// The first number of the messages that came with each identifier.
    numbers: HashMap<PacketId, u64>,
    /// Bytes came that are no whole packets: what the session understands is not known any more.
    is_garbled: bool,
    has_ended: bool,
}

struct Limits {
    receive_maximum: u16,
    maximum_qos: QoS,
    retain: bool,
    maximum_packet: usize,
    alias_maximum: u16,
}

impl Connection {
    fn new(version: Version) -> Self {
        Self {
            up: Decoder::new(version, usize::MAX),
            sent_connect: false,
            limits: None,
            outstanding: HashSet::new(),
            numbers: HashMap::new(),
            is_garbled: false,
            has_ended: false,
        }
    }
}

impl World {
    fn new(choices: &mut Choices<'_>) -> Self {
        let version = choices.of(&[Version::V5, Version::V3_1_1, Version::V3_1]);
        let lifetimes = [
            Lifetime::Client,
            Lifetime::Connection,
            Lifetime::Persistent,
            Lifetime::ClientIfExpiring,
        ];
        let max_inflight = choices.of(&[None, Some(1), Some(3)]);
        let config = Config {
            client_id: choices.of(&["client", ""]).into(),
            clean_start: choices.flag(),
            lifetime: choices.of(&lifetimes),
            keep_alive: choices.of(&[0, 10]),
            sending: SendOptions {
                topic_aliases: choices.of(&[TopicAliasUse::Never, TopicAliasUse::AsAllowed]),
                max_inflight: max_inflight.and_then(NonZeroU16::new),
                grouping: choices.of(&[PacketGrouping::Gathered, PacketGrouping::Single]),
            },
            receiving: ReceiveOptions {
                maximum_packet: 1 << 28,
                parts_above: choices.of(&[None, Some(0), Some(50)]),
                strictness: choices.of(&[Strictness::Tolerant, Strictness::Strict]),
                answering: Answering::Session,
            },
            reports: ReportOptions { successes: SuccessReports::Each, trace: choices.flag() },
            ..config(version)
        };
        Self {
            session: Session::new(config),
            version,
            max_inflight,
            now: Instant::now(),
            bytes: 0,
            next: 1,
            unfinished: HashSet::new(),
            delivered: 0,
            finished: 0,
            missing: None,
            connection: Connection::new(version),
        }
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.below(20) {
            0 => self.connect(),
            1..4 => {
                if !self.connection.sent_connect {
                    self.connect();
                }
                self.receive(&connack(choices, self.version));
            }
            4..8 => self.publish(choices),
            8..14 => {
                let packet = answer(choices);
                self.receive(&packet);
            }
            14 => self.garble(choices.bytes()),
            15 => {
                let upto = self.finished + choices.below(4) as u64;
                self.finished = upto.min(self.delivered).max(self.finished);
                self.session.acknowledge_up_to(self.finished);
            }
            16 => self.pass(choices),
            17 => {
                let filter =
                    TopicFilter::new(choices.of(&["a/#", "$share/g/+", "b"])).expect("a filter");
                if self.session.is_online() {
                    let qos = choices.of(&QOS);
                    self.session
                        .subscribe(vec![Subscription::new(filter, qos)], Properties::default());
                }
            }
            18 if choices.flag() => self.session.stop_taking(),
            18 => self.session.disconnect(ReasonCode::SUCCESS),
            _ => {
                self.session.lost();
                self.connection = Connection::new(self.version);
            }
        }
    }

    fn connect(&mut self) {
        self.session.lost();
        self.connection = Connection::new(self.version);
        self.session.connect();
        self.connection.sent_connect = true;
    }

    fn publish(&mut self, choices: &mut Choices<'_>) {
        let qos = choices.of(&QOS);
        let payload = Bytes::from(vec![b'x'; usize::from(choices.byte())]);
        let topic = TopicName::new(choices.of(&["a/b", "c"])).expect("a name");
        let publish =
            Publish { qos, retain: choices.below(8) == 0, ..Publish::new(topic, payload) };
        if !self.session.can_publish(qos) {
            return;
        }
        self.bytes += 300;
        let token = self.next;
        self.next += 1;
        if self.session.publish(publish, token).is_ok() && qos > QoS::AtMostOnce {
            self.unfinished.insert(token);
        }
    }

    /// A whole packet comes.
    fn receive(&mut self, packet: &Packet) {
        let mut wire = BytesMut::new();
        if !self.connection.sent_connect || packet.encode(self.version, &mut wire).is_err() {
            return;
        }
        if !self.connection.is_garbled && !self.connection.has_ended {
            self.note(packet);
        }
        self.feed(wire.freeze());
    }

    /// What a packet that is about to come means for what may be sent.
    fn note(&mut self, packet: &Packet) {
        match packet {
            Packet::ConnAck(connack)
                if self.connection.limits.is_none() && connack.code == ReasonCode::SUCCESS =>
            {
                self.connection.limits = Some(limits(connack, self.version));
            }
            Packet::PubAck(ack) | Packet::PubComp(ack) => {
                self.connection.outstanding.remove(&ack.packet_id);
            }
            Packet::PubRec(ack) if ack.code.is_error() => {
                self.connection.outstanding.remove(&ack.packet_id);
            }
            _ => {}
        }
    }

    fn garble(&mut self, bytes: &[u8]) {
        if self.connection.sent_connect && !bytes.is_empty() {
            self.connection.is_garbled = true;
            self.feed(Bytes::copy_from_slice(bytes));
        }
    }

    fn feed(&mut self, bytes: Bytes) {
        self.audit();
        if self.session.must_stop_reading() {
            return;
        }
        self.bytes += bytes.len();
        self.session.receive(bytes, self.now);
        loop {
            match self.session.poll(self.now) {
                Ok(Some(event)) => self.heard(event),
                Ok(None) => break,
                Err(_) => {
                    self.connection.has_ended = true;
                    break;
                }
            }
        }
        while let Some(line) = self.session.traced() {
            assert!(line.len() < 70_000, "{} bytes of a line", line.len());
        }
    }

    fn heard(&mut self, event: Event) {
        if let Some(missing) = &mut self.missing {
            match &event {
                Event::Piece(piece) => *missing -= piece.len(),
                Event::MessageEnds => assert_eq!(self.missing.take(), Some(0), "all of it came"),
                Event::MessageCut => self.missing = None,
                Event::Message(_) | Event::MessageBegins { .. } => {
                    panic!("{event:?} inside another")
                }
                _ => {}
            }
        }
        match event {
            Event::Message(delivery) => self.numbered(delivery.number, &delivery.publish),
            Event::MessageBegins { delivery, length } => {
                self.missing = Some(length);
                self.numbered(delivery.number, &delivery.publish);
            }
            Event::Acknowledged { token, .. } | Event::InDoubt { token } => {
                assert!(
                    self.unfinished.remove(&token),
                    "{token} ends a second time, or never began"
                );
            }
            _ => {}
        }
    }

    fn numbered(&mut self, number: u64, publish: &Publish) {
        assert!(publish.topic.is_some(), "aliases are resolved");
        // A message that was cut gives its number back.
        assert!(number == self.delivered + 1 || number == self.delivered, "{number}");
        self.delivered = number;
        if let Some(packet_id) = publish.packet_id {
            self.connection.numbers.entry(packet_id).or_insert(number);
        }
    }

    /// Time passes up to a deadline or by chance.
    fn pass(&mut self, choices: &mut Choices<'_>) {
        self.now += Duration::from_secs(choices.below(30) as u64);
        for _ in 0..3 {
            let Some(deadline) = self.session.deadline().filter(|deadline| *deadline <= self.now)
            else {
                return;
            };
            if self.session.expire(self.now).is_err() {
                self.session.lost();
                self.connection = Connection::new(self.version);
                return;
            }
            self.audit();
            assert_ne!(self.session.deadline(), Some(deadline), "the deadline stays in the past");
        }
    }

    /// Looks at everything that is sent.
    fn audit(&mut self) {
        while let Some(piece) = self.session.outgoing(self.now) {
            assert!(self.connection.sent_connect, "nothing is sent without a connection");
            self.connection.up.feed(piece);
        }
        while let Some(packet) = self.connection.up.next().expect("what we send is well-formed") {
            self.sent(&packet);
        }
        let unfinished = self.unfinished.len();
        assert_eq!(self.session.in_flight(), unfinished, "messages are swallowed");
    }

    fn sent(&mut self, packet: &Packet) {
        let connection = &mut self.connection;
        if matches!(packet, Packet::Connect(_) | Packet::Disconnect(_)) || connection.is_garbled {
            return;
        }
        let Some(limits) = &connection.limits else { panic!("{packet:?} before CONNACK") };
        let size = packet.encoded_len(self.version);
        // Without an acknowledgement of 5 bytes a server cannot be served at all.
        assert!(size <= limits.maximum_packet.max(5), "{packet:?} has {size} bytes");
        match packet {
            Packet::Publish(publish) => {
                assert!(publish.qos <= limits.maximum_qos, "{publish:?}");
                assert!(!publish.retain || limits.retain, "{publish:?}");
                let alias = publish.properties.topic_alias().unwrap_or(0);
                assert!(alias <= limits.alias_maximum, "{publish:?}");
                connection.outstanding.extend(publish.packet_id);
                let most = limits.receive_maximum.min(self.max_inflight.unwrap_or(u16::MAX));
                let outstanding = connection.outstanding.len();
                assert!(
                    outstanding <= usize::from(most),
                    "{outstanding} in flight, allowed {most}"
                );
            }
            Packet::PubAck(ack) | Packet::PubRec(ack) => {
                let number = connection.numbers.get(&ack.packet_id).copied().unwrap_or(0);
                assert!(number <= self.finished, "{ack:?} before message {number} was written");
            }
            _ => {}
        }
    }

    /// Without a connection what has not ended is still known.
    fn end(&mut self) {
        self.session.lost();
        self.audit();
    }
}

fn limits(connack: &ConnAck, version: Version) -> Limits {
    let properties = &connack.properties;
    if !version.has_properties() {
        return Limits {
            receive_maximum: u16::MAX,
            maximum_qos: QoS::ExactlyOnce,
            retain: true,
            maximum_packet: usize::MAX,
            alias_maximum: 0,
        };
    }
    Limits {
        receive_maximum: properties.receive_maximum().unwrap_or(u16::MAX),
        maximum_qos: properties.maximum_qos().unwrap_or(QoS::ExactlyOnce),
        retain: properties.retain_available().unwrap_or(true),
        maximum_packet: properties.maximum_packet_size().map_or(usize::MAX, |size| size as usize),
        alias_maximum: properties.topic_alias_maximum().unwrap_or(0),
    }
}

fn connack(choices: &mut Choices<'_>, version: Version) -> Packet {
    let mut properties = Properties::default();
    let rows = [
        (PropertyId::ReceiveMaximum, 1 + choices.below(4)),
        (PropertyId::MaximumQoS, choices.below(2)),
        (PropertyId::RetainAvailable, choices.below(2)),
        (PropertyId::MaximumPacketSize, 1 + choices.below(200)),
        (PropertyId::TopicAliasMaximum, choices.below(3)),
        (PropertyId::ServerKeepAlive, choices.below(20)),
    ];
    let which = choices.byte();
    for (at, (id, value)) in rows.into_iter().enumerate() {
        if version.has_properties() && which >> at & 1 == 1 {
            properties.push(Property::number(id, u32::try_from(value).expect("it is small")));
        }
    }
    let code = ReasonCode(choices.of(&[0, 0, 0, 0, 0, 5, 0x87]));
    let session_present = choices.flag() && code == ReasonCode::SUCCESS;
    Packet::ConnAck(Box::new(ConnAck { session_present, code, properties }))
}

/// A packet of a server that may answer anything at any time.
fn answer(choices: &mut Choices<'_>) -> Packet {
    let packet_id = PacketId::new(1 + u16::from(choices.byte()) % 6).expect("it is above 0");
    let code = ReasonCode(choices.of(&[0, 0, 0, 0, 0x10, 0x80, 0x92, 0x11]));
    let properties = Properties::default();
    let ack = Ack { code, ..Ack::success(packet_id) };
    match choices.below(12) {
        0 => Packet::PubAck(ack),
        1 | 2 => Packet::PubRec(ack),
        3 => Packet::PubComp(ack),
        4 => Packet::PubRel(Ack::success(packet_id)),
        5 => Packet::SubAck(SubAck { packet_id, properties, codes: vec![code; choices.below(3)] }),
        6 => Packet::UnsubAck(UnsubAck { packet_id, properties, codes: vec![code] }),
        7 => Packet::PingResp,
        8 if choices.below(8) == 0 => Packet::Disconnect(Disconnect { code, properties }),
        8 => Packet::Auth(Auth { code: ReasonCode(0x18), properties }),
        _ => {
            let qos = choices.of(&QOS);
            let topic = TopicName::new(choices.of(&["a/b", "c"])).expect("a name");
            let payload = Bytes::from(vec![b'y'; usize::from(choices.byte())]);
            let mut properties = Properties::default();
            if choices.below(4) == 0 {
                let alias = u32::from(choices.byte()) % 3;
                properties.push(Property::number(PropertyId::TopicAlias, alias));
            }
            let packet_id = Some(packet_id).filter(|_| qos > QoS::AtMostOnce);
            let dup = choices.flag() && qos > QoS::AtMostOnce;
            Packet::Publish(Publish {
                dup,
                qos,
                packet_id,
                properties,
                ..Publish::new(topic, payload)
            })
        }
    }
}
