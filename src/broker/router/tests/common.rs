//! Clients that take nothing, and that get what they wait for through common queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::*;
use crate::broker::limits::{IN_FLIGHT, Limit, UNSENT_BYTES};

/// After so long a client that has taken nothing is idle.
const WHILE: Duration = Duration::from_millis(3);

impl World {
    /// Subscribers to `t` that have taken nothing for a while.
    fn idle(&mut self, count: usize, version: Version, qos: QoS) -> Vec<ConnectionId> {
        let ids = self.stalled(count, version, qos);
        self.stop(&ids);
        self.now += WHILE;
        ids
    }

    /// A client has read all that it was sent, and reads on.
    fn wakes(&mut self, id: ConnectionId) {
        self.clients.get_mut(&id).unwrap().asleep = false;
        let unsent = self.router.peers[&id].backlog.unsent;
        self.router.written(id, unsent, self.now);
        self.router.went_on(id, self.now);
        self.settle();
    }

    /// Publishes the next messages; what the publisher is answered is forgotten.
    fn publish_numbered(
        &mut self,
        from: ConnectionId,
        numbers: &mut Numbered,
        qos: QoS,
        count: usize,
    ) {
        for _ in 0..count {
            let message = numbers.next(qos);
            self.send(from, Packet::Publish(message));
            if qos == QoS::ExactlyOnce {
                self.send(from, Packet::PubRel(Ack::success(packet_id(7))));
            }
        }
        self.got(from);
    }

    /// The numbers of the messages that a client was sent, or that are sent as if it had read.
    fn numbers(&mut self, id: ConnectionId) -> Vec<u64> {
        self.router.readmit_all();
        self.settle();
        let packets = self.got(id);
        let numbers = packets.iter().filter_map(|packet| match packet {
            Packet::Publish(publish) => Some(number(publish)),
            _ => None,
        });
        numbers.collect()
    }

    /// The numbers of all messages of QoS 1 that a client gets, if it acknowledges each.
    fn acknowledge_all(&mut self, id: ConnectionId) -> Vec<u64> {
        let mut numbers = Vec::new();
        loop {
            let packets = self.got(id);
            if packets.is_empty() {
                return numbers;
            }
            for packet in packets {
                let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
                numbers.push(number(&publish));
                let ack = Ack::success(publish.packet_id.unwrap());
                self.send(id, Packet::PubAck(ack));
            }
        }
    }
}

/// Messages to `t`, whose payloads begin with their numbers.
#[derive(Debug, Default)]
struct Numbered {
    next: u64,
    /// How many bytes follow the number.
    size: usize,
}

impl Numbered {
    fn next(&mut self, qos: QoS) -> Publish {
        let mut payload = self.next.to_be_bytes().to_vec();
        payload.resize(8 + self.size, b'x');
        self.next += 1;
        Publish { payload: payload.into(), ..publish("t", "", qos) }
    }
}

/// The number of a message.
fn number(publish: &Publish) -> u64 {
    u64::from_be_bytes(publish.payload[..8].try_into().unwrap())
}

#[test]
fn one_that_reads_again_gets_all_in_order() {
    for version in [Version::V3_1_1, Version::V5] {
        let mut world = World::new();
        let from = world.client(Version::V5, "from");
        let stalled = world.idle(3, version, QoS::AtMostOnce);
        let mut numbers = Numbered::default();
        world.publish_numbered(from, &mut numbers, QoS::AtMostOnce, 1000);
        assert_eq!(world.in_common(&stalled), 3);
        // One goes on in the middle, takes all it has, and gets the rest as it comes.
        let again = stalled[1];
        world.wakes(again);
        world.publish_numbered(from, &mut numbers, QoS::AtMostOnce, 1000);
        assert_eq!(world.in_common(&stalled), 2);
        assert_eq!(world.numbers(again), (0..2000).collect::<Vec<_>>());
        // And then stops once more.
        world.stop(&[again]);
        world.now += WHILE;
        world.publish_numbered(from, &mut numbers, QoS::AtMostOnce, 1000);
        for id in stalled {
            world.wakes(id);
            let first = if id == again { 2000 } else { 0 };
            assert_eq!(world.numbers(id), (first..3000).collect::<Vec<_>>(), "{id}");
        }
    }
}

