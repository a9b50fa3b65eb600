//! How a message becomes text: what stands before, around and behind its payload.

use bytes::{BufMut, BytesMut};

use super::sanitise;
use crate::mqtt::packet::Publish;

/// The layout of `sub`'s output, as `mosquitto_sub` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// `-v`: the topic and a space before the payload.
    pub verbose: bool,
    /// A line feed behind the payload; `-N` turns it off.
    pub newline: bool,
    /// Escape what could drive a terminal.
    pub sanitise: bool,
}

impl Layout {
    /// What stands before the payload.
    pub fn head(self, publish: &Publish, out: &mut BytesMut) {
        let Some(topic) = publish.topic.as_ref().filter(|_| self.verbose) else { return };
        self.payload(topic.as_str().as_bytes(), out);
        out.put_u8(b' ');
    }

    /// The payload, or any other text that came from the broker.
    pub fn payload(self, payload: &[u8], out: &mut BytesMut) {
        if self.sanitise {
            sanitise::escape(payload, out);
        } else {
            out.put_slice(payload);
        }
    }

    /// What stands behind the payload.
    pub fn tail(self, out: &mut BytesMut) {
        if self.newline {
            out.put_u8(b'\n');
        }
    }

    /// Whether a payload may come out other than it came in.
    pub fn changes_payloads(self) -> bool {
        self.sanitise
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::qos::QoS;
    use crate::mqtt::topic::TopicName;

    fn text(layout: Layout) -> Vec<u8> {
        let publish = Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic: Some(TopicName::new("a/b").expect("a topic name")),
            packet_id: None,
            properties: crate::mqtt::property::Properties::default(),
            payload: bytes::Bytes::from_static(b"x\x1b\0\xff"),
        };
        let mut out = BytesMut::new();
        layout.head(&publish, &mut out);
        layout.payload(&publish.payload, &mut out);
        layout.tail(&mut out);
        out.to_vec()
    }

    #[test]
    fn layouts_are_those_of_mosquitto_sub() {
        let plain = Layout { verbose: false, newline: true, sanitise: false };
        assert_eq!(text(plain), b"x\x1b\0\xff\n");
        assert_eq!(text(Layout { newline: false, ..plain }), b"x\x1b\0\xff");
        assert_eq!(text(Layout { verbose: true, ..plain }), b"a/b x\x1b\0\xff\n");
        assert_eq!(text(Layout { verbose: true, sanitise: true, ..plain }), b"a/b x\\x1b\\0\\xff\n");
    }
}
