//! From bytes, cut anywhere, to packets: zero copy where a packet lies in one piece, one copy where
//! not. Large messages can be handed out in the pieces in which they come, without any. It must
//! never know where the bytes come from.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use super::fixed_header::{FixedHeader, LONGEST_FIXED_HEADER};
use super::reader::Reader;
use super::{
    Ack, Auth, ConnAck, Connect, Disconnect, Malformed, Packet, PacketId, PacketType, Publish,
    SubAck, Subscribe, UnsubAck, Unsubscribe,
};
use crate::mqtt::property::Place;
use crate::mqtt::version::Version;

/// The upper half of a PUBLISH's first byte (§2.1.2).
const PUBLISH: u8 = 3;

/// What [`Decoder::next_part`] finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A whole packet.
    Packet(Packet),
    /// A large PUBLISH begins: all of it but its payload, and how long that is in bytes. It comes
    /// as pieces, and then as the end.
    Begins(Publish, usize),
    /// The next piece of its payload, never empty; a slice of what was fed.
    Piece(Bytes),
    /// Its payload was whole.
    Ends,
}

/// A message that lies where it arrived: where its payload begins, and where it ends.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    payload: usize,
    size: usize,
}

/// Takes bytes in pieces of any size and gives packets. Each byte is copied at most once.
#[derive(Debug)]
pub struct Decoder {
    version: Version,
    maximum: usize,
    /// A PUBLISH of more bytes than this is handed out in parts.
    parts_above: usize,
    /// How much of the payload of such a PUBLISH is still to come.
    left: Option<usize>,
    /// What is read next.
    current: Bytes,
    /// What was fed after it; none of them is empty.
    waiting: VecDeque<Bytes>,
    /// The beginning of a packet that goes on past the piece in which it began.
    started: BytesMut,
    /// What was wrong; nothing is read after it.
    failed: Option<Malformed>,
}

impl Decoder {
    /// Reads packets of this version, of at most `maximum` bytes each, fixed header included.
    pub fn new(version: Version, maximum: usize) -> Self {
        let (current, waiting, started) = (Bytes::new(), VecDeque::new(), BytesMut::new());
        Self {
            version,
            maximum,
            parts_above: usize::MAX,
            left: None,
            current,
            waiting,
            started,
            failed: None,
        }
    }

    /// Hands out each PUBLISH of more than `size` bytes in parts, see [`Decoder::next_part`].
    pub fn in_parts_above(self, size: usize) -> Self {
        Self { parts_above: size, ..self }
    }

    /// The version in which the next packet is read.
    #[cfg(test)]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Takes the bytes that came next. They stay alive as long as a packet that is a slice of them.
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

    /// The next packet, or `None` when more bytes are needed. After an error there is only that
    /// error. It is for who has not asked for parts.
    #[inline]
    pub fn next(&mut self) -> Result<Option<Packet>, Malformed> {
        Ok(match self.next_part()? {
            Some(Part::Packet(packet)) => Some(packet),
            _ => None,
        })
    }

