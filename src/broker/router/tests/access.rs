//! Users, and what they may do.

use super::*;
use crate::broker::access::acl::Acl;
use crate::broker::access::users::Users;

/// The password is `secret` after this many iterations.
const SLOW: [(u32, &str); 2] = [(101, "ann"), (5000, "slow")];

fn users() -> Users {
    let mut users = Users::default();
    users.add_plain("bob", "secret").unwrap();
    for (count, name) in SLOW {
        let iterations = std::num::NonZeroU32::new(count).unwrap();
        let mut hash = [0; 64];
        let algorithm = ring::pbkdf2::PBKDF2_HMAC_SHA512;
        ring::pbkdf2::derive(algorithm, iterations, b"salt", b"secret", &mut hash);
        let hash = data_encoding::BASE64.encode(&hash);
        users.add_file(&format!("{name}:$7${count}$c2FsdA==${hash}\n")).unwrap();
    }
    users
}

fn with_login(version: Version, name: Option<&'static str>, password: &'static str) -> Connect {
    let credentials = Credentials {
        username: name.map(ByteString::from_static),
        password: name.map(|_| Bytes::from_static(password.as_bytes())),
    };
    Connect { credentials, ..connect(version, name.unwrap_or("nobody")) }
}

impl World {
    /// Turns until nothing is left to compute; how many turns that took.
    fn compute(&mut self) -> usize {
        let mut turns = 0;
        while self.router.has_work() {
            self.router.tick(self.now);
            self.settle();
            turns += 1;
        }
        turns
    }

    fn connack(&mut self, id: ConnectionId) -> Option<u8> {
        let inbox = &mut self.clients.get_mut(&id).unwrap().inbox;
        match (!inbox.is_empty()).then(|| inbox.remove(0)) {
            Some(Packet::ConnAck(answer)) => Some(answer.code.0),
            other => other.map(|packet| panic!("{packet:?}")),
        }
    }
}

#[test]
fn who_does_not_know_the_password_is_refused() {
    for (version, wrong, missing) in
        [(Version::V3_1, 4, 5), (Version::V3_1_1, 4, 5), (Version::V5, 0x86, 0x87)]
    {
        let mut world = World::new();
        world.router.set_access(Some(users()), None);
        for (name, password, code) in [
            (Some("bob"), "secret", 0),
            (Some("bob"), "secreT", wrong),
            (Some("ann"), "secret", 0),
            (Some("ann"), "", wrong),
            (Some("slow"), "secret", 0),
            (Some("slow"), "x", wrong),
            (Some("mallory"), "secret", wrong),
            (None, "", missing),
        ] {
            let id = world.dial(with_login(version, name, password));
            world.compute();
            assert_eq!(world.connack(id), Some(code), "{version:?} {name:?} {password}");
            let end = (code != 0).then_some(EndReason::Refused);
            assert_eq!(world.clients[&id].end, end);
        }
    }
}

/// Its packets wait, and other clients do not.
#[test]
fn a_slow_check_holds_nobody_up() {
    let mut world = World::new();
    world.router.set_access(Some(users()), None);
    let slow = world.dial(with_login(Version::V5, Some("slow"), "secret"));
    world.send(slow, Packet::PingReq);
    assert_eq!(world.connack(slow), None);
    let bob = world.dial(with_login(Version::V5, Some("bob"), "secret"));
    assert_eq!(world.connack(bob), Some(0));
    let ann = world.dial(with_login(Version::V5, Some("ann"), "secret"));
    world.router.tick(world.now);
    world.router.tick(world.now);
    world.settle();
    assert_eq!((world.connack(ann), world.connack(slow)), (Some(0), None));
    assert!(world.compute() >= 2);
    assert_eq!(world.connack(slow), Some(0));
    assert_eq!(world.clients[&slow].inbox, [Packet::PingResp]);
}

#[test]
fn a_login_may_end_while_it_is_checked() {
    let mut world = World::new();
    world.router.set_access(Some(users()), None);
    let slow = world.dial(with_login(Version::V5, Some("slow"), "secret"));
    world.router.lost(slow, world.now);
    world.settle();
    world.compute();
    assert_eq!(world.connack(slow), None);
    // Too much is sent.
    let slow = world.dial(with_login(Version::V5, Some("slow"), "secret"));
    for _ in 0..1000 {
        world.send(slow, Packet::PingReq);
    }
    assert_eq!(world.clients[&slow].end, Some(EndReason::Misbehaved));
    world.compute();
    assert_eq!(world.connack(slow), None);
}

