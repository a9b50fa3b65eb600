//! QoS 1 and 2 messages to the server: every order of acknowledgements, the window, and packets
//! that the server must not send.

use super::*;
use crate::mqtt::packet::EncodeError;
use crate::mqtt::session::Unsendable;

fn ack(packet_id: u16, code: ReasonCode) -> Ack {
    Ack { code, ..Ack::success(id(packet_id)) }
}

/// All permutations of `0..count`.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![vec![]];
    for _ in 0..count {
        let longer = |order: &Vec<usize>| {
            (0..count)
                .filter(|next| !order.contains(next))
                .map(|next| [&order[..], &[next]].concat())
                .collect::<Vec<_>>()
        };
        orders = orders.iter().flat_map(longer).collect();
    }
    orders
}

#[test]
fn qos_0_is_sent_and_forgotten() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        client.publish(QoS::AtMostOnce, 1);
        assert_eq!(brief(&client.sent()), ["PUBLISH 0"]);
        assert_eq!(client.session.in_flight(), 0);
        assert_eq!(client.reconnect(connack(true)), []);
        assert_eq!(client.sent(), []);
    }
}

#[test]
fn qos_1_ends_with_puback() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        client.publish(QoS::AtLeastOnce, 7);
        assert_eq!(brief(&client.sent()), ["PUBLISH 1"]);
        assert_eq!(client.session.in_flight(), 1);
        assert_eq!(client.feed(&[puback(1)]), [acknowledged(7)]);
        assert_eq!((client.session.in_flight(), client.sent()), (0, vec![]));
    }
}

#[test]
fn qos_2_ends_with_pubcomp() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        client.publish(QoS::ExactlyOnce, 7);
        assert_eq!(brief(&client.sent()), ["PUBLISH 1"]);
        assert_eq!(client.feed(&[pubrec(1)]), []);
        assert_eq!(brief(&client.sent()), ["PUBREL 1"]);
        assert_eq!(client.session.in_flight(), 1);
        assert_eq!(client.feed(&[pubcomp(1)]), [acknowledged(7)]);
        assert_eq!((client.session.in_flight(), client.sent()), (0, vec![]));
    }
}

/// The last acknowledgements of five messages in every order, three of QoS 2 and two of QoS 1.
#[test]
fn acknowledgements_come_in_every_order() {
    let qos =
        [QoS::ExactlyOnce, QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
    for order in orders(5) {
        let mut client = Client::online(config(Version::V5));
        (1..).zip(qos).for_each(|(number, qos)| client.publish(qos, number));
        client.feed(&[pubrec(1), pubrec(3), pubrec(5)]);
        for index in order {
            let packet_id = u16::try_from(index).unwrap() + 1;
            let last =
                if qos[index] == QoS::AtLeastOnce { puback(packet_id) } else { pubcomp(packet_id) };
            assert_eq!(client.feed(&[last]), [acknowledged(u64::from(packet_id))]);
        }
        assert_eq!(client.session.in_flight(), 0);
        client.sent();
        client.publish(QoS::AtLeastOnce, 6);
        assert_eq!(brief(&client.sent()), ["PUBLISH 6"]);
    }
}

#[test]
fn what_is_acknowledged_twice_or_unknown_says_nothing() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        client.publish(QoS::AtLeastOnce, 1);
        client.publish(QoS::ExactlyOnce, 2);
        client.publish(QoS::AtLeastOnce, 3);
        client.sent();
        assert_eq!(client.feed(&[puback(3), puback(3), puback(9), pubcomp(9)]), [acknowledged(3)]);
        assert_eq!(client.feed(&[puback(1), puback(1)]), [acknowledged(1)]);
        assert_eq!(client.session.in_flight(), 1);
    }
}

