//! Runs of messages that are passed on as they came: nobody can tell them from messages that came
//! alone.

use super::*;
use crate::broker::limits::{Limit, READ_BYTES, UNSENT_BYTES};
use crate::broker::memory::MemoryLevel;
use crate::broker::router::OutgoingItem;
use crate::mqtt::packet::PublishRun;

/// Messages of QoS 0, as a client of this version would send them.
pub(super) fn run(version: Version, topic: &'static str, payloads: &[String]) -> PublishRun {
    let mut bytes = BytesMut::new();
    for payload in payloads {
        let topic = TopicName::new(topic).unwrap();
        let message = Publish::new(topic, Bytes::copy_from_slice(payload.as_bytes()));
        Packet::Publish(message).encode(version, &mut bytes).unwrap();
    }
    let mut decoder = Decoder::new(version, usize::MAX);
    decoder.feed(bytes.freeze());
    let run = decoder.next_run(usize::MAX).unwrap();
    assert_eq!((run.count, decoder.buffered()), (payloads.len(), 0));
    run
}

pub(super) fn numbers(from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|number| number.to_string()).collect()
}

impl World {
    pub(super) fn send_run(&mut self, id: ConnectionId, run: &PublishRun) {
        self.router.receive_run(id, run, self.now);
        self.settle();
    }
}

