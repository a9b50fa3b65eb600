//! SUBSCRIBE and UNSUBSCRIBE, also after the loss of a connection or of the session.

use super::*;
use crate::mqtt::packet::{PacketType, SubAck, Subscribe, UnsubAck};

fn suback(packet_id: u16, code: ReasonCode) -> SubAck {
    SubAck { packet_id: id(packet_id), properties: Properties::default(), codes: vec![code] }
}

fn unsuback(packet_id: u16, version: Version) -> UnsubAck {
    unsuback_of(1, packet_id, version)
}

/// An UNSUBACK for so many filters.
fn unsuback_of(filters: usize, packet_id: u16, version: Version) -> UnsubAck {
    let codes = vec![ReasonCode::SUCCESS; if version.has_properties() { filters } else { 0 }];
    UnsubAck { packet_id: id(packet_id), properties: Properties::default(), codes }
}

fn subscribe(client: &mut Client, name: &'static str) -> PacketId {
    client
        .session
        .subscribe(vec![Subscription::new(filter(name), QoS::AtLeastOnce)], Properties::default())
}

/// The filters of each SUBSCRIBE and UNSUBSCRIBE that is sent now.
fn filters(client: &mut Client) -> Vec<String> {
    let describe = |packet: Packet| match packet {
        Packet::Subscribe(subscribe) => {
            let all: Vec<_> =
                subscribe.subscriptions.iter().map(|one| one.filter.as_str()).collect();
            format!("SUBSCRIBE {}", all.join(" "))
        }
        Packet::Unsubscribe(unsubscribe) => {
            let all: Vec<_> = unsubscribe.filters.iter().map(TopicFilter::as_str).collect();
            format!("UNSUBSCRIBE {}", all.join(" "))
        }
        other => one_brief(&other),
    };
    client.sent().into_iter().map(describe).collect()
}

#[test]
fn subscribing_is_answered_under_its_identifier() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        assert_eq!((subscribe(&mut client, "a"), subscribe(&mut client, "b")), (id(1), id(2)));
        assert_eq!(brief(&client.sent()), ["SUBSCRIBE 1", "SUBSCRIBE 2"]);
        let second = suback(2, ReasonCode::UNSPECIFIED_ERROR);
        let first = suback(1, ReasonCode::GRANTED_QOS_1);
        let events = client.feed(&[Packet::SubAck(second.clone()), Packet::SubAck(first.clone())]);
        assert_eq!(events, [Event::Subscribed(second), Event::Subscribed(first.clone())]);
        assert_eq!(client.feed(&[Packet::SubAck(first)]), [], "nobody waits for it");
    }
}

#[test]
fn unsubscribing_is_answered_under_its_identifier() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        assert_eq!(client.session.unsubscribe(vec![filter("a")], Properties::default()), id(1));
        assert_eq!(brief(&client.sent()), ["UNSUBSCRIBE 1"]);
        assert_eq!(
            client.feed(&[Packet::SubAck(suback(1, ReasonCode::SUCCESS))]),
            [],
            "the wrong answer"
        );
        let answer = unsuback(1, version);
        assert_eq!(client.feed(&[Packet::UnsubAck(answer.clone())]), [Event::Unsubscribed(answer)]);
    }
}

#[test]
fn a_subscription_is_renewed_when_the_server_lost_it() {
    // MQTT 3.1 has no Session Present: the subscription is always renewed.
    for (version, session_present, again) in [
        (Version::V5, true, false),
        (Version::V5, false, true),
        (Version::V3_1_1, true, false),
        (Version::V3_1_1, false, true),
        (Version::V3_1, false, true),
    ] {
        let mut client = Client::online(config(version));
        subscribe(&mut client, "a");
        client.sent();
        client.feed(&[Packet::SubAck(suback(1, ReasonCode::GRANTED_QOS_1))]);
        client.reconnect(connack(session_present));
        let expected: &[&str] = if again { &["SUBSCRIBE a"] } else { &[] };
        assert_eq!(
            filters(&mut client),
            expected,
            "MQTT {version}, session present: {session_present}"
        );
    }
}

#[test]
fn an_unanswered_subscribe_is_sent_again() {
    for version in VERSIONS {
        for session_present in [false, true] {
            let mut client = Client::online(config(version));
            subscribe(&mut client, "a");
            client.reconnect(connack(session_present));
            assert_eq!(brief(&client.sent()), ["SUBSCRIBE 2"]);
            assert_eq!(
                client.feed(&[Packet::SubAck(suback(1, ReasonCode::SUCCESS))]),
                [],
                "of another connection"
            );
            let answer = suback(2, ReasonCode::SUCCESS);
            assert_eq!(client.feed(&[Packet::SubAck(answer.clone())]), [Event::Subscribed(answer)]);
        }
    }
}