#[test]
fn messages_of_qos_1_and_2_wait_until_they_are_within_the_receive_maximum() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut world = World::new();
        let from = world.client(Version::V5, "from");
        let stalled = world.idle(3, Version::V5, qos);
        let mut numbers = Numbered::default();
        world.publish_numbered(from, &mut numbers, qos, 5000);
        assert_eq!(world.in_common(&stalled), 3);
        let flight = usize::from(IN_FLIGHT);
        let id = stalled[0];
        let mut seen = Vec::new();
        while seen.len() < 5000 {
            let packets = world.got(id);
            assert!(!packets.is_empty() && packets.len() <= flight);
            for packet in packets {
                match packet {
                    Packet::Publish(publish) => {
                        seen.push(number(&publish));
                        let ack = Ack::success(publish.packet_id.unwrap());
                        world.send(
                            id,
                            match qos {
                                QoS::AtLeastOnce => Packet::PubAck(ack),
                                _ => Packet::PubRec(ack),
                            },
                        );
                    }
                    Packet::PubRel(ack) => world.send(id, Packet::PubComp(ack)),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(seen, (0..5000).collect::<Vec<_>>());
        assert_eq!(world.numbers(stalled[1]).len(), flight);
    }
}

#[test]
fn a_session_that_is_taken_over_or_comes_back_has_all_of_qos_1() {
    let mut world = World::new();
    let from = world.client(Version::V5, "from");
    let mut numbers = Numbered::default();
    let mut ids = Vec::new();
    for name in ["one", "two", "three"] {
        let (id, _) = world.join(persistent(Version::V5, name));
        world.subscribe(id, subscription("t", QoS::AtLeastOnce));
        ids.push(id);
    }
    world.publish_numbered(from, &mut numbers, QoS::AtLeastOnce, 1500);
    world.now += WHILE;
    world.publish_numbered(from, &mut numbers, QoS::AtLeastOnce, 500);
    assert_eq!(world.in_common(&ids), 3);
    // One is lost and comes back, one is taken over; more comes meanwhile.
    world.lose(ids[0]);
    world.publish_numbered(from, &mut numbers, QoS::AtLeastOnce, 500);
    for (name, old) in [("one", ids[0]), ("two", ids[1])] {
        let before = world.numbers(old);
        assert_eq!(before, (0..u64::from(IN_FLIGHT)).collect::<Vec<_>>());
        let (id, is_there) = world.join(persistent(Version::V5, name));
        assert!(is_there);
        assert_eq!(world.acknowledge_all(id), (0..2500).collect::<Vec<_>>(), "{name}");
    }
    assert_eq!(world.acknowledge_all(ids[2]), (0..2500).collect::<Vec<_>>());
}

#[test]
fn a_message_that_expires_there_is_not_sent() {
    let mut world = World::new();
    let from = world.client(Version::V5, "from");
    let stalled = world.idle(2, Version::V5, QoS::AtLeastOnce);
    let mut numbers = Numbered::default();
    world.publish_numbered(from, &mut numbers, QoS::AtLeastOnce, 1500);
    let mut message = numbers.next(QoS::AtLeastOnce);
    message.properties.push(Property::number(PropertyId::MessageExpiryInterval, 10));
    world.send(from, Packet::Publish(message));
    world.publish_numbered(from, &mut numbers, QoS::AtLeastOnce, 1);
    assert_eq!(world.in_common(&stalled), 2);
    world.now += Duration::from_secs(11);
    let expected: Vec<_> = (0..1502).filter(|number| *number != 1500).collect();
    assert_eq!(world.acknowledge_all(stalled[0]), expected);
}

#[test]
fn limits_are_those_of_each_session() {
    let limits = Limits::default().with(Limit::QueueMessages, 3000);
    let mut world = World::within(limits);
    let from = world.client(Version::V5, "from");
    let stalled = world.idle(3, Version::V5, QoS::AtLeastOnce);
    let mut numbers = Numbered::default();
    world.publish_numbered(from, &mut numbers, QoS::AtLeastOnce, 2000);
    // One has read something: it has more room than the others.
    let read = world.numbers(stalled[2]);
    for id in 1..=u16::try_from(read.len()).unwrap() {
        world.send(stalled[2], Packet::PubAck(Ack::success(packet_id(id))));
    }
    world.now += Duration::from_secs(1);
    world.publish_numbered(from, &mut numbers, QoS::AtLeastOnce, 8000);
    let read = read.len() as u64;
    let most = |read: u64| read + u64::from(IN_FLIGHT) + 3000;
    assert_eq!(world.acknowledge_all(stalled[0]), (0..most(0)).collect::<Vec<_>>());
    assert_eq!(world.acknowledge_all(stalled[2]), (read..most(read)).collect::<Vec<_>>());
    let lost = 3 * 10_000 - 2 * most(0) - most(read);
    assert_eq!(world.router.statistics.dropped, lost);
}

#[test]
fn at_qos_0_each_keeps_what_came_first() {
    let mut world = World::new();
    let from = world.client(Version::V5, "from");
    let stalled = world.idle(3, Version::V5, QoS::AtMostOnce);
    world.now += Duration::from_secs(1);
    let mut numbers = Numbered { size: 50_000, ..Numbered::default() };
    world.publish_numbered(from, &mut numbers, QoS::AtMostOnce, 2000);
    let unsent = world.router.backlog(stalled[0]);
    assert!(unsent > UNSENT_BYTES && unsent < UNSENT_BYTES + 60_000, "{unsent}");
    let kept = world.numbers(stalled[0]);
    assert_eq!(kept, (0..kept.len() as u64).collect::<Vec<_>>());
    assert_eq!(world.numbers(stalled[1]), kept);
    assert_eq!(world.router.statistics.dropped, 3 * (2000 - kept.len() as u64));
}

/// Bytes that count how many of them there are.
struct Counted(Vec<u8>, Arc<AtomicUsize>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(1, SeqCst);
    }
}

#[test]
fn what_waits_is_freed_with_the_last_who_waits_for_it() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut world = World::new();
        let from = world.client(Version::V5, "from");
        let stalled = world.idle(3, Version::V5, qos);
        let mut numbers = Numbered::default();
        world.publish_numbered(from, &mut numbers, qos, 1500);
        assert_eq!(world.in_common(&stalled), 3);
        let stored = Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            stored.fetch_add(1, SeqCst);
            // Large payloads are not copied.
            let payload = Bytes::from_owner(Counted(vec![0; 70_000], stored.clone()));
            world.send(from, Packet::Publish(Publish { payload, ..publish("t", "", qos) }));
            world.got(from);
        }
        // What is handed over is the client's.
        for (left, id) in [(2, stalled[0]), (1, stalled[1]), (0, stalled[2])] {
            world.lose(id);
            world.got(id);
            assert_eq!(stored.load(SeqCst), if left > 0 { 100 } else { 0 }, "{qos} {left}");
        }
    }
}
