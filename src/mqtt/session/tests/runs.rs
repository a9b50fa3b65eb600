//! Runs of messages from one block: as many as may be sent, each encoded as it would be by itself,
//! also when they are sent again.

use std::ops::Range;
use std::rc::Rc;

use super::*;

/// Ten messages in one block, "0" to "9", each with a line feed after it.
fn block(qos: QoS) -> Rc<Publish> {
    let payload = Bytes::from_static(b"0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    Rc::new(Publish { payload, ..message("a/topic", qos, 0) })
}

/// The positions of the messages, from this one on.
fn places(from: usize) -> impl Iterator<Item = Range<usize>> {
    (from..10).map(|number| 2 * number..2 * number + 1)
}

/// Publishes the rest from message `from` on, with their numbers as tokens. Returns how many were
/// sent.
fn publish(client: &mut Client, head: &Rc<Publish>, from: usize) -> u64 {
    let mut places = places(from);
    client.session.publish_run(head, from as u64, |longest| {
        places.next().filter(|place| place.len() <= longest)
    })
}

fn payloads(packets: &[Packet]) -> String {
    let payload = |packet: &Packet| match packet {
        Packet::Publish(publish) => String::from_utf8(publish.payload.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    };
    packets.iter().map(payload).collect()
}

#[test]
fn a_run_is_as_long_as_the_window() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut client = Client::limited(
            config(Version::V5),
            &[Property::number(PropertyId::ReceiveMaximum, 4)],
        );
        let head = block(qos);
        assert_eq!(publish(&mut client, &head, 0), 4);
        assert_eq!(publish(&mut client, &head, 4), 0, "the window is full");
        let sent = client.sent();
        assert_eq!((payloads(&sent), brief(&sent)), ("0123".into(), brief_ids([1, 2, 3, 4])));
        let code = ReasonCode::QUOTA_EXCEEDED;
        let refusal = Ack { code, ..Ack::success(id(2)) };
        let refusal =
            if qos == QoS::AtLeastOnce { Packet::PubAck(refusal) } else { Packet::PubRec(refusal) };
        assert_eq!(client.feed(&[refusal]), [Event::Acknowledged { token: 1, code, reason: None }]);
        assert_eq!(publish(&mut client, &head, 4), 1, "the window slides");
        assert_eq!(payloads(&client.sent()), "4");
        assert_eq!(client.session.first_unfinished(), Some(0));
    }
}

fn brief_ids(ids: [u16; 4]) -> Vec<String> {
    ids.iter().map(|id| format!("PUBLISH {id}")).collect()
}

#[test]
fn what_is_lost_of_a_run_is_sent_again_from_its_block() {
    let mut client = Client::online(config(Version::V5));
    assert_eq!(publish(&mut client, &block(QoS::AtLeastOnce), 0), 10);
    client.sent();
    client.feed(&[puback(1), puback(2), puback(4)]);
    assert_eq!(client.session.exchanges.remembered(), 7);
    client.reconnect(connack(true));
    let again = client.sent();
    assert_eq!(payloads(&again), "2456789");
    assert!(
        again.iter().all(|packet| matches!(packet, Packet::Publish(Publish { dup: true, .. })))
    );
}

#[test]
fn at_qos_0_nothing_is_remembered() {
    let mut client = Client::online(config(Version::V3_1_1));
    let head = block(QoS::AtMostOnce);
    assert_eq!(publish(&mut client, &head, 0), 10);
    assert_eq!((payloads(&client.sent()), Rc::strong_count(&head)), ("0123456789".into(), 1));
}

/// Unusual messages are published one by one, so that each is checked, numbered or logged.
#[test]
fn unusual_messages_are_no_run() {
    let traced = Config { reports: traced(), ..config(Version::V5) };
    let aliased = Config { sending: with_aliases(), ..config(Version::V5) };
    for config in [traced, aliased] {
        assert_eq!(publish(&mut Client::online(config), &block(QoS::AtMostOnce), 0), 0);
    }
    let mut offline = Client::new(config(Version::V5));
    assert_eq!(publish(&mut offline, &block(QoS::AtMostOnce), 0), 0);
    for limit in [
        Property::number(PropertyId::MaximumQoS, 0),
        Property::number(PropertyId::RetainAvailable, 0),
        // A message with one byte of payload is one byte longer.
        Property::number(PropertyId::MaximumPacketSize, 12),
    ] {
        let mut client = Client::limited(config(Version::V5), std::slice::from_ref(&limit));
        let head = Publish { retain: true, ..Publish::clone(&block(QoS::AtLeastOnce)) };
        assert_eq!(publish(&mut client, &Rc::new(head), 0), 0, "{limit:?}");
        assert_eq!(client.sent(), []);
    }
}

