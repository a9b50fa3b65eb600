//! Records of `--json`: every message that a broker may send, `sub --json` writes in every style, and
//! `pub --json` takes the record and sends the same message.

use bytes::{Bytes, BytesMut};
use jiff::{Timestamp, tz::TimeZone};

use crate::command::publish::config::{DiscouragedTopics, MessageFormat, RecordForm};
use crate::command::publish::message::{MessageBuilder, PreparedMessage};
use crate::format::json::Style;
use crate::format::record::{Record, RecordWriter};
use crate::format::time::LocalTime;
use crate::mqtt::packet::{ConnAck, Packet, PacketId, Publish};
use crate::mqtt::property::{Properties, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session::{Delivery, Event, Session};
use crate::mqtt::version::Version;

use super::session::config;

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
}

fn message(record: Record) -> Publish {
    let qos = record.qos.unwrap_or_default();
    Publish {
        qos,
        retain: record.retain.unwrap_or_default(),
        packet_id: PacketId::new(7).filter(|_| qos > QoS::AtMostOnce),
        properties: record.properties,
        // Without a topic a packet needs an alias.
        topic: record.topic.or_else(|| crate::mqtt::topic::TopicName::new("t").ok()),
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
    for (parsed, style) in
        [(false, Style::Compact), (true, Style::Compact), (false, Style::Pretty), (true, Style::Pretty)]
    {
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