/// PUBREL ends every exchange that the server still has (§4.3.3).
#[test]
fn pubrec_always_gets_its_pubrel() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        client.publish(QoS::ExactlyOnce, 1);
        client.sent();
        client.feed(&[pubrec(1), pubrec(1), pubrec(9)]);
        assert_eq!(brief(&client.sent()), ["PUBREL 1", "PUBREL 1", "PUBREL 9"]);
        assert_eq!(client.feed(&[pubcomp(1), pubcomp(1), pubcomp(9)]), [acknowledged(1)]);
    }
}

#[test]
fn a_refusal_ends_the_message() {
    let mut client = Client::online(config(Version::V5));
    client.publish(QoS::AtLeastOnce, 1);
    client.publish(QoS::ExactlyOnce, 2);
    client.sent();
    let code = ReasonCode::NOT_AUTHORIZED;
    let reason = Property::text(PropertyId::ReasonString, "no".into());
    let refusal = Ack { properties: Properties(vec![reason]), ..ack(1, code) };
    let events = client.feed(&[Packet::PubAck(refusal), Packet::PubRec(ack(2, code))]);
    let refused = |record, reason: Option<&'static str>| {
        let reason = reason.map(Into::into);
        Event::Acknowledged { token: record, code, reason }
    };
    assert_eq!(events, [refused(1, Some("no")), refused(2, None)]);
    // PUBREL does not follow a PUBREC that refuses, and a repeated one has no effect.
    assert_eq!(client.feed(&[Packet::PubRec(ack(2, code))]), []);
    assert_eq!((client.session.in_flight(), client.sent()), (0, vec![]));
}

#[test]
fn success_has_more_than_one_code() {
    let mut client = Client::online(config(Version::V5));
    client.publish(QoS::AtLeastOnce, 1);
    client.publish(QoS::ExactlyOnce, 2);
    let code = ReasonCode::NO_MATCHING_SUBSCRIBERS;
    let first = Event::Acknowledged { token: 1, code, reason: None };
    assert_eq!(client.feed(&[Packet::PubAck(ack(1, code)), Packet::PubRec(ack(2, code))]), [first]);
    // "Packet identifier not found" in PUBCOMP: the server has had the message since its PUBREC.
    let pubcomp = Packet::PubComp(ack(2, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND));
    assert_eq!(client.feed(&[pubcomp]), [acknowledged(2)]);
}

#[test]
fn acknowledgements_of_the_wrong_kind_are_violations() {
    for version in VERSIONS {
        let code = version.has_properties().then_some(ReasonCode::PROTOCOL_ERROR);
        let of_qos_1 = [pubrec(1), pubcomp(1)];
        let of_qos_2 = [puback(1), pubcomp(1)];
        for (qos, wrong) in [(QoS::AtLeastOnce, of_qos_1), (QoS::ExactlyOnce, of_qos_2)] {
            for packet in wrong {
                let mut client = Client::online(strict(config(version)));
                client.publish(qos, 1);
                let (violation, sent) = client.violated(packet);
                assert!(matches!(violation, Violation::Unexpected(_)), "{violation:?}");
                assert_eq!(sent, code);
            }
        }
        let mut client = Client::online(config(version));
        client.publish(QoS::ExactlyOnce, 1);
        client.feed(&[pubrec(1)]);
        assert!(
            matches!(client.violated(puback(1)), (Violation::Unexpected(_), sent) if sent == code)
        );
    }
}

fn window(mut client: Client, qos: QoS) -> u32 {
    let mut count = 0;
    while client.session.can_publish(qos) {
        count += 1;
        client.publish(qos, count);
        client.sent();
    }
    count
}

