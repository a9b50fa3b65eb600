//! One deviation of one connection: frames and packets are taken out of what passes, and changed.

use super::packet::RawPacket;
use super::stream::{WholeFrame, claimed_length, messages, whole};
use super::{Change, DeviationMemory, RewriteStep, Side, pass};
use crate::broker::limits::{FIRST_PACKET_BYTES, MESSAGE_BYTES};
use crate::mqtt::version::Version;
use crate::websocket::frame::{BINARY, CONTINUATION, FINAL};

/// One deviation of one connection.
#[derive(Debug)]
pub struct DeviationFilter {
    pub change: Change,
    pub memory: DeviationMemory,
    /// The longest packet that the broker takes of a client, in bytes.
    pub max_packet: usize,
    /// `None` until CONNECT has come.
    pub version: Option<Version>,
    pub flows: [Flow; 2],
}

/// What has come of one side and is not whole.
#[derive(Debug, Default)]
pub struct Flow {
    frame: Vec<u8>,
    packet: Vec<u8>,
    message: MessageState,
}

/// Whether a message has begun and not ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum MessageState {
    #[default]
    Between,
    Begun,
}

impl DeviationFilter {
    /// Whether the bytes of one read are taken.
    pub fn takes_read(&mut self, bytes: &[u8]) -> bool {
        self.change.read.is_none_or(|takes| takes(&mut self.memory, bytes))
    }

    /// What becomes of bytes of one side; none of the steps is [`RewriteStep::Pass`].
    pub fn feed(&mut self, side: Side, bytes: &[u8]) -> Vec<RewriteStep> {
        let has_packets = self.change.packets.iter().any(Option::is_some);
        let change = self.change.frames[side as usize];
        if change.is_none() && !has_packets {
            return vec![RewriteStep::Onward(bytes.to_vec())];
        }
        self.flows[side as usize].frame.extend_from_slice(bytes);
        let mut steps = Vec::new();
        let longest = self.max_packet + MESSAGE_BYTES;
        while let Some(frame) = WholeFrame::take(&mut self.flows[side as usize].frame, longest) {
            let done = match change {
                Some(change) => change(&mut self.memory, &frame),
                None => self.packets_of(side, &frame),
            };
            let raw = |step| match step {
                RewriteStep::Pass => RewriteStep::Onward(frame.raw.clone()),
                step => step,
            };
            steps.extend(done.into_iter().map(raw));
        }
        steps
    }

    /// What becomes of the packets that end in a frame.
    fn packets_of(&mut self, side: Side, frame: &WholeFrame) -> Vec<RewriteStep> {
        if !frame.is_data() || frame.key.is_some() != (side == Side::Client) {
            return pass();
        }
        let flow = &mut self.flows[side as usize];
        match (flow.message, frame.opcode()) {
            (MessageState::Between, BINARY) | (MessageState::Begun, CONTINUATION) => {}
            (MessageState::Between, _) => return pass(),
            (MessageState::Begun, _) => return inside_another(side),
        }
        let ends = frame.first & FINAL != 0;
        flow.message = if ends { MessageState::Between } else { MessageState::Begun };
        flow.packet.extend_from_slice(&frame.payload);
        let (onward, others) = self.change_packets(side);
        if frame.is_binary() && onward == frame.payload && others.is_empty() {
            return pass();
        }
        let mut steps = vec![RewriteStep::Onward(messages(&onward, side == Side::Client))];
        steps.extend(others);
        steps
    }

    /// The bytes that go on of the packets that are whole, and what else is done.
    fn change_packets(&mut self, side: Side) -> (Vec<u8>, Vec<RewriteStep>) {
        let mut onward = Vec::new();
        let mut others = Vec::new();
        while let Some(packet) = self.next_packet(side) {
            for step in self.change_packet(&packet) {
                match step {
                    RewriteStep::Pass => onward.extend_from_slice(&packet.bytes),
                    RewriteStep::Onward(bytes) => onward.extend(bytes),
                    RewriteStep::Back(bytes) => {
                        others.push(RewriteStep::Back(messages(&bytes, side == Side::Server)));
                    }
                    RewriteStep::End | RewriteStep::Reset => others.push(step),
                }
            }
        }
        (onward, others)
    }

    fn next_packet(&mut self, side: Side) -> Option<RawPacket> {
        let longest = match (side, self.version) {
            (Side::Client, None) => FIRST_PACKET_BYTES.min(self.max_packet),
            (Side::Client, Some(_)) => self.max_packet,
            (Side::Server, _) => usize::MAX,
        };
        let packet = &mut self.flows[side as usize].packet;
        let length = match claimed_length(packet)? {
            // There is no telling where it ends, or it is refused before it does.
            0 => packet.len(),
            length if length > longest => packet.len(),
            length if length > packet.len() => return None,
            length => length,
        };
        let rest = packet.split_off(length);
        let bytes = std::mem::replace(packet, rest);
        let mut raw = RawPacket { version: Version::V3_1_1, side, bytes };
        if side == Side::Client && raw.kind() == 1 {
            self.version = self.version.or(version_asked(raw.body()));
        }
        raw.version = self.version.unwrap_or(raw.version);
        Some(raw)
    }

    fn change_packet(&mut self, packet: &RawPacket) -> Vec<RewriteStep> {
        let change = self.change.packets[packet.side as usize];
        change.map_or_else(pass, |change| change(&mut self.memory, packet))
    }
}

/// The version that the body of a CONNECT asks for, if it is one.
fn version_asked(body: &[u8]) -> Option<Version> {
    let name = usize::from(u16::from_be_bytes(*body.first_chunk()?));
    match body.get(2 + name)? {
        3 => Some(Version::V3_1),
        4 => Some(Version::V3_1_1),
        5 => Some(Version::V5),
        _ => None,
    }
}

/// A message that begins inside another one, which the other side does not know of yet.
fn inside_another(side: Side) -> Vec<RewriteStep> {
    let mut beginning = whole(BINARY, b"", side == Side::Client);
    beginning[0] &= !FINAL;
    vec![RewriteStep::Onward(beginning), RewriteStep::Pass]
}
