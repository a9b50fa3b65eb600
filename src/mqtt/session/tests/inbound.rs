//! QoS 1 and 2 messages from the server: acknowledged after the caller has finished with them,
//! delivered once, within the client's Receive Maximum.

use super::*;
use crate::mqtt::packet::Disconnect;
use crate::mqtt::session::inbound::RECEIVE_MAXIMUM;

/// The numbers of the messages that are delivered.
fn numbers(events: &[Event]) -> Vec<u64> {
    let number = |event: &Event| match event {
        Event::Message(delivery) => delivery.number,
        other => panic!("{other:?}"),
    };
    events.iter().map(number).collect()
}

const ONCE: QoS = QoS::AtLeastOnce;
const EXACTLY: QoS = QoS::ExactlyOnce;

#[test]
fn a_message_is_delivered_as_it_came() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        let packet = from_server(EXACTLY, 9, false, 4);
        let Packet::Publish(publish) = packet.clone() else { unreachable!() };
        let events = client.feed(&[packet]);
        assert_eq!(events, [Event::Message(crate::mqtt::session::Delivery { number: 1, publish })]);
    }
}

#[test]
fn nothing_is_acknowledged_before_it_is_settled() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        let packets = [
            from_server(ONCE, 10, false, 1),
            from_server(QoS::AtMostOnce, 0, false, 2),
            from_server(EXACTLY, 11, false, 3),
            from_server(ONCE, 12, false, 4),
        ];
        assert_eq!(numbers(&client.feed(&packets)), [1, 2, 3, 4]);
        assert_eq!(client.sent(), []);
        client.session.acknowledge_up_to(1);
        assert_eq!(brief(&client.sent()), ["PUBACK 10"]);
        client.session.acknowledge_up_to(2);
        assert_eq!(client.sent(), []);
        client.session.acknowledge_up_to(4);
        assert_eq!(brief(&client.sent()), ["PUBREC 11", "PUBACK 12"], "in order [MQTT-4.6.0-2]");
        client.session.acknowledge_up_to(4);
        client.session.acknowledge_up_to(100);
        assert_eq!(client.sent(), []);
    }
}

#[test]
fn pubrel_frees_the_identifier() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        for number in 1..=3 {
            assert_eq!(numbers(&client.feed(&[from_server(EXACTLY, 5, false, 1)])), [number]);
            client.session.acknowledge_up_to(number);
            assert_eq!(brief(&client.sent()), ["PUBREC 5"]);
            assert_eq!(client.feed(&[pubrel(5)]), []);
            assert_eq!(brief(&client.sent()), ["PUBCOMP 5"]);
        }
    }
}

/// §3.7.2.1: the server may remember a session that the client has lost.
#[test]
fn an_unknown_pubrel_is_completed() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        assert_eq!(client.feed(&[pubrel(5)]), []);
        let expected = if version.has_properties() { "PUBCOMP 5 0x92" } else { "PUBCOMP 5" };
        assert_eq!(brief(&client.sent()), [expected]);
    }
}

#[test]
fn a_repeated_qos_2_message_is_delivered_once() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        client.feed(&[from_server(EXACTLY, 5, false, 1)]);
        assert_eq!(client.feed(&[from_server(EXACTLY, 5, true, 1)]), [], "not settled");
        assert_eq!(client.sent(), []);
        client.session.acknowledge_up_to(1);
        assert_eq!(brief(&client.sent()), ["PUBREC 5"]);
        assert_eq!(client.feed(&[from_server(EXACTLY, 5, true, 1)]), [], "settled");
        assert_eq!(brief(&client.sent()), ["PUBREC 5"]);
    }
}

#[test]
fn a_repeated_qos_1_message_is_delivered_again() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        client.feed(&[from_server(ONCE, 5, false, 1)]);
        assert_eq!(numbers(&client.feed(&[from_server(ONCE, 5, true, 1)])), [2]);
        client.session.acknowledge_up_to(2);
        assert_eq!(brief(&client.sent()), ["PUBACK 5", "PUBACK 5"]);
    }
}

