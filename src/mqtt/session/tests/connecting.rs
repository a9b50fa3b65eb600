//! CONNECT and CONNACK: their fields, and the end of a connection.

use bytes::Bytes;

use super::*;
use crate::mqtt::packet::{Connect, Disconnect};
use crate::mqtt::session::server_limits::ServerLimits;

/// The CONNECT of the next connection.
fn next_connect(client: &mut Client) -> Connect {
    client.lose();
    client.session.connect();
    match client.sent().pop() {
        Some(Packet::Connect(connect)) => *connect,
        other => panic!("{other:?} instead of CONNECT"),
    }
}

fn connect_of(config: Config) -> Connect {
    next_connect(&mut Client::new(config))
}

fn bytes_of(config: Config) -> Vec<u8> {
    let mut session = Session::new(config);
    session.connect();
    session.outgoing(Instant::now()).expect("CONNECT").to_vec()
}

#[test]
fn connect_is_these_bytes() {
    let rows: [(Version, &[u8]); 3] = [
        (Version::V3_1, b"\x10\x14\x00\x06MQIsdp\x03\x00\x00\x2D\x00\x06client"),
        (Version::V3_1_1, b"\x10\x12\x00\x04MQTT\x04\x00\x00\x2D\x00\x06client"),
        (
            Version::V5,
            b"\x10\x20\x00\x04MQTT\x05\x02\x00\x2D\x0D\x11\x00\x00\x0E\x10\x21\x80\x00\x27\x00\x10\x00\x00\x00\x06client",
        ),
    ];
    for (version, bytes) in rows {
        assert_eq!(bytes_of(config(version)), bytes, "MQTT {version}");
    }
}

/// (version, clean start asked, lifetime) -> (Clean Start, Session Expiry), and the same for the
/// second connection.
#[test]
fn clean_start_and_expiry_follow_from_the_lifetime() {
    use Lifetime::{Client as OurLife, ClientIfExpiring, Connection, Persistent};
    use Version::{V3_1, V3_1_1, V5};
    let rows = [
        ((V5, true, Connection), (true, None), (false, None)),
        ((V5, true, ClientIfExpiring), (true, Some(3600)), (false, Some(3600))),
        ((V5, true, OurLife), (true, Some(3600)), (false, Some(3600))),
        ((V5, false, Persistent), (false, Some(3600)), (false, Some(3600))),
        ((V5, true, Persistent), (true, Some(3600)), (false, Some(3600))),
        ((V3_1_1, true, Connection), (true, None), (true, None)),
        ((V3_1_1, true, ClientIfExpiring), (true, None), (true, None)),
        ((V3_1_1, true, OurLife), (false, None), (false, None)),
        ((V3_1_1, false, Persistent), (false, None), (false, None)),
        ((V3_1, true, Connection), (true, None), (true, None)),
        ((V3_1, true, OurLife), (false, None), (false, None)),
    ];
    for ((version, clean_start, lifetime), first, second) in rows {
        let config = Config { clean_start, lifetime, ..config(version) };
        let mut client = Client::new(config);
        for expected in [first, second] {
            let connect = next_connect(&mut client);
            let expiry = connect.properties.session_expiry_interval();
            assert_eq!((connect.clean_start, expiry), expected, "{:?}", client.session.config());
            client.feed(&[connack(false)]);
        }
    }
}

/// A first CONNECT without an answer has not begun a session that the client knows of.
#[test]
fn clean_start_is_asked_for_until_it_was_granted() {
    let mut client = Client::new(config(Version::V5));
    assert!(next_connect(&mut client).clean_start);
    assert!(next_connect(&mut client).clean_start);
}

#[test]
fn connect_carries_credentials_and_will() {
    let credentials =
        Credentials { username: Some("user".into()), password: Some(Bytes::from_static(b"pw")) };
    let will = Some(crate::mqtt::packet::Will {
        topic: topic("gone"),
        payload: Bytes::from_static(b"bye"),
        qos: QoS::AtLeastOnce,
        retain: true,
        properties: Properties::default(),
    });
    for version in VERSIONS {
        let connect = connect_of(Config {
            login: Login { credentials: credentials.clone(), authentication: None },
            will: will.clone(),
            ..config(version)
        });
        assert_eq!((connect.credentials, connect.will), (credentials.clone(), will.clone()));
    }
}

