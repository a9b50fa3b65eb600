//! A stream of equal messages, encoded and framed once: for the source that floods subscribers and
//! for the bare writer. Only packet identifiers are stamped anew.

use crate::Failure;
use crate::link::{Framing, Link};
use crate::mqtt::{self, Packet, TOPIC};
use crate::websocket::{self, BINARY, FRAME};

/// How packets are put into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pack {
    /// Each in one frame of its own, whatever its size.
    One,
    /// As many as fit into 64 KiB; larger ones are cut.
    Many,
}

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many messages.
    pub count: u64,
    /// The payload of each, in bytes.
    pub size: usize,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Their frames.
    pub pack: Pack,
    /// Whether the receiver speaks MQTT 5.
    pub is_v5: bool,
    /// How many may be unacknowledged.
    pub window: u16,
}

/// Messages above this size are sent piece by piece, and never held as a whole.
const STREAMED: usize = 1024 * 1024;

/// What is written at once, in bytes.
const BATCH: usize = 64 * 1024;

/// Messages on their way.
pub struct Flood {
    plan: Plan,
    sent: u64,
    /// Acknowledged; at QoS 0 sent.
    done: u64,
    batch: Batch,
}

impl Flood {
    /// Nothing sent yet.
    pub fn new(plan: Plan, framing: Framing) -> Self {
        let fitting = u64::try_from((BATCH / (plan.size + 16)).max(1)).unwrap_or(1);
        // Refilled in halves, so that both sides always have something to do.
        let windowed = if plan.qos == 0 { fitting } else { fitting.min(u64::from(plan.window / 2).max(1)) };
        let batch = Batch::new(windowed.min(plan.count), &plan, framing);
        Self { plan, sent: 0, done: 0, batch }
    }

    /// Whether everything was sent and acknowledged.
    pub fn is_done(&self) -> bool {
        self.done == self.plan.count
    }

    /// Sends as much as the window takes.
    pub fn fill(&mut self, link: &mut Link) -> Result<(), Failure> {
        while self.sent < self.plan.count {
            let rest = self.plan.count - self.sent;
            if self.batch.count > rest {
                self.batch = Batch::new(rest, &self.plan, link.framing());
            }
            if self.plan.qos > 0 && self.sent - self.done + self.batch.count > u64::from(self.plan.window) {
                return Ok(());
            }
            if self.plan.qos > 0 {
                self.batch.stamp(self.sent);
            }
            link.write(&self.batch.bytes)?;
            if self.batch.streamed > 0 {
                stream_payload(self.batch.streamed, &self.plan, link)?;
            }
            self.sent += self.batch.count;
            if self.plan.qos == 0 {
                self.done = self.sent;
            }
        }
        Ok(())
    }

    /// Takes an acknowledgement, and answers a PUBREC.
    pub fn acknowledge(&mut self, packet: &Packet<'_>, out: &mut Vec<u8>) {
        match *packet {
            Packet::Ack(mqtt::PUBACK | mqtt::PUBCOMP, _) => self.done += 1,
            Packet::Ack(mqtt::PUBREC, id) => mqtt::put_ack(mqtt::PUBREL, id, out),
            _ => {}
        }
    }
}

/// Some messages, ready to be written.
struct Batch {
    bytes: Vec<u8>,
    count: u64,
    /// Where the identifiers lie, and the mask of their bytes.
    ids: Vec<([usize; 2], [u8; 2])>,
    /// How much of the payload follows piece by piece.
    streamed: usize,
}

