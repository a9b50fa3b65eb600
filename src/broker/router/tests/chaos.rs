//! Seeded chaos: connections that are cut anywhere, and clients that send anything at any time.

use std::collections::HashSet;

use fastrand::Rng;

use super::*;
use crate::mqtt::packet::{RetainHandling, Unsubscribe};

/// A subscriber as §4.3.2 and §4.3.3 want it, on a network that loses what is under way.
struct Flaky {
    id: ConnectionId,
    version: Version,
    unreleased: HashSet<PacketId>,
    received: Vec<String>,
}

impl Flaky {
    /// Reads up to `count` packets and answers each.
    fn read(&mut self, world: &mut World, count: usize) {
        let mut packets = world.got(self.id);
        let later = packets.split_off(count.min(packets.len()));
        world.clients.get_mut(&self.id).unwrap().inbox = later;
        for packet in packets {
            let answer = match packet {
                Packet::Publish(publish) => self.keep(&publish),
                Packet::PubRel(ack) => {
                    self.unreleased.remove(&ack.packet_id);
                    Packet::PubComp(Ack::success(ack.packet_id))
                }
                other => panic!("{other:?}"),
            };
            world.send(self.id, answer);
        }
    }

    fn keep(&mut self, publish: &Publish) -> Packet {
        let id = publish.packet_id.unwrap();
        if publish.qos == QoS::AtLeastOnce || self.unreleased.insert(id) {
            self.received.push(String::from_utf8(publish.payload.to_vec()).unwrap());
        }
        let ack = Ack::success(id);
        if publish.qos == QoS::AtLeastOnce { Packet::PubAck(ack) } else { Packet::PubRec(ack) }
    }

    /// Loses the connection and everything under way, and comes back.
    fn reconnect(&mut self, world: &mut World, random: &mut Rng) {
        world.lose(self.id);
        let mut again = persistent(self.version, "to");
        if self.version == Version::V5 {
            again.properties.push(Property::number(PropertyId::ReceiveMaximum, random.u32(1..10)));
        }
        let (id, present) = world.join(again);
        assert!(present);
        self.id = id;
    }
}

#[test]
fn nothing_is_lost_or_doubled_however_often_the_connection_is() {
    for seed in 0..300 {
        println!("seed {seed}");
        let mut random = Rng::with_seed(seed);
        let version = VERSIONS[random.usize(..3)];
        let qos = QOS[random.usize(1..3)];
        let mut world = World::new();
        let (id, _) = world.join(persistent(version, "to"));
        world.subscribe(id, subscription("a", qos));
        let from = world.client(Version::V5, "from");
        let mut to = Flaky { id, version, unreleased: HashSet::new(), received: Vec::new() };
        let mut sent = 0;
        while sent < 50 || !world.clients[&to.id].inbox.is_empty() {
            match random.u8(..10) {
                0 if sent < 50 => to.reconnect(&mut world, &mut random),
                1..5 if sent < 50 => {
                    let payload = Bytes::from(sent.to_string());
                    world.send(
                        from,
                        Packet::Publish(Publish { payload, ..publish("a", "", QoS::ExactlyOnce) }),
                    );
                    world.send(from, Packet::PubRel(Ack::success(packet_id(7))));
                    sent += 1;
                }
                _ => to.read(&mut world, random.usize(..5)),
            }
        }
        let expected: Vec<_> = (0..50).map(|number| number.to_string()).collect();
        if qos == QoS::AtLeastOnce {
            // Twice is allowed, but the first times are in order `[MQTT-4.6.0-1]`.
            let mut seen = HashSet::new();
            to.received.retain(|payload| seen.insert(payload.clone()));
        }
        assert_eq!(to.received, expected, "seed {seed}");
    }
}

const TOPICS: [&str; 6] = ["a", "a/b", "a/b/c", "$x", "/", "b//c"];
const FILTERS: [&str; 9] =
    ["#", "+", "a/#", "+/b", "a/+/c", "$x", "$share/g/#", "$share/g/a/+", "b/+/c"];
const CLIENTS: [&str; 4] = ["one", "two", "three", ""];

