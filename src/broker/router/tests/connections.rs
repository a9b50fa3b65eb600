//! CONNECT, keep alive, and what a client must not do (§3.1, §3.1.2.10, §4.13).

use super::*;
use crate::broker::limits::PATIENCE;
use crate::mqtt::packet::{Auth, ConnAck, Malformed, SubAck, UnsubAck};
use crate::mqtt::property::Value;

fn connack(code: u8) -> Vec<Packet> {
    let properties = Properties::default();
    vec![Packet::ConnAck(Box::new(ConnAck {
        session_present: false,
        code: ReasonCode(code),
        properties,
    }))]
}

#[test]
fn what_is_announced() {
    for version in VERSIONS {
        let mut world = World::new();
        let id = world.dial(connect(version, "id"));
        let packets = world.got(id);
        let [Packet::ConnAck(answer)] = &packets[..] else { panic!("{packets:?}") };
        assert_eq!((answer.session_present, answer.code), (false, ReasonCode::SUCCESS));
        if version != Version::V5 {
            assert!(answer.properties.is_empty());
            continue;
        }
        assert_eq!(answer.properties.receive_maximum(), Some(1024));
        assert_eq!(answer.properties.topic_alias_maximum(), Some(16));
        assert_eq!(answer.properties.maximum_packet_size(), Some(16 << 20));
        assert_eq!(answer.properties.assigned_client_identifier(), None);
    }
}

#[test]
fn an_empty_client_identifier() {
    let mut world = World::new();
    for (version, clean_start, code) in [
        (Version::V3_1, true, 2),
        (Version::V3_1, false, 2),
        (Version::V3_1_1, true, 0),
        (Version::V3_1_1, false, 2),
    ] {
        let id = world.dial(Connect { clean_start, ..connect(version, "") });
        assert_eq!(world.got(id), connack(code), "{version} {clean_start}");
        assert_eq!(world.end(id), (code != 0).then_some(EndReason::Refused));
    }
    let mut assigned = Vec::new();
    for clean_start in [true, false] {
        let id = world.dial(Connect { clean_start, ..connect(Version::V5, "") });
        let packets = world.got(id);
        let [Packet::ConnAck(answer)] = &packets[..] else { panic!("{packets:?}") };
        let client_id = answer.properties.assigned_client_identifier().unwrap().clone();
        assert!(
            client_id.len() <= 23 && client_id.bytes().all(|byte| byte.is_ascii_alphanumeric())
        );
        assert!(!assigned.contains(&client_id));
        assigned.push(client_id);
    }
}

#[test]
fn an_assigned_client_identifier_resumes_the_session() {
    let mut world = World::new();
    let id = world.dial(persistent(Version::V5, ""));
    let packets = world.got(id);
    let [Packet::ConnAck(answer)] = &packets[..] else { panic!("{packets:?}") };
    let client_id = answer.properties.assigned_client_identifier().unwrap().clone();
    world.lose(id);
    assert!(world.join(Connect { client_id, ..persistent(Version::V5, "") }).1);
}

#[test]
fn versions_that_we_do_not_speak() {
    let mut world = World::new();
    let id = world.open(Version::V3_1_1);
    let error = Malformed::UnsupportedVersion { name: "MQTT".into(), level: 6 };
    world.router.malformed(id, &error, Version::V3_1_1, world.now);
    world.settle();
    assert_eq!((world.got(id), world.end(id)), (connack(1), Some(EndReason::Refused)));
}

#[test]
fn authentication_methods_are_refused() {
    let mut world = World::new();
    let properties =
        Properties(vec![Property::text(PropertyId::AuthenticationMethod, "SCRAM-SHA-256".into())]);
    let id = world.dial(Connect { properties, ..connect(Version::V5, "id") });
    assert_eq!((world.got(id), world.end(id)), (connack(0x8c), Some(EndReason::Refused)));
}

#[test]
fn connect_comes_first_and_once() {
    for version in VERSIONS {
        let mut world = World::new();
        let id = world.open(version);
        world.send(id, Packet::PingReq);
        assert_eq!((world.got(id), world.end(id)), (vec![], Some(EndReason::Misbehaved)));
        let id = world.client(version, "id");
        world.send(id, Packet::Connect(Box::new(connect(version, "id"))));
        let told =
            if version == Version::V5 { vec![goodbye(ReasonCode::PROTOCOL_ERROR)] } else { vec![] };
        assert_eq!((world.got(id), world.end(id)), (told, Some(EndReason::Misbehaved)));
    }
}

#[test]
fn connect_comes_soon() {
    let mut world = World::new();
    let id = world.open(Version::V5);
    world.wait(Duration::from_secs(5));
    assert_eq!(PATIENCE, Duration::from_secs(10));
    world.router.part_arrived(id, world.now);
    world.wait(Duration::from_millis(4_999));
    assert_eq!(world.end(id), None);
    world.wait(Duration::from_millis(1));
    assert_eq!((world.got(id), world.end(id)), (vec![], Some(EndReason::Silent)));
}

