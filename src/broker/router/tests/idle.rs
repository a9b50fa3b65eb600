//! Clients that take nothing, of all kinds: a message costs nothing for each of them.

use super::runs::run;
use super::*;
use crate::broker::limits::Limit;
use crate::mqtt::packet::PublishRun;

/// After so long a client that has taken nothing is idle.
const WHILE: Duration = Duration::from_millis(3);

const TOPICS: [&str; 4] = ["t/0", "t/1", "t/2", "t/3"];

/// What one of them has subscribed to.
#[derive(Debug, Clone, Copy)]
struct Kind {
    version: Version,
    filters: &'static [&'static str],
    qos: QoS,
    identifier: Option<u32>,
    is_absent: bool,
}

impl Kind {
    fn of(number: usize) -> Self {
        let version = VERSIONS[number % 3];
        let all: [&[&str]; 5] = [&["t/#"], &["#"], &["t/+"], &["t/1"], &["t/2", "t/3", "x/#"]];
        let qos = QOS[number / 3 % 3];
        let has_identifier = version == Version::V5 && number.is_multiple_of(2);
        // Before MQTT 5 no client can say that it takes one message at a time.
        let is_absent = number % 7 == 6 || version != Version::V5 && qos > QoS::AtMostOnce;
        Self {
            version,
            filters: all[number % 5],
            qos,
            identifier: has_identifier.then_some(u32::try_from(number).unwrap() + 1),
            is_absent,
        }
    }

    fn begin(self, world: &mut World, number: usize) -> ConnectionId {
        let client_id = ByteString::from(format!("idle {number}"));
        let mut connect = Connect { client_id, ..persistent(self.version, "") };
        if self.version == Version::V5 {
            connect.properties.push(Property::number(PropertyId::ReceiveMaximum, 1));
            if number.is_multiple_of(4) {
                connect.properties.push(Property::number(PropertyId::TopicAliasMaximum, 1));
            }
        }
        let (id, _) = world.join(connect);
        let identifier = |id: u32| Property::number(PropertyId::SubscriptionIdentifier, id);
        let properties = Properties(self.identifier.map(identifier).into_iter().collect());
        for filter in self.filters {
            world.subscribe_with(id, subscription(filter, self.qos), properties.clone());
        }
        if self.is_absent {
            world.lose(id);
        } else {
            world.stop(&[id]);
        }
        id
    }

    /// Whether it gets messages of this topic and QoS.
    fn gets(self, topic: &str, qos: QoS) -> bool {
        let matches = |filter: &&str| {
            TopicFilter::new(*filter).unwrap().matches(&TopicName::new(topic.to_owned()).unwrap())
        };
        let is_kept = !self.is_absent || self.qos.min(qos) > QoS::AtMostOnce;
        is_kept && self.filters.iter().any(matches)
    }
}

/// The payload, QoS and subscription identifiers of a message.
type Seen = (Vec<u8>, QoS, Vec<u32>);

fn seen(packet: &Packet) -> Option<Seen> {
    let Packet::Publish(publish) = packet else { return None };
    let identifiers = publish.properties.subscription_identifiers().collect();
    Some((publish.payload.to_vec(), publish.qos, identifiers))
}

#[test]
fn they_are_not_looked_at_whatever_they_have_subscribed_to() {
    for (qos, count) in [(QOS[0], 210), (QOS[1], 210), (QOS[2], 210), (QOS[1], 2100)] {
        let mut world = World::new();
        let from = world.client(Version::V5, "from");
        let to = world.subscriber(Version::V3_1_1, "to", "t/#", QoS::ExactlyOnce);
        let kinds: Vec<_> = (0..count).map(Kind::of).collect();
        let ids: Vec<_> =
            kinds.iter().enumerate().map(|(at, kind)| kind.begin(&mut world, at)).collect();
        world.now += WHILE;
        let mut published = Vec::new();
        for number in 0..200 {
            let topic = TOPICS[number % 4];
            let payload: &'static str = Box::leak(number.to_string().into_boxed_str());
            world.publish(from, topic, payload, qos);
            published.push((topic, payload));
            acknowledge(&mut world, to, payload);
            // Each has got messages before it is set aside.
            if number >= 12 {
                assert_eq!(world.router.buffers.matches.looked_at(), 1, "{qos} {number}");
            }
        }
        assert_eq!(world.held_back, []);
        assert_eq!(world.router.statistics.dropped, 0);
        world.router.readmit_all();
        world.settle();
        for (at, (kind, id)) in kinds.iter().zip(ids).enumerate() {
            let id = if kind.is_absent {
                world
                    .join(Connect {
                        client_id: ByteString::from(format!("idle {at}")),
                        ..persistent(kind.version, "")
                    })
                    .0
            } else {
                world.router.went_on(id, world.now);
                world.settle();
                id
            };
            let got = take_all(&mut world, id);
            let gets = |(topic, _): &&(&str, &str)| kind.gets(topic, qos);
            let form = |(_, payload): &(&str, &str)| {
                let identifiers = kind.identifier.into_iter().collect();
                (payload.as_bytes().to_vec(), kind.qos.min(qos), identifiers)
            };
            let expected: Vec<_> = published.iter().filter(gets).map(form).collect();
            assert_eq!(got, expected, "{at} {kind:?}");
        }
    }
}