/// The server sends unacknowledged messages again, and only then are they acknowledged, on the new
/// connection.
#[test]
fn acknowledgements_wait_for_the_message_to_come_again() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        client.feed(&[from_server(ONCE, 1, false, 1), from_server(EXACTLY, 2, false, 2)]);
        client.reconnect(connack(true));
        client.session.acknowledge_up_to(2);
        assert_eq!(client.sent(), [], "nothing came on this connection");
        let again = [from_server(ONCE, 1, true, 1), from_server(EXACTLY, 2, true, 2)];
        assert_eq!(numbers(&client.feed(&again)), [3]);
        assert_eq!(brief(&client.sent()), ["PUBREC 2"], "it was settled meanwhile");
        client.session.acknowledge_up_to(3);
        assert_eq!(brief(&client.sent()), ["PUBACK 1"]);
    }
}

#[test]
fn a_pending_message_that_came_again_is_acknowledged_when_settled() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        client.feed(&[from_server(EXACTLY, 2, false, 2)]);
        client.reconnect(connack(true));
        assert_eq!(client.feed(&[from_server(EXACTLY, 2, true, 2)]), []);
        assert_eq!(client.sent(), []);
        client.session.acknowledge_up_to(1);
        assert_eq!(brief(&client.sent()), ["PUBREC 2"]);
    }
}

#[test]
fn what_is_settled_between_connections_is_settled() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        client.feed(&[from_server(EXACTLY, 2, false, 2)]);
        client.lose();
        client.session.acknowledge_up_to(1);
        assert_eq!(client.sent(), []);
        client.reconnect(connack(true));
        assert_eq!(client.feed(&[from_server(EXACTLY, 2, true, 2)]), []);
        assert_eq!(brief(&client.sent()), ["PUBREC 2"]);
    }
}

/// `[MQTT-3.2.2-5]`: the server's identifiers begin anew, and so do the client's.
#[test]
fn a_lost_session_is_forgotten() {
    for version in [Version::V3_1_1, Version::V5] {
        let mut client = Client::online(config(version));
        client.feed(&[from_server(ONCE, 1, false, 1), from_server(EXACTLY, 2, false, 2)]);
        client.session.acknowledge_up_to(2);
        client.reconnect(connack(false));
        client.session.acknowledge_up_to(2);
        assert_eq!(client.sent(), []);
        assert_eq!(numbers(&client.feed(&[from_server(EXACTLY, 2, false, 3)])), [3]);
    }
}

/// MQTT 3.1 has no Session Present. A message without DUP cannot be a repetition.
#[test]
fn a_new_message_is_known_by_its_missing_dup_where_the_session_is_doubtful() {
    let mut client = Client::online(config(Version::V3_1));
    client.feed(&[from_server(EXACTLY, 1, false, 1), from_server(EXACTLY, 2, false, 2)]);
    client.session.acknowledge_up_to(2);
    client.reconnect(connack(false));
    assert_eq!(client.feed(&[from_server(EXACTLY, 1, true, 1)]), []);
    assert_eq!(numbers(&client.feed(&[from_server(EXACTLY, 2, false, 3)])), [3]);
    assert_eq!(
        client.feed(&[from_server(EXACTLY, 2, false, 3)]),
        [],
        "on one connection DUP is not needed"
    );
}

fn flood(config: Config, qos: QoS, count: u16) -> Client {
    let mut client = Client::online(config);
    for packet_id in 1..=count {
        client.feed(&[from_server(qos, packet_id, false, 1)]);
    }
    client
}

/// A client that announces this receive maximum, as with `-D connect receive-maximum`.
fn announcing(receive_maximum: u16) -> Config {
    let mut config = config(Version::V5);
    let property = Property::number(PropertyId::ReceiveMaximum, receive_maximum.into());
    config.properties.connect.push(property);
    config
}

/// `[MQTT-3.3.4-9]`; mosquitto 2.0 sends the whole queue of a session.
#[test]
fn up_to_twice_the_receive_maximum_is_taken_and_told_once() {
    for qos in [ONCE, EXACTLY] {
        let mut client = flood(announcing(1000), qos, 1000);
        assert_eq!(client.deviations(), []);
        client.feed(&[from_server(qos, 1001, false, 1)]);
        assert_eq!(client.deviations(), [Deviation::ReceiveMaximumExceeded]);
        for packet_id in 1002..=2000 {
            client.feed(&[from_server(qos, packet_id, false, 1)]);
        }
        assert_eq!(client.deviations(), []);
        let violation = client.violated(from_server(qos, 2001, false, 1));
        assert_eq!(violation.0, Violation::ReceiveMaximumExceeded);
        assert_eq!(violation.1, Some(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED));
    }
}