#[test]
fn packets_that_only_servers_send() {
    let (properties, codes) = (Properties::default(), vec![ReasonCode::SUCCESS]);
    for packet in [
        Packet::PingResp,
        Packet::Auth(Auth::default()),
        Packet::SubAck(SubAck {
            packet_id: packet_id(1),
            properties: properties.clone(),
            codes: codes.clone(),
        }),
        Packet::UnsubAck(UnsubAck {
            packet_id: packet_id(1),
            properties: properties.clone(),
            codes,
        }),
        connack(0).remove(0),
        Packet::Publish(Publish {
            properties: Properties(vec![Property::number(PropertyId::SubscriptionIdentifier, 1)]),
            ..publish("a", "x", QoS::AtMostOnce)
        }),
    ] {
        let mut world = World::new();
        let id = world.client(Version::V5, "id");
        world.send(id, packet);
        assert_eq!(
            (world.got(id), world.end(id)),
            (vec![goodbye(ReasonCode::PROTOCOL_ERROR)], Some(EndReason::Misbehaved))
        );
        // Nothing that comes after is looked at.
        world.send(id, Packet::PingReq);
        assert_eq!(world.got(id), []);
    }
}

#[test]
fn malformed_packets() {
    let too_large = Malformed::PacketTooLarge { size: 2, maximum: 1 };
    for (error, code, end) in [
        (Malformed::PacketIdZero, ReasonCode::MALFORMED_PACKET, EndReason::Misbehaved),
        (Malformed::NoLocalShared, ReasonCode::PROTOCOL_ERROR, EndReason::Misbehaved),
        (Malformed::RetainHandling3, ReasonCode::PROTOCOL_ERROR, EndReason::Misbehaved),
        (too_large, ReasonCode::PACKET_TOO_LARGE, EndReason::TooLarge),
    ] {
        for version in VERSIONS {
            let mut world = World::new();
            let id = world.client(version, "id");
            world.router.malformed(id, &error, version, world.now);
            world.settle();
            let told = if version == Version::V5 { vec![goodbye(code)] } else { vec![] };
            assert_eq!((world.got(id), world.end(id)), (told, Some(end)));
        }
    }
}

#[test]
fn keep_alive_is_enforced_at_one_and_a_half() {
    for version in VERSIONS {
        let mut world = World::new();
        let (id, _) = world.join(Connect { keep_alive: 10, ..connect(version, "id") });
        for _ in 0..5 {
            world.wait(Duration::from_millis(14_999));
            world.send(id, Packet::PingReq);
            assert_eq!(world.got(id), [Packet::PingResp]);
        }
        // A packet that takes long is not silence.
        world.wait(Duration::from_millis(14_999));
        world.router.part_arrived(id, world.now);
        world.wait(Duration::from_millis(14_999));
        assert_eq!(world.end(id), None);
        world.wait(Duration::from_millis(1));
        let told = if version == Version::V5 {
            vec![goodbye(ReasonCode::KEEP_ALIVE_TIMEOUT)]
        } else {
            vec![]
        };
        assert_eq!((world.got(id), world.end(id)), (told, Some(EndReason::Silent)));
        let (id, _) = world.join(Connect { keep_alive: 0, ..connect(version, "id") });
        world.wait(Duration::from_secs(100_000));
        assert_eq!((world.end(id), world.router.deadline()), (None, None));
    }
}

#[test]
fn undefined_reason_codes_end_the_connection() {
    let published = |code| ack(packet_id(7), ReasonCode(code));
    for packet in [
        Packet::PubAck(published(0x01)),
        Packet::PubRec(published(0x92)),
        Packet::PubRel(published(0x80)),
        Packet::PubComp(published(0x10)),
        goodbye(ReasonCode(0x05)),
        goodbye(ReasonCode::SERVER_SHUTTING_DOWN),
    ] {
        let mut world = World::new();
        let id = world.client(Version::V5, "id");
        let kind = packet.packet_type();
        world.send(id, packet);
        assert_eq!(world.got(id), [goodbye(ReasonCode::MALFORMED_PACKET)], "{kind}");
        assert_eq!(world.end(id), Some(EndReason::Misbehaved), "{kind}");
        assert!(world.reasons[0].starts_with(&format!("{kind} with the reason code 0x")));
    }
    for code in [0x00, 0x04, 0x80, 0x99] {
        let mut world = World::new();
        let id = world.client(Version::V5, "id");
        world.send(id, goodbye(ReasonCode(code)));
        assert_eq!(world.end(id), Some(EndReason::Done), "{code}");
    }
}

#[test]
fn response_information_is_for_those_who_ask() {
    for (asks, client_id, expected) in [
        (Some(1), "a+b/#c", Some("responses/ab/c")),
        (Some(1), "", Some("responses/served1")),
        (Some(0), "id", None),
        (None, "id", None),
    ] {
        let mut world = World::new();
        let asks = asks.map(|asks| Property::number(PropertyId::RequestResponseInformation, asks));
        let properties = Properties(asks.into_iter().collect());
        let id = world.dial(Connect { properties, ..connect(Version::V5, client_id) });
        let packets = world.got(id);
        let [Packet::ConnAck(answer)] = &packets[..] else { panic!("{packets:?}") };
        let information = answer.properties.iter().find_map(|property| {
            let is_it = property.id() == PropertyId::ResponseInformation;
            is_it.then(|| property.value().clone())
        });
        assert_eq!(information, expected.map(|text| Value::Text(text.into())), "{client_id}");
    }
}

/// `[MQTT-3.1.2-24]`
#[test]
fn a_client_that_takes_no_connack_is_not_left_waiting() {
    let mut world = World::new();
    let properties = Properties(vec![Property::number(PropertyId::MaximumPacketSize, 5)]);
    let id = world.dial(Connect { properties, ..connect(Version::V5, "tiny") });
    assert_eq!((world.got(id), world.end(id)), (vec![], Some(EndReason::Refused)));
}
