//! Copies of what is stored: a slice of what was read from a socket keeps the whole read in memory.

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use crate::broker::limits::READ_BYTES;
use crate::mqtt::packet::Will;
use crate::mqtt::property::{Properties, Property, Value};
use crate::mqtt::topic::{TopicFilter, TopicName};

/// The size of one block of [`CopyBlock`], in bytes.
const BLOCK: usize = 2048;

/// The longest payload that is copied into a block, in bytes.
const SMALL: usize = BLOCK / 8;

/// Copies of small payloads that are kept for a short time, and so many in one piece of memory.
#[derive(Debug, Default)]
pub struct CopyBlock {
    /// The rest of the block.
    free: BytesMut,
    /// The last topic: many messages in a row have the same.
    topic: Option<TopicName>,
}

impl CopyBlock {
    /// A copy of a topic name, or the last one if it is the same.
    pub fn topic(&mut self, name: &TopicName) -> TopicName {
        match &self.topic {
            Some(last) if last == name => last.clone(),
            _ => self.topic.insert(topic(name)).clone(),
        }
    }

    /// A copy of a payload in the block; `None` if it is too large for that.
    pub fn bytes(&mut self, bytes: &Bytes) -> Option<Bytes> {
        if bytes.len() > SMALL {
            return None;
        }
        if self.free.capacity() < bytes.len() {
            self.free = BytesMut::with_capacity(BLOCK);
        }
        self.free.extend_from_slice(bytes);
        Some(self.free.split().freeze())
    }
}

/// A copy of a topic name.
pub fn topic(topic: &TopicName) -> TopicName {
    TopicName::new(topic.as_str()).expect("a topic name stays valid when it is copied")
}

/// A copy of a topic filter.
pub fn filter(filter: &TopicFilter) -> TopicFilter {
    filter.detached()
}

/// A copy of a text.
pub fn text(text: &ByteString) -> ByteString {
    ByteString::from(&**text)
}

/// A copy of bytes, unless they are as large as a read.
pub fn bytes(bytes: &Bytes) -> Bytes {
    if bytes.len() < READ_BYTES { Bytes::copy_from_slice(bytes) } else { bytes.clone() }
}

/// A copy of properties, whose texts share one block: thousands of a byte each would take many
/// times what they hold.
pub fn properties(properties: &Properties) -> Properties {
    let mut all = BytesMut::new();
    for property in &properties.0 {
        match property.value() {
            Value::Number(_) => {}
            Value::Text(value) => all.extend_from_slice(value.as_bytes()),
            Value::Binary(value) => all.extend_from_slice(value),
            Value::Pair(name, value) => {
                all.extend_from_slice(name.as_bytes());
                all.extend_from_slice(value.as_bytes());
            }
        }
    }
    // Growing leaves room, which would stay as long as the copy.
    let mut rest = Bytes::copy_from_slice(&all);
    Properties(properties.0.iter().map(|one| property(one, &mut rest)).collect())
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

/// A copy of a property with the first of these bytes, which are the same.
fn property(property: &Property, rest: &mut Bytes) -> Property {
    let mut text = |value: &ByteString| {
        let part = rest.split_to(value.len());
        ByteString::try_from(part).unwrap_or_else(|_| text(value))
    };
    match property.value() {
        Value::Number(_) => property.clone(),
        Value::Text(value) => Property::text(property.id(), text(value)),
        Value::Pair(name, value) => {
            let name = text(name);
            Property::user(name, text(value))
        }
        Value::Binary(value) => Property::binary(property.id(), rest.split_to(value.len())),
    }
}