#[test]
fn the_window_is_what_the_server_allows_or_what_works() {
    use QoS::{AtLeastOnce, ExactlyOnce};
    let asked = |max_inflight, version| Config {
        sending: SendOptions {
            max_inflight: std::num::NonZeroU16::new(max_inflight),
            ..SendOptions::default()
        },
        ..config(version)
    };
    for version in [Version::V3_1, Version::V3_1_1] {
        for (max_inflight, qos, expected) in [
            (0, AtLeastOnce, 1000),
            (0, ExactlyOnce, 20),
            (5, AtLeastOnce, 5),
            (50, ExactlyOnce, 50),
        ] {
            assert_eq!(window(Client::online(asked(max_inflight, version)), qos), expected);
        }
    }
    for (max_inflight, allowed, expected) in [(0, 7, 7), (5, 7, 5), (50, 7, 7), (0, 300, 300)] {
        for qos in [AtLeastOnce, ExactlyOnce] {
            let limits = [Property::number(PropertyId::ReceiveMaximum, allowed)];
            assert_eq!(
                window(Client::limited(asked(max_inflight, Version::V5), &limits), qos),
                expected
            );
        }
    }
}

/// The window counts a message until PUBACK or PUBCOMP, not until PUBREC (§4.9). QoS 0 is not
/// counted.
#[test]
fn the_window_slides() {
    let mut client =
        Client::limited(config(Version::V5), &[Property::number(PropertyId::ReceiveMaximum, 2)]);
    client.publish(QoS::ExactlyOnce, 1);
    client.publish(QoS::AtLeastOnce, 2);
    assert!(
        !client.session.can_publish(QoS::AtLeastOnce)
            && client.session.can_publish(QoS::AtMostOnce)
    );
    client.feed(&[pubrec(1)]);
    assert!(!client.session.can_publish(QoS::AtLeastOnce));
    client.feed(&[puback(2)]);
    assert!(client.session.can_publish(QoS::AtLeastOnce));
    client.publish(QoS::AtLeastOnce, 3);
    assert!(!client.session.can_publish(QoS::ExactlyOnce));
    client.feed(&[pubcomp(1)]);
    assert!(client.session.can_publish(QoS::ExactlyOnce));
    client.feed(&[puback(3), puback(3)]);
    client.publish(QoS::AtLeastOnce, 4);
    client.publish(QoS::AtLeastOnce, 5);
    assert!(!client.session.can_publish(QoS::AtLeastOnce), "a repeated PUBACK does not widen it");
}

#[test]
fn what_the_server_does_not_take_is_not_sent() {
    let limits = [
        Property::number(PropertyId::MaximumPacketSize, 30),
        Property::number(PropertyId::MaximumQoS, 1),
        Property::number(PropertyId::RetainAvailable, 0),
    ];
    let mut client = Client::limited(config(Version::V5), &limits);
    client.sent();
    let publish = |qos, retain, payload: usize| Publish {
        retain,
        payload: vec![0; payload].into(),
        ..message("a/topic", qos, 0)
    };
    let rows = [
        (publish(QoS::ExactlyOnce, false, 0), Err(Unsendable::QoSNotSupported(QoS::AtLeastOnce))),
        (publish(QoS::AtLeastOnce, true, 0), Err(Unsendable::RetainNotSupported)),
        // 2 bytes of fixed header, 9 of topic, 1 of properties, and 2 of identifier.
        (publish(QoS::AtMostOnce, false, 18), Ok(())),
        (publish(QoS::AtMostOnce, false, 19), Err(Unsendable::TooLarge { size: 31, limit: 30 })),
        (publish(QoS::AtLeastOnce, false, 17), Err(Unsendable::TooLarge { size: 31, limit: 30 })),
    ];
    for (publish, expected) in rows {
        assert_eq!(client.session.publish(publish, 1), expected);
        assert_eq!(client.sent().len(), usize::from(expected.is_ok()));
        assert_eq!(client.session.in_flight(), 0);
    }
    client.session.publish(publish(QoS::AtLeastOnce, false, 16), 1).expect("it fits exactly");
    assert_eq!(brief(&client.sent()), ["PUBLISH 1"], "what was refused took no identifier");
}