/// All that a client gets that acknowledges it.
fn take_all(world: &mut World, id: ConnectionId) -> Vec<Seen> {
    let mut all = Vec::new();
    loop {
        let packets = world.got(id);
        if packets.is_empty() {
            return all;
        }
        for packet in packets {
            all.extend(seen(&packet));
            match packet {
                Packet::Publish(Publish { packet_id: Some(packet_id), qos, .. }) => {
                    let ack = Ack::success(packet_id);
                    let is_once = qos == QoS::ExactlyOnce;
                    world.send(id, if is_once { Packet::PubRec(ack) } else { Packet::PubAck(ack) });
                }
                Packet::PubRel(ack) => world.send(id, Packet::PubComp(ack)),
                _ => {}
            }
        }
    }
}

/// A client that reads has got a message, and acknowledges it.
fn acknowledge(world: &mut World, to: ConnectionId, payload: &str) {
    for packet in world.got(to) {
        let Packet::Publish(publish) = packet else { continue };
        assert_eq!(publish.payload, payload);
        let Some(id) = publish.packet_id else { continue };
        if publish.qos == QoS::AtLeastOnce {
            world.send(to, Packet::PubAck(Ack::success(id)));
        } else {
            world.send(to, Packet::PubRec(Ack::success(id)));
            world.send(to, Packet::PubComp(Ack::success(id)));
        }
    }
}

#[test]
fn when_their_queues_are_full_the_others_lose_nothing_and_are_not_looked_at() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut world = World::within(Limits::default().with(Limit::QueueMessages, 100));
        let from = world.client(Version::V5, "from");
        let to = world.subscriber(Version::V3_1_1, "to", "t/#", qos);
        for number in 0..20 {
            let client_id = ByteString::from(format!("away {number}"));
            let (id, _) = world.join(Connect { client_id, ..persistent(Version::V5, "") });
            world.subscribe(id, subscription("#", qos));
            world.lose(id);
        }
        for number in 0..300 {
            let packet_id = Some(packet_id(7));
            let message = Publish { packet_id, ..publish(TOPICS[number % 4], "x", qos) };
            world.send(from, Packet::Publish(message));
            let codes: Vec<_> = world.got(from).into_iter().map(code).collect();
            assert_eq!(codes, [ReasonCode::SUCCESS], "{number}");
            world.send(from, Packet::PubRel(Ack::success(self::packet_id(7))));
            world.got(from);
            acknowledge(&mut world, to, "x");
            if number > 0 && number != 100 {
                assert_eq!(world.router.buffers.matches.looked_at(), 1, "{qos} {number}");
            }
        }
        // The first that each loses is told of, and all are counted.
        assert_eq!(world.router.warnings().len(), 20);
        assert_eq!(world.router.statistics.dropped, 20 * 200);
    }
}

fn code(packet: Packet) -> ReasonCode {
    match packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) => ack.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_too_large_for_one_of_them_is_not_sent_to_it() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut world = World::new();
        let from = world.client(Version::V5, "from");
        let mut connect = persistent(Version::V5, "small");
        connect.properties.push(Property::number(PropertyId::MaximumPacketSize, 40));
        connect.properties.push(Property::number(PropertyId::ReceiveMaximum, 1));
        let (id, _) = world.join(connect);
        world.subscribe(id, subscription("t", qos));
        world.stop(&[id]);
        world.now += WHILE;
        let payload = |number: usize| format!("{number}{}", "x".repeat(number % 3 * 20));
        for number in 0..60 {
            let payload = Bytes::from(payload(number));
            world.send(from, Packet::Publish(Publish { payload, ..publish("t", "", qos) }));
        }
        if qos == QoS::AtMostOnce {
            for version in [Version::V5, Version::V3_1_1] {
                let run = run(version, "t", &(60..90).map(payload).collect::<Vec<_>>());
                world.router.receive_run(from, &run, world.now);
                let run = run_of_large(version);
                world.router.receive_run(from, &run, world.now);
            }
        }
        assert_eq!(world.router.buffers.matches.looked_at(), 0);
        world.router.readmit_all();
        world.settle();
        let runs = if qos == QoS::AtMostOnce { 2 } else { 0 };
        let numbers = (0..60).chain((0..runs).flat_map(|_| 60..90));
        let expected: Vec<_> = numbers.filter(|number| number % 3 < 2).map(payload).collect();
        let got: Vec<_> =
            take_all(&mut world, id).into_iter().map(|(payload, ..)| payload).collect();
        assert!(got.iter().eq(expected.iter().map(String::as_bytes)), "{qos} {got:?}");
    }
}

fn run_of_large(version: Version) -> PublishRun {
    run(version, "t", &vec!["x".repeat(50); 3])
}
