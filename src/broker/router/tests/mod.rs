//! The router in virtual time: a world of clients that only exist as packets.

mod access;
mod aliases;
mod chaos;
mod common;
mod connections;
mod delivery;
mod idle;
mod lesser;
mod quality;
mod reasons;
mod replay;
mod runs;
mod sessions;
mod stalled;
mod statistics;
mod subscriptions;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use super::{ConnectionId, EndReason, Router};
use crate::broker::limits::Limits;
use crate::mqtt::packet::{
    Ack, Connect, Credentials, Decoder, Disconnect, Packet, PacketId, Publish, Subscribe,
    Subscription, Will,
};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::{TopicFilter, TopicName};
use crate::mqtt::version::Version;

const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];
const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// A router, what it handed over, and the time.
struct World {
    router: Router,
    now: Instant,
    clients: HashMap<ConnectionId, Client>,
    /// Who was to wait for whom.
    held_back: Vec<(ConnectionId, ConnectionId)>,
    notes: Vec<String>,
    /// The Reason Strings that clients were sent; they are not in the inboxes.
    reasons: Vec<String>,
}

struct Client {
    version: Version,
    inbox: Vec<Packet>,
    end: Option<EndReason>,
    /// It does not read: what it is sent stays in the backlog.
    asleep: bool,
}

impl World {
    fn new() -> Self {
        Self::within(Limits::default())
    }

    fn within(limits: Limits) -> Self {
        Self {
            router: Router::new(limits),
            now: Instant::now(),
            clients: HashMap::new(),
            held_back: Vec::new(),
            notes: Vec::new(),
            reasons: Vec::new(),
        }
    }

    /// A connection without CONNECT.
    fn open(&mut self, version: Version) -> ConnectionId {
        let id = self.clients.len() as ConnectionId + 1;
        self.router.open(id, self.now);
        self.clients.insert(id, Client { version, inbox: Vec::new(), end: None, asleep: false });
        id
    }

    /// A connection that sent `connect`, whatever the answer.
    fn dial(&mut self, connect: Connect) -> ConnectionId {
        let id = self.open(connect.version);
        self.send(id, Packet::Connect(Box::new(connect)));
        id
    }

    /// A connection that was accepted; true when its session was there.
    fn join(&mut self, connect: Connect) -> (ConnectionId, bool) {
        let Connect { version, clean_start, ref client_id, .. } = connect;
        let is_there = self.router.sessions.find(client_id).is_some() && !clean_start;
        let id = self.dial(connect);
        let inbox = &mut self.clients.get_mut(&id).unwrap().inbox;
        let Packet::ConnAck(answer) = inbox.remove(0) else { panic!("no CONNACK") };
        assert_eq!(answer.code, ReasonCode::SUCCESS);
        // In MQTT 3.1 nothing says so.
        assert_eq!(answer.session_present, is_there && version != Version::V3_1);
        (id, is_there)
    }

    /// A client with a clean session.
    fn client(&mut self, version: Version, client_id: &'static str) -> ConnectionId {
        self.join(connect(version, client_id)).0
    }

    /// A client with that subscription.
    fn subscriber(
        &mut self,
        version: Version,
        client_id: &'static str,
        filter: &'static str,
        qos: QoS,
    ) -> ConnectionId {
        let id = self.client(version, client_id);
        self.subscribe(id, Subscription::new(TopicFilter::new(filter).unwrap(), qos));
        id
    }

    fn subscribe(&mut self, id: ConnectionId, subscription: Subscription) {
        self.subscribe_with(id, subscription, Properties::default());
    }

    /// Subscribes, and checks the answer; retained messages stay in the inbox.
    fn subscribe_with(
        &mut self,
        id: ConnectionId,
        subscription: Subscription,
        properties: Properties,
    ) {
        let granted = ReasonCode(subscription.qos.bits());
        let packet_id = packet_id(77);
        self.send(
            id,
            Packet::Subscribe(Subscribe {
                packet_id,
                properties,
                subscriptions: vec![subscription],
            }),
        );
        let inbox = &mut self.clients.get_mut(&id).unwrap().inbox;
        let at =
            inbox.iter().position(|packet| matches!(packet, Packet::SubAck(_))).expect("no SUBACK");
        let Packet::SubAck(answer) = inbox.remove(at) else { unreachable!() };
        assert_eq!((answer.packet_id, answer.codes), (packet_id, vec![granted]));
    }

    fn send(&mut self, id: ConnectionId, packet: Packet) {
        self.router.receive(id, packet, self.now);
        self.settle();
    }

    /// Publishes with identifier 7 and forgets the acknowledgements.
    fn publish(&mut self, id: ConnectionId, topic: &'static str, payload: &'static str, qos: QoS) {
        self.send(id, Packet::Publish(publish(topic, payload, qos)));
        if qos == QoS::ExactlyOnce {
            self.send(id, Packet::PubRel(Ack::success(packet_id(7))));
        }
        let inbox = &mut self.clients.get_mut(&id).unwrap().inbox;
        inbox.retain(|packet| {
            !matches!(packet, Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubComp(_))
        });
    }

    fn lose(&mut self, id: ConnectionId) {
        self.router.lost(id, self.now);
        self.settle();
    }

