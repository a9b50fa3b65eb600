//! A new connection resumes the exchanges of the old one: which packets are sent again, with DUP or
//! without, and which never are.

use super::*;

const ONCE: QoS = QoS::AtLeastOnce;
const EXACTLY: QoS = QoS::ExactlyOnce;

/// Five messages in every stage: 1 sent, 2 acknowledged, 3 sent, 4 released, 5 completed.
fn five(version: Version) -> Client {
    let mut client = Client::online(config(version));
    (1..)
        .zip([ONCE, ONCE, EXACTLY, EXACTLY, EXACTLY])
        .for_each(|(number, qos)| client.publish(qos, number));
    client.feed(&[puback(2), pubrec(4), pubrec(5), pubcomp(5)]);
    client.sent();
    client
}

#[test]
fn what_is_unfinished_is_sent_again_with_dup_in_order() {
    for version in VERSIONS {
        let mut client = five(version);
        assert_eq!(client.reconnect(connack(true)), []);
        assert_eq!(brief(&client.sent()), ["PUBLISH 1 dup", "PUBLISH 3 dup", "PUBREL 4"]);
        let events = client.feed(&[puback(1), pubrec(3), pubcomp(4), pubcomp(3)]);
        assert_eq!(events, [acknowledged(1), acknowledged(4), acknowledged(3)]);
        assert_eq!(brief(&client.sent()), ["PUBREL 3"]);
        assert_eq!(client.session.in_flight(), 0);
        client.reconnect(connack(true));
        assert_eq!(client.sent(), []);
    }
}

/// QoS 1 is published anew, which is not a duplicate; QoS 2 could be one.
#[test]
fn in_a_new_session_qos_1_is_published_anew_and_qos_2_is_in_doubt() {
    for version in [Version::V3_1_1, Version::V5] {
        let mut client = five(version);
        let doubts = client.reconnect(connack(false));
        assert_eq!(doubts, [Event::InDoubt { token: 3 }, Event::InDoubt { token: 4 }]);
        assert_eq!(brief(&client.sent()), ["PUBLISH 1"]);
        assert_eq!(client.session.in_flight(), 1);
        assert_eq!(client.session.exchanges.remembered(), message("a", ONCE, 1).payload.len());
        client.reconnect(connack(true));
        assert_eq!(brief(&client.sent()), ["PUBLISH 1 dup"], "now this session has seen it");
    }
}

/// MQTT 3.1 has no Session Present: a session that was not begun anew is taken to exist.
#[test]
fn mqtt_3_1_takes_the_session_to_be_there() {
    let mut client = five(Version::V3_1);
    assert_eq!(client.reconnect(connack(false)), []);
    assert_eq!(brief(&client.sent()), ["PUBLISH 1 dup", "PUBLISH 3 dup", "PUBREL 4"]);

    let mut client =
        Client::online(Config { lifetime: Lifetime::Connection, ..config(Version::V3_1) });
    client.publish(ONCE, 1);
    client.publish(EXACTLY, 2);
    assert_eq!(
        client.reconnect(connack(true)),
        [Event::InDoubt { token: 2 }],
        "Clean Session ended it"
    );
    assert_eq!(brief(&client.sent()), ["PUBLISH 1"]);
}

/// DUP only on a message that was sent in this session of the server, not on one that waited for
/// the window.
#[test]
fn dup_is_not_set_for_what_a_new_session_has_not_seen() {
    let limits = |session_present| {
        refusal_or_success(
            session_present,
            ReasonCode::SUCCESS,
            &[Property::number(PropertyId::ReceiveMaximum, 2)],
        )
    };
    let mut client = Client::online(config(Version::V5));
    (1..=4).for_each(|number| client.publish(ONCE, number));
    client.sent();
    client.reconnect(limits(false));
    assert_eq!(brief(&client.sent()), ["PUBLISH 1", "PUBLISH 2"]);
    client.reconnect(limits(true));
    assert_eq!(brief(&client.sent()), ["PUBLISH 1 dup", "PUBLISH 2 dup"]);
    client.feed(&[puback(1), puback(2)]);
    assert_eq!(brief(&client.sent()), ["PUBLISH 3", "PUBLISH 4"]);
}

