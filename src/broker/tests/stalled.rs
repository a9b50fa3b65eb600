//! Clients that read nothing, through real sockets.

use bytes::Bytes;

use super::client::*;
use crate::broker::limits::UNSENT_BYTES;
use crate::mqtt::packet::{Ack, Packet};
use crate::mqtt::property::Property;
use crate::mqtt::qos::QoS;
use crate::mqtt::version::Version;

const STALLED: usize = 20;

/// A publisher sends `count` messages of `size` bytes, many at a time; a subscriber must get all of
/// them in order, beside others that read nothing after their SUBACK.
fn everything_arrives(count: usize, size: usize, at_once: usize) {
    for (version, qos) in [(Version::V3_1_1, QoS::AtMostOnce), (Version::V5, QoS::AtLeastOnce)] {
        let broker = start_with(2 << 20, None);
        let stall = |_| {
            let mut client = Client::connected(&broker, version, "");
            client.send(&[subscribe("a", qos)]);
            assert!(matches!(client.packet(), Packet::SubAck(_)));
            client
        };
        let stalled: Vec<_> = (0..STALLED).map(stall).collect();
        let mut to = Client::subscribed(&broker, "to", "a", QoS::AtMostOnce);
        let mut from = Client::connected(&broker, version, "from");
        let numbered = move |number: usize| {
            let mut payload = vec![b'x'; size];
            payload[..8].copy_from_slice(&(number as u64).to_be_bytes());
            // Nobody reads more than a few acknowledgements.
            publish("a", payload.into(), if at_once == 1 { qos } else { QoS::AtMostOnce })
        };
        let sender = std::thread::spawn(move || {
            for first in (0..count).step_by(at_once) {
                let packets: Vec<_> = (first..first + at_once).map(numbered).collect();
                from.send(&packets);
            }
            from
        });
        for number in 0..count as u64 {
            let Packet::Publish(message) = to.packet() else { panic!("no PUBLISH") };
            assert_eq!(message.payload[..8], number.to_be_bytes());
        }
        sender.join().unwrap();
        drop(stalled);
    }
}

#[test]
fn a_reader_gets_every_large_message_beside_them() {
    everything_arrives(100, 1 << 20, 1);
}

#[test]
fn a_reader_gets_every_small_message_beside_them() {
    everything_arrives(40_000, 10, 400);
}

#[test]
fn they_get_what_waits_when_they_read_again() {
    let broker = start();
    let mut to = Client::subscribed(&broker, "to", "a", QoS::AtMostOnce);
    let mut from = Client::connected(&broker, Version::V3_1_1, "from");
    for number in 0..=u8::MAX {
        let payload = Bytes::from(vec![number; 500]);
        from.send(&vec![publish("a", payload, QoS::AtMostOnce); 100]);
    }
    from.send(&[Packet::PingReq]);
    assert_eq!(from.packet(), Packet::PingResp);
    for number in 0..=u8::MAX {
        for _ in 0..100 {
            let Packet::Publish(message) = to.packet() else { panic!("no PUBLISH") };
            assert_eq!(message.payload[..], [number; 500]);
        }
    }
}

/// Publishes numbered messages of `size` bytes, one packet after another: with a user property, so
/// that they are not taken together.
fn publish_singly(from: &mut Client, qos: QoS, numbers: std::ops::Range<u64>, size: usize) {
    for first in numbers.clone().step_by(50) {
        let packets: Vec<_> = (first..numbers.end.min(first + 50))
            .map(|number| {
                let mut payload = vec![b'x'; size];
                payload[..8].copy_from_slice(&number.to_be_bytes());
                let Packet::Publish(mut message) = publish("a", payload.into(), qos) else {
                    panic!("no PUBLISH");
                };
                message.properties.push(Property::user("n".into(), "v".into()));
                Packet::Publish(message)
            })
            .collect();
        from.send(&packets);
        if qos == QoS::AtLeastOnce {
            for _ in packets {
                assert!(matches!(from.packet(), Packet::PubAck(_)));
            }
        }
    }
    from.send(&[Packet::PingReq]);
    assert_eq!(from.packet(), Packet::PingResp);
}

fn next_number(to: &mut Client) -> u64 {
    let Packet::Publish(message) = to.packet() else { panic!("no PUBLISH") };
    if let Some(id) = message.packet_id {
        to.send(&[Packet::PubAck(Ack::success(id))]);
    }
    u64::from_be_bytes(message.payload[..8].try_into().unwrap())
}

/// Up to 64 MiB wait for each, whatever the versions, and those that have come first are kept.
#[test]
fn at_qos_0_they_get_what_came_first_and_what_comes_after_they_have_read() {
    const SIZE: usize = 10_000;
    let broker = start();
    let versions = [Version::V3_1_1, Version::V5, Version::V3_1_1];
    let stall = |version| {
        let mut client = Client::connected(&broker, version, "");
        client.send(&[subscribe("a", QoS::AtMostOnce)]);
        assert!(matches!(client.packet(), Packet::SubAck(_)));
        client
    };
    let mut stalled = versions.map(stall);
    let mut from = Client::connected(&broker, Version::V5, "from");
    let least = (UNSENT_BYTES / (SIZE + 400)) as u64;
    publish_singly(&mut from, QoS::AtMostOnce, 0..2 * least, SIZE);
    // What they have lost are the last of these; the others still lose what follows.
    for (to, after) in stalled.iter_mut().zip(2 * least..) {
        for expected in 0..least {
            assert_eq!(next_number(to), expected);
        }
        publish_singly(&mut from, QoS::AtMostOnce, after..after + 1, SIZE);
        let mut expected = least;
        loop {
            let next = next_number(to);
            if next == after {
                break;
            }
            // Their systems may have taken something meanwhile.
            assert!(next == expected || next >= expected.max(2 * least), "{next} {expected}");
            expected = next + 1;
        }
    }
}

#[test]
fn at_qos_1_they_get_all_when_they_read_again() {
    let broker = start();
    let stall = |version| {
        let mut client = Client::connected(&broker, version, "");
        client.send(&[subscribe("a", QoS::AtLeastOnce)]);
        assert!(matches!(client.packet(), Packet::SubAck(_)));
        client
    };
    let stalled = [Version::V5, Version::V3_1_1, Version::V5].map(stall);
    let mut from = Client::connected(&broker, Version::V5, "from");
    publish_singly(&mut from, QoS::AtLeastOnce, 0..4000, 100);
    for mut to in stalled {
        assert!((0..4000).map(|_| next_number(&mut to)).eq(0..4000));
    }
}
