//! What waits to be sent to one client, pure: packets, control frames and the last Close become
//! bytes. Many small packets share one binary message, a large packet is cut.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::limits::{MESSAGE_BYTES, WRITE_BYTES};
use super::router::OutgoingItem;
use crate::mqtt::packet::{Ack, Packet, PublishRun};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;
use crate::websocket::outbound::ServerOutbound;

/// Memory for so many items is kept for the next ones.
const KEPT_ITEMS: usize = 256;

/// What waits for one client, in order. Empty, it holds no memory but its own.
#[derive(Debug, Default)]
pub struct OutputQueue {
    items: VecDeque<OutgoingItem>,
    /// Whole control frames (Pong): they go first.
    control: Vec<u8>,
    /// Encoded bytes that come next: the rest of a packet, or a run of messages.
    large: Bytes,
    /// The code of the Close frame that follows everything else.
    close: Option<u16>,
    /// Bytes that were encoded and not yet taken by the socket.
    unwritten: Bytes,
    /// What all items weigh that were not written, in bytes.
    unsent: usize,
    /// What those of them weigh that are encoded in `unwritten`, or were and are written.
    encoded: usize,
    /// What the item weighs whose rest is in `large`.
    large_weight: usize,
    /// What those weigh that were written, and not yet told of.
    written: usize,
    /// How many of the items are no messages.
    answers: usize,
}

impl OutputQueue {
    /// Adds items; all that wait weigh `unsent` bytes then. The queue is left empty; it may be
    /// given memory for the next ones.
    pub fn post(&mut self, items: &mut VecDeque<OutgoingItem>, unsent: usize) {
        self.unsent = unsent;
        self.answers += items.iter().filter(|item| is_answer(item)).count();
        if self.items.is_empty() {
            std::mem::swap(&mut self.items, items);
        } else {
            self.items.append(items);
        }
    }

    /// Adds whole control frames.
    pub fn post_control(&mut self, frames: &[u8]) {
        self.control.extend_from_slice(frames);
    }

    /// Adds bytes that are no frames: the answer to the upgrade.
    pub fn post_bytes(&mut self, bytes: String) {
        self.unwritten = Bytes::from(bytes);
    }

    /// Adds the Close frame (RFC 6455 §5.5.1), after which nothing is added.
    pub fn post_close(&mut self, code: u16) {
        self.close = Some(code);
    }

    /// How many packets wait that the client has caused itself: all but messages.
    pub fn answers(&self) -> usize {
        self.answers
    }

    /// How many bytes of control frames wait.
    pub fn control_len(&self) -> usize {
        self.control.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.unwritten.is_empty() && self.is_encoded()
    }

    /// Whether nothing waits to be encoded.
    fn is_encoded(&self) -> bool {
        self.items.is_empty()
            && self.control.is_empty()
            && self.large.is_empty()
            && self.close.is_none()
    }

    /// What all items weigh that were not written, in bytes.
    pub fn unsent(&self) -> usize {
        self.unsent
    }

    /// What the items weigh that have been written since the last call, in bytes.
    pub fn take_written(&mut self) -> usize {
        if self.unwritten.is_empty() {
            self.written += std::mem::take(&mut self.encoded);
        }
        let written = std::mem::take(&mut self.written);
        self.unsent = self.unsent.saturating_sub(written);
        written
    }

    /// Gives everything that waits to `write`, which returns how many of its bytes were taken,
    /// until it takes nothing. `tell` is told of each packet before it is encoded.
    pub fn write<E>(
        &mut self,
        version: Version,
        frames: &mut ServerOutbound,
        mut tell: impl FnMut(&Packet),
        mut write: impl FnMut(&[u8]) -> Result<usize, E>,
    ) -> Result<(), E> {
        loop {
            while !self.unwritten.is_empty() {
                match write(&self.unwritten)? {
                    0 => return Ok(()),
                    taken => self.unwritten.advance(taken),
                }
            }
            if self.is_encoded() {
                self.items.shrink_to(KEPT_ITEMS);
                return Ok(());
            }
            self.encode(version, frames, &mut tell);
            let bytes = frames.waiting();
            if bytes.is_empty() {
                // Nothing could be encoded, or the client takes nothing of it.
                continue;
            }
            let taken = write(bytes);
            let rest = &bytes[*taken.as_ref().unwrap_or(&bytes.len())..];
            self.unwritten = Bytes::copy_from_slice(rest);
            // It is used for the next client, also after an error.
            frames.clear();
            taken?;
        }
    }

