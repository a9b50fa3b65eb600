//! Clients that do not read, and those beside them.

use fastrand::Rng;

use super::runs::{numbers, run};
use super::*;
use crate::broker::limits::{Limit, SLOW_BYTES, UNSENT_BYTES};
use crate::broker::memory::MemoryLevel;
use crate::broker::router::OutgoingItem;
use crate::broker::router::idle::IdleFate;
use crate::mqtt::packet::PublishRun;

/// So long is waited for a client of which is not known whether it reads.
const STUCK: Duration = Duration::from_millis(250);

impl World {
    /// Subscribers to `t` that read nothing from now on; the names of all are different.
    pub(super) fn stalled(
        &mut self,
        count: usize,
        version: Version,
        qos: QoS,
    ) -> Vec<ConnectionId> {
        let stall = |number: usize| {
            let client_id = ByteString::from(format!("stalled {qos} {number}"));
            let (id, _) = self.join(Connect { client_id, ..connect(version, "") });
            self.subscribe(id, subscription("t", qos));
            self.clients.get_mut(&id).unwrap().asleep = true;
            id
        };
        (0..count).map(stall).collect()
    }

    /// The sockets of these take nothing from now on.
    pub(super) fn stop(&mut self, ids: &[ConnectionId]) {
        for id in ids {
            self.clients.get_mut(id).unwrap().asleep = true;
            self.router.stopped(*id, self.now);
        }
    }

    /// How many of these lose what comes.
    fn left_out(&self, ids: &[ConnectionId]) -> usize {
        self.count(ids, |fate| matches!(fate, IdleFate::Lost(_)))
    }

    /// How many of these get what comes through the common queue.
    pub(super) fn in_common(&self, ids: &[ConnectionId]) -> usize {
        self.count(ids, |fate| matches!(fate, IdleFate::Waiting(_)))
    }

    /// How many of these are set aside, and their messages have such a fate at the highest QoS.
    fn count(&self, ids: &[ConnectionId], is_one: impl Fn(IdleFate) -> bool) -> usize {
        let is_out = |id: &&ConnectionId| {
            let session = self.router.peers.get(id).and_then(|peer| peer.session);
            session.is_some_and(|key| is_one(self.router.subscriptions.idle.highest_fate(key)))
        };
        ids.iter().filter(is_out).count()
    }
}

/// Messages of QoS 0 of about 300 KB together.
fn large_run(version: Version, at: usize) -> (PublishRun, Vec<String>) {
    let payload = |number: String| format!("{number}{}", "x".repeat(10_000));
    let payloads: Vec<_> = numbers(at * 30, 30).into_iter().map(payload).collect();
    (run(version, "t", &payloads), payloads)
}

#[test]
fn they_cost_the_others_nothing() {
    for count in [20, 1000] {
        let mut world = World::new();
        let to = world.subscriber(Version::V3_1_1, "to", "t", QoS::AtMostOnce);
        let from = world.client(Version::V3_1_1, "from");
        let stalled = world.stalled(count, Version::V3_1_1, QoS::AtMostOnce);
        // Until their queues are full and they are left out.
        let mut stops = stalled.clone();
        for at in 0..UNSENT_BYTES / 300_000 + 200 {
            let (run, payloads) = large_run(Version::V3_1_1, at);
            world.router.receive_run(from, &run, world.now);
            let mut seen = Vec::new();
            let mut addresses = Vec::new();
            world.router.drain(|outgoing| {
                assert_eq!(outgoing.hold_back_for, None);
                for item in outgoing.items.drain(..) {
                    match item {
                        OutgoingItem::Run(run) if outgoing.connection == to => {
                            seen.extend(run.messages());
                        }
                        OutgoingItem::Run(run) => addresses.push(vec![run.packets.as_ptr()]),
                        OutgoingItem::Common(mut common) => addresses.push(common.runs()),
                        OutgoingItem::Packet(packet) => panic!("{packet:?}"),
                    }
                }
            });
            // What all of them are to get is the same memory.
            addresses.dedup();
            assert!(addresses.len() <= 1);
            assert!(
                seen.iter()
                    .map(|message| &message.payload[..])
                    .eq(payloads.iter().map(String::as_bytes))
            );
            let unsent = world.router.backlog(to);
            world.router.written(to, unsent, world.now);
            world.stop(&std::mem::take(&mut stops));
            world.now += STUCK / 100;
        }
        assert_eq!(world.left_out(&stalled), count);
        assert!(world.router.peers.values().all(|peer| peer.items.is_empty()));
    }
}

