//! No packet is larger than the server's Maximum Packet Size `[MQTT-3.2.2-15]`, whatever it is.

use super::*;

fn limit(size: u32) -> Property {
    Property::number(PropertyId::MaximumPacketSize, size)
}

/// PUBCOMP with a reason code has five bytes.
#[test]
fn a_reason_code_that_does_not_fit_is_left_out() {
    for (size, code) in [
        (4, ReasonCode::SUCCESS),
        (5, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND),
        (1000, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND),
    ] {
        let mut client = Client::limited(config(Version::V5), &[limit(size)]);
        client.feed(&[pubrel(9)]);
        assert_eq!(client.sent(), [Packet::PubComp(Ack { code, ..Ack::success(id(9)) })], "{size}");
    }
}

/// With all properties, with that which ends the session, without any, and not at all.
#[test]
fn a_disconnect_has_what_fits() {
    let properties = ExtraProperties {
        disconnect: Properties(vec![Property::user("a".into(), "b".into())]),
        ..ExtraProperties::default()
    };
    for (size, code, length) in [
        (16, ReasonCode::SUCCESS, Some(16)),
        (15, ReasonCode::SUCCESS, Some(9)),
        (9, ReasonCode::SUCCESS, Some(9)),
        (8, ReasonCode::SUCCESS, Some(2)),
        (4, ReasonCode::SUCCESS, Some(2)),
        (9, ReasonCode::PROTOCOL_ERROR, Some(9)),
        (8, ReasonCode::PROTOCOL_ERROR, Some(3)),
        (4, ReasonCode::PROTOCOL_ERROR, Some(3)),
    ] {
        let config = Config {
            lifetime: Lifetime::Client,
            properties: properties.clone(),
            ..config(Version::V5)
        };
        let mut client = Client::limited(config, &[limit(size)]);
        client.sent();
        client.session.disconnect(code);
        let sent = client.sent().first().map(|packet| packet.encoded_len(Version::V5));
        assert_eq!(sent, length, "{size} {code:?}");
    }
}

/// Four bytes are the shortest acknowledgement, so a server that takes fewer can be sent neither
/// messages nor answers.
#[test]
fn a_server_that_takes_no_acknowledgement_is_left() {
    for size in 1..=4 {
        let mut client = Client::new(config(Version::V5));
        client.session.connect();
        client.sent();
        let events = client.feed_bytes(encoded(Version::V5, &[limited(&[limit(size)])]));
        let violation = (size < 4).then_some(Violation::MaximumPacketSize(size));
        assert_eq!(events.err(), violation);
        assert_eq!(client.sent(), [], "{size}");
    }
}
