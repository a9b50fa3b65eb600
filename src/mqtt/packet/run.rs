//! Messages that lie one after another in what arrived and differ in their payloads alone. A broker
//! passes them on as they are.

use bytes::{Bytes, BytesMut};

use super::Packet;
use super::data::variable_byte_integer;
use super::header::FixedHeader;
use super::publish::Publish;
use crate::mqtt::property::Properties;
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;

/// The first byte of a PUBLISH of QoS 0 that is not retained (§3.3.1).
const PLAIN: u8 = 0x30;

/// Two or more whole PUBLISH packets of QoS 0 in one piece, with the same topic, not retained, and
/// without properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishRun {
    /// The topic of all.
    pub topic: TopicName,
    /// The version in which they are encoded.
    pub version: Version,
    /// The packets, as they arrived.
    pub packets: Bytes,
    /// How many there are.
    pub count: usize,
    /// The size of the largest packet, in bytes.
    pub longest: usize,
}

/// Where a run ends in the bytes that begin with it.
#[derive(Debug)]
pub(super) struct FoundRun {
    topic: TopicName,
    size: usize,
    count: usize,
    longest: usize,
}

impl FoundRun {
    /// The run that these bytes begin with, if they do: packets of at most `maximum` bytes each,
    /// and of at most `most` bytes together.
    #[inline]
    pub(super) fn find(
        bytes: &Bytes,
        version: Version,
        maximum: usize,
        most: usize,
    ) -> Option<Self> {
        if bytes.first() != Some(&PLAIN) {
            return None;
        }
        Self::measure(bytes, version, maximum.min(most), most)
    }

    fn measure(bytes: &Bytes, version: Version, maximum: usize, most: usize) -> Option<Self> {
        let first = FixedHeader::read(bytes, version, maximum).ok()??;
        if !first.is_minimal() {
            return None;
        }
        let body = bytes.get(first.length..first.size)?;
        let name = 2 + usize::from(u16::from_be_bytes(*body.first_chunk()?));
        let head = name + usize::from(version.has_properties());
        let prefix = body.get(..head)?;
        // Without a topic there is an alias; and a property length other than 0 is for the decoder.
        if version.has_properties() && (name == 2 || prefix[name] != 0) {
            return None;
        }
        let bytes_ahead = &bytes[..bytes.len().min(most)];
        let (mut size, mut count, mut longest) = (first.size, 1, first.size);
        while let Some(next) = next_size(&bytes_ahead[size..], prefix)
            && next <= maximum
        {
            size += next;
            count += 1;
            longest = longest.max(next);
        }
        if count == 1 {
            return None;
        }
        let at = first.length + 2;
        let topic = TopicName::from_bytes(bytes.slice(at..first.length + name)).ok()?;
        Some(Self { topic, size, count, longest })
    }

    /// The run, whose bytes `split` takes out of what arrived.
    pub(super) fn into_run(
        self,
        version: Version,
        split: impl FnOnce(usize) -> Bytes,
    ) -> PublishRun {
        let Self { topic, size, count, longest } = self;
        PublishRun { topic, version, packets: split(size), count, longest }
    }
}

/// The size of the packet that these bytes begin with, if it is there as a whole, plain, and its
/// body begins with `prefix`.
#[inline(always)]
fn next_size(bytes: &[u8], prefix: &[u8]) -> Option<usize> {
    let (body, size) = match bytes {
        [PLAIN, length @ 0..128, rest @ ..] => {
            let length = usize::from(*length);
            (rest.get(..length)?, 2 + length)
        }
        [PLAIN, rest @ ..] => {
            let (length, of_length) = variable_byte_integer(rest).ok()??;
            let length = length as usize;
            (rest[of_length..].get(..length)?, 1 + of_length + length)
        }
        _ => return None,
    };
    body.starts_with(prefix).then_some(size)
}

impl PublishRun {
    /// The messages one by one.
    pub fn messages(&self) -> impl Iterator<Item = Publish> + use<> {
        let (topic, version, mut rest) = (self.topic.clone(), self.version, self.packets.clone());
        let head = 2 + topic.as_str().len() + usize::from(version.has_properties());
        std::iter::from_fn(move || {
            let header = FixedHeader::read(&rest, version, usize::MAX).ok()??;
            let packet = rest.split_to(header.size);
            Some(Publish::new(topic.clone(), packet.slice(header.length + head..)))
        })
    }

    /// Those of the messages whose packets have at most `maximum` bytes in another version, with
    /// these properties; `None` if none has.
    pub fn restated(
        &self,
        properties: &Properties,
        version: Version,
        maximum: usize,
    ) -> Option<Self> {
        let mut packets = BytesMut::with_capacity(self.packets.len() + 8 * self.count);
        let (mut count, mut longest) = (0, 0);
        for message in self.messages() {
            let message = Packet::Publish(Publish { properties: properties.clone(), ..message });
            let length = message.encoded_len(version);
            if length <= maximum {
                message.encode(version, &mut packets).expect("it fits, as it has before");
                longest = longest.max(length);
                count += 1;
            }
        }
        let packets = packets.freeze();
        let topic = TopicName::from_bytes(topic_of(&packets)?)
            .expect("a topic name stays valid when it is copied");
        Some(Self { topic, version, packets, count, longest })
    }

    /// A copy in memory of its own: a slice keeps everything in memory that arrived with it.
    #[must_use]
    pub fn detached(&self) -> Self {
        let packets = Bytes::copy_from_slice(&self.packets);
        let name = topic_of(&packets).expect("a run has a topic");
        let topic =
            TopicName::from_bytes(name).expect("a topic name stays valid when it is copied");
        Self { topic, packets, ..*self }
    }
}

/// The topic of the first packet, a slice of these bytes.
fn topic_of(packets: &Bytes) -> Option<Bytes> {
    let (_, of_length) = variable_byte_integer(packets.get(1..)?).ok()??;
    let at = 1 + of_length;
    let length = usize::from(u16::from_be_bytes(*packets.get(at..)?.first_chunk()?));
    packets.get(at + 2..at + 2 + length).map(|name| packets.slice_ref(name))
}