#[test]
fn nobody_waits_for_them_longer_than_once() {
    for qos in QOS {
        let limits = Limits::default().with(Limit::QueueMessages, 1000);
        let mut world = World::within(limits);
        let from = world.client(Version::V5, "from");
        let stalled = world.stalled(20, Version::V5, qos);
        let large = Bytes::from(vec![0; 1 << 20]);
        let size = if qos == QoS::AtMostOnce { large.len() } else { 1 };
        let mut held_back_at = Vec::new();
        let begin = world.now;
        for _ in 0..4000 {
            let message = Publish { payload: large.slice(..size), ..publish("t", "", qos) };
            world.send(from, Packet::Publish(message));
            world.send(from, Packet::PubRel(Ack::success(packet_id(7))));
            if !std::mem::take(&mut world.held_back).is_empty() {
                held_back_at.push(world.now - begin);
            }
            world.got(from);
            for id in &stalled {
                drop(world.got(*id));
            }
            world.now += Duration::from_millis(1);
        }
        let last = held_back_at.last().copied().unwrap_or_default();
        assert!(last < Duration::from_secs(2), "{qos} {last:?}");
        assert!(held_back_at.len() <= 250, "{qos} {}", held_back_at.len());
        assert_eq!(world.left_out(&stalled), 20, "{qos}");
    }
}

#[test]
fn one_that_has_read_and_stops_is_waited_for_a_moment_before_it_loses_messages() {
    for has_read in [false, true] {
        let mut world = World::new();
        let from = world.client(Version::V5, "from");
        let to = world.stalled(1, Version::V5, QoS::AtMostOnce)[0];
        if has_read {
            world.router.has_read(to);
        }
        world.stop(&[to]);
        let payload = Bytes::from(vec![0; 1 << 20]);
        for _ in 0..80 {
            world.now += Duration::from_micros(100);
            let payload = payload.clone();
            let message = Publish { payload, ..publish("t", "", QoS::AtMostOnce) };
            world.send(from, Packet::Publish(message));
            if !world.held_back.is_empty() {
                break;
            }
        }
        assert_eq!(world.held_back.is_empty(), !has_read);
        assert_eq!(world.router.statistics.dropped == 0, has_read);
        world.now += Duration::from_millis(90);
        assert_eq!(world.router.is_waited_for(to, world.now), has_read);
        world.now += Duration::from_millis(5);
        assert!(!world.router.is_waited_for(to, world.now));
    }
}

#[test]
fn one_that_reads_is_waited_for_and_loses_nothing() {
    let mut world = World::new();
    let from = world.client(Version::V5, "from");
    let to = world.stalled(1, Version::V5, QoS::AtMostOnce)[0];
    let large = Bytes::from(vec![0; 1 << 20]);
    world.stop(&[to]);
    let mut most = 0;
    for _ in 0..200 {
        let message = Publish { payload: large.clone(), ..publish("t", "", QoS::AtMostOnce) };
        world.send(from, Packet::Publish(message));
        // The loop does not read from the publisher before the reader has caught up.
        if !std::mem::take(&mut world.held_back).is_empty() {
            while world.router.backlog(to) > SLOW_BYTES / 2 {
                let is_low = world.router.backlog(to) <= SLOW_BYTES;
                assert!(is_low || world.router.is_waited_for(to, world.now));
                world.now += STUCK / 5;
                world.router.written(to, 1 << 20, world.now);
                world.router.went_on(to, world.now);
            }
        }
        world.router.went_on(to, world.now);
        world.router.written(to, 1000, world.now);
        most = most.max(world.router.backlog(to));
        world.stop(&[to]);
    }
    assert!(most <= SLOW_BYTES + (3 << 20), "{most}");
    assert_eq!(world.router.statistics.dropped, 0);
}

#[test]
fn one_that_reads_is_waited_for_as_well_while_memory_is_scarce() {
    let mut world = World::new();
    let from = world.client(Version::V5, "from");
    let to = world.stalled(1, Version::V5, QoS::AtMostOnce)[0];
    let (mut held_back, mut level) = (false, MemoryLevel::Plenty);
    for at in 0..1000 {
        if held_back {
            // It takes a little at a time.
            world.now += STUCK / 50;
            world.router.written(to, 20_000, world.now);
            world.router.went_on(to, world.now);
            held_back = !world.router.has_caught_up(to);
            continue;
        }
        let message = Bytes::from(vec![0; 60_000]);
        let message = Publish { payload: message, ..publish("t", "", QoS::AtMostOnce) };
        world.send(from, Packet::Publish(message));
        world.stop(&[to]);
        held_back = !std::mem::take(&mut world.held_back).is_empty();
        // There is more than would be handed over now.
        if at > 60 {
            level = MemoryLevel::Scarce;
        }
        world.router.set_memory(level);
    }
    assert_eq!((level, world.router.statistics.dropped), (MemoryLevel::Scarce, 0));
}