#[test]
fn no_message_of_a_run_is_longer_than_the_broker_takes() {
    let mut client = Client::limited(
        config(Version::V5),
        &[Property::number(PropertyId::MaximumPacketSize, 100)],
    );
    let head = Rc::new(Publish {
        payload: Bytes::from(vec![b'.'; 200]),
        ..message("a/topic", QoS::AtMostOnce, 0)
    });
    let mut count = 0;
    let sent = client.session.publish_run(&head, 1, |longest| {
        count += 1;
        Some(0..longest).filter(|_| count <= 3)
    });
    assert_eq!(sent, 3);
    for publish in client.sent() {
        let length = publish.encoded_len(Version::V5);
        assert!((97..=100).contains(&length), "{length}");
    }
}

/// Messages "0" to "4", to the topics "a" to "e", from this one on.
fn publish_to_topics(client: &mut Client, head: &Rc<Publish>, from: usize) -> u64 {
    let mut places = (from..5).map(|number| (2 * number, 2 * number + 1));
    client.session.publish_topic_run(head, from as u64, |longest| {
        let (topic, payload) = places.next().filter(|_| longest >= 2)?;
        let topic = TopicSlice::plain(&head.payload, topic..topic + 1).unwrap();
        Some((topic, payload..payload + 1))
    })
}

fn topics(packets: &[Packet]) -> String {
    let topic = |packet: &Packet| match packet {
        Packet::Publish(publish) => publish.topic_or_empty().to_owned(),
        other => panic!("{other:?}"),
    };
    packets.iter().map(topic).collect()
}

#[test]
fn a_run_may_go_to_several_topics() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let maximum = [Property::number(PropertyId::ReceiveMaximum, 3)];
        let mut client = Client::limited(config(Version::V5), &maximum);
        let payload = Bytes::from_static(b"a0b1c2d3e4");
        let head = Rc::new(Publish { payload, topic: None, ..message("x", qos, 0) });
        let window = if qos == QoS::AtMostOnce { 5 } else { 3 };
        assert_eq!(publish_to_topics(&mut client, &head, 0), window);
        let sent = client.sent();
        let expected = if window == 5 { ("01234", "abcde") } else { ("012", "abc") };
        assert_eq!((&*payloads(&sent), &*topics(&sent)), expected);
        assert_eq!(client.session.free_window(qos) == 0, qos > QoS::AtMostOnce);
        client.reconnect(connack(true));
        let again = client.sent();
        let expected = if window == 5 { ("", "") } else { ("012", "abc") };
        assert_eq!((&*payloads(&again), &*topics(&again)), expected, "from the run");
    }
}

#[test]
fn a_run_to_topics_keeps_to_the_limits() {
    let traced = Config { reports: traced(), ..config(Version::V5) };
    let aliased = Config { sending: with_aliases(), ..config(Version::V5) };
    let payload = Bytes::from_static(b"a0b1c2d3e4");
    let head = Publish { payload, topic: None, ..message("x", QoS::AtMostOnce, 0) };
    let head = Rc::new(head);
    for config in [traced, aliased] {
        let mut client = Client::online(config);
        assert!(!client.session.sends_runs());
        assert_eq!(publish_to_topics(&mut client, &head, 0), 0);
    }
    // Such a message has seven bytes; up to three more are left for a longer remaining length.
    for (maximum, count) in [(10, 5), (9, 0)] {
        let maximum = [Property::number(PropertyId::MaximumPacketSize, maximum)];
        let mut client = Client::limited(config(Version::V5), &maximum);
        assert_eq!(publish_to_topics(&mut client, &head, 0), count, "{maximum:?}");
    }
}
