//! What passes between a client and the broker, changed by the deviations in their order.

use super::head::RewrittenHead;
use super::packet::RawPacket;
use super::stream::{WholeFrame, claimed_length, messages, whole};
use super::{
    BrokerDeviations, Change, ConnectionAliases, DeviationMemory, EarlyBytes, KeptBytes,
    KnownDeviation, RequestStep, RewriteStep, Side, SideEnding, pass,
};
use crate::broker::limits::{FIRST_PACKET_BYTES, MESSAGE_BYTES};
use crate::mqtt::version::Version;
use crate::websocket::frame::{BINARY, CONTINUATION, FINAL};

/// A longer head is the broker's to refuse, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;

/// The end of a head.
const EMPTY_LINE: &[u8] = b"\r\n\r\n";

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TrafficStage {
    /// The request comes.
    Request,
    /// It has come; the head of the answer has not.
    Answer,
    /// Frames come.
    Frames,
    /// Nothing that comes is looked at, and nothing is answered.
    Hung,
}

/// One connection between its client and the broker.
#[derive(Debug)]
pub struct DeviantTraffic {
    filters: Vec<DeviationFilter>,
    stage: TrafficStage,
    request: RewrittenHead,
    /// The part of a head that has come.
    head: Vec<u8>,
    reads: u32,
    passed: Passed,
}

/// What has passed and was not taken.
#[derive(Debug, Default)]
struct Passed {
    /// For the broker.
    onward: Vec<u8>,
    /// For the client.
    back: Vec<u8>,
    end: Option<DeviantEnd>,
}

/// How a deviation ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviantEnd {
    /// By FIN.
    Closed,
    /// By RST.
    Reset,
}

impl DeviantTraffic {
    /// The connection of this number, with these deviations.
    pub fn new(connection: u64, deviations: &BrokerDeviations) -> Self {
        let memory = || {
            let aliases = ConnectionAliases::new(deviations.aliases.clone());
            DeviationMemory { connection, aliases, ..DeviationMemory::default() }
        };
        let filter = |deviation: &KnownDeviation| DeviationFilter {
            change: deviation.change(),
            memory: memory(),
            max_packet: deviations.max_packet,
            version: None,
            flows: Default::default(),
        };
        Self {
            filters: deviations.list.iter().map(filter).collect(),
            stage: TrafficStage::Request,
            request: RewrittenHead::default(),
            head: Vec::new(),
            reads: 0,
            passed: Passed::default(),
        }
    }

    /// Takes the bytes of one read from the client.
    pub fn receive(&mut self, bytes: &[u8]) {
        match self.stage {
            _ if self.passed.end.is_some() => {}
            TrafficStage::Request => self.request(bytes),
            TrafficStage::Answer => self.receive_early(bytes),
            TrafficStage::Frames => self.receive_frames(bytes),
            TrafficStage::Hung => {}
        }
    }

    /// Takes bytes that came before the answer to the request.
    fn receive_early(&mut self, bytes: &[u8]) {
        let fates = self.filters.iter().map(|filter| filter.change.early);
        match fates.max_by_key(|fate| *fate as u8).unwrap_or_default() {
            EarlyBytes::Read => self.receive_frames(bytes),
            EarlyBytes::Lost => {}
            EarlyBytes::Fatal => self.passed.end = Some(DeviantEnd::Closed),
        }
    }

    fn receive_frames(&mut self, bytes: &[u8]) {
        let is_taken = |filter: &mut DeviationFilter| filter.takes_read(bytes);
        if self.filters.iter_mut().all(is_taken) {
            self.pass_from_client(0, bytes);
        } else {
            self.passed.end = Some(DeviantEnd::Closed);
        }
    }

    /// Takes bytes of the broker.
    pub fn send(&mut self, bytes: &[u8]) {
        match self.stage {
            _ if self.passed.end.is_some() => {}
            TrafficStage::Request | TrafficStage::Answer => self.answer(bytes),
            TrafficStage::Frames => self.pass_from_server(self.filters.len(), bytes),
            TrafficStage::Hung => {}
        }
    }

    /// The broker has sent all that it has for now.
    pub fn settle(&mut self) {
        for at in (0..self.filters.len()).rev() {
            let filter = &mut self.filters[at];
            let is_due = filter.change.kept == KeptBytes::SentLast && self.passed.end.is_none();
            if let Some(bytes) = filter.memory.kept.take_if(|_| is_due) {
                self.pass_from_server(at, &messages(&bytes, false));
            }
        }
    }

    /// Takes what goes on to the broker.
    pub fn take_onward(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.passed.onward)
    }

    /// What waits for the client.
    pub fn waiting(&mut self) -> &mut Vec<u8> {
        &mut self.passed.back
    }

    /// Whether nothing waits for the client.
    pub fn is_idle(&self) -> bool {
        self.passed.back.is_empty()
    }

    /// How the broker ends its side of the connection.
    pub fn ending(&self) -> SideEnding {
        let endings = self.filters.iter().map(|filter| filter.change.ending);
        endings.max_by_key(|ending| *ending as u8).unwrap_or_default()
    }

    /// Whether the connection ends, after what waits for the client.
    pub fn end(&self) -> Option<DeviantEnd> {
        self.passed.end
    }
}

