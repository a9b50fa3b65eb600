//! Packets that a server may send, cut at every byte; packets that it must not send; and random
//! bytes.

use super::*;
use crate::mqtt::packet::{Auth, Connect, Disconnect, SubAck, Subscribe, UnsubAck, Unsubscribe};

/// A client that waits for every kind of packet.
fn expectant(version: Version) -> Client {
    let mut client = Client::online(config(version));
    client.publish(QoS::AtLeastOnce, 1);
    client.publish(QoS::ExactlyOnce, 2);
    client
        .session
        .subscribe(vec![Subscription::new(filter("a"), QoS::AtLeastOnce)], Properties::default());
    client.session.unsubscribe(vec![filter("b")], Properties::default());
    client.session.ping();
    client
}

/// Every packet that a server may send to that client.
fn conversation(version: Version) -> Vec<Packet> {
    let properties = Properties::default;
    let codes = if version.has_properties() { vec![ReasonCode::SUCCESS] } else { vec![] };
    let mut packets = vec![
        from_server(QoS::AtMostOnce, 0, false, 1),
        from_server(QoS::AtLeastOnce, 7, false, 2),
        puback(1),
        from_server(QoS::ExactlyOnce, 8, false, 3),
        pubrec(2),
        pubcomp(2),
        Packet::SubAck(SubAck {
            packet_id: id(3),
            properties: properties(),
            codes: vec![ReasonCode(1)],
        }),
        Packet::UnsubAck(UnsubAck { packet_id: id(4), properties: properties(), codes }),
        Packet::PingResp,
        pubrel(8),
    ];
    if version.has_properties() {
        let code = ReasonCode::SERVER_BUSY;
        packets.push(Packet::Disconnect(Disconnect { code, properties: properties() }));
    }
    packets
}

#[test]
fn packets_cut_anywhere_are_the_same_events() {
    for version in VERSIONS {
        let bytes = encoded(version, &conversation(version));
        let whole = expectant(version).feed_bytes(bytes.clone()).unwrap();
        assert_eq!(whole.len(), 8 + usize::from(version.has_properties()));
        for cut in 1..bytes.len() {
            let mut client = expectant(version);
            let mut events = client.feed_bytes(bytes.slice(..cut)).unwrap();
            events.extend(client.feed_bytes(bytes.slice(cut..)).unwrap());
            assert_eq!(events, whole, "MQTT {version}, cut after {cut} bytes");
        }
        let mut client = expectant(version);
        let single =
            (0..bytes.len()).flat_map(|at| client.feed_bytes(bytes.slice(at..=at)).unwrap());
        assert_eq!(single.collect::<Vec<_>>(), whole, "MQTT {version}, byte by byte");
    }
}

#[test]
fn what_only_clients_send_is_a_violation() {
    let properties = Properties::default;
    for version in VERSIONS {
        let connect = Connect {
            version,
            clean_start: true,
            keep_alive: 0,
            client_id: "other".into(),
            will: None,
            credentials: Credentials::default(),
            properties: properties(),
        };
        let subscriptions = vec![Subscription::new(filter("a"), QoS::AtMostOnce)];
        let mut packets = vec![
            Packet::Connect(Box::new(connect)),
            connack(false),
            Packet::Subscribe(Subscribe {
                packet_id: id(1),
                properties: properties(),
                subscriptions,
            }),
            Packet::Unsubscribe(Unsubscribe {
                packet_id: id(1),
                properties: properties(),
                filters: vec![filter("a")],
            }),
            Packet::PingReq,
        ];
        if version.has_properties() {
            packets.push(Packet::Auth(Auth::default()));
        }
        for packet in packets {
            let expected = Violation::Unexpected(packet.packet_type().name());
            let code = version.has_properties().then_some(ReasonCode::PROTOCOL_ERROR);
            assert_eq!(Client::online(config(version)).violated(packet), (expected, code));
        }
    }
}