    fn disconnect(&mut self, id: ConnectionId) {
        self.send(id, Packet::Disconnect(Disconnect::default()));
        assert_eq!(self.end(id), Some(EndReason::Done));
    }

    /// Lets time pass, stopping at every deadline.
    fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(at) = self.router.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.router.tick(self.now);
            self.settle();
        }
        self.now = until;
    }

    /// What a client received since the last call.
    fn got(&mut self, id: ConnectionId) -> Vec<Packet> {
        std::mem::take(&mut self.clients.get_mut(&id).unwrap().inbox)
    }

    /// The messages among that, as `topic payload qos`, with `r` for RETAIN and `d` for DUP.
    fn messages(&mut self, id: ConnectionId) -> Vec<String> {
        self.got(id)
            .iter()
            .filter_map(|packet| if let Packet::Publish(p) = packet { Some(text(p)) } else { None })
            .collect()
    }

    fn end(&self, id: ConnectionId) -> Option<EndReason> {
        self.clients[&id].end
    }

    /// Takes what the router hands over. Every packet must survive the wire.
    fn settle(&mut self) {
        let mut written = Vec::new();
        let Self { router, clients, held_back, notes, reasons, .. } = self;
        router.drain(|outgoing| {
            let client = clients.get_mut(&outgoing.connection).unwrap();
            assert_eq!(client.end, None, "something was sent after the end");
            for item in outgoing.items.drain(..) {
                if !client.asleep {
                    written.push((outgoing.connection, item.weight()));
                }
                for packet in item.into_packets() {
                    assert_eq!(over_the_wire(&packet, client.version), packet);
                    client.inbox.push(without_reason(packet, reasons));
                }
            }
            client.end = outgoing.end;
            held_back.extend(outgoing.hold_back_for.map(|id| (outgoing.connection, id)));
        });
        notes.extend(router.notes());
        let has_written = !written.is_empty();
        for (id, weight) in written {
            self.router.written(id, weight, self.now);
        }
        if has_written {
            self.settle();
        }
    }
}

/// The packet without its Reason String, which goes to `reasons`.
fn without_reason(mut packet: Packet, reasons: &mut Vec<String>) -> Packet {
    let properties = match &mut packet {
        Packet::ConnAck(packet) => &mut packet.properties,
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            &mut ack.properties
        }
        Packet::SubAck(packet) => &mut packet.properties,
        Packet::UnsubAck(packet) => &mut packet.properties,
        Packet::Disconnect(packet) => &mut packet.properties,
        _ => return packet,
    };
    reasons.extend(properties.reason_string().map(ToString::to_string));
    properties.remove(PropertyId::ReasonString);
    packet
}

fn over_the_wire(packet: &Packet, version: Version) -> Packet {
    let mut bytes = BytesMut::new();
    packet.encode(version, &mut bytes).unwrap();
    let mut decoder = Decoder::new(version, usize::MAX);
    decoder.feed(bytes.freeze());
    decoder.next().unwrap().unwrap()
}

fn text(publish: &Publish) -> String {
    let flags = [(publish.dup, " d"), (publish.retain, " r")];
    let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag).collect();
    let topic = publish.topic.as_ref().unwrap();
    format!("{topic} {} {}{flags}", String::from_utf8_lossy(&publish.payload), publish.qos)
}

fn packet_id(value: u16) -> PacketId {
    PacketId::new(value).unwrap()
}

fn connect(version: Version, client_id: &'static str) -> Connect {
    Connect {
        version,
        clean_start: true,
        keep_alive: 0,
        client_id: ByteString::from_static(client_id),
        will: None,
        credentials: Credentials::default(),
        properties: Properties::default(),
    }
}

/// A CONNECT for a session that outlives its connections.
fn persistent(version: Version, client_id: &'static str) -> Connect {
    let properties = match version {
        Version::V5 => Properties(vec![Property::number(PropertyId::SessionExpiryInterval, 3600)]),
        _ => Properties::default(),
    };
    Connect { clean_start: false, properties, ..connect(version, client_id) }
}

fn will(payload: &'static str) -> Will {
    Will {
        topic: TopicName::new("will").unwrap(),
        payload: Bytes::from_static(payload.as_bytes()),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: Properties::default(),
    }
}

fn publish(topic: &'static str, payload: &'static str, qos: QoS) -> Publish {
    Publish {
        qos,
        packet_id: (qos != QoS::AtMostOnce).then(|| packet_id(7)),
        ..Publish::new(TopicName::new(topic).unwrap(), Bytes::from_static(payload.as_bytes()))
    }
}

fn retained(topic: &'static str, payload: &'static str) -> Packet {
    Packet::Publish(Publish { retain: true, ..publish(topic, payload, QoS::AtMostOnce) })
}

fn subscription(filter: &'static str, qos: QoS) -> Subscription {
    Subscription::new(TopicFilter::new(filter).unwrap(), qos)
}

fn ack(packet_id: PacketId, code: ReasonCode) -> Ack {
    Ack { packet_id, code, properties: Properties::default() }
}

/// A DISCONNECT with a reason, as MQTT 5 servers send it.
fn goodbye(code: ReasonCode) -> Packet {
    Packet::Disconnect(Disconnect { code, properties: Properties::default() })
}