/// The upgrade.
impl DeviantTraffic {
    fn request(&mut self, bytes: &[u8]) {
        self.reads += 1;
        self.head.extend_from_slice(bytes);
        let Some(end) = memchr::memmem::find(&self.head, EMPTY_LINE) else {
            if self.head.len() > LONGEST_HEAD {
                self.passed.onward.append(&mut self.head);
            }
            return;
        };
        let rest = self.head.split_off(end + EMPTY_LINE.len());
        let head =
            RewrittenHead(String::from_utf8_lossy(&std::mem::take(&mut self.head)).into_owned());
        self.stage = TrafficStage::Answer;
        self.request = head.clone();
        self.judge_request(head);
        let goes_on = self.stage == TrafficStage::Answer && self.passed.end.is_none();
        if goes_on && !rest.is_empty() {
            self.receive_early(&rest);
        }
    }

    fn judge_request(&mut self, mut head: RewrittenHead) {
        for DeviationFilter { change, memory, .. } in &mut self.filters {
            memory.reads = self.reads;
            match change.request.map_or(RequestStep::Pass, |judge| judge(memory, &head)) {
                RequestStep::Pass => {}
                RequestStep::Change(changed) => head = RewrittenHead(changed),
                RequestStep::Answer(answer) => {
                    self.passed.back.extend(answer.into_bytes());
                    return self.passed.end = Some(DeviantEnd::Closed);
                }
                RequestStep::Mute => return self.passed.end = Some(DeviantEnd::Closed),
                RequestStep::Hang => return self.stage = TrafficStage::Hung,
            }
        }
        self.passed.onward.extend(head.0.into_bytes());
    }

    fn answer(&mut self, bytes: &[u8]) {
        self.head.extend_from_slice(bytes);
        let Some(end) = memchr::memmem::find(&self.head, EMPTY_LINE) else { return };
        let rest = self.head.split_off(end + EMPTY_LINE.len());
        let head =
            RewrittenHead(String::from_utf8_lossy(&std::mem::take(&mut self.head)).into_owned());
        let is_upgrade = head.is_upgrade();
        let mut changes = self.filters.iter().rev().filter_map(|filter| filter.change.response);
        let answer = changes.try_fold(head, |head, change| change(&self.request, head));
        let Some(RewrittenHead(text)) = answer else {
            return self.passed.end = Some(DeviantEnd::Closed);
        };
        self.passed.back.extend(text.into_bytes());
        self.stage = TrafficStage::Frames;
        if is_upgrade {
            self.pass_from_server(self.filters.len(), &rest);
        } else {
            self.passed.back.extend(rest);
        }
    }
}

/// Frames.
impl DeviantTraffic {
    /// Bytes that come to the filter at this place from the client's side.
    fn pass_from_client(&mut self, at: usize, bytes: &[u8]) {
        let Some(filter) = self.filters.get_mut(at) else {
            return self.passed.onward.extend_from_slice(bytes);
        };
        for step in filter.feed(Side::Client, bytes) {
            match step {
                RewriteStep::Onward(bytes) => self.pass_from_client(at + 1, &bytes),
                RewriteStep::Back(bytes) => self.pass_from_server(at, &bytes),
                RewriteStep::End => return self.passed.end = Some(DeviantEnd::Closed),
                RewriteStep::Reset => return self.passed.end = Some(DeviantEnd::Reset),
                RewriteStep::Pass => {}
            }
        }
    }

    /// Bytes that come to the filters before this place from the broker's side.
    fn pass_from_server(&mut self, after: usize, bytes: &[u8]) {
        let Some(filter) = after.checked_sub(1).and_then(|at| self.filters.get_mut(at)) else {
            return self.passed.back.extend_from_slice(bytes);
        };
        for step in filter.feed(Side::Server, bytes) {
            match step {
                RewriteStep::Onward(bytes) => self.pass_from_server(after - 1, &bytes),
                RewriteStep::Back(bytes) => self.pass_from_client(after, &bytes),
                RewriteStep::End => return self.passed.end = Some(DeviantEnd::Closed),
                RewriteStep::Reset => return self.passed.end = Some(DeviantEnd::Reset),
                RewriteStep::Pass => {}
            }
        }
    }
}

/// One deviation of one connection.
#[derive(Debug)]
struct DeviationFilter {
    change: Change,
    memory: DeviationMemory,
    /// The longest packet that the broker takes of a client, in bytes.
    max_packet: usize,
    /// `None` until CONNECT has come.
    version: Option<Version>,
    flows: [Flow; 2],
}

/// What has come of one side and is not whole.
#[derive(Debug, Default)]
struct Flow {
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
    fn takes_read(&mut self, bytes: &[u8]) -> bool {
        self.change.read.is_none_or(|takes| takes(&mut self.memory, bytes))
    }

    /// What becomes of bytes of one side; none of the steps is [`Step::Pass`].
    fn feed(&mut self, side: Side, bytes: &[u8]) -> Vec<RewriteStep> {
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
        let flow = &mut self.flows[side as usize];
        if !frame.is_data() || frame.key.is_some() != (side == Side::Client) {
            return pass();
        }
        let is_expected = match flow.message {
            MessageState::Between => frame.opcode() == BINARY,
            MessageState::Begun => frame.opcode() == CONTINUATION,
        };
        if !is_expected && flow.message == MessageState::Begun {
            // The other side does not know yet that a message has begun.
            let mut beginning = whole(BINARY, b"", side == Side::Client);
            beginning[0] &= !FINAL;
            return vec![RewriteStep::Onward(beginning), RewriteStep::Pass];
        }
        if !is_expected {
            return pass();
        }
        let ends = frame.first & FINAL != 0;
        flow.message = if ends { MessageState::Between } else { MessageState::Begun };
        flow.packet.extend_from_slice(&frame.payload);
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
        if frame.is_binary() && onward == frame.payload && others.is_empty() {
            return pass();
        }
        let mut steps = vec![RewriteStep::Onward(messages(&onward, side == Side::Client))];
        steps.extend(others);
        steps
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