#[test]
fn nothing_is_published_before_connack() {
    for version in VERSIONS {
        let mut client = Client::new(config(version));
        assert!(!client.session.can_publish(QoS::AtMostOnce));
        client.session.connect();
        assert!(!client.session.can_publish(QoS::AtMostOnce) && !client.session.is_online());
        client.feed(&[connack(false)]);
        assert!(client.session.can_publish(QoS::ExactlyOnce) && client.session.is_online());
    }
}

#[test]
fn a_refusal_is_the_last_event() {
    let rows = [
        (Version::V3_1, ReasonCode(4)),
        (Version::V3_1_1, ReasonCode(5)),
        (Version::V5, ReasonCode::BAD_USER_NAME_OR_PASSWORD),
    ];
    for (version, code) in rows {
        let mut client = Client::new(config(version));
        client.session.connect();
        let events = client.feed(&[refusal_or_success(false, code, &[]), Packet::PingResp]);
        assert!(
            matches!(&events[..], [Event::Refused(connack)] if connack.code == code),
            "{events:?}"
        );
        assert!(!client.session.can_publish(QoS::AtMostOnce));
        assert_eq!(client.session.deadline(), None);
    }
}

/// A server that does not know MQTT 5 answers in the older form (interop.md).
#[test]
fn the_older_refusal_is_understood_in_mqtt_5() {
    let mut client = Client::new(config(Version::V5));
    client.session.connect();
    let events = client.feed_bytes(Bytes::from_static(b"\x20\x02\x00\x01")).unwrap();
    assert!(matches!(&events[..], [Event::Refused(connack)] if connack.code == ReasonCode(1)));
}

/// `[MQTT-3.2.2-8]`: such a code says neither yes nor no.
#[test]
fn an_undefined_code_below_0x80_is_no_refusal() {
    for (version, bytes) in [
        (Version::V3_1_1, &b"\x20\x02\x00\x06"[..]),
        (Version::V5, b"\x20\x03\x00\x06\x00"),
        (Version::V5, b"\x20\x03\x00\x10\x00"),
        (Version::V5, b"\x20\x03\x00\x7F\x00"),
    ] {
        let mut client = Client::new(config(version));
        client.session.connect();
        let violation = client.feed_bytes(Bytes::from_static(bytes)).unwrap_err();
        assert!(matches!(violation, Violation::UndefinedCode { .. }), "{violation:?}");
    }
}

#[test]
fn the_version_can_fall_back_after_a_refusal() {
    let mut client = Client::new(config(Version::V5));
    client.session.connect();
    client.feed_bytes(Bytes::from_static(b"\x20\x02\x00\x01")).unwrap();
    client.lose();
    client.session.set_version(Version::V3_1_1);
    client.session.connect();
    assert!(client.session.outgoing(client.now).unwrap().starts_with(b"\x10\x12\x00\x04MQTT\x04"));
    assert_eq!(client.feed_bytes(Bytes::from_static(b"\x20\x02\x00\x00")).unwrap().len(), 1);
}

#[test]
fn only_connack_may_come_first() {
    for version in VERSIONS {
        for packet in [Packet::PingResp, puback(1), from_server(QoS::AtMostOnce, 0, false, 1)] {
            let mut client = Client::new(config(version));
            client.session.connect();
            let name = packet.packet_type().name();
            assert_eq!(client.violated(packet), (Violation::Unexpected(name), None));
        }
    }
}

/// It must not come before CONNACK `[MQTT-3.14.0-1]`, and says why there is none.
#[test]
fn a_disconnect_before_connack_has_a_reason() {
    let disconnect = || Disconnect { code: ReasonCode::SERVER_BUSY, ..Disconnect::default() };
    let mut client = Client::new(config(Version::V5));
    client.session.connect();
    let events = client.feed(&[Packet::Disconnect(disconnect())]);
    assert!(matches!(&events[..], [Event::Disconnected(told)] if **told == disconnect()));
    for version in [Version::V3_1, Version::V3_1_1] {
        let mut client = Client::new(config(version));
        client.session.connect();
        let violation = client.violated(Packet::Disconnect(Disconnect::default()));
        assert_eq!(violation, (Violation::Unexpected("DISCONNECT"), None));
    }
}