/// Clients of every kind, of which some get the bytes as they came and some do not.
fn audience(world: &mut World, publisher: ConnectionId) -> Vec<ConnectionId> {
    let mut ids = vec![publisher];
    let names = [["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]];
    for (version, names) in VERSIONS.into_iter().zip(names) {
        for (qos, name) in QOS.into_iter().zip(names) {
            let id = world.subscriber(version, name, "t/+", qos);
            world.subscribe(id, subscription("t/#", QoS::AtMostOnce));
            ids.push(id);
        }
    }
    let v5 = |client_id, property| Connect {
        properties: Properties(vec![property]),
        ..connect(Version::V5, client_id)
    };
    let aliases = Property::number(PropertyId::TopicAliasMaximum, 5);
    let small = Property::number(PropertyId::MaximumPacketSize, 20);
    for connect in [v5("aliases", aliases), v5("small", small)] {
        let (id, _) = world.join(connect);
        world.subscribe(id, subscription("t/long/topic", QoS::AtMostOnce));
        world.subscribe(id, subscription("t/s", QoS::AtMostOnce));
        ids.push(id);
    }
    let identified = world.client(Version::V5, "identified");
    let number = Property::number(PropertyId::SubscriptionIdentifier, 9);
    let wanted = subscription("t/#", QoS::AtMostOnce);
    world.subscribe_with(identified, wanted, Properties(vec![number]));
    let absent = world.join(persistent(Version::V3_1_1, "absent")).0;
    world.subscribe(absent, subscription("t/#", QoS::AtLeastOnce));
    world.lose(absent);
    let no_local = Subscription { no_local: true, ..subscription("t/#", QoS::AtMostOnce) };
    world.subscribe(publisher, no_local);
    ids.push(identified);
    ids
}

#[test]
fn every_subscriber_gets_what_it_would_get_of_single_messages() {
    for version in VERSIONS {
        for shared in [false, true] {
            for topic in ["t/s", "t/long/topic", "elsewhere", "$SYS/broker/x"] {
                let received = [true, false].map(|joined| {
                    let mut world = World::new();
                    let from = world.client(version, "from");
                    let mut ids = audience(&mut world, from);
                    if shared {
                        for client_id in ["s1", "s2"] {
                            let filter = "$share/g/t/#";
                            let qos = QoS::AtMostOnce;
                            ids.push(world.subscriber(Version::V5, client_id, filter, qos));
                        }
                    }
                    let run = run(version, topic, &numbers(8, 5));
                    if joined {
                        world.send_run(from, &run);
                    } else {
                        for message in run.messages() {
                            world.send(from, Packet::Publish(message));
                        }
                    }
                    let received = &world.router.statistics.received;
                    let sent = &world.router.statistics.sent;
                    let counted =
                        [received.packets, received.messages, sent.packets, sent.messages];
                    let all: Vec<_> = ids.iter().map(|id| world.got(*id)).collect();
                    (all, counted, world.notes)
                });
                let [joined, single] = received;
                assert_eq!(joined, single, "{version} {topic} {shared}");
            }
        }
    }
}

#[test]
fn the_bytes_are_passed_on_as_they_are() {
    let mut world = World::new();
    let from = world.client(Version::V3_1_1, "from");
    let to = world.subscriber(Version::V3_1, "to", "t", QoS::ExactlyOnce);
    let run = run(Version::V3_1_1, "t", &numbers(0, 10));
    world.router.receive_run(from, &run, world.now);
    let mut items = Vec::new();
    world.router.drain(|outgoing| {
        assert_eq!((outgoing.connection, outgoing.unsent), (to, outgoing.items[0].weight()));
        items.extend(outgoing.items.drain(..));
    });
    assert_eq!(items, [OutgoingItem::Run(run)]);
}

#[test]
fn order_is_kept_among_single_messages() {
    let mut world = World::new();
    let from = world.client(Version::V5, "from");
    let to = world.subscriber(Version::V5, "to", "t", QoS::AtMostOnce);
    let mut expected = Vec::new();
    for at in 0..20 {
        world.publish(from, "t", "x", QoS::AtMostOnce);
        world.send_run(from, &run(Version::V5, "t", &numbers(10 * at, 3)));
        expected.push("t x 0".to_owned());
        expected.extend(numbers(10 * at, 3).iter().map(|number| format!("t {number} 0")));
    }
    assert_eq!(world.messages(to), expected);
}

#[test]
fn a_run_before_connect_and_after_the_end_is_not_taken() {
    let mut world = World::new();
    let to = world.subscriber(Version::V3_1_1, "to", "#", QoS::AtMostOnce);
    let from = world.open(Version::V3_1_1);
    let run = run(Version::V3_1_1, "t", &numbers(0, 10));
    world.send_run(from, &run);
    assert_eq!(world.end(from), Some(EndReason::Misbehaved));
    world.send_run(from, &run);
    let from = world.client(Version::V3_1_1, "from");
    world.disconnect(from);
    world.send_run(from, &run);
    assert_eq!(world.messages(to), <[String; 0]>::default());
}

#[test]
fn little_memory_is_as_for_single_messages() {
    let mut world = World::new();
    let to = world.subscriber(Version::V3_1_1, "to", "#", QoS::AtMostOnce);
    let from = world.client(Version::V3_1_1, "from");
    for (level, count) in [(MemoryLevel::Low, 5), (MemoryLevel::Out, 0)] {
        world.router.set_memory(level);
        world.send_run(from, &run(Version::V3_1_1, "t", &numbers(0, 5)));
        assert_eq!(world.messages(to).len(), count, "{level:?}");
    }
}

#[test]
fn what_waits_has_memory_of_its_own_and_is_bounded() {
    let mut world = World::new();
    let to = world.subscriber(Version::V5, "to", "t", QoS::AtMostOnce);
    let also = world.subscriber(Version::V5, "also", "t", QoS::AtMostOnce);
    let from = world.client(Version::V5, "from");
    for id in [to, also] {
        world.clients.get_mut(&id).unwrap().asleep = true;
    }
    let run = run(Version::V5, "t", &vec!["x".repeat(1000); 30]);
    let count = UNSENT_BYTES / run.packets.len() + 100;
    let (mut waiting, mut read) = (Vec::new(), 0);
    for _ in 0..count {
        world.router.receive_run(from, &run, world.now);
        world.router.drain(|outgoing| {
            for item in outgoing.items.drain(..) {
                let OutgoingItem::Run(waits) = item else { panic!("{item:?}") };
                let is_slice = waits.packets.as_ptr() == run.packets.as_ptr();
                read += usize::from(is_slice);
                let topic = waits.topic.as_str().as_ptr();
                assert!(waits.packets.as_ptr_range().contains(&topic));
                waiting.push((outgoing.connection, waits.packets.as_ptr()));
            }
            world.held_back.extend(outgoing.hold_back_for.map(|id| (outgoing.connection, id)));
        });
    }
    // Two subscribers share each copy.
    assert_eq!(read, 2 * (1 + READ_BYTES / (run.packets.len() + 128)));
    let of = |id| waiting.iter().filter(move |entry| entry.0 == id).map(|entry| entry.1);
    assert!(of(to).eq(of(also)));
    let most = UNSENT_BYTES / (run.packets.len() + 128) + 1;
    assert_eq!(of(to).count(), most);
    assert!(world.held_back.iter().all(|pair| pair.0 == from));
    assert_eq!(world.held_back.len(), 1);
    let dropped = 2 * run.count * (count - most);
    assert_eq!(world.router.statistics.dropped, dropped as u64);
    let notes = world.router.notes();
    assert!(notes.contains(&"\"to\" is too slow: messages are dropped".to_owned()), "{notes:?}");
}

#[test]
fn limits_of_the_publisher_do_not_matter_to_them() {
    // Neither QoS 0 nor messages that are not retained can be refused.
    let limits = Limits::default().with(Limit::MaxQos, 0).with(Limit::Retain, 0);
    let mut world = World::within(limits);
    let to = world.subscriber(Version::V5, "to", "t", QoS::AtMostOnce);
    let from = world.client(Version::V5, "from");
    world.send_run(from, &run(Version::V5, "t", &numbers(0, 3)));
    assert_eq!(world.messages(to).len(), 3);
}
