//! Decodes packets from a stream of bytes that may be cut anywhere. A packet that arrives in one
//! piece is not copied, any other is copied once. The payload of a large message is passed on as it
//! arrives, without a copy.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use super::data::PacketReader;
use super::header::{FixedHeader, LONGEST_FIXED_HEADER};
use super::run::FoundRun;
use super::{
    Ack, Auth, ConnAck, Connect, Disconnect, Malformed, Packet, PacketId, PacketType, Publish,
    PublishRun, SubAck, Subscribe, UnsubAck, Unsubscribe,
};
use crate::mqtt::property::Place;
use crate::mqtt::version::Version;

/// The upper half of a PUBLISH's first byte (§2.1.2).
const PUBLISH: u8 = 3;

/// How much memory is taken at once for a packet that has only begun, in bytes: a longer one gets
/// more as it arrives, because anybody can announce one.
const MOST_AT_ONCE: usize = 256 * 1024;

/// The result of [`Decoder::next_part`]: a packet, or a part of a large PUBLISH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A whole packet.
    Packet(Packet),
    /// The beginning of a large PUBLISH: the packet without its payload, and the length of the
    /// payload in bytes. The pieces of the payload follow, and then [`Decoded::PublishEnds`].
    PublishBegins(Publish, usize),
    /// The next piece of the payload, never empty. It is a slice of the bytes that were fed.
    PayloadPiece(Bytes),
    /// The payload is complete.
    PublishEnds,
}

/// The place of a PUBLISH in the bytes that were fed: see [`Decoder::find_publish`].
#[derive(Debug, Clone, Copy)]
pub struct FoundPublish {
    payload: usize,
    size: usize,
}

/// Takes bytes in pieces of any size and returns packets. Each byte is copied at most once.
#[derive(Debug)]
pub struct Decoder {
    version: Version,
    maximum: usize,
    /// A PUBLISH of more bytes than this is returned in parts.
    parts_above: usize,
    /// While a large PUBLISH is read: how many bytes of its payload are missing.
    left: Option<usize>,
    /// The length of the payload of the latest large PUBLISH, in bytes.
    payload: usize,
    /// The piece of bytes that is being read.
    current: Bytes,
    /// The pieces that were fed after it; none is empty.
    waiting: VecDeque<Bytes>,
    /// The beginning of a packet that continues after its first piece.
    started: BytesMut,
    /// The first error. Nothing is read after it.
    failed: Option<Malformed>,
}

impl Decoder {
    /// A decoder for packets of this version and of at most `maximum` bytes, fixed header included.
    pub fn new(version: Version, maximum: usize) -> Self {
        let (current, waiting, started) = (Bytes::new(), VecDeque::new(), BytesMut::new());
        Self {
            version,
            maximum,
            parts_above: usize::MAX,
            left: None,
            payload: 0,
            current,
            waiting,
            started,
            failed: None,
        }
    }

    /// Makes the decoder return each PUBLISH of more than `size` bytes in parts, see
    /// [`Decoder::next_part`].
    pub fn in_parts_above(self, size: usize) -> Self {
        Self { parts_above: size, ..self }
    }

    /// From now on takes packets of at most `maximum` bytes.
    pub fn set_maximum(&mut self, maximum: usize) {
        self.maximum = maximum;
    }

    /// The memory that is held for a packet that is incomplete, in bytes.
    pub fn memory(&self) -> usize {
        self.started.capacity()
    }

    /// The version in which the next packet is read: that of a CONNECT, also if the rest of it was
    /// malformed.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Takes the next bytes of the stream. They stay in memory as long as a packet has a slice of
    /// them.
    pub fn feed(&mut self, bytes: Bytes) {
        if bytes.is_empty() || self.failed.is_some() {
            return;
        }
        if self.current.is_empty() {
            self.current = bytes;
        } else {
            self.waiting.push_back(bytes);
        }
    }

    /// Keeps no bytes alive, if none waits.
    pub fn release_memory(&mut self) {
        if self.current.is_empty() {
            self.current = Bytes::new();
        }
    }