#[test]
fn limits_are_those_of_the_latest_connack() {
    use super::super::server_limits::OptionalFeature::{
        Retain, SharedSubscriptions, SubscriptionIdentifiers, Wildcards,
    };
    let limits = [
        Property::number(PropertyId::ReceiveMaximum, 7),
        Property::number(PropertyId::MaximumPacketSize, 1000),
        Property::number(PropertyId::MaximumQoS, 1),
        Property::number(PropertyId::RetainAvailable, 0),
        Property::number(PropertyId::TopicAliasMaximum, 3),
        Property::number(PropertyId::WildcardSubscriptionAvailable, 0),
        Property::number(PropertyId::SubscriptionIdentifierAvailable, 0),
        Property::number(PropertyId::SharedSubscriptionAvailable, 0),
        Property::number(PropertyId::ServerKeepAlive, 9),
    ];
    let mut client = Client::limited(config(Version::V5), &limits);
    let announced = ServerLimits {
        receive_maximum: Some(7),
        maximum_packet: 1000,
        maximum_qos: QoS::AtLeastOnce,
        topic_alias_maximum: 3,
        missing: vec![Retain, Wildcards, SubscriptionIdentifiers, SharedSubscriptions],
        server_keep_alive: Some(9),
    };
    assert_eq!(client.session.limits, announced);
    client.reconnect(connack(true));
    let defaults = ServerLimits {
        receive_maximum: Some(65_535),
        maximum_packet: usize::MAX,
        maximum_qos: QoS::ExactlyOnce,
        topic_alias_maximum: 0,
        missing: Vec::new(),
        server_keep_alive: None,
    };
    assert_eq!(client.session.limits, defaults);
}

#[test]
fn an_assigned_identifier_is_kept() {
    let assigned = [Property::text(PropertyId::AssignedClientIdentifier, "given".into())];
    let mut client =
        Client::limited(Config { client_id: "".into(), ..config(Version::V5) }, &assigned);
    assert_eq!(next_connect(&mut client).client_id, "given");
}

/// The server has an old session where a new one is wanted: one connection ends it, the next begins
/// a new one.
#[test]
fn a_stale_session_is_forgotten_first() {
    for version in [Version::V3_1, Version::V3_1_1] {
        let mut client = Client::new(config(version));
        client.session.connect();
        let Some(Event::Connected(found)) = client.feed(&[connack(true)]).pop() else {
            panic!("connected")
        };
        assert!(client.session.is_stale(&found));

        client.session.set_session_ending(true);
        assert!(next_connect(&mut client).clean_start);
        let Some(Event::Connected(found)) = client.feed(&[connack(false)]).pop() else {
            panic!("connected")
        };
        assert!(!client.session.is_stale(&found));

        client.session.set_session_ending(false);
        assert!(!next_connect(&mut client).clean_start);
        let Some(Event::Connected(found)) = client.feed(&[connack(false)]).pop() else {
            panic!("connected")
        };
        assert!(!client.session.is_stale(&found));

        client.lose();
        client.session.connect();
        let Some(Event::Connected(found)) = client.feed(&[connack(true)]).pop() else {
            panic!("connected")
        };
        assert!(!client.session.is_stale(&found), "it is ours now");
    }
}

/// MQTT 5 has Clean Start for that. A server that answers it with an old session breaks the
/// protocol.
#[test]
fn clean_start_is_not_answered_by_an_old_session() {
    let connecting = |config| {
        let mut client = Client::new(config);
        client.session.connect();
        client.feed_bytes(encoded(Version::V5, &[connack(true)]))
    };
    assert!(matches!(connecting(config(Version::V5)), Err(Violation::Unexpected(_))));
    let patient = Config { clean_start: false, ..config(Version::V5) };
    assert!(matches!(connecting(patient).as_deref(), Ok([Event::Connected(_)])));
}

#[test]
fn a_session_that_was_asked_for_is_not_stale() {
    for version in VERSIONS {
        let mut client = Client::new(Config {
            clean_start: false,
            lifetime: Lifetime::Persistent,
            ..config(version)
        });
        client.session.connect();
        let Some(Event::Connected(found)) = client.feed(&[connack(true)]).pop() else {
            panic!("connected")
        };
        assert!(!client.session.is_stale(&found));
    }
}