/// A CONNECT whose CONNACK was lost may have begun a new session. "Session present" is then not the
/// old session of the client.
#[test]
fn a_subscription_is_renewed_after_an_unanswered_connect() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        subscribe(&mut client, "a");
        client.feed(&[Packet::SubAck(suback(1, ReasonCode::GRANTED_QOS_1))]);
        client.lose();
        client.session.connect();
        client.reconnect(connack(true));
        assert_eq!(filters(&mut client), ["SUBSCRIBE a"]);
        let number = u16::from(client.session.exchanges.next_id()) - 1;
        client.feed(&[Packet::SubAck(suback(number, ReasonCode::GRANTED_QOS_1))]);
        client.reconnect(connack(true));
        let expected: &[&str] = if version == Version::V3_1 { &["SUBSCRIBE a"] } else { &[] };
        assert_eq!(filters(&mut client), expected, "the doubt is over");
    }
}

#[test]
fn what_was_given_back_is_not_renewed() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        let all = ["a", "b"].map(|name| Subscription::new(filter(name), QoS::AtMostOnce)).to_vec();
        client.session.subscribe(all, Properties::default());
        subscribe(&mut client, "c");
        client.session.unsubscribe(vec![filter("a"), filter("c")], Properties::default());
        client.feed(&[Packet::UnsubAck(unsuback_of(2, 3, version))]);
        client.reconnect(connack(false));
        assert_eq!(filters(&mut client), ["SUBSCRIBE b"]);
    }
}

#[test]
fn an_unsuback_has_a_code_for_each_filter() {
    for codes in [1, 3] {
        let mut client = Client::online(config(Version::V5));
        client.session.unsubscribe(vec![filter("a"), filter("b")], Properties::default());
        let answer = Packet::UnsubAck(unsuback_of(codes, 1, Version::V5));
        let packet = PacketType::UnsubAck;
        let violation = Violation::CodeCount { packet, asked: 2, codes };
        assert_eq!(client.violated(answer), (violation, Some(ReasonCode::PROTOCOL_ERROR)));
    }
}

#[test]
fn an_unanswered_unsubscribe_is_sent_again() {
    for version in VERSIONS {
        for session_present in [false, true] {
            let mut client = Client::online(config(version));
            client.session.unsubscribe(vec![filter("a")], Properties::default());
            client.reconnect(connack(session_present));
            assert_eq!(filters(&mut client), ["UNSUBSCRIBE a"]);
            let answer = unsuback(2, version);
            assert_eq!(
                client.feed(&[Packet::UnsubAck(answer.clone())]),
                [Event::Unsubscribed(answer)]
            );
            client.reconnect(connack(session_present));
            assert_eq!(filters(&mut client), Vec::<String>::new());
        }
    }
}

/// Options and properties are the same when a subscription is renewed, Subscription Identifier
/// included.
#[test]
fn a_renewed_subscription_is_the_same() {
    let mut client = Client::online(config(Version::V5));
    let one = Subscription { no_local: true, ..Subscription::new(filter("a"), QoS::ExactlyOnce) };
    let properties = Properties(vec![Property::number(PropertyId::SubscriptionIdentifier, 7)]);
    client.session.subscribe(vec![one.clone()], properties.clone());
    client.sent();
    client.reconnect(connack(false));
    let expected = Subscribe { packet_id: id(2), properties, subscriptions: vec![one] };
    assert_eq!(client.sent(), [Packet::Subscribe(expected)]);
}

/// SUBSCRIBE uses the identifiers of PUBLISH, and is sent before older messages.
#[test]
fn subscribing_and_publishing_share_the_identifiers() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        client.publish(QoS::AtLeastOnce, 1);
        subscribe(&mut client, "a");
        client.publish(QoS::ExactlyOnce, 2);
        assert_eq!(brief(&client.sent()), ["PUBLISH 1", "SUBSCRIBE 2", "PUBLISH 3"]);
        client.reconnect(connack(true));
        assert_eq!(brief(&client.sent()), ["SUBSCRIBE 4", "PUBLISH 1 dup", "PUBLISH 3 dup"]);
        client.publish(QoS::AtLeastOnce, 3);
        assert_eq!(brief(&client.sent()), ["PUBLISH 5"]);
    }
}
