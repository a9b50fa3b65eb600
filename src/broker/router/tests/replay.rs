//! Retained messages for new subscriptions, in parts.

use super::*;
use crate::mqtt::packet::Unsubscribe;

const COUNT: usize = 25_000;

/// A world with many retained messages, and who published them.
fn full() -> (World, ConnectionId) {
    let mut world = World::new();
    let from = world.client(Version::V3_1_1, "from");
    for number in 0..COUNT {
        let topic = TopicName::new(format!("t/{number}")).unwrap();
        let message = Publish::new(topic, Bytes::from_static(b"x"));
        world.send(from, Packet::Publish(Publish { retain: true, ..message }));
    }
    (world, from)
}

impl World {
    /// Lets the router work until it has nothing to do; how many turns that took.
    fn work(&mut self) -> usize {
        let mut turns = 0;
        while self.router.has_work() {
            self.router.tick(self.now);
            self.settle();
            turns += 1;
        }
        turns
    }
}

#[test]
fn everybody_else_is_served_meanwhile() {
    let (mut world, from) = full();
    let ids = ["a", "b", "c"].map(|name| {
        let id = world.client(Version::V5, name);
        world.subscribe(id, subscription("#", QoS::AtLeastOnce));
        id
    });
    assert!(world.router.has_work());
    world.send(from, Packet::PingReq);
    assert_eq!(world.got(from), [Packet::PingResp]);
    world.publish(from, "t/new", "y", QoS::AtMostOnce);
    // Their turns come one after another.
    world.router.tick(world.now);
    world.router.tick(world.now);
    world.settle();
    for id in ids {
        let begun = world.clients[&id].inbox.len();
        assert!((1..COUNT).contains(&begun), "{begun}");
    }
    assert!(world.work() > 1);
    for id in ids {
        acknowledge_all(&mut world, id);
    }
}

/// Takes everything at QoS 1: each retained message once, and the one that was published.
fn acknowledge_all(world: &mut World, id: ConnectionId) {
    let mut topics = Vec::new();
    loop {
        let packets = world.got(id);
        if packets.is_empty() {
            break;
        }
        for packet in packets {
            let Packet::Publish(message) = packet else { panic!("{packet:?}") };
            topics.push(message.topic_or_empty().to_owned());
            if let Some(packet_id) = message.packet_id {
                world.send(id, Packet::PubAck(Ack::success(packet_id)));
            }
        }
    }
    topics.sort();
    topics.dedup();
    assert_eq!(topics.len(), COUNT + 1);
}

#[test]
fn a_subscription_that_is_made_again_begins_anew_and_one_that_ends_stops() {
    let (mut world, _) = full();
    let id = world.client(Version::V5, "id");
    for _ in 0..10 {
        world.subscribe(id, subscription("t/#", QoS::AtMostOnce));
    }
    world.work();
    let got = world.got(id).len();
    // Each time the first part, and once the rest.
    assert!((COUNT..COUNT + 10 * 10_000).contains(&got), "{got}");
    world.subscribe(id, subscription("+/+", QoS::AtMostOnce));
    let (packet_id, properties) = (packet_id(9), Properties::default());
    let filters = vec![TopicFilter::new("+/+").unwrap()];
    world.send(id, Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters }));
    let begun = world.got(id).len();
    assert!((1..COUNT).contains(&begun), "{begun}");
    world.work();
    assert_eq!(world.got(id), []);
    world.subscribe(id, subscription("#", QoS::AtMostOnce));
    world.lose(id);
    let again = world.client(Version::V5, "id");
    world.work();
    assert_eq!(world.got(again), []);
}