/// A connection that only ends the session sends nothing but CONNECT and DISCONNECT.
#[test]
fn a_connection_that_forgets_is_silent() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        client.session.subscribe(
            vec![Subscription::new(filter("a"), QoS::AtLeastOnce)],
            Properties::default(),
        );
        client.publish(QoS::AtLeastOnce, 1);
        client.publish(QoS::ExactlyOnce, 2);
        client.session.set_session_ending(true);
        client.reconnect(connack(false));
        assert_eq!(brief(&client.sent()), Vec::<String>::new());
        client.session.disconnect(ReasonCode::SUCCESS);
        assert_eq!(brief(&client.sent()), ["DISCONNECT"]);
    }
}

#[test]
fn remains_are_left_only_before_mqtt_5() {
    let rows = [
        (Lifetime::Connection, false),
        (Lifetime::ClientIfExpiring, false),
        (Lifetime::Client, true),
        (Lifetime::Persistent, false),
    ];
    for version in VERSIONS {
        for (lifetime, remains) in rows {
            let session = Session::new(Config { lifetime, ..config(version) });
            assert_eq!(session.needs_ending_connection(), remains && version < Version::V5);
        }
    }
}

fn goodbye(config: Config, code: ReasonCode) -> Option<Disconnect> {
    let mut client = Client::online(config);
    client.session.disconnect(code);
    assert!(!client.session.is_online() && client.session.deadline().is_none());
    client.sent().into_iter().find_map(|packet| match packet {
        Packet::Disconnect(disconnect) => Some(disconnect),
        _ => None,
    })
}

#[test]
fn disconnect_ends_the_session_unless_it_shall_stay() {
    let ours = |lifetime| Config { lifetime, ..config(Version::V5) };
    let expiry =
        |disconnect: Option<Disconnect>| disconnect.unwrap().properties.session_expiry_interval();
    assert_eq!(expiry(goodbye(ours(Lifetime::Client), ReasonCode::SUCCESS)), Some(0));
    assert_eq!(expiry(goodbye(ours(Lifetime::Persistent), ReasonCode::SUCCESS)), None);
    // After an error the client does not return either.
    assert_eq!(expiry(goodbye(ours(Lifetime::Client), ReasonCode::PROTOCOL_ERROR)), Some(0));
    assert_eq!(expiry(goodbye(ours(Lifetime::Persistent), ReasonCode::PROTOCOL_ERROR)), None);
    // `[MQTT-3.1.2-23]`: a session that was not asked for needs no end.
    let volatile = Config { lifetime: Lifetime::Connection, ..config(Version::V5) };
    assert_eq!(expiry(goodbye(volatile, ReasonCode::SUCCESS)), None);
}

/// Before MQTT 5 a DISCONNECT means a normal end and makes the server discard the will.
#[test]
fn an_error_is_no_reason_to_disconnect_before_mqtt_5() {
    for version in [Version::V3_1, Version::V3_1_1] {
        assert_eq!(goodbye(config(version), ReasonCode::PROTOCOL_ERROR), None);
        assert_eq!(goodbye(config(version), ReasonCode::SUCCESS), Some(Disconnect::default()));
    }
}

#[test]
fn nothing_is_sent_without_a_connection() {
    for version in VERSIONS {
        let mut client = Client::new(config(version));
        client.session.disconnect(ReasonCode::SUCCESS);
        assert_eq!(client.sent(), []);
    }
}

/// Bytes left over from the last connection must not be taken for bytes of the next one.
#[test]
fn half_a_packet_is_lost_with_its_connection() {
    for version in VERSIONS {
        let mut client = Client::online(config(version));
        let bytes = encoded(version, &[from_server(QoS::AtLeastOnce, 1, false, 1)]);
        assert_eq!(client.feed_bytes(bytes.slice(..5)).unwrap(), []);
        client.session.receive(bytes.slice(5..), client.now);
        client.lose();
        assert_eq!(
            client.session.poll(client.now),
            Ok(None),
            "nothing is understood between connections"
        );
        assert_eq!(client.reconnect(connack(true)), []);
    }
}

#[test]
fn the_log_has_a_line_for_each_packet() {
    let mut client = Client::online(Config { reports: traced(), ..config(Version::V5) });
    client.session.ping();
    let lines: Vec<_> = std::iter::from_fn(|| client.session.traced()).collect();
    assert_eq!(
        lines,
        [
            "Client client sending CONNECT, session-expiry-interval 3600, receive-maximum 32768, \
             maximum-packet-size 1048576",
            "Client client received CONNACK (0)",
            "Client client sending PINGREQ"
        ]
    );
}
