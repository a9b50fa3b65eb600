//! Faults on purpose, as a client sees them. No test waits for a time: what must not have come is
//! followed by something that comes.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::client::*;
use super::{stop, wait_for};
use crate::broker::Broker;
use crate::broker::fault::{FaultKind, FaultPlan, FaultRule, PacketDirection};
use crate::mqtt::packet::{Ack, Connect, Packet, PacketId, PacketType, Will};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;

const ALL_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

const HOUR: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(100);

/// A broker where this happens to packets of one type, or to all.
fn broker(direction: PacketDirection, packet: Option<PacketType>, fault: FaultKind) -> Broker {
    let rules = vec![FaultRule { direction: Some(direction), packet, fault }];
    start_with_faults(FaultPlan { seed: Some(7), refused: 0, rules })
}

fn delay(time: Duration) -> FaultKind {
    FaultKind::Delay(time, time)
}

fn ping(client: &mut Client) {
    client.send(&[Packet::PingReq]);
    assert_eq!(client.packet(), Packet::PingResp);
}

fn ack(packet: fn(Ack) -> Packet) -> Packet {
    let (code, properties) = (ReasonCode::SUCCESS, Properties::default());
    packet(Ack { packet_id: PacketId::MIN, code, properties })
}

/// The answer to a message of this QoS.
fn answer(qos: QoS) -> Option<Packet> {
    match qos {
        QoS::AtMostOnce => None,
        QoS::AtLeastOnce => Some(ack(Packet::PubAck)),
        QoS::ExactlyOnce => Some(ack(Packet::PubRec)),
    }
}

#[test]
fn a_lost_message_is_neither_delivered_nor_answered() {
    for qos in ALL_QOS {
        let broker = broker(PacketDirection::In, Some(PacketType::Publish), FaultKind::Drop(1.0));
        let mut to = Client::subscribed(&broker, "to", "a", qos);
        let mut from = Client::connected(&broker, Version::V3_1_1, "from");
        from.send(&[publish("a", "x".into(), qos)]);
        ping(&mut from);
        ping(&mut to);
    }
}

#[test]
fn a_lost_answer_does_not_take_the_message_with_it() {
    for (qos, packet) in
        [(QoS::AtLeastOnce, PacketType::PubAck), (QoS::ExactlyOnce, PacketType::PubRec)]
    {
        let broker = broker(PacketDirection::Out, Some(packet), FaultKind::Drop(1.0));
        let mut to = Client::subscribed(&broker, "to", "a", QoS::AtMostOnce);
        let mut from = Client::connected(&broker, Version::V3_1_1, "from");
        from.send(&[publish("a", "x".into(), qos)]);
        ping(&mut from);
        assert!(matches!(to.packet(), Packet::Publish(_)));
    }
}

/// QoS 2 makes one of two; each delivery that is lost on the way comes again in a new connection.
#[test]
fn a_message_that_comes_twice_is_delivered_as_its_qos_says() {
    for qos in ALL_QOS {
        let broker =
            broker(PacketDirection::In, Some(PacketType::Publish), FaultKind::Duplicate(1.0));
        let mut to = Client::subscribed(&broker, "to", "a", QoS::AtMostOnce);
        let mut from = Client::connected(&broker, Version::V3_1_1, "from");
        from.send(&[publish("a", "x".into(), qos)]);
        for _ in 0..2 {
            if let Some(answer) = answer(qos) {
                assert_eq!(from.packet(), answer);
            }
        }
        if qos == QoS::ExactlyOnce {
            from.send(&[ack(Packet::PubRel)]);
            assert_eq!(from.packet(), ack(Packet::PubComp));
        }
        ping(&mut from);
        to.send(&[Packet::PingReq]);
        let mut count = 0;
        while matches!(to.packet(), Packet::Publish(_)) {
            count += 1;
        }
        assert_eq!(count, if qos == QoS::ExactlyOnce { 1 } else { 2 }, "{qos:?}");
    }
}

#[test]
fn a_delivery_that_comes_twice_has_dup_the_second_time() {
    for qos in ALL_QOS {
        let broker = broker(PacketDirection::Out, None, FaultKind::Duplicate(1.0));
        let mut to = Client::connected(&broker, Version::V3_1_1, "to");
        to.send(&[subscribe("a", qos)]);
        for _ in 0..2 {
            assert!(matches!(to.packet(), Packet::SubAck(_)));
        }
        to.send(&[publish("a", "x".into(), qos)]);
        let mut dups = Vec::new();
        while dups.len() < 2 {
            if let Packet::Publish(message) = to.packet() {
                dups.push(message.dup);
            }
        }
        assert_eq!(dups, [false, qos != QoS::AtMostOnce]);
    }
}