/// §4.9: the window of the new connection limits the messages that are sent again; new messages
/// wait until they are.
#[test]
fn the_new_window_holds() {
    let mut client = Client::online(config(Version::V5));
    (1..=4).for_each(|number| client.publish(EXACTLY, number));
    client.feed(&[pubrec(1)]);
    client.sent();
    client.reconnect(refusal_or_success(
        true,
        ReasonCode::SUCCESS,
        &[Property::number(PropertyId::ReceiveMaximum, 2)],
    ));
    assert_eq!(brief(&client.sent()), ["PUBREL 1", "PUBLISH 2 dup"]);
    assert!(!client.session.can_publish(ONCE) && client.session.can_publish(QoS::AtMostOnce));
    client.feed(&[pubcomp(1)]);
    assert_eq!(brief(&client.sent()), ["PUBLISH 3 dup"]);
    client.feed(&[pubrec(2), pubrec(3)]);
    assert_eq!(brief(&client.sent()), ["PUBREL 2", "PUBREL 3"]);
    assert!(!client.session.can_publish(ONCE));
    client.feed(&[pubcomp(2), pubcomp(3)]);
    assert_eq!(brief(&client.sent()), ["PUBLISH 4 dup"]);
    assert!(client.session.can_publish(ONCE));
}

/// Nothing is sent again on the same connection, whatever is received.
#[test]
fn one_connection_sees_nothing_twice() {
    for version in VERSIONS {
        let mut client = five(version);
        client.reconnect(connack(true));
        client.sent();
        client.after(40.0).feed(&[pubcomp(4), Packet::PingResp, from_server(ONCE, 9, false, 1)]);
        assert_eq!(client.sent(), []);
    }
}

/// A PUBREC that refuses frees the identifier: the message is not sent again.
#[test]
fn what_was_refused_is_not_sent_again() {
    let mut client = Client::online(config(Version::V5));
    client.publish(EXACTLY, 1);
    client.feed(&[Packet::PubRec(Ack { code: ReasonCode::QUOTA_EXCEEDED, ..Ack::success(id(1)) })]);
    client.reconnect(connack(true));
    assert_eq!(client.sent(), []);
}

/// The limits of the new server may be lower: the session refuses the messages that it does not
/// accept and sends the rest.
#[test]
fn what_the_new_server_does_not_take_is_refused() {
    let rows = [
        (Property::number(PropertyId::MaximumPacketSize, 26), ONCE, ReasonCode::PACKET_TOO_LARGE),
        (Property::number(PropertyId::MaximumQoS, 1), EXACTLY, ReasonCode::QOS_NOT_SUPPORTED),
    ];
    for (limit, qos, code) in rows {
        let mut client = Client::online(config(Version::V5));
        // Messages 1 to 4 grow by 7 bytes each.
        client.publish(qos, 4);
        client.publish(ONCE, 1);
        client.publish(qos, 3);
        client.sent();
        let events = client.reconnect(refusal_or_success(true, ReasonCode::SUCCESS, &[limit]));
        let refused = |record| Event::Acknowledged { token: record, code, reason: None };
        assert_eq!(events, [refused(4), refused(3)]);
        assert_eq!(brief(&client.sent()), ["PUBLISH 2 dup"]);
        assert_eq!(client.feed(&[puback(2)]), [acknowledged(1)]);
        assert!(client.session.in_flight() == 0 && client.session.can_publish(ONCE));
        assert_eq!(client.session.exchanges.remembered(), 0);
    }
}

/// A large window of large messages is sent again piece by piece, without a second copy of all of
/// it.
#[test]
fn what_is_sent_again_fits_into_the_outbox() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        let payload = Bytes::from(vec![b'x'; 10_000]);
        for record in 0..100 {
            let publish = Publish { payload: payload.clone(), ..message("a", ONCE, 0) };
            client.session.publish(publish, record).unwrap();
            client.sent();
        }
        client.reconnect(connack(true));
        let largest = std::iter::from_fn(|| client.session.outgoing(client.now))
            .map(|piece| piece.len())
            .max();
        assert!(largest < Some(300_000), "{largest:?}");
        client.reconnect(connack(true));
        client.session.outgoing(client.now);
        assert!(
            !client.session.can_publish(ONCE),
            "new messages wait until the old ones were sent"
        );
        client.reconnect(connack(true));
        assert_eq!(client.sent().len(), 100);
        assert!(client.session.can_publish(ONCE));
    }
}

/// Bytes that were not written before the connection was lost are not sent on the next one.
#[test]
fn the_outbox_is_lost_with_its_connection() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        client.publish(QoS::AtMostOnce, 1);
        client.publish(ONCE, 2);
        client.session.ping();
        client.reconnect(connack(true));
        assert_eq!(brief(&client.sent()), ["PUBLISH 1 dup"]);
    }
}