    /// The next packet, or the next part of a large PUBLISH; `None` when more bytes are needed.
    /// After an error there is only that error.
    #[inline]
    pub fn next_part(&mut self) -> Result<Option<Part>, Malformed> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.advance();
        if let Err(error) = &result {
            self.failed = Some(error.clone());
            self.current.clear();
            self.waiting.clear();
            self.started = BytesMut::new();
            self.left = None;
        }
        result
    }

    /// Reads the next packet into `publish`, all but its payload, if it is a PUBLISH as streams are
    /// made of: whole in one piece, without properties, in order. A topic that is the same as
    /// before is not touched. It stays where it is until it is [skipped](Self::skip). Otherwise
    /// `None`, and [`Decoder::next_part`] has to judge.
    #[inline]
    pub fn find_publish(&self, publish: &mut Publish) -> Option<Found> {
        let first = *self.current.first()?;
        if first >> 4 != PUBLISH || self.is_amidst() {
            return None;
        }
        let header = FixedHeader::read(&self.current, self.version, self.maximum).ok()??;
        if header.size > self.parts_above {
            return None;
        }
        let body = self.current.get(header.length..header.size)?;
        let head = publish.read_plain(first, self.version, body)?;
        Some(Found { payload: header.length + head, size: header.size })
    }

    /// The payload of what was found.
    #[inline]
    pub fn payload(&self, found: Found) -> &[u8] {
        &self.current[found.payload..found.size]
    }

    /// The same, to be kept.
    pub fn payload_to_keep(&self, found: Found) -> Bytes {
        self.current.slice(found.payload..found.size)
    }

    /// Goes on behind what was found.
    #[inline]
    pub fn skip(&mut self, found: Found) {
        self.current.advance(found.size);
        self.refill();
    }

    /// The next packet, if it is an acknowledgement of success in its shortest form, as almost all
    /// are; whole in one piece. Otherwise [`Decoder::next_part`] has it.
    #[inline]
    pub fn next_acknowledgement(&mut self) -> Option<(PacketType, PacketId)> {
        if self.is_amidst() {
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

    /// How many bytes were fed and belong to no packet yet.
    #[cfg(test)]
    pub fn buffered(&self) -> usize {
        self.started.len() + self.current.len() + self.waiting.iter().map(Bytes::len).sum::<usize>()
    }

    /// Whether a packet has begun whose end was not handed out.
    #[inline]
    fn is_amidst(&self) -> bool {
        !self.started.is_empty() || self.left.is_some()
    }

    fn advance(&mut self) -> Result<Option<Part>, Malformed> {
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
            return self.decode(&header, bytes).map(Part::Packet).map(Some);
        }
        let header = FixedHeader::read(&self.started, self.version, self.maximum)?;
        self.join(header)
    }

    /// Gathers a packet that spans pieces: byte by byte until its size is known, then as a whole,
    /// into a buffer of exactly that size.
    fn join(&mut self, mut header: Option<FixedHeader>) -> Result<Option<Part>, Malformed> {
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
                return self.decode(&header, bytes).map(Part::Packet).map(Some);
            }
            header = FixedHeader::read(&self.started, self.version, self.maximum)?;
        }
    }

    /// Moves what was fed into `started` until that has so many bytes; whether there were as many.
    fn gather(&mut self, wanted: usize) -> bool {
        self.started.reserve(wanted.max(LONGEST_FIXED_HEADER).saturating_sub(self.started.len()));
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

    /// The beginning of a PUBLISH that is handed out in parts, as soon as its variable header and
    /// the first byte of its payload are there: nobody is to begin with a message of which nothing
    /// may ever come.
    fn begin(&mut self, header: &FixedHeader) -> Result<Option<Part>, Malformed> {
        let Some(head) = self.head_size(header)? else { return Ok(None) };
        let length = header.size - head;
        if length > 0 && self.started.len() + self.current.len() == head {
            // So that the next bytes are the payload's.
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
        let mut reader = Reader::new(bytes.slice(header.length..), header.packet);
        let publish = Publish::decode(bytes[0], self.version, &mut reader)?;
        self.left = Some(length);
        Ok(Some(Part::Begins(publish, length)))
    }

    /// The size of both headers together, when they are there as a whole.
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

    /// The next piece of a payload of which so much is left, or its end.
    fn piece(&mut self, left: usize) -> Option<Part> {
        if left == 0 {
            self.left = None;
            return Some(Part::Ends);
        }
        if self.current.is_empty() {
            return None;
        }
        let piece = self.current.split_to(left.min(self.current.len()));
        self.refill();
        self.left = Some(left - piece.len());
        Some(Part::Piece(piece))
    }

    /// Goes on to the next piece when the current one is used up.
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
        let mut reader = Reader::new(bytes, header.packet);
        let packet = self.decode_body(first, header.packet, &mut reader)?;
        reader.finish()?;
        Ok(packet)
    }

    /// Reads what follows the fixed header. Only PUBLISH has flags that say something.
    #[inline]
    fn decode_body(
        &mut self,
        first: u8,
        packet: PacketType,
        reader: &mut Reader,
    ) -> Result<Packet, Malformed> {
        let version = self.version;
        Ok(match packet {
            PacketType::Connect => {
                let connect = Connect::decode(reader)?;
                self.version = connect.version;
                Packet::Connect(Box::new(connect))
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