#[test]
fn what_has_no_wire_form_leaves_no_trace() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        let publish = Publish { topic: None, ..message("a", QoS::AtLeastOnce, 1) };
        assert_eq!(
            client.session.publish(publish, 1),
            Err(Unsendable::Encode(EncodeError::NoTopic))
        );
        assert_eq!((client.session.in_flight(), client.sent()), (0, vec![]));
    }
}

/// Small packets are gathered, large payloads are sent without a copy, and above a limit nothing
/// more is published.
#[test]
fn the_outbox_keeps_the_order_and_is_bounded() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        let large = Bytes::from(vec![b'x'; 20_000]);
        let mut count = 0;
        while client.session.can_publish(QoS::AtMostOnce) {
            let payload = if count % 2 == 0 { large.clone() } else { Bytes::from_static(b"small") };
            client
                .session
                .publish(Publish { payload, ..message("a", QoS::AtMostOnce, 0) }, count)
                .unwrap();
            count += 1;
        }
        assert!((26..30).contains(&count), "{count} messages are about 256 KiB");
        let sent = client.sent();
        assert_eq!(sent.len() as u64, count);
        for (packet, index) in sent.iter().zip(0..) {
            let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
            assert_eq!(publish.payload.len(), if index % 2 == 0 { 20_000 } else { 5 });
        }
        assert!(client.session.can_publish(QoS::AtMostOnce));
    }
}

/// A server that accepts 65,535 messages at once must not make the client hold as many large ones.
#[test]
fn what_is_remembered_is_bounded() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut client = Client::online(config(Version::V5));
        let payload = Bytes::from(vec![0; 1 << 20]);
        let fill = |client: &mut Client| {
            let mut count = 0;
            while client.session.can_publish(qos) {
                let publish = Publish { payload: payload.clone(), ..message("a", qos, 0) };
                client.session.publish(publish, 1).unwrap();
                // The payloads are not decoded: they have 64 MiB.
                while client.session.outgoing(client.now).is_some() {}
                count += 1;
            }
            count
        };
        assert_eq!(fill(&mut client), 64);
        assert!(client.session.can_publish(QoS::AtMostOnce));
        // After PUBREC the payload is no longer needed.
        let first = if qos == QoS::AtLeastOnce { puback } else { pubrec };
        client.feed(&[first(1), first(2)]);
        assert_eq!(fill(&mut client), 2);
        for packet_id in 3..=66 {
            client.feed(&[first(packet_id)]);
        }
        assert_eq!(fill(&mut client), 64);
    }
}

/// `RabbitMQ` 3.10 takes QoS 2 as QoS 1.
#[test]
fn before_mqtt_5_puback_ends_a_qos_2_message() {
    for version in [Version::V3_1, Version::V3_1_1] {
        let mut client = Client::online(config(version));
        for number in [1, 2] {
            client.publish(QoS::ExactlyOnce, number);
        }
        assert_eq!(client.feed(&[puback(2), puback(1)]), [acknowledged(2), acknowledged(1)]);
        assert_eq!(client.deviations(), [Deviation::QoSLowered]);
        assert_eq!(client.session.in_flight(), 0);
        assert_eq!(brief(&client.sent())[2..], [] as [&str; 0], "PUBREL has no place here");

        let mut client = Client::online(config(version));
        client.publish(QoS::ExactlyOnce, 1);
        client.feed(&[pubrec(1)]);
        assert!(matches!(client.violated(puback(1)).0, Violation::Unexpected(_)));

        let mut client = Client::online(strict(config(version)));
        client.publish(QoS::ExactlyOnce, 1);
        assert!(matches!(client.violated(puback(1)).0, Violation::Unexpected(_)));
        assert_eq!(client.session.in_flight(), 1, "it is not finished");
    }
    let mut client = Client::online(config(Version::V5));
    client.publish(QoS::ExactlyOnce, 1);
    assert!(matches!(client.violated(puback(1)).0, Violation::Unexpected(_)));
}