    /// Encodes what waits, up to [`WRITE_BYTES`].
    fn encode(
        &mut self,
        version: Version,
        frames: &mut ServerOutbound,
        tell: &mut impl FnMut(&Packet),
    ) {
        // Everything before is written.
        self.written += std::mem::take(&mut self.encoded);
        if !self.control.is_empty() {
            frames.put_frames(&std::mem::take(&mut self.control));
        }
        while frames.len() < WRITE_BYTES {
            if !self.large.is_empty() {
                put_bytes(&mut self.large, frames);
                continue;
            }
            self.encoded += std::mem::take(&mut self.large_weight);
            let Some((item, weight)) = self.next_item() else { break };
            self.answers -= usize::from(item.as_ref().is_some_and(is_answer));
            self.large_weight = weight;
            match item {
                Some(OutgoingItem::Packet(packet)) => {
                    tell(&packet);
                    if weight > frames.room() || !put_frequent(&packet, version, frames) {
                        self.encode_packet(packet, version, frames);
                    }
                }
                Some(OutgoingItem::Run(run)) => self.begin_run(run, frames),
                Some(OutgoingItem::Common(_)) | None => {}
            }
        }
        if self.large.is_empty() {
            self.encoded += std::mem::take(&mut self.large_weight);
        }
        if self.large.is_empty()
            && self.items.is_empty()
            && let Some(code) = self.close.take()
        {
            frames.put_close(code);
        }
    }

    /// Takes the next item, or nothing instead of one that the client does not take, and what it
    /// weighs, in bytes.
    #[inline]
    fn next_item(&mut self) -> Option<(Option<OutgoingItem>, usize)> {
        if let OutgoingItem::Common(_) = self.items.front()? {
            return self.next_of_common();
        }
        let item = self.items.pop_front()?;
        let weight = item.weight();
        Some((Some(item), weight))
    }

    /// The same, of those that others are sent, too.
    #[inline(never)]
    fn next_of_common(&mut self) -> Option<(Option<OutgoingItem>, usize)> {
        let Some(OutgoingItem::Common(common)) = self.items.front_mut() else { return None };
        let next = common.next_delivery();
        if common.left().messages == 0 {
            self.items.pop_front();
        }
        next.map(|(delivery, weight)| (delivery.map(OutgoingItem::from), weight))
    }

    /// The bytes of a run come next, in the next message if the open one has no room: small
    /// packets are not cut.
    fn begin_run(&mut self, run: PublishRun, frames: &mut ServerOutbound) {
        if run.packets.len() > frames.room() {
            frames.finish_message();
        }
        self.large = run.packets;
    }

    /// Encodes a packet. One that cannot be encoded is left out: the error is the peer's (a message
    /// from an MQTT 5 publisher that does not fit into a packet together with our additions).
    fn encode_packet(&mut self, packet: Packet, version: Version, frames: &mut ServerOutbound) {
        let length = packet.encoded_len(version);
        if length <= MESSAGE_BYTES {
            if length > frames.room() {
                frames.finish_message();
            }
            // An error leaves nothing in the message, and an empty one is never sent.
            let _ = packet.encode(version, frames.message());
            return;
        }
        // The payload is not copied as a whole.
        let mut head = BytesMut::new();
        let (encoded, payload) = match packet {
            Packet::Publish(publish) => {
                (publish.encode_header(version, &mut head), publish.payload)
            }
            _ => (packet.encode(version, &mut head), Bytes::new()),
        };
        if encoded.is_ok() {
            let mut head = head.freeze();
            while !head.is_empty() {
                put_bytes(&mut head, frames);
            }
            self.large = payload;
        }
    }
}

/// Encodes a packet of the frequent ones, which weigh more than their bytes, and for which there is
/// room. Otherwise returns false: nothing was encoded.
fn put_frequent(packet: &Packet, version: Version, frames: &mut ServerOutbound) -> bool {
    if let Packet::Publish(_) = packet {
        return packet.encode(version, frames.message()).is_ok();
    }
    let acknowledgement = plain_acknowledgement(packet);
    if let Some(bytes) = acknowledgement {
        frames.message().put_slice(&bytes);
    }
    acknowledgement.is_some()
}

/// The bytes of an acknowledgement of success, which are the same in every version.
fn plain_acknowledgement(packet: &Packet) -> Option<[u8; 4]> {
    let (Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack)) =
        packet
    else {
        return None;
    };
    let is_plain = ack.code == ReasonCode::SUCCESS && ack.properties.0.is_empty();
    is_plain.then(|| Ack::success_packet(packet.packet_type(), ack.packet_id))
}

/// Whether it is a packet other than PUBLISH.
fn is_answer(item: &OutgoingItem) -> bool {
    matches!(item, OutgoingItem::Packet(packet) if !matches!(packet, Packet::Publish(_)))
}

/// Moves bytes into the open message, or into the next if it is full.
fn put_bytes(bytes: &mut Bytes, frames: &mut ServerOutbound) {
    if frames.room() == 0 {
        frames.finish_message();
    }
    let now = bytes.split_to(bytes.len().min(frames.room()));
    frames.message().put_slice(&now);
}

#[cfg(test)]
mod tests;
