//! A stream of packets, read as the program does: in pieces, in runs, and large messages in parts.

use bytes::{Bytes, BytesMut};

use crate::mqtt::packet::{
    Ack, Decoded, Decoder, Malformed, Packet, PacketId, PacketType, Publish,
};
use crate::mqtt::version::Version;

/// The largest packet that is read, in bytes.
const MAXIMUM: usize = 1 << 20;

/// Reads pieces, and puts large messages together again.
pub struct Stream {
    decoder: Decoder,
    /// Messages and acknowledgements are first tried as such.
    in_runs: bool,
    /// The message that has begun, and how long its payload will be.
    open: Option<(Publish, usize, BytesMut)>,
    /// What was whole so far.
    pub packets: Vec<Packet>,
}

impl Stream {
    /// Messages of more than `above` bytes come in parts.
    pub fn new(version: Version, in_runs: bool, above: usize) -> Self {
        let decoder = Decoder::new(version, MAXIMUM).in_parts_above(above);
        Self { decoder, in_runs, open: None, packets: Vec::new() }
    }

    /// Reads these pieces to the end, or to the first that makes no sense.
    pub fn read<'a>(
        &mut self,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(), Malformed> {
        pieces.into_iter().try_for_each(|piece| {
            self.decoder.feed(Bytes::copy_from_slice(piece));
            self.drain()
        })
    }

    fn drain(&mut self) -> Result<(), Malformed> {
        let mut publish = Publish::default();
        loop {
            if self.in_runs
                && let Some(found) = self.decoder.find_publish(&mut publish)
            {
                publish.payload = self.decoder.payload_bytes(found);
                self.decoder.skip(found);
                self.packets.push(Packet::Publish(publish.clone()));
            } else if let Some(ack) =
                self.in_runs.then(|| self.decoder.next_acknowledgement()).flatten()
            {
                self.packets.push(acknowledgement(ack));
            } else if let Some(part) = self.decoder.next_part()? {
                self.take(part);
            } else {
                return Ok(());
            }
        }
    }

    fn take(&mut self, part: Decoded) {
        match part {
            Decoded::Packet(packet) => self.packets.push(packet),
            Decoded::PublishBegins(publish, length) => {
                assert!(self.open.replace((publish, length, BytesMut::new())).is_none());
            }
            Decoded::PayloadPiece(piece) => {
                assert!(!piece.is_empty());
                self.open.as_mut().expect("it has begun").2.extend_from_slice(&piece);
            }
            Decoded::PublishEnds => {
                let (publish, length, payload) = self.open.take().expect("it has begun");
                assert_eq!(payload.len(), length);
                self.packets
                    .push(Packet::Publish(Publish { payload: payload.freeze(), ..publish }));
            }
        }
    }
}

fn acknowledgement((packet, packet_id): (PacketType, PacketId)) -> Packet {
    let ack = Ack::success(packet_id);
    match packet {
        PacketType::PubAck => Packet::PubAck(ack),
        PacketType::PubRec => Packet::PubRec(ack),
        PacketType::PubRel => Packet::PubRel(ack),
        PacketType::PubComp => Packet::PubComp(ack),
        other => panic!("{other:?} is no acknowledgement"),
    }
}

/// Cuts `wire` into short pieces whose lengths look random.
pub fn pieces(mut wire: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let mut state = u32::from(seed);
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (piece, rest) = wire.split_at((1 + (state >> 28) as usize).min(wire.len()));
        wire = rest;
        (!piece.is_empty()).then_some(piece)
    })
}
