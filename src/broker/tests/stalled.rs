//! Clients that read nothing, through real sockets.

use bytes::Bytes;

use super::client::*;
use crate::mqtt::packet::Packet;
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
