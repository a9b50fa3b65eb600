//! After the client's DISCONNECT nothing is sent, but packets from the server still count. A server
//! that sends without reading is not read for ever.

use super::*;
use crate::mqtt::packet::{Disconnect, SubAck};

/// A client with three QoS 1 and 2 messages in flight that has sent DISCONNECT.
fn closing(version: Version) -> Client {
    let mut client = Client::online(config(version));
    client.publish(QoS::AtLeastOnce, 1);
    client.publish(QoS::ExactlyOnce, 2);
    client.publish(QoS::ExactlyOnce, 3);
    client.feed(&[pubrec(3)]);
    client.session.disconnect(ReasonCode::SUCCESS);
    let sent = brief(&client.sent());
    assert_eq!(sent, ["PUBLISH 1", "PUBLISH 2", "PUBLISH 3", "PUBREL 3", "DISCONNECT"]);
    client
}

#[test]
fn acknowledgements_complete_what_is_in_flight() {
    for version in VERSIONS {
        for trace in [false, true] {
            let mut client = closing(version);
            client.session.config.reports.trace = trace;
            assert!(!client.session.is_online());
            let events = client.feed(&[puback(1), pubrec(2), pubcomp(3)]);
            assert_eq!(events, [acknowledged(1), acknowledged(3)]);
            assert_eq!(client.session.in_flight(), 1, "PUBREL 2 may not be sent any more");
            assert_eq!(client.sent(), []);
            assert_eq!(client.session.deadline(), None);
            client.reconnect(connack(true));
            assert_eq!(brief(&client.sent()), ["PUBREL 2"]);
        }
    }
}

#[test]
fn a_refusal_is_an_event() {
    let mut client = closing(Version::V5);
    let code = ReasonCode::QUOTA_EXCEEDED;
    let refused = Packet::PubRec(Ack { code, ..Ack::success(id(2)) });
    let event = Event::Acknowledged { token: 2, code, reason: None };
    assert_eq!(client.feed(&[refused]), [event]);
}

/// The server ends the exchange. If it asks again, it gets the answer on the next connection.
#[test]
fn pubrel_completes_without_an_answer() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        client.feed(&[from_server(QoS::ExactlyOnce, 9, false, 1)]);
        client.session.acknowledge_up_to(1);
        client.session.disconnect(ReasonCode::SUCCESS);
        assert_eq!(brief(&client.sent()), ["PUBREC 9", "DISCONNECT"]);
        assert_eq!(client.feed(&[pubrel(9), pubrel(8)]), []);
        assert_eq!(client.sent(), []);
        client.reconnect(connack(true));
        client.feed(&[pubrel(9)]);
        let answer = if version == Version::V5 { "PUBCOMP 9 0x92" } else { "PUBCOMP 9" };
        assert_eq!(brief(&client.sent()), [answer]);
    }
}

/// The messages could not be acknowledged, so the server sends them again.
#[test]
fn messages_are_dropped() {
    for (version, above) in VERSIONS.into_iter().flat_map(|v| [(v, 1 << 20), (v, 0)]) {
        let mut client =
            Client::online(Config { receiving: parts_above(above), ..config(version) });
        client.session.disconnect(ReasonCode::SUCCESS);
        client.sent();
        let packets = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]
            .map(|qos| from_server(qos, qos.bits().into(), false, 1));
        assert_eq!(client.feed(&packets), []);
        client.session.acknowledge_up_to(u64::MAX);
        assert_eq!(client.sent(), []);
        client.reconnect(connack(true));
        let again = from_server(QoS::ExactlyOnce, 2, true, 1);
        let events = client.feed(&[again]);
        let number = match &events[0] {
            Event::Message(delivery) | Event::MessageBegins { delivery, .. } => delivery.number,
            other => panic!("{other:?}"),
        };
        assert_eq!(number, 1);
    }
}

#[test]
fn answers_and_a_disconnect_with_a_reason_are_events() {
    let mut client = Client::online(config(Version::V5));
    let packet_id = client
        .session
        .subscribe(vec![Subscription::new(filter("a"), QoS::AtMostOnce)], Properties::default());
    client.session.ping();
    client.session.disconnect(ReasonCode::SUCCESS);
    client.sent();
    let codes = vec![ReasonCode::SUCCESS];
    let suback = SubAck { packet_id, properties: Properties::default(), codes };
    let code = ReasonCode::SESSION_TAKEN_OVER;
    let disconnect = Disconnect { code, properties: Properties::default() };
    let events = client.feed(&[
        Packet::SubAck(suback.clone()),
        Packet::PingResp,
        Packet::Disconnect(disconnect.clone()),
        puback(1),
    ]);
    let ended = Event::Disconnected(Box::new(disconnect));
    assert_eq!(events, [Event::Subscribed(suback), Event::Pong, ended]);
}

#[test]
fn a_violation_ends_the_session_without_a_word() {
    let mut client = Client::online(config(Version::V5));
    client.session.disconnect(ReasonCode::SUCCESS);
    client.sent();
    let (violation, code) = client.violated(connack(false));
    assert_eq!((violation, code), (Violation::Unexpected("CONNACK"), None));
}

/// A server floods the client with packets that need an answer, and does not read: PUBREL, PUBREC,
/// PUBCOMP with and without success, PUBACK.
#[test]
fn answers_that_wait_stop_the_reading() {
    const MOST: usize = 128 * 1024 / 4;
    for (version, packet) in [
        (Version::V3_1_1, pubrec(7)),
        (Version::V3_1_1, pubrel(7)),
        (Version::V5, pubrel(7)),
        (Version::V3_1_1, from_server(QoS::AtLeastOnce, 7, false, 1)),
    ] {
        let mut client = Client::online(config(version));
        let mut count = 0;
        while !client.session.must_stop_reading() {
            let events = client.feed(std::slice::from_ref(&packet));
            client.session.acknowledge_up_to(events.len() as u64 + count);
            count += 1;
            assert!(count <= MOST as u64 + 1, "{packet:?}");
        }
        assert!(!client.sent().is_empty());
        assert!(!client.session.must_stop_reading(), "they were taken");
    }
}

/// A large message from the client that waits is no reason to stop reading.
#[test]
fn messages_that_wait_do_not_stop_the_reading() {
    let mut client = Client::online(config(Version::V5));
    let payload = Bytes::from(vec![b'x'; 1 << 20]);
    let publish = Publish { payload, ..message("a", QoS::AtMostOnce, 1) };
    client.session.publish(publish, 1).expect("it can be sent");
    assert!(!client.session.can_publish(QoS::AtMostOnce));
    assert!(!client.session.must_stop_reading());
}