impl Batch {
    fn new(count: u64, plan: &Plan, framing: Framing) -> Self {
        let streamed = if plan.size > STREAMED { plan.size } else { 0 };
        let (mut raw, mut ids, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let mut packet = Vec::new();
        let put = if plan.is_v5 { mqtt::put_publish_v5 } else { mqtt::put_publish };
        put(TOPIC, plan.qos, 0, plan.size, &mut packet);
        let id = packet.len() - if plan.is_v5 { 3 } else { 2 };
        packet.resize(packet.len() + plan.size - streamed, b'x');
        for _ in 0..count {
            ids.extend((plan.qos > 0).then_some(raw.len() + id));
            raw.extend_from_slice(&packet);
            ends.push(raw.len());
        }
        let mut batch = Self { bytes: Vec::new(), count, ids: Vec::new(), streamed };
        batch.wrap(&raw, &cuts(&ends, plan, streamed), &ids, framing);
        batch
    }

    /// Puts frames around the raw bytes and finds the identifiers in them.
    fn wrap(&mut self, raw: &[u8], cuts: &[usize], ids: &[usize], framing: Framing) {
        // Where each piece begins, before and after.
        let mut pieces: Vec<(usize, usize)> = Vec::new();
        let mut start = 0;
        let mask = if let Framing::Frames(mask) = framing { mask } else { None };
        for &end in cuts {
            let end = end.min(raw.len());
            if framing != Framing::Raw {
                // The first frame of a large message: one that is announced as a whole, or only its
                // header.
                let length = if self.streamed > 0 { cuts[cuts.len() - 1] } else { end - start };
                websocket::put_header(BINARY, length, mask, &mut self.bytes);
            }
            pieces.push((start, self.bytes.len()));
            self.bytes.extend_from_slice(&raw[start..end]);
            if let Some(mask) = mask {
                websocket::apply_mask(&mut self.bytes[pieces[pieces.len() - 1].1..], mask, 0);
            }
            start = end;
            if end == raw.len() {
                break;
            }
        }
        let place = |at: usize| {
            let (before, after) = pieces[pieces.partition_point(|(start, _)| *start <= at) - 1];
            (after + at - before, mask.map_or(0, |mask| mask[(at - before) % 4]))
        };
        let placed = |&id: &usize| {
            let ((high, one), (low, other)) = (place(id), place(id + 1));
            ([high, low], [one, other])
        };
        self.ids = ids.iter().map(placed).collect();
    }

    /// The identifiers of the messages from number `first` on.
    fn stamp(&mut self, first: u64) {
        for (number, (places, keys)) in (first..).zip(&self.ids) {
            let id = u16::try_from(number % 65_535 + 1).expect("a remainder by 65,535 and one").to_be_bytes();
            self.bytes[places[0]] = id[0] ^ keys[0];
            self.bytes[places[1]] = id[1] ^ keys[1];
        }
    }
}

/// Where frames end.
fn cuts(ends: &[usize], plan: &Plan, streamed: usize) -> Vec<usize> {
    let all = ends.last().copied().unwrap_or(0);
    match plan.pack {
        Pack::One if streamed > 0 => vec![all, all + streamed],
        Pack::One => ends.to_vec(),
        Pack::Many if streamed > 0 => vec![all],
        Pack::Many if plan.size < FRAME / 2 => {
            // Batches are cut to size: what is in one fits into a frame.
            vec![all]
        }
        Pack::Many => (1..=all.div_ceil(FRAME)).map(|frame| (frame * FRAME).min(all)).collect(),
    }
}

/// The payload of a large message: in one frame that was announced, or in frames of 64 KiB.
fn stream_payload(size: usize, plan: &Plan, link: &mut Link) -> Result<(), Failure> {
    let (mut left, mut piece) = (size, Vec::new());
    let pieces = plan.pack == Pack::Many;
    while left > 0 {
        let count = left.min(FRAME);
        if piece.is_empty() || count < FRAME {
            piece.clear();
            put_piece(count, pieces, link.framing(), &mut piece);
        }
        link.write(&piece)?;
        left -= count;
    }
    Ok(())
}

fn put_piece(count: usize, framed: bool, framing: Framing, out: &mut Vec<u8>) {
    if let (true, Framing::Frames(mask)) = (framed, framing) {
        websocket::put_header(BINARY, count, mask, out);
    }
    // Masked or not: what the payload says does not matter.
    out.resize(out.len() + count, b'x');
}