const RULES: &str = "\
topic read public/#
user ann
topic readwrite lab/#
topic deny lab/secret
pattern write wills/%c
";

fn ruled() -> World {
    let mut world = World::new();
    world.router.set_access(None, Some(Acl::parse(RULES).unwrap()));
    world
}

/// A subscription to these filters; the codes of the answer.
fn codes(world: &mut World, id: ConnectionId, filters: &[&'static str]) -> Vec<u8> {
    let wanted = |filter: &&'static str| {
        Subscription::new(TopicFilter::new(*filter).unwrap(), QoS::AtLeastOnce)
    };
    let subscriptions = filters.iter().map(wanted).collect();
    let (packet_id, properties) = (packet_id(5), Properties::default());
    world.send(id, Packet::Subscribe(Subscribe { packet_id, properties, subscriptions }));
    let inbox = &mut world.clients.get_mut(&id).unwrap().inbox;
    let Packet::SubAck(answer) = inbox.remove(0) else { panic!("no SUBACK") };
    answer.codes.iter().map(|code| code.0).collect()
}

#[test]
fn what_nobody_granted_is_neither_read_nor_written() {
    for (version, refused) in [(Version::V3_1_1, 0x80), (Version::V5, 0x87)] {
        let mut world = ruled();
        let ann = world.join(with_login(version, Some("ann"), "")).0;
        let nobody = world.client(version, "n");
        let filters = ["#", "lab/secret", "lab/+", "$share/g/public/x"];
        assert_eq!(codes(&mut world, ann, &filters), [1, refused, 1, refused]);
        assert_eq!(codes(&mut world, nobody, &["#", "lab/#"]), [1, refused]);
        for (topic, is_taken) in [("lab/a", true), ("lab/secret", false), ("public/a", false)] {
            world.send(ann, Packet::Publish(publish(topic, "x", QoS::AtLeastOnce)));
            let inbox = std::mem::take(&mut world.clients.get_mut(&ann).unwrap().inbox);
            let is_ack = |packet: &&Packet| matches!(packet, Packet::PubAck(_));
            let Some(Packet::PubAck(ack)) = inbox.iter().find(is_ack) else { panic!("{inbox:?}") };
            let is_refused = ack.code == ReasonCode::NOT_AUTHORIZED;
            assert_eq!(is_refused, version == Version::V5 && !is_taken, "{topic}");
            assert_eq!(inbox.len(), if is_taken { 2 } else { 1 }, "{topic} {inbox:?}");
            // What ann may write, nobody may read.
            assert_eq!(world.clients[&nobody].inbox, []);
        }
    }
}

#[test]
fn retained_messages_and_wills_are_judged_too() {
    let mut world = ruled();
    let ann = world.join(with_login(Version::V5, Some("ann"), "")).0;
    let mut retained = publish("lab/a", "kept", QoS::AtMostOnce);
    retained.retain = true;
    world.send(ann, Packet::Publish(retained));
    let nobody = world.client(Version::V5, "n");
    assert_eq!(codes(&mut world, nobody, &["lab/+"]), [0x87]);
    assert_eq!(codes(&mut world, nobody, &["#"]), [1]);
    assert_eq!(world.clients[&nobody].inbox, []);
    // Of wills, who may write them counts.
    assert_eq!(codes(&mut world, ann, &["lab/#"]), [1]);
    world.clients.get_mut(&ann).unwrap().inbox.clear();
    for (name, count) in [(None, 0), (Some("ann2"), 0), (Some("ann"), 1)] {
        let will = Will {
            topic: TopicName::new("lab/will").unwrap(),
            payload: Bytes::from_static(b"gone"),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Properties::default(),
        };
        let connect = with_login(Version::V5, name, "");
        let connect = Connect { will: Some(will), client_id: "willing".into(), ..connect };
        let id = world.join(connect).0;
        world.router.lost(id, world.now);
        world.settle();
        assert_eq!(world.clients[&ann].inbox.len(), count, "{name:?}");
    }
}
