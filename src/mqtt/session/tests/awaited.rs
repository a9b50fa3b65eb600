//! What the session says it waits for: the rest of a message, an acknowledgement.

use super::*;
use crate::mqtt::packet::PacketType;

/// Cut at every byte, as a whole or in parts: as soon as the header is here the length is known.
#[test]
fn a_message_that_arrives_has_its_length() {
    const PAYLOAD: &[u8] = b"0123456789abcdef";
    for version in VERSIONS {
        for parts_above in [None, Some(10)] {
            let config = Config {
                receiving: receiving(parts_above, Strictness::Tolerant),
                ..config(version)
            };
            let publish =
                Publish { payload: PAYLOAD.into(), ..message("a/topic", QoS::AtMostOnce, 0) };
            let wire = encoded(version, &[Packet::Publish(publish)]);
            let head = wire.len() - PAYLOAD.len();
            for cut in 0..=wire.len() {
                let mut client = Client::online(config.clone());
                client.feed_bytes(wire.slice(..cut)).expect("no violation");
                let arriving = client.session.arriving_message();
                if cut < 2 || cut == wire.len() {
                    assert_eq!(arriving, None, "{version} {cut}");
                } else if cut >= head {
                    assert_eq!(arriving, Some((cut - head, PAYLOAD.len())), "{version} {cut}");
                } else {
                    assert!(arriving.is_some_and(|(arrived, _)| arrived == 0), "{version} {cut}");
                }
            }
        }
    }
}

#[test]
fn no_other_packet_is_a_message_that_arrives() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        client.feed_bytes(encoded(version, &[puback(1)]).slice(..3)).expect("no violation");
        assert_eq!(client.session.arriving_message(), None);
    }
}

#[test]
fn the_packet_that_is_missing_has_a_name() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        let awaited = |client: &Client| client.session.awaited_acknowledgement();
        assert_eq!(awaited(&client), None);
        client.publish(QoS::AtMostOnce, 1);
        client.sent();
        assert_eq!(awaited(&client), None, "nobody acknowledges QoS 0");
        client.publish(QoS::ExactlyOnce, 2);
        client.publish(QoS::AtLeastOnce, 3);
        assert_eq!(awaited(&client), None, "it was not sent");
        client.sent();
        assert_eq!(awaited(&client), Some(PacketType::PubRec));
        assert_eq!(client.session.acknowledgements_received(), 0);
        client.feed(&[puback(2)]);
        assert_eq!(client.session.acknowledgements_received(), 1, "another one is progress");
        client.feed(&[pubrec(1)]);
        client.sent();
        assert_eq!(awaited(&client), Some(PacketType::PubComp));
        assert_eq!(client.session.acknowledgements_received(), 2);
        client.feed(&[pubrec(1)]);
        client.sent();
        assert_eq!(client.session.acknowledgements_received(), 2, "a repetition is none");
        client.lose();
        assert_eq!(awaited(&client), None, "there is no connection");
        client.reconnect(connack(true));
        client.sent();
        assert_eq!(awaited(&client), Some(PacketType::PubComp));
        client.feed(&[pubcomp(1)]);
        assert_eq!((awaited(&client), client.session.acknowledgements_received()), (None, 3));
        client.publish(QoS::AtLeastOnce, 4);
        client.sent();
        assert_eq!(awaited(&client), Some(PacketType::PubAck));
    }
}