    /// Returns the next packet, or `None` if more bytes are needed. After an error it returns that
    /// error again. Only for decoders without [`Decoder::in_parts_above`].
    #[inline]
    pub fn next(&mut self) -> Result<Option<Packet>, Malformed> {
        Ok(match self.next_part()? {
            Some(Decoded::Packet(packet)) => Some(packet),
            _ => None,
        })
    }

    /// Returns the next packet or the next part of a large PUBLISH, or `None` if more bytes are
    /// needed. After an error it returns that error again.
    #[inline]
    pub fn next_part(&mut self) -> Result<Option<Decoded>, Malformed> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.advance();
        if let Err(error) = &result {
            let begun = if self.started.is_empty() { &self.current[..] } else { &self.started };
            if let Some(version) = Connect::version_of(begun) {
                self.version = version;
            }
            self.failed = Some(error.clone());
            self.current.clear();
            self.waiting.clear();
            self.started = BytesMut::new();
            self.left = None;
        }
        result
    }

    /// Reads the next packet into `publish`, without its payload, if it is a PUBLISH that is
    /// complete in one piece, well formed and without properties. Otherwise it returns `None`, and
    /// [`Decoder::next_part`] must read the packet. The topic is not allocated again if it is the
    /// same as in the last message. The packet is not consumed until [`Decoder::skip`].
    ///
    /// This is the fast path of `sub`: nothing is allocated, and no packet is moved.
    #[inline(always)]
    pub fn find_publish(&self, publish: &mut Publish) -> Option<FoundPublish> {
        let first = *self.current.first()?;
        if first >> 4 != PUBLISH || self.is_inside_packet() {
            return None;
        }
        let header = FixedHeader::read(&self.current, self.version, self.maximum).ok()??;
        if header.size > self.parts_above {
            return None;
        }
        let body = self.current.get(header.length..header.size)?;
        let head = publish.read_plain(first, self.version, body)?;
        Some(FoundPublish { payload: header.length + head, size: header.size })
    }

    /// The payload of a PUBLISH that [`Decoder::find_publish`] has found.
    #[inline]
    pub fn payload(&self, found: FoundPublish) -> &[u8] {
        &self.current[found.payload..found.size]
    }

    /// The same payload as a slice that keeps its bytes alive.
    pub fn payload_bytes(&self, found: FoundPublish) -> Bytes {
        self.current.slice(found.payload..found.size)
    }

    /// Continues after the PUBLISH that [`Decoder::find_publish`] has found.
    #[inline]
    pub fn skip(&mut self, found: FoundPublish) {
        self.current.advance(found.size);
        self.refill();
    }

    /// Returns the next packet if it is an acknowledgement of success in its shortest form (four
    /// bytes in every version) and complete in one piece, as almost all are. Otherwise it returns
    /// `None`, and [`Decoder::next_part`] must read the packet.
    ///
    /// This is a function of its own because it moves 4 bytes where [`Decoder::next_part`] moves a
    /// whole [`Decoded`], and a stream of QoS 1 messages brings one acknowledgement for each
    /// message.
    #[inline]
    pub fn next_acknowledgement(&mut self) -> Option<(PacketType, PacketId)> {
        if self.is_inside_packet() {
            return None;
        }
        let [first, 2, high, low, ..] = self.current[..] else { return None };
        let packet = match first {
            0x40 => PacketType::PubAck,
            0x50 => PacketType::PubRec,
            0x62 => PacketType::PubRel,
            0x70 => PacketType::PubComp,
            _ => return None,
        };
        let packet_id = PacketId::new(u16::from_be_bytes([high, low]))?;
        self.current.advance(4);
        self.refill();
        Some((packet, packet_id))
    }

    /// Takes the next packets if they are a run of messages, of at most `most` bytes together.
    /// Otherwise it returns `None`, and [`Decoder::next_part`] must read the next packet.
    #[inline]
    pub fn next_run(&mut self, most: usize) -> Option<PublishRun> {
        if self.is_inside_packet() {
            return None;
        }
        let maximum = self.maximum.min(self.parts_above);
        let found = FoundRun::find(&self.current, self.version, maximum, most)?;
        let run = found.into_run(self.version, |size| self.current.split_to(size));
        self.refill();
        Some(run)
    }

    /// How many of the bytes that were fed do not belong to a packet that was returned.
    pub fn buffered(&self) -> usize {
        self.started.len() + self.current.len() + self.waiting.iter().map(Bytes::len).sum::<usize>()
    }

    /// How much of the payload of an incomplete PUBLISH has arrived, and its length, both in bytes;
    /// to be asked when [`Decoder::next_part`] needs more bytes.
    pub fn incomplete_publish(&self) -> Option<(usize, usize)> {
        if let Some(left) = self.left {
            return Some((self.payload - left.min(self.payload), self.payload));
        }
        let begun = if self.started.is_empty() { &self.current[..] } else { &self.started[..] };
        let header = FixedHeader::read(begun, self.version, self.maximum).ok()??;
        if header.packet != PacketType::Publish {
            return None;
        }
        let body = &begun[header.length..begun.len().min(header.size)];
        let head = header.length + Publish::head_extent(begun[0], self.version, body).ok()?;
        Some((begun.len().saturating_sub(head), header.size.saturating_sub(head)))
    }

    /// Whether a packet has begun and its end was not returned yet.
    #[inline]
    fn is_inside_packet(&self) -> bool {
        !self.started.is_empty() || self.left.is_some()
    }

    fn advance(&mut self) -> Result<Option<Decoded>, Malformed> {
        if let Some(left) = self.left {
            return Ok(self.piece(left));
        }
        if self.started.is_empty() {
            let Some(header) = FixedHeader::read(&self.current, self.version, self.maximum)? else {
                return self.join(None);
            };
            if header.size > self.current.len() || header.size > self.parts_above {
                return self.join(Some(header));
            }
            let bytes = self.current.split_to(header.size);
            self.refill();
            return self.decode(&header, bytes).map(Decoded::Packet).map(Some);
        }
        let header = FixedHeader::read(&self.started, self.version, self.maximum)?;
        self.join(header)
    }

    /// Collects a packet that spans several pieces: byte by byte until its size is known, then the
    /// rest, into a buffer of that size, or one that grows up to it.
    fn join(&mut self, mut header: Option<FixedHeader>) -> Result<Option<Decoded>, Malformed> {
        loop {
            let wanted = match &header {
                None => self.started.len() + 1,
                Some(header) if self.is_large(header) => return self.begin(header),
                Some(header) => header.size,
            };
            if !self.gather(wanted) {
                return Ok(None);
            }
            if let Some(header) = header {
                let bytes = std::mem::take(&mut self.started).freeze();
                return self.decode(&header, bytes).map(Decoded::Packet).map(Some);
            }
            header = FixedHeader::read(&self.started, self.version, self.maximum)?;
        }
    }

    /// Moves bytes that were fed into `started` until it has `wanted` bytes. Returns whether there
    /// were enough.
    fn gather(&mut self, wanted: usize) -> bool {
        let at_once = wanted.clamp(LONGEST_FIXED_HEADER, MOST_AT_ONCE);
        self.started.reserve(at_once.saturating_sub(self.started.len()));
        while self.started.len() < wanted {
            if self.current.is_empty() {
                return false;
            }
            let count = self.current.len().min(wanted - self.started.len());
            self.started.extend_from_slice(&self.current[..count]);
            self.current.advance(count);
            self.refill();
        }
        true
    }

    fn is_large(&self, header: &FixedHeader) -> bool {
        header.packet == PacketType::Publish && header.size > self.parts_above
    }

    /// Begins a PUBLISH that is returned in parts, once its variable header and the first byte of
    /// its payload have arrived. Waiting for that byte means that no output is begun for a message
    /// whose payload may never arrive.
    fn begin(&mut self, header: &FixedHeader) -> Result<Option<Decoded>, Malformed> {
        let Some(head) = self.head_size(header)? else { return Ok(None) };
        let length = header.size - head;
        if length > 0 && self.started.len() + self.current.len() == head {
            // The next bytes are then those of the payload.
            self.gather(head);
            if self.current.is_empty() {
                return Ok(None);
            }
        }
        let bytes = if self.started.is_empty() {
            let bytes = self.current.split_to(head);
            self.refill();
            bytes
        } else {
            std::mem::take(&mut self.started).freeze()
        };
        let mut reader = PacketReader::new(bytes.slice(header.length..), header.packet);
        let publish = Publish::decode(bytes[0], self.version, &mut reader)?;
        (self.left, self.payload) = (Some(length), length);
        Ok(Some(Decoded::PublishBegins(publish, length)))
    }

    /// The size of the fixed and the variable header together, once both are complete.
    fn head_size(&mut self, header: &FixedHeader) -> Result<Option<usize>, Malformed> {
        loop {
            let begun = if self.started.is_empty() { &self.current[..] } else { &self.started[..] };
            let body = &begun[header.length..begun.len().min(header.size)];
            let head = header.length + Publish::head_extent(begun[0], self.version, body)?;
            if head > header.size {
                return Err(Malformed::Truncated { packet: header.packet });
            }
            if head <= begun.len() {
                return Ok(Some(head));
            }
            if !self.gather(head) {
                return Ok(None);
            }
        }
    }

    /// The next piece of a payload of which `left` bytes are missing, or its end.
    fn piece(&mut self, left: usize) -> Option<Decoded> {
        if left == 0 {
            self.left = None;
            return Some(Decoded::PublishEnds);
        }
        if self.current.is_empty() {
            return None;
        }
        let piece = self.current.split_to(left.min(self.current.len()));
        self.refill();
        self.left = Some(left - piece.len());
        Some(Decoded::PayloadPiece(piece))
    }

    /// Continues with the next piece when the current one is used up.
    #[inline]
    fn refill(&mut self) {
        if self.current.is_empty() {
            self.current = self.waiting.pop_front().unwrap_or_default();
        }
    }

    /// Reads one whole packet.
    #[inline]
    fn decode(&mut self, header: &FixedHeader, mut bytes: Bytes) -> Result<Packet, Malformed> {
        let first = bytes[0];
        bytes.advance(header.length);
        let mut reader = PacketReader::new(bytes, header.packet);
        let packet = self.decode_body(first, header, &mut reader)?;
        reader.finish()?;
        Ok(packet)
    }

    /// Reads what follows the fixed header. Only the flags of PUBLISH carry information.
    #[inline]
    fn decode_body(
        &mut self,
        first: u8,
        header: &FixedHeader,
        reader: &mut PacketReader,
    ) -> Result<Packet, Malformed> {
        let version = self.version;
        Ok(match header.packet {
            PacketType::Connect => {
                self.version = Connect::decode_version(reader)?;
                header.check_connect(first, self.version)?;
                Packet::Connect(Box::new(Connect::decode(self.version, reader)?))
            }
            PacketType::ConnAck => Packet::ConnAck(Box::new(ConnAck::decode(version, reader)?)),
            PacketType::Publish => Packet::Publish(Publish::decode(first, version, reader)?),
            PacketType::PubAck => Packet::PubAck(Ack::decode(Place::PubAck, version, reader)?),
            PacketType::PubRec => Packet::PubRec(Ack::decode(Place::PubRec, version, reader)?),
            PacketType::PubRel => Packet::PubRel(Ack::decode(Place::PubRel, version, reader)?),
            PacketType::PubComp => Packet::PubComp(Ack::decode(Place::PubComp, version, reader)?),
            PacketType::Subscribe => Packet::Subscribe(Subscribe::decode(version, reader)?),
            PacketType::SubAck => Packet::SubAck(SubAck::decode(version, reader)?),
            PacketType::Unsubscribe => Packet::Unsubscribe(Unsubscribe::decode(version, reader)?),
            PacketType::UnsubAck => Packet::UnsubAck(UnsubAck::decode(version, reader)?),
            PacketType::PingReq => Packet::PingReq,
            PacketType::PingResp => Packet::PingResp,
            PacketType::Disconnect => Packet::Disconnect(Disconnect::decode(version, reader)?),
            PacketType::Auth => Packet::Auth(Auth::decode(reader)?),
        })
    }
}