/// With the maximum that we announce ourselves there are no identifiers for too many messages.
#[test]
fn every_packet_identifier_may_be_in_use() {
    for qos in [ONCE, EXACTLY] {
        let mut client = flood(config(Version::V5), qos, u16::MAX);
        assert_eq!(client.deviations(), [Deviation::ReceiveMaximumExceeded]);
    }
}

/// A maximum that the user gives with `-D connect receive-maximum`.
#[test]
fn a_receive_maximum_of_the_user_counts() {
    let mut client = flood(announcing(3), EXACTLY, 6);
    assert_eq!(client.deviations(), [Deviation::ReceiveMaximumExceeded]);
    let violation = client.violated(from_server(EXACTLY, 7, false, 1));
    assert_eq!(violation.0, Violation::ReceiveMaximumExceeded);
}

#[test]
fn more_than_our_receive_maximum_is_a_violation_for_the_strict() {
    for qos in [ONCE, EXACTLY] {
        let mut client = flood(strict(config(Version::V5)), qos, RECEIVE_MAXIMUM);
        let violation = client.violated(from_server(qos, RECEIVE_MAXIMUM + 1, false, 1));
        assert_eq!(violation.0, Violation::ReceiveMaximumExceeded);
        assert_eq!(violation.1, Some(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED));

        let mut client = flood(strict(config(Version::V5)), qos, RECEIVE_MAXIMUM);
        client.session.acknowledge_up_to(1);
        let next = from_server(qos, RECEIVE_MAXIMUM + 1, false, 1);
        if qos == EXACTLY {
            // Its PUBREC does not end a message.
            assert_eq!(client.violated(next).0, Violation::ReceiveMaximumExceeded);
        } else {
            assert_eq!(client.feed(&[next]).len(), 1);
        }
    }
}

/// Before MQTT 5 the server was never told a maximum.
#[test]
fn before_mqtt_5_only_the_identifiers_are_a_limit() {
    for version in [Version::V3_1, Version::V3_1_1] {
        let mut client = flood(config(version), ONCE, RECEIVE_MAXIMUM + 1);
        client.session.acknowledge_up_to(u64::MAX);
        assert_eq!(client.sent().len(), usize::from(RECEIVE_MAXIMUM) + 1);
    }
}

#[test]
fn the_server_may_say_goodbye_only_in_mqtt_5() {
    let disconnect =
        Disconnect { code: ReasonCode::SERVER_SHUTTING_DOWN, properties: Properties::default() };
    let packet = Packet::Disconnect(disconnect.clone());
    let mut client = Client::online(config(Version::V5));
    let events = client.feed(&[packet.clone(), from_server(ONCE, 1, false, 1)]);
    assert_eq!(events, [Event::Disconnected(Box::new(disconnect))], "nothing comes after it");
    assert_eq!((client.sent(), client.session.deadline()), (vec![], None));
    for version in [Version::V3_1, Version::V3_1_1] {
        let violation = Client::online(config(version)).violated(packet.clone());
        assert_eq!(violation, (Violation::Unexpected("DISCONNECT"), None));
    }
}

/// A message of an earlier connection that waits for its PUBREL does not count against the quota of
/// a new one (§4.9).
#[test]
fn a_new_connection_begins_with_the_whole_quota() {
    let mut client = Client::online(strict(announcing(1000)));
    let publish = |packet_id: u16| {
        let publish = message("a/topic", QoS::ExactlyOnce, u32::from(packet_id));
        Packet::Publish(Publish { packet_id: Some(id(packet_id)), ..publish })
    };
    let first: Vec<Packet> = (1..=1000).map(publish).collect();
    assert_eq!(client.feed(&first).len(), 1000);
    client.session.acknowledge_up_to(1000);
    client.reconnect(connack(true));
    let more: Vec<Packet> = (1001..=2000).map(publish).collect();
    assert_eq!(client.feed(&more).len(), 1000);
    assert_eq!(client.violated(publish(2001)).0, Violation::ReceiveMaximumExceeded);
}

