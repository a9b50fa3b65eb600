//! Records of `--json`: every message that a broker may send, `sub --json` writes in every style, and
//! `pub --json` takes the record and sends the same message.

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use jiff::{Timestamp, tz::TimeZone};

use super::choices::Choices;
use super::session::config;
use crate::command::publish::config::{DiscouragedTopics, MessageFormat, RecordForm};
use crate::command::publish::message::{MessageBuilder, PreparedMessage};
use crate::format::json::Style;
use crate::format::record::{Record, RecordWriter};
use crate::format::time::LocalTime;
use crate::mqtt::packet::{ConnAck, Packet, PacketId, Publish};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session::{Delivery, Event, Session};
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;

pub fn check(data: &[u8]) {
    if let Ok(record) = Record::parse(data) {
        // What we publish, a broker may send.
        let mut wire = BytesMut::new();
        if Packet::Publish(message(record)).encode(Version::V5, &mut wire).is_ok() {
            let sent = delivered(&wire);
            assert_eq!(sent.len(), 1, "it is a message that is taken");
            there_and_back(&sent[0]);
        }
    }
    // The same bytes as what a broker sends.
    delivered(data).iter().for_each(there_and_back);
    // And as choices of what stands in a message.
    let mut wire = BytesMut::new();
    if Packet::Publish(chosen(data)).encode(Version::V5, &mut wire).is_ok() {
        delivered(&wire).iter().for_each(there_and_back);
    }
}

/// What a topic, a name or a value may be.
const TEXTS: [&str; 14] = [
    "a",
    "a/b",
    "",
    "#",
    "a/+",
    "$SYS/x",
    "\u{1}",
    "\u{9b}",
    "\u{fffe}",
    "\u{feff}a",
    "\"\\/",
    "\r\n",
    "ü\u{202e}",
    "payload_json",
];

/// What a payload may be.
const PAYLOADS: [&[u8]; 16] = [
    b"",
    b"x",
    b"5",
    b"null",
    b"{}",
    b" {\"a\": 1} ",
    b"[1, 2]",
    b"\"text\"",
    b"\"\\ud800\"",
    b"\xff\xfe",
    b"\0",
    b"\xef\xbb\xbf{}",
    b"1e400",
    b"{\"a\":1,\"a\":2}",
    b"\n",
    b"true",
];

/// A message with properties of every kind.
fn chosen(data: &[u8]) -> Publish {
    let mut choices = Choices::new(data);
    let qos = choices.of(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]);
    let topic = TopicName::new(choices.of(&TEXTS)).ok().or_else(|| TopicName::new("t").ok());
    let payload = match choices.below(4) {
        0 => Bytes::copy_from_slice(choices.bytes()),
        _ => Bytes::from_static(choices.of(&PAYLOADS)),
    };
    let mut properties = Vec::new();
    for _ in 0..choices.below(6) {
        properties.push(property(&mut choices));
    }
    Publish {
        qos,
        dup: choices.flag() && qos > QoS::AtMostOnce,
        retain: choices.flag(),
        packet_id: PacketId::new(7).filter(|_| qos > QoS::AtMostOnce),
        properties: Properties(properties),
        topic,
        payload,
    }
}

fn property(choices: &mut Choices<'_>) -> Property {
    let text = |choices: &mut Choices<'_>| ByteString::from_static(choices.of(&TEXTS));
    let number = u32::from(choices.number()) << choices.below(16);
    match choices.below(8) {
        0 => Property::number(PropertyId::PayloadFormatIndicator, number % 2),
        1 => Property::number(PropertyId::MessageExpiryInterval, number),
        2 => Property::text(PropertyId::ContentType, text(choices)),
        3 => Property::text(PropertyId::ResponseTopic, text(choices)),
        4 => {
            Property::binary(PropertyId::CorrelationData, Bytes::from_static(choices.of(&PAYLOADS)))
        }
        5 => Property::number(PropertyId::SubscriptionIdentifier, 1 + number % 1000),
        _ => Property::user(text(choices), text(choices)),
    }
}

fn message(record: Record) -> Publish {
    let qos = record.qos.unwrap_or_default();
    Publish {
        qos,
        retain: record.retain.unwrap_or_default(),
        packet_id: PacketId::new(7).filter(|_| qos > QoS::AtMostOnce),
        properties: record.properties,
        // Without a topic a packet needs an alias.
        topic: record.topic.or_else(|| TopicName::new("t").ok()),
        payload: record.payload,
        ..Publish::default()
    }
}

/// The messages that a session takes of these bytes, as `sub` gets them.
fn delivered(wire: &[u8]) -> Vec<Publish> {
    let now = std::time::Instant::now();
    let mut session = Session::new(config(Version::V5));
    session.connect();
    let connack = ConnAck {
        session_present: false,
        code: ReasonCode::SUCCESS,
        properties: Properties::default(),
    };
    let mut bytes = BytesMut::new();
    Packet::ConnAck(Box::new(connack)).encode(Version::V5, &mut bytes).expect("it is short");
    session.receive(bytes.freeze(), now);
    session.receive(Bytes::copy_from_slice(wire), now);
    let mut messages = Vec::new();
    while let Ok(Some(event)) = session.poll(now) {
        if let Event::Message(Delivery { publish, .. }) = event {
            messages.push(publish);
        }
    }
    messages
}

fn there_and_back(publish: &Publish) {
    for (parsed, style) in [
        (false, Style::Compact),
        (true, Style::Compact),
        (false, Style::Pretty),
        (true, Style::Pretty),
    ] {
        let mut line = BytesMut::new();
        let time = LocalTime::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        RecordWriter { parsed, style }.write(publish, Some(&time), &mut line);
        assert!(style == Style::Pretty || !line.contains(&b'\n'));
        let mut builder = MessageBuilder::new(MessageFormat {
            template: Publish::default(),
            topic_prefix: String::new(),
            form: RecordForm::Json,
            stamps: false,
            characters: DiscouragedTopics::Warned,
            encoding: None,
            composition: None,
        });
        let line = line.freeze();
        assert!(!builder.skips(&line));
        let made = builder.make(line.clone());
        let made = made.unwrap_or_else(|error| panic!("{error}: {}", line.escape_ascii()));
        let PreparedMessage::Whole { publish: again, time } = made else { panic!("{made:?}") };
        assert!(time.is_some());
        let expected = Publish {
            dup: false,
            packet_id: None,
            properties: travelling(&publish.properties),
            ..publish.clone()
        };
        assert_eq!(*again, expected, "{}", line.escape_ascii());
        // And it can be sent.
        let packet_id = PacketId::new(1).filter(|_| again.qos > QoS::AtMostOnce);
        let packet = Packet::Publish(Publish { packet_id, ..*again });
        let sent = packet.encode(Version::V5, &mut BytesMut::new());
        assert!(sent.is_ok(), "{packet:?}: {sent:?}");
    }
}

/// The properties that do not end with the connection, in the order of a record.
fn travelling(properties: &Properties) -> Properties {
    let is_local = |id| matches!(id, PropertyId::TopicAlias | PropertyId::SubscriptionIdentifier);
    let mut left: Vec<_> =
        properties.iter().filter(|property| !is_local(property.id())).cloned().collect();
    left.sort_by_key(|property| property.id().name());
    Properties(left)
}