#[test]
fn of_a_shared_subscription_the_members_get_a_message_that_read() {
    for qos in QOS {
        let mut world = World::new();
        let from = world.client(Version::V5, "from");
        let ids = ["one", "two", "three"]
            .map(|name| world.subscriber(Version::V5, name, "$share/g/t", qos));
        world.stop(&ids[..2]);
        for _ in 0..10 {
            world.publish(from, "t", "x", qos);
        }
        assert_eq!(ids.map(|id| world.messages(id).len()), [0, 0, 10]);
        // If nobody reads, all take turns.
        world.stop(&ids[2..]);
        for _ in 0..9 {
            world.publish(from, "t", "x", qos);
        }
        assert_eq!(ids.map(|id| world.messages(id).len()), [3, 3, 3]);
    }
}

/// What a client got, and what was said, in a world in which sessions are left out or not.
fn fates(seed: u64, leaves_out: bool) -> (Vec<Vec<Packet>>, Vec<String>, [u64; 3], [usize; 2]) {
    let mut random = Rng::with_seed(seed);
    let limits = Limits::default().with(Limit::QueueMessages, 1100);
    let mut world = World::within(limits);
    world.router.set_memory(MemoryLevel::Scarce);
    let from = world.client(Version::V5, "from");
    let mut ids = vec![from];
    for qos in QOS {
        ids.extend(world.stalled(3, Version::V5, qos));
    }
    let (absent, _) = world.join(persistent(Version::V5, "absent"));
    world.subscribe(absent, subscription("t", QoS::AtLeastOnce));
    world.lose(absent);
    world.stop(&ids[1..]);
    let large = Bytes::from(vec![0; 10_000]);
    let (mut left_out, mut in_common) = (0, 0);
    for _ in 0..25 {
        let qos = QOS[random.usize(..3)];
        for _ in 0..random.usize(..400) {
            if !leaves_out {
                world.router.readmit_all();
            }
            let message = Publish { payload: large.clone(), ..publish("t", "", qos) };
            world.send(from, Packet::Publish(message));
            world.send(from, Packet::PubRel(Ack::success(packet_id(7))));
        }
        world.now += Duration::from_millis(random.u64(..300));
        ids.retain(|id| world.clients[id].end.is_none());
        left_out = left_out.max(world.left_out(&ids));
        in_common = in_common.max(world.in_common(&ids));
        let id = ids[random.usize(1..ids.len())];
        match random.u8(..6) {
            0 => {
                world.router.readmit_all();
                let unsent = world.router.peers[&id].backlog.unsent;
                world.router.written(id, random.usize(..=unsent), world.now);
                world.settle();
                if random.bool() {
                    world.stop(&[id]);
                }
            }
            1 => {
                let ack = Ack::success(packet_id(random.u16(1..1100)));
                let qos_1 = world.clients[&id].inbox.iter().any(|packet| {
                    matches!(packet, Packet::Publish(publish) if publish.qos == QoS::AtLeastOnce)
                });
                if qos_1 {
                    world.send(id, Packet::PubAck(ack));
                }
            }
            2 if ids.len() > 3 => world.lose(id),
            3 => {
                let level = [MemoryLevel::Plenty, MemoryLevel::Scarce][random.usize(..2)];
                world.router.set_memory(level);
            }
            4 => {
                let client_id = "absent";
                let (id, _) = world.join(persistent(Version::V5, client_id));
                world.lose(id);
            }
            _ => world.subscribe(from, subscription("u", QoS::AtMostOnce)),
        }
    }
    world.router.readmit_all();
    world.settle();
    world.notes.extend(world.router.warnings());
    let mut got: Vec<_> = world.clients.iter_mut().collect();
    got.sort_by_key(|(id, _)| **id);
    let got = got.into_iter().map(|(_, client)| std::mem::take(&mut client.inbox)).collect();
    let statistics = &world.router.statistics;
    let counts = [statistics.dropped, statistics.sent.messages, statistics.sent.packets];
    (got, world.notes, counts, [left_out, in_common])
}

#[test]
fn nobody_can_tell_that_sessions_are_left_out() {
    let (mut left_out, mut in_common) = (0, 0);
    for seed in 0..12 {
        println!("seed {seed}");
        let (with, without) = (fates(seed, true), fates(seed, false));
        left_out += with.3[0];
        in_common += with.3[1];
        assert_eq!((with.1, with.2), (without.1, without.2), "seed {seed}");
        assert!(with.0 == without.0, "seed {seed}");
    }
    assert!(left_out > 10 && in_common > 20, "{left_out} {in_common}");
}
