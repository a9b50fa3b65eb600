//! Large messages in parts: delivered as they arrive, completed after a connection that was lost in
//! the middle, and cut if they are not sent again.

use super::*;

const ONCE: QoS = QoS::AtLeastOnce;
const EXACTLY: QoS = QoS::ExactlyOnce;

const PAYLOAD: &[u8] = b"0123456789abcdef";

/// The payloads of the messages that were begun.
#[derive(Debug, Default, PartialEq, Eq)]
struct Output {
    /// Complete messages, by number.
    whole: Vec<(u64, Bytes)>,
    /// The number and the payload so far of a message that was begun.
    open: Option<(u64, BytesMut)>,
    torn: usize,
}

impl Output {
    fn take(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::MessageBegins { delivery, .. } => {
                    assert!(self.open.replace((delivery.number, BytesMut::new())).is_none());
                }
                Event::Piece(piece) => {
                    assert!(!piece.is_empty());
                    self.open.as_mut().expect("it has begun").1.extend_from_slice(&piece);
                }
                Event::MessageEnds => {
                    let (number, payload) = self.open.take().expect("it has begun");
                    self.whole.push((number, payload.freeze()));
                }
                Event::MessageCut => {
                    assert!(self.open.take().is_some(), "it has begun");
                    self.torn += 1;
                }
                Event::Message(delivery) => {
                    self.whole.push((delivery.number, delivery.publish.payload));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

fn in_parts(version: Version) -> Config {
    Config { receiving: parts_above(10), ..config(version) }
}

fn large(qos: QoS, dup: bool, payload: &'static [u8]) -> Publish {
    let packet_id = (qos > QoS::AtMostOnce).then(|| id(9));
    let publish = message("a/topic", qos, 0);
    Publish { dup, packet_id, payload: Bytes::from_static(payload), ..publish }
}

fn bytes_of(version: Version, publish: Publish) -> Bytes {
    encoded(version, &[Packet::Publish(publish)])
}

/// A client that received so many bytes of a message before its connection was lost.
fn cut_at(version: Version, qos: QoS, cut: usize) -> (Client, Output) {
    let (mut client, mut output) = (Client::online(in_parts(version)), Output::default());
    let wire = bytes_of(version, large(qos, false, PAYLOAD));
    output.take(client.feed_bytes(wire.slice(..cut)).expect("no violation"));
    (client, output)
}

fn length_on_wire(version: Version, qos: QoS) -> usize {
    bytes_of(version, large(qos, false, PAYLOAD)).len()
}

#[test]
fn a_large_message_comes_as_it_arrives() {
    for version in VERSIONS {
        for qos in [QoS::AtMostOnce, ONCE, EXACTLY] {
            let mut client = Client::online(in_parts(version));
            let wire = bytes_of(version, large(qos, false, PAYLOAD));
            let (first, second) = (wire.slice(..wire.len() - 6), wire.slice(wire.len() - 6..));
            let publish = Publish { payload: Bytes::new(), ..large(qos, false, PAYLOAD) };
            let begins = Event::MessageBegins {
                delivery: crate::mqtt::session::Delivery { number: 1, publish },
                length: PAYLOAD.len(),
            };
            assert_eq!(
                client.feed_bytes(first),
                Ok(vec![begins, Event::Piece(PAYLOAD[..10].into())])
            );
            let rest = vec![Event::Piece(PAYLOAD[10..].into()), Event::MessageEnds];
            assert_eq!(client.feed_bytes(second), Ok(rest));
            assert_eq!(client.sent(), []);
            client.session.acknowledge_up_to(1);
            let expected: &[&str] = match qos {
                QoS::AtMostOnce => &[],
                QoS::AtLeastOnce => &["PUBACK 9"],
                QoS::ExactlyOnce => &["PUBREC 9"],
            };
            assert_eq!(brief(&client.sent()), expected);
        }
    }
}

/// The connection is lost at any byte, and then at any other: the output is complete and is
/// acknowledged once.
#[test]
fn what_comes_again_goes_on_where_it_was() {
    for version in VERSIONS {
        for qos in [ONCE, EXACTLY] {
            let length = length_on_wire(version, qos);
            let again = bytes_of(version, large(qos, true, PAYLOAD));
            for (first, second) in
                (0..length).flat_map(|one| (0..length).map(move |other| (one, other)))
            {
                let (mut client, mut output) = cut_at(version, qos, first);
                for end in [second, length] {
                    assert_eq!(client.sent(), []);
                    output.take(client.reconnect(connack(true)));
                    output.take(client.feed_bytes(again.slice(..end)).expect("no violation"));
                }
                let expected = Output { whole: vec![(1, PAYLOAD.into())], ..Output::default() };
                assert_eq!(output, expected, "{version} {first} {second}");
                assert_eq!(client.sent(), []);
                client.session.acknowledge_up_to(1);
                let answer = if qos == ONCE { "PUBACK 9" } else { "PUBREC 9" };
                assert_eq!(brief(&client.sent()), [answer]);
            }
        }
    }
}

#[test]
fn at_qos_0_it_is_torn() {
    for version in VERSIONS {
        let length = length_on_wire(version, QoS::AtMostOnce);
        for cut in 0..length {
            let (mut client, mut output) = cut_at(version, QoS::AtMostOnce, cut);
            let is_open = output.open.is_some();
            assert_eq!(client.session.loss_cuts_message(), is_open);
            assert_eq!(is_open, cut > length - PAYLOAD.len());
            output.take(client.reconnect(connack(true)));
            assert_eq!(output.torn, usize::from(is_open));
            assert!(!client.session.loss_cuts_message());
            output.take(
                client.feed_bytes(bytes_of(version, large(ONCE, false, PAYLOAD))).expect("none"),
            );
            assert_eq!(output.whole, [(1, PAYLOAD.into())]);
        }
    }
}

#[test]
fn with_the_session_it_is_lost() {
    for version in [Version::V3_1_1, Version::V5] {
        for qos in [ONCE, EXACTLY] {
            let (mut client, mut output) = cut_at(version, qos, length_on_wire(version, qos) - 1);
            assert!(!client.session.loss_cuts_message());
            output.take(client.reconnect(connack(false)));
            assert_eq!((output.torn, output.open.is_none()), (1, true));
        }
    }
}

#[test]
fn a_session_that_does_not_outlive_the_connection_tears_it() {
    let config = Config { lifetime: Lifetime::Connection, ..in_parts(Version::V5) };
    let mut client = Client::online(config);
    let wire = bytes_of(Version::V5, large(ONCE, false, PAYLOAD));
    client.feed_bytes(wire.slice(..wire.len() - 1)).expect("no violation");
    assert!(client.session.loss_cuts_message());
}

/// A different message must not be joined to the beginning of another.
#[test]
fn anything_else_tears_it() {
    for version in VERSIONS {
        for qos in [ONCE, EXACTLY] {
            let other = if qos == ONCE { EXACTLY } else { ONCE };
            let again = large(qos, true, PAYLOAD);
            let others = [
                large(qos, true, b"0123456789abcde"),
                Publish { dup: false, ..again.clone() },
                Publish { topic: Some(topic("another")), ..again.clone() },
                Publish { packet_id: Some(id(8)), ..again.clone() },
                Publish { qos: other, ..again.clone() },
                large(QoS::AtMostOnce, false, PAYLOAD),
                large(ONCE, false, b"x"),
            ];
            for publish in others {
                let (mut client, mut output) =
                    cut_at(version, qos, length_on_wire(version, qos) - 1);
                output.take(client.reconnect(connack(true)));
                output.take(
                    client.feed_bytes(bytes_of(version, publish.clone())).expect("no violation"),
                );
                let expected = Output { whole: vec![(1, publish.payload)], open: None, torn: 1 };
                assert_eq!(output, expected, "{version}");
                if client.session.receiver.inbound.has(&again) {
                    continue;
                }
                // Now it may arrive, and is a new message.
                output.take(
                    client.feed_bytes(bytes_of(version, again.clone())).expect("no violation"),
                );
                assert_eq!(output.whole.last(), Some(&(2, PAYLOAD.into())));
            }
        }
    }
}

/// QoS 2 messages that were delivered before the large one are sent again before it, and are not
/// delivered.
#[test]
fn what_is_not_delivered_does_not_tear_it() {
    for version in VERSIONS {
        let (mut client, mut output) = (Client::online(in_parts(version)), Output::default());
        output.take(client.feed(&[from_server(EXACTLY, 3, false, 7)]));
        let wire = bytes_of(version, large(ONCE, false, PAYLOAD));
        output.take(client.feed_bytes(wire.slice(..wire.len() - 2)).expect("no violation"));
        output.take(client.reconnect(connack(true)));
        output.take(client.feed(&[from_server(EXACTLY, 3, true, 7), pubrel(4)]));
        output.take(
            client.feed_bytes(bytes_of(version, large(ONCE, true, PAYLOAD))).expect("no violation"),
        );
        assert_eq!(output.whole.last(), Some(&(2, PAYLOAD.into())));
        client.sent();
        client.session.acknowledge_up_to(2);
        assert_eq!(brief(&client.sent()), ["PUBREC 3", "PUBACK 9"]);
    }
}

/// No part of it is delivered, and it is answered when it is complete.
#[test]
fn a_repeated_qos_2_message_is_swallowed() {
    for version in VERSIONS {
        let (mut client, mut output) = cut_at(version, EXACTLY, length_on_wire(version, EXACTLY));
        assert_eq!(output.whole.len(), 1);
        client.reconnect(connack(true));
        let again = bytes_of(version, large(EXACTLY, true, PAYLOAD));
        let (first, last) = (again.slice(..again.len() - 1), again.slice(again.len() - 1..));
        assert_eq!(client.feed_bytes(first), Ok(vec![]));
        client.session.acknowledge_up_to(1);
        assert_eq!(client.sent(), []);
        assert_eq!(client.feed_bytes(last), Ok(vec![]));
        assert_eq!(brief(&client.sent()), ["PUBREC 9"]);
        output.take(client.feed(&[from_server(ONCE, 1, false, 3)]));
        assert_eq!(output.whole.len(), 2);
    }
}

fn with(properties: &[Property], publish: Publish) -> Publish {
    Publish { properties: Properties(properties.to_vec()), ..publish }
}

/// A server counts the expiry down, and uses its own aliases on each connection.
#[test]
fn what_a_server_changes_does_not_count() {
    let before = [
        Property::number(PropertyId::MessageExpiryInterval, 60),
        Property::text(PropertyId::ContentType, "x".into()),
    ];
    let after = [
        Property::text(PropertyId::ContentType, "x".into()),
        Property::number(PropertyId::TopicAlias, 1),
    ];
    let other = [Property::text(PropertyId::ContentType, "y".into())];
    for (properties, torn) in [(&before[..], 0), (&after[..], 0), (&other[..], 1), (&[], 1)] {
        let mut config = in_parts(Version::V5);
        config.properties.connect.push(Property::number(PropertyId::TopicAliasMaximum, 1));
        let (mut client, mut output) = (Client::online(config), Output::default());
        let wire = bytes_of(Version::V5, with(&before, large(ONCE, false, PAYLOAD)));
        output.take(client.feed_bytes(wire.slice(..wire.len() - 1)).expect("no violation"));
        output.take(client.reconnect(connack(true)));
        let again = bytes_of(Version::V5, with(properties, large(ONCE, true, PAYLOAD)));
        output.take(client.feed_bytes(again).expect("no violation"));
        assert_eq!((output.whole, output.torn), (vec![(1, PAYLOAD.into())], torn));
    }
}

/// With other properties it may no longer be a large message.
#[test]
fn it_may_come_again_as_a_whole() {
    let config = Config { receiving: parts_above(34), ..config(Version::V5) };
    let (mut client, mut output) = (Client::online(config), Output::default());
    let expiry = [Property::number(PropertyId::MessageExpiryInterval, 60)];
    let wire = bytes_of(Version::V5, with(&expiry, large(ONCE, false, PAYLOAD)));
    output.take(client.feed_bytes(wire.slice(..wire.len() - 1)).expect("no violation"));
    assert!(output.open.is_some());
    output.take(client.reconnect(connack(true)));
    let again = bytes_of(Version::V5, large(ONCE, true, PAYLOAD));
    assert!(again.len() <= 34);
    output.take(client.feed_bytes(again).expect("no violation"));
    assert_eq!(output.whole, [(1, PAYLOAD.into())]);
    client.session.acknowledge_up_to(1);
    assert_eq!(brief(&client.sent()), ["PUBACK 9"]);
}

#[test]
fn the_rest_of_an_ignored_message_is_not_missed() {
    let (mut client, mut output) = cut_at(Version::V5, QoS::AtMostOnce, 25);
    assert!(client.session.loss_cuts_message());
    client.session.ignore_rest();
    assert!(!client.session.loss_cuts_message());
    output.take(client.reconnect(connack(true)));
    assert_eq!(output.torn, 1);
}

#[test]
fn a_large_message_before_connack_is_a_violation() {
    let mut client = Client::new(in_parts(Version::V5));
    client.session.connect();
    let wire = bytes_of(Version::V5, large(QoS::AtMostOnce, false, PAYLOAD));
    assert_eq!(client.feed_bytes(wire), Err(Violation::Unexpected("PUBLISH")));
}

#[test]
fn the_log_tells_its_whole_length() {
    let mut client = Client::online(Config { reports: traced(), ..in_parts(Version::V5) });
    while client.session.traced().is_some() {}
    client.feed_bytes(bytes_of(Version::V5, large(ONCE, false, PAYLOAD))).expect("no violation");
    let line = "Client client received PUBLISH (d0, q1, r0, m9, 'a/topic', ... (16 bytes))";
    assert_eq!(client.session.traced().as_deref(), Some(line));
    assert_eq!(client.session.traced(), None);
}
