//! Packet identifiers wrap around and are never reused in flight `[MQTT-2.2.1-3]`.

use std::collections::{HashSet, VecDeque};

use super::*;

/// 200,000 messages; every 1000th is acknowledged only after 3,000 others.
#[test]
fn identifiers_wrap_around_and_are_never_in_use_twice() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut client = Client::limited(
            config(Version::V5),
            &[Property::number(PropertyId::ReceiveMaximum, 50)],
        );
        let (mut in_use, mut slow) = (HashSet::new(), VecDeque::new());
        for number in 1..=200_000 {
            client.publish(qos, number);
            let Some(Packet::Publish(publish)) = client.sent().pop() else { panic!("a PUBLISH") };
            let packet_id = u16::from(publish.packet_id.unwrap());
            assert!(
                in_use.insert(packet_id),
                "identifier {packet_id} of message {number} is in use"
            );
            if number % 1000 == 0 {
                slow.push_back((number, packet_id));
            } else {
                end(&mut client, qos, packet_id, number, &mut in_use);
            }
            if slow.front().is_some_and(|(begun, _)| begun + 3000 <= number) {
                let (begun, packet_id) = slow.pop_front().unwrap();
                end(&mut client, qos, packet_id, begun, &mut in_use);
            }
        }
        for (begun, packet_id) in slow {
            end(&mut client, qos, packet_id, begun, &mut in_use);
        }
        assert_eq!((client.session.in_flight(), in_use.len()), (0, 0));
    }
}

fn end(client: &mut Client, qos: QoS, packet_id: u16, number: u32, in_use: &mut HashSet<u16>) {
    let last = if qos == QoS::AtLeastOnce { puback(packet_id) } else { pubcomp(packet_id) };
    let packets = if qos == QoS::AtLeastOnce { vec![last] } else { vec![pubrec(packet_id), last] };
    assert_eq!(client.feed(&packets), [acknowledged(u64::from(number))]);
    client.sent();
    in_use.remove(&packet_id);
}

/// One message is never acknowledged: the others use all other identifiers once, and then wait.
#[test]
fn a_message_that_is_never_acknowledged_keeps_its_identifier() {
    let mut client = Client::online(config(Version::V5));
    client.publish(QoS::AtLeastOnce, 1);
    client.sent();
    let mut count = 0;
    while client.session.can_publish(QoS::AtLeastOnce) {
        client.publish(QoS::AtLeastOnce, 2);
        let Some(Packet::Publish(publish)) = client.sent().pop() else { panic!("a PUBLISH") };
        let packet_id = u16::from(publish.packet_id.unwrap());
        assert_ne!(packet_id, 1);
        client.feed(&[puback(packet_id)]);
        count += 1;
        assert!(count < 65_535, "it never waits");
    }
    assert!(client.session.can_publish(QoS::AtMostOnce));
    assert_eq!(client.feed(&[puback(1)]), [acknowledged(1)]);
    assert!(client.session.can_publish(QoS::AtLeastOnce));
}

/// Every identifier is found again, wherever in the circle the queue begins.
#[test]
fn every_identifier_is_found() {
    for first in (0..65_536).step_by(97).chain(65_520..65_540) {
        let mut client = Client::online(config(Version::V5));
        client.session.exchanges.skip(first);
        let ids: Vec<u16> = (1..=20)
            .map(|number| {
                client.publish(QoS::AtLeastOnce, number);
                let Some(Packet::Publish(publish)) = client.sent().pop() else {
                    panic!("a PUBLISH")
                };
                publish.packet_id.unwrap().into()
            })
            .collect();
        assert_eq!(
            client.feed(&[
                puback(ids[0].wrapping_sub(2).max(1)),
                puback(ids[19].wrapping_add(2).max(1))
            ]),
            []
        );
        for (&packet_id, record) in ids.iter().rev().zip((1..=20).rev()) {
            assert_eq!(client.feed(&[puback(packet_id)]), [acknowledged(record)]);
        }
    }
}