#[test]
fn delayed_packets_come_later_and_in_order() {
    for direction in [PacketDirection::In, PacketDirection::Out] {
        let broker = broker(direction, None, FaultKind::Delay(SHORT / 4, SHORT));
        let mut client = Client::connected(&broker, Version::V3_1_1, "id");
        client.send(&[subscribe("a", QoS::AtMostOnce)]);
        assert!(matches!(client.packet(), Packet::SubAck(_)));
        let begin = Instant::now();
        let messages: Vec<_> = (0..100_u32)
            .map(|number| publish("a", number.to_string().into(), QoS::AtMostOnce))
            .collect();
        client.send(&messages);
        for number in 0..100_u32 {
            let Packet::Publish(message) = client.packet() else { panic!("no PUBLISH") };
            assert_eq!(message.payload, number.to_string());
        }
        assert!(begin.elapsed() >= SHORT / 4);
    }
}

#[test]
fn a_direction_stands_still_once() {
    for direction in [PacketDirection::In, PacketDirection::Out] {
        let broker = broker(direction, None, FaultKind::Stall { time: SHORT, after: 2 });
        let mut client = Client::connected(&broker, Version::V3_1_1, "id");
        ping(&mut client);
        ping(&mut client);
        let begin = Instant::now();
        ping(&mut client);
        assert!(begin.elapsed() >= SHORT);
        ping(&mut client);
    }
}

/// How many bytes a client gets until its connection is reset.
fn bytes_until_reset(client: &mut Client) -> usize {
    let (mut buffer, mut count) = (vec![0; 65_536], 0);
    loop {
        match client.socket.read(&mut buffer) {
            Ok(0) => panic!("an end that is no reset after {count} bytes"),
            Ok(more) => count += more,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
                return count;
            }
        }
    }
}

#[test]
fn a_connection_is_cut_after_so_many_bytes_to_the_client() {
    for limit in [1000, 40_000] {
        let broker = broker(PacketDirection::Out, None, FaultKind::CutAfter(limit));
        let mut from = Client::connected(&broker, Version::V3_1_1, "from");
        let retained = Packet::Publish(crate::mqtt::packet::Publish {
            retain: true,
            ..crate::mqtt::packet::Publish::new(
                TopicName::new("a").unwrap(),
                Bytes::from(vec![b'x'; 100_000]),
            )
        });
        from.send(&[retained]);
        ping(&mut from);
        let mut to = Client::connected(&broker, Version::V3_1_1, "to");
        let before = to.bytes_read;
        to.send(&[subscribe("a", QoS::AtMostOnce)]);
        assert_eq!((before + bytes_until_reset(&mut to)) as u64, limit);
        // The broker goes on, and so do other connections.
        ping(&mut from);
    }
}

/// Of a message that was cut nothing is delivered; all before it is.
#[test]
fn a_connection_is_cut_after_so_many_bytes_from_the_client() {
    let broker = broker(PacketDirection::In, None, FaultKind::CutAfter(1500));
    let mut to = Client::subscribed(&broker, "to", "a", QoS::AtMostOnce);
    let mut from = Client::connected(&broker, Version::V3_1_1, "from");
    let message = publish("a", vec![b'x'; 900].into(), QoS::AtMostOnce);
    from.send(std::slice::from_ref(&message));
    assert!(matches!(to.packet(), Packet::Publish(_)));
    from.send(&[message]);
    bytes_until_reset(&mut from);
    ping(&mut to);
}

