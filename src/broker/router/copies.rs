//! Copies of what is stored: a slice of what was read from a socket keeps the whole read in memory.

use bytes::Bytes;
use bytestring::ByteString;

use crate::broker::limits::READ_BYTES;
use crate::mqtt::packet::Will;
use crate::mqtt::property::{Properties, Property, Value};
use crate::mqtt::topic::{TopicFilter, TopicName};

/// A copy of a topic name.
pub fn topic(topic: &TopicName) -> TopicName {
    TopicName::new(topic.as_str()).expect("a topic name stays valid when it is copied")
}

/// A copy of a topic filter.
pub fn filter(filter: &TopicFilter) -> TopicFilter {
    TopicFilter::new(filter.as_str()).expect("a topic filter stays valid when it is copied")
}

/// A copy of a text.
pub fn text(text: &ByteString) -> ByteString {
    ByteString::from(&**text)
}

/// A copy of bytes, unless they are as large as a read.
pub fn bytes(bytes: &Bytes) -> Bytes {
    if bytes.len() < READ_BYTES { Bytes::copy_from_slice(bytes) } else { bytes.clone() }
}

/// A copy of properties.
pub fn properties(properties: &Properties) -> Properties {
    Properties(properties.0.iter().map(property).collect())
}

/// A copy of a will.
pub fn will(will: &Will) -> Will {
    Will {
        topic: topic(&will.topic),
        payload: bytes(&will.payload),
        qos: will.qos,
        retain: will.retain,
        properties: properties(&will.properties),
    }
}

fn property(property: &Property) -> Property {
    match property.value() {
        Value::Number(_) => property.clone(),
        Value::Text(value) => Property::text(property.id(), text(value)),
        Value::Binary(value) => Property::binary(property.id(), bytes(value)),
        Value::Pair(name, value) => Property::user(text(name), text(value)),
    }
}