/// `[MQTT-3.3.2-14]`: such a property is removed, and nothing else.
#[test]
fn a_response_topic_that_is_no_topic_name_is_left_out() {
    let with = |response: &'static str| {
        let mut publish = message("a/topic", QoS::AtMostOnce, 1);
        publish.properties.push(Property::text(PropertyId::ContentType, "c".into()));
        publish.properties.push(Property::text(PropertyId::ResponseTopic, response.into()));
        publish
    };
    for bad in ["a/#", "+", ""] {
        let mut client = Client::online(config(Version::V5));
        for _ in 0..2 {
            let events = client.feed(&[Packet::Publish(with(bad))]);
            let [Event::Message(delivery)] = &events[..] else { panic!("{events:?}") };
            let content_type = Property::text(PropertyId::ContentType, "c".into());
            assert_eq!(delivery.publish.properties, Properties(vec![content_type]));
        }
        assert_eq!(client.deviations(), [Deviation::ResponseTopic]);
        let mut client = Client::online(strict(config(Version::V5)));
        assert_eq!(client.violated(Packet::Publish(with(bad))).0, Violation::ResponseTopic);
    }
    let mut client = Client::online(strict(config(Version::V5)));
    assert_eq!(client.feed(&[Packet::Publish(with("a/b"))]).len(), 1);
}

/// What was delivered is finished, also over another connection; everything else is left to the
/// server.
#[test]
fn when_no_new_message_is_taken_the_others_are_finished() {
    for (version, above) in VERSIONS.into_iter().flat_map(|v| [(v, 1 << 20), (v, 0)]) {
        let mut client = Client::online(Config {
            receiving: parts_above(above),
            lifetime: Lifetime::Persistent,
            ..config(version)
        });
        let received = [5, 6, 7].map(|packet_id| from_server(EXACTLY, packet_id, false, 1));
        client.feed(&received);
        client.session.acknowledge_up_to(2);
        assert_eq!(brief(&client.sent()), ["PUBREC 5", "PUBREC 6"]);
        assert_eq!(client.session.unreleased(), 2);
        client.session.stop_taking();
        let new = [(QoS::AtMostOnce, 0), (ONCE, 8), (EXACTLY, 9)]
            .map(|(qos, packet_id)| from_server(qos, packet_id, false, 1));
        assert_eq!(client.feed(&new), []);
        assert_eq!(client.feed(&[pubrel(5)]), []);
        assert_eq!(brief(&client.sent()), ["PUBCOMP 5"]);
        client.reconnect(connack(true));
        assert_eq!(client.feed(&[from_server(EXACTLY, 6, true, 1)]), []);
        assert_eq!(brief(&client.sent()), ["PUBREC 6"], "not 7, nor 9");
        assert_eq!(client.session.unreleased(), 1);
        assert_eq!(client.feed(&[pubrel(6)]), [Event::AllReleased]);
        assert_eq!(client.session.unreleased(), 0);
    }
}

/// A broker that has lost the session, and says so, which it cannot in MQTT 3.1, sends nothing
/// again.
#[test]
fn what_a_lost_session_held_is_not_waited_for() {
    for version in [Version::V3_1_1, Version::V5] {
        let lifetime = Lifetime::Persistent;
        let mut client = Client::online(Config { lifetime, ..config(version) });
        client.feed(&[from_server(EXACTLY, 5, false, 1)]);
        client.session.acknowledge_up_to(1);
        assert_eq!(client.session.unreleased(), 1);
        client.reconnect(connack(false));
        assert_eq!(client.session.unreleased(), 0);
        client.feed(&[from_server(EXACTLY, 5, false, 1)]);
        client.session.acknowledge_up_to(2);
        assert_eq!(client.session.unreleased(), 1);
    }
    let mut ends = Client::online(config(Version::V5));
    ends.feed(&[from_server(EXACTLY, 5, false, 1)]);
    ends.session.acknowledge_up_to(1);
    assert_eq!(ends.session.unreleased(), 0, "DISCONNECT ends the session");
}

/// mosquitto 2.0 where more than 65,535 messages wait: all identifiers are in use, and it goes on.
#[test]
fn messages_come_when_every_identifier_is_in_use() {
    for version in [Version::V3_1_1, Version::V5] {
        let mut client = Client::online(config(version));
        let mut came = 0;
        for number in 1..=2 {
            for first in (1..=u16::MAX).step_by(1000) {
                let last = first.saturating_add(999);
                let packets: Vec<Packet> =
                    (first..=last).map(|id| from_server(EXACTLY, id, false, number)).collect();
                came += client.feed(&packets).len();
                client.session.acknowledge_up_to(came as u64);
                client.sent();
            }
        }
        assert_eq!(came, 2 * usize::from(u16::MAX), "MQTT {version}");
    }
}
