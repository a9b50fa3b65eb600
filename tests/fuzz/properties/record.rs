//! Records of `--json`: what `sub --json` writes of any message, `pub --json` reads back as that
//! message.

use bytes::{Bytes, BytesMut};
use crate::mqtt::packet::{Decoder, Packet, PacketId, Publish};
use crate::mqtt::property::{Properties, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::version::Version;
use jiff::{Timestamp, tz::TimeZone};
use crate::format::time::LocalTime;
use crate::format::json::Style;
use crate::format::record::{Record, RecordWriter};

pub fn check(data: &[u8]) {
    if let Ok(record) = Record::parse(data) {
        there_and_back(&message(record));
    }
    // The same bytes as what a broker sends.
    let mut decoder = Decoder::new(Version::V5, 1 << 20);
    decoder.feed(Bytes::copy_from_slice(data));
    if let Ok(Some(Packet::Publish(publish))) = decoder.next() {
        there_and_back(&publish);
    }
}

fn message(record: Record) -> Publish {
    let qos = record.qos.unwrap_or_default();
    Publish { qos, retain: record.retain.unwrap_or_default(), packet_id: PacketId::new(7).filter(|_| qos > QoS::AtMostOnce), properties: record.properties, topic: record.topic, payload: record.payload, ..Publish::default() }
}

fn there_and_back(publish: &Publish) {
    if publish.topic.is_none() {
        return; // Only an alias says where to; the session puts the topic in its place.
    }
    for (parsed, style) in
        [(false, Style::Compact), (true, Style::Compact), (true, Style::Pretty)]
    {
        let mut line = BytesMut::new();
        let time = LocalTime::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        RecordWriter { parsed, style }.write(publish, Some(&time), &mut line);
        assert!(style == Style::Pretty || !line.contains(&b'\n'));
        let record = Record::parse(&line).expect("what we write");
        assert!(record.time.is_some());
        assert_eq!((record.qos, record.retain), (Some(publish.qos), Some(publish.retain)));
        assert_eq!((record.topic, record.payload), (publish.topic.clone(), publish.payload.clone()));
        assert_eq!(record.properties, travelling(&publish.properties));
    }
}

/// The properties that do not end with the connection, in the order of a record.
fn travelling(properties: &Properties) -> Properties {
    let is_local = |id| matches!(id, PropertyId::TopicAlias | PropertyId::SubscriptionIdentifier);
    let mut left: Vec<_> = properties.iter().filter(|property| !is_local(property.id())).cloned().collect();
    left.sort_by_key(|property| property.id().name());
    Properties(left)
}