#[test]
fn the_first_connections_are_refused() {
    let broker = start_with_faults(FaultPlan { seed: None, refused: 3, rules: Vec::new() });
    for _ in 0..3 {
        let answer = exchange(&broker, UPGRADE.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
        assert!(answer.ends_with("refused on purpose, by --fault refuse\n"), "{answer}");
    }
    ping(&mut Client::connected(&broker, Version::V5, "fourth"));
}

/// Which of 200 messages come through, for a seed.
fn survivors(seed: u64, qos: QoS) -> Vec<Bytes> {
    let rule = |direction, fault| FaultRule {
        direction: Some(direction),
        packet: Some(PacketType::Publish),
        fault,
    };
    let rules = vec![
        rule(PacketDirection::In, FaultKind::Drop(0.2)),
        rule(PacketDirection::Out, FaultKind::Drop(0.2)),
        rule(PacketDirection::Out, FaultKind::Duplicate(0.2)),
    ];
    let broker = start_with_faults(FaultPlan { seed: Some(seed), refused: 0, rules });
    let mut to = Client::subscribed(&broker, "to", "a", qos);
    let mut from = Client::connected(&broker, Version::V3_1_1, "from");
    for number in 0..200_u32 {
        from.send(&[publish("a", number.to_string().into(), QoS::AtMostOnce)]);
    }
    ping(&mut from);
    to.send(&[Packet::PingReq]);
    let mut payloads = Vec::new();
    while let Packet::Publish(message) = to.packet() {
        payloads.push(message.payload);
    }
    payloads
}

#[test]
fn the_same_seed_does_the_same_to_the_same_packets() {
    let first = survivors(7, QoS::AtMostOnce);
    assert!((80..190).contains(&first.len()), "{}", first.len());
    for qos in ALL_QOS {
        assert_eq!(survivors(7, qos), first);
    }
    assert_ne!(survivors(8, QoS::AtMostOnce), first);
}

/// A client that sends and sends is not read from while much of it is held; others are served.
#[test]
fn a_flood_that_is_held_fills_no_memory() {
    let rule = FaultRule {
        direction: Some(PacketDirection::In),
        packet: Some(PacketType::Publish),
        fault: delay(HOUR),
    };
    let broker = start_with_faults(FaultPlan { seed: None, refused: 0, rules: vec![rule] });
    let mut flood = Client::connected(&broker, Version::V3_1_1, "flood");
    flood.socket.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let message = frame(
        BINARY,
        &encoded(&[publish("a", vec![0; 60_000].into(), QoS::AtMostOnce)], Version::V3_1_1),
    );
    let mut sent = 0;
    while flood.socket.write_all(&message).is_ok() {
        sent += message.len();
        // The buffers of the kernel hold a few MiB.
        assert!(sent < 64 << 20, "everything is read");
    }
    ping(&mut Client::connected(&broker, Version::V3_1_1, "other"));
    wait_for(&stop(broker));
}

#[test]
fn a_stop_does_not_wait_for_what_is_held() {
    for direction in [PacketDirection::In, PacketDirection::Out] {
        let broker = broker(direction, None, delay(HOUR));
        let mut client = Client::connected(&broker, Version::V5, "id");
        client.send(&[Packet::PingReq, Packet::PingReq]);
        // It is read before the next connection is: that one's is accepted later.
        Client::connected(&broker, Version::V5, "other");
        let stopped = stop(broker);
        let mut last = client.packet();
        while last == Packet::PingResp {
            last = client.packet();
        }
        let code = ReasonCode::SERVER_SHUTTING_DOWN;
        assert!(matches!(&last, Packet::Disconnect(packet) if packet.code == code), "{last:?}");
        client.expect_close(1001);
        wait_for(&stopped);
    }
}

/// What a client had sent arrives before its end is noted: first its message, then its will.
#[test]
fn a_client_that_is_killed_while_its_packets_are_held() {
    for fault in [delay(SHORT), FaultKind::Stall { time: SHORT, after: 0 }] {
        let broker = broker(PacketDirection::In, Some(PacketType::Publish), fault);
        let mut to = Client::subscribed(&broker, "to", "#", QoS::AtMostOnce);
        let mut from = Client::new(&broker, Version::V3_1_1);
        let Packet::Connect(connect) = connect(Version::V3_1_1, "from") else { unreachable!() };
        let will = Will {
            topic: TopicName::new("will").unwrap(),
            payload: Bytes::new(),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Properties::default(),
        };
        from.send(&[Packet::Connect(Box::new(Connect { will: Some(will), ..*connect }))]);
        assert!(matches!(from.packet(), Packet::ConnAck(_)));
        from.send(&[publish("message", Bytes::new(), QoS::AtMostOnce)]);
        drop(from);
        for topic in ["message", "will"] {
            let Packet::Publish(message) = to.packet() else { panic!("no PUBLISH") };
            assert_eq!(message.topic_or_empty(), topic);
        }
    }
}

/// What is held for a client that goes does not keep its connection.
#[test]
fn a_client_that_goes_while_packets_for_it_are_held() {
    let broker = broker(PacketDirection::Out, Some(PacketType::Publish), delay(HOUR));
    let mut client = Client::subscribed(&broker, "id", "a", QoS::AtMostOnce);
    client.send(&[publish("a", "x".into(), QoS::AtMostOnce)]);
    drop(client);
    wait_for(&stop(broker));
}

/// The end of a connection comes after what was sent before it.
#[test]
fn an_end_waits_for_what_is_held() {
    let broker = broker(PacketDirection::Out, None, delay(SHORT));
    let mut first = Client::connected(&broker, Version::V5, "id");
    first.send(&[Packet::PingReq]);
    Client::connected(&broker, Version::V5, "id");
    let last = loop {
        match first.packet() {
            Packet::PingResp => {}
            last => break last,
        }
    };
    let code = ReasonCode::SESSION_TAKEN_OVER;
    assert!(matches!(&last, Packet::Disconnect(packet) if packet.code == code), "{last:?}");
    first.expect_close(1000);
}

/// Before the upgrade, before CONNECT, and while packets are held.
#[test]
fn all_connections_are_reset_at_once() {
    for broker in [start(), broker(PacketDirection::In, None, delay(HOUR))] {
        let mut sockets = vec![dial(&broker), Client::new(&broker, Version::V5).socket];
        let mut client = Client::connected(&broker, Version::V5, "id");
        client.send(&[Packet::PingReq]);
        sockets.push(client.socket);
        broker.reset_connections();
        for mut socket in sockets {
            // The answer to the ping may come before.
            let error = loop {
                match socket.read(&mut [0]) {
                    Ok(count) => assert!(count > 0, "an end that is no reset"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        }
        Client::connected(&broker, Version::V5, "other");
    }
}