fn anything(random: &mut Rng, version: Version) -> Packet {
    let id = packet_id(random.u16(1..6));
    let code = ReasonCode(if random.bool() { 0 } else { 0x80 });
    let any_ack = ack(id, if version == Version::V5 { code } else { ReasonCode::SUCCESS });
    let filter = TopicFilter::new(FILTERS[random.usize(..FILTERS.len())]).unwrap();
    match random.u8(..24) {
        0..10 => any_publish(random, version, id),
        10 => Packet::PubAck(any_ack),
        11 | 12 => Packet::PubRec(any_ack),
        13 | 14 => Packet::PubRel(Ack::success(id)),
        15 => Packet::PubComp(any_ack),
        16..20 => {
            let no_local = filter.share().is_none() && random.bool();
            let retain_handling = [RetainHandling::Always, RetainHandling::New][random.usize(..2)];
            let wanted = Subscription {
                no_local,
                retain_handling,
                ..Subscription::new(filter, QOS[random.usize(..3)])
            };
            let subscriptions = vec![wanted];
            Packet::Subscribe(Subscribe {
                packet_id: id,
                properties: Properties::default(),
                subscriptions,
            })
        }
        20 => {
            let properties = Properties::default();
            Packet::Unsubscribe(Unsubscribe { packet_id: id, properties, filters: vec![filter] })
        }
        21 => Packet::PingReq,
        22 => Packet::PingResp,
        _ => Packet::Disconnect(Disconnect::default()),
    }
}

fn any_publish(random: &mut Rng, version: Version, id: PacketId) -> Packet {
    let qos = QOS[random.usize(..3)];
    let mut publish =
        publish(TOPICS[random.usize(..TOPICS.len())], ["", "x"][random.usize(..2)], qos);
    publish.packet_id = publish.packet_id.map(|_| id);
    publish.retain = random.bool();
    if version == Version::V5 && random.bool() {
        publish.properties.push(Property::number(PropertyId::TopicAlias, random.u32(..20)));
        if random.bool() {
            publish.topic = None;
        }
        publish
            .properties
            .push(Property::number(PropertyId::MessageExpiryInterval, random.u32(..20)));
    }
    Packet::Publish(publish)
}

fn any_connect(random: &mut Rng, version: Version) -> Connect {
    let mut connect = connect(version, CLIENTS[random.usize(..CLIENTS.len())]);
    connect.clean_start = random.bool();
    connect.keep_alive = random.u16(..30);
    connect.will = random.bool().then(|| will("gone"));
    if version == Version::V5 {
        connect
            .properties
            .push(Property::number(PropertyId::SessionExpiryInterval, random.u32(..30)));
        connect.properties.push(Property::number(PropertyId::ReceiveMaximum, random.u32(1..4)));
        connect
            .properties
            .push(Property::number(PropertyId::MaximumPacketSize, random.u32(1..200)));
        if let Some(will) = &mut connect.will {
            will.properties.push(Property::number(PropertyId::WillDelayInterval, random.u32(..30)));
        }
    }
    connect
}

#[test]
fn anything_at_any_time() {
    for seed in 0..300 {
        println!("seed {seed}");
        let mut random = Rng::with_seed(seed);
        let mut world = World::new();
        let mut open = Vec::new();
        for _ in 0..300 {
            let id = open.get(random.usize(..=open.len())).copied();
            match (random.u8(..20), id) {
                (0..2, _) | (_, None) => {
                    let version = VERSIONS[random.usize(..3)];
                    open.push(world.dial(any_connect(&mut random, version)));
                }
                (2, Some(id)) => world.lose(id),
                (3, _) => world.wait(Duration::from_secs(random.u64(..20))),
                (_, Some(id)) => {
                    let packet = anything(&mut random, world.clients[&id].version);
                    world.send(id, packet);
                }
            }
            open.retain(|id| world.clients[id].end.is_none());
        }
        // When all is over, only sessions that never expire are left, and no backlog counts wrong.
        for id in open {
            world.lose(id);
        }
        world.wait(Duration::from_secs(60));
        assert_eq!(world.router.deadline(), None, "seed {seed}");
        assert!(world.router.peers.values().all(|peer| peer.backlog.unsent == 0), "seed {seed}");
        for name in CLIENTS {
            world.dial(connect(Version::V3_1_1, name));
        }
        assert!(world.router.subscriptions.is_empty(), "seed {seed}");
    }
}