/// §4.13: the DISCONNECT says what was wrong.
#[test]
fn malformed_packets_end_the_session_with_their_code() {
    let rows: [(&[u8], ReasonCode); 4] = [
        (b"\x00\x00", ReasonCode::MALFORMED_PACKET),
        (b"\x36\x05\x00\x01a\x00\x01", ReasonCode::MALFORMED_PACKET),
        (b"\x30\x03\x00\x00\x00", ReasonCode::PROTOCOL_ERROR),
        (b"\x30\x80\x80\x80\x01", ReasonCode::PACKET_TOO_LARGE),
    ];
    for (bytes, code) in rows {
        let mut client = Client::online(config(Version::V5));
        let result = client.feed_bytes(Bytes::copy_from_slice(bytes));
        assert!(matches!(result, Err(Violation::Malformed(_))), "{result:?}");
        let sent = client.sent();
        assert!(
            matches!(&sent[..], [Packet::Disconnect(goodbye)] if goodbye.code == code),
            "{sent:?}"
        );
    }
    for version in [Version::V3_1, Version::V3_1_1] {
        let mut client = Client::online(config(version));
        assert!(client.feed_bytes(Bytes::from_static(b"\x00\x00")).is_err());
        assert_eq!(client.sent(), [], "there is nothing to say before MQTT 5");
    }
}

/// Packets before the violation are delivered, and none after it.
#[test]
fn a_violation_is_the_end() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        let message = from_server(QoS::AtMostOnce, 0, false, 1);
        client
            .session
            .receive(encoded(version, &[message.clone(), Packet::PingReq, message]), client.now);
        assert!(matches!(client.session.poll(client.now), Ok(Some(Event::Message(_)))));
        assert_eq!(client.session.poll(client.now), Err(Violation::Unexpected("PINGREQ")));
        assert_eq!(client.session.poll(client.now), Ok(None));
        client.session.acknowledge_up_to(1);
        assert!(!client.session.can_publish(QoS::AtMostOnce));
    }
}

/// With any bytes the session comes to an end and does not panic.
#[test]
fn random_bytes_never_panic() {
    let seed = 3;
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    for round in 0..30_000 {
        let version = VERSIONS[round % 3];
        let mut client = if rng.bool() { expectant(version) } else { Client::new(config(version)) };
        let mut bytes = encoded(version, &conversation(version)).to_vec();
        if rng.bool() {
            bytes = (0..rng.usize(1..60)).map(|_| rng.u8(..)).collect();
        } else {
            for _ in 0..rng.usize(1..6) {
                let at = rng.usize(..bytes.len());
                bytes[at] = rng.u8(..);
            }
        }
        // Both results are possible.
        let _ = client.feed_bytes(bytes.into());
        client.session.acknowledge_up_to(rng.u64(..5));
        let _ = client.session.expire(client.now + Duration::from_secs(60));
        client.sent();
    }
}

/// Random well-formed packets of a server, in any order and with any identifier.
#[test]
fn random_packets_never_panic() {
    let seed = 4;
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    for round in 0..10_000 {
        let version = VERSIONS[round % 3];
        let mut client = expectant(version);
        for _ in 0..20 {
            let packet_id = rng.u16(1..7);
            let packet = match rng.u32(..6) {
                0 => puback(packet_id),
                1 => pubrec(packet_id),
                2 => pubcomp(packet_id),
                3 => pubrel(packet_id),
                4 => from_server(QoS::ExactlyOnce, packet_id, rng.bool(), 1),
                _ => from_server(QoS::AtLeastOnce, packet_id, rng.bool(), 1),
            };
            let _ = client.feed_bytes(encoded(version, &[packet]));
            client.session.acknowledge_up_to(rng.u64(..10));
            client.sent();
            if rng.u32(..10) == 0 {
                client.reconnect(connack(rng.bool()));
                client.sent();
            }
            if client.session.can_publish(QoS::ExactlyOnce) {
                client.publish(QoS::ExactlyOnce, 9);
            }
        }
    }
}
