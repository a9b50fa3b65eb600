//! Topic aliases of MQTT 5, in both directions (§3.3.2.3.4).

use super::*;

/// What the client has announced.
const TOPIC_ALIAS_MAXIMUM: u16 = 64;

/// A client whose user lets the server use aliases.
fn allowing() -> Config {
    let mut config = config(Version::V5);
    let maximum = Property::number(PropertyId::TopicAliasMaximum, TOPIC_ALIAS_MAXIMUM.into());
    config.properties.connect.push(maximum);
    config
}

fn aliased(name: Option<&'static str>, alias: u16) -> Packet {
    let properties = Properties(vec![Property::number(PropertyId::TopicAlias, alias.into())]);
    let topic = name.map(topic);
    Packet::Publish(Publish { topic, properties, ..message("unused", QoS::AtMostOnce, 1) })
}

/// The topics that are delivered.
fn topics(events: &[Event]) -> Vec<&str> {
    let mut topics = Vec::new();
    for event in events {
        let Event::Message(delivery) = event else { panic!("{event:?}") };
        topics.push(delivery.publish.topic.as_ref().unwrap().as_str());
    }
    topics
}

#[test]
fn aliases_of_the_server_are_resolved() {
    let mut client = Client::online(allowing());
    let packets = [
        aliased(Some("one"), 1),
        aliased(Some("last"), TOPIC_ALIAS_MAXIMUM),
        aliased(None, 1),
        aliased(None, TOPIC_ALIAS_MAXIMUM),
        aliased(Some("other"), 1),
        aliased(None, 1),
    ];
    assert_eq!(topics(&client.feed(&packets)), ["one", "last", "one", "last", "other", "other"]);
}

#[test]
fn unknown_aliases_are_violations() {
    let violation = (Violation::TopicAliasInvalid, Some(ReasonCode::TOPIC_ALIAS_INVALID));
    for packet in [aliased(None, 1), aliased(Some("a"), TOPIC_ALIAS_MAXIMUM + 1)] {
        assert_eq!(Client::online(allowing()).violated(packet), violation);
    }
    let unasked = aliased(Some("a"), 1);
    assert_eq!(Client::online(config(Version::V5)).violated(unasked), violation);
    let mut client = Client::online(allowing());
    client.feed(&[aliased(Some("a"), 1)]);
    client.reconnect(connack(true));
    assert_eq!(
        client.violated(aliased(None, 1)),
        violation,
        "an alias is one connection's [MQTT-3.3.2-7]"
    );
}

/// Topics and aliases of the messages that are sent for these topics.
fn published(client: &mut Client, names: &[&'static str]) -> Vec<(Option<String>, Option<u16>)> {
    for &name in names {
        client.session.publish(message(name, QoS::AtLeastOnce, 1), 1).unwrap();
    }
    let describe = |packet| match packet {
        Packet::Publish(publish) => {
            (publish.topic.map(|topic| topic.as_str().to_owned()), publish.properties.topic_alias())
        }
        other => panic!("{other:?}"),
    };
    client.sent().into_iter().map(describe).collect()
}

fn named(name: &str, alias: Option<u16>) -> (Option<String>, Option<u16>) {
    (Some(name.to_owned()), alias)
}

#[test]
fn our_aliases_are_as_many_as_the_server_takes() {
    let limits = [Property::number(PropertyId::TopicAliasMaximum, 2)];
    let mut client =
        Client::limited(Config { sending: with_aliases(), ..config(Version::V5) }, &limits);
    let sent = published(&mut client, &["one", "two", "one", "three", "two", "three"]);
    let expected = [
        named("one", Some(1)),
        named("two", Some(2)),
        (None, Some(1)),
        named("three", None),
        (None, Some(2)),
        named("three", None),
    ];
    assert_eq!(sent, expected);
}

#[test]
fn without_leave_there_are_no_aliases() {
    let limits = [Property::number(PropertyId::TopicAliasMaximum, 2)];
    let mut not_asked = Client::limited(config(Version::V5), &limits);
    let mut not_allowed = Client::online(Config { sending: with_aliases(), ..config(Version::V5) });
    let mut older = Client::online(Config { sending: with_aliases(), ..config(Version::V3_1_1) });
    for client in [&mut not_asked, &mut not_allowed, &mut older] {
        assert_eq!(published(client, &["one", "one"]), [named("one", None), named("one", None)]);
    }
}

/// `[MQTT-3.3.2-7]`: a message that is sent again has its topic.
#[test]
fn a_new_connection_has_new_aliases() {
    let limits = [Property::number(PropertyId::TopicAliasMaximum, 1)];
    let mut client =
        Client::limited(Config { sending: with_aliases(), ..config(Version::V5) }, &limits);
    published(&mut client, &["one", "one"]);
    client.reconnect(refusal_or_success(true, ReasonCode::SUCCESS, &limits));
    assert_eq!(
        published(&mut client, &["one"]),
        [named("one", Some(1)), (None, Some(1)), (None, Some(1))]
    );
    client.reconnect(connack(true));
    assert_eq!(published(&mut client, &[]), vec![named("one", None); 3]);
}

/// The alias has a size: a message that it would make too large is sent without one.
#[test]
fn an_alias_does_not_make_a_message_too_large() {
    let publish = message("one", QoS::AtLeastOnce, 1);
    let size = u32::try_from(publish.encoded_len(Version::V5)).unwrap() + 2;
    let limits = [
        Property::number(PropertyId::TopicAliasMaximum, 1),
        Property::number(PropertyId::MaximumPacketSize, size),
    ];
    let mut client =
        Client::limited(Config { sending: with_aliases(), ..config(Version::V5) }, &limits);
    assert_eq!(published(&mut client, &["one", "one"]), [named("one", None), named("one", None)]);
}
